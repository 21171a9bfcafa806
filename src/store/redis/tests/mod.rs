//! Tests of what `redis` alone promises, against a real server; the rules of every store are in `store::suite`.

mod connections;
mod down;
mod log;
mod nonsense;
mod places;
mod refusals;
mod returned;
mod rows;

use super::*;
use crate::base::Reason;
use crate::crypto::mac::MacKey;
use crate::session::{NewSession, id};
use crate::store::suite;
use redis_server::RedisServer;
use std::time::Instant;

#[path = "../../../../tests/redis_server/mod.rs"]
mod redis_server;

const SITE: &str = "data.example.org";
const DEAD: Option<Reason> = Some(Reason::SessionRevoked);

fn keys() -> Keys {
    Keys::new(MacKey::new(&[1; 32]), MacKey::new(&[2; 32]))
}

/// As a test wants it: this process's clock counts, and a machine that stands still for a moment breaks nothing.
fn settings(url: &str) -> Settings {
    let settings = Settings::new(Server::parse(url).unwrap(), SITE, keys(), suite::LONGEST_SECS);
    Settings { server_time: false, timeout: Duration::from_secs(5), ..settings }
}

fn attached(settings: Settings, clock: &Clock) -> Redis {
    let store = Redis::new(settings, clock.clone());
    store.attach().unwrap();
    store
}

/// One server, one clock, and as many processes as a test wants.
struct Home {
    server: RedisServer,
    clock: Clock,
}

impl Home {
    fn new() -> Home {
        Home::of(&[])
    }

    fn of(options: &[&str]) -> Home {
        Home { server: RedisServer::start(options), clock: Clock::fake(1_700_000_000) }
    }

    fn settings(&self) -> Settings {
        settings(&self.server.socket_url())
    }

    fn names(&self) -> Names {
        Names::new(&keys(), SITE)
    }

    /// What another process would have.
    fn open(&self) -> Redis {
        attached(self.settings(), &self.clock)
    }

    fn refused(&self, settings: Settings) -> String {
        Redis::new(settings, self.clock.clone()).attach().unwrap_err().message
    }

    fn now(&self) -> Now {
        self.clock.now()
    }

    fn login(&self, store: &Redis, principal: &str, number: u32) -> Digest {
        self.try_login(store, principal, number).unwrap()
    }

    fn try_login(&self, store: &Redis, principal: &str, number: u32) -> Result<Digest, NotStored> {
        let record = Record::new(NewSession::of(principal, 1_600, 43_200, store.seq()?), self.now());
        store.insert(key(number), record, 1_000, self.now()).map(|inserted| *inserted.record.key())
    }

    fn why(&self, store: &Redis, key: &Digest) -> Option<Reason> {
        store.check(key, self.now()).ok().err()
    }

    fn at_once(&self, store: &Redis, key: &Digest) -> Option<Option<Reason>> {
        store.check_at_once(key, self.now()).map(|answer| answer.ok().err())
    }

    fn end(&self, store: &Redis, key: Digest) -> Result<u64, Unavailable> {
        store.revoke(Revocation::Session(key), self.now())
    }
}

/// A server that writes down what it has when it is told to.
const SAVED: [&str; 3] = ["--save", "3600", "1000000"];

/// Two sessions, on a server that has fallen back to before the first of them was ended; and a process that knows that it has
/// fallen, and not what was lost.
fn fallen_back() -> (Home, Redis, [Digest; 2]) {
    let mut home = Home::of(&SAVED);
    let store = home.open();
    let keys = [1, 2].map(|number| home.login(&store, "Aladdin", number));
    home.server.ask(&["SAVE"]);
    home.end(&store, keys[0]).unwrap();
    drop(store);
    let late = home.open();
    home.server.restart();
    (home, late, keys)
}

fn key(number: u32) -> Digest {
    id::key(SITE, "form", "", &number.to_be_bytes())
}

/// Tries until it is so, as maintenance would.
fn until(what: &str, mut so: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(30);
    while !so() {
        assert!(Instant::now() < until, "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Else a run over another server could show nothing of it.
#[test]
fn the_program_that_is_named_is_the_one_that_is_asked() {
    let (home, program) = (Home::new(), redis_server::program());
    let info = home.server.ask(&["INFO", "server"]);
    let said = |name: &str| info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let (executable, version) = (said("executable").unwrap(), said("valkey_version").or(said("redis_version")));
    println!("{executable} is {} {version:?}", said("server_name").unwrap_or("redis"));
    assert!(std::path::Path::new(executable).ends_with(&program), "{executable}, {program:?} was named");
}

#[test]
fn redis_keeps_the_rules_of_every_store() {
    let (clock, server) = (Clock::fake(1_700_000_000), RedisServer::start(&[]));
    let number = std::cell::Cell::new(0);
    let make = || -> Box<dyn Store> {
        number.set(number.get() + 1);
        let site = format!("{}.example.org", number.get());
        Box::new(attached(Settings { site, ..settings(&server.socket_url()) }, &clock))
    };
    suite::run(make, &clock);
}
