//! A log of revocations that is filled, by log-ins and log-outs and by what is revoked without end: new ones stop, nobody
//! is kept in, and time mends it.

use super::*;

/// A store whose log holds little.
fn small(home: &Home, revocations_map: usize) -> Shared {
    let store = attached(Settings { revocations_map, ..home.settings() }, &home.clock);
    store.tend(home.clock.now()).unwrap();
    store
}

/// Somebody logs in; a session from which tokens are made.
fn enter(home: &Home, store: &Shared, number: u32) -> Result<Arc<Record>, NotStored> {
    let new =
        NewSession { mints: true, ..NewSession::of(&format!("user {number}"), 1_600, 43_200, store.seq().unwrap()) };
    store.insert(key(number), Record::new(new, home.clock.now()), 9, home.clock.now()).map(|new| new.record)
}

fn leave(home: &Home, store: &Shared, number: u32) {
    let left = store.revoke(Revocation::Session(key(number)), home.clock.now());
    assert!(left.is_ok(), "{number}: {:?}", store.tend(home.clock.now()));
}

/// As long as any token may live, and what is added to it.
const LONG: i64 = suite::LONGEST_SECS as i64 + 2 * 3_600;

#[test]
fn a_log_that_fills_stops_log_ins_before_it_stops_log_outs() {
    let home = Home::new();
    let store = small(&home, 1 << 20);
    let (mut made, mut left) = (0, 0);
    // Most leave at once; every fourth stays, and has to find room later.
    let stopped = loop {
        if let Err(stopped) = enter(&home, &store, made) {
            break stopped;
        }
        if made % 4 != 0 {
            leave(&home, &store, made);
            left += 1;
        }
        made += 1;
        assert!(made < 100_000, "the log does not fill");
    };
    assert_eq!((stopped, store.admits()), (NotStored::Unavailable, Err(Unavailable)));
    assert!(left > 500, "{left}");
    println!("{made} log-ins and {left} log-outs filled 1 MiB");
    let error = store.tend(home.clock.now()).unwrap_err();
    assert!(error.message.contains("the log of revocations (revocations/) is nearly full"), "{}", error.message);
    assert_eq!(home.why(&store, &key(0)), None, "who is in stays in");
    let now = home.clock.now();
    let next = home.record(&store, "user 0");
    assert_eq!(store.renew(&key(0), key(made), next, 9, now).map(drop), Err(NotStored::Unavailable));
    assert_eq!(home.why(&store, &key(0)), None, "a renewal that fails ends no session");
    (0..made).step_by(4).for_each(|number| leave(&home, &store, number));
    home.revoke(&store, Revocation::Principal("AlexK"));
    home.revoke(&store, Revocation::All);
    assert!((0..made).all(|number| home.why(&store, &key(number)) == Some(Reason::SessionRevoked)));
    home.clock.advance(LONG);
    let _ = store.tend(home.clock.now());
    home.sweep(&store);
    assert_eq!(store.admits(), Ok(()));
    enter(&home, &store, made).unwrap();
    assert_eq!(store.tend(home.clock.now()), Ok(()), "all is well again");
}

#[test]
fn a_log_that_is_full_to_the_brim_can_still_forget() {
    let home = Home::new();
    let store = small(&home, 2 << 20);
    enter(&home, &store, 1).unwrap();
    let mut count = 0_u32;
    while store.revoke(Revocation::Chosen(key(count)), home.clock.now()).is_ok() {
        count += 1;
        assert!(count < 1_000_000, "the log does not fill");
    }
    let error = store.tend(home.clock.now()).unwrap_err();
    assert!(error.message.contains("the log of revocations is full: nobody can be logged out"), "{}", error.message);
    println!("{count} floors filled 2 MiB");
    assert_eq!(home.why(&store, &key(1)), None);
    assert!(store.revoke(Revocation::Session(key(1)), home.clock.now()).is_err());
    home.clock.advance(700);
    let _ = store.tend(home.clock.now());
    println!("{} bytes each once the log is short", store.core().unwrap().log.used() / u64::from(count));
    assert!(store.revoke(Revocation::Session(key(1)), home.clock.now()).is_ok(), "the log was shortened");
    home.clock.advance(LONG);
    let _ = store.tend(home.clock.now());
    home.sweep(&store);
    enter(&home, &store, 2).unwrap();
    let core = store.core().unwrap();
    let mut kept = 0;
    core.log.floors(&core.log.env.read_txn().unwrap(), |_, _| kept += 1).unwrap();
    assert_eq!((kept, store.tend(home.clock.now())), (0, Ok(())));
}

#[test]
fn a_floor_goes_from_memory_when_nothing_can_live_that_it_kills_and_not_before() {
    let home = Home::new();
    let store = home.open();
    let token = store.seq().unwrap();
    let dead = || {
        let is =
            |name: &str, id: &[u8; 8], chosen: Option<&Digest>| store.token_revoked(name, id, chosen, token).unwrap();
        [is("AlexK", &[9; 8], None), is("Aladdin", &[7; 8], None), is("Aladdin", &[9; 8], Some(&key(1)))]
    };
    home.clock.advance(10);
    for what in [Revocation::Principal("AlexK"), Revocation::Key([7; 8]), Revocation::Chosen(key(1))] {
        home.revoke(&store, what);
    }
    let held = || store.core().unwrap().fresh.revoked.sizes().1;
    for (wait, kept) in [(LONG - 5, 3), (10, 0)] {
        home.clock.advance(wait);
        store.tend(home.clock.now()).unwrap();
        assert_eq!((held(), dead()), (kept, [kept == 3; 3]));
    }
    home.revoke(&store, Revocation::Principal("AlexK"));
    assert_eq!((held(), dead()), (1, [true, false, false]));
}
