//! Floor 5, first half: what a session is. Ids as the client sees them, digests as a store sees them, and the record.
//!
//! Called by `store` and `engine`. Nothing here knows where records are kept, and nothing here lets an id that a
//! client brought become the id of a new session: a login always makes one.

mod death;
pub mod id;
mod last_path;
pub mod record;

pub(crate) use death::Dead;
pub use id::{AlphabetSet, Reference};
pub use last_path::MAX_PATH;
#[cfg(any(feature = "shared", feature = "redis"))]
pub(crate) use record::Stored;
pub use record::{NewSession, Record, Touch};
