//! What stands on the server that is nobody's business there: sealed with AES-256-GCM, bound to where it stands. And the
//! names that are looked up there: keyed digests.
//!
//! Used by `store::redis` alone. Each value has a key of its own, HMAC-SHA-256 of the store's key over its place and 16
//! random bytes: no key seals twice, so the nonce is zero, and no count of values is a bound. Who can write the server
//! can take a value away or bring an older one of the same place back, and nothing else.
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 1 | version, 1 |
//! | 1 | 16 | random |
//! | 17 | | ciphertext and tag |

use crate::base::{Result, random};
use crate::crypto::digest::Digest;
use crate::crypto::mac::MacKey;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use zeroize::Zeroizing;

const VERSION: u8 = 1;
const HEAD: usize = 17;

/// The keys of one site's store.
#[derive(Clone, Debug)]
pub struct Keys {
    names: MacKey,
    values: MacKey,
}

impl Keys {
    /// `names` and `values`: keys that every process of the site has, and nobody else.
    pub fn new(names: MacKey, values: MacKey) -> Keys {
        Keys { names, values }
    }

    /// The name of a principal.
    pub(super) fn principal(&self, name: &str) -> Digest {
        self.names.tag(&[b"principal", name.as_bytes()])
    }

    /// What tells the site's rows from those of others: another keyring finds nothing of this one's.
    pub(super) fn site(&self, site: &str) -> Digest {
        self.names.tag(&[b"site", site.as_bytes()])
    }

    fn key(&self, place: &[&[u8]; 2], salt: &[u8]) -> Option<LessSafeKey> {
        let [what, key] = place;
        let key = Zeroizing::new(self.values.tag(&[b"value", what, key, salt]));
        UnboundKey::new(&AES_256_GCM, key.as_slice()).ok().map(LessSafeKey::new)
    }

    /// Seals `text` for a place: what it is, and the key that it stands under. Errors: `Status::Random`.
    pub(super) fn seal(&self, place: [&[u8]; 2], text: Vec<u8>) -> Result<Vec<u8>> {
        let salt = random::array::<16>()?;
        let refused = || crate::base::Error::invalid("a session is too large to be sealed");
        let (key, mut sealed) = (self.key(&place, &salt).ok_or_else(refused)?, text);
        let nonce = Nonce::assume_unique_for_key([0; 12]);
        key.seal_in_place_append_tag(nonce, Aad::from([VERSION]), &mut sealed).map_err(|_| refused())?;
        Ok([&[VERSION][..], &salt, &sealed].concat())
    }

    /// Opens what was sealed for this place; `None` for anything else.
    pub(super) fn open(&self, place: [&[u8]; 2], sealed: &[u8]) -> Option<Vec<u8>> {
        let (head, text) = sealed.split_at_checked(HEAD)?;
        let (version, salt) = head.split_first()?;
        let mut text = text.to_vec();
        let nonce = Nonce::assume_unique_for_key([0; 12]);
        let length = self.key(&place, salt)?.open_in_place(nonce, Aad::from([*version]), &mut text).ok()?.len();
        text.truncate(length);
        (*version == VERSION).then_some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(byte: u8) -> Keys {
        Keys::new(MacKey::new(&[byte; 32]), MacKey::new(&[byte + 1; 32]))
    }

    #[test]
    fn a_value_opens_in_its_place_only_and_any_change_is_seen() {
        let sealed = keys(1).seal([b"row", b"a"], b"Aladdin".to_vec()).unwrap();
        assert_eq!(keys(1).open([b"row", b"a"], &sealed).as_deref(), Some(&b"Aladdin"[..]));
        for place in [[&b"row"[..], b"b"], [b"path", b"a"], [b"ro", b"wa"]] {
            assert_eq!(keys(1).open(place, &sealed), None);
        }
        assert_eq!(keys(2).open([b"row", b"a"], &sealed), None);
        for at in 0..sealed.len() {
            let mut other = sealed.clone();
            other[at] ^= 1;
            assert_eq!(keys(1).open([b"row", b"a"], &other), None, "{at}");
            assert_eq!(keys(1).open([b"row", b"a"], &sealed[..at]), None, "{at}");
        }
        assert_ne!(sealed, keys(1).seal([b"row", b"a"], b"Aladdin".to_vec()).unwrap());
    }

    #[test]
    fn names_and_sites_depend_on_the_key() {
        assert_ne!(keys(1).principal("Aladdin"), keys(2).principal("Aladdin"));
        assert_ne!(keys(1).site("a"), keys(2).site("a"));
        assert_ne!(keys(1).site("a"), keys(1).principal("a"));
    }
}
