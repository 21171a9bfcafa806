//! Uses that are still to be written down: noted without waiting, written many at a time.
//!
//! Used by `store::shared` and `store::redis`. What is noted is lost with the process; that is why nothing is noted that could end a
//! session early elsewhere ([`is_near`]), and why a note is written within about a second.

use super::copies::Copies;
use crate::base::Now;
use crate::expiry::{self, Life};
use crate::session::{Record, Touch};
use crate::store::Later;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// Notes at a time; more are written at once by whoever may wait.
const ROOM: usize = 8192;

/// Seconds after which a note is written by whoever comes along and may wait.
const PATIENCE: i64 = 1;

/// Sessions that would be over within so many seconds are not touched by a note: it could be written too late.
const NEAR_SECS: i64 = 5;

/// What became of a use.
pub(in crate::store) enum Put {
    Noted,
    /// It is to be written at once.
    WriteNow,
    /// There is nothing to write.
    Nothing(Touch),
}

/// The notes. Any thread; noting allocates nothing.
pub(in crate::store) struct Pending {
    notes: Mutex<Vec<Arc<Record>>>,
    /// Boot second of the oldest note; the end of time when there is none.
    oldest: AtomicI64,
}

impl Pending {
    pub(in crate::store) fn new() -> Pending {
        Pending { notes: Mutex::new(Vec::with_capacity(ROOM)), oldest: AtomicI64::new(i64::MAX) }
    }

    /// Puts a use off by a note, where that is allowed.
    pub(in crate::store) fn put_off(&self, copies: &Copies, record: &Record, path: Option<&[u8]>, now: Now) -> Put {
        let (near, copy) = (is_near(record, now), copies.get(record.key()));
        match record.touch(path, now) {
            Touch::Done => {}
            other => return Put::Nothing(other),
        }
        let Some(copy) = copy.filter(|_| !near) else { return Put::WriteNow };
        if !std::ptr::eq(&*copy.record, record) {
            let _ = copy.record.touch(path, now);
        }
        if self.note(&copy.record, now) { Put::Noted } else { Put::WriteNow }
    }

    /// Notes a use where waiting is not allowed. `hurry`: others must see at once what is nearly over.
    pub(in crate::store) fn later(
        &self,
        copies: &Copies,
        record: &Record,
        accompanied: bool,
        path: Option<&[u8]>,
        hurry: bool,
        now: Now,
    ) -> Later {
        let companion = accompanied && !record.companion_required();
        let due = record.last_used_boot().is_some_and(|used| expiry::touch_due(record.ends().idle_secs, used, now));
        if !companion && !due {
            return Later::Nothing;
        }
        let Some(copy) = copies.get(record.key()) else { return Later::MustWait };
        if (due && hurry && is_near(record, now)) || !self.has_room() {
            return Later::MustWait;
        }
        for record in [record, &copy.record] {
            let _ = record.touch(path, now);
            if companion {
                record.require_companion();
            }
        }
        if self.note(&copy.record, now) { Later::Noted } else { Later::MustWait }
    }

    /// Notes that a session came with its companion. `false`: it is to be written at once.
    pub(in crate::store) fn companion(&self, copies: &Copies, record: &Record, now: Now) -> bool {
        record.require_companion();
        let Some(copy) = copies.get(record.key()).filter(|_| self.has_room()) else { return false };
        copy.record.require_companion();
        let _ = self.note(&copy.record, now);
        true
    }

    /// Notes that `record` has something to write down. `false`: there is no room.
    pub(in crate::store) fn note(&self, record: &Arc<Record>, now: Now) -> bool {
        let mut notes = self.notes.lock();
        if notes.len() >= ROOM {
            return false;
        }
        notes.push(Arc::clone(record));
        self.oldest.fetch_min(now.boot(), Ordering::Relaxed);
        true
    }

    pub(in crate::store) fn has_room(&self) -> bool {
        self.notes.lock().len() < ROOM
    }

    /// Whether a note has waited long enough.
    pub(in crate::store) fn is_due(&self, now: Now) -> bool {
        now.boot().saturating_sub(PATIENCE) >= self.oldest.load(Ordering::Relaxed)
    }

    /// Takes all notes.
    pub(in crate::store) fn take(&self) -> Vec<Arc<Record>> {
        let mut notes = self.notes.lock();
        if notes.is_empty() {
            return Vec::new();
        }
        self.oldest.store(i64::MAX, Ordering::Relaxed);
        std::mem::replace(&mut *notes, Vec::with_capacity(ROOM))
    }

    /// Puts notes back that could not be written.
    pub(in crate::store) fn put_back(&self, mut back: Vec<Arc<Record>>, now: Now) {
        let mut notes = self.notes.lock();
        let room = ROOM.saturating_sub(notes.len());
        notes.extend(back.drain(..back.len().min(room)));
        if !notes.is_empty() {
            self.oldest.fetch_min(now.boot(), Ordering::Relaxed);
        }
    }
}

/// Whether a session would be over so soon that its use must be seen by other processes at once.
fn is_near(record: &Record, now: Now) -> bool {
    match record.life(now) {
        Life::Alive { idle_left, .. } => idle_left <= NEAR_SECS,
        Life::Idle | Life::Ended => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Clock;
    use crate::session::NewSession;

    #[test]
    fn notes_are_bounded_and_come_back_when_they_cannot_be_written() {
        let (clock, pending) = (Clock::fake(1_000), Pending::new());
        let record = Arc::new(Record::new(NewSession::of("Aladdin", 60, 600, 1), clock.now()));
        assert!(!pending.is_due(clock.now()));
        for _ in 0..ROOM {
            assert!(pending.has_room() && pending.note(&record, clock.now()));
        }
        assert!(!pending.has_room() && !pending.note(&record, clock.now()));
        assert!(!pending.is_due(clock.now()));
        clock.advance(1);
        assert!(pending.is_due(clock.now()));
        let taken = pending.take();
        assert_eq!((taken.len(), pending.is_due(clock.now())), (ROOM, false));
        pending.put_back(taken, clock.now());
        assert!(!pending.has_room() && pending.take().len() == ROOM && pending.take().is_empty());
    }
}
