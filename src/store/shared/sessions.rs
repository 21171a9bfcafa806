//! Putting sessions in, ending them, raising floors.
//!
//! The part of `store::shared` that writes on somebody's behalf. Who changes rows holds their write lock first and the
//! log's second, so that a log-out and a renewal in flight meet at the rows: whichever comes second sees the first. A
//! session that ends before its time is in the log **before** the call returns; its row only follows.

use super::codec::{Row, Used};
use super::copies::Copy;
use super::core::Core;
use super::fresh::Word;
use super::log::{self, Entry, What};
use super::rows::{Held, Rows};
use crate::base::clock::MAX_JUMP_US;
use crate::base::{Now, Reason};
use crate::crypto::digest::Digest;
use crate::session::id::made_key;
use crate::session::{Dead, Record, Reference};
use crate::store::{Inserted, MAX_CAP, NotStored, Revocation, Unavailable, until_look};
use heed::{RoTxn, RwTxn};
use std::sync::Arc;

/// Added to the longest life before anything is forgotten: a wall clock that is set back within the bounds that are
/// followed brings nothing back.
const MARGIN_SECS: i64 = 2 * MAX_JUMP_US / 1_000_000;

/// What a new session comes after.
#[derive(Clone, Copy)]
pub(super) enum After<'a> {
    Nothing,
    /// It takes its place, whether it lives or not.
    Replaced(&'a Digest),
    /// It goes on from it, which must live.
    Renewed(&'a Digest),
}

/// What stops a session from being stored.
enum Stopped {
    Failed(heed::Error),
    Refused(Reason),
}

impl From<heed::Error> for Stopped {
    fn from(error: heed::Error) -> Stopped {
        Stopped::Failed(error)
    }
}

impl Core {
    /// Stores a session, and ends those that make room for it.
    pub(super) fn insert(
        &self,
        after: After<'_>,
        key: Digest,
        mut record: Record,
        cap: usize,
        now: Now,
    ) -> Result<Inserted, NotStored> {
        record.key = key;
        let failed = |e| NotStored::from(self.failed(e));
        let mut w = self.rows.env.write_txn().map_err(failed)?;
        self.catch_up()?;
        let base = self.fresh.applied();
        let principal = log::principal(&record.principal);
        let placed = self.place(&mut w, after, &record, &principal, cap, now);
        let (evicted, ended) = placed.map_err(|stopped| match stopped {
            Stopped::Failed(error) => failed(error),
            Stopped::Refused(reason) => NotStored::Refused(reason),
        })?;
        if !ended.is_empty() || !matches!(after, After::Nothing) {
            self.log.append(&ended, now).map_err(failed)?;
        }
        w.commit().map_err(failed)?;
        self.catch_up()?;
        let record = Arc::new(record);
        if let Word::Good(number) = self.fresh.judge(&record, &principal, base) {
            self.copies.put(Arc::new(Copy::new(Arc::clone(&record), principal, number, now)));
        }
        Ok(Inserted { record, evicted })
    }

    /// Writes the rows of a new session and of those that end; nothing is committed yet.
    fn place(
        &self,
        w: &mut RwTxn<'_>,
        after: After<'_>,
        record: &Record,
        principal: &Digest,
        cap: usize,
        now: Now,
    ) -> Result<(Vec<Reference>, Vec<Entry>), Stopped> {
        let l = self.log.env.read_txn()?;
        let revoked = Stopped::Refused(Reason::SessionRevoked);
        if self.fresh.judge(record, principal, u64::MAX) == Word::Revoked || record.seq > self.fresh.applied() {
            return Err(revoked);
        }
        match self.rows.get(w, record.key())? {
            Some(Row::Live(_)) => return Err(Stopped::Refused(Reason::NoRandom)),
            Some(Row::Tomb(_)) => return Err(revoked),
            None if self.log.has_session(&l, record.key())? => return Err(revoked),
            None => {}
        }
        let mut ended = Vec::new();
        let (old, renewed) = match after {
            After::Nothing => (None, false),
            After::Replaced(old) => (self.rows.held(w, old, self.boot_tag, now)?, false),
            After::Renewed(old) => (self.rows.held(w, old, self.boot_tag, now)?, true),
        };
        let judged = old.map(|held| Ok::<_, heed::Error>((self.judge(&held, &l, now)?, held))).transpose()?;
        if renewed && !matches!(judged, Some((Ok(()), _))) {
            return Err(revoked);
        }
        if let Some((stands, held)) = judged {
            let next = renewed.then_some(*record.key());
            let dead = stands.err().unwrap_or(Dead::Revoked);
            self.rows.entomb(w, &held, &log::principal(&held.record.principal), dead, next)?;
            ended.push(over(&held));
            // What goes on keeps its tokens; what is replaced takes them along.
            if !renewed && held.record.mints {
                ended.push(self.floor(made_from(&held.record.origin()), now));
            }
        }
        let evicted = self.make_room(w, &l, principal, cap.clamp(1, MAX_CAP), now)?;
        ended.extend(evicted.iter().map(over));
        let used = Used::at(self.boot_tag, record.last_used_boot().unwrap_or(now.boot()), now);
        let look = now.unix().saturating_add(until_look(record, now).max(1));
        self.rows.insert(w, record, principal, used, look)?;
        Ok((evicted.iter().map(|held| Reference::of(held.record.key())).collect(), ended))
    }

    /// Buries what is over, then the oldest, kept ones before others, until one more fits. Returns the latter.
    fn make_room(
        &self,
        w: &mut RwTxn<'_>,
        l: &RoTxn<'_>,
        principal: &Digest,
        cap: usize,
        now: Now,
    ) -> heed::Result<Vec<Held>> {
        let mut alive = Vec::new();
        for key in self.rows.of(w, principal)? {
            let Some(held) = self.rows.held(w, &key, self.boot_tag, now)? else { continue };
            match self.judge(&held, l, now)? {
                Ok(()) => alive.push(held),
                Err(dead) => {
                    self.rows.entomb(w, &held, principal, dead, None)?;
                    self.kill(&key, dead);
                }
            }
        }
        alive.sort_by_key(|held| (!held.record.kept, held.serial));
        alive.truncate((alive.len() + 1).saturating_sub(cap));
        for held in &alive {
            self.rows.entomb(w, held, principal, Dead::Revoked, None)?;
        }
        Ok(alive)
    }

    /// How a row stands, by the log and by the uses that this process knows of.
    pub(super) fn judge(&self, held: &Held, l: &RoTxn<'_>, now: Now) -> heed::Result<Result<(), Dead>> {
        let record = &held.record;
        let principal = log::principal(&record.principal);
        if self.log.has_session(l, record.key())? || self.fresh.judge(record, &principal, u64::MAX) == Word::Revoked {
            return Ok(Err(Dead::Revoked));
        }
        if let Some(copy) = self.copies.get(record.key()) {
            match (copy.record.death(), copy.record.last_used_boot()) {
                (Some(dead), _) => return Ok(Err(dead)),
                (None, used) => record.advance(used.unwrap_or(i64::MIN)),
            }
        }
        Ok(record.stands(now))
    }

    pub(super) fn revoke(&self, what: Revocation<'_>, now: Now) -> Result<u64, Unavailable> {
        let entry = |what| self.floor(what, now);
        let one = match what {
            Revocation::Session(key) => return self.end(&key, None, now),
            Revocation::Origin(origin) => {
                let key = self.key_of(&origin)?.unwrap_or_else(|| {
                    // Long swept: nothing but its tokens can be left.
                    let mut key = [0; 32];
                    key.iter_mut().zip(origin.0).for_each(|(to, from)| *to = from);
                    key
                });
                return self.end(&key, Some(origin), now);
            }
            Revocation::Principal(name) => entry(What::Principal(log::principal(name))),
            Revocation::Key(id) => entry(What::Key(id)),
            Revocation::Chosen(chosen) => entry(What::Chosen(Reference::of(&chosen).0)),
            Revocation::All => entry(What::Site),
            Revocation::Before(floor) => Entry { floor: Some(floor), ..entry(What::Site) },
        };
        let number = self.log.append(&[one], now).map_err(|e| self.failed(e))?;
        self.catch_up()?;
        Ok(number)
    }

    /// An entry that is kept for as long as anything lives.
    fn floor(&self, what: What, now: Now) -> Entry {
        let until = now.unix().saturating_add(i64::from(self.longest_secs)).saturating_add(MARGIN_SECS);
        Entry { what, floor: None, until: Some(until) }
    }

    /// Ends a session, the one that went on from it, and the tokens that were made from them; those of `origin` in any
    /// case.
    fn end(&self, key: &Digest, origin: Option<Reference>, now: Now) -> Result<u64, Unavailable> {
        let failed = |e| self.failed(e);
        let mut w = self.rows.env.write_txn().map_err(failed)?;
        let (mut entries, last) = self.chain(&w, key, now).map_err(failed)?;
        let mints = last.as_ref().map(|held| &held.record).filter(|record| record.mints);
        let origin = origin.or(mints.map(Record::origin));
        entries.extend(origin.map(|origin| self.floor(made_from(&origin), now)));
        let number = self.log.append(&entries, now).map_err(failed)?;
        // The commit point has passed. What follows only tidies up: the row is dead by the log.
        let tidy = |w: &mut RwTxn<'_>| match &last {
            Some(held) => self.rows.entomb(w, held, &log::principal(&held.record.principal), Dead::Revoked, None),
            None => Ok(()),
        };
        let tidied = tidy(&mut w).and_then(|()| w.commit());
        if let Err(error) = tidied {
            let _ = self.failed(error);
        }
        self.catch_up()?;
        Ok(number)
    }

    /// What to revoke for `key`: itself, and the live session at the end of the way that its tombstone shows.
    fn chain(&self, w: &RoTxn<'_>, key: &Digest, now: Now) -> heed::Result<(Vec<Entry>, Option<Held>)> {
        let entry = |key, until| Entry { what: What::Session(key), floor: None, until };
        let (mut entries, mut at) = (Vec::new(), *key);
        loop {
            let (ends, next) = match self.rows.get(w, &at)? {
                Some(Row::Live(row)) => {
                    let held = Rows::hold(row, &at, self.boot_tag, now)?;
                    entries.push(over(&held));
                    return Ok((entries, Some(held)));
                }
                Some(Row::Tomb(tomb)) => (Some(tomb.ends), tomb.next),
                None => (None, None),
            };
            if entries.is_empty() {
                entries.push(entry(at, ends.map(|ends| ends.saturating_add(MARGIN_SECS))));
            }
            match next {
                Some(next) => at = next,
                None => return Ok((entries, None)),
            }
        }
    }

    /// Takes over floors that a users file remembers and this log does not have.
    pub(super) fn recall(&self, floors: &[(String, u64)], now: Now) -> Result<(), Unavailable> {
        let keep = i64::from(self.longest_secs).saturating_add(MARGIN_SECS);
        let missing = || -> heed::Result<Vec<Entry>> {
            let r = self.log.env.read_txn()?;
            let mut missing = Vec::new();
            for (name, floor) in floors {
                let until = i64::try_from(floor / 1_000_000).unwrap_or(i64::MAX).saturating_add(keep);
                let what = What::Principal(log::principal(name));
                if until > now.unix() && self.log.floor_of(&r, what)? < *floor {
                    missing.push(Entry { what, floor: Some(*floor), until: Some(until) });
                }
            }
            Ok(missing)
        };
        let missing = missing().map_err(|e| self.failed(e))?;
        if !missing.is_empty() {
            self.log.append(&missing, now).map_err(|e| self.failed(e))?;
        }
        self.catch_up()
    }
}

/// What the tokens that were made from a session are known by.
fn made_from(origin: &Reference) -> What {
    What::Chosen(Reference::of(&made_key(origin)).0)
}

/// The entry that ends a session: kept until it could not live any more in any case.
fn over(held: &Held) -> Entry {
    let until = held.record.ends().absolute_unix.saturating_add(MARGIN_SECS);
    Entry { what: What::Session(*held.record.key()), floor: None, until: Some(until) }
}
