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
            let case = Case::of(profile, endpoint, word, answer, &reasons);
            if done.contains(&case) {
                continue;
            }
            for shape in shapes(&case) {
                one(profile, &case, answer, &shape).map_err(|message| {
                    let when = describe(&shape);
                    let at = if answer.at == 0 { endpoint.at } else { answer.at };
                    source.error(at, format!("endpoint `{}`, `{}`{when}: {message}", endpoint.name, word.name()))
                })?;
            }
            done.insert(case);
        }
    }
    Ok(())
}

/// What tells the trials of two answers apart: their texts, what they name, and what is certain to be there.
#[derive(PartialEq, Eq, Hash)]
struct Case<'a> {
    texts: Vec<&'a Text>,
    headers: Vec<&'a str>,
    content_type: Option<&'a str>,
    /// What the texts name, with members, in order.
    names: Vec<&'a str>,
    echoes: Vec<&'a str>,
    /// The outcome, if the texts tell it from the others.
    word: Option<Word>,
    /// The reasons that the texts tell from the others.
    reasons: Vec<&'static str>,
    user: bool,
    tenant: bool,
    session: bool,
    /// The answer shows a new session's id.
    login: bool,
}

impl<'a> Case<'a> {
    fn of(
        profile: &'a Profile,
        endpoint: &'a Endpoint,
        word: Word,
        answer: &'a Answer,
        reasons: &[&'static str],
    ) -> Case<'a> {
        let proven = !matches!(endpoint.need, Need::None | Need::Optional | Need::Guest);
        let ok = word == Word::Ok;
        let reads = endpoint.reads(Read::User);
        let decoy = endpoint.action == Action::IssueToken && reads && profile.token().is_some_and(|token| token.decoy);
        let makes = matches!(endpoint.action, Action::Login | Action::IssueToken | Action::ChooseTenant);
        let only_sessions = endpoint.proofs().all(|proof| matches!(proof.kind(), ProofKind::Session | ProofKind::Gate));
        let login = ok && endpoint.action == Action::Login;
        let mut names: Vec<&str> = answer.texts().flat_map(|text| profile.templates.uses(text)).collect();
        names.sort_unstable();
        names.dedup();
        Case {
            texts: answer.texts().collect(),
            headers: answer.headers.iter().map(|(name, _)| name.as_ref()).collect(),
            content_type: answer.content_type.as_deref(),
            word: (names.contains(&"outcome") && mentions(profile, answer, word.name())).then_some(word),
            reasons: match names.contains(&"reason") {
                true => reasons.iter().copied().filter(|reason| mentions(profile, answer, reason)).collect(),
                false => Vec::new(),
            },
            names,
            echoes: endpoint.echo.iter().map(|(name, _)| name.as_ref()).collect(),
            user: ok && !decoy && (proven || makes),
            tenant: ok && (endpoint.need == Need::Tenant || endpoint.action == Action::ChooseTenant),
            session: login || (ok && proven && only_sessions && endpoint.action == Action::Answer),
            login,
        }
    }

    /// Whether a text names `table` or a member of it.
    fn uses(&self, table: &str) -> bool {
        self.names.iter().any(|name| name.split('.').next() == Some(table))
    }
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

/// Whether a text of the answer holds `word` in quotes. Words that it does not hold are all alike to it.
fn mentions(profile: &Profile, answer: &Answer, word: &str) -> bool {
    answer.texts().any(|text| {
        let source = profile.templates.source(text);
        source.match_indices(word).any(|(at, _)| {
            let around = |at: Option<usize>| at.and_then(|at| source.as_bytes().get(at)).copied();
            let quote = |byte| matches!(byte, Some(b'"' | b'\''));
            quote(around(at.checked_sub(1))) && quote(around(Some(at + word.len())))
        })
    })
}

/// Every case that the answer can meet and that its templates can tell apart.
fn shapes(case: &Case<'_>) -> Vec<Shape> {
    let start = Shape {
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
    let attributes = case.names.iter().any(|name| name.starts_with("user.attr") || *name == "user.email");
    vary(case.uses("user") && !case.user, |shape| shape.user = false);
    vary(case.uses("tenant") && !case.tenant, |shape| shape.tenant = false);
    vary(case.uses("session") && !case.session, |shape| shape.session = false);
    vary(attributes || case.uses("sessions"), |shape| shape.attributes = false);
    vary(case.names.contains(&"user.must_change"), |shape| shape.must_change = true);
    vary(case.uses("tenants") || case.uses("sessions"), |shape| shape.rows = false);
    vary(case.uses("echo") || case.uses("offered") || case.uses("target"), |shape| shape.echo = false);
    let all = out.clone();
    for reason in &case.reasons {
        out.extend(all.iter().map(|shape| Shape { reason, ..*shape }));
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

fn one(profile: &Profile, case: &Case<'_>, answer: &Answer, shape: &Shape) -> std::result::Result<(), String> {
    let render = |value: &str| {
        let mut out = Rendered::default();
        answer.write(&profile.templates, &scope(profile, case, answer, shape, value), None, &mut out)?;
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

/// What the answer sees, every text of it being `value`. Only what it names is made.
fn scope(profile: &Profile, case: &Case<'_>, answer: &Answer, shape: &Shape, value: &str) -> Scope {
    let text = || Datum::Text(value.to_owned());
    let when = |there: bool, datum: Datum| if there { datum } else { Datum::None };
    let tenant = || vec![("id", text()), ("name", text())];
    let rows = if shape.rows { 2 } else { 0 };
    let mut names: Vec<(&'static str, Datum)> = Vec::new();
    let mut add = |name: &'static str, make: &dyn Fn() -> Datum| {
        if case.uses(name) {
            names.push((name, make()));
        }
    };
    add("user", &|| when(shape.user, user(shape, &case.names, value)));
    add("session", &|| {
        let mut session = vec![("idle_left", Datum::Int(1800)), ("absolute_left", Datum::Int(43200))];
        if case.login {
            session.push(("id", text()));
        }
        when(shape.session, Datum::Map(session))
    });
    add("token", &text);
    add("tenant", &|| when(shape.tenant, Datum::Map(tenant())));
    add("tenants", &|| {
        let row = || Datum::Map([tenant(), vec![("token", text())]].concat());
        Datum::List((0..rows).map(|_| row()).collect())
    });
    add("sessions", &|| Datum::List((0..rows).map(|_| session_row(shape, value)).collect()));
    add("target", &|| Datum::Map(vec![("alive", Datum::Bool(shape.echo))]));
    add("offered", &|| {
        Datum::Map(vec![("user", Datum::Text(if shape.echo { value.to_owned() } else { String::new() }))])
    });
    add("echo", &|| {
        Datum::Named(case.echoes.iter().map(|name| (name.to_string(), when(shape.echo, text()))).collect())
    });
    add("setting", &|| profile.settings.clone());
    add("path", &text);
    add("method", &text);
    add("status", &|| Datum::Int(i64::from(answer.status)));
    add("outcome", &|| Datum::Text(case.word.map_or("", Word::name).into()));
    add("reason", &|| Datum::Text(shape.reason.into()));
    add("reference", &text);
    Scope::new(names)
}

fn session_row(shape: &Shape, value: &str) -> Datum {
    let text = || Datum::Text(value.to_owned());
    Datum::Map(vec![
        ("ref", text()),
        ("last_use", Datum::Int(1)),
        ("created", Datum::Int(1)),
        ("user", user(shape, &[], value)),
        ("last_path", if shape.attributes { text() } else { Datum::None }),
    ])
}

fn user(shape: &Shape, names: &[&str], value: &str) -> Datum {
    let text = || Datum::Text(value.to_owned());
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
