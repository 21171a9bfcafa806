//! The cases of `tests/profiles/cases-*.toml`: requests, where they belong, what they bring, and what is answered.
//!
//! The files are data so that other doors can read the same cases. A case names only what it wants to be sure of.

use super::*;
use crate::base::Reason;
use crate::directory::{Attr, Tenant, User};
use crate::parse::{Body, Header, Request};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    profile: String,
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    /// `METHOD /path?query`.
    send: String,
    #[serde(default)]
    prefix: String,
    #[serde(default)]
    headers: Vec<String>,
    /// Absent: not read yet.
    body: Option<String>,
    #[serde(default)]
    setting: toml::Table,
    /// Absent: nothing matches.
    endpoint: Option<String>,
    #[serde(default)]
    need_body: bool,
    /// The reason's name.
    refused: Option<String>,
    method: Option<String>,
    path: Option<String>,
    full_path: Option<String>,
    #[serde(default)]
    offers: BTreeMap<String, String>,
    #[serde(default)]
    read: BTreeMap<String, String>,
    tenant: Option<String>,
    #[serde(default)]
    extra: BTreeMap<String, String>,
    answer: Option<Expected>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    word: String,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    user: bool,
    #[serde(default)]
    must_change: bool,
    #[serde(default)]
    in_tenant: bool,
    token: Option<String>,
    session: Option<String>,
    target: Option<bool>,
    #[serde(default)]
    rows: bool,
    /// Absent: DENY, or pass for `ok`.
    status: Option<u16>,
    body: Option<String>,
    #[serde(default)]
    headers: Vec<String>,
}

fn user(must_change: bool) -> User {
    let text = |text: &str| Attr::Text(text.into());
    let attrs = [
        ("firstName", text("Joe")),
        ("lastName", text("Bloggs")),
        ("createdBy", text("admin@test.com")),
        ("UserID", Attr::Int(7)),
    ];
    User {
        id: "c7de1358-a4ce-4d72-abca-04013f7f4acc".into(),
        name: "joe.bloggs@test.com".into(),
        full_name: "Joe Bloggs".into(),
        roles: vec!["administrator".into()],
        attrs: attrs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        must_change,
        ..User::default()
    }
}

fn describe(offer: Option<Offer<'_>>) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match offer {
        None => "nothing".into(),
        Some(Offer::Session(ids)) => ids.iter().map(text).collect::<Vec<_>>().join(" "),
        Some(Offer::Token(value) | Offer::Key(value) | Offer::Gate(value)) => text(&value),
        Some(Offer::Guest) => "guest".into(),
        Some(Offer::Pair(pair)) => {
            let domain = pair.domain.map_or_else(String::new, |domain| format!("{domain}\\"));
            format!("{domain}{}/{}", pair.user, text(&pair.password))
        }
    }
}

fn check(profile: &Profile, case: &Case) {
    let (method, target) = case.send.split_once(' ').unwrap();
    let (raw, query) = target.split_once('?').unwrap_or((target, ""));
    let split = case.headers.iter().map(|line| line.split_once(": ").unwrap());
    let headers: Vec<_> =
        split.map(|(name, value)| Header { name: name.as_bytes(), value: value.as_bytes() }).collect();
    let request = Request {
        method: method.as_bytes(),
        path: raw.as_bytes(),
        raw_path: raw.as_bytes(),
        query: query.as_bytes(),
        client: b"127.0.0.1",
        headers: &headers,
        body: case.body.as_ref().map_or(Body::NotRead, |body| Body::Given(body.as_bytes())),
        secure: true,
    };
    let mut room = Room::new();
    let (visit, reason) = match profile.route(&request, &case.prefix, &mut room) {
        Routed::Nothing => return assert_eq!(case.endpoint, None, "{}: nothing matched", case.name),
        Routed::NeedBody { endpoint, .. } => {
            assert!(case.need_body, "{}: `{endpoint}` asked for the body", case.name);
            return;
        }
        Routed::Visit(visit) => (visit, None),
        Routed::Refused(visit, reason) => (visit, Some(reason)),
    };
    assert!(!case.need_body, "{}: did not ask for the body", case.name);
    assert_eq!(Some(visit.endpoint().name()), case.endpoint.as_deref(), "{}", case.name);
    let refused = reason.or_else(|| first_refusal(&visit));
    assert_eq!(refused.map(Reason::name), case.refused.as_deref(), "{}", case.name);
    if let Some(method) = &case.method {
        assert_eq!(visit.method(), method.as_bytes(), "{}", case.name);
    }
    if let Some(path) = &case.path {
        assert_eq!(std::str::from_utf8(visit.path()).unwrap(), path, "{}", case.name);
    }
    if let Some(path) = &case.full_path {
        assert_eq!(std::str::from_utf8(visit.full_path()).unwrap(), path, "{}", case.name);
    }
    for (name, expected) in &case.offers {
        let proof = visit.endpoint().proofs().find(|proof| proof.name() == name);
        let offer = describe(visit.offers(proof.unwrap_or_else(|| panic!("{}: no {name}", case.name))).unwrap());
        assert_eq!(&offer, expected, "{}: {name}", case.name);
    }
    for (name, expected) in &case.read {
        let what = Read::ALL.into_iter().find(|what| what.name() == name).unwrap();
        assert_eq!(visit.read(what).unwrap().as_deref(), Some(expected.as_str()), "{}: {name}", case.name);
    }
    if let Some(tenant) = &case.tenant {
        assert_eq!(visit.tenant().unwrap().as_deref(), Some(tenant.as_str()), "{}", case.name);
    }
    if !case.extra.is_empty() {
        let extra = visit.extra().map(Result::unwrap).map(|(name, value)| (name.to_owned(), value.into_owned()));
        assert_eq!(extra.collect::<BTreeMap<_, _>>(), case.extra, "{}", case.name);
    }
    if let Some(expected) = &case.answer {
        answer(&visit, reason, expected, &case.name);
    }
}

/// What the engine would find wrong first when it takes the offers.
fn first_refusal(visit: &Visit<'_>) -> Option<Reason> {
    let offers = visit.endpoint().proofs().find_map(|proof| visit.offers(proof).err());
    offers
        .or_else(|| visit.pair().err())
        .or_else(|| visit.extra().find_map(Result::err))
        .or_else(|| visit.tenant().err())
}

fn answer(visit: &Visit<'_>, reason: Option<Reason>, expected: &Expected, name: &str) {
    let word = Word::ALL.into_iter().find(|word| word.name() == expected.word).unwrap();
    let named = |text: &String| Reason::ALL.iter().copied().find(|reason| reason.name() == text.as_str()).unwrap();
    let reason = expected.reason.as_ref().map(named).or(reason).unwrap_or(Reason::Proven);
    let user = user(expected.must_change);
    let tenant = Tenant { id: "{C840BE1A-5B47-4AC0-8EF7-835C166C8E24}".into(), name: "Sample Vault".into() };
    let tenants = [TenantFacts { tenant: &tenant, token: Some("vault-token") }];
    let row = SessionRow {
        reference: "5f2b".into(),
        last_use: 1_483_228_740,
        created: 1_483_228_000,
        user: Some(std::sync::Arc::new(self::user(false))),
        last_path: Some("/api/folders".into()),
    };
    let rows = [row.clone(), row];
    let offered = visit.pair().ok().flatten().map(|pair| pair.user.into_owned());
    let facts = Facts {
        reference: "R-1",
        offered_user: offered.as_deref(),
        user: expected.user.then_some(&user),
        session: expected.session.as_deref().map(|id| SessionFacts {
            id: Some(id),
            idle_left: 1800,
            absolute_left: 43200,
        }),
        token: expected.token.as_deref(),
        tenant: expected.in_tenant.then_some(&tenant),
        tenants: &tenants,
        sessions: if expected.rows { &rows } else { &[] },
        target_alive: expected.target,
        ..Facts::new(visit, word, reason)
    };
    let Some(found) = visit.endpoint().answer(word) else {
        return assert_eq!(expected.status, None, "{name}: there is no answer");
    };
    let mut out = Rendered::default();
    found.render(&facts, &mut out).unwrap();
    assert_eq!(Some(out.status), expected.status, "{name}");
    if let Some(body) = &expected.body {
        assert_eq!(std::str::from_utf8(&out.body).unwrap(), body, "{name}");
    }
    for line in &expected.headers {
        let (header, value) = line.split_once(": ").unwrap();
        let sent = out.headers.iter().find(|(name, _)| name == header).map(|(_, value)| value.as_str());
        assert_eq!(sent, Some(value), "{name}: {header}");
    }
}

fn run(text: &str) {
    let file: File = toml::from_str(text).unwrap();
    let text = BUILTINS.iter().find(|(name, _)| *name == file.profile).unwrap().1;
    let plain = Profile::compile(&file.profile, text, &Overrides::none()).unwrap();
    for case in &file.case {
        match case.setting.is_empty() {
            true => check(&plain, case),
            false => check(&Profile::compile(&file.profile, text, &case.setting.clone().into()).unwrap(), case),
        }
    }
}

#[test]
fn mauro_is_spoken_as_its_sheet_says() {
    run(include_str!("../../tests/profiles/cases-mauro.toml"));
}

#[test]
fn mfiles_is_spoken_as_its_sheet_says() {
    run(include_str!("../../tests/profiles/cases-mfiles.toml"));
}

#[test]
fn a_login_form_is_served_as_its_file_says() {
    run(include_str!("../../tests/profiles/cases-form.toml"));
}

#[test]
fn json_rpc_soap_and_rest_are_told_apart_by_places() {
    run(include_str!("../../tests/profiles/cases-menandmice.toml"));
}

#[test]
fn a_document_in_the_query_and_a_guest_are_served() {
    run(include_str!("../../tests/profiles/cases-mashzone.toml"));
}
