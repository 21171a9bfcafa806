//! What a revocation names, and one entry of a numbered log.
//!
//! Used by `store::shared` and `store::redis`. The bytes stand in logs on disk and on servers: they never change.

use crate::crypto::digest::{Digest, sha256};
use crate::crypto::keyring::KeyId;

/// What a revocation names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum What {
    Session(Digest),
    /// By the digest of its id.
    Principal(Digest),
    Key(KeyId),
    /// The first half is all there is to it.
    Chosen([u8; 16]),
    Site,
}

/// The name that a principal has in the log: names may be longer than any key.
pub(in crate::store) fn principal(name: &str) -> Digest {
    sha256(&[b"janua-principal", name.as_bytes()])
}

impl What {
    /// A letter and what it names.
    pub(in crate::store) fn bytes(&self) -> Vec<u8> {
        let (letter, rest): (u8, &[u8]) = match self {
            What::Session(key) => (b'S', key),
            What::Principal(digest) => (b'P', digest),
            What::Key(id) => (b'K', id),
            What::Chosen(sid) => (b'C', sid),
            What::Site => (b'A', &[]),
        };
        let mut bytes = Vec::with_capacity(1 + rest.len());
        bytes.push(letter);
        bytes.extend(rest);
        bytes
    }

    /// Reads [`What::bytes`] back.
    pub(in crate::store) fn read(bytes: &[u8]) -> Option<What> {
        let (letter, rest) = bytes.split_first()?;
        match letter {
            b'S' => rest.try_into().ok().map(What::Session),
            b'P' => rest.try_into().ok().map(What::Principal),
            b'K' => rest.try_into().ok().map(What::Key),
            b'C' => rest.try_into().ok().map(What::Chosen),
            b'A' => rest.is_empty().then_some(What::Site),
            _ => None,
        }
    }
}

/// One thing to revoke.
pub(in crate::store) struct Entry {
    pub what: What,
    /// What is below it is dead; `None`: everything up to this revocation.
    pub floor: Option<u64>,
    /// Unix second until which anything could be alive that it kills; `None` leaves no trace but the number.
    pub until: Option<i64>,
}
