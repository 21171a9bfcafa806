//! The store that the configuration asks for. Nothing is opened.
//!
//! Called by `engine::build`. Errors name the key and the mend.

use crate::base::{Clock, Error, Result};
use crate::crypto::keyring::Keyring;
use crate::engine::build::LONGEST_LIFE;
use crate::engine::config::StoreSection;
#[cfg(feature = "redis")]
use crate::engine::servers;
use crate::store::{Memory, Store, memory};
#[cfg(feature = "shared")]
use crate::{
    engine::config::Lasting,
    store::{Shared, shared},
};
use std::path::Path;
use std::sync::Arc;

/// What a store is made for. Not every kind of store asks for all of it.
#[cfg_attr(not(all(feature = "shared", feature = "redis")), allow(dead_code))]
pub(crate) struct Wanted<'a> {
    pub section: &'a StoreSection,
    /// That paths count from.
    pub folder: &'a Path,
    /// Whether its folder may be made.
    pub makes: bool,
    /// Sessions are to stay out of it: they live here, for a while and by the clock that is given.
    pub aside: bool,
    /// Whose sessions it keeps.
    pub site: &'a str,
    /// For its site keys.
    pub keyring: &'a Keyring,
    pub clock: &'a Clock,
}

/// Principals and the number below which what they have is revoked.
pub(crate) type Floors = Vec<(String, u64)>;

/// A store that nobody has opened yet.
pub(crate) type Made = Result<Arc<dyn Store>>;

impl Wanted<'_> {
    /// The store of the sessions, and that of the keys for a ring that lies in it.
    pub fn stores(&self, floors: Floors) -> Result<(Arc<dyn Store>, Made)> {
        if self.aside {
            // Another time than the system's is for what is tried out, not for what is kept.
            let clock = &Clock::system();
            return Ok((memory(floors, self.clock)?, Wanted { clock, ..*self }.store(Vec::new())));
        }
        let store = self.store(floors)?;
        Ok((Arc::clone(&store), Ok(store)))
    }

    fn store(&self, floors: Floors) -> Made {
        let section = self.section;
        if let (Some(key), false) = (section.first_of_servers(), section.kind == "redis") {
            return Err(Error::invalid(format!("store.{key} is for store.kind = \"redis\"")));
        }
        match (section.kind.as_str(), &section.path) {
            ("memory", None) => memory(floors, self.clock),
            ("memory", Some(_)) => {
                Err(Error::invalid("store.path is for store.kind = \"shared\"; the memory store keeps nothing on disk"))
            }
            #[cfg(feature = "shared")]
            ("shared", Some(path)) => {
                let durability = match section.durability {
                    Lasting::Process => shared::Durability::Process,
                    Lasting::Disk => shared::Durability::Disk,
                };
                let settings = shared::Settings::new(self.folder.join(path), durability, LONGEST_LIFE, floors);
                let settings = shared::Settings { create: self.makes, ..settings };
                Ok(Arc::new(Shared::new(settings, self.clock.clone())))
            }
            #[cfg(feature = "shared")]
            ("shared", None) => Err(Error::invalid(
                "store.kind = \"shared\" needs store.path, a folder for the processes of this machine and nobody else",
            )),
            #[cfg(feature = "redis")]
            ("redis", _) => servers::redis(self, floors).map(|store| Arc::new(store) as _),
            #[cfg(not(feature = "shared"))]
            ("shared", _) => Err(missing("shared")),
            #[cfg(not(feature = "redis"))]
            ("redis", _) => Err(missing("redis")),
            ("host", _) => Err(missing("host")),
            (other, _) => Err(Error::invalid(format!(
                "store.kind = \"{other}\" is unknown; known are \"memory\", \"shared\" and \"redis\""
            ))),
        }
    }
}

/// A store of this process alone. Tokens outlive the process that made them and are good in others of the same keyring.
fn memory(floors: Floors, clock: &Clock) -> Made {
    let settings = memory::Settings { longest_secs: LONGEST_LIFE, older: memory::Older::Accepted, floors };
    Ok(Arc::new(Memory::new(settings, clock.now())?))
}

fn missing(kind: &str) -> Error {
    let stores = [("memory", true), ("shared", cfg!(feature = "shared")), ("redis", cfg!(feature = "redis"))];
    let built = stores.iter().filter(|(_, built)| *built);
    let built = built.map(|(store, _)| format!("\"{store}\"")).collect::<Vec<_>>().join(", ");
    Error::invalid(format!("store.kind = \"{kind}\" is not in this build; known to it are {built}"))
}
