//! Deciding: the request in, the decision out.

use super::basics::{janua_error, janua_header, janua_status, janua_str};
use super::engine::{janua_site, known_flags};
use super::fault::Fault;
use super::guard;
use super::owner::Owner;
use super::raw::{self, Growing, Output};
use super::request;
use crate::base::{Reason, Status};
use crate::engine::{Outcome, WaitClass};
use std::ffi::c_void;
use std::mem::{offset_of, size_of};
use std::ptr;
use std::sync::Arc;

/// What the host is to do with the request: JANUA_DENY, JANUA_ALLOW, JANUA_ANSWER, JANUA_NEED_BODY or
/// JANUA_WOULD_BLOCK. Treat a number you do not know as JANUA_DENY.
pub type janua_outcome = i32;

/// Of a call: never hash, wait or write a store (rule 6). For event loops.
pub const JANUA_FAST: u32 = 1;

/// Of a request: it arrived over TLS, at this server or as a trusted proxy says.
pub const JANUA_REQUEST_SECURE: u32 = 1;
/// Of a request: `body` is the whole body, maybe empty.
pub const JANUA_REQUEST_BODY_GIVEN: u32 = 2;
/// Of a request: the body is longer than the limit that JANUA_NEED_BODY named, and was not read.
pub const JANUA_REQUEST_BODY_TOO_LARGE: u32 = 4;

/// A request as the host sees it. All texts are bytes as received; nothing is copied or kept.
///
/// Hand over all headers, in order, repeated ones repeated, before the host changes any: what is
/// left out cannot be judged. At most 1024; with more than 96 a call allocates.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct janua_request {
    /// sizeof(janua_request).
    pub size: usize,
    /// JANUA_REQUEST_ flags.
    pub flags: u32,
    pub method: janua_str,
    /// The path as the host routed it: decoded, dots resolved. This is what the application is
    /// going to see.
    pub path: janua_str,
    /// The path as received, before any decoding, without the query; empty when there is none, as
    /// after an internal redirect. Where the two readings differ, the request is refused.
    pub raw_path: janua_str,
    /// What follows the first `?`, as received.
    pub query: janua_str,
    /// The peer's address as text, without a port; `unix:` for a Unix socket. Trusted proxies are the
    /// engine's business.
    pub client: janua_str,
    /// With JANUA_REQUEST_BODY_GIVEN. The bytes judged must be the bytes forwarded.
    pub body: janua_str,
    pub headers: *const janua_header,
    pub headers_len: usize,
}

/// The engine's word on a request. A zeroed one denies.
///
/// Set `size`, zero the rest, call janua_decide, use the views, and give it to janua_decision_clear.
/// The views live until then. A copy of the struct moves the ownership: clear one of the two.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct janua_decision {
    /// sizeof(janua_decision).
    pub size: usize,
    pub outcome: janua_outcome,
    /// A JANUA_REASON_ number, for logs; never for the client.
    pub reason: u32,
    /// The status of JANUA_DENY and JANUA_ANSWER, else 0.
    pub http_status: u16,
    /// Of JANUA_WOULD_BLOCK: a JANUA_WAIT_ number, so that a host may keep a pool of threads for each.
    pub wait_class: u16,
    /// 1: call janua_maintain soon.
    pub followup: u32,
    /// Send the answer no sooner than after so many milliseconds (0 with stores of one machine).
    pub hold_ms: u32,
    /// Of JANUA_NEED_BODY: the most bytes the engine will look at. Compare with Content-Length
    /// before reading.
    pub body_limit: usize,
    /// Who was proven: the user's id in the directory; empty when nobody was.
    pub principal: janua_str,
    /// The principal's roles, separated by commas.
    pub roles: janua_str,
    /// The tenant's id, or empty.
    pub tenant: janua_str,
    /// A reference to the session, fit for logs: it cannot be used as the session.
    pub session_ref: janua_str,
    /// Method and path as matched, after overrides. A host that authorises by itself must do so on
    /// these, not on what it parsed itself.
    pub method: janua_str,
    pub path: janua_str,
    /// The path as it may stand in a log: where a segment may be a session's id that is asked about,
    /// the profile's name for it stands in its place.
    pub log_path: janua_str,
    /// Of JANUA_ALLOW: the query to pass on: as received, without the parameters that carried a
    /// credential.
    pub query: janua_str,
    /// The name of the profile's endpoint, for logs.
    pub endpoint: janua_str,
    /// Of JANUA_ALLOW: headers to remove from the request, by name in the form of janua_strip_list.
    /// All of that list, and the headers that carried credentials: what was proven here is of no use
    /// further in. Cookies of others come back in set_inward.
    pub strip: *const janua_str,
    pub strip_len: usize,
    /// Of JANUA_ALLOW: headers to set on the request, after those were removed.
    pub set_inward: *const janua_header,
    pub set_inward_len: usize,
    /// Headers to add to the answer, whoever makes it; cookies first. A name may repeat.
    pub response: *const janua_header,
    pub response_len: usize,
    /// The body of JANUA_DENY and JANUA_ANSWER; its type is among the headers.
    pub body: janua_str,
    /// Private: what the views live in.
    pub owner: *mut c_void,
}

// SAFETY: repr(C), size first; zeros are NULL pointers and empty views.
unsafe impl Growing for janua_request {
    const NAME: &'static str = "janua_request";
    const FIRST: usize = offset_of!(janua_request, headers_len) + size_of::<usize>();
}

// SAFETY: as above.
unsafe impl Growing for janua_decision {
    const NAME: &'static str = "janua_decision";
    const FIRST: usize = offset_of!(janua_decision, owner) + size_of::<*mut c_void>();
}

impl janua_decision {
    /// A decision that refuses and owns nothing.
    const fn denied(http_status: u16, reason: Reason) -> janua_decision {
        janua_decision {
            size: size_of::<janua_decision>(),
            outcome: Outcome::Deny as i32,
            reason: reason as u32,
            http_status,
            wait_class: WaitClass::None as u16,
            followup: 0,
            hold_ms: 0,
            body_limit: 0,
            principal: janua_str::EMPTY,
            roles: janua_str::EMPTY,
            tenant: janua_str::EMPTY,
            session_ref: janua_str::EMPTY,
            method: janua_str::EMPTY,
            path: janua_str::EMPTY,
            log_path: janua_str::EMPTY,
            query: janua_str::EMPTY,
            endpoint: janua_str::EMPTY,
            strip: ptr::null(),
            strip_len: 0,
            set_inward: ptr::null(),
            set_inward_len: 0,
            response: ptr::null(),
            response_len: 0,
            body: janua_str::EMPTY,
            owner: ptr::null_mut(),
        }
    }

    /// The decision that lies in `owner`, which from now on belongs to the caller's struct.
    fn lent(mut owner: Box<Owner>) -> janua_decision {
        let Owner { decision, inward, response, site, .. } = &mut *owner;
        let strip = site.as_ref().map_or(&[][..], |site| site.strip());
        let pair = |(name, value)| janua_header { name: janua_str::of(name), value: janua_str::of(value) };
        inward.extend(decision.set_inward().map(pair));
        response.extend(decision.response().map(pair));
        janua_decision {
            size: size_of::<janua_decision>(),
            outcome: decision.outcome() as i32,
            reason: decision.reason() as u32,
            http_status: decision.http_status(),
            wait_class: decision.wait_class() as u16,
            followup: u32::from(decision.wants_maintenance()),
            hold_ms: decision.hold_ms(),
            body_limit: decision.body_limit(),
            principal: janua_str::of(decision.principal()),
            roles: janua_str::of(decision.roles()),
            tenant: janua_str::of(decision.tenant()),
            session_ref: janua_str::of(decision.session_ref()),
            method: janua_str::of(decision.method()),
            path: janua_str::of(decision.path()),
            log_path: janua_str::of(decision.log_path()),
            query: janua_str::of(decision.query()),
            endpoint: janua_str::of(decision.endpoint()),
            strip: strip.as_ptr(),
            strip_len: strip.len(),
            set_inward: inward.as_ptr(),
            set_inward_len: inward.len(),
            response: response.as_ptr(),
            response_len: response.len(),
            body: janua_str::of(decision.body()),
            owner: Box::into_raw(owner).cast(),
        }
    }
}

/// Decides on a request. The same request is handed over again, unchanged but for the body and the
/// flags, after JANUA_NEED_BODY (once) and after JANUA_WOULD_BLOCK (from a thread that may wait,
/// without JANUA_FAST).
///
/// `out` is written from `size` on, whatever stood in it: clear it before it is used again. When the
/// call fails, `out` is a decision as well: it denies with 500 or 503, and owns nothing.
///
/// *Returns*: JANUA_OK and the decision in `out`, also when that refuses; JANUA_E_FORK when this
/// process has not attached; JANUA_E_UNAVAILABLE when nothing could be decided; JANUA_E_INVALID for
/// flags, sizes or a header array that cannot be; JANUA_E_NULL. *Blocks*: not with JANUA_FAST.
/// *Since*: 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn janua_decide(
    site: *const janua_site,
    request: *const janua_request,
    flags: u32,
    out: *mut janua_decision,
    err: *mut janua_error,
) -> janua_status {
    guard::engine_call(err, || {
        // SAFETY: rules 3 and 4 of the header.
        let out = unsafe { Output::new(out)? };
        let out = Refusing { out, settled: false };
        let decided = (|| {
            // SAFETY: rules 2, 3 and 4 of the header.
            let (handle, request) = unsafe { (raw::shared(site)?, raw::read(request)?) };
            known_flags(flags, JANUA_FAST)?;
            // SAFETY: rule 3 of the header.
            unsafe {
                request::with(&request, |request| {
                    let mut owner = handle.shared.take();
                    match handle.site().decide(request, flags & JANUA_FAST != 0, &mut owner.decision) {
                        Ok(()) => {
                            owner.site = Some(Arc::clone(&handle.of_site));
                            Ok(owner)
                        }
                        Err(error) => {
                            owner.put_back();
                            Err(Fault::from(error))
                        }
                    }
                })
            }
        })();
        match decided {
            Ok(owner) => out.settle(&janua_decision::lent(owner)),
            Err(fault) => {
                let later = matches!(fault.status, Status::Fork | Status::Unavailable | Status::Random | Status::Busy);
                out.settle(&janua_decision::denied(if later { 503 } else { 500 }, fault.reason));
                return Err(fault);
            }
        }
        Ok(())
    })
}

/// The caller's struct while nothing is decided: whatever way the call ends, a panic included, a refusal is left behind.
struct Refusing {
    out: Output<janua_decision>,
    settled: bool,
}

impl Refusing {
    fn settle(mut self, word: &janua_decision) {
        self.out.write(word);
        self.settled = true;
    }
}

impl Drop for Refusing {
    fn drop(&mut self) {
        if !self.settled {
            self.out.write(&janua_decision::denied(500, Reason::Panic));
        }
    }
}

/// Ends a decision: its views are dead, and what may have held a secret is wiped. May be called from
/// any thread, again on a struct that was cleared, on a zeroed struct, and with NULL.
///
/// *Returns*: nothing; the struct is zeroed but for `size`. *Blocks*: no, unless the decision was
/// the last of its engine (see janua_engine_free). *Since*: 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn janua_decision_clear(decision: *mut janua_decision) {
    guard::caught(|| {
        // SAFETY: rules 3 and 4 of the header.
        let Ok(output) = (unsafe { Output::new(decision) }) else { return };
        // SAFETY: an address only; `field` reads no more than it was given.
        let owner = output.field(|at| unsafe { &raw const (*at).owner });
        output.zero();
        if let Some(owner) = owner.map(|owner| owner.cast::<Owner>()).filter(|owner| !owner.is_null()) {
            // SAFETY: only `lent` writes an owner, from a Box; the caller cleared no copy of the struct (rule 2).
            unsafe { Box::from_raw(owner) }.put_back();
        }
    });
}
