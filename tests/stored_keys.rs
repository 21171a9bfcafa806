//! An engine whose keys lie in the store: it has none until it attaches, refuses what it cannot open, and rotates by
//! itself; over months every token is good to its end.

#![cfg(feature = "shared")]

mod house;
mod town;

use house::{Ears, House};
use janua::base::Status;
use janua::crypto::Master;
use janua::crypto::keyring::PUBLISH_LEAD;
use janua::crypto::keyring_change::{Haste, publish, rotate, rotate_if_due};
use janua::engine::{Config, Engine};
use std::sync::Arc;
use town::{Node, STORED, Town, engine};

const DAY: i64 = 86_400;
const ALEX: &str = "6f0e0d7a-6b0b-4a39-9d7e-0f3c5b6a7c81";

/// A house with a master key, and no store yet.
fn empty() -> House {
    let house = House::new();
    Master::create(&house.folder.join("master.key"), None).unwrap();
    house
}

fn built(house: &House, more: &str) -> janua::base::Result<Arc<Engine>> {
    engine(&house.folder, &house.clock, &Ears::default(), &STORED.replacen("[store]", &format!("{more}\n[store]"), 1))
}

fn node(house: &House, more: &str) -> Node {
    let ears = Ears::default();
    let keys = STORED.replacen("[store]", &format!("{more}\n[store]"), 1);
    Node::new(engine(&house.folder, &house.clock, &ears, &keys).unwrap(), ears)
}

#[test]
fn building_opens_nothing_and_nothing_is_minted_before_a_process_attaches() {
    let house = empty();
    let engine = built(&house, "").unwrap();
    assert!(!house.folder.join("state").exists(), "building makes no store");
    assert_eq!((engine.keyring_generation(), engine.minted().len()), (0, 0));
    let site = engine.site(Some("mfiles"), None, false).unwrap();
    assert_eq!(site.token_issue("access", ALEX, "", "", 0).unwrap_err().status, Status::Fork);
    engine.attach().unwrap();
    assert_eq!((engine.keyring_generation(), engine.minted().len()), (1, 1));
    let token = site.token_issue("access", ALEX, "", "", 0).unwrap();
    let next = node(&house, "");
    next.site.token_check("access", token.as_bytes(), &mut janua::engine::Held::default()).unwrap();
    assert_eq!(next.engine.minted()[0].0, engine.minted()[0].0, "the next engine has the same keys");
}

#[test]
fn what_cannot_be_right_is_refused_when_the_engine_is_built() {
    let house = empty();
    let refused = |keys: &str| engine(&house.folder, &house.clock, &Ears::default(), keys).err().unwrap().message;
    for (keys, says) in [
        ("[keyring]\npath='store'\nmaster='file:master.key'\n", "store.kind = \"memory\" lives in one"),
        ("[keyring]\npath='store'\n[store]\nkind='shared'\npath='state'\n", "needs keyring.master"),
        ("[keyring]\npath='store'\nmaster='file:none'\n[store]\nkind='shared'\npath='s'\n", "there is no master key"),
        ("[keyring]\npath='store'\nmaster='file:users.toml'\n[store]\nkind='shared'\npath='s'\n", "not a master key"),
        ("[keyring]\npath='ephemeral'\nmaster='file:master.key'\n", "keyring.master is for"),
        ("[keyring]\npath='ephemeral'\nrotate='14d'\n", "must be 15 days or more"),
    ] {
        assert!(refused(keys).contains(says), "{keys}: {}", refused(keys));
    }
    assert!(!house.folder.join("state").exists());
}

#[test]
fn a_process_does_not_attach_to_keys_that_it_cannot_open_and_makes_none_instead() {
    let town = Town::stored();
    let good = town.bytes();
    let refused = |says: &str| {
        let engine = built(&town.house, "").unwrap();
        let error = engine.attach().unwrap_err();
        assert!(error.message.contains(says) && !error.message.contains("stay in force"), "{error}");
        assert!(!engine.is_attached() && engine.maintain(std::time::Duration::ZERO).is_err());
    };
    town.put(b"OpenSesame");
    refused("no sealed keyring");
    let mut next = good.clone();
    next[0] = 2;
    town.put(&next);
    refused("version 2");
    town.put(&good);
    std::fs::rename(town.house.folder.join("master.key"), town.house.folder.join("kept.key")).unwrap();
    Master::create(&town.house.folder.join("master.key"), None).unwrap();
    refused("under another master key");
    assert_eq!(town.bytes(), good, "what is there is never overwritten");
    std::fs::rename(town.house.folder.join("kept.key"), town.house.folder.join("master.key")).unwrap();
    built(&town.house, "").unwrap().attach().unwrap();
}

#[test]
fn who_only_looks_makes_no_keys_and_can_do_without() {
    let house = empty();
    let looking = |aside: bool| {
        let mut config = Config::new();
        let text = format!("[engine]\nsite='data.example.org'\n[directory]\nusers='users.toml'\n{STORED}");
        config.read_text("janua.toml", &text, &house.folder).unwrap();
        config.set_clock(house.clock.clone());
        config.set_store_must_exist();
        if aside {
            config.set_store_aside();
        }
        Engine::build(config).unwrap()
    };
    assert_eq!(looking(false).attach().unwrap_err().status, Status::NotFound, "there is no store yet");
    assert!(!house.folder.join("state").exists());
    // A store without keys: its host has them elsewhere.
    let elsewhere = STORED.replace("'store'\nmaster='file:master.key'", "'ephemeral'");
    engine(&house.folder, &house.clock, &Ears::default(), &elsewhere).unwrap().attach().unwrap();
    for aside in [false, true] {
        let engine = looking(aside);
        engine.attach().unwrap();
        assert_eq!(engine.keyring_generation(), 0);
        let site = engine.site(Some("mfiles"), None, false).unwrap();
        assert_eq!(site.token_issue("access", ALEX, "", "", 0).unwrap_err().status, Status::Unavailable);
        assert_eq!(engine.keyring_place().unwrap().unwrap().load(0).unwrap_err().status, Status::NotFound);
    }
    let token = node(&house, "").site.token_issue("access", ALEX, "", "", 0).unwrap();
    for aside in [false, true] {
        let engine = looking(aside);
        engine.attach().unwrap();
        let site = engine.site(Some("mfiles"), None, false).unwrap();
        let known = site.token_check("access", token.as_bytes(), &mut janua::engine::Held::default());
        assert!(known.is_ok(), "the keys of the host, with its sessions aside or not: {known:?}");
    }
}

#[test]
fn over_months_hosts_rotate_by_themselves_and_every_token_is_good_to_its_end() {
    let house = empty();
    let rules = "rotate='30d'\n[token]\nlifetime='100d'";
    let nodes = [node(&house, rules), node(&house, rules)];
    let (mut tokens, mut most): (Vec<(String, i64)>, usize) = (Vec::new(), 0);
    let mut held = janua::engine::Held::default();
    for day in 0..420 {
        house.clock.advance(DAY - 1);
        for node in &nodes {
            node.maintain().unwrap();
        }
        house.clock.advance(1);
        let now = house.clock.now().unix();
        let here = &nodes[day % 2];
        tokens.push((here.site.token_issue("access", ALEX, "", "", 0).unwrap(), now + 100 * DAY));
        tokens.retain(|(_, end)| *end > now);
        for (token, end) in &tokens {
            for node in &nodes {
                let good = node.site.token_check("access", token.as_bytes(), &mut held);
                assert!(good.is_ok(), "day {day}, {} days before its end: {good:?}", (end - now) / DAY);
            }
        }
        most = most.max(nodes[0].engine.minted().len());
    }
    let generation = nodes[0].engine.keyring_generation();
    assert!((13..=14).contains(&generation) && nodes[1].engine.keyring_generation() == generation, "{generation}");
    assert!(most <= 400 / 30 + 3, "{most} keys");
    for node in &nodes {
        assert_eq!((node.alarms(), node.alarms_of("rotation")), (0, 0));
        assert!(node.engine.minted().iter().filter(|(_, count)| *count > 0).count() > 3, "several keys signed here");
    }
}

#[test]
fn a_file_is_never_rotated_by_a_host_and_one_alarm_tells_that_it_is_overdue() {
    let town = Town::new();
    let keys = "[keyring]\npath='keyring.toml'\nrotate='15d'\n";
    let ears = Ears::default();
    let node = Node::new(engine(&town.house.folder, &town.house.clock, &ears, keys).unwrap(), ears);
    let text = town.bytes();
    for (days, alarms) in [(15, 0), (1, 1), (1, 1), (40, 1)] {
        town.house.clock.advance(days * DAY);
        node.maintain().unwrap();
        assert_eq!((node.alarms_of("rotation"), town.bytes() == text), (alarms, true), "{days}");
    }
    rotate_if_due(&town.place(), town.now(), 15 * 86_400, PUBLISH_LEAD).unwrap().unwrap();
    node.maintain().unwrap();
    town.house.clock.advance(16 * DAY + PUBLISH_LEAD);
    node.maintain().unwrap();
    assert_eq!(node.alarms_of("rotation"), 2, "it was in time again, and is not any more");
    assert_eq!(node.alarms(), 0);
}

#[test]
fn a_rotation_that_fails_is_told_tried_again_and_stops_nothing_else() {
    let house = empty();
    let node = node(&house, "rotate='15d'");
    let place = node.engine.keyring_place().unwrap().unwrap();
    for _ in 0..31 {
        rotate(&place, house.clock.now().unix(), Haste::AtOnce).unwrap();
    }
    node.maintain().unwrap();
    house.clock.advance(15 * DAY);
    let error = node.maintain().unwrap_err();
    assert!(error.message.contains("cannot be rotated") && error.message.contains("none is retired"), "{error}");
    assert!(node.maintain().is_ok(), "not again in the same minute");
    house.clock.advance(60);
    assert!(node.maintain().is_err());
    assert_eq!(node.alarms_of("rotation"), 0);
    house.clock.advance(DAY);
    assert!(node.maintain().is_err());
    assert_eq!((node.alarms_of("rotation"), node.alarms()), (1, 0));
    assert!(node.site.token_issue("access", ALEX, "", "", 0).is_ok(), "the old key signs on");
}

#[test]
fn a_store_that_does_not_answer_is_not_the_keyrings_fault() {
    let house = empty();
    let node = node(&house, "");
    std::fs::rename(house.folder.join("state/revocations"), house.folder.join("away")).unwrap();
    for _ in 0..2 {
        let error = node.maintain().unwrap_err();
        assert!(error.message.contains("moved away or replaced"), "{error}");
    }
    assert_eq!((node.alarms(), node.engine.keyring_generation()), (0, 1), "the keys that were read last stay");
}

#[test]
fn keys_are_followed_by_all_engines_of_a_store_without_a_word() {
    let house = empty();
    let (one, two) = (node(&house, ""), node(&house, ""));
    let place = one.engine.keyring_place().unwrap().unwrap();
    let coming = publish(&place, house.clock.now().unix(), PUBLISH_LEAD).unwrap();
    one.maintain().unwrap();
    two.maintain().unwrap();
    house.clock.advance(PUBLISH_LEAD);
    rotate(&place, house.clock.now().unix(), Haste::Lead(PUBLISH_LEAD)).unwrap();
    one.maintain().unwrap();
    let token = one.site.token_issue("access", ALEX, "", "", 0).unwrap();
    assert_eq!(one.minted(&coming.id), 1);
    two.site.token_check("access", token.as_bytes(), &mut janua::engine::Held::default()).unwrap();
}
