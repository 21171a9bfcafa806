//! The facts of one request from which an answer is rendered, and how templates see them.
//!
//! Filled by the engine. Only what a template names is copied. Nothing here holds a secret but the new session id and
//! the new token, which are for this client.

use super::answer::Word;
use super::render::{Datum, Scope};
use super::visit::Visit;
use crate::base::Reason;
use crate::directory::{Attr, Tenant, User};
use std::sync::Arc;

/// What is known when an answer is rendered. No `Debug`: it holds a new session's id or a new token.
#[derive(Clone)]
pub struct Facts<'a, 'r> {
    pub visit: &'a Visit<'r>,
    pub word: Word,
    pub reason: Reason,
    /// Names the audit event, so that an operator finds it.
    pub reference: &'a str,
    /// The user name as offered, proven or not.
    pub offered_user: Option<&'a str>,
    /// Who was proven.
    pub user: Option<&'a User>,
    pub session: Option<SessionFacts<'a>>,
    /// The new token.
    pub token: Option<&'a str>,
    /// The tenant that the request names or the proof carries, once it was found.
    pub tenant: Option<&'a Tenant>,
    /// For [`Needs::tenants`](super::Needs).
    pub tenants: &'a [TenantFacts<'a>],
    /// For [`Needs::sessions`](super::Needs).
    pub sessions: &'a [SessionRow],
    /// For [`Needs::target`](super::Needs).
    pub target_alive: Option<bool>,
}

impl<'a, 'r> Facts<'a, 'r> {
    /// Facts of which nothing is known but how the decision fell.
    pub const fn new(visit: &'a Visit<'r>, word: Word, reason: Reason) -> Facts<'a, 'r> {
        Facts {
            visit,
            word,
            reason,
            reference: "",
            offered_user: None,
            user: None,
            session: None,
            token: None,
            tenant: None,
            tenants: &[],
            sessions: &[],
            target_alive: None,
        }
    }
}

/// The session that was made or found.
#[derive(Clone, Copy)]
pub struct SessionFacts<'a> {
    /// The id, for the answer of a login; never of a session that was merely found.
    pub id: Option<&'a str>,
    /// Seconds.
    pub idle_left: i64,
    /// Seconds.
    pub absolute_left: i64,
}

/// A tenant of the user, and a token for it if one was asked for.
#[derive(Clone, Copy)]
pub struct TenantFacts<'a> {
    pub tenant: &'a Tenant,
    pub token: Option<&'a str>,
}

/// A live session in a list.
#[derive(Clone)]
pub struct SessionRow {
    /// Names the session; is no proof.
    pub reference: String,
    /// Unix seconds.
    pub last_use: i64,
    /// Unix seconds.
    pub created: i64,
    pub user: Option<Arc<User>>,
    pub last_path: Option<String>,
}

/// Longest value that is repeated, in characters.
pub(super) const MAX_ECHO: usize = 1024;
/// Longest number that is repeated, in digits.
pub(super) const MAX_DIGITS: usize = 64;

/// The word a template sees as `reason`. All ways in which a password, a session, or a token of ours fails are one
/// word each: an answer cannot tell them apart even if a file tries to.
pub(super) const fn reason_word(reason: Reason) -> &'static str {
    match reason {
        Reason::Undecided | Reason::Proven | Reason::Open | Reason::LoggedOut | Reason::LoggedIn => "none",
        Reason::Unreadable | Reason::BodyEncoding => "unreadable",
        Reason::Duplicate => "duplicate",
        Reason::Several => "several",
        Reason::Incomplete => "incomplete",
        Reason::TooLarge => "too-large",
        Reason::Malformed | Reason::PathAmbiguous | Reason::ConnectionHeader | Reason::Override => "malformed",
        Reason::Missing => "missing",
        Reason::WrongPassword
        | Reason::UnknownUser
        | Reason::Disabled
        | Reason::Pending
        | Reason::WrongTenant
        | Reason::PasswordTooLong
        | Reason::Throttled
        | Reason::HashNotAllowed
        | Reason::WrongKey => "credentials",
        Reason::SessionUnknown
        | Reason::SessionIdle
        | Reason::SessionEnded
        | Reason::SessionRevoked
        | Reason::CompanionMissing
        | Reason::SessionConflict
        | Reason::SessionMalformed => "session",
        Reason::TokenMalformed | Reason::TokenForeign => "foreign-token",
        Reason::TokenForged
        | Reason::TokenExpired
        | Reason::TokenRevoked
        | Reason::TokenFuture
        | Reason::TokenTenant => "token",
        Reason::Forbidden => "forbidden",
        Reason::CrossSite => "cross-site",
        Reason::NeedsTls => "needs-tls",
        Reason::Occupied => "occupied",
        Reason::NoSessionId => "no-session-id",
        Reason::TenantNeeded => "tenant-needed",
        Reason::TenantAmbiguous => "tenant-ambiguous",
        Reason::BadExpiry => "bad-expiry",
        Reason::NoEndpoint => "no-endpoint",
        Reason::Busy
        | Reason::StoreUnavailable
        | Reason::DirectoryUnavailable
        | Reason::NotAttached
        | Reason::NoRandom
        | Reason::RenderFailed
        | Reason::Panic => "unavailable",
    }
}

/// Builds what templates that use `names` see.
pub(super) fn scope<'n>(status: u16, facts: &Facts<'_, '_>, names: impl Iterator<Item = &'n str>) -> Scope {
    let mut out: Vec<(&'static str, Datum)> = Vec::new();
    for name in names {
        let table = name.split('.').next().unwrap_or_default();
        if out.iter().any(|(known, _)| *known == table) {
            continue;
        }
        if let Some(entry) = entry(table, status, facts) {
            out.push(entry);
        }
    }
    Scope::new(out)
}

fn entry(table: &str, status: u16, facts: &Facts<'_, '_>) -> Option<(&'static str, Datum)> {
    Some(match table {
        "user" => ("user", facts.user.map_or(Datum::None, user)),
        "session" => ("session", facts.session.map_or(Datum::None, session)),
        "token" => ("token", text(facts.token)),
        "tenant" => ("tenant", facts.tenant.map_or(Datum::None, |tenant| Datum::Map(tenant_names(tenant)))),
        "tenants" => ("tenants", Datum::List(facts.tenants.iter().map(tenant_row).collect())),
        "sessions" => ("sessions", Datum::List(facts.sessions.iter().map(session_row).collect())),
        "target" => ("target", Datum::Map(vec![("alive", Datum::Bool(facts.target_alive == Some(true)))])),
        "offered" => ("offered", Datum::Map(vec![("user", bounded(facts.offered_user.unwrap_or_default()))])),
        "echo" => ("echo", Datum::Named(facts.visit.echoes())),
        "setting" => ("setting", facts.visit.profile().settings().clone()),
        "path" => ("path", Datum::Text(facts.visit.shown_path())),
        "method" => ("method", Datum::Text(String::from_utf8_lossy(facts.visit.method()).into_owned())),
        "status" => ("status", Datum::Int(i64::from(status))),
        "outcome" => ("outcome", Datum::Text(facts.word.name().into())),
        "reason" => ("reason", Datum::Text(reason_word(facts.reason).into())),
        "reference" => ("reference", Datum::Text(facts.reference.into())),
        _ => return None,
    })
}

fn text(value: Option<&str>) -> Datum {
    value.map_or(Datum::None, |value| Datum::Text(value.into()))
}

/// A value of the client's, cut to what is worth repeating.
pub(super) fn bounded(value: &str) -> Datum {
    Datum::Text(value.chars().take(MAX_ECHO).collect())
}

fn user(user: &User) -> Datum {
    let attrs = user.attrs.iter().map(|(name, value)| {
        let value = match value {
            Attr::Text(text) => Datum::Text(text.clone()),
            Attr::Int(number) => Datum::Int(*number),
            Attr::Bool(flag) => Datum::Bool(*flag),
        };
        (name.clone(), value)
    });
    let mut names = vec![
        ("id", Datum::Text(user.id.clone())),
        ("name", Datum::Text(user.name.clone())),
        ("full_name", Datum::Text(user.full_name.clone())),
        ("roles", Datum::List(user.roles.iter().cloned().map(Datum::Text).collect())),
        ("must_change", Datum::Bool(user.must_change)),
        ("attr", Datum::Named(attrs.collect())),
    ];
    // An address that nobody entered is undefined, so that `default` can name another.
    if !user.email.is_empty() {
        names.push(("email", Datum::Text(user.email.clone())));
    }
    Datum::Map(names)
}

fn session(session: SessionFacts<'_>) -> Datum {
    let mut names =
        vec![("idle_left", Datum::Int(session.idle_left)), ("absolute_left", Datum::Int(session.absolute_left))];
    if let Some(id) = session.id {
        names.push(("id", Datum::Text(id.into())));
    }
    Datum::Map(names)
}

fn tenant_names(tenant: &Tenant) -> Vec<(&'static str, Datum)> {
    vec![("id", Datum::Text(tenant.id.clone())), ("name", Datum::Text(tenant.name.clone()))]
}

fn tenant_row(row: &TenantFacts<'_>) -> Datum {
    let mut names = tenant_names(row.tenant);
    names.push(("token", text(row.token)));
    Datum::Map(names)
}

fn session_row(row: &SessionRow) -> Datum {
    Datum::Map(vec![
        ("ref", Datum::Text(row.reference.clone())),
        ("last_use", Datum::Int(row.last_use)),
        ("created", Datum::Int(row.created)),
        ("user", row.user.as_deref().map_or(Datum::None, user)),
        ("last_path", text(row.last_path.as_deref())),
    ])
}
