//! Keys in the store, over real processes: those that start together have one key, rotation under load refuses no good
//! token, whatever happens to the document the last good keys stay, and a process killed while it rotates harms nothing.
//!
//! Each test runs this program again, told by a variable which part it plays. The processes share numbers in a file, among
//! them the time: their clocks are moved by hand, by less than clocks may differ.

#![cfg(all(unix, feature = "shared"))]

mod children;
mod house;
mod town;

use children::{Numbers, Words, part, said};
use house::{Ears, House, VAULT};
use janua::base::Clock;
use janua::base::encoding::hex;
use janua::crypto::keyring::PUBLISH_LEAD;
use janua::crypto::keyring_change::{Haste, publish, retire, rotate};
use janua::crypto::{Master, RingPlace, State};
use janua::engine::{Outcome, WaitClass};
use janua::store::Store;
use janua::store::shared::{Durability, Settings, Shared};
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};
use town::{Node, STORED, engine};

const ALEX: &str = "6f0e0d7a-6b0b-4a39-9d7e-0f3c5b6a7c81";
const DOCUMENT: &str = "keyring data.example.org";

/// Processes under load.
const NODES: u64 = 3;

/// Seconds by which the clocks are moved at once: less than a token may seem to come from the future.
const STEP: u64 = 50;

/// Seconds since the beginning; whether all is over; whether tokens rest.
const TIME: u64 = 0;
const OVER: u64 = 1;
const REST: u64 = 2;
/// From here on one for each process.
const TIMES: u64 = 8;
const GENERATIONS: u64 = 16;
const RESTING: u64 = 24;
const CHECKED: u64 = 32;
const ALARMS: u64 = 40;
const ERRORS: u64 = 48;

struct Scene {
    house: House,
    numbers: Numbers,
    test: &'static str,
    children: Vec<Child>,
}

impl Scene {
    /// A folder with users and a master key, and no store.
    fn new(test: &'static str) -> Scene {
        let house = House::new();
        Master::create(&house.folder.join("master.key"), None).unwrap();
        Scene { numbers: Numbers::open(&house.folder), house, test, children: Vec::new() }
    }

    /// Starts this program in its part of the test.
    fn child(&self, own: u64) -> Child {
        children::program(&self.house.folder, self.test, "node", own).spawn().unwrap()
    }

    fn place(&self) -> RingPlace {
        let looking = engine(&self.house.folder, &self.house.clock, &Ears::default(), STORED).unwrap();
        looking.keyring_place().unwrap().unwrap()
    }

    fn now(&self) -> i64 {
        self.house.clock.now().unix()
    }

    /// Waits until this holds for the number of every process.
    fn until(&mut self, at: u64, what: &str, holds: impl Fn(u64) -> bool) {
        self.until_each(at, what, |_, number| holds(number));
    }

    fn until_each(&mut self, at: u64, what: &str, holds: impl Fn(u64, u64) -> bool) {
        let start = Instant::now();
        while !(0..NODES).all(|own| holds(own, self.numbers.get(at + own))) {
            for child in &mut self.children {
                assert!(child.try_wait().unwrap().is_none(), "a process has ended, waiting for: {what}");
            }
            let seen: Vec<u64> = (0..NODES).map(|own| self.numbers.get(at + own)).collect();
            assert!(start.elapsed() < Duration::from_secs(60), "waited a minute for: {what}, seen {seen:?}");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Starts all processes, and waits until each makes and checks tokens.
    fn start_all(&mut self) {
        self.children = (0..NODES).map(|own| self.child(own)).collect();
        self.until(CHECKED, "all have begun", |checked| checked > 0);
    }

    /// Lets so much time pass for all, step by step.
    fn pass(&mut self, seconds: i64) {
        let end = self.numbers.get(TIME) + u64::try_from(seconds).unwrap();
        while self.numbers.get(TIME) < end {
            let time = end.min(self.numbers.get(TIME) + STEP);
            self.house.clock.advance(i64::try_from(time - self.numbers.get(TIME)).unwrap());
            self.numbers.set(TIME, time);
            self.until(TIMES, "all have the time", |seen| seen == time);
        }
    }

    /// Lets each process do so many more checks.
    fn checks(&mut self, more: u64) {
        let before: Vec<u64> = (0..NODES).map(|own| self.numbers.get(CHECKED + own)).collect();
        self.until_each(CHECKED, "checks go on", |own, checked| checked >= before[own as usize] + more);
    }

    /// Ends all processes; none of them has met a refusal.
    fn end(mut self) -> Scene {
        self.numbers.set(OVER, 1);
        for child in &mut self.children {
            assert!(child.wait().unwrap().success(), "a process met a refusal");
        }
        self.children.clear();
        self
    }

    fn sum(&self, at: u64) -> u64 {
        (0..NODES).map(|own| self.numbers.get(at + own)).sum()
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The tokens of another process, as far as they were read.
struct Others {
    file: PathBuf,
    read: usize,
    tokens: Vec<String>,
}

impl Others {
    fn read_on(&mut self) {
        let text = std::fs::read_to_string(&self.file).unwrap_or_default();
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        self.tokens.extend(text.get(self.read..whole).unwrap_or_default().lines().map(str::to_owned));
        self.read = whole;
    }
}

/// Asks as a host asks: from its event loop first, and where that would wait once more.
fn is_good(node: &Node, token: &str) -> bool {
    match node.check(token, true) {
        (_, Some(class)) => class == WaitClass::Store && node.check(token, false).0.outcome() == Outcome::Allow,
        (out, None) => out.outcome() == Outcome::Allow,
    }
}

/// Makes tokens, and checks those of all processes, until all is over.
fn serve(folder: &Path, own: u64) {
    let (numbers, clock, ears) = (Numbers::open(folder), Clock::fake(house::START), Ears::default());
    let mut time = numbers.get(TIME);
    clock.advance(i64::try_from(time).unwrap());
    let keys = STORED.replacen("[store]", "rotate='15d'\n[token]\nlifetime='100d'\n[store]", 1);
    let engine = engine(folder, &clock, &ears, &keys).unwrap();
    if own == NODES {
        // One too many: it only tries.
        std::process::exit(i32::from(engine.attach().is_err()));
    }
    let node = Node::new(engine, ears);
    let name = |own: u64| folder.join(format!("tokens-{own}"));
    let mut mine = OpenOptions::new().create(true).append(true).open(name(own)).unwrap();
    let mut others: Vec<Others> =
        (0..NODES).map(|own| Others { file: name(own), read: 0, tokens: Vec::new() }).collect();
    let (mut errors, mut checked, mut turn) = (0, 0, own);
    while numbers.get(OVER) == 0 {
        let now = numbers.get(TIME);
        clock.advance(i64::try_from(now - time).unwrap());
        time = now;
        errors += u64::from(node.maintain().is_err());
        numbers.set(ERRORS + own, errors);
        numbers.set(ALARMS + own, node.alarms() as u64 + node.alarms_of("rotation") as u64);
        numbers.set(GENERATIONS + own, node.engine.keyring_generation());
        numbers.set(TIMES + own, time);
        let rests = numbers.get(REST);
        numbers.set(RESTING + own, rests);
        if rests > 0 {
            continue;
        }
        let token = node.site.token_issue("access", ALEX, VAULT, "", 0).unwrap();
        assert!(is_good(&node, &token), "{own}: its own");
        writeln!(mine, "{token}").unwrap();
        for there in &mut others {
            let before = there.tokens.len();
            there.read_on();
            turn = turn.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let older = (turn >> 33) as usize % there.tokens.len().max(1);
            for token in there.tokens[before..].iter().chain(there.tokens.get(older)) {
                assert!(is_good(&node, token), "{own}: {:?}", node.check(token, false).0.reason());
                checked += 1;
            }
        }
        numbers.set(CHECKED + own, checked);
    }
}

/// Sites that begin in one store, each at one moment in all processes: the store is open by then, so that nothing but the
/// keys is left to stand in line for.
const SITES: u64 = 100;

/// Attaches to each site together with the others, and says which key it got.
fn begin(folder: &Path, own: u64) {
    let (numbers, ears, clock) = (Numbers::open(folder), Ears::default(), Clock::fake(house::START));
    let mut attached = Vec::new();
    for site in 0..SITES {
        let keys = format!("[engine]\nsite='{site}.example.org'\n{STORED}");
        let engine = engine(folder, &clock, &ears, &keys).unwrap();
        numbers.set(TIMES + own, site + 1);
        while (0..NODES).any(|own| numbers.get(TIMES + own) <= site) {
            std::thread::yield_now();
        }
        engine.attach().unwrap();
        println!("key {site} {}", hex(&engine.minted()[0].0));
        attached.push(engine);
    }
}

#[test]
fn processes_that_start_together_have_one_key() {
    const NAME: &str = "processes_that_start_together_have_one_key";
    if let Some((_, folder, own)) = part() {
        return begin(&folder, own);
    }
    let scene = Scene::new(NAME);
    let children: Vec<Child> = (0..NODES).map(|own| scene.child(own)).collect();
    let mut keys = vec![Vec::new(); usize::try_from(SITES).unwrap()];
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        for line in String::from_utf8(output.stdout).unwrap().lines() {
            let Some(said) = line.strip_prefix("key ") else { continue };
            let (site, key) = said.split_once(' ').unwrap();
            keys[site.parse::<usize>().unwrap()].push(key.to_owned());
        }
    }
    let one = |keys: &Vec<String>| keys.len() as u64 == NODES && keys.iter().all(|key| *key == keys[0]);
    let apart: Vec<_> = keys.iter().filter(|keys| !one(keys)).collect();
    assert!(apart.is_empty(), "{apart:?}");
    keys.iter_mut().for_each(|keys| keys.truncate(1));
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len() as u64, SITES, "each site has its own");
}

/// Invariant 15 over processes.
#[test]
fn invariant_15_rotation_under_load_over_processes_refuses_no_good_token() {
    const NAME: &str = "invariant_15_rotation_under_load_over_processes_refuses_no_good_token";
    if let Some((_, folder, own)) = part() {
        return serve(&folder, own);
    }
    let mut scene = Scene::new(NAME);
    scene.start_all();
    let place = scene.place();
    for round in 0..4 {
        let rotated = rotate(&place, scene.now(), Haste::Lead(PUBLISH_LEAD)).unwrap();
        let generation = place.load(scene.now()).unwrap().generation();
        scene.until(GENERATIONS, "all follow", |seen| seen >= generation);
        scene.pass(rotated.signs_from - scene.now());
        scene.checks(20);
        publish(&place, scene.now(), PUBLISH_LEAD).unwrap();
        scene.until(GENERATIONS, "all follow", |seen| seen > generation);
        scene.pass(PUBLISH_LEAD);
        if round == 1 {
            // One is killed, and another takes its place.
            scene.children[0].kill().unwrap();
            scene.children[0].wait().unwrap();
            scene.numbers.set(GENERATIONS, 0);
            scene.children[0] = scene.child(0);
            scene.until(GENERATIONS, "the new one attaches", |seen| seen > generation);
        }
    }
    // Half a month later all of them find the key due at once, and one rotates.
    let before = place.load(scene.now()).unwrap().generation();
    scene.numbers.set(REST, 1);
    scene.until(RESTING, "no token is made", |rests| rests == 1);
    let jump = 15 * 86_400;
    scene.house.clock.advance(jump);
    scene.numbers.set(TIME, scene.numbers.get(TIME) + u64::try_from(jump).unwrap());
    scene.until(GENERATIONS, "one of them rotates", |seen| seen > before);
    scene.numbers.set(REST, 0);
    scene.pass(PUBLISH_LEAD + 1);
    scene.checks(50);
    assert_eq!(place.load(scene.now()).unwrap().generation(), before + 1, "one, not each");
    let scene = scene.end();
    assert_eq!((scene.sum(ERRORS), scene.sum(ALARMS)), (0, 0));
    let keys = place.load(scene.now()).unwrap().keys().len();
    println!("{} checks of tokens of {keys} keys, none refused", scene.sum(CHECKED));
    assert!(keys >= 6);
}

#[test]
fn whatever_happens_to_the_document_running_processes_go_on_and_tell_one_alarm() {
    const NAME: &str = "whatever_happens_to_the_document_running_processes_go_on_and_tell_one_alarm";
    if let Some((_, folder, own)) = part() {
        return serve(&folder, own);
    }
    let mut scene = Scene::new(NAME);
    scene.start_all();
    let place = scene.place();
    let settings = Settings::new(scene.house.folder.join("state"), Durability::Process, 400 * 86_400, Vec::new());
    let store = Shared::new(settings, scene.house.clock.clone());
    store.attach().unwrap();
    let there = || store.document(DOCUMENT).unwrap().unwrap();
    let put = |bytes: &[u8]| assert_eq!(store.replace_document(DOCUMENT, Some(&there()), bytes), Ok(true));
    let old = there();
    publish(&place, scene.now(), PUBLISH_LEAD).unwrap();
    scene.until(GENERATIONS, "all follow", |seen| seen == 2);
    let good = there();
    let mut torn = good.clone();
    *torn.last_mut().unwrap() ^= 1;
    for (alarms, bad) in (1..).zip([&b"OpenSesame"[..], b"", &torn, &old]) {
        let errors = scene.sum(ERRORS);
        put(bad);
        scene.until(ALARMS, "each tells it", |told| told == alarms);
        scene.checks(30);
        assert!(scene.sum(ERRORS) > errors + NODES);
        assert!((0..NODES).all(|own| scene.numbers.get(ALARMS + own) == alarms), "told once");
        let refused = scene.child(NODES).wait().unwrap();
        assert_eq!(refused.success(), bad == old, "who starts has nothing to compare an older one with");
        put(&good);
        scene.checks(10);
    }
    rotate(&place, scene.now(), Haste::Lead(PUBLISH_LEAD)).unwrap();
    scene.until(GENERATIONS, "all follow again", |seen| seen == 3);
    scene.end();
}

/// Rotates and retires until it is killed, and says each generation once it is there.
fn turn(folder: &Path) {
    let clock = Clock::system();
    let engine = engine(folder, &clock, &Ears::default(), STORED).unwrap();
    engine.attach().unwrap();
    let place = engine.keyring_place().unwrap().unwrap();
    let mut out = std::io::stdout().lock();
    loop {
        let now = clock.now().unix();
        let old = place.load(now).unwrap().signing(now).unwrap().id();
        rotate(&place, now, Haste::AtOnce).unwrap();
        retire(&place, now, &old).unwrap();
        writeln!(out, "at {}", place.load(now).unwrap().generation()).unwrap();
        out.flush().unwrap();
    }
}

#[test]
fn a_process_killed_while_it_rotates_leaves_a_whole_ring_and_takes_no_change_back() {
    const NAME: &str = "a_process_killed_while_it_rotates_leaves_a_whole_ring_and_takes_no_change_back";
    if let Some((_, folder, _)) = part() {
        return turn(&folder);
    }
    let scene = Scene::new(NAME);
    let place = scene.place();
    let mut highest = 0;
    for round in 1..=30_u64 {
        let mut child = scene.child(0);
        let mut words = Words::of(&mut child);
        let text = words.up_to("at ");
        std::thread::sleep(Duration::from_micros(round * 337 % 9_000));
        child.kill().unwrap();
        child.wait().unwrap();
        let said = said(&(text + &words.rest()), "at ");
        let now = Clock::system().now().unix();
        let ring = place.load(now).unwrap();
        assert!(ring.generation() >= said.into_iter().max().unwrap().max(highest), "round {round}");
        highest = ring.generation();
        // What a killed one left unretired would fill the ring in the end.
        rotate(&place, now, Haste::AtOnce).unwrap();
        let ring = place.load(now).unwrap();
        for key in ring.keys().iter().filter(|key| key.state(now) == State::VerifyOnly) {
            retire(&place, now, &key.id()).unwrap();
        }
    }
    println!("{highest} generations, 30 processes killed");
    assert!(highest > 90);
}
