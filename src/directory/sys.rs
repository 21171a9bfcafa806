//! The one question to the operating system that the standard library does not ask. Nothing else in this floor is unsafe.

#![allow(unsafe_code)]

/// The user this process acts as.
#[cfg(unix)]
pub(super) fn effective_user() -> u32 {
    // SAFETY: takes no argument, cannot fail, touches no memory of ours.
    unsafe { libc::geteuid() }
}
