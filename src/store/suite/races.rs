//! Races of real threads. Each thread reads what was acknowledged **before** it checks, so that a hit after an
//! acknowledgement is a broken promise and nothing else.

use super::{ROOM, Scene};
use crate::store::Revocation;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;

const ROUNDS: usize = 1_000;

/// Checks, touches and sweeps run on while one thread logs in and ends what it made, in five ways.
pub(super) fn no_check_after_an_acknowledged_revoke_says_hit(scene: &Scene<'_>) {
    let keys: Vec<_> = (0..ROUNDS).map(|_| scene.new_key()).collect();
    let acknowledged = AtomicUsize::new(0);
    let hits = AtomicUsize::new(0);
    let check = |salt: usize| {
        let mut turn = salt;
        loop {
            let before = acknowledged.load(Ordering::SeqCst);
            if before == ROUNDS {
                break;
            }
            turn = turn.wrapping_add(1);
            let number = if turn.is_multiple_of(4) { turn % (before + 1) } else { before };
            if let Ok(record) = scene.check(&keys[number]) {
                hits.fetch_add(1, Ordering::Relaxed);
                assert!(number >= before, "session {number} lives after {before} were ended");
                let _ = scene.touch(&record);
            }
            if turn.is_multiple_of(32) {
                thread::yield_now();
            }
        }
    };
    thread::scope(|threads| {
        threads.spawn(|| check(0));
        threads.spawn(|| check(1));
        threads.spawn(|| {
            while acknowledged.load(Ordering::SeqCst) < ROUNDS {
                scene.store.sweep(scene.now(), 50);
                scene.store.list(scene.now(), 10).unwrap();
                thread::yield_now();
            }
        });
        for (number, key) in keys.iter().enumerate() {
            let name = format!("Aladdin {number}");
            let record = scene.record(&name, scene.seq());
            scene.store.insert(*key, record, ROOM, scene.now()).unwrap();
            let seen = hits.load(Ordering::Relaxed);
            for _ in 0..20 {
                if hits.load(Ordering::Relaxed) > seen {
                    break;
                }
                thread::yield_now();
            }
            end(scene, number, &name, *key);
            acknowledged.store(number + 1, Ordering::SeqCst);
            scene.clock.advance(i64::from(number % 16 == 0));
        }
    });
    assert!(hits.load(Ordering::Relaxed) > 0, "the checks met nobody alive");
    assert!(keys.iter().all(|key| scene.check(key).is_err()));
}

fn end(scene: &Scene<'_>, number: usize, name: &str, key: crate::crypto::digest::Digest) {
    match number % 5 {
        0 => drop(scene.store.revoke(Revocation::Session(key), scene.now()).unwrap()),
        1 => drop(scene.store.revoke(Revocation::Principal(name), scene.now()).unwrap()),
        2 => drop(scene.store.revoke(Revocation::All, scene.now()).unwrap()),
        3 => drop(scene.try_login(name, scene.seq(), 1).unwrap()),
        _ => {
            let other = scene.record("joe.bloggs@test.com", scene.seq());
            scene.store.replace(&key, scene.new_key(), other, 1, scene.now()).unwrap();
        }
    }
}

/// One thread changes a password over and over; two log in with whatever password stands.
pub(super) fn no_session_of_an_old_password_survives_in_threads(scene: &Scene<'_>) {
    let (directory, acknowledged) = (AtomicU64::new(0), AtomicU64::new(0));
    let over = AtomicBool::new(false);
    let log_in = || {
        while !over.load(Ordering::SeqCst) {
            let seq = scene.seq();
            let password = directory.load(Ordering::SeqCst);
            if password % 2 == 0 {
                thread::yield_now();
            }
            let Ok(inserted) = scene.try_login("Aladdin", seq, ROOM) else {
                continue;
            };
            for _ in 0..3 {
                let changed = acknowledged.load(Ordering::SeqCst);
                let alive = scene.check(inserted.record.key()).is_ok();
                assert!(!alive || password >= changed, "password {password} opens after change {changed}");
            }
            thread::yield_now();
        }
    };
    thread::scope(|threads| {
        threads.spawn(log_in);
        threads.spawn(log_in);
        for change in 1..=500 {
            directory.store(change, Ordering::SeqCst);
            scene.store.revoke(Revocation::Principal("Aladdin"), scene.now()).unwrap();
            acknowledged.store(change, Ordering::SeqCst);
            thread::yield_now();
        }
        over.store(true, Ordering::SeqCst);
    });
}
