//! Hash permits of all processes of a machine: slots in a shared page, each empty or taken until a deadline.
//!
//! Used by `password::permits` alone. A slot is one word, the boot millisecond at which it falls free by itself above a
//! number that only its taker knows. A process that dies leaves slots that fall free; one that is stopped for longer
//! finds its slot another's, and gives nothing back. The page is disposable: whatever it holds, at worst a few hashes
//! too many run for a while.

use crate::base::{Page, Result, random, sys};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Words of the page: no machine has more places.
const WORDS: usize = 512;

/// Bits of a taker's number.
const NUMBER: u32 = 24;

/// The slots.
#[derive(Debug)]
pub(super) struct Slots {
    page: Page,
    /// Milliseconds for which a slot is taken at most.
    life: u64,
    number: AtomicU64,
}

/// A slot that was taken.
#[derive(Debug)]
pub(super) struct Slot {
    at: usize,
    word: u64,
}

fn now() -> u64 {
    u64::try_from(sys::boot_us() / 1_000).unwrap_or(0)
}

impl Slots {
    /// Shares the page in the file `path`.
    pub(super) fn open(path: &Path, life: Duration) -> Result<Slots> {
        let number = u64::from_le_bytes(random::array()?);
        let life = u64::try_from(life.as_millis()).unwrap_or(u64::MAX >> NUMBER);
        Ok(Slots { page: Page::shared(path, WORDS)?, life, number: AtomicU64::new(number) })
    }

    /// Takes one of the first `places` slots, if one is free.
    pub(super) fn take(&self, places: usize) -> Option<Slot> {
        let now = now();
        let number = self.number.fetch_add(1, Ordering::Relaxed) & ((1 << NUMBER) - 1);
        // Never 0, which is an empty slot.
        let word = now.saturating_add(self.life).max(1) << NUMBER | number;
        self.page.words().iter().take(places).enumerate().find_map(|(at, slot)| {
            let seen = slot.load(Ordering::Acquire);
            // By a clock that is read after it: to an older one a slot that was taken just now would look like garbage.
            let taken = seen != 0 && self.is_held(seen >> NUMBER, self::now());
            let won = !taken && slot.compare_exchange(seen, word, Ordering::AcqRel, Ordering::Relaxed).is_ok();
            won.then_some(Slot { at, word })
        })
    }

    /// Whether a slot that falls free at `until` is somebody's. A moment further ahead than any taker's is nobody's.
    fn is_held(&self, until: u64, now: u64) -> bool {
        (now..=now.saturating_add(self.life)).contains(&until)
    }

    /// Gives a slot back, unless it has fallen free and is another's.
    pub(super) fn give_back(&self, slot: &Slot) {
        if let Some(place) = self.page.words().get(slot.at) {
            let _ = place.compare_exchange(slot.word, 0, Ordering::AcqRel, Ordering::Relaxed);
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::crypto::scratch::Scratch;
    use std::thread::sleep;

    fn slots(folder: &Scratch, life: u64) -> Slots {
        Slots::open(&folder.path("permits"), Duration::from_millis(life)).unwrap()
    }

    #[test]
    fn a_slot_is_one_holders_until_it_is_given_back_or_overdue() {
        let folder = Scratch::new();
        let (one, two) = (slots(&folder, 60_000), slots(&folder, 60_000));
        let (first, second) = (one.take(2).unwrap(), two.take(2).unwrap());
        assert!(one.take(2).is_none() && two.take(2).is_none(), "two places for all");
        one.give_back(&second);
        assert!(two.take(1).is_none(), "the first is still taken");
        let third = two.take(2).unwrap();
        two.give_back(&third);
        one.give_back(&first);
        let quick = slots(&folder, 30);
        let left = [quick.take(2).unwrap(), quick.take(2).unwrap()];
        assert!(quick.take(2).is_none());
        sleep(Duration::from_millis(40));
        let taken = [quick.take(2).unwrap(), quick.take(2).unwrap()];
        left.iter().for_each(|slot| quick.give_back(slot));
        assert!(quick.take(2).is_none(), "who comes late gives back nobody else's");
        taken.iter().for_each(|slot| quick.give_back(slot));
        assert!(quick.take(2).is_some());
    }

    #[test]
    fn whatever_the_page_holds_is_no_reason_to_wait_for_ever() {
        let folder = Scratch::new();
        for word in [u64::MAX, 1, now() << NUMBER, (now() + 10_000_000) << NUMBER, 5 << NUMBER] {
            let slots = slots(&folder, 1_000);
            slots.page.words().iter().for_each(|slot| slot.store(word, Ordering::Relaxed));
            sleep(Duration::from_millis(2));
            assert!(slots.take(1).is_some(), "{word:#x}");
        }
    }
}
