//! An open store in one process: checks from copies, uses, floors.
//!
//! The part of `store::shared` that answers. One for each path and process; engines of one process share it. The order of
//! a check is that of `docs/security.md`, part 4: the log first, then the copy, then the row where there is no copy or
//! the copy would say no.

use super::codec::Row;
use super::copies::{Copies, Copy};
use super::fresh::Fresh;
use super::group::Group;
use super::log::{self, Log};
use super::pending::{Pending, Put};
use super::place::{self, explained};
use super::revoked::Word;
use super::rows::Rows;
use super::sessions::{Done, Job};
use super::{Durability, Settings};
use crate::base::{Error, Now, Reason, Result};
use crate::crypto::digest::Digest;
use crate::crypto::guard::ForkGuard;
use crate::session::{Dead, Record, Reference, Touch};
use crate::store::{Answer, Later, Unavailable};
use parking_lot::Mutex;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// How often a row is read again that the log has just moved past.
const TRIES: usize = 8;

type Known<T> = std::result::Result<T, Unavailable>;

/// See the module's page.
pub(super) struct Core {
    pub guard: ForkGuard,
    pub path: PathBuf,
    pub durability: Durability,
    pub longest_secs: u32,
    pub boot_tag: u64,
    pub log: Log,
    pub rows: Rows,
    pub fresh: Fresh,
    pub copies: Copies,
    pub pending: Pending,
    /// Log-ins and log-outs that wait for the rows' write lock.
    pub group: Group<Job, Done>,
    /// Somebody put other files in our files' place.
    pub replaced: AtomicBool,
    /// Says to other processes that this one has the store open.
    _held: File,
    /// What went wrong last, for maintenance to tell.
    fault: Mutex<Option<Error>>,
}

impl AsRef<ForkGuard> for Core {
    fn as_ref(&self) -> &ForkGuard {
        &self.guard
    }
}

impl Core {
    /// Opens the store of `settings`.
    pub(super) fn open(settings: &Settings, now: Now) -> Result<Core> {
        let opened = place::open(settings)?;
        let rows = Rows::open(opened.sessions)?;
        let high = rows.high().map_err(|e| explained(&e, &settings.path))?;
        let log = Log::open(opened.revocations, high, now)?;
        drop(opened.lock);
        let path = settings.path.canonicalize().unwrap_or_else(|_| settings.path.clone());
        let core = Core {
            guard: ForkGuard::new(),
            path,
            durability: settings.durability,
            longest_secs: settings.longest_secs,
            boot_tag: opened.boot_tag,
            log,
            rows,
            fresh: Fresh::new(),
            copies: Copies::new(),
            pending: Pending::new(),
            group: Group::new(),
            replaced: AtomicBool::new(false),
            _held: opened.held,
            fault: Mutex::new(None),
        };
        core.catch_up().map_err(|_| core.told())?;
        core.recall(&settings.floors, now).map_err(|_| core.told())?;
        Ok(core)
    }

    /// Notes what went wrong.
    pub(super) fn failed(&self, error: heed::Error) -> Unavailable {
        self.tell(self.explained(&error));
        Unavailable
    }

    pub(super) fn tell(&self, fault: Error) {
        *self.fault.lock() = Some(fault);
    }

    pub(super) fn explained(&self, error: &heed::Error) -> Error {
        match error {
            heed::Error::Io(e) if let Some(full) = e.get_ref().and_then(|e| e.downcast_ref::<log::Full>()) => {
                Error::unavailable(format!("{}: {full}", self.path.display()))
            }
            other => explained(other, &self.path),
        }
    }

    /// What went wrong since this was asked last.
    pub(super) fn fault(&self) -> Option<Error> {
        self.fault.lock().take()
    }

    fn told(&self) -> Error {
        self.fault().unwrap_or_else(|| Error::unavailable(format!("{}: did not answer", self.path.display())))
    }

    /// Makes sure that all that was revoked before this call is known.
    #[inline]
    pub(super) fn catch_up(&self) -> Known<()> {
        self.in_place()?;
        self.fresh.catch_up(&self.log, |key| self.kill(key, Dead::Revoked)).map_err(|e| self.failed(e))
    }

    /// Refuses where other files lie in our files' place: what is done in ours is seen by nobody else.
    #[inline]
    pub(super) fn in_place(&self) -> Known<()> {
        if self.replaced.load(Ordering::Relaxed) { Err(Unavailable) } else { Ok(()) }
    }

    /// Marks the copy of a session dead, so that those who hold its record see it.
    pub(super) fn kill(&self, key: &Digest, dead: Dead) {
        if let Some(copy) = self.copies.get(key) {
            copy.record.kill(dead);
        }
    }

    /// Drops a copy that was found idle, for its row says otherwise: the next check reads that.
    pub(super) fn drop_idle(&self, key: &Digest) {
        self.copies.remove_if(key, |copy| copy.record.death() == Some(Dead::Idle));
    }

    pub(super) fn check(&self, key: &Digest, now: Now) -> Known<Answer<Arc<Record>>> {
        self.catch_up()?;
        if let Some(copy) = self.copies.get(key).filter(|copy| copy.is_young(now)) {
            match self.fresh.revoked.word(&copy) {
                Word::Revoked => return Ok(Answer::Miss(Reason::SessionRevoked)),
                Word::Good(_) => match (copy.record.stands(now), copy.record.death()) {
                    (Ok(()), _) => return Ok(Answer::Hit(Arc::clone(&copy.record))),
                    (Err(_), Some(dead)) => return Ok(Answer::Miss(dead.reason())),
                    // A copy may say yes; only the row says no.
                    (Err(_), None) => {}
                },
                Word::Unknown => {}
            }
        }
        self.read(key, now)
    }

    /// Reads the row, and keeps or renews its copy.
    #[cold]
    fn read(&self, key: &Digest, now: Now) -> Known<Answer<Arc<Record>>> {
        for _ in 0..TRIES {
            match self.read_once(key, now).map_err(|e| self.failed(e))? {
                Some(Ok(record)) => return Ok(Answer::Hit(record)),
                Some(Err(reason)) => return Ok(Answer::Miss(reason)),
                // The log has let go of revocations since: once more from there.
                None => self.catch_up()?,
            }
        }
        Err(Unavailable)
    }

    fn read_once(&self, key: &Digest, now: Now) -> heed::Result<Option<std::result::Result<Arc<Record>, Reason>>> {
        // Loaded before the row is read: what is revoked after this is not in `base`.
        let base = self.fresh.revoked.applied();
        let r = self.rows.env.read_txn()?;
        let row = self.rows.get(&r, key)?;
        let l = self.log.env.read_txn()?;
        let revoked = self.log.has_session(&l, key)?;
        let row = match row {
            Some(Row::Live(row)) if !revoked => row,
            Some(Row::Tomb(tomb)) => {
                self.kill(key, tomb.dead);
                return Ok(Some(Err(tomb.dead.reason())));
            }
            Some(Row::Live(_)) | None => {
                self.kill(key, Dead::Revoked);
                let reason = if revoked { Reason::SessionRevoked } else { Reason::SessionUnknown };
                return Ok(Some(Err(reason)));
            }
        };
        let copy = match self.copies.get(key) {
            Some(copy) => copy,
            None => {
                let record = Rows::hold(row, key, self.boot_tag, now)?.record;
                let principal = log::principal(&record.principal);
                // Nothing is known to be good yet: it is put in only below.
                Arc::new(Copy::new(Arc::new(record), principal, 0, now))
            }
        };
        let number = match self.fresh.revoked.judge(&copy.record, &copy.principal, base) {
            Word::Unknown => return Ok(None),
            Word::Revoked => {
                copy.record.kill(Dead::Revoked);
                return Ok(Some(Err(Reason::SessionRevoked)));
            }
            Word::Good(number) => number,
        };
        let copy = self.copies.put(copy);
        let used = row.used().map_err(|_| heed::Error::Mdb(heed::MdbError::Corrupted))?;
        copy.record.advance(used.boot_in(self.boot_tag, now));
        if row.companion_seen() {
            copy.record.require_companion();
        }
        copy.see(number);
        copy.renew(now);
        Ok(Some(match copy.record.stands(now) {
            Ok(()) => Ok(Arc::clone(&copy.record)),
            Err(dead) => Err(self.over(&copy.record, dead, now).reason()),
        }))
    }

    /// A session was found over: that is written down, so that no step of a clock revives it.
    fn over(&self, record: &Arc<Record>, dead: Dead, now: Now) -> Dead {
        let first = record.death().is_none();
        let dead = record.kill(dead);
        if first {
            let _ = self.pending.note(record, now);
        }
        dead
    }

    pub(super) fn alive(&self, reference: &Reference, now: Now) -> Known<Answer<()>> {
        let key = self.key_of(reference)?;
        let Some(key) = key else { return Ok(Answer::Miss(Reason::SessionUnknown)) };
        Ok(match self.check(&key, now)? {
            Answer::Hit(_) => Answer::Hit(()),
            Answer::Miss(reason) => Answer::Miss(reason),
            Answer::Unavailable => Answer::Unavailable,
        })
    }

    pub(super) fn key_of(&self, reference: &Reference) -> Known<Option<Digest>> {
        let read = || {
            let r = self.rows.env.read_txn()?;
            self.rows.key_of(&r, reference)
        };
        read().map_err(|e| self.failed(e))
    }

    /// Writes a use down, or notes it for the next second.
    pub(super) fn touch(&self, record: &Record, path: Option<&[u8]>, now: Now) -> Known<Touch> {
        self.catch_up()?;
        if self.fresh.revoked.ends(record, &self.copies, || log::principal(&record.principal)) {
            return Ok(Touch::Gone);
        }
        if record.stands(now) == Err(Dead::Idle) {
            // Another process may know of a later use.
            if let Answer::Hit(newer) = self.check(record.key(), now)? {
                record.advance(newer.last_used_boot().unwrap_or(i64::MIN));
            }
        }
        match self.pending.put_off(&self.copies, record, path, now) {
            Put::Nothing(touch) => Ok(touch),
            Put::WriteNow => self.write_use(record, now),
            Put::Noted => {
                if self.pending.is_due(now) {
                    self.flush(now)?;
                }
                Ok(Touch::Done)
            }
        }
    }

    /// Writes one use down at once.
    fn write_use(&self, record: &Record, now: Now) -> Known<Touch> {
        let write = || {
            let mut w = self.rows.env.write_txn()?;
            let there = self.rows.touch(&mut w, record, self.boot_tag, now)?;
            w.commit()?;
            Ok(if there { Touch::Done } else { Touch::Gone })
        };
        write().map_err(|e| self.failed(e))
    }

    /// Notes a use where waiting is not allowed.
    pub(super) fn touch_later(&self, record: &Record, accompanied: bool, path: Option<&[u8]>, now: Now) -> Later {
        self.pending.later(&self.copies, record, accompanied, path, true, now)
    }

    /// Notes that a session came with its companion.
    pub(super) fn note_companion(&self, record: &Record, now: Now) -> Known<()> {
        if self.pending.companion(&self.copies, record, now) {
            return Ok(());
        }
        self.write_use(record, now).map(drop)
    }
}
