//! Tests of what `memory` alone promises; the rules of every store are in `store::suite`.

use super::*;
use crate::base::Clock;
use crate::session::{NewSession, id};
use crate::store::suite;

fn settings() -> Settings {
    Settings { longest_secs: suite::LONGEST_SECS, older: Older::Refused, floors: Vec::new() }
}

fn memory(clock: &Clock) -> Memory {
    Memory::new(settings(), clock.now()).unwrap()
}

fn key(number: u32) -> Digest {
    id::key("data.example.org", "form", "", &number.to_be_bytes())
}

fn insert(memory: &Memory, clock: &Clock, number: u32, principal: &str, idle: u32, absolute: u32) -> Inserted {
    let record = Record::new(NewSession::of(principal, idle, absolute, memory.seq().unwrap()), clock.now());
    memory.insert(key(number), record, 1_000, clock.now()).unwrap()
}

fn sweep(memory: &Memory, clock: &Clock) {
    while memory.sweep(clock.now(), 1_000) == 1_000 {}
}

#[test]
fn memory_keeps_the_rules_of_every_store() {
    let clock = Clock::fake(1_700_000_000);
    suite::run(|| Box::new(memory(&clock)), &clock);
}

#[test]
fn memory_says_that_it_is_for_one_process_and_never_waits() {
    let clock = Clock::fake(1_700_000_000);
    let memory = memory(&clock);
    assert_eq!((memory.kind(), memory.multi_process(), memory.multi_machine()), ("memory", false, false));
    assert_eq!((memory.reads_may_wait(clock.now()), memory.touches_may_wait()), (false, false));
    assert_eq!(memory.attach(), Ok(()));
}

#[test]
fn a_hundred_thousand_sessions_come_and_go_and_nothing_stays() {
    let clock = Clock::fake(1_700_000_000);
    let memory = memory(&clock);
    let (rounds, each) = (10, 10_000);
    let mut most = 0;
    for round in 0..rounds {
        for number in 0..each {
            let principal = format!("user {}", number % 3_000);
            insert(&memory, &clock, round * each + number, &principal, 160, 1_600);
        }
        assert_eq!(memory.count(), Ok(each as usize));
        for number in (0..each).step_by(3) {
            memory.revoke(Revocation::Session(key(round * each + number)), clock.now()).unwrap();
        }
        clock.advance(400);
        sweep(&memory, &clock);
        assert_eq!(memory.count(), Ok(0), "round {round}");
        most = most.max(memory.sizes().tombstones);
    }
    assert!(most <= 5 * each as usize, "{most} tombstones of sessions that live 1600 s");
    memory.revoke(Revocation::Principal("user 1"), clock.now()).unwrap();
    clock.advance(2_000);
    sweep(&memory, &clock);
    let floors = Sizes { floors: 1, log: 1, ..Sizes::default() };
    assert_eq!(memory.sizes(), floors);
    clock.advance(i64::from(suite::LONGEST_SECS) + 7_200);
    sweep(&memory, &clock);
    assert_eq!(memory.sizes(), Sizes::default());
}

#[test]
fn the_index_shrinks_with_every_way_to_end() {
    let clock = Clock::fake(1_700_000_000);
    let memory = memory(&clock);
    for number in 0..6 {
        insert(&memory, &clock, number, "Aladdin", 1_600, 43_200);
    }
    assert_eq!(memory.sizes().index, 6);
    memory.revoke(Revocation::Session(key(0)), clock.now()).unwrap();
    let record = Record::new(NewSession::of("AlexK", 1_600, 43_200, memory.seq().unwrap()), clock.now());
    memory.replace(&key(1), key(10), record, 9, clock.now()).unwrap();
    assert_eq!(memory.sizes().index, 5);
    let record = Record::new(NewSession::of("Aladdin", 1_600, 43_200, memory.seq().unwrap()), clock.now());
    memory.insert(key(11), record, 3, clock.now()).unwrap();
    assert_eq!(memory.sizes().index, 4, "three of one, one of the other");
    memory.revoke(Revocation::Principal("Aladdin"), clock.now()).unwrap();
    assert_eq!((memory.sizes().index, memory.sizes().sessions), (1, 1));
    clock.advance(1_800);
    sweep(&memory, &clock);
    assert_eq!((memory.sizes().index, memory.sizes().sessions), (0, 0));
}

#[test]
fn a_floor_raised_over_and_over_stands_in_the_log_once() {
    let clock = Clock::fake(1_700_000_000);
    let memory = memory(&clock);
    let revoke = || {
        for what in [Revocation::Principal("Aladdin"), Revocation::Key([1; 8]), Revocation::Chosen([2; 32])] {
            memory.revoke(what, clock.now()).unwrap();
        }
    };
    for _ in 0..1_000 {
        revoke();
    }
    assert_eq!((memory.sizes().floors, memory.sizes().log), (3, 3));
    let longest = i64::from(suite::LONGEST_SECS) + 7_200;
    clock.advance(longest - 10);
    let token = memory.seq().unwrap();
    revoke();
    clock.advance(10);
    sweep(&memory, &clock);
    assert!(memory.token_revoked("Aladdin", &[9; 8], None, token).unwrap(), "the newer floor outlives the older");
    assert!(memory.token_revoked("AlexK", &[1; 8], None, token).unwrap());
    assert!(memory.token_revoked("AlexK", &[9; 8], Some(&[2; 32]), token).unwrap());
    clock.advance(longest);
    sweep(&memory, &clock);
    assert_eq!(memory.sizes(), Sizes::default());
}

#[test]
fn sessions_of_one_principal_share_its_name() {
    let clock = Clock::fake(1_700_000_000);
    let memory = memory(&clock);
    let first = insert(&memory, &clock, 0, "Aladdin", 1_600, 43_200).record;
    let second = insert(&memory, &clock, 1, "Aladdin", 1_600, 43_200).record;
    assert!(Arc::ptr_eq(&first.principal, &second.principal));
}

#[test]
fn what_was_issued_before_a_restart_is_refused_unless_asked_for() {
    let clock = Clock::fake(1_700_000_000);
    let before = memory(&clock).seq().unwrap();
    clock.advance(10);
    let revoked = |older| {
        let memory = Memory::new(Settings { older, ..settings() }, clock.now()).unwrap();
        assert!(!memory.token_revoked("Aladdin", &[1; 8], None, memory.seq().unwrap()).unwrap());
        memory.token_revoked("Aladdin", &[1; 8], None, before).unwrap()
    };
    let stranger = |older| {
        let memory = Memory::new(Settings { older, ..settings() }, clock.now()).unwrap();
        let seq = memory.seq().unwrap();
        memory.token_revoked("Aladdin", &[1; 8], None, seq + 5_000_000).unwrap()
    };
    assert!(stranger(Older::Refused), "a number of a log that this store does not know");
    assert!(!stranger(Older::Accepted), "made by a process that started later");
    assert!(revoked(Older::Refused));
    assert!(!revoked(Older::Accepted));
}

#[test]
fn a_store_that_stood_still_sweeps_all_that_came_due() {
    let clock = Clock::fake(1_700_000_000);
    let memory = memory(&clock);
    for number in 0..500 {
        insert(&memory, &clock, number, "Aladdin", 60 + number * 40, 43_200);
    }
    clock.advance(30 * 86_400);
    sweep(&memory, &clock);
    assert_eq!(memory.sizes(), Sizes::default());
}
