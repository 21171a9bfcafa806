//! A proof: a named thing that a request may offer, and how the engine treats it. Data only; nothing is proven here.

use super::place::{AuthScheme, Place, Where};
use super::schema::Fields;
use crate::base::Result;

/// What a proof is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProofKind {
    /// The id of a session of ours.
    Session,
    /// A sealed token of ours.
    Token,
    /// A user and a password.
    Password,
    /// A user's key (an API key).
    Key,
    /// The wish to be treated as a guest.
    Guest,
    /// A shared key that must be right on every request, once the configuration holds one; proves nobody.
    Gate,
}

/// One `[proof.NAME]`. Immutable.
#[derive(Clone, Debug)]
pub struct Proof {
    pub(super) name: Box<str>,
    pub(super) kind: ProofKind,
    pub(super) at: Box<[Place]>,
    pub(super) user: Box<[Place]>,
    pub(super) password: Box<[Place]>,
    pub(super) domain: Box<[Place]>,
    blank_absent: bool,
    bad_ignored: bool,
    keep: bool,
}

impl Proof {
    pub fn name(&self) -> &str {
        &self.name
    }

    pub const fn kind(&self) -> ProofKind {
        self.kind
    }

    /// An empty value counts as not offered.
    pub const fn blank_absent(&self) -> bool {
        self.blank_absent
    }

    /// A wrong one counts as not offered.
    pub const fn bad_ignored(&self) -> bool {
        self.bad_ignored
    }

    /// A good one starts a session and sets its cookie.
    pub const fn keep(&self) -> bool {
        self.keep
    }

    /// Whether a browser may send it without the page's doing: a cookie, or Basic.
    pub fn browser_sends(&self) -> bool {
        self.at.iter().any(|place| matches!(place.at, Where::Cookie(_) | Where::Auth(AuthScheme::Basic)))
    }

    /// All places it looks at.
    pub(super) fn places(&self) -> impl Iterator<Item = &Place> {
        self.at.iter().chain(&self.user).chain(&self.password).chain(&self.domain)
    }

    /// The places that hold a secret: all but the user, the domain, and a guest's wish.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &Place> {
        let at = if self.kind == ProofKind::Guest { [].iter() } else { self.at.iter() };
        at.chain(&self.password)
    }
}

/// Kinds of the vocabulary that this build does not hold.
const ELSEWHERE: [&str; 3] = ["jwt", "negotiate", "certificate"];

pub(super) fn compile(name: &str, fields: &Fields<'_>) -> Result<Proof> {
    let kind = fields.required("kind")?;
    if ELSEWHERE.contains(&kind) {
        return Err(fields.error("kind", format!("kind `{kind}` is not available in this build")));
    }
    let words = [
        ("session", ProofKind::Session),
        ("token", ProofKind::Token),
        ("password", ProofKind::Password),
        ("key", ProofKind::Key),
        ("guest", ProofKind::Guest),
        ("gate", ProofKind::Gate),
    ];
    let proof = Proof {
        name: name.into(),
        kind: fields.one_of("kind", &words, ProofKind::Session)?,
        at: fields.places("at")?,
        user: fields.places("user")?,
        password: fields.places("password")?,
        domain: fields.places("domain")?,
        blank_absent: fields.one_of("blank", &[("offered", false), ("absent", true)], false)?,
        bad_ignored: fields.one_of("bad", &[("refuse", false), ("ignore", true)], false)?,
        keep: fields.flag("keep")?,
    };
    check(&proof, fields)?;
    Ok(proof)
}

fn check(proof: &Proof, fields: &Fields<'_>) -> Result<()> {
    let pair = !proof.user.is_empty() || !proof.password.is_empty();
    if proof.kind == ProofKind::Password {
        if proof.user.is_empty() != proof.password.is_empty() {
            return Err(fields.error("user", "`user` and `password` go together"));
        }
        if proof.at.is_empty() && !pair {
            return Err(fields.error("at", "a pair sits `at` `auth:Basic`, or at the places of `user` and `password`"));
        }
        if proof.at.iter().any(|place| place.at != Where::Auth(AuthScheme::Basic)) {
            return Err(fields.error("at", "of a password only `auth:Basic` holds both parts"));
        }
    } else {
        if pair || !proof.domain.is_empty() {
            return Err(fields.error("user", "only a `password` has `user`, `password` and `domain`"));
        }
        if proof.at.is_empty() {
            return Err(fields.error("at", "`at` is missing: where does it sit?"));
        }
        let wrong = [AuthScheme::Basic, AuthScheme::Negotiate].map(Where::Auth);
        if proof.at.iter().any(|place| wrong.contains(&place.at)) {
            return Err(fields.error("at", "of `Authorization` only `auth:Bearer` can hold this"));
        }
    }
    if proof.keep && matches!(proof.kind, ProofKind::Session | ProofKind::Guest | ProofKind::Gate) {
        return Err(fields.error("keep", "only a token, a password or a key can start a session"));
    }
    if proof.kind == ProofKind::Gate && proof.bad_ignored {
        return Err(fields.error("bad", "a gate that ignores a wrong key is open"));
    }
    Ok(())
}
