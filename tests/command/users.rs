//! `janua user` and `janua tenant`.

use crate::folder::{Folder, Said};
use serde_json::Value;
use std::process::{Command, Stdio};

#[test]
fn a_user_is_added_listed_disabled_and_enabled() {
    let folder = Folder::init();
    folder
        .janua_with(
            "pa55w0rd\n",
            &[
                "user",
                "add",
                "joe.bloggs@test.com",
                "--password-stdin",
                "--full-name",
                "Joe Bloggs",
                "--role",
                "editor",
            ],
        )
        .is(0);
    let user = folder.user("joe.bloggs@test.com");
    assert_eq!(user["full_name"], "Joe Bloggs");
    assert_eq!(user["roles"], serde_json::json!(["editor"]));
    assert_eq!((&user["hash"], &user["disabled"], &user["generation"]), (&"argon2".into(), &false.into(), &1.into()));
    let listed = folder.janua(&["user", "list"]).is(0);
    assert!(listed.out.starts_with("NAME") && listed.out.contains("joe.bloggs@test.com"), "{}", listed.out);
    assert!(!listed.out.contains("$argon2"), "no hash is shown");
    folder.janua(&["user", "disable", "joe.bloggs@test.com"]).is(0);
    assert_eq!(folder.user("joe.bloggs@test.com")["disabled"], true);
    folder.janua(&["user", "disable", "joe.bloggs@test.com"]).is(0).complains("already");
    folder.janua(&["user", "enable", "joe.bloggs@test.com"]).is(0);
    assert_eq!(folder.user("joe.bloggs@test.com")["disabled"], false);
}

#[test]
fn a_new_password_raises_the_generation_and_changes_the_hash() {
    let folder = Folder::init();
    folder.janua_with("OpenSesame", &["user", "add", "Aladdin", "--password-stdin"]).is(0);
    let before = folder.read("users.toml");
    folder.janua_with("Abracadabra\r\n", &["user", "passwd", "Aladdin", "--password-stdin"]).is(0);
    assert_eq!(folder.user("Aladdin")["generation"], 2);
    assert_ne!(folder.read("users.toml"), before);
    for password in ["OpenSesame", "Abracadabra"] {
        assert!(!folder.read("users.toml").contains(password));
    }
}

#[test]
fn what_ends_sessions_and_tokens_is_written_down_with_its_time() {
    let folder = Folder::init();
    folder.janua_with("OpenSesame", &["user", "add", "Aladdin", "--password-stdin"]).is(0);
    let revoked = || folder.user("Aladdin")["revoked"].as_str().map(str::to_owned);
    assert_eq!(revoked(), None);
    let written = |folder: &Folder| {
        let text = folder.read("users.toml");
        text.lines().find_map(|line| line.strip_prefix("revoked = ")).unwrap().to_owned()
    };
    let mut last = String::new();
    for command in [["user", "logout", "Aladdin"], ["user", "disable", "Aladdin"]] {
        folder.janua(&command).is(0);
        assert!(written(&folder) > last, "{} after {last}", written(&folder));
        last = written(&folder);
    }
    folder.janua(&["user", "enable", "Aladdin"]).is(0);
    assert_eq!(written(&folder), last, "it brings nothing back");
    folder.janua_with("Abracadabra", &["user", "passwd", "Aladdin", "--password-stdin"]).is(0);
    assert!(written(&folder) > last);
    assert!(revoked().is_some_and(|time| time.starts_with("20")));
    folder.janua(&["user", "logout", "aladdin"]).is(4).complains("did you mean `Aladdin`");
}

#[test]
fn a_one_time_password_is_shown_once_and_stored_as_a_hash() {
    let folder = Folder::init();
    let said = folder.janua(&["user", "add", "Aladdin", "--one-time"]).is(0);
    let once = said.out.trim_end();
    assert_eq!(once.len(), 20);
    assert!(!folder.read("users.toml").contains(once) && !said.err.contains(once));
    assert_eq!(folder.user("Aladdin")["one_time"], true);
    assert_eq!(folder.user("Aladdin")["hash"], Value::Null);
}

#[test]
fn passwords_are_never_taken_from_the_command_line_nor_repeated() {
    let folder = Folder::init();
    for arguments in [
        &["user", "add", "Aladdin", "--password", "OpenSesame"][..],
        &["user", "add", "Aladdin", "--password=OpenSesame"],
        &["user", "passwd", "Aladdin", "--password=OpenSesame"],
        &["hash", "--password", "OpenSesame"],
        &["hash", "--password"],
    ] {
        let said = folder.janua(arguments).is(2).complains("there is no --password");
        assert!(!said.err.contains("OpenSesame"), "{}", said.err);
    }
    assert_eq!(folder.users().as_array().unwrap().len(), 0);
}

#[test]
fn bad_passwords_are_refused_and_change_nothing() {
    let folder = Folder::init();
    let add = ["user", "add", "Aladdin", "--password-stdin"];
    folder.janua_with("", &add).is(1).complains("empty password");
    folder.janua_with("\n", &add).is(1).complains("empty password");
    folder.janua_with("a\u{7}b", &add).is(1).complains("control character");
    folder.janua_with(&"x".repeat(1025), &add).is(1).complains("1024");
    assert_eq!(folder.users().as_array().unwrap().len(), 0);
}

#[test]
fn without_a_terminal_the_way_to_give_a_password_is_named() {
    let folder = Folder::init();
    let said = Command::new("setsid")
        .args(["-w", env!("CARGO_BIN_EXE_janua"), "user", "add", "Aladdin"])
        .current_dir(&folder.0)
        .stdin(Stdio::null())
        .output();
    // Where there is no setsid there is no easy way to be without a terminal.
    if let Ok(output) = said {
        Said::of(output).is(1).complains("--password-stdin");
    }
}

#[test]
fn names_that_differ_in_case_only_are_refused_and_a_near_one_is_named() {
    let folder = Folder::init();
    folder.janua_with("OpenSesame", &["user", "add", "Aladdin", "--password-stdin"]).is(0);
    folder.janua_with("x1", &["user", "add", "aladdin", "--password-stdin"]).is(1).complains("already");
    folder.janua(&["user", "disable", "ALADDIN"]).is(4).complains("did you mean `Aladdin`");
    folder.janua(&["user", "disable", "nobody"]).is(4).complains("no user `nobody`");
    folder.janua(&["user", "add", " x", "--no-password"]).is(2).complains("blank");
    folder.janua(&["user", "add", "x", "--no-password", "--role", "a,b"]).is(2).complains("no role");
}

#[test]
fn tenants_are_named_by_id_or_name() {
    let folder = Folder::init();
    let id = "{C840BE1A-5B47-4AC0-8EF7-835C166C8E24}";
    folder
        .janua(&["user", "add", "AlexK", "--no-password", "--tenant", "Sample Vault"])
        .is(4)
        .complains("janua tenant add");
    let said = folder.janua(&["tenant", "add", "Sample Vault", "--id", id]).is(0);
    assert_eq!(said.out.trim(), id);
    folder.janua(&["tenant", "add", "Other", "--id", &id.to_lowercase()]).is(1).complains("already");
    folder.janua(&["user", "add", "AlexK", "--no-password", "--tenant", "sample vault"]).is(0);
    let bare = "c840be1a-5b47-4ac0-8ef7-835c166c8e24";
    folder.janua(&["user", "add", "someName", "--no-password", "--tenant", bare]).is(0);
    for name in ["AlexK", "someName"] {
        assert_eq!(folder.user(name)["tenants"], serde_json::json!([id]));
    }
    assert_eq!(folder.janua(&["tenant", "list", "--json"]).is(0).json()[0]["name"], "Sample Vault");
}

#[test]
fn an_api_key_is_shown_once_and_stored_as_a_digest() {
    let folder = Folder::init();
    folder.janua(&["user", "add", "AlexK", "--no-password"]).is(0);
    let said = folder.janua(&["user", "key", "add", "AlexK", "backup", "--expires", "90d"]).is(0);
    let key = said.out.trim_end();
    assert_eq!(key.len(), 36, "{key}");
    assert!(!folder.read("users.toml").contains(key) && !said.err.contains(key));
    let keys = folder.user("AlexK")["api_keys"].clone();
    assert_eq!(keys[0]["name"], "backup");
    assert!(keys[0]["expires"].as_str().unwrap().ends_with('Z'));
    folder.janua(&["user", "key", "add", "AlexK", "backup"]).is(1).complains("already");
    folder.janua(&["user", "key", "add", "AlexK", "old", "--expires", "2001-01-01T00:00:00Z"]).is(2).complains("past");
    folder.janua(&["user", "key", "remove", "AlexK", "backup"]).is(0);
    folder.janua(&["user", "key", "remove", "AlexK", "backup"]).is(4).complains("no key `backup`");
    assert_eq!(folder.user("AlexK")["api_keys"], serde_json::json!([]));
}

#[test]
fn users_of_an_htpasswd_file_are_imported_with_their_hashes_and_weak_ones_named() {
    let folder = Folder::init();
    folder.write(
        ".htpasswd",
        "Aladdin:$2y$05$n/.NDuGC93eYUsirhuqQnOb53H3XTz0wMVNLHHAdLxrnf5bGQNDCa\n\
         someName:QOsJ.AycZAcq2\n# a comment\nnonsense\n",
    );
    let said = folder.janua(&["user", "import", ".htpasswd"]).is(1).complains("line 4").complains("someName");
    assert_eq!(said.out, "1 users imported, 2 lines left out\n");
    assert_eq!(folder.user("Aladdin")["hash"], "bcrypt");
    folder.janua(&["user", "import", ".htpasswd", "--weak", "des"]).is(2).complains("[directory] weak");
    folder.janua(&["user", "import", "--users", "users.toml", "nothing-here"]).is(3).complains("nothing-here");
    folder.janua(&["user", "import", ".htpasswd", "--users", "new.toml", "--weak", "des"]).is(1);
    let users = folder.janua(&["user", "list", "--users", "new.toml", "--json"]).is(0).json();
    assert_eq!(users[1]["hash"], "des");
    assert!(!said.err.contains("QOsJ"), "a hash is no part of a message");
}

#[test]
fn a_thousand_users_are_imported_in_one_change() {
    let folder = Folder::init();
    let hash = "$2y$05$n/.NDuGC93eYUsirhuqQnOb53H3XTz0wMVNLHHAdLxrnf5bGQNDCa";
    folder.write(".htpasswd", &(0..1000).map(|n| format!("user{n}:{hash}\n")).collect::<String>());
    let said = folder.janua(&["user", "import", ".htpasswd"]).is(0);
    assert_eq!(said.out, "1000 users imported, 0 lines left out\n");
    assert_eq!(folder.users().as_array().unwrap().len(), 1000);
}

#[cfg(unix)]
#[test]
fn a_users_file_that_others_may_read_is_refused_with_the_mend() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::init();
    std::fs::set_permissions(folder.path("users.toml"), std::fs::Permissions::from_mode(0o644)).unwrap();
    folder.janua(&["user", "list"]).is(3).complains("chmod 0600");
    folder.janua(&["user", "add", "x", "--no-password"]).is(3).complains("chmod 0600");
}
