//! Follows a keyring file: a running process takes over what was changed in it, without being told.
//!
//! Called by `engine`: about every second from maintenance (a look at the file's state, and a reading when it is another
//! one), and after a token named an unknown key (a reading, at most one a second). Whatever is wrong with the file is an
//! error and changes nothing: the ring in force stays. Never called where a caller may not wait.

use super::keyring::Keyring;
use crate::base::file::{self, Stamp};
use crate::base::{Error, Now, Result, Status};
use parking_lot::Mutex;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// Least time between two readings that tokens ask for, in microseconds.
const ASKED_EVERY: i64 = 1_000_000;

/// Who comes while another thread reads waits so long. Longer, and it is a lock that a fork left behind.
const WAIT: Duration = Duration::from_secs(1);

/// A keyring file and the state in which it was read last. Any thread.
pub struct Watch {
    path: PathBuf,
    /// Held while reading and taking over, so that an older reading never comes after a newer one.
    seen: Mutex<Stamp>,
    /// When a token last had the file read, by the boot clock.
    asked_us: AtomicI64,
}

impl Watch {
    /// Loads the ring at `path`, to follow it from now on. Errors: as [`Keyring::load`].
    pub fn open(path: &Path, now: Now) -> Result<(Keyring, Watch)> {
        let (ring, stamp) = Keyring::load_stamped(path, now.unix())?;
        let asked_us = AtomicI64::new(now.boot_us);
        Ok((ring, Watch { path: path.to_owned(), seen: Mutex::new(stamp), asked_us }))
    }

    /// Reads the file if its state is another than when it was read last, and gives the ring to `take`.
    ///
    /// Returns what `take` said, `false` when there was nothing to read. Errors: as [`Keyring::load`] and as `take`'s; the
    /// file is then read again next time.
    pub fn follow(&self, now: Now, take: impl FnOnce(Keyring) -> Result<bool>) -> Result<bool> {
        let mut seen = self.lock()?;
        if file::look(&self.path).map_err(stays)? == *seen {
            return Ok(false);
        }
        self.read(&mut seen, now, take)
    }

    /// Whether a token with an unknown key is reason enough to read the file now. One load.
    pub fn may_ask(&self, now: Now) -> bool {
        now.boot_us.saturating_sub(self.asked_us.load(Ordering::Acquire)) >= ASKED_EVERY
    }

    /// Reads the file whatever its state, once for all who ask within a second; the others wait for that reading.
    ///
    /// Errors: as [`Watch::follow`].
    pub fn ask(&self, now: Now, take: impl FnOnce(Keyring) -> Result<bool>) -> Result<bool> {
        let mut seen = self.lock()?;
        if !self.may_ask(now) {
            return Ok(false);
        }
        let taken = self.read(&mut seen, now, take);
        // Only now: who is refused in the meantime has been refused by the ring that the file holds.
        self.asked_us.store(now.boot_us, Ordering::Release);
        taken
    }

    fn read(&self, seen: &mut Stamp, now: Now, take: impl FnOnce(Keyring) -> Result<bool>) -> Result<bool> {
        let (ring, stamp) = Keyring::load_stamped(&self.path, now.unix()).map_err(stays)?;
        let taken = take(ring).map_err(|error| stays(error.at(self.path.display())))?;
        *seen = stamp;
        Ok(taken)
    }

    fn lock(&self) -> Result<parking_lot::MutexGuard<'_, Stamp>> {
        self.seen.try_lock_for(WAIT).ok_or_else(|| {
            Error::unavailable(format!("{}: another thread has been reading it for a second", self.path.display()))
        })
    }
}

/// A running process is not without keys when its file is: the error says so, and a missing file is no `NotFound` then.
fn stays(mut error: Error) -> Error {
    if error.status == Status::NotFound {
        error.status = Status::Unavailable;
    }
    error.message.push_str("; the keys that were read last stay in force");
    error
}
