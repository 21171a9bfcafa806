//! Floor 2: keys and digests.

pub mod digest;
pub mod mac;
