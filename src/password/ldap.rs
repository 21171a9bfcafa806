//! The `{SCHEME}` spellings of LDAP servers and htpasswd files (RFC 2307 section 5.3): `{SHA}`, `{SSHA}`, `{CRYPT}`.

use super::phc::{self, Fault};
use crate::base::secret;
use ring::digest;

const LENGTH: usize = 20;

/// A SHA-1 digest, and the salt that was hashed behind the password (empty for `{SHA}`).
pub(super) struct Hash {
    digest: [u8; LENGTH],
    salt: Vec<u8>,
}

/// What follows `scheme`, which is written in any case.
pub(super) fn strip<'a>(text: &'a str, scheme: &str) -> Option<&'a str> {
    let (start, rest) = text.split_at_checked(scheme.len())?;
    start.eq_ignore_ascii_case(scheme).then_some(rest)
}

/// `text` without a leading `{CRYPT}`.
pub(super) fn without_crypt(text: &str) -> &str {
    strip(text, "{CRYPT}").unwrap_or(text)
}

/// Reads `{SHA}base64` and `{SSHA}base64`.
pub(super) fn parse(text: &str) -> Result<Hash, Fault> {
    let (encoded, lengths) = match (strip(text, "{SHA}"), strip(text, "{SSHA}")) {
        (Some(rest), _) => (rest, LENGTH..=LENGTH),
        (None, Some(rest)) => (rest, LENGTH + 1..=LENGTH + 64),
        (None, None) => return Err("not a SHA-1 hash"),
    };
    let bytes = phc::bytes(encoded, lengths)?;
    let (digest, salt) = bytes.split_first_chunk().ok_or("the hash is too short")?;
    Ok(Hash { digest: *digest, salt: salt.to_vec() })
}

impl Hash {
    pub(super) fn class(&self) -> String {
        format!("sha1 {}", self.salt.len())
    }

    pub(super) fn matches(&self, password: &[u8]) -> bool {
        let mut context = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
        context.update(password);
        context.update(&self.salt);
        secret::equal(context.finish().as_ref(), &self.digest)
    }

    /// The text of a hash with as much salt that no password made.
    pub(super) fn random_text(&self, bytes: &[u8; 64]) -> String {
        let mut raw = bytes[..LENGTH].to_vec();
        raw.extend(&self.salt);
        let scheme = if self.salt.is_empty() { "{SHA}" } else { "{SSHA}" };
        format!("{scheme}{}", phc::encode(&raw))
    }
}
