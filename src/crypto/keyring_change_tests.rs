//! What a change of a keyring file promises.

use super::keyring::*;
use super::keyring_change::{self as change, Coming, Haste};
use super::keyring_place::RingPlace;
use crate::base::encoding::hex;
use crate::base::{Result, Status};
use crate::crypto::scratch::Scratch;
use std::path::{Path, PathBuf};

/// 2026-01-01T00:00:00Z
const NOW: i64 = 1_767_225_600;
const DAY: i64 = 86_400;

fn ring() -> (Scratch, PathBuf, KeyId) {
    let folder = Scratch::new();
    let path = folder.path("ring.toml");
    let id = Keyring::create(&path, NOW, None).unwrap().keys()[0].id();
    (folder, path, id)
}

fn publish(path: &Path, now: i64, lead: i64) -> Result<Coming> {
    change::publish(&RingPlace::file(path), now, lead)
}

fn rotate(path: &Path, now: i64, haste: Haste) -> Result<Coming> {
    change::rotate(&RingPlace::file(path), now, haste)
}

fn retire(path: &Path, now: i64, id: &KeyId) -> Result<()> {
    change::retire(&RingPlace::file(path), now, id)
}

fn states(path: &Path, now: i64) -> Vec<&'static str> {
    Keyring::load(path, now).unwrap().keys().iter().map(|key| key.state(now).name()).collect()
}

fn signer(path: &Path, now: i64) -> KeyId {
    Keyring::load(path, now).unwrap().signing(now).unwrap().id()
}

#[test]
fn a_published_key_waits_for_its_word_and_for_its_time() {
    let (_folder, path, old) = ring();
    let coming = publish(&path, NOW, PUBLISH_LEAD).unwrap();
    assert_eq!((coming.signs_from, coming.made, coming.changed), (NOW + PUBLISH_LEAD, true, true));
    assert_eq!(states(&path, NOW + 9 * DAY), ["signing", "published"], "without a word it never signs");
    assert!(Keyring::load(&path, NOW).unwrap().find(&coming.id, NOW).is_some(), "it verifies at once");
    let told = rotate(&path, NOW + 5, Haste::Lead(PUBLISH_LEAD)).unwrap();
    assert_eq!((told.id, told.made, told.signs_from), (coming.id, false, NOW + PUBLISH_LEAD));
    let at = NOW + PUBLISH_LEAD;
    for (now, id) in [(at - 1, old), (at, coming.id), (at + 1, coming.id)] {
        assert_eq!(signer(&path, now), id, "{}", now - at);
    }
    assert_eq!(states(&path, at - 1), ["signing", "published"]);
    assert_eq!(states(&path, at), ["verify-only", "signing"]);
    assert_eq!(Keyring::load(&path, NOW).unwrap().generation(), 3);
}

#[test]
fn a_key_that_is_known_long_enough_signs_from_the_rotation_on() {
    let (_folder, path, old) = ring();
    let coming = publish(&path, NOW, 3 * DAY).unwrap();
    let now = NOW + 5 * DAY;
    assert_eq!(rotate(&path, now, Haste::Lead(PUBLISH_LEAD)).unwrap().signs_from, now);
    assert_eq!((signer(&path, now - 1), signer(&path, now)), (old, coming.id));
}

#[test]
fn without_a_published_key_rotation_publishes_one_that_signs_by_its_date() {
    let (_folder, path, old) = ring();
    let coming = rotate(&path, NOW, Haste::Lead(300)).unwrap();
    assert!(coming.made && coming.signs_from == NOW + 300);
    assert_eq!((signer(&path, NOW + 299), signer(&path, NOW + 300)), (old, coming.id));
    let text = std::fs::read(&path).unwrap();
    let again = rotate(&path, NOW + 10, Haste::Lead(PUBLISH_LEAD)).unwrap();
    assert_eq!((again.id, again.signs_from, again.changed), (coming.id, NOW + 300, false));
    let error = publish(&path, NOW + 10, PUBLISH_LEAD).unwrap_err();
    assert_eq!(error.status, Status::Refused);
    assert!(error.message.contains("signs from 2026-01-01T00:05:00Z"), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), text, "what is refused or done already writes nothing");
}

#[test]
fn a_second_published_key_and_too_short_a_lead_are_refused() {
    let (_folder, path, _) = ring();
    assert_eq!(publish(&path, NOW, PUBLISH_LEAD - 1).unwrap_err().status, Status::Invalid);
    assert_eq!(rotate(&path, NOW, Haste::Lead(0)).unwrap_err().status, Status::Invalid);
    publish(&path, NOW, PUBLISH_LEAD).unwrap();
    let error = publish(&path, NOW + DAY, PUBLISH_LEAD).unwrap_err();
    assert!(error.status == Status::Refused && error.message.contains("janua keyring rotate"), "{error}");
    assert_eq!(Keyring::load(&path, NOW).unwrap().generation(), 2);
}

#[test]
fn a_retired_key_verifies_nothing_whatever_a_clock_says() {
    let (_folder, path, old) = ring();
    let error = retire(&path, NOW, &old).unwrap_err();
    assert!(error.status == Status::Refused && error.message.contains("the only one that signs"), "{error}");
    let new = rotate(&path, NOW, Haste::Lead(PUBLISH_LEAD)).unwrap();
    let error = retire(&path, new.signs_from + PUBLISH_LEAD - 1, &old).unwrap_err();
    assert!(error.message.contains("try again after 2026-01-01T00:04:04Z"), "{error}");
    let now = new.signs_from + PUBLISH_LEAD;
    retire(&path, now, &old).unwrap();
    let ring = Keyring::load(&path, now).unwrap();
    for now in [now - 3599, now, now + 1] {
        assert!(ring.find(&old, now).is_none());
    }
    assert!(ring.find(&new.id, now).is_some());
    assert_eq!(retire(&path, now, &old).unwrap_err().status, Status::Refused, "retired already");
    let error = retire(&path, now, &[7; 8]).unwrap_err();
    assert!(error.status == Status::NotFound && error.message.contains(&hex(&[7; 8])), "{error}");
}

#[test]
fn a_key_that_only_waits_can_be_retired_and_another_published() {
    let (_folder, path, _) = ring();
    let first = publish(&path, NOW, PUBLISH_LEAD).unwrap();
    retire(&path, NOW + 1, &first.id).unwrap();
    assert_eq!(states(&path, NOW + 1), ["signing", "retired"]);
    let second = publish(&path, NOW + 2, PUBLISH_LEAD).unwrap();
    assert_ne!(first.id, second.id);
}

#[test]
fn in_an_emergency_a_key_is_out_of_use_at_once() {
    for published in [false, true] {
        let (_folder, path, old) = ring();
        if published {
            publish(&path, NOW, PUBLISH_LEAD).unwrap();
        }
        let next = rotate(&path, NOW + 1, Haste::AtOnce).unwrap();
        assert_eq!((next.made, next.signs_from), (!published, NOW + 1));
        for now in [NOW + 1 - PUBLISH_LEAD, NOW + 1, NOW + DAY] {
            assert!(Keyring::load(&path, now).is_ok(), "a machine whose clock is behind signs, too");
        }
        assert_eq!(signer(&path, NOW + 1), next.id);
        retire(&path, NOW + 1, &old).unwrap();
        assert_eq!(states(&path, NOW + 1), ["retired", "signing"]);
        assert_eq!(signer(&path, NOW - PUBLISH_LEAD), next.id);
    }
}

#[test]
fn when_a_key_may_have_signed_is_told() {
    let (_folder, path, old) = ring();
    let signed = |id: &KeyId, now: i64| {
        let ring = Keyring::load(&path, now).unwrap();
        ring.signed(ring.find(id, now).unwrap(), now)
    };
    assert_eq!(signed(&old, NOW), Some((NOW - 3600, NOW)));
    let new = rotate(&path, NOW, Haste::Lead(300)).unwrap().id;
    assert_eq!((signed(&new, NOW + 300), signed(&new, NOW + 301)), (None, Some((NOW + 300, NOW + 301))));
    assert_eq!(signed(&old, NOW + DAY), Some((NOW - 3600, NOW + 300)));
}

#[test]
fn what_nothing_can_need_is_dropped_and_a_full_ring_makes_room_by_retired_keys_only() {
    let (_folder, path, first) = ring();
    let mut now = NOW;
    for _ in 1..MAX_KEYS {
        now = rotate(&path, now, Haste::Lead(PUBLISH_LEAD)).unwrap().signs_from;
    }
    let error = rotate(&path, now, Haste::Lead(PUBLISH_LEAD)).unwrap_err();
    assert!(error.status == Status::Refused && error.message.contains("none is retired"), "{error}");
    now += PUBLISH_LEAD;
    retire(&path, now, &first).unwrap();
    now = rotate(&path, now, Haste::Lead(PUBLISH_LEAD)).unwrap().signs_from;
    let ring = Keyring::load(&path, now).unwrap();
    assert!(ring.keys().len() == MAX_KEYS && ring.keys().iter().all(|key| key.id() != first));
    now += i64::from(LONGEST_TOKEN) + PUBLISH_LEAD;
    rotate(&path, now, Haste::Lead(PUBLISH_LEAD)).unwrap();
    let left = Keyring::load(&path, now).unwrap().keys().len();
    assert_eq!(left, 3, "the last that became verify-only may be needed this second still, one signs, one comes");
}

#[test]
fn changes_at_once_stand_in_line_and_each_raises_the_generation() {
    let (folder, path, _) = ring();
    let done: usize = std::thread::scope(|scope| {
        let work = || (0..5).filter(|_| rotate(&path, NOW, Haste::AtOnce).is_ok()).count();
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(done, 20);
    let ring = Keyring::load(&path, NOW).unwrap();
    assert_eq!((ring.generation(), ring.keys().len()), (21, 21), "no change is lost");
    assert_eq!(folder.names(), ["ring.toml"], "no draft is left");
}

#[test]
fn a_change_keeps_what_it_does_not_know_better() {
    let (_folder, path, old) = ring();
    let before = Keyring::load(&path, NOW).unwrap();
    publish(&path, NOW, PUBLISH_LEAD).unwrap();
    let after = Keyring::load(&path, NOW).unwrap();
    assert_eq!(after.keys()[0].id(), old);
    assert_eq!(before.site_key("audit").tag(&[b"x"]), after.site_key("audit").tag(&[b"x"]), "the site's own secret");
    assert_eq!(after.follows(&before), Ok(true));
    assert_eq!(after.follows(&after), Ok(false));
    assert!(before.follows(&after).unwrap_err().message.contains("a ring never goes back"));
    let other = Keyring::ephemeral(NOW).unwrap();
    assert!(other.follows(&before).unwrap_err().message.contains("not a newer keyring but another one"));
}

#[cfg(unix)]
#[test]
fn owner_group_and_mode_stay_and_an_unsafe_file_is_not_changed() {
    use crate::crypto::scratch::mode;
    use std::os::unix::fs::MetadataExt;
    let (folder, path, _) = ring();
    mode(&path, 0o640);
    let link = folder.path("link.toml");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    publish(&link, NOW, PUBLISH_LEAD).unwrap();
    assert!(link.is_symlink(), "the link stays, its target is replaced");
    assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o7777, 0o640);
    mode(&path, 0o644);
    let error = rotate(&path, NOW, Haste::AtOnce).unwrap_err();
    assert!(error.message.contains("open to every user"), "{error}");
    mode(&path, 0o600);
    assert_eq!(Keyring::load(&path, NOW).unwrap().generation(), 2);
}
