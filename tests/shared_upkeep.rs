//! What keeps the shared store small, and open to all who read: pages and readers' places that come back, also from
//! processes that were killed while they read.
//!
//! `JANUA_TEST_SOAK=1` makes the churn an hour long (`make soak`); else it is a few minutes of it.

#![cfg(all(target_os = "linux", feature = "shared"))]

mod children;
mod shared;

use children::{Scene, Words, part};
use heed::{Env, EnvOpenOptions, WithoutTls};
use janua::base::{Clock, Reason};
use janua::session::{NewSession, Record};
use janua::store::shared::Durability;
use janua::store::{Answer, Revocation, Store};
use shared::{Place, START, key};
use std::io::{BufRead, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Child, Command};

/// Places for readers in each environment.
const PLACES: usize = 4_096;

const READERS: u64 = 3;

/// The pages of an environment up to the last one that was ever used, as its newest head says.
fn pages(folder: &Path, name: &str) -> u64 {
    let file = std::fs::File::open(folder.join("state").join(name).join("data.mdb")).unwrap();
    let head = |page: u64| {
        let mut bytes = [0; 16];
        // LMDB's `mm_last_pg` and `mm_txnid`, on a machine of 64 bits.
        file.read_exact_at(&mut bytes, page * 4_096 + 136).unwrap();
        let (last, number) = bytes.split_at(8);
        (u64::from_ne_bytes(number.try_into().unwrap()), u64::from_ne_bytes(last.try_into().unwrap()))
    };
    head(0).max(head(1)).1
}

/// The same environment without the store around it: somebody who begins to read and never ends.
fn environment(folder: &Path, name: &str) -> Env<WithoutTls> {
    let mut options = EnvOpenOptions::new().read_txn_without_tls();
    options.map_size(1 << 30).max_readers(PLACES as u32).max_dbs(8);
    // SAFETY: the store's own file, opened as the store opens it; this process has it open once.
    unsafe { options.open(folder.join("state").join(name)) }.unwrap()
}

/// Reads and uses what there is, as time passes; or begins to read, and is killed.
fn read_on(folder: &Path, own: u64) {
    if own == READERS {
        let (sessions, revocations) = (environment(folder, "sessions"), environment(folder, "revocations"));
        let _held = (sessions.read_txn().unwrap(), revocations.read_txn().unwrap());
        println!("reading");
        std::thread::sleep(std::time::Duration::from_secs(600));
        return;
    }
    let place = Place::open(folder, Durability::Process, Clock::fake(START));
    println!("reading");
    for line in std::io::stdin().lock().lines() {
        let upto: u64 = line.unwrap().parse().unwrap();
        place.clock.advance(STEP);
        for number in (upto.saturating_sub(120)..upto).filter(|number| number % READERS == own) {
            if let Answer::Hit(record) = place.store.check(&key(number), place.clock.now()) {
                place.store.touch(&record, None, place.clock.now()).unwrap();
            }
        }
        place.store.tend(place.clock.now()).unwrap();
        place.sweep();
        println!("turn over");
    }
}

/// Seconds in a turn.
const STEP: i64 = 10;

struct Reader(Child, Words);

impl Reader {
    fn start(scene: &Scene, test: &str, own: u64) -> Reader {
        let mut child = scene.start(test, "reader", own);
        let mut words = Words::of(&mut child);
        assert!(words.until("reading"));
        Reader(child, words)
    }

    fn turn(&mut self, upto: u64) {
        writeln!(self.0.stdin.as_mut().unwrap(), "{upto}").unwrap();
        assert!(self.1.until("turn over"));
    }

    fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[test]
fn churn_of_several_processes_one_killed_while_it_reads_leaves_the_files_as_large_as_they_were() {
    const NAME: &str = "churn_of_several_processes_one_killed_while_it_reads_leaves_the_files_as_large_as_they_were";
    if let Some((_, folder, own)) = part() {
        return read_on(&folder, own);
    }
    let turns = if std::env::var_os("JANUA_TEST_SOAK").is_some() { 360 } else { 80 };
    let scene = Scene::new("churn");
    let place = Place::open(&scene.0, Durability::Process, Clock::fake(START));
    let mut readers: Vec<_> = (0..READERS).map(|own| Reader::start(&scene, NAME, own)).collect();
    let (mut made, mut sizes) = (0, Vec::new());
    for turn in 0..turns {
        // The last hour's shape from the first quarter on: short sessions, so that all of them come and go.
        for _ in 0..20 {
            let new = NewSession::of(&format!("user {}", made % 7), 30, 90, place.store.seq().unwrap());
            place.store.insert(key(made), Record::new(new, place.clock.now()), 1_000, place.clock.now()).unwrap();
            if made % 5 == 4 {
                place.store.revoke(Revocation::Session(key(made - 1)), place.clock.now()).unwrap();
            }
            made += 1;
        }
        if turn % 10 == 5 {
            // Held at this snapshot for ever, if its place is not cleared.
            Reader::start(&scene, NAME, READERS).kill();
        }
        place.clock.advance(STEP);
        place.store.tend(place.clock.now()).unwrap();
        place.sweep();
        readers.iter_mut().for_each(|reader| reader.turn(made));
        sizes.push(["sessions", "revocations"].map(|name| pages(&scene.0, name)));
    }
    readers.into_iter().for_each(Reader::kill);
    // The log keeps a thousand entries before it is shortened, and digests for two hours.
    let quarter = turns / 4;
    let most = |from: usize, to: usize, which: usize| sizes[from..to].iter().map(|size| size[which]).max().unwrap();
    let (early, late) = (most(0, quarter, 0), most(quarter, turns, 0));
    println!(
        "sessions: {early} pages in the first quarter, {late} later; revocations: {} at the end",
        sizes[turns - 1][1]
    );
    assert!(late <= early + early / 8, "{sizes:?}");
    assert!(sizes[turns - 1][1] < 60 + made / 20, "{sizes:?}");
}

/// Threads of a process that read without end.
const THREADS: u64 = 64;

fn read_in_threads(folder: &Path, own: u64) {
    if own >= 100 {
        let envs = ["sessions", "revocations"].map(|name| environment(folder, name));
        let held: Vec<_> = envs.iter().flat_map(|env| (0..PLACES).map_while(|_| env.read_txn().ok())).collect();
        println!("{} places\nreading", held.len());
        std::thread::sleep(std::time::Duration::from_secs(600));
        return;
    }
    let place = Place::open(folder, Durability::Process, Clock::fake(START));
    println!("reading");
    std::thread::scope(|threads| {
        for thread in 0..THREADS {
            let place = &place;
            threads.spawn(move || {
                for look in 0..400 {
                    // Nobody is in the copies twice: each look reads a row and the log.
                    let number = (own * THREADS + thread) * 1_000 + look;
                    assert_eq!(place.why(number), Some(Reason::SessionUnknown));
                    assert!(place.store.list(place.clock.now(), 10).is_ok());
                }
            });
        }
    });
    place.store.tend(place.clock.now()).unwrap();
}

#[test]
fn many_threads_of_several_processes_always_have_a_place_to_read() {
    const NAME: &str = "many_threads_of_several_processes_always_have_a_place_to_read";
    if let Some((_, folder, own)) = part() {
        return read_in_threads(&folder, own);
    }
    let scene = Scene::new("places");
    let place = Place::open(&scene.0, Durability::Process, Clock::fake(START));
    (1_000_000..1_000_020).for_each(|number| place.insert(number, "Aladdin"));
    let readers: Vec<_> = (0..4).map(|own| scene.start(NAME, "reader", own)).collect();
    for reader in readers {
        let output = reader.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
}

#[test]
fn when_all_places_are_taken_it_says_so_and_those_of_the_killed_come_back() {
    const NAME: &str = "when_all_places_are_taken_it_says_so_and_those_of_the_killed_come_back";
    if let Some((_, folder, own)) = part() {
        return read_in_threads(&folder, own);
    }
    let scene = Scene::new("taken");
    let place = Place::open(&scene.0, Durability::Process, Clock::fake(START));
    place.insert(1, "Aladdin");
    place.insert(2, "AlexK");
    place.store.tend(place.clock.now()).unwrap();
    let greedy = Reader::start(&scene, NAME, 100);
    assert!(place.lives(1), "whose copy is here needs none");
    assert_eq!(place.why(3), Some(Reason::StoreUnavailable), "unavailable is not no");
    let told = place.store.tend(place.clock.now()).unwrap_err();
    assert!(told.message.contains("all 4096 places for readers are taken"), "{}", told.message);
    assert!(place.try_insert(3, "Aladdin").is_err());
    greedy.kill();
    let _ = place.store.tend(place.clock.now());
    assert_eq!(place.store.tend(place.clock.now()), Ok(()));
    assert_eq!(place.why(3), Some(Reason::SessionUnknown));
    assert!(place.lives(1) && place.lives(2));
    place.insert(3, "Aladdin");
}

/// Plays a part as the first process of a namespace of its own: both have one number. `None`: not here.
fn first_of_its_own(scene: &Scene, test: &str, part: &str) -> Option<Reader> {
    let tried = Command::new("unshare").args(["-rpf", "--kill-child", "true"]).status();
    if !tried.is_ok_and(|tried| tried.success()) {
        println!("no process namespaces here");
        return None;
    }
    let mut command = Command::new("unshare");
    command.args(["-rpf", "--kill-child"]).arg(std::env::current_exe().unwrap());
    children::arm(&mut command, &scene.0, test, part, READERS);
    let mut child = command.spawn().unwrap();
    let mut words = Words::of(&mut child);
    assert!(words.until("reading"));
    Some(Reader(child, words))
}

#[test]
fn places_of_a_killed_process_whose_number_another_one_has_now_come_back() {
    const NAME: &str = "places_of_a_killed_process_whose_number_another_one_has_now_come_back";
    if let Some((part, folder, own)) = part() {
        return read_on(&folder, if part == "next" { 0 } else { own });
    }
    let scene = Scene::new("number");
    let place = Place::open(&scene.0, Durability::Process, Clock::fake(START));
    place.insert(0, "Aladdin");
    let Some(killed) = first_of_its_own(&scene, NAME, "reader") else { return };
    killed.kill();
    // Nobody has cleared its places when the next one comes, and holds the lock that stands for the number.
    let Some(mut next) = first_of_its_own(&scene, NAME, "next") else { return };
    next.turn(1);
    let mut sizes = Vec::new();
    for turn in 0..40 {
        for number in 0..20 {
            place.insert(1 + turn * 20 + number, "Aladdin");
        }
        place.clock.advance(i64::from(shared::ABSOLUTE));
        place.store.tend(place.clock.now()).unwrap();
        place.sweep();
        sizes.push(["sessions", "revocations"].map(|name| pages(&scene.0, name)));
    }
    next.kill();
    println!("pages: {:?} at first, {:?} at the end", sizes[9], sizes[39]);
    assert!(sizes[39][0] <= sizes[9][0] + 40, "{sizes:?}");
}
