//! A keyring of root is read by root, and by a service of another user through the file's group only.
//!
//! Needs root, as changing users does; elsewhere it says so and tests nothing.

#![cfg(unix)]

use janua::base::Status;
use janua::crypto::Keyring;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

const NOW: i64 = 1_767_225_600;
const USER: libc::uid_t = 54_321;
const GROUP: libc::gid_t = 54_322;

/// What a service of `USER` in `GROUP` gets when it loads `path`: 0 for a ring, else the status number.
fn status_as_service(path: &Path) -> i32 {
    // SAFETY: the child changes its own user, loads, and leaves; the C library keeps its allocator usable after a fork.
    unsafe {
        let pid = libc::fork();
        assert!(pid >= 0);
        if pid == 0 {
            let changed =
                libc::setgroups(0, std::ptr::null()) == 0 && libc::setgid(GROUP) == 0 && libc::setuid(USER) == 0;
            let status = match Keyring::load(path, NOW) {
                Ok(_) => 0,
                Err(error) => -(error.status as i32),
            };
            libc::_exit(if changed { status } else { 255 });
        }
        let mut status = 0;
        assert_eq!(libc::waitpid(pid, &mut status, 0), pid);
        assert!(libc::WIFEXITED(status));
        libc::WEXITSTATUS(status)
    }
}

#[test]
fn a_service_reads_a_ring_of_root_through_its_group_only() {
    // SAFETY: takes nothing, cannot fail.
    if unsafe { libc::geteuid() } != 0 {
        eprintln!("needs root: nothing was tested");
        return;
    }
    let folder = std::env::temp_dir().join(format!("janua-users-{}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    std::fs::set_permissions(&folder, PermissionsExt::from_mode(0o755)).unwrap();
    let own = folder.join("own.toml");
    let shared = folder.join("shared.toml");
    let mine = Keyring::create(&own, NOW, None);
    let ours = Keyring::create(&shared, NOW, Some(GROUP));
    let (alone, grouped) = (status_as_service(&own), status_as_service(&shared));
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(mine.is_ok() && ours.is_ok(), "root reads both");
    assert_eq!(alone, -(Status::Unavailable as i32), "0600 of root");
    assert_eq!(grouped, 0, "0640 of root and the service's group");
}
