//! Sealed tokens, for a host with a protocol of its own.

use super::basics::{janua_error, janua_status, janua_str};
use super::decision::JANUA_FAST;
use super::engine::{janua_site, known_flags};
use super::fault::Fault;
use super::guard;
use super::raw::{self, Buffer, Output, Slot};
use super::session::{janua_proof, write_proof};
use std::ffi::c_char;

/// A buffer of this size holds any token.
pub const JANUA_TOKEN_MAX: usize = 1024;

/// Seals a token for a principal whom the host proved itself: 199 characters of base64url for usual
/// claims, readable by nobody but the library. It is good only for this site, this profile and the
/// same `purpose` (a word of the host's, such as "download"; "access" makes what janua_decide takes
/// where a profile reads tokens). `tenant` and `session_id` may be empty;
/// only a token with a session id can be revoked by itself. `expires` is Unix seconds; 0, and
/// whatever lies beyond the configured lifetime, means the configured lifetime.
///
/// *Returns*: JANUA_OK, the token in `buf` and its length in `len`; JANUA_E_TOO_SMALL with the length
/// needed in `len` (JANUA_TOKEN_MAX is always enough); JANUA_E_INVALID for an empty principal or
/// purpose, or an end in the past; JANUA_E_UNAVAILABLE; JANUA_E_RANDOM; JANUA_E_FORK; JANUA_E_NULL.
/// *Blocks*: may read the store. *Since*: 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn janua_token_issue(
    site: *const janua_site,
    purpose: janua_str,
    principal: janua_str,
    tenant: janua_str,
    session_id: janua_str,
    expires: i64,
    buf: *mut c_char,
    cap: usize,
    len: *mut usize,
    err: *mut janua_error,
) -> janua_status {
    guard::engine_call(err, || {
        // SAFETY: rules 2, 3 and 4 of the header.
        let (handle, buf, len) = unsafe { (raw::shared(site)?, Buffer::new(buf, cap)?, Slot::new(len, "len")?) };
        // SAFETY: as above.
        let [purpose, principal, tenant, session_id] = unsafe {
            [
                raw::text(purpose, "purpose")?,
                raw::text(principal, "principal")?,
                raw::text(tenant, "tenant")?,
                raw::text(session_id, "session_id")?,
            ]
        };
        if purpose.is_empty() || principal.is_empty() {
            return Err(Fault::invalid("the purpose or the principal is empty"));
        }
        if expires < 0 {
            return Err(Fault::invalid("expires is Unix seconds, or 0"));
        }
        let token = handle.site().token_issue(purpose, principal, tenant, session_id, expires)?;
        len.put(token.len());
        buf.fill([token.as_bytes()])?;
        Ok(())
    })
}

/// Checks a token: the seal, its end, and that neither it nor its principal was revoked. `flags` is 0
/// or JANUA_FAST. The texts of the answer go to `buf`: 512 bytes are plenty. Where a tenant matters,
/// compare the one in the answer with the request's.
///
/// *Returns*: JANUA_OK and the answer in `out`; JANUA_E_MALFORMED for what is no token of this kind,
/// JANUA_E_REFUSED for a token that is forged, foreign, expired or revoked (the reason is in `err`;
/// tell the client the same for all of them); JANUA_E_UNAVAILABLE when the store did not answer;
/// JANUA_E_TOO_SMALL with the length in `out->text_len`; JANUA_E_WOULD_BLOCK with JANUA_FAST;
/// JANUA_E_FORK; JANUA_E_INVALID; JANUA_E_NULL. *Blocks*: may read the store; not with JANUA_FAST.
/// *Since*: 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn janua_token_check(
    site: *const janua_site,
    purpose: janua_str,
    token: janua_str,
    flags: u32,
    buf: *mut c_char,
    cap: usize,
    out: *mut janua_proof,
    err: *mut janua_error,
) -> janua_status {
    guard::engine_call(err, || {
        // SAFETY: rules 2, 3 and 4 of the header.
        let (handle, purpose, token, buf, out) = unsafe {
            let (purpose, token) = (raw::text(purpose, "purpose")?, raw::bytes(token, "token")?);
            (raw::shared(site)?, purpose, token, Buffer::new(buf, cap)?, Output::new(out)?)
        };
        known_flags(flags, JANUA_FAST)?;
        let mut owner = handle.shared.take();
        let (site, fast) = (handle.site(), flags & JANUA_FAST != 0);
        let checked = guard::fast(fast, || Ok(site.token_look(purpose, token, fast, &mut owner.held)?));
        let result = checked.and_then(|()| write_proof(&owner.held, &buf, &out));
        owner.put_back();
        result
    })
}

/// Revokes a token, and every other one of the same principal with the same session id; of a token that
/// a decision made from a session, that session and all that was made from it. In force when the call
/// returns.
///
/// *Returns*: JANUA_OK; JANUA_E_REFUSED for what is no good token of this purpose, and for a token that
/// carries no session id (end it with janua_revoke_principal); JANUA_E_UNAVAILABLE when the store did
/// not answer: then the token may still be good; JANUA_E_FORK; JANUA_E_NULL. *Blocks*: writes the
/// store. *Since*: 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn janua_token_revoke(
    site: *const janua_site,
    purpose: janua_str,
    token: janua_str,
    err: *mut janua_error,
) -> janua_status {
    guard::engine_call(err, || {
        // SAFETY: rules 2, 3 and 4 of the header.
        let (handle, purpose, token) =
            unsafe { (raw::shared(site)?, raw::text(purpose, "purpose")?, raw::bytes(token, "token")?) };
        Ok(handle.site().token_revoke(purpose, token)?)
    })
}
