//! The ring in force: read on every check without waiting, exchanged as a whole when the keyring file has a newer one.
//!
//! Called by `sealed` only. A reader takes the place in force for the time of one seal or one opening, by an atomic
//! count and no system call; it fails and looks again only in the moment of an exchange. A writer fills a place that
//! nobody reads and then points to it. Nobody ever sleeps at a place: writers too only try. There are more places than
//! two because a fork can leave a place counted as read for ever, by a thread that the child does not have.

use crate::base::{Error, Result};
use crate::crypto::keyring::MAX_KEYS;
use crate::crypto::{KeyId, Keyring};
use parking_lot::{MappedRwLockReadGuard, Mutex, RwLock, RwLockReadGuard};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

const PLACES: usize = 4;

/// A writer that meets another waits so long.
const WAIT: Duration = Duration::from_secs(1);

/// Where the tokens of a key are counted: any number below [`TALLIES`].
pub(super) const TALLIES: usize = MAX_KEYS + MAX_KEYS / 2;

/// A ring, and where the tokens of each of its keys are counted.
pub(super) struct Held {
    pub ring: Arc<Keyring>,
    tallies: Vec<(KeyId, usize)>,
}

impl Held {
    fn first(ring: Arc<Keyring>) -> Held {
        let tallies = ring.keys().iter().enumerate().map(|(place, key)| (key.id(), place)).collect();
        Held { ring, tallies }
    }

    /// The next ring: keys that stay are counted where they were, new ones where nothing was counted of `self`'s.
    /// Returns the places that begin anew as well.
    fn next(&self, ring: Arc<Keyring>) -> (Held, Vec<usize>) {
        let (mut tallies, mut fresh) = (Vec::with_capacity(MAX_KEYS), Vec::new());
        for key in ring.keys() {
            let free = |at: &usize| !self.tallies.iter().map(|(_, at)| at).chain(&fresh).any(|taken| taken == at);
            let (at, is_new) = match self.tally(&key.id()) {
                Some(at) => (at, false),
                None => ((0..TALLIES).find(free).unwrap_or(TALLIES), true),
            };
            tallies.push((key.id(), at));
            fresh.extend(is_new.then_some(at));
        }
        (Held { ring, tallies }, fresh)
    }

    /// Where tokens of this key are counted; [`TALLIES`] where there is no room to.
    pub fn tally(&self, id: &KeyId) -> Option<usize> {
        self.tallies.iter().find(|(known, _)| known == id).map(|(_, at)| *at)
    }
}

/// The ring in force. Any thread; safe across a fork.
pub(super) struct Current {
    places: [RwLock<Option<Held>>; PLACES],
    at: AtomicUsize,
    generation: AtomicU64,
    writing: Mutex<()>,
}

impl Current {
    pub fn new(ring: Arc<Keyring>) -> Current {
        let generation = AtomicU64::new(ring.generation());
        let places = [(); PLACES].map(|()| RwLock::new(None));
        let [first, ..] = &places;
        *first.write() = Some(Held::first(ring));
        Current { places, at: AtomicUsize::new(0), generation, writing: Mutex::new(()) }
    }

    /// The ring in force, which stays whole while it is held. Hold it for one piece of work. No allocation, no waiting,
    /// no system call.
    pub fn get(&self) -> MappedRwLockReadGuard<'_, Held> {
        loop {
            let place = self.places.get(self.at.load(Ordering::Acquire)).and_then(RwLock::try_read);
            if let Some(Ok(held)) = place.map(|held| RwLockReadGuard::try_map(held, Option::as_ref)) {
                return held;
            }
            // The place was emptied between the two looks: another is in force by now.
            std::hint::spin_loop();
        }
    }

    /// The generation of the ring in force: what was found good in it is good without another look. One load.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Puts `ring` in force if it is newer; `begin` is told each place of the count that begins anew.
    ///
    /// Errors: `Status::Refused` as [`Keyring::follows`]; `Status::Unavailable` when every other place is still in use.
    pub fn replace(&self, ring: Keyring, begin: impl Fn(usize)) -> Result<bool> {
        let busy = || Error::unavailable("the keys in force are in use in every place there is for them");
        let _one = self.writing.try_lock_for(WAIT).ok_or_else(busy)?;
        let in_force = self.get();
        if !ring.follows(&in_force.ring)? {
            return Ok(false);
        }
        let generation = ring.generation();
        let (next, fresh) = in_force.next(Arc::new(ring));
        drop(in_force);
        let now = self.at.load(Ordering::Relaxed);
        let others = self.places.iter().enumerate().filter(|(at, _)| *at != now);
        let (at, mut place) =
            others.filter_map(|(at, place)| Some((at, place.try_write()?))).next().ok_or_else(busy)?;
        fresh.into_iter().for_each(begin);
        *place = Some(next);
        drop(place);
        self.at.store(at, Ordering::Release);
        self.generation.store(generation, Ordering::Release);
        Ok(true)
    }

    /// Wipes rings that are in force no more. What somebody still reads is left for the next time.
    pub fn tidy(&self) {
        let Some(_one) = self.writing.try_lock() else { return };
        let now = self.at.load(Ordering::Relaxed);
        for (_, place) in self.places.iter().enumerate().filter(|(at, _)| *at != now) {
            let gone = place.try_write().and_then(|mut held| held.take());
            drop(gone);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::RingPlace;
    use crate::crypto::keyring_change::{Haste, publish, rotate};
    use crate::crypto::scratch::Scratch;

    const NOW: i64 = 1_767_225_600;

    /// A ring, and the same ring one and two generations on.
    fn three() -> [Keyring; 3] {
        let folder = Scratch::new();
        let path = folder.path("ring.toml");
        let first = Keyring::create(&path, NOW, None).unwrap();
        publish(&RingPlace::file(&path), NOW, 200).unwrap();
        let second = Keyring::load(&path, NOW).unwrap();
        rotate(&RingPlace::file(&path), NOW, Haste::AtOnce).unwrap();
        [first, second, Keyring::load(&path, NOW).unwrap()]
    }

    #[test]
    fn a_newer_ring_takes_over_and_an_older_one_never() {
        let [first, second, third] = three();
        let current = Current::new(Arc::new(first));
        assert_eq!(current.replace(third, |_| ()), Ok(true));
        assert_eq!((current.get().ring.generation(), current.generation()), (3, 3));
        assert_eq!(current.replace(second, |_| ()).unwrap_err().status, crate::base::Status::Refused);
        assert_eq!(
            current.replace(Keyring::ephemeral(NOW).unwrap(), |_| ()).unwrap_err().status,
            crate::base::Status::Refused
        );
        assert_eq!(current.get().ring.generation(), 3);
    }

    #[test]
    fn what_is_in_use_is_neither_written_to_nor_wiped() {
        let [first, second, third] = three();
        let current = Current::new(Arc::new(first));
        let reader = current.get();
        assert_eq!(current.replace(second, |_| ()), Ok(true));
        let later = current.get();
        assert_eq!(current.replace(third, |_| ()), Ok(true));
        current.tidy();
        assert_eq!((reader.ring.generation(), later.ring.generation()), (1, 2), "each holds one ring, whole");
        assert_eq!(current.get().ring.generation(), 3);
        drop((reader, later));
        current.tidy();
        let kept = current.places.iter().filter(|place| place.read().is_some()).count();
        assert_eq!(kept, 1, "rings out of force are wiped");
        assert_eq!(current.get().ring.generation(), 3);
    }

    #[test]
    fn places_that_a_fork_left_in_use_are_passed_over_and_said() {
        let [first, second, third] = three();
        let current = Current::new(Arc::new(first));
        // As a child finds it whose parent had threads: two places read by nobody who could ever finish.
        let stuck: Vec<_> = [0, 1].map(|at| current.places[at].read()).into();
        assert_eq!(current.replace(second, |_| ()), Ok(true));
        let more: Vec<_> = [3].map(|at| current.places[at].read()).into();
        let error = current.replace(third, |_| ()).unwrap_err();
        assert_eq!(error.status, crate::base::Status::Unavailable);
        assert_eq!(current.get().ring.generation(), 2, "the last good ring stays");
        drop((stuck, more));
    }

    #[test]
    fn tokens_of_a_key_are_counted_in_one_place_through_every_change() {
        let [first, second, third] = three();
        let old = first.keys()[0].id();
        let new = third.keys()[1].id();
        let current = Current::new(Arc::new(first));
        let begun = std::cell::RefCell::new(Vec::new());
        current.replace(second, |at| begun.borrow_mut().push(at)).unwrap();
        let place = current.get().tally(&new);
        assert_eq!((current.get().tally(&old), place, &*begun.borrow()), (Some(0), Some(1), &vec![1]));
        current.replace(third, |at| begun.borrow_mut().push(at)).unwrap();
        assert_eq!((current.get().tally(&new), begun.borrow().len()), (place, 1));
    }
}
