//! The calls that are a command or a look at what is known: tokens, floors, counts, documents.
//!
//! The part of `store::redis` that has no row to read.

use super::core::{Core, Known};
use super::fault::Fault;
use super::resp::Reply;
use super::told;
use crate::base::Now;
use crate::crypto::digest::Digest;
use crate::crypto::keyring::KeyId;
use crate::session::Reference;
use crate::store::Unavailable;

/// Milliseconds that replicas may take to confirm a document.
const CONFIRM_MS: u32 = 100;

impl Core {
    /// Whether a token is revoked, by all that was acknowledged before this began.
    pub(super) fn token_revoked(&self, principal: &str, key: &KeyId, chosen: Option<&Digest>, seq: u64) -> Known<bool> {
        self.catch_up(self.clock.now())?;
        if self.is_ahead(seq) {
            // Made elsewhere a moment ago, for all that is known here.
            self.poll_now(false)?;
        }
        Ok(self.token_known(principal, key, chosen, seq))
    }

    /// What is asked of what is known, where waiting is not allowed.
    pub(super) fn at_once<T>(&self, now: Now, answer: impl FnOnce() -> T) -> Option<Known<T>> {
        if self.is_trusted(now) || self.is_stale(now) {
            return Some(Ok(answer()));
        }
        self.pool.rests().then_some(Err(Unavailable))
    }

    pub(super) fn token_at_once(
        &self,
        principal: &str,
        key: &KeyId,
        chosen: Option<&Digest>,
        seq: u64,
        now: Now,
    ) -> Option<Known<bool>> {
        if self.is_ahead(seq) {
            // Made elsewhere a moment ago, for all that is known here: only the server can say, and while it is left alone nobody.
            return self.pool.rests().then_some(Err(Unavailable));
        }
        self.at_once(now, || self.token_known(principal, key, chosen, seq))
    }

    pub(super) fn token_known(&self, principal: &str, key: &KeyId, chosen: Option<&Digest>, seq: u64) -> bool {
        let chosen = chosen.map(|chosen| Reference::of(chosen).0);
        self.horizon.revoked.token_revoked(seq, key, chosen, || self.keys.principal(principal))
    }

    /// The floor of a principal and the site.
    pub(super) fn floor(&self, principal: &str) -> u64 {
        self.horizon.revoked.floor(|| self.keys.principal(principal))
    }

    /// Whether a token could only be judged after asking the server.
    pub(super) fn is_ahead(&self, seq: u64) -> bool {
        seq > self.horizon.revoked.applied()
    }

    pub(super) fn count(&self) -> Known<usize> {
        let deadline = self.pool.deadline();
        let [.., live, _] = &self.names.log;
        let done = self.pool.call(deadline, |connection| told::number(connection.one(&[b"ZCARD", live], deadline)?));
        let count = done.map_err(|fault| self.failed(&fault))?;
        Ok(usize::try_from(count).unwrap_or(0))
    }

    /// Whether there is a log.
    pub(super) fn is_begun(&self) -> Known<bool> {
        let deadline = self.pool.deadline();
        let [log, ..] = &self.names.log;
        let done = self.pool.call(deadline, |connection| told::number(connection.one(&[b"EXISTS", log], deadline)?));
        Ok(done.map_err(|fault| self.failed(&fault))? == 1)
    }

    pub(super) fn document(&self, key: &[u8]) -> Known<Option<Vec<u8>>> {
        let deadline = self.pool.deadline();
        let keys = [key.to_vec()];
        let done = self.pool.call(deadline, |connection| {
            match self.scripts.get.run(connection, &keys, &[], None, deadline)? {
                Reply::Bytes(text) => Ok(Some(text)),
                Reply::Nothing => Ok(None),
                _ => Err(Fault::Nonsense),
            }
        });
        done.map_err(|fault| self.failed(&fault))
    }

    pub(super) fn replace_document(&self, key: Vec<u8>, old: Option<&[u8]>, new: &[u8]) -> Known<bool> {
        let there = if old.is_some() { b"1".to_vec() } else { Vec::new() };
        let args = [there, old.unwrap_or_default().to_vec(), new.to_vec()];
        let copies = (self.replicas > 0).then_some((self.replicas, CONFIRM_MS));
        let deadline = self.pool.deadline();
        let done = self.pool.call(deadline, |connection| {
            let keys = std::slice::from_ref(&key);
            told::number(self.scripts.swap.run(connection, keys, &args, copies, deadline)?)
        });
        Ok(done.map_err(|fault| self.failed(&fault))? == 1)
    }
}
