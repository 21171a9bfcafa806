//! Sealed tokens, version 1: opaque to everybody without the ring, of one length, bound to purpose, profile and site.
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 1 | version: 1 |
//! | 1 | 8 | key id: HKDF-Expand(master, "janua/1 kid") |
//! | 9 | 8 | salt: random, drawn by each minting process for itself, new after 2^18 tokens |
//! | 17 | 12 | nonce |
//! | 29 | 104, 200 or 456 | claims, sealed by AES-256-GCM (NIST SP 800-38D) |
//! | then | 16 | tag |
//!
//! That is 149, 245 or 501 bytes: **199**, 327 or 668 characters of base64url without padding, left-over bits zero.
//!
//! | claims | bytes | field (numbers big-endian) |
//! |---|---|---|
//! | 0 | 1 | flags: 1 sid of a chosen session id, 4 of the session it was made from, 2 extra values follow; others 0 |
//! | 1 | 5 | issued, Unix seconds |
//! | 6 | 4 | lifetime in seconds, at least 1 |
//! | 10 | 8 | seq of the revocation log |
//! | 18 | 16 | sid: digest of the session id, reference of the session, or random |
//! | 34 | 16 | tenant tag, zeros for none |
//! | 50 | 1 | n: length of the principal, at least 1 |
//! | 51 | n | principal, UTF-8 |
//! | 51 + n | 2 + m | with flag 2 only: m, at least 1, and the extra values as the table in `extra` says |
//! | then | | zeros to the end of the smallest bucket that fits; where extra values follow, that fits n = 53 too |
//!
//! So extra values of up to 94 bytes make 327 characters, and of up to 350 bytes 668, whatever the name of up to 53.
//!
//! **Keys.** AES-256-GCM key = HKDF-Expand(master, "janua/1 token", key id, salt), nonce key = the same with
//! "janua/1 nonce". **Associated data**: bytes 0 to 28 and the [`Binding`]. **Nonce** = HMAC(nonce key, 16 random bytes
//! and the digest of header, binding and claims), its first 12 bytes: should randomness ever repeat, a nonce repeats
//! only for the very same sealed message. The binding is in that digest because it is in the associated data: two
//! messages that differ there alone under one nonce would give the authentication key away.
//! **One key is tried**, the one whose id the token names, and ids derive from masters: no token opens under two keys.
//!
//! Called by `engine`. Users, tenants and revocations are judged there; a token that opens here is not yet let in.

use super::claims::{self, Claims, LARGEST};
use super::current::Current;
use super::epoch::Epoch;
use super::extra::Extra;
use super::subkeys::{At, Mint, Minting, Opening, Salt, sealing};
use crate::base::clock::APART_SECS;
use crate::base::encoding::{base64url, base64url_decode};
use crate::base::{Clock, Error, Now, Reason, Result, random};
use crate::crypto::digest::{sha256, sha256_16};
use crate::crypto::{Key, KeyId, Keyring};
use ring::aead::{Aad, Nonce};
use std::fmt;
use std::sync::Arc;

const VERSION: u8 = 1;
const NONCE_AT: usize = 17;
const CLAIMS_AT: usize = 29;
const TAG: usize = 16;
const BINDING: usize = 16;
const SMALLEST_RAW: usize = CLAIMS_AT + claims::BUCKETS[0] + TAG;
const LARGEST_RAW: usize = CLAIMS_AT + LARGEST + TAG;

/// Characters of a token and the raw bytes they stand for.
const LENGTHS: [(usize, usize); 3] = [(199, SMALLEST_RAW), (327, 245), (668, LARGEST_RAW)];

/// Characters of the longest token; nothing longer needs to be handed in.
pub const MAX_TOKEN: usize = 668;

/// A token may be issued this many seconds ahead of the reader's clock, which may be another machine's. Ends have no
/// such grace.
pub const SKEW: i64 = APART_SECS;

/// What a token is for: purpose, profile and site. Compute it once; a token of one binding is forged to every other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding([u8; BINDING]);

impl Binding {
    /// SHA-256 over the three, each with its length before it, cut to 16 bytes.
    pub fn new(purpose: &str, profile: &str, site: &str) -> Binding {
        Binding(sha256_16(&[purpose.as_bytes(), profile.as_bytes(), site.as_bytes()]))
    }
}

/// Where a token is decoded and opened: 504 bytes for the caller's stack, to be used again as often as wanted.
pub struct Room([u8; LARGEST_RAW + 3]);

impl Room {
    pub fn new() -> Room {
        Room([0; LARGEST_RAW + 3])
    }
}

impl Default for Room {
    fn default() -> Room {
        Room::new()
    }
}

impl fmt::Debug for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Room")
    }
}

/// A token whose seal and times are good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened<'b> {
    pub claims: Claims<'b>,
    /// The key it was sealed with: revocations may name it.
    pub key_id: KeyId,
}

/// Makes and opens sealed tokens with one keyring, and with its next generation as soon as that is there. Share it; any
/// thread may use it. It may be made before a fork and used on both sides: each process mints under salts of its own.
/// Nothing here waits for a lock, but [`Sealer::replace`].
pub struct Sealer {
    current: Current,
    clock: Clock,
    epoch: Epoch,
    minting: Minting,
    opening: Opening,
}

impl Sealer {
    pub fn new(keyring: Arc<Keyring>, clock: Clock) -> Sealer {
        let current = Current::new(keyring);
        Sealer { current, clock, epoch: Epoch::new(), minting: Minting::new(), opening: Opening::new() }
    }

    /// Seals `claims` with the newest signing key: 199 characters, or 327 or 668 for long principals and extra values.
    ///
    /// Errors: `Status::Invalid` when a claim does not fit, `Status::Unavailable` when no key of the ring signs now,
    /// `Status::Random`; nothing is minted then.
    pub fn mint(&self, binding: &Binding, claims: &Claims<'_>) -> Result<String> {
        let mut room = [0; LARGEST];
        let bucket = claims::write(claims, &mut room)?;
        let claims = room.get(..bucket).unwrap_or_default();
        let held = self.current.get();
        let key = held.ring.signing(self.clock.now().unix())?;
        let salt = self.epoch.next()?;
        let random = random::array::<16>()?;
        let mut raw = [0; LARGEST_RAW];
        let header = header(&key.id(), &salt);
        let seal = |mint: &Mint| seal(mint, binding, &header, &random, claims, &mut raw);
        let length = self.minting.with(key, &salt, seal).flatten();
        let sealed = length.and_then(|length| raw.get(..length)).ok_or_else(|| Error::invalid("sealing failed"))?;
        if let Some(place) = held.tally(&key.id()) {
            self.epoch.count(place);
        }
        Ok(base64url(sealed))
    }

    /// What looks like a token minted now with these extra values, and is refused as forged: for a protocol that answers
    /// a wrong password with a token. It is as long as that of every user whose id has at most 53 bytes. A current header
    /// and random bytes; nothing of the binding goes in, it is asked for so that a decoy is made where a token would be.
    ///
    /// Errors: `Status::Unavailable` when no key of the ring signs now, `Status::Random`.
    pub fn decoy(&self, _binding: &Binding, extra: Extra<'_>) -> Result<String> {
        let held = self.current.get();
        let key = held.ring.signing(self.clock.now().unix())?;
        let mut raw = random::array::<LARGEST_RAW>()?;
        let header = header(&key.id(), &self.epoch.current()?);
        for (byte, of_header) in raw.iter_mut().zip(header) {
            *byte = of_header;
        }
        let bucket = claims::decoy_bucket(extra).unwrap_or(LARGEST);
        Ok(base64url(raw.get(..CLAIMS_AT + bucket + TAG).unwrap_or_default()))
    }

    /// Opens `token` in `room` and judges its seal and times. No allocation, no lock waited for, no system call.
    ///
    /// Errors, all to be answered alike: [`Reason::TokenMalformed`] (length, alphabet, version, claims),
    /// [`Reason::TokenForeign`] (a key that is not in the ring, or retired), [`Reason::TokenForged`] (changed, or of
    /// another binding), [`Reason::TokenFuture`] (issued more than [`SKEW`] ahead), [`Reason::TokenExpired`].
    pub fn open<'b>(
        &self,
        binding: &Binding,
        token: &[u8],
        now: Now,
        room: &'b mut Room,
    ) -> std::result::Result<Opened<'b>, Reason> {
        let (_, length) = LENGTHS.into_iter().find(|(text, _)| *text == token.len()).ok_or(Reason::TokenMalformed)?;
        let decoded = base64url_decode(token, &mut room.0).filter(|decoded| *decoded == length);
        let raw = decoded.and_then(|length| room.0.get_mut(..length)).ok_or(Reason::TokenMalformed)?;
        let (header, sealed) = raw.split_first_chunk_mut::<CLAIMS_AT>().ok_or(Reason::TokenMalformed)?;
        let header: &[u8; CLAIMS_AT] = header;
        let parts = Parts::of(header).filter(|parts| parts.version == VERSION).ok_or(Reason::TokenMalformed)?;
        let Parts { id, salt, nonce, .. } = parts;

        let aad = associated(header, binding);
        let at = At { generation: self.current.generation(), now: now.unix() };
        let known = self.opening.with(&id, &salt, at, |key| {
            key.open_in_place(Nonce::assume_unique_for_key(nonce), Aad::from(aad), &mut *sealed).is_ok()
        });
        let good = match known {
            Some(good) => good,
            None => {
                let held = self.current.get();
                let key = held.ring.find(&id, now.unix()).ok_or(Reason::TokenForeign)?;
                let subkey = sealing(key, &salt).ok_or(Reason::TokenForged)?;
                let nonce = Nonce::assume_unique_for_key(nonce);
                let good = subkey.open_in_place(nonce, Aad::from(aad), &mut *sealed).is_ok();
                if good {
                    self.opening.keep(key, held.ring.generation(), salt, subkey);
                }
                good
            }
        };
        if !good {
            return Err(Reason::TokenForged);
        }
        let plain = sealed.get(..length - CLAIMS_AT - TAG).ok_or(Reason::TokenMalformed)?;
        let claims = claims::read(plain)?;
        crate::expiry::token(claims.issued, claims.ends, now, SKEW)?;
        Ok(Opened { claims, key_id: id })
    }

    /// How many tokens this process minted, by key in the order of the ring. Parent and child of a fork count apart.
    pub fn minted(&self) -> Vec<(KeyId, u64)> {
        let held = self.current.get();
        let count = |id: &KeyId| held.tally(id).map_or(0, |place| self.epoch.counted(place));
        held.ring.keys().iter().map(|key| (key.id(), count(&key.id()))).collect()
    }

    /// Puts a newer ring in force, for everything that begins after it; `false` when it is the one in force already.
    /// A seal or an opening that is under way ends with the ring it began with.
    ///
    /// May wait for another thread that does the same. Errors: `Status::Refused` as [`Keyring::follows`],
    /// `Status::Unavailable`; the ring in force stays.
    pub fn replace(&self, ring: Keyring) -> Result<bool> {
        self.current.replace(ring, |place| self.epoch.begin(place))
    }

    /// Wipes what is of no use now: rings out of force, subkeys of retired keys, those of keys that sign no more. To be
    /// called every now and then; nothing that is wiped here would be used.
    pub fn tidy(&self) {
        self.current.tidy();
        let (held, now) = (self.current.get(), self.clock.now().unix());
        self.opening.retain(|id| held.ring.find(id, now).is_some());
        self.minting.retain(held.ring.signing(now).ok().map(Key::id));
    }

    /// How many subkeys are kept for opening.
    #[cfg(test)]
    pub(super) fn kept_subkeys(&self) -> usize {
        self.opening.count()
    }

    /// The ring in force.
    pub fn keyring(&self) -> Arc<Keyring> {
        Arc::clone(&self.current.get().ring)
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer").field("keyring", &self.keyring()).finish_non_exhaustive()
    }
}

/// The first 29 bytes, taken apart.
struct Parts {
    version: u8,
    id: KeyId,
    salt: Salt,
    nonce: [u8; 12],
}

impl Parts {
    fn of(header: &[u8; CLAIMS_AT]) -> Option<Parts> {
        let ([version], rest) = header.split_first_chunk()?;
        let (id, rest) = rest.split_first_chunk()?;
        let (salt, rest) = rest.split_first_chunk()?;
        let (nonce, _) = rest.split_first_chunk()?;
        Some(Parts { version: *version, id: *id, salt: *salt, nonce: *nonce })
    }
}

/// The bytes before the nonce.
fn header(id: &KeyId, salt: &Salt) -> [u8; NONCE_AT] {
    let mut header = [VERSION; NONCE_AT];
    for (byte, part) in header.iter_mut().skip(1).zip(id.iter().chain(salt)) {
        *byte = *part;
    }
    header
}

/// The associated data: everything before the claims, and the binding.
fn associated(head: &[u8; CLAIMS_AT], binding: &Binding) -> [u8; CLAIMS_AT + BINDING] {
    let mut aad = [0; CLAIMS_AT + BINDING];
    let (front, back) = aad.split_at_mut(CLAIMS_AT);
    front.copy_from_slice(head);
    back.copy_from_slice(&binding.0);
    aad
}

/// Writes the whole token to the front of `raw` and returns its length; `None` should the cipher fail.
fn seal(
    mint: &Mint,
    binding: &Binding,
    header: &[u8; NONCE_AT],
    random: &[u8; 16],
    claims: &[u8],
    raw: &mut [u8; LARGEST_RAW],
) -> Option<usize> {
    let message = sha256(&[header, &binding.0, claims]);
    let tag = mint.nonces.tag(&[random, &message]);
    let nonce: [u8; 12] = *tag.first_chunk()?;

    let (head, rest) = raw.split_first_chunk_mut::<CLAIMS_AT>()?;
    let (front, back) = head.split_at_mut(NONCE_AT);
    front.copy_from_slice(header);
    back.copy_from_slice(&nonce);
    let (sealed, after) = rest.split_at_mut_checked(claims.len())?;
    sealed.copy_from_slice(claims);
    let aad = Aad::from(associated(head, binding));
    let nonce = Nonce::assume_unique_for_key(nonce);
    let tag = mint.sealing.seal_in_place_separate_tag(nonce, aad, sealed).ok()?;
    after.get_mut(..TAG)?.copy_from_slice(tag.as_ref());
    Some(CLAIMS_AT + claims.len() + TAG)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::scratch::Scratch;

    /// 2026-01-01T00:00:00Z
    const NOW: i64 = 1_767_225_600;
    const SALT: Salt = [1, 2, 3, 4, 5, 6, 7, 8];

    fn sealer() -> Sealer {
        let folder = Scratch::new();
        let path = folder.write(
            "ring.toml",
            "format = 1\ngeneration = 1\nsite_secret = \"Zm9yLXRlc3RzLW9ubHktdGhlLXNpdGUtc2VjcmV0MDA\"\n\
             [[key]]\nmaster = \"Zm9yLXRlc3RzLW9ubHktdGhlLWZpcnN0LW1hc3RlcjE\"\n\
             published = 2026-01-01T00:00:00Z\nsigning = 2026-01-01T00:00:00Z\n",
        );
        Sealer::new(Arc::new(Keyring::load(&path, NOW).unwrap()), Clock::fake(NOW))
    }

    fn sealed(sealer: &Sealer, binding: &Binding, random: &[u8; 16], principal: &str) -> Vec<u8> {
        let claims = Claims {
            issued: NOW,
            ends: NOW + 3600,
            seq: 42,
            sid: [3; 16],
            sid_kind: claims::SidKind::Chosen,
            tenant: claims::tenant_tag("{C840BE1A-5B47-4AC0-8EF7-835C166C8E24}"),
            principal,
            extra: Extra::NONE,
        };
        let (mut room, mut raw) = ([0; LARGEST], [0; LARGEST_RAW]);
        let bucket = claims::write(&claims, &mut room).unwrap();
        let ring = sealer.keyring();
        let key = ring.signing(NOW).unwrap();
        let header = header(&key.id(), &SALT);
        let seal = |mint: &Mint| seal(mint, binding, &header, random, &room[..bucket], &mut raw);
        let length = sealer.minting.with(key, &SALT, seal).flatten().unwrap();
        raw[..length].to_vec()
    }

    /// Computed by another program from the tables above (Python, `cryptography` 48).
    const KNOWN: &str = "\
        ASEFv0IfRrIpAQIDBAUGBwgL2poxW0rTGoHSFVumOnBIcOaEF9AlMzwutIRntwBDGuR3omwm_wUIj_J4jwOXXPHOI7SOgSwb-QHO\
        FY8r663ZgeEM-U51tm8QTRun9XoPKSU23aycIK6-VqJ5dySF4-P5g1WQFUvRb61ONVkx4ePDZrTDRgh-oNhzbhl1Xns9Fpv_fxE";

    #[test]
    fn a_token_made_by_the_tables_alone_is_the_same_token() {
        let sealer = sealer();
        let binding = Binding::new("token", "mfiles", "data.example.org");
        assert_eq!(base64url(&sealed(&sealer, &binding, &[9; 16], "AlexK")), KNOWN);
        let mut room = Room::new();
        let opened = sealer.open(&binding, KNOWN.as_bytes(), Clock::fake(NOW).now(), &mut room).unwrap();
        assert_eq!((opened.claims.principal, opened.claims.seq), ("AlexK", 42));
    }

    #[test]
    fn repeated_randomness_repeats_a_nonce_only_for_the_same_message() {
        let sealer = sealer();
        let (here, there) = (Binding::new("token", "mfiles", "a"), Binding::new("token", "mfiles", "b"));
        let nonce = |binding, random: u8, principal| {
            sealed(&sealer, binding, &[random; 16], principal)[NONCE_AT..CLAIMS_AT].to_vec()
        };
        let first = nonce(&here, 9, "AlexK");
        assert_eq!(nonce(&here, 9, "AlexK"), first);
        assert_ne!(nonce(&here, 9, "Aladdin"), first, "other claims");
        assert_ne!(nonce(&there, 9, "AlexK"), first, "the same claims for another site");
        assert_ne!(nonce(&here, 8, "AlexK"), first, "other randomness");
    }
}
