//! A request of the host as views for the engine: nothing is copied but the headers' pointers, and those to the stack.

use super::basics::janua_header;
use super::decision::{JANUA_REQUEST_BODY_GIVEN, JANUA_REQUEST_BODY_TOO_LARGE, JANUA_REQUEST_SECURE, janua_request};
use super::engine::known_flags;
use super::fault::Fault;
use super::raw;
use crate::parse::{Body, Header, Request};
use std::mem::MaybeUninit;

/// Requests with up to this many headers cost no allocation.
const ON_STACK: usize = 96;

/// More headers than any server lets through.
const MOST: usize = 1024;

/// Hands `use_it` the views of `request`.
///
/// # Safety
/// Rule 3: every view of `request` and all of its headers stay unchanged until this returns.
pub(super) unsafe fn with<T>(
    request: &janua_request,
    use_it: impl FnOnce(&Request<'_>) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let all = JANUA_REQUEST_SECURE | JANUA_REQUEST_BODY_GIVEN | JANUA_REQUEST_BODY_TOO_LARGE;
    known_flags(request.flags, all)?;
    // SAFETY: as promised by the caller.
    let views = unsafe {
        Request {
            method: raw::bytes(request.method, "request.method")?,
            path: raw::bytes(request.path, "request.path")?,
            raw_path: raw::bytes(request.raw_path, "request.raw_path")?,
            query: raw::bytes(request.query, "request.query")?,
            client: raw::bytes(request.client, "request.client")?,
            headers: &[],
            body: body(request)?,
            secure: request.flags & JANUA_REQUEST_SECURE != 0,
        }
    };
    // SAFETY: as promised by the caller.
    let lines = unsafe { raw::array(request.headers, request.headers_len, MOST, "request.headers")? };
    if lines.len() > ON_STACK {
        // SAFETY: as promised by the caller.
        let headers = lines.iter().map(|line| unsafe { header(line) }).collect::<Result<Vec<_>, _>>()?;
        return use_it(&Request { headers: &headers, ..views });
    }
    let mut room = [const { MaybeUninit::<Header<'_>>::uninit() }; ON_STACK];
    for (place, line) in room.iter_mut().zip(lines) {
        // SAFETY: as promised by the caller.
        place.write(unsafe { header(line)? });
    }
    // SAFETY: the loop has written the first `lines.len()` places, at most ON_STACK.
    let headers = unsafe { std::slice::from_raw_parts(room.as_ptr().cast::<Header<'_>>(), lines.len()) };
    use_it(&Request { headers, ..views })
}

/// # Safety
/// As [`with`].
unsafe fn header<'a>(line: &janua_header) -> Result<Header<'a>, Fault> {
    // SAFETY: as promised by the caller.
    unsafe {
        Ok(Header {
            name: raw::bytes(line.name, "a header's name")?,
            value: raw::bytes(line.value, "a header's value")?,
        })
    }
}

/// # Safety
/// As [`with`].
unsafe fn body<'a>(request: &janua_request) -> Result<Body<'a>, Fault> {
    // SAFETY: as promised by the caller.
    let bytes = unsafe { raw::bytes(request.body, "request.body")? };
    let (given, too_large) =
        (request.flags & JANUA_REQUEST_BODY_GIVEN != 0, request.flags & JANUA_REQUEST_BODY_TOO_LARGE != 0);
    match (given, too_large) {
        (true, false) => Ok(Body::Given(bytes)),
        (true, true) => Err(Fault::invalid("a body is either given or too large")),
        _ if !bytes.is_empty() => Err(Fault::invalid("there is a body, but JANUA_REQUEST_BODY_GIVEN is not set")),
        (false, true) => Ok(Body::TooLarge),
        (false, false) => Ok(Body::NotRead),
    }
}
