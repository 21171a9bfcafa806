//! Kinds of bodies: which an endpoint reads, and which one a request says it brings.

use super::endpoint::Endpoint;
use super::place::{Place, Where};
use crate::base::Reason;
use crate::parse::{Header, header};

/// A kind of body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Json,
    Xml,
    Form,
}

/// The kinds that an endpoint reads, in the order in which its places name them.
pub(super) fn of(endpoint: &Endpoint) -> Box<[Kind]> {
    let mut out = Vec::new();
    let proofs = endpoint.proofs.iter().flat_map(|proof| proof.places());
    let read = endpoint.read.iter().flatten();
    let named = endpoint.extra.iter().chain(&endpoint.echo).flat_map(|(_, places)| places.iter());
    for place in endpoint.when.iter().chain(&endpoint.document).chain(proofs).chain(read).chain(named) {
        if let Some(kind) = kind_of(place, endpoint)
            && !out.contains(&kind)
        {
            out.push(kind);
        }
    }
    out.into()
}

fn kind_of(place: &Place, endpoint: &Endpoint) -> Option<Kind> {
    match place.at {
        Where::Json(_) if endpoint.document.is_empty() => Some(Kind::Json),
        Where::Xml(_) | Where::Namespace => Some(Kind::Xml),
        Where::Form(_) => Some(Kind::Form),
        _ => None,
    }
}

/// The kinds that these endpoints read, the first one first.
pub(super) fn read_kinds<'e>(endpoints: impl Iterator<Item = &'e Endpoint>) -> [Option<Kind>; 3] {
    let mut out = [None; 3];
    for kind in endpoints.flat_map(|endpoint| endpoint.kinds.iter()) {
        if !out.contains(&Some(*kind))
            && let Some(slot) = out.iter_mut().find(|slot| slot.is_none())
        {
            *slot = Some(*kind);
        }
    }
    out
}

/// The kind that `Content-Type` declares.
///
/// Errors: [`Reason::Duplicate`] for two of them; [`Reason::BodyEncoding`] for another character set than UTF-8.
pub(super) fn declared(headers: &[Header<'_>]) -> Result<Option<Kind>, Reason> {
    let Some(value) = header::one(headers, b"content-type")? else { return Ok(None) };
    let Ok(value) = std::str::from_utf8(value) else { return Ok(None) };
    let mut parts = value.split(';').map(str::trim);
    let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
    for part in parts {
        if let Some((name, charset)) = part.split_once('=')
            && name.trim().eq_ignore_ascii_case("charset")
        {
            let charset = charset.trim().trim_matches('"').to_ascii_lowercase();
            if !matches!(charset.as_str(), "utf-8" | "utf8" | "us-ascii") {
                return Err(Reason::BodyEncoding);
            }
        }
    }
    Ok(match kind.as_str() {
        "application/json" | "text/json" => Some(Kind::Json),
        "application/xml" | "text/xml" => Some(Kind::Xml),
        "application/x-www-form-urlencoded" => Some(Kind::Form),
        kind if kind.ends_with("+json") => Some(Kind::Json),
        kind if kind.ends_with("+xml") => Some(Kind::Xml),
        _ => None,
    })
}
