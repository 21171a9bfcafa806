//! Which server is to be asked: the one that is named, the primary that the sentinels name, or the node of a cluster that
//! holds this site's keys.
//!
//! Used by `pool` alone. What was found is remembered until a connection fails. Everything is asked over plain connections
//! within the caller's limit; no answer of one server is taken for another's.

use super::Login;
use super::address::Server;
use super::connection::{Connection, Info};
use super::fault::Fault;
use super::resp::Reply;
use crate::base::random;
use parking_lot::Mutex;
use std::time::{Duration, Instant};

/// How servers are found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// There is one.
    One,
    /// Sentinels are named, and the name that they know the primary by.
    Sentinel(String),
    /// Some nodes of a cluster are named.
    Cluster,
}

pub(super) struct Way {
    kind: Kind,
    servers: Vec<Server>,
    /// Who was right last.
    home: Mutex<Option<Server>>,
}

impl Way {
    pub(super) fn new(kind: Kind, servers: Vec<Server>) -> Way {
        Way { kind, servers, home: Mutex::new(None) }
    }

    /// Whom errors are about.
    pub(super) fn shown(&self) -> String {
        match self.home.lock().as_ref().or(self.servers.first()) {
            Some(server) => server.to_string(),
            None => "store.servers".to_owned(),
        }
    }

    /// Whether a server may send us elsewhere.
    pub(super) fn follows(&self) -> bool {
        self.kind == Kind::Cluster
    }

    /// Forgets who was right.
    pub(super) fn forget(&self) {
        *self.home.lock() = None;
    }

    /// Takes over where a node says that the keys are.
    pub(super) fn moved(&self, text: &str) {
        let server = self.named_in(text);
        *self.home.lock() = server;
    }

    /// The server in `MOVED 3999 host:port`; a node that does not name itself is the one that was asked.
    pub(super) fn named_in(&self, text: &str) -> Option<Server> {
        let (host, port) = text.split(' ').nth(2)?.rsplit_once(':')?;
        let port = port.parse().ok()?;
        let home = self.home.lock();
        let asked = home.as_ref().or(self.servers.first())?;
        match host.trim_matches(['[', ']']) {
            "" => asked.at_port(port),
            host => Some(asked.elsewhere(host, port)),
        }
    }

    /// A connection to the server that is to be asked.
    pub(super) fn open(&self, login: &Login, age: u64, deadline: Instant) -> Result<Connection, Fault> {
        let home = self.home.lock().clone();
        if let Some(home) = home {
            return Connection::open(&home, login, age, deadline);
        }
        let mut failed = Fault::Down;
        for (at, server) in self.servers.iter().enumerate() {
            // One that never answers leaves time for the others.
            let turns = u32::try_from(self.servers.len() - at).unwrap_or(1);
            let until = Instant::now() + deadline.saturating_duration_since(Instant::now()) / turns;
            let found = match &self.kind {
                Kind::One | Kind::Cluster => Connection::open(server, login, age, until),
                Kind::Sentinel(name) => primary(server, name, login, age, until),
            };
            match found {
                Ok(connection) => {
                    *self.home.lock() = Some(connection.server.clone());
                    return Ok(connection);
                }
                Err(fault) => failed = fault,
            }
        }
        Err(failed)
    }
}

/// Asks a sentinel for the primary, and that one whether it is.
fn primary(sentinel: &Server, name: &str, login: &Login, age: u64, deadline: Instant) -> Result<Connection, Fault> {
    let mut asked = Connection::plain(sentinel, login, deadline)?;
    let question: &[&[u8]] = &[b"SENTINEL", b"get-master-addr-by-name", name.as_bytes()];
    let reply = match asked.one(question, deadline) {
        Err(fault) if fault.code() == "NOAUTH" => {
            let auth = login.auth().ok_or(fault)?;
            asked.one(&auth, deadline).map_err(Fault::of_login)?;
            asked.one(question, deadline)?
        }
        other => other?,
    };
    let (host, port) = match reply {
        Reply::Parts(parts) => match parts.as_slice() {
            [Reply::Bytes(host), Reply::Bytes(port)] => (text(host)?.to_owned(), text(port)?.to_owned()),
            _ => return Err(Fault::Nonsense),
        },
        Reply::Nothing => return Err(Fault::Refused("UNNAMED the sentinels know no primary of that name".to_owned())),
        _ => return Err(Fault::Nonsense),
    };
    let port = port.parse().map_err(|_| Fault::Nonsense)?;
    let mut connection = Connection::open(&sentinel.elsewhere(&host, port), login, age, deadline)?;
    // ROLE would bring a list for each replica; a reply has few lists, whatever it says (see `resp`).
    let info = Info::read(connection.one(&[b"INFO", b"replication"], deadline)?)?;
    match info.get("role") {
        Some("master") => Ok(connection),
        Some(_) => Err(Fault::Refused("READONLY the sentinels name a server that is a replica still".to_owned())),
        None => Err(Fault::Nonsense),
    }
}

fn text(bytes: &[u8]) -> Result<&str, Fault> {
    std::str::from_utf8(bytes).map_err(|_| Fault::Nonsense)
}

/// A span made up to a quarter longer, so that processes that failed together do not come back together.
pub(super) fn jittered(span: Duration) -> Duration {
    let [byte] = random::array::<1>().unwrap_or([128]);
    span + span * u32::from(byte) / 1024
}
