//! The requests of the check path, made once and decided as often as wanted, through Rust and through the C interface.
//!
//! Used by the test that counts allocations, by the one that forbids system calls, and by the bench. Both doors stand
//! before engines of their own with the same configuration; each logs in by itself.

#![allow(dead_code)]

#[path = "../house/mod.rs"]
pub mod house;
pub mod sys;

use house::{Ask, CHEAP, House, VAULT, ask};
use janua::base::Clock;
use janua::base::encoding::base64url;
use janua::crypto::RingPlace;
use janua::crypto::keyring_change::{self, Haste};
use janua::engine::{Audit, Config, Decision, Engine, Outcome, Site};
use janua::parse::{Body, Header, Request};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Profiles that the requests speak: name and what a site is made from.
pub const PROFILES: [(&str, &str); 3] = [("mauro", "mauro"), ("mfiles", "mfiles"), ("menandmice", "menandmice")];

/// A request, and what becomes of it.
pub struct Case {
    pub name: &'static str,
    pub profile: &'static str,
    pub text: Text,
    pub outcome: Outcome,
}

/// A request's texts, as a host has them.
pub struct Text {
    pub ask: Ask,
    pub path: String,
    pub raw_path: String,
    pub query: String,
}

impl Text {
    pub fn new(ask: Ask) -> Text {
        let (raw, query) = ask.target.split_once('?').unwrap_or((&ask.target, ""));
        Text { path: raw.to_owned(), raw_path: raw.to_owned(), query: query.to_owned(), ask }
    }

    fn headers(&self) -> Vec<Header<'_>> {
        self.ask.headers.iter().map(|(n, v)| Header { name: n.as_bytes(), value: v.as_bytes() }).collect()
    }
}

/// What a door said, owned.
pub struct Said {
    pub outcome: i32,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Said {
    /// All cookies that were set, as a browser sends them back.
    fn cookies(&self) -> Vec<String> {
        let set = self.headers.iter().filter(|(name, _)| name == "Set-Cookie");
        set.map(|(_, value)| value.split(';').next().unwrap_or_default().to_owned()).collect()
    }
}

/// A way into an engine.
pub trait Door {
    /// Decides once, with what the request has as its body.
    fn ask(&self, profile: &str, text: &Text, fast: bool) -> Said;
    /// Hands `use_it` a call that decides this one request again and again, FAST, and returns the outcome.
    fn again(&self, case: &Case, use_it: &mut dyn FnMut(&mut dyn FnMut() -> i32));
}

/// The configuration of both doors, with a keyring of a file, as hosts have it.
fn configuration(store: &str, house: &House) -> String {
    let ring = RingPlace::file(house.folder.join("keyring.toml"));
    // Both doors of one house have the same keys.
    ring.create(house::START, None).unwrap();
    format!(
        "[engine]\nsite = 'data.example.org'\n[keyring]\npath = 'keyring.toml'\n[directory]\nusers = 'users.toml'\n{CHEAP}\
         [store]\n{store}\n"
    )
}

/// The door for Rust.
pub struct Rust {
    pub engine: Arc<Engine>,
    pub sites: BTreeMap<&'static str, Arc<Site>>,
}

impl Rust {
    pub fn new(house: &House, clock: Clock, audit: Option<Box<dyn Audit>>) -> Rust {
        Rust::over("kind = 'memory'", house, clock, audit)
    }

    /// Before an engine over the store of these settings.
    pub fn over(store: &str, house: &House, clock: Clock, audit: Option<Box<dyn Audit>>) -> Rust {
        let mut config = Config::new();
        config.read_text("janua.toml", &configuration(store, house), &house.folder).unwrap();
        config.set_clock(clock);
        if let Some(audit) = audit {
            config.set_audit(audit);
        }
        let engine = Engine::build(config).unwrap();
        engine.attach().unwrap();
        // A ring that took another's place is what a host checks with after its first rotation.
        let ring = RingPlace::file(house.folder.join("keyring.toml"));
        keyring_change::rotate(&ring, house::START, Haste::AtOnce).unwrap();
        engine.maintain(Duration::from_millis(1)).unwrap();
        assert!(engine.keyring_generation() > 1);
        let sites = PROFILES.map(|(name, from)| (name, engine.site(Some(from), None, false).unwrap()));
        Rust { engine, sites: sites.into() }
    }
}

impl Door for Rust {
    fn ask(&self, profile: &str, text: &Text, fast: bool) -> Said {
        let headers = text.headers();
        let mut out = Decision::new();
        self.sites[profile].decide(&request(text, &headers), fast, &mut out).unwrap();
        let owned = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Said {
            outcome: out.outcome() as i32,
            headers: out.response().map(|(name, value)| (owned(name), owned(value))).collect(),
            body: owned(out.body()),
        }
    }

    fn again(&self, case: &Case, use_it: &mut dyn FnMut(&mut dyn FnMut() -> i32)) {
        let headers = case.text.headers();
        let request = request(&case.text, &headers);
        let (site, mut out) = (&self.sites[case.profile], Decision::new());
        use_it(&mut || {
            let failed = site.decide(std::hint::black_box(&request), true, &mut out).is_err();
            if failed { -1 } else { out.outcome() as i32 }
        });
    }
}

fn request<'r>(text: &'r Text, headers: &'r [Header<'r>]) -> Request<'r> {
    Request {
        method: text.ask.method.as_bytes(),
        path: text.path.as_bytes(),
        raw_path: text.raw_path.as_bytes(),
        query: text.query.as_bytes(),
        client: text.ask.client.as_bytes(),
        headers,
        body: text.ask.body.as_deref().map_or(Body::NotRead, Body::Given),
        secure: text.ask.secure,
    }
}

/// The requests, after all that they need was done at `door`: logged in, a token issued, pairs known.
pub fn cases(door: &dyn Door) -> Vec<Case> {
    let mut cases = pairs();
    cases.extend(tokens(door));
    cases.extend(sessions(door));
    for case in cases.iter().filter(|case| case.outcome == Outcome::Allow) {
        // Pairs are hashed here, once, and known from then on.
        let said = door.ask(case.profile, &case.text, false);
        assert_eq!(said.outcome, Outcome::Allow as i32, "{}: {}", case.name, said.body);
    }
    cases
}

fn case(name: &'static str, profile: &'static str, ask: Ask, outcome: Outcome) -> Case {
    Case { name, profile, text: Text::new(ask), outcome }
}

/// A request as browsers send it: a few headers that nobody here reads.
fn browser(target: &str) -> Ask {
    ask("GET", target)
        .header("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
        .header("Accept", "application/json, text/plain, */*")
        .header("Accept-Language", "en-GB,en;q=0.5")
        .header("Accept-Encoding", "gzip, deflate, br")
        .header("Connection", "keep-alive")
}

fn sessions(door: &dyn Door) -> Vec<Case> {
    let login = || {
        let body = r#"{"username":"joe.bloggs@test.com","password":"pa55w0rd"}"#;
        let said = door.ask("mauro", &Text::new(ask("POST", "/api/authentication/login").json(body)), false);
        let cookies = said.cookies();
        assert_eq!(cookies.len(), 2, "a session and its companion: {}", said.body);
        cookies
    };
    let [alone, both, dead] = [login(), login(), login()];
    let logout = ask("POST", "/api/authentication/logout").header("Cookie", &dead.join("; "));
    door.ask("mauro", &Text::new(logout), false);
    let folders = || browser("/api/folders?max=10");
    let crowd = format!("theme=dark; {}; {}; lang=en", both[0], both[1]);
    vec![
        case("session cookie", "mauro", folders().header("Cookie", &alone[0]), Outcome::Allow),
        case("session and companion", "mauro", folders().header("Cookie", &both.join("; ")), Outcome::Allow),
        case("session among cookies", "mauro", folders().header("Cookie", &crowd), Outcome::Allow),
        case(
            "encoded query beside it",
            "mauro",
            browser("/api/x?q=a%20b&max=1").header("Cookie", &alone[0]),
            Outcome::Allow,
        ),
        case("anonymous", "mauro", folders(), Outcome::Allow),
        case("dead session", "mauro", folders().header("Cookie", &dead[0]), Outcome::Deny),
    ]
}

fn tokens(door: &dyn Door) -> Vec<Case> {
    let issue = |more: &str| {
        let body = format!(r#"{{"Username":"AlexK","Password":"My Password","VaultGuid":"{VAULT}"{more}}}"#);
        let said = door.ask("mfiles", &Text::new(ask("POST", "/REST/server/authenticationtokens").json(&body)), false);
        let answer: serde_json::Value = serde_json::from_str(&said.body).unwrap();
        answer["Value"].as_str().unwrap().to_owned()
    };
    let token = &*issue("");
    let keeps = issue(r#","ComputerName":"desk-7","ReadOnly":true"#);
    let encoded = VAULT.replace('{', "%7B").replace('}', "%7D");
    let plain = format!("/REST/objects?auth={token}&vault={VAULT}");
    let query = format!("/REST/objects?auth={token}&vault={encoded}&name=a%20b");
    let header = browser("/REST/objects").header("X-Authentication", token).header("X-Vault", VAULT);
    let named_path = format!("/REST/MFWS.ashx?restPath=%2Fobjects&auth={token}");
    let named_method = ask("POST", &format!("/REST/objects?_method=P%55T&auth={token}")).body("", "");
    let named = browser(&plain).header("X-ComputerName", "desk-7");
    vec![
        case("token in a header", "mfiles", header, Outcome::Allow),
        case("token and an extra value", "mfiles", named, Outcome::Allow),
        case(
            "token that keeps values",
            "mfiles",
            browser("/REST/objects").header("X-Authentication", &keeps),
            Outcome::Allow,
        ),
        case("token in the query", "mfiles", browser(&plain), Outcome::Allow),
        case("token in an encoded query", "mfiles", browser(&query), Outcome::Allow),
        case("encoded path in the query", "mfiles", browser(&named_path), Outcome::Allow),
        case("encoded method in the query", "mfiles", named_method, Outcome::Allow),
        case(
            "forged token",
            "mfiles",
            browser("/REST/objects").header("X-Authentication", &"A".repeat(199)),
            Outcome::Deny,
        ),
    ]
}

fn pairs() -> Vec<Case> {
    let headers = browser("/REST/objects").header("X-Username", "AlexK").header("X-Password", "My Password");
    let encoded = VAULT.replace('{', "%7B").replace('}', "%7D");
    let query = format!("/REST/objects?username=AlexK&password=My%20Password&vault={encoded}");
    let basic = |user: &str, password: &str| {
        let pair = base64(format!("{user}:{password}").as_bytes());
        // A body could bring a session: the host has said that there is none.
        browser("/mmws/api/v2/dnsZones").header("Authorization", &format!("Basic {pair}")).body("", "")
    };
    vec![
        case("pair in headers", "mfiles", headers.header("X-Vault", VAULT), Outcome::Allow),
        case("pair in an encoded query", "mfiles", browser(&query), Outcome::Allow),
        case("Basic, a name in lower case", "menandmice", basic("joe.bloggs@test.com", "pa55w0rd"), Outcome::Allow),
        case("Basic, a name with capitals", "menandmice", basic("Aladdin", "OpenSesame"), Outcome::Allow),
    ]
}

/// With padding and the usual alphabet, as `Authorization: Basic` wants it.
fn base64(bytes: &[u8]) -> String {
    let mut text = base64url(bytes).replace('-', "+").replace('_', "/");
    while !text.len().is_multiple_of(4) {
        text.push('=');
    }
    text
}
