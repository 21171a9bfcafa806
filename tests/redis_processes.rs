//! The store on a server in several real processes: what was acknowledged as ended is dead in all of them, while copies are
//! made and used as fast as can be, and while the server goes away and comes back.
//!
//! A test runs this program again, told by a variable which part it plays. They share numbers in a file.

#![cfg(all(unix, feature = "redis"))]

mod children;
mod redis_server;

use children::{Numbers, part};
use janua::base::Clock;
use janua::crypto::digest::Digest;
use janua::crypto::mac::MacKey;
use janua::session::{NewSession, Record, id};
use janua::store::redis::{Keys, Redis, Server, Settings};
use janua::store::{Answer, Revocation, Store};
use redis_server::RedisServer;
use std::path::Path;
use std::process::Child;
use std::time::Duration;

/// Writers in the first process, sessions of each, and processes that check.
const WRITERS: u64 = 12;
const ROUNDS: u64 = 30;
const CHECKERS: u64 = 2;

fn open(url: &str) -> (Redis, Clock) {
    let clock = Clock::system();
    let keys = Keys::new(MacKey::new(&[1; 32]), MacKey::new(&[2; 32]));
    let settings = Settings::new(Server::parse(url).unwrap(), "data.example.org", keys, 86_400);
    let store = Redis::new(Settings { timeout: Duration::from_secs(2), ..settings }, clock.clone());
    store.attach().unwrap();
    (store, clock)
}

fn key(writer: u64, number: u64) -> Digest {
    id::key("data.example.org", "form", "", &[writer.to_be_bytes(), number.to_be_bytes()].concat())
}

/// Looks at all writers' newest sessions, and counts those it met alive. What was acknowledged as ended, and held back for
/// as long as the store asks, is not among them.
fn check_on(url: &str, folder: &Path, own: u64) {
    let (store, clock) = open(url);
    let numbers = Numbers::open(folder);
    let (mut hits, mut turn) = (0, 0_u64);
    while (0..WRITERS).any(|writer| numbers.get(writer) < ROUNDS) {
        for writer in 0..WRITERS {
            let ended = numbers.get(writer);
            turn += 1;
            let number = if turn % 7 == 0 { turn % (ended + 1) } else { ended };
            // As a host asks: at once, and where that is not enough, with time.
            let now = clock.now();
            let answer = store
                .check_at_once(&key(writer, number), now)
                .unwrap_or_else(|| store.check(&key(writer, number), now));
            if let Answer::Hit(_) = answer {
                assert!(number >= ended, "session {number} of {writer} lives after {ended} were ended");
                hits += 1;
                numbers.set(100 + own, hits);
            }
        }
    }
}

/// Logs in and out, each log-out acknowledged only after the time for which its answer is held back.
fn write_on(store: &Redis, clock: &Clock, numbers: &Numbers, writer: u64) {
    for number in 0..ROUNDS {
        let principal = format!("Aladdin {writer} {number}");
        let done = |what: &mut dyn FnMut() -> bool| {
            while !what() {
                std::thread::sleep(Duration::from_millis(10));
            }
        };
        done(&mut || {
            let Ok(seq) = store.seq() else { return false };
            let record = Record::new(NewSession::of(&principal, 3_600, 43_200, seq), clock.now());
            store.insert(key(writer, number), record, 9, clock.now()).is_ok()
                || matches!(store.check(&key(writer, number), clock.now()), Answer::Hit(_))
        });
        std::thread::sleep(Duration::from_millis(writer % 5));
        done(&mut || {
            let what = match number % 3 {
                0 => Revocation::Principal(&principal),
                _ => Revocation::Session(key(writer, number)),
            };
            store.revoke(what, clock.now()).is_ok()
        });
        std::thread::sleep(Duration::from_millis(u64::from(store.hold_ms())));
        numbers.set(writer, number + 1);
    }
}

fn race(name: &str, options: &[&str], mut meanwhile: impl FnMut(&mut RedisServer)) {
    if let Some((url, folder, own)) = part() {
        return check_on(&url, &folder, own);
    }
    let mut server = RedisServer::start(options);
    let (url, folder) = (server.socket_url(), server.folder.clone());
    let (store, clock) = open(&url);
    let numbers = Numbers::open(&folder);
    let mut checkers: Vec<Child> =
        (0..CHECKERS).map(|own| children::program(&folder, name, &url, own).spawn().unwrap()).collect();
    std::thread::scope(|threads| {
        let (store, clock, numbers) = (&store, &clock, &numbers);
        for writer in 0..WRITERS {
            threads.spawn(move || write_on(store, clock, numbers, writer));
        }
        meanwhile(&mut server);
    });
    for checker in &mut checkers {
        assert!(checker.wait().unwrap().success(), "a checker met the dead");
    }
    let hits: u64 = (0..CHECKERS).map(|own| numbers.get(100 + own)).sum();
    println!("{hits} checks met a living session");
    assert!(hits > 100, "the checkers met nobody alive");
}

#[test]
fn what_was_acknowledged_as_ended_is_dead_in_every_process() {
    race("what_was_acknowledged_as_ended_is_dead_in_every_process", &[], |_| {});
}

#[test]
fn and_so_it_is_while_the_server_goes_away_and_comes_back() {
    let options = ["--appendonly", "yes", "--appendfsync", "always"];
    race("and_so_it_is_while_the_server_goes_away_and_comes_back", &options, |server| {
        for round in 0..4 {
            std::thread::sleep(Duration::from_millis(400));
            if round % 2 == 0 {
                server.restart();
            } else {
                server.signal("STOP");
                std::thread::sleep(Duration::from_millis(300));
                server.signal("CONT");
            }
        }
    });
}
