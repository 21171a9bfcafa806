//! Single flight: of many equal requests one verifies, and the others wait for its word.
//!
//! Called by the engine between a miss of the cache and the throttle. Compares MACs only; a verdict lives as long as the
//! requests that waited for it, and whoever comes later is judged anew.

use super::{Cache, Tag};
use crate::base::{Reason, secret};
use parking_lot::{Condvar, Mutex};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// One verification under way, which others wait for.
pub(super) struct Slot {
    tag: Tag,
    landed: Mutex<Option<Landed>>,
    bell: Condvar,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Landed {
    Remembered,
    Refused(Reason),
    Nothing,
}

/// What [`Cache::fly`] found.
pub enum Flight<'a> {
    /// Nobody verifies this pair: do it, and tell with [`Lead::remembered`] or [`Lead::refused`].
    Lead(Lead<'a>),
    /// Another request verified this very pair meanwhile: [`Cache::check`] knows it now. Nothing is to be counted.
    Remembered,
    /// Another request offered this very pair meanwhile and was refused. One guess, counted once, by the other.
    Refused(Reason),
}

/// The right to verify a pair while others of the same pair wait. Dropped without a word, one of them goes on.
pub struct Lead<'a> {
    cache: &'a Cache,
    slot: Arc<Slot>,
}

impl Cache {
    /// Lets one of many equal requests verify and the rest wait, at most `wait`.
    ///
    /// Called after a miss and **before** the throttle is asked: fifty parallel requests of a browser are one guess.
    /// Errors: [`Reason::Busy`] when the other one took too long.
    pub fn fly(&self, tag: &Tag, wait: Duration) -> std::result::Result<Flight<'_>, Reason> {
        let deadline = Instant::now().checked_add(wait).ok_or(Reason::Busy)?;
        loop {
            let slot = match self.join(tag) {
                Ok(lead) => return Ok(Flight::Lead(lead)),
                Err(slot) => slot,
            };
            let mut landed = slot.landed.lock();
            while landed.is_none() {
                if slot.bell.wait_until(&mut landed, deadline).timed_out() && landed.is_none() {
                    return Err(Reason::Busy);
                }
            }
            match *landed {
                Some(Landed::Remembered) => return Ok(Flight::Remembered),
                Some(Landed::Refused(reason)) => return Ok(Flight::Refused(reason)),
                Some(Landed::Nothing) | None => {}
            }
        }
    }

    fn join(&self, tag: &Tag) -> std::result::Result<Lead<'_>, Arc<Slot>> {
        let mut flights = self.flights.lock();
        if let Some(slot) = flights.iter().find(|slot| secret::equal(&slot.tag.0, &tag.0)) {
            return Err(Arc::clone(slot));
        }
        let slot = Arc::new(Slot { tag: *tag, landed: Mutex::new(None), bell: Condvar::new() });
        flights.push(Arc::clone(&slot));
        Ok(Lead { cache: self, slot })
    }
}

impl Lead<'_> {
    /// The pair was verified and [`Cache::remember`] was called.
    pub fn remembered(self) {
        self.land(Landed::Remembered);
    }

    /// The pair was judged and refused; the others get the same word. Not for [`Reason::Busy`] and other failures of
    /// ours, nor for a refusal that depends on more than the pair (a throttled address): drop the lead for those.
    pub fn refused(self, reason: Reason) {
        self.land(if reason.is_unavailable() { Landed::Nothing } else { Landed::Refused(reason) });
    }

    fn land(&self, how: Landed) {
        // Out of the list first: who comes now starts a flight of its own, with the directory as it is now.
        self.cache.flights.lock().retain(|slot| !Arc::ptr_eq(slot, &self.slot));
        let mut landed = self.slot.landed.lock();
        if landed.is_none() {
            *landed = Some(how);
        }
        drop(landed);
        self.slot.bell.notify_all();
    }
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        self.land(Landed::Nothing);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Clock;
    use crate::crypto::mac::MacKey;
    use crate::password::verified::Pair;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn pair<'a>(user: &'a str, password: &'a [u8]) -> Pair<'a> {
        Pair { site: "data.example.org", profile: "form", tenant: "", directory: "users", user, password }
    }

    fn cache(capacity: usize) -> Cache {
        Cache::new(capacity, MacKey::random().unwrap())
    }

    #[test]
    fn parallel_requests_of_one_pair_verify_once() {
        let (cache, clock) = (cache(64), Clock::fake(1_000_000));
        let tag = cache.tag(&pair("Aladdin", b"OpenSesame")).unwrap();
        let (hashes, hits) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..50 {
                scope.spawn(|| {
                    if cache.check(&tag, clock.now()).is_none() {
                        match cache.fly(&tag, Duration::from_secs(10)).unwrap() {
                            // Who looked just before the first one landed leads again: it looks again.
                            Flight::Lead(lead) if cache.check(&tag, clock.now()).is_some() => lead.remembered(),
                            Flight::Lead(lead) => {
                                hashes.fetch_add(1, Ordering::SeqCst);
                                std::thread::sleep(Duration::from_millis(20));
                                cache.remember(&tag, "id-1", 1, 1, clock.now());
                                lead.remembered();
                            }
                            Flight::Remembered => {}
                            Flight::Refused(_) => panic!("nobody refused"),
                        }
                    }
                    hits.fetch_add(usize::from(cache.check(&tag, clock.now()).is_some()), Ordering::SeqCst);
                });
            }
        });
        assert_eq!((hashes.into_inner(), hits.into_inner()), (1, 50));
        assert!(cache.flights.lock().is_empty());
    }

    #[test]
    fn a_refusal_is_shared_with_those_who_waited_and_never_remembered() {
        let (cache, clock) = (cache(64), Clock::fake(1_000_000));
        let tag = cache.tag(&pair("Aladdin", b"wrong")).unwrap();
        let Ok(Flight::Lead(lead)) = cache.fly(&tag, Duration::ZERO) else { panic!("the first leads") };
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| match cache.fly(&tag, Duration::from_secs(10)).unwrap() {
                Flight::Refused(reason) => Some(reason),
                _ => None,
            });
            while Arc::strong_count(&lead.slot) < 3 {
                std::thread::yield_now();
            }
            lead.refused(Reason::WrongPassword);
            assert_eq!(waiter.join().unwrap(), Some(Reason::WrongPassword));
        });
        assert!(cache.check(&tag, clock.now()).is_none());
        assert!(matches!(cache.fly(&tag, Duration::ZERO), Ok(Flight::Lead(_))), "the next one is judged anew");
    }

    #[test]
    fn a_leader_that_gives_up_hands_on_and_a_slow_one_is_not_waited_for() {
        let cache = cache(64);
        let tag = cache.tag(&pair("Aladdin", b"OpenSesame")).unwrap();
        let Ok(Flight::Lead(lead)) = cache.fly(&tag, Duration::ZERO) else { panic!("the first leads") };
        assert!(matches!(cache.fly(&tag, Duration::from_millis(5)), Err(Reason::Busy)));
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| matches!(cache.fly(&tag, Duration::from_secs(10)), Ok(Flight::Lead(_))));
            while Arc::strong_count(&lead.slot) < 3 {
                std::thread::yield_now();
            }
            drop(lead);
            assert!(waiter.join().unwrap());
        });
    }
}
