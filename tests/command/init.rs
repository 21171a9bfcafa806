//! `janua init`.

#[cfg(unix)]
use crate::folder::mode;
use crate::folder::{Folder, Said};
use std::process::Command;

#[test]
fn init_makes_a_configuration_that_check_finds_good() {
    let folder = Folder::init();
    let found = folder.janua(&["check", "--json"]).is(0).json();
    assert_eq!(found["site"], "data.example.org");
    assert_eq!(found["profile"], "mauro");
    assert_eq!(found["directory"]["users"], 0);
    assert_eq!(found["keyring"]["keys"], 1);
    let warnings = found["warnings"].to_string();
    assert!(warnings.contains("engine.secure is false") && warnings.contains("no users yet"), "{warnings}");
}

#[cfg(unix)]
#[test]
fn init_gives_safe_permissions_whatever_the_umask() {
    for umask in ["000", "022", "277"] {
        let folder = Folder::new();
        let script = format!("umask {umask} && exec \"$0\" init made --sample");
        let said = Command::new("sh")
            .args(["-c", &script, env!("CARGO_BIN_EXE_janua")])
            .current_dir(&folder.0)
            .output()
            .map(Said::of)
            .unwrap();
        // A folder that its owner may not write to is made writable before anything is put into it.
        said.is(0);
        assert_eq!(mode(&folder.path("made")), 0o700, "umask {umask}");
        for file in ["made/janua.toml", "made/keyring.toml", "made/users.toml"] {
            assert_eq!(mode(&folder.path(file)), 0o600, "{file}, umask {umask}");
        }
    }
}

#[cfg(unix)]
#[test]
fn init_for_a_group_lets_it_read_and_nobody_else() {
    use std::os::unix::fs::MetadataExt;
    let folder = Folder::new();
    let group = std::fs::metadata(&folder.0).unwrap().gid();
    folder.janua(&["init", "made", "--group", &group.to_string()]).is(0);
    assert_eq!(mode(&folder.path("made")), 0o750);
    for file in ["made/janua.toml", "made/keyring.toml", "made/users.toml"] {
        assert_eq!(mode(&folder.path(file)), 0o640, "{file}");
        assert_eq!(std::fs::metadata(folder.path(file)).unwrap().gid(), group);
    }
    folder
        .janua_with("OpenSesame", &["user", "add", "Aladdin", "--password-stdin", "--config", "made/janua.toml"])
        .is(0);
    assert_eq!(mode(&folder.path("made/users.toml")), 0o640, "a change keeps the mode");
    folder.janua(&["init", "other", "--group", "no-such-group-here"]).is(4).complains("no group");
    assert!(!folder.path("other").exists());
}

#[test]
fn init_refuses_to_write_over_and_force_keeps_keys_and_users() {
    let folder = Folder::init();
    folder.janua_with("OpenSesame\n", &["user", "add", "Aladdin", "--password-stdin"]).is(0);
    let (keys, users) = (folder.read("keyring.toml"), folder.read("users.toml"));
    folder.janua(&["init"]).is(1).complains("--force");
    folder.janua(&["init", "--force", "--site", "other.example.org"]).is(0);
    assert_eq!(folder.read("keyring.toml"), keys);
    assert_eq!(folder.read("users.toml"), users);
    assert!(folder.read("janua.toml").contains("other.example.org"));
}

#[test]
fn init_with_samples_adds_the_users_of_the_sheets_once() {
    let folder = Folder::new();
    folder.janua(&["init", "--sample"]).is(0);
    folder.janua(&["init", "--sample", "--force"]).is(0);
    let users = folder.users();
    let names: Vec<&str> = users.as_array().unwrap().iter().map(|u| u["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["Aladdin", "AlexK", "joe.bloggs@test.com", "admin@test.com", "someName"]);
    assert_eq!(folder.user("admin@test.com")["roles"], serde_json::json!(["administrator"]));
    assert_eq!(folder.user("AlexK")["tenants"], serde_json::json!(["{C840BE1A-5B47-4AC0-8EF7-835C166C8E24}"]));
    for password in ["OpenSesame", "My Password", "pa55w0rd"] {
        assert!(!folder.read("users.toml").contains(password));
    }
}
