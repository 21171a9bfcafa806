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
    /// Somebody without the right to make a store.
    fn looker(&self) -> Settings {
        Settings { create: false, ..self.settings() }
    }

    fn boot(&self) -> PathBuf {
        self.path().join("boot")
    }

    /// A store with one session, which nobody has open.
    fn with_a_session(&self) -> Digest {
        let store = self.open();
        self.login(&store, "Aladdin", 1)
    }

    fn lives(&self, key: &Digest) -> bool {
        self.why(&self.open(), key).is_none()
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

#[test]
fn who_only_looks_finds_nothing_of_another_boot_and_changes_nothing() {
    let home = Home::new();
    let key = home.with_a_session();
    let own = fs::read_to_string(home.boot()).unwrap();
    fs::write(home.boot(), "another-boot process\n").unwrap();
    let before = tree(&home.path());
    let error = home.refused(home.looker());
    assert_eq!(error.status, Status::NotFound, "{}", error.message);
    assert!(error.message.contains("there is no store yet"), "{}", error.message);
    assert!(tree(&home.path()) == before, "nothing is removed, written or made");
    fs::write(home.boot(), own).unwrap();
    assert!(home.lives(&key), "the host of this boot goes on");
    for name in ["sessions/data.mdb", "sessions/lock.mdb", "revocations/data.mdb", "revocations", "lock"] {
        let home = Home::new();
        home.with_a_session();
        let gone = home.path().join(name);
        if gone.is_dir() {
            fs::remove_dir_all(gone).unwrap()
        } else {
            fs::remove_file(gone).unwrap()
        }
        let before = tree(&home.path());
        assert_eq!(home.refused(home.looker()).status, Status::NotFound, "{name}");
        assert!(tree(&home.path()) == before, "{name}: nothing is made");
    }
}

#[test]
fn who_only_looks_writes_no_less_safely_than_the_boot_file_says() {
    let home = Home::new();
    let disk = Settings { durability: Durability::Disk, ..home.settings() };
    let key = home.login(&attached(disk, &home.clock), "Aladdin", 1);
    let word = fs::read_to_string(home.boot()).unwrap();
    assert!(word.ends_with(" disk\n"), "{word}");
    fs::write(home.boot(), "another-boot disk\n").unwrap();
    let store = attached(home.looker(), &home.clock);
    assert_eq!(home.why(&store, &key), None);
    let flags = store.core().unwrap().rows.env.flags().unwrap().unwrap();
    assert!(!flags.contains(heed::EnvFlags::NO_SYNC), "a loss of power would tear what counts as whole");
    assert_eq!(fs::read_to_string(home.boot()).unwrap(), "another-boot disk\n");
}
