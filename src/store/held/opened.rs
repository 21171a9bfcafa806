//! What an engine has open of a store: made once in each process, after its last fork.
//!
//! Used by `store::shared` and `store::redis`. What there is by a fork is the parent's: it must be neither used nor closed.

use crate::base::{Error, Status};
use crate::crypto::guard::ForkGuard;
use crate::store::{Answer, Unavailable};
use once_cell::sync::OnceCell;
use std::ops::Deref;

/// A box around what is open, which knows its process. Any thread.
pub(in crate::store) struct Opened<P>(OnceCell<P>);

pub(in crate::store) fn forked() -> Error {
    Error::new(
        Status::Fork,
        "the process that this one was forked from had the store open, or was opening one, which a fork breaks: attach \
         after the last fork",
    )
}

impl<P: Deref<Target: AsRef<ForkGuard>>> Opened<P> {
    pub(in crate::store) fn new() -> Opened<P> {
        Opened(OnceCell::new())
    }

    /// What this process has open.
    pub(in crate::store) fn get(&self) -> Result<&P::Target, Unavailable> {
        self.0.get().map(|core| &**core).filter(|core| core.as_ref().same_process()).ok_or(Unavailable)
    }

    /// The same where a person is told why there is nothing.
    pub(in crate::store) fn attached(&self) -> Result<&P::Target, Error> {
        self.get().map_err(|_| Error::new(Status::Fork, "this process has not attached the store"))
    }

    /// Asks what is open.
    pub(in crate::store) fn ask<T>(&self, ask: impl FnOnce(&P::Target) -> Result<Answer<T>, Unavailable>) -> Answer<T> {
        self.get().and_then(ask).unwrap_or(Answer::Unavailable)
    }

    /// Opens it, unless this process has it open.
    pub(in crate::store) fn attach(&self, open: impl FnOnce() -> Result<P, Error>) -> Result<(), Error> {
        match self.0.get() {
            Some(core) if core.as_ref().same_process() => Ok(()),
            Some(_) => Err(forked()),
            None => {
                // Another thread may have been faster.
                let _ = self.0.set(open()?);
                Ok(())
            }
        }
    }

    /// Takes it out, to be closed. A fork closes nothing, and says no goodbye over its parent's connections.
    pub(in crate::store) fn take(&mut self) -> Option<P> {
        let core = self.0.take()?;
        if core.as_ref().same_process() {
            return Some(core);
        }
        std::mem::forget(core);
        None
    }
}
