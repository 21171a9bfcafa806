//! Janua: the authentication core that is built into the door.
//!
//! A web server or a service loads this library into its own process, hands it a request and gets a decision. The
//! modules are floors of a house: each imports only from floors below its own (`tests/floors.rs` reads the imports and
//! fails on an upward arrow). `engine` is the way in for Rust, `ffi` for C.
//!
//! Nothing here starts a thread, keeps process-global state or opens a file before it is told to.

pub mod base;
pub mod parse;

pub mod crypto;

pub mod expiry;
pub mod password;
pub mod throttle;

pub mod directory;
pub mod token;

pub mod session;
pub mod store;

pub mod profile;

pub mod engine;

pub mod ffi;
