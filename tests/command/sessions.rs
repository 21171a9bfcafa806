//! `janua sessions` and `janua revoke`, on the store of a host that runs: this process.

use crate::folder::Folder;
#[cfg(all(unix, feature = "redis"))]
use crate::redis_server;
use janua::base::encoding::hex;
use janua::engine::{Config, Engine, Held, Site};
use std::sync::Arc;

const NOBODY: &str = "0123456789abcdef0123456789abcdef";

/// A configuration with users, its store, and whether a host made it.
struct Host {
    folder: Folder,
    site: Arc<Site>,
    mfiles: Arc<Site>,
}

fn folder(store: &str) -> Folder {
    let folder = Folder::init();
    for name in ["joe.bloggs@test.com", "AlexK"] {
        folder.janua_with("pa55w0rd\n", &["user", "add", name, "--password-stdin"]).is(0);
    }
    let text = folder.read("janua.toml");
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with("kind")).collect();
    let text = lines.join("\n").replace("[store]", &format!("[store]\n{store}"));
    assert!(text.contains(store), "{text}");
    folder.write("janua.toml", &text);
    folder
}

impl Host {
    fn new() -> Host {
        Host::over("kind = \"shared\"\npath = \"state\"")
    }

    fn over(store: &str) -> Host {
        let folder = folder(store);
        let mut config = Config::new();
        config.read_file(&folder.path("janua.toml")).unwrap();
        let engine = Engine::build(config).unwrap();
        engine.attach().unwrap();
        let site = engine.site(Some("mauro"), None, false).unwrap();
        let mfiles = engine.site(Some("mfiles"), None, false).unwrap();
        Host { folder, site, mfiles }
    }

    fn login(&self, name: &str) -> (String, String) {
        let id = self.folder.user(name)["id"].as_str().unwrap().to_owned();
        let session = self.site.session_create(&id, "").unwrap();
        let mut held = Held::default();
        self.site.session_check(session.as_bytes(), false, &mut held).unwrap();
        (session, held.session_ref)
    }

    fn is_in(&self, session: &str) -> bool {
        self.site.session_check(session.as_bytes(), false, &mut Held::default()).is_ok()
    }
}

#[test]
fn sessions_of_a_running_host_are_listed_shown_and_ended_from_outside() {
    listed_shown_and_ended(&Host::new());
}

#[cfg(all(unix, feature = "redis"))]
#[test]
fn and_so_they_are_where_the_store_is_on_a_server() {
    let server = redis_server::RedisServer::start(&[]);
    let store = format!("kind = \"redis\"\nservers = [\"{}\"]\ntimeout = \"5s\"", server.socket_url());
    let unmade = folder(&store);
    unmade.janua(&["sessions", "list"]).is(3).complains("there is no store of this site");
    assert!(unmade.janua(&["check"]).is(0).out.contains("store      redis, not made yet"));
    assert_eq!(server.ask(&["DBSIZE"]), ":0\r\n", "looking makes nothing");
    let host = Host::over(&store);
    listed_shown_and_ended(&host);
    users_keys_and_times(&host);
    assert!(host.folder.janua(&["check"]).is(0).out.contains("store      redis, "));
}

fn listed_shown_and_ended(host: &Host) {
    let [(joe, joes), (alex, alexs)] = ["joe.bloggs@test.com", "AlexK"].map(|name| host.login(name));
    let run = |arguments: &[&str]| host.folder.janua(&[&["sessions"], arguments].concat());
    let listed = run(&["list"]).is(0).out;
    assert!(listed.starts_with("REFERENCE") && listed.contains(&joes) && listed.contains("AlexK"), "{listed}");
    assert!(!listed.contains(&joe) && !listed.contains(&alex), "no id is shown");
    let rows = run(&["list", "--user", "AlexK", "--json"]).is(0).json();
    assert_eq!((rows.as_array().unwrap().len(), &rows[0]["reference"]), (1, &alexs.clone().into()));
    assert_eq!(run(&["list", "--max", "1", "--json"]).is(0).json().as_array().unwrap().len(), 1);
    let shown = run(&["show", &joes, "--json"]).is(0).json();
    assert_eq!((&shown["name"], &shown["reference"]), (&"joe.bloggs@test.com".into(), &joes.clone().into()));
    assert!(run(&["show", &joes]).is(0).out.contains("logged in"));
    run(&["show", NOBODY]).is(4).complains("there is no session");
    run(&["revoke", NOBODY]).is(4).complains("there is no session");
    run(&["revoke", "nonsense"]).is(2).complains("32 hexadecimal digits");
    run(&["revoke", &joes]).is(0);
    assert_eq!((host.is_in(&joe), host.is_in(&alex)), (false, true), "in force when the command has returned");
    run(&["show", &joes]).is(4);
}

#[test]
fn users_keys_and_times_are_revoked_on_a_running_host() {
    users_keys_and_times(&Host::new());
}

fn users_keys_and_times(host: &Host) {
    let revoke = |arguments: &[&str]| host.folder.janua(&[&["revoke"], arguments].concat());
    let id = host.folder.user("AlexK")["id"].as_str().unwrap().to_owned();
    let token = |host: &Host| host.mfiles.token_issue("access", &id, "", "", 0).unwrap();
    let opens = |token: &str| host.mfiles.token_check("access", token.as_bytes(), &mut Held::default()).is_ok();

    let (joe, _) = host.login("joe.bloggs@test.com");
    let ((alex, _), first) = (host.login("AlexK"), token(host));
    revoke(&["--user", "AlexK"]).is(0);
    assert_eq!((host.is_in(&alex), opens(&first), host.is_in(&joe)), (false, false, true));

    let ring = host.folder.janua(&["keyring", "show", "--json"]).is(0).json();
    let (key, second) = (ring["keys"][0]["id"].as_str().unwrap(), token(host));
    revoke(&["--key", &hex(&[9; 8])]).is(0);
    assert!(opens(&second), "another key's");
    revoke(&["--key", key]).is(0);
    assert_eq!((opens(&second), opens(&token(host)), host.is_in(&joe)), (false, true, true));

    revoke(&["--before", "-1h"]).is(0);
    assert!(host.is_in(&joe), "made after that");
    std::thread::sleep(std::time::Duration::from_millis(1100));
    revoke(&["--before", "+1h"]).is(2).complains("has not come yet");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    revoke(&["--before", &now.to_string()]).is(0);
    assert!(!host.is_in(&joe), "made before");
    assert!(host.is_in(&host.login("joe.bloggs@test.com").0) && opens(&token(host)), "who comes anew is let in");
    revoke(&[]).is(2);
    revoke(&["--user", "AlexK", "--before", "-1h"]).is(2);
}

#[test]
fn a_store_that_cannot_be_reached_from_outside_says_so() {
    let memory = folder("kind = \"memory\"");
    memory.janua(&["sessions", "list"]).is(1).complains("inside the host's process");
    let unmade = folder("kind = \"shared\"\npath = \"state\"");
    unmade.janua(&["sessions", "list"]).is(3).complains("there is no store yet");
    unmade.janua(&["revoke", "--user", "AlexK"]).is(3).complains("there is no store yet");
    assert!(!unmade.path("state").exists(), "looking makes nothing");
    let checked = unmade.janua(&["check"]).is(0).out;
    assert!(checked.contains("store      shared, not made yet") && checked.contains("--accept-older"), "{checked}");
    folder("kind = \"shared\"").janua(&["check"]).is(3).complains("needs store.path");
    folder("kind = \"memory\"\npath = \"state\"").janua(&["check"]).is(3).complains("keeps nothing on disk");
}

#[test]
fn check_tells_of_a_made_store_and_of_one_that_a_host_could_not_use() {
    let host = Host::new();
    host.login("AlexK");
    assert!(host.folder.janua(&["check"]).is(0).out.contains("store      shared, 1 session\n"));
    assert_eq!(host.folder.janua(&["check", "--json"]).is(0).json()["store"], "shared");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let state = host.folder.path("state");
        std::fs::set_permissions(&state, PermissionsExt::from_mode(0o755)).unwrap();
        host.folder.janua(&["check"]).is(3).complains("chmod 0700");
    }
}

#[test]
fn an_explanation_neither_reads_nor_changes_the_store_of_a_host() {
    let host = Host::new();
    let (joe, _) = host.login("joe.bloggs@test.com");
    let request =
        format!("POST /api/authentication/logout HTTP/1.1\nHost: data.example.org\nCookie: JSESSIONID={joe}\n\n");
    host.folder.write("logout.http", &request);
    host.folder.janua(&["explain", "logout.http"]);
    assert!(host.is_in(&joe));
}
