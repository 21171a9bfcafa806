//! Session ids: made evenly from a profile's alphabet, checked for form, and turned into the digests that stores keep.
//!
//! Called by `engine` at a login and at every check. A store never sees an id: it is given the digest, so that a
//! stolen store logs nobody in. Site, profile and realm are part of the digest, so that an id of one is nothing to
//! its neighbour.

use crate::base::{Error, Result, encoding, random};
use crate::crypto::digest::{Digest, sha256};
use std::fmt;

/// The least entropy of an id, in bits: the shortest form that a sheet fixes has 119.
pub const MIN_BITS: f64 = 118.0;

/// The longest id.
pub const MAX_LENGTH: usize = 256;

/// Makes a new id: `length` characters drawn evenly from `alphabet`. Any thread; keeps no state.
///
/// Errors: [`Status::Invalid`](crate::base::Status) when the form gives under [`MIN_BITS`] bits, a character stands
/// twice in the alphabet, or one may not stand in a cookie's value (RFC 6265, section 4.1.1);
/// [`Status::Random`](crate::base::Status) when the system gives no random bytes.
pub fn make(alphabet: &[u8], length: usize) -> Result<String> {
    check_form(alphabet, length)?;
    random::text(alphabet, length)
}

/// Whether ids of this form may be made at all; [`make`] asks each time, a profile asks when it is compiled.
pub fn check_form(alphabet: &[u8], length: usize) -> Result<()> {
    if let Some(bad) = alphabet.iter().find(|byte| !is_cookie_octet(**byte)) {
        return Err(Error::invalid(format!("the session alphabet holds byte {bad:#04x}, which no cookie may carry")));
    }
    if AlphabetSet::of(alphabet).len() != alphabet.len() {
        return Err(Error::invalid("a character stands twice in the session alphabet"));
    }
    if length > MAX_LENGTH {
        return Err(Error::invalid(format!("a session id has at most {MAX_LENGTH} characters, not {length}")));
    }
    let bits = entropy_bits(alphabet.len(), length);
    if bits < MIN_BITS {
        let letters = alphabet.len();
        return Err(Error::invalid(format!(
            "{length} characters out of {letters} are {bits:.0} bits; a session id needs at least {MIN_BITS:.0}: \
             make it longer"
        )));
    }
    Ok(())
}

/// The entropy of `length` characters drawn evenly from `letters` different ones, in bits.
pub fn entropy_bits(letters: usize, length: usize) -> f64 {
    if letters < 2 {
        return 0.0;
    }
    let letters = u32::try_from(letters).unwrap_or(u32::MAX);
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    f64::from(letters).log2() * f64::from(length)
}

/// Whether `id` could have been made by [`make`] with this form. No look at any store; allocates nothing.
pub fn well_formed(id: &[u8], alphabet: &AlphabetSet, length: usize) -> bool {
    id.len() == length && id.iter().all(|byte| alphabet.has(*byte))
}

/// The characters of an alphabet as a set, made once per profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlphabetSet([u128; 2]);

impl AlphabetSet {
    pub fn of(alphabet: &[u8]) -> AlphabetSet {
        let mut set = [0u128; 2];
        for byte in alphabet {
            set[usize::from(byte >> 7)] |= 1 << (byte & 127);
        }
        AlphabetSet(set)
    }

    pub fn has(&self, byte: u8) -> bool {
        self.0[usize::from(byte >> 7)] >> (byte & 127) & 1 == 1
    }

    fn len(&self) -> usize {
        self.0.iter().map(|half| half.count_ones() as usize).sum()
    }
}

/// `cookie-octet` of RFC 6265, section 4.1.1.
fn is_cookie_octet(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x23..=0x2b | 0x2d..=0x3a | 0x3c..=0x5b | 0x5d..=0x7e)
}

/// The store's key of the session `id`: SHA-256 over the length-prefixed parts, untruncated. `realm` is empty for
/// sessions that the whole profile shares. Allocates nothing.
pub fn key(site: &str, profile: &str, realm: &str, id: &[u8]) -> Digest {
    sha256(&[b"janua-session", site.as_bytes(), profile.as_bytes(), realm.as_bytes(), id])
}

/// The key of a session id that a client chose for its token. Tenant and principal are part of it, for two users may
/// both choose "1". Allocates nothing.
pub fn chosen_key(site: &str, profile: &str, tenant: &str, principal: &str, id: &[u8]) -> Digest {
    let parts = [site, profile, tenant, principal].map(str::as_bytes);
    sha256(&[b"janua-chosen", parts[0], parts[1], parts[2], parts[3], id])
}

/// The key of all tokens that were made from one session, by the reference of its beginning. It has a label of its own:
/// no session id that a client chooses makes it. Allocates nothing.
pub fn made_key(origin: &Reference) -> Digest {
    sha256(&[b"janua-made-from", &origin.0])
}

/// What lists show of a session and probes accept: the first 128 bits of its digest, as 32 hexadecimal digits. Never
/// a proof: nobody gets from here back to the id.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reference(pub [u8; 16]);

impl Reference {
    /// The reference of the session that a store keeps under `key`.
    pub fn of(key: &Digest) -> Reference {
        let mut first = [0; 16];
        first.copy_from_slice(&key[..16]);
        Reference(first)
    }

    /// Reads 32 hexadecimal digits of either case.
    pub fn parse(text: &[u8]) -> Option<Reference> {
        encoding::hex_decode(std::str::from_utf8(text).ok()?).map(Reference)
    }

    /// The 32 digits, without allocating.
    pub fn digits(&self) -> [u8; 32] {
        encoding::hex_array(&self.0)
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&encoding::hex(&self.0))
    }
}

impl fmt::Debug for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Status;
    use proptest::prelude::*;

    const HEX: &[u8] = b"0123456789ABCDEF";
    const ASP: &[u8] = b"abcdefghijklmnopqrstuvwxyz012345";

    #[test]
    fn an_id_has_the_form_it_was_asked_for_and_never_comes_twice() {
        let set = AlphabetSet::of(ASP);
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..500 {
            let id = make(ASP, 24).unwrap();
            assert!(well_formed(id.as_bytes(), &set, 24));
            assert!(seen.insert(id));
        }
    }

    #[test]
    fn under_118_bits_no_id_is_made() {
        let alnum: Vec<u8> = (b'A'..=b'Z').chain(b'a'..=b'z').chain(b'0'..=b'9').collect();
        assert!(make(&alnum, 20).is_ok(), "119 bits");
        assert!(make(b"01", 118).is_ok(), "118 bits");
        for (alphabet, length) in [(&b"01"[..], 117), (HEX, 29), (&alnum, 19), (b"", 500), (b"A", 200), (HEX, 0)] {
            let error = make(alphabet, length).unwrap_err();
            assert_eq!(error.status, Status::Invalid, "{length}");
        }
    }

    #[test]
    fn an_alphabet_that_no_cookie_can_carry_or_that_is_uneven_is_refused() {
        for bad in [
            &b"0123456789abcdef;"[..],
            b"0123456789 abcdef",
            b"0123456789\"abcdef",
            b"00123456789abcdef",
            b"\xe90123456789abcdef",
        ] {
            assert!(make(bad, 64).is_err());
        }
        assert!(make(HEX, MAX_LENGTH + 1).is_err());
    }

    #[test]
    fn other_lengths_and_other_characters_are_not_well_formed() {
        let set = AlphabetSet::of(HEX);
        assert!(well_formed(b"00FF", &set, 4));
        for id in [&b"00F"[..], b"00FFF", b"00fF", b"00F\0", b"00F\xff", b""] {
            assert!(!well_formed(id, &set, 4), "{id:?}");
        }
    }

    #[test]
    fn a_session_of_one_site_profile_or_realm_is_nothing_to_its_neighbours() {
        let here = key("data.example.org", "form", "", b"1");
        for there in [
            key("data.example.com", "form", "", b"1"),
            key("data.example.org", "mauro", "", b"1"),
            key("data.example.org", "form", "v2", b"1"),
            key("data.example.org", "form", "", b"2"),
            key("data.example.orgform", "", "", b"1"),
            chosen_key("data.example.org", "form", "", "", b"1"),
        ] {
            assert_ne!(here, there);
        }
    }

    #[test]
    fn two_users_may_choose_the_same_id() {
        let mine = chosen_key("s", "p", "{C840BE1A-5B47-4AC0-8EF7-835C166C8E24}", "AlexK", b"1");
        assert_ne!(mine, chosen_key("s", "p", "{C840BE1A-5B47-4AC0-8EF7-835C166C8E24}", "Aladdin", b"1"));
        assert_ne!(mine, chosen_key("s", "p", "", "AlexK", b"1"));
        assert_ne!(mine, chosen_key("s", "p", "{C840BE1A-5B47-4AC0-8EF7-835C166C8E24}AlexK", "", b"1"));
    }

    #[test]
    fn a_reference_reads_back_what_it_shows() {
        let digest = key("s", "p", "", b"id");
        let text = Reference::of(&digest).to_string();
        assert_eq!(text, encoding::hex(&digest)[..32]);
        assert_eq!(Reference::parse(text.as_bytes()), Some(Reference::of(&digest)));
        assert_eq!(Reference::parse(text.to_uppercase().as_bytes()), Some(Reference::of(&digest)));
        assert_eq!(Reference::parse(&text.as_bytes()[1..]), None);
        assert_eq!(Reference::parse("é23456789012345678901234567890a".as_bytes()), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn well_formed_agrees_with_the_alphabet(alphabet in proptest::collection::vec(any::<u8>(), 0..40), id in proptest::collection::vec(any::<u8>(), 0..8)) {
            let set = AlphabetSet::of(&alphabet);
            prop_assert_eq!(well_formed(&id, &set, id.len()), id.iter().all(|b| alphabet.contains(b)));
        }
    }
}
