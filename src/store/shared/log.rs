//! The revocation environment: the numbered log, the floors, and which sessions were revoked. Small, always synced.
//!
//! | database | key | value |
//! |---|---|---|
//! | `meta` | `head` | [`Head`] |
//! | `log` | number, 8 bytes | floor, 8 bytes, and what |
//! | `idx` | what | floor, 8 bytes, and the Unix second until which it is kept |
//! | `ends` | that second, 8 bytes, and what | nothing |
//! | `documents` | a name | what was put there: not the log's, but as synced |
//!
//! *What* is a letter and a digest, a key's id, or nothing for the whole site. Used by `store::shared` alone. An append
//! that has returned is **the commit point** of a revocation: it is on disk, and every check that starts later reads it.

use super::room;
use super::tables::{self, Table};
use crate::base::{Now, Result};
use crate::crypto::digest::Digest;
use crate::store::micros;
use heed::{Env, RoTxn, RwTxn, WithoutTls};
use std::ops::Bound;

pub(super) use crate::store::held::what::{Entry, What, principal};

/// The head of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    /// The newest number.
    pub seq: u64,
    /// Entries up to this one may be gone.
    pub trimmed: u64,
    /// The site's floor.
    pub site: u64,
    /// When this log began: what was issued before may have been revoked in one that was lost. 0 once the operator has
    /// said that it was not.
    pub origin: u64,
}

const HEAD: &[u8] = b"head";

impl Head {
    fn bytes(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for (to, number) in bytes.chunks_exact_mut(8).zip([self.seq, self.trimmed, self.site, self.origin]) {
            to.copy_from_slice(&number.to_be_bytes());
        }
        bytes
    }

    fn read(bytes: &[u8]) -> Option<Head> {
        let number = |at: usize| bytes.get(at..)?.first_chunk().map(|bytes| u64::from_be_bytes(*bytes));
        let head = Head { seq: number(0)?, trimmed: number(8)?, site: number(16)?, origin: number(24)? };
        (bytes.len() == 32).then_some(head)
    }

    /// What is below it is dead, whatever it is.
    pub(super) fn floor(&self) -> u64 {
        self.site.max(self.origin)
    }
}

/// The environment.
pub(super) struct Log {
    pub env: Env<WithoutTls>,
    pub file: room::File,
    meta: Table,
    log: Table,
    idx: Table,
    ends: Table,
    documents: Table,
}

/// What the end of one session may take in the log, with the floor for its tokens: three entries for each, some of them
/// on pages that are half full.
const END: u64 = 512;

/// The map is as full as it may get.
#[derive(Debug)]
pub(super) struct Full;

impl std::error::Error for Full {}

impl std::fmt::Display for Full {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the log of revocations is full: nobody can be logged out until it has forgotten older ones")
    }
}

fn full() -> heed::Error {
    heed::Error::Io(std::io::Error::other(Full))
}

fn damaged() -> heed::Error {
    heed::Error::Mdb(heed::MdbError::Corrupted)
}

/// A number and what stands behind it.
fn split(bytes: &[u8]) -> heed::Result<(u64, &[u8])> {
    let (number, rest) = bytes.split_first_chunk().ok_or_else(damaged)?;
    Ok((u64::from_be_bytes(*number), rest))
}

impl Log {
    /// Opens the databases. `high`: the highest number that any session carries. A log that is new, or older than the
    /// sessions, has lost revocations: everything issued before now is refused from here on.
    pub(super) fn open(env: Env<WithoutTls>, high: u64, now: Now) -> Result<Log> {
        let [meta, log, idx, ends, documents] = tables::open(&env, ["meta", "log", "idx", "ends", "documents"])?;
        let file = room::File::of_revocations(&env).map_err(|e| super::place::explained(&e, env.path()))?;
        let log = Log { env, file, meta, log, idx, ends, documents };
        let settled = log.env.write_txn().and_then(|mut w| {
            let head = log.meta.get(&w, HEAD)?.map(|bytes| Head::read(bytes).ok_or_else(damaged)).transpose()?;
            let lost = head.is_none_or(|head| head.seq < high);
            if lost {
                let before = head.unwrap_or_default();
                let seq = before.seq.max(high).saturating_add(1).max(micros(now));
                log.meta.put(&mut w, HEAD, &Head { seq, trimmed: seq, origin: seq, ..before }.bytes())?;
                return w.commit();
            }
            w.abort();
            Ok(())
        });
        settled.map_err(|e| super::place::explained(&e, log.env.path()))?;
        Ok(log)
    }

    pub(super) fn head(&self, r: &RoTxn<'_>) -> heed::Result<Head> {
        self.meta.get(r, HEAD)?.and_then(Head::read).ok_or_else(damaged)
    }

    fn tables(&self) -> [&Table; 5] {
        [&self.meta, &self.log, &self.idx, &self.ends, &self.documents]
    }

    /// Whether what is new has to wait, so that all of `live` sessions can be ended still.
    pub(super) fn is_full(&self, live: u64) -> heed::Result<bool> {
        self.file.fills(&*self.env.read_txn()?, &self.tables(), live.saturating_mul(END), room::NEW)
    }

    /// Bytes of the map that are in use.
    #[cfg(test)]
    pub(super) fn used(&self) -> u64 {
        self.file.used(&self.env.read_txn().unwrap(), &self.tables()).unwrap()
    }

    /// Keeps some of the disk free, so that a revocation has room when log-ins have none.
    pub(super) fn keep_room(&self) -> heed::Result<()> {
        let tables = self.tables();
        if self.file.lacks(&*self.env.read_txn()?, &tables)?.is_none() {
            return Ok(());
        }
        let w = self.env.write_txn()?;
        match self.file.lacks(&w, &tables)? {
            Some(bytes) => self.file.grow(bytes),
            None => Ok(()),
        }
    }

    /// Writes the entries down, each under a number of its own, and returns the last. The only way in.
    pub(super) fn append(&self, entries: &[Entry], now: Now) -> heed::Result<u64> {
        self.write(entries, now).map_err(|error| match error {
            heed::Error::Mdb(heed::MdbError::MapFull) => full(),
            other => other,
        })
    }

    fn write(&self, entries: &[Entry], now: Now) -> heed::Result<u64> {
        let mut w = self.env.write_txn()?;
        if !entries.is_empty() && self.file.fills(&w, &self.tables(), 0, room::ENDS)? {
            return Err(full());
        }
        let mut head = self.head(&w)?;
        for entry in entries {
            head.seq = head.seq.saturating_add(1).max(micros(now));
            let (what, floor) = (entry.what.bytes(), entry.floor.unwrap_or(head.seq));
            let value = [&floor.to_be_bytes()[..], &what].concat();
            self.log.put(&mut w, &head.seq.to_be_bytes(), &value)?;
            match (entry.what, entry.until) {
                (What::Site, _) => head.site = head.site.max(floor),
                (_, Some(until)) => self.keep(&mut w, &what, floor, until)?,
                (_, None) => {}
            }
        }
        if entries.is_empty() {
            head.seq = head.seq.saturating_add(1).max(micros(now));
        }
        self.meta.put(&mut w, HEAD, &head.bytes())?;
        w.commit()?;
        Ok(head.seq)
    }

    fn keep(&self, w: &mut RwTxn<'_>, what: &[u8], floor: u64, until: i64) -> heed::Result<()> {
        let known = self.idx.get(w, what)?.map(read_kept).transpose()?;
        let (before, kept) = known.unwrap_or((0, i64::MIN));
        let value = [floor.max(before).to_be_bytes(), until.max(kept).to_be_bytes()].concat();
        self.idx.put(w, what, &value)?;
        if known.is_none() {
            self.ends.put(w, &end_key(until, what), &[])?;
        }
        Ok(())
    }

    /// Forgets that an older log was lost: what was issued before this one began is good again, but for what this one
    /// revoked.
    pub(super) fn accept_older(&self, now: Now) -> heed::Result<()> {
        let mut w = self.env.write_txn()?;
        let head = self.head(&w)?;
        let seq = head.seq.saturating_add(1).max(micros(now));
        let value = [&head.site.to_be_bytes()[..], &What::Site.bytes()].concat();
        self.log.put(&mut w, &seq.to_be_bytes(), &value)?;
        self.meta.put(&mut w, HEAD, &Head { seq, origin: 0, ..head }.bytes())?;
        w.commit()
    }

    /// Whether a session is in the index of revoked ones.
    pub(super) fn has_session(&self, r: &RoTxn<'_>, key: &Digest) -> heed::Result<bool> {
        let mut what = [b'S'; 33];
        let [_, rest @ ..] = &mut what;
        rest.copy_from_slice(key);
        Ok(self.idx.get(r, &what)?.is_some())
    }

    /// The floor of what is not a session.
    pub(super) fn floor_of(&self, r: &RoTxn<'_>, what: What) -> heed::Result<u64> {
        Ok(self.idx.get(r, &what.bytes())?.map(read_kept).transpose()?.map_or(0, |(floor, _)| floor))
    }

    /// Tells each entry after `from`, in order: its number, its floor, what it names.
    pub(super) fn since(&self, r: &RoTxn<'_>, from: u64, mut tell: impl FnMut(u64, u64, What)) -> heed::Result<()> {
        let first = from.saturating_add(1).to_be_bytes();
        for row in self.log.range(r, &(Bound::Included(&first[..]), Bound::Unbounded))? {
            let (number, value) = row?;
            let (floor, what) = split(value)?;
            let what = What::read(what).ok_or_else(damaged)?;
            tell(split(number)?.0, floor, what);
        }
        Ok(())
    }

    /// Tells every floor that is kept.
    pub(super) fn floors(&self, r: &RoTxn<'_>, mut tell: impl FnMut(u64, What)) -> heed::Result<()> {
        for letter in [b"P", b"K", b"C"] {
            for row in self.idx.prefix_iter(r, letter)? {
                let (what, value) = row?;
                tell(read_kept(value)?.0, What::read(what).ok_or_else(damaged)?);
            }
        }
        Ok(())
    }

    /// See [`Store::document`](crate::store::Store::document).
    pub(super) fn document(&self, name: &str) -> heed::Result<Option<Vec<u8>>> {
        let r = self.env.read_txn()?;
        Ok(self.documents.get(&r, name.as_bytes())?.map(<[u8]>::to_vec))
    }

    /// See [`Store::replace_document`](crate::store::Store::replace_document).
    pub(super) fn replace_document(&self, name: &str, old: Option<&[u8]>, new: &[u8]) -> heed::Result<bool> {
        let mut w = self.env.write_txn()?;
        if self.documents.get(&w, name.as_bytes())? != old {
            return Ok(false);
        }
        self.documents.put(&mut w, name.as_bytes(), new)?;
        w.commit()?;
        Ok(true)
    }

    /// Lets go of what nothing alive can need any more: looks at no more than `budget` entries, returns at how many.
    /// `needed` says of what has stood its time that it is to be looked at again, and when.
    pub(super) fn forget(
        &self,
        now: Now,
        budget: usize,
        needed: impl Fn(What) -> heed::Result<Option<i64>>,
    ) -> heed::Result<usize> {
        let due = |table: &Table, r: &RoTxn<'_>| -> heed::Result<Option<(i64, Vec<u8>)>> {
            let Some((key, _)) = table.first(r)? else { return Ok(None) };
            let (end, what) = split(key)?;
            let end = i64::try_from(end).unwrap_or(i64::MAX);
            Ok((end <= now.unix()).then(|| (end, what.to_vec())))
        };
        let r = self.env.read_txn()?;
        if budget == 0 || due(&self.ends, &r)?.is_none() {
            return Ok(0);
        }
        drop(r);
        let mut w = self.env.write_txn()?;
        let mut looked = 0;
        while looked < budget {
            let Some((end, what)) = due(&self.ends, &w)? else { break };
            looked += 1;
            self.ends.delete(&mut w, &end_key(end, &what))?;
            let again = match self.idx.get(&w, &what)?.map(read_kept).transpose()? {
                None => continue,
                // Raised since: it is looked at again when the newer floor can go.
                Some((_, until)) if until > now.unix() => Some(until),
                Some(_) => What::read(&what).map_or(Ok(None), &needed)?,
            };
            match again {
                Some(again) => self.ends.put(&mut w, &end_key(again, &what), &[])?,
                None => drop(self.idx.delete(&mut w, &what)?),
            }
        }
        w.commit()?;
        Ok(looked)
    }

    /// Shortens the log to what came after `before`, when it is longer than `length`: by no more than `budget` entries.
    /// Whether there are more.
    pub(super) fn trim(&self, before: u64, length: u64, budget: usize) -> heed::Result<bool> {
        let old = |r: &RoTxn<'_>| -> heed::Result<Option<u64>> {
            let mut last = None;
            for row in self.log.iter(r)?.take(budget) {
                let (number, _) = split(row?.0)?;
                last = (number <= before).then_some(number).or(last);
            }
            Ok(last)
        };
        {
            let r = self.env.read_txn()?;
            let oldest = self.log.first(&r)?.map(|(number, _)| split(number)).transpose()?;
            if self.log.len(&r)? <= length || oldest.is_none_or(|(number, _)| number >= before) {
                return Ok(false);
            }
        }
        let mut w = self.env.write_txn()?;
        let mut head = self.head(&w)?;
        let Some(upto) = old(&w)? else { return Ok(false) };
        let end = upto.to_be_bytes();
        let gone = self.log.delete_range(&mut w, &(Bound::Unbounded, Bound::Included(&end[..])))?;
        head.trimmed = head.trimmed.max(upto);
        self.meta.put(&mut w, HEAD, &head.bytes())?;
        w.commit()?;
        Ok(gone == budget)
    }
}

fn end_key(until: i64, what: &[u8]) -> Vec<u8> {
    let until = u64::try_from(until).unwrap_or(0);
    [&until.to_be_bytes()[..], what].concat()
}

fn read_kept(bytes: &[u8]) -> heed::Result<(u64, i64)> {
    let (floor, rest) = split(bytes)?;
    let (until, _) = split(rest)?;
    Ok((floor, i64::from_be_bytes(until.to_be_bytes())))
}
