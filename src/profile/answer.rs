//! An answer of a profile: status, type, headers and body, rendered from facts.
//!
//! Compiled with the profile, rendered by the engine. An answer whose type is a page or a program holds no value; all
//! others escape by type.

use super::escape::Escape;
use super::facts::{self, Facts};
use super::place::is_token;
use super::render::{Scope, Templates, Text};
use super::schema::{ANSWER, Fields};
use crate::base::{Reason, Result};

/// The nine outcomes an answer is written for.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Word {
    Ok,
    Refused,
    Locked,
    Busy,
    Malformed,
    Missing,
    Expired,
    Forbidden,
    Conflict,
}

impl Word {
    pub const ALL: [Word; 9] = [
        Word::Ok,
        Word::Refused,
        Word::Locked,
        Word::Busy,
        Word::Malformed,
        Word::Missing,
        Word::Expired,
        Word::Forbidden,
        Word::Conflict,
    ];

    /// As a profile spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Word::Ok => "ok",
            Word::Refused => "refused",
            Word::Locked => "locked",
            Word::Busy => "busy",
            Word::Malformed => "malformed",
            Word::Missing => "missing",
            Word::Expired => "expired",
            Word::Forbidden => "forbidden",
            Word::Conflict => "conflict",
        }
    }

    /// The outcome whose answer stands in when this one is not written.
    pub(super) const fn stand_in(self) -> Option<Word> {
        match self {
            Word::Expired => Some(Word::Missing),
            Word::Missing | Word::Malformed | Word::Locked | Word::Forbidden | Word::Conflict => Some(Word::Refused),
            Word::Ok | Word::Refused | Word::Busy => None,
        }
    }
}

/// What an answer's templates name beyond what the engine knows anyway: only this is fetched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// The user's tenants.
    pub tenants: bool,
    /// A token for each of them.
    pub tenant_tokens: bool,
    /// All live sessions.
    pub sessions: bool,
    /// Whether the session asked about is alive.
    pub target: bool,
    /// A token for the user.
    pub token: bool,
}

/// A complete answer, ready to send. Buffers keep their capacity between uses.
#[derive(Clone, Debug, Default)]
pub struct Rendered {
    pub status: u16,
    /// `Content-Type` first when there is a body. No cookies: those are the engine's.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// An answer. Immutable.
#[derive(Clone, Debug)]
pub struct Answer {
    pub(super) status: u16,
    pub(super) content_type: Option<Box<str>>,
    pub(super) headers: Box<[(Box<str>, Text)]>,
    pub(super) body: Text,
    pub(super) needs: Needs,
    /// The byte of the file it begins at.
    pub(super) at: usize,
}

impl Answer {
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// What must be fetched before it can be rendered.
    pub const fn needs(&self) -> Needs {
        self.needs
    }

    /// Renders into `out`, whose former content is dropped.
    ///
    /// Errors: [`Reason::RenderFailed`] when a template writes a name that `facts` do not hold; the proofs at the build
    /// make this a bug of the caller. `out` is then empty, its status 500.
    pub fn render(&self, facts: &Facts<'_, '_>, out: &mut Rendered) -> std::result::Result<(), Reason> {
        let templates = facts.visit.profile().templates();
        let names = self.texts().flat_map(|text| templates.uses(text));
        let scope = facts::scope(self.status, facts, names);
        let done = self.write(templates, &scope, facts.visit.callback(), out);
        done.map_err(|_| {
            *out = Rendered { status: 500, ..Rendered::default() };
            Reason::RenderFailed
        })
    }

    /// The templates of headers and body.
    pub(super) fn texts(&self) -> impl Iterator<Item = &Text> {
        self.headers.iter().map(|(_, text)| text).chain([&self.body])
    }

    /// Renders with a scope; `callback` wraps a JSON answer (JSONP).
    pub(super) fn write(
        &self,
        templates: &Templates,
        scope: &Scope,
        callback: Option<&str>,
        out: &mut Rendered,
    ) -> std::result::Result<(), String> {
        out.status = self.status;
        out.headers.clear();
        out.body.clear();
        out.body.extend_from_slice(templates.render(&self.body, scope)?.as_bytes());
        let json = self.content_type.as_deref().is_some_and(|kind| Escape::of(kind) == Some(Escape::Json));
        if let Some(kind) = &self.content_type
            && !out.body.is_empty()
        {
            if let Some(callback) = callback.filter(|_| json) {
                out.body.splice(0..0, [b"/**/", callback.as_bytes(), b"("].concat());
                out.body.push(b')');
                out.headers.push(("Content-Type".into(), "application/javascript; charset=utf-8".into()));
                out.headers.push(("X-Content-Type-Options".into(), "nosniff".into()));
            } else {
                out.headers.push(("Content-Type".into(), kind.to_string()));
            }
        }
        for (name, text) in &self.headers {
            if !out.headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
                out.headers.push((name.to_string(), templates.render(text, scope)?));
            }
        }
        Ok(())
    }

    /// The answer where nothing is written for "busy".
    pub(super) fn busy(headers: &[(Box<str>, Text)], templates: &Templates) -> Answer {
        let answer = Answer {
            status: 503,
            content_type: None,
            headers: headers.into(),
            body: Text::Static("".into()),
            needs: Needs::default(),
            at: 0,
        };
        answer.with_needs(templates)
    }

    fn with_needs(mut self, templates: &Templates) -> Answer {
        let mut needs = Needs::default();
        for text in self.texts() {
            for name in templates.uses(text) {
                let table = name.split('.').next().unwrap_or_default();
                needs.tenants |= table == "tenants";
                needs.sessions |= table == "sessions";
                needs.target |= table == "target";
                needs.token |= table == "token";
            }
            needs.tenant_tokens |= needs.tenants && templates.source(text).contains(".token");
        }
        self.needs = needs;
        self
    }
}

/// Compiles the answer under `word` of an endpoint. `common` are the profile's headers; `refused` is what `like` means.
pub(super) fn compile(
    endpoint: &Fields<'_>,
    word: Word,
    common: &[(Box<str>, Text)],
    refused: Option<&Answer>,
    templates: &mut Templates,
) -> Result<Option<Answer>> {
    let Some(fields) = endpoint.table(word.name(), Some(&ANSWER))? else { return Ok(None) };
    let status = fields.number("status")?.ok_or_else(|| fields.error("status", "`status` is missing"))?;
    let status = u16::try_from(status).ok().filter(|s| (200..=599).contains(s));
    let status = status.ok_or_else(|| fields.error("status", "a status is 200 to 599"))?;
    let base = match fields.text("like")? {
        None => None,
        Some("refused") if word != Word::Refused => {
            Some(refused.ok_or_else(|| fields.error("like", "this endpoint has no `refused`"))?)
        }
        Some(other) => return Err(fields.error("like", format!("an answer can only be like `refused`, not `{other}`"))),
    };
    let content_type = match fields.text("type")? {
        Some(text) => Some(content_type(text).map_err(|e| fields.error("type", e))?),
        None => base.and_then(|base| base.content_type.clone()),
    };
    let own = headers(&fields, templates)?;
    let mut headers: Vec<_> = base.map_or(common, |base| &base.headers).to_vec();
    headers.retain(|(name, _)| !own.iter().any(|(new, _)| new.eq_ignore_ascii_case(name)));
    headers.extend(own);
    let body = match (fields.text("body")?, base) {
        (Some(source), _) => body(&fields, source, content_type.as_deref(), templates)?,
        (None, Some(base)) => base.body.clone(),
        (None, None) => Text::Static("".into()),
    };
    if matches!(status, 204 | 304) && body != Text::Static("".into()) {
        return Err(fields.error("body", format!("an answer of status {status} has no body")));
    }
    let answer = Answer { status, content_type, headers: headers.into(), body, needs: Needs::default(), at: fields.at };
    Ok(Some(answer.with_needs(templates)))
}

fn body(fields: &Fields<'_>, source: &str, content_type: Option<&str>, templates: &mut Templates) -> Result<Text> {
    let escape = content_type.map_or(Some(Escape::Text), Escape::of);
    let text = templates.add(escape.unwrap_or(Escape::Text), source).map_err(|e| fields.error("body", e))?;
    match (escape, &text) {
        (None, Text::Live(_)) => Err(fields
            .error("body", "an answer that a browser runs or shows as a page holds no value; leave pages to the host")),
        _ => Ok(text),
    }
}

fn content_type(text: &str) -> std::result::Result<Box<str>, String> {
    let kind = text.split(';').next().unwrap_or_default().trim();
    let parts: Vec<_> = kind.split('/').collect();
    let plain = text.bytes().all(|b| b == b' ' || b.is_ascii_graphic());
    match plain && parts.len() == 2 && parts.iter().all(|p| !p.is_empty() && p.bytes().all(is_token)) {
        true => Ok(text.into()),
        false => Err(format!("`{text}` is no content type")),
    }
}

/// Headers that belong to the engine or to the host's framing.
const RESERVED: [&str; 6] =
    ["set-cookie", "content-type", "content-length", "transfer-encoding", "connection", "trailer"];

/// The `headers` table of `fields`.
pub(super) fn headers(fields: &Fields<'_>, templates: &mut Templates) -> Result<Vec<(Box<str>, Text)>> {
    let Some(table) = fields.table("headers", None)? else { return Ok(Vec::new()) };
    let mut out: Vec<(Box<str>, Text)> = Vec::new();
    for entry in table.table {
        let name = entry.key.as_str();
        let value = table.required(name)?;
        if name.is_empty() || !name.bytes().all(is_token) || RESERVED.iter().any(|r| r.eq_ignore_ascii_case(name)) {
            return Err(table.error(name, format!("`{name}` is no header that a profile may set")));
        }
        if value.chars().any(|c| c.is_control()) || value != value.trim() {
            return Err(table.error(name, "a header has no control characters and no blanks around it"));
        }
        if out.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
            return Err(table.error(name, format!("`{name}` stands twice")));
        }
        out.push((name.into(), templates.add(Escape::Header, value).map_err(|e| table.error(name, e))?));
    }
    Ok(out)
}
