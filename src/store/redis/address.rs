//! Where a server is, as the configuration says it: `redis://host:port/number`, `rediss://…` for TLS, `unix:///path`.
//!
//! Used by `store::redis` and, through [`Server::parse`], by `engine::build`. Looks at text only.

use std::fmt;
use std::path::PathBuf;

/// One server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    pub place: Place,
    /// The number of the database.
    pub database: u32,
}

/// Where it listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A host's name or address, and its port.
    Tcp {
        host: String,
        port: u16,
        tls: bool,
    },
    Unix(PathBuf),
}

impl Server {
    /// Reads one. Errors: a sentence that says what it should be, without repeating a password.
    pub fn parse(text: &str) -> Result<Server, String> {
        let form = "write redis://host:6379/0, rediss://host:6380/0 for TLS, or unix:///path";
        let Some((scheme, rest)) = text.split_once("://") else { return Err(form.to_owned()) };
        if rest.contains('@') {
            return Err("no user and no password in an address: set store.user, and store.password = \"env:NAME\" or \
                        \"file:PATH\""
                .to_owned());
        }
        if rest.contains(['?', '#', ' ']) {
            return Err(format!("`{text}`: {form}"));
        }
        match scheme {
            "unix" if rest.starts_with('/') && rest.len() > 1 => {
                Ok(Server { place: Place::Unix(PathBuf::from(rest)), database: 0 })
            }
            "redis" | "rediss" => {
                let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
                let database = match database {
                    "" => 0,
                    number => number.parse().map_err(|_| format!("`{text}`: the database is a number"))?,
                };
                let (host, port) = authority_of(authority).ok_or_else(|| format!("`{text}`: {form}"))?;
                Ok(Server { place: Place::Tcp { host, port, tls: scheme == "rediss" }, database })
            }
            _ => Err(format!("`{text}`: {form}")),
        }
    }

    /// Whether it is a socket of this machine.
    pub fn is_socket(&self) -> bool {
        matches!(self.place, Place::Unix(_))
    }

    /// Whether it is reached over TLS.
    pub fn is_secured(&self) -> bool {
        matches!(self.place, Place::Tcp { tls: true, .. })
    }

    /// The same kind of place elsewhere, as a sentinel or a cluster names it.
    pub(super) fn elsewhere(&self, host: &str, port: u16) -> Server {
        let tls = matches!(self.place, Place::Tcp { tls: true, .. });
        Server { place: Place::Tcp { host: host.to_owned(), port, tls }, database: self.database }
    }

    /// The same host at another port.
    pub(super) fn at_port(&self, port: u16) -> Option<Server> {
        match &self.place {
            Place::Tcp { host, .. } => Some(self.elsewhere(host, port)),
            Place::Unix(_) => None,
        }
    }
}

/// Host and port; brackets around an address with colons.
fn authority_of(text: &str) -> Option<(String, u16)> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']')?;
            host.parse::<std::net::Ipv6Addr>().ok()?;
            (host, port.strip_prefix(':').or(port.is_empty().then_some("6379"))?)
        }
        None => {
            let (host, port) = text.split_once(':').unwrap_or((text, "6379"));
            let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
            if !host.bytes().all(plain) {
                return None;
            }
            (host, port)
        }
    };
    let port = port.parse().ok().filter(|port| *port != 0)?;
    (!host.is_empty()).then(|| (host.to_owned(), port))
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Unix(path) => write!(f, "unix://{}", path.display()),
            Place::Tcp { host, port, tls } => {
                let scheme = if *tls { "rediss" } else { "redis" };
                if host.contains(':') {
                    write!(f, "{scheme}://[{host}]:{port}")
                } else {
                    write!(f, "{scheme}://{host}:{port}")
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        for (text, shown, database) in [
            ("redis://127.0.0.1", "redis://127.0.0.1:6379", 0),
            ("redis://127.0.0.1:7000/", "redis://127.0.0.1:7000", 0),
            ("rediss://store.example.org:6380/3", "rediss://store.example.org:6380", 3),
            ("redis://[::1]:7000/0", "redis://[::1]:7000", 0),
            ("redis://[::1]", "redis://[::1]:6379", 0),
            ("unix:///run/redis.sock", "unix:///run/redis.sock", 0),
        ] {
            let server = Server::parse(text).unwrap();
            assert_eq!((server.to_string().as_str(), server.database), (shown, database));
        }
        let other = Server::parse("rediss://a:1/3").unwrap().elsewhere("::1", 9);
        assert_eq!((other.to_string().as_str(), other.database), ("rediss://[::1]:9", 3));
    }

    #[test]
    fn what_is_no_address_is_refused_without_repeating_a_password() {
        for text in [
            "",
            "127.0.0.1:6379",
            "http://127.0.0.1",
            "redis://",
            "redis://:6379",
            "redis://a:0",
            "redis://a:70000",
            "redis://a/x",
            "redis://a:1:2",
            "redis://[::1",
            "redis://[x]:1",
            "redis://a?b=c",
            "unix://run",
            "unix:///",
        ] {
            assert!(Server::parse(text).is_err(), "{text}");
        }
        let error = Server::parse("redis://someName:OpenSesame@127.0.0.1").unwrap_err();
        assert!(error.contains("store.password") && !error.contains("OpenSesame"), "{error}");
    }
}
