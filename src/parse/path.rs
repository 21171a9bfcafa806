//! Paths: whether the host routed what the client sent, and whether others could read it in another way.
//!
//! Called by `engine` on every request, by `profile` for path overrides. A server routes a decoded path and often
//! forwards the raw one; whoever reads `/public/%2e%2e/admin` differently from us would open what we did not mean to
//! open. [`agree`] compares the two readings of the host, [`is_ambiguous`] says whether a third party could have one
//! of its own. Nothing allocates; all work is linear.

mod ambiguity;

pub use ambiguity::is_ambiguous;

/// Decodes every percent escape once into `out`. `None` if an escape is not two hexadecimal digits or `out` is too
/// short. `+` stands for itself.
pub fn decode_once<'b>(text: &[u8], out: &'b mut [u8]) -> Option<&'b [u8]> {
    if !well_formed(text) {
        return None;
    }
    let mut length = 0;
    for (byte, _) in decoding(text) {
        *out.get_mut(length)? = byte;
        length += 1;
    }
    out.get(..length)
}

/// Whether `raw`, decoded once and resolved (RFC 3986 section 5.2.4), is `routed`.
///
/// Servers differ in whether they merge slashes, so either reading may be the host's; a path that climbs (`..`) and
/// holds an empty segment is never agreed on, because then the two readings reach different places. An empty `raw`
/// (an internal redirect) agrees with everything. What is malformed, or climbs above the root, agrees with nothing.
pub fn agree(routed: &[u8], raw: &[u8]) -> bool {
    if raw.is_empty() {
        return true;
    }
    if !raw.starts_with(b"/") {
        return routed == raw && is_plain(raw);
    }
    // Nearly every path: nothing to decode, nothing to resolve.
    if routed == raw && !holds_more_than_names(raw) {
        return true;
    }
    well_formed(raw) && (resolves_to(raw, routed, true) || resolves_to(raw, routed, false))
}

/// Whether the host merged slashes that others will see apart: `//` as received, and none as routed.
pub fn merges(routed: &[u8], raw: &[u8]) -> bool {
    let doubled = |path: &[u8]| path.windows(2).any(|pair| pair == b"//");
    doubled(raw) && !doubled(routed)
}

/// Whether every `%` starts an escape.
fn well_formed(text: &[u8]) -> bool {
    let mut rest = text;
    while let Some(at) = rest.iter().position(|&byte| byte == b'%') {
        let Some(after) = rest.get(at..) else { return false };
        if escape(after).is_none() {
            return false;
        }
        rest = after.get(3..).unwrap_or_default();
    }
    true
}

/// The byte that an escape at the start of `text` stands for.
fn escape(text: &[u8]) -> Option<u8> {
    let [b'%', high, low, ..] = text else { return None };
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(*high)? * 16 + digit(*low)?)
}

/// The decoded bytes, each with whether it was escaped.
fn decoding(text: &[u8]) -> impl Iterator<Item = (u8, bool)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (byte, length, escaped) = match escape(rest) {
            Some(byte) => (byte, 3, true),
            None => (*rest.first()?, 1, false),
        };
        rest = rest.get(length..).unwrap_or_default();
        Some((byte, escaped))
    })
}

/// The same from the end: an escape holds no `%` but its first byte, so it is found from either side.
#[derive(Clone)]
struct Backwards<'a>(&'a [u8]);

impl Iterator for Backwards<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        if let Some((rest, last)) = self.0.split_last_chunk::<3>()
            && let Some(byte) = escape(last)
        {
            self.0 = rest;
            return Some(byte);
        }
        let (&byte, rest) = self.0.split_last()?;
        self.0 = rest;
        Some(byte)
    }
}

/// One segment, seen from its end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Segment {
    Empty,
    Dot,
    DotDot,
    Name,
}

/// Takes one segment and the slash before it off the end of `path`.
fn take_segment(path: &mut Backwards<'_>) -> Segment {
    let (mut length, mut dots) = (0usize, true);
    for byte in path.by_ref().take_while(|&byte| byte != b'/') {
        length += 1;
        dots = dots && byte == b'.';
    }
    match (length, dots) {
        (0, _) => Segment::Empty,
        (1, true) => Segment::Dot,
        (2, true) => Segment::DotDot,
        _ => Segment::Name,
    }
}

/// Whether well-formed `raw` resolves to `routed`. Works from the end, so that `..` needs no memory of what it takes
/// away: it only skips names still to come.
fn resolves_to(raw: &[u8], routed: &[u8], merge: bool) -> bool {
    let (mut path, mut left) = (Backwards(raw), routed);
    let (mut skip, mut climbs, mut hollow, mut last) = (0usize, false, false, true);
    while !path.0.is_empty() {
        let mut start = path.clone();
        let segment = take_segment(&mut path);
        let is_inner_empty = segment == Segment::Empty && !last;
        hollow |= is_inner_empty;
        let kept = match segment {
            Segment::Dot | Segment::DotDot => {
                let up = segment == Segment::DotDot;
                climbs |= up;
                skip += usize::from(up);
                false
            }
            _ if is_inner_empty && merge => false,
            Segment::Empty if last => false,
            _ if skip > 0 => {
                skip -= 1;
                false
            }
            _ => true,
        };
        let directory = last && segment != Segment::Name;
        last = false;
        if kept || directory {
            match without_segment(left, &mut start, kept) {
                Some(rest) => left = rest,
                None => return false,
            }
        }
    }
    skip == 0 && left.is_empty() && !(climbs && hollow)
}

/// Takes the segment that `path` ends in (or only the slash, if it is not `kept`) off the end of `routed`.
fn without_segment<'a>(routed: &'a [u8], path: &mut Backwards<'_>, kept: bool) -> Option<&'a [u8]> {
    let mut left = routed;
    if kept {
        for byte in path.take_while(|&byte| byte != b'/') {
            left = left.strip_suffix(&[byte])?;
        }
    }
    left.strip_suffix(b"/")
}

/// Whether there is an escape, an empty segment, or one that begins with a dot.
fn holds_more_than_names(raw: &[u8]) -> bool {
    let mut before = 0;
    raw.iter().any(|&byte| {
        let odd = byte == b'%' || before == b'/' && matches!(byte, b'/' | b'.');
        before = byte;
        odd
    })
}

/// Whether a path that is no path (`*`) holds nothing to decode or resolve.
fn is_plain(raw: &[u8]) -> bool {
    !raw.iter().any(|byte| matches!(byte, b'%' | b'.' | b'/' | b'\\'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The plain way: decode, split, resolve with a stack. `None` above the root.
    fn resolve(raw: &str, merge: bool) -> Option<String> {
        let mut room = vec![0; raw.len()];
        let decoded = String::from_utf8(decode_once(raw.as_bytes(), &mut room)?.to_vec()).ok()?;
        let segments: Vec<&str> = decoded.split('/').skip(1).collect();
        let mut stack = Vec::new();
        for (at, segment) in segments.iter().enumerate() {
            let last = at + 1 == segments.len();
            match *segment {
                "" if last => stack.push(""),
                "" if merge => {}
                "." | ".." => {
                    if *segment == ".." {
                        stack.pop()?;
                    }
                    if last {
                        stack.push("");
                    }
                }
                name => stack.push(name),
            }
        }
        Some(format!("/{}", stack.join("/")))
    }

    fn agree_text(routed: &str, raw: &str) -> bool {
        agree(routed.as_bytes(), raw.as_bytes())
    }

    #[test]
    fn escapes_are_decoded_once() {
        let mut out = [0; 8];
        assert_eq!(decode_once(b"/a%2fbc+%2541", &mut out), None, "does not fit");
        assert_eq!(decode_once(b"/%2f+%2541", &mut out), Some(&b"//+%41"[..]));
        assert_eq!(decode_once(b"", &mut []), Some(&b""[..]));
        for bad in ["%", "%4", "%zz", "a%", "%%41", "%+1", "%u002e"] {
            assert_eq!(decode_once(bad.as_bytes(), &mut out), None, "{bad}");
        }
    }

    #[test]
    fn what_servers_resolve_alike_agrees() {
        for (routed, raw) in [
            ("/", "/"),
            ("/a b", "/a%20b"),
            ("/%41", "/%2541"),
            ("/a/c", "/a/b/../c"),
            ("/a/", "/a/b/.."),
            ("/a/", "/a/."),
            ("/", "/a/.."),
            ("/a/b", "/./a/./b"),
            ("/raw/q", "/x/%2e%2e/raw/q"),
            ("/raw/x", "/raw//x"),
            ("/raw//x", "/raw//x"),
            ("/raw/", "/raw//"),
            ("/raw/z", "/raw%2fz"),
            ("/a;x/b", "/a;x/b"),
            ("/...", "/..."),
            ("/\u{fc}", "/%c3%bc"),
            ("/anything", ""),
            ("*", "*"),
        ] {
            assert!(agree_text(routed, raw), "{routed} {raw}");
        }
    }

    #[test]
    fn what_was_routed_differently_does_not_agree() {
        for (routed, raw) in [
            ("/a", "/b"),
            ("/a", "/a/"),
            ("/a/", "/a"),
            ("/a", "/A"),
            ("/a", "/a;x"),
            ("/a/b", "/a\\b"),
            ("/A", "/%2541"),
            ("/", "/.."),
            ("/a", "/../a"),
            ("/a", "/x/../../a"),
            ("/a", "a"),
            ("/a", "http://h/a"),
            ("a", "a/../a"),
            ("/a", "/a%"),
            ("/%zz", "/%zz"),
            ("", "/"),
            ("/", "/a"),
            ("/b", "/ab"),
            ("/ab", "/b"),
        ] {
            assert!(!agree_text(routed, raw), "{routed} {raw}");
        }
    }

    #[test]
    fn climbing_over_an_empty_segment_never_agrees() {
        for routed in ["/public/x", "/admin/public/x"] {
            assert!(!agree_text(routed, "/admin//../public/x"), "{routed}");
        }
        assert!(!agree_text("/a", "//x/../a"));
        assert!(agree_text("/a/", "/a/x/../"), "the end is no empty segment");
    }

    #[test]
    fn long_paths_take_linear_time() {
        for part in ["/..", "/a", "//", "/%2e", ";", "%25", "/.;"] {
            let raw = format!("/{}", part.repeat(300_000));
            assert!(!agree_text("/x", &raw));
            is_ambiguous(raw.as_bytes());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn the_backward_walk_is_the_plain_one(raw in "/([/.a;]|%2e|%2F|%41|%25|%c3%bc){0,12}") {
            let readings = [resolve(&raw, true), resolve(&raw, false)];
            let decoded = raw.replace("%2e", ".").replace("%2F", "/");
            let mut segments: Vec<&str> = decoded.split('/').skip(1).collect();
            let climbs = segments.contains(&"..");
            segments.pop();
            let torn = climbs && segments.contains(&"");
            for routed in readings.iter().flatten() {
                prop_assert_eq!(agree_text(routed, &raw), !torn, "{} {}", routed, raw);
            }
            for other in ["/", "/a", "/a/", "/a/a", "//a", "/.a"] {
                let expected = !torn && readings.iter().flatten().any(|routed| routed == other);
                prop_assert_eq!(agree_text(other, &raw), expected, "{} {}", other, raw);
            }
        }
    }
}
