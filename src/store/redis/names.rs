//! The keys on the server. Those of one site lie in one hash slot, so that each script is one transaction in a cluster too.
//!
//! | key after `janua:{…}:` | type | what |
//! |---|---|---|
//! | `log` | hash | the head of the log; every floor, by what it names |
//! | `entries` | sorted set | the log, by number |
//! | `ends` | sorted set | floors, by the moment until which they are kept |
//! | `live` | sorted set | live sessions, by serial |
//! | `due` | sorted set | sessions of every kind, by the moment at which to look at them |
//! | `p:…` | sorted set | a principal's live sessions, by serial |
//! | `s:…` | hash | a session, or its tombstone |
//! | `doc:…` | string | a document; its slot is the site's by name alone |
//!
//! What stands in braces is a digest: of the site's name under the site's key for sessions, so that another keyring finds
//! nothing of this one's; of the name alone for documents, the keyring itself may be one.

use super::seal::Keys;
use crate::base::encoding::hex;
use crate::crypto::digest::{Digest, sha256};

pub(super) struct Names {
    /// What all keys of sessions begin with.
    pub base: Vec<u8>,
    /// The keys that every script names, in their order.
    pub log: [Vec<u8>; 5],
}

fn slot(digest: &Digest) -> Vec<u8> {
    format!("janua:{{{}}}:", hex(&digest[..8])).into_bytes()
}

impl Names {
    pub(super) fn new(keys: &Keys, site: &str) -> Names {
        let base = slot(&keys.site(site));
        let log = ["log", "entries", "ends", "live", "due"].map(|name| [&base, name.as_bytes()].concat());
        Names { base, log }
    }

    /// The row of a session, of which the first half of its key is enough to find it.
    pub(super) fn row(&self, reference: &[u8; 16]) -> Vec<u8> {
        [&self.base, &b"s:"[..], hex(reference).as_bytes()].concat()
    }

    /// The sessions of a principal.
    pub(super) fn person(&self, principal: &Digest) -> Vec<u8> {
        [&self.base, &b"p:"[..], hex(principal).as_bytes()].concat()
    }
}

/// A document of a site.
pub(super) fn document(site: &str, name: &str) -> Vec<u8> {
    let slot = slot(&sha256(&[b"janua-documents", site.as_bytes()]));
    [&slot, &b"doc:"[..], name.as_bytes()].concat()
}
