//! The shared store in several real processes: what one revokes is dead in the others, a killed writer takes nothing
//! with it that was acknowledged, and a fork of a process that has the store open is refused.
//!
//! Each test runs this program again, told by a variable which part it plays. They talk through pipes, and through
//! numbers in a file, which all processes see at once.

#![cfg(all(unix, feature = "shared"))]

mod children;

use children::{Numbers, Scene, Words, part};
use janua::base::{Clock, Reason, Status};
use janua::crypto::digest::Digest;
use janua::password::permits::Permits;
use janua::session::{NewSession, Record, Touch, id};
use janua::store::shared::{Durability, Settings, Shared};
use janua::store::{Answer, Revocation, Store};
use std::io::Write;
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

/// Checkers in the race, and its rounds.
const CHECKERS: u64 = 2;
const ROUNDS: u64 = 1_000;

fn open(folder: &Path) -> (Shared, Clock) {
    let clock = Clock::system();
    let settings = Settings::new(folder.join("state"), Durability::Process, 86_400, Vec::new());
    let store = Shared::new(Settings { sessions_map: 1 << 30, revocations_map: 1 << 30, ..settings }, clock.clone());
    store.attach().unwrap();
    (store, clock)
}

fn key(number: u64) -> Digest {
    id::key("data.example.org", "form", "", &number.to_be_bytes())
}

fn insert(store: &Shared, clock: &Clock, number: u64, principal: &str) {
    let record = Record::new(NewSession::of(principal, 3_600, 43_200, store.seq().unwrap()), clock.now());
    store.insert(key(number), record, 1_000, clock.now()).unwrap();
}

fn is_alive(store: &Shared, clock: &Clock, number: u64) -> bool {
    match store.check(&key(number), clock.now()) {
        Answer::Hit(_) => true,
        Answer::Miss(reason) => {
            assert_ne!(reason, Reason::StoreUnavailable);
            false
        }
        Answer::Unavailable => panic!("the store does not answer"),
    }
}

const MADE: u64 = 0;
const ENDED: u64 = 1;
const HITS: u64 = 8;

/// Looks at the newest session, and at older ones; what was acknowledged as ended before the look must not be alive.
fn check_on(folder: &Path, own: u64) {
    let (store, clock) = open(folder);
    let numbers = Numbers::open(folder);
    let mut turn = own;
    loop {
        let ended = numbers.get(ENDED);
        if ended >= ROUNDS {
            return;
        }
        turn = turn.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let number = if (turn >> 60) == 0 { (turn >> 20) % (ended + 1) } else { ended };
        let Answer::Hit(record) = store.check(&key(number), clock.now()) else { continue };
        assert!(number >= ended, "session {number} lives after {ended} were ended");
        let _ = store.touch(&record, None, clock.now());
        numbers.set(HITS + own, number + 1);
        if (turn >> 58) == 0 {
            store.tend(clock.now()).unwrap();
        }
    }
}

#[test]
fn what_one_process_revokes_is_dead_in_the_others_when_revoke_returns() {
    const NAME: &str = "what_one_process_revokes_is_dead_in_the_others_when_revoke_returns";
    if let Some((_, folder, seed)) = part() {
        return check_on(&folder, seed);
    }
    let scene = Scene::new("race");
    let (store, clock) = open(&scene.0);
    let numbers = Numbers::open(&scene.0);
    let mut checkers: Vec<Child> = (0..CHECKERS).map(|own| scene.start(NAME, "checker", own)).collect();
    let mut met = 0;
    for number in 0..ROUNDS {
        let principal = format!("Aladdin {number}");
        insert(&store, &clock, number, &principal);
        numbers.set(MADE, number + 1);
        // Until a checker has a copy, or for a while; at first until all are there.
        let start = Instant::now();
        let wait = Duration::from_millis(if number < 5 { 10_000 } else { 50 });
        let has = |own: &u64| numbers.get(HITS + own) > number;
        let enough =
            || if number < 5 { (0..CHECKERS).all(|own| has(&own)) } else { (0..CHECKERS).any(|own| has(&own)) };
        while !enough() && start.elapsed() < wait {
            std::thread::sleep(Duration::from_micros(20));
        }
        met += u64::from(enough());
        let what = match number % 4 {
            0 | 1 => Revocation::Session(key(number)),
            2 => Revocation::Principal(&principal),
            _ => Revocation::All,
        };
        store.revoke(what, clock.now()).unwrap();
        numbers.set(ENDED, number + 1);
        if number % 500 == 0 {
            store.tend(clock.now()).unwrap();
            store.sweep(clock.now(), 10_000);
        }
    }
    for checker in &mut checkers {
        assert!(checker.wait().unwrap().success(), "a checker met the dead");
    }
    assert!(met > ROUNDS / 2, "a checker had a copy in only {met} of {ROUNDS} rounds");
    assert!((0..ROUNDS).all(|number| !is_alive(&store, &clock, number)));
}

/// Logs in and out until it is killed, and says each thing before it begins and once it is acknowledged.
fn write_on(folder: &Path, seed: u64) {
    let (store, clock) = open(folder);
    let mut out = std::io::stdout().lock();
    let mut say = |what: &str, number: u64| {
        writeln!(out, "{what} {number}").unwrap();
        out.flush().unwrap();
    };
    for step in 0.. {
        let number = seed * 1_000_000 + step;
        insert(&store, &clock, number, &format!("Aladdin {}", number % 7));
        say("made", number);
        if step % 3 == 1 {
            say("ending", number - 1);
            store.revoke(Revocation::Session(key(number - 1)), clock.now()).unwrap();
            say("ended", number - 1);
        }
        if let Answer::Hit(record) = store.check(&key(number), clock.now()) {
            assert_ne!(store.touch(&record, None, clock.now()), Ok(Touch::Gone));
        }
    }
}

#[test]
fn a_writer_killed_in_mid_write_a_hundred_times_loses_nothing_acknowledged_and_stalls_nobody() {
    const NAME: &str = "a_writer_killed_in_mid_write_a_hundred_times_loses_nothing_acknowledged_and_stalls_nobody";
    if let Some((_, folder, seed)) = part() {
        return write_on(&folder, seed);
    }
    let scene = Scene::new("killed");
    let (store, clock) = open(&scene.0);
    let (mut made, mut ended, mut slowest) = (Vec::new(), Vec::new(), Duration::ZERO);
    for round in 1..=100 {
        let mut writer = scene.start(NAME, "writer", round);
        let mut words = Words::of(&mut writer);
        let first = words.up_to("made");
        // Somewhere in the middle, at another place each time.
        std::thread::sleep(Duration::from_micros(200 + round * 137 % 9_000));
        writer.kill().unwrap();
        let start = Instant::now();
        insert(&store, &clock, round, "AlexK");
        store.revoke(Revocation::Session(key(round)), clock.now()).unwrap();
        slowest = slowest.max(start.elapsed());
        writer.wait().unwrap();
        let mut unsure = None;
        let (before, gone) = (made.len(), ended.len());
        for line in (first + &words.rest()).lines() {
            match line.split_once(' ').map(|(what, number)| (what, number.parse::<u64>())) {
                Some(("made", Ok(number))) => made.push(number),
                Some(("ending", Ok(number))) => unsure = Some(number),
                Some(("ended", Ok(number))) => {
                    ended.push(number);
                    unsure = None;
                }
                _ => {}
            }
        }
        made.retain(|number| !ended[gone..].contains(number) && Some(*number) != unsure);
        for number in made[before.min(made.len())..].iter().rev().take(50) {
            assert!(is_alive(&store, &clock, *number), "round {round}: an acknowledged log-in is lost");
        }
        assert!(ended[gone..].iter().all(|number| !is_alive(&store, &clock, *number)), "round {round}");
        assert!(!is_alive(&store, &clock, round));
    }
    assert!(slowest < Duration::from_secs(1), "another process waited {slowest:?}");
    drop(store);
    let (store, clock) = open(&scene.0);
    assert!(made.len() > 100 && ended.len() > 30, "{} log-ins, {} log-outs", made.len(), ended.len());
    assert!(made.iter().all(|number| is_alive(&store, &clock, *number)), "and after a restart");
    assert!(ended.iter().all(|number| !is_alive(&store, &clock, *number)), "and after a restart");
    println!("{} log-ins and {} log-outs acknowledged; the longest wait was {slowest:?}", made.len(), ended.len());
}

#[test]
fn a_process_forked_from_one_that_has_the_store_open_is_refused_and_harms_nothing() {
    let scene = Scene::new("forked");
    let (store, clock) = open(&scene.0);
    insert(&store, &clock, 1, "Aladdin");
    // SAFETY: the child uses the store's own calls only, and leaves without running what the parent's exit would run.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0);
    if pid == 0 {
        let refused = |answer: Result<(), janua::base::Error>| answer.is_err_and(|e| e.status == Status::Fork);
        let settings = Settings::new(scene.0.join("state"), Durability::Process, 86_400, Vec::new());
        let good = refused(store.attach())
            && refused(Shared::new(settings, clock.clone()).attach())
            && matches!(store.check(&key(1), clock.now()), Answer::Unavailable)
            && store.revoke(Revocation::All, clock.now()).is_err();
        drop(store);
        // SAFETY: as above.
        unsafe { libc::_exit(i32::from(!good)) };
    }
    let mut status = 0;
    // SAFETY: `status` is a valid place to write to, `pid` a child of this process.
    assert_eq!(unsafe { libc::waitpid(pid, &mut status, 0) }, pid);
    assert_eq!((libc::WIFEXITED(status), libc::WEXITSTATUS(status)), (true, 0));
    insert(&store, &clock, 2, "Aladdin");
    assert!(is_alive(&store, &clock, 1) && is_alive(&store, &clock, 2));
}

/// Places for hashing in the tests, and how long the dead keep theirs.
const PLACES: usize = 4;
const LIFE: Duration = Duration::from_millis(300);

fn permits(folder: &Path) -> Permits {
    let permits = Permits::new(PLACES);
    permits.share(&folder.join("permits"), LIFE).unwrap();
    permits
}

/// Takes every place and keeps it until it is killed.
fn hog(folder: &Path) {
    let permits = permits(folder);
    let _held: Vec<_> = (0..PLACES).map(|_| permits.acquire(Duration::from_secs(10)).unwrap()).collect();
    println!("hogged");
    std::thread::sleep(Duration::from_secs(60));
}

#[test]
fn places_for_hashing_are_the_machines_and_all_come_back_from_the_killed() {
    const NAME: &str = "places_for_hashing_are_the_machines_and_all_come_back_from_the_killed";
    if let Some((_, folder, _)) = part() {
        return hog(&folder);
    }
    let scene = Scene::new("permits");
    let permits = permits(&scene.0);
    for round in 0..20 {
        let mut hog = scene.start(NAME, "hog", round);
        let mut words = Words::of(&mut hog);
        assert!(words.until("hogged"), "the hog says nothing");
        if round == 0 {
            assert_eq!(permits.acquire(Duration::ZERO).err(), Some(Reason::Busy), "all are another process's");
        }
        hog.kill().unwrap();
        hog.wait().unwrap();
    }
    let held: Vec<_> = (0..PLACES).map(|_| permits.acquire(Duration::from_secs(5)).unwrap()).collect();
    assert_eq!(permits.acquire(Duration::from_millis(20)).err(), Some(Reason::Busy), "and no more than there are");
    drop(held);
}

/// Opens the store and says how that went.
fn try_to_open(folder: &Path) {
    if folder.metadata().is_ok_and(|found| std::os::unix::fs::MetadataExt::uid(&found) == 0) {
        // SAFETY: gives up the rights of root, which no folder's mode would hold up.
        assert_eq!(unsafe { libc::setuid(65_534) }, 0);
    }
    let settings = Settings::new(folder.join("state"), Durability::Process, 86_400, Vec::new());
    match Shared::new(settings, Clock::system()).attach() {
        Ok(()) => println!("opened"),
        Err(error) => println!("{:?}: {}", error.status, error.message),
    }
}

#[test]
fn a_store_of_another_user_is_refused_with_a_word_on_it() {
    const NAME: &str = "a_store_of_another_user_is_refused_with_a_word_on_it";
    if let Some((_, folder, _)) = part() {
        return try_to_open(&folder);
    }
    let scene = Scene::new("another");
    drop(open(&scene.0));
    let said = || {
        let output = scene.start(NAME, "another", 0).wait_with_output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    // For root the other user is nobody; for anybody else a folder without rights is as good as another's.
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(scene.0.join("state"), PermissionsExt::from_mode(0o000)).unwrap();
    let text = said();
    std::fs::set_permissions(scene.0.join("state"), PermissionsExt::from_mode(0o700)).unwrap();
    let says = match std::os::unix::fs::MetadataExt::uid(&scene.0.metadata().unwrap()) {
        0 => ["Invalid: ", "belongs to user 0, and this process runs as user 65534; run all processes as its owner"],
        _ => ["Unavailable: ", "belongs to another user?"],
    };
    assert!(says.iter().all(|word| text.contains(word)), "{text}");
    drop(open(&scene.0));
}
