//! The engine: keys, store, directory and throttle of one configuration in one process.
//!
//! Built once and never changed; a new configuration is a new engine that the host swaps in. Users and keys are followed
//! where they lie (see `keys`). Building reads files and checks everything, opens no store and starts nothing; each
//! process attaches before it decides.

use crate::base::{Clock, Error, Now, Reason, Result};
use crate::crypto::keyring::KeyId;
use crate::crypto::mac::MacKey;
use crate::directory::Directory;
use crate::engine::audit::{Audit, Event, EventKind};
use crate::engine::client::Proxies;
use crate::engine::config::HeadersSection;
use crate::engine::csrf::CrossSite;
use crate::engine::decide::Stop;
use crate::engine::decision::WaitClass;
use crate::engine::keys::Keys;
use crate::engine::metrics::Metrics;
use crate::engine::process::ProcessPage;
use crate::engine::subject::floor_key;
use crate::engine::{Config, Site, build};
use crate::password::Hasher;
use crate::password::permits::{self, Permits};
use crate::password::verified::Cache;
use crate::session::{Record, Reference};
use crate::store::{Answer, Later, Listed, Revocation, Store};
use crate::throttle::Throttle;
use crate::token::{Opened, Sealer};
use parking_lot::Mutex;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Keys, store, directory and throttle. Any thread may use it; a fork must attach again.
pub struct Engine {
    pub(crate) site: String,
    pub(crate) secure: bool,
    pub(crate) body_limit: usize,
    pub(crate) per_principal: usize,
    pub(crate) hash_wait: u32,
    pub(crate) max_password: usize,
    pub(crate) clock: Clock,
    pub(crate) cross_site: CrossSite,
    pub(crate) proxies: Proxies,
    pub(crate) inward: HeadersSection,
    /// Canonical names that no request may bring in.
    pub(crate) strip: Vec<String>,
    pub(crate) sealer: Sealer,
    /// What the sealer's ring follows.
    pub(crate) keys: Keys,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) directory: Box<dyn Directory>,
    pub(crate) hasher: Hasher,
    pub(crate) permits: Permits,
    pub(crate) throttle: Throttle,
    pub(crate) verified: Cache,
    /// For digests of names in audit events.
    pub(crate) names: MacKey,
    /// Principals to revoke, as the directory told; empty but while the store is away.
    pub(crate) ended: Mutex<Vec<String>>,
    pub(crate) audit: Option<Box<dyn Audit>>,
    pub(crate) clock_alarm: Standing,
    pub(crate) guessing_alarm: Standing,
    pub(crate) sharing_alarm: Standing,
    pub(crate) metrics: Metrics,
    /// What sites are made from.
    pub(crate) defaults: build::Defaults,
    /// Drawn at attach and gone in a fork: being there is being attached.
    pub(crate) process: Arc<ProcessPage>,
}

/// What an alarm is raised for, followed from one maintenance to the next: told when it begins, not while it lasts.
#[derive(Default)]
pub(crate) struct Standing(AtomicBool);

impl Standing {
    pub(crate) fn follow(&self, now: bool, begins: impl FnOnce()) {
        if !self.0.swap(now, Ordering::Relaxed) && now {
            begins();
        }
    }
}

impl Engine {
    /// Builds and checks everything: keyring, users, the default profile. Blocks: reads files.
    ///
    /// Errors: `Invalid` for what the configuration says, `Unavailable` for a file that cannot be read; the text names
    /// cause and mend.
    pub fn build(config: Config) -> Result<Arc<Engine>> {
        build::engine(config).map(Arc::new)
    }

    /// Refuses a store that cannot serve `workers` processes. Call it before forking them.
    pub fn check_workers(&self, workers: u32) -> Result<()> {
        if workers > 1 && !self.store.multi_process() {
            return Err(Error::invalid(format!(
                "store.kind = \"{}\" lives in one process and {workers} workers are configured: a session of one would \
                 be unknown to the others; run one worker, or set store.kind = \"shared\"",
                self.store.kind()
            )));
        }
        Ok(())
    }

    /// Prepares this process. Idempotent; to be called once in each process after forking.
    ///
    /// Errors: what keeps the store from being opened, or the keyring in it from being read.
    pub fn attach(&self) -> Result<()> {
        if self.is_attached() {
            return Ok(());
        }
        self.open().inspect_err(|error| self.process.fail(error))
    }

    fn open(&self) -> Result<()> {
        self.store.attach()?;
        // What cannot be shared is this process's own, never without a limit; maintenance says so and tries again.
        let _ = self.share();
        self.throttle.prepare();
        self.begin_keys()?;
        // Draws the page's key anew, after dropping what was remembered under the old one.
        self.verified.reset_if_forked()
    }

    /// Shares hash permits and failure counts with the machine's other processes, where the store has a folder for that.
    fn share(&self) -> Result<()> {
        let Some(folder) = self.store.page_folder() else { return Ok(()) };
        let permits = self.permits.share(&folder.join("permits"), permits::LIFE);
        self.throttle.share(&folder).and(permits)
    }

    /// Whether this process has attached.
    pub fn is_attached(&self) -> bool {
        self.process.is_attached()
    }

    pub(crate) fn attached(&self) -> Result<()> {
        if self.is_attached() { Ok(()) } else { Err(self.process.unattached()) }
    }

    /// Re-reads the keyring and the users when they changed, rotates a keyring in the store that is due, follows the clock,
    /// sweeps what has ended, for about `budget`.
    ///
    /// Call it about every second off the event loop. Errors: `Fork`; or `Invalid`/`Unavailable`/`Refused` when the
    /// keyring or the users file became unreadable, or the keyring older: the last good keys and users stay; or
    /// `Unavailable` while failure counts or hash permits cannot be shared, and this process has its own.
    pub fn maintain(&self, budget: Duration) -> Result<()> {
        self.attached()?;
        self.clock_alarm.follow(self.clock.follow().is_some(), || self.alarm(Reason::Undecided, "clock"));
        let now = self.clock.now();
        self.guessing_alarm.follow(self.throttle.alarm(now), || self.alarm(Reason::Throttled, "guessing"));
        // Whom and what the files ended first: the store's upkeep may wait for a writer of another process.
        let ended = self.end_changed();
        let keys = self.follow_keys();
        let shared = self.share();
        self.sharing_alarm.follow(shared.is_err(), || self.alarm(Reason::Undecided, "sharing"));
        let tended = self.store.tend(now);
        let budget_us = i64::try_from(budget.as_micros()).unwrap_or(i64::MAX);
        let until = self.clock.now().boot_us.saturating_add(budget_us);
        let step = self.store.sweep_step();
        while self.store.sweep(now, step) == step && self.clock.now().boot_us < until {}
        ended.and(tended).and(keys).and(shared)
    }

    /// Writes the use of a session down, or notes it where this call may not wait; `true` asks for maintenance. What
    /// the store does not take is no reason to refuse the request.
    pub(crate) fn touch(
        &self,
        record: &Record,
        accompanied: bool,
        path: Option<&[u8]>,
        now: Now,
        fast: bool,
    ) -> std::result::Result<bool, Stop> {
        if fast && self.store.touches_may_wait() {
            return match self.store.touch_later(record, accompanied, path, now) {
                Later::Nothing => Ok(false),
                Later::Noted => Ok(true),
                Later::MustWait => Err(Stop::Wait(WaitClass::Store)),
            };
        }
        if accompanied && !record.companion_required() {
            let _ = self.store.note_companion(record);
        }
        let _ = self.store.touch(record, path, now);
        Ok(false)
    }

    /// Sessions and tokens of those whom the directory now knows as gone, disabled or with another password end. What
    /// the store did not take is tried again next time.
    fn end_changed(&self) -> Result<()> {
        let reloaded = self.directory.reload();
        let mut ended = self.ended.lock();
        let error = match reloaded {
            Ok(ids) => {
                ended.extend(ids);
                Ok(())
            }
            Err(error) => Err(error),
        };
        while let Some(id) = ended.last() {
            let done = self.store.revoke(Revocation::Principal(id), self.clock.now());
            done.map_err(|_| Error::unavailable("the store did not take a revocation"))?;
            ended.pop();
        }
        error
    }

    pub(crate) fn alarm(&self, reason: Reason, what: &str) {
        if let Some(audit) = &self.audit {
            audit.event(&Event {
                kind: EventKind::Alarm,
                reason,
                time: self.clock.now().unix(),
                principal: "",
                session_ref: "",
                client: "",
                endpoint: what,
                method: "",
                reference: "",
            });
        }
    }

    /// Canonical names (lower case, `_` for all else) of headers that no request may bring in from outside.
    pub fn strip_list(&self) -> &[String] {
        &self.strip
    }

    /// One profile under one prefix. `profile`: a built-in's name or a path ending in `.toml`; none takes the
    /// configuration's. `optional`: a request without proof passes, without a principal, but where a role is needed.
    pub fn site(self: &Arc<Self>, profile: Option<&str>, prefix: Option<&str>, optional: bool) -> Result<Arc<Site>> {
        build::site(self, profile, prefix, optional).map(Arc::new)
    }

    /// Ends all sessions, tokens and remembered pairs of a principal (its id) made before now. When this returns, no
    /// check that starts later lets one of them in.
    pub fn revoke_principal(&self, principal: &str) -> Result<()> {
        self.revoke(Revocation::Principal(principal))
    }

    /// Ends everything made before now, whoever's it is.
    pub fn revoke_all(&self) -> Result<()> {
        self.revoke(Revocation::All)
    }

    pub(crate) fn revoke(&self, what: Revocation<'_>) -> Result<()> {
        self.attached()?;
        let done = self.store.revoke(what, self.clock.now());
        done.map_err(|_| {
            Error::unavailable("the store did not answer: what was to be revoked may be good still; try again")
        })?;
        self.hold();
        Ok(())
    }

    /// Waits as the answer to a log-out is held back: until then other machines may let in what they know.
    pub(crate) fn hold(&self) {
        std::thread::sleep(Duration::from_millis(u64::from(self.store.hold_ms())));
    }

    /// Ends everything made before a moment, in microseconds of Unix time, whoever's it is.
    pub fn revoke_before(&self, unix_us: u64) -> Result<()> {
        self.revoke(Revocation::Before(unix_us))
    }

    /// Ends all tokens of a key of the ring. Sessions are of no key.
    pub fn revoke_key(&self, key: KeyId) -> Result<()> {
        self.revoke(Revocation::Key(key))
    }

    /// Ends the session of this reference; `false`: there is none.
    pub fn revoke_session(&self, reference: &Reference) -> Result<bool> {
        self.attached()?;
        match self.store.key_of(reference).map_err(|_| silent())? {
            Some(key) => self.revoke(Revocation::Session(key)).map(|()| true),
            None => Ok(false),
        }
    }

    /// At most `max` live sessions, oldest log-in first, as the store has them.
    pub fn sessions(&self, max: usize) -> Result<Vec<Listed>> {
        self.attached()?;
        self.store.list(self.clock.now(), max).map_err(|_| silent())
    }

    /// The live session of this reference; looking is no use of it.
    pub fn session(&self, reference: &Reference) -> Result<Option<Arc<Record>>> {
        self.attached()?;
        let Some(key) = self.store.key_of(reference).map_err(|_| silent())? else { return Ok(None) };
        match self.store.check(&key, self.clock.now()) {
            Answer::Hit(record) => Ok(Some(record)),
            Answer::Miss(_) => Ok(None),
            Answer::Unavailable => Err(silent()),
        }
    }

    /// The operator's word that nothing was revoked in a log that the store has lost.
    pub fn accept_older(&self) -> Result<()> {
        self.attached()?;
        self.store.accept_older(self.clock.now())
    }

    /// Whether a token whose seal is good still counts: nothing was revoked that it stands under. `at_once`: the moment of
    /// a call that may not wait.
    pub(crate) fn not_revoked(&self, opened: &Opened<'_>, at_once: Option<Now>) -> std::result::Result<(), Stop> {
        let claims = &opened.claims;
        let chosen = floor_key(claims.sid_kind, &claims.sid);
        let (store, principal, key, chosen) = (&self.store, claims.principal, &opened.key_id, chosen.as_ref());
        let revoked = match at_once {
            Some(now) => store.token_revoked_at_once(principal, key, chosen, claims.seq, now),
            None => Some(store.token_revoked(principal, key, chosen, claims.seq)),
        };
        match revoked.ok_or(Stop::Wait(WaitClass::Store))? {
            Ok(false) => Ok(()),
            Ok(true) => Err(Reason::TokenRevoked.into()),
            Err(_) => Err(Reason::StoreUnavailable.into()),
        }
    }

    /// How many decisions fell for `reason` in this process.
    pub fn count(&self, reason: Reason) -> u64 {
        self.metrics.read(reason)
    }

    /// Sessions in the store as this process sees it, ended ones included until they are swept.
    pub fn session_count(&self) -> u64 {
        self.store.count().unwrap_or(0) as u64
    }

    /// What was built, for a person: store, directory, keyring.
    pub fn summary(&self) -> Vec<(&'static str, String)> {
        vec![
            ("site", self.site.clone()),
            ("store", self.store.kind().to_owned()),
            ("directory", self.directory.name().to_owned()),
            ("keyring", self.keys.words.clone()),
        ]
    }

    pub(crate) fn profile_path(&self, path: &str) -> PathBuf {
        self.defaults.folder.join(path)
    }
}

fn silent() -> Error {
    Error::unavailable("the store did not answer; try again")
}
