//! What a server that starts anew gets back, from whom, and at what cost: all processes come at once.

use super::*;

/// Until the store has found the server again.
fn again(home: &Home, store: &Redis) {
    let found = (0..200).any(|_| {
        std::thread::sleep(Duration::from_millis(20));
        store.tend(home.now()).is_ok()
    });
    assert!(found, "the server is up, and not found again");
}

/// How often a command was run since the server started.
fn calls(home: &Home, command: &str) -> usize {
    let all = home.server.ask(&["INFO", "commandstats"]);
    let found = all.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
    found.and_then(|rest| rest.split(',').next()?.parse().ok()).unwrap_or(0)
}

fn end_many(home: &Home, store: &Redis, numbers: std::ops::Range<u32>) {
    for number in numbers {
        home.end(store, [&[1; 28][..], &number.to_be_bytes()].concat().try_into().unwrap()).unwrap();
    }
}

#[test]
fn a_server_that_lost_nothing_is_given_nothing_and_floors_are_not_read_again() {
    let mut home = Home::of(&SAVED);
    let (here, there) = (home.open(), home.open());
    let keys = [1, 2].map(|number| home.login(&here, "Aladdin", number));
    let token = here.seq().unwrap();
    end_many(&home, &here, 0..100);
    here.revoke(Revocation::Principal("AlexK"), home.now()).unwrap();
    home.end(&here, keys[0]).unwrap();
    let newest = home.open();
    home.server.ask(&["SAVE"]);
    home.server.restart();
    for store in [&here, &newest, &there] {
        again(&home, store);
        assert_eq!(keys.map(|key| home.why(store, &key)), [DEAD, None]);
        assert_eq!(store.token_revoked("AlexK", &[9; 8], None, token), Ok(true));
    }
    assert!(home.why(&here, &keys[1]).is_none() && calls(&home, "hscan") <= 1, "only for who knows no entry");
    // None of a hundred rows is looked for; each look and each sweep is a few.
    assert!(calls(&home, "hmget") < 60, "{}", calls(&home, "hmget"));
    let number = home.end(&there, keys[1]).unwrap();
    home.clock.advance_ms(101);
    assert_eq!((home.why(&here, &keys[1]), here.seq()), (DEAD, Ok(number)));
}

#[test]
fn what_was_lost_is_given_back_in_steps_and_no_more_than_that() {
    let mut home = Home::of(&SAVED);
    let here = home.open();
    let keys: Vec<_> = (0..200).map(|number| home.login(&here, "Aladdin", number)).collect();
    end_many(&home, &here, 0..3_000);
    home.server.ask(&["SAVE"]);
    for key in &keys[..150] {
        home.end(&here, *key).unwrap();
    }
    home.server.restart();
    again(&home, &here);
    let scripts = calls(&home, "evalsha");
    assert!((4..60).contains(&scripts), "{scripts}");
    assert!(calls(&home, "hmget") < 600, "three thousand entries are there: {}", calls(&home, "hmget"));
    let fresh = home.open();
    assert!(keys[..150].iter().all(|key| home.why(&fresh, key) == DEAD));
    assert!(keys[150..].iter().all(|key| home.why(&fresh, key).is_none()), "nobody else is logged out");
}

#[test]
fn a_log_out_that_met_the_new_start_first_is_given_back_as_well() {
    let mut home = Home::of(&SAVED);
    let here = home.open();
    let keys = [1, 2, 3].map(|number| home.login(&here, "Aladdin", number));
    home.end(&here, keys[0]).unwrap();
    home.server.ask(&["SAVE"]);
    home.server.restart();
    let ended = (0..200).any(|_| {
        std::thread::sleep(Duration::from_millis(20));
        home.end(&here, keys[1]).is_ok()
    });
    assert!(ended, "the server is up");
    home.server.restart();
    again(&home, &here);
    assert_eq!(keys.map(|key| home.why(&home.open(), &key)), [DEAD, DEAD, None]);
}

#[test]
fn what_was_read_as_a_floor_and_is_lost_is_not_taken_for_known() {
    let mut home = Home::of(&SAVED);
    let (here, other) = (home.open(), home.open());
    let keys = [1, 2, 3].map(|number| home.login(&here, "Aladdin", number));
    home.end(&here, keys[0]).unwrap();
    assert_eq!(home.why(&other, &keys[2]), None);
    other.tend(home.now()).unwrap();
    home.server.ask(&["SAVE"]);
    // This server has lost nothing but where its log is, which is why all floors are read.
    let [_, entries, ..] = home.names().log;
    home.server.ask(&["DEL", std::str::from_utf8(&entries).unwrap()]);
    home.end(&here, keys[1]).unwrap();
    drop(here);
    home.clock.advance_ms(101);
    home.server.ask(&["DEL", std::str::from_utf8(&entries).unwrap()]);
    other.tend(home.now()).unwrap();
    assert_eq!(keys.map(|key| home.why(&other, &key)), [DEAD, DEAD, None]);
    home.server.restart();
    again(&home, &other);
    assert_eq!(keys.map(|key| home.why(&other, &key)), [DEAD; 3], "it cannot say what else there was");
}

#[test]
fn floors_of_a_users_file_do_not_hide_that_something_was_lost() {
    let (home, late, keys) = fallen_back();
    let floors = [("AlexK".to_owned(), late.core().unwrap().horizon.revoked.applied())];
    let recalled = (0..200).any(|_| {
        std::thread::sleep(Duration::from_millis(20));
        late.core().unwrap().recall(&floors, home.now()).is_ok()
    });
    assert!(recalled, "the server is up");
    home.clock.advance_ms(300);
    assert_eq!(keys.map(|key| home.why(&late, &key)), [DEAD, DEAD]);
}
