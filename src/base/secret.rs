//! Bytes that nobody may read by accident: wiped when dropped, never printed, compared in constant time.

use std::fmt;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Owned secret bytes. `Debug` prints the length only; dropping wipes them.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    pub fn new(bytes: Vec<u8>) -> Secret {
        Secret(Zeroizing::new(bytes))
    }

    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl From<&[u8]> for Secret {
    fn from(bytes: &[u8]) -> Secret {
        Secret::new(bytes.to_vec())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({} bytes)", self.0.len())
    }
}

/// Whether two byte strings are equal, in a time that depends on their lengths only.
pub fn equal(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

/// Overwrites `bytes` with zeros; the compiler may not leave it out.
///
/// As fast as memory is: one fill and a barrier, not a volatile store for each byte. Decisions are wiped after every
/// request.
pub fn wipe(bytes: &mut [u8]) {
    if bytes.is_empty() {
        return;
    }
    bytes.fill(0);
    zeroize::optimization_barrier(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_byte() {
        assert_eq!(format!("{:?}", Secret::new(b"OpenSesame".to_vec())), "Secret(10 bytes)");
    }

    #[test]
    fn wiped_bytes_are_zeros() {
        let mut bytes = *b"OpenSesame";
        wipe(&mut bytes[4..]);
        assert_eq!(&bytes, b"Open\0\0\0\0\0\0");
    }

    #[test]
    fn equal_compares_all_bytes_and_the_length() {
        assert!(equal(b"abc", b"abc"));
        assert!(!equal(b"abc", b"abd"));
        assert!(!equal(b"abc", b"ab"));
        assert!(equal(b"", b""));
    }
}
