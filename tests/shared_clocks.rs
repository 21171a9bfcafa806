//! Processes of one machine that do not agree on the time: a clock is set back an hour or forward a day while some run and
//! others start. No step revives what is over, and one that is followed ends nobody's idle time.
//!
//! Each process has a fake clock of its own. Boot time is one for the machine and never steps, so all of them pass it
//! together (`Others::pass`).

#![cfg(all(unix, feature = "shared"))]

mod children;
mod shared;

use children::{Scene, part};
use janua::base::{Clock, Reason};
use janua::session::{NewSession, Record};
use janua::store::shared::Durability;
use janua::store::{Answer, Revocation, Store};
use shared::{Place, START, key};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout};

const DAY: i64 = 86_400;
const HOUR: i64 = 3_600;

/// Does what it is told, line by line, and answers each with a line.
fn obey(folder: &Path, name: &str, ahead: i64) {
    let clock = Clock::fake(START + ahead);
    let place = Place::open(folder, Durability::Process, clock);
    println!("{name} is here");
    for line in std::io::stdin().lock().lines() {
        let line = line.unwrap();
        let mut words = line.split(' ');
        let verb = words.next().unwrap();
        let mut number = || words.next().map_or(0, |word| word.parse::<i64>().unwrap());
        let answer = match verb {
            "pass" => {
                place.clock.advance(number());
                String::new()
            }
            "step" => {
                place.clock.step_wall(number());
                format!("{:?}", place.clock.follow().is_none())
            }
            "login" => {
                let (number, idle, life) = (number(), number(), number());
                log_in(&place, number, idle, life);
                String::new()
            }
            "logout" => {
                place.store.revoke(Revocation::Session(key(number() as u64)), place.clock.now()).unwrap().to_string()
            }
            "why" => word(&place, number()),
            "touch" => match place.store.check(&key(number() as u64), place.clock.now()) {
                Answer::Hit(record) => format!("{:?}", place.store.touch(&record, None, place.clock.now())),
                other => format!("{other:?}"),
            },
            "seq" => place.store.seq().unwrap().to_string(),
            "maintain" => {
                let follow = place.clock.follow().is_none();
                let tended = place.store.tend(place.clock.now());
                place.sweep();
                format!("{follow} {tended:?}")
            }
            other => panic!("{other}?"),
        };
        println!("answer {answer}");
    }
}

fn log_in(place: &Place, number: i64, idle: i64, life: i64) {
    let new = NewSession::of("Aladdin", idle as u32, life as u32, place.store.seq().unwrap());
    let record = Record::new(new, place.clock.now());
    place.store.insert(key(number as u64), record, 1_000, place.clock.now()).unwrap();
}

fn word(place: &Place, number: i64) -> String {
    place.why(number as u64).map_or("alive".to_owned(), |reason| format!("{reason:?}"))
}

/// Another process, its wall clock so many seconds ahead when it starts.
struct Other {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Other {
    fn start(scene: &Scene, test: &str, name: &str, ahead: i64) -> Other {
        let mut child = scene.program(test, name, 0).env("JANUA_TEST_AHEAD", ahead.to_string()).spawn().unwrap();
        let (to, from) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut other = Other { child, to, from };
        other.line("is here");
        other
    }

    fn line(&mut self, holds: &str) -> String {
        let mut line = String::new();
        while !line.contains(holds) {
            line.clear();
            assert!(self.from.read_line(&mut line).unwrap() > 0, "the other process is gone");
        }
        line.trim().to_owned()
    }

    fn ask(&mut self, what: &str) -> String {
        writeln!(self.to, "{what}").unwrap();
        self.line("answer ").split_once("answer ").map(|(_, answer)| answer.to_owned()).unwrap_or_default()
    }

    fn why(&mut self, number: i64) -> String {
        self.ask(&format!("why {number}"))
    }

    fn end(self) {
        let Other { mut child, to, from } = self;
        drop(to);
        assert!(from.lines().last().is_some_and(|line| line.is_ok()));
        assert!(child.wait().unwrap().success());
    }
}

/// The part of the other process, where this is one.
fn other() -> bool {
    let Some((name, folder, _)) = part() else { return false };
    obey(&folder, &name, std::env::var("JANUA_TEST_AHEAD").unwrap().parse().unwrap());
    true
}

const REVOKED: &str = "SessionRevoked";
const ENDED: &str = "SessionEnded";

#[test]
fn a_clock_set_by_an_hour_in_one_process_ends_no_idle_time_and_revives_nobody() {
    const NAME: &str = "a_clock_set_by_an_hour_in_one_process_ends_no_idle_time_and_revives_nobody";
    if other() {
        return;
    }
    for step in [HOUR, -HOUR] {
        let scene = Scene::new(&format!("hour{step}"));
        let place = Place::open(&scene.0, Durability::Process, Clock::fake(START));
        let mut other = Other::start(&scene, NAME, "other", 0);
        let pass = |other: &mut Other, seconds: i64| {
            place.clock.advance(seconds);
            other.ask(&format!("pass {seconds}"));
        };
        // Long and short ones, an idle one, and one that logs out.
        for (number, idle, life) in
            [(1, 1_800, 12 * HOUR), (2, 1_800, 1_800), (3, 600, 12 * HOUR), (4, 1_800, 12 * HOUR)]
        {
            log_in(&place, number, idle, life);
            assert_eq!(other.why(number), "alive");
        }
        place.store.revoke(Revocation::Session(key(4)), place.clock.now()).unwrap();
        pass(&mut other, 700);
        assert_eq!([other.why(1).as_str(), &other.why(3), &other.why(4)], ["alive", "SessionIdle", REVOKED]);
        assert_eq!(other.ask("touch 1"), "Ok(Done)");
        assert_eq!(other.ask(&format!("step {step}")), "true", "an hour is followed");
        // Idle times have not moved: the one in use has its whole time left, by both.
        assert_eq!((other.why(1), word(&place, 1)), ("alive".into(), "alive".into()));
        assert_eq!([other.why(3), word(&place, 3)], ["SessionIdle"; 2]);
        assert_eq!([other.why(4), word(&place, 4)], [REVOKED; 2]);
        let early = if step > 0 { ENDED } else { "alive" };
        assert_eq!(other.why(2), early, "an absolute end is a moment of the wall clock");
        other.ask("maintain");
        pass(&mut other, 61);
        assert_eq!(word(&place, 2) == "alive", early == "alive", "what one has found over is over for all");
        assert_eq!(other.ask(&format!("step {}", -step)), "true");
        pass(&mut other, 1_100);
        for _ in 0..2 {
            // Its tombstone went where the clock was ahead.
            let dead = [other.why(2), word(&place, 2)];
            assert!(
                dead.iter().all(|why| why == ENDED || why == "SessionUnknown"),
                "the step back revives it: {dead:?}"
            );
            assert_eq!([other.why(3), word(&place, 3)], ["SessionIdle"; 2]);
            assert_eq!([other.why(4), word(&place, 4)], [REVOKED; 2]);
            assert_eq!([other.why(1), word(&place, 1)], ["alive"; 2]);
            other.ask("maintain");
            place.store.tend(place.clock.now()).unwrap();
            place.sweep();
            pass(&mut other, 70);
        }
        other.end();
    }
}

#[test]
fn a_process_that_starts_a_day_ahead_revives_nobody_and_lowers_no_number() {
    const NAME: &str = "a_process_that_starts_a_day_ahead_revives_nobody_and_lowers_no_number";
    if other() {
        return;
    }
    let scene = Scene::new("ahead");
    let place = Place::open(&scene.0, Durability::Process, Clock::fake(START));
    for (number, life) in [(1, 12 * HOUR), (2, 12 * HOUR), (3, 30 * DAY), (4, 30 * DAY)] {
        log_in(&place, number, 40 * HOUR, life);
    }
    let token = place.store.seq().unwrap();
    place.clock.advance(1);
    for number in [2, 4] {
        place.store.revoke(Revocation::Session(key(number)), place.clock.now()).unwrap();
    }
    place.store.revoke(Revocation::Principal("AlexK"), place.clock.now()).unwrap();
    // The one that runs does not follow a day: it is an alarm.
    place.clock.step_wall(DAY);
    assert!(place.clock.follow().is_some());
    assert_eq!([1, 2, 3, 4].map(|number| word(&place, number)), ["alive", REVOKED, "alive", REVOKED]);
    // One that starts now knows no other time.
    let mut other = Other::start(&scene, NAME, "other", DAY);
    other.ask("pass 1");
    assert_eq!([1, 3].map(|number| other.why(number)), [ENDED, "alive"]);
    assert!([2, 4].map(|number| other.why(number)).iter().all(|why| why == REVOKED || why == ENDED));
    other.ask("maintain");
    let ahead: u64 = other.ask("logout 99").parse().unwrap();
    other.ask(&format!("login 5 {} {}", 40 * HOUR, 12 * HOUR));
    other.end();
    place.clock.step_wall(-DAY);
    assert_eq!(place.clock.follow(), None);
    place.clock.advance(61);
    // What it swept is gone; what it found over is over; who had not ended by either clock is in.
    assert_ne!(word(&place, 1), "alive");
    assert_ne!(word(&place, 2), "alive");
    assert_eq!([3, 4, 5].map(|number| word(&place, number)), ["alive", REVOKED, "alive"]);
    assert_eq!(place.store.token_revoked("AlexK", &[9; 8], None, token), Ok(true), "floors stand");
    assert_eq!(place.store.token_revoked("joe.bloggs@test.com", &[9; 8], None, token), Ok(false));
    let next = place.store.revoke(Revocation::Session(key(5)), place.clock.now()).unwrap();
    assert!(next > ahead, "numbers go on from there");
    assert_eq!(word(&place, 5), REVOKED);
    log_in(&place, 6, HOUR, 12 * HOUR);
    assert_eq!(word(&place, 6), "alive", "a log-in right after it");
}

#[test]
fn a_process_that_starts_a_day_behind_revives_nobody_and_lowers_no_number() {
    const NAME: &str = "a_process_that_starts_a_day_behind_revives_nobody_and_lowers_no_number";
    if other() {
        return;
    }
    let scene = Scene::new("behind");
    let place = Place::open(&scene.0, Durability::Process, Clock::fake(START));
    for (number, idle, life) in [(1, HOUR, HOUR), (2, HOUR, 12 * HOUR), (3, 12 * HOUR, 12 * HOUR), (4, 600, 12 * HOUR)]
    {
        log_in(&place, number, idle, life);
    }
    place.store.revoke(Revocation::Session(key(2)), place.clock.now()).unwrap();
    place.clock.advance(HOUR);
    assert_eq!([1, 2, 3, 4].map(|number| word(&place, number)), [ENDED, REVOKED, "alive", "SessionIdle"]);
    place.store.tend(place.clock.now()).unwrap();
    let number = place.store.seq().unwrap();
    let mut other = Other::start(&scene, NAME, "other", -DAY);
    other.ask(&format!("pass {HOUR}"));
    for _ in 0..2 {
        assert_eq!([1, 2, 3, 4].map(|number| other.why(number)), [ENDED, REVOKED, "alive", "SessionIdle"]);
        other.ask("maintain");
    }
    assert!(other.ask("seq").parse::<u64>().unwrap() >= number);
    assert!(other.ask("logout 99").parse::<u64>().unwrap() > number, "the number does not fall with the clock");
    // A log-in of that process counts as one of yesterday: it ends early by the right clock, never late.
    other.ask(&format!("login 5 {HOUR} {}", 12 * HOUR));
    assert_eq!((other.why(5), word(&place, 5)), ("alive".into(), ENDED.into()));
    place.store.tend(place.clock.now()).unwrap();
    other.ask("pass 61");
    assert_eq!(other.why(5), ENDED, "and stays over");
    assert_eq!(place.why(2), Some(Reason::SessionRevoked));
    other.end();
}
