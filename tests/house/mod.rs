//! A small house for tests: an engine over the sample users with a fake clock, and a host that asks it as hosts must.
//!
//! [`House::ask`] plays a host with an event loop: FAST first, the body when it is asked for, and only then the slow
//! call; it checks on the way that FAST never counts, audits or asks twice.

#![allow(dead_code)]

#[path = "../redis_server/mod.rs"]
pub mod redis_server;

use janua::base::{Clock, Reason};
use janua::engine::{Audit, Config, Decision, Engine, Event, EventKind, Outcome, Site};
use janua::parse::{Body, Header, Request};
use janua::password::{Hasher, Policy};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

/// 2026-01-01T00:00:00Z.
pub const START: i64 = 1_767_225_600;
pub const VAULT: &str = "{C840BE1A-5B47-4AC0-8EF7-835C166C8E24}";
pub const OTHER_VAULT: &str = "{11111111-2222-4333-8444-555555555555}";
pub const API_KEY: &str = "3a2c1b7e-0d4f-4a58-9c66-5f0e1d2c3b4a";

/// An event as it was told.
#[derive(Clone, Debug)]
pub struct Told {
    pub kind: EventKind,
    pub reason: Reason,
    pub principal: String,
    pub session_ref: String,
    pub all: String,
}

#[derive(Clone, Default)]
pub struct Ears(pub Arc<Mutex<Vec<Told>>>);

impl Audit for Ears {
    fn event(&self, event: &Event<'_>) {
        self.0.lock().unwrap().push(Told {
            kind: event.kind,
            reason: event.reason,
            principal: event.principal.to_owned(),
            session_ref: event.session_ref.to_owned(),
            all: format!("{event:?}"),
        });
    }
}

pub struct House {
    pub engine: Arc<Engine>,
    pub clock: Clock,
    pub folder: PathBuf,
    pub ears: Ears,
    /// Others ask at the same time, so that events cannot be told apart.
    pub crowded: AtomicBool,
}

/// What a host got, owned.
#[derive(Clone, Debug)]
pub struct Reply {
    pub outcome: Outcome,
    pub reason: Reason,
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub inward: Vec<(String, String)>,
    pub body: String,
    pub principal: String,
    pub tenant: String,
    pub session_ref: String,
    pub path: String,
    pub method: String,
    pub query: String,
}

impl Reply {
    /// The value of a cookie that was set, without its attributes.
    pub fn cookie(&self, name: &str) -> Option<String> {
        let start = format!("{name}=");
        self.headers
            .iter()
            .filter(|(n, _)| n == "Set-Cookie")
            .find_map(|(_, v)| v.strip_prefix(&start))
            .map(|v| v.split(';').next().unwrap_or_default().to_owned())
    }

    pub fn inward(&self, name: &str) -> Option<&str> {
        self.inward.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.body))
    }

    pub fn allowed(&self) -> bool {
        self.outcome == Outcome::Allow
    }
}

/// A request in the making.
#[derive(Clone)]
pub struct Ask {
    pub method: String,
    pub target: String,
    /// The path as routed, where it is not simply the decoded target.
    pub routed: Option<String>,
    pub headers: Vec<(String, String)>,
    pub body: Option<Vec<u8>>,
    pub client: String,
    pub secure: bool,
}

pub fn ask(method: &str, target: &str) -> Ask {
    Ask {
        method: method.into(),
        target: target.into(),
        routed: None,
        headers: vec![("Host".into(), "data.example.org".into())],
        body: None,
        client: "203.0.113.7".into(),
        secure: true,
    }
}

impl Ask {
    pub fn header(mut self, name: &str, value: &str) -> Ask {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub fn body(mut self, kind: &str, body: impl Into<Vec<u8>>) -> Ask {
        if !kind.is_empty() {
            self.headers.push(("Content-Type".into(), kind.into()));
        }
        self.body = Some(body.into());
        self
    }

    pub fn json(self, body: &str) -> Ask {
        self.body("application/json", body)
    }

    pub fn cookie(self, name: &str, value: &str) -> Ask {
        self.header("Cookie", &format!("{name}={value}"))
    }

    pub fn from(mut self, client: &str) -> Ask {
        self.client = client.into();
        self
    }

    pub fn open_line(mut self) -> Ask {
        self.secure = false;
        self
    }

    pub fn routed(mut self, path: &str) -> Ask {
        self.routed = Some(path.into());
        self
    }
}

fn decoded(raw: &str) -> String {
    let bytes = raw.as_bytes();
    let mut out = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let hex = bytes.get(at + 1..at + 3).and_then(|h| std::str::from_utf8(h).ok());
        match (bytes[at], hex.and_then(|h| u8::from_str_radix(h, 16).ok())) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 3;
            }
            (byte, _) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Cheap to compute, so that a test suite may log in thousands of times. Never for people.
pub const CHEAP: &str = "[password]\nmemory_kib = 64\npasses = 1\nlanes = 1\nplaces = 4\nwait = '10s'\n";

/// One for the whole program: each house has a keyring of its own, and so finds nothing of another's.
static SERVER: OnceLock<redis_server::RedisServer> = OnceLock::new();

/// The store of the configuration: the default one, or the one that `JANUA_TEST_STORE` names, so that whole test programs
/// can be run over each.
pub fn store() -> String {
    match std::env::var("JANUA_TEST_STORE").as_deref() {
        Err(_) | Ok("memory") => String::new(),
        Ok("shared") => "[store]\nkind = 'shared'\npath = 'state'\n".to_owned(),
        Ok("redis") => {
            let server = SERVER.get_or_init(|| redis_server::RedisServer::start(&[]));
            format!("[store]\nkind = 'redis'\nservers = ['{}']\ntimeout = '5s'\n", server.socket_url())
        }
        Ok(other) => panic!("JANUA_TEST_STORE={other} is no store"),
    }
}

fn hash(password: &str) -> String {
    let policy = Policy { argon2_memory_kib: 64, argon2_passes: 1, argon2_lanes: 1, ..Policy::default() };
    Hasher::new(policy).unwrap().hash(password.as_bytes()).unwrap()
}

fn users() -> &'static str {
    static USERS: OnceLock<String> = OnceLock::new();
    USERS.get_or_init(|| {
        let digest = {
            use std::fmt::Write;
            let digest = ring::digest::digest(&ring::digest::SHA256, API_KEY.as_bytes());
            digest.as_ref().iter().fold(String::new(), |mut out, b| {
                let _ = write!(out, "{b:02x}");
                out
            })
        };
        format!(
            r#"format = 1
[[tenant]]
id = "{VAULT}"
name = "Sample Vault"
[[tenant]]
id = "{OTHER_VAULT}"
name = "Other Vault"
[[user]]
id = "6f0e0d7a-6b0b-4a39-9d7e-0f3c5b6a7c81"
name = "AlexK"
tenants = ["{VAULT}"]
generation = 1
hash = "{}"
[[user]]
id = "0b97751d-b6bf-476c-a9e6-95d3352e8008"
name = "joe.bloggs@test.com"
email = "joe.bloggs@test.com"
full_name = "Joe Bloggs"
generation = 1
hash = "{}"
attrs = {{ firstName = "Joe", lastName = "Bloggs", createdBy = "admin@test.com" }}
[[user.api_key]]
name = "script"
digest = "{digest}"
[[user]]
id = "2f1a3b44-5566-4778-8899-aabbccddeeff"
name = "admin@test.com"
roles = ["administrator"]
generation = 1
hash = "{}"
[[user]]
id = "7d3c2b1a-9988-4766-8554-433221100fee"
name = "Aladdin"
generation = 1
hash = "{}"
[[user]]
id = "aaaaaaaa-0000-4000-8000-000000000001"
name = "gone@test.com"
generation = 1
disabled = true
hash = "{}"
[[user]]
id = "aaaaaaaa-0000-4000-8000-000000000002"
name = "someName"
generation = 1
pending = true
hash = "{}"
"#,
            hash("My Password"),
            hash("pa55w0rd"),
            hash("password"),
            hash("OpenSesame"),
            hash("pa55w0rd"),
            hash("pw"),
        )
    })
}

impl House {
    /// A house with more configuration put after the usual.
    pub fn with(more: &str) -> House {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("janua-house-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("users.toml");
        std::fs::write(&path, users()).unwrap();
        #[cfg(unix)]
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let clock = Clock::fake(START);
        let ears = Ears::default();
        let mut config = Config::new();
        let cheap = if more.contains("[password]") { "" } else { CHEAP };
        let store = if more.contains("[store]") { String::new() } else { store() };
        let text = format!(
            "[engine]\nsite = 'data.example.org'\n[keyring]\npath = 'ephemeral'\n[directory]\nusers = 'users.toml'\n{cheap}{store}{more}"
        );
        config.read_text("janua.toml", &text, &folder).unwrap();
        config.set_clock(clock.clone());
        config.set_audit(Box::new(ears.clone()));
        let engine = Engine::build(config).unwrap();
        engine.attach().unwrap();
        House { engine, clock, folder, ears, crowded: AtomicBool::new(false) }
    }

    pub fn new() -> House {
        House::with("")
    }

    pub fn site(&self, profile: &str) -> Arc<Site> {
        self.engine.site(Some(profile), None, false).unwrap()
    }

    pub fn told(&self) -> Vec<Told> {
        self.ears.0.lock().unwrap().clone()
    }

    fn is_silent_since(&self, events: usize) -> bool {
        self.crowded.load(Ordering::Relaxed) || self.ears.0.lock().unwrap().len() == events
    }

    /// Asks as an event-driven host must.
    pub fn ask(&self, site: &Site, ask: &Ask) -> Reply {
        let mut decision = Decision::new();
        let before = self.ears.0.lock().unwrap().len();
        let mut body = Body::NotRead;
        decide(site, ask, body, true, &mut decision);
        if decision.outcome() == Outcome::NeedBody {
            assert!(self.is_silent_since(before), "NEED_BODY tells nothing");
            let bytes = ask.body.as_deref().unwrap_or_default();
            body = if bytes.len() > decision.body_limit() { Body::TooLarge } else { Body::Given(bytes) };
            decide(site, ask, body, true, &mut decision);
            assert_ne!(decision.outcome(), Outcome::NeedBody, "the body is asked for once");
        }
        if decision.outcome() == Outcome::WouldBlock {
            assert!(self.is_silent_since(before), "WOULD_BLOCK tells nothing");
            decide(site, ask, body, false, &mut decision);
            assert_ne!(decision.outcome(), Outcome::WouldBlock, "a call that may wait waits");
        }
        reply(&decision)
    }

    pub fn login(&self, site: &Site, user: &str, password: &str) -> Reply {
        let body = serde_json::json!({"username": user, "password": password}).to_string();
        self.ask(site, &ask("POST", "/api/authentication/login").json(&body))
    }
}

impl Drop for House {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// One call, as it is.
pub fn decide(site: &Site, ask: &Ask, body: Body<'_>, fast: bool, out: &mut Decision) {
    let (raw, query) = ask.target.split_once('?').unwrap_or((&ask.target, ""));
    let routed = ask.routed.clone().unwrap_or_else(|| decoded(raw));
    let headers: Vec<Header<'_>> =
        ask.headers.iter().map(|(n, v)| Header { name: n.as_bytes(), value: v.as_bytes() }).collect();
    let request = Request {
        method: ask.method.as_bytes(),
        path: routed.as_bytes(),
        raw_path: raw.as_bytes(),
        query: query.as_bytes(),
        client: ask.client.as_bytes(),
        headers: &headers,
        body,
        secure: ask.secure,
    };
    site.decide(&request, fast, out).unwrap();
}

pub fn reply(decision: &Decision) -> Reply {
    let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
    Reply {
        outcome: decision.outcome(),
        reason: decision.reason(),
        status: decision.http_status(),
        headers: decision.response().map(|(n, v)| (text(n), text(v))).collect(),
        inward: decision.set_inward().map(|(n, v)| (text(n), text(v))).collect(),
        body: text(decision.body()),
        principal: text(decision.principal()),
        tenant: text(decision.tenant()),
        session_ref: text(decision.session_ref()),
        path: text(decision.path()),
        method: text(decision.method()),
        query: text(decision.query()),
    }
}
