//! Where a server may be and who we are to it: databases, passwords, TLS, replicas, sentinels, clusters.

use super::*;
use std::path::Path;
use std::process::Command;

fn login(password: &str, user: Option<&str>) -> Login {
    Login { user: user.map(str::to_owned), password: Some(Secret::new(password.as_bytes().to_vec())), tls: None }
}

#[test]
fn a_database_has_a_number() {
    let home = Home::new();
    let first = home.open();
    let other = attached(settings(&format!("{}/3", home.server.url())), &home.clock);
    let key = home.login(&first, "Aladdin", 1);
    assert_eq!(home.why(&other, &key), Some(Reason::SessionUnknown));
    assert!(home.refused(settings(&format!("{}/99", home.server.url()))).contains("out of range"));
}

#[test]
fn a_user_of_the_servers_needs_no_more_rights_than_the_manual_says() {
    let home = Home::new();
    let rights = ["~janua:*", "+@all", "-@dangerous", "+info"];
    home.server.ask(&[&["ACL", "SETUSER", "door", "on", ">OpenSesame"][..], &rights].concat());
    home.server.ask(&["CONFIG", "SET", "requirepass", "pa55w0rd"]);
    let with = |login| Settings { login, ..settings(&home.server.url()) };
    let store = attached(with(login("OpenSesame", Some("door"))), &home.clock);
    let key = home.login(&store, "Aladdin", 1);
    home.end(&store, key).unwrap();
    store.tend(home.now()).unwrap();
    store.sweep(home.now(), 10);
    assert_eq!(store.list(home.now(), 10).unwrap().len(), 0);
    assert_eq!(store.replace_document("a", None, b"b"), Ok(true));
    assert!(attached(with(login("pa55w0rd", None)), &home.clock).seq().is_ok(), "a password alone");

    for (wrong, word) in [
        (Login::default(), "store.password"),
        (login("password", None), "store.password"),
        (login("password", Some("door")), "store.user"),
        (login("OpenSesame", Some("nobody")), "store.user"),
    ] {
        let error = home.refused(with(wrong));
        assert!(error.contains(word) && !error.contains("OpenSesame"), "{error}");
    }
}

#[test]
fn no_answer_to_a_password_repeats_it() {
    let home = Home::of(&["--rename-command", "AUTH", "GREET"]);
    for user in [None, Some("door")] {
        let error = home.refused(Settings { login: login("OpenSesame", user), ..home.settings() });
        assert!(error.contains("store.password") && !error.contains("OpenSesame"), "{error}");
    }
    let home = Home::new();
    let error = home.refused(Settings { login: login("OpenSesame", None), ..home.settings() });
    assert!(error.contains("store.password"), "a server that asks for none: {error}");
}

/// Makes a certificate of a name, vouched for by itself.
fn certificate(folder: &Path, name: &str, subject: &str) {
    let file = |end: &str| folder.join(format!("{name}.{end}")).display().to_string();
    let words = format!(
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN={name} -addext \
         subjectAltName={subject} -addext basicConstraints=critical,CA:FALSE -keyout {} -out {}",
        file("key"),
        file("pem")
    );
    let made = Command::new("openssl").args(words.split_whitespace()).output();
    let made = made.unwrap_or_else(|_| panic!("openssl was not found: `scripts/setup test` installs it"));
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    crate::crypto::scratch::mode(&folder.join(format!("{name}.key")), 0o600);
}

#[test]
fn over_tls_the_servers_name_is_checked_and_ours_is_shown() {
    let folder = crate::crypto::scratch::Scratch::new();
    let folder = folder.path(".");
    for (name, subject) in [("right", "IP:127.0.0.1"), ("wrong", "DNS:store.example.org"), ("own", "DNS:door")] {
        certificate(&folder, name, subject);
    }
    let file = |name: &str| folder.join(name);
    let shown = |name: &str| file(name).display().to_string();
    let port = redis_server::free_port();
    let listen = |server: &str| {
        let options =
            ["--tls-port", &port.to_string(), "--tls-cert-file", &shown(&format!("{server}.pem"))].map(str::to_owned);
        let more = ["--tls-key-file", &shown(&format!("{server}.key")), "--tls-ca-cert-file", &shown("own.pem")]
            .map(str::to_owned);
        let all: Vec<&str> = options.iter().chain(&more).map(String::as_str).collect();
        Home::of(&all)
    };
    let with = |ca: &str, own: bool| {
        let (certificate, key) = (file("own.pem"), file("own.key"));
        let own = own.then_some((certificate.as_path(), key.as_path()));
        let tls = Some(Tls::read(&file(ca), own).unwrap());
        Settings { login: Login { tls, ..Login::default() }, ..settings(&format!("rediss://127.0.0.1:{port}")) }
    };
    let home = listen("right");
    let store = attached(with("right.pem", true), &home.clock);
    let keys: Vec<_> = (0..20).map(|number| home.login(&store, "Aladdin", number)).collect();
    home.end(&store, keys[0]).unwrap();
    std::thread::scope(|threads| {
        for _ in 0..4 {
            threads.spawn(|| {
                assert!(keys[1..].iter().all(|key| store.alive(&Reference::of(key), home.now()) == Answer::Hit(())))
            });
        }
    });
    let errors = [
        home.refused(with("wrong.pem", true)),
        home.refused(with("right.pem", false)),
        home.refused(settings(&format!("redis://127.0.0.1:{port}"))),
        home.refused(Settings {
            timeout: Duration::from_millis(300),
            login: with("right.pem", true).login,
            ..settings(&format!("rediss://127.0.0.1:{}", home.server.port))
        }),
    ];
    println!("{errors:#?}");
    assert!(errors[0].contains("store.ca"), "{}", errors[0]);
    assert!(errors[3].contains("TLS"), "{}", errors[3]);
    drop((store, home));

    let home = listen("wrong");
    let error = home.refused(with("wrong.pem", true));
    assert!(error.contains("name") && error.contains("store.servers"), "{error}");
    for (name, word) in [("own.key", "no certificate"), ("none.pem", "cannot be read")] {
        assert!(Tls::read(&file(name), None).unwrap_err().message.contains(word));
    }
    let error = Tls::read(&file("own.pem"), Some((&file("own.pem"), &file("wrong.key")))).unwrap_err();
    assert!(error.message.contains("wrong.key"), "{}", error.message);
    assert!(rustls::crypto::CryptoProvider::get_default().is_none(), "nothing is installed for the whole process");
}

/// Waits until what the primary writes reaches the replica at once: the replica says that it follows a second before.
fn follows(replica: &RedisServer, primary: &RedisServer) {
    until("the replica follows", || replica.ask(&["INFO", "replication"]).contains("master_link_status:up"));
    primary.ask(&["SET", "a", "there"]);
    until("the replica has it", || replica.ask(&["GET", "a"]).contains("there"));
}

#[test]
fn a_replica_is_not_asked_and_a_primary_alone_acknowledges_nothing() {
    let home = Home::new();
    let port = home.server.port.to_string();
    let replica = RedisServer::start(&["--replicaof", "127.0.0.1", &port]);
    follows(&replica, &home.server);
    let error = home.refused(settings(&replica.socket_url()));
    assert!(error.contains("replica"), "{error}");
    let confirmed = Settings { replicas: 1, ..home.settings() };
    let store = attached(confirmed, &home.clock);
    let keys = [1, 2, 3].map(|number| home.login(&store, "Aladdin", number));
    assert!(home.end(&store, keys[0]).is_ok());
    replica.signal("STOP");
    assert_eq!(home.end(&store, keys[1]), Err(Unavailable), "nobody else has it");
    assert!(store.tend(home.now()).unwrap_err().message.contains("store.replicas"));
    assert_eq!([0, 2].map(|at| home.why(&store, &keys[at])), [DEAD, None], "checks go on");
    home.server.ask(&["CONFIG", "SET", "min-replicas-max-lag", "1"]);
    home.server.ask(&["CONFIG", "SET", "min-replicas-to-write", "1"]);
    until("a primary that has lost its replicas answers no poll", || {
        home.clock.advance_ms(101);
        home.why(&store, &keys[2]) == Some(Reason::StoreUnavailable)
    });
    until("maintenance says why", || {
        store.tend(home.now()).is_err_and(|e| e.message.contains("min-replicas-to-write"))
    });
    replica.signal("CONT");
    until("both are there again", || store.tend(home.now()).is_ok() && home.end(&store, keys[1]).is_ok());
    assert_eq!(home.why(&store, &keys[2]), None);
}

#[test]
fn sentinels_are_asked_for_the_primary_also_after_it_has_changed() {
    let mut home = Home::new();
    let port = home.server.port.to_string();
    let replica = RedisServer::start(&["--replicaof", "127.0.0.1", &port]);
    follows(&replica, &home.server);
    let lines = [
        &*format!("sentinel monitor door 127.0.0.1 {port} 1"),
        "sentinel down-after-milliseconds door 500",
        "sentinel failover-timeout door 2000",
    ];
    let sentinel = RedisServer::sentinel(&lines);
    let servers = [redis_server::free_port(), sentinel.port]
        .map(|port| Server::parse(&format!("redis://127.0.0.1:{port}")).unwrap());
    let with = |name: &str| Settings {
        kind: Kind::Sentinel(name.to_owned()),
        servers: servers.to_vec(),
        replicas: 1,
        ..home.settings()
    };
    assert!(home.refused(with("window")).contains("no primary"));
    let (store, other) = (attached(with("door"), &home.clock), attached(with("door"), &home.clock));
    let keys = [1, 2].map(|number| home.login(&store, "Aladdin", number));
    home.end(&store, keys[0]).unwrap();
    // The sentinel finds replicas by asking, every ten seconds or when it begins.
    until("the sentinel knows the replica", || {
        let mut socket = std::net::TcpStream::connect(("127.0.0.1", sentinel.port)).unwrap();
        std::io::Write::write_all(&mut socket, b"SENTINEL replicas door\r\n").unwrap();
        std::thread::sleep(Duration::from_millis(50));
        let mut room = [0; 4096];
        let count = std::io::Read::read(&mut socket, &mut room).unwrap();
        String::from_utf8_lossy(&room[..count]).contains(&format!("{}", replica.port))
    });
    home.server.kill();
    home.clock.advance_ms(101);
    assert_eq!(home.why(&store, &keys[1]), Some(Reason::StoreUnavailable));
    for store in [&store, &other] {
        until("the sentinels have another primary", || {
            home.clock.advance_ms(101);
            store.tend(home.now()).is_ok() && home.why(store, &keys[1]).is_none()
        });
        assert_eq!(home.why(store, &keys[0]), DEAD);
    }
    home.login(&other, "AlexK", 3);
    assert_eq!(home.end(&store, keys[1]), Err(Unavailable), "no replica is left to confirm it");
}

#[test]
fn in_a_cluster_a_site_is_found_and_followed_when_its_slot_moves() {
    let nodes: Vec<_> =
        (0..3).map(|_| RedisServer::start(&["--cluster-enabled", "yes", "--cluster-node-timeout", "2000"])).collect();
    let places: Vec<_> = nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)).collect();
    let cli = |words: &[&str]| {
        let client = redis_server::client();
        let done = Command::new(&client).args(words).output();
        let done = done.unwrap_or_else(|_| panic!("{client:?} was not found: `scripts/setup test` installs it"));
        (done.status.success(), String::from_utf8_lossy(&done.stdout).into_owned())
    };
    let words: Vec<&str> =
        ["--cluster", "create"].into_iter().chain(places.iter().map(String::as_str)).chain(["--cluster-yes"]).collect();
    until("the cluster forms", || cli(&words).0 || nodes[0].ask(&["CLUSTER", "INFO"]).contains("cluster_state:ok"));
    until("all nodes know", || nodes.iter().all(|node| node.ask(&["CLUSTER", "INFO"]).contains("cluster_state:ok")));
    let clock = Clock::fake(1_700_000_000);
    let home = Home { server: RedisServer::start(&[]), clock: clock.clone() };
    let alone = |place: &str| settings(&format!("redis://{place}"));
    let with = |place: &str, site: &str| Settings { kind: Kind::Cluster, site: site.to_owned(), ..alone(place) };
    // Whatever node is named, and wherever the site's slot is.
    let sites = ["a.example.org", "b.example.org", "c.example.org", "d.example.org", "e.example.org"];
    for (number, site) in sites.into_iter().enumerate() {
        let store = attached(with(&places[number % 3], site), &clock);
        let key = home.login(&store, "Aladdin", 1);
        let there = attached(with(&places[(number + 1) % 3], site), &clock);
        assert_eq!(home.why(&there, &key), None, "{site}");
        home.end(&there, key).unwrap();
        clock.advance_ms(101);
        assert_eq!(home.why(&store, &key), DEAD, "{site}");
        assert_eq!((store.count(), store.replace_document("a", None, b"b")), (Ok(0), Ok(true)));
    }
    let errors: Vec<_> =
        places.iter().filter_map(|place| Redis::new(alone(place), clock.clone()).attach().err()).collect();
    assert!(errors.len() == 2 && errors.iter().all(|e| e.message.contains("store.cluster")), "{errors:?}");

    let store = attached(with(&places[0], SITE), &clock);
    let keys: Vec<_> = (0..20).map(|number| home.login(&store, "Aladdin", number)).collect();
    home.end(&store, keys[0]).unwrap();
    let base = String::from_utf8(Names::new(&super::keys(), SITE).base).unwrap();
    let slot = nodes[0].ask(&["CLUSTER", "KEYSLOT", &base]).trim_matches([':', '\r', '\n']).to_owned();
    let id = |node: &RedisServer| node.ask(&["CLUSTER", "MYID"]).split("\r\n").nth(1).unwrap().to_owned();
    let has = |node: &RedisServer| !node.ask(&["CLUSTER", "COUNTKEYSINSLOT", &slot]).starts_with(":0");
    let from = nodes.iter().find(|node| has(node)).unwrap();
    let to = nodes.iter().find(|node| !has(node)).unwrap();
    to.ask(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &id(from)]);
    from.ask(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &id(to)]);
    let port = to.port.to_string();
    let names = from.ask(&["CLUSTER", "GETKEYSINSLOT", &slot, "100"]);
    let names: Vec<_> = names.split("\r\n").filter(|line| line.starts_with("janua:")).collect();
    for (at, name) in names.iter().enumerate() {
        assert!(from.ask(&["MIGRATE", "127.0.0.1", &port, name, "0", "5000"]).contains("OK"));
        clock.advance(61);
        if at % 5 == 0 {
            let said: Vec<_> = keys.iter().map(|key| home.why(&store, key)).collect();
            let wrong = |said: &Option<Reason>| !matches!(said, None | Some(Reason::StoreUnavailable));
            assert!(!said[1..].iter().any(wrong), "nobody is logged out half way: {said:?}");
            assert_ne!(said[0], None, "nor let in");
        }
    }
    for node in [to, from, nodes.iter().find(|node| node.port != to.port && node.port != from.port).unwrap()] {
        node.ask(&["CLUSTER", "SETSLOT", &slot, "NODE", &id(to)]);
    }
    until("the moved slot is found", || store.tend(home.now()).is_ok());
    assert_eq!(home.why(&store, &keys[0]), DEAD);
    assert!(keys[1..].iter().all(|key| home.why(&store, key).is_none()));
    assert!(home.end(&store, keys[1]).is_ok());
}
