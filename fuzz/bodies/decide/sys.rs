//! The C interface as a host calls it: the only unsafe code of the fuzz bodies.
//!
//! Called by `host` and `decide`. It hands requests over in buffers of their own, copies every view of the answer, then
//! scribbles over the buffers and looks again: a view that lay in the caller's memory, or in memory that was freed,
//! would show. What the answer says is judged elsewhere.

#![allow(unsafe_code)]

use janua::ffi::audit::{janua_audit, janua_config_set_audit, janua_event};
use janua::ffi::basics::{janua_error, janua_header, janua_str};
use janua::ffi::config::{janua_config_free, janua_config_new, janua_config_read_text};
use janua::ffi::decision::{janua_decide, janua_decision, janua_decision_clear, janua_request};
use janua::ffi::engine::{
    janua_engine, janua_engine_attach, janua_engine_count, janua_engine_new, janua_site, janua_site_new,
    janua_strip_list,
};
use janua::ffi::session::{janua_session_create, janua_session_revoke};
use std::cell::RefCell;
use std::ffi::c_void;
use std::mem::{size_of, zeroed};
use std::ptr;

pub const OK: i32 = 0;
pub const INVALID: i32 = -2;
pub const FAST: u32 = 1;
/// A flag that no header defines.
pub const UNKNOWN_FLAG: u32 = 1 << 30;

/// Header lines, owned.
pub type Lines = Vec<(Vec<u8>, Vec<u8>)>;

/// A request as a host sees it.
#[derive(Clone, Default)]
pub struct Asked {
    pub flags: u32,
    pub method: Vec<u8>,
    pub path: Vec<u8>,
    pub raw_path: Vec<u8>,
    pub query: Vec<u8>,
    pub client: Vec<u8>,
    pub headers: Lines,
    pub body: Vec<u8>,
}

/// An audit event, copied.
#[derive(Debug, Default)]
pub struct Told {
    pub kind: u32,
    pub reason: u32,
    pub texts: [Vec<u8>; 5],
}

/// Everything a call of `janua_decide` gave back.
#[derive(Debug, PartialEq)]
pub struct Seen {
    pub status: i32,
    pub outcome: i32,
    pub reason: u32,
    pub http_status: u16,
    pub wait_class: u16,
    pub body_limit: usize,
    pub principal: Vec<u8>,
    /// Roles, tenant, reference, method, path and endpoint.
    pub others: [Vec<u8>; 6],
    pub inward: Lines,
    pub response: Lines,
    pub body: Vec<u8>,
}

thread_local! {
    static TOLD: RefCell<Vec<Told>> = const { RefCell::new(Vec::new()) };
}

/// The events told on this thread since the last time.
pub fn told() -> Vec<Told> {
    TOLD.take()
}

/// An engine that is never freed.
pub struct Engine(*mut janua_engine);
/// A site that is never freed.
pub struct Site(*mut janua_site);

// SAFETY: rule 4 of the header: all that is done with them takes them const.
unsafe impl Send for Engine {}
// SAFETY: as above.
unsafe impl Sync for Engine {}
// SAFETY: as above.
unsafe impl Send for Site {}
// SAFETY: as above.
unsafe impl Sync for Site {}

fn view(text: &[u8]) -> janua_str {
    janua_str { ptr: if text.is_empty() { ptr::null() } else { text.as_ptr().cast() }, len: text.len() }
}

fn copy(view: janua_str) -> Vec<u8> {
    if view.len == 0 {
        return Vec::new();
    }
    // SAFETY: rule 3 of the header: a view of `len` bytes that live until the call that ends its object.
    unsafe { std::slice::from_raw_parts(view.ptr.cast::<u8>(), view.len).to_vec() }
}

fn lines(at: *const janua_header, length: usize) -> Lines {
    if length == 0 {
        return Vec::new();
    }
    // SAFETY: rule 3 of the header: an array of `length` headers.
    let lines = unsafe { std::slice::from_raw_parts(at, length) };
    lines.iter().map(|line| (copy(line.name), copy(line.value))).collect()
}

fn error() -> janua_error {
    // SAFETY: all-zero bytes are a value of it.
    janua_error { size: size_of::<janua_error>(), ..unsafe { zeroed() } }
}

fn must(status: i32, error: &janua_error) {
    let message: Vec<u8> = error.message.iter().map(|&byte| byte as u8).take_while(|&byte| byte != 0).collect();
    assert_eq!(status, OK, "{}", String::from_utf8_lossy(&message));
}

unsafe extern "C" fn hear(_ctx: *mut c_void, event: *const janua_event) {
    // SAFETY: the library hands over a whole event whose views live until this returns.
    let event = unsafe { &*event };
    let texts = [event.principal, event.session_ref, event.client, event.endpoint, event.method].map(copy);
    TOLD.with_borrow_mut(|told| told.push(Told { kind: event.kind, reason: event.reason, texts }));
}

impl Engine {
    /// Builds and attaches an engine of the configuration `text`.
    pub fn new(text: &str, folder: &str) -> Engine {
        let audit =
            janua_audit { size: size_of::<janua_audit>(), ctx: ptr::null_mut(), event: Some(hear), destroy: None };
        let (mut config, mut engine, mut err) = (ptr::null_mut(), ptr::null_mut(), error());
        // SAFETY: rules 1 to 5 of the header: everything handed over lives until each call returns.
        unsafe {
            must(janua_config_new(0, &mut config, &mut err), &err);
            let (name, text, folder) = (view(b"fuzz.toml"), view(text.as_bytes()), view(folder.as_bytes()));
            must(janua_config_read_text(config, name, text, folder, &mut err), &err);
            must(janua_config_set_audit(config, &audit, &mut err), &err);
            must(janua_engine_new(config, &mut engine, &mut err), &err);
            janua_config_free(config);
            must(janua_engine_attach(engine, &mut err), &err);
        }
        Engine(engine)
    }

    pub fn site(&self, profile: &str, prefix: &str, flags: u32) -> Site {
        let (mut site, mut err) = (ptr::null_mut(), error());
        // SAFETY: as in `new`.
        unsafe {
            let (profile, prefix) = (view(profile.as_bytes()), view(prefix.as_bytes()));
            must(janua_site_new(self.0, profile, prefix, flags, &mut site, &mut err), &err);
        }
        Site(site)
    }

    /// How many decisions fell for `reason`.
    pub fn count(&self, reason: u32) -> u64 {
        // SAFETY: as in `new`.
        unsafe { janua_engine_count(self.0, reason) }
    }

    pub fn strip_list(&self) -> Vec<Vec<u8>> {
        let (mut names, mut count) = (ptr::null(), 0);
        // SAFETY: as in `new`; the array lives as long as the engine, which is never freed.
        let names = unsafe {
            assert_eq!(janua_strip_list(self.0, &mut names, &mut count), OK);
            std::slice::from_raw_parts(names, count)
        };
        names.iter().map(|name| copy(*name)).collect()
    }
}

impl Site {
    /// A session for a principal, made as a host makes one.
    pub fn session(&self, principal: &str, tenant: &str) -> String {
        let (mut room, mut length, mut err) = ([0u8; 256], 0, error());
        // SAFETY: rules 1 to 4 of the header.
        let status = unsafe {
            let (principal, tenant) = (view(principal.as_bytes()), view(tenant.as_bytes()));
            let buffer = room.as_mut_ptr().cast();
            janua_session_create(self.0, principal, tenant, buffer, room.len(), &mut length, &mut err)
        };
        must(status, &err);
        String::from_utf8(room[..length].to_vec()).unwrap()
    }

    pub fn revoke(&self, id: &str) {
        let mut err = error();
        // SAFETY: rules 1 to 4 of the header.
        must(unsafe { janua_session_revoke(self.0, view(id.as_bytes()), &mut err) }, &err);
    }

    /// One call of `janua_decide`, and all that holds for every decision as an object.
    pub fn decide(&self, asked: &Asked, flags: u32) -> Seen {
        let mut buffers = asked.clone();
        let headers: Vec<_> =
            buffers.headers.iter().map(|(n, v)| janua_header { name: view(n), value: view(v) }).collect();
        let request = janua_request {
            size: size_of::<janua_request>(),
            flags: buffers.flags,
            method: view(&buffers.method),
            path: view(&buffers.path),
            raw_path: view(&buffers.raw_path),
            query: view(&buffers.query),
            client: view(&buffers.client),
            body: view(&buffers.body),
            headers: headers.as_ptr(),
            headers_len: headers.len(),
        };
        let (mut out, mut err) = (untouched(), error());
        // SAFETY: rules 1 to 4 of the header.
        let status = unsafe { janua_decide(self.0, &request, flags, &mut out, &mut err) };
        assert_eq!(out.size, size_of::<janua_decision>());
        let seen = look(status, &out);
        scribble(&mut buffers);
        assert_eq!(look(status, &out), seen, "a view into the request, or into nothing");
        if status != OK {
            assert!(out.owner.is_null() && err.status == status && err.message.last() == Some(&0));
        }
        for _ in 0..2 {
            // SAFETY: rule 2 of the header; a cleared struct may be cleared again.
            unsafe { janua_decision_clear(&mut out) };
            assert_eq!((out.outcome, out.principal.len, out.response_len, out.owner), (0, 0, 0, ptr::null_mut()));
        }
        seen
    }
}

/// A decision before its call: what stands in it, but for the size, must not matter.
fn untouched() -> janua_decision {
    // SAFETY: all-zero bytes are a value of it.
    janua_decision { size: size_of::<janua_decision>(), outcome: 1, http_status: 7, ..unsafe { zeroed() } }
}

fn look(status: i32, out: &janua_decision) -> Seen {
    Seen {
        status,
        outcome: out.outcome,
        reason: out.reason,
        http_status: out.http_status,
        wait_class: out.wait_class,
        body_limit: out.body_limit,
        principal: copy(out.principal),
        others: [out.roles, out.tenant, out.session_ref, out.method, out.path, out.endpoint].map(copy),
        inward: lines(out.set_inward, out.set_inward_len),
        response: lines(out.response, out.response_len),
        body: copy(out.body),
    }
}

fn scribble(asked: &mut Asked) {
    let Asked { method, path, raw_path, query, client, headers, body, .. } = asked;
    for text in [method, path, raw_path, query, client, body] {
        text.fill(0xaa);
    }
    for (name, value) in headers {
        name.fill(0xaa);
        value.fill(0xaa);
    }
}
