//! Keys in Redis, as several machines have them: the first to attach makes them, all follow and one rotates, and what nobody
//! can open or a server that is away leaves the last good keys in force.

#![cfg(all(unix, feature = "redis", feature = "shared"))]

mod house;
mod town;

use house::redis_server::RedisServer;
use house::{Ears, House, VAULT};
use janua::base::Clock;
use janua::crypto::Master;
use janua::crypto::keyring::PUBLISH_LEAD;
use janua::crypto::keyring_change::{Haste, rotate};
use janua::engine::Held;
use std::time::Duration;
use town::{Node, engine};

const ALEX: &str = "6f0e0d7a-6b0b-4a39-9d7e-0f3c5b6a7c81";

/// Machines of one site: folders of their own but for the users and the master key, one server.
struct Machines {
    house: House,
    server: RedisServer,
    keys: String,
}

impl Machines {
    fn new() -> Machines {
        let (house, server) = (House::new(), RedisServer::start(&[]));
        Master::create(&house.folder.join("master.key"), None).unwrap();
        let keys = format!(
            "[keyring]\npath='store'\nmaster='file:master.key'\nrotate='15d'\n[store]\nkind='redis'\nservers=['{}']\n",
            server.url()
        );
        Machines { house, server, keys }
    }

    fn node(&self) -> Node {
        let ears = Ears::default();
        let engine = engine(&self.house.folder, &Clock::system(), &ears, &self.keys).unwrap();
        assert_eq!(engine.keyring_generation(), 0, "building opens nothing");
        Node::new(engine, ears)
    }
}

fn token(node: &Node) -> String {
    node.site.token_issue("access", ALEX, VAULT, "", 0).unwrap()
}

fn knows(node: &Node, token: &str) -> bool {
    node.site.token_check("access", token.as_bytes(), &mut Held::default()).is_ok()
}

#[test]
fn machines_have_one_ring_follow_it_and_keep_the_last_good_one() {
    let mut machines = Machines::new();
    let (one, two) = (machines.node(), machines.node());
    assert_eq!(one.engine.minted()[0].0, two.engine.minted()[0].0, "the second has the keys of the first");
    let old = [token(&one), token(&two)];
    assert!(old.iter().all(|token| knows(&one, token) && knows(&two, token)));
    let place = one.engine.keyring_place().unwrap().unwrap();
    let now = Clock::system().now().unix();
    let coming = rotate(&place, now, Haste::Lead(PUBLISH_LEAD)).unwrap();
    one.maintain().unwrap();
    two.maintain().unwrap();
    assert_eq!((one.engine.keyring_generation(), two.engine.keyring_generation()), (2, 2));
    assert!(two.engine.minted().iter().any(|(id, _)| *id == coming.id), "known before it signs");
    rotate(&place, now, Haste::AtOnce).unwrap();
    two.maintain().unwrap();
    let new = token(&two);
    assert_eq!(two.minted(&coming.id), 1);
    one.maintain().unwrap();
    assert!(knows(&one, &new) && old.iter().all(|token| knows(&one, token) && knows(&two, token)));

    // Another machine's master key opens nothing, and puts nothing in the place of what is there.
    std::fs::rename(machines.house.folder.join("master.key"), machines.house.folder.join("kept.key")).unwrap();
    Master::create(&machines.house.folder.join("master.key"), None).unwrap();
    let wrong = engine(&machines.house.folder, &Clock::system(), &Ears::default(), &machines.keys).unwrap();
    assert!(wrong.attach().unwrap_err().message.contains("under another master key"));
    std::fs::rename(machines.house.folder.join("kept.key"), machines.house.folder.join("master.key")).unwrap();
    assert_eq!(machines.node().engine.keyring_generation(), 3);

    machines.server.kill();
    for _ in 0..3 {
        assert!(one.maintain().is_err());
    }
    assert_eq!((one.engine.keyring_generation(), one.alarms()), (3, 0), "a server that is away is no bad keyring");
    machines.server.restart();
    // It came back empty: the ring is gone, and that is told.
    let start = std::time::Instant::now();
    while one.alarms() == 0 {
        assert!(start.elapsed() < Duration::from_secs(30), "{:?}", one.maintain());
        let _ = one.maintain();
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(one.engine.keyring_generation(), 3, "the last good keys stay");
}
