//! What this process knows of the revocation log, and how it knows that it knows all of it.
//!
//! Used by `store::shared` at the start of every check. [`Fresh::stamp`] is the id of the read transaction whose log was
//! applied last; the environment's newest id is read from its map, which costs no system call. Equal: nothing was
//! revoked since. The stamp is **the snapshot's id, never the one that was seen before reading**: between the two
//! another process may have committed what the snapshot does not hold yet.
//!
//! What was revoked is kept in a [`Revoked`], which tells copies of what it has let go.

use super::log::{Head, Log, What};
use super::revoked::{Revoked, Set};
use crate::crypto::digest::Digest;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// See the module's page.
pub(super) struct Fresh {
    stamp: AtomicUsize,
    pub revoked: Revoked,
    catching_up: Mutex<()>,
}

impl Fresh {
    pub(super) fn new() -> Fresh {
        Fresh { stamp: AtomicUsize::new(usize::MAX), revoked: Revoked::default(), catching_up: Mutex::new(()) }
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
        let applied = self.revoked.applied();
        if head.trimmed > applied {
            self.reload(log, &r, head)?;
        } else {
            let mut new = Vec::new();
            log.since(&r, applied, |number, floor, what| new.push((number, floor, what)))?;
            self.revoked.advance(head.seq, head.floor(), |set| {
                for (number, floor, what) in new {
                    if let What::Session(key) = what {
                        tell(&key);
                    }
                    set.apply(number, floor, what);
                }
            });
        }
        self.stamp.store(r.id(), Ordering::Release);
        Ok(())
    }

    /// The log was shortened past what this process knows: all floors anew, and no copy is good as it is.
    fn reload(&self, log: &Log, r: &heed::RoTxn<'_>, head: Head) -> heed::Result<()> {
        let mut fresh = Set::anew(head.seq);
        log.floors(r, |floor, what| fresh.raise(floor, what))?;
        self.revoked.advance(head.seq, head.floor(), |set| *set = fresh);
        Ok(())
    }
}
