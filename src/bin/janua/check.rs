//! `janua check`: reads and builds a configuration as a host would, says what it found, and what is allowed but unwise.

use crate::configuration::{self, Facts};
use crate::failure::{Code, Failure};
use crate::{Done, keyring, live, output, roster, user};
use janua::base::encoding::hex;
use janua::base::{Clock, Status};
use janua::crypto::{Keyring, RingPlace};
use janua::directory::User;
use janua::engine::{Config, Engine};
use janua::password::{Format, format_of};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Keys older than this many days are worth a thought.
const OLD_DAYS: i64 = 400;

#[derive(clap::Args)]
#[command(after_help = "Examples:\n  janua check\n  sudo -u www-data janua check /etc/janua/janua.toml")]
pub struct Arguments {
    /// The configuration, or the folder it lies in [default: ./janua.toml, then /etc/janua/janua.toml]
    config: Option<PathBuf>,
    /// The host brings a directory of users of its own, which the configuration does not name
    #[arg(long)]
    host_directory: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments) -> Done {
    let path = configuration::find(arguments.config.as_deref())?;
    build(&path, arguments.host_directory)?;
    let found = Found::look(&path)?;
    match arguments.json {
        true => output::json(&found.as_json()),
        false => found.print(),
    }
}

/// Builds engine and sites as a host would. Every failure is one of a file.
pub fn build(path: &Path, host_directory: bool) -> Done {
    let as_file = |e: janua::base::Error| Failure::Said(Code::File, e.message);
    let mut config = Config::new();
    config.read_file(path).map_err(as_file)?;
    if host_directory {
        configuration::set_host_directory(&mut config);
    }
    let facts = Facts::read(path)?;
    let engine = Engine::build(config).map_err(as_file)?;
    let own = facts.text("engine", "profile");
    for profile in profiles(&facts) {
        // Sites of other profiles than the default one have prefixes that only the host knows.
        let prefix = if own == Some(profile) { None } else { Some("") };
        engine.site(Some(profile), prefix, false).map_err(as_file)?;
    }
    Ok(())
}

/// The longest life of a token at the sites that the configuration speaks of, in seconds; none where it cannot be built.
pub fn longest_token(path: &Path) -> Option<u32> {
    let mut config = Config::new();
    config.read_file(path).ok()?;
    let facts = Facts::read(path).ok()?;
    if config.users_path().is_none() && facts.text("directory", "htpasswd").is_none() {
        configuration::set_host_directory(&mut config);
    }
    let engine = Engine::build(config).ok()?;
    let life = |profile| Some(engine.site(Some(profile), Some(""), false).ok()?.token_lifetime());
    profiles(&facts).into_iter().map(life).collect::<Option<Vec<u32>>>()?.into_iter().max()
}

/// Every profile that the configuration speaks of.
fn profiles(facts: &Facts) -> BTreeSet<&str> {
    let own = facts.text("engine", "profile");
    // A profile of a file is known by its path; its tables bear the name inside the file.
    let files = own.is_some_and(|name| name.ends_with(".toml"));
    let named = facts.names("settings").into_iter().chain(facts.names("gates"));
    own.into_iter().chain(named.filter(|_| !files)).collect()
}

/// The keys of a configuration.
enum Keys {
    Ephemeral,
    /// They lie in the store, and no host has made them yet.
    Unmade,
    Known(RingPlace, Keyring),
}

impl Keys {
    fn look(config: &Config, store: Option<&Engine>, now: i64) -> Result<Keys, Failure> {
        let place = match configuration::ring_of(config, store) {
            Err(Failure::Said(Code::NotFound, _)) if config.keyring_is_stored() => return Ok(Keys::Unmade),
            place => place?,
        };
        match place {
            None => Ok(Keys::Ephemeral),
            Some(place) => match place.load(now) {
                Err(error) if error.status == Status::NotFound && place.is_stored() => Ok(Keys::Unmade),
                Err(error) => Err(Failure::file(error.message)),
                Ok(ring) => Ok(Keys::Known(place, ring)),
            },
        }
    }

    fn known(&self) -> Option<(&RingPlace, &Keyring)> {
        match self {
            Keys::Known(place, ring) => Some((place, ring)),
            Keys::Ephemeral | Keys::Unmade => None,
        }
    }
}

/// What a configuration holds.
struct Found {
    path: PathBuf,
    /// Everybody on this machine can read it.
    open: bool,
    facts: Facts,
    keys: Keys,
    /// After how many seconds a key is to be rotated.
    rotation: Option<u32>,
    users: Option<(PathBuf, Vec<User>, usize)>,
    store: live::Found,
    now: i64,
    warnings: Vec<String>,
}

impl Found {
    fn look(path: &Path) -> Result<Found, Failure> {
        let mut config = Config::new();
        config.read_file(path)?;
        let now = Clock::system().now().unix();
        let facts = Facts::read(path)?;
        let users = match config.users_path() {
            Some(file) => {
                let (tenants, users) = roster::list(&file)?;
                Some((file, users, tenants.len()))
            }
            None => None,
        };
        let open = is_open(path);
        // From here on root may be the store's owner, and read no more than he.
        let store = if config.shares_store() { Some(live::build(path)?) } else { None };
        let keys = Keys::look(&config, store.as_deref(), now)?;
        let store = live::look(store.as_deref())?;
        let rotation = config.keyring_rotation();
        let mut found =
            Found { path: path.to_path_buf(), open, facts, keys, rotation, users, store, now, warnings: Vec::new() };
        found.warnings = found.unwise();
        Ok(found)
    }

    /// What is allowed and unwise.
    fn unwise(&self) -> Vec<String> {
        let facts = &self.facts;
        let mut warnings = Vec::new();
        let mut warn = |is: bool, text: &str| warnings.extend(is.then(|| text.to_owned()));
        warn(
            facts.is_false("engine", "secure"),
            "engine.secure is false: cookies and log-ins without TLS can be read on the way; only for tests",
        );
        warn(
            facts.text("engine", "csrf") == Some("off"),
            "engine.csrf is off: other sites can use the sessions of browsers, unless the host checks it itself",
        );
        warn(
            facts.text("engine", "profile").is_none(),
            "engine.profile is not set: each location of the host has to name one",
        );
        warn(
            facts.list("engine", "trusted_proxies").iter().any(|p| p.ends_with("/0")),
            "engine.trusted_proxies trusts everybody: any client can claim any address, and TLS",
        );
        warn(
            matches!(self.keys, Keys::Ephemeral),
            "keyring.path is \"ephemeral\": every restart ends every token, and no two machines know each other's",
        );
        warn(
            !facts.names("gates").is_empty() && self.open,
            "[gates] holds secrets, and everybody on this machine can read the file: chmod 0640",
        );
        let weak = facts.list("directory", "weak");
        if !weak.is_empty() {
            warnings
                .push(format!("directory.weak allows {}: a thief of the file finds such passwords", weak.join(", ")));
        }
        warnings.extend(self.store.unwise());
        warnings.extend(self.unwise_keys());
        warnings.extend(self.unwise_users());
        warnings
    }

    fn unwise_keys(&self) -> Option<String> {
        let (place, ring) = self.keys.known()?;
        let shown = place.shown();
        let key = match ring.signing(self.now) {
            Ok(key) => key,
            Err(error) => return Some(format!("{shown}: {}", error.message)),
        };
        let since = output::time(Some(key.signs_from()));
        // One that is on its way signs by itself.
        let is_due = |span: i64| ring.is_due(u32::try_from(span).unwrap_or(u32::MAX), self.now);
        match self.rotation {
            Some(span) if place.is_stored() => is_due(i64::from(span) + 86_400).then(|| {
                format!(
                    "{shown}: the key has signed since {since}, a day longer than keyring.rotate says: does a host run, and \
                     can it write the store?"
                )
            }),
            Some(span) => is_due(i64::from(span)).then(|| {
                format!(
                    "{shown}: the key has signed since {since}, longer than keyring.rotate says: `janua keyring rotate`, best \
                     by a timer with --if-due"
                )
            }),
            None => is_due(OLD_DAYS * 86_400).then(|| {
                format!("{shown}: the key has signed since {since}; think of a new one: `janua keyring rotate`")
            }),
        }
    }

    fn unwise_users(&self) -> Vec<String> {
        let Some((path, users, _)) = &self.users else { return Vec::new() };
        let mut warnings = Vec::new();
        let mut name = |what: &str, who: &dyn Fn(&User) -> bool| {
            let names: Vec<&str> = users.iter().filter(|u| who(u)).map(|u| u.name.as_str()).collect();
            if !names.is_empty() {
                warnings.push(format!("{}: {what}: {}", path.display(), output::plain(&shortened(&names))));
            }
        };
        let is_weak = |u: &User| u.hash.as_ref().and_then(|h| format_of(h)).is_some_and(Format::is_weak);
        name("weak hashes until the next log-in or `janua user passwd`", &is_weak);
        name("neither password nor key, so they cannot log in", &|u| {
            u.hash.is_none() && u.one_time.is_none() && u.api_keys.is_empty()
        });
        let is_over = |u: &User| u.api_keys.iter().any(|k| !k.is_alive(self.now));
        name("API keys that have ended or are disabled", &is_over);
        if users.is_empty() {
            warnings.push(format!("{}: there are no users yet: `janua user add`", path.display()));
        }
        warnings
    }

    fn profiles(&self) -> Vec<&str> {
        profiles(&self.facts).into_iter().collect()
    }

    fn print(&self) -> Done {
        let (facts, shown) = (&self.facts, |text: Option<&str>| output::plain(text.unwrap_or("-")));
        output::line(format!("config     {}", self.path.display()))?;
        output::line(format!("site       {}", shown(facts.text("engine", "site"))))?;
        let others: Vec<&str> =
            self.profiles().into_iter().filter(|p| Some(*p) != facts.text("engine", "profile")).collect();
        let others = if others.is_empty() { String::new() } else { format!(" (and set up: {})", others.join(", ")) };
        output::line(format!("profile    {}{others}", shown(facts.text("engine", "profile"))))?;
        match facts.text("engine", "prefix") {
            None | Some("") => {}
            Some(prefix) => output::line(format!("prefix     {}", output::plain(prefix)))?,
        }
        match &self.keys {
            Keys::Ephemeral => output::line("keyring    ephemeral")?,
            Keys::Unmade => output::line("keyring    in the store, not made yet: the host makes it when it starts")?,
            Keys::Known(place, ring) => output::line(format!(
                "keyring    {}, generation {}, {}, signing with {}",
                output::plain(&place.word()),
                ring.generation(),
                counted(ring.keys().len(), "key"),
                self.signing().map_or("none".to_owned(), |(id, age)| format!("{id}, {age} old")),
            ))?,
        }
        match (&self.users, facts.text("directory", "htpasswd")) {
            (Some((path, users, tenants)), _) => output::line(format!(
                "users      {}: {}, {} of them disabled, {}",
                path.display(),
                counted(users.len(), "user"),
                users.iter().filter(|u| u.disabled).count(),
                counted(*tenants, "tenant"),
            ))?,
            (None, Some(path)) => output::line(format!("users      htpasswd file {}", output::plain(path)))?,
            (None, None) => output::line("users      the host's own directory")?,
        }
        output::line(format!("store      {}", self.store.words()))?;
        for warning in &self.warnings {
            output::line(format!("warning    {warning}"))?;
        }
        output::line("The configuration is good.")
    }

    /// Id and age of the key that signs.
    fn signing(&self) -> Option<(String, String)> {
        let (_, ring) = self.keys.known()?;
        let key = ring.signing(self.now).ok()?;
        Some((hex(&key.id()), keyring::age(key.created(), self.now)))
    }

    fn as_json(&self) -> Value {
        let facts = &self.facts;
        let keyring = self.keys.known().map(|(place, ring)| {
            let signing = ring.signing(self.now).ok();
            json!({
                "path": place.word(),
                "generation": ring.generation(),
                "keys": ring.keys().len(),
                "signing": signing.map(|key| hex(&key.id())),
                "age_days": signing.map(|key| self.now.saturating_sub(key.created()) / 86_400),
            })
        });
        let directory = match (&self.users, facts.text("directory", "htpasswd")) {
            (Some((path, users, tenants)), _) => json!({
                "kind": "users",
                "path": path.display().to_string(),
                "users": users.len(),
                "disabled": users.iter().filter(|u| u.disabled).count(),
                "tenants": tenants,
                "hashes": kinds(users),
            }),
            (None, Some(path)) => json!({ "kind": "htpasswd", "path": path }),
            (None, None) => json!({ "kind": "host" }),
        };
        json!({
            "config": self.path.display().to_string(),
            "site": facts.text("engine", "site"),
            "profile": facts.text("engine", "profile"),
            "prefix": facts.text("engine", "prefix").unwrap_or_default(),
            "profiles": self.profiles(),
            "store": self.store.as_json(),
            "directory": directory,
            "keyring": keyring,
            "warnings": self.warnings,
        })
    }
}

/// How many users have which kind of hash.
fn kinds(users: &[User]) -> Value {
    let mut kinds: serde_json::Map<String, Value> = serde_json::Map::new();
    for kind in users.iter().filter_map(user::hash_kind) {
        let count = kinds.get(kind).and_then(Value::as_u64).unwrap_or(0);
        kinds.insert(kind.to_owned(), (count + 1).into());
    }
    Value::Object(kinds)
}

/// `1 key`, `2 keys`.
fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// The first names, and how many more there are.
fn shortened(names: &[&str]) -> String {
    const SHOWN: usize = 5;
    let more = names.len().saturating_sub(SHOWN);
    let first = names.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
    if more == 0 { first } else { format!("{first} and {more} more") }
}

/// Whether everybody on the machine can read a file.
#[cfg(unix)]
fn is_open(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|m| m.permissions().mode() & 0o004 != 0)
}

#[cfg(not(unix))]
fn is_open(_: &Path) -> bool {
    false
}
