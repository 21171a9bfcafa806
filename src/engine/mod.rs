//! Floor 7: the engine. Configuration in, decisions out.
//!
//! [`Engine`] is built once from a [`Config`] and never changes; a [`Site`] is one profile under one prefix of it;
//! [`Site::decide`] is the way of every request. Hosts in C come in through `ffi`.

mod act;
pub mod audit;
mod build;
mod client;
pub mod config;
mod cookies;
mod csrf;
mod decide;
pub mod decision;
mod each;
#[allow(clippy::module_inception)]
pub mod engine;
mod keys;
mod login;
mod metrics;
mod policy;
pub mod primitives;
mod process;
mod prove;
mod respond;
#[cfg(feature = "redis")]
mod servers;
pub mod site;
mod stores;
mod subject;
#[cfg(test)]
mod waits;
#[cfg(test)]
mod waits_never;

pub use audit::{Audit, Event, EventKind};
pub use config::Config;
pub use decision::{Decision, Outcome, WaitClass};
pub use engine::Engine;
pub use primitives::Held;
pub use site::Site;

pub(crate) use decide::Stop;

/// A directory of the host's own. May be called on any thread that decides without FAST.
pub use crate::directory::HostDirectory;
