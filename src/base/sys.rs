//! The few calls to the operating system, and the unsafe code they need. Nothing else in this floor is unsafe.

#![allow(unsafe_code)]

use std::alloc::{Layout, alloc_zeroed, handle_alloc_error};
use std::sync::atomic::AtomicU64;
#[cfg(unix)]
use std::{
    fs::{File, OpenOptions},
    io,
    os::fd::AsRawFd,
    os::unix::fs::OpenOptionsExt,
    path::Path,
    ptr::NonNull,
};

/// Microseconds of a system clock.
#[cfg(unix)]
fn read(clock: libc::clockid_t) -> i64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid timespec for the call to write; both clocks exist, and were the call to fail, the
    // zeros stand.
    unsafe { libc::clock_gettime(clock, &mut time) };
    #[allow(clippy::unnecessary_cast)]
    (time.tv_sec as i64).saturating_mul(1_000_000).saturating_add(time.tv_nsec as i64 / 1_000)
}

/// Unix time in microseconds by the wall clock.
#[cfg(unix)]
pub fn wall_us() -> i64 {
    read(libc::CLOCK_REALTIME)
}

/// Microseconds since boot, suspend included.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub fn boot_us() -> i64 {
    read(libc::CLOCK_BOOTTIME)
}

/// Microseconds since an arbitrary start. Where the system has no boot clock, suspend may be left out.
#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
pub fn boot_us() -> i64 {
    read(libc::CLOCK_MONOTONIC)
}

/// Unix time in microseconds by the wall clock.
#[cfg(not(unix))]
pub fn wall_us() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |d| i64::try_from(d.as_micros()).unwrap_or(i64::MAX))
}

/// Microseconds since an arbitrary start.
#[cfg(not(unix))]
pub fn boot_us() -> i64 {
    wall_us()
}

/// The number of the user whose rights this process has.
#[cfg(unix)]
pub fn effective_user() -> u32 {
    // SAFETY: asks the system for a number; it cannot fail.
    unsafe { libc::geteuid() }
}

/// What [`boot_name`] says where the system does not name its boots (no `/proc`).
pub const NO_BOOT_NAME: &str = "unknown";

/// What the system calls this boot of the machine.
pub fn boot_name() -> String {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let plain: String = id.chars().filter(char::is_ascii_graphic).take(64).collect();
    if plain.is_empty() { NO_BOOT_NAME.to_owned() } else { plain }
}

/// Words of private memory, all 0. The system gives the memory when it is first touched.
pub(super) fn zeroed(words: usize) -> Box<[AtomicU64]> {
    let Ok(layout) = Layout::array::<AtomicU64>(words) else { return Box::default() };
    if layout.size() == 0 {
        return Box::default();
    }
    // SAFETY: the layout is not empty. The memory is of the global allocator, as a Box's is, of the layout of a slice of
    // `words` atomics, and zeros are a valid AtomicU64.
    unsafe {
        let start = alloc_zeroed(layout).cast::<AtomicU64>();
        if start.is_null() {
            handle_alloc_error(layout);
        }
        Box::from_raw(std::ptr::slice_from_raw_parts_mut(start, words))
    }
}

/// A file that is mapped into this process, and into every other one that maps it.
#[cfg(unix)]
#[derive(Debug)]
pub(super) struct Mapping {
    start: NonNull<AtomicU64>,
    words: usize,
}

#[cfg(unix)]
impl Mapping {
    /// Maps the first `words` words of the file, and makes it where there is none, for its owner only. What it holds is
    /// kept, however many do this at the same time.
    pub(super) fn open(path: &Path, words: usize) -> io::Result<Mapping> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600).custom_flags(libc::O_NOFOLLOW);
        let file = options.open(path)?;
        let bytes = words.checked_mul(8).filter(|bytes| *bytes > 0).ok_or(io::ErrorKind::InvalidInput)?;
        make_room(&file, bytes as u64)?;
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: asks for a new mapping at a place of the system's choice; no memory of ours is touched. The mapping
        // keeps the file, so the descriptor may be closed.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), bytes, access, libc::MAP_SHARED, file.as_raw_fd(), 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Mapping { start, words })
    }

    /// The words. What they hold was written by anybody who may write the file: judge it.
    pub(super) fn words(&self) -> &[AtomicU64] {
        // SAFETY: the mapping is `words` words long, aligned to a page, lives as long as `self`, and is only ever reached
        // as these atomics, by every process. Any bits are a valid AtomicU64. The file is never made shorter by us, and
        // lies in a folder that nobody else may enter.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.words) }
    }
}

#[cfg(unix)]
impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, whole, and nothing reaches into it any more.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.words * 8) };
    }
}

// SAFETY: a Mapping owns its memory and gives out atomics only.
#[cfg(unix)]
unsafe impl Send for Mapping {}
// SAFETY: as above.
#[cfg(unix)]
unsafe impl Sync for Mapping {}

/// Makes the file at least `bytes` long, with room on the disk for all of it: a process that writes to a mapped hole for
/// which a full disk has no room is killed. Changes nothing that the file holds.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn make_room(file: &File, bytes: u64) -> io::Result<()> {
    let length = libc::off_t::try_from(bytes).map_err(|_| io::ErrorKind::InvalidInput)?;
    loop {
        // SAFETY: the descriptor is open, and no memory is handed over.
        if unsafe { libc::fallocate(file.as_raw_fd(), 0, 0, length) } == 0 {
            return Ok(());
        }
        match io::Error::last_os_error() {
            error if error.kind() == io::ErrorKind::Interrupted => {}
            error if matches!(error.raw_os_error(), Some(libc::EOPNOTSUPP | libc::ENOSYS)) => {
                return lengthen(file, bytes);
            }
            error => return Err(error),
        }
    }
}

/// Makes the file at least `bytes` long.
#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
fn make_room(file: &File, bytes: u64) -> io::Result<()> {
    lengthen(file, bytes)
}

#[cfg(unix)]
fn lengthen(file: &File, bytes: u64) -> io::Result<()> {
    if file.metadata()?.len() < bytes { file.set_len(bytes) } else { Ok(()) }
}
