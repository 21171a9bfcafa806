//! Rules on the numbered log: what each revocation kills, and what it leaves.

use super::{KEY, LONGEST_SECS, ROOM, Scene};
use crate::base::Reason;
use crate::session::{Touch, id};
use crate::store::{NotStored, Revocation};

pub(super) fn each_kind_kills_what_it_names_and_nothing_else(scene: &Scene<'_>) {
    let chosen = |principal: &str| id::chosen_key("data.example.org", "form", "", principal, b"1");
    let (mine, theirs) = (chosen("Aladdin"), chosen("AlexK"));
    // Session, other session of the same principal, session of another; token, token with its own session id,
    // token of another, token of another key.
    let survivors = |what: &dyn Fn(&[crate::crypto::digest::Digest; 3]) -> Revocation<'static>| {
        let keys = [scene.login("Aladdin"), scene.login("Aladdin"), scene.login("AlexK")];
        let held = keys.map(|key| scene.check(&key).unwrap());
        let seq = scene.seq();
        let before = scene.store.revoke(what(&keys), scene.now()).unwrap();
        assert!(before > seq && before == scene.seq());
        let sessions = keys.map(|key| scene.check(&key).is_ok());
        for ((key, alive), record) in keys.iter().zip(sessions).zip(&held) {
            scene.clock.advance(61);
            assert_eq!(scene.touch(record) == Touch::Gone, !alive);
            assert_eq!(scene.check(key).is_ok(), alive);
            assert!(alive || scene.why(key) == Some(Reason::SessionRevoked));
        }
        let tokens = [
            scene.token_revoked("Aladdin", None, seq),
            scene.token_revoked("Aladdin", Some(&mine), seq),
            scene.token_revoked("AlexK", Some(&theirs), seq),
            scene.store.token_revoked("AlexK", &[8; 8], None, seq).unwrap(),
        ]
        .map(|revoked| !revoked);
        assert!(scene.check(&scene.login("Aladdin")).is_ok(), "who logs in anew lives");
        for chosen in [None, Some(&mine)] {
            assert!(!scene.token_revoked("Aladdin", chosen, scene.seq()), "and so does a new token");
        }
        (sessions, tokens)
    };
    let all = [true; 4];
    assert_eq!(survivors(&|keys| Revocation::Session(keys[0])), ([false, true, true], all));
    assert_eq!(survivors(&|_| Revocation::Chosen(mine)), ([true; 3], [true, false, true, true]));
    assert_eq!(survivors(&|_| Revocation::Principal("Aladdin")), ([false, false, true], [false, false, true, true]));
    assert_eq!(survivors(&|_| Revocation::Key(KEY)), ([true; 3], [false, false, false, true]));
    assert_eq!(survivors(&|_| Revocation::All), ([false; 3], [false; 4]));
}

pub(super) fn log_out_and_log_in_within_a_millisecond(scene: &Scene<'_>) {
    for _ in 0..100 {
        let old = scene.login("Aladdin");
        let token = scene.seq();
        let floor = scene.store.revoke(Revocation::Principal("Aladdin"), scene.now()).unwrap();
        let new = scene.login("Aladdin");
        assert_eq!((scene.why(&old), scene.why(&new)), (Some(Reason::SessionRevoked), None));
        assert!(scene.token_revoked("Aladdin", None, token) && !scene.token_revoked("Aladdin", None, scene.seq()));
        assert_eq!(scene.store.floor("Aladdin"), Ok(floor), "the clock stands still and the numbers do not");
        assert!(scene.store.floor("AlexK").unwrap() < floor);
    }
}

pub(super) fn a_moment_ends_what_was_made_before_it(scene: &Scene<'_>) {
    let (old, token) = (scene.login("Aladdin"), scene.seq());
    scene.clock.advance(61);
    scene.store.tend(scene.now()).unwrap();
    let moment = u64::try_from(scene.now().unix_us).unwrap();
    scene.clock.advance(61);
    scene.store.tend(scene.now()).unwrap();
    let (new, later) = (scene.login("Aladdin"), scene.seq());
    let before = scene.seq();
    assert!(scene.store.revoke(Revocation::Before(moment), scene.now()).unwrap() > before);
    assert_eq!((scene.why(&old), scene.why(&new)), (Some(Reason::SessionRevoked), None));
    assert!(scene.token_revoked("Aladdin", None, token) && !scene.token_revoked("Aladdin", None, later));
    scene.store.revoke(Revocation::Before(5), scene.now()).unwrap();
    assert_eq!((scene.why(&old), scene.why(&new)), (Some(Reason::SessionRevoked), None), "no floor falls");
}

pub(super) fn seq_never_falls(scene: &Scene<'_>) {
    let mut seq = scene.seq();
    for (step, seconds) in [(0, 1), (-3_000, 0), (-3_000, 5), (3_500, 0), (0, 0)] {
        scene.clock.step_wall(step);
        assert_eq!(scene.clock.follow(), None);
        scene.clock.advance(seconds);
        for what in [Revocation::Session([3; 32]), Revocation::Principal("Aladdin"), Revocation::Key(KEY)] {
            let next = scene.store.revoke(what, scene.now()).unwrap();
            assert!(next > seq && next == scene.seq(), "{next} after {seq}");
            seq = next;
        }
    }
}

pub(super) fn a_log_out_sent_again_commits_again(scene: &Scene<'_>) {
    let key = scene.login("Aladdin");
    let first = scene.store.revoke(Revocation::Session(key), scene.now()).unwrap();
    let again = scene.store.revoke(Revocation::Session(key), scene.now()).unwrap();
    let unknown = scene.store.revoke(Revocation::Session([5; 32]), scene.now()).unwrap();
    assert!(first < again && again < unknown);
    assert_eq!(scene.why(&key), Some(Reason::SessionRevoked));
    assert_eq!(scene.why(&[5; 32]), Some(Reason::SessionUnknown), "a stranger's key leaves nothing behind");
}

pub(super) fn a_login_that_began_before_is_refused(scene: &Scene<'_>) {
    let refused = Err(NotStored::Refused(Reason::SessionRevoked));
    for what in [Revocation::Principal("Aladdin"), Revocation::All] {
        let seq = scene.seq();
        scene.store.revoke(what, scene.now()).unwrap();
        assert_eq!(scene.try_login("Aladdin", seq, ROOM).map(drop), refused);
        assert!(scene.try_login("Aladdin", scene.seq(), ROOM).is_ok());
    }
    let seq = scene.seq();
    scene.store.revoke(Revocation::Principal("AlexK"), scene.now()).unwrap();
    assert!(scene.try_login("Aladdin", seq, ROOM).is_ok(), "another's revocation is nothing to it");
}

pub(super) fn floors_hold_for_the_longest_life(scene: &Scene<'_>) {
    let chosen = id::chosen_key("data.example.org", "form", "", "AlexK", b"1");
    let seq = scene.seq();
    let revoke = |what| scene.store.revoke(what, scene.now()).unwrap();
    revoke(Revocation::Principal("Aladdin"));
    revoke(Revocation::Key([8; 8]));
    revoke(Revocation::Chosen(chosen));
    for _ in 0..30 {
        scene.clock.advance(i64::from(LONGEST_SECS) / 30);
        scene.sweep_all();
        assert!(scene.token_revoked("Aladdin", None, seq));
        assert!(scene.token_revoked("AlexK", Some(&chosen), seq));
        assert!(scene.store.token_revoked("AlexK", &[8; 8], None, seq).unwrap());
        assert!(!scene.token_revoked("AlexK", None, seq));
    }
    assert_eq!(scene.try_login("Aladdin", seq, ROOM).map(drop), Err(NotStored::Refused(Reason::SessionRevoked)));
}

pub(super) fn a_seq_from_elsewhere_counts_as_revoked(scene: &Scene<'_>) {
    assert!(!scene.token_revoked("Aladdin", None, scene.seq()));
    assert!(scene.token_revoked("Aladdin", None, scene.seq() + 1), "a log that this store does not know");
    assert!(scene.token_revoked("Aladdin", None, u64::MAX));
    assert_eq!(
        scene.try_login("Aladdin", u64::MAX, ROOM).map(drop),
        Err(NotStored::Refused(Reason::SessionRevoked)),
        "it would outlive every floor"
    );
}
