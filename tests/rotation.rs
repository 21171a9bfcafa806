//! Keys change while engines run: two engines over one keyring, each with the tokens of the other; the ring in a file, and
//! in the store of a machine.

mod house;
mod town;

use house::{VAULT, ask, decide, reply};
use janua::base::{Reason, Status};
use janua::crypto::Keyring;
use janua::crypto::keyring::PUBLISH_LEAD;
use janua::crypto::keyring_change::{Haste, publish, retire, rotate};
use janua::engine::{Decision, Held, Outcome, Site, WaitClass};
use janua::parse::Body;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use town::{Node, Town, mode};

#[test]
fn two_engines_know_each_others_tokens_before_during_and_after_every_change() {
    for town in Town::both() {
        let (one, two) = (town.node(), town.node());
        let old = one.engine.minted()[0].0;
        let mut tokens = Vec::new();
        let both = |tokens: &mut Vec<String>, when: &str| {
            tokens.extend([town.token(&one), town.token(&two)]);
            for token in tokens.iter() {
                assert!(one.allows(token) && two.allows(token), "{when}");
            }
        };
        both(&mut tokens, "before");
        let coming = publish(&town.place(), town.now(), PUBLISH_LEAD).unwrap();
        both(&mut tokens, "published, followed by none");
        one.maintain().unwrap();
        both(&mut tokens, "published, followed by one");
        two.maintain().unwrap();
        assert_eq!((one.engine.keyring_generation(), two.engine.keyring_generation()), (2, 2));
        town.house.clock.advance(PUBLISH_LEAD);
        both(&mut tokens, "it may sign and was not told to");
        rotate(&town.place(), town.now(), Haste::Lead(PUBLISH_LEAD)).unwrap();
        two.maintain().unwrap();
        both(&mut tokens, "one signs with the old key, the other with the new one");
        assert_eq!((one.minted(&coming.id), two.minted(&coming.id)), (0, 1));
        one.maintain().unwrap();
        both(&mut tokens, "rotated");
        assert_eq!(one.minted(&coming.id), 1, "of the new key");

        town.house.clock.advance(PUBLISH_LEAD);
        retire(&town.place(), town.now(), &old).unwrap();
        both(&mut tokens, "retired where the ring lies only");
        one.maintain().unwrap();
        two.maintain().unwrap();
        let dead = |token: &&String| one.check(token, false).0.reason() == Reason::TokenForeign;
        let dead = tokens.iter().filter(dead).count();
        let alive = tokens.iter().filter(|token| one.allows(token) && two.allows(token)).count();
        assert_eq!((dead, alive), (9, 5), "what the old key signed is refused, and nothing else");
        both(&mut Vec::new(), "after");
        assert_eq!(one.alarms() + two.alarms(), 0);
    }
}

#[test]
fn the_new_key_signs_from_its_second_on() {
    for town in Town::both() {
        let node = town.node();
        let coming = rotate(&town.place(), town.now(), Haste::Lead(300)).unwrap();
        node.maintain().unwrap();
        town.house.clock.advance(299);
        for (at, count) in [(-1, 0), (0, 1), (1, 2)] {
            let token = town.token(&node);
            assert!(node.allows(&token));
            assert_eq!(node.minted(&coming.id), count, "{at}");
            town.house.clock.advance(1);
        }
        town.house.clock.advance(-4);
        let token = town.token(&node);
        assert_eq!(node.minted(&coming.id), 2, "a clock set back signs with the key before");
        assert!(node.allows(&token));
    }
}

#[test]
fn an_unknown_key_has_the_ring_read_once_a_second_and_never_by_a_caller_that_may_not_wait() {
    for town in Town::both() {
        let (one, two) = (town.node(), town.node());
        rotate(&town.place(), town.now(), Haste::AtOnce).unwrap();
        one.maintain().unwrap();
        let token = town.token(&one);
        assert_eq!(two.fast(&token), (Outcome::Deny, Reason::TokenForeign), "it was built within the second");
        town.house.clock.advance(1);
        let events = two.ears.0.lock().unwrap().len();
        for _ in 0..3 {
            assert_eq!(two.check(&token, true).1, Some(WaitClass::Store), "FAST reads nothing");
        }
        assert_eq!(two.ears.0.lock().unwrap().len(), events, "and tells nothing");
        assert_eq!(two.engine.keyring_generation(), 1);
        assert_eq!(two.check(&token, false).0.outcome(), Outcome::Allow);
        assert_eq!(two.engine.keyring_generation(), 2);
        assert!(two.allows(&token));

        let stranger =
            janua::token::Sealer::new(Arc::new(Keyring::ephemeral(town.now()).unwrap()), town.house.clock.clone());
        let binding = janua::token::Binding::new("access", "mfiles", "data.example.org");
        let strange = stranger.decoy(&binding, janua::token::Extra::NONE).unwrap();
        for _ in 0..3 {
            assert_eq!(two.fast(&strange), (Outcome::Deny, Reason::TokenForeign), "asked this second already");
            town.house.clock.advance(1);
            assert_eq!(two.check(&strange, true).1, Some(WaitClass::Store));
            assert_eq!(two.check(&strange, false).0.reason(), Reason::TokenForeign);
        }
        assert_eq!(two.alarms(), 0);
    }
}

#[test]
fn whatever_happens_to_the_ring_the_last_good_keys_stay_and_one_alarm_is_told() {
    for town in Town::both() {
        let node = town.node();
        let token = town.token(&node);
        let old = town.bytes();
        publish(&town.place(), town.now(), PUBLISH_LEAD).unwrap();
        let changed = town.bytes();
        town.put(&old);
        publish(&town.place(), town.now(), PUBLISH_LEAD).unwrap();
        node.maintain().unwrap();
        let good = town.bytes();
        let mut cut = good.clone();
        cut.truncate(good.len() / 2);
        let stored = town.is_stored();
        let cases: [(&str, &[u8], Status, &str); 6] = [
            ("garbage", b"OpenSesame", Status::Invalid, pick(stored, "not a keyring", "no sealed keyring")),
            ("emptied", b"", Status::Invalid, pick(stored, "not a keyring", "no sealed keyring")),
            ("cut short", &cut, Status::Invalid, pick(stored, "not a keyring", "its seal is broken")),
            ("older", &old, Status::Refused, "generation 1 is older than 2"),
            ("another change", &changed, Status::Refused, "generation 2 still"),
            (
                "another site's",
                &another(),
                pick(stored, Status::Refused, Status::Invalid),
                pick(stored, "another one", "version 35"),
            ),
        ];
        for (alarms, (name, bytes, status, says)) in cases.into_iter().enumerate() {
            town.put(bytes);
            for _ in 0..3 {
                let error = node.maintain().unwrap_err();
                assert_eq!(error.status, status, "{name}: {error}");
                assert!(error.message.contains(says) && error.message.contains("stay in force"), "{name}: {error}");
                assert!(!error.message.contains("Sesame"), "{error}");
            }
            assert_eq!(node.alarms(), alarms + 1, "{name}: told once");
            assert!(node.allows(&token) && node.allows(&town.token(&node)), "{name}");
            town.put(&good);
            node.maintain().unwrap();
            assert_eq!((node.engine.keyring_generation(), node.alarms()), (2, alarms + 1));
        }
        rotate(&town.place(), town.now(), Haste::AtOnce).unwrap();
        node.maintain().unwrap();
        assert_eq!(node.engine.keyring_generation(), 3, "it follows again");
    }
}

fn pick<T>(stored: bool, file: T, store: T) -> T {
    if stored { store } else { file }
}

/// The file of another keyring, far ahead of ours.
fn another() -> Vec<u8> {
    let town = Town::new();
    String::from_utf8(town.bytes()).unwrap().replace("generation = 1", "generation = 9").into_bytes()
}

#[test]
fn a_file_that_is_removed_or_opened_to_others_is_told_and_the_last_good_keys_stay() {
    let town = Town::new();
    let (node, place) = (town.node(), town.place());
    let path = place.path().unwrap();
    let (token, aside) = (town.token(&node), town.house.folder.join("aside"));
    let refused = |says: &str, alarms: usize| {
        for _ in 0..3 {
            let error = node.maintain().unwrap_err();
            assert!(error.message.contains(says) && error.message.contains("stay in force"), "{error}");
        }
        assert_eq!(node.alarms(), alarms);
        assert!(node.allows(&token) && node.allows(&town.token(&node)));
    };
    std::fs::rename(path, &aside).unwrap();
    refused("no such file", 1);
    std::fs::rename(&aside, path).unwrap();
    node.maintain().unwrap();
    #[cfg(unix)]
    {
        mode(path, 0o644);
        refused("chmod 0640", 2);
        mode(path, 0o600);
        node.maintain().unwrap();
    }
    rotate(&town.place(), town.now(), Haste::AtOnce).unwrap();
    node.maintain().unwrap();
    assert_eq!(node.engine.keyring_generation(), 2, "it follows again");
}

#[test]
fn no_rotation_and_no_retiring_touches_a_session() {
    for town in Town::both() {
        let node = town.node();
        let site = node.engine.site(Some("mauro"), None, false).unwrap();
        let id = town.house.login(&site, "joe.bloggs@test.com", "pa55w0rd").cookie("JSESSIONID").unwrap();
        let old = node.engine.minted()[0].0;
        let folders = ask("GET", "/api/folders").cookie("JSESSIONID", &id);
        publish(&town.place(), town.now(), PUBLISH_LEAD).unwrap();
        rotate(&town.place(), town.now(), Haste::AtOnce).unwrap();
        for change in ["rotated", "retired"] {
            if change == "retired" {
                retire(&town.place(), town.now(), &old).unwrap();
            }
            node.maintain().unwrap();
            let seen = town.house.ask(&site, &folders);
            assert!(seen.allowed() && !seen.principal.is_empty(), "{change}: {seen:?}");
        }
    }
}

/// Invariant 15, the keys' half: rotation under load.
#[test]
fn invariant_15_rotation_under_load_refuses_no_good_token() {
    for town in Town::both() {
        town.house.crowded.store(true, Ordering::Relaxed);
        let nodes = [town.node(), town.node()];
        let alex = alex(&nodes[0].site);
        let over = AtomicBool::new(false);
        let checks = AtomicU64::new(0);
        let fresh: Mutex<Vec<String>> = Mutex::default();
        std::thread::scope(|scope| {
            for node in &nodes {
                scope.spawn(|| {
                    while !over.load(Ordering::SeqCst) {
                        node.maintain().unwrap();
                        std::thread::yield_now();
                    }
                });
            }
            let (over, checks, fresh) = (&over, &checks, &fresh);
            for (here, there) in [(&nodes[0], &nodes[1]), (&nodes[1], &nodes[0])].repeat(2) {
                let alex = &alex;
                scope.spawn(move || {
                    let (mut mine, mut held) = (Vec::new(), Held::default());
                    while !over.load(Ordering::SeqCst) {
                        let token = here.site.token_issue("access", alex, VAULT, "", 0).unwrap();
                        let (out, _) = there.check(&token, true);
                        assert_eq!(out.outcome(), Outcome::Allow, "{:?}", reply(&out));
                        there.site.token_check("access", token.as_bytes(), &mut held).unwrap();
                        mine.push(token);
                        let older: &String = &mine[mine.len() * 7 / 11];
                        assert!(here.allows(older) && there.allows(older), "a token of an earlier key");
                        checks.fetch_add(4, Ordering::SeqCst);
                    }
                    fresh.lock().unwrap().extend(mine);
                });
            }
            for generation in (1..=16).step_by(2) {
                let rotated = rotate(&town.place(), town.now(), Haste::Lead(PUBLISH_LEAD)).unwrap();
                wait_for(&nodes, generation + 1);
                town.house.clock.advance(rotated.signs_from - town.now());
                publish(&town.place(), town.now(), PUBLISH_LEAD).unwrap();
                wait_for(&nodes, generation + 2);
                town.house.clock.advance(PUBLISH_LEAD);
            }
            over.store(true, Ordering::SeqCst);
        });
        let tokens = fresh.into_inner().unwrap();
        assert!(checks.load(Ordering::SeqCst) > 100, "there was load: {checks:?}");
        assert!(tokens.iter().all(|token| nodes.iter().all(|node| node.allows(token))), "to the last one");
        let kinds = nodes[0].engine.minted().iter().filter(|(_, count)| *count > 0).count();
        assert!(kinds >= 4, "several keys signed: {kinds}");
    }
}

/// The id of AlexK.
fn alex(site: &Site) -> String {
    let body = format!(r#"{{"Username":"AlexK","Password":"My Password","VaultGuid":"{VAULT}"}}"#);
    let mut out = Decision::new();
    let request = ask("POST", "/REST/server/authenticationtokens").json(&body);
    decide(site, &request, Body::Given(body.as_bytes()), false, &mut out);
    reply(&out).principal
}

fn wait_for(nodes: &[Node; 2], generation: u64) {
    while nodes.iter().any(|node| node.engine.keyring_generation() < generation) {
        std::thread::yield_now();
    }
}
