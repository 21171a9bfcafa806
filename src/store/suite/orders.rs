//! Small exhaustive models: every order in which the steps of two or more actors can fall, on the store itself.

use super::{IDLE_END, ROOM, Scene};
use crate::session::Touch;
use crate::store::Revocation;

/// Every way to merge `a` steps of one actor with `b` of another; `true` is the first actor's turn.
fn merges(a: usize, b: usize) -> Vec<Vec<bool>> {
    if a + b == 0 {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for (turn, left) in [(true, a), (false, b)] {
        if left > 0 {
            let rest = if turn { merges(a - 1, b) } else { merges(a, b - 1) };
            all.extend(rest.into_iter().map(|rest| [vec![turn], rest].concat()));
        }
    }
    all
}

fn permutations<T: Copy>(of: &[T]) -> Vec<Vec<T>> {
    if of.is_empty() {
        return vec![Vec::new()];
    }
    let each = 0..of.len();
    each.flat_map(|first| {
        let rest = [&of[..first], &of[first + 1..]].concat();
        permutations(&rest).into_iter().map(move |rest| [vec![of[first]], rest].concat())
    })
    .collect()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    ReadSeq,
    Verify,
    Insert,
    WriteDirectory,
    Revoke,
}
use Step::{Insert, ReadSeq, Revoke, Verify, WriteDirectory};

/// In how many orders a session of the old password is alive in the end.
fn survivors(scene: &Scene<'_>, login: [Step; 3], change: [Step; 2]) -> usize {
    let mut alive = 0;
    for (run, turns) in merges(3, 2).into_iter().enumerate() {
        let name = format!("Aladdin {run}");
        let (mut seq, mut directory_is_old, mut verified_old, mut session) = (0, true, false, None);
        let (mut login, mut change) = (login.iter(), change.iter());
        for turn in turns {
            let step = if turn { login.next() } else { change.next() };
            match step.unwrap() {
                ReadSeq => seq = scene.seq(),
                Verify => verified_old = directory_is_old,
                Insert if verified_old => session = scene.try_login(&name, seq, ROOM).ok(),
                Insert => {}
                WriteDirectory => directory_is_old = false,
                Revoke => drop(scene.store.revoke(Revocation::Principal(&name), scene.now()).unwrap()),
            }
        }
        alive += usize::from(session.is_some_and(|session| scene.check(session.record.key()).is_ok()));
    }
    alive
}

/// The right orders leave none; each wrong one leaves some, so the model would notice.
pub(super) fn no_session_of_an_old_password_survives(scene: &Scene<'_>) {
    assert_eq!(merges(3, 2).len(), 10);
    assert_eq!(survivors(scene, [ReadSeq, Verify, Insert], [WriteDirectory, Revoke]), 0);
    assert!(survivors(scene, [Verify, ReadSeq, Insert], [WriteDirectory, Revoke]) > 0);
    assert!(survivors(scene, [ReadSeq, Verify, Insert], [Revoke, WriteDirectory]) > 0);
    assert!(survivors(scene, [Verify, ReadSeq, Insert], [Revoke, WriteDirectory]) > 0);
}

/// Whatever ends a session, in every order with a touch through a handle that was got while it lived.
pub(super) fn revoke_touch_sweep_and_evict_in_every_order(scene: &Scene<'_>) {
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Event {
        Touch,
        Revoke,
        Sweep,
        Evict,
        TimePasses,
    }
    use Event::{Evict, Revoke, Sweep, TimePasses, Touch as Use};
    for (run, events) in permutations(&[Use, Revoke, Sweep, Evict, TimePasses]).into_iter().enumerate() {
        let name = format!("Aladdin {run}");
        let key = scene.try_login(&name, scene.seq(), 1).unwrap().record.key;
        let held = scene.check(&key).unwrap();
        scene.clock.advance(100);
        let mut over = false;
        for event in &events {
            match event {
                Use => assert_eq!(scene.touch(&held) == Touch::Gone, over, "{events:?}"),
                Revoke => drop(scene.store.revoke(Revocation::Session(key), scene.now()).unwrap()),
                Sweep => scene.sweep_all(),
                Evict => drop(scene.try_login(&name, scene.seq(), 1).unwrap()),
                TimePasses => scene.clock.advance(IDLE_END),
            }
            over |= !matches!(event, Use | Sweep);
            assert_eq!(scene.check(&key).is_err(), over, "{event:?} in {events:?}");
        }
        assert_eq!(scene.touch(&held), Touch::Gone, "{events:?}");
        assert!(scene.check(&key).is_err(), "{events:?}");
    }
}
