//! The master key of a site: what a keyring is sealed under that lies in a store, and where the site's own secret comes
//! from then.
//!
//! Called by `engine`, which reads it when it is built, by `keyring_place` and by the admin command. It is 32 random bytes
//! in a file or an environment variable, as one line of text; every machine of the site has the same. Nothing changes it.
//!
//! What is sealed (version 1):
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 1 | version: 1 |
//! | 1 | 8 | id of the master key: HKDF-Expand(master, "janua/1 master id") |
//! | 9 | 12 | nonce |
//! | 21 | n | the text of the keyring, sealed by AES-256-GCM (NIST SP 800-38D) |
//! | then | 16 | tag |
//!
//! Key = HKDF-Expand(master, "janua/1 ring seal", site), nonce key = the same with "janua/1 ring nonce", the site's secret
//! = the same with "janua/1 ring site". Associated data: bytes 0 to 20, and SHA-256 over "keyring" and the site, each with
//! its length before it. Nonce = HMAC(nonce key, 16 random bytes and the digest of that and of the text), its first 12
//! bytes, as for tokens: should randomness repeat, a nonce repeats only for the very same text.

use super::digest::{Digest, sha256};
use super::keyring::expand;
use super::keyring_file::{self, Created, MASTER};
use super::mac::MacKey;
use super::sys::Arena;
use crate::base::encoding::{base64url, base64url_decode, hex};
use crate::base::{Error, Result, Status, random};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Prk};
use ring::hmac::HMAC_SHA256;
use std::fmt;
use std::path::Path;
use zeroize::Zeroizing;

const VERSION: u8 = 1;
const NONCE_AT: usize = 9;
const TEXT_AT: usize = 21;

/// How the line begins, so that nothing else is taken for one.
const HEAD: &str = "janua-master-1.";

const LABEL_ID: &[u8] = b"janua/1 master id";
const LABEL_SEAL: &[u8] = b"janua/1 ring seal";
const LABEL_NONCE: &[u8] = b"janua/1 ring nonce";
const LABEL_SITE: &[u8] = b"janua/1 ring site";

/// A master key as one site uses it. Any thread; a fork may use it too. `Debug` shows its id only.
pub struct Master {
    id: [u8; 8],
    site: String,
    prk: Arena<Prk>,
}

impl Master {
    /// Makes a new file with a new master key: 0600, or 0640 with `group` as its group.
    ///
    /// Errors: `Status::Refused` when something is there, `Status::Unavailable`, `Status::Random`.
    pub fn create(path: &Path, group: Option<u32>) -> Result<()> {
        let bytes = Zeroizing::new(random::array::<32>()?);
        let text = Zeroizing::new(base64url(bytes.as_slice()));
        let line = Zeroizing::new([HEAD, &text, "\n"].concat());
        match keyring_file::create(path, line.as_bytes(), group)? {
            Created::New => Ok(()),
            Created::Exists => Err(Error::new(
                Status::Refused,
                "there is a file already, and it is left alone; with another master key nobody can open a keyring that was \
                 sealed under this one",
            )
            .at(path.display())),
        }
    }

    /// Reads the master key in a file, for `site`. Errors: as for a keyring's file; what it holds is never repeated.
    pub fn load(path: &Path, site: &str) -> Result<Master> {
        let (text, _) = keyring_file::read(path, &MASTER)?;
        Master::parse(&text, site).map_err(|error| error.at(path.display()))
    }

    /// The same from the environment variable `name`.
    pub fn from_environment(name: &str, site: &str) -> Result<Master> {
        let place = format!("environment variable {name}");
        let missing = || Error::not_found("is not set; it has to hold the line of a master key's file").at(&place);
        let text = std::env::var_os(name).filter(|text| !text.is_empty()).ok_or_else(missing)?;
        let text = Zeroizing::new(text.into_encoded_bytes());
        Master::parse(&text, site).map_err(|error| error.at(&place))
    }

    fn parse(text: &[u8], site: &str) -> Result<Master> {
        let line = text.strip_suffix(b"\n").unwrap_or(text);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let mut bytes = Zeroizing::new([0; 32]);
        let encoded = line.strip_prefix(HEAD.as_bytes()).filter(|text| text.len() == 43);
        let length = encoded.and_then(|text| base64url_decode(text, bytes.as_mut_slice()));
        if length != Some(32) || bytes.iter().all(|byte| *byte == 0) {
            return Err(Error::invalid(format!(
                "not a master key (one line: {HEAD} and 43 characters of base64url); restore it, or copy it from another \
                 machine of the site"
            )));
        }
        Master::new(&bytes, site)
    }

    fn new(bytes: &[u8; 32], site: &str) -> Result<Master> {
        let prk = Arena::from_fn(1, |_| Prk::new_less_safe(HKDF_SHA256, bytes));
        let mut id = [0; 8];
        expand(&prk[0], &[LABEL_ID], &mut id)?;
        Ok(Master { id, site: site.to_owned(), prk })
    }

    /// The site that this key is used for.
    pub(super) fn site(&self) -> &str {
        &self.site
    }

    /// The secret of the site, which the keyring holds too.
    pub(super) fn site_secret(&self) -> Result<Zeroizing<[u8; 32]>> {
        let mut out = Zeroizing::new([0; 32]);
        expand(&self.prk[0], &[LABEL_SITE, self.site.as_bytes()], out.as_mut_slice())?;
        Ok(out)
    }

    /// Seals the text of a keyring. Errors: `Status::Random`.
    pub(super) fn seal(&self, text: &[u8]) -> Result<Vec<u8>> {
        let mut head = [VERSION; TEXT_AT];
        let (named, nonce) = head.split_at_mut(NONCE_AT);
        named.iter_mut().skip(1).zip(self.id).for_each(|(to, byte)| *to = byte);
        let info = [LABEL_NONCE, self.site.as_bytes()];
        let okm = self.prk[0].expand(&info, HMAC_SHA256).map_err(|_| underived())?;
        let message = sha256(&[named, &self.purpose(), text]);
        let tag = MacKey::from(okm).tag(&[&random::array::<16>()?, &message]);
        nonce.iter_mut().zip(tag).for_each(|(to, byte)| *to = byte);
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| underived())?;
        let mut sealed = Zeroizing::new(text.to_vec());
        let tag = self.key()?.seal_in_place_separate_tag(nonce, Aad::from(self.associated(&head)), &mut sealed);
        let tag = tag.map_err(|_| Error::invalid("the keyring cannot be sealed"))?;
        Ok([&head[..], &sealed, tag.as_ref()].concat())
    }

    /// Opens what [`Master::seal`] made, for this site. Errors: `Status::Invalid`, and why.
    pub(super) fn open(&self, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        let none = || Error::invalid("what lies there is no sealed keyring");
        let (head, text) = sealed.split_first_chunk::<TEXT_AT>().ok_or_else(none)?;
        let (version, rest) = head.split_first().ok_or_else(none)?;
        let (id, nonce) = rest.split_at(NONCE_AT - 1);
        if *version != VERSION {
            return Err(Error::invalid(format!(
                "what lies there is no sealed keyring of version {VERSION}, but of version {version} or none at all; run \
                 one version of this program on all machines"
            )));
        }
        if id != self.id {
            return Err(Error::invalid(format!(
                "sealed under another master key: {}, not {}; every machine of the site has the same",
                hex(id),
                hex(&self.id)
            )));
        }
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| none())?;
        let mut text = Zeroizing::new(text.to_vec());
        let opened = self.key()?.open_in_place(nonce, Aad::from(self.associated(head)), &mut text);
        let length = opened
            .map(|text| text.len())
            .map_err(|_| Error::invalid("damaged, or another site's: its seal is broken"))?;
        text.truncate(length);
        Ok(text)
    }

    fn key(&self) -> Result<LessSafeKey> {
        let info = [LABEL_SEAL, self.site.as_bytes()];
        let okm = self.prk[0].expand(&info, &AES_256_GCM).map_err(|_| underived())?;
        Ok(LessSafeKey::new(UnboundKey::from(okm)))
    }

    fn purpose(&self) -> Digest {
        sha256(&[b"keyring", self.site.as_bytes()])
    }

    fn associated(&self, head: &[u8; TEXT_AT]) -> [u8; TEXT_AT + 32] {
        let mut aad = [0; TEXT_AT + 32];
        let (front, back) = aad.split_at_mut(TEXT_AT);
        front.copy_from_slice(head);
        back.copy_from_slice(&self.purpose());
        aad
    }
}

fn underived() -> Error {
    Error::invalid("a key could not be derived from the master key")
}

impl fmt::Debug for Master {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Master({})", hex(&self.id))
    }
}
