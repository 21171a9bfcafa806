//! The filters of templates: `local`, `url` and `iso`. `default` and `length` are the renderer's own.
//!
//! Pure functions of text; the renderer escapes what they return like any other value.

use std::fmt::Write;

/// Longest path that [`local`] lets through, in bytes.
pub const MAX_LOCAL: usize = 2048;

/// `target` if it is a path on this host, else `None`: one slash first, and nothing that a browser or a server behind
/// it could read as another host. Bytes beyond ASCII are percent-encoded.
///
/// Refused are `//`, `/\`, any backslash, control character or blank, dot segments, and encoded forms of these.
pub(super) fn local(target: &str) -> Option<String> {
    let path = target.split(['?', '#']).next().unwrap_or_default();
    let lower = path.to_ascii_lowercase();
    let plain = target.len() <= MAX_LOCAL
        && target.starts_with('/')
        && !target.contains('\\')
        && !target.chars().any(|c| c.is_control() || c.is_whitespace() || matches!(c, '"' | '<' | '>' | '`'))
        && !lower.contains("//")
        && !path.split('/').any(|segment| matches!(segment, "." | ".."))
        && !["%2f", "%5c", "%2e", "%25"].iter().any(|bad| lower.contains(bad))
        && !encoded_control(&target.to_ascii_lowercase());
    plain.then(|| {
        let mut out = String::with_capacity(target.len());
        for byte in target.bytes() {
            push(&mut out, byte, byte.is_ascii_graphic());
        }
        out
    })
}

/// `%00` to `%1f`, `%7f`.
fn encoded_control(lower: &str) -> bool {
    lower.contains("%0") || lower.contains("%1") || lower.contains("%7f")
}

/// Percent-encodes all but the unreserved characters (RFC 3986 section 2.3).
pub(super) fn url(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        push(&mut out, byte, byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~'));
    }
    out
}

fn push(out: &mut String, byte: u8, plain: bool) {
    if plain {
        out.push(char::from(byte));
    } else {
        // Writing to a String cannot fail.
        let _ = write!(out, "%{byte:02X}");
    }
}

/// Unix seconds as `2026-01-31T23:59:00Z` (RFC 3339); `None` outside the years 0 to 9999.
pub(super) fn iso(seconds: i64) -> Option<String> {
    let time = time::OffsetDateTime::from_unix_timestamp(seconds).ok()?;
    time.format(&time::format_description::well_known::Rfc3339).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn paths_of_this_host_pass() {
        for path in ["/", "/a/b", "/a?next=//x", "/a?u=http://x/y", "/a#b", "/a%20b", "/a@b"] {
            assert_eq!(local(path).as_deref(), Some(path));
        }
        assert_eq!(local("/caf\u{e9}").as_deref(), Some("/caf%C3%A9"));
    }

    #[test]
    fn every_known_way_to_another_host_is_refused() {
        let hosts = ["evil.example", "evil.example:80", "user@evil.example", "[::1]"];
        let starts = [
            "//",
            "///",
            "/\\",
            "\\/",
            "\\\\",
            "http://",
            "https:",
            "https:/",
            "HTTP:\\\\",
            "javascript:",
            "data:",
            "//\t",
            "/\t/",
            "\t//",
            " //",
            "/ /",
            "\r\n//",
            "/\r/",
            "/\n/",
            "/%2f",
            "/%5c",
            "/%09/",
            "/%0d%0a",
            "/.//",
            "/..//",
            "/./",
            "/a/../",
            "/%2e%2e//",
            "",
            "?",
            "#",
            "@",
            "/%252f",
            "/\u{0}/",
            "/\u{a0}/",
            "/\u{2028}/",
            "\u{feff}//",
            "/\u{3000}/",
            "//%00",
            "ftp://",
            "blob:",
            "//;@",
        ];
        for start in starts {
            for host in hosts {
                let target = format!("{start}{host}");
                if target.starts_with("/./") || target.starts_with("/a/../") {
                    assert_eq!(local(&target), None, "{target:?}");
                }
                assert_eq!(local(&target), None, "{target:?}");
            }
        }
        assert_eq!(local(&format!("/{}", "a".repeat(MAX_LOCAL))), None);
    }

    #[test]
    fn time_and_url() {
        assert_eq!(iso(1_483_228_740).as_deref(), Some("2016-12-31T23:59:00Z"));
        assert_eq!(iso(i64::MAX), None);
        assert_eq!(url("/a b?c=\u{e9}&d"), "%2Fa%20b%3Fc%3D%C3%A9%26d");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn whatever_passes_is_one_slash_and_then_no_slash(text in "[/\\\\.%a-c2f5:@?#\t ]{0,12}") {
            if let Some(path) = local(&text) {
                prop_assert!(path.starts_with('/') && !path.starts_with("//"));
                prop_assert!(path.bytes().all(|b| b.is_ascii_graphic() && b != b'\\'));
            }
        }
    }
}
