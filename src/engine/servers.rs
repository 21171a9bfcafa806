//! The store on servers as the configuration asks for it: every key looked at, nothing opened but a password's file.
//!
//! Called by `engine::build`. Errors name the key and the mend, and never repeat a secret.

use crate::base::{Error, Result, Secret};
use crate::crypto::secret_file;
use crate::engine::build::LONGEST_LIFE;
use crate::engine::config::StoreSection;
use crate::engine::stores::{Floors, Wanted};
use crate::store::Redis;
use crate::store::redis::{Keys, Kind, Login, Server, Settings, Tls};
use std::path::Path;
use std::time::Duration;

/// The spans that a call may take.
const TIMEOUTS: std::ops::RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(60);
const TIMEOUT: Duration = Duration::from_millis(250);

/// The shortest where replicas are to confirm: they have 100 ms for it, and the way there and back is to fit in as well.
const CONFIRMED_TIMEOUT: Duration = Duration::from_millis(200);

/// The longest for which what is known may count while the servers are down.
const LONGEST_STALE: Duration = Duration::from_secs(3600);

/// The store.
pub(crate) fn redis(wanted: &Wanted<'_>, floors: Floors) -> Result<Redis> {
    let Wanted { section, folder, keyring, clock, .. } = *wanted;
    let (kind, servers) = servers(section)?;
    let secured = servers.iter().any(Server::is_secured);
    let timeout = section.timeout.map_or(TIMEOUT, |span| span.0);
    if !TIMEOUTS.contains(&timeout) {
        return Err(Error::invalid("store.timeout must lie between \"10ms\" and \"60s\""));
    }
    let stale_for = section.stale_for.map_or(Duration::ZERO, |span| span.0);
    if stale_for > LONGEST_STALE {
        return Err(Error::invalid("store.stale_for must not be over \"1h\": for so long nobody hears of a log-out"));
    }
    let connections = section.connections.unwrap_or(8);
    if !(1..=1024).contains(&connections) {
        return Err(Error::invalid("store.connections must lie between 1 and 1024"));
    }
    let several = usize::from(kind != Kind::One);
    let replicas = section.replicas.unwrap_or(u32::try_from(several).unwrap_or(0));
    if replicas > 16 {
        return Err(Error::invalid("store.replicas must not be over 16"));
    }
    if replicas > 0 && timeout < CONFIRMED_TIMEOUT {
        return Err(Error::invalid(
            "store.timeout must be at least \"200ms\" where replicas confirm a log-out, which may take them 100: raise it, or set \
             store.replicas = 0",
        ));
    }
    let keys = Keys::new(keyring.site_key("janua/1 store names"), keyring.site_key("janua/1 store values"));
    let settings = Settings {
        kind,
        servers,
        login: Login { tls: tls(section, secured, folder)?, ..login(section, folder)? },
        timeout,
        stale_for,
        connections: connections as usize,
        replicas,
        // Who only looks in hashes nothing, and makes nothing.
        path: section.path.as_ref().filter(|_| wanted.makes).map(|path| folder.join(path)),
        site: wanted.site.to_owned(),
        keys,
        longest_secs: LONGEST_LIFE,
        floors,
        create: wanted.makes,
        server_time: !clock.is_fake(),
    };
    Ok(Redis::new(settings, clock.clone()))
}

fn servers(section: &StoreSection) -> Result<(Kind, Vec<Server>)> {
    let read = |text: &String| Server::parse(text).map_err(|e| Error::invalid(format!("store.servers: {e}")));
    let servers = section.servers.iter().map(read).collect::<Result<Vec<_>>>()?;
    let kind = match (&section.sentinel, section.cluster) {
        (Some(_), true) => return Err(Error::invalid("store.sentinel and store.cluster: keep one of the two")),
        (Some(name), false) if name.is_empty() => {
            return Err(Error::invalid("store.sentinel is the name that the sentinels know the primary by"));
        }
        (Some(name), false) => Kind::Sentinel(name.clone()),
        (None, true) => Kind::Cluster,
        (None, false) => Kind::One,
    };
    match (&kind, servers.as_slice()) {
        (_, []) => Err(Error::invalid(
            "store.kind = \"redis\" needs store.servers, such as servers = [\"redis://127.0.0.1:6379/0\"]",
        )),
        (Kind::One, [_, _, ..]) => Err(Error::invalid(
            "store.servers: several are for store.sentinel (the sentinels) or store.cluster = true; name one",
        )),
        (Kind::Cluster, several) if several.iter().any(|server| server.database != 0) => {
            Err(Error::invalid("store.servers: a cluster has no database but 0"))
        }
        (Kind::Sentinel(_) | Kind::Cluster, several) if several.iter().any(Server::is_socket) => {
            Err(Error::invalid("store.servers: sentinels and clusters are reached by host and port, not by a socket"))
        }
        // Else who keeps the ones of TLS from answering is shown the password by the others.
        (_, several) if several.iter().any(Server::is_secured) != several.iter().all(Server::is_secured) => Err(
            Error::invalid("store.servers: write all of them rediss://, or all of them redis:// where no TLS is to be"),
        ),
        _ => Ok((kind, servers)),
    }
}

fn tls(section: &StoreSection, secured: bool, folder: &Path) -> Result<Option<Tls>> {
    let own = match (&section.certificate, &section.key) {
        (Some(certificate), Some(key)) => Some((folder.join(certificate), folder.join(key))),
        (None, None) => None,
        _ => return Err(Error::invalid("store.certificate and store.key belong together: give both")),
    };
    match &section.ca {
        None if secured => Err(Error::invalid(
            "store.ca is missing: with rediss:// name the file of those who vouch for the server, such as \"ca.pem\", or \
             \"/etc/ssl/certs/ca-certificates.crt\" for those that the system trusts",
        )),
        Some(ca) if secured => {
            let own = own.as_ref().map(|(certificate, key)| (certificate.as_path(), key.as_path()));
            Tls::read(&folder.join(ca), own).map(Some)
        }
        None if own.is_none() => Ok(None),
        _ => Err(Error::invalid(
            "store.ca, store.certificate and store.key are for rediss:// servers: correct store.servers",
        )),
    }
}

fn login(section: &StoreSection, folder: &Path) -> Result<Login> {
    let password = section.password.as_deref().map(|source| password(source, folder)).transpose()?;
    if section.user.is_some() && password.is_none() {
        return Err(Error::invalid("store.user needs store.password"));
    }
    Ok(Login { user: section.user.clone(), password, tls: None })
}

fn password(source: &str, folder: &Path) -> Result<Secret> {
    let text = match source.split_once(':') {
        Some(("env", name)) => match std::env::var(name) {
            Ok(text) => text.into_bytes().into(),
            Err(_) => {
                return Err(Error::invalid(format!(
                    "store.password: there is no text in the environment variable {name}"
                )));
            }
        },
        Some(("file", path)) => secret_file(&folder.join(path), "password of the store")?,
        _ => {
            return Err(Error::invalid(
                "store.password is \"env:NAME\" or \"file:PATH\": no secret stands in the configuration itself",
            ));
        }
    };
    match text.trim_ascii_end() {
        [] => Err(Error::invalid("store.password: what it names is empty")),
        text => Ok(Secret::new(text.to_vec())),
    }
}
