//! `janua explain`: how one request would be decided, step by step, and why.
//!
//! It does what a host does: hands over the head first and the body when it is asked for. The words are the engine's and
//! `docs/reasons.md`'s; whatever the request brought in confidence is struck out before anything is printed.

use crate::configuration;
use crate::failure::{Code, Failure};
use crate::live;
use crate::redact::Redactor;
use crate::request::{self, Parsed};
use crate::{Done, files, moment, output, reasons};
use janua::base::Clock;
use janua::engine::{Decision, Engine, Outcome, Site};
use janua::parse::request::{Body, Header, Request};
use serde_json::json;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zeroize::Zeroizing;

const MORE: &str = "\
The file holds a request as it stands on the wire: request line, headers, an empty line, the body. Lines may end in LF.
No secret of it is printed. Sessions of a running host live in that host and are unknown here; tokens, passwords and
API keys are judged as the host would.

Examples:
  janua explain login.http
  janua explain --profile mfiles --prefix /REST --tls --client 192.0.2.7 request.http
  curl -sv https://host/api/models 2>&1 | sed -n 's/^> //p' | janua explain --at 2026-01-31T12:00:00Z -";

#[derive(clap::Args)]
#[command(after_help = MORE)]
pub struct Arguments {
    /// The request; `-` is standard input
    #[arg(value_name = "REQUEST-FILE")]
    file: PathBuf,
    /// The configuration [default: ./janua.toml, then /etc/janua/janua.toml]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Another profile than the configuration's: a built-in name, or a path ending in .toml
    #[arg(long, value_name = "PROFILE")]
    profile: Option<String>,
    /// Another prefix than the configuration's: what the host puts before the profile's paths
    #[arg(long, value_name = "PREFIX")]
    prefix: Option<String>,
    /// Let requests without proof pass, as a host does where the log-in is optional
    #[arg(long)]
    optional: bool,
    /// The address the request came from
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1")]
    client: std::net::IpAddr,
    /// The request arrived over TLS
    #[arg(long)]
    tls: bool,
    /// Decide as of this time: RFC 3339, seconds since 1970, or from now: +30m, -2h
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = moment::any)]
    at: Option<i64>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments) -> Done {
    let request = Parsed::read(&input(&arguments.file)?)?;
    let site = site(arguments)?;
    let mut told = Told { steps: Vec::new(), decision: Decision::new(), redactor: Redactor::new(&request) };
    told.ask(&site, &request, arguments)?;
    match arguments.json {
        true => output::json(&told.as_json())?,
        false => told.print(&request, arguments)?,
    }
    match told.is_let_in() {
        true => Ok(()),
        false => Err(Failure::Told(Code::Refused)),
    }
}

fn input(path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let mut text = Zeroizing::new(Vec::new());
    let limit = request::MAX as u64 + 1;
    let read = match path == Path::new("-") {
        true => std::io::stdin().lock().take(limit).read_to_end(&mut text),
        false => std::fs::File::open(path).and_then(|f| f.take(limit).read_to_end(&mut text)),
    };
    read.map_err(|e| files::failed(path, "the request cannot be read", &e))?;
    match text.len() > request::MAX {
        true => Err(Failure::file(format!("{}: over {} bytes long; is it a request?", path.display(), request::MAX))),
        false => Ok(text),
    }
}

fn site(arguments: &Arguments) -> Result<Arc<Site>, Failure> {
    let (_, mut config) = configuration::read(arguments.config.as_deref())?;
    if let Some(at) = arguments.at {
        config.set_clock(Clock::fake(at));
    }
    let as_file = |e: janua::base::Error| Failure::file(e.message);
    // Nothing that is asked here may log anybody in or out.
    config.set_store_aside();
    let folder = config.store_folder().filter(|_| config.keyring_is_stored());
    let engine = Engine::build(config).map_err(as_file)?;
    let site = engine.site(arguments.profile.as_deref(), arguments.prefix.as_deref(), arguments.optional);
    let site = site.map_err(as_file)?;
    live::enter(folder.as_deref())?;
    engine.attach().map_err(as_file)?;
    Ok(site)
}

/// What was found out.
struct Told {
    steps: Vec<String>,
    decision: Decision,
    redactor: Redactor,
}

impl Told {
    /// Asks once, and a second time with the body when the engine wants it.
    fn ask(&mut self, site: &Site, parsed: &Parsed, arguments: &Arguments) -> Done {
        let client = arguments.client.to_string();
        let headers: Vec<Header<'_>> = parsed.headers.iter().map(|(name, value)| Header { name, value }).collect();
        let mut request = Request {
            method: parsed.method.as_bytes(),
            path: &parsed.path,
            raw_path: &parsed.raw_path,
            query: &parsed.query,
            client: client.as_bytes(),
            headers: &headers,
            body: Body::NotRead,
            secure: arguments.tls,
        };
        self.step(site, &request)?;
        if self.decision.outcome() == Outcome::NeedBody {
            let (limit, length) = (self.decision.body_limit(), parsed.body.len());
            self.steps.push(format!("the host hands over the body, {length} bytes"));
            request.body = if length > limit { Body::TooLarge } else { Body::Given(&parsed.body) };
            self.step(site, &request)?;
        }
        Ok(())
    }

    fn step(&mut self, site: &Site, request: &Request<'_>) -> Done {
        let steps = site.explain(request, &mut self.decision).map_err(|e| Failure::refused(e.message))?;
        self.steps.extend(steps.iter().map(|s| self.redactor.clean(s)));
        Ok(())
    }

    /// Let through, or answered with what was asked for.
    fn is_let_in(&self) -> bool {
        let reason = self.decision.reason() as u32;
        match self.decision.outcome() {
            Outcome::Allow => true,
            Outcome::Answer => (1..100).contains(&reason),
            Outcome::Deny | Outcome::NeedBody | Outcome::WouldBlock => false,
        }
    }

    fn text(&self, bytes: &[u8]) -> String {
        self.redactor.clean(&String::from_utf8_lossy(bytes))
    }

    fn print(&self, request: &Parsed, arguments: &Arguments) -> Done {
        let d = &self.decision;
        let door = if arguments.tls { "over TLS" } else { "without TLS" };
        output::line(format!(
            "request   {} {}, from {} {door}",
            self.text(request.method.as_bytes()),
            self.text(&request.raw_path),
            arguments.client
        ))?;
        let names: Vec<String> = request.headers.iter().map(|(name, _)| named(name)).collect();
        let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        output::line(format!("headers   {names}; a body of {} bytes", request.body.len()))?;
        for (number, step) in self.steps.iter().enumerate() {
            output::line(format!("{:>6}.   {step}", number + 1))?;
        }
        let endpoint = match d.endpoint() {
            b"" => String::new(),
            name => format!(", in the words of endpoint `{}`", self.text(name)),
        };
        let status = if d.http_status() == 0 { String::new() } else { format!(", status {}", d.http_status()) };
        output::line(format!("outcome   {}{status}{endpoint}", meaning(d.outcome())))?;
        if !d.principal().is_empty() {
            output::line(format!("who       {}{}", self.text(d.principal()), self.belongings()))?;
        }
        for (name, value) in d.set_inward() {
            output::line(format!("inward    {}: {}", self.text(name), self.text(value)))?;
        }
        let sent: Vec<String> = d.response().map(|(name, _)| named(name)).collect();
        if !sent.is_empty() || !d.body().is_empty() {
            // Values may be a new session's cookie or a token: names and lengths only.
            let sent = if sent.is_empty() { "no headers".to_owned() } else { sent.join(", ") };
            output::line(format!("sent      {sent}; a body of {} bytes", d.body().len()))?;
        }
        let words = reasons::of(d.reason());
        output::line(format!("reason    {} {}: {}", d.reason() as u32, d.reason().name(), words.happened))?;
        output::line(format!("mend      {}", words.mend))
    }

    fn belongings(&self) -> String {
        let d = &self.decision;
        let mut text = String::new();
        for (what, bytes) in [("roles", d.roles()), ("tenant", d.tenant()), ("session", d.session_ref())] {
            if !bytes.is_empty() {
                text.push_str(&format!(", {what} {}", self.text(bytes)));
            }
        }
        text
    }

    fn as_json(&self) -> serde_json::Value {
        let d = &self.decision;
        let words = reasons::of(d.reason());
        let roles: Vec<String> =
            d.roles().split(|b| *b == b',').filter(|r| !r.is_empty()).map(|r| self.text(r)).collect();
        let inward: serde_json::Map<String, serde_json::Value> =
            d.set_inward().map(|(name, value)| (self.text(name), self.text(value).into())).collect();
        let sent: Vec<String> = d.response().map(|(name, _)| named(name)).collect();
        json!({
            "let_in": self.is_let_in(),
            "outcome": outcome_name(d.outcome()),
            "status": d.http_status(),
            "reason": { "number": d.reason() as u32, "name": d.reason().name(), "happened": words.happened, "mend": words.mend },
            "endpoint": self.text(d.endpoint()),
            "method": self.text(d.method()),
            "path": self.text(d.path()),
            "principal": self.text(d.principal()),
            "roles": roles,
            "tenant": self.text(d.tenant()),
            "session_ref": self.text(d.session_ref()),
            "set_inward": inward,
            "response_headers": sent,
            "response_body_bytes": d.body().len(),
            "steps": self.steps,
        })
    }
}

/// A header's name; names are no secrets.
fn named(name: &[u8]) -> String {
    output::plain(&String::from_utf8_lossy(name))
}

fn outcome_name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Deny => "deny",
        Outcome::Allow => "allow",
        Outcome::Answer => "answer",
        Outcome::NeedBody => "need-body",
        Outcome::WouldBlock => "would-block",
    }
}

fn meaning(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Deny => "DENY: refused",
        Outcome::Allow => "ALLOW: passed on",
        Outcome::Answer => "ANSWER: Janua answers itself",
        Outcome::NeedBody => "NEED_BODY: the body was asked for again, which only happens when the engine is at fault",
        Outcome::WouldBlock => "WOULD_BLOCK: slow work is due",
    }
}
