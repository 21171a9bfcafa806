//! What the tests of the shared store have in common: a folder, a store in it, and sessions by number.
#![allow(dead_code)]

use janua::base::{Clock, Reason};
use janua::crypto::digest::Digest;
use janua::session::{NewSession, Record, id};
use janua::store::shared::{Durability, Settings, Shared};
use janua::store::{Answer, Inserted, NotStored, Store};
use std::path::Path;

/// 2026-01-01, where fake clocks begin.
pub const START: i64 = 1_767_225_600;

pub const IDLE: u32 = 3_600;
pub const ABSOLUTE: u32 = 43_200;

pub fn key(number: u64) -> Digest {
    id::key("data.example.org", "form", "", &number.to_be_bytes())
}

/// A store and its clock.
pub struct Place {
    pub store: Shared,
    pub clock: Clock,
}

impl Place {
    pub fn open(folder: &Path, durability: Durability, clock: Clock) -> Place {
        let settings = Settings::new(folder.join("state"), durability, 86_400, Vec::new());
        Place::with(Settings { sessions_map: 1 << 30, revocations_map: 1 << 30, ..settings }, clock)
    }

    pub fn with(settings: Settings, clock: Clock) -> Place {
        let store = Shared::new(settings, clock.clone());
        store.attach().unwrap();
        Place { store, clock }
    }

    pub fn record(&self, principal: &str) -> Record {
        let seq = self.store.seq().unwrap();
        Record::new(NewSession::of(principal, IDLE, ABSOLUTE, seq), self.clock.now())
    }

    pub fn try_insert(&self, number: u64, principal: &str) -> Result<Inserted, NotStored> {
        let Ok(seq) = self.store.seq() else { return Err(NotStored::Unavailable) };
        let record = Record::new(NewSession::of(principal, IDLE, ABSOLUTE, seq), self.clock.now());
        self.store.insert(key(number), record, 1_000, self.clock.now())
    }

    pub fn insert(&self, number: u64, principal: &str) {
        self.try_insert(number, principal).unwrap();
    }

    pub fn why(&self, number: u64) -> Option<Reason> {
        self.store.check(&key(number), self.clock.now()).ok().err()
    }

    /// Whether a session lives; the store has to know.
    pub fn lives(&self, number: u64) -> bool {
        match self.store.check(&key(number), self.clock.now()) {
            Answer::Hit(_) => true,
            Answer::Miss(reason) => {
                assert_ne!(reason, Reason::StoreUnavailable);
                false
            }
            Answer::Unavailable => panic!("the store does not answer: {:?}", self.store.tend(self.clock.now())),
        }
    }

    pub fn sweep(&self) {
        while self.store.sweep(self.clock.now(), 1_000) == 1_000 {}
    }
}
