//! Which salt this process mints with, and how many tokens it minted by which key.
//!
//! Called by `sealed` only. All of it stands in a page that a forked child sees as zeros, so that parent and child
//! never mint under one salt; the process id is compared as well, for systems without such a page. Only atomics: a
//! lock would stay held in a child that was forked while another thread had it.

use super::current::TALLIES;
use super::subkeys::Salt;
use crate::base::{Result, random};
use crate::crypto::sys::{WORDS, WipedPage, process_id};
use std::sync::atomic::{AtomicU64, Ordering};

/// Tokens minted under one salt. Threads that mint at the moment of the change may add one each.
const TOKENS_PER_SALT: u64 = 1 << 18;

const _: () = assert!(TALLIES + 3 <= WORDS);

pub(super) struct Epoch(WipedPage);

impl Epoch {
    pub fn new() -> Epoch {
        Epoch(WipedPage::new())
    }

    /// The salt for one more token.
    ///
    /// A salt is used only by the process that drew it: the process id is written after the salt and read before it.
    /// Threads that draw at once may use two salts for a moment, which is as good.
    ///
    /// Errors: `Status::Random`.
    pub fn next(&self) -> Result<Salt> {
        let [process, salt, used, ..] = self.0.words();
        let here = process_id();
        if process.load(Ordering::Acquire) == here {
            let salt = salt.load(Ordering::Relaxed);
            if used.fetch_add(1, Ordering::Relaxed) < TOKENS_PER_SALT {
                return Ok(salt.to_ne_bytes());
            }
        }
        self.draw(here, 1)
    }

    /// The salt that tokens carry now, without counting one.
    ///
    /// Errors: `Status::Random`.
    pub fn current(&self) -> Result<Salt> {
        let [process, salt, ..] = self.0.words();
        let here = process_id();
        if process.load(Ordering::Acquire) == here {
            return Ok(salt.load(Ordering::Relaxed).to_ne_bytes());
        }
        self.draw(here, 0)
    }

    fn draw(&self, here: u64, already_used: u64) -> Result<Salt> {
        let [process, salt, used, ..] = self.0.words();
        let fresh: Salt = random::array()?;
        salt.store(u64::from_ne_bytes(fresh), Ordering::Relaxed);
        used.store(already_used, Ordering::Relaxed);
        process.store(here, Ordering::Release);
        Ok(fresh)
    }

    /// Counts a token of the key that is counted at `place`.
    pub fn count(&self, place: usize) {
        if let Some(count) = self.counts().get(place) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Begins a count anew, for another key.
    pub fn begin(&self, place: usize) {
        if let Some(count) = self.counts().get(place) {
            count.store(0, Ordering::Relaxed);
        }
    }

    /// How many tokens this process minted with the key that is counted at `place`.
    pub fn counted(&self, place: usize) -> u64 {
        self.counts().get(place).map_or(0, |count| count.load(Ordering::Relaxed))
    }

    fn counts(&self) -> &[AtomicU64] {
        let [_, _, _, counts @ ..] = self.0.words();
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_salt_serves_its_tokens_and_then_changes() {
        let epoch = Epoch::new();
        let first = epoch.next().unwrap();
        for _ in 1..TOKENS_PER_SALT {
            assert_eq!(epoch.next().unwrap(), first);
        }
        let second = epoch.next().unwrap();
        assert_ne!(second, first);
        assert_eq!(epoch.next().unwrap(), second);
    }

    #[test]
    fn another_process_id_means_another_salt() {
        let epoch = Epoch::new();
        let first = epoch.next().unwrap();
        assert_eq!(epoch.current().unwrap(), first);
        // As a forked child finds the page where it is not wiped.
        epoch.0.words()[0].store(process_id() + 1, Ordering::Relaxed);
        assert_ne!(epoch.current().unwrap(), first);
    }

    #[test]
    fn asking_for_the_current_salt_counts_nothing() {
        let epoch = Epoch::new();
        let salt = epoch.current().unwrap();
        assert_eq!(epoch.0.words()[2].load(Ordering::Relaxed), 0);
        assert_eq!(epoch.next().unwrap(), salt);
        assert_eq!(epoch.0.words()[2].load(Ordering::Relaxed), 1);
    }
}
