//! What a real server refuses, and whether it is told with its mend: the mend hangs on the first word of the refusal, which
//! is the same on Redis and Valkey.

use super::*;
use std::io::Write;
use std::os::unix::net::UnixStream;

/// What maintenance says of what has just failed.
fn told(home: &Home, store: &Redis) -> String {
    store.tend(home.now()).unwrap_err().message
}

#[test]
fn a_user_without_the_rights_is_told_which_it_needs() {
    let home = Home::new();
    for (missing, right) in
        [("-info", "+info"), ("resetkeys", "~janua:*"), ("-@scripting", "+@all"), ("-hmget", "+@all")]
    {
        home.server.ask(&["ACL", "SETUSER", "door", "on", ">OpenSesame", "~janua:*", "+@all", missing]);
        let password = Some(Secret::new(b"OpenSesame".to_vec()));
        let login = Login { user: Some("door".to_owned()), password, tls: None };
        let error = home.refused(Settings { login, ..home.settings() });
        assert!(error.contains("in the server's ACL") && error.contains(right), "{missing}: {error}");
    }
}

#[test]
fn a_full_memory_refuses_who_comes_and_keeps_who_is_in() {
    let home = Home::new();
    let store = home.open();
    let keys = [1, 2].map(|number| home.login(&store, "Aladdin", number));
    home.server.ask(&["CONFIG", "SET", "maxmemory", "1"]);
    assert_eq!(home.try_login(&store, "AlexK", 3), Err(NotStored::Unavailable));
    let error = told(&home, &store);
    assert!(error.contains("maxmemory") && error.contains("OOM"), "{error}");
    home.clock.advance(61);
    assert_eq!(keys.map(|key| home.why(&store, &key)), [None, None]);
    assert!(home.end(&store, keys[0]).is_ok(), "a log-out needs no room");
    assert_eq!(keys.map(|key| home.why(&store, &key)), [DEAD, None]);
    home.server.ask(&["CONFIG", "SET", "maxmemory", "0"]);
    home.login(&store, "AlexK", 3);
}

#[test]
fn a_server_that_cannot_write_its_disk_is_told_as_that() {
    let home = Home::of(&["--save", "3600 1"]);
    let store = home.open();
    let key = home.login(&store, "Aladdin", 1);
    // The dump cannot take the place of a folder.
    std::fs::create_dir(home.server.folder.join("dump.rdb")).unwrap();
    home.server.ask(&["BGSAVE"]);
    let failed = || home.server.ask(&["INFO", "persistence"]).contains("rdb_last_bgsave_status:err");
    until("it does not save", failed);
    assert_eq!(home.end(&store, key), Err(Unavailable));
    let error = told(&home, &store);
    assert!(error.contains("cannot write its disk") && error.contains("MISCONF"), "{error}");
    home.server.ask(&["CONFIG", "SET", "stop-writes-on-bgsave-error", "no"]);
    until("it comes back", || store.tend(home.now()).is_ok());
    assert!(home.end(&store, key).is_ok());
}

#[test]
fn a_server_that_is_busy_with_anothers_script_is_told_as_that() {
    let home = Home::new();
    let store = home.open();
    home.server.ask(&["CONFIG", "SET", "busy-reply-threshold", "1"]);
    let mut other = UnixStream::connect(home.server.folder.join("socket")).unwrap();
    other.write_all(b"EVAL 'while true do end' 0\r\n").unwrap();
    until("it is busy", || home.server.ask(&["PING"]).contains("BUSY"));
    assert_eq!(home.end(&store, key(1)), Err(Unavailable));
    let error = told(&home, &store);
    assert!(error.contains("busy with a script"), "{error}");
    home.server.ask(&["SCRIPT", "KILL"]);
    until("it comes back", || store.tend(home.now()).is_ok());
}

#[test]
fn a_server_that_loads_its_data_is_waited_for() {
    let mut home = Home::of(&["--key-load-delay", "1000", "--loading-process-events-interval-bytes", "1024"]);
    let store = home.open();
    let key = home.login(&store, "Aladdin", 1);
    let fill = "for at = 1, 3000 do redis.call('SET', 'a' .. at, string.rep('x', 1000 + at)) end";
    home.server.ask(&["EVAL", fill, "0"]);
    until("it saves", || home.server.ask(&["SAVE"]).contains("OK"));
    home.server.restart();
    home.clock.advance_ms(101);
    assert_eq!(home.why(&store, &key), Some(Reason::StoreUnavailable));
    let error = told(&home, &store);
    assert!(error.contains("is loading its data"), "{error}");
    until("it comes back", || store.tend(home.now()).is_ok());
    assert_eq!(home.why(&store, &key), None);
}

#[test]
fn a_server_that_has_lost_its_others_is_told_as_that() {
    let node = RedisServer::start(&["--cluster-enabled", "yes"]);
    let clock = Clock::fake(1_700_000_000);
    let alone = Redis::new(Settings { kind: Kind::Cluster, ..settings(&node.socket_url()) }, clock.clone());
    let error = alone.attach().unwrap_err().message;
    assert!(error.contains("has lost its others") && error.contains("CLUSTERDOWN"), "{error}");
    let nowhere = redis_server::free_port().to_string();
    let options = ["--replicaof", "127.0.0.1", &nowhere, "--replica-serve-stale-data", "no"];
    let home = Home { server: RedisServer::start(&options), clock };
    let error = home.refused(home.settings());
    assert!(error.contains("has lost its others") || error.contains("is a replica"), "{error}");
}
