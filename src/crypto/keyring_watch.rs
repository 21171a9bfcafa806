//! Follows a keyring: a running process takes over what was changed in it, without being told.
//!
//! Called by `engine`: when a process attaches, where the ring is in a store; about every second from maintenance (a look
//! whether there is another, and a reading when there is); and after a token named an unknown key (a reading, at most one
//! a second). Whatever is wrong with what is there is an error and changes nothing: the ring in force stays. One code for
//! every [`RingPlace`]. Never called where a caller may not wait.

use super::keyring::Keyring;
use super::keyring_place::{Mark, RingPlace};
use crate::base::{Error, Now, Result, Status};
use parking_lot::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// Least time between two readings that tokens ask for, in microseconds.
const ASKED_EVERY: i64 = 1_000_000;

/// Who comes while another thread reads waits so long. Longer, and it is a lock that a fork left behind.
const WAIT: Duration = Duration::from_secs(1);

/// A ring's place and the state in which it was read last. Any thread.
pub struct Watch {
    place: RingPlace,
    /// Held while reading and taking over, so that an older reading never comes after a newer one.
    seen: Mutex<Mark>,
    /// When a token last had the place read, by the boot clock.
    asked_us: AtomicI64,
}

impl Watch {
    /// Loads the ring at `place`, to follow it from now on. Errors: as [`RingPlace::load`].
    pub fn open(place: RingPlace, now: Now) -> Result<(Keyring, Watch)> {
        let (ring, mark) = place.load_marked(now.unix())?;
        Ok((ring, Watch { place, seen: Mutex::new(mark), asked_us: AtomicI64::new(now.boot_us) }))
    }

    /// Reads nothing yet: for a place that is reached once a process has attached, see [`Watch::begin`].
    pub fn later(place: RingPlace) -> Watch {
        Watch { place, seen: Mutex::new(Mark::Unread), asked_us: AtomicI64::new(i64::MIN) }
    }

    /// The place that is followed.
    pub fn place(&self) -> &RingPlace {
        &self.place
    }

    /// Loads the ring and gives it to `take`; where there is none and this process `makes` one, makes it first. When
    /// several processes do this at once, one ring comes to be and all of them load that one.
    ///
    /// Errors: as [`RingPlace::load`] and [`RingPlace::create`], and as `take`'s.
    pub fn begin(&self, now: Now, makes: bool, take: impl FnOnce(Keyring) -> Result<bool>) -> Result<()> {
        let mut seen = self.lock()?;
        let loaded = match self.place.load_marked(now.unix()) {
            Err(error) if error.status == Status::NotFound && makes => {
                self.place.create(now.unix(), None)?;
                self.place.load_marked(now.unix())
            }
            loaded => loaded,
        };
        let (ring, mark) = loaded?;
        take(ring)?;
        *seen = mark;
        self.asked_us.store(now.boot_us, Ordering::Release);
        Ok(())
    }

    /// Reads the place if its state is another than when it was read last, and gives the ring to `take`.
    ///
    /// Returns what `take` said, `false` when there was nothing to read. Errors: as [`RingPlace::load`] and as `take`'s; it
    /// is then read again next time.
    pub fn follow(&self, now: Now, take: impl FnOnce(Keyring) -> Result<bool>) -> Result<bool> {
        let mut seen = self.lock()?;
        if self.place.is_still(&seen).map_err(|error| self.stays(error))? {
            return Ok(false);
        }
        self.read(&mut seen, now, take)
    }

    /// Whether a token with an unknown key is reason enough to read the place now. One load.
    pub fn may_ask(&self, now: Now) -> bool {
        now.boot_us.saturating_sub(self.asked_us.load(Ordering::Acquire)) >= ASKED_EVERY
    }

    /// Reads the place whatever its state, once for all who ask within a second; the others wait for that reading.
    ///
    /// Errors: as [`Watch::follow`].
    pub fn ask(&self, now: Now, take: impl FnOnce(Keyring) -> Result<bool>) -> Result<bool> {
        let mut seen = self.lock()?;
        if !self.may_ask(now) {
            return Ok(false);
        }
        let taken = self.read(&mut seen, now, take);
        // Only now: who is refused in the meantime has been refused by the ring that the place holds.
        self.asked_us.store(now.boot_us, Ordering::Release);
        taken
    }

    fn read(&self, seen: &mut Mark, now: Now, take: impl FnOnce(Keyring) -> Result<bool>) -> Result<bool> {
        let (ring, mark) = self.place.load_marked(now.unix()).map_err(|error| self.stays(error))?;
        let taken = take(ring).map_err(|error| self.stays(error.at(self.place.shown())))?;
        *seen = mark;
        Ok(taken)
    }

    fn lock(&self) -> Result<parking_lot::MutexGuard<'_, Mark>> {
        self.seen.try_lock_for(WAIT).ok_or_else(|| {
            Error::unavailable(format!("{}: another thread has been reading it for a second", self.place.shown()))
        })
    }

    /// A running process is not without keys when its place is: the error says so, and a missing ring is no `NotFound` then.
    /// In a store that answered it is wrong that there is none, which is more than that nobody knows.
    fn stays(&self, mut error: Error) -> Error {
        if error.status == Status::NotFound {
            error.status = if self.place.is_stored() { Status::Invalid } else { Status::Unavailable };
        }
        error.message.push_str("; the keys that were read last stay in force");
        error
    }
}
