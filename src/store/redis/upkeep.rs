//! What maintenance does: polls, writes noted uses down, sweeps; and lists.
//!
//! The part of `store::redis` that nobody waits for. Steps are small, so that no script holds the server for long.

use super::core::{Core, Known};
use super::fault::Fault;
use super::resp::Reply;
use super::told::{self, Found};
use crate::base::{Error, Now};
use crate::session::Record;
use crate::store::{Listed, Unavailable, listed, micros};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Uses written, entries swept and rows listed in one call: for so long everybody else's question waits on the server. Each
/// is some 0.1 ms there (`make bench-store` tells).
const TOUCHES: usize = 32;
const SWEPT: usize = 8;
const LISTED: usize = 25;

/// A note that is this old is due.
const WAITED_US: i64 = 1_000_000;

/// What a live row is in the answer of `list.lua`.
const ROW_PARTS: usize = 7;

impl Core {
    /// Writes all noted uses down, many in one call.
    pub(super) fn flush(&self, now: Now) -> Known<()> {
        self.flush_in(usize::MAX, now)
    }

    /// Writes some noted uses down if they have waited long enough: who brings a request waits for one call, not for all.
    pub(super) fn flush_some_if_due(&self, now: Now) -> Known<()> {
        if self.pending.is_due(now) { self.flush_in(1, now) } else { Ok(()) }
    }

    /// The same in so many calls at most.
    fn flush_in(&self, calls: usize, now: Now) -> Known<()> {
        let mut notes = self.pending.take();
        for _ in 0..calls {
            if notes.is_empty() {
                return Ok(());
            }
            let rest = notes.split_off(notes.len().min(TOUCHES));
            let records: Vec<&Record> = notes.iter().map(|record| &**record).collect();
            if let Err(error) = self.write_uses(&records, now) {
                notes.extend(rest);
                self.pending.put_back(notes, now);
                return Err(error);
            }
            notes = rest;
        }
        if !notes.is_empty() {
            // What is left has waited as long as what was written: whoever comes next goes on.
            let since = Now { boot_us: now.boot_us.saturating_sub(WAITED_US), ..now };
            self.pending.put_back(notes, since);
        }
        Ok(())
    }

    /// Writes noted uses down if they have waited long enough: somebody is about to judge sessions by their rows.
    fn flush_if_due(&self, now: Now) {
        if self.pending.is_due(now) {
            // What is not written stays noted, and the failure with it.
            let _ = self.flush(now);
        }
    }

    /// See [`Store::tend`](crate::store::Store::tend).
    pub(super) fn tend(&self, now: Now) -> Result<(), Error> {
        let polled = self.poll_now(true);
        let flushed = polled.and_then(|()| self.flush(now));
        self.horizon.purge(micros(now).saturating_sub(self.keep_us()));
        match (self.pool.fault(), flushed) {
            (Some(fault), _) => Err(fault),
            (None, Err(Unavailable)) => Err(self.pool.silent()),
            (None, Ok(())) => Ok(()),
        }
    }

    /// See [`Store::sweep`](crate::store::Store::sweep).
    pub(super) fn sweep(&self, now: Now, budget: usize) -> usize {
        if !self.sweeps_again(now) {
            return 0;
        }
        self.flush_if_due(now);
        let mut looked = 0;
        while looked < budget {
            let step = SWEPT.min(budget - looked);
            let call = self.call(&self.scripts.sweep, Vec::new(), vec![step.to_string().into_bytes()]);
            let done = self.ask(&call, now).and_then(|reply| told::number(reply).map_err(|fault| self.failed(&fault)));
            let Ok(done) = done.map(|done| usize::try_from(done).unwrap_or(0)) else { break };
            looked += done;
            if done < step {
                self.swept.store(now.boot(), Ordering::Relaxed);
                break;
            }
        }
        looked
    }

    /// See [`Store::list`](crate::store::Store::list).
    pub(super) fn list(&self, now: Now, max: usize) -> Known<Vec<Listed>> {
        self.flush_if_due(now);
        let (mut rows, mut from) = (Vec::new(), b"-inf".to_vec());
        while rows.len() < max {
            let args = vec![from, LISTED.to_string().into_bytes()];
            let reply = self.ask(&self.call(&self.scripts.list, Vec::new(), args), now)?;
            let read = || {
                let [upto, found] = told::parts::<2>(reply)?;
                let found = told::list(found)?;
                let found = found.chunks(ROW_PARTS).map(|row| Found::read(Reply::Parts(row.to_vec())));
                let found = found.collect::<Result<Vec<_>, Fault>>()?;
                Ok((told::bytes(upto)?, found))
            };
            let (upto, found) = read().map_err(|fault: Fault| self.failed(&fault))?;
            for found in found {
                let Found::Live(row) = found else { continue };
                let mut record = Arc::new(self.opened(row, now)?);
                // What was noted here is younger than what is written down.
                if let Some(copy) = self.copies.get(record.key()) {
                    if let Some(used) = copy.record.last_used_boot() {
                        record.advance(used);
                    }
                    if copy.record.last_path().is_some() && copy.record.death().is_none() {
                        copy.record.advance(record.last_used_boot().unwrap_or(i64::MIN));
                        record = Arc::clone(&copy.record);
                    }
                }
                rows.extend(listed(&record, now));
            }
            if upto.is_empty() {
                break;
            }
            from = upto;
        }
        rows.truncate(max);
        rows.sort_unstable_by_key(|row| (row.created, row.reference));
        Ok(rows)
    }
}
