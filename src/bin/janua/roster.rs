//! Which users file a command works on, and what is found in it.

use crate::configuration::{self, Facts};
use crate::failure::Failure;
use janua::directory::{Tenant, User, edit, fold};
use janua::password::{Format, Hasher, Policy};
use std::path::{Path, PathBuf};

/// The options that say which users file is meant.
#[derive(clap::Args)]
pub struct Place {
    /// The users file [default: the one of the configuration]
    #[arg(long, value_name = "FILE", global = true, conflicts_with = "config")]
    users: Option<PathBuf>,
    /// The configuration [default: ./janua.toml, then /etc/janua/janua.toml]
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
}

/// A users file and what the configuration says about its hashes.
pub struct Roster {
    pub path: PathBuf,
    pub policy: Policy,
    /// Whether a configuration names the file, so that its word on weak hashes is the host's.
    pub configured: Option<PathBuf>,
}

impl Place {
    /// Finds the users file. Errors: no configuration, or one that keeps its users elsewhere.
    pub fn find(&self) -> Result<Roster, Failure> {
        if let Some(path) = &self.users {
            return Ok(Roster { path: path.clone(), policy: Policy::default(), configured: None });
        }
        let (file, config) = configuration::read(self.config.as_deref())?;
        let path = config.users_path().ok_or_else(|| {
            Failure::file(format!(
                "{}: keeps no users file ([directory] users); an htpasswd file is kept by htpasswd(1), and Janua never \
                 writes it",
                file.display()
            ))
        })?;
        Ok(Roster { path, policy: policy(&Facts::read(&file)?), configured: Some(file) })
    }
}

/// The cost of new hashes and the weak ones allowed, as the configuration has them.
pub fn policy(facts: &Facts) -> Policy {
    let default = Policy::default();
    let number = |key, default| facts.number("password", key).and_then(|n| u32::try_from(n).ok()).unwrap_or(default);
    Policy {
        argon2_memory_kib: number("memory_kib", default.argon2_memory_kib),
        argon2_passes: number("passes", default.argon2_passes),
        argon2_lanes: number("lanes", default.argon2_lanes),
        weak: facts.list("directory", "weak").into_iter().filter_map(Format::named).collect(),
        ..default
    }
}

impl Roster {
    pub fn hasher(&self) -> Result<Hasher, Failure> {
        Ok(Hasher::new(self.policy.clone())?)
    }

    pub fn list(&self) -> Result<(Vec<Tenant>, Vec<User>), Failure> {
        list(&self.path)
    }

    /// The user of exactly this name.
    pub fn user(&self, name: &str) -> Result<User, Failure> {
        let (_, users) = self.list()?;
        let near = users.iter().find(|u| fold(&u.name) == fold(name)).map(|u| u.name.clone());
        users.into_iter().find(|u| u.name == name).ok_or_else(|| {
            let hint = near.map(|n| format!("; did you mean `{n}`?")).unwrap_or_default();
            Failure::not_found(format!("{}: there is no user `{name}`{hint}", self.path.display()))
        })
    }

    /// The ids of tenants given by id or by name.
    pub fn tenant_ids(&self, wanted: &[String]) -> Result<Vec<String>, Failure> {
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let (tenants, _) = self.list()?;
        wanted.iter().map(|text| self.tenant_id(&tenants, text)).collect()
    }

    fn tenant_id(&self, tenants: &[Tenant], text: &str) -> Result<String, Failure> {
        let bare = |id: &str| id.trim_matches(['{', '}']).to_ascii_lowercase();
        if let Some(tenant) = tenants.iter().find(|t| t.id == text || bare(&t.id) == bare(text)) {
            return Ok(tenant.id.clone());
        }
        let mut named = tenants.iter().filter(|t| fold(&t.name) == fold(text));
        match (named.next(), named.next()) {
            (Some(tenant), None) => Ok(tenant.id.clone()),
            (Some(_), Some(_)) => Err(Failure::refused(format!(
                "several tenants are named `{text}`: name it by its id (`janua tenant list`)"
            ))),
            (None, _) => Err(Failure::not_found(format!(
                "{}: there is no tenant `{text}`: `janua tenant list` shows them, `janua tenant add` makes one",
                self.path.display()
            ))),
        }
    }
}

/// Tenants and users of a file, in its order.
pub fn list(path: &Path) -> Result<(Vec<Tenant>, Vec<User>), Failure> {
    edit::list(path).map_err(|e| Failure::file(e.message))
}
