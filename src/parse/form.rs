//! Query strings and `application/x-www-form-urlencoded` bodies (WHATWG URL, section 5.1).
//!
//! Called by `profile` for places of kind `query` and `form`, and by `ffi`. Values are bytes: what they mean as text is
//! the caller's word. A look-up allocates only when the value it found is encoded. Two readings differ from the
//! standard's, both on purpose: a second `?` ends a name as `=` does, because real clients send
//! `?wsdl?server=localhost`; and a name that is looked for and stands behind a `;` is refused, because some servers
//! would read a pair there and others would not.

use crate::base::Reason;
use percent_encoding::percent_decode;
use std::borrow::Cow;

/// All pairs in order, decoded once; borrowed where nothing is encoded. Empty pieces (`a&&b`) are left out; a piece
/// without `=` has an empty value; a `%` that starts no escape stands for itself.
pub fn pairs(text: &[u8]) -> impl Iterator<Item = (Cow<'_, [u8]>, Cow<'_, [u8]>)> {
    pieces(text).map(|piece| {
        let (name, value) = split(piece);
        (decoded(name), decoded(value))
    })
}

/// The value of `name`, if it is there. With `fold_case`, names that differ only in ASCII case are the same name.
///
/// Errors: [`Reason::Duplicate`] if the name stands twice, or behind a `;` within a piece.
pub fn one<'r>(text: &'r [u8], name: &str, fold_case: bool) -> Result<Option<Cow<'r, [u8]>>, Reason> {
    Ok(raw(text, name, fold_case)?.map(decoded))
}

/// The value of `name` as it stands, to be decoded by the caller where [`is_encoded`]. Errors: as [`one`].
pub fn raw<'r>(text: &'r [u8], name: &str, fold_case: bool) -> Result<Option<&'r [u8]>, Reason> {
    let mut found = None;
    for piece in pieces(text) {
        let (raw_name, value) = split(piece);
        let mut hidden = piece.split(|&byte| byte == b';').skip(1);
        if piece.contains(&b';') && hidden.any(|part| is_name(split(part).0, name, fold_case)) {
            return Err(Reason::Duplicate);
        }
        if is_name(raw_name, name, fold_case) && found.replace(value).is_some() {
            return Err(Reason::Duplicate);
        }
    }
    Ok(found)
}

/// Whether a raw value stands for other bytes than its own.
pub fn is_encoded(raw: &[u8]) -> bool {
    raw.iter().any(|byte| matches!(byte, b'%' | b'+'))
}

/// Decodes a raw value into `out`, which must not be shorter than it; what did not fit is left out.
pub fn decode_into<'b>(raw: &[u8], out: &'b mut [u8]) -> &'b [u8] {
    let mut length = 0;
    for (place, byte) in out.iter_mut().zip(decoding(raw)) {
        *place = byte;
        length += 1;
    }
    out.get(..length).unwrap_or_default()
}

/// What a query is known not to hold, found out in one pass. Most look-ups are for names that are not there, and many
/// are made for each request.
#[derive(Clone, Copy, Debug)]
pub struct Outline {
    /// One bit for the first byte of each name, ASCII case and the upper bits forgotten.
    firsts: u32,
    /// Something in it is encoded.
    encoded: bool,
}

impl Outline {
    pub fn of(text: &[u8]) -> Outline {
        let mut outline = Outline { firsts: 0, encoded: false };
        let mut first = true;
        for &byte in text {
            if first {
                outline.firsts |= Outline::bit(byte);
            }
            first = matches!(byte, b'&' | b';');
            outline.encoded |= matches!(byte, b'%' | b'+');
        }
        outline
    }

    /// Letters of either case share a bit.
    const fn bit(byte: u8) -> u32 {
        1 << (byte & 31)
    }

    /// Whether a look-up of `name` could find anything: a value, a second one, or one behind a `;`.
    pub fn may_hold(self, name: &str) -> bool {
        self.encoded || name.bytes().next().is_none_or(|first| self.firsts & Outline::bit(first) != 0)
    }

    /// Whether any value has to be decoded.
    pub fn is_encoded(self) -> bool {
        self.encoded
    }
}

/// Whether a pair of this name is there, with whatever value: `wsdl` is in `wsdl`, `wsdl=` and `wsdl?server=x`.
pub fn has(text: &[u8], name: &str, fold_case: bool) -> bool {
    pieces(text).any(|piece| is_name(split(piece).0, name, fold_case))
}

fn pieces(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|&byte| byte == b'&').filter(|piece| !piece.is_empty())
}

fn split(piece: &[u8]) -> (&[u8], &[u8]) {
    let end = piece.iter().position(|byte| matches!(byte, b'=' | b'?')).unwrap_or(piece.len());
    let (name, rest) = piece.split_at(end);
    (name, rest.get(1..).unwrap_or_default())
}

fn is_name(raw: &[u8], name: &str, fold_case: bool) -> bool {
    // Decoding never lengthens, and hardly any name is encoded.
    if raw.len() < name.len() {
        return false;
    }
    if !is_encoded(raw) {
        return if fold_case { raw.eq_ignore_ascii_case(name.as_bytes()) } else { raw == name.as_bytes() };
    }
    let mut bytes = decoding(raw);
    let equal = |(a, b): (u8, u8)| a == b || fold_case && a.eq_ignore_ascii_case(&b);
    name.bytes().all(|wanted| bytes.next().is_some_and(|byte| equal((byte, wanted)))) && bytes.next().is_none()
}

fn decoded(raw: &[u8]) -> Cow<'_, [u8]> {
    if is_encoded(raw) { Cow::Owned(decoding(raw).collect()) } else { Cow::Borrowed(raw) }
}

/// The decoded bytes one by one: `+` is a blank, and is so before escapes are looked at.
fn decoding(raw: &[u8]) -> impl Iterator<Item = u8> {
    raw.split_inclusive(|&byte| byte == b'+').flat_map(|part| {
        let (text, blank) = part.strip_suffix(b"+").map_or((part, None), |text| (text, Some(b' ')));
        percent_decode(text).chain(blank)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value(text: &str, name: &str) -> Result<Option<String>, Reason> {
        let found = one(text.as_bytes(), name, false)?;
        Ok(found.map(|bytes| String::from_utf8(bytes.into_owned()).unwrap()))
    }

    #[test]
    fn values_are_decoded_once() {
        assert_eq!(value("user=someName&pw=a%2Bb+c%26%3d", "pw"), Ok(Some("a+b c&=".into())));
        assert_eq!(value("pw=%2541", "pw"), Ok(Some("%41".into())), "once");
        assert_eq!(value("pw=100%&x=%zz%4", "pw"), Ok(Some("100%".into())));
        assert_eq!(value("pw=a=b?c", "pw"), Ok(Some("a=b?c".into())));
        assert_eq!(value("pw", "pw"), Ok(Some(String::new())));
        assert_eq!(value("&&pw=&", "pw"), Ok(Some(String::new())));
        assert_eq!(value("p%77=x", "pw"), Ok(Some("x".into())), "names as well");
        assert_eq!(value("user=x", "pw"), Ok(None));
        assert_eq!(value("", ""), Ok(None));
    }

    #[test]
    fn bytes_that_are_not_utf8_survive() {
        assert_eq!(one(b"pw=%ff%00", "pw", false), Ok(Some(Cow::Borrowed(&b"\xff\0"[..]))));
    }

    #[test]
    fn what_is_not_encoded_is_borrowed() {
        let text = b"session=UzL9uSNNcLjmlRx1PQsP&x=%20";
        assert!(matches!(one(text, "session", true), Ok(Some(Cow::Borrowed(b"UzL9uSNNcLjmlRx1PQsP")))));
        assert!(matches!(one(text, "x", true), Ok(Some(Cow::Owned(_)))));
    }

    #[test]
    fn a_name_that_stands_twice_is_refused() {
        assert_eq!(value("session=a&session=a", "session"), Err(Reason::Duplicate));
        assert_eq!(value("session=a&s%65ssion", "session"), Err(Reason::Duplicate), "in any spelling");
        assert_eq!(value("session=a&x=b&x=c", "session"), Ok(Some("a".into())), "others may");
        assert_eq!(value("session=a&Session=b", "session"), Ok(Some("a".into())));
        assert_eq!(one(b"session=a&SESSION=b", "Session", true), Err(Reason::Duplicate));
    }

    #[test]
    fn a_pair_behind_a_semicolon_is_refused() {
        assert_eq!(value("x=1;session=a", "session"), Err(Reason::Duplicate));
        assert_eq!(value("session=a;session=b", "session"), Err(Reason::Duplicate));
        assert_eq!(value("session=a;b", "session"), Ok(Some("a;b".into())));
        assert!(!has(b"x;wsdl", "wsdl", false));
    }

    #[test]
    fn a_second_question_mark_ends_the_name() {
        for text in ["wsdl?server=localhost", "WSDL?server=x&ns=y", "wsdl", "wsdl=", "a=b&wsdl?", "ws%64l"] {
            assert!(has(text.as_bytes(), "wsdl", true), "{text}");
        }
        for text in ["", "wsdl2", "awsdl", "x=wsdl", "wsdl%3Fserver", "WSDLDoc?x", "server?wsdl"] {
            assert!(!has(text.as_bytes(), "wsdl", true), "{text}");
        }
        assert_eq!(value("x?_method=PUT", "_method"), Ok(None), "no pair begins there");
        assert_eq!(value("wsdl?server=x", "wsdl"), Ok(Some("server=x".into())));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn the_standard_reading_is_ours(text in "[a-c=&+%0-9é]{0,40}") {
            let text = text.as_bytes();
            let ours: Vec<_> = pairs(text)
                .map(|(n, v)| (String::from_utf8_lossy(&n).into_owned(), String::from_utf8_lossy(&v).into_owned()))
                .collect();
            let theirs: Vec<_> = form_urlencoded::parse(text).into_owned().collect();
            prop_assert_eq!(ours, theirs);
        }

        #[test]
        fn an_outline_denies_nothing_that_is_there(text in "[a-dA-D=&;?%0-9]{0,20}", name in "[a-dA-D0-9]{1,2}") {
            let outline = Outline::of(text.as_bytes());
            if !outline.may_hold(&name) {
                prop_assert_eq!(raw(text.as_bytes(), &name, true), Ok(None));
                prop_assert!(!has(text.as_bytes(), &name, true));
            }
            prop_assert_eq!(outline.is_encoded(), is_encoded(text.as_bytes()));
        }

        #[test]
        fn what_a_client_encodes_is_what_comes_out(name in "\\PC{1,8}", value in "\\PC{0,20}") {
            let text = form_urlencoded::Serializer::new(String::new()).append_pair(&name, &value).append_pair("", "x").finish();
            let found = one(text.as_bytes(), &name, false);
            prop_assert_eq!(found, Ok(Some(Cow::Borrowed(value.as_bytes()))));
            let raw = raw(text.as_bytes(), &name, false).unwrap().unwrap();
            let mut room = vec![0; raw.len()];
            prop_assert_eq!(decode_into(raw, &mut room), value.as_bytes());
        }
    }
}
