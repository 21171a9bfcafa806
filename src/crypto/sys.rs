//! Pages of memory asked of the system for keys: wiped in a forked child, or left out of dumps and locked in memory.
//!
//! [`WipedPage`] hands out atomics only, so that what a fork does to it can never be a data race. [`Arena`] holds
//! values that carry key schedules. Both are best effort towards the system (a refused `mlock` or `madvise` is not an
//! error), and [`WipedPage::wipes`] says whether the promise of the wiped page holds.

#![allow(unsafe_code)]

use std::alloc::{Layout, handle_alloc_error};
use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;

/// The words of a [`WipedPage`].
pub const WORDS: usize = 64;

/// Alignment of every mapping, and the granule asked of the allocator where there is no `mmap`.
const PAGE: usize = 4096;

/// The process id; asks the system each time.
pub fn process_id() -> u64 {
    u64::from(std::process::id())
}

/// The effective user of this process.
#[cfg(unix)]
pub fn effective_user() -> u32 {
    // SAFETY: takes nothing, cannot fail.
    unsafe { libc::geteuid() }
}

/// A page of zeroed words that reads as zeros again in a forked child (`MADV_WIPEONFORK`, Linux 4.14).
///
/// Left out of dumps and locked in memory where the system allows it. Any thread may use it.
pub struct WipedPage {
    block: Block,
    wipes: bool,
}

impl WipedPage {
    /// A fresh page of zeros.
    pub fn new() -> WipedPage {
        let block = Block::zeroed(PAGE);
        let wipes = block.wipe_on_fork();
        WipedPage { block, wipes }
    }

    /// Whether a forked child sees zeros. Where it does not, the owner must compare process ids.
    pub fn wipes(&self) -> bool {
        self.wipes
    }

    /// The words of the page. A word that was never written, or that a fork wiped, is 0.
    pub fn words(&self) -> &[AtomicU64; WORDS] {
        // SAFETY: the block holds PAGE zeroed or atomically written bytes, is aligned to PAGE, lives as long as
        // `self`, and is only ever reached as these atomics. WORDS * 8 <= PAGE, and zero is a valid AtomicU64.
        unsafe { self.block.start.cast::<[AtomicU64; WORDS]>().as_ref() }
    }
}

impl Default for WipedPage {
    fn default() -> WipedPage {
        WipedPage::new()
    }
}

/// A fixed list of values in pages of their own: left out of dumps, locked in memory where the system allows it, and
/// overwritten with zeros when dropped.
///
/// A fork copies it (the lock in memory does not pass to the child). What the values own elsewhere is theirs to wipe.
pub struct Arena<T> {
    first: NonNull<T>,
    length: usize,
    /// Holds the memory, and wipes and frees it after the values were dropped.
    _block: Block,
}

impl<T> Arena<T> {
    /// `length` values, made one after the other by `make`. Aborts without memory, as `Box` does.
    pub fn from_fn(length: usize, mut make: impl FnMut(usize) -> T) -> Arena<T> {
        const { assert!(align_of::<T>() <= PAGE && size_of::<T>() > 0) };
        let bytes = size_of::<T>().saturating_mul(length).max(1);
        let block = Block::zeroed(bytes);
        let first = block.start.cast::<T>();
        for place in 0..length {
            // SAFETY: `place < length`, so the write stays within the block, which is aligned to PAGE and not yet
            // shared. Should `make` panic, the values made so far leak; nothing is dropped twice.
            unsafe { first.add(place).write(make(place)) };
        }
        Arena { first, length, _block: block }
    }
}

impl<T> Deref for Arena<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: `from_fn` has written `length` values at `first`; they live until drop.
        unsafe { std::slice::from_raw_parts(self.first.as_ptr(), self.length) }
    }
}

impl<T> Drop for Arena<T> {
    fn drop(&mut self) {
        let all = std::ptr::slice_from_raw_parts_mut(self.first.as_ptr(), self.length);
        // SAFETY: the values were written by `from_fn`, nobody else holds them, and they are not used again: the
        // block, dropped after this, wipes and frees only bytes.
        unsafe { std::ptr::drop_in_place(all) };
    }
}

// SAFETY: an Arena owns its values like a Box<[T]>.
unsafe impl<T: Send> Send for Arena<T> {}
// SAFETY: a shared Arena gives out `&T` only.
unsafe impl<T: Sync> Sync for Arena<T> {}

/// Zeroed bytes aligned to [`PAGE`]: a private mapping where there is one, else the allocator's.
struct Block {
    start: NonNull<u8>,
    bytes: usize,
    mapped: bool,
}

// SAFETY: a Block is plain owned memory; those who reach into it answer for how.
unsafe impl Send for Block {}
// SAFETY: as above; a shared Block gives out nothing by itself.
unsafe impl Sync for Block {}

impl Block {
    fn zeroed(bytes: usize) -> Block {
        if let Some(start) = map(bytes) {
            return Block { start, bytes, mapped: true };
        }
        let layout = Block::layout(bytes);
        // SAFETY: every caller asks for at least one byte.
        match NonNull::new(unsafe { std::alloc::alloc_zeroed(layout) }) {
            Some(start) => Block { start, bytes, mapped: false },
            None => handle_alloc_error(layout),
        }
    }

    /// How the allocator is asked for `bytes`, and how they are given back.
    fn layout(bytes: usize) -> Layout {
        match Layout::from_size_align(bytes, PAGE) {
            Ok(layout) => layout,
            Err(_) => handle_alloc_error(Layout::new::<[u8; PAGE]>()),
        }
    }

    /// Asks that a forked child sees zeros; whether the system agreed.
    fn wipe_on_fork(&self) -> bool {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        if self.mapped {
            // SAFETY: the range is one whole private anonymous mapping of ours.
            return unsafe { libc::madvise(self.start.as_ptr().cast(), self.bytes, libc::MADV_WIPEONFORK) } == 0;
        }
        false
    }

    fn wipe(&mut self) {
        // SAFETY: `start` points at `bytes` initialised bytes that only `self` reaches now.
        let all = unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.bytes) };
        crate::base::secret::wipe(all);
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        self.wipe();
        #[cfg(unix)]
        if self.mapped {
            // SAFETY: `start` and `bytes` are what `map` got; nothing reaches into the block any more.
            unsafe { libc::munmap(self.start.as_ptr().cast(), self.bytes) };
            return;
        }
        // SAFETY: the block came from `alloc_zeroed` with this layout.
        unsafe { std::alloc::dealloc(self.start.as_ptr(), Block::layout(self.bytes)) };
    }
}

/// A private anonymous mapping of `bytes` zeroed bytes, kept out of dumps and swap as far as the system agrees.
#[cfg(unix)]
fn map(bytes: usize) -> Option<NonNull<u8>> {
    let access = libc::PROT_READ | libc::PROT_WRITE;
    let kind = libc::MAP_PRIVATE | libc::MAP_ANON;
    // SAFETY: asks for a new mapping at a place of the system's choice; no memory of ours is touched.
    let start = unsafe { libc::mmap(std::ptr::null_mut(), bytes, access, kind, -1, 0) };
    if start == libc::MAP_FAILED {
        return None;
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    // SAFETY: the range is the whole mapping made above.
    unsafe {
        libc::madvise(start, bytes, libc::MADV_DONTDUMP);
    }
    // SAFETY: as above; when the limit on locked memory is reached the mapping simply stays unlocked.
    unsafe { libc::mlock(start, bytes) };
    NonNull::new(start.cast())
}

/// No mapping of our own here: the allocator's memory is used.
#[cfg(not(unix))]
fn map(_bytes: usize) -> Option<NonNull<u8>> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn a_wiped_page_starts_as_zeros_and_keeps_what_is_written() {
        let page = WipedPage::new();
        assert!(page.words().iter().all(|word| word.load(Ordering::Relaxed) == 0));
        page.words()[WORDS - 1].store(7, Ordering::Relaxed);
        assert_eq!(page.words()[WORDS - 1].load(Ordering::Relaxed), 7);
    }

    #[test]
    fn an_arena_drops_each_value_once() {
        struct Counted(Arc<AtomicUsize>, #[allow(dead_code)] [u8; 1000]);
        impl Drop for Counted {
            fn drop(&mut self) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
        let dropped = Arc::new(AtomicUsize::new(0));
        let arena = Arena::from_fn(9, |place| Counted(dropped.clone(), [u8::try_from(place).unwrap(); 1000]));
        assert_eq!(arena.len(), 9);
        assert_eq!(arena[8].1[999], 8);
        drop(arena);
        assert_eq!(dropped.load(Ordering::Relaxed), 9);
        assert_eq!(Arena::<u64>::from_fn(0, |_| 1).len(), 0);
    }
}
