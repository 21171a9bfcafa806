//! Putting sessions in, ending them, raising floors.
//!
//! The part of `store::shared` that writes on somebody's behalf. Who changes rows holds their write lock first and the
//! log's second, so that a log-out and a renewal in flight meet at the rows: whichever comes second sees the first. A
//! session that ends before its time is in the log **before** the call returns; its row only follows.

use super::codec::{Row, Used};
use super::copies::Copy;
use super::core::Core;
use super::group::Turn;
use super::log::{self, Entry, What};
use super::revoked::Word;
use super::rows::{Held, Rows};
use crate::base::clock::MAX_JUMP_US;
use crate::base::{Error, Now, Reason};
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
pub(super) enum After {
    Nothing,
    /// It takes its place, whether it lives or not.
    Replaced(Digest),
    /// It goes on from it, which must live.
    Renewed(Digest),
}

/// What waits for the rows' write lock.
pub(super) enum Job {
    /// A new session.
    Insert { after: After, record: Arc<Record>, principal: Digest, cap: usize, now: Now },
    /// The end of one, and of the tokens of `origin`.
    End { key: Digest, origin: Option<Reference>, now: Now },
}

/// What became of it.
pub(super) enum Done {
    /// Who made room, and the number up to which the log had nothing against the session.
    Stored(Vec<Reference>, u64),
    Refused(Reason),
    /// The number of the revocation.
    Ended(u64),
    Failed,
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

impl Job {
    fn now(&self) -> Now {
        match self {
            Job::Insert { now, .. } | Job::End { now, .. } => *now,
        }
    }
}

impl Core {
    /// Stores a session, and ends those that make room for it.
    pub(super) fn insert(
        &self,
        after: After,
        key: Digest,
        mut record: Record,
        cap: usize,
        now: Now,
    ) -> Result<Inserted, NotStored> {
        record.key = key;
        let (principal, record) = (log::principal(&record.principal), Arc::new(record));
        let job = Job::Insert { after, record: Arc::clone(&record), principal, cap, now };
        let (evicted, base) = match self.group.submit(job, |turn| self.lead(turn)) {
            Some(Done::Stored(evicted, base)) => (evicted, base),
            Some(Done::Refused(reason)) => return Err(NotStored::Refused(reason)),
            Some(Done::Failed | Done::Ended(_)) | None => return Err(NotStored::Unavailable),
        };
        self.catch_up()?;
        if let Word::Good(number) = self.fresh.revoked.judge(&record, &principal, base) {
            self.copies.put(Arc::new(Copy::new(Arc::clone(&record), principal, number, now)));
        }
        Ok(Inserted { record, evicted })
    }

    /// Does what waits, in one transaction: one sync of the disk for all. Taken only once the lock is held, so that who
    /// came while another process had it comes along.
    fn lead(&self, turn: &mut Turn<'_, Job, Done>) -> Vec<Done> {
        let locked = self.rows.env.write_txn();
        let jobs = turn.take();
        match locked.and_then(|w| self.work(w, &jobs)) {
            Ok(done) => done,
            // One of them may go where all of them cannot, and must not fail because of another.
            Err(_) if jobs.len() > 1 => jobs.iter().map(|job| self.alone(job)).collect(),
            Err(error) => {
                let Unavailable = self.failed(error);
                vec![Done::Failed]
            }
        }
    }

    fn alone(&self, job: &Job) -> Done {
        let done = self.rows.env.write_txn().and_then(|w| self.work(w, std::slice::from_ref(job)));
        match done.map(|mut done| done.pop()) {
            Ok(done) => done.unwrap_or(Done::Failed),
            Err(error) => {
                let Unavailable = self.failed(error);
                Done::Failed
            }
        }
    }

    /// All of `jobs` in one transaction `w`. Errors: none of them is done, and none is answered.
    fn work(&self, mut w: RwTxn<'_>, jobs: &[Job]) -> heed::Result<Vec<Done>> {
        if self.catch_up().is_err() {
            return Ok(jobs.iter().map(|_| Done::Failed).collect());
        }
        let mut shut = false;
        if jobs.iter().any(|job| matches!(job, Job::Insert { .. })) {
            self.rows.keep_room(&w)?;
            self.log.keep_room()?;
            shut = self.is_shut(&w)?;
        }
        let base = self.fresh.revoked.applied();
        let (mut entries, mut logged, mut torn, mut done) = (Vec::new(), false, None, Vec::new());
        for job in jobs {
            done.push(match job {
                Job::Insert { .. } if shut => Done::Failed,
                Job::Insert { after, record, principal, cap, now } => {
                    match self.place(&mut w, *after, record, principal, *cap, *now) {
                        Ok((evicted, ended)) => {
                            logged |= !ended.is_empty() || !matches!(after, After::Nothing);
                            entries.extend(ended);
                            Done::Stored(evicted, base)
                        }
                        Err(Stopped::Refused(reason)) => Done::Refused(reason),
                        Err(Stopped::Failed(error)) => return Err(error),
                    }
                }
                Job::End { key, origin, now } => {
                    let (own, last) = self.ends_of(&w, key, *origin, *now)?;
                    let tidied = last.map_or(Ok(()), |held| {
                        self.rows.entomb(&mut w, &held, &log::principal(&held.record.principal), Dead::Revoked, None)
                    });
                    match tidied {
                        // The log alone will say it.
                        Err(error) if jobs.len() == 1 => torn = Some(error),
                        other => other?,
                    }
                    logged = true;
                    entries.extend(own);
                    Done::Ended(entries.len() as u64)
                }
            });
        }
        let mut number = 0;
        if logged {
            let now = jobs.iter().map(Job::now).max_by_key(|now| now.unix_us);
            number = now.map_or(Ok(0), |now| self.log.append(&entries, now))?;
        }
        // The commit point of what ends has passed: it is dead by the log, whatever becomes of its row.
        let committed = torn.map_or_else(|| w.commit(), Err);
        let stored = committed.map_err(|error| self.failed(error)).is_ok();
        let all = entries.len() as u64;
        Ok(done.into_iter().map(|done| settled(done, stored, number, all)).collect())
    }

    /// Whether nothing new may come, for its end would not find room in the log; that is told.
    fn is_shut(&self, r: &RoTxn<'_>) -> heed::Result<bool> {
        let shut = self.log.is_full(self.rows.live(r)?)?;
        if shut {
            let text = "the log of revocations (revocations/) is nearly full: nobody can log in until it has forgotten \
                        older ones, so that all who are in can log out";
            self.tell(Error::unavailable(format!("{}: {text}", self.path.display())));
        }
        Ok(shut)
    }

    /// See [`Store::admits`](crate::store::Store::admits).
    pub(super) fn admits(&self) -> Result<(), Unavailable> {
        self.in_place()?;
        let shut = self.rows.env.read_txn().and_then(|r| self.is_shut(&r)).map_err(|e| self.failed(e))?;
        if shut { Err(Unavailable) } else { Ok(()) }
    }

    /// Writes the rows of a new session and of those that end; nothing is committed yet.
    fn place(
        &self,
        w: &mut RwTxn<'_>,
        after: After,
        record: &Record,
        principal: &Digest,
        cap: usize,
        now: Now,
    ) -> Result<(Vec<Reference>, Vec<Entry>), Stopped> {
        let l = self.log.env.read_txn()?;
        let revoked = Stopped::Refused(Reason::SessionRevoked);
        if self.fresh.revoked.judge(record, principal, u64::MAX) == Word::Revoked
            || record.seq > self.fresh.revoked.applied()
        {
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
            After::Replaced(old) => (self.rows.held(w, &old, self.boot_tag, now)?, false),
            After::Renewed(old) => (self.rows.held(w, &old, self.boot_tag, now)?, true),
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
        if self.log.has_session(l, record.key())?
            || self.fresh.revoked.judge(record, &principal, u64::MAX) == Word::Revoked
        {
            return Ok(Err(Dead::Revoked));
        }
        if let Some(copy) = self.copies.get(record.key()) {
            match (copy.record.death(), copy.record.last_used_boot()) {
                // That it is idle the row says, with a use that this process may not know of.
                (Some(dead), _) if dead != Dead::Idle => return Ok(Err(dead)),
                (_, used) => record.advance(used.unwrap_or(i64::MIN)),
            }
        }
        let stands = record.stands(now);
        if stands.is_ok() {
            self.drop_idle(record.key());
        }
        Ok(stands)
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
        Entry { what, floor: None, until: Some(now.unix().saturating_add(self.keep_secs())) }
    }

    /// Seconds for which a floor is kept.
    pub(super) fn keep_secs(&self) -> i64 {
        i64::from(self.longest_secs).saturating_add(MARGIN_SECS)
    }

    /// Ends a session, the one that went on from it, and the tokens that were made from them; those of `origin` in any
    /// case.
    fn end(&self, key: &Digest, origin: Option<Reference>, now: Now) -> Result<u64, Unavailable> {
        let job = Job::End { key: *key, origin, now };
        let Some(Done::Ended(number)) = self.group.submit(job, |turn| self.lead(turn)) else {
            return Err(Unavailable);
        };
        self.catch_up()?;
        Ok(number)
    }

    /// What to write into the log for the end of `key`, and the live session that it reaches.
    fn ends_of(
        &self,
        w: &RoTxn<'_>,
        key: &Digest,
        origin: Option<Reference>,
        now: Now,
    ) -> heed::Result<(Vec<Entry>, Option<Held>)> {
        let (mut entries, last) = self.chain(w, key, now)?;
        let mints = last.as_ref().map(|held| &held.record).filter(|record| record.mints);
        let origin = origin.or(mints.map(Record::origin));
        entries.extend(origin.map(|origin| self.floor(made_from(&origin), now)));
        Ok((entries, last))
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
        let keep = self.keep_secs();
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

/// The answer to a job once the log has `number` as the newest of `all` entries: theirs are one after the other.
fn settled(done: Done, stored: bool, number: u64, all: u64) -> Done {
    match done {
        Done::Ended(upto) => Done::Ended(number.saturating_sub(all.saturating_sub(upto))),
        Done::Stored(..) if !stored => Done::Failed,
        other => other,
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
