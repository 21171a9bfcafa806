use super::counts::Fade;
use super::*;
use crate::base::{Clock, Page};
use proptest::prelude::*;
use std::sync::atomic::{AtomicUsize, Ordering};

/// With the same key each time: which names share a cell is chance, and no part of what is shown.
fn throttle() -> Throttle {
    Throttle::new(Settings::default(), MacKey::new(&[7; 32]))
}

pub(super) fn from<'a>(user: &'a str, client: &'a str) -> Account<'a> {
    Account { site: "data.example.org", user, client: client.as_bytes() }
}

/// A wrong guess: whether its hash ran.
pub(super) fn guess(throttle: &Throttle, account: &Account<'_>, clock: &Clock) -> bool {
    let now = clock.now();
    let admitted = throttle.admit(account, now, throttle.is_known(account, now));
    admitted.map(|ticket| throttle.failure(ticket, now)).is_ok()
}

pub(super) fn log_in(throttle: &Throttle, account: &Account<'_>, clock: &Clock) -> bool {
    let now = clock.now();
    let admitted = throttle.admit(account, now, throttle.is_known(account, now));
    admitted.map(|ticket| throttle.success(ticket, now)).is_ok()
}

#[test]
fn of_200_parallel_wrong_guesses_exactly_five_are_hashed_and_the_owner_gets_in() {
    let (throttle, clock, hashes) = (throttle(), Clock::fake(1_000_000), AtomicUsize::new(0));
    let owner = from("aladdin", "192.0.2.7");
    assert!(log_in(&throttle, &owner, &clock));
    let start = std::sync::Barrier::new(200);
    std::thread::scope(|scope| {
        for _ in 0..200 {
            scope.spawn(|| {
                start.wait();
                if guess(&throttle, &from("aladdin", "198.51.100.9"), &clock) {
                    hashes.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
    });
    assert_eq!(hashes.into_inner(), 5);
    assert!(log_in(&throttle, &owner, &clock), "no lock-out of the owner");
}

#[test]
fn of_200_parallel_guesses_from_200_addresses_exactly_100_are_hashed_and_the_owner_gets_in() {
    let (throttle, clock, hashes) = (throttle(), Clock::fake(1_000_000), AtomicUsize::new(0));
    let owner = from("aladdin", "192.0.2.7");
    assert!(log_in(&throttle, &owner, &clock));
    std::thread::scope(|scope| {
        for number in 0..200 {
            let (throttle, clock, hashes) = (&throttle, &clock, &hashes);
            scope.spawn(move || {
                if guess(throttle, &from("aladdin", &format!("198.51.100.{number}")), clock) {
                    hashes.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
    });
    assert_eq!(hashes.into_inner(), 100);
    assert!(log_in(&throttle, &owner, &clock));
    let mut tries = 0;
    for _ in 0..600 {
        clock.advance(1);
        tries += usize::from(guess(&throttle, &from("aladdin", "203.0.113.1"), &clock));
    }
    assert!((9..=10).contains(&tries), "one a minute for strangers: {tries}");
    assert!(log_in(&throttle, &owner, &clock));
}

#[test]
fn the_delay_doubles_from_the_fifth_failure_and_ends_at_a_minute() {
    let (throttle, clock) = (throttle(), Clock::fake(1_000_000));
    let account = from("alexk", "192.0.2.7");
    for _ in 0..5 {
        assert!(guess(&throttle, &account, &clock));
    }
    for delay in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
        assert!(!guess(&throttle, &account, &clock), "{delay}: at once");
        clock.advance(delay - 1);
        assert!(!guess(&throttle, &account, &clock), "{delay}: one second early");
        assert!(throttle.delayed(&account, clock.now()));
        clock.advance(1);
        assert!(!throttle.delayed(&account, clock.now()));
        assert!(guess(&throttle, &account, &clock), "{delay}: in time");
    }
}

#[test]
fn a_success_forgives_the_pair_and_gives_the_guess_back() {
    let (throttle, clock) = (throttle(), Clock::fake(1_000_000));
    let account = from("alexk", "192.0.2.7");
    for _ in 0..20 {
        for _ in 0..4 {
            assert!(guess(&throttle, &account, &clock));
        }
        assert!(log_in(&throttle, &account, &clock), "never throttled below five");
    }
}

#[test]
fn an_abandoned_guess_counts_for_nothing_and_a_dropped_one_counts() {
    let (throttle, clock) = (throttle(), Clock::fake(1_000_000));
    let account = from("alexk", "192.0.2.7");
    for _ in 0..50 {
        throttle.abandon(throttle.admit(&account, clock.now(), false).unwrap());
    }
    for _ in 0..5 {
        drop(throttle.admit(&account, clock.now(), false).unwrap());
    }
    assert!(throttle.admit(&account, clock.now(), false).is_err(), "fail closed");
}

#[test]
fn a_known_pair_has_limits_of_its_own_and_is_known_for_thirty_days() {
    let (throttle, clock) = (throttle(), Clock::fake(1_000_000));
    let account = from("alexk", "192.0.2.7");
    assert!(!throttle.is_known(&account, clock.now()));
    assert!(log_in(&throttle, &account, &clock));
    assert!(throttle.is_known(&account, clock.now()));
    assert!(!throttle.is_known(&from("alexk", "192.0.2.8"), clock.now()), "from there only");
    assert!(!throttle.is_known(&from("aladdin", "192.0.2.7"), clock.now()), "that account only");
    assert!(!throttle.is_known(&Account { site: "other.example.org", ..account }, clock.now()), "that site only");
    let hashed = (0..20).filter(|_| guess(&throttle, &account, &clock)).count();
    assert_eq!(hashed, 5, "no free guesses for who shares the owner's address");
    assert!(throttle.admit(&account, clock.now(), false).is_ok(), "its own slot: the stranger's count is untouched");
    clock.advance(30 * 86_400 - 256);
    assert!(throttle.is_known(&account, clock.now()), "to a few minutes");
    clock.advance(256);
    assert!(!throttle.is_known(&account, clock.now()));
}

#[test]
fn saying_known_makes_nobody_known() {
    let (throttle, clock) = (throttle(), Clock::fake(1_000_000));
    let account = from("alexk", "192.0.2.7");
    let admitted = (0..20).filter(|_| throttle.admit(&account, clock.now(), true).map(drop).is_ok()).count();
    assert_eq!(admitted, 5);
}

#[test]
fn a_household_and_a_company_of_ipv6_addresses_are_counted_together() {
    let (throttle, clock) = (throttle(), Clock::fake(1_000_000));
    let count = |clients: &mut dyn Iterator<Item = String>| {
        clients.filter(|client| guess(&throttle, &from("aladdin", client), &clock)).count()
    };
    assert_eq!(count(&mut (0..50).map(|n| format!("2001:db8:1:100::{n:x}"))), 5, "one /64");
    assert_eq!(count(&mut (0..50).map(|n| format!("2001:db8:1:1{n:02x}::1"))), 5, "one /56 has ten in all");
    assert_eq!(count(&mut (0..50).map(|n| format!("2001:db8:1:{n:02x}00::1"))), 10, "one /48 has twenty in all");
    assert_eq!(count(&mut (0..50).map(|n| format!("2001:db8:{:x}:1::1", n + 2))), 50, "other networks are others");
}

#[test]
fn one_address_cannot_try_one_password_on_every_account() {
    let (throttle, clock) = (throttle(), Clock::fake(1_000_000));
    let spray = |count: usize| {
        let tried = (0..count).filter(|n| guess(&throttle, &from(&format!("user{n}"), "198.51.100.9"), &clock));
        tried.count()
    };
    assert_eq!(spray(500), 50);
    clock.advance(60);
    assert!((1..=2).contains(&spray(500)), "one more a minute");
    assert!(guess(&throttle, &from("user1", "192.0.2.7"), &clock), "from elsewhere they are free");
}

#[test]
fn an_office_behind_one_address_is_not_locked_out_by_its_typing_errors() {
    let (throttle, clock) = (throttle(), Clock::fake(1_000_000));
    for number in 0..2_000 {
        let user = format!("user{number}");
        let account = from(&user, "192.0.2.7");
        if number % 15 == 0 {
            assert!(guess(&throttle, &account, &clock));
        }
        assert!(log_in(&throttle, &account, &clock), "{number}");
    }
}

#[test]
fn one_account_cannot_buy_guesses_for_its_address() {
    let (throttle, clock) = (throttle(), Clock::fake(1_000_000));
    let mine = from("joe.bloggs@test.com", "198.51.100.9");
    let mut tried = 0;
    for number in 0..500 {
        assert!(log_in(&throttle, &mine, &clock));
        tried += usize::from(guess(&throttle, &from(&format!("user{number}"), "198.51.100.9"), &clock));
    }
    assert!(tried <= 50 + 10, "{tried}");
}

#[test]
fn one_account_cannot_buy_guesses_for_its_networks() {
    let (throttle, clock) = (throttle(), Clock::fake(1_000_000));
    let mut tried = 0;
    for number in 0..2_000 {
        let client = format!("2001:db8:1:1{:02x}::1", number % 32);
        tried += usize::from(guess(&throttle, &from(&format!("user{number}"), &client), &clock));
        // Refused as well, once the network is.
        let _ = log_in(&throttle, &from("joe.bloggs@test.com", &client), &clock);
    }
    assert!(tried <= 100 + 10, "as many as one /56 has, and those forgiven once: {tried}");
}

/// 1,024 places for known pairs.
fn small() -> Throttle {
    Throttle::new(Settings { slots: 1 << 12, ..Settings::default() }, MacKey::new(&[7; 32]))
}

/// A hundred owners log in from two addresses each, then so many accounts from so many networks, and the owners are
/// known all the same: at the newer address, and where there is room for it at both.
fn owners_known_after(accounts: usize, networks: usize) -> [usize; 2] {
    let (throttle, clock) = (small(), Clock::fake(1_000_000));
    let owners: Vec<_> = (0..100).map(|n| (format!("owner{n}"), [1, 2].map(|at| format!("192.0.{at}.{n}")))).collect();
    for at in 0..2 {
        clock.advance(120);
        owners.iter().for_each(|(user, clients)| assert!(log_in(&throttle, &from(user, &clients[at]), &clock)));
    }
    for network in 0..networks {
        clock.advance(60);
        for account in 0..accounts {
            let (user, client) = (format!("mine{account}"), format!("2001:db8:{account:x}:{network:x}::1"));
            assert!(log_in(&throttle, &from(&user, &client), &clock));
            assert!(throttle.is_known(&from(&user, &client), clock.now()), "who logged in is known");
        }
    }
    [1, 0].map(|at| {
        let known = owners.iter().filter(|(user, clients)| throttle.is_known(&from(user, &clients[at]), clock.now()));
        known.count()
    })
}

#[test]
fn one_account_makes_no_owner_of_another_a_stranger() {
    assert_eq!(owners_known_after(1, 4 * 1_024), [100, 100]);
}

#[test]
fn several_accounts_leave_every_owner_known() {
    let [newer, older] = owners_known_after(64, 64);
    assert_eq!(newer, 100, "{older} of the older");
    assert!(older >= 95, "{older}");
}

#[test]
fn clients_without_an_address_share_one_count() {
    let (throttle, clock) = (throttle(), Clock::fake(1_000_000));
    let hashed = (0..20).filter(|n| guess(&throttle, &from("aladdin", &format!("unix:{n}")), &clock)).count();
    assert_eq!(hashed, 5);
}

#[test]
fn counts_are_forgotten_half_an_hour_after_the_last_guess() {
    let (throttle, clock) = (throttle(), Clock::fake(1_000_000));
    let account = from("alexk", "192.0.2.7");
    (0..5).for_each(|_| assert!(guess(&throttle, &account, &clock)));
    clock.advance(30 * 60 - 1);
    assert!(guess(&throttle, &account, &clock));
    assert!(!guess(&throttle, &account, &clock), "the sixth: two seconds");
    clock.advance(30 * 60);
    (0..5).for_each(|_| assert!(guess(&throttle, &account, &clock)));
    assert!(!guess(&throttle, &account, &clock));
}

#[test]
fn a_clock_that_goes_back_frees_nobody() {
    let (throttle, clock) = (throttle(), Clock::fake(1_000_000));
    let account = from("alexk", "192.0.2.7");
    (0..5).for_each(|_| assert!(guess(&throttle, &account, &clock)));
    clock.advance(-30);
    assert!(!guess(&throttle, &account, &clock), "by as much as a reader may be late");
    clock.advance(-10_000);
    assert!(!guess(&throttle, &account, &clock));
    clock.advance(1);
    assert!(guess(&throttle, &account, &clock), "and shuts nobody out: the delay runs anew");
    assert!(!guess(&throttle, &account, &clock), "the count has stood");
    clock.step_wall(86_400 * 365);
    clock.follow();
    assert!(!guess(&throttle, &account, &clock), "the wall clock has no say");
}

#[test]
fn many_failures_in_a_minute_are_an_alarm() {
    let (throttle, clock) = (throttle(), Clock::fake(1_000_000));
    for number in 0..119 {
        guess(&throttle, &from(&format!("user{number}"), "198.51.100.9"), &clock);
    }
    assert!(!throttle.alarm(clock.now()));
    guess(&throttle, &from("aladdin", "198.51.100.9"), &clock);
    assert!(throttle.alarm(clock.now()));
    clock.advance(54);
    assert!(throttle.alarm(clock.now()));
    clock.advance(6);
    assert!(!throttle.alarm(clock.now()));
}

#[test]
fn a_flood_of_names_frees_no_hot_account() {
    let throttle = Throttle::new(Settings { slots: 64, alarm_per_minute: 1 }, MacKey::random().unwrap());
    let clock = Clock::fake(1_000_000);
    let hot = from("aladdin", "198.51.100.9");
    let owner = from("aladdin", "192.0.2.7");
    assert!(log_in(&throttle, &owner, &clock));
    (0..12).for_each(|_| {
        guess(&throttle, &hot, &clock);
        clock.advance(32);
    });
    guess(&throttle, &hot, &clock);
    for number in 0..5_000 {
        let client = format!("203.0.{}.{}", number / 250, number % 250);
        guess(&throttle, &from(&format!("bot{number}"), &client), &clock);
    }
    assert!(!guess(&throttle, &hot, &clock), "still hot");
    assert!(log_in(&throttle, &owner, &clock), "and the owner still gets in");
}

/// Of shared cells: a guess that was let through makes those wait that share a cell with it, for a minute; one that was
/// refused makes nobody wait.
#[test]
fn a_flood_makes_no_more_strangers_wait_than_its_hashed_guesses_and_for_a_minute() {
    let throttle = Throttle::new(Settings { slots: 1 << 10, ..Settings::default() }, MacKey::new(&[7; 32]));
    let clock = Clock::fake(1_000_000);
    let owners: Vec<_> = (0..50).map(|n| (format!("owner{n}"), format!("192.0.2.{n}"))).collect();
    owners.iter().for_each(|(user, client)| assert!(log_in(&throttle, &from(user, client), &clock)));
    let bot = |number: usize| (format!("bot{number}"), format!("10.{}.{}.1", number >> 8 & 255, number & 255));
    let flood = |numbers: std::ops::Range<usize>| {
        let names = numbers.map(bot);
        names.filter(|(user, client)| guess(&throttle, &from(user, client), &clock)).count()
    };
    let waiting = || {
        let strangers = (0..1_000).map(|n| (format!("user{n}"), format!("172.16.{}.{}", n >> 8, n & 255)));
        strangers.filter(|(user, client)| throttle.delayed(&from(user, client), clock.now())).count()
    };
    // Every cell is made as hot as it gets.
    for round in 0..150 {
        clock.advance(60);
        flood(round * 400..(round + 1) * 400);
    }
    assert!(waiting() > 500, "{}", waiting());
    clock.advance(60);
    assert_eq!(waiting(), 0, "a minute after the last guess");
    let hashed = flood(0..20);
    // A quarter of 1,024 cells are of accounts, half of addresses, all of pairs: 7 in 1,024 for each guess, and chance.
    let most = 1_000 * hashed * 7 / 1_024 * 3 / 2;
    let before = waiting();
    assert!((1..=most).contains(&before), "{before} after {hashed} guesses, {most} at most");
    clock.advance(59);
    let more: usize = (0..50).map(|_| flood(0..20)).sum();
    println!("{hashed} hashed, {before} of 1,000 wait, {most} at most; {more} more");
    assert_eq!((more, waiting()), (0, before), "refused guesses lengthen no delay");
    for (user, client) in &owners {
        assert!(log_in(&throttle, &from(user, client), &clock), "{user}");
    }
    clock.advance(1);
    assert_eq!(waiting(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Against a model without bounds: whatever is counted, given back and forgiven, no key of crowded cells ever has
    /// less than the model says.
    #[test]
    fn crowded_cells_never_count_too_little(steps in prop::collection::vec((0u8..4, 1u64..40), 1..400)) {
        let page = Page::private(8);
        let counts = Counts { cells: page.words(), fade: Fade::Quiet(1_000_000) };
        let mut model = std::collections::HashMap::<u64, u64>::new();
        let limit = Limit::flat(1_000);
        for (at, (what, key)) in steps.into_iter().enumerate() {
            // As digests are: spread over all bits.
            let key = key.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let count = model.entry(key).or_default();
            match what {
                0 if *count > 0 => {
                    counts.give_back(key, 0);
                    *count -= 1;
                }
                // Who forgives has counted a guess before.
                1 if *count > 0 => {
                    counts.forgive(key);
                    *count = 0;
                }
                _ => {
                    prop_assert!(counts.reserve(key, at as i64, limit).is_ok());
                    *count += 1;
                }
            }
            for (key, count) in &model {
                prop_assert!(counts.count(*key, at as i64) >= (*count).min(255), "{key}: {count}");
            }
        }
    }
}
