//! The one configuration: a TOML file, the same in every host, and the settings a host puts on top of it.
//!
//! Read here, validated here and in [`Engine::build`](super::Engine::build); nothing else reads configuration. Unknown
//! keys are errors that name the line and the nearest known key. See `docs/configuration.md`.

mod keyring;
mod store;

use crate::base::{Clock, Error, Result, document};
use crate::engine::{Audit, HostDirectory};
pub(crate) use keyring::{KeySource, KeyringSection};
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
#[cfg(feature = "shared")]
pub(crate) use store::Lasting;
pub(crate) use store::StoreSection;

/// A configuration in the making. One thread. Holds gate secrets, hence no `Debug`.
pub struct Config {
    pub(crate) file: String,
    pub(crate) folder: PathBuf,
    pub(crate) tree: Tree,
    pub(crate) directory: Option<Box<dyn HostDirectory>>,
    pub(crate) audit: Option<Box<dyn Audit>>,
    pub(crate) clock: Option<Clock>,
    /// Whether attaching makes a store where there is none.
    pub(crate) makes_store: bool,
    /// Whether sessions live in this process, whatever `tree` says of the store.
    pub(crate) store_aside: bool,
    text: String,
    set: toml::Table,
}

impl Default for Config {
    fn default() -> Config {
        Config::new()
    }
}

impl Config {
    pub fn new() -> Config {
        Config {
            file: "configuration".to_owned(),
            folder: PathBuf::from("."),
            tree: Tree::default(),
            directory: None,
            audit: None,
            clock: None,
            makes_store: true,
            store_aside: false,
            text: String::new(),
            set: toml::Table::new(),
        }
    }

    /// Reads the file; relative paths in it count from its folder. Blocks: one file.
    ///
    /// Errors: `Unavailable` when it cannot be read, `Invalid` with `file:line: …` for anything in it.
    pub fn read_file(&mut self, path: &Path) -> Result<()> {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|e| {
            Error::unavailable(format!("cannot be read: {e}; `janua init` makes a first configuration")).at(&name)
        })?;
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        self.read_text(&name, &text, folder)
    }

    /// The same from a text; `name` stands in errors, `folder` is where relative paths count from.
    pub fn read_text(&mut self, name: &str, text: &str, folder: &Path) -> Result<()> {
        document::read::<Tree>(name, text)?;
        let (file, folder, text) = (name.to_owned(), folder.to_path_buf(), text.to_owned());
        self.tree = merged(&file, &text, &self.set)?;
        (self.file, self.folder, self.text) = (file, folder, text);
        Ok(())
    }

    /// Sets one key by its dotted name (`session.idle` to `10m`); it wins over the file. The value is read as TOML, or,
    /// where it is not, taken as text. Errors: `Invalid` for an unknown key or a value of the wrong kind.
    pub fn set(&mut self, key: &str, value: &str) -> Result<()> {
        let parts: Vec<&str> = key.split('.').collect();
        let [sections @ .., name] = parts.as_slice() else { return Err(Error::invalid("an empty key")) };
        let as_text = || toml::Value::String(value.to_owned());
        let literal =
            toml::from_str::<toml::Table>(&format!("value = {value}")).ok().and_then(|mut t| t.remove("value"));
        let mut last = Error::invalid("not set");
        for value in literal.into_iter().chain([as_text()]) {
            let mut set = self.set.clone();
            let mut table = &mut set;
            for section in sections {
                let entry =
                    table.entry((*section).to_owned()).or_insert_with(|| toml::Value::Table(toml::Table::new()));
                table = entry.as_table_mut().ok_or_else(|| Error::invalid("is not a section").at(section))?;
            }
            table.insert((*name).to_owned(), value);
            match merged(&self.file, &self.text, &set) {
                Ok(tree) => {
                    (self.set, self.tree) = (set, tree);
                    return Ok(());
                }
                Err(error) => last = error,
            }
        }
        Err(last.at(key))
    }

    /// The host's own directory of users instead of a file.
    pub fn set_directory(&mut self, directory: Box<dyn HostDirectory>) {
        self.directory = Some(directory);
    }

    /// Where audit events go.
    pub fn set_audit(&mut self, audit: Box<dyn Audit>) {
        self.audit = Some(audit);
    }

    /// Another clock than the system's: for tests, and to ask what would be decided at another time.
    pub fn set_clock(&mut self, clock: Clock) {
        self.clock = Some(clock);
    }

    /// Attaching then finds the store that a host made, or fails: for whoever looks into a running one from outside.
    pub fn set_store_must_exist(&mut self) {
        self.makes_store = false;
    }

    /// A store of this process alone, whatever the file says: for trying out what must change nothing. Keys that lie in the
    /// store of the file are read from there, if a host made it.
    pub fn set_store_aside(&mut self) {
        self.store_aside = true;
        self.makes_store = false;
    }

    /// A path of the file, counted from the file's folder.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.folder.join(path)
    }

    /// The users file, as the command needs it.
    pub fn users_path(&self) -> Option<PathBuf> {
        self.tree.directory.users.as_deref().map(|p| self.path(p))
    }

    /// Whether it names users itself; otherwise the host brings them.
    pub fn names_users(&self) -> bool {
        self.tree.directory.users.is_some() || self.tree.directory.htpasswd.is_some()
    }

    /// Whether its store is one that several processes share.
    pub fn shares_store(&self) -> bool {
        matches!(self.tree.store.kind.as_str(), "shared" | "redis")
    }

    /// The folder that holds its store, if one does.
    pub fn store_folder(&self) -> Option<PathBuf> {
        self.tree.store.path.as_deref().filter(|_| self.tree.store.kind == "shared").map(|path| self.path(path))
    }

    /// The life of tokens in seconds, if the configuration says; else the profile's counts.
    pub fn token_lifetime(&self) -> Option<u32> {
        self.tree.token.lifetime.map(|span| span.0)
    }
}

/// The file with what was set on top of it.
fn merged(file: &str, text: &str, set: &toml::Table) -> Result<Tree> {
    if set.is_empty() {
        return document::read(file, text);
    }
    let mut table: toml::Table = document::read(file, text)?;
    overlay(&mut table, set);
    table.try_into().map_err(|e: toml::de::Error| document::explain("setting", "", &e))
}

fn overlay(base: &mut toml::Table, top: &toml::Table) {
    for (key, value) in top {
        match (base.get_mut(key), value) {
            (Some(toml::Value::Table(base)), toml::Value::Table(top)) => overlay(base, top),
            _ => {
                base.insert(key.clone(), value.clone());
            }
        }
    }
}

/// A span of time in whole seconds, written `30m`, `12h`, `30d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seconds(pub u32);

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Seconds, D::Error> {
        let text = String::deserialize(from)?;
        let span = humantime::parse_duration(&text)
            .map_err(|e| serde::de::Error::custom(format!("`{text}` is not a span of time such as \"30m\": {e}")))?;
        u32::try_from(span.as_secs())
            .ok()
            .filter(|s| *s > 0 || text == "0s")
            .map(Seconds)
            .ok_or_else(|| serde::de::Error::custom(format!("`{text}` is too long, or under a second")))
    }
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Tree {
    pub engine: EngineSection,
    pub keyring: KeyringSection,
    pub store: StoreSection,
    pub directory: DirectorySection,
    pub session: SessionSection,
    pub token: TokenSection,
    pub password: PasswordSection,
    pub throttle: ThrottleSection,
    pub headers: HeadersSection,
    /// Settings of profiles, by profile name.
    pub settings: BTreeMap<String, toml::Table>,
    /// Secrets of gates, by profile name and proof name.
    #[serde(deserialize_with = "gates")]
    pub gates: Gates,
}

/// Secrets by profile name and proof name.
type Gates = BTreeMap<String, BTreeMap<String, String>>;

/// Reads the gates; an error about them names the shape that is wanted and repeats nothing that stands there.
fn gates<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Gates, D::Error> {
    let wrong = || serde::de::Error::custom("a table [gates.PROFILE] is wanted, with a text for each gate");
    let table = toml::Table::deserialize(deserializer).map_err(|_| wrong())?;
    let text = |(name, value): (String, toml::Value)| match value {
        toml::Value::String(secret) => Some((name, secret)),
        _ => None,
    };
    let gates = table.into_iter().map(|(profile, value)| match value {
        toml::Value::Table(gates) => Some((profile, gates.into_iter().map(text).collect::<Option<_>>()?)),
        _ => None,
    });
    gates.collect::<Option<_>>().ok_or_else(wrong)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct EngineSection {
    pub site: Option<String>,
    pub profile: Option<String>,
    pub prefix: String,
    pub secure: bool,
    pub csrf: Csrf,
    pub same_site: Vec<String>,
    pub trusted_proxies: Vec<String>,
    pub body_limit: u32,
}

impl Default for EngineSection {
    fn default() -> EngineSection {
        EngineSection {
            site: None,
            profile: None,
            prefix: String::new(),
            secure: true,
            csrf: Csrf::Origin,
            same_site: Vec::new(),
            trusted_proxies: Vec::new(),
            body_limit: 65_536,
        }
    }
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Csrf {
    Origin,
    Off,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct DirectorySection {
    pub users: Option<String>,
    pub htpasswd: Option<String>,
    pub weak: Vec<String>,
    /// Tenants of a host's own directory; a users file has its own.
    pub tenant: Vec<TenantSection>,
}

#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
pub(crate) struct TenantSection {
    pub id: String,
    pub name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct SessionSection {
    pub idle: Option<Seconds>,
    pub absolute: Option<Seconds>,
    pub per_principal: u32,
}

impl Default for SessionSection {
    fn default() -> SessionSection {
        SessionSection { idle: None, absolute: None, per_principal: 50 }
    }
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct TokenSection {
    pub lifetime: Option<Seconds>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct PasswordSection {
    pub memory_kib: u32,
    pub passes: u32,
    pub lanes: u32,
    pub places: u32,
    pub wait: Seconds,
}

impl Default for PasswordSection {
    fn default() -> PasswordSection {
        let cores = std::thread::available_parallelism().map_or(2, |n| n.get());
        let places = u32::try_from(cores).unwrap_or(2);
        PasswordSection { memory_kib: 19_456, passes: 2, lanes: 1, places, wait: Seconds(2) }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ThrottleSection {
    /// Failures of all accounts within a minute that are an alarm.
    pub alarm_per_minute: u32,
}

impl Default for ThrottleSection {
    fn default() -> ThrottleSection {
        ThrottleSection { alarm_per_minute: 120 }
    }
}

#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct HeadersSection {
    pub user: String,
    pub id: String,
    pub roles: String,
    pub tenant: String,
    pub session: String,
    pub strip: Vec<String>,
}

impl Default for HeadersSection {
    fn default() -> HeadersSection {
        HeadersSection {
            user: "X-User".to_owned(),
            id: "X-User-Id".to_owned(),
            roles: "X-Roles".to_owned(),
            tenant: "X-Tenant".to_owned(),
            session: "X-Session-Ref".to_owned(),
            strip: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Result<Config> {
        let mut config = Config::new();
        config.read_text("janua.toml", text, Path::new("/etc/janua"))?;
        Ok(config)
    }

    #[test]
    fn unknown_keys_and_sections_name_line_and_nearest() {
        let error = config("[engine]\nsit = 'x'").err().unwrap();
        assert_eq!(error.message, "janua.toml:2: unknown key `sit`: did you mean `site`?");
        let error = config("[store]\ndurability='tape'").err().unwrap();
        assert!(error.message.contains("known here are process, disk"), "{}", error.message);
        let error = config("[sesion]\nidle = '3m'").err().unwrap();
        assert_eq!(error.message, "janua.toml:1: unknown key `sesion`: did you mean `session`?");
    }

    #[test]
    fn spans_of_time_are_read_and_nonsense_is_refused() {
        assert_eq!(config("[session]\nidle='30m'").unwrap().tree.session.idle, Some(Seconds(1800)));
        assert!(config("[session]\nidle='300000d'").is_err());
        assert!(config("[session]\nidle='10ms'").is_err());
        let error = config("\n[session]\nidle='soon'").err().unwrap();
        assert!(error.message.starts_with("janua.toml:3: `soon` is not a span of time"), "{}", error.message);
    }

    #[test]
    fn set_wins_over_the_file_whatever_the_order_and_refuses_what_it_does_not_know() {
        let mut config = Config::new();
        config.set("session.idle", "10m").unwrap();
        config.set("engine.secure", "false").unwrap();
        config.set("settings.mauro.version", "6").unwrap();
        config.read_text("f", "[session]\nidle='30m'\nabsolute='1h'\n", Path::new(".")).unwrap();
        assert_eq!(config.tree.session.idle, Some(Seconds(600)));
        assert_eq!(config.tree.session.absolute, Some(Seconds(3600)));
        assert!(!config.tree.engine.secure);
        let error = config.set("session.idel", "1m").err().unwrap();
        assert!(error.message.contains("did you mean `idle`"), "{}", error.message);
        assert!(config.set("engine.body_limit", "many").is_err());
        assert_eq!(config.tree.engine.body_limit, 65_536, "a refused setting changes nothing");
    }

    #[test]
    fn paths_count_from_the_folder_of_the_file() {
        let config = config("[keyring]\npath='k.toml'\n[directory]\nusers='/srv/u.toml'").unwrap();
        assert_eq!(config.keyring_path(), Some(PathBuf::from("/etc/janua/k.toml")));
        assert_eq!(config.users_path(), Some(PathBuf::from("/srv/u.toml")));
    }
}
