//! The section `[keyring]` of the configuration. Read by `engine::keys` and, for people, by the command; judges little.

use super::{Config, Seconds};
use crate::base::{Error, Result};
use crate::crypto::Master;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// The keyring path that asks for keys which die with the engine.
const EPHEMERAL: &str = "ephemeral";

/// The keyring path that asks for keys in the store.
const STORE: &str = "store";

/// How a path begins that names an environment variable.
const ENVIRONMENT: &str = "env:";

/// How `master` begins where it names a file.
const FILE: &str = "file:";

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct KeyringSection {
    pub path: Option<String>,
    /// What a ring in the store is sealed under.
    pub master: Option<String>,
    /// How long a key is to sign.
    pub rotate: Option<Seconds>,
}

/// Where keys come from.
pub(crate) enum KeySource<'a> {
    File(&'a str),
    Environment(&'a str),
    Ephemeral,
    Store,
}

impl KeyringSection {
    pub fn source(&self) -> Option<KeySource<'_>> {
        let path = self.path.as_deref()?;
        Some(match path.strip_prefix(ENVIRONMENT) {
            Some(name) => KeySource::Environment(name),
            None if path == EPHEMERAL => KeySource::Ephemeral,
            None if path == STORE => KeySource::Store,
            None => KeySource::File(path),
        })
    }

    /// The master key that `master` names.
    pub fn read_master(&self, folder: &Path, site: &str) -> Result<Master> {
        let Some(master) = self.master.as_deref() else {
            return Err(Error::invalid(
                "keyring.path = \"store\" needs keyring.master, under which the store holds the keys: \
                 \"file:master.key\", made by `janua keyring master master.key`, or \"env:NAME\"",
            ));
        };
        match (master.strip_prefix(FILE), master.strip_prefix(ENVIRONMENT)) {
            (Some(path), _) if !path.is_empty() => Master::load(&folder.join(path), site),
            (_, Some(name)) if !name.is_empty() => Master::from_environment(name, site),
            // A master key that was pasted here is not repeated.
            _ => Err(Error::invalid("keyring.master must name a file or a variable: \"file:PATH\" or \"env:NAME\"")),
        }
    }

    /// Refuses a master key that nothing is sealed under.
    pub fn refuse_idle_master(&self) -> Result<()> {
        match self.master {
            Some(_) => Err(Error::invalid("keyring.master is for keyring.path = \"store\"; take one of the two away")),
            None => Ok(()),
        }
    }
}

impl Config {
    /// The keyring's file; none when it is ephemeral, in the environment, in the store, or not named.
    pub fn keyring_path(&self) -> Option<PathBuf> {
        match self.tree.keyring.source() {
            Some(KeySource::File(path)) => Some(self.path(path)),
            _ => None,
        }
    }

    /// The environment variable that holds the keyring, where one does.
    pub fn keyring_variable(&self) -> Option<&str> {
        match self.tree.keyring.source() {
            Some(KeySource::Environment(name)) => Some(name),
            _ => None,
        }
    }

    /// Whether the store holds the keyring.
    pub fn keyring_is_stored(&self) -> bool {
        matches!(self.tree.keyring.source(), Some(KeySource::Store))
    }

    /// After how many seconds of signing a key is to be rotated, if the configuration says.
    pub fn keyring_rotation(&self) -> Option<u32> {
        self.tree.keyring.rotate.map(|span| span.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(section: &str) -> Config {
        let mut config = Config::new();
        config.read_text("janua.toml", &format!("[keyring]\n{section}"), Path::new("/etc/janua")).unwrap();
        config
    }

    #[test]
    fn keys_come_from_a_file_a_variable_a_store_or_nowhere() {
        let ring = read("path='env:RING'\nrotate='90d'");
        assert_eq!((ring.keyring_variable(), ring.keyring_path()), (Some("RING"), None));
        assert_eq!(ring.keyring_rotation(), Some(90 * 86_400));
        for (path, file) in [("k.toml", "k.toml"), ("./env:RING", "./env:RING"), ("./store", "./store")] {
            let ring = read(&format!("path='{path}'"));
            assert_eq!(ring.keyring_path(), Some(Path::new("/etc/janua").join(file)));
            assert!(!ring.keyring_is_stored());
        }
        let ring = read("path='ephemeral'");
        assert_eq!((ring.keyring_path(), ring.keyring_variable(), ring.keyring_is_stored()), (None, None, false));
        let ring = read("path='store'\nmaster='env:M'");
        assert_eq!((ring.keyring_path(), ring.keyring_variable(), ring.keyring_is_stored()), (None, None, true));
    }

    #[test]
    fn a_master_key_is_named_and_never_written_here() {
        let refused = |section: &str| {
            let error = read(section).tree.keyring.read_master(Path::new("/nowhere"), "a").err().unwrap();
            assert!(!error.message.contains("Sesame"), "{error}");
            error.message
        };
        assert!(refused("path='store'").contains("janua keyring master"));
        for master in ["OpenSesame", "file:", "env:", ""] {
            assert!(refused(&format!("path='store'\nmaster='{master}'")).contains("\"file:PATH\" or \"env:NAME\""));
        }
        assert!(refused("path='store'\nmaster='file:k'").starts_with("/nowhere/k: there is no master key"));
        assert!(refused("path='store'\nmaster='env:JANUA_NO_SUCH'").contains("JANUA_NO_SUCH: is not set"));
    }
}
