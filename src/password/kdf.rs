//! scrypt (RFC 7914) and PBKDF2 (RFC 8018) in their PHC spellings, and PBKDF2 as Django writes it: read only.

use super::phc::{self, Fault};
use crate::base::secret;
use ring::pbkdf2;
use std::num::NonZeroU32;

/// scrypt takes 128 * N * r bytes; a stored hash may ask for 256 MiB, and four times that in work.
const SCRYPT_MEMORY: u64 = 256 << 20;
const SCRYPT_WORK: u64 = 1 << 30;
const MAX_ITERATIONS: u32 = 10_000_000;

pub(super) struct Scrypt {
    params: ::scrypt::Params,
    salt: Vec<u8>,
    digest: Vec<u8>,
}

/// Reads `$scrypt$ln=17,r=8,p=1$salt$hash`.
pub(super) fn parse_scrypt(text: &str) -> Result<Scrypt, Fault> {
    let mut fields = text.split('$').skip(2);
    let mut next = || fields.next().ok_or("a field is missing");
    let [ln, r, p] = phc::parameters(next()?, ["ln", "r", "p"])?;
    let (salt, digest) = (phc::bytes(next()?, 8..=64)?, phc::bytes(next()?, 16..=64)?);
    if fields.next().is_some() {
        return Err("more fields than the format has");
    }
    phc::within(ln, 1..=24, "scrypt ln is outside 1 to 24")?;
    phc::within(r, 1..=64, "scrypt r is outside 1 to 64")?;
    phc::within(p, 1..=64, "scrypt p is outside 1 to 64")?;
    let memory = (u64::from(r) * 128) << ln;
    if memory > SCRYPT_MEMORY || memory * u64::from(p) > SCRYPT_WORK {
        return Err("scrypt asks for more than 256 MiB, or too much work");
    }
    let ln = u8::try_from(ln).map_err(|_| "scrypt ln is outside 1 to 24")?;
    let params = ::scrypt::Params::new(ln, r, p).map_err(|_| "scrypt parameters do not fit together")?;
    Ok(Scrypt { params, salt, digest })
}

impl Scrypt {
    /// The length of the digest in bytes.
    pub(super) fn length(&self) -> usize {
        self.digest.len()
    }

    pub(super) fn class(&self) -> String {
        format!("scrypt ln={},r={},p={} {}", self.params.log_n(), self.params.r(), self.params.p(), self.digest.len())
    }

    pub(super) fn matches(&self, password: &[u8]) -> bool {
        let mut out = [0; 64];
        let Some(out) = out.get_mut(..self.digest.len()) else { return false };
        ::scrypt::scrypt(password, &self.salt, &self.params, out).is_ok() && secret::equal(out, &self.digest)
    }
}

pub(super) struct Pbkdf2 {
    algorithm: pbkdf2::Algorithm,
    name: &'static str,
    iterations: NonZeroU32,
    salt: Vec<u8>,
    digest: Vec<u8>,
}

/// Reads `$pbkdf2-sha256$i=600000,l=32$salt$hash`, the same with a bare number, and `pbkdf2_sha256$600000$salt$hash`,
/// where the salt is the text itself.
pub(super) fn parse_pbkdf2(text: &str) -> Result<Pbkdf2, Fault> {
    let django = !text.starts_with('$');
    let mut fields = text.split('$').skip(usize::from(!django));
    let mut next = || fields.next().ok_or("a field is missing");
    let (algorithm, name) = match next()? {
        "pbkdf2-sha256" | "pbkdf2_sha256" => (pbkdf2::PBKDF2_HMAC_SHA256, "sha256"),
        "pbkdf2-sha512" | "pbkdf2_sha512" => (pbkdf2::PBKDF2_HMAC_SHA512, "sha512"),
        _ => return Err("a kind of pbkdf2 that is not read"),
    };
    let (iterations, length) = iterations(next()?)?;
    let salt = match next()? {
        text if django && (1..=128).contains(&text.len()) => text.as_bytes().to_vec(),
        text => phc::bytes(text, 1..=64)?,
    };
    let digest = phc::bytes(next()?, 16..=64)?;
    if fields.next().is_some() || length.is_some_and(|length| usize::try_from(length) != Ok(digest.len())) {
        return Err("more fields than the format has, or another length than it says");
    }
    phc::within(iterations, 1..=MAX_ITERATIONS, "pbkdf2 iterations are outside 1 to 10 million")?;
    let iterations = NonZeroU32::new(iterations).ok_or("pbkdf2 iterations are outside 1 to 10 million")?;
    Ok(Pbkdf2 { algorithm, name, iterations, salt, digest })
}

fn iterations(field: &str) -> Result<(u32, Option<u32>), Fault> {
    if !field.starts_with("i=") {
        return Ok((phc::decimal(field)?, None));
    }
    if !field.contains(',') {
        return Ok((phc::parameters(field, ["i"])?[0], None));
    }
    let [iterations, length] = phc::parameters(field, ["i", "l"])?;
    Ok((iterations, Some(length)))
}

impl Pbkdf2 {
    /// The length of the digest in bytes.
    pub(super) fn length(&self) -> usize {
        self.digest.len()
    }

    pub(super) fn class(&self) -> String {
        format!("pbkdf2-{} i={} {}", self.name, self.iterations, self.digest.len())
    }

    pub(super) fn matches(&self, password: &[u8]) -> bool {
        pbkdf2::verify(self.algorithm, self.iterations, &self.salt, password, &self.digest).is_ok()
    }
}
