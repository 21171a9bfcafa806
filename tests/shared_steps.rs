//! A writer of the shared store that is killed at each of its steps, and a disk that fails at each of them: what was
//! answered holds, what was not is one or the other, sent again it is answered by a commit of its own, and nobody waits.
//!
//! The steps are LMDB's calls of the system, counted by `disk`. Invariants 1, 2, 5 and 7 of `docs/security.md`, part 7.

#![cfg(all(target_os = "linux", feature = "shared"))]

mod children;
mod disk;
mod shared;

use children::{Scene, Words, part};
use janua::base::{Clock, Reason};
use janua::session::{NewSession, Record};
use janua::store::shared::Durability;
use janua::store::{Answer, NotStored, Revocation, Store};
use shared::{Place, START, key};
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Child;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

static DISK: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    disk::pretend();
    DISK.lock().unwrap_or_else(|broken| broken.into_inner())
}

/// The session that it is about, the one that goes on from it or takes its place, and a bystander.
const OLD: u64 = 1;
const NEW: u64 = 2;
const OTHER: u64 = 3;

const DURABILITIES: [Durability; 2] = [Durability::Process, Durability::Disk];

/// What the writer is killed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    LogOut,
    LogOutOfWhatWentOn,
    Everywhere,
    LogIn,
    LogInOver,
    Renewal,
    Eviction,
    Touch,
    Sweep,
}

const WORKS: [Work; 9] = [
    Work::LogOut,
    Work::LogOutOfWhatWentOn,
    Work::Everywhere,
    Work::LogIn,
    Work::LogInOver,
    Work::Renewal,
    Work::Eviction,
    Work::Touch,
    Work::Sweep,
];

impl Work {
    /// What there is before it.
    fn prepare(self, place: &Place) {
        place.insert(OLD, "Aladdin");
        place.insert(OTHER, "AlexK");
        match self {
            Work::LogOutOfWhatWentOn => drop(Work::Renewal.run(place)),
            Work::Sweep => {
                for number in 100..200 {
                    place.insert(number, &format!("user {number}"));
                }
                place.clock.advance(3_000);
                for number in [OLD, OTHER] {
                    let record = place.store.check(&key(number), place.clock.now()).ok().unwrap();
                    place.store.touch(&record, None, place.clock.now()).unwrap();
                }
                place.clock.advance(700);
            }
            _ => {}
        }
    }

    /// Does it. `Err`: it was not done, or nobody knows.
    fn run(self, place: &Place) -> Result<(), ()> {
        let (store, now) = (&place.store, place.clock.now());
        let (old, new) = (key(OLD), key(NEW));
        let stored = |stored: Result<_, NotStored>| stored.map(drop).map_err(drop);
        let Ok(seq) = store.seq() else { return Err(()) };
        let record = |principal| Record::new(NewSession::of(principal, shared::IDLE, shared::ABSOLUTE, seq), now);
        match self {
            Work::LogOut | Work::LogOutOfWhatWentOn => {
                store.revoke(Revocation::Session(old), now).map(drop).map_err(drop)
            }
            Work::Everywhere => store.revoke(Revocation::Principal("Aladdin"), now).map(drop).map_err(drop),
            Work::LogIn => stored(store.insert(new, record("Aladdin"), 10, now)),
            Work::LogInOver => stored(store.replace(&old, new, record("Aladdin"), 10, now)),
            Work::Renewal => stored(store.renew(&old, new, record("Aladdin"), 10, now)),
            Work::Eviction => stored(store.insert(new, record("Aladdin"), 1, now)),
            Work::Touch => {
                place.clock.advance(300);
                let Answer::Hit(record) = store.check(&old, place.clock.now()) else { return Err(()) };
                store.touch(&record, None, place.clock.now()).map_err(drop)?;
                store.tend(place.clock.now()).map_err(drop)
            }
            Work::Sweep => {
                place.sweep();
                Ok(())
            }
        }
    }

    /// Whether it leaves OLD dead, and NEW alive, once it is done.
    fn leaves(self) -> (bool, bool) {
        match self {
            Work::LogOut | Work::LogOutOfWhatWentOn | Work::Everywhere => (true, false),
            Work::LogInOver | Work::Renewal | Work::Eviction => (true, true),
            Work::LogIn => (false, true),
            Work::Touch | Work::Sweep => (false, false),
        }
    }
}

/// What must hold however far `work` got; `answered`: it was answered as done. Sent again, it is done.
fn judge(work: Work, place: &Place, answered: bool, before: u64) {
    let (ends, makes) = work.leaves();
    let (old, new) = (place.lives(OLD), place.lives(NEW));
    assert_eq!(place.why(OTHER), None, "a bystander is logged out: {work:?}");
    assert!(place.store.seq().unwrap() >= before, "the number fell");
    if answered {
        assert_eq!((old, new), (!ends, makes), "what was answered");
    }
    assert!(ends || old, "nothing ends it");
    assert!(makes || work == Work::LogOutOfWhatWentOn || !new, "nothing makes it");
    // Unrelated commits, in both environments.
    place.insert(77, "joe.bloggs@test.com");
    place.store.revoke(Revocation::Session(key(77)), place.clock.now()).unwrap();
    assert!(!place.lives(77));
    assert!(old || !place.lives(OLD), "a dead session came back");
    let number = place.store.seq().unwrap();
    if ends && !makes {
        work.run(place).unwrap();
        assert!(place.store.seq().unwrap() > number, "sent again, it is answered by a commit of its own");
        assert_eq!((place.lives(OLD), place.lives(NEW)), (false, false));
    } else if matches!(work, Work::Touch | Work::Sweep) {
        work.run(place).unwrap();
        assert!(place.lives(OLD) && place.lives(OTHER));
    }
}

/// Is told by its seed which work, which durability and at which step it dies.
fn write(folder: &Path, seed: u64) {
    let (work, durability, step) =
        (WORKS[(seed / 1_000) as usize % 10], DURABILITIES[(seed / 10_000) as usize], seed % 1_000);
    disk::pretend();
    let clock = Clock::fake(START);
    if work == Work::Sweep {
        clock.advance(3_700);
    }
    let place = Place::open(folder, durability, clock);
    assert!(place.lives(OTHER));
    println!("ready");
    disk::kill_at(step);
    work.run(&place).unwrap();
    disk::mend();
    println!("done");
    std::io::stdout().flush().unwrap();
}

/// Ends the writer's turn: whether it was killed, and whether it had answered.
fn ended(mut writer: Child) -> (bool, bool) {
    let mut words = Words::of(&mut writer);
    let answered = words.until("done");
    while words.until("") {}
    let status = writer.wait().unwrap();
    assert!(status.success() || status.signal() == Some(libc::SIGKILL), "{status}");
    (!status.success(), answered)
}

#[test]
fn a_writer_killed_at_any_step_leaves_what_was_answered_and_stalls_nobody() {
    const NAME: &str = "a_writer_killed_at_any_step_leaves_what_was_answered_and_stalls_nobody";
    if let Some((_, folder, seed)) = part() {
        return write(&folder, seed);
    }
    let _alone = alone();
    let (mut killed, mut slowest) = (0, Duration::ZERO);
    for (number, durability) in DURABILITIES.into_iter().enumerate() {
        for (at, work) in WORKS.into_iter().enumerate() {
            let mut died_at = 0;
            for step in 0..100 {
                let scene = Scene::new(&format!("steps-{number}-{at}-{step}"));
                let place = Place::open(&scene.0, durability, Clock::fake(START));
                work.prepare(&place);
                place.store.tend(place.clock.now()).unwrap();
                let before = place.store.seq().unwrap();
                // This process has copies of both.
                assert!(place.lives(OLD) == (work != Work::LogOutOfWhatWentOn) && place.lives(OTHER));
                let seed = number as u64 * 10_000 + at as u64 * 1_000 + step;
                let (was_killed, answered) = ended(scene.start(NAME, "writer", seed));
                assert!(was_killed != answered, "{work:?}, {durability:?}, step {step}");
                let start = Instant::now();
                judge(work, &place, answered, before);
                slowest = slowest.max(start.elapsed());
                if !was_killed {
                    break;
                }
                died_at = step + 1;
                killed += 1;
            }
            assert!((1..100).contains(&died_at), "{work:?} has {died_at} steps");
        }
    }
    println!("killed {killed} times; the longest turn of those who came after took {slowest:?}");
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
}

#[test]
fn a_disk_that_fails_at_any_step_lets_nobody_in_and_answers_nothing_as_done() {
    let _alone = alone();
    let (mut failed, mut hurt) = (0, 0);
    for error in [libc::ENOSPC, libc::EIO, libc::EROFS] {
        for (durability, work) in DURABILITIES.into_iter().flat_map(|d| WORKS.map(|work| (d, work))) {
            for step in 0..100 {
                let scene = Scene::new("failing");
                let place = Place::open(&scene.0, durability, Clock::fake(START));
                work.prepare(&place);
                place.store.tend(place.clock.now()).unwrap();
                let (before, steps) = (place.store.seq().unwrap(), disk::steps());
                disk::fail_at(step, error);
                let answered = work.run(&place);
                disk::mend();
                let whole = disk::steps() - steps <= step;
                let told = place.store.tend(place.clock.now()).err();
                let (ends, makes) = work.leaves();
                if answered.is_ok() && work != Work::Sweep {
                    assert!(!ends || place.why(OLD).is_some(), "{work:?}, step {step}: answered, and not ended");
                    assert!(!makes || place.why(NEW).is_none(), "{work:?}, step {step}: answered, and not made");
                }
                assert_ne!(place.why(OTHER), Some(Reason::SessionUnknown));
                failed += u64::from(answered.is_err());
                // A disk that fails in the last write of a commit leaves LMDB unusable in this process: it says so.
                if let Some(told) = &told
                    && !whole
                {
                    let says = ["disk is full", "read-only", "system says", "restart this process"];
                    assert!(says.iter().any(|text| told.message.contains(text)), "{}", told.message);
                    hurt += 1;
                }
                let clock = place.clock.clone();
                drop(place);
                let place = Place::open(&scene.0, durability, clock);
                judge(work, &place, answered.is_ok() && work != Work::Sweep, before);
                if whole {
                    break;
                }
            }
        }
    }
    println!("{failed} calls were refused, {hurt} told to maintenance");
    assert!(failed > 30 && hurt > 30, "{failed} {hurt}");
}
