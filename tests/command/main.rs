//! The administrator's command, run as the real binary in folders of its own.

#![cfg(feature = "command")]

mod explain;
mod folder;
mod init;
mod keys;
#[cfg(all(unix, feature = "shared"))]
mod owner;
#[cfg(all(unix, feature = "redis"))]
#[path = "../redis_server/mod.rs"]
mod redis_server;
mod rotation;
#[cfg(feature = "shared")]
mod sessions;
#[cfg(feature = "shared")]
mod stored;
mod users;
mod whole;
