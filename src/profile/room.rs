//! Room: the buffers of one request, kept by the caller so that a check allocates nothing.

use crate::base::secret;
use crate::parse::authorization::MAX_BASIC;
use crate::parse::form;
use std::borrow::Cow;
use std::cell::Cell;

/// Bytes for values that have to be decoded, such as `%7B`. A pair and a tenant are decoded several times on their way.
const DECODED: usize = 2048;

/// Scratch space for one request at a time. Make one per worker and use it again: buffers keep their capacity. What
/// was in it is wiped before the next request and when it is dropped. One thread at a time. No `Debug`: it holds
/// credentials.
pub struct Room {
    /// The whole path after an override.
    pub(super) path: Vec<u8>,
    /// A JSON document that was decoded out of a parameter.
    pub(super) document: Vec<u8>,
    /// A decoded Basic pair.
    pub(super) basic: [u8; MAX_BASIC],
    pub(super) basic_used: bool,
    /// Decoded values of parameters.
    pub(super) decoded: [u8; DECODED],
    pub(super) decoded_used: bool,
}

impl Default for Room {
    fn default() -> Room {
        Room::new()
    }
}

impl Room {
    pub const fn new() -> Room {
        Room {
            path: Vec::new(),
            document: Vec::new(),
            basic: [0; MAX_BASIC],
            basic_used: false,
            decoded: [0; DECODED],
            decoded_used: false,
        }
    }

    /// Wipes what the last request left.
    pub(super) fn clear(&mut self) {
        self.path.clear();
        secret::wipe(&mut self.document);
        self.document.clear();
        if self.basic_used {
            secret::wipe(&mut self.basic);
            self.basic_used = false;
        }
        if self.decoded_used {
            secret::wipe(&mut self.decoded);
            self.decoded_used = false;
        }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.clear();
    }
}

/// What is left of a room's bytes for decoded values, given away piece by piece. Empty, it allocates instead.
#[derive(Default)]
pub(super) struct Spare<'r>(Cell<&'r mut [u8]>);

impl<'r> Spare<'r> {
    pub fn new(bytes: &'r mut [u8]) -> Spare<'r> {
        Spare(Cell::new(bytes))
    }

    /// A raw value of a parameter, decoded where it has to be.
    pub fn decoded(&self, raw: &'r [u8]) -> Cow<'r, [u8]> {
        if !form::is_encoded(raw) {
            return Cow::Borrowed(raw);
        }
        match self.0.take().split_at_mut_checked(raw.len()) {
            Some((piece, rest)) => {
                self.0.set(rest);
                Cow::Borrowed(form::decode_into(raw, piece))
            }
            // It is used up, or the value is a long one: the rest is given up, so that what was given is never touched.
            None => {
                let mut long = vec![0; raw.len()];
                let length = form::decode_into(raw, &mut long).len();
                long.truncate(length);
                Cow::Owned(long)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_decoded_into_the_room_while_there_is_some() {
        let mut bytes = [0; 12];
        let spare = Spare::new(&mut bytes);
        let values = [b"plain".as_slice(), b"a%20b", b"%7B+%7D", b"c%26d"].map(|raw| spare.decoded(raw));
        assert_eq!(values, [b"plain".as_slice(), b"a b", b"{ }", b"c&d"]);
        let borrowed = values.map(|value| matches!(value, Cow::Borrowed(_)));
        assert_eq!(borrowed, [true, true, true, false]);
        let none = Spare::default();
        assert!(matches!(none.decoded(b"a+b"), Cow::Owned(_)));
    }
}
