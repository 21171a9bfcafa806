//! A server that is down, stands still, or may not be written: bounded, unavailable, and back without a restart.

use super::*;
use crate::store::held::copies::LIFE_SECS;
use std::time::Instant;

const SHORT: Duration = Duration::from_millis(200);

/// Until the server answers again, as maintenance would try it.
fn until_back(home: &Home, store: &Redis) {
    let until = Instant::now() + Duration::from_secs(20);
    while store.tend(home.now()).is_err() {
        assert!(Instant::now() < until, "it does not come back");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_server_that_went_away_is_unavailable_and_comes_back_with_all_that_it_kept() {
    let mut home = Home::of(&["--appendonly", "yes", "--appendfsync", "always"]);
    let store = home.open();
    let (key, gone) = (home.login(&store, "Aladdin", 1), home.login(&store, "Aladdin", 2));
    home.end(&store, gone).unwrap();
    home.server.kill();
    home.clock.advance_ms(101);
    for key in [key, gone, [5; 32]] {
        assert_eq!(home.why(&store, &key), Some(Reason::StoreUnavailable));
    }
    let unstored = Record::new(NewSession::of("Aladdin", 60, 600, 1), home.now());
    assert_eq!(store.seq(), Err(Unavailable));
    assert_eq!(store.insert([4; 32], unstored, 9, home.now()).unwrap_err(), NotStored::Unavailable);
    assert_eq!(home.end(&store, key), Err(Unavailable), "nothing is acknowledged");
    assert_eq!((store.count(), store.list(home.now(), 9).map(drop)), (Err(Unavailable), Err(Unavailable)));
    assert_eq!(store.token_revoked("Aladdin", &[9; 8], None, 1), Err(Unavailable));
    let error = store.tend(home.now()).unwrap_err().message;
    assert!(error.contains("unix://") && error.contains("start the server"), "{error}");
    home.server.restart();
    until_back(&home, &store);
    assert_eq!([key, gone].map(|key| home.why(&store, &key)), [None, DEAD]);
    assert!(home.end(&store, key).is_ok());
}

#[test]
fn nobody_waits_for_a_server_that_is_known_to_be_down() {
    let mut home = Home::new();
    let store = home.open();
    let key = home.login(&store, "Aladdin", 1);
    home.server.kill();
    home.clock.advance_ms(101);
    let mut rested = 0;
    for _ in 0..300 {
        match home.at_once(&store, &key) {
            // Somebody is to try.
            None => assert_eq!(home.why(&store, &key), Some(Reason::StoreUnavailable)),
            Some(answer) => {
                assert_eq!(answer, Some(Reason::StoreUnavailable));
                rested += 1;
            }
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(rested > 200, "{rested} of 300");
}

#[test]
fn a_server_that_stands_still_costs_the_time_limit_and_not_more() {
    let home = Home::new();
    let store = attached(Settings { timeout: SHORT, connections: 2, ..home.settings() }, &home.clock);
    let key = home.login(&store, "Aladdin", 1);
    home.server.signal("STOP");
    home.clock.advance_ms(101);
    let all = Instant::now();
    std::thread::scope(|threads| {
        for _ in 0..30 {
            threads.spawn(|| {
                let began = Instant::now();
                assert_eq!(home.why(&store, &key), Some(Reason::StoreUnavailable));
                assert_eq!(home.end(&store, key), Err(Unavailable));
                println!("unavailable after {:?}", began.elapsed());
            });
        }
    });
    // One after the other it would be twice that, and the machine may be busy.
    assert!(all.elapsed() < 30 * SHORT, "{:?}", all.elapsed());
    assert!(store.tend(home.now()).unwrap_err().message.contains("store.timeout"));
    home.server.signal("CONT");
    until_back(&home, &store);
    let why = home.why(&store, &key);
    assert!(why.is_none() || why == DEAD, "what was sent before it stood still may have happened: {why:?}");
}

#[test]
fn a_late_answer_is_never_taken_for_the_next() {
    let home = Home::new();
    let store = attached(Settings { timeout: SHORT, connections: 1, ..home.settings() }, &home.clock);
    let keys: Vec<_> = (0..8).map(|number| home.login(&store, "Aladdin", number)).collect();
    home.end(&store, keys[0]).unwrap();
    for round in 0..4 {
        home.server.signal("STOP");
        home.clock.advance(61);
        assert_eq!(home.why(&store, &keys[1]), Some(Reason::StoreUnavailable));
        home.server.signal("CONT");
        until_back(&home, &store);
        assert_eq!(home.why(&store, &keys[0]), DEAD, "round {round}");
        assert!(keys[1..].iter().all(|key| home.why(&store, key).is_none()), "round {round}");
    }
}

#[test]
fn what_is_known_counts_on_for_as_long_as_was_asked_for() {
    let mut home = Home::new();
    let stale_for = Duration::from_secs(90);
    let store = attached(Settings { stale_for, ..home.settings() }, &home.clock);
    let keys = [1, 2, 3].map(|number| home.login(&store, "Aladdin", number));
    let token = store.seq().unwrap();
    home.end(&store, keys[1]).unwrap();
    home.server.kill();
    home.clock.advance_ms(101);
    assert_eq!(home.at_once(&store, &keys[0]), None, "nobody has found it down yet");
    assert_eq!(keys.map(|key| home.why(&store, &key)), [None, DEAD, None]);
    for _ in 0..2 {
        assert_eq!(keys.map(|key| home.at_once(&store, &key)), [Some(None), Some(DEAD), Some(None)], "FAST, too");
        assert_eq!(store.token_revoked("Aladdin", &[9; 8], None, token), Ok(false));
        home.clock.advance(44);
    }
    assert_eq!(home.end(&store, keys[0]), Err(Unavailable), "a log-out is not acknowledged");
    let Answer::Hit(record) = store.check(&keys[2], home.now()) else { panic!("it is alive") };
    assert_eq!(store.touch_later(&record, false, None, home.now()), Later::Noted, "and its use is not lost");
    home.clock.advance(3);
    assert_eq!(keys.map(|key| home.why(&store, &key)), [Some(Reason::StoreUnavailable); 3]);
    home.server.restart();
    until_back(&home, &store);
    assert_eq!(home.why(&store, &keys[0]), Some(Reason::SessionUnknown), "this server kept nothing");
}

#[test]
fn who_finds_the_server_gone_goes_on_with_what_is_known_too() {
    let mut home = Home::new();
    let store = attached(Settings { stale_for: Duration::from_secs(90), ..home.settings() }, &home.clock);
    let (key, gone) = (home.login(&store, "Aladdin", 1), home.login(&store, "Aladdin", 2));
    home.end(&store, gone).unwrap();
    home.clock.advance(LIFE_SECS + 1);
    store.tend(home.now()).unwrap();
    home.server.kill();
    assert_eq!(home.why(&store, &key), None, "all is known up to now, but the copy is to be read again");
    assert_eq!(home.why(&store, &gone), DEAD);
}

#[test]
fn who_waits_in_vain_for_anothers_answer_goes_on_with_what_is_known() {
    let home = Home::new();
    let stale_for = Duration::from_secs(90);
    let stores = [stale_for, Duration::ZERO]
        .map(|stale_for| attached(Settings { stale_for, timeout: SHORT, ..home.settings() }, &home.clock));
    let keys = [1, 2].map(|number| home.login(&stores[0], "Aladdin", number));
    home.end(&stores[0], keys[1]).unwrap();
    for (store, is_allowed) in stores.iter().zip([true, false]) {
        assert_eq!(keys.map(|key| home.why(store, &key)), [None, DEAD]);
        home.clock.advance_ms(101);
        let another = store.core().unwrap().flight.lock();
        let expected = if is_allowed { [None, DEAD] } else { [Some(Reason::StoreUnavailable); 2] };
        assert_eq!(keys.map(|key| home.why(store, &key)), expected);
        home.clock.advance(91);
        assert_eq!(keys.map(|key| home.why(store, &key)), [Some(Reason::StoreUnavailable); 2]);
        drop(another);
    }
}

#[test]
fn a_restart_of_the_server_logs_nobody_out_where_it_keeps_its_data() {
    let mut home = Home::of(&["--appendonly", "yes"]);
    let stores = [home.open(), home.open()];
    let keys: Vec<_> = (0..10).map(|number| home.login(&stores[0], "Aladdin", number)).collect();
    assert!(keys.iter().all(|key| home.why(&stores[1], key).is_none()));
    home.server.ask(&["CONFIG", "SET", "appendfsync", "always"]);
    home.end(&stores[0], keys[0]).unwrap();
    for _ in 0..3 {
        home.server.restart();
        home.clock.advance_ms(150);
        for store in &stores {
            until_back(&home, store);
            assert!(keys[1..].iter().all(|key| home.why(store, key).is_none()));
            assert_eq!(home.why(store, &keys[0]), DEAD);
        }
    }
}

#[test]
fn a_server_that_may_not_be_used_is_left_in_peace_as_one_that_is_down() {
    let home = Home::new();
    let store = home.open();
    home.server.ask(&["CONFIG", "SET", "requirepass", "pa55w0rd"]);
    home.server.ask(&["CLIENT", "KILL", "TYPE", "normal"]);
    home.clock.advance_ms(101);
    assert_eq!(home.why(&store, &key(1)), Some(Reason::StoreUnavailable));
    let rested = (0..200).filter(|_| home.at_once(&store, &key(1)).is_some()).count();
    assert!(rested > 0, "nobody asks a second time at once");
    assert!(store.tend(home.now()).unwrap_err().message.contains("store.password"));
}

/// A server that is there and refuses everything is as good as one that is away.
fn counts_as_down(home: &Home, word: &str, refuse: impl FnOnce(), mend: impl FnOnce()) {
    let stale_for = Duration::from_secs(90);
    let store = attached(Settings { stale_for, ..home.settings() }, &home.clock);
    let key = home.login(&store, "Aladdin", 1);
    refuse();
    home.clock.advance_ms(101);
    assert_eq!(home.why(&store, &key), None, "what is known counts on");
    let error = store.tend(home.now()).unwrap_err().message;
    assert!(error.contains(word), "{error}");
    assert_eq!(home.end(&store, key), Err(Unavailable));
    mend();
    until_back(home, &store);
    assert!(home.end(&store, key).is_ok());
}

#[test]
fn a_server_that_cannot_write_its_disk_is_down() {
    let home = Home::new();
    let refuse = || {
        // A file cannot take a folder's place.
        std::fs::create_dir(home.server.folder.join("dump.rdb")).unwrap();
        home.server.ask(&["CONFIG", "SET", "save", "3600 1"]);
        home.server.ask(&["BGSAVE"]);
        let until = Instant::now() + Duration::from_secs(20);
        while !home.server.ask(&["INFO", "persistence"]).contains("rdb_last_bgsave_status:err") {
            assert!(Instant::now() < until, "it was saved");
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    let mend = || drop(home.server.ask(&["CONFIG", "SET", "stop-writes-on-bgsave-error", "no"]));
    counts_as_down(&home, "stop-writes-on-bgsave-error", refuse, mend);
}

#[test]
fn a_server_that_is_busy_with_a_script_is_down() {
    let home = Home::of(&["--busy-reply-threshold", "50"]);
    let socket = home.server.folder.join("socket");
    let refuse = || {
        let mut endless = std::os::unix::net::UnixStream::connect(&socket).unwrap();
        std::io::Write::write_all(&mut endless, b"EVAL \"while true do end\" 0\r\n").unwrap();
        let until = Instant::now() + Duration::from_secs(20);
        while !home.server.ask(&["PING"]).contains("BUSY") {
            assert!(Instant::now() < until, "it answers still");
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    counts_as_down(&home, "a script that does not end", refuse, || drop(home.server.ask(&["SCRIPT", "KILL"])));
}
