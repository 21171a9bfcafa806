//! A visit: one request at its endpoint, and what it brings there.
//!
//! Made by `Profile::route`, read by the engine. It finds values and proves nothing. It borrows the request and the
//! caller's room; nothing is kept.

use super::endpoint::{Endpoint, Read};
use super::facts::bounded;
use super::look::{Bodies, Found, Look, text};
use super::pattern::{Caught, Pattern};
use super::place::{AuthScheme, Place, Where};
use super::proof::{Proof, ProofKind};
use super::render::Datum;
use super::{Profile, facts};
use crate::base::Reason;
use crate::parse::Request;
use crate::parse::authorization::Basic;
use crate::parse::cookie::{self, MAX_SAME};
use std::borrow::Cow;

/// Longest extra value, in bytes.
pub const MAX_EXTRA: usize = 1024;

/// One request at its endpoint. No `Debug`: it holds credentials.
pub struct Visit<'r> {
    pub(super) profile: &'r Profile,
    pub(super) request: &'r Request<'r>,
    pub(super) endpoint: &'r Endpoint,
    pub(super) pattern: &'r Pattern,
    pub(super) caught: Caught,
    pub(super) method: &'r [u8],
    pub(super) path: &'r [u8],
    pub(super) full_path: &'r [u8],
    pub(super) bodies: Bodies<'r>,
    pub(super) basic: Option<Result<Basic<'r>, Reason>>,
}

/// What a request offers for one proof. No `Debug`: it holds credentials.
pub enum Offer<'v> {
    Session(Candidates<'v>),
    Token(Cow<'v, [u8]>),
    Pair(Pair<'v>),
    Key(Cow<'v, [u8]>),
    Guest,
    Gate(Cow<'v, [u8]>),
}

/// A user and a password, trimmed as the profile forgives. The user's case is as sent.
pub struct Pair<'v> {
    pub user: Cow<'v, str>,
    pub password: Cow<'v, [u8]>,
    pub domain: Option<Cow<'v, str>>,
}

/// The session ids of one name: one, or as many cookies of that name as are tried.
#[derive(Default)]
pub struct Candidates<'v>([Option<Cow<'v, [u8]>>; MAX_SAME]);

impl Candidates<'_> {
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().flatten().map(AsRef::as_ref)
    }
}

impl<'r> Visit<'r> {
    pub const fn profile(&self) -> &'r Profile {
        self.profile
    }

    pub const fn endpoint(&self) -> &'r Endpoint {
        self.endpoint
    }

    /// The method after an override: what the host authorises on.
    pub const fn method(&self) -> &'r [u8] {
        self.method
    }

    /// The path after overrides, without the site's prefix, the profile's base and stripped endings.
    pub const fn path(&self) -> &'r [u8] {
        self.path
    }

    /// The path after overrides and without stripped endings, prefix and base in front: what the host authorises on.
    pub const fn full_path(&self) -> &'r [u8] {
        self.full_path
    }

    pub(super) fn look(&self) -> Look<'_, 'r> {
        Look {
            request: self.request,
            bodies: &self.bodies,
            lenient: self.profile.lenient(),
            elsewhere: !self.endpoint.document.is_empty(),
            path: self.path,
            pattern: self.pattern,
            caught: self.caught,
        }
    }

    /// What the request offers for `proof`; `None` if nothing.
    ///
    /// Errors: [`Reason::Duplicate`] if a place occurs twice; [`Reason::Incomplete`] for half a pair;
    /// [`Reason::Malformed`] for what is not well-formed. Allocates only to decode.
    pub fn offers(&self, proof: &Proof) -> Result<Option<Offer<'_>>, Reason> {
        let look = self.look();
        if proof.kind == ProofKind::Password {
            return Ok(self.pair_of(proof)?.map(Offer::Pair));
        }
        if proof.kind == ProofKind::Session {
            return Ok(self.session_of(proof)?.map(Offer::Session));
        }
        let Some(found) = look.first(&proof.at, proof.blank_absent())? else { return Ok(None) };
        Ok(Some(match proof.kind {
            ProofKind::Token => Offer::Token(found.bytes()?),
            ProofKind::Key => Offer::Key(found.bytes()?),
            ProofKind::Gate => Offer::Gate(found.bytes()?),
            _ => Offer::Guest,
        }))
    }

    fn session_of(&self, proof: &Proof) -> Result<Option<Candidates<'_>>, Reason> {
        let look = self.look();
        let mut first: Option<Candidates<'_>> = None;
        for place in &proof.at {
            let mut candidates = Candidates::default();
            if let Where::Cookie(name) = &place.at {
                // More cookies than are looked at: "no session" would be a guess.
                if cookie::too_large(self.request.headers) {
                    return Err(Reason::TooLarge);
                }
                let values = cookie::all(self.request.headers, name.as_bytes());
                let values = values.filter(|value| !(proof.blank_absent() && value.is_empty()));
                for (slot, value) in candidates.0.iter_mut().zip(values) {
                    *slot = Some(Cow::Borrowed(value));
                }
            } else if let Some(found) = look.at(place)?
                && !(proof.blank_absent() && found.is_blank())
                && let Some(slot) = candidates.0.first_mut()
            {
                *slot = Some(found.bytes()?);
            }
            if first.is_none() && candidates.iter().next().is_some() {
                first = Some(candidates);
            }
        }
        Ok(first)
    }

    fn pair_of(&self, proof: &Proof) -> Result<Option<Pair<'_>>, Reason> {
        let basic = match proof.at.is_empty() {
            true => None,
            false => self.basic_pair()?,
        };
        let parts = self.parts(&proof.user, &proof.password, &proof.domain, proof.blank_absent())?;
        match (basic, parts) {
            (Some(_), Some(_)) => Err(Reason::Several),
            (basic, parts) => Ok(basic.or(parts)),
        }
    }

    fn basic_pair(&self) -> Result<Option<Pair<'_>>, Reason> {
        if self.look().authorization(AuthScheme::Basic)?.is_none() {
            return Ok(None);
        }
        match &self.basic {
            Some(Ok(basic)) => {
                let user = std::str::from_utf8(basic.user).map_err(|_| Reason::Malformed)?;
                Ok(Some(self.trimmed(Cow::Borrowed(user), Cow::Borrowed(basic.password), None)))
            }
            Some(Err(reason)) => Err(*reason),
            None => Err(Reason::Malformed),
        }
    }

    /// The pair that the endpoint's action reads. `None` if neither part is there; [`Reason::Incomplete`] if one is.
    pub fn pair(&self) -> Result<Option<Pair<'_>>, Reason> {
        let [user, password, domain] =
            [Read::User, Read::Password, Read::Domain].map(|what| self.endpoint.read_places(what));
        self.parts(user, password, domain, false)
    }

    fn parts(
        &self,
        user: &[Place],
        password: &[Place],
        domain: &[Place],
        blank_absent: bool,
    ) -> Result<Option<Pair<'_>>, Reason> {
        let look = self.look();
        let user = look.first(user, blank_absent)?;
        let password = look.first(password, blank_absent)?;
        let domain = look.first(domain, true)?;
        match (user, password) {
            (None, None) => Ok(None),
            (Some(user), Some(password)) => {
                let domain = domain.map(|found| text(found.bytes()?)).transpose()?;
                Ok(Some(self.trimmed(text(user.bytes()?)?, password.bytes()?, domain)))
            }
            _ => Err(Reason::Incomplete),
        }
    }

    fn trimmed<'v>(&self, user: Cow<'v, str>, password: Cow<'v, [u8]>, domain: Option<Cow<'v, str>>) -> Pair<'v> {
        let lenient = self.profile.lenient();
        let user = if lenient.user_trim { trim_text(user) } else { user };
        let password = if lenient.password_trim { trim_bytes(password) } else { password };
        Pair { user, password, domain }
    }

    /// A value that the endpoint's action reads. An empty tenant, domain, expiry, session or target counts as none.
    ///
    /// Errors as [`Visit::offers`].
    pub fn read(&self, what: Read) -> Result<Option<Cow<'_, str>>, Reason> {
        let blank_absent = !matches!(what, Read::User | Read::Password);
        let Some(found) = self.look().first(self.endpoint.read_places(what), blank_absent)? else { return Ok(None) };
        let value = text(found.bytes()?)?;
        let lenient = self.profile.lenient();
        let trim = (what == Read::User && lenient.user_trim) || (what == Read::Password && lenient.password_trim);
        Ok(Some(if trim { trim_text(value) } else { value }))
    }

    /// The tenant that an ordinary request names. Errors as [`Visit::offers`].
    pub fn tenant(&self) -> Result<Option<Cow<'_, str>>, Reason> {
        let Some(plan) = self.profile.tenant() else { return Ok(None) };
        let Some(found) = self.look().first(&plan.at, true)? else { return Ok(None) };
        text(found.bytes()?).map(Some)
    }

    /// The extra values that are there: unproven, free of control characters, at most [`MAX_EXTRA`] bytes each.
    ///
    /// Errors: as [`Visit::offers`]; [`Reason::TooLarge`] and [`Reason::Malformed`] beyond that.
    pub fn extra(&self) -> impl Iterator<Item = Result<(&'r str, Cow<'_, str>), Reason>> {
        let look = self.look();
        self.endpoint.extra.iter().filter_map(move |(name, places)| {
            let found = look.first(places, true).transpose()?;
            Some(found.and_then(|found| {
                let value = text(found.bytes()?)?;
                match value.len() {
                    0..=MAX_EXTRA if value.chars().any(char::is_control) => Err(Reason::Malformed),
                    0..=MAX_EXTRA => Ok((name.as_ref(), value)),
                    _ => Err(Reason::TooLarge),
                }
            }))
        })
    }

    /// The values that templates may repeat. What is not there, twice there, or no value, is none.
    pub(super) fn echoes(&self) -> Vec<(String, Datum)> {
        let look = self.look();
        let echoes = self.endpoint.echo.iter().map(|(name, places)| {
            let datum = match look.first(places, false) {
                Ok(Some(Found::Number(digits))) if digits.len() <= facts::MAX_DIGITS => Datum::Digits(digits.into()),
                Ok(Some(Found::Bool(flag))) => Datum::Bool(flag),
                Ok(Some(Found::Bytes(bytes))) => bounded(&String::from_utf8_lossy(&bytes)),
                _ => Datum::None,
            };
            (name.to_string(), datum)
        });
        echoes.collect()
    }

    /// The callback that wraps a JSON answer; checked by the router.
    pub(super) fn callback(&self) -> Option<&'r str> {
        self.find_callback().unwrap_or_default()
    }

    /// Errors: [`Reason::Malformed`] for a name that is not plainly a function's, and for any where callbacks are off and
    /// the request would be passed on: who stands behind might wrap its answer for every page to read.
    pub(super) fn find_callback(&self) -> Result<Option<&'r str>, Reason> {
        if self.endpoint.callback_off && !self.endpoint.passes() {
            return Ok(None);
        }
        for place in &self.endpoint.jsonp {
            let Where::Query(name) = &place.at else { continue };
            let found = crate::parse::form::one(self.request.query, name, self.profile.lenient().query_case)?;
            return match found {
                None => continue,
                Some(_) if self.endpoint.callback_off => Err(Reason::Malformed),
                // A callback that needs decoding holds a character that none may have.
                Some(Cow::Borrowed(bytes)) if is_callback(bytes) => {
                    std::str::from_utf8(bytes).map(Some).map_err(|_| Reason::Malformed)
                }
                Some(_) => Err(Reason::Malformed),
            };
        }
        Ok(None)
    }

    /// The path as an answer shows it.
    pub(super) fn shown_path(&self) -> String {
        self.hiding(self.path).map_or_else(
            || String::from_utf8_lossy(self.path).into_owned(),
            |pieces| pieces.map(String::from_utf8_lossy).concat(),
        )
    }

    /// The whole path as a log may show it, in pieces; `None` when it hides nothing.
    pub fn logged_path(&self) -> Option<[&[u8]; 5]> {
        self.hiding(self.full_path)
    }

    /// A path that ends as [`Visit::path`] does, with a caught segment that may be a session's id shown by its name.
    fn hiding<'p>(&'p self, path: &'p [u8]) -> Option<[&'p [u8]; 5]> {
        let more = path.len().saturating_sub(self.path.len());
        self.endpoint.read_places(Read::Target).iter().find_map(|place| {
            let Where::Caught(name) = &place.at else { return None };
            let index = self.pattern.names().position(|known| known == name.as_ref())?;
            let (start, end) = self.caught.range(index)?;
            Some([path.get(..start + more)?, b"{", name.as_bytes(), b"}", path.get(end + more..)?])
        })
    }
}

/// `^[A-Za-z_$][\w$.]{0,63}$`
fn is_callback(name: &[u8]) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'$');
    name.len() <= 64
        && name.first().is_some_and(|b| word(*b) && !b.is_ascii_digit())
        && name.iter().all(|b| word(*b) || *b == b'.')
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

fn trim_bytes(value: Cow<'_, [u8]>) -> Cow<'_, [u8]> {
    let start = value.iter().position(|b| !is_blank(*b)).unwrap_or(value.len());
    let end = value.iter().rposition(|b| !is_blank(*b)).map_or(start, |last| last + 1);
    match value {
        Cow::Borrowed(bytes) => Cow::Borrowed(bytes.get(start..end).unwrap_or_default()),
        Cow::Owned(bytes) => Cow::Owned(bytes.get(start..end).unwrap_or_default().to_vec()),
    }
}

fn trim_text(value: Cow<'_, str>) -> Cow<'_, str> {
    match value {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim_matches([' ', '\t', '\r', '\n'])),
        Cow::Owned(text) => Cow::Owned(text.trim_matches([' ', '\t', '\r', '\n']).to_owned()),
    }
}
