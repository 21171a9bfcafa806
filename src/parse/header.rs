//! Header names and single headers (RFC 9110 sections 5.1 to 5.3).
//!
//! Called by `profile` for every place of kind `header`, and by `engine` for the list of headers to strip and for
//! `Connection`. Two comparisons stand here and must not be mixed up: [`same`] is what HTTP says, [`canonical_same`]
//! is what CGI-like adapters make of a name. A look-up must never be blind to the second: what is spelled
//! `X_Authentication` here may be read as `X-Authentication` behind us.
//!
//! Nothing here allocates but [`canonical`], which is for the time an engine is built.

use super::Header;
use crate::base::Reason;

/// Longest `Authorization` value, and longest sum of `Cookie` values, that is looked at, in bytes.
pub const MAX_VALUE: usize = 16 * 1024;

/// Whether two header names are the same to HTTP: ASCII case does not count.
pub fn same(a: &[u8], b: &[u8]) -> bool {
    a.eq_ignore_ascii_case(b)
}

/// Whether two header names are the same once an adapter has made variables of them: ASCII case does not count, and
/// all bytes that are neither letter nor digit are equal to each other.
pub fn canonical_same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(&x, &y)| fold(x) == fold(y))
}

/// The form that [`canonical_same`] compares: lower case, `_` for every byte that is neither letter nor digit.
pub fn canonical(name: &[u8]) -> String {
    name.iter().map(|&byte| char::from(fold(byte))).collect()
}

/// What each byte is compared as: by a table, for each header of a request is compared with several names.
const FOLDED: [u8; 256] = {
    let mut folded = [b'_'; 256];
    let mut byte = 0;
    while byte < 128 {
        if (byte as u8).is_ascii_alphanumeric() {
            folded[byte] = (byte as u8).to_ascii_lowercase();
        }
        byte += 1;
    }
    folded
};

const fn fold(byte: u8) -> u8 {
    FOLDED[byte as usize]
}

/// The value of the header `name`, if there is one.
///
/// Errors: [`Reason::Duplicate`] if it stands twice, in whatever spelling; [`Reason::Malformed`] if its only spelling
/// is one that HTTP tells apart from `name` and adapters do not (`X_Name` for `X-Name`).
pub fn one<'r>(headers: &'r [Header<'r>], name: &[u8]) -> Result<Option<&'r [u8]>, Reason> {
    let mut all = headers.iter().filter(|header| canonical_same(header.name, name));
    match (all.next(), all.next()) {
        (None, _) => Ok(None),
        (Some(_), Some(_)) => Err(Reason::Duplicate),
        (Some(header), None) if same(header.name, name) => Ok(Some(header.value)),
        (Some(_), None) => Err(Reason::Malformed),
    }
}

/// The items of a comma-separated list header, over all its lines and in order, without blanks and without empty
/// items (RFC 9110 section 5.6.1). For lists of names such as `Connection`; quoted strings are not understood.
pub fn listed<'r>(headers: &'r [Header<'r>], in_header: &[u8]) -> impl Iterator<Item = &'r [u8]> {
    headers
        .iter()
        .filter(move |header| same(header.name, in_header))
        .flat_map(|header| header.value.split(|&byte| byte == b','))
        .map(trim)
        .filter(|item| !item.is_empty())
}

/// Takes blanks and tabs off both ends (OWS of RFC 9110).
pub(super) fn trim(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = text {
        text = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers<'a>(lines: &'a [(&'a str, &'a str)]) -> Vec<Header<'a>> {
        lines.iter().map(|(name, value)| Header { name: name.as_bytes(), value: value.as_bytes() }).collect()
    }

    #[test]
    fn names_differ_by_more_than_case() {
        assert!(same(b"x-authentication", b"X-Authentication"));
        assert!(!same(b"X_Authentication", b"X-Authentication"));
        assert!(!same(b"X-Authentication ", b"X-Authentication"));
    }

    #[test]
    fn every_spelling_of_an_identity_header_is_the_same_name() {
        for spelling in
            ["X-Forwarded-User", "x_forwarded_user", "X.Forwarded~User", "X-FORWARDED_USER", "x forwarded\0user"]
        {
            assert!(canonical_same(spelling.as_bytes(), b"X-Forwarded-User"), "{spelling}");
            assert_eq!(canonical(spelling.as_bytes()), "x_forwarded_user");
        }
        assert!(canonical_same("X-\u{fc}".as_bytes(), b"X___"), "bytes, not characters");
        assert!(!canonical_same(b"XForwardedUser", b"X-Forwarded-User"));
        assert!(!canonical_same(b"X-Forwarded-User-", b"X-Forwarded-User"));
    }

    #[test]
    fn every_byte_is_folded_as_the_rule_says() {
        for byte in 0..=255u8 {
            let expected = if byte.is_ascii_alphanumeric() { byte.to_ascii_lowercase() } else { b'_' };
            assert_eq!(fold(byte), expected, "{byte:#04x}");
        }
    }

    #[test]
    fn a_header_that_stands_twice_is_refused() {
        let lines = headers(&[("X-Vault", "a"), ("Host", "h"), ("x-vault", "a")]);
        assert_eq!(one(&lines, b"X-Vault"), Err(Reason::Duplicate));
        assert_eq!(one(&lines, b"host"), Ok(Some(&b"h"[..])));
        assert_eq!(one(&lines, b"X-Domain"), Ok(None));
    }

    #[test]
    fn a_lookalike_is_refused_beside_the_header_and_alone() {
        let beside = headers(&[("X-Authentication", "a"), ("X_Authentication", "b")]);
        assert_eq!(one(&beside, b"X-Authentication"), Err(Reason::Duplicate));
        let alone = headers(&[("X_Authentication", "b")]);
        assert_eq!(one(&alone, b"X-Authentication"), Err(Reason::Malformed));
    }

    #[test]
    fn an_empty_value_is_there() {
        assert_eq!(one(&headers(&[("X-Username", "")]), b"X-Username"), Ok(Some(&b""[..])));
    }

    #[test]
    fn a_list_is_read_over_all_lines() {
        let lines =
            headers(&[("Connection", "keep-alive, X-Authentication ,,"), ("CONNECTION", "\tUpgrade"), ("X", "y")]);
        let items: Vec<_> = listed(&lines, b"connection").collect();
        assert_eq!(items, [&b"keep-alive"[..], b"X-Authentication", b"Upgrade"]);
    }
}
