//! What this process knows of the revocation log, and how it knows that it knows all of it.
//!
//! Used by `store::shared` at the start of every check. [`Fresh::stamp`] is the id of the read transaction whose log was
//! applied last; the environment's newest id is read from its map, which costs no system call. Equal: nothing was
//! revoked since. The stamp is **the snapshot's id, never the one that was seen before reading**: between the two
//! another process may have committed what the snapshot does not hold yet.
//!
//! Session revocations are kept here for twice the life of a copy, floors for good. What is let go is told to the copies
//! by [`Set::purged`]: a copy that was not looked at since is read anew.

use super::log::{Head, Log, What};
use crate::crypto::digest::Digest;
use crate::crypto::keyring::KeyId;
use crate::session::Record;
use parking_lot::{Mutex, RwLock};
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Twice the life of a copy.
const KEPT: Duration = Duration::from_secs(2 * super::copies::LIFE_SECS as u64);

/// Let go in one hold of the lock.
const PURGED: usize = 256;

/// See the module's page.
pub(super) struct Fresh {
    stamp: AtomicUsize,
    /// The newest number applied; stored after what it stands for.
    applied: AtomicU64,
    set: RwLock<Set>,
    catching_up: Mutex<()>,
}

/// What was revoked.
#[derive(Default)]
pub(super) struct Set {
    sessions: HashMap<Digest, u64>,
    order: VecDeque<(Instant, u64, Digest)>,
    principals: HashMap<Digest, u64>,
    chosen: HashMap<[u8; 16], u64>,
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
pub(super) enum Word {
    /// Nothing against it up to this number.
    Good(u64),
    Revoked,
    /// It is too old to say: read the row.
    Unknown,
}

impl Fresh {
    pub(super) fn new() -> Fresh {
        Fresh {
            stamp: AtomicUsize::new(usize::MAX),
            applied: AtomicU64::new(0),
            set: RwLock::default(),
            catching_up: Mutex::new(()),
        }
    }

    /// Makes sure that every revocation acknowledged before this call is applied. `tell` hears of each session that is
    /// newly revoked. One compare in memory when nothing was revoked.
    #[inline]
    pub(super) fn catch_up(&self, log: &Log, tell: impl FnMut(&Digest)) -> heed::Result<()> {
        if log.env.info().last_txn_id == self.stamp.load(Ordering::Acquire) {
            return Ok(());
        }
        self.read_on(log, tell)
    }

    #[cold]
    fn read_on(&self, log: &Log, mut tell: impl FnMut(&Digest)) -> heed::Result<()> {
        let _one = self.catching_up.lock();
        let r = log.env.read_txn()?;
        if r.id() == self.stamp.load(Ordering::Acquire) {
            return Ok(());
        }
        let head = log.head(&r)?;
        let applied = self.applied.load(Ordering::Acquire);
        if head.trimmed > applied {
            self.reload(log, &r, head)?;
        } else {
            let mut new = Vec::new();
            log.since(&r, applied, |number, floor, what| new.push((number, floor, what)))?;
            let mut set = self.set.write();
            for (number, floor, what) in new {
                if let What::Session(key) = what {
                    tell(&key);
                }
                set.apply(number, floor, what);
            }
            set.settle(head);
        }
        self.applied.store(head.seq, Ordering::Release);
        self.stamp.store(r.id(), Ordering::Release);
        Ok(())
    }

    /// The log was shortened past what this process knows: all floors anew, and no copy is good as it is.
    fn reload(&self, log: &Log, r: &heed::RoTxn<'_>, head: Head) -> heed::Result<()> {
        let mut fresh = Set { purged: head.seq, ..Set::default() };
        log.floors(r, |floor, what| fresh.raise(floor, what))?;
        fresh.settle(head);
        *self.set.write() = fresh;
        Ok(())
    }

    /// The newest number applied.
    pub(super) fn applied(&self) -> u64 {
        self.applied.load(Ordering::Acquire)
    }

    /// What the log says about a record that was good up to number `seen`. Allocates nothing.
    pub(super) fn judge(&self, record: &Record, principal: &Digest, seen: u64) -> Word {
        let set = self.set.read();
        if seen < set.purged {
            return Word::Unknown;
        }
        let below = record.seq < set.highest
            && (record.seq < set.site || set.principals.get(principal).is_some_and(|floor| record.seq < *floor));
        if below || set.sessions.contains_key(record.key()) { Word::Revoked } else { Word::Good(set.applied) }
    }

    /// The floor of a principal and the site.
    pub(super) fn floor(&self, principal: impl FnOnce() -> Digest) -> u64 {
        let set = self.set.read();
        let own = if set.principals.is_empty() { None } else { set.principals.get(&principal()).copied() };
        set.site.max(own.unwrap_or(0))
    }

    /// Whether a token that carries `seq` is below any of its floors, or of a log that this one does not know.
    pub(super) fn token_revoked(
        &self,
        seq: u64,
        key: &KeyId,
        chosen: Option<[u8; 16]>,
        principal: impl FnOnce() -> Digest,
    ) -> bool {
        let set = self.set.read();
        if seq > set.applied || seq < set.site {
            return true;
        }
        if seq >= set.highest {
            return false;
        }
        let below = |floor: Option<u64>| floor.is_some_and(|floor| seq < floor);
        below(set.keys.iter().find(|(id, _)| id == key).map(|(_, floor)| *floor))
            || below(chosen.and_then(|chosen| set.chosen.get(&chosen).copied()))
            || (!set.principals.is_empty() && below(set.principals.get(&principal()).copied()))
    }

    /// Lets session revocations go that no copy can be older than, by the true time; copies that were not looked at
    /// since are read anew. Some at a time, so that no check waits for all of them.
    pub(super) fn purge(&self) {
        while self.purge_some() {}
    }

    fn purge_some(&self) -> bool {
        let mut set = self.set.write();
        for _ in 0..PURGED {
            match set.order.front().copied() {
                Some((since, number, key)) if since.elapsed() >= KEPT => {
                    set.order.pop_front();
                    set.purged = set.purged.max(number);
                    if set.sessions.get(&key) == Some(&number) {
                        set.sessions.remove(&key);
                    }
                }
                _ => return false,
            }
        }
        true
    }

    /// Session revocations and floors that are held.
    #[cfg(test)]
    pub(super) fn sizes(&self) -> (usize, usize) {
        let set = self.set.read();
        (set.sessions.len(), set.principals.len() + set.chosen.len() + set.keys.len())
    }
}

impl Set {
    fn apply(&mut self, number: u64, floor: u64, what: What) {
        if let What::Session(key) = what {
            self.sessions.insert(key, number);
            self.order.push_back((Instant::now(), number, key));
        } else {
            self.raise(floor, what);
        }
    }

    fn raise(&mut self, floor: u64, what: What) {
        let own = match what {
            What::Principal(digest) => self.principals.entry(digest).or_default(),
            What::Chosen(sid) => self.chosen.entry(sid).or_default(),
            What::Key(id) => match self.keys.iter().position(|(known, _)| *known == id) {
                Some(at) => match self.keys.get_mut(at) {
                    Some((_, own)) => own,
                    None => return,
                },
                None => {
                    self.keys.push((id, floor));
                    self.highest = self.highest.max(floor);
                    return;
                }
            },
            What::Site | What::Session(_) => return,
        };
        *own = floor.max(*own);
        self.highest = self.highest.max(floor);
    }

    /// Takes over what the head says.
    fn settle(&mut self, head: Head) {
        self.site = head.floor();
        self.highest = self.highest.max(self.site);
        self.applied = head.seq;
    }
}
