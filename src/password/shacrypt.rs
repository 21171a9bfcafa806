//! SHA-crypt (`$5$`, `$6$`; Drepper, "Unix crypt using SHA-256 and SHA-512", version 0.6): read only.

use super::phc::{self, Fault};
use super::{Format, crypt64};
use crate::base::secret;

/// The specification allows 999,999,999 rounds; a stored hash may ask for a second or two.
const ROUNDS: std::ops::RangeInclusive<u32> = 1_000..=5_000_000;
const DEFAULT_ROUNDS: u32 = 5_000;

#[rustfmt::skip]
const ORDER_256: [u8; 32] = [
    0, 10, 20, 21, 1, 11, 12, 22, 2, 3, 13, 23, 24, 4, 14, 15, 25, 5, 6, 16, 26, 27, 7, 17, 18, 28, 8, 9, 19, 29,
    31, 30,
];
#[rustfmt::skip]
const ORDER_512: [u8; 64] = [
    0, 21, 42, 22, 43, 1, 44, 2, 23, 3, 24, 45, 25, 46, 4, 47, 5, 26, 6, 27, 48, 28, 49, 7, 50, 8, 29, 9, 30, 51,
    31, 52, 10, 53, 11, 32, 12, 33, 54, 34, 55, 13, 56, 14, 35, 15, 36, 57, 37, 58, 16, 59, 17, 38, 18, 39, 60,
    40, 61, 19, 62, 20, 41, 63,
];

pub(super) struct Hash<'a> {
    wide: bool,
    rounds: u32,
    salt: &'a str,
    digest: &'a str,
}

/// Reads `$6$salt$hash` and `$6$rounds=10000$salt$hash`.
pub(super) fn parse(text: &str) -> Result<Hash<'_>, Fault> {
    let wide = text.starts_with("$6$");
    let rest = text.get(3..).ok_or("a field is missing")?;
    let (rounds, rest) = match rest.strip_prefix("rounds=") {
        None => (DEFAULT_ROUNDS, rest),
        Some(rest) => {
            let (number, rest) = rest.split_once('$').ok_or("a field is missing")?;
            (phc::decimal(number)?, rest)
        }
    };
    phc::within(rounds, ROUNDS, "SHA-crypt rounds are outside 1000 to 5 million")?;
    let (salt, digest) = rest.split_once('$').ok_or("a field is missing")?;
    if salt.len() > 16 {
        return Err("the salt is longer than 16 characters");
    }
    if digest.len() != if wide { 86 } else { 43 } || !crypt64::is_text(digest) {
        return Err("the hash has the wrong length or alphabet");
    }
    Ok(Hash { wide, rounds, salt, digest })
}

impl Hash<'_> {
    pub(super) fn format(&self) -> Format {
        if self.wide { Format::Sha512Crypt } else { Format::Sha256Crypt }
    }

    pub(super) fn class(&self) -> String {
        format!("{} {}", self.format().name(), self.rounds)
    }

    pub(super) fn matches(&self, password: &[u8]) -> bool {
        let Ok(params) = ::sha_crypt::Params::new(self.rounds) else { return false };
        let salt = self.salt.as_bytes();
        let text = if self.wide {
            crypt64::encode(&::sha_crypt::sha512_crypt(password, salt, params), &ORDER_512)
        } else {
            crypt64::encode(&::sha_crypt::sha256_crypt(password, salt, params), &ORDER_256)
        };
        secret::equal(text.as_bytes(), self.digest.as_bytes())
    }
}

/// A digest's text that no password made.
pub(super) fn random_digest(wide: bool, bytes: &[u8; 64]) -> String {
    if wide { crypt64::encode(bytes, &ORDER_512) } else { crypt64::encode(&bytes[..32], &ORDER_256) }
}
