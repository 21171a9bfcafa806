//! An open store in one process: checks from copies, floors, and the poll that both rest on.
//!
//! The part of `store::redis` that answers. The order of a check is that of `docs/security.md`, part 4: first whether the
//! log is known up to this moment, then the copy, then the row where there is no copy or the copy would say no.

use super::connection::Connection;
use super::fault::Fault;
use super::horizon::{DELTA_US, Held, Horizon, Next};
use super::names::Names;
use super::pool::Pool;
use super::resp::Reply;
use super::scripts::{Script, Scripts};
use super::seal::Keys;
use super::told::{self, Logged, Told};
use crate::base::{Clock, Now};
use crate::crypto::guard::ForkGuard;
use crate::session::Dead;
use crate::store::Unavailable;
use crate::store::held::copies::Copies;
use crate::store::held::pending::Pending;
use crate::store::held::what::What;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Instant;

/// How often a call is made again on a log that had to be read anew before it.
const TRIES: usize = 3;

/// Entries given back in one call: for so long everybody else's question waits on the server.
const GIVEN: usize = 64;

/// Milliseconds that replicas may take to confirm a revocation.
const CONFIRM_MS: u32 = 100;

pub(super) type Known<T> = Result<T, Unavailable>;

/// See the module's page.
pub(super) struct Core {
    pub guard: ForkGuard,
    pub clock: Clock,
    pub keys: Keys,
    pub names: Names,
    pub pool: Pool,
    pub scripts: Scripts,
    pub horizon: Horizon,
    pub copies: Copies,
    pub pending: Pending,
    pub longest_secs: u32,
    pub replicas: u32,
    pub stale_us: i64,
    /// The server's own clock counts; else this process's, which a test turns.
    pub server_time: bool,
    pub flight: Mutex<Option<Connection>>,
    /// Polls that were begun, and the last of them that succeeded.
    pub begun: AtomicU64,
    pub arrived: AtomicU64,
    /// Boot second in which there was nothing to sweep.
    pub swept: AtomicI64,
}

/// A call of a script.
pub(super) struct Call<'a> {
    pub script: &'a Script,
    /// Keys after those that every script names.
    pub keys: Vec<Vec<u8>>,
    pub args: Vec<Vec<u8>>,
    /// Whether replicas are to confirm it.
    pub confirmed: bool,
}

/// Added to the longest life before anything is forgotten.
pub(super) const MARGIN_SECS: i64 = 7_200;

impl AsRef<ForkGuard> for Core {
    fn as_ref(&self) -> &ForkGuard {
        &self.guard
    }
}

impl Core {
    /// Notes what went wrong.
    pub(super) fn failed(&self, fault: &Fault) -> Unavailable {
        self.pool.note(fault);
        Unavailable
    }

    /// Whether all that was acknowledged before `now` is known. Not any more when [`DELTA_US`] has just passed: what was
    /// written in the very microsecond of the poll, behind it, may be answered by then.
    #[inline]
    pub(super) fn is_trusted(&self, now: Now) -> bool {
        now.boot_us.saturating_sub(DELTA_US) < self.horizon.at()
    }

    /// Whether the server is down and the configuration allows to go on for a while with what is known.
    pub(super) fn is_stale(&self, now: Now) -> bool {
        self.pool.is_down() && self.may_be_stale(now)
    }

    /// Whether that is allowed if the server is down.
    fn may_be_stale(&self, now: Now) -> bool {
        self.stale_us > 0 && now.boot_us.saturating_sub(self.stale_us) <= self.horizon.at()
    }

    /// Whether a poll is due soon.
    pub(super) fn is_due(&self, now: Now) -> bool {
        now.boot_us.saturating_sub(DELTA_US / 2) > self.horizon.at() && !self.pool.rests()
    }

    /// Makes sure that all that was acknowledged before `now` is known, or as much of it as is allowed.
    pub(super) fn catch_up(&self, now: Now) -> Known<()> {
        if self.is_trusted(now) {
            return Ok(());
        }
        match self.poll(false, || self.is_trusted(now)) {
            // Who still waits for an answer has not said yet that the server is down. In this order: it says so before it lets go.
            Err(Unavailable) if self.flight.is_locked() && self.may_be_stale(now) || self.is_stale(now) => Ok(()),
            other => other,
        }
    }

    /// Polls once more, whatever is known: afterwards all is known that was on the server when this began.
    pub(super) fn poll_now(&self, tick: bool) -> Known<()> {
        let begun = self.begun.load(Ordering::Acquire);
        self.poll(tick, || !tick && self.arrived.load(Ordering::Acquire) > begun)
    }

    /// One poll at a time; who waited for another's asks `enough` whether that one will do.
    fn poll(&self, tick: bool, enough: impl Fn() -> bool) -> Known<()> {
        if self.pool.rests() {
            return Err(Unavailable);
        }
        let deadline = self.pool.deadline();
        let Some(mut flight) = self.flight.try_lock_until(deadline) else {
            return Err(self.failed(&Fault::Slow));
        };
        if enough() {
            return Ok(());
        }
        let number = self.begun.fetch_add(1, Ordering::AcqRel) + 1;
        let deadline = self.pool.deadline();
        let polled = |connection: &mut Connection| self.polled(connection, tick, deadline);
        let done = self.pool.call_on(&mut flight, deadline, false, polled);
        done.map_err(|fault| self.failed(&fault))?;
        self.arrived.fetch_max(number, Ordering::AcqRel);
        Ok(())
    }

    fn polled(&self, connection: &mut Connection, tick: bool, mut deadline: Instant) -> Result<(), Fault> {
        loop {
            let call = self.call(&self.scripts.poll, Vec::new(), vec![if tick { b"1".to_vec() } else { Vec::new() }]);
            // Read before sending.
            let (now, known) = (self.clock.now(), self.horizon.revoked.applied());
            let told = Told::read(self.run(connection, &call, known, now, deadline)?)?;
            match self.take(&told, known, now, connection) {
                Next::Nothing => return Ok(()),
                Next::More => deadline = self.pool.deadline(),
                Next::Anew if self.begin_anew(connection)? == Next::Nothing => return Ok(()),
                Next::Anew => deadline = self.pool.deadline(),
            }
        }
    }

    fn take(&self, told: &Told, known: u64, now: Now, connection: &Connection) -> Next {
        let mut site = false;
        let next = self.horizon.take(told, known, now.boot_us, &connection.run, |what| match what {
            What::Session(key) => {
                if let Some(copy) = self.copies.get(key) {
                    copy.record.kill(Dead::Revoked);
                }
            }
            What::Site => site = true,
            What::Principal(_) | What::Key(_) | What::Chosen(_) => {}
        });
        if site {
            // Also where a floor was taken back: what died of it is looked at anew. Here, where no check waits for the set.
            self.copies.clear();
        }
        next
    }

    /// Another server, another start of it, or a log that does not go back far enough. Where it has all that is known here,
    /// this goes on from there; else it is given what it lacks, and then all floors are read. No copy is good as it is after
    /// this. Each call is short, and all processes come at once.
    fn begin_anew(&self, connection: &mut Connection) -> Result<Next, Fault> {
        let held = self.horizon.held();
        let mut lacks = &held.tail[..];
        let probes = held.probes();
        if !probes.is_empty() {
            let entry = |at: &usize| held.tail.get(*at).map(told::entry);
            let call = self.call(&self.scripts.compare, Vec::new(), probes.iter().filter_map(entry).collect());
            // Read before sending.
            let now = self.clock.now();
            let told = Told::read(self.run(connection, &call, held.known, now, self.pool.deadline())?)?;
            let missing = told.own.first().and_then(|text| std::str::from_utf8(text).ok()?.parse::<usize>().ok());
            let missing = missing.ok_or(Fault::Nonsense)?;
            if missing == 0
                && let Some(next) = self.horizon.resume(&told, &held, now.boot_us, &connection.run)
            {
                self.copies.clear();
                return Ok(next);
            }
            let there = probes.get(missing).map_or(0, |at| at + 1);
            lacks = held.tail.get(there..).unwrap_or_default();
        }
        let (now, told) = self.give(connection, &held, lacks)?;
        let floors = self.floors(connection)?;
        self.horizon.begin(&told, &floors, now.boot_us, &connection.run);
        self.copies.clear();
        Ok(Next::Nothing)
    }

    /// Gives the log what it lacks of what is known here, in steps that begin anew after one that failed: what is known there
    /// changes nothing. The first raises its number above all that was seen. The last answer, and when it was asked for.
    fn give(&self, connection: &mut Connection, held: &Held, lacks: &[Logged]) -> Result<(Now, Told), Fault> {
        let mut steps = lacks.chunks(GIVEN);
        let mut step = steps.next().unwrap_or_default();
        loop {
            let mut args = vec![held.from.to_string().into_bytes()];
            for entry in step {
                args.push(told::written(&entry.what));
                args.push(entry.floor.to_string().into_bytes());
            }
            let call = self.call(&self.scripts.merge, Vec::new(), args);
            let now = self.clock.now();
            let told = Told::read(self.run(connection, &call, held.known, now, self.pool.deadline())?)?;
            match steps.next() {
                Some(next) => step = next,
                None => return Ok((now, told)),
            }
        }
    }

    /// All floors that the log has.
    fn floors(&self, connection: &mut Connection) -> Result<Vec<(u64, What)>, Fault> {
        let mut floors = Vec::new();
        let mut cursor = b"0".to_vec();
        loop {
            let words: [&[u8]; 5] = [b"HSCAN", &self.names.log[0], &cursor, b"COUNT", b"1000"];
            let [next, found] = told::parts::<2>(connection.one(&words, self.pool.deadline())?)?;
            for pair in told::list(found)?.chunks_exact(2) {
                if let [Reply::Bytes(name), Reply::Bytes(value)] = pair {
                    floors.extend(told::kept(name, value)?);
                }
            }
            cursor = told::bytes(next)?;
            if cursor == b"0" {
                return Ok(floors);
            }
        }
    }

    pub(super) fn call<'a>(&self, script: &'a Script, keys: Vec<Vec<u8>>, args: Vec<Vec<u8>>) -> Call<'a> {
        Call { script, keys, args, confirmed: false }
    }

    /// Microseconds for which a floor is kept.
    pub(super) fn keep_us(&self) -> u64 {
        (u64::from(self.longest_secs) + MARGIN_SECS.unsigned_abs()) * 1_000_000
    }

    /// Runs a script over `connection`.
    pub(super) fn run(
        &self,
        connection: &mut Connection,
        call: &Call<'_>,
        known: u64,
        now: Now,
        deadline: Instant,
    ) -> Result<Reply, Fault> {
        let clock = |us: i64| if self.server_time { Vec::new() } else { us.to_string().into_bytes() };
        let mut args = vec![
            self.names.base.clone(),
            clock(now.unix_us),
            clock(now.boot_us),
            known.to_string().into_bytes(),
            self.keep_us().to_string().into_bytes(),
        ];
        args.extend(call.args.iter().cloned());
        let mut keys = self.names.log.to_vec();
        keys.extend(call.keys.iter().cloned());
        let copies = (call.confirmed && self.replicas > 0).then_some((self.replicas, CONFIRM_MS));
        call.script.run(connection, &keys, &args, copies, deadline)
    }

    /// Runs a script that says nothing of the log.
    pub(super) fn ask(&self, call: &Call<'_>, now: Now) -> Known<Reply> {
        for _ in 0..TRIES {
            let deadline = self.pool.deadline();
            let done = self
                .pool
                .call(deadline, |connection| self.run(connection, call, self.horizon.revoked.applied(), now, deadline));
            match done {
                Ok(Reply::Parts(parts)) if parts.first() == Some(&Reply::Bytes(b"fell".to_vec())) => {
                    self.poll_now(false)?
                }
                other => return other.map_err(|fault| self.failed(&fault)),
            }
        }
        Err(Unavailable)
    }

    /// Runs a script that answers with the log, which is applied before this returns.
    pub(super) fn ask_log(&self, call: &Call<'_>, now: Now) -> Known<Told> {
        for _ in 0..TRIES {
            let deadline = self.pool.deadline();
            // Read before sending.
            let (sent, known) = (self.clock.now(), self.horizon.revoked.applied());
            let done = self.pool.call(deadline, |connection| {
                let told = Told::read(self.run(connection, call, known, now, deadline)?)?;
                let next = self.take(&told, known, sent, connection);
                Ok((told, next))
            });
            let (told, next) = done.map_err(|fault| self.failed(&fault))?;
            match told.word.as_slice() {
                b"fell" => self.poll_now(false)?,
                _ => {
                    if next == Next::Anew {
                        // The poll is to see what this call saw.
                        self.pool.close();
                    }
                    if next != Next::Nothing {
                        self.poll_now(false)?;
                    }
                    return Ok(told);
                }
            }
        }
        Err(Unavailable)
    }
}
