//! Telling a forked child from the process that made an object, and a key that a fork takes away.
//!
//! Both stand on a page that the system wipes in a forked child, and on the process id where there is no such page. A
//! process id alone is not enough on Linux: in nested pid namespaces parent and child can both be process 1.
//! Nothing here waits for a lock: a lock held by another thread at the moment of a fork stays held for ever.

use super::sys::{WipedPage, process_id};
use crate::base::{Result, random};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use zeroize::Zeroizing;

/// Remembers the process it was made in. One load to ask on Linux, a system call elsewhere. Any thread.
pub struct ForkGuard {
    page: WipedPage,
    process: u64,
}

impl ForkGuard {
    /// Remembers this process.
    pub fn new() -> ForkGuard {
        let page = WipedPage::new();
        let process = process_id();
        let [mark, ..] = page.words();
        mark.store(1, Ordering::Relaxed);
        ForkGuard { page, process }
    }

    /// Whether the caller runs in the process that made this guard, and not in a fork of it.
    pub fn same_process(&self) -> bool {
        if self.page.wipes() {
            let [mark, ..] = self.page.words();
            return mark.load(Ordering::Relaxed) != 0;
        }
        process_id() == self.process
    }
}

impl Default for ForkGuard {
    fn default() -> ForkGuard {
        ForkGuard::new()
    }
}

impl fmt::Debug for ForkGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ForkGuard(process {})", self.process)
    }
}

/// The low byte of the state word; the process id stands above it.
const FILLING: u64 = 1;
const READY: u64 = 2;

/// 32 random bytes that belong to one process: a forked child finds none and draws its own.
///
/// Left out of dumps and locked in memory where the system allows it; wiped when dropped. Any thread.
pub struct WipedKey {
    page: WipedPage,
}

impl WipedKey {
    /// A place without a key: nothing is drawn before [`WipedKey::fill`].
    pub fn new() -> WipedKey {
        WipedKey { page: WipedPage::new() }
    }

    /// Whether this process has drawn its key: one load where the page is wiped by a fork.
    pub fn is_filled(&self) -> bool {
        let [state, ..] = self.page.words();
        let state = state.load(Ordering::Acquire);
        state & 0xff == READY && (self.page.wipes() || state >> 8 == process_id())
    }

    /// The key of this process, if one was drawn. No lock; no system call where the page is wiped by a fork.
    pub fn get(&self) -> Option<Zeroizing<[u8; 32]>> {
        let [_, words @ ..] = self.page.words();
        self.is_filled().then(|| read(words))
    }

    /// The key of this process; draws it when there is none. Threads that come at once get the same key.
    ///
    /// Errors: `Status::Random`; then there is still no key.
    pub fn fill(&self) -> Result<Zeroizing<[u8; 32]>> {
        if let Some(key) = self.get() {
            return Ok(key);
        }
        let fresh = Zeroizing::new(random::array::<32>()?);
        let process = process_id() << 8;
        let [state, words @ ..] = self.page.words();
        loop {
            let seen = state.load(Ordering::Acquire);
            if seen == process | READY {
                return Ok(read(words));
            }
            if seen == process | FILLING {
                // Another thread of this process is between two lines below: four stores away from done.
                std::thread::yield_now();
                continue;
            }
            let won = state.compare_exchange(seen, process | FILLING, Ordering::Acquire, Ordering::Relaxed);
            if won.is_ok() {
                write(words, &fresh);
                state.store(process | READY, Ordering::Release);
                return Ok(fresh);
            }
        }
    }
}

impl Default for WipedKey {
    fn default() -> WipedKey {
        WipedKey::new()
    }
}

impl fmt::Debug for WipedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WipedKey")
    }
}

fn read(words: &[AtomicU64]) -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    for (bytes, word) in key.chunks_exact_mut(8).zip(words) {
        bytes.copy_from_slice(&word.load(Ordering::Relaxed).to_ne_bytes());
    }
    key
}

fn write(words: &[AtomicU64], key: &[u8; 32]) {
    for (bytes, word) in key.chunks_exact(8).zip(words) {
        let mut eight = [0; 8];
        eight.copy_from_slice(bytes);
        word.store(u64::from_ne_bytes(eight), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_that_made_a_guard_is_the_same_process() {
        assert!(ForkGuard::new().same_process());
    }

    #[test]
    fn a_key_is_drawn_once_and_kept() {
        let key = WipedKey::new();
        assert!(key.get().is_none());
        let drawn = key.fill().unwrap();
        assert_eq!(key.get().as_deref(), Some(&*drawn));
        assert_eq!(*key.fill().unwrap(), *drawn);
        assert_ne!(*drawn, [0; 32]);
        assert_ne!(*WipedKey::new().fill().unwrap(), *drawn);
    }

    #[test]
    fn threads_that_fill_at_once_get_one_key() {
        for _ in 0..50 {
            let key = WipedKey::new();
            let all: Vec<_> = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| *key.fill().unwrap())).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            assert!(all.iter().all(|one| *one == all[0]));
        }
    }

    #[test]
    fn a_key_of_another_process_is_not_ours() {
        // As a fork looks where no page is wiped: the word names another process.
        let key = WipedKey { page: WipedPage::new() };
        key.page.words()[0].store((process_id() + 1) << 8 | FILLING, Ordering::Relaxed);
        assert!(key.get().is_none());
        assert_ne!(*key.fill().unwrap(), [0; 32], "a fill that another process left half done is done again");
    }

    #[test]
    fn debug_shows_no_key_byte() {
        let key = WipedKey::new();
        key.fill().unwrap();
        assert_eq!(format!("{key:?}"), "WipedKey");
    }
}
