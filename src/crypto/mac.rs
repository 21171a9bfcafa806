//! HMAC-SHA-256 (RFC 2104) over several parts, each with its length before it.
//!
//! Called for nonces, remembered credentials, throttle slots and audited names. Whoever compares a tag uses
//! [`secret::equal`](crate::base::secret::equal), never `==`.

use super::parts;
use crate::base::{Result, random};
use ring::{hkdf, hmac};
use std::fmt;

/// A key for HMAC-SHA-256. `Debug` shows nothing of it. Cheap to clone; may be used by several threads at once.
#[derive(Clone)]
pub struct MacKey(hmac::Key);

impl MacKey {
    /// A key from `bytes`: 32 secret, evenly drawn bytes. (Other lengths work as RFC 2104 says.)
    pub fn new(bytes: &[u8]) -> MacKey {
        MacKey(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// A key drawn from the system. A fork copies it: a key that must differ between processes is a
    /// [`WipedKey`](super::WipedKey).
    ///
    /// Errors: `Status::Random`.
    pub fn random() -> Result<MacKey> {
        let bytes = zeroize::Zeroizing::new(random::array::<32>()?);
        Ok(MacKey::new(bytes.as_slice()))
    }

    /// The tag over `parts`: for each its length as u64 big-endian, then its bytes. Does not allocate.
    pub fn tag(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.0);
        parts::feed(parts, |text| context.update(text));
        let mut out = [0; 32];
        out.copy_from_slice(context.sign().as_ref());
        out
    }
}

impl From<hkdf::Okm<'_, hmac::Algorithm>> for MacKey {
    fn from(okm: hkdf::Okm<'_, hmac::Algorithm>) -> MacKey {
        MacKey(okm.into())
    }
}

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MacKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_parts_are_told_apart() {
        let key = MacKey::new(&[7; 32]);
        assert_eq!(key.tag(&[b"ab", b"c"]), key.clone().tag(&[b"ab", b"c"]));
        assert_ne!(key.tag(&[b"ab", b"c"]), key.tag(&[b"a", b"bc"]));
        assert_ne!(key.tag(&[b"ab"]), MacKey::new(&[8; 32]).tag(&[b"ab"]));
        assert_ne!(MacKey::random().unwrap().tag(&[]), MacKey::random().unwrap().tag(&[]));
    }

    #[test]
    fn the_tag_is_hmac_of_length_then_bytes() {
        let plain = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, b"k"), b"\0\0\0\0\0\0\0\x02hi");
        assert_eq!(MacKey::new(b"k").tag(&[b"hi"])[..], *plain.as_ref());
    }

    #[test]
    fn debug_shows_no_key_byte() {
        assert_eq!(format!("{:?}", MacKey::new(b"OpenSesame")), "MacKey");
    }
}
