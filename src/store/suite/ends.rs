//! Rules on the ends of a session: idle, absolute, touches, tombstones, sweeping, and looks that are no use.

use super::{ABSOLUTE, IDLE, IDLE_END, ROOM, Scene};
use crate::base::Reason;
use crate::session::{NewSession, Record, Reference, Touch};
use crate::store::{Answer, Revocation};

pub(super) fn idle_and_absolute_ends_are_exclusive(scene: &Scene<'_>) {
    for (idle, absolute, end, reason) in
        [(IDLE, ABSOLUTE, IDLE_END, Reason::SessionIdle), (IDLE, 900, 900, Reason::SessionEnded)]
    {
        for (wait, expected) in [(end - 1, None), (end, Some(reason)), (end + 1, Some(reason))] {
            let record = Record::new(NewSession::of("Aladdin", idle, absolute, scene.seq()), scene.now());
            let key = scene.new_key();
            scene.store.insert(key, record, ROOM, scene.now()).unwrap();
            scene.clock.advance(wait);
            assert_eq!(scene.why(&key), expected, "after {wait} of {end} s");
            assert_eq!(scene.why(&key), expected, "a second look says the same");
        }
    }
}

pub(super) fn touches_keep_a_session_alive_to_its_absolute_end_only(scene: &Scene<'_>) {
    let key = scene.login("Aladdin");
    let step = 1_200;
    for _ in 0..i64::from(ABSOLUTE) / step - 1 {
        scene.clock.advance(59);
        let record = scene.check(&key).unwrap();
        assert_eq!(scene.touch(&record), Touch::NotDue);
        scene.clock.advance(step - 59);
        assert_eq!(scene.touch(&record), Touch::Done);
        assert_eq!(scene.touch(&record), Touch::NotDue, "once a step");
        scene.sweep_all();
    }
    scene.clock.advance(step - 1);
    assert!(scene.check(&key).is_ok());
    scene.clock.advance(1);
    assert_eq!(scene.why(&key), Some(Reason::SessionEnded), "no use moves the absolute end");
}

pub(super) fn no_step_of_the_wall_clock_moves_an_idle_end_or_revives(scene: &Scene<'_>) {
    let follow = |seconds| {
        scene.clock.step_wall(seconds);
        assert_eq!(scene.clock.follow(), None);
    };
    let key = scene.login("Aladdin");
    follow(3_500);
    assert!(scene.check(&key).is_ok(), "forward");
    follow(-3_500);
    follow(-3_500);
    assert!(scene.check(&key).is_ok(), "back, before its login");
    scene.clock.advance(IDLE_END - 1);
    assert!(scene.check(&key).is_ok());
    scene.clock.advance(1);
    assert_eq!(scene.why(&key), Some(Reason::SessionIdle));

    let short = Record::new(NewSession::of("Aladdin", IDLE, 600, scene.seq()), scene.now());
    let key = scene.new_key();
    scene.store.insert(key, short, ROOM, scene.now()).unwrap();
    follow(600);
    assert_eq!(scene.why(&key), Some(Reason::SessionEnded), "an absolute end is a moment of the wall clock");
    follow(-600);
    assert_eq!(scene.why(&key), Some(Reason::SessionEnded), "what was found over stays so");
    follow(3_500);
}

pub(super) fn a_touch_never_creates_or_revives(scene: &Scene<'_>) {
    let revoked = scene.login("Aladdin");
    let evicted = scene.login("joe.bloggs@test.com");
    let swept = scene.login("admin@test.com");
    let held = [revoked, evicted, swept].map(|key| scene.check(&key).unwrap());
    scene.store.revoke(Revocation::Session(revoked), scene.now()).unwrap();
    scene.try_login("joe.bloggs@test.com", scene.seq(), 1).unwrap();
    scene.clock.advance(100);
    let count = scene.store.count().unwrap();
    assert_eq!(scene.touch(&held[0]), Touch::Gone);
    assert_eq!(scene.touch(&held[1]), Touch::Gone);
    assert_eq!(scene.touch(&held[2]), Touch::Done, "the only one alive");
    scene.clock.advance(IDLE_END + 60);
    scene.sweep_all();
    assert_eq!(scene.touch(&held[2]), Touch::Gone);
    for (key, reason) in
        [(revoked, Reason::SessionRevoked), (evicted, Reason::SessionRevoked), (swept, Reason::SessionIdle)]
    {
        assert_eq!(scene.why(&key), Some(reason));
        assert_eq!(scene.store.alive(&Reference::of(&key), scene.now()), Answer::Miss(reason));
    }
    assert!(scene.store.count().unwrap() <= count);
    let unstored = scene.record("Aladdin", scene.seq());
    scene.clock.advance(100);
    let _ = scene.touch(&unstored);
    assert_eq!(scene.why(unstored.key()), Some(Reason::SessionUnknown), "a touch is no insertion");
}

pub(super) fn a_removed_session_leaves_a_tombstone_until_its_absolute_end(scene: &Scene<'_>) {
    let (revoked, idle) = (scene.login("Aladdin"), scene.login("Aladdin"));
    scene.store.revoke(Revocation::Session(revoked), scene.now()).unwrap();
    let absolute = i64::from(ABSOLUTE);
    let mut passed = 0;
    for stop in [IDLE_END + 100, absolute / 2, absolute - 1] {
        scene.clock.advance(stop - passed);
        passed = stop;
        scene.sweep_all();
        assert_eq!(scene.why(&revoked), Some(Reason::SessionRevoked), "after {stop} s");
        assert_eq!(scene.why(&idle), Some(Reason::SessionIdle), "after {stop} s");
        assert_eq!(scene.store.count(), Ok(0));
    }
    scene.clock.advance(100);
    scene.sweep_all();
    assert!(scene.check(&revoked).is_err() && scene.check(&idle).is_err());
}

pub(super) fn an_early_sweep_removes_nothing_and_a_small_budget_gets_there(scene: &Scene<'_>) {
    let keys: Vec<_> = (0..50).map(|_| scene.login("Aladdin")).collect();
    scene.clock.advance(IDLE_END - 1);
    scene.sweep_all();
    assert!(keys.iter().all(|key| scene.check(key).is_ok()));
    scene.clock.advance(200);
    let mut calls = 0;
    while scene.store.sweep(scene.now(), 7) == 7 {
        calls += 1;
    }
    assert!(calls >= 50 / 7, "a budget is kept");
    assert_eq!(scene.store.count(), Ok(0));
}

pub(super) fn lists_and_probes_do_not_touch(scene: &Scene<'_>) {
    let new = NewSession { keep_path: true, ..NewSession::of("Aladdin", IDLE, ABSOLUTE, scene.seq()) };
    let created = scene.now().unix();
    let key = scene.new_key();
    scene.store.insert(key, Record::new(new, scene.now()), ROOM, scene.now()).unwrap();
    scene.clock.advance(100);
    let record = scene.check(&key).unwrap();
    assert_eq!(scene.store.touch(&record, Some(b"/api/a"), scene.now()), Ok(Touch::Done));
    scene.clock.advance(1_000);
    for _ in 0..3 {
        let rows = scene.store.list(scene.now(), 10).unwrap();
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].reference.to_string(), crate::base::encoding::hex(&key[..16]));
        assert_eq!((rows[0].created, rows[0].last_use), (created, created + 100));
        assert_eq!((&*rows[0].principal, rows[0].last_path.as_deref()), ("Aladdin", Some("/api/a")));
        assert_eq!(scene.store.alive(&rows[0].reference, scene.now()), Answer::Hit(()));
        assert!(scene.check(&key).is_ok(), "nor does a check");
    }
    scene.clock.advance(IDLE_END - 1_000);
    assert_eq!(scene.store.list(scene.now(), 10).unwrap().len(), 0, "what is over is not listed");
    assert_eq!(scene.store.alive(&Reference::of(&key), scene.now()), Answer::Miss(Reason::SessionIdle));
    assert_eq!(scene.store.alive(&Reference([0; 16]), scene.now()), Answer::Miss(Reason::SessionUnknown));
}

pub(super) fn a_list_has_at_most_as_many_rows_as_asked_for(scene: &Scene<'_>) {
    for _ in 0..20 {
        scene.login("Aladdin");
        scene.clock.advance(1);
    }
    for (max, rows) in [(0, 0), (1, 1), (7, 7), (20, 20), (usize::MAX, 20)] {
        let list = scene.store.list(scene.now(), max).unwrap();
        assert_eq!(list.len(), rows);
        assert!(list.windows(2).all(|pair| pair[0].created <= pair[1].created), "oldest first");
    }
}
