//! Failures of calls that may fail: a status number for programs, a sentence for people.
//!
//! A refused request is not an error: that is a [`Reason`](super::Reason). Errors come from building, loading and
//! storing. Their text names the cause and the mend, and never holds a secret.

use std::fmt;

/// The status numbers of the C interface. 0 is success and never stands in an [`Error`].
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// A required pointer was NULL, or NULL came with a length.
    Null = -1,
    /// An argument or a setting is wrong.
    Invalid = -2,
    /// Header and library do not match.
    Abi = -3,
    /// The buffer is too small; the length needed was written.
    TooSmall = -4,
    /// No such session, key or user.
    NotFound = -5,
    /// The input could not be parsed.
    Malformed = -6,
    /// Store, directory or keyring did not answer.
    Unavailable = -7,
    /// This process has not attached the engine.
    Fork = -8,
    /// The system gave no random bytes.
    Random = -9,
    /// The proof was good once but has ended, was revoked, or is not for here.
    Refused = -10,
    /// Slow work is due and `JANUA_FAST` forbids it.
    WouldBlock = -11,
    /// As much of this kind of work as is allowed is under way; try again later.
    Busy = -12,
    /// A bug in this library; deny.
    Panic = -99,
}

impl Status {
    /// All failures, in the order of their numbers.
    pub const ALL: [Status; 13] = [
        Status::Null,
        Status::Invalid,
        Status::Abi,
        Status::TooSmall,
        Status::NotFound,
        Status::Malformed,
        Status::Unavailable,
        Status::Fork,
        Status::Random,
        Status::Refused,
        Status::WouldBlock,
        Status::Busy,
        Status::Panic,
    ];

    /// The name as the C header spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Status::Null => "JANUA_E_NULL",
            Status::Invalid => "JANUA_E_INVALID",
            Status::Abi => "JANUA_E_ABI",
            Status::TooSmall => "JANUA_E_TOO_SMALL",
            Status::NotFound => "JANUA_E_NOT_FOUND",
            Status::Malformed => "JANUA_E_MALFORMED",
            Status::Unavailable => "JANUA_E_UNAVAILABLE",
            Status::Fork => "JANUA_E_FORK",
            Status::Random => "JANUA_E_RANDOM",
            Status::Refused => "JANUA_E_REFUSED",
            Status::WouldBlock => "JANUA_E_WOULD_BLOCK",
            Status::Busy => "JANUA_E_BUSY",
            Status::Panic => "JANUA_E_PANIC",
        }
    }
}

/// A failure: what kind, and a sentence that names the cause and the mend. Never holds a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    pub status: Status,
    pub message: String,
}

pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub fn new(status: Status, message: impl Into<String>) -> Error {
        Error { status, message: message.into() }
    }

    pub fn invalid(message: impl Into<String>) -> Error {
        Error::new(Status::Invalid, message)
    }

    pub fn unavailable(message: impl Into<String>) -> Error {
        Error::new(Status::Unavailable, message)
    }

    pub fn not_found(message: impl Into<String>) -> Error {
        Error::new(Status::NotFound, message)
    }

    /// Puts `place: ` (a file, `file:line`, a key) before the sentence.
    pub fn at(mut self, place: impl fmt::Display) -> Error {
        self.message = format!("{place}: {}", self.message);
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
