//! Raising floors, and letting them go when nothing alive can be below them.
//!
//! The part of `store::memory` that writes the numbered log. Its lock is held from the choice of a number until the
//! floor stands and the number is published, so that numbers and floors come in one order for everybody.

use super::log::Floor;
use super::{Memory, micros};
use crate::base::Now;
use crate::crypto::keyring::KeyId;
use crate::session::id::made_key;
use crate::session::{Dead, Reference};
use crate::store::Revocation;
use std::sync::Arc;
use std::sync::atomic::Ordering;

impl Memory {
    /// The next number of the log. Called under the log's lock, published by the caller.
    pub(super) fn next_seq(&self, now: Now) -> u64 {
        self.seq.load(Ordering::SeqCst).saturating_add(1).max(micros(now))
    }

    /// A number for a revocation that leaves no floor.
    fn number(&self, now: Now) -> u64 {
        let _log = self.log.lock();
        let seq = self.next_seq(now);
        self.seq.store(seq, Ordering::SeqCst);
        seq
    }

    /// A number for the revocation of a session; where tokens were made from it, as their floor.
    pub(super) fn number_for(&self, origin: Option<Reference>, now: Now) -> u64 {
        match origin {
            Some(origin) => self.raise(Revocation::Chosen(made_key(&origin)), now),
            None => self.number(now),
        }
    }

    /// Sets a floor under the log's lock. The number is published last: who reads it finds the floor in place.
    pub(super) fn raise(&self, what: Revocation<'_>, now: Now) -> u64 {
        let mut log = self.log.lock();
        let seq = self.next_seq(now);
        let new = match what {
            Revocation::Principal(name) => {
                self.revoke_principal(name, seq, now).then(|| Floor::Principal(Arc::from(name)))
            }
            Revocation::Key(id) => self.raise_key(id, seq).then_some(Floor::Key(id)),
            Revocation::Chosen(chosen) => self.rows.raise(&chosen, seq).then_some(Floor::Chosen(chosen)),
            Revocation::All => {
                self.site.0.store(seq, Ordering::SeqCst);
                None
            }
            // Where they lie; the floor of their tokens is a chosen one.
            Revocation::Session(_) | Revocation::Origin(_) => None,
        };
        if let Some(floor) = new {
            log.push(floor, seq, now);
        }
        self.newest_floor.store(seq, Ordering::SeqCst);
        self.seq.store(seq, Ordering::SeqCst);
        seq
    }

    /// Takes over floors of principals that were set before this store was made. Called before anything asks it; what
    /// nothing alive can be below of is left out.
    pub(super) fn recall(&self, floors: &[(String, u64)], now: Now) {
        let mut log = self.log.lock();
        for (name, seq) in floors {
            if log.outlives(*seq, now) {
                continue;
            }
            let hash = self.people.hash(name);
            if self.people.shard(hash).write().raise(hash, name, *seq) {
                log.push(Floor::Principal(Arc::from(name.as_str())), *seq, now);
            }
            self.newest_floor.fetch_max(*seq, Ordering::SeqCst);
            self.seq.fetch_max(*seq, Ordering::SeqCst);
        }
    }

    /// Floor and sessions under one hold of the principal's lock: an insertion comes before and is buried, or comes
    /// after and is refused. Whether the floor is new.
    fn revoke_principal(&self, name: &str, seq: u64, now: Now) -> bool {
        let hash = self.people.hash(name);
        let mut person = self.people.shard(hash).write();
        let new = person.raise(hash, name, seq);
        let theirs: Vec<_> = person.of(hash, name).cloned().collect();
        for record in theirs {
            self.bury(&mut person, hash, &record, Dead::Revoked, now);
        }
        new
    }

    fn raise_key(&self, id: KeyId, seq: u64) -> bool {
        let mut keys = self.keys.write();
        if let Some((_, floor)) = keys.iter_mut().find(|(key, _)| *key == id) {
            *floor = seq;
            return false;
        }
        keys.push((id, seq));
        true
    }

    pub(super) fn key_floor(&self, id: &KeyId) -> u64 {
        self.keys.read().iter().find(|(key, _)| key == id).map_or(0, |(_, floor)| *floor)
    }

    /// Lets one floor go that nothing alive can be below of. One that was raised since it entered the log enters it
    /// again, so that each floor stands there once.
    pub(super) fn forget_floor(&self, now: Now) -> bool {
        let mut log = self.log.lock();
        let Some((floor, seq)) = log.outlived(now) else {
            return false;
        };
        let raised = match &floor {
            Floor::Principal(name) => {
                let hash = self.people.hash(name);
                self.people.shard(hash).write().forget(hash, name, seq)
            }
            Floor::Key(id) => self.forget_key(id, seq),
            Floor::Chosen(chosen) => self.rows.forget(chosen, seq),
        };
        if let Some(newer) = raised {
            log.push(floor, newer, now);
        }
        true
    }

    fn forget_key(&self, id: &KeyId, seq: u64) -> Option<u64> {
        let mut keys = self.keys.write();
        let place = keys.iter().position(|(key, _)| key == id)?;
        let newer = keys.get(place).map(|(_, floor)| *floor).filter(|floor| *floor != seq);
        if newer.is_none() {
            keys.swap_remove(place);
        }
        newer
    }
}
