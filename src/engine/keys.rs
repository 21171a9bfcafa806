//! The keys of an engine while it runs: where they came from, how it follows their place, and when they are rotated.
//!
//! Called by `build`, when a process attaches, by maintenance and by the check of a token. An engine never changes but for
//! this: its ring gives way to a newer generation of the same ring. A check reads no place: a token that names an unknown
//! key is answered with "not here" to a caller that may not wait, and has the place read once a second at the most for one
//! that may. A ring in the store is rotated by maintenance of whichever process comes first; a file never is.

use crate::base::{Error, Now, Reason, Result, Status};
use crate::crypto::keyring::{KeyId, Keyring, LONGEST_TOKEN, MAX_KEYS, PUBLISH_LEAD};
use crate::crypto::keyring_change;
use crate::crypto::keyring_watch::Watch;
use crate::crypto::{Documents, Master, RingPlace};
use crate::engine::Engine;
use crate::engine::config::{KeySource, KeyringSection};
use crate::engine::decide::Stop;
use crate::engine::decision::WaitClass;
use crate::engine::engine::Standing;
use crate::engine::stores::Made;
use crate::store::{Store, Unavailable};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// Keys that a ring has room for beside those that live tokens may need: one that signs, one that comes, and two that an
/// administrator made between.
const SPARE_KEYS: u32 = 4;

/// Shortest span after which keys may be told to rotate, in seconds: a key is kept until the last token that it can have
/// sealed has ended, and a ring holds so many.
const SHORTEST_ROTATION: u32 = LONGEST_TOKEN.div_ceil(MAX_KEYS as u32 - SPARE_KEYS);

/// A rotation that is late by so many seconds is an alarm: a daily timer may be late by a day.
const GRACE: i64 = 86_400;

/// A rotation that failed is tried again after so many microseconds.
const TRY_EVERY: i64 = 60_000_000;

/// What the configuration says of keys, read.
pub(crate) struct Found {
    /// The ring; one without keys where they come when a process attaches.
    pub ring: Keyring,
    words: String,
    rotate: Option<u32>,
    kept: Kept,
}

enum Kept {
    /// Nothing is followed.
    Fixed,
    Followed(Watch),
    Stored(Master),
}

/// Reads the ring that the configuration asks for, or the master key that a store holds it under.
pub(crate) fn read(section: &KeyringSection, folder: &Path, site: &str, now: Now) -> Result<Found> {
    let rotate = section.rotate.map(|span| span.0);
    if rotate.is_some_and(|span| span < SHORTEST_ROTATION) {
        return Err(Error::invalid(format!(
            "keyring.rotate must be {} days or more, such as \"90d\": a key is kept for as long as a token can live, and a \
             ring has room for {MAX_KEYS}",
            SHORTEST_ROTATION.div_ceil(86_400)
        )));
    }
    let Some(source) = section.source() else {
        return Err(Error::invalid(
            "no keyring: set keyring.path to a file made by `janua keyring new`, to \"store\" for keys in the store, or to \
             \"ephemeral\" for keys that die with the process and log everybody out",
        ));
    };
    if !matches!(source, KeySource::Store) {
        section.refuse_idle_master()?;
    }
    let followed = |place: RingPlace| {
        let words = place.shown();
        let (ring, watch) = Watch::open(place, now)?;
        let kept = if watch.place().is_followed() { Kept::Followed(watch) } else { Kept::Fixed };
        Ok(Found { ring, words, rotate, kept })
    };
    match source {
        KeySource::File(path) => followed(RingPlace::file(folder.join(path))),
        KeySource::Environment(name) => followed(RingPlace::environment(name)),
        KeySource::Store => {
            let master = section.read_master(folder, site)?;
            Ok(Found { ring: Keyring::none(&master)?, words: "store".to_owned(), rotate, kept: Kept::Stored(master) })
        }
        KeySource::Ephemeral => {
            let ring = Keyring::ephemeral(now.unix())?;
            Ok(Found { ring, words: "ephemeral".to_owned(), rotate: None, kept: Kept::Fixed })
        }
    }
}

impl Found {
    /// Joins the ring with what follows it. `store` is the one that it lies in, if it lies in one; `makes`: whether
    /// attaching makes the first ring there. Errors: for a store that keeps none.
    pub fn settle(self, store: Made, makes: bool) -> Result<(Keyring, Keys)> {
        let (watch, store) = match self.kept {
            Kept::Fixed => (None, None),
            Kept::Followed(watch) => (Some(watch), None),
            Kept::Stored(master) => {
                let store = store?;
                refuse_lonely(&*store)?;
                let documents = Arc::new(InStore(Arc::clone(&store)));
                (Some(Watch::later(RingPlace::sealed(documents, Arc::new(master)))), Some(store))
            }
        };
        let keys = Keys {
            watch,
            store,
            makes,
            rotate: self.rotate,
            tried_us: AtomicI64::new(i64::MIN),
            words: self.words,
            bad: Standing::default(),
            overdue: Standing::default(),
        };
        Ok((self.ring, keys))
    }
}

fn refuse_lonely(store: &dyn Store) -> Result<()> {
    if store.multi_process() {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "keyring.path = \"store\" needs a store that processes share, and store.kind = \"{}\" lives in one: set keyring.path \
         to a file made by `janua keyring new`, or store.kind = \"shared\" or \"redis\"",
        store.kind()
    )))
}

/// The documents of a store, for keys.
struct InStore(Arc<dyn Store>);

impl Documents for InStore {
    fn document(&self, name: &str) -> Result<Option<Vec<u8>>> {
        self.0.document(name).map_err(|Unavailable| silent())
    }

    fn replace(&self, name: &str, old: Option<&[u8]>, new: &[u8]) -> Result<bool> {
        self.0.replace_document(name, old, new).map_err(|Unavailable| silent())
    }
}

fn silent() -> Error {
    Error::unavailable("the store did not answer; try again")
}

/// How an engine follows its keys.
pub(crate) struct Keys {
    /// None for keys that nothing can change.
    watch: Option<Watch>,
    /// The store that the ring lies in, if it lies in one.
    store: Option<Arc<dyn Store>>,
    makes: bool,
    rotate: Option<u32>,
    /// When this process last tried to rotate, by the boot clock.
    tried_us: AtomicI64,
    /// Where they are, for a person.
    pub words: String,
    bad: Standing,
    overdue: Standing,
}

impl Engine {
    /// Gets the keys of a ring in the store, which it makes where there is none: until then nothing is minted.
    pub(crate) fn begin_keys(&self) -> Result<()> {
        let (Some(watch), Some(store)) = (&self.keys.watch, &self.keys.store) else { return Ok(()) };
        let begun = store
            .attach()
            .and_then(|()| watch.begin(self.clock.now(), self.keys.makes, |ring| self.sealer.replace(ring)));
        match begun {
            // Who only looks at what a host made can do without.
            Err(error) if error.status == Status::NotFound && !self.keys.makes => Ok(()),
            begun => begun,
        }
    }

    /// Takes over what changed in the keyring's place, rotates a ring in the store that is due, and drops what is of no use
    /// any more. The ring in force stays when something is wrong, and an alarm is told once.
    pub(crate) fn follow_keys(&self) -> Result<()> {
        let now = self.clock.now();
        let followed = match &self.keys.watch {
            Some(watch) => watch.follow(now, |ring| self.sealer.replace(ring)),
            None => Ok(false),
        };
        let rotated = if followed.is_ok() { self.rotate_if_due(now) } else { Ok(()) };
        // Also where nothing changed: a key may have come to its end by date.
        self.sealer.tidy();
        // That the store does not answer is not the keyring's fault, and told by the store.
        let stored = self.keys.store.is_some();
        let bad = followed.as_ref().is_err_and(|error| !stored || error.status != Status::Unavailable);
        self.keys.bad.follow(bad, || self.alarm(Reason::Undecided, "keyring"));
        let late = |span| self.sealer.keyring().is_due(span, now.unix().saturating_sub(GRACE));
        self.keys.overdue.follow(self.keys.rotate.is_some_and(late), || self.alarm(Reason::Undecided, "rotation"));
        followed.and(rotated)
    }

    /// Publishes the next key where that is for the hosts to do. All processes come to this at one time, and one of them
    /// does it.
    fn rotate_if_due(&self, now: Now) -> Result<()> {
        let (Some(span), Some(watch)) = (self.keys.rotate, &self.keys.watch) else { return Ok(()) };
        if !watch.place().is_stored() || !self.sealer.keyring().is_due(span, now.unix()) || !self.keys.may_try(now) {
            return Ok(());
        }
        let rotated = keyring_change::rotate_if_due(watch.place(), now.unix(), span, PUBLISH_LEAD);
        rotated.map_err(|error| Error::new(error.status, format!("the keys cannot be rotated: {}", error.message)))?;
        watch.follow(now, |ring| self.sealer.replace(ring)).map(|_| ())
    }

    /// A token names a key that is not in the ring. Whether the place was asked, so that the token is worth another try.
    ///
    /// A caller that may not wait is stopped here as long as the place is to be asked; nothing is counted by that.
    pub(crate) fn ask_for_keys(&self, now: Now, fast: bool) -> std::result::Result<bool, Stop> {
        let Some(watch) = self.keys.watch.as_ref().filter(|watch| watch.may_ask(now)) else { return Ok(false) };
        if fast {
            return Err(Stop::Wait(WaitClass::Store));
        }
        // What is wrong with the place is told by maintenance, which meets it too.
        let _ = watch.ask(now, |ring| self.sealer.replace(ring));
        Ok(true)
    }

    /// Where the ring lies that this engine follows, for whoever shows or changes it; none for keys that nothing changes. Of
    /// a ring in the store, the store is opened for it, and nothing is made.
    pub fn keyring_place(&self) -> Result<Option<RingPlace>> {
        if let Some(store) = &self.keys.store {
            store.attach()?;
        }
        Ok(self.keys.watch.as_ref().map(|watch| watch.place().clone()))
    }

    /// How many tokens this process minted, by key in the order of the ring.
    pub fn minted(&self) -> Vec<(KeyId, u64)> {
        self.sealer.minted()
    }

    /// The generation of the ring in force; 0 before a process has attached, where the ring is in the store.
    pub fn keyring_generation(&self) -> u64 {
        self.sealer.keyring().generation()
    }
}

impl Keys {
    /// Whether a rotation may be tried now: at the first time, and a while after one that failed.
    fn may_try(&self, now: Now) -> bool {
        let last = self.tried_us.load(Ordering::Relaxed);
        now.boot_us.saturating_sub(last) >= TRY_EVERY
            && self.tried_us.compare_exchange(last, now.boot_us, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}
