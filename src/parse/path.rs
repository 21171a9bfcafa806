//! Paths: whether the host routed what the client sent, and whether others could read it in another way.
//!
//! Called by `engine` on every request, by `profile` for path overrides. A server routes a decoded path and often
//! forwards the raw one; whoever reads `/public/%2e%2e/admin` differently from us would open what we did not mean to
//! open. [`agree`] compares the two readings of the host, [`is_ambiguous`] says whether a third party could have one
//! of its own. Nothing allocates; all work is linear.

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
    well_formed(raw) && (resolves_to(raw, routed, true) || resolves_to(raw, routed, false))
}

/// Whether a server behind this one, or in front of it, could read `raw` in another way than it was routed.
///
/// That is: dot segments, plain or encoded or with a `;`; a segment of nothing but parameters; an encoded slash or
/// backslash or dot; a backslash, control byte or NUL in any spelling; an escape that is malformed or that decodes to
/// another escape; bytes that are not UTF-8 (overlong forms); a raw `?` or `#`; a path that begins with two slashes.
/// Where no proof is needed, such a path is refused.
pub fn is_ambiguous(raw: &[u8]) -> bool {
    !well_formed(raw)
        || raw.iter().any(|byte| matches!(byte, b'?' | b'#'))
        || raw.starts_with(b"//")
        || holds_odd_byte(raw)
        || holds_second_escape(raw)
        || holds_dots_or_bare_parameters(raw)
        || !is_utf8(raw)
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

/// Whether a path that is no path (`*`) holds nothing to decode or resolve.
fn is_plain(raw: &[u8]) -> bool {
    !raw.iter().any(|byte| matches!(byte, b'%' | b'.' | b'/' | b'\\'))
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
