//! `janua explain`.

use crate::folder::{Folder, Said};

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
    assert!(folder.read("users.toml") == before, "no hash is made anew by asking");
    let once = folder.janua(&["user", "passwd", "joe.bloggs@test.com", "--one-time"]).is(0).out;
    let before = folder.read("users.toml");
    folder.janua_with(&login("joe.bloggs@test.com", once.trim()), &["explain", "-"]).is(0);
    assert!(folder.read("users.toml") == before, "a one-time password is not used up by asking");
}

#[test]
fn what_is_no_request_is_refused_with_the_form_it_should_have() {
    let folder = samples();
    folder.janua_with("hello", &["explain", "-"]).is(1).complains("GET /path HTTP/1.1");
    folder.janua(&["explain", "nothing.http"]).is(3).complains("nothing.http");
    folder.janua(&["explain", "-", "--at", "soon"]).is(2).complains("2026-01-31T12:00:00Z");
    folder.janua(&["explain", "-", "--client", "somewhere"]).is(2);
}
