//! Overrides: a method or a path that a request names beside its own.
//!
//! Only where the profile says so, once, and only towards what the profile allows; everything else is refused, because
//! whoever stands behind us may read it otherwise (CVE-2026-40575 and its kin).

use super::Profile;
use super::pattern::same;
use super::place::{Place, Where};
use super::room::Spare;
use crate::base::Reason;
use crate::parse::form::Outline;
use crate::parse::{Request, form, header};
use std::borrow::Cow;

/// Where a method override sits, and in which methods it may.
#[derive(Clone, Debug)]
pub(super) struct MethodOverride {
    pub from: Box<[&'static str]>,
    pub place: Place,
}

impl MethodOverride {
    /// `PLACE`, or `POST PLACE`.
    pub fn parse(text: &str) -> Result<MethodOverride, String> {
        let (from, place) = match text.split_once(' ') {
            None => (Box::from(["POST", "GET"]), text),
            Some(("POST", place)) => (Box::from(["POST"]), place),
            Some(("GET", place)) => (Box::from(["GET"]), place),
            Some(("GET|POST" | "POST|GET", place)) => (Box::from(["POST", "GET"]), place),
            Some((other, _)) => return Err(format!("a method is overridden in `POST` or `GET`, not in `{other}`")),
        };
        Ok(MethodOverride { from, place: outside_body(place)? })
    }
}

/// A path at which another place names the path.
#[derive(Clone, Debug)]
pub(super) struct PathOverride {
    pub at: Box<str>,
    pub place: Place,
}

impl PathOverride {
    /// `/AT PLACE`.
    pub fn parse(text: &str) -> Result<PathOverride, String> {
        match text.split_once(' ') {
            Some((at, place)) if at.starts_with('/') => Ok(PathOverride { at: at.into(), place: outside_body(place)? }),
            _ => Err(format!("`{text}`: write the path and the place, `/AT query:NAME`")),
        }
    }
}

fn outside_body(text: &str) -> Result<Place, String> {
    let place = Place::parse(text)?;
    match (&place.at, &place.equals) {
        (Where::Header(_) | Where::Query(_), None) => Ok(place),
        _ => Err(format!("`{text}`: an override sits in a header or in the query")),
    }
}

/// The method that the request names, if it names one. What has to be decoded is decoded into `spare`.
///
/// Errors: [`Reason::Override`] for another word than PUT or DELETE, from another method than allowed, or in two places.
pub(super) fn method<'r>(
    profile: &Profile,
    request: &'r Request<'r>,
    query: Outline,
    spare: &Spare<'r>,
) -> Result<Option<&'static [u8]>, Reason> {
    let mut found = None;
    for entry in &profile.method {
        let Some(bytes) = value(profile, request, query, &entry.place, spare)? else { continue };
        let allowed = entry.from.iter().any(|from| from.as_bytes() == request.method);
        let method: &'static [u8] = match &*bytes {
            word if word.eq_ignore_ascii_case(b"PUT") => b"PUT",
            word if word.eq_ignore_ascii_case(b"DELETE") => b"DELETE",
            _ => return Err(Reason::Override),
        };
        if !allowed || found.is_some() {
            return Err(Reason::Override);
        }
        found = Some(method);
    }
    Ok(found)
}

/// Writes `head` and the path that the request names into `out`, decoding into `spare`; whether it names one.
///
/// Errors: [`Reason::Override`] for a path with dot segments, encoding, doubled slashes, control characters or a
/// backslash, or with a query that names what this profile reads.
pub(super) fn path<'r>(
    profile: &Profile,
    request: &'r Request<'r>,
    outline: Outline,
    path: &[u8],
    head: &[u8],
    spare: &Spare<'r>,
    out: &mut Vec<u8>,
) -> Result<bool, Reason> {
    let fold = profile.lenient().path_case;
    let mut done = false;
    for entry in profile.path.iter().filter(|entry| same(entry.at.as_bytes(), path, fold)) {
        let Some(bytes) = value(profile, request, outline, &entry.place, spare)? else { continue };
        let (named, query) = match bytes.iter().position(|b| *b == b'?') {
            Some(at) => (bytes.get(..at).unwrap_or_default(), bytes.get(at + 1..).unwrap_or_default()),
            None => (&bytes[..], &b""[..]),
        };
        if done || !is_plain(named) || names_ours(profile, query) {
            return Err(Reason::Override);
        }
        out.extend_from_slice(head);
        if named.first() != Some(&b'/') {
            out.push(b'/');
        }
        out.extend_from_slice(named);
        done = true;
    }
    Ok(done)
}

/// Whether everybody reads this path alike.
fn is_plain(path: &[u8]) -> bool {
    !path.is_empty()
        && path.iter().all(|b| !b.is_ascii_control() && !matches!(b, b'%' | b'\\' | b'#' | b';'))
        && !path.windows(2).any(|pair| pair == b"//")
        && !path.split(|b| *b == b'/').any(|segment| matches!(segment, b"." | b".."))
}

/// Whether the query inside a path names a parameter that this profile reads: it would be read behind us and not here.
fn names_ours(profile: &Profile, query: &[u8]) -> bool {
    !query.is_empty() && profile.query_names.iter().any(|name| form::has(query, name, profile.lenient().query_case))
}

fn value<'r>(
    profile: &Profile,
    request: &'r Request<'r>,
    query: Outline,
    place: &Place,
    spare: &Spare<'r>,
) -> Result<Option<Cow<'r, [u8]>>, Reason> {
    match &place.at {
        Where::Header(name) => Ok(header::one(request.headers, name.as_bytes())?.map(Cow::Borrowed)),
        Where::Query(name) if !query.may_hold(name) => Ok(None),
        Where::Query(name) => {
            let raw = form::raw(request.query, name, profile.lenient().query_case)?;
            Ok(raw.map(|raw| spare.decoded(raw)))
        }
        _ => Ok(None),
    }
}
