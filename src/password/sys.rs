//! A page of memory that several processes share through a file. Nothing else in this floor is unsafe.

#![allow(unsafe_code)]

use std::fs::OpenOptions;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;

/// Words of the page.
pub(super) const WORDS: usize = 512;

const BYTES: usize = WORDS * 8;

/// The page. Any thread of any process that mapped the file.
#[derive(Debug)]
pub(super) struct Page(NonNull<[AtomicU64; WORDS]>);

impl Page {
    /// Maps the file, and makes it where there is none, for its owner only.
    pub(super) fn open(path: &Path) -> io::Result<Page> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        if file.metadata()?.len() < BYTES as u64 {
            file.set_len(BYTES as u64)?;
        }
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: asks for a new mapping at a place of the system's choice; no memory of ours is touched. The mapping
        // keeps the file, so the descriptor may be closed.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), BYTES, access, libc::MAP_SHARED, file.as_raw_fd(), 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        NonNull::new(start.cast()).map(Page).ok_or_else(|| io::ErrorKind::OutOfMemory.into())
    }

    /// The words of the page. What they hold was written by anybody who may write the file: judge it.
    pub(super) fn words(&self) -> &[AtomicU64; WORDS] {
        // SAFETY: the mapping is BYTES long, aligned to a page, lives as long as `self`, and is only ever reached as
        // these atomics, by every process. Any bits are a valid AtomicU64. The file is never made shorter by us, and
        // lies in a folder that nobody else may enter.
        unsafe { self.0.as_ref() }
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, whole, and nothing reaches into it any more.
        unsafe { libc::munmap(self.0.as_ptr().cast(), BYTES) };
    }
}

// SAFETY: a Page owns its mapping and gives out atomics only.
unsafe impl Send for Page {}
// SAFETY: as above.
unsafe impl Sync for Page {}
