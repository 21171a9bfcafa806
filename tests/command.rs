//! The administrator's command, run as the real binary in folders of its own.

#![cfg(feature = "command")]

use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// A folder of one test, removed with it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("command-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    fn janua(&self, arguments: &[&str]) -> Said {
        self.janua_with("", arguments)
    }

    /// Runs the command in the folder with `input` on its standard input and no terminal.
    fn janua_with(&self, input: &str, arguments: &[&str]) -> Said {
        let mut child = Command::new(env!("CARGO_BIN_EXE_janua"))
            .args(arguments)
            .current_dir(&self.0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // The command may leave before it reads.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        Said::of(child.wait_with_output().unwrap())
    }

    /// A configuration without users.
    fn init() -> Folder {
        let folder = Folder::new();
        folder.janua(&["init", "--site", "data.example.org", "--profile", "mauro", "--plain-http"]).is(0);
        folder
    }

    fn users(&self) -> Value {
        self.janua(&["user", "list", "--json"]).is(0).json()
    }

    fn user(&self, name: &str) -> Value {
        let users = self.users();
        users.as_array().unwrap().iter().find(|u| u["name"] == name).expect(name).clone()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What a run said.
struct Said {
    code: i32,
    out: String,
    err: String,
}

impl Said {
    fn of(output: Output) -> Said {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Said { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
    }

    #[track_caller]
    fn is(self, code: i32) -> Said {
        assert_eq!(self.code, code, "stdout: {}\nstderr: {}", self.out, self.err);
        self
    }

    #[track_caller]
    fn complains(self, of: &str) -> Said {
        assert!(self.err.contains(of), "stderr: {}", self.err);
        self
    }

    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).expect(&self.out)
    }
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

// --- init ---------------------------------------------------------------------------------------------------------

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

// --- users --------------------------------------------------------------------------------------------------------

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

// --- keyring, check, hash -----------------------------------------------------------------------------------------

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

// --- explain ------------------------------------------------------------------------------------------------------

const SAMPLES: [&str; 6] =
    ["OpenSesame", "My Password", "pa55w0rd", "QWxhZGRpbjpPcGVuU2VzYW1l", "hunter2hunter2", "JSESSIONID="];

fn samples() -> Folder {
    let folder = Folder::new();
    folder.janua(&["init", "--sample", "--profile", "mauro", "--plain-http"]).is(0);
    folder
}

fn login(user: &str, password: &str) -> String {
    let body = format!(r#"{{"username":"{user}","password":"{password}"}}"#);
    format!("POST /api/authentication/login HTTP/1.1\nHost: localhost\nContent-Type: application/json\n\n{body}\n")
}

#[track_caller]
fn holds_no_secret(said: &Said) {
    for secret in SAMPLES {
        assert!(!said.out.contains(secret) && !said.err.contains(secret), "{secret}: {}{}", said.out, said.err);
    }
}

#[test]
fn a_good_log_in_is_explained_without_its_secrets_and_leaves_with_0() {
    let folder = samples();
    folder.write("login.http", &login("joe.bloggs@test.com", "pa55w0rd"));
    let said = folder.janua(&["explain", "login.http"]).is(0);
    assert!(said.out.contains("endpoint `login`") && said.out.contains("reason    4 logged-in"), "{}", said.out);
    holds_no_secret(&said);
    let said = folder.janua(&["explain", "login.http", "--json"]).is(0);
    let json = said.json();
    assert_eq!((&json["let_in"], &json["outcome"], &json["status"]), (&true.into(), &"answer".into(), &200.into()));
    assert_eq!(json["reason"]["name"], "logged-in");
    assert!(json["response_headers"].as_array().unwrap().contains(&"Set-Cookie".into()), "{json}");
    holds_no_secret(&said);
}

#[test]
fn a_refused_log_in_is_explained_with_number_name_and_mend_and_leaves_with_1() {
    let folder = samples();
    let said = folder.janua_with(&login("joe.bloggs@test.com", "hunter2hunter2"), &["explain", "-"]).is(1);
    assert!(said.out.contains("reason    201 wrong-password: The user is there"), "{}", said.out);
    assert!(said.out.contains("janua user passwd NAME"), "{}", said.out);
    holds_no_secret(&said);
    let json = folder.janua_with(&login("nobody", "hunter2hunter2"), &["explain", "-", "--json"]).is(1).json();
    assert_eq!(json["reason"]["number"], 202);
    let get = "GET /api/session/isAuthenticated/x HTTP/1.1\nCookie: JSESSIONID=0123456789ABCDEF0123456789ABCDEF\n\n";
    let json = folder.janua_with(get, &["explain", "-", "--json"]).is(1).json();
    assert_eq!(json["reason"]["name"], "session-unknown");
}

#[test]
fn explain_takes_profile_prefix_and_address_from_its_options() {
    let folder = samples();
    let get = "GET /data/REST/session/vaults HTTP/1.1\nX-Username: AlexK\nX-Password: My Password\n\n";
    let json = folder.janua_with(get, &["explain", "-", "--profile", "mfiles", "--json"]).is(1).json();
    assert_eq!(json["reason"]["name"], "no-endpoint");
    let options = ["explain", "-", "--profile", "mfiles", "--prefix", "/data", "--tls", "--client", "192.0.2.7"];
    let said = folder.janua_with(get, &options).is(0);
    assert!(said.out.contains("from 192.0.2.7 over TLS") && said.out.contains("X-Password"), "{}", said.out);
    assert!(said.out.contains("reason    1 proven"), "{}", said.out);
    holds_no_secret(&said);
}

#[test]
fn explain_as_of_another_time_finds_a_key_ended() {
    let folder = samples();
    let key = folder.janua(&["user", "key", "add", "admin@test.com", "backup", "--expires", "1h"]).is(0).out;
    let get = format!("GET /api/admin/activeSessions HTTP/1.1\napiKey: {key}\n");
    let said = folder.janua_with(&get, &["explain", "-"]).is(0);
    assert!(!said.out.contains(key.trim()), "{}", said.out);
    let json = folder.janua_with(&get, &["explain", "-", "--at", "+2h", "--json"]).is(1).json();
    assert!(json["steps"].to_string().contains("wrong-key"), "{json}");
}

#[test]
fn explain_changes_no_file() {
    let folder = samples();
    // A hash of another cost than the configuration's, which a log-in would replace.
    let hash = folder.janua_with("pa55w0rd", &["hash", "--memory-kib", "64"]).is(0).out;
    let mut users: toml::Table = toml::from_str(&folder.read("users.toml")).unwrap();
    let joe = &mut users["user"].as_array_mut().unwrap()[2];
    joe.as_table_mut().unwrap().insert("hash".to_owned(), hash.trim().into());
    folder.write("users.toml", &toml::to_string(&users).unwrap());
    let before = folder.read("users.toml");
    folder.janua_with(&login("joe.bloggs@test.com", "pa55w0rd"), &["explain", "-"]).is(0);
    assert_eq!(folder.read("users.toml"), before);
    let once = folder.janua(&["user", "passwd", "joe.bloggs@test.com", "--one-time"]).is(0).out;
    let before = folder.read("users.toml");
    folder.janua_with(&login("joe.bloggs@test.com", once.trim()), &["explain", "-"]).is(0);
    assert_eq!(folder.read("users.toml"), before, "a one-time password is not used up by asking");
}

#[test]
fn what_is_no_request_is_refused_with_the_form_it_should_have() {
    let folder = samples();
    folder.janua_with("hello", &["explain", "-"]).is(1).complains("GET /path HTTP/1.1");
    folder.janua(&["explain", "nothing.http"]).is(3).complains("nothing.http");
    folder.janua(&["explain", "-", "--at", "soon"]).is(2).complains("2026-01-31T12:00:00Z");
    folder.janua(&["explain", "-", "--client", "somewhere"]).is(2);
}

// --- the whole ----------------------------------------------------------------------------------------------------

#[test]
fn help_version_and_completions_are_there_for_everything() {
    let folder = Folder::new();
    let help = folder.janua(&["--help"]).is(0);
    assert!(help.out.contains("Exit codes:"), "{}", help.out);
    let version = folder.janua(&["--version"]).is(0);
    assert_eq!(version.out.trim(), concat!("janua ", env!("CARGO_PKG_VERSION")));
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        assert!(folder.janua(&["completions", shell]).is(0).out.contains("keyring"), "{shell}");
    }
    for command in [&["init"][..], &["user"], &["user", "add"], &["tenant"], &["keyring"], &["check"], &["explain"]] {
        folder.janua(&[command, &["--help"]].concat()).is(0);
    }
    folder.janua(&["nonsense"]).is(2);
}

#[test]
fn the_manual_names_every_command_and_option() {
    let manual = include_str!("../docs/janua.md");
    let folder = Folder::new();
    let commands: [&[&str]; 17] = [
        &["init"],
        &["user", "add"],
        &["user", "list"],
        &["user", "disable"],
        &["user", "enable"],
        &["user", "passwd"],
        &["user", "import"],
        &["user", "key", "add"],
        &["user", "key", "remove"],
        &["tenant", "add"],
        &["tenant", "list"],
        &["keyring", "new"],
        &["keyring", "show"],
        &["check"],
        &["hash"],
        &["explain"],
        &["completions"],
    ];
    for command in commands {
        let name = format!("janua {}", command.join(" "));
        assert!(manual.contains(&name), "{name}");
        let help = folder.janua(&[command, &["--help"]].concat()).is(0).out;
        let options = help.split([' ', '\n', ',']).filter(|w| w.starts_with("--") && w.len() > 2);
        for option in options.filter(|o| !o.starts_with("--help") && !o.starts_with("--version")) {
            let option = option.trim_end_matches(['.', ':', ';', '`']);
            assert!(manual.contains(option), "{name} {option}");
        }
    }
}

#[test]
fn a_reader_that_goes_away_is_no_panic() {
    let folder = Folder::init();
    let mut child = Command::new(env!("CARGO_BIN_EXE_janua"))
        .args(["completions", "bash"])
        .current_dir(&folder.0)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let said = Said::of(child.wait_with_output().unwrap());
    assert!(!said.err.contains("panicked"), "{}", said.err);
}
