//! Connecting to a socket of this machine within a time limit, which the standard library cannot: where a server stands
//! still and its queue is full, its `connect` waits for ever. Nothing else here is unsafe.

#![allow(unsafe_code)]

use std::io::{self, ErrorKind};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// Connects to the socket at `path`. Errors: `TimedOut` when it took longer than `limit`.
pub(super) fn connect(path: &Path, limit: Duration) -> io::Result<UnixStream> {
    // SAFETY: plain numbers in, a descriptor or -1 out.
    let raw = unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_STREAM, 0) };
    if raw < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it was opened just now, and nobody else knows it.
    let socket = UnixStream::from(unsafe { OwnedFd::from_raw_fd(raw) });
    // SAFETY: plain numbers in; a program that this process starts must not inherit it.
    if unsafe { libc::fcntl(raw, libc::F_SETFD, libc::FD_CLOEXEC) } < 0 {
        return Err(io::Error::last_os_error());
    }
    // Connecting waits as long as sending may.
    socket.set_write_timeout(Some(limit))?;
    // SAFETY: all bytes zero is a value of this type.
    let mut address: libc::sockaddr_un = unsafe { std::mem::zeroed() };
    let name = path.as_os_str().as_bytes();
    if name.len() >= address.sun_path.len() || name.contains(&0) {
        return Err(io::Error::new(ErrorKind::InvalidInput, "the path of the socket is too long"));
    }
    address.sun_family = libc::sa_family_t::try_from(libc::AF_UNIX).map_err(io::Error::other)?;
    for (to, from) in address.sun_path.iter_mut().zip(name) {
        *to = libc::c_char::from_ne_bytes([*from]);
    }
    let size = libc::socklen_t::try_from(size_of::<libc::sockaddr_un>()).map_err(io::Error::other)?;
    // SAFETY: the address lives through the call and is as long as it says; the name in it ends with a zero.
    let done = unsafe { libc::connect(socket.as_raw_fd(), (&raw const address).cast(), size) };
    if done == 0 {
        return Ok(socket);
    }
    let error = io::Error::last_os_error();
    Err(if error.kind() == ErrorKind::WouldBlock { ErrorKind::TimedOut.into() } else { error })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    #[test]
    fn a_queue_that_is_full_costs_the_limit_and_no_more() {
        let folder = crate::crypto::scratch::Scratch::new();
        let path = folder.path("socket");
        assert_eq!(connect(&path, Duration::from_millis(50)).unwrap_err().kind(), ErrorKind::NotFound);
        // It never takes anybody in.
        let _listener = UnixListener::bind(&path).unwrap();
        let mut waiting = Vec::new();
        let error = loop {
            match connect(&path, Duration::from_millis(50)) {
                Ok(socket) => waiting.push(socket),
                Err(error) => break error,
            }
            assert!(waiting.len() < 100_000, "a queue without an end");
        };
        assert!(matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::ConnectionRefused), "{error}");
        assert!(connect(&folder.path(&"long".repeat(50)), Duration::from_millis(50)).is_err());
    }
}
