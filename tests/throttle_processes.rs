//! Failure counts in several real processes: guesses that are spread over them are counted as one, and what a killed
//! process leaves is held by nobody and never too low.
//!
//! Each test runs this program again, told by a variable which part it plays. The clock stands still unless a test moves
//! it, so that no count fades in between.

#![cfg(unix)]

mod children;

use children::{Scene, Words, part, said};
use janua::base::{Clock, Now};
use janua::crypto::mac::MacKey;
use janua::throttle::{Account, Settings, Throttle};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

const PROCESSES: u64 = 4;

fn sharing(folder: &Path) -> Throttle {
    let throttle = Throttle::new(Settings::default(), MacKey::new(&[7; 32]));
    throttle.share(folder).unwrap();
    throttle
}

fn from<'a>(user: &'a str, client: &'a str) -> Account<'a> {
    Account { site: "data.example.org", user, client: client.as_bytes() }
}

/// A wrong guess: whether its hash ran.
fn guess(throttle: &Throttle, account: &Account<'_>, now: Now) -> bool {
    let admitted = throttle.admit(account, now, throttle.is_known(account, now));
    admitted.map(|ticket| throttle.failure(ticket, now)).is_ok()
}

fn log_in(throttle: &Throttle, account: &Account<'_>, now: Now) -> bool {
    let admitted = throttle.admit(account, now, throttle.is_known(account, now));
    admitted.map(|ticket| throttle.success(ticket, now)).is_ok()
}

fn say(what: &str, number: u64) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{what} {number}").unwrap();
    out.flush().unwrap();
}

const OWNER: (&str, &str) = ("aladdin", "192.0.2.7");

/// Waits for the word, then guesses 50 times from one address, and 50 times from as many.
fn guess_on(part: u64, folder: &Path) {
    let (throttle, now) = (sharing(folder), Clock::fake(1_000_000).now());
    say("ready", part);
    std::io::stdin().read_line(&mut String::new()).unwrap();
    let one = from("aladdin", "198.51.100.9");
    let hashed = (0..50).filter(|_| guess(&throttle, &one, now)).count();
    let address = |n| format!("203.0.{part}.{n}");
    let spread = (0..50).filter(|n| guess(&throttle, &from("alexk", &address(*n)), now)).count();
    say("hashed", hashed as u64);
    say("spread", spread as u64);
}

#[test]
fn of_200_wrong_guesses_in_four_processes_exactly_the_limit_is_hashed_and_the_owner_gets_in() {
    const NAME: &str = "of_200_wrong_guesses_in_four_processes_exactly_the_limit_is_hashed_and_the_owner_gets_in";
    if let Some((_, folder, part)) = part() {
        return guess_on(part, &folder);
    }
    for round in 0..5 {
        let scene = Scene::new(&format!("limit-{round}"));
        let (throttle, now) = (sharing(&scene.0), Clock::fake(1_000_000).now());
        assert!(log_in(&throttle, &from(OWNER.0, OWNER.1), now));
        let mut guessers: Vec<_> = (0..PROCESSES).map(|part| scene.start(NAME, "guesser", part)).collect();
        let mut lines: Vec<_> = guessers.iter_mut().map(Words::of).collect();
        for out in &mut lines {
            out.up_to("ready");
        }
        for guesser in &mut guessers {
            guesser.stdin.take().unwrap().write_all(b"go\n").unwrap();
        }
        let (mut hashed, mut spread) = (0, 0);
        for (guesser, out) in guessers.iter_mut().zip(&mut lines) {
            let text = out.rest();
            hashed += said(&text, "hashed").iter().sum::<u64>();
            spread += said(&text, "spread").iter().sum::<u64>();
            assert!(guesser.wait().unwrap().success());
        }
        assert_eq!((hashed, spread), (5, 100), "round {round}");
        assert!(!guess(&throttle, &from("aladdin", "198.51.100.9"), now));
        assert!(log_in(&throttle, &from(OWNER.0, OWNER.1), now), "the owner is not locked out");
    }
}

/// The most guesses of a round.
const GUESSES: u64 = 400;

/// Guesses of one round: at an account for every fifty of them, from an address for each.
fn target(round: u64, number: u64) -> (String, String) {
    (format!("user{round}-{}", number / 50), format!("10.0.{}.{}", number >> 8, number & 255))
}

/// Counts of one round have faded in the next.
fn time(round: u64) -> Now {
    let clock = Clock::fake(1_000_000);
    clock.advance(round as i64 * 10_000);
    clock.now()
}

/// Guesses until it is killed, and says so after each that was let through; the owner logs in in between. After so many
/// guesses only the owner does: with the one key of this test no two accounts of a round share a cell.
fn guess_for_ever(round: u64, folder: &Path) {
    let (throttle, now) = (sharing(folder), time(round));
    for number in 0.. {
        let (user, client) = target(round, number);
        if number < GUESSES && guess(&throttle, &from(&user, &client), now) {
            say("let", number);
        }
        if number % 3 == 0 {
            assert!(log_in(&throttle, &from(OWNER.0, OWNER.1), now));
        }
    }
}

#[test]
fn processes_killed_in_mid_guess_a_hundred_times_leave_nothing_stuck_and_no_count_too_low() {
    const NAME: &str = "processes_killed_in_mid_guess_a_hundred_times_leave_nothing_stuck_and_no_count_too_low";
    if let Some((_, folder, part)) = part() {
        return guess_for_ever(part, &folder);
    }
    let scene = Scene::new("killed");
    let throttle = sharing(&scene.0);
    let (mut guesses, mut lost, mut slowest) = (0, 0, Duration::ZERO);
    for round in 1..=100 {
        let mut guesser = scene.start(NAME, "guesser", round);
        let mut out = Words::of(&mut guesser);
        let mut text = out.up_to("let");
        // Somewhere in the middle, at another place each time.
        std::thread::sleep(Duration::from_micros(round * 37 % 900));
        guesser.kill().unwrap();
        guesser.wait().unwrap();
        text += &out.rest();
        let let_through = said(&text, "let").len() as u64;
        guesses += let_through;
        let start = Instant::now();
        // Every account that was guessed at, and the first that was not.
        for account in 0..=(let_through / 50).min(GUESSES / 50 - 1) {
            let user = format!("user{round}-{account}");
            let counted = let_through.saturating_sub(account * 50).min(50);
            let address = |n: u64| format!("172.16.0.{n}");
            let more = (0..120).filter(|n| guess(&throttle, &from(&user, &address(*n)), time(round))).count() as u64;
            assert!(counted + more <= 100, "round {round}: {counted} were let through, and {more} more");
            // The guess in hand may have been counted, and not said.
            assert!(counted + more >= 99, "round {round}, account {account}: {counted} and {more} of {let_through}");
            lost += 100 - counted - more;
        }
        assert!(log_in(&throttle, &from(OWNER.0, OWNER.1), time(round)), "round {round}");
        slowest = slowest.max(start.elapsed());
    }
    assert!(guesses > 200, "{guesses}");
    println!("{guesses} guesses were let through; of 100 killed, {lost} had one in hand; the longest look {slowest:?}");
}
