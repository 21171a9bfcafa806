//! The store of many machines: a Redis or Valkey server, and copies in each process.
//!
//! Built by `engine`. Building opens nothing; each process attaches after its last fork. A check of a session that this
//! process knows asks nobody while the newest poll of the revocation log was sent at most 100 ms ago; log-ins and log-outs
//! are one script on the server each. What is on the server is sealed or a keyed digest: who can read it learns no name,
//! and who can write it lets nobody in. It must never take a server that does not answer for one that says no.
//!
//! - `address` and `resolve` know where to ask, `stream` (with `sys`, which alone is unsafe), `tls`, `resp` and
//!   `connection` how; `pool` keeps the connections and stays away from a server that is down; `fault` says what is wrong
//!   with it.
//! - `names`, `seal`, `scripts` and `told` are what stands on the server and what it answers.
//! - `horizon` is what this process knows of the log; `held` its copies and the uses to be written down.
//! - `core` polls, `checks` and `plain` answer, `sessions` writes, `upkeep` tidies up.

mod address;
mod checks;
mod connection;
mod core;
mod fault;
mod horizon;
mod names;
mod plain;
mod pool;
mod resolve;
mod resp;
mod scripts;
mod seal;
mod sessions;
mod stream;
#[cfg(unix)]
mod sys;
mod tls;
mod told;
mod upkeep;

#[cfg(all(test, unix))]
mod tests;

use self::core::Core;
use super::{Answer, Inserted, Later, Listed, NotStored, Revocation, Store, Unavailable};
use crate::base::{Clock, Error, Now, Secret};
use crate::crypto::digest::Digest;
use crate::crypto::guard::ForkGuard;
use crate::crypto::keyring::KeyId;
use crate::session::{Record, Reference, Touch};
use crate::store::held::copies::Copies;
use crate::store::held::folder::folder;
use crate::store::held::opened::Opened;
use crate::store::held::pending::Pending;
use horizon::{HOLD_MS, Horizon};
use names::Names;
use parking_lot::Mutex;
use pool::Pool;
use scripts::Scripts;
use sessions::After;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64};
use std::time::Duration;

pub use address::{Place, Server};
pub use resolve::Kind;
pub use seal::Keys;
pub use tls::Tls;

/// Who we are to the server.
#[derive(Clone, Debug, Default)]
pub struct Login {
    pub user: Option<String>,
    pub password: Option<Secret>,
    /// For servers that are reached over TLS.
    pub tls: Option<Tls>,
}

impl Login {
    /// The command that says so.
    fn auth(&self) -> Option<Vec<&[u8]>> {
        let password = self.password.as_ref()?.expose();
        Some(match &self.user {
            Some(user) => vec![b"AUTH", user.as_bytes(), password],
            None => vec![b"AUTH", password],
        })
    }
}

/// How a [`Redis`] is built.
#[derive(Clone, Debug)]
pub struct Settings {
    pub kind: Kind,
    pub servers: Vec<Server>,
    pub login: Login,
    /// For a whole call.
    pub timeout: Duration,
    /// For how long copies go on to count while the server is down.
    pub stale_for: Duration,
    /// The most connections of one process, but for the one that polls.
    pub connections: usize,
    /// How many replicas are to confirm a revocation before it is acknowledged.
    pub replicas: u32,
    /// A folder of this machine for what its processes share among themselves.
    pub path: Option<PathBuf>,
    /// The site whose sessions these are.
    pub site: String,
    pub keys: Keys,
    /// Seconds: the longest life of any session or token of the engine. Floors are kept for that long and two hours.
    pub longest_secs: u32,
    /// Principals (their ids) and the number below which what they have is revoked: what a users file remembers.
    pub floors: Vec<(String, u64)>,
    /// Whether attaching begins a log where there is none.
    pub create: bool,
    /// Whether the server's clock counts, as it must where several machines share it. A test that turns its own says no.
    pub server_time: bool,
}

impl Settings {
    /// As the configuration has it where it says no more than where one server is.
    pub fn new(server: Server, site: &str, keys: Keys, longest_secs: u32) -> Settings {
        Settings {
            kind: Kind::One,
            servers: vec![server],
            login: Login::default(),
            timeout: Duration::from_millis(250),
            stale_for: Duration::ZERO,
            connections: 8,
            replicas: 0,
            path: None,
            site: site.to_owned(),
            keys,
            longest_secs,
            floors: Vec::new(),
            create: true,
            server_time: true,
        }
    }
}

/// See the module's page. Any thread.
pub struct Redis {
    settings: Settings,
    clock: Clock,
    core: Opened<Box<Core>>,
}

impl Redis {
    /// Opens nothing yet.
    pub fn new(settings: Settings, clock: Clock) -> Redis {
        Redis { settings, clock, core: Opened::new() }
    }

    fn core(&self) -> Result<&Core, Unavailable> {
        self.core.get()
    }

    /// The folder for this machine's pages. Who only looks in hashes nothing, and makes nothing.
    fn own_folder(&self) -> Option<&PathBuf> {
        self.settings.path.as_ref().filter(|_| self.settings.create)
    }

    fn open(&self) -> Result<Box<Core>, Error> {
        let core = Box::new(self.new_core());
        if let Some(path) = self.own_folder() {
            folder(path, true)?;
        }
        let told = |core: &Core| core.pool.fault().unwrap_or_else(|| core.pool.silent());
        if !self.settings.create && !core.is_begun().map_err(|_| told(&core))? {
            return Err(Error::not_found("there is no store of this site and keyring yet; the host makes it")
                .at(core.pool.shown()));
        }
        core.poll_now(false).map_err(|_| told(&core))?;
        core.recall(&self.settings.floors, self.clock.now()).map_err(|_| told(&core))?;
        Ok(core)
    }

    fn new_core(&self) -> Core {
        let settings = &self.settings;
        let way = resolve::Way::new(settings.kind.clone(), settings.servers.clone());
        Core {
            guard: ForkGuard::new(),
            clock: self.clock.clone(),
            keys: settings.keys.clone(),
            names: Names::new(&settings.keys, &settings.site),
            pool: Pool::new(way, settings.login.clone(), settings.timeout, settings.connections),
            scripts: Scripts::new(),
            horizon: Horizon::new(),
            copies: Copies::new(),
            pending: Pending::new(),
            longest_secs: settings.longest_secs,
            replicas: settings.replicas,
            stale_us: i64::try_from(settings.stale_for.as_micros()).unwrap_or(i64::MAX),
            server_time: settings.server_time,
            flight: Mutex::new(None),
            begun: AtomicU64::new(0),
            arrived: AtomicU64::new(0),
            swept: AtomicI64::new(i64::MIN),
        }
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        if let Some(core) = self.core.take() {
            let _ = core.flush(self.clock.now());
        }
    }
}

impl Store for Redis {
    fn kind(&self) -> &'static str {
        "redis"
    }

    fn multi_process(&self) -> bool {
        true
    }

    fn multi_machine(&self) -> bool {
        true
    }

    /// Errors: `Fork` in a child of a process that had it open; `NotFound` where there is none and none is to be begun;
    /// `Unavailable` for what keeps the server from answering.
    fn attach(&self) -> Result<(), Error> {
        self.core.attach(|| self.open())
    }

    fn reads_may_wait(&self, _now: Now) -> bool {
        true
    }

    fn touches_may_wait(&self) -> bool {
        true
    }

    fn check_at_once(&self, key: &Digest, now: Now) -> Option<Answer<Arc<Record>>> {
        self.core().map_or(Some(Answer::Unavailable), |core| core.check_at_once(key, now))
    }

    fn token_revoked_at_once(
        &self,
        principal: &str,
        key: &KeyId,
        chosen: Option<&Digest>,
        seq: u64,
        now: Now,
    ) -> Option<Result<bool, Unavailable>> {
        self.core().map_or(Some(Err(Unavailable)), |core| core.token_at_once(principal, key, chosen, seq, now))
    }

    fn floor_at_once(&self, principal: &str, now: Now) -> Option<Result<u64, Unavailable>> {
        self.core().map_or(Some(Err(Unavailable)), |core| core.at_once(now, || core.floor(principal)))
    }

    fn is_due(&self, now: Now) -> bool {
        self.core().is_ok_and(|core| core.is_due(now))
    }

    fn touch_later(&self, record: &Record, accompanied: bool, path: Option<&[u8]>, now: Now) -> Later {
        self.core().map_or(Later::MustWait, |core| core.touch_later(record, accompanied, path, now))
    }

    fn tend(&self, now: Now) -> Result<(), Error> {
        self.core.attached()?.tend(now)
    }

    fn page_folder(&self) -> Option<PathBuf> {
        self.own_folder().cloned()
    }

    fn document(&self, name: &str) -> Result<Option<Vec<u8>>, Unavailable> {
        self.core()?.document(&names::document(&self.settings.site, name))
    }

    fn replace_document(&self, name: &str, old: Option<&[u8]>, new: &[u8]) -> Result<bool, Unavailable> {
        self.core()?.replace_document(names::document(&self.settings.site, name), old, new)
    }

    fn hold_ms(&self) -> u32 {
        HOLD_MS
    }

    fn accept_older(&self, now: Now) -> Result<(), Error> {
        let core = self.core.attached()?;
        let done = core.ask_log(&core.call(&core.scripts.accept, Vec::new(), Vec::new()), now);
        done.map(drop).map_err(|Unavailable| core.pool.fault().unwrap_or_else(|| core.pool.silent()))
    }

    fn seq(&self) -> Result<u64, Unavailable> {
        let core = self.core()?;
        core.poll_now(false)?;
        Ok(core.horizon.revoked.applied())
    }

    fn insert(&self, key: Digest, record: Record, cap: usize, now: Now) -> Result<Inserted, NotStored> {
        self.core()?.insert(After::Nothing, key, record, cap, now)
    }

    fn replace(&self, old: &Digest, key: Digest, record: Record, cap: usize, now: Now) -> Result<Inserted, NotStored> {
        self.core()?.insert(After::Replaced(old), key, record, cap, now)
    }

    fn renew(&self, old: &Digest, key: Digest, record: Record, cap: usize, now: Now) -> Result<Inserted, NotStored> {
        self.core()?.insert(After::Renewed(old), key, record, cap, now)
    }

    fn check(&self, key: &Digest, now: Now) -> Answer<Arc<Record>> {
        self.core.ask(|core| core.check(key, now))
    }

    fn alive(&self, reference: &Reference, now: Now) -> Answer<()> {
        self.core.ask(|core| core.alive(reference, now))
    }

    fn key_of(&self, reference: &Reference) -> Result<Option<Digest>, Unavailable> {
        self.core()?.key_of(reference, self.clock.now())
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
        self.core()?.token_revoked(principal, key, chosen, seq)
    }

    fn floor(&self, principal: &str) -> Result<u64, Unavailable> {
        let core = self.core()?;
        core.catch_up(self.clock.now())?;
        Ok(core.floor(principal))
    }

    fn list(&self, now: Now, max: usize) -> Result<Vec<Listed>, Unavailable> {
        self.core()?.list(now, max)
    }

    fn count(&self) -> Result<usize, Unavailable> {
        self.core()?.count()
    }

    fn sweep(&self, now: Now, budget: usize) -> usize {
        self.core().map_or(0, |core| core.sweep(now, budget))
    }
}
