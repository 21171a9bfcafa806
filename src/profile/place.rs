//! A place: where in a request a value sits, written `kind:name` or `kind:name=value`.
//!
//! Parsed when a profile is compiled, looked up by `profile::visit`. A place knows nothing of what its value is for.

use super::near;

/// Kinds of places, as spelled.
pub const PLACE_KINDS: [&str; 10] =
    ["header", "cookie", "query", "form", "json", "xml", "xmlns", "auth", "path", "body"];

/// The `Authorization` schemes a place may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthScheme {
    Basic,
    Bearer,
    /// Recognised, so that its absence is told apart from a bad header.
    Negotiate,
}

/// Where a value sits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Where {
    /// A header's value.
    Header(Box<str>),
    /// A cookie's value.
    Cookie(Box<str>),
    /// A parameter of the query.
    Query(Box<str>),
    /// A parameter of a form body.
    Form(Box<str>),
    /// A member of the JSON document: the pointer's segments.
    Json(Box<[Box<str>]>),
    /// An element of the XML body: local names from the root, `*` is any.
    Xml(Box<[Box<str>]>),
    /// The namespace of the XML body's root element.
    Namespace,
    /// What follows the scheme in `Authorization`.
    Auth(AuthScheme),
    /// A segment caught by the match: its name.
    Caught(Box<str>),
    /// The whole body.
    Body,
}

/// A place, and the value it must hold to count, if one is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub at: Where,
    /// Compared with ASCII case ignored; another value counts as nothing there.
    pub equals: Option<Box<str>>,
}

impl Place {
    /// Parses `kind:name` or `kind:name=value`. Errors are sentences without a line.
    pub(super) fn parse(text: &str) -> Result<Place, String> {
        let Some((kind, rest)) = text.split_once(':') else {
            return Err(format!("`{text}` is not a place; write `kind:name`, for example `header:X-Username`"));
        };
        let (name, equals) = match rest.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (rest, None),
        };
        let at = where_is(text, kind, name)?;
        Ok(Place { at, equals: equals.map(Box::from) })
    }

    /// Whether the body must be there to look (a JSON place may sit elsewhere: see `document`).
    pub(super) const fn in_body(&self) -> bool {
        matches!(self.at, Where::Form(_) | Where::Json(_) | Where::Xml(_) | Where::Namespace | Where::Body)
    }

    /// Whether whatever satisfies `self` satisfies `other` too.
    pub(super) fn implies(&self, other: &Place) -> bool {
        self.at == other.at
            && match (&self.equals, &other.equals) {
                (_, None) => true,
                (Some(a), Some(b)) => a.eq_ignore_ascii_case(b),
                (None, Some(_)) => false,
            }
    }
}

fn where_is(text: &str, kind: &str, name: &str) -> Result<Where, String> {
    let named = |what: &str| match name.is_empty() {
        true => Err(format!("`{text}` names no {what}")),
        false => Ok(Box::<str>::from(name)),
    };
    Ok(match kind {
        "header" => {
            let name = named("header")?;
            if !name.bytes().all(is_token) {
                return Err(format!("`{text}`: a header's name is letters, digits and hyphens"));
            }
            for (reserved, instead) in [("authorization", "auth:"), ("cookie", "cookie:")] {
                if name.eq_ignore_ascii_case(reserved) {
                    return Err(format!("`{text}`: use `{instead}…`, the whole header is no place"));
                }
            }
            Where::Header(name)
        }
        "cookie" => match named("cookie")? {
            name if name.bytes().all(is_token) => Where::Cookie(name),
            _ => return Err(format!("`{text}`: no cookie can have this name")),
        },
        "query" => Where::Query(named("parameter")?),
        "form" => Where::Form(named("parameter")?),
        "json" => Where::Json(pointer(text, name)?),
        "xml" => Where::Xml(elements(text, name)?),
        "xmlns" if name.is_empty() => Where::Namespace,
        "xmlns" => {
            return Err(format!("`{text}`: the root element's namespace is `xmlns:`, or `xmlns:=` and its name"));
        }
        "auth" => Where::Auth(match name {
            "Basic" => AuthScheme::Basic,
            "Bearer" => AuthScheme::Bearer,
            "Negotiate" => AuthScheme::Negotiate,
            _ => return Err(format!("`{text}`: the schemes are `Basic`, `Bearer` and `Negotiate`")),
        }),
        "path" => Where::Caught(named("segment")?),
        "body" if name.is_empty() => Where::Body,
        "body" => return Err(format!("`{text}`: the whole body is `body:`")),
        _ => return Err(format!("`{text}`: no kind of place `{kind}`{}", near::hint(kind, PLACE_KINDS.into_iter()))),
    })
}

/// Segments of a JSON pointer (RFC 6901): `~1` is `/`, `~0` is `~`; without any it is the whole document.
fn pointer(text: &str, name: &str) -> Result<Box<[Box<str>]>, String> {
    if name.is_empty() {
        return Ok(Box::default());
    }
    let Some(rest) = name.strip_prefix('/') else {
        return Err(format!("`{text}`: a JSON pointer begins with `/`"));
    };
    Ok(rest.split('/').map(|segment| segment.replace("~1", "/").replace("~0", "~").into()).collect())
}

fn elements(text: &str, name: &str) -> Result<Box<[Box<str>]>, String> {
    let Some(rest) = name.strip_prefix('/') else {
        return Err(format!("`{text}`: an XML path begins with `/` and the root element"));
    };
    let names: Box<[Box<str>]> = rest.split('/').map(Box::from).collect();
    match names.iter().all(|n| !n.is_empty() && !n.contains(':')) {
        true => Ok(names),
        false => Err(format!("`{text}`: local names or `*` between single slashes, without prefixes")),
    }
}

/// A token character of RFC 9110 section 5.6.2.
pub(super) const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_of_every_kind_are_read() {
        let pointer = Place::parse("json:/params/0/a~1b").unwrap();
        assert_eq!(pointer.at, Where::Json(["params", "0", "a/b"].map(Box::from).into()));
        let place = Place::parse("query:scheme=openIdConnect").unwrap();
        assert_eq!((place.at, place.equals.as_deref()), (Where::Query("scheme".into()), Some("openIdConnect")));
        for text in ["header:X-A", "cookie:a.b", "form:u", "xml:/*/user", "auth:Basic", "path:id", "body:"] {
            Place::parse(text).unwrap();
        }
    }

    #[test]
    fn what_is_no_place_is_refused() {
        for text in [
            "X-A",
            "header:",
            "header:A B",
            "header:Cookie",
            "header:authorization",
            "cookie:a;b",
            "json:a",
            "xml:a/b",
            "xml:/a//b",
            "xml:/s:Body",
            "auth:Digest",
            "body:x",
            "heading:x",
            "query:",
        ] {
            assert!(Place::parse(text).is_err(), "{text}");
        }
        assert!(Place::parse("haeder:x").unwrap_err().contains("did you mean `header`"));
    }

    #[test]
    fn a_place_with_a_value_implies_the_place() {
        let with = Place::parse("query:s=x").unwrap();
        let without = Place::parse("query:s").unwrap();
        assert!(with.implies(&without) && !without.implies(&with));
        assert!(with.implies(&Place::parse("query:s=X").unwrap()));
    }
}
