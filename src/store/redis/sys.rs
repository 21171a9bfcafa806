//! Two things that the standard library cannot: connecting to a socket of this machine within a time limit (where a server
//! stands still and its queue is full, its `connect` waits for ever), and keeping a connection that rests alive.
//!
//! Used by `stream` alone. Nothing else of this store is unsafe, and nothing here waits without a limit.

#![allow(unsafe_code)]

use super::stream::left;
use std::io::{self, ErrorKind};
use std::net::TcpStream;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Instant;

/// Connects to the socket at `path`. Errors: `TimedOut` when it was not done by `deadline`.
pub(super) fn connect(path: &Path, deadline: Instant) -> io::Result<UnixStream> {
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
    loop {
        // Connecting waits as long as sending may.
        socket.set_write_timeout(Some(left(deadline)?))?;
        // SAFETY: the address lives through the call and is as long as it says; the name in it ends with a zero.
        let done = unsafe { libc::connect(socket.as_raw_fd(), (&raw const address).cast(), size) };
        if done == 0 {
            return Ok(socket);
        }
        let error = io::Error::last_os_error();
        match error.kind() {
            ErrorKind::Interrupted => {}
            ErrorKind::WouldBlock => return Err(ErrorKind::TimedOut.into()),
            _ => return Err(error),
        }
    }
}

/// Seconds after which a connection that rests is probed.
const KEEP_SECS: libc::c_int = 30;

#[cfg(target_vendor = "apple")]
const KEEP_IDLE: libc::c_int = libc::TCP_KEEPALIVE;
#[cfg(not(any(target_vendor = "apple", target_os = "openbsd")))]
const KEEP_IDLE: libc::c_int = libc::TCP_KEEPIDLE;

/// Lets the system probe a connection while it rests, so that what lies between (address translation, a balancer) does not
/// drop it for its silence.
pub(super) fn keep_alive(socket: &TcpStream) -> io::Result<()> {
    set(socket, libc::SOL_SOCKET, libc::SO_KEEPALIVE, 1)?;
    // OpenBSD knows one span for the whole system.
    #[cfg(not(target_os = "openbsd"))]
    set(socket, libc::IPPROTO_TCP, KEEP_IDLE, KEEP_SECS)?;
    Ok(())
}

fn set(socket: &TcpStream, level: libc::c_int, name: libc::c_int, value: libc::c_int) -> io::Result<()> {
    let size = libc::socklen_t::try_from(size_of::<libc::c_int>()).map_err(io::Error::other)?;
    // SAFETY: the value lives through the call and is as long as it says.
    let done = unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, (&raw const value).cast(), size) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::super::address::Place;
    use super::super::stream::{Stream, tcp};
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::os::unix::net::UnixListener;
    use std::os::unix::thread::JoinHandleExt;
    use std::thread::{self, JoinHandle};
    use std::time::Duration;

    fn soon(ms: u64) -> Instant {
        Instant::now() + Duration::from_millis(ms)
    }

    #[test]
    fn a_queue_that_is_full_costs_the_limit_and_no_more() {
        let folder = crate::crypto::scratch::Scratch::new();
        let path = folder.path("socket");
        assert_eq!(connect(&path, soon(50)).unwrap_err().kind(), ErrorKind::NotFound);
        // It never takes anybody in.
        let _listener = UnixListener::bind(&path).unwrap();
        let mut waiting = Vec::new();
        let error = loop {
            match connect(&path, soon(50)) {
                Ok(socket) => waiting.push(socket),
                Err(error) => break error,
            }
            assert!(waiting.len() < 100_000, "a queue without an end");
        };
        assert!(matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::ConnectionRefused), "{error}");
        assert!(connect(&folder.path(&"long".repeat(50)), soon(50)).is_err());
    }

    extern "C" fn nothing(_: libc::c_int) {}

    /// Sends a signal to the thread until it is done, and returns what it brings and how many there were.
    fn pestered<T>(thread: JoinHandle<T>) -> (T, u32) {
        // SAFETY: all bytes zero is a value of this type, and says of no signal that it is held back.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = nothing as extern "C" fn(libc::c_int) as libc::sighandler_t;
        action.sa_flags = libc::SA_RESTART;
        // SAFETY: the handler touches nothing; no other test of this process uses this signal.
        assert_eq!(unsafe { libc::sigaction(libc::SIGURG, &raw const action, std::ptr::null_mut()) }, 0);
        let mut sent = 0;
        while !thread.is_finished() {
            // SAFETY: the thread was not joined, so its number is its own still.
            assert_eq!(unsafe { libc::pthread_kill(thread.as_pthread_t() as libc::pthread_t, libc::SIGURG) }, 0);
            sent += 1;
            thread::sleep(Duration::from_millis(2));
        }
        (thread.join().unwrap(), sent)
    }

    #[test]
    fn a_signal_breaks_no_call() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let place =
            Place::Tcp { host: "127.0.0.1".to_owned(), port: listener.local_addr().unwrap().port(), tls: false };
        // More than the buffers of both ends hold.
        let large = 16 << 20;
        let slow = thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            thread::sleep(Duration::from_millis(200));
            let mut room = vec![0; large];
            socket.read_exact(&mut room).unwrap();
            thread::sleep(Duration::from_millis(200));
            socket.write_all(b"!").unwrap();
            // Nothing more: the reader's time runs out, and then it closes.
            assert_eq!(socket.read(&mut room).unwrap(), 0);
        });
        let (done, sent) = pestered(thread::spawn(move || {
            let mut stream = Stream::connect(&place, None, soon(10_000)).unwrap();
            let bytes = vec![7; large];
            let mut written = 0;
            while written < large {
                // Not `write_all`, which tries again by itself.
                written += stream.write(&bytes[written..])?;
            }
            let mut room = [0; 1];
            assert_eq!(stream.read(&mut room)?, 1);
            stream.until(soon(100));
            let late = stream.read(&mut room).unwrap_err().kind();
            assert!(matches!(late, ErrorKind::TimedOut | ErrorKind::WouldBlock), "{late:?}");
            Ok::<_, io::Error>(room)
        }));
        println!("{sent} signals");
        assert_eq!(done.unwrap(), *b"!");
        slow.join().unwrap();
    }

    #[test]
    fn a_connection_that_rests_is_kept_alive() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = tcp("127.0.0.1", listener.local_addr().unwrap().port(), soon(10_000)).unwrap();
        let read = |level, name| {
            let (mut value, mut size): (libc::c_int, libc::socklen_t) = (0, 4);
            // SAFETY: both live through the call; the value is as long as the size says.
            let done =
                unsafe { libc::getsockopt(socket.as_raw_fd(), level, name, (&raw mut value).cast(), &raw mut size) };
            assert_eq!(done, 0);
            value
        };
        assert_ne!(read(libc::SOL_SOCKET, libc::SO_KEEPALIVE), 0);
        assert_eq!(read(libc::IPPROTO_TCP, KEEP_IDLE), 30);
    }

    #[test]
    fn a_signal_breaks_no_connecting() {
        let folder = crate::crypto::scratch::Scratch::new();
        let path = folder.path("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let there = path.clone();
        let fill = move || {
            let mut waiting = Vec::new();
            loop {
                match connect(&there, soon(100)) {
                    Ok(socket) => waiting.push(socket),
                    Err(error) => break (waiting, error.kind()),
                }
                assert!(waiting.len() < 100_000, "a queue without an end");
            }
        };
        let ((waiting, late), _) = pestered(thread::spawn(fill));
        assert_eq!(late, ErrorKind::TimedOut, "signals lengthen nothing");
        let taken = thread::spawn(move || {
            thread::sleep(Duration::from_millis(100));
            let _all: Vec<_> = listener.incoming().take(waiting.len() + 1).collect();
            drop(waiting);
        });
        let (done, sent) = pestered(thread::spawn(move || connect(&path, soon(10_000)).map(drop)));
        println!("{sent} signals");
        done.unwrap();
        taken.join().unwrap();
    }
}
