//! The store of a single process: nothing on disk, nothing shared, nothing that can fail.
//!
//! Built by `engine`. Sharded tables (`rows`), an index by principal (`people`), a lazy `wheel` and the numbered
//! `log`. A check takes one shard's read lock and allocates nothing; a touch takes no lock. Locks are taken in the
//! order log, people (lower shard first), rows, wheel. It must never be used by two processes: each would have its own
//! sessions and revocations, so an engine told of several workers refuses it.
//!
//! Revocation reaches sessions where they lie: the record is marked dead and its row removed before
//! [`Store::revoke`] returns; the site's floor is one number that every check reads. Floors of principals, keys and
//! chosen ids are for what is not stored: logins under way, tokens, remembered pairs.

mod floors;
mod log;
mod people;
mod places;
mod rows;
mod settings;
mod wheel;

#[cfg(test)]
mod tests;

use super::{Answer, Inserted, Listed, NotStored, Revocation, Store, Unavailable};
use crate::base::{Error, Now, Reason, Status, random};
use crate::crypto::digest::Digest;
use crate::crypto::guard::ForkGuard;
use crate::crypto::keyring::KeyId;
use crate::expiry::{self, Life};
use crate::session::Dead;
use crate::session::{Record, Reference, Touch};
use hashbrown::HashTable;
use log::Log;
use parking_lot::{Mutex, RwLock};
use people::People;
use rows::{Due, Met, Rows};
pub use settings::{Older, Settings, Sizes};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use wheel::Wheel;

/// See the module's page. Any thread; waits for other threads only, and for those not long.
pub struct Memory {
    /// The process that made this store.
    maker: ForkGuard,
    /// Whether it ever held a session or a revocation.
    used: AtomicBool,
    /// Tokens of other processes count: [`Older::Accepted`].
    strangers: bool,
    site: Site,
    seq: AtomicU64,
    /// The newest floor of a principal, key or chosen id: what is not below it needs no look at them.
    newest_floor: AtomicU64,
    log: Mutex<Log>,
    people: People,
    rows: Rows,
    keys: RwLock<Vec<(KeyId, u64)>>,
    wheel: Mutex<Wheel>,
    serial: AtomicU32,
    count: AtomicUsize,
}

/// The site's floor, which every check reads: on a cache line that nothing else writes to.
#[repr(align(64))]
struct Site(AtomicU64);

impl Memory {
    /// A store without sessions, with the floors of `settings`. Errors: [`Status::Random`](crate::base::Status).
    pub fn new(settings: Settings, now: Now) -> Result<Memory, Error> {
        let seq = micros(now);
        let floor = match settings.older {
            Older::Refused => seq,
            Older::Accepted => 0,
        };
        let memory = Memory {
            maker: ForkGuard::new(),
            used: AtomicBool::new(false),
            strangers: settings.older == Older::Accepted,
            site: Site(AtomicU64::new(floor)),
            seq: AtomicU64::new(seq),
            newest_floor: AtomicU64::new(0),
            log: Mutex::new(Log::new(settings.longest_secs, now)),
            people: People::new(random::array()?),
            rows: Rows::new(now),
            keys: RwLock::new(Vec::new()),
            wheel: Mutex::new(Wheel::new(now)),
            serial: AtomicU32::new(0),
            count: AtomicUsize::new(0),
        };
        memory.recall(&settings.floors, now);
        Ok(memory)
    }

    /// How much it holds. Takes every lock, one after the other.
    pub fn sizes(&self) -> Sizes {
        let (sessions, tombstones, chosen) = self.rows.sizes();
        let (index, principals) = self.people.sizes();
        let floors = chosen + principals + self.keys.read().len();
        Sizes { sessions, tombstones, index, floors, log: self.log.lock().len(), wheel: self.wheel.lock().len() }
    }

    /// The record's own word and the site's floor.
    fn judge(&self, record: &Record, now: Now) -> Result<(), Dead> {
        if record.seq < self.site.0.load(Ordering::SeqCst) {
            return Err(record.kill(Dead::Revoked));
        }
        record.judge(now)
    }

    fn find(&self, key: &Digest) -> Option<Arc<Record>> {
        match self.rows.look(key, Arc::clone) {
            Met::Live(record) => Some(record),
            Met::Tomb(_) | Met::Nothing => None,
        }
    }

    fn find_origin(&self, origin: &Reference) -> Option<Arc<Record>> {
        match self.rows.look_reference(origin, Arc::clone) {
            Met::Live(record) => Some(record),
            Met::Tomb(_) | Met::Nothing => None,
        }
    }

    /// Follows one entry of the wheel: buries what is over, puts the rest back for its next time.
    fn visit(&self, prefix: u64, now: Now) {
        let wait = match self.rows.due(prefix, now) {
            Due::Nothing => return,
            Due::Tomb(seconds) => seconds,
            Due::Live(record) => match self.judge(&record, now) {
                Ok(()) => until_look(&record, now),
                Err(dead) => {
                    self.bury_alone(&record, dead, now);
                    match self.rows.due(prefix, now) {
                        Due::Tomb(seconds) => seconds,
                        Due::Live(_) => 0,
                        Due::Nothing => return,
                    }
                }
            },
        };
        self.wheel.lock().add(prefix, now.boot().saturating_add(wait));
    }
}

impl Store for Memory {
    fn kind(&self) -> &'static str {
        "memory"
    }

    fn multi_process(&self) -> bool {
        false
    }

    /// Errors: `Fork` in a child that was forked after the first session or revocation: it holds copies that no log-out
    /// of its parent reaches.
    fn attach(&self) -> Result<(), Error> {
        if self.maker.same_process() || !self.used.load(Ordering::SeqCst) {
            return Ok(());
        }
        Err(Error::new(
            Status::Fork,
            "the memory store already holds sessions of the process that this one was forked from: build the engine \
             before the fork and use it after, or build one in each process",
        ))
    }

    fn reads_may_wait(&self, _now: Now) -> bool {
        false
    }

    fn touches_may_wait(&self) -> bool {
        false
    }

    fn seq(&self) -> Result<u64, Unavailable> {
        Ok(self.seq.load(Ordering::SeqCst))
    }

    fn insert(&self, key: Digest, record: Record, cap: usize, now: Now) -> Result<Inserted, NotStored> {
        self.used.store(true, Ordering::SeqCst);
        let hash = self.people.hash(&record.principal);
        let mut person = self.people.shard(hash).write();
        self.admit(&person, hash, &key, &record)?;
        Ok(self.place(&mut person, hash, key, record, cap, now))
    }

    fn replace(&self, old: &Digest, key: Digest, record: Record, cap: usize, now: Now) -> Result<Inserted, NotStored> {
        self.swap(old, false, key, record, cap, now)
    }

    fn renew(&self, old: &Digest, key: Digest, record: Record, cap: usize, now: Now) -> Result<Inserted, NotStored> {
        self.swap(old, true, key, record, cap, now)
    }

    fn check(&self, key: &Digest, now: Now) -> Answer<Arc<Record>> {
        let met = self.rows.look(key, |record| self.judge(record, now).map(|()| Arc::clone(record)));
        match met {
            Met::Live(Ok(record)) => Answer::Hit(record),
            Met::Live(Err(dead)) | Met::Tomb(dead) => Answer::Miss(dead.reason()),
            Met::Nothing => Answer::Miss(Reason::SessionUnknown),
        }
    }

    fn alive(&self, reference: &Reference, now: Now) -> Answer<()> {
        match self.rows.look_reference(reference, |record| self.judge(record, now)) {
            Met::Live(Ok(())) => Answer::Hit(()),
            Met::Live(Err(dead)) | Met::Tomb(dead) => Answer::Miss(dead.reason()),
            Met::Nothing => Answer::Miss(Reason::SessionUnknown),
        }
    }

    fn touch(&self, record: &Record, path: Option<&[u8]>, now: Now) -> Result<Touch, Unavailable> {
        if record.seq < self.site.0.load(Ordering::SeqCst) {
            record.kill(Dead::Revoked);
        }
        Ok(record.touch(path, now))
    }

    fn note_companion(&self, record: &Record) -> Result<(), Unavailable> {
        record.require_companion();
        Ok(())
    }

    fn revoke(&self, what: Revocation<'_>, now: Now) -> Result<u64, Unavailable> {
        self.used.store(true, Ordering::SeqCst);
        let (found, at, mut origin) = match what {
            Revocation::Session(key) => (self.find(&key), rows::prefix(&key), None),
            Revocation::Origin(origin) => (self.find_origin(&origin), rows::prefix(&origin.0), Some(origin)),
            floor => return Ok(self.raise(floor, now)),
        };
        // Renewed while the log-out was in flight, it goes on under another key: that one ends too.
        let mut next = found.or_else(|| self.rows.successor(at));
        while let Some(record) = next {
            self.bury_alone(&record, Dead::Revoked, now);
            origin = origin.or(record.mints.then(|| record.origin()));
            next = self.rows.successor(rows::prefix(record.key()));
        }
        Ok(self.number_for(origin, now))
    }

    fn token_revoked(
        &self,
        principal: &str,
        key: &KeyId,
        chosen: Option<&Digest>,
        seq: u64,
    ) -> Result<bool, Unavailable> {
        let unknown = !self.strangers && seq > self.seq.load(Ordering::SeqCst);
        if unknown || seq < self.site.0.load(Ordering::SeqCst) {
            return Ok(true);
        }
        if seq >= self.newest_floor.load(Ordering::SeqCst) {
            return Ok(false);
        }
        Ok(seq < self.people.floor(principal)
            || seq < self.key_floor(key)
            || chosen.is_some_and(|chosen| seq < self.rows.floor(chosen)))
    }

    fn floor(&self, principal: &str) -> Result<u64, Unavailable> {
        Ok(self.people.floor(principal).max(self.site.0.load(Ordering::SeqCst)))
    }

    fn list(&self, now: Now, max: usize) -> Result<Vec<Listed>, Unavailable> {
        let found = self.rows.some(max, |record| self.judge(record, now).is_ok());
        let mut rows: Vec<_> = found.iter().filter_map(|record| listed(record, now)).collect();
        rows.sort_unstable_by_key(|row| (row.created, row.reference));
        Ok(rows)
    }

    fn count(&self) -> Result<usize, Unavailable> {
        Ok(self.count.load(Ordering::Relaxed))
    }

    fn sweep(&self, now: Now, budget: usize) -> usize {
        let mut looked = 0;
        while looked < budget && self.forget_floor(now) {
            looked += 1;
        }
        while looked < budget {
            let Some(prefix) = self.wheel.lock().due(now) else {
                break;
            };
            self.visit(prefix, now);
            looked += 1;
        }
        looked
    }
}

fn micros(now: Now) -> u64 {
    u64::try_from(now.unix_us).unwrap_or(0)
}

/// Seconds until a look at a live session could find it over, if it is not used until then.
fn until_look(record: &Record, now: Now) -> i64 {
    match record.life(now) {
        Life::Alive { idle_left, absolute_left } => {
            absolute_left.min(idle_left.saturating_add(expiry::touch_step(record.ends().idle_secs)))
        }
        Life::Idle | Life::Ended => 0,
    }
}

fn listed(record: &Arc<Record>, now: Now) -> Option<Listed> {
    let unused = now.boot().saturating_sub(record.last_used_boot()?).max(0);
    Some(Listed {
        reference: Reference::of(&record.key),
        created: record.ends().created_unix,
        last_use: now.unix().saturating_sub(unused),
        principal: Arc::clone(&record.principal),
        user: record.user.clone(),
        tenant: record.tenant.clone(),
        last_path: record.last_path(),
    })
}

/// Gives memory back once three quarters of a table are empty; costs a constant share of each removal.
fn shrink<T>(table: &mut HashTable<T>, hasher: impl Fn(&T) -> u64) {
    if table.len() * 4 <= table.capacity() {
        table.shrink_to(table.len() * 2, hasher);
    }
}
