//! The `Cookie` header (RFC 6265 section 4.2.1), read as servers should and not as browsers do.
//!
//! Called by `profile` for places of kind `cookie`, and by `ffi`. A cookie is a name and a value around the first
//! `=`; nothing is percent-decoded, so `__%48ost-x` never becomes `__Host-x`, and a cookie without a name never lends
//! its value's first word as one. Quotes do not hide a `;`. Several cookies of one name are all shown, since a
//! neighbour's host may plant one: the caller tries at most [`MAX_SAME`] of them. Nothing allocates.

use super::Header;
use super::header::{MAX_VALUE, same, trim};

/// How many cookies of one name a caller tries.
pub const MAX_SAME: usize = 4;

/// The values of all cookies called exactly `name` (case counts), over all `Cookie` lines in order. A pair of quotes
/// around a value is taken off. Nothing is found if the lines are together longer than [`MAX_VALUE`] bytes (see
/// [`too_large`]), or if `name` is empty.
pub fn all<'r>(headers: &'r [Header<'r>], name: &[u8]) -> impl Iterator<Item = &'r [u8]> {
    let headers = if too_large(headers) { &[] } else { headers };
    lines(headers).flat_map(|line| line.split(|&byte| byte == b';')).filter_map(move |cookie| value_of(cookie, name))
}

/// Name and whole text of every piece of the `Cookie` lines, in order, for passing some of them on. More generous with
/// names than [`all`]: blanks before the `=` come off, so that a piece which somebody could take for ours is known.
pub fn pieces<'r>(headers: &'r [Header<'r>]) -> impl Iterator<Item = (&'r [u8], &'r [u8])> {
    lines(headers).flat_map(|line| line.split(|&byte| byte == b';')).map(trim).filter(|text| !text.is_empty()).map(
        |text| {
            let name = text.split(|&byte| byte == b'=').next().unwrap_or_default();
            (trim(name), text)
        },
    )
}

/// Whether the `Cookie` lines are together longer than is looked at. Reads lengths only.
pub fn too_large(headers: &[Header<'_>]) -> bool {
    lines(headers).fold(0, |sum: usize, line| sum.saturating_add(line.len())) > MAX_VALUE
}

fn lines<'r>(headers: &'r [Header<'r>]) -> impl Iterator<Item = &'r [u8]> {
    headers.iter().filter(|header| same(header.name, b"Cookie")).map(|header| header.value)
}

fn value_of<'r>(cookie: &'r [u8], name: &[u8]) -> Option<&'r [u8]> {
    let cookie = trim(cookie);
    let (found, value) = cookie.split_at_checked(cookie.iter().position(|&byte| byte == b'=')?)?;
    if found.is_empty() || found != name {
        return None;
    }
    Some(unquoted(trim(value.get(1..)?)))
}

fn unquoted(value: &[u8]) -> &[u8] {
    match value {
        [b'"', inside @ .., b'"'] => inside,
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: [&str; 0] = [];

    fn found(lines: &[&str], name: &str) -> Vec<String> {
        let headers: Vec<_> = lines.iter().map(|line| Header { name: b"cookie", value: line.as_bytes() }).collect();
        all(&headers, name.as_bytes()).map(|value| String::from_utf8(value.to_vec()).unwrap()).collect()
    }

    #[test]
    fn all_cookies_of_a_name_are_shown_in_order() {
        assert_eq!(found(&["sid=a; x=1; sid=b", "sid=c"], "sid"), ["a", "b", "c"]);
        assert_eq!(
            found(&["sid=a;x=1;\tsid = b;sid= c "], "sid"),
            ["a", "c"],
            "a blank before `=` belongs to the name"
        );
    }

    #[test]
    fn pieces_are_handed_on_whole_and_named_generously() {
        let headers = [
            Header { name: b"Cookie", value: b"sid=a; ; x = \"y;\tsid =b" },
            Header { name: b"COOKIE", value: b"flag;sid" },
        ];
        let found: Vec<(&[u8], &[u8])> = pieces(&headers).collect();
        let expected: [(&[u8], &[u8]); 5] =
            [(b"sid", b"sid=a"), (b"x", b"x = \"y"), (b"sid", b"sid =b"), (b"flag", b"flag"), (b"sid", b"sid")];
        assert_eq!(found, expected);
    }

    #[test]
    fn only_the_exact_name_counts() {
        let line = ["SID=a; sidx=b; xsid=c; $sid=d; s%69d=e; \"sid\"=f; sid; sid%3dg"];
        assert_eq!(found(&line, "sid"), NONE);
        assert_eq!(found(&["__%48ost-x=a; __Host-x=b"], "__Host-x"), ["b"]);
    }

    #[test]
    fn a_cookie_without_a_name_is_nothing() {
        assert_eq!(found(&["=__Host-x=a; =sid=b; =; a"], "__Host-x"), NONE);
        assert_eq!(found(&["=a; ="], ""), NONE);
    }

    #[test]
    fn the_first_equals_sign_ends_the_name() {
        assert_eq!(found(&["sid=a=b=="], "sid"), ["a=b=="]);
        assert_eq!(found(&["sid==__Host-x=c"], "sid"), ["=__Host-x=c"]);
    }

    #[test]
    fn quotes_come_off_in_pairs_and_hide_no_semicolon() {
        assert_eq!(found(&["a=\"x\"; b=\"x; c=x\"; d=\"; e=\"\""], "a"), ["x"]);
        assert_eq!(found(&["b=\"x; c=y\""], "b"), ["\"x"]);
        assert_eq!(found(&["b=\"x; c=y\""], "c"), ["y\""]);
        assert_eq!(found(&["d=\"; e=\"\""], "d"), ["\""]);
        assert_eq!(found(&["d=\"; e=\"\""], "e"), [""]);
    }

    #[test]
    fn malformed_lines_find_nothing_and_harm_nothing() {
        for line in ["", ";;", "session=&=", "; =; ;=", ",", "\0", "sid", "sid;", "===="] {
            assert_eq!(found(&[line], "sid"), NONE, "{line:?}");
        }
        assert_eq!(found(&["sid="], "sid"), [""]);
    }

    #[test]
    fn lines_over_the_bound_are_not_read() {
        let long = format!("sid=a; x={}", "y".repeat(MAX_VALUE - 9));
        assert_eq!(long.len(), MAX_VALUE);
        assert_eq!(found(&[&long], "sid"), ["a"]);
        assert_eq!(found(&[&long, "y"], "sid"), NONE);
        let headers =
            [Header { name: b"Cookie", value: long.as_bytes() }, Header { name: b"X", value: long.as_bytes() }];
        assert!(!too_large(&headers), "other headers do not count");
    }
}
