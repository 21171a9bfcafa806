//! The proofs of a profile's answers: each template is rendered with hostile values for every outcome it can meet, and
//! what comes out is parsed as its type and compared, part by part, with what harmless values give.
//!
//! Called once at the end of `profile::compile`. A profile that passes cannot fail to render, and no value can add a
//! member, an element, a header line or another host to an answer.

use super::answer::{Answer, Rendered, Word};
use super::endpoint::{Action, Endpoint, Need, Read};
use super::escape::Escape;
use super::facts::reason_word;
use super::proof::ProofKind;
use super::render::{Datum, Scope, Text};
use super::tree::Source;
use super::{Profile, outline};
use crate::base::{Reason, Result};
use std::collections::HashSet;

/// A value that tries to break out of everything at once.
const HOSTILE: &str =
    "\"'\\</x><evil a=\"1\">]]>&lt;--><!--\r\n\u{0}\u{1b}\u{7f}\u{2028}\u{fffe}{{ 7 }}{% if %}$x%n%s%00,;";
const HARMLESS: &str = "harmless";
/// Values that try to lead a `Location` elsewhere.
const ELSEWHERE: [&str; 6] = [
    "//evil.example/",
    "/\\evil.example",
    "https://evil.example/",
    "@evil.example/",
    ".evil.example",
    ":80@evil.example",
];

/// What a rendering is tried with.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Shape {
    word: Word,
    reason: &'static str,
    user: bool,
    tenant: bool,
    session: bool,
    attributes: bool,
    must_change: bool,
    rows: bool,
    echo: bool,
}

/// Renders every answer of `profile`. Errors name the endpoint, the outcome and the case that fails.
pub(super) fn all(source: &Source<'_>, profile: &Profile) -> Result<()> {
    let reasons = reasons();
    let mut done = HashSet::new();
    for endpoint in &profile.endpoints {
        for word in Word::ALL {
            let Some(answer) = endpoint.answer(word) else { continue };
            for shape in shapes(profile, endpoint, word, answer, &reasons) {
                let key = key(profile, answer, &shape);
                if !done.insert(key) {
                    continue;
                }
                one(profile, endpoint, answer, &shape).map_err(|message| {
                    let case = describe(&shape);
                    let at = if answer.at == 0 { endpoint.at } else { answer.at };
                    source.error(at, format!("endpoint `{}`, `{}`{case}: {message}", endpoint.name, word.name()))
                })?;
            }
        }
    }
    Ok(())
}

fn reasons() -> Vec<&'static str> {
    let mut out: Vec<&'static str> = Vec::new();
    for reason in Reason::ALL {
        let word = reason_word(*reason);
        if !out.contains(&word) {
            out.push(word);
        }
    }
    out
}

type Key = (Vec<Text>, Option<Box<str>>, Option<Word>, &'static str, u8, Vec<Box<str>>);

/// What tells two trials apart: the texts and what they name.
fn key(profile: &Profile, answer: &Answer, shape: &Shape) -> Key {
    let uses = |name: &str| used(profile, answer).any(|known| known == name);
    let bits = [shape.user, shape.tenant, shape.session, shape.attributes, shape.must_change, shape.rows, shape.echo];
    let bits = bits.iter().fold(0, |all, bit| all << 1 | u8::from(*bit));
    let names = answer.headers.iter().map(|(name, _)| name.clone()).collect();
    (
        answer.texts().cloned().collect(),
        answer.content_type.clone(),
        uses("outcome").then_some(shape.word),
        shape.reason,
        bits,
        names,
    )
}

/// The tables and names that an answer uses, without members.
fn used<'a>(profile: &'a Profile, answer: &'a Answer) -> impl Iterator<Item = &'a str> {
    answer.texts().flat_map(|text| profile.templates.uses(text)).map(|name| name.split('.').next().unwrap_or_default())
}

/// Every case that the answer can meet and that its templates can tell apart.
fn shapes(profile: &Profile, endpoint: &Endpoint, word: Word, answer: &Answer, reasons: &[&'static str]) -> Vec<Shape> {
    let names: HashSet<&str> = answer.texts().flat_map(|text| profile.templates.uses(text)).collect();
    let uses = |table: &str| names.iter().any(|name| name.split('.').next() == Some(table));
    let proven = !matches!(endpoint.need, Need::None | Need::Optional | Need::Guest);
    let ok = word == Word::Ok;
    let decoy = ok
        && endpoint.action == Action::IssueToken
        && endpoint.reads(Read::User)
        && profile.token().is_some_and(|t| t.decoy);
    let user = ok
        && !decoy
        && (proven || matches!(endpoint.action, Action::Login | Action::IssueToken | Action::ChooseTenant));
    let tenant = ok && (endpoint.need == Need::Tenant || endpoint.action == Action::ChooseTenant);
    let only_sessions = endpoint.proofs().all(|proof| {
        matches!(proof.kind(), ProofKind::Session | ProofKind::Gate)
            || (proof.keep() && endpoint.action == Action::Pass)
    });
    let session =
        ok && (endpoint.action == Action::Login || (proven && only_sessions && endpoint.action != Action::IssueToken));
    let start = Shape {
        word,
        reason: "none",
        user: true,
        tenant: true,
        session: true,
        attributes: true,
        must_change: false,
        rows: true,
        echo: true,
    };
    let mut out = vec![start];
    let mut vary = |wanted: bool, change: fn(&mut Shape)| {
        if wanted {
            let mut more = out.clone();
            more.iter_mut().for_each(change);
            out.extend(more);
        }
    };
    vary(uses("user") && !user, |shape| shape.user = false);
    vary(uses("tenant") && !tenant, |shape| shape.tenant = false);
    vary(uses("session") && !session, |shape| shape.session = false);
    vary(
        names.iter().any(|name| name.starts_with("user.attr") || *name == "user.email") || uses("sessions"),
        |shape| {
            shape.attributes = false;
        },
    );
    vary(names.contains("user.must_change"), |shape| shape.must_change = true);
    vary(uses("tenants") || uses("sessions"), |shape| shape.rows = false);
    vary(uses("echo") || uses("offered"), |shape| shape.echo = false);
    if uses("reason") {
        let all = out.clone();
        out = reasons.iter().flat_map(|reason| all.iter().map(|shape| Shape { reason, ..*shape })).collect();
    }
    out
}

fn describe(shape: &Shape) -> String {
    let mut out = String::new();
    for (there, what) in [
        (shape.user, "nobody is proven"),
        (shape.tenant, "there is no tenant"),
        (shape.session, "there is no session"),
        (shape.attributes, "the user has no attributes"),
        (shape.rows, "the list is empty"),
        (shape.echo, "there is nothing to repeat"),
    ] {
        if !there {
            out.push_str(if out.is_empty() { " when " } else { " and " });
            out.push_str(what);
        }
    }
    if shape.reason != "none" {
        out.push_str(" with reason ");
        out.push_str(shape.reason);
    }
    out
}

fn one(profile: &Profile, endpoint: &Endpoint, answer: &Answer, shape: &Shape) -> std::result::Result<(), String> {
    let render = |value: &str| {
        let mut out = Rendered::default();
        answer.write(&profile.templates, &scope(profile, endpoint, answer, shape, value), None, &mut out)?;
        Ok::<_, String>(out)
    };
    let harmless = render(HARMLESS)?;
    let hostile = render(HOSTILE)?;
    let kind = answer.content_type.as_deref().map_or(Some(Escape::Text), Escape::of);
    if !hostile.body.is_empty() || !harmless.body.is_empty() {
        outline::compare(kind, &harmless.body, &hostile.body)?;
    }
    for ((name, harmless), (_, hostile)) in harmless.headers.iter().zip(&hostile.headers) {
        if hostile.chars().any(char::is_control) {
            return Err(format!("the header `{name}` holds a control character"));
        }
        if ["location", "content-location", "refresh"].iter().any(|n| name.eq_ignore_ascii_case(n)) {
            for value in ELSEWHERE {
                let headers = render(value)?.headers;
                let led = headers.iter().find(|(other, _)| other == name).map_or("", |(_, value)| value);
                if outline::origin(led) != outline::origin(harmless) {
                    return Err(format!("a value can lead `{name}` to another host; send it through `local` or `url`"));
                }
            }
        }
    }
    Ok(())
}

fn scope(profile: &Profile, endpoint: &Endpoint, answer: &Answer, shape: &Shape, value: &str) -> Scope {
    let text = || Datum::Text(value.to_owned());
    let when = |there: bool, datum: Datum| if there { datum } else { Datum::None };
    let names: Vec<&str> = answer.texts().flat_map(|text| profile.templates.uses(text)).collect();
    let row_user = || user(shape, &[], &text);
    let rows = if shape.rows { 2 } else { 0 };
    let tenant = || vec![("id", text()), ("name", text())];
    let tenants = (0..rows).map(|_| {
        let mut row = tenant();
        row.push(("token", text()));
        Datum::Map(row)
    });
    let sessions = (0..rows).map(|_| {
        Datum::Map(vec![
            ("ref", text()),
            ("last_use", Datum::Int(1)),
            ("created", Datum::Int(1)),
            ("user", row_user()),
            ("last_path", when(shape.attributes, text())),
        ])
    });
    let mut session = vec![("idle_left", Datum::Int(1800)), ("absolute_left", Datum::Int(43200))];
    if endpoint.action == Action::Login && shape.word == Word::Ok {
        session.push(("id", text()));
    }
    let echoes = endpoint.echo.iter().map(|(name, _)| (name.to_string(), when(shape.echo, text())));
    Scope::new(vec![
        ("user", when(shape.user, user(shape, &names, &text))),
        ("session", when(shape.session, Datum::Map(session))),
        ("token", text()),
        ("tenant", when(shape.tenant, Datum::Map(tenant()))),
        ("tenants", Datum::List(tenants.collect())),
        ("sessions", Datum::List(sessions.collect())),
        ("target", Datum::Map(vec![("alive", Datum::Bool(shape.echo))])),
        ("offered", Datum::Map(vec![("user", if shape.echo { text() } else { Datum::Text(String::new()) })])),
        ("echo", Datum::Named(echoes.collect())),
        ("setting", profile.settings.clone()),
        ("path", text()),
        ("method", text()),
        ("status", Datum::Int(i64::from(answer.status))),
        ("outcome", Datum::Text(shape.word.name().into())),
        ("reason", Datum::Text(shape.reason.into())),
        ("reference", text()),
    ])
}

fn user(shape: &Shape, names: &[&str], text: &dyn Fn() -> Datum) -> Datum {
    let attributes = names.iter().filter_map(|name| name.strip_prefix("user.attr."));
    let attributes = attributes.filter(|_| shape.attributes).map(|name| (name.to_owned(), text()));
    let mut out = vec![
        ("id", text()),
        ("name", text()),
        ("full_name", text()),
        ("roles", Datum::List(vec![text(), text()])),
        ("must_change", Datum::Bool(shape.must_change)),
        ("attr", Datum::Named(attributes.collect())),
    ];
    if shape.attributes {
        out.push(("email", text()));
    }
    Datum::Map(out)
}
