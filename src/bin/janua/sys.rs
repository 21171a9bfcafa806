//! The calls to the operating system that the standard library does not have: the number of a group by its name, and
//! root's becoming another user. Nothing else of the command is unsafe.

#![allow(unsafe_code)]

use crate::failure::Failure;
#[cfg(unix)]
use std::io;
use std::path::Path;

/// The longest entry of the databases of groups and users that is read.
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

/// Root becomes the owner of `folder`, for good: what that user puts into it leads nobody with more rights anywhere, and
/// what is made in it is his. Who is not root, or finds no folder, stays who he is.
///
/// What root has read before is safe from that user: the system lets nobody look into a process that changed its user.
#[cfg(unix)]
pub fn become_owner(folder: &Path) -> Result<(), Failure> {
    use std::os::unix::fs::MetadataExt;
    // SAFETY: asks the system for a number; it cannot fail.
    let root = unsafe { libc::geteuid() } == 0;
    let Some(found) = std::fs::metadata(folder).ok().filter(|found| root && found.is_dir() && found.uid() != 0) else {
        return Ok(());
    };
    give_up_root(found.uid(), found.gid()).map_err(|e| {
        Failure::file(format!(
            "{}: belongs to user {}, and root cannot become that user here: {e}; run this as that user",
            folder.display(),
            found.uid()
        ))
    })
}

/// Takes on the groups that the user database knows of the user, or the one given where it does not know him.
#[cfg(unix)]
fn give_up_root(user: u32, group: u32) -> io::Result<()> {
    let done = |status: libc::c_int| if status == 0 { Ok(()) } else { Err(io::Error::last_os_error()) };
    match account(user) {
        Some((name, group)) => {
            // SAFETY: `name` is NUL-terminated and lives past the call.
            done(unsafe { libc::initgroups(name.as_ptr(), group as _) })?;
            // SAFETY: numbers only.
            done(unsafe { libc::setgid(group) })?;
        }
        None => {
            // SAFETY: the list has the one entry that is announced, and lives past the call.
            done(unsafe { libc::setgroups(1, &group) })?;
            // SAFETY: numbers only.
            done(unsafe { libc::setgid(group) })?;
        }
    }
    // SAFETY: numbers only; as root it sets all three of the process's users, so that there is no way back.
    done(unsafe { libc::setuid(user) })?;
    // SAFETY: as above; it must fail.
    match unsafe { libc::setuid(0) } {
        0 => Err(io::Error::other("the system let it be root again")),
        _ => Ok(()),
    }
}

/// Name and group of a user in the user database.
#[cfg(unix)]
fn account(user: u32) -> Option<(std::ffi::CString, u32)> {
    let mut buffer: Vec<libc::c_char> = vec![0; 4096];
    loop {
        // SAFETY: `passwd` is plain data for which zeros are valid, and getpwuid_r writes it.
        let mut entry: libc::passwd = unsafe { std::mem::zeroed() };
        let mut found: *mut libc::passwd = std::ptr::null_mut();
        // SAFETY: `entry`, `buffer` (with its true length) and `found` are valid for writing and live past the call.
        let status = unsafe { libc::getpwuid_r(user, &mut entry, buffer.as_mut_ptr(), buffer.len(), &mut found) };
        match status {
            libc::ERANGE if buffer.len() < MAX_ENTRY => buffer.resize(buffer.len() * 2, 0),
            0 if !found.is_null() && !entry.pw_name.is_null() => {
                // SAFETY: the entry was found, so its name is a NUL-terminated text in `buffer`; it is copied.
                let name = unsafe { std::ffi::CStr::from_ptr(entry.pw_name) };
                return Some((name.to_owned(), entry.pw_gid));
            }
            _ => return None,
        }
    }
}

/// There is no such user here.
#[cfg(not(unix))]
pub fn become_owner(_: &Path) -> Result<(), Failure> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    #[test]
    fn accounts_are_found_by_number() {
        let (name, group) = super::account(0).unwrap();
        assert_eq!((name.to_str(), group), (Ok("root"), 0));
        assert_eq!(super::account(4_000_000_000), None);
    }

    #[test]
    fn groups_are_found_by_name_and_by_number() {
        assert_eq!(super::group("root").unwrap(), 0);
        assert_eq!(super::group("1234").unwrap(), 1234);
        assert!(super::group("no-such-group-here").is_err());
        assert!(super::group("").is_err());
        assert!(super::group("nul\0").is_err());
    }
}
