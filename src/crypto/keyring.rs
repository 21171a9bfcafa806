//! Stand-in: the id of a key.

/// A key's id, derived from the key.
pub type KeyId = [u8; 8];
