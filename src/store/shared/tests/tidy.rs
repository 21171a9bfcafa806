//! Upkeep that corrects itself: what was found over too early is looked at again.

use super::*;
use crate::session::Dead;

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
