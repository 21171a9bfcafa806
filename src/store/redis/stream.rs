//! One socket to a server, on which nothing takes longer than a moment that is fixed before it begins.
//!
//! Used by `connection` alone. The limit is looked at before every call of the system: a server that sends one byte now
//! and then gains nothing by it. Names are asked of the system, which knows no limit; addresses need no asking.

use super::address::Place;
#[cfg(unix)]
use super::sys;
use super::tls::Tls;
use rustls::ClientConnection;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// What is connected.
enum Socket {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

/// A socket, the moment by which every call is over, and what lies between.
pub(super) struct Stream {
    raw: Raw,
    tls: Option<Box<ClientConnection>>,
}

struct Raw {
    socket: Socket,
    deadline: Instant,
}

/// What is left until `deadline`. Errors: nothing.
pub(super) fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    // A socket takes a limit of nought for none.
    if left < Duration::from_micros(100) { Err(ErrorKind::TimedOut.into()) } else { Ok(left) }
}

impl Stream {
    pub(super) fn connect(place: &Place, tls: Option<&Tls>, deadline: Instant) -> io::Result<Stream> {
        let secured = matches!(place, Place::Tcp { tls: true, .. });
        let tls = match (secured, tls) {
            (false, _) => None,
            (true, Some(tls)) => Some(tls.begin(place)?),
            (true, None) => return Err(ErrorKind::Unsupported.into()),
        };
        let socket = match place {
            Place::Tcp { host, port, .. } => Socket::Tcp(tcp(host, *port, deadline)?),
            #[cfg(unix)]
            Place::Unix(path) => Socket::Unix(sys::connect(path, deadline)?),
            #[cfg(not(unix))]
            Place::Unix(_) => return Err(ErrorKind::Unsupported.into()),
        };
        Ok(Stream { raw: Raw { socket, deadline }, tls })
    }

    /// Every call from now on is over by then.
    pub(super) fn until(&mut self, deadline: Instant) {
        self.raw.deadline = deadline;
    }

    /// Whether nothing has come in since the last reply, as it should be while nobody asks: a server that went away has
    /// closed, and one that speaks unasked is out of step.
    pub(super) fn is_quiet(&mut self) -> bool {
        let socket = &self.raw.socket;
        if socket.set_nonblocking(true).is_err() {
            return false;
        }
        let quiet = match &mut self.tls {
            None => matches!(socket.read_some(&mut [0; 1]), Err(e) if e.kind() == ErrorKind::WouldBlock),
            // Tickets for later connections may come at any time.
            Some(tls) => match tls.read_tls(&mut &*socket) {
                Err(e) => e.kind() == ErrorKind::WouldBlock,
                Ok(0) => false,
                Ok(_) => tls
                    .process_new_packets()
                    .is_ok_and(|state| state.plaintext_bytes_to_read() == 0 && !state.peer_has_closed()),
            },
        };
        self.raw.socket.set_nonblocking(false).is_ok() && quiet
    }
}

impl Read for Stream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match &mut self.tls {
            None => self.raw.read(into),
            Some(tls) => rustls::Stream::new(tls.as_mut(), &mut self.raw).read(into),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.tls {
            None => self.raw.write(bytes),
            Some(tls) => rustls::Stream::new(tls.as_mut(), &mut self.raw).write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.tls {
            None => Ok(()),
            Some(tls) => rustls::Stream::new(tls.as_mut(), &mut self.raw).flush(),
        }
    }
}

/// Connects to the first of its addresses that takes us in.
pub(super) fn tcp(host: &str, port: u16, deadline: Instant) -> io::Result<TcpStream> {
    let addresses: Vec<_> = (host, port).to_socket_addrs()?.take(8).collect();
    let mut failed = io::Error::from(ErrorKind::AddrNotAvailable);
    for (at, address) in addresses.iter().enumerate() {
        // One that never answers leaves time for the others.
        let turns = u32::try_from(addresses.len() - at).unwrap_or(1);
        match TcpStream::connect_timeout(address, left(deadline)? / turns) {
            Ok(socket) => {
                socket.set_nodelay(true)?;
                #[cfg(unix)]
                sys::keep_alive(&socket)?;
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

impl Read for &Socket {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.read_some(into)
    }
}

impl Raw {
    /// Makes a call of the system, again where a signal broke it: a socket with a limit is not taken up again by the system,
    /// whatever the handler asks for, and a process that was stopped and goes on needs no handler for it.
    fn within(&self, mut call: impl FnMut(&Socket) -> io::Result<usize>) -> io::Result<usize> {
        loop {
            self.socket.set_limits(left(self.deadline)?)?;
            match call(&self.socket) {
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                done => return done,
            }
        }
    }
}

impl Read for Raw {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.within(|socket| socket.read_some(into))
    }
}

impl Write for Raw {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.within(|socket| socket.write_some(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
