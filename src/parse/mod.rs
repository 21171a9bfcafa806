//! Floor 1: bytes to views. No clock, no key, no state.

pub mod request;

pub use request::{Body, Header, Request};
