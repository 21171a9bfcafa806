//! `janua keyring` on a keyring in the store of a host that runs: this process.

use crate::folder::Folder;
use janua::engine::{Config, Engine, Held};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// A configuration with a master key and its keys in a store, which no host has made yet.
fn folder() -> Folder {
    let folder = Folder::init();
    folder.janua(&["keyring", "master", "master.key"]).is(0);
    let text = folder.read("janua.toml");
    let text = text.replace("\"keyring.toml\"", "\"store\"\nmaster    = \"file:master.key\"");
    folder.write("janua.toml", &text.replace("\"memory\"", "\"shared\"\npath      = \"state\""));
    folder
}

fn host(folder: &Folder) -> Arc<Engine> {
    let mut config = Config::new();
    config.read_file(&folder.path("janua.toml")).unwrap();
    let engine = Engine::build(config).unwrap();
    engine.attach().unwrap();
    engine
}

fn ring(folder: &Folder) -> Value {
    folder.janua(&["keyring", "show", "--json"]).is(0).json()
}

fn states(folder: &Folder) -> Vec<String> {
    let ring = ring(folder);
    ring["keys"].as_array().unwrap().iter().map(|key| key["state"].as_str().unwrap().to_owned()).collect()
}

fn id(folder: &Folder, at: usize) -> String {
    ring(folder)["keys"][at]["id"].as_str().unwrap().to_owned()
}

#[test]
fn a_keyring_in_the_store_is_changed_while_its_host_runs_and_follows() {
    let folder = folder();
    let said = folder.janua(&["check"]).is(0);
    assert!(said.out.contains("keyring    in the store, not made yet"), "{}", said.out);
    assert_eq!(folder.janua(&["check", "--json"]).is(0).json()["keyring"], Value::Null);
    folder.janua(&["keyring", "show"]).is(4).complains("there is no store yet; the host makes it");
    assert!(!folder.path("state").exists(), "who looks makes nothing");

    let engine = host(&folder);
    let follow = || {
        engine.maintain(Duration::from_millis(1)).unwrap();
        engine.keyring_generation()
    };
    assert_eq!((ring(&folder)["path"].as_str(), states(&folder)), (Some("store"), vec!["signing".to_owned()]));
    let said = folder.janua(&["check"]).is(0);
    assert!(said.out.contains("keyring    store, generation 1, 1 key, signing with"), "{}", said.out);
    let old = id(&folder, 0);
    let said = folder.janua(&["keyring", "publish"]).is(0);
    assert!(said.out.contains("every host of the store") && !said.out.contains("bring the file"), "{}", said.out);
    folder.janua(&["keyring", "publish"]).is(1).complains("published already");
    assert_eq!((follow(), states(&folder)), (2, vec!["signing".to_owned(), "published".to_owned()]));
    let said = folder.janua(&["keyring", "rotate"]).is(0);
    assert!(said.out.contains("No session and no token ends") && !said.out.contains("Bring the file"), "{}", said.out);
    assert!(folder.janua(&["keyring", "rotate"]).is(0).out.contains("nothing was changed"));
    assert_eq!(follow(), 3);
    folder.janua(&["keyring", "retire", &old, "--yes"]).is(1).complains("the only one that signs");
    folder.janua(&["keyring", "rotate", "--now"]).is(0);
    assert_eq!((follow(), states(&folder)), (4, vec!["verify-only".to_owned(), "signing".to_owned()]));
    let said = folder.janua_with("no\n", &["keyring", "retire", &old]).is(1).complains("nothing was changed");
    assert!(said.out.contains("signed from") && said.out.contains("The last of its tokens ends on"), "{}", said.out);
    folder.janua_with("yes\n", &["keyring", "retire", &old]).is(0);
    assert_eq!((follow(), states(&folder)), (5, vec!["retired".to_owned(), "signing".to_owned()]));
    assert!(engine.minted().iter().any(|(key, _)| janua::base::encoding::hex(key) == id(&folder, 1)));
}

#[test]
fn a_keyring_in_the_store_is_made_once_and_replaced_only_by_who_says_yes() {
    let folder = folder();
    let engine = host(&folder);
    let old = id(&folder, 0);
    folder.janua(&["keyring", "new"]).is(1).complains("is there already");
    folder.janua(&["keyring", "new", "--config", "janua.toml", "--group", "root"]).is(2);
    folder.janua(&["keyring", "new", "other.toml", "--replace"]).is(2);
    let said = folder.janua_with("no\n", &["keyring", "new", "--replace"]).is(1).complains("nothing was changed");
    assert!(said.out.contains("Every token that was made so far ends"), "{}", said.out);
    assert_eq!(id(&folder, 0), old);
    folder.janua_with("yes\n", &["keyring", "new", "--replace"]).is(0);
    let new = id(&folder, 0);
    assert_ne!(new, old);
    let error = engine.maintain(Duration::from_millis(1)).unwrap_err();
    assert!(error.message.contains("stay in force"), "a host that runs does not go back: {error}");
    drop(engine);
    assert_eq!(host(&folder).minted().len(), 1);

    let folder = self::folder();
    host(&folder);
    folder.janua(&["keyring", "rotate", "--now"]).is(0);
    std::fs::rename(folder.path("master.key"), folder.path("lost.key")).unwrap();
    folder.janua(&["keyring", "show"]).is(3).complains("there is no master key");
    folder.janua(&["keyring", "master", "master.key"]).is(0);
    for command in [&["keyring", "show"][..], &["keyring", "rotate"], &["check"], &["sessions", "list"]] {
        folder.janua(command).is(3).complains("sealed under another master key").complains("--replace");
    }
    folder.janua(&["keyring", "new", "--replace", "--yes"]).is(0);
    folder.janua(&["check"]).is(0);
}

#[test]
fn a_master_key_is_made_once_and_never_shown() {
    let folder = Folder::new();
    let said = folder.janua(&["keyring", "master", "master.key"]).is(0);
    let line = folder.read("master.key");
    assert!(line.starts_with("janua-master-1.") && !said.out.contains(line.trim()), "{}", said.out);
    #[cfg(unix)]
    assert_eq!(crate::folder::mode(&folder.path("master.key")), 0o600);
    folder.janua(&["keyring", "master", "master.key"]).is(1).complains("left alone");
    folder.janua(&["keyring", "master", "no/such/master.key"]).is(3).complains("no such folder");
    assert_eq!(folder.read("master.key"), line);

    let folder = self::folder();
    #[cfg(unix)]
    {
        let path = folder.path("master.key");
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
        folder.janua(&["check"]).is(3).complains("chmod 0640");
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    }
    let line = folder.read("master.key");
    let text = folder.read("janua.toml").replace("file:master.key", "env:JANUA_TEST_MASTER");
    folder.write("janua.toml", &text);
    folder.janua_knowing("JANUA_TEST_MASTER", &line, &["check"]).is(0);
    for (value, says) in [("", "is not set"), ("OpenSesame", "not a master key")] {
        let said = folder.janua_knowing("JANUA_TEST_MASTER", value, &["check"]).is(3).complains(says);
        assert!(!said.err.contains("Sesame"), "{}", said.err);
    }
    folder.write("janua.toml", &text.replace("\"shared\"\npath ", "\"memory\"\n# path "));
    folder.janua_knowing("JANUA_TEST_MASTER", &line, &["check"]).is(3).complains("lives in one");
}

#[test]
fn a_timer_has_nothing_to_do_where_hosts_rotate() {
    let folder = folder();
    host(&folder);
    folder.janua(&["keyring", "rotate", "--if-due"]).is(2).complains("keyring.rotate");
    let text = folder.read("janua.toml");
    folder.write("janua.toml", &text.replace("[keyring]\n", "[keyring]\nrotate = '90d'\n"));
    let said = folder.janua(&["keyring", "rotate", "--if-due"]).is(0);
    assert!(said.out.contains("is due on") && states(&folder) == ["signing"], "{}", said.out);
}

#[test]
fn an_explanation_knows_the_keys_of_the_host_and_changes_nothing() {
    let folder = folder();
    folder.janua_with("pa55w0rd\n", &["user", "add", "AlexK", "--password-stdin"]).is(0);
    folder.write("none.http", "GET /REST/views HTTP/1.1\nHost: data.example.org\nX-Authentication: x\n\n");
    folder.janua(&["explain", "--profile", "mfiles", "none.http"]).is(1);
    assert!(!folder.path("state").exists());
    let site = host(&folder).site(Some("mfiles"), None, false).unwrap();
    let user = folder.user("AlexK")["id"].as_str().unwrap().to_owned();
    let token = site.token_issue("access", &user, "", "", 0).unwrap();
    site.token_check("access", token.as_bytes(), &mut Held::default()).unwrap();
    let request = format!("GET /REST/server/vaults HTTP/1.1\nHost: data.example.org\nX-Authentication: {token}\n\n");
    folder.write("token.http", &request);
    let before = ring(&folder);
    let said = folder.janua(&["explain", "--profile", "mfiles", "token.http"]).is(0);
    assert!(said.out.contains("proof `token` is good"), "{}", said.out);
    assert_eq!(ring(&folder), before);
}
