//! What this process knows of the log on the server, and up to which moment it knows all of it.
//!
//! Used by `store::redis` at the start of every check. [`Horizon::at`] is the moment at which the newest answered poll was
//! **sent**, never that of its answer: between the two, others may have revoked what the answer does not hold yet. A copy
//! counts only while that moment is less than [`DELTA_US`] ago, and log-outs are answered no sooner than that after they are
//! on the server. Moments are those of the clock that runs through sleep.

use super::told::{self, Logged, Told};
use crate::store::held::revoked::{Revoked, Set};
use crate::store::held::what::What;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

/// For so many microseconds after a poll was sent, what it said is trusted.
pub(super) const DELTA_US: i64 = 100_000;

/// For so many milliseconds the answer to a log-out is held back: the same, and a little for timers that go by a clock
/// read before.
pub(super) const HOLD_MS: u32 = 110;

/// How much of the log this process keeps to give it back to a server that has lost it.
const TAIL: Duration = Duration::from_secs(600);
const TAIL_ENTRIES: usize = 16_384;

pub(super) struct Horizon {
    /// Boot microseconds.
    at: AtomicI64,
    pub revoked: Revoked,
    applying: Mutex<Applying>,
}

impl Held {
    /// Which of the tail to look for: the newest, and from there back by steps that double.
    pub(super) fn probes(&self) -> Vec<usize> {
        let last = self.tail.len().checked_sub(1);
        let back = std::iter::once(0).chain(std::iter::successors(Some(1_usize), |back| back.checked_mul(2)));
        last.map_or_else(Vec::new, |last| back.map_while(|back| last.checked_sub(back)).collect())
    }
}

#[derive(Default)]
struct Applying {
    /// Of which start of which server the numbers are.
    run: String,
    tail: VecDeque<(Instant, Logged)>,
    /// Every entry after this number up to the newest one applied is in the tail.
    tail_from: u64,
}

/// What this process can give back to a server that has lost it.
pub(super) struct Held {
    /// The newest number applied.
    pub known: u64,
    /// The number after which every entry is in the tail.
    pub from: u64,
    pub tail: Vec<Logged>,
}

/// What is to be done after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Nothing,
    /// The log goes on.
    More,
    /// It is not the log that was known: everything is to be read anew.
    Anew,
}

impl Horizon {
    pub(super) fn new() -> Horizon {
        Horizon { at: AtomicI64::new(i64::MIN), revoked: Revoked::default(), applying: Mutex::default() }
    }

    /// Boot microseconds of the moment up to which all is known.
    #[inline]
    pub(super) fn at(&self) -> i64 {
        self.at.load(Ordering::Acquire)
    }

    /// Takes over the answer of a call that was sent at `sent` with `known` as the newest number. `tell` hears of each
    /// entry that is new.
    pub(super) fn take(&self, told: &Told, known: u64, sent: i64, run: &str, mut tell: impl FnMut(&What)) -> Next {
        let mut applying = self.applying.lock();
        let applied = self.revoked.applied();
        if told.lost || told.word == b"fell" || applying.run != run || known > applied {
            return Next::Anew;
        }
        let upto = told.upto();
        // Another thread may have had a later answer, which held all of this one.
        if upto >= applied {
            self.revoked.advance(upto, told.floor, |set| {
                for entry in told.entries.iter().filter(|entry| entry.number > applied) {
                    tell(&entry.what);
                    set.apply(entry.number, entry.floor, entry.what);
                    applying.keep(*entry);
                }
            });
        }
        if told.more {
            return Next::More;
        }
        self.at.fetch_max(sent, Ordering::AcqRel);
        Next::Nothing
    }

    /// Takes over a log that was read anew: its head, which was asked for at `sent`, and all floors, read after it.
    pub(super) fn begin(&self, told: &Told, floors: &[(u64, What)], sent: i64, run: &str) {
        let mut applying = self.applying.lock();
        let mut anew = Set::anew(told.seq);
        floors.iter().for_each(|(floor, what)| anew.raise(*floor, *what));
        self.revoked.advance(told.seq, told.floor, |set| *set = anew);
        run.clone_into(&mut applying.run);
        // What is kept is in the new log as well, under whatever number. What else there is up to this one was read as floors
        // and rows: it could not be given back.
        applying.tail_from = told.seq;
        let newest = told.own.first().and_then(|entry| told::logged(entry));
        if let Some(newest) = newest.filter(|newest| applying.tail.back().is_none_or(|(_, entry)| entry != newest)) {
            applying.keep(newest);
        }
        self.at.fetch_max(sent, Ordering::AcqRel);
    }

    /// Goes on with the log of another server, or another start of it, that has the newest entry of `held`, and so all of
    /// them: `told` is what came after that one. `None`: it does not follow on what is known.
    pub(super) fn resume(&self, told: &Told, held: &Held, sent: i64, run: &str) -> Option<Next> {
        let mut applying = self.applying.lock();
        let upto = told.upto();
        // An answer of the former server may have come in meanwhile.
        if told.lost || upto < held.known || self.revoked.applied() != held.known {
            return None;
        }
        self.revoked.advance(upto, told.floor, |set| {
            for entry in &told.entries {
                set.apply(entry.number, entry.floor, entry.what);
                applying.keep(*entry);
            }
        });
        run.clone_into(&mut applying.run);
        if told.more {
            return Some(Next::More);
        }
        self.at.fetch_max(sent, Ordering::AcqRel);
        Some(Next::Nothing)
    }

    pub(super) fn held(&self) -> Held {
        let applying = self.applying.lock();
        let tail = applying.tail.iter().map(|(_, entry)| *entry).collect();
        Held { known: self.revoked.applied(), from: applying.tail_from, tail }
    }

    /// Lets go of what is old, see [`Revoked::purge`].
    pub(super) fn purge(&self, before: u64) {
        self.revoked.purge(before);
        self.applying.lock().forget(|since| since.elapsed() > TAIL);
    }
}

impl Applying {
    fn keep(&mut self, entry: Logged) {
        self.tail.push_back((Instant::now(), entry));
        while self.tail.len() > TAIL_ENTRIES {
            self.drop_first();
        }
    }

    fn forget(&mut self, old: impl Fn(&Instant) -> bool) {
        // The newest stays: by it another start of the server shows that it has lost nothing.
        while self.tail.len() > 1 && self.tail.front().is_some_and(|(since, _)| old(since)) {
            self.drop_first();
        }
    }

    fn drop_first(&mut self) {
        if let Some((_, entry)) = self.tail.pop_front() {
            self.tail_from = self.tail_from.max(entry.number);
        }
    }
}
