//! Tests of the folder: whose it is, what lies in it, what is kept of another boot, and one environment for each folder.

use super::super::{sys, tables};
use super::*;
use std::fs::{self, File, Permissions};
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
    for name in ["lock", "open", "sessions/data.mdb", "sessions/lock.mdb", "revocations/data.mdb", "boot", "boot.new"] {
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
    for name in ["sessions/data.mdb", "sessions/lock.mdb", "revocations/data.mdb", "revocations", "open", "lock"] {
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

#[test]
fn what_somebody_has_open_is_of_this_boot_whatever_they_call_it() {
    let home = Home::new();
    let key = home.with_a_session();
    let other = "another-name process\n";
    fs::write(home.boot(), other).unwrap();
    // As a process does for as long as it has the store open, and a fork of it that lives on.
    let held = File::open(home.path().join("open")).or_else(|_| File::create(home.path().join("open"))).unwrap();
    held.lock_shared().unwrap();
    assert!(home.lives(&key), "nothing of those who are in is removed");
    assert_eq!(fs::read_to_string(home.boot()).unwrap(), other, "nor renamed: they may come again");
    assert_eq!(home.why(&attached(home.looker(), &home.clock), &key), None);
    drop(held);
    assert!(!home.lives(&key), "after the last has gone it is another boot's");
    // And a running store keeps its files by itself.
    let store = home.open();
    let key = home.login(&store, "AlexK", 2);
    let file = File::open(home.path().join("open")).unwrap();
    assert!(file.try_lock().is_err(), "held for as long as the store is open");
    assert_eq!(home.why(&store, &key), None);
    drop(store);
    file.try_lock().unwrap();
}

#[test]
fn a_boot_file_that_says_nothing_known_is_no_promise() {
    for word in ["", "garbage", "another-boot disk", "another-boot process\n"] {
        let home = Home::new();
        let key = home.with_a_session();
        fs::write(home.boot(), word).unwrap();
        assert!(!home.lives(&key), "{word:?}: it may be torn");
    }
}

#[test]
fn where_boots_have_no_name_nothing_unsynced_outlives_the_last_process() {
    let home = Home::new();
    let unknown = crate::base::sys::NO_BOOT_NAME;
    home.with_a_session();
    let data = home.path().join("sessions/data.mdb");
    fs::write(home.boot(), format!("{unknown} process\n")).unwrap();
    place::settle(&home.settings(), unknown, false).unwrap();
    assert!(data.exists(), "somebody has it open: no boot came in between");
    assert_eq!(place::settle(&home.looker(), unknown, true).unwrap_err().status, Status::NotFound);
    assert!(data.exists());
    place::settle(&home.settings(), unknown, true).unwrap();
    assert!(!data.exists(), "a loss of power could have come in between");
    let disk = Settings { durability: Durability::Disk, ..home.settings() };
    fs::write(&data, "").unwrap();
    fs::write(home.boot(), format!("{unknown} disk\n")).unwrap();
    assert_eq!(place::settle(&disk, unknown, true), Ok(true));
    assert!(data.exists(), "what was synced is whole");
    assert_ne!(place::boot_tag(unknown), place::boot_tag(unknown), "no boot seconds are taken for another boot's");
    assert_eq!(place::boot_tag("a"), place::boot_tag("a"));
    assert_ne!(place::boot_tag("a"), place::boot_tag("b"));
}

#[test]
fn who_syncs_less_than_those_who_have_it_open_says_so() {
    let home = Home::new();
    let disk = Settings { durability: Durability::Disk, ..home.settings() };
    attached(disk.clone(), &home.clock);
    place::settle(&home.settings(), "b", false).unwrap();
    assert_eq!(fs::read_to_string(home.boot()).unwrap(), "b process\n");
    for alone in [false, true] {
        assert_eq!(place::settle(&disk, "b", alone), Ok(true));
        assert_eq!(fs::read_to_string(home.boot()).unwrap(), "b process\n", "for the rest of the boot");
    }
}

/// An environment whose file ends before its last page, which is free: as one that was never written.
fn shorter_than_its_last_page(home: &Home) -> heed::Env<heed::WithoutTls> {
    let place = home.folder.path("env");
    fs::create_dir(&place).unwrap();
    let env = sys::open(&place, 64 << 20, true).unwrap();
    let [table] = tables::open(&env, ["meta"]).unwrap();
    let mut w = env.write_txn().unwrap();
    for number in 0..500_u32 {
        table.put(&mut w, &number.to_be_bytes(), &[1; 1_000]).unwrap();
    }
    for number in (0..500_u32).rev() {
        table.delete(&mut w, &number.to_be_bytes()).unwrap();
    }
    w.commit().unwrap();
    for _ in 0..8 {
        let mut w = env.write_txn().unwrap();
        table.put(&mut w, b"small", b"1").unwrap();
        w.commit().unwrap();
    }
    // What is in use has moved to the beginning since.
    let file = File::options().write(true).open(place.join("data.mdb")).unwrap();
    file.set_len(needed(&env) / 2).unwrap();
    env
}

fn needed(env: &heed::Env<heed::WithoutTls>) -> u64 {
    (env.info().last_page_number as u64 + 1) * u64::from(env.unnamed_database_stat().page_size)
}

#[test]
fn a_file_is_filled_up_only_while_nobody_writes_it() {
    let home = Home::new();
    let env = shorter_than_its_last_page(&home);
    let (place, has) = (env.path().to_owned(), env.real_disk_size().unwrap());
    assert!(has < needed(&env), "{has}");
    let [table] = tables::open(&env, ["meta"]).unwrap();
    let mut w = env.write_txn().unwrap();
    let written = vec![7; 3 << 20];
    table.put(&mut w, b"written", &written).unwrap();
    std::thread::scope(|scope| {
        let filler = scope.spawn(|| place::whole(&env, &place));
        std::thread::sleep(Duration::from_millis(200));
        assert_eq!(env.real_disk_size().unwrap(), has, "somebody writes it");
        w.commit().unwrap();
        filler.join().unwrap().unwrap();
    });
    assert!(env.real_disk_size().unwrap() >= needed(&env));
    let r = env.read_txn().unwrap();
    assert!(table.get(&r, b"written").unwrap() == Some(&written[..]), "nothing that was written is cut off");
}

#[test]
fn a_file_that_is_too_short_is_made_longer_and_never_shorter() {
    let home = Home::new();
    let env = shorter_than_its_last_page(&home);
    place::whole(&env, env.path()).unwrap();
    let long = env.real_disk_size().unwrap();
    assert!(long >= needed(&env), "{long}");
    place::whole(&env, env.path()).unwrap();
    assert_eq!(env.real_disk_size().unwrap(), long);
}

#[test]
fn who_waits_for_a_thread_that_waits_for_another_process_is_no_fork() {
    let (one, two) = (Home::new(), Home::new());
    one.with_a_session();
    // As another process does that takes its time to open it.
    let busy = File::options().write(true).open(one.path().join("lock")).unwrap();
    busy.lock().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| one.open());
        std::thread::sleep(Duration::from_millis(100));
        let late = scope.spawn(|| drop(two.open()));
        std::thread::sleep(Duration::from_secs(6));
        busy.unlock().unwrap();
        late.join().unwrap();
    });
}

#[test]
fn an_engine_that_comes_while_the_last_one_closes_the_store_is_no_fork() {
    let home = Home::new();
    let store = home.open();
    let key = home.login(&store, "Aladdin", 1);
    // As between the last engine's going and the end of its files.
    let closing = store.core().unwrap().rows.env.clone();
    drop(store);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            std::thread::sleep(Duration::from_millis(50));
            drop(closing);
        });
        assert_eq!(home.why(&home.open(), &key), None);
    });
    let closing = home.open().core().unwrap().rows.env.clone();
    let error = home.refused(home.settings());
    assert_eq!(error.status, Status::Fork, "nobody closes what a fork has inherited");
    drop(closing);
    home.open();
}

#[test]
fn two_processes_of_one_number_are_told_as_what_they_are() {
    let error = heed::Error::Io(std::io::Error::from_raw_os_error(libc::EAGAIN));
    let told = place::explained(&error, Path::new("state"));
    assert!(told.message.contains("process ids") && told.message.contains("state"), "{}", told.message);
}

#[test]
fn a_child_forked_while_a_store_is_opened_does_not_keep_others_from_opening_it() {
    let home = Home::new();
    home.with_a_session();
    let opening = place::lock(&home.path().join("lock"), true).unwrap();
    let inherited = opening.0.try_clone().unwrap();
    drop(opening);
    home.open();
    drop(inherited);
}
