//! Why a call of the C interface failed, on its way into a `janua_error`.

use crate::base::{Error, Reason, Status};
use crate::engine::Stop;
use std::borrow::Cow;

/// A failed call: the status it returns, the reason where there is one, and a sentence without secrets.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) status: Status,
    pub(super) reason: Reason,
    pub(super) message: Cow<'static, str>,
}

impl Fault {
    pub(super) fn new(status: Status, message: impl Into<Cow<'static, str>>) -> Fault {
        Fault { status, reason: reason_of(status), message: message.into() }
    }

    pub(super) fn null(what: &str) -> Fault {
        Fault::new(Status::Null, format!("{what} is NULL"))
    }

    pub(super) fn invalid(message: impl Into<Cow<'static, str>>) -> Fault {
        Fault::new(Status::Invalid, message)
    }

    pub(super) fn too_small(needed: usize, cap: usize) -> Fault {
        Fault::new(Status::TooSmall, format!("the buffer has {cap} bytes, {needed} are needed"))
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Fault {
        Fault::new(error.status, error.message)
    }
}

impl From<Reason> for Fault {
    fn from(reason: Reason) -> Fault {
        Fault { status: status_of(reason), reason, message: Cow::Borrowed(reason.name()) }
    }
}

impl From<Stop> for Fault {
    fn from(stop: Stop) -> Fault {
        match stop {
            Stop::Refuse(reason) => reason.into(),
            Stop::Wait(_) => Fault::new(Status::WouldBlock, "the store must be asked; ask again without JANUA_FAST"),
        }
    }
}

/// The reason that a status implies by itself.
const fn reason_of(status: Status) -> Reason {
    match status {
        Status::Fork => Reason::NotAttached,
        Status::Random => Reason::NoRandom,
        Status::Busy => Reason::Busy,
        Status::Panic => Reason::Panic,
        Status::Malformed => Reason::Malformed,
        _ => Reason::Undecided,
    }
}

/// The status under which a primitive reports a reason: what a host does is the same for all reasons of one status.
pub(super) const fn status_of(reason: Reason) -> Status {
    match reason {
        Reason::Malformed
        | Reason::Duplicate
        | Reason::Several
        | Reason::Incomplete
        | Reason::Unreadable
        | Reason::TooLarge
        | Reason::SessionMalformed
        | Reason::TokenMalformed => Status::Malformed,
        Reason::SessionUnknown | Reason::UnknownUser => Status::NotFound,
        Reason::StoreUnavailable | Reason::DirectoryUnavailable | Reason::RenderFailed => Status::Unavailable,
        Reason::Busy => Status::Busy,
        Reason::NotAttached => Status::Fork,
        Reason::NoRandom => Status::Random,
        Reason::Panic => Status::Panic,
        _ => Status::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_reason_turns_into_a_success_and_our_own_failures_are_never_refusals() {
        for reason in Reason::ALL {
            let status = status_of(*reason);
            assert!((status as i32) < 0);
            assert_eq!(
                reason.is_unavailable(),
                matches!(status, Status::Unavailable | Status::Busy | Status::Fork | Status::Random | Status::Panic),
                "{}",
                reason.name()
            );
        }
    }
}
