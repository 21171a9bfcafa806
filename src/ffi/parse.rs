//! Reading credentials, for a host with a protocol of its own.

use super::basics::{janua_status, janua_str};
use super::fault::Fault;
use super::guard;
use super::raw::{self, Buffer, Slot};
use crate::base::{Status, secret};
use crate::parse::{Header, authorization, cookie};
use std::ffi::c_char;
use std::ptr;

/// A buffer of this size holds whatever janua_parse_basic may find.
pub const JANUA_BASIC_MAX: usize = 1024;

/// Reads a Basic credential (RFC 7617) from the value of an Authorization header, scheme included.
/// User and password are decoded into `buf`, where both views point; wipe it after use. A password
/// may hold colons. Bad base64, a missing colon, control bytes and what is not UTF-8 are refused.
///
/// *Returns*: JANUA_OK; JANUA_E_MALFORMED for another scheme or a broken credential;
/// JANUA_E_TOO_SMALL (JANUA_BASIC_MAX bytes are always enough); JANUA_E_NULL. *Blocks*: no.
/// *Since*: 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn janua_parse_basic(
    header: janua_str,
    buf: *mut c_char,
    cap: usize,
    user: *mut janua_str,
    password: *mut janua_str,
) -> janua_status {
    guard::call(ptr::null_mut(), || {
        // SAFETY: rules 3 and 4 of the header.
        let (header, buf, user, password) = unsafe {
            let (user, password) = (Slot::new(user, "user")?, Slot::new(password, "password")?);
            (raw::bytes(header, "header")?, Buffer::new(buf, cap)?, user, password)
        };
        let mut scratch = [0; authorization::MAX_BASIC];
        let found = authorization::basic(header, &mut scratch)
            .map_err(Fault::from)
            .and_then(|basic| buf.fill([basic.user, basic.password]));
        secret::wipe(&mut scratch);
        let [name, word] = found?;
        user.put(name);
        password.put(word);
        Ok(())
    })
}

/// Reads a Bearer token (RFC 6750) from the value of an Authorization header, scheme included.
/// The view points into `header`.
///
/// *Returns*: JANUA_OK; JANUA_E_MALFORMED for another scheme or a token with characters that no
/// token has; JANUA_E_NULL. *Blocks*: no. *Since*: 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn janua_parse_bearer(header: janua_str, token: *mut janua_str) -> janua_status {
    guard::call(ptr::null_mut(), || {
        // SAFETY: rules 3 and 4 of the header.
        let (header, token) = unsafe { (raw::bytes(header, "header")?, Slot::new(token, "token")?) };
        token.put(janua_str::of(authorization::bearer(header)?));
        Ok(())
    })
}

/// Finds the cookie of exactly the name `name` in the value of a Cookie header. `nth` counts from 0:
/// browsers send several cookies of one name, and an attacker on a sister host can add one. Try each
/// (at most the first 4), and let the session decide which is good. The view points into `header`;
/// nothing is percent-decoded.
///
/// *Returns*: JANUA_OK; JANUA_E_NOT_FOUND when there are not that many; JANUA_E_INVALID for an empty
/// name; JANUA_E_NULL. *Blocks*: no. *Since*: 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn janua_parse_cookie(
    header: janua_str,
    name: janua_str,
    nth: usize,
    value: *mut janua_str,
) -> janua_status {
    guard::call(ptr::null_mut(), || {
        // SAFETY: rules 3 and 4 of the header.
        let (header, name, value) =
            unsafe { (raw::bytes(header, "header")?, raw::bytes(name, "name")?, Slot::new(value, "value")?) };
        if name.is_empty() {
            return Err(Fault::invalid("a cookie has a name"));
        }
        let lines = [Header { name: b"Cookie", value: header }];
        let found = match nth < cookie::MAX_SAME {
            true => cookie::all(&lines, name).nth(nth),
            false => None,
        };
        let found = found.ok_or_else(|| Fault::new(Status::NotFound, "no such cookie"))?;
        value.put(janua_str::of(found));
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_buffer_the_header_promises_is_the_one_the_parser_fills() {
        assert_eq!(JANUA_BASIC_MAX, authorization::MAX_BASIC);
    }
}
