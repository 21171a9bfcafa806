//! What a keyring promises, seen from outside.

use super::keyring::*;
use crate::base::encoding::hex;
use crate::base::{Result, Status};
use crate::crypto::scratch::Scratch;

const HOUR: i64 = 3600;
const DAY: i64 = 86_400;
/// 2026-01-01T00:00:00Z
const NEW_YEAR: i64 = 1_767_225_600;

fn two_keys() -> Result<Keyring> {
    let folder = Scratch::new();
    let path = folder.write(
        "ring.toml",
        "format = 1\ngeneration = 4\nsite_secret = \"Zm9yLXRlc3RzLW9ubHktdGhlLXNpdGUtc2VjcmV0MDA\"\n\
         [[key]]\nmaster = \"Zm9yLXRlc3RzLW9ubHktdGhlLWZpcnN0LW1hc3RlcjE\"\n\
         published = 2026-01-01T00:00:00Z\nsigning = 2026-01-01T00:00:00Z\n\
         verify_only = 2026-01-11T00:00:00Z\nretired = 2026-01-21T00:00:00Z\n\
         [[key]]\nmaster = \"Zm9yLXRlc3RzLW9ubHktdGhlLW5ld2VyLW1hc3RlcjI\"\n\
         published = 2026-01-09T00:00:00Z\nsigning = 2026-01-10T00:00:00Z\n",
    );
    Keyring::load(&path, NEW_YEAR)
}

#[test]
fn each_date_counts_from_its_own_second() {
    let ring = two_keys().unwrap();
    assert_eq!(ring.generation(), 4);
    let (old, new) = (&ring.keys()[0], &ring.keys()[1]);
    for (day, before, from) in [
        (0, State::Published, State::Signing),
        (10, State::Signing, State::VerifyOnly),
        (20, State::VerifyOnly, State::Retired),
    ] {
        let date = NEW_YEAR + day * DAY;
        assert_eq!(old.state(date - 1), before, "day {day}");
        assert_eq!(old.state(date), from, "day {day}");
        assert_eq!(old.state(date + 1), from, "day {day}");
    }
    assert_eq!(new.state(i64::MAX), State::Signing, "without dates a key goes on");
    assert_eq!(old.verify_only_from(), Some(NEW_YEAR + 10 * DAY));
    assert_eq!(old.retired_from(), Some(NEW_YEAR + 20 * DAY));
    assert_eq!(new.created(), NEW_YEAR + 8 * DAY);
    assert_eq!(new.signs_from(), NEW_YEAR + 9 * DAY);
    assert_eq!(State::VerifyOnly.name(), "verify-only");
}

#[test]
fn the_newest_signing_key_signs() {
    let ring = two_keys().unwrap();
    let (old, new) = (ring.keys()[0].id(), ring.keys()[1].id());
    let signer = |now| ring.signing(now).map(Key::id);
    assert_eq!(signer(NEW_YEAR), Ok(old));
    assert_eq!(signer(NEW_YEAR + 9 * DAY - 1), Ok(old), "published is not signing");
    assert_eq!(signer(NEW_YEAR + 9 * DAY), Ok(new), "both may; the newer does");
    assert_eq!(signer(NEW_YEAR + 30 * DAY), Ok(new));
    let error = ring.signing(NEW_YEAR - 1).unwrap_err();
    assert_eq!(error.status, Status::Unavailable);
    assert!(error.message.contains("before 2026-01-01T00:00:00Z"), "{error}");
}

#[test]
fn all_but_retired_keys_are_found() {
    let ring = two_keys().unwrap();
    let (old, new) = (ring.keys()[0].id(), ring.keys()[1].id());
    assert!(ring.find(&new, NEW_YEAR).is_some(), "published already verifies");
    assert!(ring.find(&old, NEW_YEAR + 20 * DAY - 1).is_some());
    assert!(ring.find(&old, NEW_YEAR + 20 * DAY).is_none());
    assert!(ring.find(&[0; 8], NEW_YEAR).is_none());
}

#[test]
fn key_ids_are_computed_from_masters() {
    // HKDF-Expand(master, "janua/1 kid", 8) is the head of HMAC(master, label, 0x01): RFC 5869, section 2.3.
    let ring = two_keys().unwrap();
    let master = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, b"for-tests-only-the-first-master1");
    let block = ring::hmac::sign(&master, b"janua/1 kid\x01");
    assert_eq!(ring.keys()[0].id(), block.as_ref()[..8]);
    assert_eq!(ring.keys()[0].id(), two_keys().unwrap().keys()[0].id());
}

#[test]
fn the_same_key_twice_is_refused() {
    let folder = Scratch::new();
    let key = "[[key]]\nmaster = \"Zm9yLXRlc3RzLW9ubHktdGhlLWZpcnN0LW1hc3RlcjE\"\n\
               published = 2026-01-01T00:00:00Z\nsigning = 2026-01-01T00:00:00Z\n";
    let site = "Zm9yLXRlc3RzLW9ubHktdGhlLXNpdGUtc2VjcmV0MDA";
    let text = format!("format = 1\ngeneration = 1\nsite_secret = \"{site}\"\n{key}{key}");
    let error = Keyring::load(&folder.write("ring.toml", &text), NEW_YEAR).unwrap_err();
    assert_eq!(error.status, Status::Invalid);
    assert!(error.message.contains("[[key]] 1 and [[key]] 2 are the same key"), "{error}");
}

#[test]
fn a_ring_that_cannot_sign_is_refused_and_says_why() {
    let folder = Scratch::new();
    let path = folder.path("ring.toml");
    Keyring::create(&path, NEW_YEAR, None).unwrap();
    let error = Keyring::load(&path, NEW_YEAR - DAY).unwrap_err();
    assert_eq!(error.status, Status::Invalid);
    assert!(error.message.contains("set the clock of this machine"), "{error}");
    let text = std::fs::read_to_string(&path).unwrap() + "verify_only = 2026-01-02T00:00:00Z\n";
    let path = folder.write("ended.toml", &text);
    assert!(Keyring::load(&path, NEW_YEAR + DAY - 1).is_ok());
    let error = Keyring::load(&path, NEW_YEAR + DAY).unwrap_err();
    assert!(error.message.contains("`janua keyring new "), "{error}");
}

#[test]
fn a_first_key_signs_at_once_and_when_the_clock_goes_back() {
    let ring = Keyring::ephemeral(NEW_YEAR).unwrap();
    assert!(ring.signing(NEW_YEAR).is_ok());
    assert!(ring.signing(NEW_YEAR - HOUR).is_ok());
    assert!(ring.signing(NEW_YEAR - HOUR - 1).is_err());
    assert_ne!(ring.keys()[0].id(), Keyring::ephemeral(NEW_YEAR).unwrap().keys()[0].id());
    assert!(Keyring::ephemeral(0).unwrap().signing(0).is_ok());
}

#[test]
fn a_created_ring_is_the_ring_that_is_loaded() {
    let folder = Scratch::new();
    let path = folder.path("ring.toml");
    let made = Keyring::create(&path, NEW_YEAR, None).unwrap();
    let read = Keyring::load(&path, NEW_YEAR + 1).unwrap();
    assert_eq!(made.keys()[0].id(), read.keys()[0].id());
    assert_eq!(made.site_key("a").tag(&[]), read.site_key("a").tag(&[]));
    let error = Keyring::create(&path, NEW_YEAR, None).unwrap_err();
    assert_eq!(error.status, Status::Refused);
    assert!(error.message.contains("left alone"), "{error}");
    assert_eq!(Keyring::load(&path, NEW_YEAR).unwrap().keys()[0].id(), made.keys()[0].id());
    assert_eq!(folder.names(), ["ring.toml"], "no draft is left");
}

#[test]
fn a_site_key_is_one_per_label_and_survives_rotation() {
    let ring = two_keys().unwrap();
    assert_eq!(ring.site_key("audit").tag(&[b"x"]), two_keys().unwrap().site_key("audit").tag(&[b"x"]));
    assert_ne!(ring.site_key("audit").tag(&[b"x"]), ring.site_key("dummy").tag(&[b"x"]));
}

#[test]
fn debug_shows_no_key_byte() {
    let shown = format!("{:?}", two_keys().unwrap());
    assert!(shown.contains(&hex(&two_keys().unwrap().keys()[0].id())), "{shown}");
    for secret in ["for-tests-only-the-first-master1", "for-tests-only-the-site-secret00"] {
        for start in 0..secret.len() - 6 {
            let part = secret.get(start..start + 6).unwrap();
            assert!(!shown.contains(part) && !shown.contains(&hex(part.as_bytes())), "{shown}");
            assert!(!shown.contains(format!("{:?}", part.as_bytes()).trim_matches(['[', ']'])), "{shown}");
        }
    }
}
