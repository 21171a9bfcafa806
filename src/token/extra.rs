//! The extra values inside a token: names and values of a profile, as bytes and back.
//!
//! `engine` fills an [`ExtraRoom`] at a mint and reads an [`Extra`] on a check; `claims` lays the bytes between the
//! principal and the padding. They are what a client said and nobody proved. It must never let a value through that a
//! header could not carry, and never allocate.
//!
//! | bytes | field, again for each value |
//! |---|---|
//! | 1 | n: length of the name, at least 1 |
//! | n | name, UTF-8 without control characters; none stands twice |
//! | 2 | m: length of the value, big-endian |
//! | m | value, UTF-8 without control characters |

use super::claims::MAX_EXTRA;
use crate::base::Reason;
use std::fmt;

/// Extra values whose bytes are as the table says.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Extra<'a>(&'a [u8]);

impl<'a> Extra<'a> {
    /// No values.
    pub const NONE: Extra<'static> = Extra(b"");

    /// `None` for what no [`ExtraRoom`] writes.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Extra<'a>> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let before = bytes.get(..bytes.len() - rest.len())?;
            let (name, value, after) = split(rest)?;
            if !sayable(name) || name.is_empty() || !sayable(value) || Extra(before).has(name) {
                return None;
            }
            rest = after;
        }
        Some(Extra(bytes))
    }

    pub(super) const fn bytes(&self) -> &'a [u8] {
        self.0
    }

    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Names and values, in the order in which they were put in.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let (name, value, after) = split(rest)?;
            rest = after;
            Some((name, value))
        })
    }

    pub fn has(&self, name: &str) -> bool {
        self.iter().any(|(known, _)| known == name)
    }
}

impl fmt::Debug for Extra<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Extra({} bytes)", self.0.len())
    }
}

/// The first value, and the bytes after it.
fn split(bytes: &[u8]) -> Option<(&str, &str, &[u8])> {
    let ([length], rest) = bytes.split_first_chunk()?;
    let (name, rest) = rest.split_at_checked(usize::from(*length))?;
    let (length, rest) = rest.split_first_chunk()?;
    let (value, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    Some((std::str::from_utf8(name).ok()?, std::str::from_utf8(value).ok()?, rest))
}

fn sayable(text: &str) -> bool {
    !text.chars().any(char::is_control)
}

/// Where the extra values of a token are put together, or kept beyond the buffer that it was opened in: 350 bytes for
/// the stack.
#[derive(Clone)]
pub struct ExtraRoom {
    bytes: [u8; MAX_EXTRA],
    length: usize,
}

impl ExtraRoom {
    pub const fn new() -> ExtraRoom {
        ExtraRoom { bytes: [0; MAX_EXTRA], length: 0 }
    }

    /// Adds a value, unless one of its name is there: the first word stands.
    ///
    /// Errors, and nothing is added: [`Reason::Malformed`] for control characters or no name, [`Reason::TooLarge`] when
    /// all values together would take more than [`MAX_EXTRA`] bytes.
    pub fn push(&mut self, name: &str, value: &str) -> Result<(), Reason> {
        if name.is_empty() || !sayable(name) || !sayable(value) {
            return Err(Reason::Malformed);
        }
        if self.get().has(name) {
            return Ok(());
        }
        let lengths = u8::try_from(name.len()).ok().zip(u16::try_from(value.len()).ok());
        let (short, long) = lengths.ok_or(Reason::TooLarge)?;
        let parts: [&[u8]; 4] = [&[short], name.as_bytes(), &long.to_be_bytes(), value.as_bytes()];
        let end = parts.iter().fold(self.length, |end, part| end.saturating_add(part.len()));
        let mut place = self.bytes.get_mut(self.length..end).ok_or(Reason::TooLarge)?;
        for part in parts {
            let (here, rest) = place.split_at_mut_checked(part.len()).ok_or(Reason::TooLarge)?;
            here.copy_from_slice(part);
            place = rest;
        }
        self.length = end;
        Ok(())
    }

    pub fn get(&self) -> Extra<'_> {
        Extra(self.bytes.get(..self.length).unwrap_or_default())
    }
}

impl Default for ExtraRoom {
    fn default() -> ExtraRoom {
        ExtraRoom::new()
    }
}

impl fmt::Debug for ExtraRoom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn room(values: &[(&str, &str)]) -> ExtraRoom {
        let mut room = ExtraRoom::new();
        for (name, value) in values {
            room.push(name, value).unwrap();
        }
        room
    }

    #[test]
    fn values_come_back_as_they_went_in() {
        let values = [("computer", "PC-17"), ("read_only", "true"), ("note", "ä\u{1f512}"), ("none", "")];
        let room = room(&values);
        assert!(room.get().iter().eq(values));
        assert_eq!(Extra::read(room.get().bytes()), Some(room.get()));
        assert_eq!(room.get().bytes()[..16], *b"\x08computer\0\x05PC-17");
        assert!(room.get().has("note") && !room.get().has("not"));
        assert_eq!(Extra::NONE.iter().count(), 0);
    }

    #[test]
    fn the_first_word_stands() {
        let room = room(&[("computer", "one"), ("computer", "two")]);
        assert!(room.get().iter().eq([("computer", "one")]));
    }

    #[test]
    fn what_is_too_long_or_no_header_is_refused_and_changes_nothing() {
        let long = "x".repeat(70_000);
        let mut room = room(&[("computer", "PC-17")]);
        for (name, value, reason) in [
            ("", "x", Reason::Malformed),
            ("a\r\nb", "x", Reason::Malformed),
            ("a", "x\r\nX-User: admin", Reason::Malformed),
            ("a", "x\0", Reason::Malformed),
            ("a", &long[..MAX_EXTRA - 16 - 3], Reason::TooLarge),
            ("a", &long, Reason::TooLarge),
            (&long[..256], "x", Reason::TooLarge),
        ] {
            assert_eq!(room.push(name, value), Err(reason), "{} {}", name.len(), value.len());
            assert!(room.get().iter().eq([("computer", "PC-17")]));
        }
        assert_eq!(room.push("a", &long[..MAX_EXTRA - 16 - 4]), Ok(()), "the last byte counts");
        assert_eq!(room.get().bytes().len(), MAX_EXTRA);
    }

    #[test]
    fn other_bytes_are_no_values() {
        let room = room(&[("a", "xy"), ("b", "z")]);
        let good = room.get().bytes();
        assert_eq!(good, b"\x01a\0\x02xy\x01b\0\x01z");
        for length in 0..good.len() {
            assert_eq!(Extra::read(&good[..length]).is_some(), length == 0 || length == 6, "cut to {length}");
        }
        for bad in [
            &b"\0\0\x01x"[..],
            b"\x01a\0\0\x01a\0\0",
            b"\x01a\0\x01\n",
            b"\x01\r\0\x01x",
            b"\x01\xff\0\x01x",
            b"\x01a\0\x01\xff",
            b"\x01a\0\x02x",
            b"\xffa\0\x01x",
            b"\x01a\xff\xffx",
        ] {
            assert_eq!(Extra::read(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn debug_shows_no_value() {
        assert_eq!(format!("{:?}", room(&[("computer", "OpenSesame")])), "Extra(21 bytes)");
    }

    proptest! {
        #[test]
        fn what_is_read_is_what_would_be_written(bytes in proptest::collection::vec(0u8..9, 0..40)) {
            if let Some(extra) = Extra::read(&bytes) {
                let mut room = ExtraRoom::new();
                for (name, value) in extra.iter() {
                    room.push(name, value).unwrap();
                }
                prop_assert_eq!(room.get().bytes(), &bytes[..]);
            }
        }
    }
}
