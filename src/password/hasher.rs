//! Hashing and verifying, the slow work itself.
//!
//! Called by the engine's login from a thread that may wait, after [`super::Permits`] gave a place; and by the
//! administrator's command. One per engine; any thread. Never called on the check path.

use super::phc::Fault;
use super::stored::{self, Parsed};
use super::{BCRYPT_MAX, Format, Policy, argon};
use crate::base::{Error, Reason, Result, Status};

/// What a verification found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Whether the password made this hash.
    pub ok: bool,
    /// Whether the policy would make a stronger one now; worth a rehash when `ok`.
    pub stale: bool,
}

/// Hashes and verifies by one policy, and keeps the memory of argon2 from one hash to the next.
pub struct Hasher {
    policy: Policy,
    pool: argon::Pool,
}

impl Hasher {
    /// Errors: [`Status::Invalid`] when the policy asks for argon2 parameters out of bounds.
    pub fn new(policy: Policy) -> Result<Hasher> {
        let wrong = |fault: Fault| Error::invalid(format!("{fault}; the default is 19456 KiB, 2 passes, 1 lane"));
        let pool = argon::Pool::new(&policy).map_err(wrong)?;
        Ok(Hasher { policy, pool })
    }

    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Makes an argon2id hash of `password` with a new salt.
    ///
    /// Errors: [`Status::Invalid`] for a password that is too long or has a NUL byte, [`Status::Busy`] without memory,
    /// [`Status::Random`] without randomness. Blocks for tens of milliseconds.
    pub fn hash(&self, password: &[u8]) -> Result<String> {
        if password.len() > self.policy.max_password {
            return Err(Error::invalid(format!("a password has at most {} bytes", self.policy.max_password)));
        }
        if password.contains(&0) {
            return Err(Error::invalid("a password has no NUL byte"));
        }
        argon::make(&self.policy, &self.pool, password).map_err(|reason| match reason {
            Reason::Busy => Error::new(Status::Busy, "there is no memory for the password hash; try again"),
            Reason::NoRandom => Error::new(Status::Random, "the system gave no random bytes"),
            _ => Error::invalid("the argon2 parameters are out of bounds"),
        })
    }

    /// Whether `password` made `hash`. Takes the time of the hash; call it with a permit in hand.
    ///
    /// A NUL byte never matches: to bcrypt `a` and `a NUL a` are one key. Errors: [`Reason::PasswordTooLong`] (bcrypt
    /// over 72 bytes, anything over the policy's length), [`Reason::HashNotAllowed`] for a hash that cannot be read, is
    /// out of bounds or weak and not allowed, [`Reason::Busy`] without memory.
    pub fn verify(&self, hash: &str, password: &[u8]) -> std::result::Result<Verified, Reason> {
        if password.len() > self.policy.max_password {
            return Err(Reason::PasswordTooLong);
        }
        let (format, parsed) = stored::parse(hash).map_err(|_| Reason::HashNotAllowed)?;
        if format == Format::Bcrypt && password.len() > BCRYPT_MAX {
            return Err(Reason::PasswordTooLong);
        }
        if !self.policy.allows(format) {
            return Err(Reason::HashNotAllowed);
        }
        if password.contains(&0) {
            return Ok(Verified { ok: false, stale: false });
        }
        let stale = !matches!(&parsed, Parsed::Argon2(hash) if !hash.is_stale(&self.policy));
        let ok = match parsed {
            Parsed::Argon2(hash) => hash.matches(password, &self.pool)?,
            Parsed::Bcrypt(hash) => hash.matches(password),
            Parsed::Scrypt(hash) => hash.matches(password),
            Parsed::Pbkdf2(hash) => hash.matches(password),
            Parsed::Sha2(hash) => hash.matches(password),
            Parsed::Md5(hash) => hash.matches(password),
            Parsed::Sha1(hash) => hash.matches(password),
            Parsed::Des(hash) => hash.matches(password),
        };
        Ok(Verified { ok, stale })
    }
}
