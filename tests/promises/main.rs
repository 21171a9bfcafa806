//! Promises that are easily broken and hard to see, each asked of the whole engine.
//!
//! One test a promise, named for it. What is known of the attacks of others stands in `attacks.rs`, the numbered
//! invariants in `invariants.rs`.

#[path = "../house/mod.rs"]
mod house;

mod hosts;
mod proofs;
mod sessions;
mod tokens;

use house::{Ask, House, VAULT, ask};
use janua::directory::edit;
use janua::engine::Site;
use janua::password::{Hasher, Policy};
use std::sync::Arc;

pub const JOE: (&str, &str) = ("joe.bloggs@test.com", "pa55w0rd");
pub const ADMIN: (&str, &str) = ("admin@test.com", "password");
pub const TOKENS: &str = "/REST/server/authenticationtokens";

/// A profile with needs of several degrees, two kinds of pairs, and a token for administrators.
pub const GRADED: &str = r#"
name = "graded"
[session]
alphabet = "0-9A-F"
length   = 32
idle     = "30m"
absolute = "12h"
cookie   = "sid; Path=/; HttpOnly"
[token]
lifetime = "30d"
[proof.session]
kind = "session"
at   = ["cookie:sid"]
[proof.basic]
kind = "password"
at   = ["auth:Basic"]
[proof.pair]
kind     = "password"
user     = ["header:X-Username"]
password = ["header:X-Password"]
keep     = true
[[endpoint]]
name  = "token"
match = ["POST /token"]
do    = "issue-token"
need  = "role:administrator"
read  = { user = ["json:/user"], password = ["json:/password"] }
ok    = { status = 200, type = "application/json", body = '{"token":{{ token }}}' }
[[endpoint]]
name    = "login"
match   = ["POST /login"]
do      = "login"
proof   = ["session", "basic"]
several = "first"
ok      = { status = 204 }
[[endpoint]]
name  = "admin"
match = ["* /admin/**"]
proof = ["session", "basic", "pair"]
need  = "role:administrator"
[[endpoint]]
name  = "rest"
match = ["* /**"]
proof = ["session", "basic", "pair"]
need  = "user"
extra = { computer = "header:X-Computer" }
"#;

pub fn graded(house: &House, optional: bool) -> Arc<Site> {
    let path = house.folder.join("graded.toml");
    std::fs::write(&path, GRADED).unwrap();
    house.engine.site(path.to_str(), None, optional).unwrap()
}

/// `Authorization: Basic` of the pair.
pub fn basic(request: Ask, (user, password): (&str, &str)) -> Ask {
    use base64::Engine as _;
    let pair = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
    request.header("Authorization", &format!("Basic {pair}"))
}

/// Changes the users file and lets the engine see it.
pub fn edit_users(house: &House, old: &str, new: &str) {
    let path = house.folder.join("users.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(old), "{old}");
    std::fs::write(&path, text.replacen(old, new, 1)).unwrap();
    house.engine.maintain(std::time::Duration::from_millis(5)).unwrap();
}

pub fn mauro_id(house: &House, site: &Site, (user, password): (&str, &str)) -> String {
    house.login(site, user, password).cookie("JSESSIONID").unwrap()
}

pub fn folders(cookies: &str) -> Ask {
    ask("GET", "/api/folders").header("Cookie", cookies)
}

pub fn mfiles_token(house: &House, site: &Site, more: &str) -> String {
    let body = format!(r#"{{"Username":"AlexK","Password":"My Password","VaultGuid":"{VAULT}"{more}}}"#);
    house.ask(site, &ask("POST", TOKENS).json(&body)).json()["Value"].as_str().unwrap().to_owned()
}

pub fn mfiles_session(house: &House, site: &Site, vault: &str) -> String {
    let body = format!(r#"{{"Username":"AlexK","Password":"My Password"{vault}}}"#);
    let reply = house.ask(site, &ask("PUT", "/REST/session").json(&body));
    reply.cookie("ASP.NET_SessionId").unwrap_or_else(|| panic!("{reply:?}"))
}

pub fn choose(id: &str) -> Ask {
    let body = format!(r#"{{"GUID":"{VAULT}"}}"#);
    ask("PUT", "/REST/session/vault").cookie("ASP.NET_SessionId", id).json(&body)
}

/// Gives Joe a password for one log-in.
pub fn give_once(house: &House, password: &str) {
    let policy = Policy { argon2_memory_kib: 64, argon2_passes: 1, argon2_lanes: 1, ..Policy::default() };
    let hash = Hasher::new(policy).unwrap().hash(password.as_bytes()).unwrap();
    edit::set_one_time(&house.folder.join("users.toml"), JOE.0, hash.into()).unwrap();
    house.engine.maintain(std::time::Duration::from_millis(5)).unwrap();
}
