//! The store of one machine with several processes: two LMDB environments in a folder, and copies in each process.
//!
//! Built by `engine`. Building opens nothing; each process attaches after its last fork, and engines of one process
//! share what is open. A check costs one compare in memory when nothing was revoked; log-ins and log-outs take the one
//! write lock of the machine. It must never be on a network's file system, nor in a folder that anybody else may enter.
//!
//! - `place` opens, `sys` alone is unsafe, `tables` knows our databases from others.
//! - `log` is the numbered log, always synced; `fresh` is what this process knows of it.
//! - `room` keeps some of the disk free; `rows` and `held::codec` are the sessions; `held::copies` those of this process;
//!   `held::pending` the uses to be written down.
//! - `core` answers, `sessions` writes, many at a time by `group`, `upkeep` tidies up.
//!
//! What can be lost is [`Durability`]'s word. A revocation that was acknowledged never is.

mod core;
mod fresh;
mod group;
mod log;
mod place;
mod room;
mod rows;
mod sessions;
mod sys;
mod tables;
mod upkeep;

#[cfg(all(test, unix))]
mod tests;

use self::core::Core;
use super::held::folder::identity;
use super::held::opened::{Opened, forked};
use super::held::{codec, copies, pending, revoked};
use super::{Answer, Inserted, Later, Listed, NotStored, Revocation, Store, Unavailable};
use crate::base::{Clock, Error, Now};
use crate::crypto::digest::Digest;
use crate::crypto::keyring::KeyId;
use crate::session::{Record, Reference, Touch};
use parking_lot::Mutex;
use sessions::After;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// What of the sessions outlives what. Revocations outlive everything in either case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// The end of any process, `kill -9` included. A crash of the system or a loss of power ends all sessions, and so does
    /// any boot.
    Process,
    /// A crash of the system as well; each log-in waits for the disk.
    Disk,
}

/// How a [`Shared`] is built.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The folder.
    pub path: PathBuf,
    pub durability: Durability,
    /// Seconds: the longest life of any session or token of the engine. Floors are kept for that long and two hours.
    pub longest_secs: u32,
    /// Principals (their ids) and the number below which what they have is revoked: what a users file remembers.
    pub floors: Vec<(String, u64)>,
    /// Whether attaching makes a store where there is none.
    pub create: bool,
    /// Bytes of address space for sessions and for revocations: the most that they may grow to.
    pub sessions_map: usize,
    pub revocations_map: usize,
}

impl Settings {
    /// As the configuration asks for it: 64 GiB for sessions, 4 GiB for revocations where addresses have 64 bits.
    pub fn new(path: PathBuf, durability: Durability, longest_secs: u32, floors: Vec<(String, u64)>) -> Settings {
        let (sessions_map, revocations_map) = match size_of::<usize>() {
            8.. => (64 << 30, 4 << 30),
            _ => (512 << 20, 128 << 20),
        };
        Settings { path, durability, longest_secs, floors, create: true, sessions_map, revocations_map }
    }
}

/// See the module's page. Any thread; log-ins and log-outs wait for each other, over all processes.
pub struct Shared {
    settings: Settings,
    clock: Clock,
    core: Opened<Arc<Core>>,
}

/// What this process has open: LMDB forbids to open an environment twice in one process. Weak, so that the last engine
/// closes it.
static OPEN: Mutex<Vec<Weak<Core>>> = Mutex::new(Vec::new());

/// Opening takes milliseconds, or as long as it waits for another process. A lock that is held for longer was held by a
/// thread of the process that this one was forked from, and nobody will let it go.
const OPENING: Duration = place::PATIENCE.saturating_add(Duration::from_secs(5));

impl Shared {
    /// Opens nothing yet.
    pub fn new(settings: Settings, clock: Clock) -> Shared {
        Shared { settings, clock, core: Opened::new() }
    }

    fn core(&self) -> Result<&Core, Unavailable> {
        self.core.get()
    }

    /// Finds what this process has open, or opens it.
    fn open(&self) -> Result<Arc<Core>, Error> {
        let Some(mut open) = OPEN.try_lock_for(OPENING) else {
            return Err(forked().at(self.settings.path.display()));
        };
        open.retain(|core| core.strong_count() > 0);
        // By its name also where another folder has taken its place: LMDB would open it twice.
        let path = self.settings.path.canonicalize().ok();
        let by_itself = |path: &Path| std::fs::metadata(path).ok().as_ref().and_then(identity);
        let place = by_itself(&self.settings.path);
        let same =
            |core: &Arc<Core>| Some(&core.path) == path.as_ref() || (place.is_some() && by_itself(&core.path) == place);
        let found = open.iter().filter_map(Weak::upgrade).find(same);
        if let Some(core) = found {
            return self.join(core);
        }
        let core = Arc::new(Core::open(&self.settings, self.clock.now())?);
        open.push(Arc::downgrade(&core));
        Ok(core)
    }

    fn join(&self, core: Arc<Core>) -> Result<Arc<Core>, Error> {
        let shown = self.settings.path.display();
        if !core.guard.same_process() {
            std::mem::forget(core);
            return Err(forked().at(shown));
        }
        if core.durability != self.settings.durability {
            let text = "this process has the store open with the other store.durability; restart it to change that";
            return Err(Error::invalid(text).at(shown));
        }
        core.recall(&self.settings.floors, self.clock.now())
            .map_err(|_| core.fault().unwrap_or_else(|| Error::unavailable("did not answer").at(shown)))?;
        Ok(core)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Some(core) = self.core.take() {
            let _ = core.flush(self.clock.now());
        }
    }
}

impl Store for Shared {
    fn kind(&self) -> &'static str {
        "shared"
    }

    fn multi_process(&self) -> bool {
        true
    }

    /// Errors: `Fork` in a child of a process that had it open; `Invalid` for a folder that others may enter, or with
    /// somebody else's files; `Unavailable` for what the system or a damaged file refuses.
    fn attach(&self) -> Result<(), Error> {
        self.core.attach(|| self.open())
    }

    /// Rows are read from mapped memory without a lock.
    fn reads_may_wait(&self, _now: Now) -> bool {
        false
    }

    fn touches_may_wait(&self) -> bool {
        true
    }

    fn page_folder(&self) -> Option<PathBuf> {
        // Who only looks in hashes nothing, and makes nothing.
        self.core().ok().filter(|_| self.settings.create).map(|core| core.path.clone())
    }

    fn touch_later(&self, record: &Record, accompanied: bool, path: Option<&[u8]>, now: Now) -> Later {
        self.core().map_or(Later::MustWait, |core| core.touch_later(record, accompanied, path, now))
    }

    fn tend(&self, now: Now) -> Result<(), Error> {
        self.core.attached()?.tend(now)
    }

    fn accept_older(&self, now: Now) -> Result<(), Error> {
        let core = self.core.attached()?;
        core.log.accept_older(now).map_err(|e| place::explained(&e, &core.path))
    }

    fn seq(&self) -> Result<u64, Unavailable> {
        let core = self.core()?;
        core.catch_up()?;
        Ok(core.fresh.revoked.applied())
    }

    fn admits(&self) -> Result<(), Unavailable> {
        self.core()?.admits()
    }

    fn insert(&self, key: Digest, record: Record, cap: usize, now: Now) -> Result<Inserted, NotStored> {
        self.core()?.insert(After::Nothing, key, record, cap, now)
    }

    fn replace(&self, old: &Digest, key: Digest, record: Record, cap: usize, now: Now) -> Result<Inserted, NotStored> {
        self.core()?.insert(After::Replaced(*old), key, record, cap, now)
    }

    fn renew(&self, old: &Digest, key: Digest, record: Record, cap: usize, now: Now) -> Result<Inserted, NotStored> {
        self.core()?.insert(After::Renewed(*old), key, record, cap, now)
    }

    fn check(&self, key: &Digest, now: Now) -> Answer<Arc<Record>> {
        self.core.ask(|core| core.check(key, now))
    }

    fn alive(&self, reference: &Reference, now: Now) -> Answer<()> {
        self.core.ask(|core| core.alive(reference, now))
    }

    fn key_of(&self, reference: &Reference) -> Result<Option<Digest>, Unavailable> {
        self.core()?.key_of(reference)
    }

    fn touch(&self, record: &Record, path: Option<&[u8]>, now: Now) -> Result<Touch, Unavailable> {
        self.core()?.touch(record, path, now)
    }

    fn note_companion(&self, record: &Record) -> Result<(), Unavailable> {
        self.core()?.note_companion(record, self.clock.now())
    }

    fn revoke(&self, what: Revocation<'_>, now: Now) -> Result<u64, Unavailable> {
        self.core()?.revoke(what, now)
    }

    fn token_revoked(
        &self,
        principal: &str,
        key: &KeyId,
        chosen: Option<&Digest>,
        seq: u64,
    ) -> Result<bool, Unavailable> {
        let core = self.core()?;
        core.catch_up()?;
        let chosen = chosen.map(|chosen| Reference::of(chosen).0);
        Ok(core.fresh.revoked.token_revoked(seq, key, chosen, || log::principal(principal)))
    }

    fn floor(&self, principal: &str) -> Result<u64, Unavailable> {
        let core = self.core()?;
        core.catch_up()?;
        Ok(core.fresh.revoked.floor(|| log::principal(principal)))
    }

    fn list(&self, now: Now, max: usize) -> Result<Vec<Listed>, Unavailable> {
        self.core()?.list(now, max)
    }

    fn count(&self) -> Result<usize, Unavailable> {
        let core = self.core()?;
        let count = core.rows.count().map_err(|e| core.failed(e))?;
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    }

    fn document(&self, name: &str) -> Result<Option<Vec<u8>>, Unavailable> {
        let core = self.core()?;
        core.in_place()?;
        core.log.document(name).map_err(|e| core.failed(e))
    }

    fn replace_document(&self, name: &str, old: Option<&[u8]>, new: &[u8]) -> Result<bool, Unavailable> {
        let core = self.core()?;
        core.in_place()?;
        core.log.replace_document(name, old, new).map_err(|e| core.failed(e))
    }

    fn sweep_step(&self) -> usize {
        self.core().map_or(1, Core::sweep_step)
    }

    fn sweep(&self, now: Now, budget: usize) -> usize {
        let Ok(core) = self.core() else { return 0 };
        core.sweep(now, budget).unwrap_or_else(|e| {
            let Unavailable = core.failed(e);
            0
        })
    }
}
