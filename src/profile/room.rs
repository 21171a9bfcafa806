//! Room: the buffers of one request, kept by the caller so that a check allocates nothing.

use crate::base::secret;
use crate::parse::authorization::MAX_BASIC;

/// Scratch space for one request at a time. Make one per worker and use it again: buffers keep their capacity. What
/// was in it is wiped before the next request and when it is dropped. One thread at a time. No `Debug`: it holds
/// credentials.
pub struct Room {
    /// The whole path after an override.
    pub(super) path: Vec<u8>,
    /// A JSON document that was decoded out of a parameter.
    pub(super) document: Vec<u8>,
    /// A decoded Basic pair.
    pub(super) basic: [u8; MAX_BASIC],
    pub(super) basic_used: bool,
}

impl Default for Room {
    fn default() -> Room {
        Room::new()
    }
}

impl Room {
    pub const fn new() -> Room {
        Room { path: Vec::new(), document: Vec::new(), basic: [0; MAX_BASIC], basic_used: false }
    }

    /// Wipes what the last request left.
    pub(super) fn clear(&mut self) {
        self.path.clear();
        secret::wipe(&mut self.document);
        self.document.clear();
        if self.basic_used {
            secret::wipe(&mut self.basic);
            self.basic_used = false;
        }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.clear();
    }
}
