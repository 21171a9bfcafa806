//! A disk that does as it is told: it counts, waits, keeps a record, fails, or kills the writer at a chosen step.
//!
//! Used by the tests of the shared store and by its bench. What LMDB writes passes through here, whatever the file
//! system: so a fault can be put between any two steps of a commit, as root in a container as anywhere else.
#![allow(dead_code)]

mod sys;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

/// One thing that happened to an environment's `data.mdb`; `name` is its folder.
#[derive(Clone, Debug)]
pub enum Event {
    /// `synced`: it was on disk when the call returned.
    Wrote {
        name: String,
        at: u64,
        bytes: Vec<u8>,
        synced: bool,
    },
    SyncBegins {
        name: String,
    },
    /// What was written before this sync began is on disk.
    Synced {
        name: String,
    },
    /// The test's own word, in its place among the others.
    Said(u64),
}

/// What a call is to do.
pub enum Verdict {
    GoOn,
    Kill,
    Fail(i32),
}

static SYNCS: AtomicU64 = AtomicU64::new(0);
static STEPS: AtomicU64 = AtomicU64::new(0);
static DELAY_US: AtomicU64 = AtomicU64::new(0);
static RECORD: Mutex<Option<Vec<Event>>> = Mutex::new(None);

/// Calls until something happens; below 0: nothing will. And what: 0 kills, another number is an error that stays.
static FUSE: AtomicI64 = AtomicI64::new(-1);
static ERROR: AtomicI32 = AtomicI32::new(0);

/// Whether syncs are left out.
static PRETENDS: AtomicBool = AtomicBool::new(false);

/// From here on nothing is synced, which takes long: for tests that end processes and never the power.
pub fn pretend() {
    PRETENDS.store(true, Ordering::SeqCst);
}

/// Whether anything but counting is asked for; a call goes straight through otherwise.
static WATCHED: AtomicBool = AtomicBool::new(false);

/// The next call but `steps` kills this process.
pub fn kill_at(steps: u64) {
    WATCHED.store(true, Ordering::SeqCst);
    ERROR.store(0, Ordering::SeqCst);
    FUSE.store(i64::try_from(steps).unwrap(), Ordering::SeqCst);
}

/// The next call but `steps`, and all that follow, fail with `error`.
pub fn fail_at(steps: u64, error: i32) {
    WATCHED.store(true, Ordering::SeqCst);
    ERROR.store(error, Ordering::SeqCst);
    FUSE.store(i64::try_from(steps).unwrap(), Ordering::SeqCst);
}

/// Everything goes well again.
pub fn mend() {
    FUSE.store(-1, Ordering::SeqCst);
}

/// Each sync takes so much longer than the disk needs.
pub fn slow_down(by: Duration) {
    WATCHED.store(by > Duration::ZERO, Ordering::SeqCst);
    DELAY_US.store(u64::try_from(by.as_micros()).unwrap(), Ordering::SeqCst);
}

/// Syncs so far. A write that is on disk when it returns is none: each commit has one besides.
pub fn syncs() -> u64 {
    SYNCS.load(Ordering::SeqCst)
}

/// Calls so far, while one of them was to fail.
pub fn steps() -> u64 {
    STEPS.load(Ordering::SeqCst)
}

/// Begins a record.
pub fn record() {
    WATCHED.store(true, Ordering::SeqCst);
    *RECORD.lock().unwrap() = Some(Vec::new());
}

/// Puts the test's word into the record.
pub fn say(word: u64) {
    event(Event::Said(word));
}

/// Ends the record.
pub fn recorded() -> Vec<Event> {
    RECORD.lock().unwrap().take().unwrap_or_default()
}

fn pretends() -> bool {
    PRETENDS.load(Ordering::Relaxed)
}

fn watched() -> bool {
    WATCHED.load(Ordering::Relaxed)
}

fn count_sync() {
    SYNCS.fetch_add(1, Ordering::SeqCst);
}

fn verdict() -> Verdict {
    STEPS.fetch_add(1, Ordering::SeqCst);
    let left = FUSE.load(Ordering::SeqCst);
    if left > 0 {
        FUSE.fetch_sub(1, Ordering::SeqCst);
    }
    match (left, ERROR.load(Ordering::SeqCst)) {
        (0, 0) => Verdict::Kill,
        (0, error) => Verdict::Fail(error),
        _ => Verdict::GoOn,
    }
}

fn event(event: Event) {
    match &event {
        Event::Synced { .. } | Event::Wrote { synced: true, .. } => match DELAY_US.load(Ordering::SeqCst) {
            0 => {}
            delay => std::thread::sleep(Duration::from_micros(delay)),
        },
        Event::Wrote { .. } | Event::SyncBegins { .. } | Event::Said(_) => {}
    }
    if let Some(record) = RECORD.lock().unwrap().as_mut() {
        record.push(event);
    }
}
