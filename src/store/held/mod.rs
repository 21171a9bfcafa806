//! What every store outside this process needs inside it: copies of rows, uses to be written down, what is known to be
//! revoked, what is open and in which process, and the bytes of a row.
//!
//! Used by `store::shared` and `store::redis` alone. Nothing here reads or writes a store, and nothing here carries any
//! validity of its own.

pub(in crate::store) mod codec;
pub(in crate::store) mod copies;
mod floors;
pub(in crate::store) mod folder;
pub(in crate::store) mod opened;
pub(in crate::store) mod pending;
pub(in crate::store) mod revoked;
pub(in crate::store) mod what;
