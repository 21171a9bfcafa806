//! HMAC-SHA-256 over parts, each with its length before it.

use crate::base::{Result, random, secret};
use ring::hmac;
use std::fmt;

/// A key for keyed digests. `Debug` hides it.
#[derive(Clone)]
pub struct MacKey(hmac::Key);

impl MacKey {
    pub fn new(bytes: &[u8]) -> MacKey {
        MacKey(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    pub fn random() -> Result<MacKey> {
        let mut bytes = random::array::<32>()?;
        let key = MacKey::new(&bytes);
        secret::wipe(&mut bytes);
        Ok(key)
    }

    /// The tag of `parts`, each preceded by its length as a big-endian u64.
    pub fn tag(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut out = [0; 32];
        out.copy_from_slice(context.sign().as_ref());
        out
    }
}

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MacKey")
    }
}
