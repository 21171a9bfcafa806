//! How the command fails: one exit code for scripts, one sentence for people.
//!
//! The codes are documented in `--help` and `docs/janua.md` and do not change.

use janua::base::{Error, Status};
use std::io;
use std::process::ExitCode;

/// The exit codes beside 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    Refused = 1,
    Usage = 2,
    File = 3,
    NotFound = 4,
}

/// Why the command did not do what it was asked.
#[derive(Debug)]
pub enum Failure {
    /// Leave with this code and this sentence on standard error.
    Said(Code, String),
    /// Leave with this code; what there is to say stands on standard output already.
    Told(Code),
}

impl Failure {
    pub fn refused(message: impl Into<String>) -> Failure {
        Failure::Said(Code::Refused, message.into())
    }

    pub fn usage(message: impl Into<String>) -> Failure {
        Failure::Said(Code::Usage, message.into())
    }

    pub fn file(message: impl Into<String>) -> Failure {
        Failure::Said(Code::File, message.into())
    }

    pub fn not_found(message: impl Into<String>) -> Failure {
        Failure::Said(Code::NotFound, message.into())
    }

    /// Writes the sentence and gives the code to leave with.
    pub fn report(self) -> ExitCode {
        let code = match self {
            Failure::Said(code, message) => {
                eprintln!("janua: {message}");
                code
            }
            Failure::Told(code) => code,
        };
        ExitCode::from(code as u8)
    }
}

impl From<Error> for Failure {
    /// The library's errors name cause and mend already; only the code is chosen here.
    fn from(error: Error) -> Failure {
        let code = match error.status {
            Status::NotFound => Code::NotFound,
            Status::Invalid | Status::Malformed | Status::Unavailable => Code::File,
            _ => Code::Refused,
        };
        Failure::Said(code, error.message)
    }
}

/// Failures of standard input and output. A reader that went away (`janua user list | head`) is no fault of ours.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::Told(Code::Refused),
            _ => Failure::refused(format!("cannot write the output: {error}")),
        }
    }
}
