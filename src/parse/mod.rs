//! Floor 1: bytes to views. No clock, no key, no state.
//!
//! Called by `profile`, which says where to look, and by `ffi` for hosts with a protocol of their own. What is not
//! well-formed is refused here, so that nothing above ever sees half a credential; what could be read in two ways is
//! refused as well. All work is linear in the input. `authorization`, `cookie`, `header`, `path` and the look-ups of
//! `form` allocate nothing unless a value must be decoded; `json` and `xml` keep one flat list of a document's parts.

pub mod authorization;
pub mod cookie;
pub mod form;
pub mod header;
pub mod instant;
pub mod json;
pub mod path;
pub mod request;
pub mod xml;

pub use request::{Body, Header, Request};
