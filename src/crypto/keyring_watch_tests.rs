//! What following a keyring file promises.

use super::keyring::*;
use super::keyring_change::{Haste, publish, rotate};
use super::keyring_place::RingPlace;
use super::keyring_watch::Watch;
use crate::base::{Clock, Status};
use crate::crypto::scratch::Scratch;
use std::path::Path;

/// 2026-01-01T00:00:00Z
const NOW: i64 = 1_767_225_600;

/// Follows, and tells the generation that was taken over.
fn followed(watch: &Watch, clock: &Clock) -> crate::base::Result<Option<u64>> {
    let mut taken = None;
    watch.follow(clock.now(), |ring| {
        taken = Some(ring.generation());
        Ok(true)
    })?;
    Ok(taken)
}

fn put(path: &Path, text: &[u8]) {
    let draft = path.with_extension("draft");
    std::fs::write(&draft, text).unwrap();
    super::scratch::mode(&draft, 0o600);
    std::fs::rename(&draft, path).unwrap();
}

#[test]
fn a_changed_file_is_read_once_and_a_bad_one_until_it_is_mended() {
    let (folder, clock) = (Scratch::new(), Clock::fake(NOW));
    let path = folder.path("ring.toml");
    Keyring::create(&path, NOW, None).unwrap();
    let (ring, watch) = Watch::open(RingPlace::file(&path), clock.now()).unwrap();
    assert_eq!((ring.generation(), followed(&watch, &clock)), (1, Ok(None)));
    publish(&RingPlace::file(&path), NOW, PUBLISH_LEAD).unwrap();
    assert_eq!((followed(&watch, &clock), followed(&watch, &clock)), (Ok(Some(2)), Ok(None)));
    let good = std::fs::read(&path).unwrap();
    for _ in 0..2 {
        put(&path, b"OpenSesame");
        let error = followed(&watch, &clock).unwrap_err();
        assert!(error.status == Status::Invalid && error.message.contains("stay in force"), "{error}");
        std::fs::remove_file(&path).unwrap();
        let error = followed(&watch, &clock).unwrap_err();
        assert!(error.status == Status::Unavailable && error.message.contains("stay in force"), "{error}");
    }
    put(&path, &good);
    assert_eq!((followed(&watch, &clock), followed(&watch, &clock)), (Ok(Some(2)), Ok(None)));
}

#[test]
fn what_is_not_taken_over_is_offered_again() {
    let (folder, clock) = (Scratch::new(), Clock::fake(NOW));
    let path = folder.path("ring.toml");
    Keyring::create(&path, NOW, None).unwrap();
    let (_, watch) = Watch::open(RingPlace::file(&path), clock.now()).unwrap();
    rotate(&RingPlace::file(&path), NOW, Haste::AtOnce).unwrap();
    let no = || crate::base::Error::unavailable("not now");
    assert!(watch.follow(clock.now(), |_| Err(no())).is_err());
    assert_eq!(followed(&watch, &clock), Ok(Some(2)));
}

#[test]
fn tokens_have_the_file_read_once_a_second() {
    let (folder, clock) = (Scratch::new(), Clock::fake(NOW));
    let path = folder.path("ring.toml");
    Keyring::create(&path, NOW, None).unwrap();
    let (_, watch) = Watch::open(RingPlace::file(&path), clock.now()).unwrap();
    let asked = || {
        let mut read = 0;
        let done = watch.ask(clock.now(), |_| {
            read += 1;
            Ok(false)
        });
        done.map(|_| read)
    };
    assert!(!watch.may_ask(clock.now()), "it was read just now");
    assert_eq!(asked(), Ok(0));
    clock.advance(1);
    assert!(watch.may_ask(clock.now()));
    assert_eq!((asked(), asked()), (Ok(1), Ok(0)), "also where nothing changed");
    clock.advance(1);
    std::fs::remove_file(&path).unwrap();
    assert!(asked().is_err());
    assert!(!watch.may_ask(clock.now()), "a file that is gone is looked for as seldom");
    assert_eq!(asked(), Ok(0));
}
