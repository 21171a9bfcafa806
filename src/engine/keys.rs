//! The keys of an engine while it runs: where they came from, and how it follows their file.
//!
//! Called by `build`, by maintenance and by the check of a token. An engine never changes but for this: its ring gives way
//! to a newer generation of the same ring. A check reads no file: a token that names an unknown key is answered with
//! "not here" to a caller that may not wait, and has the file read once a second at the most for one that may.

use crate::base::{Error, Now, Reason, Result};
use crate::crypto::keyring::{KeyId, Keyring};
use crate::crypto::keyring_watch::Watch;
use crate::engine::Engine;
use crate::engine::config::KeyringSection;
use crate::engine::decide::Stop;
use crate::engine::decision::WaitClass;
use std::path::Path;

/// The keyring path that asks for keys which die with the engine.
const EPHEMERAL: &str = "ephemeral";

/// How a keyring path begins that names an environment variable.
const ENVIRONMENT: &str = "env:";

/// Shortest span after which keys may be told to rotate, in seconds: a timer comes late, and a new key is published first.
const SHORTEST_ROTATION: u32 = 3600;

/// Where keys come from.
pub(crate) enum KeySource<'a> {
    File(&'a str),
    Environment(&'a str),
    Ephemeral,
}

impl KeyringSection {
    pub fn source(&self) -> Option<KeySource<'_>> {
        let path = self.path.as_deref()?;
        Some(match path.strip_prefix(ENVIRONMENT) {
            Some(name) => KeySource::Environment(name),
            None if path == EPHEMERAL => KeySource::Ephemeral,
            None => KeySource::File(path),
        })
    }
}

/// A ring, what a person is told of where it came from, and the file to follow if it is one.
pub(crate) type Keys = (Keyring, String, Option<Watch>);

/// The ring that the configuration asks for.
pub(crate) fn read(section: &KeyringSection, folder: &Path, now: Now) -> Result<Keys> {
    if section.rotate.is_some_and(|span| span.0 < SHORTEST_ROTATION) {
        return Err(Error::invalid("keyring.rotate must be an hour or more, such as \"90d\""));
    }
    match section.source() {
        Some(KeySource::Ephemeral) => Ok((Keyring::ephemeral(now.unix())?, EPHEMERAL.to_owned(), None)),
        Some(KeySource::Environment(name)) => {
            let ring = Keyring::from_environment(name, now.unix())?;
            Ok((ring, format!("environment variable {name}"), None))
        }
        Some(KeySource::File(path)) => {
            let path = folder.join(path);
            let (ring, watch) = Watch::open(&path, now)?;
            Ok((ring, path.display().to_string(), Some(watch)))
        }
        None => Err(Error::invalid(
            "no keyring: set keyring.path to a file made by `janua keyring new`, or to \"ephemeral\" for keys that die \
             with the process and log everybody out",
        )),
    }
}

impl Engine {
    /// Takes over what changed in the keyring's file, and drops what is of no use any more. The ring in force stays when
    /// something is wrong with the file, and an alarm is told once.
    pub(crate) fn follow_keys(&self) -> Result<()> {
        let followed = match &self.keys {
            Some(watch) => watch.follow(self.clock.now(), |ring| self.sealer.replace(ring)),
            None => Ok(false),
        };
        // Also where no file changed: a key may have come to its end by date.
        self.sealer.tidy();
        self.keyring_alarm.follow(followed.is_err(), || self.alarm(Reason::Undecided, "keyring"));
        followed.map(|_| ())
    }

    /// A token names a key that is not in the ring. Whether the file was asked, so that the token is worth another try.
    ///
    /// A caller that may not wait is stopped here as long as the file is to be asked; nothing is counted by that.
    pub(crate) fn ask_for_keys(&self, now: Now, fast: bool) -> std::result::Result<bool, Stop> {
        let Some(watch) = self.keys.as_ref().filter(|watch| watch.may_ask(now)) else { return Ok(false) };
        if fast {
            return Err(Stop::Wait(WaitClass::Store));
        }
        // What is wrong with the file is told by maintenance, which meets it too.
        let _ = watch.ask(now, |ring| self.sealer.replace(ring));
        Ok(true)
    }

    /// How many tokens this process minted, by key in the order of the ring.
    pub fn minted(&self) -> Vec<(KeyId, u64)> {
        self.sealer.minted()
    }

    /// The generation of the ring in force.
    pub fn keyring_generation(&self) -> u64 {
        self.sealer.keyring().generation()
    }
}
