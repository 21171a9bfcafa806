//! Which configuration a command works on, and the facts of it that are for people.

use crate::failure::Failure;
use crate::live;
use janua::crypto::RingPlace;
use janua::directory::{Gone, HostDirectory, User};
use janua::engine::{Config, Engine};
use std::path::{Path, PathBuf};

/// Where a configuration is looked for when none is named, in this order.
pub const PLACES: [&str; 2] = ["janua.toml", "/etc/janua/janua.toml"];

/// The configuration named, or the first of [`PLACES`] that is there.
pub fn find(named: Option<&Path>) -> Result<PathBuf, Failure> {
    if let Some(path) = named {
        // Given a folder, its janua.toml is meant: `janua check /etc/janua`.
        return Ok(if path.is_dir() { path.join("janua.toml") } else { path.to_path_buf() });
    }
    let found = PLACES.iter().map(Path::new).find(|p| p.exists());
    found.map(Path::to_path_buf).ok_or_else(|| {
        Failure::file(format!(
            "no configuration: there is neither {}; name one with --config, or make one: `janua init`",
            PLACES.join(" nor ")
        ))
    })
}

/// Reads the configuration named, or the first of [`PLACES`] that is there.
pub fn read(named: Option<&Path>) -> Result<(PathBuf, Config), Failure> {
    let path = find(named)?;
    let mut config = Config::new();
    config.read_file(&path)?;
    Ok((path, config))
}

/// Stands for the directory that a host brings.
struct Elsewhere;

impl HostDirectory for Elsewhere {
    fn lookup(&self, _: &str) -> Result<Option<User>, Gone> {
        Err(Gone)
    }

    fn check(&self, _: &str, _: &[u8]) -> Option<Result<bool, Gone>> {
        Some(Err(Gone))
    }
}

/// Lets a configuration be built that leaves its users to the host.
pub fn set_host_directory(config: &mut Config) {
    config.set_directory(Box::new(Elsewhere));
}

/// The same, where it names no users itself.
pub fn allow_host_directory(config: &mut Config) {
    if !config.names_users() {
        set_host_directory(config);
    }
}

/// The keyring that a command works on: the file named, or the one of the configuration, which comes along then.
pub fn keyring(named: Option<&Path>, configuration: Option<&Path>) -> Result<Place, Failure> {
    if let Some(path) = named {
        return Ok(Place { ring: RingPlace::file(path), configuration: None });
    }
    let (file, config) = read(configuration)?;
    let shown = file.display();
    if let Some(name) = config.keyring_variable() {
        return Err(Failure::file(format!(
            "{shown}: the keyring is in the environment variable {name}, which no command reads or changes; write its text to \
             a file, work on that, and set the variable anew"
        )));
    }
    let store = if config.keyring_is_stored() { Some(live::build(&file)?) } else { None };
    let Some(ring) = ring_of(&config, store.as_deref())? else {
        return Err(Failure::file(format!("{shown}: names no keyring that lasts ([keyring] path)")));
    };
    Ok(Place { ring, configuration: Some((file, config)) })
}

/// Where the keys of a configuration lie; none when they are ephemeral. The store of `engine` is opened for that, and not
/// made.
pub fn ring_of(config: &Config, engine: Option<&Engine>) -> Result<Option<RingPlace>, Failure> {
    if let Some(path) = config.keyring_path() {
        return Ok(Some(RingPlace::file(path)));
    }
    if let Some(name) = config.keyring_variable() {
        return Ok(Some(RingPlace::environment(name)));
    }
    match engine.filter(|_| config.keyring_is_stored()) {
        Some(engine) => engine.keyring_place().map_err(Failure::from),
        None => Ok(None),
    }
}

/// A keyring, and the configuration that named it.
pub struct Place {
    pub ring: RingPlace,
    pub configuration: Option<(PathBuf, Config)>,
}

/// The text of a configuration as a table, for what the engine's own reading does not show: the names in it.
pub struct Facts(toml::Table);

impl Facts {
    /// Reads the file again; it was found good before.
    pub fn read(path: &Path) -> Result<Facts, Failure> {
        let text = std::fs::read_to_string(path).map_err(|e| crate::files::failed(path, "cannot be read", &e))?;
        janua::base::document::read(&path.display().to_string(), &text).map(Facts).map_err(Failure::from)
    }

    /// A text, or nothing.
    pub fn text(&self, section: &str, key: &str) -> Option<&str> {
        self.value(section, key)?.as_str()
    }

    pub fn is_false(&self, section: &str, key: &str) -> bool {
        self.value(section, key).and_then(toml::Value::as_bool) == Some(false)
    }

    pub fn number(&self, section: &str, key: &str) -> Option<i64> {
        self.value(section, key)?.as_integer()
    }

    /// The texts of a list; empty when there is none.
    pub fn list(&self, section: &str, key: &str) -> Vec<&str> {
        let items = self.value(section, key).and_then(toml::Value::as_array);
        items.into_iter().flatten().filter_map(toml::Value::as_str).collect()
    }

    /// The names of the tables in a section: `mauro` of `[settings.mauro]`.
    pub fn names(&self, section: &str) -> Vec<&str> {
        let section = self.0.get(section).and_then(toml::Value::as_table);
        section.into_iter().flatten().map(|(name, _)| name.as_str()).collect()
    }

    fn value(&self, section: &str, key: &str) -> Option<&toml::Value> {
        self.0.get(section)?.get(key)
    }
}
