//! Bytes to a request: a line of switches, a request line, headers, an empty line, a body, as text one can read.
//!
//! ```text
//! 3000                          profile, door, flow, plant: '0' is the first of each
//! GET /api/folders?x=1          method and target as received
//! >/api/folders                 the path as routed, where it is not simply the decoded one
//! Sec-Fetch-Site: none
//!
//! body
//! ```
//!
//! `$n`, `$r` and `$0` stand for the bytes that cannot stand in a line, `$$` for `$`. Where the plant is [`LOOSE`],
//! `$s`, `$t`, `$p`, `$b` and `$k` stand for a live session, a token, the password, the Basic pair and the API key.

use super::host::{ADMIN, ALADDIN, Host, PROFILES};
use super::sys::Asked;

const LOOSE: u8 = 15;

const CLIENTS: [&[u8]; 4] = [b"203.0.113.7", b"2001:db8::7", b"10.1.2.3", b"\xffunix:"];

/// How the host goes about it.
#[derive(Clone, Copy, PartialEq)]
pub enum Flow {
    /// FAST first, the body when asked for, and only then a call that may wait.
    Events,
    /// May wait; the body when asked for.
    Waits,
    /// The body at once.
    Whole,
    /// The body is found too large.
    TooLarge,
    /// A flag that nobody knows.
    Misuse,
}

/// What an input asks for.
pub struct Input {
    pub profile: usize,
    pub door: usize,
    pub flow: Flow,
    pub asked: Asked,
    pub body: Vec<u8>,
    /// Sessions that were made for this input.
    pub made: Vec<(usize, String)>,
    /// Whose live credentials are in the request.
    pub owners: Vec<&'static str>,
    /// What must not come back, and whether it may where the client wrote it itself.
    pub secrets: Vec<String>,
    pub loose: bool,
}

impl Input {
    /// Nothing for what names no switches, and for an input that has a secret of this process in it: libFuzzer listens to
    /// comparisons and writes what it hears into inputs, and then the client has it from where no client could.
    pub fn read(data: &[u8], host: &Host) -> Option<Input> {
        if [&host.password, &host.key, &host.token].into_iter().any(|secret| super::holds(data, secret)) {
            return None;
        }
        let (switches, rest) = super::super::first_line(data);
        let [profile, door, flow, plant] = switches.first_chunk::<4>()?.map(|byte| byte.wrapping_sub(b'0'));
        let flows = [Flow::Events, Flow::Waits, Flow::Whole, Flow::TooLarge, Flow::Misuse];
        let mut input = Input {
            profile: usize::from(profile) % PROFILES.len(),
            door: usize::from(door >> 1 & 3) % 3,
            flow: flows[usize::from(flow) % flows.len()],
            asked: Asked { flags: u32::from(door & 1 == 0), ..Asked::default() },
            body: Vec::new(),
            made: Vec::new(),
            owners: Vec::new(),
            secrets: Vec::new(),
            loose: plant & 15 == LOOSE,
        };
        input.asked.client = CLIENTS[usize::from(door >> 3 & 3)].to_vec();
        input.request(rest, host);
        input.plant(plant & 15, host);
        Some(input)
    }

    fn request(&mut self, text: &[u8], host: &Host) {
        let (line, mut rest) = super::super::first_line(text);
        let space = line.iter().position(|&byte| byte == b' ').unwrap_or(line.len());
        self.asked.method = self.expand(&line[..space], None);
        let target = self.expand(line.get(space + 1..).unwrap_or_default(), Some(host));
        let question = target.iter().position(|&byte| byte == b'?').unwrap_or(target.len());
        self.asked.raw_path = target[..question].to_vec();
        self.asked.query = target.get(question + 1..).unwrap_or_default().to_vec();
        let mut room = vec![0; question];
        let decoded = janua::parse::path::decode_once(&self.asked.raw_path, &mut room);
        self.asked.path = decoded.unwrap_or(&self.asked.raw_path).to_vec();
        while let (line, after) = super::super::first_line(rest)
            && !line.is_empty()
        {
            rest = after;
            match line.strip_prefix(b">") {
                Some(routed) => self.asked.path = self.expand(routed, Some(host)),
                None => self.header(line, host),
            }
        }
        self.body = self.expand(rest.get(1..).unwrap_or_default(), Some(host));
    }

    fn header(&mut self, line: &[u8], host: &Host) {
        let colon = line.iter().position(|&byte| byte == b':').unwrap_or(line.len());
        let value = line.get(colon + 1..).unwrap_or_default();
        let name = self.expand(&line[..colon], None);
        let value = self.expand(value.strip_prefix(b" ").unwrap_or(value), Some(host));
        self.asked.headers.push((name, value));
    }

    /// Fills in what stands behind `$`; credentials only where `host` is given.
    fn expand(&mut self, text: &[u8], host: Option<&Host>) -> Vec<u8> {
        let mut out = Vec::with_capacity(text.len());
        let mut bytes = text.iter();
        while let Some(&byte) = bytes.next() {
            if byte != b'$' {
                out.push(byte);
                continue;
            }
            match (bytes.next(), host.filter(|_| self.loose)) {
                (Some(b'n'), _) => out.push(b'\n'),
                (Some(b'r'), _) => out.push(b'\r'),
                (Some(b'0'), _) => out.push(0),
                (Some(b's'), Some(host)) => out.extend(self.session(host, ALADDIN).bytes()),
                (Some(b't'), Some(host)) => out.extend(self.secret(&host.token).bytes()),
                (Some(b'p'), Some(host)) => out.extend(self.secret(&host.password).bytes()),
                (Some(b'b'), Some(host)) => out.extend(self.secret(&host.basic()).bytes()),
                (Some(b'k'), Some(host)) => out.extend(self.secret(&host.key).bytes()),
                (other, _) => out.push(*other.unwrap_or(&b'$')),
            }
        }
        out
    }

    /// A live session of `owner`; one for each input, however often it stands there.
    fn session(&mut self, host: &Host, owner: &'static str) -> String {
        if let Some((_, id)) = self.made.first().filter(|_| self.loose) {
            return id.clone();
        }
        let id = host.session(self.profile, owner);
        self.made.push((self.profile, id.clone()));
        self.owners.push(owner);
        self.secrets.push(id.clone());
        id
    }

    fn secret(&mut self, secret: &str) -> String {
        self.owners.push(ALADDIN);
        self.secrets.push(secret.to_owned());
        secret.to_owned()
    }

    fn add(&mut self, name: &str, value: &str) {
        self.asked.headers.push((name.into(), value.into()));
    }

    fn ask(&mut self, name: &str, value: &str) {
        if !self.asked.query.is_empty() {
            self.asked.query.push(b'&');
        }
        self.asked.query.extend(format!("{name}={value}").bytes());
    }

    /// Puts a credential where the profile reads one.
    fn plant(&mut self, kind: u8, host: &Host) {
        match kind {
            1 => {
                let id = self.session(host, ALADDIN);
                self.add_session(&id);
            }
            2 if self.profile != 3 => {
                let id = host.session(self.profile, ALADDIN);
                host.end(self.profile, &id);
                self.add_session(&id);
            }
            3 => {
                let there = if self.profile == 0 { 4 } else { 0 };
                let id = host.session(there, ALADDIN);
                self.secrets.push(id.clone());
                self.made.push((there, id.clone()));
                self.add_session(&id);
            }
            4 => {
                let token = self.own_token(host);
                self.add("X-Authentication", &token);
            }
            5 => {
                let token = self.own_token(host);
                self.ask("auth", &token);
            }
            6 => self.add_pair(host),
            7 if self.profile == 0 => {
                let key = self.secret(&host.key);
                self.add("apiKey", &key);
            }
            8 => {
                let password = self.secret(&host.password);
                self.log_in("Aladdin", &password);
            }
            9 => {
                let password = self.secret(&host.password);
                let names = [("x", "x"), ("username", "password"), ("x", "x"), ("loginName", "password")];
                let (user, pass) = *names.get(self.profile).unwrap_or(&("presto_username", "presto_password"));
                self.ask(user, "Aladdin");
                self.ask(pass, &password);
            }
            10 => {
                let id = self.session(host, ALADDIN);
                if PROFILES[self.profile] != "menandmice" {
                    // There a parameter proves nothing.
                    self.owners.clear();
                }
                self.ask(if PROFILES[self.profile] == "menandmice" { "session" } else { "sessionId" }, &id);
            }
            11 if self.profile == 0 => {
                let id = self.session(host, ALADDIN);
                self.owners.clear();
                self.asked.path = format!("/api/session/isAuthenticated/{id}").into();
                self.asked.raw_path = self.asked.path.clone();
            }
            12 if self.profile != 3 => {
                let id = self.session(host, ADMIN);
                self.add_session(&id);
            }
            13 if self.profile < 3 => {
                // Typed where the name belongs. It is nobody's name.
                self.secrets.push(host.password.clone());
                self.log_in(&host.password, "x");
            }
            14 if self.profile != 3 => {
                let (one, two) = (self.session(host, ALADDIN), self.session(host, ADMIN));
                self.add_session(&one);
                self.add_session(&two);
            }
            _ => {}
        }
    }

    /// Good at one profile only; a secret at all of them.
    fn own_token(&mut self, host: &Host) -> String {
        let token = self.secret(&host.token);
        if PROFILES[self.profile] != "mfiles" {
            self.owners.clear();
        }
        token
    }

    fn add_session(&mut self, id: &str) {
        let cookie = ["JSESSIONID", "ASP.NET_SessionId", "sid", "", "JSESSIONID"][self.profile];
        match cookie {
            "" => self.add("Authorization", &format!("Bearer {id}")),
            name => self.add("Cookie", &format!("{name}={id}")),
        }
    }

    fn add_pair(&mut self, host: &Host) {
        let password = self.secret(&host.password);
        match PROFILES[self.profile] {
            "mfiles" => {
                self.add("X-Username", "Aladdin");
                self.add("X-Password", &password);
            }
            "menandmice" | "mashzone" => {
                let basic = self.secret(&host.basic());
                self.add("Authorization", &format!("Basic {basic}"));
            }
            _ => self.log_in("Aladdin", &password),
        }
    }

    /// The body of the profile's own log-in.
    fn log_in(&mut self, user: &str, password: &str) {
        let (kind, body) = match PROFILES[self.profile] {
            "form" => ("application/x-www-form-urlencoded", format!("user={user}&password={password}")),
            "mfiles" => ("application/json", format!(r#"{{"Username":"{user}","Password":"{password}"}}"#)),
            "menandmice" => ("application/json", format!(r#"{{"loginName":"{user}","password":"{password}"}}"#)),
            "mashzone" => {
                ("application/x-www-form-urlencoded", format!("presto_username={user}&presto_password={password}"))
            }
            _ => ("application/json", format!(r#"{{"username":"{user}","password":"{password}"}}"#)),
        };
        self.add("Content-Type", kind);
        self.body = body.into();
    }
}
