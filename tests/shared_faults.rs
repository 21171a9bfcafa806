//! Faults of the shared store as they come: a disk that is really full, one that is read-only, files of other rights, lost,
//! deleted or damaged ones. Each is a clear error; nobody is let in, and nobody logged out who was not before.
//!
//! A disk of its own is a small tmpfs in a mount namespace; where the system allows none (a container without that right),
//! a limit on the size of files takes its place.

#![cfg(all(target_os = "linux", feature = "shared"))]

mod children;
mod shared;

use children::{Scene, part};
use janua::base::{Clock, Reason};
use janua::session::Touch;
use janua::store::shared::{Durability, Settings, Shared};
use janua::store::{NotStored, Revocation, Store};
use shared::{ABSOLUTE, Place, START, key};
use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output};

/// Runs a part on a tmpfs of its own; `before` are commands of the shell with the folder as `$0`. `None`: not here.
fn on_its_own_disk(scene: &Scene, test: &str, part: &str, size: &str, before: &str) -> Option<Output> {
    let disk = scene.0.join("disk");
    fs::create_dir_all(&disk).unwrap();
    let allowed = Command::new("unshare").args(["-rm", "mount", "-t", "tmpfs", "none"]).arg(&disk).output();
    if !allowed.is_ok_and(|tried| tried.status.success()) {
        println!("no mount namespaces here: a limit on the size of files instead");
        return None;
    }
    let script = format!("mount -t tmpfs -o size={size},mode=0700 none \"$0\" && {before} exec \"$@\"");
    let mut command = Command::new("unshare");
    command.args(["-rm", "sh", "-c", &script]).arg(&disk).arg(std::env::current_exe().unwrap());
    children::arm(&mut command, &scene.0, test, part, 0);
    Some(command.output().unwrap())
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Files may not grow beyond `bytes` from here on; a write that would is an error.
fn limit(bytes: u64) {
    let limit = libc::rlimit { rlim_cur: bytes, rlim_max: bytes };
    // SAFETY: ignores a signal, and sets a limit of this process.
    let set = unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
        libc::setrlimit(libc::RLIMIT_FSIZE, &limit)
    };
    assert_eq!(set, 0);
}

/// Fills the disk with sessions, and lives on with it.
fn live_on_a_full_disk(folder: &Path, says: &str, durability: Durability) {
    let open = |clock: Clock| Place::open(folder, durability, clock);
    let place = open(Clock::fake(START));
    let mut count = 0;
    let stopped = loop {
        match place.try_insert(count, &format!("user {count}")) {
            Ok(_) => count += 1,
            Err(stopped) => break stopped,
        }
        assert!(count < 1_000_000, "the disk does not fill");
    };
    assert_eq!(stopped, NotStored::Unavailable);
    assert!(count > 300, "{count}");
    let told = place.store.tend(place.clock.now()).unwrap_err();
    assert!(told.message.contains(says), "{}", told.message);
    for _ in 0..2 {
        place.clock.advance(2_000);
        for number in 0..count {
            let record = place.store.check(&key(number), place.clock.now()).ok().unwrap();
            let touched = place.store.touch(&record, None, place.clock.now());
            assert_eq!(touched, Ok(Touch::Done), "{number} of {count}: {:?}", place.store.tend(place.clock.now()));
        }
        assert_eq!(place.store.tend(place.clock.now()), Ok(()));
    }
    let clock = place.clock.clone();
    drop(place);
    let place = open(clock);
    assert!(
        (0..count).all(|number| place.lives(number)),
        "uses were written all the same, and a restart logs nobody out"
    );
    assert_eq!(place.try_insert(count, "AlexK").map(drop), Err(NotStored::Unavailable));
    let over = place.store.replace(&key(0), key(count), place.record("AlexK"), 9, place.clock.now());
    assert_eq!(over.map(drop), Err(NotStored::Unavailable));
    assert!(place.lives(0), "a log-in that fails ends no session");
    for number in 0..count / 4 {
        place.store.revoke(Revocation::Session(key(number)), place.clock.now()).unwrap();
    }
    place.store.revoke(Revocation::Principal("AlexK"), place.clock.now()).unwrap();
    assert!((0..count).all(|number| place.lives(number) == (number >= count / 4)));
    place.clock.advance(i64::from(ABSOLUTE));
    place.sweep();
    let _ = place.store.tend(place.clock.now());
    place.insert(count, "AlexK");
    assert!(place.lives(count), "after a sweep there is room");
    println!("{count} sessions");
}

#[test]
fn on_a_full_disk_nobody_gets_in_nobody_is_put_out_and_who_wants_to_leaves() {
    const NAME: &str = "on_a_full_disk_nobody_gets_in_nobody_is_put_out_and_who_wants_to_leaves";
    if let Some((part, folder, _)) = part() {
        let durability = if part.ends_with("disk") { Durability::Disk } else { Durability::Process };
        let says = if part.starts_with("limited") { "may not grow" } else { "the disk is full: make room" };
        if part.starts_with("limited") {
            limit(6 << 20);
        }
        return live_on_a_full_disk(&folder.join("disk"), says, durability);
    }
    for durability in ["process", "disk"] {
        let scene = Scene::new(&format!("full-{durability}"));
        if let Some(output) = on_its_own_disk(&scene, NAME, durability, "12m", "") {
            assert!(output.status.success(), "{}", said(&output));
        }
        let output = scene.program(NAME, &format!("limited {durability}"), 0).output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
    }
}

/// Opens the store in `folder` and says how that went.
fn try_to_open(folder: &Path) {
    let settings = Settings::new(folder.join("state"), Durability::Process, 86_400, Vec::new());
    match Shared::new(settings, Clock::fake(START)).attach() {
        Ok(()) => println!("opened"),
        Err(error) => println!("{:?}: {}", error.status, error.message),
    }
}

/// As somebody for whom modes count; root becomes nobody.
fn as_somebody() {
    // SAFETY: asks who this is, and gives up the rights of root.
    unsafe { assert!(libc::geteuid() != 0 || libc::setuid(65_534) == 0) };
}

#[test]
fn a_read_only_disk_is_an_error_with_its_name() {
    const NAME: &str = "a_read_only_disk_is_an_error_with_its_name";
    if let Some((part, folder, _)) = part() {
        if part == "somebody" {
            as_somebody();
            return try_to_open(&folder);
        }
        return try_to_open(&folder.join("disk"));
    }
    let scene = Scene::new("read-only");
    let made = on_its_own_disk(&scene, NAME, "root", "20m", "\"$@\" >/dev/null && mount -o remount,ro \"$0\" &&");
    if let Some(output) = made {
        assert!(said(&output).contains("Unavailable: ") && said(&output).contains("read-only"), "{}", said(&output));
    }
    // Nor where only the folder may not be written.
    fs::set_permissions(&scene.0, PermissionsExt::from_mode(0o555)).unwrap();
    let output = scene.program(NAME, "somebody", 0).output().unwrap();
    fs::set_permissions(&scene.0, PermissionsExt::from_mode(0o755)).unwrap();
    assert!(said(&output).contains("the store's folder cannot be"), "{}", said(&output));
}

#[test]
fn files_that_this_user_may_not_write_are_an_error_with_a_mend() {
    const NAME: &str = "files_that_this_user_may_not_write_are_an_error_with_a_mend";
    if let Some((_, folder, _)) = part() {
        as_somebody();
        return try_to_open(&folder);
    }
    let scene = Scene::new("rights");
    let place = Place::open(&scene.0, Durability::Process, Clock::fake(START));
    place.insert(1, "Aladdin");
    drop(place);
    // SAFETY: asks who this is.
    let root = unsafe { libc::geteuid() } == 0;
    let all = ["", "lock", "open", "boot", "sessions", "sessions/data.mdb", "sessions/lock.mdb"];
    let more = ["revocations", "revocations/data.mdb", "revocations/lock.mdb"];
    for name in all.iter().chain(&more).filter(|_| root) {
        std::os::unix::fs::chown(scene.0.join("state").join(name), Some(65_534), Some(65_534)).unwrap();
    }
    for name in ["sessions/data.mdb", "revocations/data.mdb", "sessions/lock.mdb"] {
        let file = scene.0.join("state").join(name);
        fs::set_permissions(&file, PermissionsExt::from_mode(0o400)).unwrap();
        let output = scene.program(NAME, "somebody", 0).output().unwrap();
        fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
        assert!(
            said(&output).contains("Unavailable: ") && said(&output).contains("may not write it"),
            "{}",
            said(&output)
        );
    }
    let output = scene.program(NAME, "somebody", 0).output().unwrap();
    assert!(said(&output).contains("opened"), "{}", said(&output));
}

#[test]
fn files_deleted_under_a_running_process_make_it_unavailable_and_nobody_logged_out() {
    for name in ["sessions/data.mdb", "revocations/data.mdb", "sessions", "revocations", ""] {
        let scene = Scene::new("deleted");
        let place = Place::open(&scene.0, Durability::Process, Clock::fake(START));
        place.insert(1, "Aladdin");
        let doomed = scene.0.join("state").join(name);
        if doomed.is_dir() {
            fs::remove_dir_all(doomed).unwrap()
        } else {
            fs::remove_file(doomed).unwrap()
        }
        let told = place.store.tend(place.clock.now()).unwrap_err();
        assert!(told.message.contains("moved away or replaced"), "{}", told.message);
        assert_eq!(place.why(1), Some(Reason::StoreUnavailable), "{name}: unavailable is not no");
        assert_eq!(place.try_insert(2, "Aladdin").map(drop), Err(NotStored::Unavailable));
        assert!(place.store.revoke(Revocation::Session(key(1)), place.clock.now()).is_err(), "{name}: nor done");
        assert!(place.store.revoke(Revocation::All, place.clock.now()).is_err());
    }
}

/// What a process that may open nothing more still does with an open store.
fn live_without_descriptors(folder: &Path) {
    let place = Place::open(folder, Durability::Process, Clock::fake(START));
    place.insert(1, "Aladdin");
    let open = |most: u64| {
        let limit = libc::rlimit { rlim_cur: most, rlim_max: 1_024 };
        // SAFETY: sets a limit of this process.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) }, 0);
    };
    open(3);
    assert!(fs::File::open("/dev/null").is_err(), "none is left");
    assert_eq!(place.store.tend(place.clock.now()), Ok(()));
    // More than one step of the file: it grows without a descriptor of its own.
    for number in 2..6_000 {
        place.insert(number, &format!("user {number}"));
    }
    place.store.revoke(Revocation::Session(key(2)), place.clock.now()).unwrap();
    place.clock.advance(1_000);
    let record = place.store.check(&key(1), place.clock.now()).ok().unwrap();
    assert_eq!(place.store.touch(&record, None, place.clock.now()), Ok(Touch::Done));
    assert_eq!(place.store.tend(place.clock.now()), Ok(()));
    place.sweep();
    assert!(place.lives(1) && place.lives(5_999) && !place.lives(2));
    fs::rename(folder.join("state"), folder.join("away")).unwrap();
    assert!(place.store.tend(place.clock.now()).is_err(), "what is moved away is seen without one, too");
    open(1_024);
    fs::rename(folder.join("away"), folder.join("state")).unwrap();
    assert!(place.store.tend(place.clock.now()).is_err(), "and is not trusted again");
    println!("lived");
}

#[test]
fn a_process_that_may_open_no_more_files_keeps_its_store() {
    const NAME: &str = "a_process_that_may_open_no_more_files_keeps_its_store";
    if let Some((_, folder, _)) = part() {
        return live_without_descriptors(&folder);
    }
    let scene = Scene::new("descriptors");
    let output = scene.program(NAME, "poor", 0).output().unwrap();
    assert!(said(&output).contains("lived"), "{}", said(&output));
}

#[test]
fn a_folder_that_cannot_be_looked_into_for_a_moment_is_not_a_moved_one() {
    const NAME: &str = "a_folder_that_cannot_be_looked_into_for_a_moment_is_not_a_moved_one";
    if let Some((_, folder, _)) = part() {
        as_somebody();
        let place = Place::open(&folder.join("own"), Durability::Process, Clock::fake(START));
        place.insert(1, "Aladdin");
        let mode = |mode| fs::set_permissions(folder.join("own"), PermissionsExt::from_mode(mode)).unwrap();
        mode(0o000);
        let told = place.store.tend(place.clock.now()).unwrap_err();
        assert!(told.message.contains("may not write it"), "{}", told.message);
        assert!(place.lives(1));
        place.insert(2, "AlexK");
        mode(0o700);
        assert_eq!(place.store.tend(place.clock.now()), Ok(()), "a fault of that moment alone");
        assert!(place.lives(1) && place.lives(2));
        return println!("lived");
    }
    let scene = Scene::new("shut");
    fs::create_dir(scene.0.join("own")).unwrap();
    // SAFETY: asks who this is.
    if unsafe { libc::geteuid() } == 0 {
        std::os::unix::fs::chown(scene.0.join("own"), Some(65_534), Some(65_534)).unwrap();
    }
    let output = scene.program(NAME, "somebody", 0).output().unwrap();
    assert!(said(&output).contains("lived"), "{}", said(&output));
}

#[test]
fn lost_or_old_sessions_bring_back_nothing_that_was_revoked() {
    for old in [false, true] {
        let scene = Scene::new("lost");
        let open = |clock: &Clock| Place::open(&scene.0, Durability::Disk, clock.clone());
        let clock = Clock::fake(START);
        let place = open(&clock);
        place.insert(1, "Aladdin");
        place.insert(2, "AlexK");
        place.insert(3, "joe.bloggs@test.com");
        let token = place.store.seq().unwrap();
        drop(place);
        let (data, backup) = (scene.0.join("state/sessions/data.mdb"), scene.0.join("backup"));
        fs::copy(&data, &backup).unwrap();
        let place = open(&clock);
        place.store.revoke(Revocation::Session(key(1)), clock.now()).unwrap();
        place.store.revoke(Revocation::Principal("AlexK"), clock.now()).unwrap();
        let number = place.store.seq().unwrap();
        drop(place);
        fs::remove_dir_all(scene.0.join("state/sessions")).unwrap();
        if old {
            fs::create_dir(scene.0.join("state/sessions")).unwrap();
            fs::set_permissions(scene.0.join("state/sessions"), PermissionsExt::from_mode(0o700)).unwrap();
            fs::copy(&backup, &data).unwrap();
        }
        let place = open(&clock);
        assert!(place.store.seq().unwrap() >= number, "the number never falls");
        assert_eq!(place.why(1), Some(Reason::SessionRevoked));
        assert!(!place.lives(2) && place.lives(3) == old, "who was not in the backup logs in again");
        assert_eq!(place.store.token_revoked("AlexK", &[9; 8], None, token), Ok(true));
        assert_eq!(place.store.token_revoked("joe.bloggs@test.com", &[9; 8], None, token), Ok(false));
        place.insert(4, "AlexK");
        assert!(place.lives(4));
    }
}

/// Looks at everybody, and writes; the end of the process says the rest.
fn look_at_all(folder: &Path) {
    let settings = Settings::new(folder.join("state"), Durability::Process, 86_400, Vec::new());
    let clock = Clock::fake(START);
    let store = Shared::new(settings, clock.clone());
    if let Err(error) = store.attach() {
        println!("refused: {}", error.message);
        return;
    }
    let place = Place { store, clock };
    for number in 0..DAMAGED {
        if place.why(number).is_none() {
            println!("alive {number}");
        }
    }
    let _ = place.try_insert(9_999, "someName");
    let _ = place.store.revoke(Revocation::Session(key(1)), place.clock.now());
    if let Err(error) = place.store.tend(place.clock.now()) {
        println!("told: {}", error.message);
    }
    println!("looked");
}

const DAMAGED: u64 = 60;

#[test]
fn a_damaged_page_lets_nobody_in_who_was_out() {
    const NAME: &str = "a_damaged_page_lets_nobody_in_who_was_out";
    if let Some((_, folder, _)) = part() {
        return look_at_all(&folder);
    }
    let scene = Scene::new("damaged");
    let place = Place::open(&scene.0, Durability::Process, Clock::fake(START));
    for number in 0..DAMAGED {
        place.insert(number, &format!("user {number}"));
    }
    for number in (0..DAMAGED).step_by(2) {
        place.store.revoke(Revocation::Session(key(number)), place.clock.now()).unwrap();
    }
    drop(place);
    let (mut refused, mut told, mut stopped, mut looks) = (0, 0, 0, 0);
    for name in ["sessions", "revocations"] {
        let file = scene.0.join("state").join(name).join("data.mdb");
        let whole = fs::read(&file).unwrap();
        let pages = whole.chunks(4_096).enumerate().filter(|(_, page)| page.iter().any(|byte| *byte != 0));
        for (page, bytes) in pages {
            for noise in [vec![0; 4_096], bytes.iter().map(|byte| byte ^ 0x5a).collect()] {
                let data = fs::OpenOptions::new().write(true).open(&file).unwrap();
                data.write_all_at(&noise, page as u64 * 4_096).unwrap();
                drop(data);
                let output = scene.program(NAME, "looker", 0).output().unwrap();
                let text = said(&output);
                looks += 1;
                refused += u64::from(text.contains("refused: "));
                told += u64::from(text.contains("told: "));
                stopped += u64::from(output.status.signal().is_some());
                for number in (0..DAMAGED).step_by(2) {
                    let word = format!("alive {number}\n");
                    assert!(!text.contains(&word), "{name}, page {page}: {number} is back");
                }
                fs::write(&file, &whole).unwrap();
            }
        }
    }
    println!("{looks} pages: {refused} refused at attach, {told} told later, {stopped} ended the process");
    assert!(refused > 5 && refused + told + stopped > 10, "{refused} {told} {stopped} of {looks}");
}
