//! What can go wrong with the server, told for a person: cause and mend, never a secret.
//!
//! Used by `store::redis` alone. Says as well what a fault means for the connections: one that only refuses a command
//! leaves them, everything else closes them all.

use super::resp::Reply;
use crate::base::Error;
use std::io;

/// What the servers say of a command inside a script that the user may not run: Redis, and Valkey.
const FORBIDDEN: [&str; 2] = ["ERR The user executing the script can't", "ERR ACL failure in script"];

/// A call that did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// No connection, or a broken one.
    Io(io::ErrorKind, String),
    /// It took longer than it may.
    Slow,
    /// Another program than was expected.
    Nonsense,
    /// The server refused, in its words.
    Refused(String),
    /// It was down a moment ago, and nobody asks before its time.
    Down,
    /// What it holds cannot be read.
    Unreadable(&'static str),
}

impl From<io::Error> for Fault {
    fn from(e: io::Error) -> Fault {
        match e.kind() {
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Fault::Slow,
            kind => Fault::Io(kind, e.to_string()),
        }
    }
}

impl Fault {
    /// The first word of a refusal. Of a command inside a script, which has none of its own: the one that it has outside.
    pub(super) fn code(&self) -> &str {
        match self {
            Fault::Refused(text) if FORBIDDEN.iter().any(|words| text.starts_with(words)) => "NOPERM",
            Fault::Refused(text) => text.split(' ').next().unwrap_or_default(),
            _ => "",
        }
    }

    /// Of an answer to a password: no word of it is kept but a code that is known, for a server may repeat what it was sent.
    pub(super) fn of_login(self) -> Fault {
        match &self {
            Fault::Refused(_) => match self.code() {
                "WRONGPASS" | "NOAUTH" | "NOPERM" | "LOADING" | "MASTERDOWN" | "BUSY" | "MISCONF" => {
                    Fault::Refused(self.code().to_owned())
                }
                _ => Fault::Refused("AUTH".to_owned()),
            },
            _ => self,
        }
    }

    /// Whether the connections are of no use any more: broken, or to a server that is not the one to ask, or that refuses every
    /// script. All of them count as down.
    pub(super) fn closes(&self) -> bool {
        match self {
            Fault::Io(..) | Fault::Slow | Fault::Nonsense => true,
            Fault::Refused(_) => matches!(
                self.code(),
                "READONLY"
                    | "LOADING"
                    | "MASTERDOWN"
                    | "CLUSTERDOWN"
                    | "NOREPLICAS"
                    | "NOAUTH"
                    | "WRONGPASS"
                    | "MISCONF"
                    | "BUSY"
            ),
            Fault::Down | Fault::Unreadable(_) => false,
        }
    }

    /// The sentence for maintenance.
    pub(super) fn told(&self, server: &str) -> Error {
        let text = match self {
            Fault::Io(io::ErrorKind::ConnectionRefused, _) => {
                "nobody listens there: start the server, or correct store.servers".to_owned()
            }
            Fault::Io(io::ErrorKind::NotFound, _) => {
                "there is no such socket: start the server, or correct store.servers".to_owned()
            }
            Fault::Io(io::ErrorKind::PermissionDenied, _) => {
                "this user may not open the socket: add it to the server's group".to_owned()
            }
            Fault::Io(io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset, _) => {
                "the server closed the connection: if it expects TLS, write rediss:// in store.servers".to_owned()
            }
            Fault::Io(io::ErrorKind::InvalidData, text) => format!(
                "the TLS of the server is not what it should be ({text}): see store.ca, the name in store.servers and the \
                 server's certificate"
            ),
            Fault::Io(_, text) => {
                format!("the connection failed ({text}): see whether it runs, and whether it expects TLS")
            }
            Fault::Slow if server.starts_with("rediss:") => {
                "did not answer within store.timeout: see whether it speaks TLS there, or is overloaded or cut off"
                    .to_owned()
            }
            Fault::Slow => {
                "did not answer within store.timeout: see whether it is stopped, overloaded or cut off".to_owned()
            }
            Fault::Nonsense => {
                "what answers there is no Redis or Valkey server, or expects TLS (rediss://): correct store.servers"
                    .to_owned()
            }
            Fault::Down => "does not answer".to_owned(),
            Fault::Unreadable(what) => format!("{what} cannot be read: another program or version wrote it"),
            Fault::Refused(text) => refused(self.code(), text),
        };
        Error::unavailable(format!("{server}: {text}"))
    }
}

fn refused(code: &str, text: &str) -> String {
    let mend = match code {
        "WRONGPASS" => "user or password is wrong: correct store.user and store.password",
        "AUTH" => {
            "the server does not take a password in this way: see whether it has one for store.user, and has AUTH not renamed; \
             else take store.password away"
        }
        "NOAUTH" => "the server asks for a password: set store.password",
        "NOPERM" => "the user may not do that: give it `~janua:* +@all -@dangerous +info` in the server's ACL",
        "READONLY" => "the server is a replica: name its primary, or set store.sentinel",
        "NOREPLICAS" => {
            "the primary has lost its replicas and refuses to write (min-replicas-to-write): bring them back"
        }
        "UNCONFIRMED" => {
            "a revocation was not confirmed by store.replicas replicas: bring them back, or lower the number"
        }
        "OOM" => "the server's memory is full: raise maxmemory",
        "MISCONF" => {
            "the server cannot write its disk, and refuses everything: mend that, or set stop-writes-on-bgsave-error no"
        }
        "LOADING" => "the server is loading its data: wait",
        "MASTERDOWN" | "CLUSTERDOWN" => "the server has lost its others: mend the cluster or its replication",
        "TRYAGAIN" => "the cluster is moving this site's keys: wait",
        "MOVED" | "ASK" => "the server is part of a cluster: set store.cluster = true",
        "BUSY" => "the server is busy with a script that does not end",
        _ => "the server refuses",
    };
    // A server repeats arguments in some of its errors: only its first words are told.
    let said = text.split("with args").next().unwrap_or_default();
    let said: String = said.chars().take(80).filter(|c| !c.is_control()).collect();
    match code {
        "AUTH" | "WRONGPASS" | "NOAUTH" | "MOVED" | "ASK" => mend.to_owned(),
        _ => format!("{mend} (it says: {said})"),
    }
}

/// A reply, or what the server refuses.
pub(super) fn answered(reply: Reply) -> Result<Reply, Fault> {
    match reply {
        Reply::Refused(text) => Err(Fault::Refused(text)),
        other => Ok(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_repeats_is_cut_off() {
        let said = "ERR unknown command 'HELLO', with args beginning with: 'OpenSesame' 'OpenSesame'";
        let told = Fault::Refused(said.to_owned()).told("redis://127.0.0.1:6379").message;
        assert!(told.contains("unknown command 'HELLO'") && !told.contains("OpenSesame"), "{told}");
    }
}
