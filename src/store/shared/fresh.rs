//! What this process knows of the revocation log, and how it knows that it knows all of it.
//!
//! Used by `store::shared` at the start of every check. [`Fresh::stamp`] is the id of the read transaction whose log was
//! applied last; the environment's newest id is read from its map, which costs no system call. Equal: nothing was
//! revoked since. The stamp is **the snapshot's id, never the one that was seen before reading**: between the two
//! another process may have committed what the snapshot does not hold yet.
//!
//! What was revoked is kept in a [`Set`], which tells copies of what it has let go.

use super::log::{Head, Log, What};
use crate::crypto::digest::Digest;
use crate::crypto::keyring::KeyId;
use crate::session::Record;
use crate::store::held::revoked::Set;
use parking_lot::{Mutex, RwLock};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

pub(super) use crate::store::held::revoked::Word;

/// See the module's page.
pub(super) struct Fresh {
    stamp: AtomicUsize,
    /// The newest number applied; stored after what it stands for.
    applied: AtomicU64,
    set: RwLock<Set>,
    catching_up: Mutex<()>,
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
            set.settle(head.seq, head.floor());
        }
        self.applied.store(head.seq, Ordering::Release);
        self.stamp.store(r.id(), Ordering::Release);
        Ok(())
    }

    /// The log was shortened past what this process knows: all floors anew, and no copy is good as it is.
    fn reload(&self, log: &Log, r: &heed::RoTxn<'_>, head: Head) -> heed::Result<()> {
        let mut fresh = Set::anew(head.seq);
        log.floors(r, |floor, what| fresh.raise(floor, what))?;
        fresh.settle(head.seq, head.floor());
        *self.set.write() = fresh;
        Ok(())
    }

    /// The newest number applied.
    pub(super) fn applied(&self) -> u64 {
        self.applied.load(Ordering::Acquire)
    }

    /// See [`Set::judge`].
    pub(super) fn judge(&self, record: &Record, principal: &Digest, seen: u64) -> Word {
        self.set.read().judge(record, principal, seen)
    }

    /// See [`Set::floor`].
    pub(super) fn floor(&self, principal: impl FnOnce() -> Digest) -> u64 {
        self.set.read().floor(principal)
    }

    /// See [`Set::token_revoked`].
    pub(super) fn token_revoked(
        &self,
        seq: u64,
        key: &KeyId,
        chosen: Option<[u8; 16]>,
        principal: impl FnOnce() -> Digest,
    ) -> bool {
        self.set.read().token_revoked(seq, key, chosen, principal)
    }

    /// See [`Set::purge_some`]. Some at a time, so that no check waits for all of them.
    pub(super) fn purge(&self) {
        while self.set.write().purge_some() {}
    }

    /// Session revocations and floors that are held.
    #[cfg(test)]
    pub(super) fn sizes(&self) -> (usize, usize) {
        self.set.read().sizes()
    }
}
