//! Paths that someone else could read in another way than the host routed them.
//!
//! Called through `path` by `engine`, where no proof is needed. Knows the spellings by which a proxy and a server
//! have been made to disagree; it judges the raw path alone and never tries to guess which reading was meant.

use super::{decoding, escape, well_formed};

/// Whether a server behind this one, or in front of it, could read `raw` in another way than it was routed.
///
/// That is: dot segments, plain or encoded or with a `;`; a segment of nothing but parameters; an encoded slash or
/// backslash or dot; a backslash, control byte or NUL in any spelling; an escape that is malformed or that decodes to
/// another escape; bytes that are not UTF-8 (overlong forms); a raw `?` or `#`; a path that begins with two slashes.
/// Where no proof is needed, such a path is refused.
pub fn is_ambiguous(raw: &[u8]) -> bool {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_' | b'~');
    if raw.iter().all(plain) {
        return raw.starts_with(b"//");
    }
    !well_formed(raw)
        || raw.iter().any(|byte| matches!(byte, b'?' | b'#'))
        || raw.starts_with(b"//")
        || holds_odd_byte(raw)
        || holds_second_escape(raw)
        || holds_dots_or_bare_parameters(raw)
        || !is_utf8(raw)
}

fn holds_odd_byte(raw: &[u8]) -> bool {
    decoding(raw)
        .any(|(byte, escaped)| byte.is_ascii_control() || byte == b'\\' || escaped && matches!(byte, b'/' | b'.'))
}

/// Whether what is decoded once could be decoded again, also in the old `%uXXXX` form.
fn holds_second_escape(raw: &[u8]) -> bool {
    let mut window = [0; 3];
    decoding(raw).any(|(byte, _)| {
        window = [window[1], window[2], byte];
        escape(&window).is_some() || matches!(window, [_, b'%', b'u' | b'U'])
    })
}

/// Whether a segment is dots, or is dots or nothing before its `;`, or has a dot touch a `;`.
fn holds_dots_or_bare_parameters(raw: &[u8]) -> bool {
    let mut before = b'/';
    // Length of the segment so far, and whether it was dots only; `None` behind its first `;`.
    let mut name = Some((0usize, true));
    let is_bad = |name: Option<(usize, bool)>, parameters: bool| match name {
        Some((0, _)) => parameters,
        Some((length, dots)) => dots && length <= 2,
        None => false,
    };
    for (byte, _) in decoding(raw) {
        match byte {
            b'/' if is_bad(name, false) => return true,
            b'/' => name = Some((0, true)),
            b';' if is_bad(name, true) || before == b'.' => return true,
            b';' => name = None,
            b'.' if before == b';' => return true,
            _ => name = name.map(|(length, dots)| (length + 1, dots && byte == b'.')),
        }
        before = byte;
    }
    is_bad(name, false)
}

/// Whether the decoded bytes are UTF-8. A character is at most four bytes, so that much is looked at at once.
fn is_utf8(raw: &[u8]) -> bool {
    let mut bytes = decoding(raw).map(|(byte, _)| byte);
    while let Some(first) = bytes.next() {
        let length = match first {
            0..0x80 => continue,
            0xc2..0xe0 => 2,
            0xe0..0xf0 => 3,
            0xf0..0xf5 => 4,
            _ => return false,
        };
        let mut character = [first, 0, 0, 0];
        for place in character.iter_mut().take(length).skip(1) {
            match bytes.next() {
                Some(byte) => *place = byte,
                None => return false,
            }
        }
        if character.get(..length).is_none_or(|bytes| std::str::from_utf8(bytes).is_err()) {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::super::{agree, decode_once};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_a_third_party_could_read_differently_is_ambiguous() {
        for raw in [
            "/a/../b",
            "/a/./b",
            "/..",
            "/.",
            "/a/..;/b",
            "/a/..;x=1/b",
            "/a/.;/b",
            "/a/;/b",
            "/;x",
            "/a/x;..",
            "/a/x.;y",
            "/%2e%2e/a",
            "/a%2etxt",
            "/a%2Fb",
            "/a%5cb",
            "/a\\b",
            "/a%00",
            "/a\n",
            "/a%0d",
            "/a\x7f",
            "/a%252e",
            "/a%25%32%65",
            "/a%2%35",
            "/a%25u002e",
            "/a%",
            "/a%zz",
            "/%u002e",
            "/%c0%ae%c0%ae/a",
            "/%e0%80%af",
            "/%ff",
            "/%c3",
            "/%c3/",
            "//a",
            "//",
            "/a#b",
            "/a?b",
            "/..%3b/a",
        ] {
            assert!(is_ambiguous(raw.as_bytes()), "{raw}");
        }
        assert!(is_ambiguous(b"/\xfc"), "Latin-1");
    }

    #[test]
    fn plain_paths_are_not_ambiguous() {
        for raw in [
            "",
            "/",
            "*",
            "/a/b/",
            "/a//b",
            "/index.html",
            "/a.b/.well-known/x",
            "/...",
            "/a..b",
            "/a%20b",
            "/100%25",
            "/%c3%bc",
            "/\u{1f511}",
            "/_mmwebext/mmwebext.dll",
            "/REST/session.aspx",
            "/index.html;jsessionid=1A2B",
            "/a;v=1.2/b",
            "/a%3b%3f%23",
            "/objects(1)/~x",
        ] {
            assert!(!is_ambiguous(raw.as_bytes()), "{raw}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn an_unambiguous_path_has_one_reading(raw in "/([/.a;%]|%2e|%2F|%25|41|%c3|%bc){0,10}") {
            if !is_ambiguous(raw.as_bytes()) {
                let mut room = [0; 64];
                let decoded = decode_once(raw.as_bytes(), &mut room);
                prop_assert!(decoded.is_some_and(|routed| agree(routed, raw.as_bytes())), "{}", raw);
            }
        }
    }
}
