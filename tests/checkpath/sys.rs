//! The door for C, called from Rust as a C program would: through pointers, with the structs of the header.

#![allow(unsafe_code)]

use super::house::House;
use super::{Case, Door, PROFILES, Said, Text, configuration};
use janua::ffi::basics::{janua_error, janua_header, janua_str};
use janua::ffi::config::{janua_config, janua_config_free, janua_config_new, janua_config_read_text};
use janua::ffi::decision::{
    JANUA_FAST, JANUA_REQUEST_BODY_GIVEN, JANUA_REQUEST_SECURE, janua_decide, janua_decision, janua_decision_clear,
    janua_request,
};
use janua::ffi::engine::{
    janua_engine, janua_engine_attach, janua_engine_free, janua_engine_new, janua_site, janua_site_free, janua_site_new,
};
use std::collections::BTreeMap;
use std::hint::black_box;
use std::ptr;

type Decide =
    unsafe extern "C" fn(*const janua_site, *const janua_request, u32, *mut janua_decision, *mut janua_error) -> i32;
type Clear = unsafe extern "C" fn(*mut janua_decision);

/// An engine with its sites behind the C interface. One thread.
pub struct C {
    engine: *mut janua_engine,
    sites: BTreeMap<&'static str, *mut janua_site>,
}

fn view(bytes: &[u8]) -> janua_str {
    janua_str { ptr: bytes.as_ptr().cast(), len: bytes.len() }
}

fn owned(view: janua_str) -> String {
    // SAFETY: a view of a decision that was not cleared yet.
    let bytes = unsafe { std::slice::from_raw_parts(view.ptr.cast::<u8>(), view.len) };
    String::from_utf8_lossy(bytes).into_owned()
}

fn error() -> janua_error {
    // SAFETY: integers only.
    let mut error: janua_error = unsafe { std::mem::zeroed() };
    error.size = size_of::<janua_error>();
    error
}

fn decision() -> janua_decision {
    // SAFETY: integers, NULL pointers and empty views.
    let mut decision: janua_decision = unsafe { std::mem::zeroed() };
    decision.size = size_of::<janua_decision>();
    decision
}

/// The request of `text`, whose headers are `headers`.
fn request(text: &Text, headers: &[janua_header]) -> janua_request {
    let secure = if text.ask.secure { JANUA_REQUEST_SECURE } else { 0 };
    let body = text.ask.body.as_deref();
    janua_request {
        size: size_of::<janua_request>(),
        flags: secure | if body.is_some() { JANUA_REQUEST_BODY_GIVEN } else { 0 },
        method: view(text.ask.method.as_bytes()),
        path: view(text.path.as_bytes()),
        raw_path: view(text.raw_path.as_bytes()),
        query: view(text.query.as_bytes()),
        client: view(text.ask.client.as_bytes()),
        body: view(body.unwrap_or_default()),
        headers: headers.as_ptr(),
        headers_len: headers.len(),
    }
}

fn headers(text: &Text) -> Vec<janua_header> {
    let line =
        |(name, value): &(String, String)| janua_header { name: view(name.as_bytes()), value: view(value.as_bytes()) };
    text.ask.headers.iter().map(line).collect()
}

impl C {
    pub fn new(house: &House) -> C {
        let (mut config, mut engine): (*mut janua_config, *mut janua_engine) = (ptr::null_mut(), ptr::null_mut());
        let (text, folder) = (configuration("kind = 'memory'", house), house.folder.to_str().unwrap());
        let (mut err, mut sites) = (error(), BTreeMap::new());
        // SAFETY: every pointer is to a local that outlives its call; each object is used after it was made only.
        unsafe {
            assert_eq!(janua_config_new(0, &mut config, &mut err), 0);
            let texts = [b"janua.toml".as_slice(), text.as_bytes(), folder.as_bytes()].map(view);
            assert_eq!(janua_config_read_text(config, texts[0], texts[1], texts[2], &mut err), 0);
            assert_eq!(janua_engine_new(config, &mut engine, &mut err), 0);
            janua_config_free(config);
            assert_eq!(janua_engine_attach(engine, &mut err), 0);
            for (name, from) in PROFILES {
                let mut site: *mut janua_site = ptr::null_mut();
                assert_eq!(janua_site_new(engine, view(from.as_bytes()), view(b""), 0, &mut site, &mut err), 0);
                sites.insert(name, site);
            }
        }
        C { engine, sites }
    }
}

impl Drop for C {
    fn drop(&mut self) {
        // SAFETY: made by `new`, freed once, and no decision is out.
        unsafe {
            self.sites.values().for_each(|site| janua_site_free(*site));
            janua_engine_free(self.engine);
        }
    }
}

impl Door for C {
    fn ask(&self, profile: &str, text: &Text, fast: bool) -> Said {
        let headers = headers(text);
        let request = request(text, &headers);
        let (mut out, mut err) = (decision(), error());
        // SAFETY: all views live until the end of this function, and the decision's until it is cleared.
        unsafe {
            let flags = if fast { JANUA_FAST } else { 0 };
            assert_eq!(janua_decide(self.sites[profile], &request, flags, &mut out, &mut err), 0);
            let lines = match out.response_len {
                0 => &[],
                length => std::slice::from_raw_parts(out.response, length),
            };
            let said = Said {
                outcome: out.outcome,
                headers: lines.iter().map(|line| (owned(line.name), owned(line.value))).collect(),
                body: owned(out.body),
            };
            janua_decision_clear(&mut out);
            said
        }
    }

    fn again(&self, case: &Case, use_it: &mut dyn FnMut(&mut dyn FnMut() -> i32)) {
        let headers = headers(&case.text);
        let request = request(&case.text, &headers);
        let (site, mut out, mut err) = (self.sites[case.profile], decision(), error());
        // Called by address, so that nothing of them is copied into the loop: a C program cannot do that either.
        let (decide, clear): (Decide, Clear) = black_box((janua_decide, janua_decision_clear));
        use_it(&mut || {
            // SAFETY: all views live until `use_it` returns.
            unsafe {
                let status = decide(site, black_box(&request), JANUA_FAST, &mut out, &mut err);
                let outcome = if status == 0 { out.outcome } else { -1 };
                clear(&mut out);
                outcome
            }
        });
    }
}
