//! Passwords: every stored hash format that is read, the one that is made, and what hashing may cost.
//!
//! Called by the directory (which asks [`check`] whether a stored hash is one that may stand in a file), by the login
//! of the engine (which verifies) and by the administrator's command (which hashes). Knows no user and no request, and
//! never decides who may come in. Around the hashing stand [`permits`], which bound how many run at once, and
//! [`verified`], which remembers for minutes what was verified.
//!
//! | format | looks like | weak |
//! |---|---|---|
//! | argon2 (id made; i, d read) | `$argon2id$v=19$m=19456,t=2,p=1$salt$hash` | |
//! | bcrypt | `$2y$12$...` (`$2a$`, `$2b$`) | |
//! | scrypt | `$scrypt$ln=17,r=8,p=1$salt$hash` | |
//! | pbkdf2 | `$pbkdf2-sha256$i=600000$salt$hash`, `$pbkdf2-sha256$29000$...`, `pbkdf2_sha256$600000$salt$hash` | |
//! | sha256-crypt, sha512-crypt | `$5$rounds=5000$salt$hash`, `$6$...` | |
//! | apr1, md5-crypt | `$apr1$salt$hash`, `$1$...` | yes |
//! | sha1, ssha | `{SHA}base64`, `{SSHA}base64` | yes |
//! | des | 13 characters | yes |
//!
//! A `{CRYPT}` before any of them is read over, as LDAP servers write it.

mod argon;
mod bcrypt;
mod crypt64;
mod des;
mod hasher;
mod kdf;
mod ldap;
mod md5crypt;
pub mod permits;
mod phc;
mod shacrypt;
mod slots;
mod stored;
pub mod verified;

pub use hasher::{Hasher, Verified};
pub use permits::{Permit, Permits};
pub use stored::{StoredHash, check, class, dummy_like, fresh_dummy};

/// bcrypt looks at no more bytes than these: longer passwords are refused, never cut (CVE-2025-22228).
pub const BCRYPT_MAX: usize = 72;

/// The kinds of stored hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    Argon2,
    Bcrypt,
    Scrypt,
    Pbkdf2,
    Sha256Crypt,
    Sha512Crypt,
    /// `$apr1$`, Apache's own MD5 iteration.
    Apr1,
    /// `$1$`, the same under its first name.
    Md5Crypt,
    /// `{SHA}`: SHA-1 without salt.
    Sha1,
    /// `{SSHA}`: SHA-1 with salt.
    Ssha,
    /// The crypt of the 1970s: eight characters count, seven bits of each.
    Des,
}

impl Format {
    /// All formats.
    pub const ALL: [Format; 11] = [
        Format::Argon2,
        Format::Bcrypt,
        Format::Scrypt,
        Format::Pbkdf2,
        Format::Sha256Crypt,
        Format::Sha512Crypt,
        Format::Apr1,
        Format::Md5Crypt,
        Format::Sha1,
        Format::Ssha,
        Format::Des,
    ];

    /// The name by which the configuration allows it.
    pub const fn name(self) -> &'static str {
        match self {
            Format::Argon2 => "argon2",
            Format::Bcrypt => "bcrypt",
            Format::Scrypt => "scrypt",
            Format::Pbkdf2 => "pbkdf2",
            Format::Sha256Crypt => "sha256-crypt",
            Format::Sha512Crypt => "sha512-crypt",
            Format::Apr1 => "apr1",
            Format::Md5Crypt => "md5-crypt",
            Format::Sha1 => "sha1",
            Format::Ssha => "ssha",
            Format::Des => "des",
        }
    }

    /// The format of a name, if there is one.
    pub fn named(name: &str) -> Option<Format> {
        Format::ALL.into_iter().find(|format| format.name() == name)
    }

    /// Whether a thief of the file can try passwords by the thousand million; allowed only when named.
    pub const fn is_weak(self) -> bool {
        matches!(self, Format::Apr1 | Format::Md5Crypt | Format::Sha1 | Format::Ssha | Format::Des)
    }
}

/// What new hashes cost and which weak ones are still read.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Memory of a new argon2id hash in KiB.
    pub argon2_memory_kib: u32,
    /// Passes over that memory.
    pub argon2_passes: u32,
    /// Lanes; they run one after the other, there is no thread of ours.
    pub argon2_lanes: u32,
    /// The weak formats that are allowed.
    pub weak: Vec<Format>,
    /// Passwords of more bytes are refused before anything is computed.
    pub max_password: usize,
}

impl Default for Policy {
    /// The first choice of the OWASP password storage sheet: 19 MiB, two passes, one lane; no weak format.
    fn default() -> Policy {
        Policy { argon2_memory_kib: 19_456, argon2_passes: 2, argon2_lanes: 1, weak: Vec::new(), max_password: 1024 }
    }
}

impl Policy {
    /// Whether hashes of `format` are read at all.
    pub fn allows(&self, format: Format) -> bool {
        !format.is_weak() || self.weak.contains(&format)
    }
}

/// The format of a stored hash by its first characters; `None` when it is none of ours (a plain text password, say).
///
/// Says nothing of whether the rest is well-formed: that is [`check`]'s word.
pub fn format_of(hash: &str) -> Option<Format> {
    let hash = ldap::without_crypt(hash);
    const STARTS: [(&str, Format); 13] = [
        ("$argon2id$", Format::Argon2),
        ("$argon2i$", Format::Argon2),
        ("$argon2d$", Format::Argon2),
        ("$2a$", Format::Bcrypt),
        ("$2b$", Format::Bcrypt),
        ("$2y$", Format::Bcrypt),
        ("$scrypt$", Format::Scrypt),
        ("$pbkdf2-sha", Format::Pbkdf2),
        ("pbkdf2_sha", Format::Pbkdf2),
        ("$5$", Format::Sha256Crypt),
        ("$6$", Format::Sha512Crypt),
        ("$apr1$", Format::Apr1),
        ("$1$", Format::Md5Crypt),
    ];
    if let Some((_, format)) = STARTS.iter().find(|(start, _)| hash.starts_with(start)) {
        return Some(*format);
    }
    if ldap::strip(hash, "{SHA}").is_some() {
        return Some(Format::Sha1);
    }
    if ldap::strip(hash, "{SSHA}").is_some() {
        return Some(Format::Ssha);
    }
    des::looks_like(hash).then_some(Format::Des)
}

#[cfg(test)]
mod tests;
