//! Floor 4: proof that stands for itself.
//!
//! `sealed` makes and opens opaque tokens of ours. It knows keys, time and the binding to purpose, profile and site;
//! users, tenants and revocations are judged by those who call it.

mod claims;
mod current;
mod epoch;
mod extra;
pub mod sealed;
#[cfg(test)]
mod sealed_tests;
mod subkeys;

pub use claims::{Claims, MAX_EXTRA, MAX_PRINCIPAL, SidKind, fits, tenant_tag};
pub use extra::{Extra, ExtraRoom};
pub use sealed::{Binding, Opened, Room, Sealer};
