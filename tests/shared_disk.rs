//! The shared store and the disk below it: how many log-ins one sync takes, and what a loss of power leaves.
//!
//! The disk is `disk`, which stands between LMDB and the system; so these tests run one after the other.

#![cfg(all(target_os = "linux", feature = "shared"))]

mod children;
mod disk;
mod shared;

use children::Scene;
use disk::Event;
use janua::base::{Clock, Reason};
use janua::store::shared::Durability;
use janua::store::{Answer, Revocation, Store};
use shared::{Place, START, key};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

static DISK: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    disk::pretend();
    DISK.lock().unwrap_or_else(|broken| broken.into_inner())
}

#[test]
fn log_ins_and_log_outs_that_wait_together_take_one_sync() {
    let _alone = alone();
    const WRITERS: u64 = 16;
    const EACH: u64 = 10;
    let scene = Scene::new("together");
    let place = Place::open(&scene.0, Durability::Disk, Clock::system());
    let together = |work: &(dyn Fn(u64) + Sync)| {
        disk::slow_down(Duration::from_millis(3));
        let before = disk::syncs();
        std::thread::scope(|threads| {
            for writer in 0..WRITERS {
                threads.spawn(move || (0..EACH).for_each(|number| work(writer * EACH + number)));
            }
        });
        disk::slow_down(Duration::ZERO);
        disk::syncs() - before
    };
    let (all, log_ins) = (WRITERS * EACH, together(&|number| place.insert(number, &format!("user {number}"))));
    println!("{all} log-ins took {log_ins} syncs");
    assert!(log_ins <= all / 2, "{log_ins}");
    assert!((0..all).all(|number| place.lives(number)));
    // Each has one of the log and one of the rows if it is alone.
    let log_outs = together(&|number| {
        place.store.revoke(Revocation::Session(key(number)), place.clock.now()).unwrap();
    });
    println!("{all} log-outs took {log_outs} syncs");
    assert!(log_outs <= all, "{log_outs}");
    assert!((0..all).all(|number| place.why(number) == Some(Reason::SessionRevoked)));
    let mut one = place.store.seq().unwrap();
    for number in 0..20 {
        let next = place.store.revoke(Revocation::Session(key(number)), place.clock.now()).unwrap();
        assert!(next > one, "each is answered by a number of its own");
        one = next;
    }
}

#[test]
fn a_sweep_waits_for_the_disk_once_for_many_rows() {
    let _alone = alone();
    const ROWS: u64 = 2_000;
    let scene = Scene::new("sweep");
    let place = Place::open(&scene.0, Durability::Disk, Clock::fake(START));
    std::thread::scope(|threads| {
        for from in (0..ROWS).step_by(ROWS as usize / 8) {
            let place = &place;
            threads.spawn(move || (from..from + ROWS / 8).for_each(|n| place.insert(n, &format!("user {n}"))));
        }
    });
    place.clock.advance(i64::from(shared::ABSOLUTE));
    let (before, step, mut longest) = (disk::syncs(), place.store.sweep_step(), Duration::ZERO);
    loop {
        let started = std::time::Instant::now();
        let done = place.store.sweep(place.clock.now(), step);
        longest = longest.max(started.elapsed());
        if done < step {
            break;
        }
    }
    let syncs = disk::syncs() - before;
    println!("{ROWS} rows by {step} took {syncs} syncs, the longest step {longest:?}");
    assert_eq!(place.store.count(), Ok(0));
    assert!(syncs <= ROWS / 100, "{syncs}");
}

/// What a disk holds after a loss of power: what was synced, and of the rest whatever it pleased to write.
struct Image(BTreeMap<String, Vec<u8>>);

impl Image {
    fn write(&mut self, name: &str, at: u64, bytes: &[u8]) {
        let file = self.0.get_mut(name).unwrap();
        let (at, end) = (at as usize, at as usize + bytes.len());
        if file.len() < end {
            file.resize(end, 0);
        }
        file[at..end].copy_from_slice(bytes);
    }

    /// `start` with the first `upto` of `events`; `luck` says which of what was not synced is there.
    fn after(start: &Image, events: &[Event], luck: &mut dyn FnMut() -> bool) -> Image {
        let mut image = Image(start.0.clone());
        for name in start.0.keys() {
            let mine = |event: &&(usize, &Event)| match event.1 {
                Event::Wrote { name: n, .. } | Event::SyncBegins { name: n } | Event::Synced { name: n } => n == name,
                Event::Said(_) => false,
            };
            let numbered: Vec<_> = events.iter().enumerate().collect();
            let mine: Vec<_> = numbered.iter().filter(mine).collect();
            let done = mine.iter().rposition(|(_, event)| matches!(event, Event::Synced { .. })).unwrap_or(0);
            let sure =
                mine[..done].iter().rposition(|(_, event)| matches!(event, Event::SyncBegins { .. })).unwrap_or(0);
            for (number, (_, event)) in mine.iter().enumerate() {
                let Event::Wrote { at, bytes, synced, .. } = event else { continue };
                for (part, bytes) in bytes.chunks(4_096).enumerate() {
                    if number < sure || *synced || luck() {
                        image.write(name, at + part as u64 * 4_096, bytes);
                    }
                }
            }
        }
        image
    }
}

const MADE: u64 = 1 << 32;
const ENDING: u64 = 2 << 32;
const ENDED: u64 = 3 << 32;

/// Logs in and out, three at a time, and says what is acknowledged.
fn live(place: &Place) {
    std::thread::scope(|threads| {
        for writer in 0..3_u64 {
            threads.spawn(move || {
                for number in (0..60).map(|step| writer * 900 + step) {
                    place.insert(number, &format!("user {}", number % 5));
                    disk::say(MADE + number);
                    if number % 3 == 2 {
                        disk::say(ENDING + number - 1);
                        place.store.revoke(Revocation::Session(key(number - 1)), place.clock.now()).unwrap();
                        disk::say(ENDED + number - 1);
                    }
                    if let Answer::Hit(record) = place.store.check(&key(number), place.clock.now()) {
                        place.clock.advance(1);
                        place.store.touch(&record, None, place.clock.now()).unwrap();
                    }
                }
            });
        }
    });
}

fn said(events: &[Event], kind: u64) -> BTreeSet<u64> {
    let said = events.iter().filter_map(|event| match event {
        Event::Said(word) if word >> 32 == kind >> 32 => Some(word & 0xffff_ffff),
        _ => None,
    });
    said.collect()
}

#[test]
fn a_loss_of_power_at_any_moment_loses_nothing_that_was_answered() {
    let _alone = alone();
    for durability in [Durability::Disk, Durability::Process] {
        let scene = Scene::new("power");
        let clock = Clock::fake(START);
        let place = Place::open(&scene.0, durability, clock.clone());
        let file = |folder: &Path, name: &str| folder.join("state").join(name).join("data.mdb");
        let start =
            ["sessions", "revocations"].map(|name| (name.to_owned(), std::fs::read(file(&scene.0, name)).unwrap()));
        let start = Image(start.into());
        disk::record();
        live(&place);
        let events = disk::recorded();
        let word = std::fs::read_to_string(scene.0.join("state/boot")).unwrap();
        let (_, word) = word.split_once(' ').unwrap();
        let mut state = 1_u64;
        let mut random = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state >> 33
        };
        drop(place);
        let (mut lived, mut died) = (0, 0);
        for round in 0..60 {
            let before = &events[..random() as usize % events.len()];
            let share = random() % 5;
            let image = Image::after(&start, before, &mut || random() % 4 < share);
            let after = Scene::new(&format!("power-{round}"));
            for name in ["", "sessions", "revocations"] {
                let made = after.0.join("state").join(name);
                std::fs::create_dir(&made).unwrap();
                std::fs::set_permissions(&made, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
            }
            for (name, bytes) in &image.0 {
                std::fs::write(file(&after.0, name), bytes).unwrap();
            }
            std::fs::write(after.0.join("state/boot"), format!("another-boot {word}")).unwrap();
            let place = Place::open(&after.0, durability, clock.clone());
            let (made, ending, ended) = (said(before, MADE), said(before, ENDING), said(before, ENDED));
            for number in made.difference(&ending) {
                assert_eq!(place.lives(*number), durability == Durability::Disk, "log-in {number}, {durability:?}");
                lived += 1;
            }
            for number in &ended {
                assert_eq!(place.why(*number), Some(Reason::SessionRevoked), "log-out {number}, {durability:?}");
                died += 1;
            }
            place.insert(9_999_999, "Aladdin");
            assert!(place.lives(9_999_999));
        }
        assert!(lived > 100 && died > 30, "{lived} lived, {died} died");
    }
}
