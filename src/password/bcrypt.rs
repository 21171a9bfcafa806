//! bcrypt (`$2a$`, `$2b$`, `$2y$`): read only.
//!
//! Called by the hasher, which has refused passwords over 72 bytes already; bcrypt would not see the rest of them.

use super::BCRYPT_MAX;
use super::phc::{self, Fault};
use crate::base::secret;
use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};

/// 2^16 rounds are some four seconds; a stored hash may not ask for more.
const COSTS: std::ops::RangeInclusive<u32> = 4..=16;

/// Some libraries leave random bits behind the salt's 128; the first bcrypt ignores them, so must we.
const SALT: GeneralPurpose = GeneralPurpose::new(&alphabet::BCRYPT, NO_PAD.with_decode_allow_trailing_bits(true));

pub(super) struct Hash {
    cost: u32,
    salt: [u8; 16],
    digest: [u8; 23],
}

/// Reads `$2y$05$`, 22 characters of salt, 31 of hash.
pub(super) fn parse(text: &str) -> Result<Hash, Fault> {
    const WRONG: Fault = "not a bcrypt hash of 60 characters";
    let (cost, rest) = text.get(4..).and_then(|rest| rest.split_once('$')).ok_or(WRONG)?;
    let (salt_text, digest_text) = rest.split_at_checked(22).ok_or(WRONG)?;
    if cost.len() != 2 || digest_text.len() != 31 {
        return Err(WRONG);
    }
    let cost = phc::decimal(cost.strip_prefix('0').unwrap_or(cost))?;
    phc::within(cost, COSTS, "bcrypt cost is outside 4 to 16")?;
    let (mut salt, mut digest) = ([0; 16], [0; 23]);
    let salted = SALT.decode_slice(salt_text, &mut salt).ok() == Some(16);
    let hashed = ::bcrypt::BASE_64.decode_slice(digest_text, &mut digest).ok() == Some(23);
    if salted && hashed { Ok(Hash { cost, salt, digest }) } else { Err(WRONG) }
}

/// The text of `text` with another digest in its place.
pub(super) fn with_digest(text: &str, digest: &[u8; 23]) -> Option<String> {
    Some(format!("{}{}", text.get(..29)?, ::bcrypt::BASE_64.encode(digest)))
}

impl Hash {
    pub(super) fn class(&self) -> String {
        format!("bcrypt {}", self.cost)
    }

    /// Whether `password` (at most 72 bytes, no NUL) made this hash.
    pub(super) fn matches(&self, password: &[u8]) -> bool {
        // The key is the password with its NUL, as far as 72 bytes go.
        let mut key = [0; BCRYPT_MAX + 1];
        let Some(place) = key.get_mut(..password.len()) else { return false };
        place.copy_from_slice(password);
        let length = (password.len() + 1).min(BCRYPT_MAX);
        let out = ::bcrypt::bcrypt(self.cost, self.salt, &key[..length]);
        secret::wipe(&mut key);
        secret::equal(&out[..23], &self.digest)
    }
}
