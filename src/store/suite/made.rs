//! Rules on tokens that were made from a session: what ends them with it, and what leaves them.

use super::{ABSOLUTE, IDLE, IDLE_END, ROOM, Scene};
use crate::session::{NewSession, Record, Reference, id};
use crate::store::Revocation;
use std::sync::Arc;

fn new(principal: &str, seq: u64) -> NewSession {
    NewSession { mints: true, ..NewSession::of(principal, IDLE, ABSOLUTE, seq) }
}

fn login(scene: &Scene<'_>, principal: &str, cap: usize) -> Arc<Record> {
    let record = Record::new(new(principal, scene.seq()), scene.now());
    scene.store.insert(scene.new_key(), record, cap, scene.now()).unwrap().record
}

fn renewed(scene: &Scene<'_>, old: &Record) -> Arc<Record> {
    let record = Record::continued(new(&old.principal, old.seq), old, scene.now());
    scene.store.renew(old.key(), scene.new_key(), record, ROOM, scene.now()).unwrap().record
}

/// Whether a token that was made from the session lives.
fn token_lives(scene: &Scene<'_>, from: &Record) -> bool {
    !scene.token_revoked(&from.principal, Some(&id::made_key(&from.origin())), from.seq)
}

/// Ends a session, given its three ids.
type End<'a> = &'a dyn Fn([&Record; 3]);

pub(super) fn tokens_end_with_the_session_they_were_made_from(scene: &Scene<'_>) {
    let bystander = login(scene, "Aladdin", ROOM);
    // What ends a session that was renewed twice.
    let revoke = |what: Revocation<'_>| {
        scene.store.revoke(what, scene.now()).unwrap();
    };
    let replace = |old: &Record, principal: &str| {
        let record = Record::new(new(principal, scene.seq()), scene.now());
        scene.store.replace(old.key(), scene.new_key(), record, ROOM, scene.now()).unwrap();
    };
    let ends: [(&str, End<'_>); 7] = [
        ("a log-out", &|[.., last]| revoke(Revocation::Session(*last.key()))),
        ("a log-out by the id before", &|[_, before, _]| revoke(Revocation::Session(*before.key()))),
        ("a log-out by the first id", &|[first, ..]| revoke(Revocation::Session(*first.key()))),
        ("a log-out by its token", &|[first, ..]| revoke(Revocation::Origin(first.origin()))),
        ("a log-in over it", &|[.., last]| replace(last, "Aladdin")),
        ("another's log-in over it", &|[.., last]| replace(last, "AlexK")),
        ("all at once", &|_| revoke(Revocation::Principal("joe.bloggs@test.com"))),
    ];
    for (what, end) in ends {
        let first = login(scene, "joe.bloggs@test.com", ROOM);
        let before = renewed(scene, &first);
        let last = renewed(scene, &before);
        for from in [&first, &before, &last] {
            assert_eq!(from.origin(), Reference::of(first.key()));
            assert!(token_lives(scene, from), "{what}: a renewal ends none");
        }
        end([&first, &before, &last]);
        assert!(scene.check(last.key()).is_err(), "{what}");
        assert!(!token_lives(scene, &first), "{what}");
        let again = login(scene, "joe.bloggs@test.com", ROOM);
        assert!(token_lives(scene, &again), "{what}: of a new session");
        assert!(token_lives(scene, &bystander) && scene.check(bystander.key()).is_ok(), "{what}: of another session");
    }
}

pub(super) fn tokens_outlive_a_session_that_ends_by_itself(scene: &Scene<'_>) {
    let first = login(scene, "Aladdin", 1);
    login(scene, "Aladdin", 1);
    assert!(scene.check(first.key()).is_err() && token_lives(scene, &first), "put out by the cap");
    let idle = login(scene, "Aladdin", ROOM);
    scene.clock.advance(IDLE_END);
    scene.sweep_all();
    assert!(scene.check(idle.key()).is_err() && token_lives(scene, &idle), "not used");
    scene.store.revoke(Revocation::Origin(idle.origin()), scene.now()).unwrap();
    assert!(!token_lives(scene, &idle) && token_lives(scene, &first), "a log-out by the token ends its kin");
    let chosen = id::chosen_key("data.example.org", "form", "", "Aladdin", &first.origin().0);
    scene.store.revoke(Revocation::Chosen(chosen), scene.now()).unwrap();
    assert!(token_lives(scene, &first), "a chosen id is another thing");
    scene.store.revoke(Revocation::Session(*idle.key()), scene.now()).unwrap();
    assert!(token_lives(scene, &first));
}
