//! Views, errors and the functions that only name things.

use super::fault::Fault;
use super::raw::{Growing, Output};
use std::ffi::{CStr, c_char};

mod names {
    include!(concat!(env!("OUT_DIR"), "/names.rs"));
}

/// The status of a call: JANUA_OK or one of the JANUA_E_ numbers.
pub type janua_status = i32;

/// A view of `len` bytes (rule 3).
#[repr(C)]
#[derive(Clone, Copy)]
pub struct janua_str {
    pub ptr: *const c_char,
    pub len: usize,
}

/// One header line. Pairs travel in arrays, so this struct never grows.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct janua_header {
    /// The name as received, without the colon.
    pub name: janua_str,
    /// The value without surrounding blanks.
    pub value: janua_str,
}

/// Why a call failed. It lives on the caller's stack, there is nothing to free, and it never holds
/// a secret. There is no "last error" anywhere else.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct janua_error {
    /// sizeof(janua_error).
    pub size: usize,
    /// What the call returned.
    pub status: janua_status,
    /// One of the JANUA_REASON_ numbers where one applies, else 0.
    pub reason: u32,
    /// A sentence that names the cause and the mend; ends in NUL, cut where it does not fit.
    pub message: [c_char; 252],
}

impl janua_str {
    pub(super) const EMPTY: janua_str = janua_str { ptr: c"".as_ptr(), len: 0 };

    /// A view of bytes that outlive it, as the caller of this function has to see to.
    pub(super) fn of(bytes: &[u8]) -> janua_str {
        match bytes.is_empty() {
            // An empty slice may point anywhere; the caller gets an address that can be read.
            true => janua_str::EMPTY,
            false => janua_str { ptr: bytes.as_ptr().cast(), len: bytes.len() },
        }
    }
}

// SAFETY: repr(C), size first, integers only.
unsafe impl Growing for janua_error {
    const NAME: &'static str = "janua_error";
    const FIRST: usize = std::mem::offset_of!(janua_error, message);
}

impl janua_error {
    pub(super) const fn new() -> janua_error {
        janua_error { size: size_of::<janua_error>(), status: 0, reason: 0, message: [0; 252] }
    }

    /// Writes `fault` to `err`, unless that is NULL or cannot be one: a failed report must not hide the failure.
    pub(super) fn report(err: *mut janua_error, fault: &Fault) {
        // SAFETY: rules 1, 3 and 4: the caller's error, or NULL.
        let Ok(output) = (unsafe { Output::new(err) }) else { return };
        let mut error = janua_error { status: fault.status as i32, reason: fault.reason as u32, ..janua_error::new() };
        let mut end = fault.message.len().min(error.message.len() - 1);
        while !fault.message.is_char_boundary(end) {
            end -= 1;
        }
        for (to, from) in error.message.iter_mut().zip(&fault.message.as_bytes()[..end]) {
            // A NUL inside would cut the sentence short for the reader.
            *to = if *from == 0 { b'?' as c_char } else { *from as c_char };
        }
        output.write(&error);
        // An older, shorter struct still gets its NUL: its last byte is one of `message`, or it has none of it.
        output.end_text();
    }
}

fn name_of(table: &[(i64, &'static CStr)], number: i64) -> *const c_char {
    table.iter().find(|(n, _)| *n == number).map_or(c"".as_ptr(), |(_, name)| name.as_ptr())
}

/// The version of the library that was loaded, such as "0.1.0".
///
/// *Returns*: a static text that ends in NUL. *Blocks*: no. *Since*: 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn janua_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// The ABI of the library that was loaded. janua_config_new compares it with the header's
/// JANUA_ABI; only a host that loads the library by name (dlopen) needs to ask earlier.
///
/// *Returns*: JANUA_ABI of the library. *Blocks*: no. *Since*: 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn janua_abi() -> u32 {
    ABI
}

/// The name of a status, such as "JANUA_E_FORK", for logs.
///
/// *Returns*: a static text that ends in NUL; empty for a number that is no status. *Blocks*: no.
/// *Since*: 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn janua_status_name(status: janua_status) -> *const c_char {
    name_of(names::STATUS_NAMES, i64::from(status))
}

/// The stable name of a reason, such as "session-idle": what logs and alerts should be made of.
/// Never send it to the client: the decision's body is as vague as it has to be.
///
/// *Returns*: a static text that ends in NUL; empty for a number that is no reason. *Blocks*: no.
/// *Since*: 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn janua_reason_name(reason: u32) -> *const c_char {
    name_of(names::REASON_NAMES, i64::from(reason))
}

/// The number that `cbindgen.toml` writes into the header as `JANUA_ABI`; a test compares them.
pub(super) const ABI: u32 = 0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Reason, Status};

    fn text(at: *const c_char) -> &'static str {
        // SAFETY: the functions return static texts that end in NUL.
        unsafe { CStr::from_ptr(at).to_str().unwrap() }
    }

    #[test]
    fn every_number_has_the_name_its_enum_gives_it() {
        assert_eq!(names::STATUS_NAMES.len(), Status::ALL.len() + 1);
        assert_eq!(text(janua_status_name(0)), "JANUA_OK");
        for status in Status::ALL {
            assert_eq!(text(janua_status_name(status as i32)), status.name());
        }
        assert_eq!(names::REASON_NAMES.len(), Reason::ALL.len());
        for reason in Reason::ALL {
            assert_eq!(text(janua_reason_name(*reason as u32)), reason.name());
        }
        assert_eq!(text(janua_status_name(7)), "");
        assert_eq!(text(janua_reason_name(u32::MAX)), "");
        assert_eq!(text(janua_version()), env!("CARGO_PKG_VERSION"));
    }

    #[test]
    fn a_message_is_cut_at_a_character_and_ends_in_nul() {
        let mut err = janua_error::new();
        let fault = Fault::invalid("\u{e9}".repeat(200));
        janua_error::report(&mut err, &fault);
        assert_eq!(text(err.message.as_ptr()), "\u{e9}".repeat(125));
        for size in [16, 24, 32] {
            let mut err = janua_error { size, message: [7; 252], ..janua_error::new() };
            janua_error::report(&mut err, &fault);
            assert_eq!(err.status, -2);
            let room = size - 16;
            assert!(room == 0 || err.message[room - 1] == 0, "a short struct has no NUL");
            assert_eq!(err.message[room], 7, "written behind the end");
        }
        err.size = 0;
        janua_error::report(&mut err, &fault);
        janua_error::report(std::ptr::null_mut(), &fault);
    }
}
