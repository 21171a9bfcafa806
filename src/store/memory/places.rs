//! Putting sessions in and out, each under its principal's lock.
//!
//! The part of `store::memory` that fills the tables: admission, the cap, replacement and renewal, burial. A session is
//! dead by its own mark first; its entries follow.

use super::people::{self, Hash};
use super::rows::{self, Met};
use super::{Memory, until_look};
use crate::base::{Now, Reason};
use crate::crypto::digest::Digest;
use crate::session::{Dead, Record, Reference};
use crate::store::{Inserted, MAX_CAP, NotStored};
use std::sync::Arc;
use std::sync::atomic::Ordering;

impl Memory {
    /// Whether a login that read `record.seq` may still be stored under `key`. Under the principal's lock.
    pub(super) fn admit(
        &self,
        person: &people::Shard,
        hash: Hash,
        key: &Digest,
        record: &Record,
    ) -> Result<(), NotStored> {
        let floor = person.floor(hash, &record.principal).max(self.site.0.load(Ordering::SeqCst));
        if record.seq < floor || record.seq > self.seq.load(Ordering::SeqCst) {
            return Err(NotStored::Refused(Reason::SessionRevoked));
        }
        match self.rows.look(key, |_| ()) {
            Met::Nothing => Ok(()),
            Met::Tomb(_) => Err(NotStored::Refused(Reason::SessionRevoked)),
            Met::Live(()) => Err(NotStored::Refused(Reason::NoRandom)),
        }
    }

    /// Stores an admitted session. Under the principal's lock.
    pub(super) fn place(
        &self,
        person: &mut people::Shard,
        hash: Hash,
        key: Digest,
        mut record: Record,
        cap: usize,
        now: Now,
    ) -> Inserted {
        let evicted = self.make_room(person, hash, &record.principal, cap.clamp(1, MAX_CAP), now);
        let shared = person.of(hash, &record.principal).next().map(|other| Arc::clone(&other.principal));
        record.principal = shared.unwrap_or(record.principal);
        record.key = key;
        record.serial = self.serial.fetch_add(1, Ordering::Relaxed);
        let record = Arc::new(record);
        person.add(hash, Arc::clone(&record));
        self.rows.add(Arc::clone(&record));
        self.count.fetch_add(1, Ordering::Relaxed);
        self.wheel.lock().add(rows::prefix(&key), now.boot().saturating_add(until_look(&record, now)));
        Inserted { record, evicted }
    }

    /// Stores a session in the place of `old`; with `renew` only while that is alive, and as the one that goes on from it.
    pub(super) fn swap(
        &self,
        old: &Digest,
        renew: bool,
        key: Digest,
        record: Record,
        cap: usize,
        now: Now,
    ) -> Result<Inserted, NotStored> {
        self.used.store(true, Ordering::SeqCst);
        let hash = self.people.hash(&record.principal);
        let gone = self.find(old).map(|old| (self.people.hash(&old.principal), old));
        let elsewhere = gone.as_ref().map(|(hash, _)| *hash).filter(|other| other.shard() != hash.shard());
        let lock = |wanted: bool| elsewhere.filter(|_| wanted).map(|other| self.people.shard(other).write());
        let before = lock(elsewhere.is_some_and(|other| other.shard() < hash.shard()));
        let mut person = self.people.shard(hash).write();
        let mut theirs = before.or_else(|| lock(elsewhere.is_some_and(|other| other.shard() > hash.shard())));

        if renew && gone.as_ref().is_none_or(|(_, old)| self.judge(old, now).is_err()) {
            return Err(NotStored::Refused(Reason::SessionRevoked));
        }
        self.admit(&person, hash, &key, &record)?;
        // The old one is dead first and lies in its row until the new one stands: who revokes the old meanwhile waits at
        // its principal's lock, and then finds the way from its tombstone to the new one.
        let old = gone.map(|(other, old)| {
            let dead = old.kill(Dead::Revoked);
            theirs.as_deref_mut().unwrap_or(&mut *person).remove(other, &old);
            (dead, old)
        });
        let inserted = self.place(&mut person, hash, key, record, cap, now);
        let mut ended = None;
        if let Some((dead, old)) = old {
            self.entomb(&old, dead, if renew { rows::prefix(&key) } else { rows::NOBODY }, now);
            // What goes on keeps its tokens; what is replaced takes them along.
            ended = Some(old).filter(|old| !renew && old.mints).map(|old| old.origin());
        }
        drop((person, theirs));
        self.number_for(ended, now);
        Ok(inserted)
    }

    /// Buries what is over, then the oldest, kept ones before others, until one more fits. Returns the latter.
    fn make_room(&self, person: &mut people::Shard, hash: Hash, name: &str, cap: usize, now: Now) -> Vec<Reference> {
        let mut mine: Vec<_> = person.of(hash, name).cloned().collect();
        mine.retain(|record| match self.judge(record, now) {
            Ok(()) => true,
            Err(dead) => {
                self.bury(person, hash, record, dead, now);
                false
            }
        });
        let too_many = (mine.len() + 1).saturating_sub(cap);
        if too_many == 0 {
            return Vec::new();
        }
        let serial = self.serial.load(Ordering::Relaxed);
        mine.sort_unstable_by_key(|record| (!record.kept, std::cmp::Reverse(serial.wrapping_sub(record.serial))));
        mine.truncate(too_many);
        for record in &mine {
            self.bury(person, hash, record, Dead::Revoked, now);
        }
        mine.iter().map(|record| Reference::of(&record.key)).collect()
    }

    /// Removes a session for good: first the mark, which alone decides, then its entries. Under its principal's lock.
    pub(super) fn bury(&self, person: &mut people::Shard, hash: Hash, record: &Arc<Record>, dead: Dead, now: Now) {
        let dead = record.kill(dead);
        person.remove(hash, record);
        self.entomb(record, dead, rows::NOBODY, now);
    }

    fn entomb(&self, record: &Arc<Record>, dead: Dead, next: u64, now: Now) {
        if self.rows.bury(record, dead, next, now) {
            self.count.fetch_sub(1, Ordering::Relaxed);
        }
    }

    pub(super) fn bury_alone(&self, record: &Arc<Record>, dead: Dead, now: Now) {
        let hash = self.people.hash(&record.principal);
        self.bury(&mut self.people.shard(hash).write(), hash, record, dead, now);
    }
}
