//! Tests of the folder: whose it is, what lies in it, what is kept of another boot, and one environment for each folder.

use super::*;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;

/// All files below a folder: name, owner, mode, and what is in it.
fn tree(path: &Path) -> Vec<(PathBuf, u32, u32, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(path).unwrap() {
        let path = entry.unwrap().path();
        let meta = path.symlink_metadata().unwrap();
        let held = if meta.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
        found.push((path.clone(), meta.uid(), meta.mode(), held));
        if meta.is_dir() {
            found.extend(tree(&path));
        }
    }
    found.sort();
    found
}

impl Home {
    fn boot(&self) -> PathBuf {
        self.path().join("boot")
    }

    /// A store with one session, which nobody has open.
    fn with_a_session(&self) -> Digest {
        let store = self.open();
        self.login(&store, "Aladdin", 1)
    }
}

#[test]
fn a_folder_of_another_owner_is_refused_with_the_mend() {
    let home = Home::new();
    let mine = home.open().settings.path.metadata().unwrap().uid();
    // Who is not root finds a folder of somebody else's in the system's.
    let (path, says) = match mine {
        0 => (home.path(), "run the host as that user"),
        _ => (PathBuf::from("/usr"), "run all processes as its owner"),
    };
    if mine == 0 {
        chown(&path, Some(65_534), Some(65_534)).unwrap();
    }
    for create in [true, false] {
        let error = home.refused(Settings { path: path.clone(), create, ..home.settings() });
        assert_eq!(error.status, Status::Invalid, "{}", error.message);
        assert!(error.message.contains("belongs to user") && error.message.contains(says), "{}", error.message);
    }
}

#[test]
fn links_in_the_folder_are_not_followed() {
    for name in ["lock", "sessions/data.mdb", "sessions/lock.mdb", "revocations/data.mdb", "boot", "boot.new"] {
        let home = Home::new();
        home.with_a_session();
        let victim = home.folder.write("victim", "what others wrote");
        let link = home.path().join(name);
        let _ = fs::remove_file(&link);
        symlink(&victim, &link).unwrap();
        for create in [false, true] {
            let opened = Shared::new(Settings { create, ..home.settings() }, home.clock.clone()).attach();
            match (name, create) {
                // Left over by whoever was stopped in the middle: it goes.
                ("boot.new", true) => assert_eq!(opened, Ok(())),
                ("boot.new", false) => {}
                _ => assert!(opened.unwrap_err().message.contains(name.rsplit('/').next().unwrap()), "{name}"),
            }
        }
        assert_eq!(fs::read(&victim).unwrap(), b"what others wrote", "{name}");
    }
}

#[test]
fn the_files_are_for_their_owner_only_whatever_the_umask() {
    let home = Home::new();
    home.with_a_session();
    for (path, _, mode, _) in tree(&home.path()) {
        assert_eq!(mode & 0o077, 0, "{}", path.display());
    }
    fs::set_permissions(home.path(), Permissions::from_mode(0o750)).unwrap();
    assert!(home.refused(home.settings()).message.contains("open to other users"));
}
