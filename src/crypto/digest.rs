//! SHA-256 over several parts, each with its length before it, so that no two lists of parts share a digest input.
//!
//! Called for store keys, bindings and tenant tags. For values that can be guessed (names, addresses) use
//! [`MacKey`](super::MacKey) instead: a plain digest of a guessable value tells the value.

use super::parts;
use ring::digest::{Context, SHA256};

/// A SHA-256 digest.
pub type Digest = [u8; 32];

/// SHA-256 (FIPS 180-4) over `parts`: for each its length as u64 big-endian, then its bytes.
///
/// `["ab", "c"]` and `["a", "bc"]` differ. Does not allocate.
pub fn sha256(parts: &[&[u8]]) -> Digest {
    let mut context = Context::new(&SHA256);
    parts::feed(parts, |text| context.update(text));
    let mut out = [0; 32];
    out.copy_from_slice(context.finish().as_ref());
    out
}

/// The first 16 bytes of [`sha256`], for tags inside sealed or authenticated data.
pub fn sha256_16(parts: &[&[u8]]) -> [u8; 16] {
    let [head @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = sha256(parts);
    head
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::encoding::hex;

    #[test]
    fn parts_are_told_apart() {
        assert_ne!(sha256(&[b"ab", b"c"]), sha256(&[b"a", b"bc"]));
        assert_ne!(sha256(&[b"ab"]), sha256(&[b"ab", b""]));
        assert_ne!(sha256(&[]), sha256(&[b""]));
        assert_eq!(sha256_16(&[b"ab"])[..], sha256(&[b"ab"])[..16]);
    }

    #[test]
    fn the_input_is_length_then_bytes() {
        // `printf '\0\0\0\0\0\0\0\3abc' | sha256sum`
        assert_eq!(hex(&sha256(&[b"abc"])), "c3494ca1a2cf8eeb8a11ded316fb55b83c3bbbedb6313cd50415251e5d09e12f");
    }
}
