//! The record of a session: who, since when, until when, last used when. Small, shared, and immutable but for the few
//! fields that only ever move one way.
//!
//! Made by `engine` at a login, kept by `store`, handed to every check as an `Arc`. A record that a store has removed
//! may still be held by a request in flight: it carries its own death, so that no touch through such a handle, and no
//! step of a clock, ever brings it back. It must never hold the session's id, or a secret of any kind.

#[cfg(any(feature = "shared", feature = "redis"))]
mod stored;

use crate::base::Now;
use crate::crypto::digest::Digest;
use crate::directory::{Tenant, User};
use crate::expiry::{self, Ends, Life};
use crate::session::death::{Dead, MARKS};
use crate::session::id::Reference;
use crate::session::last_path::LastPath;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

#[cfg(any(feature = "shared", feature = "redis"))]
pub(crate) use stored::Stored;

/// Name and value of what a profile keeps with a session, as the client sent it: unproven.
pub type Extra = (Box<str>, Box<str>);

/// What a login knows; [`Record::new`] makes the record.
pub struct NewSession {
    pub principal: Arc<str>,
    /// The user as a host's directory gave it; `None` when a resident directory can look it up by id.
    pub user: Option<Arc<User>>,
    pub tenant: Option<Arc<Tenant>>,
    /// Seconds without use after which it is over.
    pub idle_secs: u32,
    /// Seconds after which it is over in any case.
    pub absolute_secs: u32,
    /// The store's `seq`, read before the directory was asked.
    pub seq: u64,
    pub extra: Vec<Extra>,
    /// The peer's address at the login, for audit.
    pub client: Option<Box<str>>,
    /// The digest of the companion cookie's value, where one goes out.
    pub companion: Option<Digest>,
    /// Whether lists show the last path.
    pub keep_path: bool,
    /// Made beside a proof that comes with every request (an API key): the first to make room.
    pub kept: bool,
    /// Tokens may be made from it: revoking it must end them.
    pub mints: bool,
}

impl NewSession {
    /// A session of `principal` and nothing else.
    pub fn of(principal: &str, idle_secs: u32, absolute_secs: u32, seq: u64) -> NewSession {
        NewSession {
            principal: Arc::from(principal),
            user: None,
            tenant: None,
            idle_secs,
            absolute_secs,
            seq,
            extra: Vec::new(),
            client: None,
            companion: None,
            keep_path: false,
            kept: false,
            mints: false,
        }
    }
}

/// A session. Any thread; what changes is atomic. 128 bytes with its counts, plus what is seldom there.
///
/// Laid out in the order in which a check reads it, so that it meets as few cache lines as can be.
#[repr(C)]
pub struct Record {
    pub(crate) key: Digest,
    /// Boot seconds of the last use on record, or how it died.
    last_used: AtomicI64,
    absolute_unix: i64,
    pub seq: u64,
    life_secs: u32,
    idle_secs: u32,
    pub principal: Arc<str>,
    pub user: Option<Arc<User>>,
    pub tenant: Option<Arc<Tenant>>,
    rest: Option<Box<Rest>>,
    /// Counts logins, so that the oldest is known without a clock; wraps.
    pub(crate) serial: u32,
    companion_seen: AtomicBool,
    pub(crate) kept: bool,
    pub(crate) mints: bool,
}

/// What most sessions do not have.
#[derive(Default)]
struct Rest {
    extra: Box<[Extra]>,
    client: Option<Box<str>>,
    companion: Option<Digest>,
    path: Option<LastPath>,
    /// Of a session that goes on from another one: where they began.
    origin: Option<Reference>,
}

/// What became of a touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touch {
    /// The use was written down.
    Done,
    /// The use on record is young enough.
    NotDue,
    /// The session is over or was removed: nothing was written.
    Gone,
}

impl Record {
    /// The record of a login at `now`: both ends begin here, and the absolute one never moves again.
    pub fn new(new: NewSession, now: Now) -> Record {
        let path = new.keep_path.then(LastPath::default);
        let plain = new.extra.is_empty() && new.client.is_none() && new.companion.is_none() && path.is_none();
        let rest = Rest { extra: new.extra.into(), client: new.client, companion: new.companion, path, origin: None };
        Record {
            key: [0; 32],
            last_used: AtomicI64::new(now.boot().max(MARKS + 1)),
            absolute_unix: now.unix().saturating_add(i64::from(new.absolute_secs)),
            life_secs: new.absolute_secs,
            idle_secs: new.idle_secs,
            seq: new.seq,
            principal: new.principal,
            user: new.user,
            tenant: new.tenant,
            rest: (!plain).then(|| Box::new(rest)),
            serial: 0,
            companion_seen: AtomicBool::new(false),
            kept: new.kept,
            mints: new.mints,
        }
    }

    /// The record of a session that goes on from `old` under a new id: it ends when `old` would have ended.
    pub fn continued(new: NewSession, old: &Record, now: Now) -> Record {
        let mut record = Record { absolute_unix: old.absolute_unix, life_secs: old.life_secs, ..Record::new(new, now) };
        record.rest.get_or_insert_default().origin = Some(old.origin());
        record
    }

    /// The reference of the session's beginning: its own, or that of the first of those it goes on from. What is made
    /// from a session carries it. Not known until it is stored.
    pub fn origin(&self) -> Reference {
        self.rest.as_ref().and_then(|rest| rest.origin).unwrap_or_else(|| Reference::of(&self.key))
    }

    /// The digest that the store keeps it under. All zero until it is stored.
    pub fn key(&self) -> &Digest {
        &self.key
    }

    /// The fixed ends.
    pub fn ends(&self) -> Ends {
        Ends {
            created_unix: self.absolute_unix.saturating_sub(i64::from(self.life_secs)),
            absolute_unix: self.absolute_unix,
            idle_secs: self.idle_secs,
        }
    }

    /// Boot seconds of the last use on record; `None` once it is dead.
    pub fn last_used_boot(&self) -> Option<i64> {
        let seen = self.last_used.load(Ordering::Acquire);
        Dead::of(seen).is_none().then_some(seen)
    }

    /// How it stands, without a touch and without a word on revocations by floor, which the store alone knows. A
    /// revoked one says [`Life::Ended`].
    pub fn life(&self, now: Now) -> Life {
        let seen = self.last_used.load(Ordering::Acquire);
        match Dead::of(seen) {
            None => expiry::session(&self.ends(), seen, now),
            Some(Dead::Idle) => Life::Idle,
            Some(Dead::Ended | Dead::Revoked) => Life::Ended,
        }
    }

    /// What the profile keeps with the session.
    pub fn extra(&self) -> &[Extra] {
        self.rest.as_ref().map_or(&[], |rest| &rest.extra)
    }

    /// The peer's address at the login.
    pub fn client(&self) -> Option<&str> {
        self.rest.as_ref()?.client.as_deref()
    }

    /// The digest of the companion cookie's value.
    pub fn companion(&self) -> Option<&Digest> {
        self.rest.as_ref()?.companion.as_ref()
    }

    /// Whether the session was seen with its companion; from then on it is required.
    pub fn companion_required(&self) -> bool {
        self.companion_seen.load(Ordering::Acquire)
    }

    pub(crate) fn require_companion(&self) {
        if !self.companion_seen.load(Ordering::Acquire) {
            self.companion_seen.store(true, Ordering::Release);
        }
    }

    /// The last path written down, as text; `None` when none is kept or none came yet.
    pub fn last_path(&self) -> Option<String> {
        self.rest.as_ref()?.path.as_ref()?.text()
    }

    /// `Ok` while it is alive. The first to find it over writes that down, so that a wall clock set back later does
    /// not revive it. Allocates nothing.
    #[inline]
    pub(crate) fn judge(&self, now: Now) -> Result<(), Dead> {
        let seen = self.last_used.load(Ordering::Acquire);
        // A mark lies so far back that it is never surely alive.
        if expiry::surely_alive(self.absolute_unix, self.idle_secs, seen, now) {
            return Ok(());
        }
        self.judge_closely(seen, now)
    }

    #[cold]
    fn judge_closely(&self, mut seen: i64, now: Now) -> Result<(), Dead> {
        loop {
            if let Some(dead) = Dead::of(seen) {
                return Err(dead);
            }
            let dead = match expiry::session(&self.ends(), seen, now) {
                Life::Alive { .. } => return Ok(()),
                Life::Idle => Dead::Idle,
                Life::Ended => Dead::Ended,
            };
            match self.step(seen, dead.mark()) {
                Ok(()) => return Err(dead),
                Err(newer) => seen = newer,
            }
        }
    }

    /// Writes the death down; returns what stands: this, or an earlier one.
    pub(crate) fn kill(&self, dead: Dead) -> Dead {
        let mut seen = self.last_used.load(Ordering::Acquire);
        loop {
            if let Some(earlier) = Dead::of(seen) {
                return earlier;
            }
            match self.step(seen, dead.mark()) {
                Ok(()) => return dead,
                Err(newer) => seen = newer,
            }
        }
    }

    /// Writes a use down if one is due, and `path` with it. Never revives and never moves back. No wait, no
    /// allocation: a path that another thread is reading at this moment is left as it is.
    #[inline]
    pub(crate) fn touch(&self, path: Option<&[u8]>, now: Now) -> Touch {
        let seen = self.last_used.load(Ordering::Acquire);
        // A mark is always due, and what is not due cannot be idle: only the absolute end is left to look at.
        if !expiry::touch_due(self.idle_secs, seen, now) && now.unix() < self.absolute_unix {
            return Touch::NotDue;
        }
        self.touch_due(path, now)
    }

    #[inline(never)]
    fn touch_due(&self, path: Option<&[u8]>, now: Now) -> Touch {
        loop {
            let seen = self.last_used.load(Ordering::Acquire);
            if self.judge(now).is_err() {
                return Touch::Gone;
            }
            if !expiry::touch_due(self.idle_secs, seen, now) {
                return Touch::NotDue;
            }
            if self.step(seen, now.boot()).is_ok() {
                self.keep_path(path);
                return Touch::Done;
            }
        }
    }

    /// The one way in which the last use changes: from what was seen, or not at all.
    fn step(&self, seen: i64, new: i64) -> Result<(), i64> {
        self.last_used.compare_exchange(seen, new, Ordering::AcqRel, Ordering::Acquire).map(|_| ())
    }

    fn keep_path(&self, path: Option<&[u8]>) {
        let place = self.rest.as_ref().and_then(|rest| rest.path.as_ref());
        if let (Some(path), Some(place)) = (path, place) {
            place.keep(path);
        }
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record").field("principal", &self.principal).field("ends", &self.ends()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Clock;

    fn record(clock: &Clock) -> Record {
        Record::new(NewSession { keep_path: true, ..NewSession::of("Aladdin", 1_600, 43_200, 1) }, clock.now())
    }

    #[test]
    fn a_record_is_128_bytes_with_its_counts() {
        assert!(size_of::<Record>() + 2 * size_of::<usize>() <= 128, "{}", size_of::<Record>());
    }

    #[test]
    fn a_continued_session_began_and_ends_with_the_old_one() {
        let clock = Clock::fake(1_000);
        let old = Record { key: [1; 32], ..record(&clock) };
        clock.advance(1_500);
        let new = Record::continued(NewSession::of("Aladdin", 1_600, 43_200, 1), &old, clock.now());
        assert_eq!(new.ends(), old.ends());
        assert_eq!(new.origin(), Reference::of(old.key()));
        let third = Record::continued(NewSession::of("Aladdin", 1_600, 43_200, 1), &new, clock.now());
        assert_eq!(third.origin(), Reference::of(old.key()), "and so does the one after it");
        assert_eq!(new.last_used_boot(), Some(clock.now().boot()), "it was used just now");
    }

    #[test]
    fn a_session_found_ended_stays_so_when_the_wall_clock_is_set_back() {
        let clock = Clock::fake(1_000);
        let record = record(&clock);
        for _ in 0..27 {
            clock.advance(1_600);
            record.touch(None, clock.now());
        }
        assert_eq!(record.judge(clock.now()), Err(Dead::Ended));
        clock.step_wall(-3_000);
        assert_eq!(clock.follow(), None);
        assert_eq!(record.judge(clock.now()), Err(Dead::Ended));
        assert_eq!(record.touch(None, clock.now()), Touch::Gone);
        assert_eq!(record.life(clock.now()), Life::Ended);
    }

    #[test]
    fn a_touch_neither_revives_nor_moves_back() {
        let clock = Clock::fake(1_000);
        let (early, record) = (clock.now(), record(&clock));
        clock.advance(60);
        assert_eq!(record.touch(None, clock.now()), Touch::Done);
        let used = record.last_used_boot();
        assert_eq!(record.touch(None, early), Touch::NotDue);
        assert_eq!(record.last_used_boot(), used);
        assert_eq!(record.kill(Dead::Revoked), Dead::Revoked);
        clock.advance(60);
        assert_eq!(record.touch(None, clock.now()), Touch::Gone);
        assert_eq!(record.kill(Dead::Idle), Dead::Revoked, "the first word stands");
        assert_eq!(record.last_used_boot(), None);
    }

    #[test]
    fn a_late_touch_does_not_revive_an_idle_session() {
        let clock = Clock::fake(1_000);
        let record = record(&clock);
        clock.advance(1_600 + 60);
        assert_eq!(record.touch(None, clock.now()), Touch::Gone);
        assert_eq!(record.judge(clock.now()), Err(Dead::Idle));
    }

    #[test]
    fn the_last_path_changes_with_a_due_touch_only() {
        let clock = Clock::fake(1_000);
        let record = record(&clock);
        assert_eq!(record.touch(Some(b"/early"), clock.now()), Touch::NotDue);
        assert_eq!(record.last_path(), None);
        clock.advance(100);
        assert_eq!(record.touch(Some(b"/a"), clock.now()), Touch::Done);
        assert_eq!(record.last_path().as_deref(), Some("/a"));
        clock.advance(100);
        let plain = Record::new(NewSession::of("Aladdin", 1_600, 43_200, 1), clock.now());
        clock.advance(100);
        plain.touch(Some(b"/a"), clock.now());
        assert_eq!(plain.last_path(), None);
    }

    /// Every interleaving of the two steps of a touch (read, compare-and-set) with a kill, on the real fields.
    #[test]
    fn no_interleaving_of_touch_and_kill_leaves_it_alive() {
        for kill_at in 0..=2 {
            let clock = Clock::fake(1_000);
            let record = record(&clock);
            clock.advance(100);
            let mut seen = 0;
            for step in 0..=2 {
                if step == kill_at {
                    record.kill(Dead::Revoked);
                }
                match step {
                    0 => seen = record.last_used.load(Ordering::Acquire),
                    1 if Dead::of(seen).is_none() => drop(record.step(seen, clock.now().boot())),
                    _ => {}
                }
            }
            assert_eq!(record.judge(clock.now()), Err(Dead::Revoked), "killed before step {kill_at}");
        }
    }

    #[test]
    fn debug_shows_neither_key_nor_extra() {
        let clock = Clock::fake(1_000);
        let extra = vec![("computer".into(), "OpenSesame".into())];
        let record = Record::new(NewSession { extra, ..NewSession::of("Aladdin", 60, 60, 1) }, clock.now());
        let text = format!("{record:?}");
        assert!(text.contains("Aladdin") && !text.contains("OpenSesame") && !text.contains("key"), "{text}");
        assert_eq!(record.extra().len(), 1);
    }
}
