//! Sessions, for a host that proves its users itself.

use super::basics::{janua_error, janua_status, janua_str};
use super::decision::JANUA_FAST;
use super::engine::{janua_site, known_flags};
use super::fault::Fault;
use super::guard;
use super::raw::{self, Buffer, Growing, Output, Slot};
use crate::engine::Held;
use std::ffi::c_char;
use std::mem::{offset_of, size_of};

/// Of janua_session_check: look, but do not count it as a use: "how long have I left?".
pub const JANUA_PEEK: u32 = 2;

/// A buffer of this size holds any session id.
pub const JANUA_SESSION_ID_MAX: usize = 256;

/// What a session or a token proves. The views point into the caller's buffer, not into this struct.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct janua_proof {
    /// sizeof(janua_proof).
    pub size: usize,
    /// How much of the buffer is used; with JANUA_E_TOO_SMALL how much is needed.
    pub text_len: usize,
    /// The user's id.
    pub principal: janua_str,
    /// The tenant's id, or empty.
    pub tenant: janua_str,
    /// A reference to the session, fit for logs; empty for a token without one.
    pub session_ref: janua_str,
    /// When it was made.
    pub issued: i64,
    /// When it was last used before this check; 0 for tokens.
    pub last_used: i64,
    /// When it ends if it is not used any more; 0 for tokens.
    pub idle_end: i64,
    /// When it ends, whatever happens. Fixed when it was made.
    pub absolute_end: i64,
}

// SAFETY: repr(C), size first; zeros are empty views and numbers.
unsafe impl Growing for janua_proof {
    const NAME: &'static str = "janua_proof";
    const FIRST: usize = offset_of!(janua_proof, absolute_end) + size_of::<i64>();
}

/// Writes what was proven: the texts to `buf`, the rest to `out`; of a buffer that is too small only the length needed.
pub(super) fn write_proof(held: &Held, buf: &Buffer, out: &Output<janua_proof>) -> Result<(), Fault> {
    let texts = [held.principal.as_bytes(), held.tenant.as_bytes(), held.session_ref.as_bytes()];
    let text_len = texts.iter().map(|text| text.len()).sum();
    let proof = janua_proof {
        size: size_of::<janua_proof>(),
        text_len,
        principal: janua_str::EMPTY,
        tenant: janua_str::EMPTY,
        session_ref: janua_str::EMPTY,
        issued: 0,
        last_used: 0,
        idle_end: 0,
        absolute_end: 0,
    };
    match buf.fill(texts) {
        Ok([principal, tenant, session_ref]) => {
            let (issued, last_used) = (held.issued, held.last_used);
            let (idle_end, absolute_end) = (held.idle_end, held.absolute_end);
            out.write(&janua_proof {
                principal,
                tenant,
                session_ref,
                issued,
                last_used,
                idle_end,
                absolute_end,
                ..proof
            });
            Ok(())
        }
        Err(fault) => {
            out.write(&proof);
            Err(fault)
        }
    }
}

/// Makes a session for a principal whom the host proved itself. The id goes to `buf` and then to the
/// client; the store keeps only a digest of it. `principal` is the user's id, `tenant` may be empty.
/// Always make a new one at a log-in; there is no way to adopt an id.
///
/// *Returns*: JANUA_OK, the id in `buf` and its length in `len`; JANUA_E_TOO_SMALL unless `cap` is at
/// least JANUA_SESSION_ID_MAX, and then nothing was made; JANUA_E_INVALID for an empty principal or
/// a profile without sessions; JANUA_E_UNAVAILABLE; JANUA_E_RANDOM; JANUA_E_FORK; JANUA_E_NULL.
/// *Blocks*: writes the store; where that puts out another session to make room, it waits until that one
/// is dead everywhere, as long as the answer to a log-out is held. *Since*: 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn janua_session_create(
    site: *const janua_site,
    principal: janua_str,
    tenant: janua_str,
    buf: *mut c_char,
    cap: usize,
    len: *mut usize,
    err: *mut janua_error,
) -> janua_status {
    guard::engine_call(err, || {
        // SAFETY: rules 2, 3 and 4 of the header.
        let (handle, principal, tenant, buf, len) = unsafe {
            let (principal, tenant) = (raw::text(principal, "principal")?, raw::text(tenant, "tenant")?);
            (raw::shared(site)?, principal, tenant, Buffer::new(buf, cap)?, Slot::new(len, "len")?)
        };
        if principal.is_empty() {
            return Err(Fault::invalid("the principal is empty"));
        }
        // Asked before: an id that does not fit would be a session that nobody can end.
        if buf.cap() < JANUA_SESSION_ID_MAX {
            len.put(JANUA_SESSION_ID_MAX);
            return Err(Fault::too_small(JANUA_SESSION_ID_MAX, buf.cap()));
        }
        let id = handle.site().session_create(principal, tenant)?;
        if let Err(fault) = buf.fill([id.as_bytes()]) {
            handle.site().session_revoke(id.as_bytes())?;
            return Err(fault);
        }
        len.put(id.len());
        Ok(())
    })
}

/// Checks a session id. `flags` is 0, JANUA_FAST, JANUA_PEEK or both. Without JANUA_PEEK the check
/// counts as a use and moves the idle end, in steps of at most a minute. The texts of the answer go to
/// `buf`: 512 bytes are plenty.
///
/// *Returns*: JANUA_OK and the answer in `out`; JANUA_E_NOT_FOUND for an id that is unknown,
/// JANUA_E_REFUSED for one that ended or was revoked, JANUA_E_MALFORMED for what is no id (the
/// reason is in `err`); JANUA_E_UNAVAILABLE when the store did not answer: that is not a "no", keep
/// the client's cookie; JANUA_E_TOO_SMALL with the length in `out->text_len`;
/// JANUA_E_WOULD_BLOCK with JANUA_FAST; JANUA_E_FORK; JANUA_E_INVALID; JANUA_E_NULL.
/// *Blocks*: may read the store; not with JANUA_FAST. *Since*: 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn janua_session_check(
    site: *const janua_site,
    id: janua_str,
    flags: u32,
    buf: *mut c_char,
    cap: usize,
    out: *mut janua_proof,
    err: *mut janua_error,
) -> janua_status {
    guard::engine_call(err, || {
        // SAFETY: rules 2, 3 and 4 of the header.
        let (handle, id, buf, out) =
            unsafe { (raw::shared(site)?, raw::bytes(id, "id")?, Buffer::new(buf, cap)?, Output::new(out)?) };
        known_flags(flags, JANUA_FAST | JANUA_PEEK)?;
        let mut owner = handle.shared.take();
        let fast = flags & JANUA_FAST != 0;
        let checked =
            guard::fast(fast, || Ok(handle.site().session_look(id, flags & JANUA_PEEK == 0, fast, &mut owner.held)?));
        let result = checked.and_then(|()| write_proof(&owner.held, &buf, &out));
        owner.put_back();
        result
    })
}

/// Ends a session and the tokens that were made from it: log-out. In force when the call returns, in
/// every process that shares the store.
///
/// *Returns*: JANUA_OK, also when there was no such session; JANUA_E_UNAVAILABLE when the store did
/// not answer: then the session may still live, so do not tell the user otherwise; JANUA_E_FORK;
/// JANUA_E_NULL. *Blocks*: writes the store. *Since*: 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn janua_session_revoke(
    site: *const janua_site,
    id: janua_str,
    err: *mut janua_error,
) -> janua_status {
    guard::engine_call(err, || {
        // SAFETY: rules 2, 3 and 4 of the header.
        let (handle, id) = unsafe { (raw::shared(site)?, raw::bytes(id, "id")?) };
        Ok(handle.site().session_revoke(id)?)
    })
}
