//! What maintenance does: writes noted uses down, sweeps, shortens the log, clears what dead processes left.
//!
//! The part of `store::shared` that nobody waits for. Steps are small, so that a writer never waits long for one; checks
//! never wait for any.

use super::Durability;
use super::codec::Row;
use super::core::Core;
use super::log::{self, What};
use super::rows::Rows;
use crate::base::{Error, Now};
use crate::crypto::digest::Digest;
use crate::expiry::Life;
use crate::session::{Dead, Record};
use crate::store::{Listed, TICK_US, Unavailable, listed, micros, until_look};
use heed::{MdbError, RoTxn, RwTxn};
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Rows looked at in one hold of the write lock, and rows touched. What one commit writes anew is free only two commits
/// later: twice the pages of a step have to go into what `room` keeps. A row that is looked at may change four pages.
const STEP: usize = 64;

/// The same where each commit waits for the disk. Where there is no room for so many, fewer are looked at.
const SYNCED_STEP: usize = 512;

/// Of a sweep the log has one part in so many.
const SHARE: usize = 8;

/// Seconds after which something is looked at again that should have gone.
const AGAIN_SECS: i64 = 3_600;

const TOUCHES: usize = 256;

/// Entries that leave the log in one commit.
const TRIMMED: usize = 4096;

/// What LMDB says of a write that the disk took only a part of: `EIO`.
const SHORT: i32 = 5;

/// The log is kept for so many seconds, and for so many entries in any case.
const LOG_SECS: u64 = 600;
const LOG_ENTRIES: u64 = 1000;

impl Core {
    /// Writes all noted uses down, many in one commit.
    pub(super) fn flush(&self, now: Now) -> Result<(), Unavailable> {
        let mut notes = self.pending.take();
        let mut step = TOUCHES;
        while !notes.is_empty() {
            let rest = notes.split_off(notes.len().min(step));
            match self.write_notes(&notes, now) {
                Ok(()) => notes = rest,
                Err(error) => {
                    notes.extend(rest);
                    // A commit writes pages anew before it frees the old ones: a full store has room for fewer.
                    if step > 1 && is_full(&error) {
                        step /= 4;
                        continue;
                    }
                    self.pending.put_back(notes, now);
                    return Err(self.failed(error));
                }
            }
        }
        Ok(())
    }

    fn write_notes(&self, notes: &[Arc<Record>], now: Now) -> heed::Result<()> {
        let mut w = self.rows.env.write_txn()?;
        for record in notes {
            let written = match record.death() {
                None => self.rows.touch(&mut w, record, self.boot_tag, now).map(drop),
                Some(dead) => self.write_death(&mut w, record, dead, now),
            };
            self.past_unreadable(written)?;
        }
        w.commit()
    }

    /// A session that this process found over. That it is idle the row has to say as well: another process may have
    /// used it.
    fn write_death(&self, w: &mut RwTxn<'_>, record: &Record, dead: Dead, now: Now) -> heed::Result<()> {
        let Some(held) = self.rows.held(w, record.key(), self.boot_tag, now)? else { return Ok(()) };
        if dead == Dead::Idle && matches!(held.record.life(now), Life::Alive { .. }) {
            self.drop_idle(record.key());
            return Ok(());
        }
        self.rows.entomb(w, &held, &log::principal(&held.record.principal), dead, None)
    }

    /// See [`Store::tend`](crate::store::Store::tend).
    pub(super) fn tend(&self, now: Now) -> Result<(), Error> {
        self.find_replaced()?;
        let flushed = self.flush(now);
        // A process that nobody asks for long would have much to read at its next check.
        let _ = self.catch_up();
        self.fresh.revoked.purge(micros(now).saturating_sub(self.keep_secs().unsigned_abs() * 1_000_000));
        let tidy = || {
            self.rows.env.clear_stale_readers()?;
            self.log.env.clear_stale_readers()?;
            self.tick(now)?;
            let before = micros(now).saturating_sub(LOG_SECS * 1_000_000);
            while in_steps(TRIMMED, |step| self.log.trim(before, LOG_ENTRIES, step))? {}
            Ok(())
        };
        let tidied = tidy().map_err(|e: heed::Error| self.explained(&e));
        match (self.fault(), flushed) {
            (Some(fault), _) => Err(fault),
            (None, Err(Unavailable)) => Err(Error::unavailable(format!("{}: did not answer", self.path.display()))),
            (None, Ok(())) => tidied,
        }
    }

    /// Raises the number once a minute, so that what is made later carries a later one: a revocation by time then ends
    /// little that was made after that time.
    fn tick(&self, now: Now) -> heed::Result<()> {
        if micros(now) >= self.fresh.revoked.applied().saturating_add(TICK_US) && self.catch_up().is_ok() {
            // Another process may have been faster.
            if micros(now) >= self.fresh.revoked.applied().saturating_add(TICK_US) {
                self.log.append(&[], now)?;
            }
        }
        Ok(())
    }

    /// A store whose files were put away or replaced is no store any more: others would not hear of what is revoked here.
    fn find_replaced(&self) -> Result<(), Error> {
        // What was away once is not trusted again: others may have made a store of their own meanwhile.
        if !self.replaced.load(Ordering::Relaxed) {
            let looked = [&self.rows.file, &self.log.file].map(|file| {
                file.is_replaced().unwrap_or_else(|e| {
                    // That nobody could look says nothing about the files: it is told, and looked at again next time.
                    let Unavailable = self.failed(e.into());
                    false
                })
            });
            if looked == [false; 2] {
                return Ok(());
            }
            self.replaced.store(true, Ordering::Relaxed);
        }
        let text = "the store's files were moved away or replaced under this process: restart it";
        Err(Error::unavailable(format!("{}: {text}", self.path.display())))
    }

    /// See [`Store::sweep`](crate::store::Store::sweep). The log has its share of each round: rows that come faster than
    /// they are swept must not fill it.
    pub(super) fn sweep(&self, now: Now, budget: usize) -> heed::Result<usize> {
        let mut looked = self.sweep_rows(now, budget - budget / SHARE)?;
        looked += self.forget(now, budget - looked)?;
        Ok(looked + self.sweep_rows(now, budget - looked)?)
    }

    /// Has the log forget up to `budget` entries that have stood their time.
    fn forget(&self, now: Now, budget: usize) -> heed::Result<usize> {
        let mut looked = 0;
        while looked < budget {
            let step = STEP.min(budget - looked);
            // Fewer than asked for may also have been all that there was room for.
            match in_steps(step, |step| self.log.forget(now, step, |what| self.needed(what, now)))? {
                0 => break,
                done => looked += done,
            }
        }
        Ok(looked)
    }

    /// Whether a row goes before this can, and when to ask again: a clock that is set back meanwhile meets one of the two.
    fn needed(&self, what: What, now: Now) -> heed::Result<Option<i64>> {
        let r = self.rows.env.read_txn()?;
        let needed = match what {
            What::Session(key) => matches!(self.rows.get(&r, &key), Ok(Some(Row::Live(_))) | Err(_)),
            What::Principal(_) => self.rows.first_due(&r, now)?.is_some(),
            What::Key(_) | What::Chosen(_) | What::Site => false,
        };
        Ok(needed.then_some(now.unix().saturating_add(AGAIN_SECS)))
    }

    /// Looks at up to `budget` rows that are due, where all that was revoked is known.
    fn sweep_rows(&self, now: Now, budget: usize) -> heed::Result<usize> {
        let mut looked = 0;
        while looked < budget {
            let step = self.sweep_step().min(budget - looked);
            match in_steps(step, |step| self.sweep_some(now, step))? {
                Some(done) if done > 0 => looked += done,
                _ => break,
            }
        }
        Ok(looked)
    }

    /// Rows that are looked at in one hold of the write lock: more where each waits for the disk.
    pub(super) fn sweep_step(&self) -> usize {
        match self.durability {
            Durability::Process => STEP,
            Durability::Disk => SYNCED_STEP,
        }
    }

    /// Looks at `step` rows that are due. `None`: nobody knows what was revoked.
    fn sweep_some(&self, now: Now, step: usize) -> heed::Result<Option<usize>> {
        let r = self.rows.env.read_txn()?;
        if self.rows.first_due(&r, now)?.is_none() {
            return Ok(Some(0));
        }
        drop(r);
        let mut w = self.rows.env.write_txn()?;
        if self.catch_up().is_err() {
            return Ok(None);
        }
        let l = self.log.env.read_txn()?;
        let mut looked = 0;
        while looked < step {
            let Some(due) = self.rows.first_due(&w, now)? else { break };
            let next = self.visit(&mut w, &l, &due.1, now);
            let next = self.past_unreadable(next)?.unwrap_or(Some(now.unix().saturating_add(AGAIN_SECS)));
            self.rows.look_again(&mut w, due, next)?;
            looked += 1;
        }
        w.commit()?;
        Ok(Some(looked))
    }

    /// A row that is damaged or of another version is told, and stays out of the way of all others: `None`.
    fn past_unreadable<T>(&self, done: heed::Result<T>) -> heed::Result<Option<T>> {
        match done {
            Err(error @ heed::Error::Mdb(MdbError::Corrupted)) => {
                let Unavailable = self.failed(error);
                Ok(None)
            }
            other => other.map(Some),
        }
    }

    /// Looks at one row: buries what is over, clears a tombstone that has stood its time. When to look next.
    fn visit(&self, w: &mut RwTxn<'_>, l: &RoTxn<'_>, key: &Digest, now: Now) -> heed::Result<Option<i64>> {
        let ends = match self.rows.get(w, key)? {
            None => return Ok(None),
            Some(Row::Tomb(tomb)) => tomb.ends,
            Some(Row::Live(row)) => {
                let held = Rows::hold(row, key, self.boot_tag, now)?;
                match self.judge(&held, l, now)? {
                    Ok(()) => return Ok(Some(now.unix().saturating_add(until_look(&held.record, now).max(1)))),
                    Err(dead) => {
                        self.rows.entomb(w, &held, &log::principal(&held.record.principal), dead, None)?;
                        self.kill(key, dead);
                    }
                }
                held.record.ends().absolute_unix
            }
        };
        if ends > now.unix() {
            return Ok(Some(ends));
        }
        self.rows.clear(w, key)?;
        self.copies.remove(key);
        Ok(None)
    }

    /// See [`Store::list`](crate::store::Store::list).
    pub(super) fn list(&self, now: Now, max: usize) -> Result<Vec<Listed>, Unavailable> {
        self.catch_up()?;
        let read = || {
            let (r, l) = (self.rows.env.read_txn()?, self.log.env.read_txn()?);
            let mut found = Vec::new();
            self.rows.walk(&r, |key, row| {
                if found.len() >= max {
                    return Ok(false);
                }
                let held = Rows::hold(row, key, self.boot_tag, now)?;
                if self.judge(&held, &l, now)?.is_ok() {
                    // The last path may be younger here than in the row.
                    let copy = self.copies.get(key).filter(|copy| copy.record.last_path().is_some());
                    let shown = copy.as_ref().map_or(&held.record, |copy| &*copy.record);
                    found.extend(listed(shown, now));
                }
                Ok(true)
            })?;
            Ok(found)
        };
        let mut rows: Vec<Listed> = read().map_err(|e| self.failed(e))?;
        rows.sort_unstable_by_key(|row| (row.created, row.reference));
        Ok(rows)
    }
}

/// Does `work` with a budget of `step`, or of less where there is no room for the pages that so much writes anew.
fn in_steps<T>(mut step: usize, mut work: impl FnMut(usize) -> heed::Result<T>) -> heed::Result<T> {
    loop {
        match work(step) {
            Err(error) if step > 1 && is_full(&error) => step /= 4,
            done => return done,
        }
    }
}

/// Whether there was no room, in the map or on the disk; a write that stopped half-way shows as an I/O error.
fn is_full(error: &heed::Error) -> bool {
    match error {
        heed::Error::Mdb(MdbError::MapFull) => true,
        heed::Error::Io(e) => {
            matches!(e.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge)
                || e.raw_os_error() == Some(SHORT)
        }
        _ => false,
    }
}
