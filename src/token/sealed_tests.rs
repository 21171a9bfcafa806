//! What a sealed token promises, seen from outside.

use super::claims::{Claims, MAX_EXTRA, SidKind};
use super::extra::{Extra, ExtraRoom};
use super::sealed::{Binding, MAX_TOKEN, Room, SKEW, Sealer};
use super::tenant_tag;
use crate::base::encoding::{base64url, base64url_decode};
use crate::base::{Clock, Now, Reason, Status};
use crate::crypto::Keyring;
use crate::crypto::RingPlace;
use crate::crypto::keyring_change::{Haste, retire, rotate};
use crate::crypto::scratch::Scratch;
use proptest::prelude::*;
use std::collections::HashSet;
use std::sync::Arc;

/// 2026-01-01T00:00:00Z
const NOW: i64 = 1_767_225_600;
const DAY: i64 = 86_400;

struct House {
    clock: Clock,
    sealer: Sealer,
    binding: Binding,
}

fn house() -> House {
    let clock = Clock::fake(NOW);
    let ring = Arc::new(Keyring::ephemeral(NOW).unwrap());
    let sealer = Sealer::new(ring, clock.clone());
    House { clock, sealer, binding: Binding::new("token", "mfiles", "data.example.org") }
}

fn claims() -> Claims<'static> {
    Claims {
        issued: NOW,
        ends: NOW + 3600,
        seq: 42,
        sid: [3; 16],
        sid_kind: SidKind::Chosen,
        tenant: tenant_tag("{C840BE1A-5B47-4AC0-8EF7-835C166C8E24}"),
        principal: "AlexK",
        extra: Extra::NONE,
    }
}

fn at(unix: i64) -> Now {
    Clock::fake(unix).now()
}

impl House {
    fn mint(&self) -> String {
        self.sealer.mint(&self.binding, &claims()).unwrap()
    }

    fn refusal(&self, token: &[u8]) -> Option<Reason> {
        self.sealer.open(&self.binding, token, self.clock.now(), &mut Room::new()).err()
    }
}

#[test]
fn a_token_is_199_characters_and_opens_to_its_claims() {
    let house = house();
    let token = house.mint();
    assert_eq!(token.len(), 199);
    let mut room = Room::new();
    for _ in 0..3 {
        let opened = house.sealer.open(&house.binding, token.as_bytes(), house.clock.now(), &mut room).unwrap();
        assert_eq!(opened.claims, claims());
        assert_eq!(opened.key_id, house.sealer.keyring().keys()[0].id());
    }
}

/// Values that take so many bytes: none, or at least 4.
fn extra(bytes: usize) -> ExtraRoom {
    let mut room = ExtraRoom::new();
    if bytes > 0 {
        room.push("x", &"v".repeat(bytes - 4)).unwrap();
    }
    room
}

#[test]
fn larger_claims_make_tokens_of_two_larger_lengths() {
    let house = house();
    let length = |principal: &str, values: usize| {
        let extra = extra(values);
        house.sealer.mint(&house.binding, &Claims { principal, extra: extra.get(), ..claims() }).unwrap().len()
    };
    assert_eq!(length("AlexK", 4), 327);
    assert_eq!(length(&"n".repeat(53), 0), 199);
    assert_eq!(length(&"n".repeat(54), 0), 327);
    assert_eq!(length(&"n".repeat(255), 4), MAX_TOKEN);
    let error = house.sealer.mint(&house.binding, &Claims { principal: "", ..claims() }).unwrap_err();
    assert_eq!(error.status, Status::Invalid);
}

#[test]
fn every_change_of_one_character_is_refused() {
    let house = house();
    let good = house.mint().into_bytes();
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for place in 0..good.len() {
        let mut token = good.clone();
        for byte in alphabet.iter().chain(b"=+/ \n\0\x80") {
            token[place] = *byte;
            if token == good {
                continue;
            }
            let reason = house.refusal(&token);
            let mut raw = [0; 150];
            let expected = match base64url_decode(&token, &mut raw) {
                None => Reason::TokenMalformed,
                Some(_) if raw[0] != 1 => Reason::TokenMalformed,
                Some(_) if raw[1..9] != house.sealer.keyring().keys()[0].id() => Reason::TokenForeign,
                Some(_) => Reason::TokenForged,
            };
            assert_eq!(reason, Some(expected), "{byte} at {place}");
        }
    }
    assert_eq!(house.refusal(&good), None, "and none of it spoilt the cache");
}

#[test]
fn every_other_length_is_malformed() {
    let house = house();
    let token = house.mint().into_bytes();
    for length in (0..700).filter(|length| *length != 199) {
        let text: Vec<u8> = token.iter().copied().cycle().take(length).collect();
        let reason = house.refusal(&text).unwrap();
        let whole = [327, 668].contains(&length) && base64url_decode(&text, &mut [0; 504]).is_some();
        assert_eq!(reason, if whole { Reason::TokenForged } else { Reason::TokenMalformed }, "{length}");
    }
    assert_eq!(house.refusal(&vec![b'A'; 1 << 20]), Some(Reason::TokenMalformed));
    let mut padded = token.clone();
    padded.push(b'=');
    assert_eq!(house.refusal(&padded), Some(Reason::TokenMalformed));
}

#[test]
fn tokens_for_equal_content_differ() {
    let house = house();
    let tokens: HashSet<String> = (0..1000).map(|_| house.mint()).collect();
    assert_eq!(tokens.len(), 1000);
    let nonces: HashSet<Vec<u8>> = tokens.iter().map(|token| raw(token)[17..29].to_vec()).collect();
    assert_eq!(nonces.len(), 1000);
}

#[test]
fn every_neighbour_refuses_the_token() {
    let house = house();
    let token = house.mint();
    for neighbour in [
        Binding::new("session", "mfiles", "data.example.org"),
        Binding::new("token", "mauro", "data.example.org"),
        Binding::new("token", "mfiles", "other.example.org"),
        Binding::new("tokenm", "files", "data.example.org"),
        Binding::new("token", "mfilesdata.example.org", ""),
        Binding::new("", "", ""),
    ] {
        let mut room = Room::new();
        let opened = house.sealer.open(&neighbour, token.as_bytes(), house.clock.now(), &mut room);
        assert_eq!(opened.unwrap_err(), Reason::TokenForged);
    }
    assert_eq!(house.refusal(token.as_bytes()), None);
    assert_eq!(self::house().refusal(token.as_bytes()), Some(Reason::TokenForeign), "another ring");
}

#[test]
fn a_token_ends_with_its_last_second() {
    let house = house();
    let token = house.mint();
    let open = |unix| house.sealer.open(&house.binding, token.as_bytes(), at(unix), &mut Room::new()).map(|_| ());
    assert_eq!(open(NOW + 3599), Ok(()));
    assert_eq!(open(NOW + 3600), Err(Reason::TokenExpired));
    assert_eq!(open(NOW + 3601), Err(Reason::TokenExpired));
    assert_eq!(open(NOW), Ok(()), "a clock that goes back finds it good again within its time");
    assert_eq!(open(NOW - SKEW), Ok(()));
    assert_eq!(open(NOW - SKEW - 1), Err(Reason::TokenFuture));
}

#[test]
fn a_key_opens_until_it_is_retired_and_tokens_outlive_rotation() {
    let folder = Scratch::new();
    let path = folder.write(
        "ring.toml",
        "format = 1\ngeneration = 4\nsite_secret = \"Zm9yLXRlc3RzLW9ubHktdGhlLXNpdGUtc2VjcmV0MDA\"\n\
         [[key]]\nmaster = \"Zm9yLXRlc3RzLW9ubHktdGhlLWZpcnN0LW1hc3RlcjE\"\n\
         published = 2026-01-01T00:00:00Z\nsigning = 2026-01-01T00:00:00Z\n\
         verify_only = 2026-01-03T00:00:00Z\nretired = 2026-01-05T00:00:00Z\n\
         [[key]]\nmaster = \"Zm9yLXRlc3RzLW9ubHktdGhlLW5ld2VyLW1hc3RlcjI\"\n\
         published = 2026-01-02T00:00:00Z\nsigning = 2026-01-03T00:00:00Z\n",
    );
    let clock = Clock::fake(NOW);
    let sealer = Sealer::new(Arc::new(Keyring::load(&path, NOW).unwrap()), clock.clone());
    let (old, new) = (sealer.keyring().keys()[0].id(), sealer.keyring().keys()[1].id());
    let binding = Binding::new("token", "mauro", "data.example.org");
    let long = Claims { ends: NOW + 30 * DAY, ..claims() };
    let token = sealer.mint(&binding, &long).unwrap();
    let open = |unix| sealer.open(&binding, token.as_bytes(), at(unix), &mut Room::new()).map(|opened| opened.key_id);
    assert_eq!(open(NOW), Ok(old));
    assert_eq!(open(NOW + 2 * DAY), Ok(old), "verify-only");
    assert_eq!(open(NOW + 4 * DAY - 1), Ok(old));
    assert_eq!(open(NOW + 4 * DAY), Err(Reason::TokenForeign), "retired, though its subkey is at hand");
    clock.advance(2 * DAY);
    let token = sealer.mint(&binding, &long).unwrap();
    let opened = sealer.open(&binding, token.as_bytes(), at(NOW + 4 * DAY), &mut Room::new()).map(|o| o.key_id);
    assert_eq!(opened, Ok(new));
    assert_eq!(sealer.open(&binding, token.as_bytes(), at(NOW), &mut Room::new()).map(|o| o.key_id), Ok(new));
    assert_eq!(sealer.minted(), [(old, 1), (new, 1)]);
}

#[test]
fn a_newer_ring_takes_over_and_nothing_is_kept_of_a_retired_key() {
    let (folder, clock) = (Scratch::new(), Clock::fake(NOW));
    let path = folder.path("ring.toml");
    let ring = Keyring::create(&path, NOW, None).unwrap();
    let (old, sealer) = (ring.keys()[0].id(), Sealer::new(Arc::new(ring), clock.clone()));
    let house = House { clock, sealer, binding: Binding::new("token", "mfiles", "data.example.org") };
    let take = || house.sealer.replace(Keyring::load(&path, NOW).unwrap());
    let token = house.mint();
    assert_eq!(house.refusal(token.as_bytes()), None);
    rotate(&RingPlace::file(&path), NOW, Haste::AtOnce).unwrap();
    assert_eq!((take(), take()), (Ok(true), Ok(false)), "once");
    assert_eq!(house.refusal(token.as_bytes()), None, "rotation ends no token");
    let newer = house.mint();
    assert_eq!(house.refusal(newer.as_bytes()), None);
    house.sealer.tidy();
    assert_eq!(house.sealer.kept_subkeys(), 2);
    retire(&RingPlace::file(&path), NOW, &old).unwrap();
    assert_eq!(take(), Ok(true));
    assert_eq!(house.refusal(token.as_bytes()), Some(Reason::TokenForeign));
    house.sealer.tidy();
    assert_eq!((house.sealer.kept_subkeys(), house.refusal(newer.as_bytes())), (1, None));
    assert_eq!(house.sealer.minted().iter().map(|(_, count)| *count).collect::<Vec<_>>(), [1, 1]);
}

#[test]
fn nothing_is_minted_when_no_key_signs() {
    let house = house();
    house.clock.advance(-2 * DAY);
    assert_eq!(house.sealer.mint(&house.binding, &claims()).unwrap_err().status, Status::Unavailable);
    assert_eq!(house.sealer.decoy(&house.binding, Extra::NONE).unwrap_err().status, Status::Unavailable);
}

#[test]
fn a_decoy_looks_like_a_token_and_is_forged() {
    let house = house();
    for _ in 0..3 {
        let decoy = house.sealer.decoy(&house.binding, Extra::NONE).unwrap();
        let token = house.mint();
        assert_eq!(decoy.len(), token.len());
        assert_eq!(raw(&decoy)[..17], raw(&token)[..17], "version, key and salt of the day");
        assert_eq!(house.refusal(decoy.as_bytes()), Some(Reason::TokenForged));
        assert_ne!(decoy, house.sealer.decoy(&house.binding, Extra::NONE).unwrap());
    }
    assert_eq!(house.sealer.minted()[0].1, 3, "decoys are not counted");
}

#[test]
fn a_decoy_is_as_long_as_the_token_for_the_same_values() {
    let house = house();
    for values in [0].into_iter().chain(4..=MAX_EXTRA) {
        let extra = extra(values);
        let decoy = house.sealer.decoy(&house.binding, extra.get()).unwrap();
        assert_eq!(house.refusal(decoy.as_bytes()), Some(Reason::TokenForged));
        for principal in ["n", "AlexK", &"n".repeat(53)] {
            let claims = Claims { principal, extra: extra.get(), ..claims() };
            assert_eq!(house.sealer.mint(&house.binding, &claims).unwrap().len(), decoy.len(), "{values}");
        }
    }
}

#[test]
fn only_a_good_tag_brings_a_key_into_the_cache() {
    let house = house();
    let token = house.mint();
    for salt in 0..500u64 {
        let mut forged = raw(&token);
        forged[9..17].copy_from_slice(&salt.to_be_bytes());
        assert_eq!(house.refusal(base64url(&forged).as_bytes()), Some(Reason::TokenForged));
    }
    assert_eq!(house.sealer.kept_subkeys(), 0);
    assert_eq!(house.refusal(token.as_bytes()), None);
    assert_eq!(house.sealer.kept_subkeys(), 1);
}

#[test]
fn threads_mint_and_open_side_by_side() {
    let house = house();
    let tokens: Vec<String> = std::thread::scope(|scope| {
        let work = || {
            let tokens: Vec<String> = (0..500).map(|_| house.mint()).collect();
            assert!(tokens.iter().all(|token| house.refusal(token.as_bytes()).is_none()));
            tokens
        };
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let distinct: HashSet<Vec<u8>> = tokens.iter().map(|token| raw(token)[1..29].to_vec()).collect();
    assert_eq!(distinct.len(), 2000, "key, salt and nonce never repeat");
    assert_eq!(house.sealer.minted()[0].1, 2000);
}

#[test]
fn debug_shows_no_secret() {
    let house = house();
    let token = house.mint();
    let mut room = Room::new();
    let opened = house.sealer.open(&house.binding, token.as_bytes(), house.clock.now(), &mut room).unwrap();
    assert!(!format!("{opened:?}").contains("3, 3, 3, 3, 3, 3"), "the sid is not shown");
    assert_eq!(format!("{room:?}"), "Room");
    let shown = format!("{:?}", house.sealer);
    assert_eq!(shown, format!("Sealer {{ keyring: {:?}, .. }}", house.sealer.keyring()));
}

fn raw(token: &str) -> Vec<u8> {
    let mut raw = vec![0; 504];
    let length = base64url_decode(token.as_bytes(), &mut raw).unwrap();
    raw.truncate(length);
    raw
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_minted_opens_to_the_same(
        issued in 0i64..1 << 40,
        life in 1i64..1 << 32,
        seq: u64,
        sid: [u8; 16],
        tenant: [u8; 16],
        kind in 0usize..3,
        principal in "\\PC{1,60}",
        values in proptest::collection::vec(("\\PC{1,9}", "\\PC{0,9}"), 0..4),
    ) {
        let house = house();
        let ends = issued + life;
        let sid_kind = [SidKind::Random, SidKind::Chosen, SidKind::Session][kind];
        let mut extra = ExtraRoom::new();
        for (name, value) in &values {
            extra.push(name, value).unwrap();
        }
        let claims =
            Claims { issued, ends, seq, sid, sid_kind, tenant, principal: &principal, extra: extra.get() };
        let token = house.sealer.mint(&house.binding, &claims).unwrap();
        let ring = house.sealer.keyring();
        // The clock stands where the key signs or later; the token's own times are judged by `at`.
        prop_assert!(ring.signing(NOW).is_ok());
        let mut room = Room::new();
        let opened = house.sealer.open(&house.binding, token.as_bytes(), at(issued), &mut room).unwrap();
        prop_assert_eq!(opened.claims, claims);
        let late = house.sealer.open(&house.binding, token.as_bytes(), at(ends), &mut room).unwrap_err();
        prop_assert_eq!(late, Reason::TokenExpired);
    }

    #[test]
    fn no_text_opens_or_panics(token in proptest::collection::vec(any::<u8>(), 0..700), tail in "[A-Za-z0-9_-]{199}") {
        let house = house();
        prop_assert!(house.refusal(&token).is_some());
        prop_assert!(house.refusal(tail.as_bytes()).is_some());
    }
}
