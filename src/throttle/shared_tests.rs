//! Counts in a page that others share, or have spoilt. Over real processes: `tests/throttle_processes.rs`.

use super::ledger::Ledger;
use super::tests::{from, guess, log_in};
use super::*;
use crate::base::Clock;
use crate::crypto::scratch::Scratch;
use proptest::prelude::*;
use std::sync::atomic::Ordering;

const KEY: [u8; 32] = [7; 32];

fn sharing(folder: &Scratch, key: &[u8]) -> Throttle {
    let throttle = Throttle::new(Settings::default(), MacKey::new(key));
    throttle.share(&folder.path("")).unwrap();
    throttle
}

#[test]
fn those_who_share_a_folder_count_together_and_sites_apart() {
    let (folder, clock) = (Scratch::new(), Clock::fake(1_000_000));
    let (one, two, other) = (sharing(&folder, &KEY), sharing(&folder, &KEY), sharing(&folder, &[8; 32]));
    let (owner, stranger) = (from("aladdin", "192.0.2.7"), from("aladdin", "198.51.100.9"));
    assert!(log_in(&one, &owner, &clock));
    assert!(two.is_known(&owner, clock.now()) && !other.is_known(&owner, clock.now()));
    let turns = [&one, &two].into_iter().cycle().take(20);
    assert_eq!(turns.filter(|throttle| guess(throttle, &stranger, &clock)).count(), 5);
    assert!(one.delayed(&stranger, clock.now()) && two.delayed(&stranger, clock.now()));
    assert!(!other.delayed(&stranger, clock.now()));
    assert!(log_in(&two, &owner, &clock), "the owner gets in at every door");
    assert_eq!((0..20).filter(|_| guess(&other, &stranger, &clock)).count(), 5);
    for _ in 0..60 {
        guess(&one, &stranger, &clock);
        guess(&two, &stranger, &clock);
    }
    assert!([&one, &two, &other].iter().all(|throttle| throttle.alarm(clock.now())), "failures are one sum");
    drop((one, two, other));
    assert!(sharing(&folder, &KEY).delayed(&stranger, clock.now()), "and outlive every process");
}

#[test]
fn what_cannot_be_shared_is_counted_here_until_it_can() {
    let (folder, clock) = (Scratch::new(), Clock::fake(1_000_000));
    let throttle = Throttle::new(Settings::default(), MacKey::new(&KEY));
    let account = from("alexk", "192.0.2.7");
    let error = throttle.share(&folder.path("state")).unwrap_err();
    assert!(error.message.contains("counts-") && error.message.contains("cannot be shared"), "{}", error.message);
    assert_eq!((0..20).filter(|_| guess(&throttle, &account, &clock)).count(), 5, "never without a limit");
    let ticket = throttle.admit(&from("alexk", "192.0.2.8"), clock.now(), false).unwrap();
    std::fs::create_dir(folder.path("state")).unwrap();
    throttle.share(&folder.path("state")).unwrap();
    throttle.abandon(ticket);
    assert_eq!((0..20).filter(|_| guess(&throttle, &account, &clock)).count(), 5);
    assert_eq!(std::fs::read_dir(folder.path("state")).unwrap().count(), 1);
}

#[test]
fn a_guess_counted_here_takes_nothing_from_what_is_shared_later() {
    let (folder, clock) = (Scratch::new(), Clock::fake(1_000_000));
    let account = from("alexk", "192.0.2.7");
    let (all, late) = (sharing(&folder, &KEY), Throttle::new(Settings::default(), MacKey::new(&KEY)));
    let [one, two] = [(); 2].map(|()| late.admit(&account, clock.now(), false).unwrap());
    assert_eq!((0..20).filter(|_| guess(&all, &account, &clock)).count(), 5);
    late.share(&folder.path("")).unwrap();
    late.abandon(one);
    assert!(all.delayed(&account, clock.now()), "the five that were hashed stay counted");
    late.success(two, clock.now());
    assert!(all.delayed(&account, clock.now()), "whoever was right");
    assert!(all.is_known(&account, clock.now()), "what is learnt is learnt by all");
}

#[test]
fn another_boot_counts_anew_and_removes_what_the_last_one_left() {
    let (folder, limit, at) = (Scratch::new(), PAIR[0], 1_000);
    let open = |boot: &str| Ledger::shared(&folder.path(""), 64, boot).unwrap();
    let taken = |ledger: &Ledger, at| (0..9).filter(|_| ledger.pairs().reserve(5, at, limit).is_ok()).count();
    let first = open("boot 1");
    let pair = Pair { account: 5, digest: 5 };
    first.known().learn(&pair, at);
    assert_eq!(taken(&first, at), 5);
    assert_eq!(taken(&open("boot 1"), at), 0, "the same boot");
    let nameless = open(sys::NO_BOOT_NAME);
    assert_eq!((taken(&nameless, at), folder.names().len()), (5, 2), "who knows no boot removes nobody's");
    let second = open("boot 2");
    assert!(!second.known().contains(&pair, at + 1));
    assert_eq!((taken(&second, at + 1), folder.names().len()), (5, 2), "the first is gone");
    assert_eq!(taken(&first, at), 0, "who had it open still counts");
    // A second of another boot, where boots have no names: the past is past, the future is now.
    assert_eq!(taken(&nameless, at - 900), 0);
    assert_eq!(taken(&nameless, at - 840), 1, "mended when it was met, so a minute later at most");
}

#[test]
fn a_page_that_is_removed_or_cut_short_parts_old_from_new_and_frees_nobody() {
    let (folder, clock) = (Scratch::new(), Clock::fake(1_000_000));
    let account = from("alexk", "192.0.2.7");
    let tries = |throttle: &Throttle| (0..20).filter(|_| guess(throttle, &account, &clock)).count();
    let old = sharing(&folder, &KEY);
    assert_eq!(tries(&old), 5);
    let name = folder.names().remove(0);
    std::fs::remove_file(folder.path(&name)).unwrap();
    let new = sharing(&folder, &KEY);
    assert_eq!((tries(&old), tries(&new), tries(&sharing(&folder, &KEY))), (0, 5, 0));
    drop((old, new));
    std::fs::write(folder.path(&name), "cut short").unwrap();
    assert_eq!(tries(&sharing(&folder, &KEY)), 5);
    std::fs::remove_file(folder.path(&name)).unwrap();
    std::fs::create_dir(folder.path(&name)).unwrap();
    let alone = Throttle::new(Settings::default(), MacKey::new(&KEY));
    assert!(alone.share(&folder.path("")).is_err());
    assert_eq!(tries(&alone), 5);
}

/// Words as another program, a bug or a bad disk could leave them.
fn garbage(number: u64, at: u64) -> u64 {
    let spread = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    match number % 5 {
        0 => spread,
        // As hot as can be, now; with a mark far ahead; and with a tag that nobody has.
        1 => spread & !((1 << 44) - 1) | 255 << 36 | at,
        2 => 255 << 36 | 63 << 30 | (at + 59),
        3 => u64::MAX,
        _ => spread >> 30 << 30 | (at + 400_000_000),
    }
}

#[test]
fn whatever_the_page_holds_everybody_gets_in_within_two_minutes_and_no_guess_is_free() {
    for seed in [0, 1, 2, 3, 4, 5_000] {
        let (folder, clock) = (Scratch::new(), Clock::fake(1_000_000));
        let throttle = sharing(&folder, &KEY);
        let at = clock.now().boot() as u64;
        let boot = sys::boot_name();
        let spoilt = Ledger::shared(&folder.path(""), Settings::default().slots, &boot).unwrap();
        for (number, word) in (0..).zip(spoilt.words()) {
            let one_kind = (number - number % 5) + seed;
            word.store(garbage(if seed < 5 { one_kind } else { number }, at), Ordering::Relaxed);
        }
        let users: Vec<_> = (0..40).map(|n| (format!("user{n}"), format!("2001:db8:{n:x}::1"))).collect();
        for (user, client) in &users {
            assert!(!throttle.is_known(&from(user, client), clock.now()), "{seed}: nobody is known by garbage");
        }
        let free: Vec<_> = users
            .iter()
            .map(|(user, client)| (0..20).filter(|_| guess(&throttle, &from(user, client), &clock)).count())
            .collect();
        assert!(free.iter().all(|free| *free <= 5), "{seed}: {free:?}");
        // First as strangers, then as known pairs, whose counts are spoilt as well.
        for turn in ["a stranger", "known"] {
            let mut waiting: Vec<_> = users.iter().collect();
            for _ in 0..=120 {
                clock.advance(1);
                waiting.retain(|(user, client)| !log_in(&throttle, &from(user, client), &clock));
            }
            assert_eq!(waiting.len(), 0, "{seed}: {turn}: {waiting:?}");
        }
        throttle.alarm(clock.now());
        let later = from("joe.bloggs@test.com", "203.0.113.1");
        let _ = guess(&throttle, &later, &clock);
        clock.advance(9 * 3600);
        assert!(throttle.quiet(clock.now()), "{seed}: somebody is delayed");
        let tries = (0..20).filter(|_| guess(&throttle, &later, &clock)).count();
        assert_eq!(tries, 5, "{seed}: some hours after it was met nothing of it is left");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// One code counts in both: for any sequence the shared page answers as private memory does.
    #[test]
    fn a_shared_page_counts_as_private_memory_does(
        steps in prop::collection::vec((0u8..6, 0usize..4, 0usize..5, 0i64..90), 1..250)
    ) {
        let (folder, clock) = (Scratch::new(), Clock::fake(1_000_000));
        let settings = Settings { slots: 64, alarm_per_minute: 9 };
        let make = || Throttle::new(settings.clone(), MacKey::new(&KEY));
        let (private, shared) = (make(), [make(), make()]);
        shared.iter().for_each(|throttle| throttle.share(&folder.path("")).unwrap());
        let clients = ["192.0.2.7", "198.51.100.9", "2001:db8:1:2::3", "2001:db8:1:3::4", "unix:"];
        let users = ["aladdin", "alexk", "joe.bloggs@test.com", "admin@test.com"];
        let mut open = Vec::new();
        for (turn, (what, user, client, passes)) in steps.into_iter().enumerate() {
            let (account, now, shared) = (from(users[user], clients[client]), clock.now(), &shared[turn % 2]);
            let known = private.is_known(&account, now);
            prop_assert_eq!(known, shared.is_known(&account, now));
            prop_assert_eq!(private.delayed(&account, now), shared.delayed(&account, now));
            prop_assert_eq!((private.quiet(now), private.alarm(now)), (shared.quiet(now), shared.alarm(now)));
            match (what, open.len()) {
                (0, 1..) => {
                    let (one, two): (Ticket, Ticket) = open.swap_remove(client % open.len());
                    private.success(one, now);
                    shared.success(two, now);
                }
                (1, 1..) => {
                    let (one, two) = open.swap_remove(client % open.len());
                    private.abandon(one);
                    shared.abandon(two);
                }
                (2, 1..) => {
                    let (one, two) = open.swap_remove(client % open.len());
                    private.failure(one, now);
                    shared.failure(two, now);
                }
                (3, _) => clock.advance(passes),
                _ => match (private.admit(&account, now, known), shared.admit(&account, now, known)) {
                    (Ok(one), Ok(two)) => open.push((one, two)),
                    (one, two) => prop_assert!(one.is_err() && two.is_err()),
                },
            }
        }
    }
}
