//! The connections of one process, a few of them, opened when they are needed and all closed at the first failure.
//!
//! Used by `store::redis` alone. Every call is over at a moment that is fixed when it begins, waiting for a connection and
//! opening one included. While the server is down one caller at a time tries it, at growing distances; everybody else
//! is told at once. It must never say that anything was done which was not answered.

use super::Login;
use super::connection::Connection;
use super::fault::Fault;
use super::resolve::{self, Way};
use crate::base::Error;
use parking_lot::{Condvar, Mutex};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How long nobody asks after the first failure, and at most after many.
const FIRST_REST: Duration = Duration::from_millis(100);
const LONGEST_REST: Duration = Duration::from_secs(1);

/// How often a cluster may send a call elsewhere.
const REDIRECTS: usize = 4;

pub(super) struct Pool {
    way: Way,
    login: Login,
    timeout: Duration,
    most: usize,
    idle: Mutex<Idle>,
    freed: Condvar,
    /// Raised whenever all connections are to be closed.
    age: AtomicU64,
    rest: Mutex<Rest>,
    down: AtomicBool,
    fault: Mutex<Option<Error>>,
}

#[derive(Default)]
struct Idle {
    connections: Vec<Connection>,
    out: usize,
}

/// One of the connections that there may be. It is given back also by a call that panics, which the host may outlive.
struct Place<'a> {
    pool: &'a Pool,
    connection: Option<Connection>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut idle = self.pool.idle.lock();
        idle.out -= 1;
        idle.connections.extend(self.connection.take());
        drop(idle);
        self.pool.freed.notify_one();
    }
}

/// Held by who tries the server while it is down. Dropped only by a panic: then it has not answered.
struct Probe<'a>(&'a Pool);

impl Drop for Probe<'_> {
    fn drop(&mut self) {
        self.0.begin_rest(true);
    }
}

/// The time for which nobody asks.
struct Rest {
    until: Option<Instant>,
    next: Duration,
    /// Somebody is trying.
    probing: bool,
}

impl Pool {
    pub(super) fn new(way: Way, login: Login, timeout: Duration, most: usize) -> Pool {
        Pool {
            way,
            login,
            timeout,
            most: most.max(1),
            idle: Mutex::default(),
            freed: Condvar::new(),
            age: AtomicU64::new(0),
            rest: Mutex::new(Rest { until: None, next: FIRST_REST, probing: false }),
            down: AtomicBool::new(false),
            fault: Mutex::new(None),
        }
    }

    /// The moment by which a call that begins now is over.
    pub(super) fn deadline(&self) -> Instant {
        Instant::now() + self.timeout
    }

    /// Whether the server did not answer when it was asked last, and nobody is to ask it yet.
    pub(super) fn rests(&self) -> bool {
        self.is_down() && {
            let rest = self.rest.lock();
            rest.probing || rest.until.is_some_and(|until| Instant::now() < until)
        }
    }

    /// Whether the server did not answer when it was asked last.
    pub(super) fn is_down(&self) -> bool {
        self.down.load(Ordering::Acquire)
    }

    /// What went wrong since this was asked last.
    pub(super) fn fault(&self) -> Option<Error> {
        self.fault.lock().take()
    }

    /// Whom errors are about.
    pub(super) fn shown(&self) -> String {
        self.way.shown()
    }

    /// For when nothing else is known.
    pub(super) fn silent(&self) -> Error {
        Fault::Down.told(&self.way.shown())
    }

    /// Notes a fault for maintenance to tell.
    pub(super) fn note(&self, fault: &Fault) {
        if *fault != Fault::Down {
            *self.fault.lock() = Some(fault.told(&self.way.shown()));
        }
    }

    /// One call over any connection.
    pub(super) fn call<T>(
        &self,
        deadline: Instant,
        ask: impl FnMut(&mut Connection) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let mut place = self.place(deadline)?;
        self.call_on(&mut place.connection, deadline, true, ask)
    }

    /// One call over a connection that the caller keeps; `pooled`: one at rest may be taken for it.
    pub(super) fn call_on<T>(
        &self,
        kept: &mut Option<Connection>,
        deadline: Instant,
        pooled: bool,
        mut ask: impl FnMut(&mut Connection) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        // Looked at before it is asked whether to ask: who is let through just before all is closed belongs to what was.
        let mut age = self.age.load(Ordering::Acquire);
        let probe = self.allowed()?;
        let mut done = Err(Fault::Down);
        for _ in 0..REDIRECTS {
            done = self.on_one(kept, age, deadline, pooled, &mut ask);
            match &done {
                Err(fault @ Fault::Refused(text)) if fault.code() == "MOVED" && self.way.follows() => {
                    *kept = None;
                    self.age.fetch_add(1, Ordering::AcqRel);
                    self.way.moved(text);
                    age = self.age.load(Ordering::Acquire);
                }
                Err(fault @ Fault::Refused(text)) if fault.code() == "ASK" && self.way.follows() => {
                    done = self.asked_elsewhere(text, deadline, &mut ask);
                    break;
                }
                _ => break,
            }
        }
        self.settle(&done, kept, age, probe.is_some());
        std::mem::forget(probe);
        done
    }

    fn on_one<T>(
        &self,
        kept: &mut Option<Connection>,
        age: u64,
        deadline: Instant,
        pooled: bool,
        ask: &mut impl FnMut(&mut Connection) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let good = |mut connection: Connection| {
            let good = connection.age == age && connection.is_usable();
            good.then_some(connection)
        };
        let mut connection = kept.take().and_then(good);
        while connection.is_none() && pooled {
            let Some(resting) = self.idle.lock().connections.pop() else { break };
            connection = good(resting);
        }
        let mut connection = match connection {
            Some(connection) => connection,
            None => self.way.open(&self.login, age, deadline)?,
        };
        let done = ask(&mut connection);
        let whole = match &done {
            Ok(_) => true,
            Err(Fault::Refused(_) | Fault::Unreadable(_)) => true,
            Err(Fault::Io(..) | Fault::Slow | Fault::Nonsense | Fault::Down) => false,
        };
        if whole {
            *kept = Some(connection);
        }
        done
    }

    /// A key on its way to another node: that one is asked this once.
    fn asked_elsewhere<T>(
        &self,
        text: &str,
        deadline: Instant,
        ask: &mut impl FnMut(&mut Connection) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let server = self.way.named_in(text).ok_or(Fault::Nonsense)?;
        let mut connection = Connection::open(&server, &self.login, 0, deadline)?;
        connection.asking = true;
        ask(&mut connection)
    }

    /// Waits for one of the connections that there may be.
    fn place(&self, deadline: Instant) -> Result<Place<'_>, Fault> {
        let mut idle = self.idle.lock();
        while idle.out >= self.most {
            if self.freed.wait_until(&mut idle, deadline).timed_out() {
                return Err(Fault::Slow);
            }
        }
        idle.out += 1;
        Ok(Place { pool: self, connection: None })
    }

    /// Whether the server may be asked now; a probe for the one who tries.
    fn allowed(&self) -> Result<Option<Probe<'_>>, Fault> {
        if !self.is_down() {
            return Ok(None);
        }
        let mut rest = self.rest.lock();
        match rest.until {
            Some(until) if rest.probing || Instant::now() < until => Err(Fault::Down),
            Some(_) => {
                rest.probing = true;
                Ok(Some(Probe(self)))
            }
            None => Ok(None),
        }
    }

    /// `age`: of the connections among which it was made. Where all of those were closed meanwhile, what became of it says
    /// nothing of the ones of now: a call that hung on a server that is gone must not close those to the next one.
    fn settle<T>(&self, done: &Result<T, Fault>, kept: &mut Option<Connection>, age: u64, probe: bool) {
        match done {
            Err(fault) => {
                self.note(fault);
                // None is left where none could be opened, for whatever the server says to that.
                if fault.closes() || kept.is_none() {
                    *kept = None;
                    if self.close_all_of(age) || probe {
                        self.begin_rest(probe);
                    }
                } else if probe {
                    self.end_rest();
                }
            }
            Ok(_) if self.is_down() && (probe || self.age.load(Ordering::Acquire) == age) => self.end_rest(),
            Ok(_) => {}
        }
    }

    /// Closes all connections; those in use as soon as they come back.
    pub(super) fn close(&self) {
        self.age.fetch_add(1, Ordering::AcqRel);
        self.forget();
    }

    /// The same, unless somebody has done it already; whether it was done now.
    fn close_all_of(&self, age: u64) -> bool {
        let first = self.age.compare_exchange(age, age + 1, Ordering::AcqRel, Ordering::Acquire).is_ok();
        if first {
            self.forget();
        }
        first
    }

    fn forget(&self) {
        self.way.forget();
        self.idle.lock().connections.clear();
    }

    fn begin_rest(&self, probe: bool) {
        let mut rest = self.rest.lock();
        let now = Instant::now();
        // One of the same age may have been let through behind the first failure: that is one failure.
        if probe || rest.until.is_none() {
            rest.until = Some(now + resolve::jittered(rest.next));
            rest.next = (rest.next * 2).min(LONGEST_REST);
        }
        rest.probing &= !probe;
        self.down.store(true, Ordering::Release);
    }

    fn end_rest(&self) {
        *self.rest.lock() = Rest { until: None, next: FIRST_REST, probing: false };
        self.down.store(false, Ordering::Release);
    }
}
