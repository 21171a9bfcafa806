//! What a keyring in a store promises: sealed under the master key of its site, one for all who make it, never lost
//! between two who change it; and what every place promises alike.

use super::keyring::*;
use super::keyring_change::{Haste, publish, retire, rotate};
use super::keyring_place::{Documents, RingPlace};
use super::keyring_watch::Watch;
use super::master::Master;
use crate::base::encoding::hex;
use crate::base::{Clock, Error, Result, Status};
use crate::crypto::scratch::{Scratch, mode};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// 2026-01-01T00:00:00Z
const NOW: i64 = 1_767_225_600;
const SITE: &str = "data.example.org";
const LINE: &str = "janua-master-1.Zm9yLXRlc3RzLW9ubHktdGhlLWZpcnN0LW1hc3RlcjE\n";
const OTHER: &str = "janua-master-1.Zm9yLXRlc3RzLW9ubHktdGhlLW5ld2VyLW1hc3RlcjI";

/// A store's documents.
#[derive(Default)]
pub(super) struct Shelf {
    texts: Mutex<HashMap<String, Vec<u8>>>,
    away: AtomicBool,
}

impl Shelf {
    fn there(&self) -> Option<Vec<u8>> {
        self.texts.lock().get(&format!("keyring {SITE}")).cloned()
    }

    fn put(&self, bytes: Option<&[u8]>) {
        let name = format!("keyring {SITE}");
        match bytes {
            Some(bytes) => drop(self.texts.lock().insert(name, bytes.to_vec())),
            None => drop(self.texts.lock().remove(&name)),
        }
    }
}

impl Documents for Shelf {
    fn document(&self, name: &str) -> Result<Option<Vec<u8>>> {
        match self.away.load(Ordering::Relaxed) {
            true => Err(Error::unavailable("the store did not answer; try again")),
            false => Ok(self.texts.lock().get(name).cloned()),
        }
    }

    fn replace(&self, name: &str, old: Option<&[u8]>, new: &[u8]) -> Result<bool> {
        let mut texts = self.texts.lock();
        if texts.get(name).map(Vec::as_slice) != old {
            return Ok(false);
        }
        texts.insert(name.to_owned(), new.to_vec());
        Ok(true)
    }
}

pub(super) fn master(line: &str, site: &str) -> Result<Master> {
    let folder = Scratch::new();
    Master::load(&folder.write("master.key", line), site)
}

/// A place on `shelf` under the master key of the tests.
pub(super) fn place(shelf: &Arc<Shelf>) -> RingPlace {
    under(shelf, LINE, SITE)
}

fn under(shelf: &Arc<Shelf>, line: &str, site: &str) -> RingPlace {
    RingPlace::sealed(shelf.clone(), Arc::new(master(line, site).unwrap()))
}

fn made() -> (Arc<Shelf>, RingPlace) {
    let shelf = Arc::new(Shelf::default());
    let place = place(&shelf);
    assert_eq!(place.create(NOW, None), Ok(true));
    (shelf, place)
}

#[test]
fn a_ring_in_a_store_is_made_once_and_changed_as_one_in_a_file() {
    let (shelf, place) = made();
    let bytes = shelf.there().unwrap();
    assert_eq!(place.create(NOW, None), Ok(false), "it is left alone");
    assert_eq!(shelf.there().unwrap(), bytes);
    let old = place.load(NOW).unwrap().keys()[0].id();
    let new = publish(&place, NOW, PUBLISH_LEAD).unwrap();
    assert!(publish(&place, NOW, PUBLISH_LEAD).unwrap_err().message.contains("published already"));
    let now = NOW + PUBLISH_LEAD;
    assert_eq!(rotate(&place, now, Haste::Lead(PUBLISH_LEAD)).unwrap().id, new.id);
    assert!(retire(&place, now, &old).unwrap_err().message.contains("try again after"));
    retire(&place, now + PUBLISH_LEAD, &old).unwrap();
    let ring = place.load(now + PUBLISH_LEAD).unwrap();
    assert_eq!((ring.generation(), ring.signing(now).unwrap().id()), (4, new.id));
    assert!(ring.find(&old, now).is_none());
    place.start_anew(now).unwrap();
    let anew = place.load(now).unwrap();
    assert_eq!((anew.generation(), anew.keys().len()), (1, 1));
    assert!(anew.find(&new.id, now).is_none());
}

#[test]
fn the_site_has_one_secret_before_and_after_the_ring_is_there() {
    let (_, place) = made();
    let ring = place.load(NOW).unwrap();
    let none = Keyring::none(&master(LINE, SITE).unwrap()).unwrap();
    assert_eq!(none.site_key("names").tag(&[b"x"]), ring.site_key("names").tag(&[b"x"]));
    assert_eq!((none.generation(), ring.follows(&none), none.keys().len()), (0, Ok(true), 0));
    assert_eq!(none.signing(NOW).unwrap_err().status, Status::Unavailable);
    let elsewhere = Keyring::none(&master(LINE, "other.example.org").unwrap()).unwrap();
    assert_ne!(elsewhere.site_key("names").tag(&[]), none.site_key("names").tag(&[]));
    assert_eq!(ring.follows(&elsewhere).unwrap_err().status, Status::Refused);
}

#[test]
fn what_is_not_sealed_by_this_master_for_this_site_is_refused_and_says_why() {
    let (shelf, place) = made();
    let bytes = shelf.there().unwrap();
    let says = |place: &RingPlace, says: &str| {
        let error = place.load(NOW).unwrap_err();
        assert!(error.status == Status::Invalid && error.message.contains(says), "{says}: {error}");
        assert!(error.message.starts_with("the store's keyring of "), "{error}");
    };
    says(&under(&shelf, OTHER, SITE), "sealed under another master key");
    let elsewhere = under(&shelf, LINE, "other.example.org");
    assert_eq!(elsewhere.load(NOW).unwrap_err().status, Status::NotFound, "each site has its own");
    shelf.texts.lock().insert("keyring other.example.org".to_owned(), bytes.clone());
    says(&elsewhere, "its seal is broken");
    for at in [0, 1, 9, 20, 21, bytes.len() / 2, bytes.len() - 1] {
        let mut torn = bytes.clone();
        torn[at] ^= 1;
        shelf.put(Some(&torn));
        says(
            &place,
            match at {
                0 => "of version 0 or none at all",
                1 => "under another master key",
                _ => "its seal is broken",
            },
        );
        assert!(rotate(&place, NOW, Haste::AtOnce).is_err());
        assert_eq!(shelf.there().unwrap(), torn, "what is not understood is not changed");
    }
    for (bytes, why) in [
        (&b""[..], "no sealed keyring"),
        (b"OpenSesame", "no sealed keyring"),
        (b"OpenSesame OpenSesame OpenSesame", "of version 79 or none"),
        (&bytes[..bytes.len() - 1], "its seal is broken"),
        (&bytes[..30], "its seal is broken"),
    ] {
        shelf.put(Some(bytes));
        says(&place, why);
        assert!(!place.load(NOW).unwrap_err().message.contains("Sesame"));
    }
    shelf.put(None);
    assert_eq!(place.load(NOW).unwrap_err().status, Status::NotFound);
    shelf.away.store(true, Ordering::Relaxed);
    assert_eq!(place.load(NOW).unwrap_err().status, Status::Unavailable, "nobody knows is not nothing there");
}

#[test]
fn the_document_is_as_its_page_says_and_no_two_are_alike() {
    let (shelf, place) = made();
    let bytes = shelf.there().unwrap();
    // HKDF-Expand(master, label, 8) is the head of HMAC(master, label, 0x01): RFC 5869, section 2.3.
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, b"for-tests-only-the-first-master1");
    let block = |label: &[u8], site: &[u8]| ring::hmac::sign(&key, &[label, site, b"\x01"].concat());
    assert_eq!((bytes[0], &bytes[1..9]), (1, &block(b"janua/1 master id", b"").as_ref()[..8]));
    let seal =
        ring::aead::UnboundKey::new(&ring::aead::AES_256_GCM, block(b"janua/1 ring seal", SITE.as_bytes()).as_ref());
    let purpose = ring::digest::digest(
        &ring::digest::SHA256,
        &[&7u64.to_be_bytes()[..], b"keyring", &(SITE.len() as u64).to_be_bytes(), SITE.as_bytes()].concat(),
    );
    let aad = ring::aead::Aad::from([&bytes[..21], purpose.as_ref()].concat());
    let nonce = ring::aead::Nonce::try_assume_unique_for_key(&bytes[9..21]).unwrap();
    let mut text = bytes[21..].to_vec();
    let text = ring::aead::LessSafeKey::new(seal.unwrap()).open_in_place(nonce, aad, &mut text).unwrap();
    let text = std::str::from_utf8(text).unwrap();
    let secret = crate::base::encoding::base64url(block(b"janua/1 ring site", SITE.as_bytes()).as_ref());
    assert!(text.contains("generation = 1") && text.contains(&format!("site_secret = \"{secret}\"")), "{text}");

    let id = place.load(NOW).unwrap().keys()[0].id();
    assert!(!bytes.windows(8).any(|eight| eight == id), "nothing of it is to be seen");
    let master = master(LINE, SITE).unwrap();
    let sealed: Vec<Vec<u8>> = (0..64).map(|_| master.seal(text.as_bytes()).unwrap()).collect();
    let nonces: std::collections::HashSet<&[u8]> = sealed.iter().map(|bytes| &bytes[9..21]).collect();
    assert_eq!(nonces.len(), 64);
    assert!(sealed.iter().all(|bytes| master.open(bytes).unwrap().as_slice() == text.as_bytes()));
    assert!(!format!("{master:?}").contains("for-tests"), "{master:?}");
    assert!(format!("{master:?}").contains(&hex(&bytes[1..9])));
}

#[test]
fn many_that_begin_at_once_have_one_ring_wherever_it_lies() {
    let folder = Scratch::new();
    let shelf = Arc::new(Shelf::default());
    for place in [RingPlace::file(folder.path("ring.toml")), place(&shelf)] {
        let begin = || {
            let (watch, mut id) = (Watch::later(place.clone()), None);
            let take = |ring: Keyring| {
                id = Some(ring.keys()[0].id());
                Ok(true)
            };
            watch.begin(Clock::fake(NOW).now(), true, take).unwrap();
            id
        };
        let ids: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(begin)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(ids[0].is_some() && ids.iter().all(|id| *id == ids[0]), "{}", place.shown());
    }
    assert_eq!(folder.names(), ["ring.toml"], "no draft is left");
}

#[test]
fn who_only_looks_makes_no_ring() {
    let shelf = Arc::new(Shelf::default());
    let watch = Watch::later(place(&shelf));
    let error = watch.begin(Clock::fake(NOW).now(), false, |_| Ok(true)).unwrap_err();
    assert_eq!((error.status, shelf.there()), (Status::NotFound, None));
}

#[test]
fn changes_at_once_are_all_made_and_each_raises_the_generation() {
    let (_, place) = made();
    let done: usize = std::thread::scope(|scope| {
        let work = || (0..5).filter(|_| rotate(&place, NOW, Haste::AtOnce).is_ok()).count();
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    let ring = place.load(NOW).unwrap();
    assert_eq!((done, ring.generation(), ring.keys().len()), (20, 21, 21), "no change is lost");
}

#[test]
fn a_change_in_the_store_is_read_once_and_a_bad_one_until_it_is_mended() {
    let (shelf, place) = made();
    let (clock, watch) = (Clock::fake(NOW), Watch::later(place.clone()));
    watch.begin(clock.now(), true, |_| Ok(true)).unwrap();
    let followed = || {
        let mut taken = None;
        let take = |ring: Keyring| {
            taken = Some(ring.generation());
            Ok(true)
        };
        watch.follow(clock.now(), take).map(|_| taken)
    };
    assert_eq!(followed(), Ok(None));
    publish(&place, NOW, PUBLISH_LEAD).unwrap();
    assert_eq!((followed(), followed()), (Ok(Some(2)), Ok(None)));
    let good = shelf.there().unwrap();
    for bad in [Some(&b"OpenSesame"[..]), None] {
        shelf.put(bad);
        for _ in 0..2 {
            let error = followed().unwrap_err();
            assert!(error.status == Status::Invalid && error.message.contains("stay in force"), "{error}");
        }
    }
    shelf.put(Some(&good));
    shelf.away.store(true, Ordering::Relaxed);
    let error = followed().unwrap_err();
    assert!(error.status == Status::Unavailable && error.message.contains("stay in force"), "{error}");
    shelf.away.store(false, Ordering::Relaxed);
    assert_eq!(followed(), Ok(None), "it is what was read last");
}

#[test]
fn a_master_key_is_made_once_and_read_as_strictly_as_a_keyring() {
    let folder = Scratch::new();
    let path = folder.path("master.key");
    Master::create(&path, None).unwrap();
    let line = std::fs::read_to_string(&path).unwrap();
    assert!(line.starts_with("janua-master-1.") && line.len() == 15 + 43 + 1, "one line");
    assert_eq!(Master::create(&path, None).unwrap_err().status, Status::Refused);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), line);
    assert!(Master::load(&path, SITE).is_ok());
    let missing = Master::load(&folder.path("none.key"), SITE).unwrap_err();
    assert!(missing.status == Status::NotFound && missing.message.contains("janua keyring master "), "{missing}");
    for bad in ["", "OpenSesame", &line[15..], &line[..57], &format!("{line}{line}"), &LINE.replace("0LW", "0L*")] {
        let error = Master::load(&folder.write("bad.key", bad), SITE).unwrap_err();
        assert!(error.message.contains("not a master key") && !error.message.contains("Sesame"), "{error}");
        assert!(!error.message.contains("Zm9y"), "{error}");
    }
    let zeros = format!("janua-master-1.{}", "A".repeat(43));
    assert!(Master::load(&folder.write("bad.key", &zeros), SITE).is_err());
    assert!(Master::load(&folder.write("windows.key", &LINE.replace('\n', "\r\n")), SITE).is_ok());
    #[cfg(unix)]
    {
        mode(&path, 0o644);
        let error = Master::load(&path, SITE).unwrap_err();
        assert!(error.message.contains("open to every user (mode 0644); `chmod 0640"), "{error}");
        mode(&path, 0o600);
    }
    let error = Master::from_environment("JANUA_TEST_NO_MASTER", SITE).unwrap_err();
    assert!(error.status == Status::NotFound && error.message.contains("JANUA_TEST_NO_MASTER"), "{error}");
}

#[test]
fn what_nothing_changes_says_so() {
    let place = RingPlace::environment("JANUA_TEST_NO_RING");
    assert!(!place.is_followed() && !place.is_stored() && place.path().is_none());
    for refused in [place.create(NOW, None).map(drop), rotate(&place, NOW, Haste::AtOnce).map(drop)] {
        assert_eq!(refused.unwrap_err().status, Status::Refused);
    }
    assert_eq!(place.load(NOW).unwrap_err().status, Status::NotFound);
    let folder = Scratch::new();
    assert_eq!(RingPlace::file(folder.path("ring.toml")).start_anew(NOW).unwrap_err().status, Status::Refused);
}
