//! The log over several processes: when what one revokes is known to another, and what a server that lost it gets back.

use super::*;

const KEY: KeyId = [9; 8];

/// How many entries the log on the server has.
fn entries(home: &Home) -> usize {
    let [_, entries, ..] = &home.names().log;
    let count = home.server.ask(&["ZCARD", std::str::from_utf8(entries).unwrap()]);
    count.trim().trim_start_matches(':').parse().unwrap()
}

#[test]
fn a_copy_counts_while_the_newest_poll_is_young_and_no_longer() {
    let home = Home::new();
    let (here, there) = (home.open(), home.open());
    let key = home.login(&here, "Aladdin", 1);
    assert_eq!(home.at_once(&there, &key), None, "no copy: somebody must ask");
    assert_eq!(home.why(&there, &key), None);
    assert_eq!((home.at_once(&there, &key), there.is_due(home.now())), (Some(None), false));
    home.clock.advance_ms(51);
    assert_eq!((home.at_once(&there, &key), there.is_due(home.now())), (Some(None), true));
    home.end(&here, key).unwrap();
    assert_eq!(home.at_once(&here, &key), Some(DEAD), "at once where it was ended");
    assert_eq!(home.at_once(&there, &key), Some(None), "which is why the answer is held back");
    assert!(i64::from(here.hold_ms()) * 1_000 > horizon::DELTA_US && here.multi_machine());
    home.clock.advance_ms(48);
    assert_eq!(home.at_once(&there, &key), Some(None));
    home.clock.advance_ms(1);
    assert_eq!(home.at_once(&there, &key), None, "not without asking");
    assert_eq!(home.why(&there, &key), DEAD);
    assert_eq!((home.at_once(&there, &key), there.is_due(home.now())), (Some(DEAD), false));
}

#[test]
fn a_login_reads_the_number_anew_and_a_token_from_elsewhere_is_asked_about() {
    let home = Home::new();
    let (here, there) = (home.open(), home.open());
    let old = there.seq().unwrap();
    let floor = here.revoke(Revocation::Principal("Aladdin"), home.now()).unwrap();
    let now = home.now();
    assert_eq!(
        there.token_revoked_at_once("AlexK", &KEY, None, floor, now),
        None,
        "a number that is not known here yet"
    );
    let known = there.floor_at_once("Aladdin", now).unwrap().unwrap();
    assert!(known < floor, "within the hundred milliseconds");
    assert_eq!(there.token_revoked("AlexK", &KEY, None, floor), Ok(false));
    assert_eq!(there.token_revoked_at_once("AlexK", &KEY, None, floor, now), Some(Ok(false)));
    assert_eq!(there.token_revoked_at_once("Aladdin", &KEY, None, old, now), Some(Ok(true)));
    let newest = here.revoke(Revocation::Key([8; 8]), home.now()).unwrap();
    assert_eq!(there.seq(), Ok(newest), "though the clock stood still");
    home.clock.advance_ms(101);
    assert_eq!(there.floor_at_once("Aladdin", home.now()), None);
    assert_eq!(there.floor("Aladdin"), Ok(floor));
}

#[test]
fn a_log_that_was_shortened_past_a_process_is_read_anew() {
    let home = Home::new();
    let (here, there) = (home.open(), home.open());
    let (gone, kept) = (home.login(&here, "Aladdin", 1), home.login(&here, "AlexK", 2));
    let token = there.seq().unwrap();
    assert_eq!([gone, kept].map(|key| home.why(&there, &key)), [None, None]);
    home.end(&here, gone).unwrap();
    here.revoke(Revocation::Key([7; 8]), home.now()).unwrap();
    for _ in 0..1_200 {
        home.end(&here, [3; 32]).unwrap();
    }
    home.clock.advance(30);
    // More than one answer's worth, and not shortened yet.
    let third = home.open();
    third.tend(home.now()).unwrap();
    home.clock.advance(700);
    here.sweep(home.now(), 1_000);
    assert!(entries(&home) <= 1_000, "shortened: {}", entries(&home));
    assert_eq!([gone, kept].map(|key| home.why(&there, &key)), [DEAD, None]);
    assert_eq!(there.token_revoked("Aladdin", &[7; 8], None, token), Ok(true), "floors are kept");
    assert_eq!(there.token_revoked("Aladdin", &KEY, None, token), Ok(false));
}

#[test]
fn many_entries_come_in_several_answers() {
    let home = Home::new();
    let (here, there) = (home.open(), home.open());
    let sessions: Vec<_> = (0..3).map(|number| home.login(&here, "Aladdin", number)).collect();
    assert!(sessions.iter().all(|key| home.why(&there, key).is_none()));
    for number in 0..1_300_u32 {
        let what = [[1; 28].as_slice(), &number.to_be_bytes()].concat();
        home.end(&here, what.try_into().unwrap()).unwrap();
        if number % 500 == 250 {
            home.end(&here, sessions[number as usize / 500]).unwrap();
        }
    }
    home.clock.advance_ms(200);
    assert_eq!(there.seq(), here.seq());
    assert!(sessions.iter().all(|key| home.why(&there, key) == DEAD));
}

#[test]
fn a_log_that_is_gone_lets_nothing_older_in_until_the_operator_says_so() {
    let home = Home::new();
    let store = home.open();
    let (key, token) = (home.login(&store, "Aladdin", 1), store.seq().unwrap());
    store.revoke(Revocation::Principal("AlexK"), home.now()).unwrap();
    home.clock.advance(10);
    let base = names::Names::new(&keys(), SITE);
    for name in &base.log {
        home.server.ask(&["DEL", std::str::from_utf8(name).unwrap()]);
    }
    let fresh = home.open();
    for store in [&fresh, &store] {
        assert!(store.seq().unwrap() > token, "the number never falls");
        assert_eq!(home.why(store, &key), DEAD);
        assert_eq!(store.token_revoked("Aladdin", &KEY, None, token), Ok(true));
    }
    let new = home.login(&fresh, "someName", 2);
    assert_eq!(home.why(&store, &new), None);
    home.end(&fresh, new).unwrap();
    fresh.accept_older(home.now()).unwrap();
    home.clock.advance_ms(200);
    for store in [&fresh, &store] {
        assert_eq!(home.why(store, &key), None, "what was not revoked is good again");
        assert_eq!(home.why(store, &new), DEAD, "what this log revoked stays so");
        assert_eq!(store.token_revoked("Aladdin", &KEY, None, token), Ok(false));
        assert_eq!(store.token_revoked("AlexK", &KEY, None, token), Ok(true), "a process that knew gave it back");
    }
}

#[test]
fn a_server_that_lost_the_newest_entries_gets_them_back_from_who_knew_them() {
    let mut home = Home::of(&SAVED);
    let (knower, other) = (home.open(), home.open());
    let keys = [1, 2, 3].map(|number| home.login(&knower, "Aladdin", number));
    let token = knower.seq().unwrap();
    home.end(&knower, keys[0]).unwrap();
    home.server.ask(&["SAVE"]);
    home.end(&knower, keys[1]).unwrap();
    knower.revoke(Revocation::Principal("AlexK"), home.now()).unwrap();
    let seq = knower.seq().unwrap();
    home.server.restart();
    home.clock.advance_ms(300);
    assert_eq!(home.why(&other, &keys[1]), None, "this one never heard of it");
    knower.tend(home.now()).unwrap();
    home.clock.advance_ms(300);
    for store in [&knower, &other] {
        assert_eq!(keys.map(|key| home.why(store, &key)), [DEAD, DEAD, None]);
        assert_eq!(store.token_revoked("AlexK", &KEY, None, token), Ok(true));
        assert!(store.seq().unwrap() > seq, "the number never falls");
    }
}

#[test]
fn where_nobody_knows_all_that_was_lost_nothing_older_is_let_in() {
    let (home, late, keys) = fallen_back();
    home.clock.advance_ms(300);
    assert_eq!(keys.map(|key| home.why(&late, &key)), [DEAD, DEAD]);
    assert_eq!(home.why(&late, &home.login(&late, "AlexK", 3)), None, "who logs in anew lives");
    late.accept_older(home.now()).unwrap();
    assert_eq!(home.why(&late, &keys[1]), None);
}

#[test]
fn floors_that_a_users_file_remembers_are_taken_over_once() {
    let home = Home::new();
    let store = home.open();
    let token = store.seq().unwrap();
    home.clock.advance(20);
    let after = home.end(&store, [1; 32]).unwrap();
    let floors = vec![("Aladdin".to_owned(), token + 10_000_000), ("AlexK".to_owned(), 7)];
    let joined = attached(Settings { floors: floors.clone(), ..home.settings() }, &home.clock);
    home.clock.advance_ms(200);
    for store in [&joined, &store] {
        assert_eq!(store.token_revoked("Aladdin", &KEY, None, token), Ok(true));
        assert_eq!(store.token_revoked("Aladdin", &KEY, None, after), Ok(false), "what came after it lives");
        assert_eq!(store.token_revoked("AlexK", &KEY, None, token), Ok(false), "too old to matter");
    }
    let seq = store.seq();
    let again = attached(Settings { floors, ..home.settings() }, &home.clock);
    assert_eq!(again.seq(), seq, "known: nothing is written again");
}

#[test]
fn a_log_out_that_is_sent_again_and_again_fills_no_log_and_is_a_commit_each_time() {
    let home = Home::new();
    let (here, there) = (home.open(), home.open());
    let keys = [1, 2, 3].map(|number| home.login(&here, "Aladdin", number));
    home.clock.advance(2_000);
    let idle = [Some(Reason::SessionIdle); 3];
    assert_eq!(keys.map(|key| home.why(&here, &key)), idle, "which another machine may see otherwise");
    let mut newest = here.seq().unwrap();
    for round in 0..20 {
        for key in keys {
            let number = home.end(&here, key).unwrap();
            assert!(number > newest, "{round}");
            newest = number;
        }
    }
    assert_eq!((entries(&home), there.seq()), (3, Ok(newest)));
    // Where the log has lost what the tombstone names, it is written anew.
    let [_, log, ..] = &home.names().log;
    home.server.ask(&["DEL", std::str::from_utf8(log).unwrap()]);
    home.end(&here, keys[0]).unwrap();
    assert_eq!(entries(&home), 1);
    let new = home.login(&here, "Aladdin", 4);
    home.end(&here, new).unwrap();
    let (there, before) = (home.open(), entries(&home));
    home.end(&there, new).unwrap();
    assert_eq!((entries(&home), home.why(&there, &new)), (before, DEAD));
}

#[test]
fn a_script_that_is_cut_off_leaves_no_log_that_is_newer_than_its_head() {
    let home = Home::new();
    let (here, there) = (home.open(), home.open());
    let key = home.login(&here, "Aladdin", 1);
    assert_eq!(home.why(&there, &key), None);
    // As when a slot is on its way and this key, which no script names beforehand, has gone.
    let person = String::from_utf8(home.names().person(&super::keys().principal("Aladdin"))).unwrap();
    home.server.ask(&["SET", &person, "gone"]);
    let number = home.end(&here, key).unwrap();
    let top =
        "return redis.call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2] .. ' ' .. redis.call('HGET', KEYS[2], 'seq')";
    let [head, log, ..] = home.names().log.map(|name| String::from_utf8(name).unwrap());
    let said = home.server.ask(&["EVAL", top, "2", &log, &head]);
    assert!(said.contains(&format!("{number} {number}")), "{said}");
    home.clock.advance_ms(101);
    assert_eq!((home.why(&there, &key), there.seq()), (DEAD, Ok(number)));
}

#[test]
fn entries_that_were_taken_away_are_missed_also_when_newer_ones_have_come() {
    let home = Home::new();
    let (here, there) = (home.open(), home.open());
    let keys = [1, 2, 3].map(|number| home.login(&here, "Aladdin", number));
    home.end(&here, keys[2]).unwrap();
    assert_eq!(keys.map(|key| home.why(&there, &key)), [None, None, DEAD]);
    home.end(&here, keys[0]).unwrap();
    let [_, log, ..] = &home.names().log;
    home.server.ask(&["DEL", std::str::from_utf8(log).unwrap()]);
    home.end(&here, keys[1]).unwrap();
    home.clock.advance_ms(101);
    assert_eq!(keys.map(|key| home.why(&there, &key)), [DEAD; 3]);
    // And once read anew it is known: nobody reads all floors with each poll from here on.
    home.server.ask(&["DEL", std::str::from_utf8(log).unwrap()]);
    home.clock.advance_ms(101);
    there.tend(home.now()).unwrap();
    home.server.ask(&["CONFIG", "RESETSTAT"]);
    for _ in 0..5 {
        there.tend(home.now()).unwrap();
    }
    assert!(!home.server.ask(&["INFO", "commandstats"]).contains("cmdstat_hscan"));
}
