//! Password hashes, for a host with users of its own.

use super::basics::{janua_error, janua_status, janua_str};
use super::guard;
use super::raw::{self, Buffer, Slot};
use crate::password::{Hasher, Policy};
use std::ffi::c_char;

/// Verdict on a password: it does not match. 0, so that a forgotten verdict refuses.
pub const JANUA_PASSWORD_WRONG: i32 = 0;
/// Verdict on a password: it matches.
pub const JANUA_PASSWORD_RIGHT: i32 = 1;
/// Verdict on a password: it matches, and the hash is weaker than a new one would be. Make a new one
/// with janua_password_hash and store it, if the old one still stands there.
pub const JANUA_PASSWORD_RIGHT_STALE: i32 = 2;

/// Makes an argon2id hash of a password, with a new salt: printable text of about 100 bytes in the
/// usual notation ($argon2id$v=19$...). `len` receives the length; it is not NUL-terminated.
///
/// The call costs tens of milliseconds and 19 MiB. Nothing limits how many run at once: that is the
/// caller's part here. A site's log-ins have a budget of their own.
///
/// *Returns*: JANUA_OK; JANUA_E_TOO_SMALL, with the length needed in `len`; JANUA_E_INVALID for a
/// password that is too long or has a NUL byte; JANUA_E_BUSY without memory; JANUA_E_RANDOM;
/// JANUA_E_NULL. *Blocks*: hashes. *Since*: 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn janua_password_hash(
    password: janua_str,
    buf: *mut c_char,
    cap: usize,
    len: *mut usize,
    err: *mut janua_error,
) -> janua_status {
    guard::call(err, || {
        // SAFETY: rules 3 and 4 of the header.
        let (password, buf, len) =
            unsafe { (raw::bytes(password, "password")?, Buffer::new(buf, cap)?, Slot::new(len, "len")?) };
        let hash = Hasher::new(Policy::default())?.hash(password)?;
        len.put(hash.len());
        buf.fill([hash.as_bytes()])?;
        Ok(())
    })
}

/// Compares a password with a stored hash: argon2, bcrypt, scrypt, PBKDF2, SHA-256-crypt and
/// SHA-512-crypt in their usual notations. The comparison takes the same time for every password.
/// For a user who does not exist, verify against the hash of some other user, or the time tells.
///
/// *Returns*: JANUA_OK and one of the JANUA_PASSWORD_ verdicts in `verdict`; JANUA_E_REFUSED, with
/// the reason in `err`, for a hash of a weak or unknown kind and for a password longer than the
/// hash can tell apart (bcrypt: 72 bytes); JANUA_E_INVALID for a hash that is no text; JANUA_E_BUSY
/// without memory; JANUA_E_NULL. *Blocks*: hashes. *Since*: 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn janua_password_verify(
    hash: janua_str,
    password: janua_str,
    verdict: *mut i32,
    err: *mut janua_error,
) -> janua_status {
    guard::call(err, || {
        // SAFETY: rules 3 and 4 of the header.
        let (hash, password, verdict) =
            unsafe { (raw::text(hash, "hash")?, raw::bytes(password, "password")?, Slot::new(verdict, "verdict")?) };
        let found = Hasher::new(Policy::default())?.verify(hash, password)?;
        verdict.put(match (found.ok, found.stale) {
            (false, _) => JANUA_PASSWORD_WRONG,
            (true, false) => JANUA_PASSWORD_RIGHT,
            (true, true) => JANUA_PASSWORD_RIGHT_STALE,
        });
        Ok(())
    })
}
