//! What belongs to one process: drawn when it attaches, gone in a fork of it.
//!
//! The key under which verified pairs are remembered lives here; being attached is having it.

use crate::base::Result;
use crate::crypto::guard::WipedKey;
use crate::crypto::mac::MacKey;
use crate::crypto::sys::Arena;
use crate::password::verified::KeyPage;
use parking_lot::RwLock;
use std::sync::Arc;

/// The page of this process. Any thread; one load tells whether it is attached.
pub(crate) struct ProcessPage {
    /// Wiped by a fork: the mark that says whose `key` is.
    mark: WipedKey,
    /// Kept out of dumps. Of no use without the mark.
    key: Arena<RwLock<Option<MacKey>>>,
}

impl ProcessPage {
    pub fn new() -> ProcessPage {
        ProcessPage { mark: WipedKey::new(), key: Arena::from_fn(1, |_| RwLock::new(None)) }
    }

    /// Whether this process has attached.
    pub fn is_attached(&self) -> bool {
        self.mark.is_filled()
    }

    /// Attaches this process. The mark is set last: until then nobody uses the key of a former process.
    pub fn attach(&self) -> Result<()> {
        let fresh = MacKey::random()?;
        for place in self.key.iter() {
            *place.write() = Some(fresh.clone());
        }
        self.mark.fill().map(|_| ())
    }
}

impl KeyPage for Arc<ProcessPage> {
    fn tag(&self, parts: &[&[u8]]) -> Option<[u8; 32]> {
        if !self.is_attached() {
            return None;
        }
        let place = self.key.first()?.read();
        place.as_ref().map(|key| key.tag(parts))
    }

    fn renew(&self) -> Result<()> {
        self.attach()
    }
}
