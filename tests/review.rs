//! Promises that a second reading found broken, each asked of the whole engine.
//!
//! One test a promise, named for it. What is known of the attacks of others stands in `attacks.rs`, the numbered
//! invariants in `invariants.rs`.

mod house;

use house::{API_KEY, Ask, House, OTHER_VAULT, VAULT, ask};
use janua::base::Reason;
use janua::directory::{Gone, User, edit};
use janua::engine::{Config, Decision, Engine, EventKind, HostDirectory, Outcome, Site};
use janua::parse::Body;
use janua::password::{Hasher, Policy};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

const JOE: (&str, &str) = ("joe.bloggs@test.com", "pa55w0rd");
const ADMIN: (&str, &str) = ("admin@test.com", "password");
const TOKENS: &str = "/REST/server/authenticationtokens";

/// A profile with needs of several degrees, two kinds of pairs, and a token for administrators.
const GRADED: &str = r#"
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

fn graded(house: &House, optional: bool) -> Arc<Site> {
    let path = house.folder.join("graded.toml");
    std::fs::write(&path, GRADED).unwrap();
    house.engine.site(path.to_str(), None, optional).unwrap()
}

/// `Authorization: Basic` of the pair.
fn basic(request: Ask, (user, password): (&str, &str)) -> Ask {
    use base64::Engine as _;
    let pair = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
    request.header("Authorization", &format!("Basic {pair}"))
}

/// Changes the users file and lets the engine see it.
fn edit_users(house: &House, old: &str, new: &str) {
    let path = house.folder.join("users.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(old), "{old}");
    std::fs::write(&path, text.replacen(old, new, 1)).unwrap();
    house.engine.maintain(std::time::Duration::from_millis(5)).unwrap();
}

fn mauro_id(house: &House, site: &Site, (user, password): (&str, &str)) -> String {
    house.login(site, user, password).cookie("JSESSIONID").unwrap()
}

fn folders(cookies: &str) -> Ask {
    ask("GET", "/api/folders").header("Cookie", cookies)
}

fn mfiles_token(house: &House, site: &Site, more: &str) -> String {
    let body = format!(r#"{{"Username":"AlexK","Password":"My Password","VaultGuid":"{VAULT}"{more}}}"#);
    house.ask(site, &ask("POST", TOKENS).json(&body)).json()["Value"].as_str().unwrap().to_owned()
}

fn mfiles_session(house: &House, site: &Site, vault: &str) -> String {
    let body = format!(r#"{{"Username":"AlexK","Password":"My Password"{vault}}}"#);
    let reply = house.ask(site, &ask("PUT", "/REST/session").json(&body));
    reply.cookie("ASP.NET_SessionId").unwrap_or_else(|| panic!("{reply:?}"))
}

fn choose(id: &str) -> Ask {
    let body = format!(r#"{{"GUID":"{VAULT}"}}"#);
    ask("PUT", "/REST/session/vault").cookie("ASP.NET_SessionId", id).json(&body)
}

#[test]
fn a_log_out_ends_every_session_that_came_with_it() {
    let house = House::new();
    let site = house.site("mauro");
    let (joe, other) = (mauro_id(&house, &site, JOE), mauro_id(&house, &site, ADMIN));
    let both = format!("JSESSIONID={joe}; JSESSIONID={other}");
    let reply = house.ask(&site, &ask("GET", "/api/authentication/logout").header("Cookie", &both));
    assert_eq!((reply.status, reply.reason), (204, Reason::LoggedOut));
    for id in [joe, other] {
        let reply = house.ask(&site, &folders(&format!("JSESSIONID={id}")));
        assert_eq!(reply.reason, Reason::SessionRevoked, "log-out was answered as done");
    }
}

#[test]
fn a_log_out_without_the_companion_still_ends_the_session_and_still_asks_where_it_comes_from() {
    let house = House::new();
    let site = house.site("mauro");
    let reply = house.login(&site, JOE.0, JOE.1);
    let (id, companion) = (reply.cookie("JSESSIONID").unwrap(), reply.cookie("__Host-janua-mauro").unwrap());
    let both = format!("JSESSIONID={id}; __Host-janua-mauro={companion}");
    assert!(house.ask(&site, &folders(&both)).allowed());
    let logout = ask("GET", "/api/authentication/logout").cookie("JSESSIONID", &id);
    let foreign = house.ask(&site, &logout.clone().header("Sec-Fetch-Site", "cross-site"));
    assert_eq!(foreign.reason, Reason::CrossSite);
    assert!(house.ask(&site, &folders(&both)).allowed(), "another site logs nobody out");
    assert_eq!(house.ask(&site, &logout).status, 204);
    assert_eq!(house.ask(&site, &folders(&both)).reason, Reason::SessionRevoked);
}

#[test]
fn two_sessions_of_different_users_are_told_as_such_even_where_dead_ones_are_ignored() {
    let house = House::new();
    let site = house.site("mfiles");
    let alex = mfiles_session(&house, &site, "");
    let body = r#"{"Username":"Aladdin","Password":"OpenSesame"}"#;
    let other = house.ask(&site, &ask("PUT", "/REST/session").json(body)).cookie("ASP.NET_SessionId").unwrap();
    let both = format!("ASP.NET_SessionId={alex}; ASP.NET_SessionId={other}");
    let reply = house.ask(&site, &ask("GET", "/REST/session/userid").header("Cookie", &both));
    assert_eq!((reply.status, reply.reason), (403, Reason::SessionConflict));
}

#[test]
fn a_session_that_was_logged_out_does_not_live_on_in_a_request_in_flight() {
    let house = House::new();
    house.crowded.store(true, Ordering::Relaxed);
    let site = house.site("mfiles");
    for round in 0..300 {
        let id = mfiles_session(&house, &site, "");
        let logout = ask("DELETE", "/REST/session").cookie("ASP.NET_SessionId", &id);
        let (chosen, ended) = std::thread::scope(|scope| {
            let chosen = scope.spawn(|| house.ask(&site, &choose(&id)));
            let ended = house.ask(&site, &logout);
            (chosen.join().unwrap(), ended)
        });
        let Some(new) = chosen.cookie("ASP.NET_SessionId") else { continue };
        let alive = house.ask(&site, &ask("GET", "/REST/session/userid").cookie("ASP.NET_SessionId", &new));
        assert!(ended.status != 204 || alive.status != 200, "round {round}: log-out was answered as done");
    }
}

#[test]
fn choosing_a_tenant_moves_no_absolute_end_and_keeps_what_the_session_keeps() {
    let house = House::with("[session]\nidle='50m'\nabsolute='1h'\n");
    let site = house.site("mfiles");
    let id = mfiles_session(&house, &site, "");
    house.clock.advance(2_400);
    let id = house.ask(&site, &choose(&id)).cookie("ASP.NET_SessionId").unwrap();
    let views = ask("GET", "/REST/views").cookie("ASP.NET_SessionId", &id);
    house.clock.advance(1_199);
    assert!(house.ask(&site, &views).allowed(), "3599 s after the log-in");
    house.clock.advance(1);
    assert_eq!(house.ask(&site, &views).status, 403);
    assert_eq!(house.told().last().unwrap().reason, Reason::Missing, "a dead session is a new visitor");
}

#[test]
fn a_new_session_id_goes_out_over_tls_only() {
    let house = House::new();
    let site = house.site("mfiles");
    let id = mfiles_session(&house, &site, "");
    let reply = house.ask(&site, &choose(&id).open_line());
    assert_eq!(reply.reason, Reason::NeedsTls);
    assert!(reply.cookie("ASP.NET_SessionId").is_none());
    assert_eq!(house.ask(&site, &choose(&id)).status, 200, "and nothing has changed");
}

#[test]
fn a_session_leaves_the_tenant_that_its_user_has_left() {
    let house = House::new();
    let site = house.site("mfiles");
    let id = mfiles_session(&house, &site, &format!(r#","VaultGuid":"{VAULT}""#));
    let views = ask("GET", "/REST/views").cookie("ASP.NET_SessionId", &id);
    assert_eq!(house.ask(&site, &views).tenant, VAULT);
    edit_users(&house, &format!("tenants = [\"{VAULT}\"]"), &format!("tenants = [\"{OTHER_VAULT}\"]"));
    assert_eq!(house.ask(&site, &views).reason, Reason::WrongTenant);
    let named = views.clone().header("X-Vault", VAULT);
    assert_eq!(house.ask(&site, &named).reason, Reason::WrongTenant);
    let held = &mut janua::engine::Held::default();
    assert_eq!(site.session_check(id.as_bytes(), false, held), Err(Reason::WrongTenant));
    assert!(house.ask(&site, &views.header("X-Vault", OTHER_VAULT)).allowed(), "the other one is open");
}

#[test]
fn a_token_is_issued_only_to_whom_the_endpoint_needs() {
    let house = House::new();
    let site = graded(&house, false);
    let issue = |(user, password): (&str, &str)| {
        house.ask(&site, &ask("POST", "/token").json(&format!(r#"{{"user":"{user}","password":"{password}"}}"#)))
    };
    assert_eq!(issue(JOE).reason, Reason::Forbidden);
    assert_eq!(issue(ADMIN).reason, Reason::LoggedIn);
}

#[test]
fn a_session_is_no_log_in() {
    let house = House::with("[session]\nidle='50m'\nabsolute='1h'\n");
    let site = graded(&house, false);
    let id = house.ask(&site, &basic(ask("POST", "/login"), JOE)).cookie("sid").unwrap();
    let again = house.ask(&site, &ask("POST", "/login").cookie("sid", &id));
    assert_eq!(again.reason, Reason::Missing, "or it would never end");
    let again = house.ask(&site, &basic(ask("POST", "/login").cookie("sid", &id), JOE));
    assert_eq!((again.status, again.reason), (204, Reason::LoggedIn));
    assert_eq!(house.ask(&site, &ask("GET", "/x").cookie("sid", &id)).reason, Reason::SessionRevoked);
}

#[test]
fn a_one_time_password_is_used_up_by_a_log_in_and_by_no_refusal() {
    let house = House::new();
    let site = house.site("mauro");
    let policy = Policy { argon2_memory_kib: 64, argon2_passes: 1, argon2_lanes: 1, ..Policy::default() };
    let hash = Hasher::new(policy).unwrap().hash(b"once").unwrap();
    edit::set_one_time(&house.folder.join("users.toml"), JOE.0, hash.into()).unwrap();
    house.engine.maintain(std::time::Duration::from_millis(5)).unwrap();
    let other = mauro_id(&house, &site, ADMIN);
    let body = format!(r#"{{"username":"{}","password":"once"}}"#, JOE.0);
    let login = ask("POST", "/api/authentication/login").json(&body);
    assert_eq!(house.ask(&site, &login.clone().cookie("JSESSIONID", &other)).reason, Reason::Occupied);
    assert_eq!(house.ask(&site, &ask("POST", "/api/admin/activeSessions").json(&body)).reason, Reason::Forbidden);
    let reply = house.ask(&site, &login);
    assert_eq!((reply.status, reply.json()["needsToResetPassword"].as_bool()), (200, Some(true)));
    assert_eq!(house.ask(&site, &login).reason, Reason::WrongPassword);
}

#[test]
fn a_one_time_password_opens_once_however_many_come_at_once() {
    let house = House::new();
    house.crowded.store(true, Ordering::Relaxed);
    let (mauro, site) = (house.site("mauro"), graded(&house, false));
    let policy = Policy { argon2_memory_kib: 64, argon2_passes: 1, argon2_lanes: 1, ..Policy::default() };
    let hash = Hasher::new(policy).unwrap().hash(b"once").unwrap();
    edit::set_one_time(&house.folder.join("users.toml"), JOE.0, hash.into()).unwrap();
    house.engine.maintain(std::time::Duration::from_millis(5)).unwrap();
    let opened = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for turn in 0..8 {
            let (house, mauro, site, opened) = (&house, &mauro, &site, &opened);
            scope.spawn(move || {
                let ok = match turn % 2 {
                    0 => house.login(mauro, JOE.0, "once").status == 200,
                    _ => house.ask(site, &basic(ask("GET", "/x"), (JOE.0, "once"))).allowed(),
                };
                opened.fetch_add(u32::from(ok), Ordering::SeqCst);
            });
        }
    });
    assert_eq!(opened.into_inner(), 1);
}

#[test]
fn a_token_made_from_a_token_ends_with_it() {
    let house = House::new();
    let site = house.site("mfiles");
    let first = mfiles_token(&house, &site, r#","Expiration":"2026-01-01T00:10:00Z""#);
    let with = |path: &str, token: &str| house.ask(&site, &ask("GET", path).header("X-Authentication", token));
    let second = with("/REST/session/authenticationtoken", &first).json()["Value"].as_str().unwrap().to_owned();
    let third = with("/REST/server/vaults", &first).json()[0]["Authentication"].as_str().unwrap().to_owned();
    house.clock.advance(599);
    assert!([&first, &second, &third].iter().all(|token| with("/REST/views", token).allowed()));
    house.clock.advance(1);
    for token in [&first, &second, &third] {
        assert_eq!(with("/REST/views", token).reason, Reason::TokenExpired);
    }
}

#[test]
fn a_token_made_from_a_token_is_logged_out_with_it() {
    let house = House::new();
    let site = house.site("mfiles");
    let first = mfiles_token(&house, &site, r#","SessionID":"1""#);
    let with =
        |method: &str, path: &str, token: &str| house.ask(&site, &ask(method, path).header("X-Authentication", token));
    let second = with("GET", "/REST/session/authenticationtoken", &first).json()["Value"].as_str().unwrap().to_owned();
    let third = with("GET", "/REST/server/vaults", &first).json()[0]["Authentication"].as_str().unwrap().to_owned();
    assert!([&second, &third].iter().all(|token| with("GET", "/REST/views", token).allowed()));
    assert_eq!(with("DELETE", "/REST/session", &first).status, 204);
    for token in [&first, &second, &third] {
        assert_eq!(with("GET", "/REST/views", token).reason, Reason::TokenRevoked);
    }
}

#[test]
fn an_optional_log_in_opens_no_place_that_needs_a_role() {
    let house = House::new();
    let site = graded(&house, true);
    assert!(house.ask(&site, &ask("GET", "/x")).allowed());
    assert_eq!(house.ask(&site, &ask("GET", "/admin/x")).reason, Reason::Missing);
    assert_eq!(house.ask(&site, &basic(ask("GET", "/admin/x"), JOE)).reason, Reason::Forbidden);
    assert!(house.ask(&site, &basic(ask("GET", "/admin/x"), ADMIN)).allowed());
}

#[test]
fn a_path_that_others_may_read_otherwise_opens_no_more_than_all_of_it_needs() {
    let house = House::new();
    let site = graded(&house, false);
    for path in ["/open/..;/admin/x", "/open/%2e%2e%2fadmin/x", "/open%2fadmin", "/x\\..\\admin"] {
        let reply = house.ask(&site, &basic(ask("GET", path), JOE));
        assert_eq!(reply.reason, Reason::PathAmbiguous, "{path}");
    }
    let admin = house.ask(&site, &basic(ask("GET", "/open/..;/admin/x"), ADMIN));
    assert!(admin.allowed(), "who may see all of it sees it: {admin:?}");
    assert!(
        house.ask(&house.site("mfiles"), &ask("GET", "/REST/views%2fx").header("X-Authentication", "x")).status == 403
    );
}

#[test]
fn pending_users_are_let_in_by_no_route() {
    let house = House::new();
    let (mauro, site) = (house.site("mauro"), graded(&house, false));
    let id = mauro_id(&house, &mauro, JOE);
    let pair = basic(ask("GET", "/x"), JOE);
    assert!(house.ask(&site, &pair).allowed());
    let token = site.token_issue("access", "0b97751d-b6bf-476c-a9e6-95d3352e8008", "", "", 0).unwrap();
    edit_users(&house, "name = \"joe.bloggs@test.com\"", "name = \"joe.bloggs@test.com\"\npending = true");
    let held = &mut janua::engine::Held::default();
    assert!(!house.ask(&mauro, &folders(&format!("JSESSIONID={id}"))).allowed());
    assert_eq!(house.ask(&site, &pair).reason, Reason::Pending);
    assert!(mauro.session_check(id.as_bytes(), false, held).is_err());
    assert!(site.token_check("access", token.as_bytes(), held).is_err());
    let key = house.ask(&mauro, &ask("GET", "/api/folders").header("apiKey", API_KEY));
    assert_eq!((key.allowed(), key.principal.as_str()), (true, ""), "anonymous");
}

#[test]
fn nothing_outlives_the_memory_of_its_revocation() {
    let house = House::with("[token]\nlifetime='500d'\n");
    let error = house.engine.site(Some("mfiles"), None, false).err().unwrap();
    assert!(error.message.contains("token.lifetime"), "{}", error.message);
    assert!(House::with("[token]\nlifetime='400d'\n").engine.site(Some("mfiles"), None, false).is_ok());
}

#[test]
fn a_script_that_keeps_no_cookie_puts_nobody_out() {
    let house = House::new();
    let site = house.site("mauro");
    let browser = mauro_id(&house, &site, JOE);
    for _ in 0..120 {
        assert!(house.ask(&site, &ask("GET", "/api/folders").header("apiKey", API_KEY)).allowed());
    }
    assert!(house.ask(&site, &folders(&format!("JSESSIONID={browser}"))).allowed());
    assert!(house.engine.session_count() <= 50, "and the cap holds");
}

#[test]
fn only_the_proof_that_keeps_keeps() {
    let house = House::new();
    let site = graded(&house, false);
    let reply = house.ask(&site, &basic(ask("GET", "/x"), JOE));
    assert!(reply.allowed() && reply.cookie("sid").is_none(), "{reply:?}");
    let pair = ask("GET", "/x").header("X-Username", JOE.0).header("X-Password", JOE.1);
    assert!(house.ask(&site, &pair).cookie("sid").is_some());
}

#[test]
fn a_cookie_is_cleared_with_the_attributes_it_was_set_with() {
    let house = House::new();
    let site = house.site("mauro");
    let set = house.login(&site, JOE.0, JOE.1);
    let id = set.cookie("JSESSIONID").unwrap();
    let cleared = house.ask(&site, &ask("GET", "/api/authentication/logout").cookie("JSESSIONID", &id));
    let attributes = |reply: &house::Reply| -> Vec<Vec<String>> {
        let cookies = reply.headers.iter().filter(|(name, _)| name == "Set-Cookie");
        let part = |text: &str| text.trim().to_owned();
        cookies.map(|(_, value)| value.split(';').skip(1).map(part).collect()).collect()
    };
    let end = ["Max-Age=0".to_owned(), "Expires=Thu, 01 Jan 1970 00:00:00 GMT".to_owned()];
    let expected: Vec<_> = attributes(&set).into_iter().map(|all| [all, end.to_vec()].concat()).collect();
    assert_eq!(attributes(&cleared), expected);
    assert_eq!(expected.len(), 2);
}

#[test]
fn a_name_refused_without_a_look_is_told_as_a_digest_too() {
    let house = House::new();
    let site = graded(&house, false);
    for turn in 0..7 {
        house.ask(&site, &basic(ask("GET", "/x"), (JOE.0, &format!("wrong {turn}"))));
    }
    let told = house.told();
    assert_eq!(told.last().unwrap().reason, Reason::Throttled);
    let names: std::collections::BTreeSet<_> = told.iter().map(|t| t.principal.as_str()).collect();
    assert!(names.len() == 1 && names.iter().all(|name| name.starts_with('~')), "{names:?}");
}

#[test]
fn an_extra_value_goes_inward_once() {
    let house = House::new();
    let site = graded(&house, false);
    let kept = house.ask(
        &site,
        &ask("GET", "/x").header("X-Username", JOE.0).header("X-Password", JOE.1).header("X-Computer", "one"),
    );
    let id = kept.cookie("sid").unwrap();
    let named = |reply: house::Reply| -> Vec<String> {
        reply.inward.into_iter().filter(|(name, _)| name == "X-Extra-computer").map(|(_, value)| value).collect()
    };
    assert_eq!(named(kept), ["one"]);
    assert_eq!(named(house.ask(&site, &ask("GET", "/x").cookie("sid", &id))), ["one"]);
    let two = ask("GET", "/x").cookie("sid", &id).header("X-Computer", "two");
    assert_eq!(named(house.ask(&site, &two)), ["two"], "the request's own wins");
    let hop = ask("GET", "/x").cookie("sid", &id).header("Connection", "x-extra-computer");
    assert_eq!(house.ask(&site, &hop).reason, Reason::ConnectionHeader);
}

#[test]
fn an_alarm_is_raised_when_it_begins_and_not_every_second() {
    let house = House::new();
    house.clock.step_wall(7_200);
    for _ in 0..5 {
        house.engine.maintain(std::time::Duration::from_millis(1)).unwrap();
    }
    assert_eq!(house.told().iter().filter(|t| t.kind == EventKind::Alarm).count(), 1);
    house.clock.step_wall(-7_200);
    house.engine.maintain(std::time::Duration::from_millis(1)).unwrap();
    house.clock.step_wall(7_200);
    house.engine.maintain(std::time::Duration::from_millis(1)).unwrap();
    assert_eq!(house.told().iter().filter(|t| t.kind == EventKind::Alarm).count(), 2, "another jump");
}

#[test]
fn the_hash_of_a_disabled_user_is_not_renewed() {
    let cost = "[password]\nmemory_kib = 128\npasses = 1\nlanes = 1\nplaces = 4\nwait = '10s'\n";
    let house = House::with(cost);
    let site = house.site("mauro");
    let text = || std::fs::read_to_string(house.folder.join("users.toml")).unwrap();
    let before = text();
    assert_eq!(house.login(&site, "gone@test.com", "pa55w0rd").reason, Reason::Disabled);
    assert_eq!(text(), before, "it would tell by its time that the password was right");
    assert_eq!(house.login(&site, JOE.0, JOE.1).status, 200);
    assert_ne!(text(), before, "others' are");
}

/// A host that verifies passwords itself and knows users by names that are not their ids.
#[derive(Default)]
struct Ldap {
    checks: Arc<AtomicU32>,
    disabled: Arc<AtomicBool>,
}

impl HostDirectory for Ldap {
    fn lookup(&self, name: &str) -> Result<Option<User>, Gone> {
        let user = |id: &str, roles: &[&str]| User {
            id: id.to_owned(),
            name: format!("{name} as displayed"),
            roles: roles.iter().map(|r| (*r).to_owned()).collect(),
            ..User::default()
        };
        Ok(match name {
            "joe" => Some(User { disabled: self.disabled.load(Ordering::SeqCst), ..user("17", &[]) }),
            "root" => Some(user("1", &["administrator"])),
            _ => None,
        })
    }

    fn check(&self, _user: &str, password: &[u8]) -> Option<Result<bool, Gone>> {
        self.checks.fetch_add(1, Ordering::SeqCst);
        Some(Ok(password == b"right"))
    }
}

fn ldap(house: &House, host: Ldap) -> Arc<Site> {
    let mut config = Config::new();
    let text = "[engine]\nsite='data.example.org'\n[keyring]\npath='ephemeral'\n";
    config.read_text("janua.toml", text, &house.folder).unwrap();
    config.set_directory(Box::new(host));
    config.set_clock(house.clock.clone());
    config.set_audit(Box::new(house.ears.clone()));
    let engine = Engine::build(config).unwrap();
    engine.attach().unwrap();
    engine.site(Some("mauro"), None, false).unwrap()
}

#[test]
fn a_host_that_verifies_by_itself_is_asked_for_unknown_names_as_for_known_ones() {
    let house = House::new();
    let host = Ldap::default();
    let checks = host.checks.clone();
    let site = ldap(&house, host);
    assert_eq!(house.login(&site, "joe", "wrong").reason, Reason::WrongPassword);
    assert_eq!(checks.load(Ordering::SeqCst), 1);
    assert_eq!(house.login(&site, "nobody", "right").reason, Reason::UnknownUser, "and never let in by it");
    assert_eq!(checks.load(Ordering::SeqCst), 2, "what it costs is the host's to make alike");
}

#[test]
fn a_host_that_knows_names_only_logs_nobody_out_after_a_minute() {
    let house = House::new();
    let site = ldap(&house, Ldap::default());
    let id = mauro_id(&house, &site, ("joe", "right"));
    for _ in 0..3 {
        house.clock.advance(120);
        assert!(house.ask(&site, &folders(&format!("JSESSIONID={id}"))).allowed());
    }
}

#[test]
fn a_list_of_sessions_shows_those_of_users_who_are_gone() {
    let house = House::new();
    let host = Ldap::default();
    let disabled = host.disabled.clone();
    let site = ldap(&house, host);
    mauro_id(&house, &site, ("joe", "right"));
    let root = mauro_id(&house, &site, ("root", "right"));
    disabled.store(true, Ordering::SeqCst);
    house.clock.advance(120);
    let list = house.ask(&site, &ask("GET", "/api/admin/activeSessions").cookie("JSESSIONID", &root));
    assert_eq!((list.outcome, list.status), (Outcome::Answer, 200), "{list:?}");
    assert_eq!(list.json()["items"].as_array().unwrap().len(), 2);
}

#[test]
fn an_announced_wait_has_noted_no_companion() {
    let house = House::new();
    let site = house.site("mauro");
    let reply = house.login(&site, JOE.0, JOE.1);
    let (id, companion) = (reply.cookie("JSESSIONID").unwrap(), reply.cookie("__Host-janua-mauro").unwrap());
    let both = format!("JSESSIONID={id}; __Host-janua-mauro={companion}");
    let mut out = Decision::new();
    let logout = ask("GET", "/api/authentication/logout").header("Cookie", &both);
    house::decide(&site, &logout, Body::NotRead, true, &mut out);
    assert_eq!(out.outcome(), Outcome::WouldBlock);
    assert!(house.ask(&site, &folders(&format!("JSESSIONID={id}"))).allowed(), "as if it had not been asked");
    assert!(house.ask(&site, &folders(&both)).allowed());
    assert_eq!(house.ask(&site, &folders(&format!("JSESSIONID={id}"))).reason, Reason::CompanionMissing);
}

#[test]
fn a_body_beyond_the_limit_is_not_looked_at_even_when_it_is_given() {
    let house = House::with("");
    let site = house.site("mauro");
    let long = format!(r#"{{"username":"{}","password":"{}","x":"{}"}}"#, JOE.0, JOE.1, "y".repeat(70_000));
    let mut out = Decision::new();
    house::decide(&site, &ask("POST", "/api/authentication/login"), Body::Given(long.as_bytes()), true, &mut out);
    assert_eq!((out.outcome(), out.reason()), (Outcome::Answer, Reason::TooLarge));
}
