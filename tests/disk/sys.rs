//! The calls through which LMDB writes, taken over: a symbol of the program comes before the C library's.
//!
//! Used by `disk` alone, which says what shall happen. Everything that is no `data.mdb` goes through as it is. The
//! standard library writes through other symbols, but for `writev`.

use super::{Event, Verdict, count_sync, event, pretends, verdict, watched};
use libc::{c_int, c_void, iovec, off_t, size_t, ssize_t};
use std::fs::File;
use std::os::fd::AsRawFd;

/// Whether `fd` is an open `data.mdb`, and each write to it is on disk when it returns.
fn data(fd: c_int) -> Option<bool> {
    let name = std::fs::read_link(format!("/proc/self/fd/{fd}")).ok()?;
    if name.file_name()? != "data.mdb" {
        return None;
    }
    // SAFETY: asks for the flags of a descriptor and changes nothing.
    let flags = unsafe { libc::fcntl(fd, libc::F_GETFL) };
    Some(flags & libc::O_DSYNC != 0)
}

fn refuse(error: c_int) {
    // SAFETY: the calling thread's own error number.
    unsafe { *libc::__errno_location() = error };
}

fn name(fd: c_int) -> String {
    let name = std::fs::read_link(format!("/proc/self/fd/{fd}")).unwrap_or_default();
    name.parent().and_then(|folder| folder.file_name()).unwrap_or_default().to_string_lossy().into_owned()
}

fn kill() -> ! {
    // SAFETY: ends this process at once, as `kill -9` from outside does.
    unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
    loop {
        std::hint::spin_loop();
    }
}

/// Whether a call goes on: `Err` with what it answers otherwise.
fn ask(fd: c_int) -> Result<Option<bool>, ssize_t> {
    let Some(synced) = watched().then(|| data(fd)).flatten() else { return Ok(None) };
    match verdict() {
        Verdict::GoOn => Ok(Some(synced)),
        Verdict::Kill => kill(),
        Verdict::Fail(error) => {
            refuse(error);
            Err(-1)
        }
    }
}

/// The same file without syncing, where that is asked for.
fn unsynced(fd: c_int) -> Option<File> {
    let other = pretends() && data(fd) == Some(true);
    other.then(|| File::options().write(true).open(format!("/proc/self/fd/{fd}")).ok()).flatten()
}

#[unsafe(no_mangle)]
unsafe extern "C" fn pwrite(fd: c_int, from: *const c_void, count: size_t, at: off_t) -> ssize_t {
    let synced = match ask(fd) {
        Ok(synced) => synced,
        Err(answer) => return answer,
    };
    let wrote = match unsynced(fd) {
        // SAFETY: the caller's arguments, passed on as they are, but for a descriptor of the same file.
        Some(file) => unsafe { libc::syscall(libc::SYS_pwrite64, file.as_raw_fd(), from, count, at) as ssize_t },
        // SAFETY: the caller's arguments, passed on as they are.
        None => unsafe { libc::syscall(libc::SYS_pwrite64, fd, from, count, at) as ssize_t },
    };
    if let (Some(synced), Ok(length), Ok(at)) = (synced, usize::try_from(wrote), u64::try_from(at)) {
        // SAFETY: the kernel has just read so many bytes from there.
        let bytes = unsafe { std::slice::from_raw_parts(from.cast::<u8>(), length) };
        event(Event::Wrote { name: name(fd), at, bytes: bytes.to_vec(), synced });
    }
    wrote
}

#[unsafe(no_mangle)]
unsafe extern "C" fn writev(fd: c_int, parts: *const iovec, count: c_int) -> ssize_t {
    let synced = match ask(fd) {
        Ok(synced) => synced,
        Err(answer) => return answer,
    };
    // SAFETY: asks where the next byte goes and moves nothing.
    let at = if synced.is_some() { unsafe { libc::lseek(fd, 0, libc::SEEK_CUR) } } else { 0 };
    // SAFETY: the caller's arguments, passed on as they are.
    let wrote = unsafe { libc::syscall(libc::SYS_writev, fd, parts, count) } as ssize_t;
    if let (Some(synced), Ok(mut left), Ok(at)) = (synced, usize::try_from(wrote), u64::try_from(at)) {
        let mut bytes = Vec::with_capacity(left);
        for number in 0..usize::try_from(count).unwrap_or(0) {
            // SAFETY: the kernel has just read `count` parts from there, of these lengths.
            let part = unsafe { &*parts.add(number) };
            // SAFETY: as above.
            let held = unsafe { std::slice::from_raw_parts(part.iov_base.cast::<u8>(), part.iov_len.min(left)) };
            bytes.extend_from_slice(held);
            left -= held.len();
        }
        event(Event::Wrote { name: name(fd), at, bytes, synced });
    }
    wrote
}

#[unsafe(no_mangle)]
unsafe extern "C" fn fdatasync(fd: c_int) -> c_int {
    count_sync();
    let ours = match ask(fd) {
        Ok(ours) => ours,
        Err(_) => return -1,
    };
    if ours.is_some() {
        event(Event::SyncBegins { name: name(fd) });
    }
    // SAFETY: the caller's argument, passed on as it is.
    let answer = if pretends() { 0 } else { unsafe { libc::syscall(libc::SYS_fdatasync, fd) as c_int } };
    if ours.is_some() && answer == 0 {
        event(Event::Synced { name: name(fd) });
    }
    answer
}

#[unsafe(no_mangle)]
unsafe extern "C" fn fsync(fd: c_int) -> c_int {
    // SAFETY: the caller's argument, passed on as it is.
    if pretends() { 0 } else { unsafe { libc::syscall(libc::SYS_fsync, fd) as c_int } }
}
