//! A long random walk through every call, compared at each step with a model so naive that it can be read.

use super::{ABSOLUTE, IDLE, Scene};
use crate::base::Now;
use crate::crypto::digest::Digest;
use crate::expiry::{self, Ends, Life};
use crate::session::{Record, Touch};
use crate::store::Revocation;
use std::sync::Arc;

const NAMES: [&str; 4] = ["Aladdin", "AlexK", "joe.bloggs@test.com", "admin@test.com"];
const CAP: usize = 5;
const STEPS: usize = 6_000;

struct Modelled {
    key: Digest,
    name: &'static str,
    ends: Ends,
    used: i64,
    removed: bool,
    held: Arc<Record>,
}

impl Modelled {
    fn alive(&self, now: Now) -> bool {
        !self.removed && matches!(expiry::session(&self.ends, self.used, now), Life::Alive { .. })
    }
}

/// xorshift64*: the walk is the same every time.
struct Dice(u64);

impl Dice {
    fn throw(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % sides
    }
}

pub(super) fn a_long_random_walk_agrees_with_a_naive_model(scene: &Scene<'_>) {
    let mut dice = Dice(0x006a_616e_7561);
    let mut model: Vec<Modelled> = Vec::new();
    for step in 0..STEPS {
        let now = scene.now();
        match dice.throw(20) {
            0..=5 => log_in(scene, &mut model, NAMES[dice.throw(NAMES.len())]),
            6..=9 if !model.is_empty() => {
                let number = dice.throw(model.len());
                touch(scene, &mut model[number]);
            }
            10 if !model.is_empty() => {
                let number = dice.throw(model.len());
                scene.store.revoke(Revocation::Session(model[number].key), now).unwrap();
                model[number].removed = true;
            }
            11 => {
                let name = NAMES[dice.throw(NAMES.len())];
                scene.store.revoke(Revocation::Principal(name), now).unwrap();
                model.iter_mut().filter(|session| session.name == name).for_each(|session| session.removed = true);
            }
            12 if dice.throw(10) == 0 => {
                scene.store.revoke(Revocation::All, now).unwrap();
                model.iter_mut().for_each(|session| session.removed = true);
            }
            13..=15 => drop(scene.store.sweep(now, dice.throw(20))),
            _ => scene.clock.advance(i64::try_from(dice.throw(400)).unwrap_or(0)),
        }
        compare(scene, &model, step);
        model.retain(|session| session.ends.absolute_unix + 100 > scene.now().unix());
    }
    assert!(model.len() > 50, "the walk got nowhere");
}

fn log_in(scene: &Scene<'_>, model: &mut Vec<Modelled>, name: &'static str) {
    let now = scene.now();
    let mut mine: Vec<_> = model.iter_mut().filter(|session| session.name == name && session.alive(now)).collect();
    let too_many = (mine.len() + 1).saturating_sub(CAP);
    mine.iter_mut().take(too_many).for_each(|oldest| oldest.removed = true);
    let inserted = scene.try_login(name, scene.seq(), CAP).unwrap();
    assert_eq!(inserted.evicted.len(), too_many);
    let created = now.unix();
    model.push(Modelled {
        key: *inserted.record.key(),
        name,
        ends: Ends { created_unix: created, absolute_unix: created + i64::from(ABSOLUTE), idle_secs: IDLE },
        used: now.boot(),
        removed: false,
        held: inserted.record,
    });
}

fn touch(scene: &Scene<'_>, session: &mut Modelled) {
    let now = scene.now();
    let expected = match (session.alive(now), expiry::touch_due(IDLE, session.used, now)) {
        (false, _) => Touch::Gone,
        (true, false) => Touch::NotDue,
        (true, true) => Touch::Done,
    };
    assert_eq!(scene.touch(&session.held), expected);
    if expected == Touch::Done {
        session.used = now.boot();
    }
}

fn compare(scene: &Scene<'_>, model: &[Modelled], step: usize) {
    let now = scene.now();
    // All of them now and then, the youngest always.
    let from = if step.is_multiple_of(50) { 0 } else { model.len().saturating_sub(8) };
    for session in &model[from..] {
        assert_eq!(scene.check(&session.key).is_ok(), session.alive(now), "step {step}: {}", session.name);
    }
    if step.is_multiple_of(50) {
        let alive = model.iter().filter(|session| session.alive(now)).count();
        assert_eq!(scene.store.list(now, usize::MAX).unwrap().len(), alive, "step {step}");
        assert!(scene.store.count().unwrap() >= alive);
    }
}
