//! Pairs of account and network that logged in within 30 days.
//!
//! Used by `throttle::ledger` alone; how often they guess wrong is counted elsewhere. All pairs of an account lie in one set
//! of 16 places, chosen by the account. An entry is **one word**, and every change is one compare-and-swap:
//!
//! | bits | what |
//! |---|---|
//! | 12 | which account of the set |
//! | 30 | which pair of the account, never 0 |
//! | 22 | boot time of the last success, in units of 256 seconds |
//!
//! *Who makes room.* Where all places are taken, whoever holds the most of them gives up its oldest pair, and that is the
//! account that logs in unless another holds more. So however many networks one account has, it takes places from those
//! that hold more than it does, and from nobody his last: where k accounts share a set, each keeps its 16/k newest pairs.
//! Only where more than 16 share one do accounts push each other out, the one that logged in least recently first.
//!
//! Two processes may write one pair twice, which says the same, and two that write at once may take a place more than is
//! fair. What a killed process or garbage leaves is at worst a pair that is not known.

use super::counts::AHEAD;
use std::cmp::Reverse;
use std::sync::atomic::{AtomicU64, Ordering};

/// Seconds in which times are kept.
const UNIT: i64 = 256;

/// Units for which a pair is known: 30 days, and less than one unit more or less.
const KNOWN_FOR: i64 = 30 * 24 * 3600 / UNIT;

/// Units by which one reader's clock may be behind another's.
const EARLY: i64 = AHEAD / UNIT + 1;

/// Places of a set.
const PLACES: usize = 16;

/// Where time ends and the pair begins, and where the pair ends and the account begins.
const PAIR: u32 = 22;
const ACCOUNT: u32 = 52;

const TIME: u64 = (1 << PAIR) - 1;

/// An account at a network, as digests.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair {
    pub account: u64,
    /// Of both.
    pub digest: u64,
}

impl Pair {
    /// What tells pairs of a set from each other, where it stands in a word. The set is chosen by other bits.
    fn tag(&self) -> u64 {
        (self.account >> 20) << ACCOUNT | (self.digest >> 34).max(1) << PAIR
    }
}

/// Entries, as they lie in a page.
#[derive(Clone, Copy)]
pub(super) struct Known<'a>(pub &'a [AtomicU64]);

fn tag(word: u64) -> u64 {
    word & !TIME
}

fn account(word: u64) -> u64 {
    word >> ACCOUNT
}

/// Whether the entry is of a success that is not too old. What is ahead of all clocks is garbage.
fn is_good(word: u64, at: i64) -> bool {
    let age = at.div_euclid(UNIT) - (word & TIME) as i64;
    tag(word) << (64 - ACCOUNT) != 0 && (-EARLY..KNOWN_FOR).contains(&age)
}

impl<'a> Known<'a> {
    fn places(&self, pair: &Pair) -> &'a [AtomicU64] {
        let sets = (self.0.len() / PLACES).max(1) as u64;
        let start = ((pair.account >> 32) % sets) as usize * PLACES;
        self.0.get(start..).and_then(|rest| rest.get(..PLACES)).unwrap_or_default()
    }

    pub(super) fn contains(&self, pair: &Pair, at: i64) -> bool {
        let words = self.places(pair).iter().map(|place| place.load(Ordering::Acquire));
        words.into_iter().any(|word| tag(word) == pair.tag() && is_good(word, at))
    }

    /// Whether the account is known from anywhere. Said of a stranger, too, whose tag another of the set has.
    pub(super) fn has_account(&self, pair: &Pair, at: i64) -> bool {
        let words = self.places(pair).iter().map(|place| place.load(Ordering::Acquire));
        words.into_iter().any(|word| account(word) == account(pair.tag()) && is_good(word, at))
    }

    /// The pair logged in. Where others learn at the same time, again and again, it stays a stranger.
    pub(super) fn learn(&self, pair: &Pair, at: i64) {
        let places = self.places(pair);
        let entry = pair.tag() | at.div_euclid(UNIT).clamp(0, TIME as i64) as u64;
        for _ in 0..PLACES {
            let mut words = [0; PLACES];
            for (word, place) in words.iter_mut().zip(places) {
                *word = place.load(Ordering::Acquire);
            }
            let (number, word) = choose(&words, entry, at);
            let Some(place) = places.get(number) else { return };
            if place.compare_exchange(word, entry, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
                return;
            }
        }
    }
}

/// The place of an entry, and what is there: the pair's own, or a free one, or the oldest of who holds the most.
fn choose(words: &[u64; PLACES], entry: u64, at: i64) -> (usize, u64) {
    let held = |owner: u64| words.iter().filter(|word| is_good(**word, at) && account(**word) == owner).count();
    let rank = |word: u64| match word {
        word if tag(word) == tag(entry) => (0, Reverse(0), false, 0),
        word if !is_good(word, at) => (1, Reverse(0), false, 0),
        word => (2, Reverse(held(account(word))), account(word) != account(entry), word & TIME),
    };
    words.iter().copied().enumerate().min_by_key(|(_, word)| rank(*word)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Page;
    use proptest::prelude::*;

    fn pair(account: u64, network: u64) -> Pair {
        // One set, for their upper halves are equal.
        Pair { account: account << 20, digest: (network + 1) << 34 }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        /// Whoever logs in from however many networks: of k accounts each keeps its 16/k newest pairs.
        #[test]
        fn no_account_takes_anothers_last_places(
            accounts in 1u64..=16,
            steps in prop::collection::vec((0u64..16, 0u64..40), 1..300),
        ) {
            let page = Page::private(PLACES);
            let known = Known(page.words());
            let mut newest = vec![Vec::new(); 16];
            for (at, (owner, network)) in (0..).step_by(UNIT as usize).zip(steps) {
                let owner = owner % accounts;
                known.learn(&pair(owner, network), at);
                let list: &mut Vec<u64> = &mut newest[owner as usize];
                list.retain(|other| *other != network);
                list.insert(0, network);
                for (owner, list) in (0..).zip(&newest) {
                    for network in list.iter().take(PLACES / accounts as usize) {
                        prop_assert!(known.contains(&pair(owner, *network), at), "{owner} at {network}");
                    }
                }
            }
        }
    }

    #[test]
    fn where_too_many_share_a_set_who_came_least_recently_makes_room_and_comes_back() {
        let page = Page::private(PLACES);
        let known = Known(page.words());
        let knows = |account, at| known.contains(&pair(account, 0), at);
        (0..17).for_each(|account| known.learn(&pair(account, 0), account as i64 * UNIT));
        let at = 17 * UNIT;
        assert!(!knows(0, at) && (1..17).all(|account| knows(account, at)));
        known.learn(&pair(0, 0), at);
        assert!(knows(0, at) && !knows(1, at) && (2..17).all(|account| knows(account, at)));
        (0..100).for_each(|network| known.learn(&pair(0, network), at + UNIT));
        assert!((2..17).all(|account| knows(account, at)), "one place in all for who came last");
        let later = (KNOWN_FOR + 15) * UNIT;
        assert!(!knows(15, later));
        known.learn(&pair(1, 0), later);
        assert!(knows(1, later) && knows(16, later), "what is too old goes first");
    }
}
