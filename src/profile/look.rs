//! Looking into a place: one value out of headers, cookies, query, path or a parsed body.
//!
//! Called by `profile::route` while it decides on an endpoint and by `profile::visit` afterwards. A place that occurs
//! twice is an error, never a choice. Nothing allocates but decoding, and that only
//! when the room for it is used up or the text is JSON or XML.

use super::pattern::Caught;
use super::place::{AuthScheme, Place, Where};
use super::room::Spare;
use super::{Lenient, pattern::Pattern};
use crate::base::Reason;
use crate::parse::authorization::{self, Scheme};
use crate::parse::form::Outline;
use crate::parse::{Request, cookie, form, header, json, xml};
use std::borrow::Cow;

/// What a place holds.
pub(super) enum Found<'v> {
    Bytes(Cow<'v, [u8]>),
    /// A JSON number as written.
    Number(&'v str),
    Bool(bool),
    /// A JSON array or object: there, but no value.
    Container,
}

impl<'v> Found<'v> {
    pub fn is_blank(&self) -> bool {
        matches!(self, Found::Bytes(bytes) if bytes.is_empty())
    }

    /// As bytes; a container is no value.
    pub fn bytes(self) -> Result<Cow<'v, [u8]>, Reason> {
        match self {
            Found::Bytes(bytes) => Ok(bytes),
            Found::Number(text) => Ok(Cow::Borrowed(text.as_bytes())),
            Found::Bool(flag) => Ok(Cow::Borrowed(if flag { b"true" } else { b"false" })),
            Found::Container => Err(Reason::Malformed),
        }
    }

    fn equals(&self, value: &str) -> bool {
        match self {
            Found::Bytes(bytes) => bytes.eq_ignore_ascii_case(value.as_bytes()),
            Found::Number(text) => *text == value,
            Found::Bool(flag) => value.eq_ignore_ascii_case(if *flag { "true" } else { "false" }),
            Found::Container => false,
        }
    }
}

/// Bytes as text; what is not UTF-8 is malformed.
pub(super) fn text(bytes: Cow<'_, [u8]>) -> Result<Cow<'_, str>, Reason> {
    match bytes {
        Cow::Borrowed(bytes) => std::str::from_utf8(bytes).map(Cow::Borrowed).map_err(|_| Reason::Malformed),
        Cow::Owned(bytes) => String::from_utf8(bytes).map(Cow::Owned).map_err(|_| Reason::Malformed),
    }
}

/// The bodies of a request, as far as they were read, and what was found out about its query.
pub(super) struct Bodies<'r> {
    pub whole: Option<&'r [u8]>,
    pub form: Option<&'r [u8]>,
    pub json: Option<json::Document<'r>>,
    pub xml: Option<xml::Document<'r>>,
    /// The JSON document that sits elsewhere than in the body.
    pub elsewhere: Option<json::Document<'r>>,
    /// What the query does not hold.
    pub query: Outline,
    /// Where parameters are decoded.
    pub spare: Spare<'r>,
}

impl<'r> Bodies<'r> {
    /// None yet. `query` is the outline of the request's own.
    pub fn none(query: Outline, spare: Spare<'r>) -> Bodies<'r> {
        Bodies { whole: None, form: None, json: None, xml: None, elsewhere: None, query, spare }
    }
}

/// Where to look, for one endpoint.
#[derive(Clone, Copy)]
pub(super) struct Look<'v, 'r> {
    pub request: &'v Request<'r>,
    pub bodies: &'v Bodies<'r>,
    pub lenient: Lenient,
    /// The JSON document of this endpoint sits elsewhere.
    pub elsewhere: bool,
    pub path: &'v [u8],
    pub pattern: &'v Pattern,
    pub caught: Caught,
}

impl<'v, 'r: 'v> Look<'v, 'r> {
    /// The value at `place`, if there is one and it is the one asked for.
    pub fn at(&self, place: &Place) -> Result<Option<Found<'v>>, Reason> {
        let found = self.find(&place.at)?;
        Ok(match (&place.equals, found) {
            (Some(value), Some(found)) if !found.equals(value) => None,
            (_, found) => found,
        })
    }

    /// The first of `places` that holds something. All are looked at, so that a double one is noticed wherever it is.
    pub fn first(&self, places: &[Place], blank_absent: bool) -> Result<Option<Found<'v>>, Reason> {
        let mut first = None;
        for place in places {
            let found = self.at(place)?.filter(|found| !(blank_absent && found.is_blank()));
            first = first.or(found);
        }
        Ok(first)
    }

    /// Whether `place` holds something, an empty parameter included.
    pub fn holds(&self, place: &Place) -> Result<bool, Reason> {
        if self.at(place)?.is_some() {
            return Ok(true);
        }
        Ok(match &place.at {
            Where::Query(name) if place.equals.is_none() => {
                form::has(self.request.query, name, self.lenient.query_case)
            }
            _ => false,
        })
    }

    fn find(&self, at: &Where) -> Result<Option<Found<'v>>, Reason> {
        let fold = self.lenient.query_case;
        Ok(match at {
            Where::Header(name) => header::one(self.request.headers, name.as_bytes())?.map(borrowed),
            Where::Cookie(name) => {
                if cookie::too_large(self.request.headers) {
                    return Err(Reason::TooLarge);
                }
                let mut all = cookie::all(self.request.headers, name.as_bytes());
                let first = all.next();
                if all.next().is_some() {
                    return Err(Reason::Duplicate);
                }
                first.map(borrowed)
            }
            Where::Query(name) if !self.bodies.query.may_hold(name) => None,
            Where::Query(name) if !self.bodies.query.is_encoded() => {
                form::raw(self.request.query, name, fold)?.map(borrowed)
            }
            Where::Query(name) => form::raw(self.request.query, name, fold)?.map(|raw| self.decoded(raw)),
            Where::Form(name) => match self.bodies.form {
                Some(form) => form::raw(form, name, fold)?.map(|raw| self.decoded(raw)),
                None => None,
            },
            Where::Json(pointer) => {
                let document = if self.elsewhere { &self.bodies.elsewhere } else { &self.bodies.json };
                document.as_ref().and_then(|document| document.at(pointer)).map(json_value)
            }
            Where::Xml(path) => match &self.bodies.xml {
                Some(document) => document.at(path)?.map(|text| Found::Bytes(text_bytes(text))),
                None => None,
            },
            Where::Namespace => {
                let namespace = self.bodies.xml.as_ref().and_then(xml::Document::namespace);
                namespace.map(|name| borrowed(name.as_bytes()))
            }
            Where::Auth(scheme) => self.authorization(*scheme)?.map(borrowed),
            Where::Caught(name) => {
                let index = self.pattern.names().position(|known| known == name.as_ref());
                index.and_then(|index| self.caught.get(index, self.path)).map(borrowed)
            }
            Where::Body => self.bodies.whole.filter(|body| !body.is_empty()).map(borrowed),
        })
    }

    fn decoded(&self, raw: &'r [u8]) -> Found<'v> {
        Found::Bytes(self.bodies.spare.decoded(raw))
    }

    /// What follows the scheme, if `Authorization` is of this scheme.
    pub fn authorization(&self, wanted: AuthScheme) -> Result<Option<&'v [u8]>, Reason> {
        let Some(value) = header::one(self.request.headers, b"authorization")? else { return Ok(None) };
        match (authorization::scheme(value).0, wanted) {
            (Scheme::Bearer, AuthScheme::Bearer) => authorization::bearer(value).map(Some),
            (Scheme::Negotiate, AuthScheme::Negotiate) => authorization::negotiate(value).map(Some),
            (Scheme::Basic, AuthScheme::Basic) => Ok(Some(value)),
            _ => Ok(None),
        }
    }
}

fn borrowed(bytes: &[u8]) -> Found<'_> {
    Found::Bytes(Cow::Borrowed(bytes))
}

fn json_value(value: json::Value<'_>) -> Found<'_> {
    match value {
        json::Value::Text(text) => Found::Bytes(text_bytes(text)),
        json::Value::Number(digits) => Found::Number(digits),
        json::Value::Bool(flag) => Found::Bool(flag),
        json::Value::Array | json::Value::Object => Found::Container,
    }
}

fn text_bytes(text: Cow<'_, str>) -> Cow<'_, [u8]> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}
