//! An endpoint: what matches it, what it does, which proofs it looks at, and its answers. Data that the engine reads.

use super::answer::{self, Answer, Word};
use super::compile::Parts;
use super::kind::{self, Kind};
use super::near;
use super::pattern::Pattern;
use super::place::{Place, Where};
use super::proof::Proof;
use super::render::{Templates, Text};
use super::schema::{Fields, Named, READ};
use crate::base::Result;
use std::sync::Arc;

/// What an endpoint does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Lets the request pass to the host.
    Pass,
    /// Answers from what was proven.
    Answer,
    /// Makes a session.
    Login,
    /// Ends the session, or all that a token's session id names.
    Logout,
    /// Makes a token.
    IssueToken,
    /// Binds the session to a tenant.
    ChooseTenant,
    /// Judges each item of the JSON array that is the body as a request of its own.
    Each,
}

/// What must be proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Need {
    /// Nothing; a bad proof counts as none.
    None,
    /// Nothing; a bad proof is refused.
    Optional,
    /// A user, or the wish to be a guest.
    Guest,
    /// A user.
    User,
    /// A user and a tenant.
    Tenant,
    /// A user who has this role.
    Role(Box<str>),
}

/// Two different proofs in one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Several {
    Refuse,
    /// The first of the endpoint's list counts.
    First,
}

/// A login over another user's live session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occupied {
    /// [`Word::Conflict`], after the new credentials were right.
    Refuse,
    Replace,
}

/// A value that an action reads.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    User,
    Password,
    Domain,
    Tenant,
    /// When the token shall end.
    Expires,
    /// The session id that the client chose for a token.
    Session,
    /// A session id asked about, not offered.
    Target,
}

impl Read {
    pub const ALL: [Read; 7] =
        [Read::User, Read::Password, Read::Domain, Read::Tenant, Read::Expires, Read::Session, Read::Target];

    pub(super) const fn name(self) -> &'static str {
        READ[self as usize]
    }
}

/// One `[[endpoint]]`. Immutable.
#[derive(Clone, Debug)]
pub struct Endpoint {
    pub(super) name: Box<str>,
    pub(super) patterns: Box<[Pattern]>,
    pub(super) when: Box<[Place]>,
    /// Where the JSON document sits; empty: in the body.
    pub(super) document: Box<[Place]>,
    pub(super) action: Action,
    pub(super) proofs: Box<[Arc<Proof>]>,
    several: Several,
    pub(super) need: Need,
    realm: Box<str>,
    pub(super) read: [Box<[Place]>; 7],
    pub(super) extra: Named,
    pub(super) echo: Named,
    occupied: Occupied,
    pub(super) jsonp: Box<[Place]>,
    /// A callback wraps nothing, and no request that names one is passed on.
    pub(super) callback_off: bool,
    pub(super) answers: [Option<Answer>; 9],
    /// The kinds of body it reads, in the order of its places.
    pub(super) kinds: Box<[Kind]>,
    /// Whether any of its proofs, read values, extra values or echoes may sit in the body.
    pub(super) reads_body: bool,
    /// The byte of the file it begins at.
    pub(super) at: usize,
}

impl Endpoint {
    pub fn name(&self) -> &str {
        &self.name
    }

    pub const fn action(&self) -> Action {
        self.action
    }

    pub const fn need(&self) -> &Need {
        &self.need
    }

    /// The proofs it looks at, best first.
    pub fn proofs(&self) -> impl ExactSizeIterator<Item = &Proof> + Clone {
        self.proofs.iter().map(AsRef::as_ref)
    }

    pub const fn several(&self) -> Several {
        self.several
    }

    /// Sessions made here are known only in the same realm; empty is the shared one.
    pub fn realm(&self) -> &str {
        &self.realm
    }

    pub const fn occupied(&self) -> Occupied {
        self.occupied
    }

    /// Whether it reads this value anywhere.
    pub fn reads(&self, what: Read) -> bool {
        self.read.get(what as usize).is_some_and(|places| !places.is_empty())
    }

    /// The answer for an outcome, the stand-ins of the vocabulary included. `None`: let pass for [`Word::Ok`], DENY for
    /// all others.
    pub fn answer(&self, word: Word) -> Option<&Answer> {
        self.answers.get(word as usize)?.as_ref()
    }

    /// Whether requests go on to the host instead of being answered here.
    pub(super) fn passes(&self) -> bool {
        self.action == Action::Pass && self.answer(Word::Ok).is_none()
    }

    /// Whether a request passes without any proof: such a path must be read alike by everybody.
    pub fn is_open(&self) -> bool {
        self.passes() && matches!(self.need, Need::None | Need::Optional)
    }

    /// The places whose values an answer must never repeat.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &Place> {
        let read =
            [Read::Password, Read::Session, Read::Target].into_iter().filter_map(|what| self.read.get(what as usize));
        self.proofs.iter().flat_map(|proof| proof.secrets()).chain(read.flatten())
    }

    /// All places that its proofs, its action and its answers look at.
    fn places(&self) -> impl Iterator<Item = &Place> {
        let named = self.extra.iter().chain(&self.echo).flat_map(|(_, places)| places);
        self.proofs.iter().flat_map(|proof| proof.places()).chain(self.read.iter().flatten()).chain(named)
    }

    /// The place of a read value.
    pub(super) fn read_places(&self, what: Read) -> &[Place] {
        self.read.get(what as usize).map_or(&[], AsRef::as_ref)
    }
}

/// Compiles one endpoint; `like` was resolved before.
pub(super) fn compile(
    fields: &Fields<'_>,
    common: &[(Box<str>, Text)],
    parts: &Parts,
    templates: &mut Templates,
) -> Result<Endpoint> {
    let need = need(fields)?;
    let actions = [
        ("pass", Action::Pass),
        ("answer", Action::Answer),
        ("login", Action::Login),
        ("logout", Action::Logout),
        ("issue-token", Action::IssueToken),
        ("choose-tenant", Action::ChooseTenant),
        ("each", Action::Each),
    ];
    let mut endpoint = Endpoint {
        name: fields.required("name")?.into(),
        patterns: patterns(fields)?,
        when: fields.places("when")?,
        document: fields.places("document")?,
        action: fields.one_of("do", &actions, Action::Pass)?,
        proofs: proofs(fields, parts)?,
        several: fields.one_of(
            "several",
            &[("refuse", Several::Refuse), ("first", Several::First)],
            Several::Refuse,
        )?,
        need,
        realm: fields.text("realm")?.unwrap_or_default().into(),
        read: read(fields)?,
        extra: fields.named_places("extra")?,
        echo: fields.named_places("echo")?,
        occupied: fields.one_of(
            "occupied",
            &[("refuse", Occupied::Refuse), ("replace", Occupied::Replace)],
            Occupied::Replace,
        )?,
        jsonp: fields.places("jsonp")?,
        callback_off: fields.one_of("callback", &[("wrap", false), ("off", true)], false)?,
        answers: answers(fields, common, templates)?,
        kinds: Box::default(),
        reads_body: false,
        at: fields.at,
    };
    endpoint.kinds = kind::of(&endpoint);
    let reads_body = endpoint.places().any(Place::in_body);
    endpoint.reads_body = reads_body;
    if endpoint.document.iter().any(|p| !matches!(p.at, Where::Header(_) | Where::Query(_) | Where::Form(_))) {
        return Err(fields.error("document", "a document sits in a header, the query or a form"));
    }
    if endpoint.jsonp.iter().any(|p| !matches!(p.at, Where::Query(_))) {
        return Err(fields.error("jsonp", "a callback is named in the query"));
    }
    Ok(endpoint)
}

fn need(fields: &Fields<'_>) -> Result<Need> {
    if let Some(role) = fields.text("need")?.and_then(|need| need.strip_prefix("role:")) {
        return match role.is_empty() {
            true => Err(fields.error("need", "`role:` needs a role's name behind it")),
            false => Ok(Need::Role(role.into())),
        };
    }
    let words = ["none", "optional", "guest", "user", "tenant"].map(|word| (word, word));
    Ok(match fields.one_of("need", &words, "user")? {
        "none" => Need::None,
        "optional" => Need::Optional,
        "guest" => Need::Guest,
        "tenant" => Need::Tenant,
        _ => Need::User,
    })
}

fn patterns(fields: &Fields<'_>) -> Result<Box<[Pattern]>> {
    let texts = fields.texts("match")?;
    if texts.is_empty() {
        return Err(fields.error("match", "`match` is missing, and no `like` brings one"));
    }
    let parsed = texts
        .iter()
        .map(|(text, at)| Pattern::parse(text).map_err(|e| fields.source.error(*at, format!("{}: {e}", fields.what))));
    parsed.collect()
}

fn proofs(fields: &Fields<'_>, parts: &Parts) -> Result<Box<[Arc<Proof>]>> {
    let mut out: Vec<Arc<Proof>> = Vec::new();
    for (name, at) in fields.texts("proof")? {
        let Some(proof) = parts.proofs.iter().find(|proof| proof.name() == name) else {
            let hint = near::hint(name, parts.proofs.iter().map(|proof| proof.name()));
            return Err(fields.source.error(at, format!("{}: no proof is called `{name}`{hint}", fields.what)));
        };
        if out.iter().any(|known| known.name() == name) {
            return Err(fields.source.error(at, format!("{}: proof `{name}` stands twice", fields.what)));
        }
        out.push(proof.clone());
    }
    Ok(out.into())
}

fn read(fields: &Fields<'_>) -> Result<[Box<[Place]>; 7]> {
    let mut out: [Box<[Place]>; 7] = Default::default();
    if let Some(table) = fields.table("read", Some(&READ))? {
        for (what, slot) in Read::ALL.into_iter().zip(&mut out) {
            *slot = table.places(what.name())?;
        }
    }
    Ok(out)
}

fn answers(fields: &Fields<'_>, common: &[(Box<str>, Text)], templates: &mut Templates) -> Result<[Option<Answer>; 9]> {
    let mut out: [Option<Answer>; 9] = Default::default();
    let refused = answer::compile(fields, Word::Refused, common, None, templates)?;
    for (word, slot) in Word::ALL.into_iter().zip(&mut out) {
        *slot = match word {
            Word::Refused => refused.clone(),
            _ => answer::compile(fields, word, common, refused.as_ref(), templates)?,
        };
    }
    let written = out.clone();
    let get = |word: Word| written.get(word as usize).and_then(Clone::clone);
    for (word, slot) in Word::ALL.into_iter().zip(&mut out) {
        let mut next = word;
        while slot.is_none() {
            let Some(stand_in) = next.stand_in() else { break };
            *slot = get(stand_in);
            next = stand_in;
        }
        if slot.is_none() && word == Word::Busy {
            *slot = Some(Answer::busy(common, templates));
        }
    }
    Ok(out)
}
