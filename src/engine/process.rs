//! What belongs to one process: drawn when it attaches, gone in a fork of it.
//!
//! The key under which verified pairs are remembered lives here; being attached is having it.

use crate::base::{Error, Result, Status};
use crate::crypto::guard::{ForkGuard, WipedKey};
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
    /// In which process attaching failed last, and why.
    failure: RwLock<Option<Failure>>,
}

/// The process in which attaching failed, and why.
type Failure = (ForkGuard, String);

impl ProcessPage {
    pub fn new() -> ProcessPage {
        ProcessPage { mark: WipedKey::new(), key: Arena::from_fn(1, |_| RwLock::new(None)), failure: RwLock::new(None) }
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

    /// Notes why attaching failed, for [`unattached`](ProcessPage::unattached).
    pub fn fail(&self, error: &Error) {
        if self.failed().is_some_and(|why| why == error.message) {
            // Tried again and again, it mostly fails for the same reason: whoever asks meanwhile is to hear it.
            return;
        }
        let mut failure = Some((ForkGuard::new(), error.message.clone()));
        // As below: what is not noted is only said in fewer words.
        if let Some(mut noted) = self.failure.try_write() {
            std::mem::swap(&mut *noted, &mut failure);
        }
    }

    /// Why attaching failed in this process.
    fn failed(&self) -> Option<String> {
        // A lock that is held may be a lost thread's of the process that this one was forked from.
        let failure = self.failure.try_read()?;
        failure.as_ref().filter(|(process, _)| process.same_process()).map(|(_, why)| why.clone())
    }

    /// What is to be said to whoever asks for more than attaching: `Fork`, with the reason why it failed in this process.
    #[cold]
    pub fn unattached(&self) -> Error {
        Error::new(
            Status::Fork,
            match self.failed() {
                Some(why) => format!("this process could not attach the engine: {why}"),
                None => "this process has not attached the engine: call attach after forking".to_owned(),
            },
        )
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_while_attaching_is_tried_again_hears_why_it_fails() {
        let page = ProcessPage::new();
        assert!(page.unattached().message.contains("call attach"));
        let error = Error::unavailable("the store is another's");
        page.fail(&error);
        std::thread::scope(|threads| {
            let asking = threads.spawn(|| (0..20_000).all(|_| page.unattached().message.ends_with(&error.message)));
            while !asking.is_finished() {
                page.fail(&error);
            }
            assert!(asking.join().unwrap());
        });
        page.fail(&Error::unavailable("its disk is gone"));
        assert!(page.unattached().message.ends_with("its disk is gone"));
    }
}
