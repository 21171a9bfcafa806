//! The rules that every store keeps, as one suite: a store that passes it may stand behind the engine.
//!
//! Called by the tests of each store ([`run`]), with a fake clock; compiled for tests only, or with the feature
//! `testing`. It looks through the trait alone and so knows nothing of how a store keeps its rows. A broken rule
//! panics at the line that names it.

mod documents;
mod ends;
mod made;
mod orders;
mod races;
mod revocation;
mod walk;

use super::{Inserted, NotStored, Revocation, Store};
use crate::base::{Clock, Now, Reason};
use crate::crypto::digest::Digest;
use crate::crypto::keyring::KeyId;
use crate::session::{NewSession, Record, Touch, id};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What a store is to be made with: the longest life of anything.
pub const LONGEST_SECS: u32 = 30 * 86_400;

const IDLE: u32 = 1_600;
const ABSOLUTE: u32 = 43_200;
/// Idle time and one touch step: the second at which an unused session is over.
const IDLE_END: i64 = 1_600 + 60;
const DEAD: Option<Reason> = Some(Reason::SessionRevoked);
const KEY: KeyId = [7; 8];
/// A cap that no rule but those on caps runs into.
const ROOM: usize = 100;

/// Runs every rule, each on a store of its own from `make`, which is given nothing but must use `clock` for whatever
/// time it reads, and [`LONGEST_SECS`].
pub fn run(make: impl Fn() -> Box<dyn Store>, clock: &Clock) {
    let rules: &[fn(&Scene<'_>)] = &[
        ends::idle_and_absolute_ends_are_exclusive,
        ends::touches_keep_a_session_alive_to_its_absolute_end_only,
        ends::no_step_of_the_wall_clock_moves_an_idle_end_or_revives,
        ends::a_touch_never_creates_or_revives,
        ends::a_removed_session_leaves_a_tombstone_until_its_absolute_end,
        ends::an_early_sweep_removes_nothing_and_a_small_budget_gets_there,
        ends::lists_and_probes_do_not_touch,
        ends::a_list_has_at_most_as_many_rows_as_asked_for,
        a_key_is_used_once,
        the_cap_puts_the_oldest_out,
        a_replacement_is_one_transaction,
        a_renewal_and_a_log_out_leave_nothing_in_either_order,
        neighbours_are_strangers,
        revocation::each_kind_kills_what_it_names_and_nothing_else,
        made::tokens_end_with_the_session_they_were_made_from,
        made::tokens_outlive_a_session_that_ends_by_itself,
        revocation::log_out_and_log_in_within_a_millisecond,
        revocation::a_moment_ends_what_was_made_before_it,
        revocation::seq_never_falls,
        revocation::a_log_out_sent_again_commits_again,
        revocation::a_login_that_began_before_is_refused,
        revocation::floors_hold_for_the_longest_life,
        revocation::a_seq_from_elsewhere_counts_as_revoked,
        orders::no_session_of_an_old_password_survives,
        orders::revoke_touch_sweep_and_evict_in_every_order,
        races::no_check_after_an_acknowledged_revoke_says_hit,
        races::no_session_of_an_old_password_survives_in_threads,
        documents::a_document_is_replaced_only_by_who_knows_it,
        documents::of_many_that_replace_at_once_one_wins_each_time,
        walk::a_long_random_walk_agrees_with_a_naive_model,
    ];
    for rule in rules {
        rule(&Scene { store: make(), clock, logins: AtomicU64::new(0) });
    }
}

/// One rule's stage.
struct Scene<'a> {
    store: Box<dyn Store>,
    clock: &'a Clock,
    logins: AtomicU64,
}

impl Scene<'_> {
    fn now(&self) -> Now {
        self.clock.now()
    }

    fn seq(&self) -> u64 {
        self.store.seq().unwrap()
    }

    fn new_key(&self) -> Digest {
        let number = self.logins.fetch_add(1, Ordering::Relaxed);
        id::key("data.example.org", "form", "", &number.to_be_bytes())
    }

    fn record(&self, principal: &str, seq: u64) -> Record {
        Record::new(NewSession::of(principal, IDLE, ABSOLUTE, seq), self.now())
    }

    /// A whole login: seq, (directory, verify,) insert.
    fn login(&self, principal: &str) -> Digest {
        self.try_login(principal, self.seq(), ROOM).unwrap().record.key
    }

    fn try_login(&self, principal: &str, seq: u64, cap: usize) -> Result<Inserted, NotStored> {
        self.store.insert(self.new_key(), self.record(principal, seq), cap, self.now())
    }

    fn check(&self, key: &Digest) -> Result<Arc<Record>, Reason> {
        self.store.check(key, self.now()).ok()
    }

    fn why(&self, key: &Digest) -> Option<Reason> {
        self.check(key).err()
    }

    fn touch(&self, record: &Record) -> Touch {
        self.store.touch(record, None, self.now()).unwrap()
    }

    fn sweep_all(&self) {
        while self.store.sweep(self.now(), 1_000) == 1_000 {}
    }

    fn token_revoked(&self, principal: &str, chosen: Option<&Digest>, seq: u64) -> bool {
        self.store.token_revoked(principal, &KEY, chosen, seq).unwrap()
    }
}

fn a_key_is_used_once(scene: &Scene<'_>) {
    let key = scene.login("Aladdin");
    let again = || scene.store.insert(key, scene.record("joe.bloggs@test.com", scene.seq()), ROOM, scene.now());
    assert_eq!(again().unwrap_err(), NotStored::Refused(Reason::NoRandom), "never over a live session");
    assert_eq!(*scene.check(&key).unwrap().principal, *"Aladdin");
    scene.store.revoke(super::Revocation::Session(key), scene.now()).unwrap();
    assert_eq!(again().unwrap_err(), NotStored::Refused(Reason::SessionRevoked), "never over its tombstone");
    assert_eq!(scene.why(&key), Some(Reason::SessionRevoked));
}

fn the_cap_puts_the_oldest_out(scene: &Scene<'_>) {
    let other = scene.login("joe.bloggs@test.com");
    let mut keys = Vec::new();
    for _ in 0..3 {
        keys.push(scene.login("Aladdin"));
        scene.clock.advance(30);
    }
    let oldest = scene.check(&keys[0]).unwrap();
    scene.clock.advance(60);
    assert_eq!(scene.touch(&oldest), Touch::Done, "use does not make a session younger");
    let inserted = scene.try_login("Aladdin", scene.seq(), 3).unwrap();
    assert_eq!(inserted.evicted, [id::Reference::of(&keys[0])]);
    assert_eq!(scene.why(&keys[0]), Some(Reason::SessionRevoked));
    assert_eq!(scene.touch(&oldest), Touch::Gone);
    let inserted = scene.try_login("Aladdin", scene.seq(), 0).unwrap();
    assert_eq!(inserted.evicted.len(), 3, "a cap of nought is one");
    assert!(scene.check(inserted.record.key()).is_ok());
    assert!(scene.check(&other).is_ok(), "a cap is one principal's");

    let login = scene.login("someName");
    let kept: Vec<_> = (0..4)
        .map(|_| {
            let new = NewSession { kept: true, ..NewSession::of("someName", IDLE, ABSOLUTE, scene.seq()) };
            scene.store.insert(scene.new_key(), Record::new(new, scene.now()), 3, scene.now()).unwrap().record.key
        })
        .collect();
    assert_eq!(scene.why(&login), None, "kept sessions put out each other");
    assert_eq!([0, 1, 2, 3].map(|at| scene.why(&kept[at])), [DEAD, DEAD, None, None]);

    scene.clock.advance(IDLE_END);
    scene.login("admin@test.com");
    let inserted = scene.try_login("Aladdin", scene.seq(), 1).unwrap();
    assert!(inserted.evicted.is_empty(), "what is over needs no putting out");
}

fn a_replacement_is_one_transaction(scene: &Scene<'_>) {
    let replace = |old: &Digest, principal: &str, seq: u64, cap: usize| {
        scene.store.replace(old, scene.new_key(), scene.record(principal, seq), cap, scene.now())
    };
    let first = scene.login("Aladdin");
    let held = scene.check(&first).unwrap();
    let before = scene.seq();
    let second = replace(&first, "Aladdin", before, 1).unwrap();
    assert!(second.evicted.is_empty(), "the replaced session makes its own room");
    assert!(scene.seq() > before, "a replacement is a log-out too");
    assert_eq!(scene.why(&first), Some(Reason::SessionRevoked));
    assert_eq!(scene.touch(&held), Touch::Gone);

    let second = *second.record.key();
    scene.store.revoke(Revocation::Principal("joe.bloggs@test.com"), scene.now()).unwrap();
    let refused = replace(&second, "joe.bloggs@test.com", before, ROOM).unwrap_err();
    assert_eq!(refused, NotStored::Refused(Reason::SessionRevoked));
    assert!(scene.check(&second).is_ok(), "what is refused changes nothing");

    for principal in ["joe.bloggs@test.com", "admin@test.com", "someName", "AlexK"] {
        let old = scene.login("Aladdin");
        let new = replace(&old, principal, scene.seq(), ROOM).unwrap();
        assert_eq!(scene.why(&old), Some(Reason::SessionRevoked), "another's session is replaced as well");
        assert_eq!(*scene.check(new.record.key()).unwrap().principal, *principal);
    }
    let new = replace(&[9; 32], "Aladdin", scene.seq(), ROOM).unwrap();
    assert!(scene.check(new.record.key()).is_ok(), "nothing to replace is no reason to refuse");
}

fn a_renewal_and_a_log_out_leave_nothing_in_either_order(scene: &Scene<'_>) {
    let renew = |old: &Digest| {
        let record = scene.record("Aladdin", scene.seq());
        scene.store.renew(old, scene.new_key(), record, ROOM, scene.now()).map(|new| new.record.key)
    };
    let old = scene.login("Aladdin");
    scene.store.revoke(Revocation::Session(old), scene.now()).unwrap();
    assert_eq!(renew(&old), Err(NotStored::Refused(Reason::SessionRevoked)), "nothing goes on from a dead session");
    assert_eq!(renew(&scene.new_key()), Err(NotStored::Refused(Reason::SessionRevoked)), "nor from none");

    let old = scene.login("Aladdin");
    let (next, other) = (renew(&old).unwrap(), scene.login("Aladdin"));
    let last = renew(&next).unwrap();
    assert_eq!([&old, &next, &last].map(|key| scene.why(key)), [DEAD, DEAD, None]);
    scene.store.revoke(Revocation::Session(old), scene.now()).unwrap();
    assert_eq!([&last, &other].map(|key| scene.why(key)), [DEAD, None], "what went on from it ends with it");

    let old = scene.login("Aladdin");
    let record = scene.record("Aladdin", scene.seq());
    let new = scene.store.replace(&old, scene.new_key(), record, ROOM, scene.now()).unwrap().record.key;
    scene.store.revoke(Revocation::Session(old), scene.now()).unwrap();
    assert_eq!(scene.why(&new), None, "a log-in proved itself and goes on from nothing");
}

fn neighbours_are_strangers(scene: &Scene<'_>) {
    let here = id::key("data.example.org", "form", "", b"1");
    scene.store.insert(here, scene.record("Aladdin", scene.seq()), ROOM, scene.now()).unwrap();
    for there in [
        id::key("data.example.com", "form", "", b"1"),
        id::key("data.example.org", "mauro", "", b"1"),
        id::key("data.example.org", "form", "v2", b"1"),
    ] {
        assert_eq!(scene.why(&there), Some(Reason::SessionUnknown));
        scene.store.revoke(super::Revocation::Session(there), scene.now()).unwrap();
    }
    scene.store.revoke(Revocation::Principal("aladdin"), scene.now()).unwrap();
    scene.store.revoke(Revocation::Principal(""), scene.now()).unwrap();
    assert!(scene.check(&here).is_ok());
}
