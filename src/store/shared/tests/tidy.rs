//! Upkeep that one row does not stop, nor many: what cannot be read is put off, the log forgets while rows are behind, and
//! what was found over too early is looked at again.

use super::super::log::{Entry, What};
use super::super::rows::Rows;
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
fn the_log_forgets_while_rows_are_behind_but_nothing_that_a_row_could_live_by() {
    let home = Home::new();
    let store = home.open();
    for number in 0..2_000 {
        home.login(&store, &format!("user {number}"), number);
    }
    let core = store.core().unwrap();
    let until = Some(home.clock.now().unix() + 43_200);
    let entry = |what| Entry { what, floor: None, until };
    // Tokens of a hundred sessions; and a session that is dead by the log alone, with the first of them and its user.
    let last = {
        let (mut last, r) = (None, core.rows.env.read_txn().unwrap());
        core.rows
            .walk(&r, |key, row| {
                last = Some((*key, Rows::hold(row, key, core.boot_tag, home.clock.now())?.record.principal));
                Ok(true)
            })
            .unwrap();
        last.unwrap()
    };
    let mut entries: Vec<Entry> = (0..100).map(|number: u8| entry(What::Chosen([number; 16]))).collect();
    entries.extend([What::Session(last.0), What::Principal(log::principal(&last.1))].map(entry));
    core.log.append(&entries, home.clock.now()).unwrap();
    let kept = || {
        let (mut floors, l) = (Vec::new(), core.log.env.read_txn().unwrap());
        core.log.floors(&l, |_, what| floors.push(what)).unwrap();
        let tokens = floors.iter().filter(|what| matches!(what, What::Chosen(_))).count();
        (tokens, floors.len() - tokens, core.log.has_session(&l, &last.0).unwrap())
    };
    assert_eq!(kept(), (100, 1, true));
    home.clock.advance(86_400);
    for _ in 0..16 {
        assert_eq!(store.sweep(home.clock.now(), 64), 64);
    }
    assert!(core.rows.sizes().0 > 900, "rows are behind still");
    assert_eq!(kept(), (0, 1, true), "and nothing of tokens is left; who could live by it finds the rest");
    home.sweep(&store);
    home.clock.advance(3_700);
    home.sweep(&store);
    assert_eq!((core.rows.sizes(), kept()), ((0, 0), (0, 0, false)));
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

#[test]
fn a_use_that_cannot_be_written_keeps_no_other_from_being_written() {
    let home = Home::new();
    let store = home.open();
    let keys = [1, 2, 3].map(|number| home.login(&store, "Aladdin", number));
    home.clock.advance(300);
    let now = home.clock.now();
    let records = keys.map(|key| store.check(&key, now).ok().unwrap());
    let core = store.core().unwrap();
    let mut w = core.rows.env.write_txn().unwrap();
    core.rows.spoil(&mut w, &keys[0]);
    w.commit().unwrap();
    for record in &records {
        assert_eq!(store.touch_later(record, false, None, now), Later::Noted);
    }
    assert!(store.tend(now).unwrap_err().message.contains("is damaged"));
    let r = core.rows.env.read_txn().unwrap();
    for key in &keys[1..] {
        let held = core.rows.held(&r, key, core.boot_tag, now).unwrap().unwrap();
        assert_eq!(held.record.last_used_boot(), Some(now.boot()));
    }
    assert_eq!(store.tend(now), Ok(()), "it is told once");
}
