//! One socket to a server, on which nothing takes longer than a moment that is fixed before it begins.
//!
//! Used by `connection` alone. The limit is looked at before every call of the system: a server that sends one byte now
//! and then gains nothing by it. Names are asked of the system, which knows no limit; addresses need no asking.

use super::address::Place;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// What is connected.
pub(super) enum Socket {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

/// A socket and the moment by which every call is over.
pub(super) struct Stream {
    pub socket: Socket,
    pub deadline: Instant,
}

/// What is left until `deadline`. Errors: nothing.
pub(super) fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    // A socket takes a limit of nought for none.
    if left < Duration::from_micros(100) { Err(ErrorKind::TimedOut.into()) } else { Ok(left) }
}

impl Stream {
    pub(super) fn connect(place: &Place, deadline: Instant) -> io::Result<Stream> {
        let socket = match place {
            Place::Tcp { host, port, .. } => Socket::Tcp(tcp(host, *port, deadline)?),
            #[cfg(unix)]
            Place::Unix(path) => Socket::Unix(UnixStream::connect(path)?),
            #[cfg(not(unix))]
            Place::Unix(_) => return Err(ErrorKind::Unsupported.into()),
        };
        Ok(Stream { socket, deadline })
    }

    /// Whether nothing has come in since the last reply, as it should be while nobody asks: a server that went away has
    /// closed, and one that speaks unasked is out of step.
    pub(super) fn is_quiet(&self) -> bool {
        let look = || {
            self.socket.set_nonblocking(true)?;
            let came = self.socket.read_some(&mut [0; 1]);
            self.socket.set_nonblocking(false)?;
            came
        };
        matches!(look(), Err(e) if e.kind() == ErrorKind::WouldBlock)
    }
}

fn tcp(host: &str, port: u16, deadline: Instant) -> io::Result<TcpStream> {
    let addresses: Vec<_> = (host, port).to_socket_addrs()?.take(8).collect();
    let mut failed = io::Error::from(ErrorKind::AddrNotAvailable);
    for (at, address) in addresses.iter().enumerate() {
        // One that never answers leaves time for the others.
        let turns = u32::try_from(addresses.len() - at).unwrap_or(1);
        match TcpStream::connect_timeout(address, left(deadline)? / turns) {
            Ok(socket) => {
                socket.set_nodelay(true)?;
                return Ok(socket);
            }
            Err(e) => failed = e,
        }
    }
    Err(failed)
}

impl Socket {
    fn set_nonblocking(&self, on: bool) -> io::Result<()> {
        match self {
            Socket::Tcp(socket) => socket.set_nonblocking(on),
            #[cfg(unix)]
            Socket::Unix(socket) => socket.set_nonblocking(on),
        }
    }

    fn set_limits(&self, left: Duration) -> io::Result<()> {
        match self {
            Socket::Tcp(socket) => {
                socket.set_read_timeout(Some(left))?;
                socket.set_write_timeout(Some(left))
            }
            #[cfg(unix)]
            Socket::Unix(socket) => {
                socket.set_read_timeout(Some(left))?;
                socket.set_write_timeout(Some(left))
            }
        }
    }

    fn read_some(&self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Socket::Tcp(socket) => (&*socket).read(into),
            #[cfg(unix)]
            Socket::Unix(socket) => (&*socket).read(into),
        }
    }

    fn write_some(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Socket::Tcp(socket) => (&*socket).write(bytes),
            #[cfg(unix)]
            Socket::Unix(socket) => (&*socket).write(bytes),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.socket.set_limits(left(self.deadline)?)?;
        self.socket.read_some(into)
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.set_limits(left(self.deadline)?)?;
        self.socket.write_some(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
