//! Checks and touches.
//!
//! The part of `store::redis` on the way of every request. A copy may say yes; only the server says no. A look at a row is
//! its own proof: it is asked of the primary, together with its floors, after the check began.

use super::core::{Core, Known};
use super::resp::Reply;
use super::told::{Found, LiveRow};
use crate::base::clock::MAX_JUMP_US;
use crate::base::{Now, Reason};
use crate::crypto::digest::Digest;
use crate::session::{Dead, Record, Reference, Touch};
use crate::store::held::codec::{self, Row};
use crate::store::held::copies::Copy;
use crate::store::held::pending::Put;
use crate::store::held::revoked::Word;
use crate::store::{Answer, Later, Unavailable};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// How often a row is read again that the log has just moved past.
const TRIES: usize = 8;

/// Clocks that differ by less than this are taken to agree.
const AGREE_US: i64 = 2_000_000;

type Judged = Result<Arc<Record>, Reason>;

impl Core {
    pub(super) fn check(&self, key: &Digest, now: Now) -> Known<Answer<Arc<Record>>> {
        self.catch_up(now)?;
        if let Some(answer) = self.look(key, now) {
            return Ok(answer);
        }
        match self.read(key, now) {
            // It has just been found to be down.
            Err(Unavailable) if self.is_stale(now) => self.look(key, now).ok_or(Unavailable),
            other => other,
        }
    }

    /// The same where waiting is not allowed; `None`: it could not be said without.
    pub(super) fn check_at_once(&self, key: &Digest, now: Now) -> Option<Answer<Arc<Record>>> {
        let answer = if self.is_trusted(now) || self.is_stale(now) { self.look(key, now) } else { None };
        // While nobody is to ask the server there is nothing to wait for.
        answer.or_else(|| self.pool.rests().then_some(Answer::Unavailable))
    }

    /// What the copy says, where there is one that may say it. Allocates nothing.
    #[inline]
    fn look(&self, key: &Digest, now: Now) -> Option<Answer<Arc<Record>>> {
        let copy = self.copies.get(key)?;
        if !copy.is_young(now) && !self.is_stale(now) {
            return None;
        }
        match self.horizon.revoked.word(&copy) {
            Word::Revoked => Some(Answer::Miss(Reason::SessionRevoked)),
            Word::Good(_) if copy.record.stands(now).is_ok() => Some(Answer::Hit(Arc::clone(&copy.record))),
            Word::Good(_) | Word::Unknown => copy.record.death().map(|dead| Answer::Miss(dead.reason())),
        }
    }

    /// Asks for the row, and keeps or renews its copy.
    #[cold]
    fn read(&self, key: &Digest, now: Now) -> Known<Answer<Arc<Record>>> {
        for _ in 0..TRIES {
            // Loaded before the row is read: what is revoked after this is not in `base`.
            let base = self.horizon.revoked.applied();
            let used = self.copies.get(key).and_then(|copy| copy.record.last_used_boot());
            let found = match self.found_used(&Reference::of(key), used, now)? {
                Found::Live(row) if row.key == *key => self.keep(row, base, now)?,
                Found::Dead(there, dead) if there == *key => {
                    if let Some(copy) = self.copies.get(key) {
                        copy.record.kill(dead);
                        copy.renew(now);
                    }
                    Some(Err(dead.reason()))
                }
                Found::Live(_) | Found::Dead(..) | Found::None => {
                    if let Some(copy) = self.copies.get(key) {
                        copy.record.kill(Dead::Revoked);
                    }
                    Some(Err(Reason::SessionUnknown))
                }
            };
            match found {
                Some(Ok(record)) => return Ok(Answer::Hit(record)),
                Some(Err(reason)) => return Ok(Answer::Miss(reason)),
                // The log has let go of revocations since: once more from there.
                None => {}
            }
        }
        Err(Unavailable)
    }

    pub(super) fn found(&self, reference: &Reference, now: Now) -> Known<Found> {
        self.found_used(reference, None, now)
    }

    /// The same of a session that this process knows the last use of, which may not be written down yet.
    fn found_used(&self, reference: &Reference, used: Option<i64>, now: Now) -> Known<Found> {
        let age = used.map(|used| now.boot_us.saturating_sub(used.saturating_mul(1_000_000)).max(0));
        let age = age.map(|age| age.to_string().into_bytes()).unwrap_or_default();
        let call = self.call(&self.scripts.read, vec![self.names.row(&reference.0)], vec![age]);
        let reply = self.ask(&call, now)?;
        Found::read(reply).map_err(|fault| self.failed(&fault))
    }

    /// Makes or renews the copy of a row that was read while `base` was applied.
    fn keep(&self, row: LiveRow, base: u64, now: Now) -> Known<Option<Judged>> {
        let (key, unused_us) = (row.key, row.unused_us);
        let (companion_seen, left_us) = (row.companion_seen, row.left_us);
        let there = self.copies.get(&key).filter(|copy| {
            // Not where the clocks have moved against each other since it was made, nor where it died of what the
            // operator has taken back.
            let ends = now.unix_us.saturating_add(left_us);
            let agree = ends.abs_diff(copy.record.ends().absolute_unix.saturating_mul(1_000_000));
            agree < AGREE_US.unsigned_abs() && copy.record.death().is_none()
        });
        let copy = match there {
            Some(copy) => copy,
            None => {
                let record = self.opened(row, now)?;
                let principal = self.keys.principal(&record.principal);
                // Nothing is known to be good yet: it is put in only below.
                drop(self.copies.remove(&key));
                Arc::new(Copy::new(Arc::new(record), principal, 0, now))
            }
        };
        let number = match self.horizon.revoked.judge(&copy.record, &copy.principal, base) {
            Word::Unknown => return Ok(None),
            Word::Revoked => {
                copy.record.kill(Dead::Revoked);
                return Ok(Some(Err(Reason::SessionRevoked)));
            }
            Word::Good(number) => number,
        };
        let copy = self.copies.put(copy);
        copy.record.advance(used_boot(unused_us, now));
        if companion_seen {
            copy.record.require_companion();
        }
        copy.see(number);
        copy.renew(now);
        // The server says that it lives, and knows best when it was used; but not beyond its sealed end, and not against
        // a death that was noted here meanwhile.
        Ok(Some(match (copy.record.death(), copy.record.stands(now)) {
            (Some(dead), _) | (None, Err(dead @ Dead::Ended)) => Err(dead.reason()),
            (None, _) => Ok(Arc::clone(&copy.record)),
        }))
    }

    /// The record of a row, its ends put on this process's clocks.
    pub(super) fn opened(&self, row: LiveRow, now: Now) -> Known<Record> {
        let unreadable = || {
            let what = super::fault::Fault::Unreadable("a session of this site (sealed under another keyring's key?)");
            self.failed(&what)
        };
        let mut bytes = self.keys.open([b"row", &row.key], &row.sealed).ok_or_else(unreadable)?;
        let sealed = match codec::read(&bytes) {
            Ok(Row::Live(live)) => live.absolute().map_err(|_| unreadable())?,
            Ok(Row::Tomb(_)) | Err(_) => return Err(unreadable()),
        };
        codec::set_absolute(&mut bytes, ends_here(sealed, row.left_us, now)).map_err(|_| unreadable())?;
        let Ok(Row::Live(live)) = codec::read(&bytes) else { return Err(unreadable()) };
        let path = match row.path.as_slice() {
            [] => None,
            sealed => Some(self.keys.open([b"path", &row.key], sealed).ok_or_else(unreadable)?),
        };
        let record = live.record_with(row.key, used_boot(row.unused_us, now), path).map_err(|_| unreadable())?;
        if row.companion_seen {
            record.require_companion();
        }
        Ok(record)
    }

    pub(super) fn alive(&self, reference: &Reference, now: Now) -> Known<Answer<()>> {
        Ok(match self.found(reference, now)? {
            Found::Live(_) => Answer::Hit(()),
            Found::Dead(_, dead) => Answer::Miss(dead.reason()),
            Found::None => Answer::Miss(Reason::SessionUnknown),
        })
    }

    pub(super) fn key_of(&self, reference: &Reference, now: Now) -> Known<Option<Digest>> {
        Ok(match self.found(reference, now)? {
            Found::Live(row) => Some(row.key),
            Found::Dead(key, _) => Some(key),
            Found::None => None,
        })
    }

    /// Writes a use down, or notes it for the next second.
    pub(super) fn touch(&self, record: &Record, path: Option<&[u8]>, now: Now) -> Known<Touch> {
        self.catch_up(now)?;
        if self.horizon.revoked.ends(record, &self.copies, || self.keys.principal(&record.principal))
            || record.death().is_some()
        {
            return Ok(Touch::Gone);
        }
        if record.stands(now).is_err() {
            // Another process may know of a later use, and only the server says that it is over.
            match self.read(record.key(), now)? {
                Answer::Hit(newer) => record.advance(newer.last_used_boot().unwrap_or(i64::MIN)),
                Answer::Miss(_) | Answer::Unavailable => return Ok(Touch::Gone),
            }
        }
        match self.pending.put_off(&self.copies, record, path, now) {
            Put::Nothing(touch) => Ok(touch),
            Put::WriteNow => self.write_use(record, now),
            Put::Noted => {
                self.flush_some_if_due(now)?;
                Ok(Touch::Done)
            }
        }
    }

    /// Notes a use where waiting is not allowed.
    pub(super) fn touch_later(&self, record: &Record, accompanied: bool, path: Option<&[u8]>, now: Now) -> Later {
        self.pending.later(&self.copies, record, accompanied, path, !self.pool.is_down(), now)
    }

    /// Notes that a session came with its companion.
    pub(super) fn note_companion(&self, record: &Record, now: Now) -> Known<()> {
        if self.pending.companion(&self.copies, record, now) {
            return Ok(());
        }
        self.write_use(record, now).map(drop)
    }

    /// Writes one use down at once.
    fn write_use(&self, record: &Record, now: Now) -> Known<Touch> {
        let there = self.write_uses(&[record], now)?;
        Ok(if there.first() == Some(&true) { Touch::Done } else { Touch::Gone })
    }

    /// Writes uses down; whether each session is there.
    pub(super) fn write_uses(&self, records: &[&Record], now: Now) -> Known<Vec<bool>> {
        let (mut keys, mut args) = (Vec::new(), Vec::new());
        for record in records {
            let Some(used) = record.last_used_boot() else { continue };
            let age = now.boot_us.saturating_sub(used.saturating_mul(1_000_000)).max(0);
            let stored = record.stored();
            let path = stored.path.filter(|path| !path.is_empty());
            let path = path.map(|path| self.keys.seal([b"path", record.key()], path)).transpose();
            keys.push(self.names.row(&Reference::of(record.key()).0));
            args.push(age.to_string().into_bytes());
            args.push(if stored.companion_seen { b"1".to_vec() } else { Vec::new() });
            args.push(path.map_err(|_| Unavailable)?.unwrap_or_default());
        }
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        match self.ask(&self.call(&self.scripts.touch, keys, args), now)? {
            Reply::Parts(parts) => Ok(parts.iter().map(|part| *part == Reply::Number(1)).collect()),
            _ => Err(self.failed(&super::fault::Fault::Nonsense)),
        }
    }

    /// What was known so long ago is not asked for again in the same second.
    pub(super) fn sweeps_again(&self, now: Now) -> bool {
        self.swept.load(Ordering::Relaxed) != now.boot()
    }
}

/// Boot seconds of a use that was so many microseconds ago.
fn used_boot(unused_us: i64, now: Now) -> i64 {
    now.boot_us.saturating_sub(unused_us.max(0)).div_euclid(1_000_000)
}

/// An absolute end by this process's clock, `left_us` before it by the server's. It is the one that was sealed where the
/// clocks agree, and never later than that by more than the step of a clock that is followed: who can write the server
/// cannot prolong a session.
fn ends_here(sealed: i64, left_us: i64, now: Now) -> i64 {
    let ends_us = now.unix_us.saturating_add(left_us);
    if ends_us.abs_diff(sealed.saturating_mul(1_000_000)) < AGREE_US.unsigned_abs() {
        return sealed;
    }
    ends_us.saturating_add(500_000).div_euclid(1_000_000).min(sealed.saturating_add(MAX_JUMP_US / 1_000_000))
}
