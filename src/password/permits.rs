//! How many hashes run at once: past that a login waits, and past its deadline it is told to try again.
//!
//! Called by the engine's login before the user is looked up, so that waiting says nothing about the name. argon2 takes
//! its memory for each of them: the number of places is the bound on memory. Counts this process, and all processes of
//! a machine once they [`share`](Permits::share) a page.

use super::slots::{Slot, Slots};
use crate::base::{Reason, Result as Done};
use once_cell::sync::OnceCell;
use parking_lot::{Condvar, Mutex};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long a place is kept from other processes at most: longer than any hash takes.
pub const LIFE: Duration = Duration::from_secs(30);

/// How often a place is looked for that another process may give back.
const LOOK: Duration = Duration::from_millis(2);

/// Places for hashing. Any thread; not used across a fork.
#[derive(Debug)]
pub struct Permits {
    places: usize,
    taken: Mutex<usize>,
    freed: Condvar,
    shared: OnceCell<Slots>,
}

/// A place; dropping it gives it back, on every way out.
#[derive(Debug)]
pub struct Permit<'a> {
    permits: &'a Permits,
    slot: Option<Slot>,
}

impl Permits {
    /// `places` hashes at once; 0 is taken as 1, for no login could ever run.
    pub fn new(places: usize) -> Permits {
        Permits { places: places.max(1), taken: Mutex::new(0), freed: Condvar::new(), shared: OnceCell::new() }
    }

    /// Shares the places with all processes that share the page in this file: no more than they are run at once on the
    /// whole machine. `life`: for how long a place is another's at most, should its taker die. Once; called when a
    /// process attaches, and again until it succeeds.
    ///
    /// Errors: the page cannot be had; the places are this process's own until it can.
    pub fn share(&self, path: &Path, life: Duration) -> Done<()> {
        self.shared.get_or_try_init(|| Slots::open(path, life)).map(drop)
    }

    /// Takes a place, waiting at most `wait` for one. Zero never waits.
    ///
    /// Errors: [`Reason::Busy`] when none came free in time: the request was neither judged nor counted.
    pub fn acquire(&self, wait: Duration) -> Result<Permit<'_>, Reason> {
        let start = Instant::now();
        let mut taken = self.taken.lock();
        if *taken >= self.places {
            let deadline = start.checked_add(wait).ok_or(Reason::Busy)?;
            while *taken >= self.places {
                let late = self.freed.wait_until(&mut taken, deadline).timed_out();
                if late && *taken >= self.places {
                    return Err(Reason::Busy);
                }
            }
        }
        *taken += 1;
        drop(taken);
        self.machine_wide(start, wait)
    }

    /// The place that was taken in this process, and one of the machine's. Dropping it gives both back.
    fn machine_wide(&self, start: Instant, wait: Duration) -> Result<Permit<'_>, Reason> {
        let mut permit = Permit { permits: self, slot: None };
        let Some(slots) = self.shared.get() else { return Ok(permit) };
        loop {
            permit.slot = slots.take(self.places);
            if permit.slot.is_some() {
                return Ok(permit);
            }
            if start.elapsed() >= wait {
                return Err(Reason::Busy);
            }
            std::thread::sleep(LOOK.min(wait));
        }
    }

    /// Places taken now, and places in all.
    pub fn in_use(&self) -> (usize, usize) {
        (*self.taken.lock(), self.places)
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if let (Some(slots), Some(slot)) = (self.permits.shared.get(), &self.slot) {
            slots.give_back(slot);
        }
        let mut taken = self.permits.taken.lock();
        *taken = taken.saturating_sub(1);
        drop(taken);
        self.permits.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn no_more_than_the_places_run_at_once_and_all_get_their_turn() {
        let (permits, running, most) = (Permits::new(3), AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..40 {
                scope.spawn(|| {
                    let _permit = permits.acquire(Duration::from_secs(10)).unwrap();
                    most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    std::thread::sleep(Duration::from_millis(1));
                    running.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        assert_eq!(permits.in_use(), (0, 3));
        assert!((1..=3).contains(&most.into_inner()));
    }

    #[test]
    fn past_the_deadline_it_is_busy_and_nothing_is_lost() {
        let permits = Permits::new(0);
        let held = permits.acquire(Duration::ZERO).unwrap();
        assert_eq!(permits.acquire(Duration::ZERO).err(), Some(Reason::Busy));
        assert_eq!(permits.acquire(Duration::from_millis(5)).err(), Some(Reason::Busy));
        assert_eq!(permits.acquire(Duration::MAX).err(), Some(Reason::Busy), "no deadline is no wait");
        drop(held);
        assert!(permits.acquire(Duration::ZERO).is_ok());
    }

    #[test]
    #[cfg(unix)]
    fn those_who_share_a_page_share_the_places() {
        let folder = crate::crypto::scratch::Scratch::new();
        let share = || {
            let permits = Permits::new(2);
            permits.share(&folder.path("permits"), LIFE).unwrap();
            permits
        };
        let (one, two) = (share(), share());
        let held = (one.acquire(Duration::ZERO).unwrap(), two.acquire(Duration::ZERO).unwrap());
        for permits in [&one, &two] {
            assert_eq!(permits.acquire(Duration::from_millis(5)).err(), Some(Reason::Busy));
            assert_eq!(permits.in_use(), (1, 2), "a place of this process is not kept for nothing");
        }
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| two.acquire(Duration::from_secs(10)).is_ok());
            std::thread::sleep(Duration::from_millis(10));
            drop(held.0);
            assert!(waits.join().unwrap(), "who waits gets what another process gives back");
        });
        assert!(Permits::new(1).share(&folder.path("no/such/folder"), LIFE).is_err());
    }

    #[test]
    fn a_panic_gives_the_place_back() {
        let permits = Permits::new(1);
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _permit = permits.acquire(Duration::ZERO).unwrap();
            panic!("in the middle of a hash");
        }));
        assert!(outcome.is_err());
        assert_eq!(permits.in_use().0, 0);
    }
}
