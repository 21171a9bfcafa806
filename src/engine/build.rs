//! Building an engine and its sites from a configuration: everything is checked here, nothing is opened for writing.

use crate::base::Secret;
use crate::base::document;
use crate::base::{Clock, Error, Result};
use crate::crypto::keyring::LONGEST_TOKEN;
use crate::crypto::mac::MacKey;
use crate::directory::{Directory, Host, HostDirectory, Htpasswd, Tenant, UsersFile};
use crate::engine::client::Proxies;
use crate::engine::config::{Config, HeadersSection, SessionSection, Tree};
use crate::engine::csrf::CrossSite;
use crate::engine::engine::Standing;
use crate::engine::keys;
use crate::engine::metrics::Metrics;
use crate::engine::process::ProcessPage;
use crate::engine::stores;
use crate::engine::{Engine, Site};
use crate::parse::header;
use crate::password::permits::Permits;
use crate::password::verified::Cache;
use crate::password::{self, Format, Hasher};
use crate::profile::{self, Overrides, Profile};
use crate::throttle::{self, Throttle};
use crate::token::{Binding, Sealer};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Users of a host's own directory that are kept at hand.
const HOST_USERS: usize = 4096;

/// Pairs that the verified-credential cache holds.
const REMEMBERED_PAIRS: usize = 4096;

/// Longest life of a token, in seconds: so long are revocations remembered.
pub(crate) const LONGEST_LIFE: u32 = LONGEST_TOKEN;

/// Names under which other products tell upstreams who is calling: no request may bring them in either.
const IDENTITY_HEADERS: [&str; 10] = [
    "remote_user",
    "x_remote_user",
    "x_forwarded_user",
    "x_forwarded_email",
    "x_forwarded_preferred_username",
    "x_forwarded_groups",
    "x_auth_request_user",
    "x_auth_request_email",
    "x_authenticated_user",
    "x_webauth_user",
];

/// What an engine keeps to make its sites from.
pub(crate) struct Defaults {
    pub profile: Option<String>,
    pub prefix: String,
    pub folder: PathBuf,
    pub file: String,
    pub settings: BTreeMap<String, toml::Table>,
    pub gates: BTreeMap<String, BTreeMap<String, Secret>>,
    pub session: SessionSection,
    pub token_lifetime: Option<u32>,
}

pub(crate) fn engine(config: Config) -> Result<Engine> {
    let Config { file, folder, tree, directory: host, audit, clock, makes_store, store_aside, .. } = config;
    let in_file = |e: Error| e.at(&file);
    let clock = clock.unwrap_or_else(Clock::system);
    let site = site_name(&tree).map_err(in_file)?;
    let found = keys::read(&tree.keyring, &folder, &site, clock.now()).map_err(in_file)?;
    let policy = password_policy(&tree).map_err(in_file)?;
    let max_password = policy.max_password;
    let dummy = found.ring.site_key("janua/1 dummy");
    let directory = directory(host, &tree, &folder, &policy, dummy, &clock).map_err(in_file)?;
    let wanted = stores::Wanted {
        section: &tree.store,
        folder: &folder,
        makes: makes_store,
        aside: store_aside,
        site: &site,
        keyring: &found.ring,
        clock: &clock,
    };
    let (store, keys_store) = wanted.stores(directory.revoked()).map_err(in_file)?;
    let (keyring, keys) = found.settle(keys_store, makes_store).map_err(in_file)?;
    let page = Arc::new(ProcessPage::new());
    let engine = &tree.engine;
    Ok(Engine {
        cross_site: CrossSite::new(engine.csrf, &site, &engine.same_site),
        secure: engine.secure,
        body_limit: body_limit(engine.body_limit).map_err(in_file)?,
        per_principal: tree.session.per_principal.max(1) as usize,
        hash_wait: tree.password.wait.0,
        max_password,
        proxies: Proxies::parse(&engine.trusted_proxies).map_err(in_file)?,
        strip: strip_list(&tree.headers).map_err(in_file)?,
        store,
        directory,
        hasher: Hasher::new(policy)?,
        permits: Permits::new(tree.password.places.max(1) as usize),
        throttle: Throttle::new(throttle(&tree), keyring.site_key("janua/1 throttle")),
        verified: Cache::new(REMEMBERED_PAIRS, page.clone()),
        names: keyring.site_key("janua/1 names"),
        ended: Mutex::default(),
        audit,
        clock_alarm: Standing::default(),
        guessing_alarm: Standing::default(),
        sharing_alarm: Standing::default(),
        metrics: Metrics::new(),
        process: page,
        inward: tree.headers.clone(),
        defaults: Defaults::new(tree, folder, file),
        sealer: Sealer::new(Arc::new(keyring), clock.clone()),
        keys,
        clock,
        site,
    })
}

impl Defaults {
    fn new(tree: Tree, folder: PathBuf, file: String) -> Defaults {
        let secrets = |gates: BTreeMap<String, String>| {
            gates.into_iter().map(|(name, value)| (name, Secret::new(value.into_bytes()))).collect()
        };
        Defaults {
            profile: tree.engine.profile,
            prefix: tree.engine.prefix,
            gates: tree.gates.into_iter().map(|(profile, gates)| (profile, secrets(gates))).collect(),
            settings: tree.settings,
            token_lifetime: tree.token.lifetime.map(|s| s.0),
            session: tree.session,
            folder,
            file,
        }
    }
}

fn throttle(tree: &Tree) -> throttle::Settings {
    throttle::Settings { alarm_per_minute: tree.throttle.alarm_per_minute, ..throttle::Settings::default() }
}

/// The tenants that a host's users may belong to.
fn host_tenants(tree: &Tree) -> Vec<Tenant> {
    let tenants = tree.directory.tenant.iter();
    tenants.map(|tenant| Tenant { id: tenant.id.clone(), name: tenant.name.clone() }).collect()
}

/// The one directory that was configured.
fn directory(
    host: Option<Box<dyn HostDirectory>>,
    tree: &Tree,
    folder: &Path,
    policy: &password::Policy,
    dummy: MacKey,
    clock: &Clock,
) -> Result<Box<dyn Directory>> {
    if host.is_none() && !tree.directory.tenant.is_empty() {
        return Err(Error::invalid("directory.tenant is for a host's own users; a users file has its own [[tenant]]"));
    }
    Ok(match (host, &tree.directory.users, &tree.directory.htpasswd) {
        (Some(host), None, None) => {
            Box::new(Host::new(host, host_tenants(tree), policy, dummy, clock.clone(), HOST_USERS)?)
        }
        (None, Some(path), None) => Box::new(UsersFile::open(&folder.join(path), policy.clone(), dummy)?),
        (None, None, Some(path)) => Box::new(Htpasswd::open(&folder.join(path), policy.clone(), dummy)?),
        (None, None, None) => {
            return Err(Error::invalid("no directory: set directory.users or directory.htpasswd"));
        }
        _ => return Err(Error::invalid("two directories: keep one of users, htpasswd and the host's own")),
    })
}

fn site_name(tree: &Tree) -> Result<String> {
    let site = tree.engine.site.as_deref().unwrap_or_default();
    let plain = site.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':'));
    if site.is_empty() || !plain || site.len() > 255 {
        return Err(Error::invalid(
            "engine.site must name the site, like site = \"data.example.org\": sessions and tokens are bound to it",
        ));
    }
    Ok(site.to_ascii_lowercase())
}

fn body_limit(limit: u32) -> Result<usize> {
    if (1024..=16 << 20).contains(&limit) {
        return Ok(limit as usize);
    }
    Err(Error::invalid("engine.body_limit must lie between 1024 and 16777216 bytes"))
}

fn password_policy(tree: &Tree) -> Result<password::Policy> {
    let weak = tree.directory.weak.iter().map(|name| {
        Format::named(name).filter(|f| f.is_weak()).ok_or_else(|| {
            Error::invalid(format!(
                "directory.weak: `{name}` is no weak format; known are apr1, sha1, ssha, des, md5-crypt"
            ))
        })
    });
    Ok(password::Policy {
        argon2_memory_kib: tree.password.memory_kib,
        argon2_passes: tree.password.passes,
        argon2_lanes: tree.password.lanes,
        weak: weak.collect::<Result<Vec<_>>>()?,
        ..password::Policy::default()
    })
}

fn strip_list(headers: &HeadersSection) -> Result<Vec<String>> {
    let own = [&headers.user, &headers.id, &headers.roles, &headers.tenant, &headers.session];
    for name in own.into_iter().chain(&headers.strip) {
        let token = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        if name.is_empty() || !name.bytes().all(token) {
            return Err(Error::invalid(format!("headers: `{name}` is no header name")));
        }
    }
    let mut list: Vec<String> =
        own.into_iter().chain(&headers.strip).map(|n| header::canonical(n.as_bytes())).collect();
    list.extend(IDENTITY_HEADERS.map(str::to_owned));
    list.sort();
    list.dedup();
    Ok(list)
}

pub(crate) fn site(engine: &Arc<Engine>, profile: Option<&str>, prefix: Option<&str>, optional: bool) -> Result<Site> {
    let defaults = &engine.defaults;
    let name = profile
        .or(defaults.profile.as_deref())
        .ok_or_else(|| Error::invalid("no profile: set engine.profile, or name one for the site").at(&defaults.file))?;
    let prefix = prefix.unwrap_or(&defaults.prefix);
    if !(prefix.is_empty() || (prefix.starts_with('/') && !prefix.ends_with('/'))) {
        return Err(Error::invalid(format!("prefix `{prefix}` must start with `/` and not end with it")));
    }
    let profile = compile(engine, name)?;
    Site::new(engine.clone(), profile, prefix, optional)
}

fn compile(engine: &Engine, name: &str) -> Result<Profile> {
    let (file, text) = match profile::builtin(name) {
        Some(text) => (format!("profiles/{name}.toml"), text.to_owned()),
        None if name.ends_with(".toml") => {
            let path = engine.profile_path(name);
            let text = std::fs::read_to_string(&path)
                .map_err(|e| Error::unavailable(format!("cannot be read: {e}")).at(path.display()))?;
            (path.display().to_string(), text)
        }
        None => {
            return Err(Error::invalid(format!(
                "no profile `{name}`: built in are {}; a file's path ends in .toml",
                profile::BUILTINS.map(|(name, _)| name).join(", ")
            )));
        }
    };
    let mut overrides = Overrides::none();
    let own_name = profile_name(&file, &text)?;
    for (setting, value) in engine.defaults.settings.get(&own_name).into_iter().flatten() {
        overrides.set(setting, value.clone());
    }
    Profile::compile(&file, &text, &overrides)
}

/// The name that a profile file gives itself: settings and gates are found under it.
fn profile_name(file: &str, text: &str) -> Result<String> {
    #[derive(serde::Deserialize)]
    struct Named {
        name: String,
    }
    document::read::<Named>(file, text).map(|named| named.name)
}

/// The token purpose of what profiles hand out.
pub(crate) const TOKEN_PURPOSE: &str = "access";

pub(crate) fn token_binding(engine: &Engine, profile: &str, purpose: &str) -> Binding {
    Binding::new(purpose, profile, &engine.site)
}
