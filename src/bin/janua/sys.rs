//! The calls to the operating system that the standard library does not have: the number of a group by its name.
//! Nothing else of the command is unsafe.

#![allow(unsafe_code)]

use crate::failure::Failure;

/// The longest entry of the group database that is read.
#[cfg(unix)]
const MAX_ENTRY: usize = 1 << 20;

/// The number of the group `name` (a name of the system's group database, or a number).
#[cfg(unix)]
pub fn group(name: &str) -> Result<u32, Failure> {
    if let Ok(number) = name.parse::<u32>() {
        return Ok(number);
    }
    let missing = || Failure::not_found(format!("there is no group `{name}`: `getent group` lists the groups here"));
    let text = std::ffi::CString::new(name).map_err(|_| missing())?;
    let mut buffer: Vec<libc::c_char> = vec![0; 4096];
    loop {
        // SAFETY: `group` is plain data for which zeros are valid, and getgrnam_r writes it.
        let mut entry: libc::group = unsafe { std::mem::zeroed() };
        let mut found: *mut libc::group = std::ptr::null_mut();
        // SAFETY: `text` is NUL-terminated; `entry`, `buffer` (with its true length) and `found` are valid for writing
        // and live past the call. Only the number is taken out, so no pointer into `buffer` outlives it.
        let status =
            unsafe { libc::getgrnam_r(text.as_ptr(), &mut entry, buffer.as_mut_ptr(), buffer.len(), &mut found) };
        match status {
            libc::ERANGE if buffer.len() < MAX_ENTRY => buffer.resize(buffer.len() * 2, 0),
            0 if !found.is_null() => return Ok(entry.gr_gid),
            _ => return Err(missing()),
        }
    }
}

/// Groups are a Unix matter.
#[cfg(not(unix))]
pub fn group(name: &str) -> Result<u32, Failure> {
    Err(Failure::usage(format!(
        "--group {name}: this system has no group that owns a file; set its access list instead"
    )))
}

#[cfg(all(test, unix))]
mod tests {
    #[test]
    fn groups_are_found_by_name_and_by_number() {
        assert_eq!(super::group("root").unwrap(), 0);
        assert_eq!(super::group("1234").unwrap(), 1234);
        assert!(super::group("no-such-group-here").is_err());
        assert!(super::group("").is_err());
        assert!(super::group("nul\0").is_err());
    }
}
