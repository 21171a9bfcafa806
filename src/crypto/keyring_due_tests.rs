//! What rotation by date promises: over years every token is good to its end, the ring stays small, one of many processes
//! rotates, and a clock that is wrong costs a key and no token.

use super::keyring::*;
use super::keyring_change::{Haste, publish, rotate, rotate_if_due};
use super::keyring_place::RingPlace;
use super::keyring_place_tests::{Shelf, place};
use std::collections::HashMap;
use std::sync::Arc;

/// 2026-01-01T00:00:00Z
const NOW: i64 = 1_767_225_600;
const HOUR: i64 = 3600;
const DAY: i64 = 86_400;
const SPAN: u32 = 90 * 86_400;

fn made() -> RingPlace {
    let place = place(&Arc::new(Shelf::default()));
    place.create(NOW, None).unwrap();
    place
}

fn due(place: &RingPlace, now: i64) -> Option<KeyId> {
    rotate_if_due(place, now, SPAN, PUBLISH_LEAD).unwrap().map(|coming| coming.id)
}

/// The last ends of the tokens of each key.
#[derive(Default)]
struct Tokens(HashMap<KeyId, i64>);

impl Tokens {
    /// Makes the longest token there can be, and sees that all that are alive still open.
    fn step(&mut self, place: &RingPlace, now: i64) {
        let ring = place.load(now).unwrap();
        let end = self.0.entry(ring.signing(now).unwrap().id()).or_default();
        *end = (*end).max(now + i64::from(LONGEST_TOKEN));
        for (id, end) in &self.0 {
            assert!(
                *end <= now || ring.find(id, now).is_some(),
                "a live token's key is gone on day {}",
                (now - NOW) / DAY
            );
        }
    }
}

#[test]
fn over_years_every_token_is_good_to_its_end_and_the_ring_stays_small() {
    const YEARS: i64 = 4 * 365;
    for days in [15, 90, 400] {
        let (place, mut tokens) = (made(), Tokens::default());
        let (mut most, mut made) = (0, 0);
        for day in 0..YEARS {
            // Maintenance comes at any second of the minute.
            let now = NOW + day * DAY + day * 17 % 60;
            made += i64::from(rotate_if_due(&place, now, days * 86_400, PUBLISH_LEAD).unwrap().is_some());
            tokens.step(&place, now);
            most = most.max(place.load(now).unwrap().keys().len());
        }
        // A day is lost each time: the key begins to sign two minutes after maintenance.
        let due = YEARS / (i64::from(days) + 1);
        assert!((due - 1..=due + 1).contains(&made), "every {days} days: {made} keys, not about {due}");
        let needed = 400 / days as usize;
        assert!((needed..=needed + 4).contains(&most) && most < MAX_KEYS, "every {days} days: {most} keys at once");
    }
}

#[test]
fn a_due_key_is_published_before_it_signs_and_nothing_more_is_done_until_it_does() {
    let place = made();
    let old = place.load(NOW).unwrap().keys()[0].id();
    let from = place.load(NOW).unwrap().keys()[0].signs_from();
    let at = from + i64::from(SPAN);
    assert_eq!((due(&place, at - 1), place.load(at).unwrap().generation()), (None, 1));
    let new = due(&place, at).unwrap();
    for now in [at, at + 1, at + PUBLISH_LEAD - 1] {
        let ring = place.load(now).unwrap();
        assert_eq!((due(&place, now), ring.signing(now).unwrap().id()), (None, old));
        assert!(ring.find(&new, now).is_some(), "it verifies");
    }
    let ring = place.load(at + PUBLISH_LEAD).unwrap();
    assert_eq!(ring.signing(at + PUBLISH_LEAD).unwrap().id(), new);
    assert!(ring.find(&old, at + PUBLISH_LEAD).is_some(), "and the old one verifies on");
    assert_eq!(ring.generation(), 2);
    assert_eq!(due(&place, at + PUBLISH_LEAD + i64::from(SPAN) - 1), None);
}

#[test]
fn of_many_that_come_at_once_one_rotates() {
    let place = made();
    for round in 1..=5 {
        let now = NOW + round * (i64::from(SPAN) + HOUR);
        let made: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| usize::from(due(&place, now).is_some()))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!((made, place.load(now).unwrap().generation()), (1, 1 + round as u64));
    }
}

#[test]
fn a_key_that_was_published_by_hand_is_taken() {
    let place = made();
    let now = NOW + i64::from(SPAN);
    let waiting = publish(&place, now - DAY, PUBLISH_LEAD).unwrap().id;
    assert_eq!(due(&place, now - 2 * HOUR), None);
    assert_eq!(due(&place, now), Some(waiting));
    assert_eq!(place.load(now).unwrap().signing(now).unwrap().id(), waiting, "it was known long enough");
    rotate(&place, now + DAY, Haste::Lead(7 * DAY)).unwrap();
    assert_eq!(due(&place, now + 5 * DAY), None, "one is on its way by hand");
}

#[test]
fn a_machine_that_starts_with_a_wrong_clock_makes_one_key_and_ends_no_token() {
    let (place, mut tokens) = (made(), Tokens::default());
    let mut made = 0;
    for day in 0..3 * 365 {
        let now = NOW + day * DAY;
        made += usize::from(due(&place, now).is_some());
        tokens.step(&place, now);
        // Each year a machine boots far in the future, looks about a few times, and gets its time.
        if day % 365 == 200 {
            let wrong = now + 14 * 365 * DAY + day * 200 * DAY;
            let by_it: usize = (0..50).map(|second| usize::from(due(&place, wrong + second * 10).is_some())).sum();
            assert!(by_it <= 1, "no storm: {by_it}");
            tokens.step(&place, now);
        }
        // And every day one in the past.
        assert!(rotate_if_due(&place, now - 20 * 365 * DAY, SPAN, PUBLISH_LEAD).unwrap().is_none());
        assert_eq!(due(&place, now - 200), None, "nor does one that is a little behind");
    }
    assert!((10..=12).contains(&made), "rotation went on by the right clock: {made}");
    assert!(place.load(NOW + 3 * 365 * DAY).unwrap().keys().len() < MAX_KEYS / 2);
}

#[test]
fn a_full_ring_says_so_and_goes_on_as_it_is() {
    let place = made();
    let mut now = NOW;
    for _ in 1..MAX_KEYS {
        now = rotate(&place, now, Haste::Lead(PUBLISH_LEAD)).unwrap().signs_from;
    }
    now += i64::from(SPAN);
    let error = rotate_if_due(&place, now, SPAN, PUBLISH_LEAD).unwrap_err();
    assert!(error.message.contains("none is retired"), "{error}");
    assert!(place.load(now).unwrap().signing(now).is_ok());
}
