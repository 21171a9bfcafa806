//! Tests of what `redis` alone promises, against a real server; the rules of every store are in `store::suite`.

use super::*;
use crate::crypto::mac::MacKey;
use crate::store::suite;
use redis_server::RedisServer;

#[path = "../../../tests/redis_server/mod.rs"]
mod redis_server;

fn keys() -> Keys {
    Keys::new(MacKey::new(&[1; 32]), MacKey::new(&[2; 32]))
}

fn settings(server: &RedisServer, site: &str) -> Settings {
    let settings = Settings::new(Server::parse(&server.socket_url()).unwrap(), site, keys(), suite::LONGEST_SECS);
    // A builder's machine may stand still for a moment.
    Settings { server_time: false, timeout: Duration::from_secs(5), ..settings }
}

fn attached(settings: Settings, clock: &Clock) -> Redis {
    let store = Redis::new(settings, clock.clone());
    store.attach().unwrap();
    store
}

#[test]
fn redis_keeps_the_rules_of_every_store() {
    let (clock, server) = (Clock::fake(1_700_000_000), RedisServer::start(&[]));
    let number = std::cell::Cell::new(0);
    let make = || -> Box<dyn Store> {
        number.set(number.get() + 1);
        Box::new(attached(settings(&server, &format!("{}.example.org", number.get())), &clock))
    };
    suite::run(make, &clock);
}
