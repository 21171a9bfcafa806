//! How many hashes run at once in this process: past that a login waits, and past its deadline it is told to try again.
//!
//! Called by the engine's login before the user is looked up, so that waiting says nothing about the name. argon2 takes
//! its memory for each of them: the number of places is the bound on memory. Counts this process only; a store that
//! several processes share has slots of its own.

use crate::base::Reason;
use parking_lot::{Condvar, Mutex};
use std::time::{Duration, Instant};

/// Places for hashing. Any thread; not used across a fork.
#[derive(Debug)]
pub struct Permits {
    places: usize,
    taken: Mutex<usize>,
    freed: Condvar,
}

/// A place; dropping it gives it back, on every way out.
#[derive(Debug)]
pub struct Permit<'a>(&'a Permits);

impl Permits {
    /// `places` hashes at once; 0 is taken as 1, for no login could ever run.
    pub fn new(places: usize) -> Permits {
        Permits { places: places.max(1), taken: Mutex::new(0), freed: Condvar::new() }
    }

    /// Takes a place, waiting at most `wait` for one. Zero never waits.
    ///
    /// Errors: [`Reason::Busy`] when none came free in time: the request was neither judged nor counted.
    pub fn acquire(&self, wait: Duration) -> Result<Permit<'_>, Reason> {
        let mut taken = self.taken.lock();
        if *taken >= self.places {
            let deadline = Instant::now().checked_add(wait).ok_or(Reason::Busy)?;
            while *taken >= self.places {
                let late = self.freed.wait_until(&mut taken, deadline).timed_out();
                if late && *taken >= self.places {
                    return Err(Reason::Busy);
                }
            }
        }
        *taken += 1;
        Ok(Permit(self))
    }

    /// Places taken now, and places in all.
    pub fn in_use(&self) -> (usize, usize) {
        (*self.taken.lock(), self.places)
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let mut taken = self.0.taken.lock();
        *taken = taken.saturating_sub(1);
        drop(taken);
        self.0.freed.notify_one();
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
