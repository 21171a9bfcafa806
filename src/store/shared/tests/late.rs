//! What comes too late: a copy of a row that was read before a revocation, a sweep beside a clock that steps, a use that
//! was written in another boot.

use super::super::codec::Used;
use super::super::log::{self, Entry, What};
use super::super::revoked::Word;
use super::super::rows::Rows;
use super::*;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

#[test]
fn a_row_that_was_read_before_a_revocation_never_becomes_a_good_copy() {
    let home = Home::new();
    let store = home.open();
    let core = store.core().unwrap();
    let what: [fn(&Digest) -> Revocation<'_>; 3] =
        [|key| Revocation::Session(*key), |_| Revocation::Principal("Aladdin"), |_| Revocation::All];
    for (number, what) in what.into_iter().enumerate() {
        let key = home.login(&store, "Aladdin", number as u32);
        core.copies.remove(&key);
        // As `Core::read_once` goes: the number first, then the row.
        let base = core.fresh.revoked.applied();
        let r = core.rows.env.read_txn().unwrap();
        let held = core.rows.held(&r, &key, core.boot_tag, home.clock.now()).unwrap().unwrap();
        home.revoke(&store, what(&key));
        home.login(&store, "AlexK", 100 + number as u32);
        home.revoke(&store, Revocation::Session([9; 32]));
        let word = core.fresh.revoked.judge(&held.record, &log::principal("Aladdin"), base);
        assert_eq!(word, Word::Revoked, "the row still says that it lives, and so does the snapshot");
        assert_eq!(home.why(&store, &key), Some(Reason::SessionRevoked));
    }
}

/// One thread drops the copy and reads the row anew, over and over; another revokes, and writes elsewhere meanwhile.
#[test]
fn no_copy_that_is_put_in_late_says_yes_after_an_acknowledged_revoke() {
    let home = Home::new();
    let store = home.open();
    let (round, over) = (AtomicU32::new(0), AtomicBool::new(false));
    std::thread::scope(|threads| {
        for _ in 0..2 {
            threads.spawn(|| {
                while !over.load(Ordering::SeqCst) {
                    let key = key(round.load(Ordering::SeqCst));
                    store.core().unwrap().copies.remove(&key);
                    let _ = store.check(&key, home.clock.now());
                }
            });
        }
        for number in 1..=500 {
            let key = home.login(&store, "Aladdin", number);
            round.store(number, Ordering::SeqCst);
            home.login(&store, "AlexK", 10_000 + number);
            home.revoke(&store, Revocation::Session(key));
            for _ in 0..20 {
                assert_eq!(home.why(&store, &key), Some(Reason::SessionRevoked), "round {number}");
            }
            home.revoke(&store, Revocation::Principal("AlexK"));
        }
        over.store(true, Ordering::SeqCst);
    });
}

/// The row of such a session was not buried: the disk was full, or the writer was killed in between.
#[test]
fn a_session_that_is_dead_by_the_log_alone_stays_dead_when_a_clock_goes_forward_sweeps_and_goes_back() {
    for budget in [1, 2, 64] {
        let home = Home::new();
        let store = home.open();
        let core = store.core().unwrap();
        for number in 0..20 {
            let key = home.login(&store, "Aladdin", number);
            let until = Some(home.clock.now().unix() + 43_200);
            core.log.append(&[Entry { what: What::Session(key), floor: None, until }], home.clock.now()).unwrap();
        }
        let later = Clock::fake(1_700_000_000 + 86_400);
        let rest = || (0..20).filter(|number| home.why(&store, &key(*number)).is_none()).count();
        assert_eq!(rest(), 0);
        for _ in 0..200 {
            store.sweep(later.now(), budget);
            // Another process starts: it has no copies, and its clock is right.
            (0..20).for_each(|number| drop(core.copies.remove(&key(number))));
            assert_eq!(rest(), 0, "budget {budget}");
        }
        assert_eq!(core.rows.sizes(), (0, 0), "and all was swept");
    }
}

#[test]
fn a_use_of_another_boot_counts_by_the_wall_clock_and_never_as_one_to_come() {
    let home = Home::new();
    // Seconds since the use by the wall clock, and whether the session lives: it is idle after 1,600 and a step.
    for (unused, lives) in [(0, true), (1_599, true), (1_659, true), (1_660, false), (9_000, false), (-3_600, true)] {
        let store = home.open();
        let number = u32::try_from(unused + 10_000).unwrap();
        let key = home.login(&store, "Aladdin", number);
        let core = store.core().unwrap();
        let now = home.clock.now();
        let mut w = core.rows.env.write_txn().unwrap();
        let held = core.rows.held(&w, &key, core.boot_tag, now).unwrap().unwrap();
        // That boot had counted further than this one, or hardly begun.
        let used = Used { boot_tag: core.boot_tag ^ 1, boot: 7 * i64::from(number), unix: now.unix() - unused };
        core.rows.entomb(&mut w, &held, &log::principal("Aladdin"), crate::session::Dead::Idle, None).unwrap();
        core.rows.clear(&mut w, &key).unwrap();
        core.rows.insert(&mut w, &held.record, &log::principal("Aladdin"), used, now.unix() + 60).unwrap();
        w.commit().unwrap();
        drop(store);
        let store = home.open();
        assert_eq!(home.why(&store, &key).is_none(), lives, "unused for {unused} s");
        let core = store.core().unwrap();
        let r = core.rows.env.read_txn().unwrap();
        let row = Rows::held(&core.rows, &r, &key, core.boot_tag, now).unwrap();
        assert!(row.is_none_or(|held| held.record.last_used_boot().unwrap() <= now.boot()), "not in the future");
        drop(r);
        store.tend(now).unwrap();
        drop(store);
        let store = home.open();
        let Answer::Hit(record) = store.check(&key, now) else {
            assert!(!lives);
            continue;
        };
        home.clock.advance(if unused < 120 { 120 } else { 0 });
        assert_eq!(store.touch(&record, None, home.clock.now()), Ok(Touch::Done), "from now on it counts in this boot");
        store.tend(home.clock.now()).unwrap();
    }
}
