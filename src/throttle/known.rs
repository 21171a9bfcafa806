//! Pairs of account and address that logged in within 30 days.
//!
//! Used by `throttle::ledger` alone; how often they guess wrong is counted elsewhere. An entry is one word, a tag of 34 bits
//! above the boot second of the last success, and every change is one compare-and-swap. A key has eight places; where
//! all are taken the oldest makes room, and is a stranger again. Two processes may write one pair twice, which says the
//! same. What a killed process or garbage leaves is at worst a pair that is not known.

use super::counts::AHEAD;
use std::sync::atomic::{AtomicU64, Ordering};

/// Seconds for which a pair is known: 30 days.
const KNOWN_FOR: i64 = 30 * 24 * 3600;

const PLACES: usize = 8;

const LATEST: u64 = (1 << 30) - 1;

/// Entries, as they lie in a page.
#[derive(Clone, Copy)]
pub(super) struct Known<'a>(pub &'a [AtomicU64]);

/// The tag of a key, where it stands in a word. No key's is 0, which is an empty place's.
fn tag(key: u64) -> u64 {
    (key >> 30).max(1) << 30
}

/// Whether the entry is of a success that is not too old. What is ahead of all clocks is garbage.
fn is_good(word: u64, at: i64) -> bool {
    word & !LATEST != 0 && (-AHEAD..KNOWN_FOR).contains(&at.saturating_sub((word & LATEST) as i64))
}

impl<'a> Known<'a> {
    fn places(&self, key: u64) -> &'a [AtomicU64] {
        let sets = (self.0.len() / PLACES).max(1) as u64;
        let start = ((key & LATEST) % sets) as usize * PLACES;
        self.0.get(start..).and_then(|rest| rest.get(..PLACES)).unwrap_or_default()
    }

    pub(super) fn contains(&self, key: u64, at: i64) -> bool {
        let words = self.places(key).iter().map(|place| place.load(Ordering::Acquire));
        words.into_iter().any(|word| word & !LATEST == tag(key) && is_good(word, at))
    }

    /// The pair logged in. Where others learn at the same time, again and again, it stays a stranger.
    pub(super) fn learn(&self, key: u64, at: i64) {
        let entry = tag(key) | at.clamp(0, LATEST as i64) as u64;
        for _ in 0..PLACES {
            let read = self.places(key).iter().map(|place| (place, place.load(Ordering::Acquire)));
            let worst = read.min_by_key(|(_, word)| match *word {
                word if word & !LATEST == tag(key) => 0,
                word if !is_good(word, at) => 1,
                word => 2 + (word & LATEST),
            });
            let Some((place, word)) = worst else { return };
            if place.compare_exchange(word, entry, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
                return;
            }
        }
    }
}
