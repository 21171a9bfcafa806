//! A door in this process: an engine on a folder of its own, an upstream that says what it was told, a clock to move.

use crate::file::{Step, fill};
use janua::base::Clock;
use janua::crypto::keyring::Keyring;
use janua::engine::{Audit, Config, Decision, Engine, Event, Outcome, Site};
use janua::parse::header::canonical;
use janua::parse::{Body, Header, Request};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// When every scenario begins.
const START: i64 = 1_772_323_200;

/// What came back.
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
    pub told: bool,
    pub reason: &'static str,
    /// Everything that went to the upstream, to the audit and outward in the clear, to look for secrets in.
    pub seen: String,
}

impl Answer {
    fn refused_by_host(status: u16) -> Answer {
        Answer { status, headers: Vec::new(), body: String::new(), told: false, reason: "", seen: String::new() }
    }
}

#[derive(Clone, Default)]
struct Events(Arc<Mutex<Vec<String>>>);

impl Audit for Events {
    fn event(&self, event: &Event<'_>) {
        self.0.lock().unwrap().push(format!("{event:?}"));
    }
}

/// The folder of a door, removed with it.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub struct Door {
    folder: Folder,
    clock: Clock,
    events: Events,
    engine: Arc<Engine>,
    site: Arc<Site>,
    decision: Decision,
}

impl Door {
    /// Lays the folder and starts.
    pub fn open(scenarios: &Path, config: &str, name: &str) -> Door {
        let folder = Folder(Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id())));
        let _ = fs::remove_dir_all(&folder.0);
        fs::create_dir_all(&folder.0).unwrap();
        for (from, to) in [(format!("{config}.toml"), "janua.toml"), ("users.toml".to_owned(), "users.toml")] {
            let to = folder.0.join(to);
            fs::copy(scenarios.join("config").join(from), &to).unwrap();
            fs::set_permissions(&to, fs::Permissions::from_mode(0o600)).unwrap();
        }
        Keyring::create(&folder.0.join("keyring.toml"), START, None).unwrap();
        let (clock, events) = (Clock::fake(START), Events::default());
        let (engine, site) = build(&folder.0, &clock, &events);
        Door { folder, clock, events, engine, site, decision: Decision::new() }
    }

    /// Another process in the same place: nothing of this one's memory goes over.
    pub fn restart(&mut self) {
        (self.engine, self.site) = build(&self.folder.0, &self.clock, &self.events);
    }

    pub fn wait(&self, seconds: i64) {
        self.clock.advance(seconds);
        self.engine.maintain(Duration::from_millis(50)).unwrap();
    }

    pub fn now(&self) -> i64 {
        self.clock.now().unix()
    }

    /// Sends the request of a step, as a host would.
    pub fn send(&mut self, step: &Step, folder: &Path, known: &BTreeMap<String, String>) -> Result<Answer, String> {
        let now = self.now();
        let put = |text: &str| Ok::<_, String>(bytes(&fill(text, known, now)?, step.latin1));
        let send = put(step.send.as_deref().ok_or("no request")?)?;
        let body = match &step.body_file {
            Some(name) => fs::read(folder.join(name)).map_err(|error| format!("{name}: {error}"))?,
            None => put(&step.body)?,
        };
        let lines = step.headers.iter().map(|line| put(line)).collect::<Result<Vec<_>, _>>()?;
        let mut headers: Vec<(Vec<u8>, Vec<u8>)> = lines.iter().map(|line| split(line, b':')).collect();
        let host = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(b"host"));
        if !host {
            headers.insert(0, (b"Host".to_vec(), known["host"].clone().into_bytes()));
        }
        let control = |value: &[u8]| value.iter().any(|b| (*b < 32 && *b != b'\t') || *b == 127);
        let (method, target) = split(&send, b' ');
        let (raw_path, query) = split(&target, b'?');
        let Some(path) = routed(&raw_path).filter(|_| !headers.iter().any(|(n, v)| control(n) || control(v))) else {
            return Ok(Answer::refused_by_host(400));
        };
        let headers: Vec<Header<'_>> =
            headers.iter().map(|(name, value)| Header { name, value: value.trim_ascii() }).collect();
        let client = step.client.as_deref().unwrap_or("127.0.0.1").as_bytes();
        let request = Request {
            method: &method,
            path: &path,
            raw_path: &raw_path,
            query: &query,
            client,
            headers: &headers,
            body: Body::NotRead,
            secure: false,
        };
        self.decide(&request, &body)
    }

    /// FAST first, the body only when it is asked for, and waiting only when that is announced.
    fn decide(&mut self, request: &Request<'_>, body: &[u8]) -> Result<Answer, String> {
        let before = self.events.0.lock().unwrap().len();
        let mut request = *request;
        for fast in [true, false, true, false] {
            if self.decision.outcome() == Outcome::NeedBody && request.body == Body::NotRead && !fast {
                continue;
            }
            let told = self.site.decide(&request, fast, &mut self.decision);
            told.map_err(|error| format!("decide failed: {error:?}"))?;
            let audited = self.events.0.lock().unwrap().len() - before;
            match self.decision.outcome() {
                Outcome::WouldBlock | Outcome::NeedBody if audited != 0 => {
                    return Err("an unfinished decision was audited".into());
                }
                Outcome::WouldBlock if fast => continue,
                Outcome::NeedBody if request.body == Body::NotRead => {
                    let fits = body.len() <= self.decision.body_limit();
                    request.body = if fits { Body::Given(body) } else { Body::TooLarge };
                }
                Outcome::Allow | Outcome::Deny | Outcome::Answer if audited == 0 => {
                    return Err("a decision was not audited".into());
                }
                Outcome::Allow | Outcome::Deny | Outcome::Answer => return Ok(self.answer(&request, before)),
                other => return Err(format!("{other:?} where a decision was due")),
            }
        }
        Err("asked for the body, or to wait, without end".into())
    }

    fn answer(&self, request: &Request<'_>, before: usize) -> Answer {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let decision = &self.decision;
        let told = decision.outcome() == Outcome::Allow;
        let headers = decision.response().map(|(name, value)| (text(name), text(value))).collect();
        let body = if told { self.upstream(request) } else { text(decision.body()) };
        let seen = self.events.0.lock().unwrap()[before..].join("\n") + if told { &body } else { "" };
        let status = if told { 200 } else { decision.http_status() };
        Answer { status, headers, body, told, reason: decision.reason().name(), seen }
    }

    /// What an upstream sees that folds names as CGI does: the request's headers, less those to strip, and those set.
    fn upstream(&self, request: &Request<'_>) -> String {
        let strip = self.site.strip_list();
        let mut seen: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let brought = request.headers.iter().map(|header| (header.name, header.value));
        let kept = brought.filter(|(name, _)| !strip.contains(&canonical(name)));
        for (name, value) in kept.chain(self.decision.set_inward()) {
            seen.entry(canonical(name)).or_default().push(String::from_utf8_lossy(value).into_owned());
        }
        let one = |name: &str| seen.get(name).map(|values| values.join(",")).unwrap_or_default();
        let roles = one("x_roles");
        let roles: Vec<&str> = roles.split(',').filter(|role| !role.is_empty()).collect();
        let extra: BTreeMap<&str, String> =
            seen.keys().filter_map(|name| Some((name.strip_prefix("x_extra_")?, one(name)))).collect();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        serde_json::json!({
            "user": one("x_user"), "id": one("x_user_id"), "roles": roles, "tenant": one("x_tenant"),
            "session": one("x_session_ref"), "extra": extra, "method": text(self.decision.method()), "path": text(self.decision.path()),
        })
        .to_string()
    }
}

fn build(folder: &Path, clock: &Clock, events: &Events) -> (Arc<Engine>, Arc<Site>) {
    let mut config = Config::new();
    config.set_clock(clock.clone());
    config.set_audit(Box::new(events.clone()));
    config.read_file(&folder.join("janua.toml")).unwrap();
    let engine = Engine::build(config).unwrap();
    engine.attach().unwrap();
    let site = engine.site(None, None, false).unwrap();
    (engine, site)
}

fn bytes(text: &str, latin1: bool) -> Vec<u8> {
    if latin1 { text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect() } else { text.as_bytes().to_vec() }
}

fn split(bytes: &[u8], at: u8) -> (Vec<u8>, Vec<u8>) {
    match bytes.iter().position(|b| *b == at) {
        Some(place) => (bytes[..place].to_vec(), bytes[place + 1..].to_vec()),
        None => (bytes.to_vec(), Vec::new()),
    }
}

/// The path as servers route it: decoded once, dots and doubled slashes resolved; `None` where a server says 400.
fn routed(raw: &[u8]) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(raw.len());
    let mut at = 0;
    while at < raw.len() {
        if raw[at] == b'%' {
            let digits = std::str::from_utf8(raw.get(at + 1..at + 3)?).ok()?;
            decoded.push(u8::from_str_radix(digits, 16).ok()?);
            at += 3;
        } else {
            decoded.push(raw[at]);
            at += 1;
        }
    }
    if decoded.first() != Some(&b'/') || decoded.contains(&0) {
        return None;
    }
    let mut parts: Vec<&[u8]> = Vec::new();
    let last = decoded.rsplit(|b| *b == b'/').next().unwrap_or_default();
    for part in decoded.split(|b| *b == b'/') {
        match part {
            b"" | b"." => {}
            b".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    let mut path = parts.iter().flat_map(|part| [b"/".as_slice(), part]).flatten().copied().collect::<Vec<u8>>();
    if path.is_empty() || matches!(last, b"" | b"." | b"..") {
        path.push(b'/');
    }
    Some(path)
}
