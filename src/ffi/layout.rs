//! The layout of every struct as C sees it: `ffi-tests/abi/layout.c` prints the same lines, and both must equal
//! `ffi-tests/abi/layout.txt`. Tests only.

use super::audit::{janua_audit, janua_event};
use super::basics::{janua_error, janua_header, janua_str};
use super::decision::{janua_decision, janua_request};
use super::directory::janua_directory;
use super::session::janua_proof;
use std::fmt::Write as _;
use std::mem::{offset_of, size_of};

macro_rules! layout {
    ($out:ident, $name:ident, $($field:ident)*) => {
        // Refuses to compile when a field is missing from the list.
        #[allow(clippy::no_effect_underscore_binding)]
        let _ = |it: $name| { let $name { $($field: _),* } = it; };
        let _ = writeln!($out, "{} {}", stringify!($name), size_of::<$name>());
        $(let _ = writeln!($out, "{}.{} {}", stringify!($name), stringify!($field), offset_of!($name, $field));)*
    };
}

fn lines() -> String {
    let mut out = String::new();
    layout!(out, janua_str, ptr len);
    layout!(out, janua_header, name value);
    layout!(out, janua_error, size status reason message);
    layout!(out, janua_request, size flags method path raw_path query client body headers headers_len);
    layout!(out, janua_decision, size outcome reason http_status wait_class followup hold_ms body_limit principal roles
        tenant session_ref method path log_path query endpoint strip strip_len set_inward set_inward_len response response_len body owner);
    layout!(out, janua_proof, size text_len principal tenant session_ref issued last_used idle_end absolute_end);
    layout!(out, janua_directory, size ctx lookup check destroy);
    layout!(out, janua_event, size kind reason time principal session_ref client endpoint method reference);
    layout!(out, janua_audit, size ctx event destroy);
    out
}

#[test]
#[cfg(target_pointer_width = "64")]
fn every_struct_lies_in_memory_as_the_c_program_prints_it() {
    let committed = include_str!("../../ffi-tests/abi/layout.txt");
    assert!(lines() == committed, "ffi-tests/abi/layout.txt should be:\n{}", lines());
}
