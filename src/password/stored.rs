//! A stored hash, read: which format, whether it may stand in a file, and a dummy of the same kind and cost.
//!
//! Called by the directory when it loads a file, and by the hasher. A hash is never part of a message.

use super::phc::Fault;
use super::{Format, Policy, argon, bcrypt, des, format_of, kdf, ldap, md5crypt, shacrypt};
use crate::base::{Error, Result, random};
use std::fmt;
use std::ops::Deref;
use zeroize::Zeroizing;

/// The text of a stored hash: wiped when dropped, never printed. Reads as `&str`.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredHash(Zeroizing<String>);

impl From<String> for StoredHash {
    fn from(text: String) -> StoredHash {
        StoredHash(Zeroizing::new(text))
    }
}

impl From<&str> for StoredHash {
    fn from(text: &str) -> StoredHash {
        StoredHash::from(text.to_owned())
    }
}

impl Deref for StoredHash {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for StoredHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoredHash({})", format_of(self).map_or("unknown", Format::name))
    }
}

/// A hash of one of the formats, its parameters within bounds.
pub(super) enum Parsed<'a> {
    Argon2(argon::Hash),
    Bcrypt(bcrypt::Hash),
    Scrypt(kdf::Scrypt),
    Pbkdf2(kdf::Pbkdf2),
    Sha2(shacrypt::Hash<'a>),
    Md5(md5crypt::Hash<'a>),
    Sha1(ldap::Hash),
    Des(des::Hash<'a>),
}

/// Reads a stored hash.
pub(super) fn parse(text: &str) -> std::result::Result<(Format, Parsed<'_>), Fault> {
    let format = format_of(text).ok_or("not a password hash of a known format")?;
    let text = ldap::without_crypt(text);
    let parsed = match format {
        Format::Argon2 => Parsed::Argon2(argon::parse(text)?),
        Format::Bcrypt => Parsed::Bcrypt(bcrypt::parse(text)?),
        Format::Scrypt => Parsed::Scrypt(kdf::parse_scrypt(text)?),
        Format::Pbkdf2 => Parsed::Pbkdf2(kdf::parse_pbkdf2(text)?),
        Format::Sha256Crypt | Format::Sha512Crypt => Parsed::Sha2(shacrypt::parse(text)?),
        Format::Apr1 | Format::Md5Crypt => Parsed::Md5(md5crypt::parse(text)?),
        Format::Sha1 | Format::Ssha => Parsed::Sha1(ldap::parse(text)?),
        Format::Des => Parsed::Des(des::parse(text)?),
    };
    Ok((format, parsed))
}

/// Whether a stored hash may stand in a directory: known, allowed by `policy`, and asking for no more memory or time
/// than a login may take (256 MiB, a few seconds).
///
/// Errors: [`crate::base::Status::Invalid`] with the cause and the mend; no part of the hash is in the sentence.
pub fn check(hash: &str, policy: &Policy) -> Result<Format> {
    let (format, _) =
        parse(hash).map_err(|fault| Error::invalid(format!("the password hash cannot be used: {fault}")))?;
    if policy.allows(format) {
        return Ok(format);
    }
    let name = format.name();
    Err(Error::invalid(format!(
        "the password hash is of the weak format {name}; set a new password, or allow {name} by name"
    )))
}

/// Format and cost of a hash in one text: two hashes of equal class take equal time. `None` when it cannot be read.
pub fn class(hash: &str) -> Option<String> {
    parse(hash).ok().map(|(_, parsed)| match parsed {
        Parsed::Argon2(hash) => hash.class(),
        Parsed::Bcrypt(hash) => hash.class(),
        Parsed::Scrypt(hash) => hash.class(),
        Parsed::Pbkdf2(hash) => hash.class(),
        Parsed::Sha2(hash) => hash.class(),
        Parsed::Md5(hash) => hash.class(),
        Parsed::Sha1(hash) => hash.class(),
        Parsed::Des(hash) => hash.class(),
    })
}

/// A hash of the same format and cost as `hash` that no password made: its digest is random. For unknown names.
pub fn dummy_like(hash: &str) -> Result<StoredHash> {
    let random = random::array::<64>()?;
    let unreadable = |fault: &str| Error::invalid(format!("the password hash cannot be used: {fault}"));
    let (_, parsed) = parse(hash).map_err(unreadable)?;
    let text = ldap::without_crypt(hash);
    let (before, last) = text.rsplit_once('$').unwrap_or(("", text));
    let bytes = |length: usize| super::phc::encode(random.get(..length).unwrap_or(&random));
    let dummy = match &parsed {
        Parsed::Argon2(hash) => format!("{before}${}", bytes(hash.length())),
        Parsed::Scrypt(hash) => format!("{before}${}", bytes(hash.length())),
        Parsed::Pbkdf2(hash) => format!("{before}${}", bytes(hash.length())),
        Parsed::Bcrypt(_) => {
            let digest = random.first_chunk().ok_or_else(|| unreadable("no digest"))?;
            bcrypt::with_digest(text, digest).ok_or_else(|| unreadable("no digest"))?
        }
        Parsed::Sha2(hash) => {
            format!("{before}${}", shacrypt::random_digest(hash.format() == Format::Sha512Crypt, &random))
        }
        Parsed::Md5(_) => format!("{before}${}", md5crypt::random_digest(&random)),
        Parsed::Sha1(hash) => hash.random_text(&random),
        Parsed::Des(_) => format!("{}{}", last.get(..2).unwrap_or(".."), des::random_digest(&random)),
    };
    Ok(StoredHash::from(dummy))
}

/// A hash as `policy` makes them that no password made: for unknown names of a directory without hashes.
pub fn fresh_dummy(policy: &Policy) -> Result<StoredHash> {
    argon::dummy(policy).map(StoredHash::from)
}
