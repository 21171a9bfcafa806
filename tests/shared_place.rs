//! The folder of a shared store where processes see the system differently: another name of its boot, none, or the same
//! folder under two names.
//!
//! Each of them has a mount namespace of its own; where the system allows none (a container without that right), a test
//! says so.

#![cfg(all(target_os = "linux", feature = "shared"))]

mod children;
mod shared;

use children::{Scene, part};
use janua::base::Clock;
use janua::store::Store;
use janua::store::shared::{Durability, Settings, Shared};
use shared::{Place, START};
use std::fs;
use std::path::Path;
use std::process::Command;

/// Runs a part of a test after a command of the shell in a mount namespace of its own, with the scene's folder as `$0`.
/// What it said; `None`: not here.
fn apart(scene: &Scene, test: &str, part: &str, before: &str) -> Option<String> {
    let script = format!("{before} && exec \"$@\"");
    let tried = Command::new("unshare").args(["-rm", "sh", "-c", before]).arg(&scene.0).output();
    if !tried.is_ok_and(|tried| tried.status.success()) {
        println!("no mount namespaces here: `{before}` is not allowed");
        return None;
    }
    let mut command = Command::new("unshare");
    command.args(["-rm", "sh", "-c", &script]).arg(&scene.0).arg(std::env::current_exe().unwrap());
    children::arm(&mut command, &scene.0, test, part, 0);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}");
    Some(said)
}

const RENAMED: &str = "mount --bind \"$0/name\" /proc/sys/kernel/random/boot_id";

#[test]
fn processes_that_see_two_names_of_one_boot_leave_each_other_in() {
    const NAME: &str = "processes_that_see_two_names_of_one_boot_leave_each_other_in";
    let open = |folder: &Path| Place::open(folder, Durability::Process, Clock::fake(START));
    if let Some((_, folder, _)) = part() {
        let place = open(&folder);
        println!("first {}", place.lives(1));
        if !place.lives(2) {
            place.insert(2, "AlexK");
        }
        println!("second {}", place.lives(2));
        return;
    }
    for name in ["another-boot\n", ""] {
        let scene = Scene::new(&format!("names-{}", name.len()));
        fs::write(scene.0.join("name"), name).unwrap();
        let place = open(&scene.0);
        place.insert(1, "Aladdin");
        for _ in 0..2 {
            let Some(said) = apart(&scene, NAME, "other", RENAMED) else { return };
            assert!(said.contains("first true\n") && said.contains("second true\n"), "{said}");
            assert!(place.lives(1) && place.lives(2), "they are in one store");
        }
        place.insert(3, "someName");
        drop(place);
        let said = apart(&scene, NAME, "alone", RENAMED).unwrap();
        assert!(said.contains("first false\n"), "nobody has it open: it may be of another boot; {said}");
    }
}

#[test]
fn a_folder_under_two_names_is_one_store() {
    const NAME: &str = "a_folder_under_two_names_is_one_store";
    if let Some((_, folder, _)) = part() {
        let place = Place::open(&folder, Durability::Process, Clock::fake(START));
        place.insert(1, "Aladdin");
        let other = Settings::new(folder.join("other"), Durability::Process, 86_400, Vec::new());
        let told =
            Shared::new(Settings { durability: Durability::Disk, ..other.clone() }, place.clock.clone()).attach();
        println!("told: {}", told.map_or_else(|error| error.message, |()| "opened twice".to_owned()));
        let same = Shared::new(other, place.clock.clone());
        println!("attached {}", same.attach().is_ok());
        place.store.revoke(janua::store::Revocation::Session(shared::key(1)), place.clock.now()).unwrap();
        let gone = same.check(&shared::key(1), place.clock.now()).ok().is_err();
        println!("gone {gone}");
        return;
    }
    let scene = Scene::new("two-names");
    drop(Place::open(&scene.0, Durability::Process, Clock::fake(START)));
    fs::create_dir(scene.0.join("other")).unwrap();
    let Some(said) = apart(&scene, NAME, "bound", "mount --bind \"$0/state\" \"$0/other\"") else { return };
    assert!(said.contains("told: ") && said.contains("has the store open with the other store.durability"), "{said}");
    assert!(said.contains("attached true\n") && said.contains("gone true\n"), "{said}");
}
