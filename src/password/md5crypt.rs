//! MD5-crypt, under both its names (`$1$` of Poul-Henning Kamp's FreeBSD crypt, `$apr1$` of Apache): weak, read only.
//!
//! Own code: the crates that know it are unmaintained or bring a second set of hash libraries. Follows `crypt-md5.c` of
//! FreeBSD and `apr_md5.c` of APR, which differ in the magic text only.

use super::crypt64;
use super::phc::Fault;
use crate::base::secret;
use md5::{Digest as _, Md5};

const ORDER: [u8; 16] = [0, 6, 12, 1, 7, 13, 2, 8, 14, 3, 9, 15, 4, 10, 5, 11];

pub(super) struct Hash<'a> {
    magic: &'static str,
    salt: &'a str,
    digest: &'a str,
}

/// Reads `$apr1$salt$hash` and `$1$salt$hash`.
pub(super) fn parse(text: &str) -> Result<Hash<'_>, Fault> {
    let magic = if text.starts_with("$1$") { "$1$" } else { "$apr1$" };
    let rest = text.strip_prefix(magic).ok_or("not an MD5-crypt hash")?;
    let (salt, digest) = rest.split_once('$').ok_or("a field is missing")?;
    if salt.len() > 8 || digest.len() != 22 || !crypt64::is_text(digest) {
        return Err("the salt is longer than 8 characters, or the hash is not 22");
    }
    Ok(Hash { magic, salt, digest })
}

impl Hash<'_> {
    pub(super) fn class(&self) -> String {
        self.magic.to_owned()
    }

    pub(super) fn matches(&self, password: &[u8]) -> bool {
        let text = crypt64::encode(&crypt(password, self.salt.as_bytes(), self.magic.as_bytes()), &ORDER);
        secret::equal(text.as_bytes(), self.digest.as_bytes())
    }
}

/// A digest's text that no password made.
pub(super) fn random_digest(bytes: &[u8; 64]) -> String {
    crypt64::encode(&bytes[..16], &ORDER)
}

fn crypt(password: &[u8], salt: &[u8], magic: &[u8]) -> [u8; 16] {
    let inner = digest(&[password, salt, password]);
    let mut context = Md5::new();
    context.update(password);
    context.update(magic);
    context.update(salt);
    for start in (0..password.len()).step_by(16) {
        context.update(&inner[..(password.len() - start).min(16)]);
    }
    let mut bits = password.len();
    while bits > 0 {
        // The original's quirk: a NUL for each set bit, the first character for each other.
        context.update(if bits & 1 == 1 { &[0][..] } else { password.get(..1).unwrap_or_default() });
        bits >>= 1;
    }
    let mut result: [u8; 16] = context.finalize().into();
    for round in 0..1_000u32 {
        let mut context = Md5::new();
        let (first, last): (&[u8], &[u8]) = if round & 1 == 1 { (password, &result) } else { (&result, password) };
        context.update(first);
        if round % 3 != 0 {
            context.update(salt);
        }
        if round % 7 != 0 {
            context.update(password);
        }
        context.update(last);
        result = context.finalize().into();
    }
    result
}

fn digest(parts: &[&[u8]]) -> [u8; 16] {
    let mut context = Md5::new();
    parts.iter().for_each(|part| context.update(part));
    context.finalize().into()
}
