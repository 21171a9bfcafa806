//! One connection: who it is to, what is asked first, and one question after the other within a time limit.
//!
//! Used by `pool` and `resolve`. A connection that failed once is never used again: a late answer to one question must
//! not be taken for the answer to the next.

use super::Login;
use super::address::Server;
use super::fault::{Fault, answered};
use super::resp::{self, Replies, Reply};
use super::stream::Stream;
use std::io::{BufReader, Write};
use std::time::{Duration, Instant};

/// The oldest server whose scripts say at their beginning that they write: it refuses them where writes are refused. Every
/// Valkey does.
const OLDEST: u32 = 7;

/// One that rested longer may have been dropped on its way by something that says nothing of it, and the question that finds
/// out costs the whole time limit.
const LONGEST_REST: Duration = Duration::from_secs(60);

pub(super) struct Connection {
    /// With what came in and was not read yet.
    stream: BufReader<Stream>,
    pub server: Server,
    /// Which start of which server this is: another one may have another past.
    pub run: String,
    /// Of the pool's connections; those of an older one are closed.
    pub age: u64,
    /// When it answered last.
    pub used: Instant,
    /// Each command is one on keys that are on their way here.
    pub asking: bool,
}

/// What a server says of itself.
#[derive(Clone, Debug, Default)]
pub(super) struct Info(String);

impl Info {
    pub(super) fn read(reply: Reply) -> Result<Info, Fault> {
        match reply {
            Reply::Bytes(text) => Ok(Info(String::from_utf8_lossy(&text).into_owned())),
            _ => Err(Fault::Nonsense),
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
    }
}

impl Connection {
    /// Connects, and makes sure that this is a server of a kind that can be used.
    pub(super) fn open(server: &Server, login: &Login, age: u64, deadline: Instant) -> Result<Connection, Fault> {
        let mut connection = Connection::plain(server, login, deadline)?;
        connection.greet(login, deadline)?;
        connection.age = age;
        Ok(connection)
    }

    /// Connects and asks nothing.
    pub(super) fn plain(server: &Server, login: &Login, deadline: Instant) -> Result<Connection, Fault> {
        let stream = Stream::connect(&server.place, login.tls.as_ref(), deadline)?;
        Ok(Connection {
            stream: BufReader::new(stream),
            server: server.clone(),
            run: String::new(),
            age: 0,
            used: Instant::now(),
            asking: false,
        })
    }

    fn greet(&mut self, login: &Login, deadline: Instant) -> Result<(), Fault> {
        let database = self.server.database.to_string();
        let mut words: Vec<Vec<&[u8]>> = Vec::new();
        words.extend(login.auth());
        let logins = words.len();
        if self.server.database != 0 {
            words.push(vec![b"SELECT", database.as_bytes()]);
        }
        words.push(vec![b"INFO", b"server"]);
        let words: Vec<&[&[u8]]> = words.iter().map(Vec::as_slice).collect();
        let mut last = Reply::Nothing;
        for (at, reply) in self.ask(&words, deadline)?.into_iter().enumerate() {
            last = answered(reply).map_err(|fault| if at < logins { fault.of_login() } else { fault })?;
        }
        let info = Info::read(last)?;
        // Valkey has numbers of its own, and says besides which Redis it stands for, as long as it does.
        let version = info.get("valkey_version").or_else(|| info.get("redis_version"));
        let version = version.and_then(|version| version.split('.').next()?.parse().ok());
        match (version, info.get("run_id")) {
            (Some(OLDEST..), Some(run)) => self.run = run.to_owned(),
            (Some(_), _) => {
                return Err(Fault::Refused(format!("OLD the server must be Redis {OLDEST} or newer, or Valkey")));
            }
            _ => return Err(Fault::Nonsense),
        }
        Ok(())
    }

    /// Whether it may be asked once more after some time.
    pub(super) fn is_usable(&mut self) -> bool {
        self.used.elapsed() < LONGEST_REST && self.stream.buffer().is_empty() && self.stream.get_mut().is_quiet()
    }

    /// Sends the commands together, and reads a reply to each.
    pub(super) fn ask(&mut self, commands: &[&[&[u8]]], deadline: Instant) -> Result<Vec<Reply>, Fault> {
        let mut out = Vec::new();
        for words in commands {
            if self.asking {
                resp::command(&mut out, &[b"ASKING"]);
            }
            resp::command(&mut out, words);
        }
        if !self.stream.buffer().is_empty() {
            // It speaks unasked: what comes next is not the answer to this.
            return Err(Fault::Nonsense);
        }
        let stream = self.stream.get_mut();
        stream.until(deadline);
        stream.write_all(&out)?;
        stream.flush()?;
        let mut from = Replies::new(&mut self.stream);
        let mut replies = Vec::with_capacity(commands.len());
        for _ in commands {
            if self.asking {
                answered(from.next()?)?;
            }
            replies.push(from.next()?);
        }
        self.used = Instant::now();
        Ok(replies)
    }

    /// The same for one command; what the server refuses is an error.
    pub(super) fn one(&mut self, words: &[&[u8]], deadline: Instant) -> Result<Reply, Fault> {
        let reply = self.ask(&[words], deadline)?.pop();
        answered(reply.ok_or(Fault::Nonsense)?)
    }
}
