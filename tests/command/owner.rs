//! Root runs the command on a store that is another user's: as that user, and with what root alone may read.

use crate::folder::Folder;
use janua::engine::{Config, Engine, Held, Site};
use std::fs;
use std::os::unix::fs::{MetadataExt, chown, symlink};
use std::path::Path;
use std::sync::Arc;

/// Whoever has no rights here.
const OWNER: u32 = 65_534;

/// A configuration of root's, whose keys lie in a store.
fn folder() -> Folder {
    let folder = Folder::init();
    folder.janua_with("pa55w0rd\n", &["user", "add", "AlexK", "--password-stdin"]).is(0);
    folder.janua(&["keyring", "master", "master.key"]).is(0);
    let text = folder.read("janua.toml");
    let text = text.replace("\"keyring.toml\"", "\"store\"\nmaster    = \"file:master.key\"");
    folder.write("janua.toml", &text.replace("\"memory\"", "\"shared\"\npath      = \"state\""));
    folder
}

fn host(folder: &Folder) -> (Arc<Engine>, Arc<Site>) {
    let mut config = Config::new();
    config.read_file(&folder.path("janua.toml")).unwrap();
    let engine = Engine::build(config).unwrap();
    engine.attach().unwrap();
    let site = engine.site(Some("mauro"), None, false).unwrap();
    (engine, site)
}

/// Every file below a folder.
fn below(path: &Path) -> Vec<std::path::PathBuf> {
    let mut all = vec![path.to_path_buf()];
    for entry in fs::read_dir(path).unwrap() {
        let path = entry.unwrap().path();
        if path.symlink_metadata().unwrap().is_dir() { all.extend(below(&path)) } else { all.push(path) }
    }
    all
}

fn give_away(folder: &Folder) {
    for path in below(&folder.path("state")) {
        std::os::unix::fs::lchown(path, Some(OWNER), Some(OWNER)).unwrap();
    }
}

#[test]
fn root_works_on_the_store_of_another_user_as_that_user() {
    let folder = folder();
    if folder.path("janua.toml").metadata().unwrap().uid() != 0 {
        println!("only root can become another user");
        return;
    }
    let (engine, site) = host(&folder);
    let id = folder.user("AlexK")["id"].as_str().unwrap().to_owned();
    let session = site.session_create(&id, "").unwrap();
    let mut held = Held::default();
    site.session_check(session.as_bytes(), false, &mut held).unwrap();
    drop((engine, site));
    give_away(&folder);
    // What only root may read is read by root, and the rest is done as the owner.
    for secret in ["master.key", "users.toml", "janua.toml"] {
        assert_eq!(folder.path(secret).metadata().unwrap().mode() & 0o077, 0, "{secret}");
    }
    let said = folder.janua(&["sessions", "list"]).is(0).out;
    assert!(said.contains("AlexK") && said.contains(&held.session_ref), "{said}");
    assert!(folder.janua(&["sessions", "show", &held.session_ref]).is(0).out.contains("AlexK"));
    let said = folder.janua(&["check"]).is(0).out;
    assert!(said.contains("shared, 1 session") && said.contains("keyring    store, generation 1"), "{said}");
    folder.janua(&["keyring", "publish"]).is(0);
    folder.janua(&["revoke", "--user", "AlexK"]).is(0);
    for path in below(&folder.path("state")) {
        assert_eq!(path.symlink_metadata().unwrap().uid(), OWNER, "{}", path.display());
    }

    // Nothing that the owner lays out leads root to a file that the owner may not write.
    folder.write("victim", "what root wrote");
    for name in ["boot.new", "lock", "sessions/lock.mdb", "revocations/data.mdb"] {
        let link = folder.path("state").join(name);
        let _ = fs::rename(&link, folder.path("aside"));
        symlink(folder.path("victim"), &link).unwrap();
        folder.janua(&["sessions", "list"]);
        folder.janua(&["check"]);
        assert_eq!(folder.read("victim"), "what root wrote", "{name}");
        fs::remove_file(&link).unwrap();
        let _ = fs::rename(folder.path("aside"), &link);
    }

    // After a boot, before the host has started: nothing is made, removed or written.
    fs::write(folder.path("state/boot"), "another-boot process\n").unwrap();
    let before = below(&folder.path("state"));
    folder.janua(&["sessions", "list"]).is(3).complains("there is no store yet");
    assert!(folder.janua(&["check"]).is(0).out.contains("not made yet"));
    assert_eq!(below(&folder.path("state")), before);
    chown(folder.path("state/boot"), Some(OWNER), Some(OWNER)).unwrap();
    assert!(below(&folder.path("state")).iter().all(|path| path.symlink_metadata().unwrap().uid() == OWNER));
}
