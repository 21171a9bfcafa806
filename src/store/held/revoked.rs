//! What a process knows to be revoked: the newest sessions one by one, everything else by floors.
//!
//! Used by `store::shared` and `store::redis`, which fill it from their log in the order of its numbers. Session
//! revocations are kept here for twice the life of a copy; what is let go is told to the copies by `purged`: a copy that was
//! not looked at since is read anew. Floors are kept for as long as anything lives that they kill. It must never forget a
//! floor before that.

use super::copies::{Copies, Copy, LIFE_SECS};
use super::floors::Floors;
use super::what::What;
use crate::crypto::digest::Digest;
use crate::crypto::keyring::KeyId;
use crate::session::{Dead, Record};
use parking_lot::RwLock;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Twice the life of a copy.
const KEPT: Duration = Duration::from_secs(2 * LIFE_SECS as u64);

/// Let go at a time.
const PURGED: usize = 256;

/// What was revoked, and the number up to which that is all. Any thread.
#[derive(Default)]
pub(in crate::store) struct Revoked {
    /// The newest number of which all before are applied; stored after what it stands for.
    applied: AtomicU64,
    set: RwLock<Set>,
}

/// What was revoked.
#[derive(Default)]
pub(in crate::store) struct Set {
    sessions: HashMap<Digest, u64>,
    order: VecDeque<(Instant, u64, Digest)>,
    principals: Floors<Digest>,
    chosen: Floors<[u8; 16]>,
    keys: Vec<(KeyId, u64)>,
    site: u64,
    /// The highest floor of all: what is not below it needs no look at them.
    highest: u64,
    applied: u64,
    /// Sessions revoked up to this number may have left the set.
    purged: u64,
}

/// What the log says about a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Word {
    /// Nothing against it up to this number.
    Good(u64),
    Revoked,
    /// It is too old to say: read the row.
    Unknown,
}

impl Revoked {
    /// The newest number applied.
    #[inline]
    pub(in crate::store) fn applied(&self) -> u64 {
        self.applied.load(Ordering::Acquire)
    }

    /// Takes over what the log says up to number `seq`, where `site` is the floor of the whole site: `change` has it applied.
    /// One caller at a time.
    pub(in crate::store) fn advance(&self, seq: u64, site: u64, change: impl FnOnce(&mut Set)) {
        let mut set = self.set.write();
        change(&mut set);
        set.settle(seq, site);
        drop(set);
        self.applied.store(seq, Ordering::Release);
    }

    /// What the log says about a copy, which is marked with it. One compare where nothing was revoked since it was asked
    /// last; allocates nothing.
    #[inline]
    pub(in crate::store) fn word(&self, copy: &Copy) -> Word {
        let seen = copy.seen();
        if seen == self.applied() {
            return Word::Good(seen);
        }
        let word = self.judge(&copy.record, &copy.principal, seen);
        match word {
            Word::Good(number) => copy.see(number),
            Word::Revoked => drop(copy.record.kill(Dead::Revoked)),
            Word::Unknown => {}
        }
        word
    }

    /// Whether a session that is in use is revoked by now; if so its record dies.
    pub(in crate::store) fn ends(&self, record: &Record, copies: &Copies, principal: impl FnOnce() -> Digest) -> bool {
        let word = match copies.get(record.key()) {
            Some(copy) => self.word(&copy),
            None => self.judge(record, &principal(), u64::MAX),
        };
        if word == Word::Revoked {
            record.kill(Dead::Revoked);
        }
        word == Word::Revoked
    }

    /// See [`Set::judge`].
    pub(in crate::store) fn judge(&self, record: &Record, principal: &Digest, seen: u64) -> Word {
        self.set.read().judge(record, principal, seen)
    }

    /// See [`Set::floor`].
    pub(in crate::store) fn floor(&self, principal: impl FnOnce() -> Digest) -> u64 {
        self.set.read().floor(principal)
    }

    /// See [`Set::token_revoked`].
    pub(in crate::store) fn token_revoked(
        &self,
        seq: u64,
        key: &KeyId,
        chosen: Option<[u8; 16]>,
        principal: impl FnOnce() -> Digest,
    ) -> bool {
        self.set.read().token_revoked(seq, key, chosen, principal)
    }

    /// Lets go of what nobody needs any more, some at a time, so that no check waits for all of it. Nothing that was made
    /// before microsecond `before` of Unix time can live.
    pub(in crate::store) fn purge(&self, before: u64) {
        while self.set.write().purge_some() {}
        self.set.write().forget_some(before);
    }

    /// Session revocations and floors that are held.
    #[cfg(all(test, feature = "shared"))]
    pub(in crate::store) fn sizes(&self) -> (usize, usize) {
        let set = self.set.read();
        (set.sessions.len(), set.principals.len() + set.chosen.len() + set.keys.len())
    }
}

impl Set {
    /// One that knows of nothing up to this number: copies from before are read anew.
    pub(in crate::store) fn anew(number: u64) -> Set {
        Set { purged: number, ..Set::default() }
    }

    /// Takes over an entry of the log.
    pub(in crate::store) fn apply(&mut self, number: u64, floor: u64, what: What) {
        if let What::Session(key) = what {
            self.sessions.insert(key, number);
            self.order.push_back((Instant::now(), number, key));
        } else {
            self.raise(floor, what);
        }
    }

    /// Takes over a floor.
    pub(in crate::store) fn raise(&mut self, floor: u64, what: What) {
        match what {
            What::Principal(digest) => self.principals.raise(digest, floor),
            What::Chosen(sid) => self.chosen.raise(sid, floor),
            What::Key(id) => match self.keys.iter_mut().find(|(known, _)| *known == id) {
                Some((_, own)) => *own = floor.max(*own),
                None => self.keys.push((id, floor)),
            },
            What::Site | What::Session(_) => return,
        }
        self.highest = self.highest.max(floor);
    }

    /// Takes over what the head of the log says: its newest number, and the floor of the whole site.
    fn settle(&mut self, seq: u64, site: u64) {
        self.site = site;
        self.highest = self.highest.max(site);
        self.applied = seq;
    }

    /// What the log says about a record that was good up to number `seen`. Allocates nothing.
    fn judge(&self, record: &Record, principal: &Digest, seen: u64) -> Word {
        if seen < self.purged {
            return Word::Unknown;
        }
        let below = record.seq < self.highest
            && (record.seq < self.site || self.principals.get(principal).is_some_and(|floor| record.seq < floor));
        if below || self.sessions.contains_key(record.key()) { Word::Revoked } else { Word::Good(self.applied) }
    }

    /// The floor of a principal and the site.
    fn floor(&self, principal: impl FnOnce() -> Digest) -> u64 {
        let own = if self.principals.is_empty() { None } else { self.principals.get(&principal()) };
        self.site.max(own.unwrap_or(0))
    }

    /// Whether a token that carries `seq` is below any of its floors, or of a log that this one does not know.
    fn token_revoked(
        &self,
        seq: u64,
        key: &KeyId,
        chosen: Option<[u8; 16]>,
        principal: impl FnOnce() -> Digest,
    ) -> bool {
        if seq > self.applied || seq < self.site {
            return true;
        }
        if seq >= self.highest {
            return false;
        }
        let below = |floor: Option<u64>| floor.is_some_and(|floor| seq < floor);
        below(self.keys.iter().find(|(id, _)| id == key).map(|(_, floor)| *floor))
            || below(chosen.and_then(|chosen| self.chosen.get(&chosen)))
            || (!self.principals.is_empty() && below(self.principals.get(&principal())))
    }

    /// Forgets some of the floors that are lower than `before`. `highest` stays: it only spares looks at them.
    fn forget_some(&mut self, before: u64) {
        self.principals.forget_some(before);
        self.chosen.forget_some(before);
        self.keys.retain(|(_, floor)| *floor >= before);
    }

    /// Lets some of the session revocations go that no copy can be older than, by the true time; copies that were not looked
    /// at since are read anew. Whether there may be more: checks come in between.
    fn purge_some(&mut self) -> bool {
        for _ in 0..PURGED {
            match self.order.front().copied() {
                Some((since, number, key)) if since.elapsed() >= KEPT => {
                    self.order.pop_front();
                    self.purged = self.purged.max(number);
                    if self.sessions.get(&key) == Some(&number) {
                        self.sessions.remove(&key);
                    }
                }
                _ => return false,
            }
        }
        true
    }
}
