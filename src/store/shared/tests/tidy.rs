//! Upkeep that one row does not stop: what cannot be read is put off, and what was found over too early is looked at again.

use super::*;
use crate::session::Dead;

#[test]
fn a_row_that_cannot_be_read_is_told_and_stops_no_sweep() {
    let home = Home::new();
    let store = home.open();
    for number in 0..200 {
        home.login(&store, &format!("user {number}"), number);
    }
    let core = store.core().unwrap();
    let mut w = core.rows.env.write_txn().unwrap();
    // The first to be looked at.
    let (_, first) = core.rows.first_due(&w, Clock::fake(1_800_000_000).now()).unwrap().unwrap();
    core.rows.spoil(&mut w, &first);
    w.commit().unwrap();
    home.clock.advance(50_000);
    home.sweep(&store);
    assert_eq!(core.rows.sizes(), (1, 1), "all others are gone, and it is looked at again");
    let error = store.tend(home.clock.now()).unwrap_err();
    assert!(error.message.contains("is damaged"), "{}", error.message);
    assert_eq!(home.why(&store, &first), Some(Reason::StoreUnavailable), "nobody says no");
    let _ = store.tend(home.clock.now());
    home.sweep(&store);
    assert_eq!(store.tend(home.clock.now()), Ok(()), "it is told when it is looked at");
    home.clock.advance(3_700);
    home.sweep(&store);
    assert!(store.tend(home.clock.now()).is_err());
}

#[test]
fn who_was_found_idle_and_used_elsewhere_meanwhile_is_let_in_again() {
    for swept in [false, true] {
        let home = Home::new();
        let store = home.open();
        let key = home.login(&store, "Aladdin", 1);
        home.clock.advance(1_700);
        assert_eq!(home.why(&store, &key), Some(Reason::SessionIdle));
        // A process that had noted a use wrote it down after that.
        let (core, now) = (store.core().unwrap(), home.clock.now());
        let mut w = core.rows.env.write_txn().unwrap();
        let held = core.rows.held(&w, &key, core.boot_tag, now).unwrap().unwrap();
        held.record.advance(now.boot() - 200);
        assert!(core.rows.touch(&mut w, &held.record, core.boot_tag, now).unwrap());
        w.commit().unwrap();
        if swept {
            home.sweep(&store);
        }
        store.tend(now).unwrap();
        assert_eq!(home.why(&store, &key), None, "as all others say");
        home.clock.advance(1_700);
        store.tend(home.clock.now()).unwrap();
        assert_eq!(home.why(&store, &key), Some(Reason::SessionIdle));
        store.tend(home.clock.now()).unwrap();
        let r = core.rows.env.read_txn().unwrap();
        assert!(matches!(core.rows.get(&r, &key), Ok(Some(codec::Row::Tomb(tomb))) if tomb.dead == Dead::Idle));
    }
}
