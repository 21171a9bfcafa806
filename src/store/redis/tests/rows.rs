//! What stands on the server: read back whole by another process, unreadable to others, and on the clocks of whoever reads.

use super::*;
use crate::directory::Tenant;

fn full(seq: u64) -> NewSession {
    NewSession {
        tenant: Some(Arc::new(Tenant { id: "{1}".to_owned(), name: "Sample Vault".to_owned() })),
        extra: vec![("computer".into(), "desk-7".into())],
        client: Some("203.0.113.7".into()),
        companion: Some([7; 32]),
        keep_path: true,
        kept: true,
        mints: true,
        ..NewSession::of("Aladdin", 1_600, 43_200, seq)
    }
}

#[test]
fn another_process_reads_back_all_of_a_session_and_its_uses() {
    let home = Home::new();
    let (here, there) = (home.open(), home.open());
    let record = Record::new(full(here.seq().unwrap()), home.now());
    let record = here.insert(key(1), record, 9, home.now()).unwrap().record;
    home.clock.advance(100);
    assert_eq!(here.touch(&record, Some(b"/api/a"), home.now()), Ok(Touch::Done));
    here.note_companion(&record).unwrap();
    here.tend(home.now()).unwrap();
    let Answer::Hit(back) = there.check(&key(1), home.now()) else { panic!("it is alive") };
    assert_eq!((back.ends(), back.last_used_boot()), (record.ends(), record.last_used_boot()));
    assert_eq!((back.last_path().as_deref(), back.companion_required()), (Some("/api/a"), true));
    assert_eq!((back.client(), back.companion(), back.extra()), (record.client(), record.companion(), record.extra()));
    assert_eq!((back.kept, back.mints, back.seq), (true, true, record.seq));
    assert_eq!(back.tenant.as_ref().map(|tenant| tenant.id.as_str()), Some("{1}"));
}

/// How many calls of scripts the server has seen.
fn calls(home: &Home) -> u32 {
    let told = home.server.ask(&["INFO", "commandstats"]);
    let line = told.lines().find_map(|line| line.strip_prefix("cmdstat_evalsha:calls=")?.split(',').next());
    line.map_or(0, |count| count.parse().unwrap())
}

#[test]
fn no_request_waits_for_all_the_uses_that_were_noted() {
    let home = Home::new();
    let store = home.open();
    let all: Vec<_> = (0..200).map(|number| home.login(&store, "Aladdin", number)).collect();
    let found = |store: &Redis, key| match store.check(key, home.now()) {
        Answer::Hit(record) => record,
        other => panic!("{other:?}"),
    };
    let records: Vec<_> = all.iter().map(|key| found(&store, key)).collect();
    let began = home.now().boot();
    home.clock.advance(100);
    for record in &records[1..] {
        assert_eq!(store.touch_later(record, false, None, home.now()), Later::Noted);
    }
    home.clock.advance(2);
    let written = || {
        let other = home.open();
        all.iter().filter(|key| found(&other, key).last_used_boot() > Some(began + 1)).count()
    };
    let before = calls(&home);
    assert_eq!(store.touch(&records[0], None, home.now()), Ok(Touch::Done));
    home.login(&store, "AlexK", 900);
    let asked = calls(&home) - before;
    println!("{asked} calls");
    assert!(asked <= 6, "a poll and a batch, a poll and a batch and the log-in: {asked}");
    store.tend(home.now()).unwrap();
    assert_eq!(written(), 200, "maintenance writes them all");
}

#[test]
fn whoever_reads_the_server_learns_no_name_and_whoever_writes_it_lets_nobody_in() {
    let home = Home::new();
    let store = home.open();
    let record = Record::new(full(store.seq().unwrap()), home.now());
    let record = store.insert(key(1), record, 9, home.now()).unwrap().record;
    home.clock.advance(100);
    let _ = store.touch(&record, Some(b"/secret/way"), home.now()).unwrap();
    store.revoke(Revocation::Principal("joe.bloggs@test.com"), home.now()).unwrap();
    store.tend(home.now()).unwrap();
    let all = "local t = {} for _, k in ipairs(redis.call('KEYS', '*')) do t[#t + 1] = k; t[#t + 1] = \
               redis.call('DUMP', k) end return table.concat(t)";
    let dump = home.server.ask(&["EVAL", all, "0"]);
    assert!(dump.contains("janua:{"), "{dump}");
    for word in ["Aladdin", "joe.bloggs", "Sample Vault", "desk-7", "203.0.113.7", "/secret", SITE] {
        assert!(!dump.contains(word), "{word} is to be read on the server");
    }

    let row = |number| String::from_utf8(Names::new(&keys(), SITE).row(&Reference::of(&key(number)).0)).unwrap();
    home.server.ask(&["COPY", &row(1), &row(2)]);
    home.server.ask(&["HSET", &row(2), "k", &crate::base::encoding::hex(&key(2))]);
    home.clock.advance(61);
    assert_eq!(home.why(&store, &key(2)), Some(Reason::StoreUnavailable), "another's row under this key is no session");
    assert!(store.tend(home.now()).unwrap_err().message.contains("cannot be read"));
    // As far as it will go: an end in a thousand years.
    home.server.ask(&["HSET", &row(1), "a", "9007199254740991"]);
    let fresh = home.open();
    let Answer::Hit(long) = fresh.check(&key(1), home.now()) else { panic!("it is alive") };
    assert_eq!(long.ends().absolute_unix, record.ends().absolute_unix + 3_600, "an hour is all there is to gain");
}

#[test]
fn clocks_that_disagree_end_a_session_at_the_same_moment() {
    let home = Home::new();
    // The server's clock is this machine's; these two are off by a quarter and by half an hour.
    let server_time = |clock: &Clock| attached(Settings { server_time: true, ..home.settings() }, clock);
    let wall = Clock::system().now().unix();
    let (early, late) = (Clock::fake(wall - 900), Clock::fake(wall + 1_800));
    let (here, there) = (server_time(&early), server_time(&late));
    let record = Record::new(NewSession::of("Aladdin", 1_600, 600, here.seq().unwrap()), early.now());
    let record = here.insert(key(1), record, 9, early.now()).unwrap().record;
    let Answer::Hit(back) = there.check(&key(1), late.now()) else { panic!("it is alive there, too") };
    let left = |record: &Record, clock: &Clock| record.ends().absolute_unix - clock.now().unix();
    assert_eq!(left(&record, &early), 600);
    assert!((540..=600).contains(&left(&back, &late)), "{}", left(&back, &late));
    let unused = late.now().boot() - back.last_used_boot().unwrap();
    assert!((0..=60).contains(&unused), "{unused}");
}

#[test]
fn another_keyring_finds_nothing_and_documents_are_of_the_site() {
    let home = Home::new();
    let store = home.open();
    let key = home.login(&store, "Aladdin", 1);
    let other = Keys::new(MacKey::new(&[3; 32]), MacKey::new(&[4; 32]));
    let other = attached(Settings { keys: other, ..home.settings() }, &home.clock);
    assert_eq!(home.why(&other, &key), Some(Reason::SessionUnknown));
    assert_eq!(store.document("ring"), Ok(None));
    assert_eq!(store.replace_document("ring", Some(b""), b"one"), Ok(false), "nothing is not an empty text");
    assert_eq!(store.replace_document("ring", None, b"one"), Ok(true));
    assert_eq!(store.replace_document("ring", None, b"two"), Ok(false));
    assert_eq!(other.document("ring").unwrap().as_deref(), Some(&b"one"[..]), "a keyring may be one itself");
    assert_eq!(other.replace_document("ring", Some(b"one"), b""), Ok(true));
    assert_eq!(store.replace_document("ring", Some(b"one"), b"two"), Ok(false), "who knows an older one is late");
    assert_eq!(store.document("ring").unwrap().as_deref(), Some(&b""[..]));
    let elsewhere = attached(Settings { site: "other.example.org".to_owned(), ..home.settings() }, &home.clock);
    assert_eq!(elsewhere.document("ring"), Ok(None));
    home.server.ask(&["CONFIG", "SET", "min-replicas-to-write", "1"]);
    assert_eq!(store.document("ring"), Err(Unavailable), "a primary that others may have deposed says nothing");
}

#[test]
fn rows_and_indexes_shrink_with_what_they_are_of() {
    let home = Home::new();
    let store = home.open();
    for number in 0..50 {
        home.login(&store, &format!("{}", number % 5), number);
    }
    home.end(&store, key(3)).unwrap();
    store.revoke(Revocation::Principal("1"), home.now()).unwrap();
    assert_eq!(
        (store.count(), home.server.ask(&["DBSIZE"])),
        (Ok(49), ":60\r\n".to_owned()),
        "50 rows, 5 people, 5 more"
    );
    home.clock.advance(43_200);
    while store.sweep(home.now(), 7) == 7 {}
    home.clock.advance(i64::from(suite::LONGEST_SECS) + 10_000);
    while store.sweep(home.now(), 7) == 7 {}
    assert_eq!(store.count(), Ok(0));
    assert_eq!(home.server.ask(&["DBSIZE"]), ":2\r\n", "the log and its head");
}

#[test]
fn an_end_that_was_written_on_the_server_is_no_end_beyond_an_hour() {
    let home = Home::new();
    let store = home.open();
    home.login(&store, "Aladdin", 1);
    let row = String::from_utf8(Names::new(&keys(), SITE).row(&Reference::of(&key(1)).0)).unwrap();
    for (name, far) in [("a", "9007199254740991"), ("u", "9007199254740991"), ("i", "999999999")] {
        home.server.ask(&["HSET", &row, name, far]);
    }
    home.clock.advance(43_200 + 3_599);
    assert_eq!(home.why(&home.open(), &key(1)), None);
    home.clock.advance(1);
    for store in [&store, &home.open()] {
        assert_eq!(home.why(store, &key(1)), Some(Reason::SessionEnded));
    }
}

/// Takes the log away, and leaves the sessions.
fn lose_the_log(home: &Home) {
    for name in &home.names().log[..3] {
        home.server.ask(&["DEL", std::str::from_utf8(name).unwrap()]);
    }
}

#[test]
fn a_login_leaves_what_the_operator_may_take_back_and_sweeping_looks_at_it_once() {
    let home = Home::new();
    let store = home.open();
    let old = home.login(&store, "Aladdin", 1);
    lose_the_log(&home);
    home.clock.advance(600);
    let store = home.open();
    assert_eq!(home.why(&store, &old), DEAD);
    let new = home.login(&store, "Aladdin", 2);
    let serials = "return table.concat(redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES'), ' ')";
    let serials = home.server.ask(&["EVAL", serials, "1", std::str::from_utf8(&home.names().log[3]).unwrap()]);
    assert!(serials.trim().ends_with(" 2"), "the newest is no older than those before it: {serials}");
    home.clock.advance(1_100);
    assert_eq!(store.sweep(home.now(), 8), 1, "due by its idle time");
    for _ in 0..3 {
        home.clock.advance(1);
        assert_eq!(store.sweep(home.now(), 8), 0, "it waits, and nobody looks each second");
    }
    assert_eq!(store.count(), Ok(2));
    lose_the_log(&home);
    let store = home.open();
    home.login(&store, "Aladdin", 3);
    store.accept_older(home.now()).unwrap();
    home.clock.advance_ms(101);
    assert_eq!(home.why(&store, &new), None, "good again");
    assert_eq!(home.why(&store, &old), Some(Reason::SessionIdle), "and judged as any other");
}

#[test]
fn a_login_beside_many_dead_sessions_buries_some_of_them() {
    let home = Home::new();
    let store = home.open();
    for number in 0..200 {
        home.login(&store, "Aladdin", number);
    }
    home.clock.advance(1_700);
    let calls = |cap| {
        let number = 200 + u32::try_from(store.count().unwrap()).unwrap();
        let record = Record::new(NewSession::of("Aladdin", 1_600, 43_200, store.seq().unwrap()), home.now());
        home.server.ask(&["CONFIG", "RESETSTAT"]);
        assert!(store.insert(key(number), record, cap, home.now()).unwrap().evicted.is_empty());
        home.server.ask(&["INFO", "commandstats"]).contains("cmdstat_hmget:calls=2,")
    };
    assert_eq!((calls(1_000), store.count()), (true, Ok(201)), "there is room: the head and the new row are read");
    for left in [138, 75] {
        assert_eq!((calls(100), store.count()), (false, Ok(left)));
    }
    assert_eq!((calls(100), store.count()), (true, Ok(76)));
    assert_eq!(home.why(&store, &key(199)), Some(Reason::SessionIdle));
}

#[test]
fn a_log_out_by_the_first_id_reaches_a_session_however_often_it_went_on() {
    let home = Home::new();
    let store = home.open();
    home.login(&store, "Aladdin", 0);
    let Answer::Hit(mut record) = store.check(&key(0), home.now()) else { panic!("it is alive") };
    for number in 1..1_100 {
        let new = Record::continued(NewSession::of("Aladdin", 1_600, 43_200, record.seq), &record, home.now());
        record = store.renew(&key(number - 1), key(number), new, 9, home.now()).unwrap().record;
    }
    assert_eq!(home.why(&store, &key(1_099)), None);
    home.server.ask(&["CONFIG", "RESETSTAT"]);
    home.end(&store, key(0)).unwrap();
    assert!(home.server.ask(&["INFO", "commandstats"]).contains("cmdstat_evalsha:calls=2,"));
    assert_eq!(home.why(&store, &key(1_099)), DEAD);
}
