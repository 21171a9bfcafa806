//! The store of a running host, from outside it.
//!
//! Used by every command that opens a store. Root becomes the owner of the store's folder before that, so **what root alone
//! may read is to be read before**; it must never open a store in another way.

use crate::configuration;
use crate::failure::Failure;
use crate::sys;
use janua::base::Status;
use janua::engine::{Config, Engine};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The option that says which configuration is meant.
#[derive(clap::Args)]
pub struct Place {
    /// The configuration [default: ./janua.toml, then /etc/janua/janua.toml]
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
}

impl Place {
    /// Joins the store that the host of this configuration made. Errors: a store that only its host can reach, or none.
    pub fn join(&self) -> Result<Arc<Engine>, Failure> {
        let (path, config) = configuration::read(self.config.as_deref())?;
        join(&path, config)
    }

    /// The users file of the configuration, if it has one.
    pub fn users(&self) -> Result<Option<PathBuf>, Failure> {
        configuration::read(self.config.as_deref()).map(|(_, config)| config.users_path())
    }
}

/// The same for a configuration that was read.
pub fn join(path: &Path, config: Config) -> Result<Arc<Engine>, Failure> {
    let engine = prepare(config)?;
    if engine.check_workers(2).is_err() {
        return Err(Failure::refused(format!(
            "{}: the store lives inside the host's process, where only the host can reach it; store.kind = \"shared\" \
             and \"redis\" can be reached from outside",
            path.display()
        )));
    }
    engine.attach().map_err(|e| Failure::file(e.message))?;
    Ok(engine)
}

/// Builds the engine of a configuration for looking at what its host made.
pub fn build(path: &Path) -> Result<Arc<Engine>, Failure> {
    let mut config = Config::new();
    config.read_file(path)?;
    prepare(config)
}

fn prepare(mut config: Config) -> Result<Arc<Engine>, Failure> {
    config.set_store_must_exist();
    configuration::allow_host_directory(&mut config);
    let folder = config.store_folder();
    let engine = Engine::build(config).map_err(|e| Failure::file(e.message))?;
    enter(folder.as_deref())?;
    Ok(engine)
}

/// To be called when an engine was built, and before its store is opened in `folder`.
pub fn enter(folder: Option<&Path>) -> Result<(), Failure> {
    folder.map_or(Ok(()), sys::become_owner)
}

/// What `janua check` finds of the store.
pub enum Found {
    /// It lives in the host's process.
    Memory,
    /// No host has made it yet. Its kind.
    Unmade(String),
    /// It is there, with so many sessions.
    Made(String, u64),
}

/// Looks at the store of an engine that was built for that, as a host would find it; none: it lives in the host's process.
/// Errors: what would keep a host from it.
pub fn look(engine: Option<&Engine>) -> Result<Found, Failure> {
    let Some(engine) = engine else { return Ok(Found::Memory) };
    let kind =
        engine.summary().into_iter().find(|(name, _)| *name == "store").map(|(_, kind)| kind).unwrap_or_default();
    match engine.attach() {
        Ok(()) => Ok(Found::Made(kind, engine.session_count())),
        Err(error) if error.status == Status::NotFound => Ok(Found::Unmade(kind)),
        Err(error) => Err(Failure::file(error.message)),
    }
}

impl Found {
    pub fn words(&self) -> String {
        match self {
            Found::Memory => "memory".to_owned(),
            Found::Unmade(kind) => format!("{kind}, not made yet: the host makes it when it starts"),
            Found::Made(kind, 1) => format!("{kind}, 1 session"),
            Found::Made(kind, count) => format!("{kind}, {count} sessions"),
        }
    }

    pub fn as_json(&self) -> Value {
        match self {
            Found::Memory => json!("memory"),
            Found::Unmade(kind) | Found::Made(kind, _) => json!(kind),
        }
    }

    /// What is allowed and worth a word.
    pub fn unwise(&self) -> Option<String> {
        let unmade = "the store is not made yet, or not since the machine started: tokens from before one that is new are refused, \
             until `janua revoke --accept-older`";
        matches!(self, Found::Unmade(_)).then(|| unmade.to_owned())
    }
}
