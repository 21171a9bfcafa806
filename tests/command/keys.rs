//! `janua keyring`, `janua check` and `janua hash`.

use crate::folder::Folder;

#[test]
fn a_keyring_is_made_once_and_shown_without_its_masters() {
    let folder = Folder::new();
    folder.janua(&["keyring", "new", "ring.toml"]).is(0);
    let text = folder.read("ring.toml");
    folder.janua(&["keyring", "new", "ring.toml"]).is(1).complains("there already");
    assert_eq!(folder.read("ring.toml"), text);
    let shown = folder.janua(&["keyring", "show", "ring.toml"]).is(0);
    assert!(shown.out.contains("signing"), "{}", shown.out);
    let json = folder.janua(&["keyring", "show", "ring.toml", "--json"]).is(0);
    let ring = json.json();
    assert_eq!(ring["keys"][0]["state"], "signing");
    assert_eq!(ring["keys"][0]["id"].as_str().unwrap().len(), 16);
    let secrets = text.split('"').filter(|s| s.len() >= 43).count();
    assert!(secrets > 0, "the file holds masters");
    for secret in text.split('"').filter(|s| s.len() >= 43) {
        assert!(!shown.out.contains(secret) && !json.out.contains(secret));
    }
    folder.janua(&["keyring", "new", "no/such/folder/ring.toml"]).is(3).complains("no such folder");
    folder.janua(&["keyring", "show", "nothing.toml"]).is(3).complains("janua keyring new");
}

#[test]
fn the_keyring_of_the_configuration_is_shown() {
    let folder = Folder::init();
    let ring = folder.janua(&["keyring", "show", "--json"]).is(0).json();
    assert!(ring["path"].as_str().unwrap().ends_with("keyring.toml"));
}

#[test]
fn check_names_line_and_nearest_key_and_leaves_with_3() {
    let folder = Folder::init();
    folder.write("bad.toml", "[engine]\nsit = 'x'\n");
    folder.janua(&["check", "bad.toml"]).is(3).complains("bad.toml:2: unknown key `sit`: did you mean `site`?");
    folder.janua(&["check", "missing.toml"]).is(3).complains("janua init");
    Folder::new().janua(&["check"]).is(3).complains("neither janua.toml nor /etc/janua/janua.toml");
}

#[test]
fn check_takes_a_folder_for_the_configuration_in_it() {
    let folder = Folder::init();
    let said = folder.janua(&["check", "."]).is(0);
    assert!(said.out.contains("data.example.org") && said.out.contains("The configuration is good."), "{}", said.out);
}

#[test]
fn hash_prints_an_argon2id_hash_with_the_cost_asked_for() {
    let folder = Folder::new();
    let said = folder.janua_with("OpenSesame\n", &["hash", "--memory-kib", "64", "--passes", "3"]).is(0);
    assert!(said.out.starts_with("$argon2id$v=19$m=64,t=3,p=1$"), "{}", said.out);
    assert_eq!(said.out.lines().count(), 1);
    folder.janua_with("OpenSesame", &["hash", "--passes", "0"]).is(2);
}
