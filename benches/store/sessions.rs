//! A million sessions in each store, a tenth of them in use: memory, files, what a check takes, and how long the longest
//! one takes while others sweep. At the level of the store: `Store::check` and nothing around it.
//!
//! Each store has a process of its own, so that its memory is its own.

use crate::logins::Scene;
#[cfg(feature = "redis")]
use crate::redis_server::RedisServer;
use janua::base::Clock;
use janua::crypto::digest::Digest;
use janua::session::{NewSession, Record, id};
use janua::store::memory::{Memory, Older};
use janua::store::shared::{Durability, Settings, Shared};
use janua::store::{Answer, Revocation, Store, memory};
use std::path::Path;
use std::process::{Child, Command};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Makes a store in a folder, or where a file in it says.
type Make = fn(&Clock, &Path) -> Box<dyn Store>;

/// The stores. One more is one line more.
const STORES: &[(&str, Make)] = &[
    ("memory", in_memory),
    ("shared", in_shared),
    #[cfg(feature = "redis")]
    ("redis", on_redis),
];

const START: i64 = 1_767_225_600;
const WRITERS: u64 = 8;

fn in_memory(clock: &Clock, _: &Path) -> Box<dyn Store> {
    let settings = memory::Settings { longest_secs: 43_200, older: Older::Refused, floors: Vec::new() };
    Box::new(Memory::new(settings, clock.now()).expect("random bytes"))
}

fn in_shared(clock: &Clock, folder: &Path) -> Box<dyn Store> {
    Box::new(Shared::new(Settings::new(folder.join("state"), Durability::Process, 43_200, Vec::new()), clock.clone()))
}

/// The server that a file in the folder names.
#[cfg(feature = "redis")]
fn on_redis(clock: &Clock, folder: &Path) -> Box<dyn Store> {
    use janua::crypto::MacKey;
    use janua::store::{Redis, redis};
    let url = std::fs::read_to_string(folder.join(SERVER)).expect("the server's address");
    let keys = redis::Keys::new(MacKey::new(&[1; 32]), MacKey::new(&[2; 32]));
    let settings =
        redis::Settings::new(redis::Server::parse(&url).expect("an address"), "data.example.org", keys, 43_200);
    // A script of another process may be in front, and a busy machine behind.
    let timeout = Duration::from_secs(5);
    Box::new(Redis::new(redis::Settings { server_time: false, timeout, ..settings }, clock.clone()))
}

/// The files with the address of the server, and with its process's number.
const SERVER: &str = "server";
const SERVER_PID: &str = "server.pid";

/// Starts what a store needs beside this process.
#[cfg(feature = "redis")]
fn beside(name: &str, folder: &Path) -> Option<RedisServer> {
    let slow = ["--slowlog-log-slower-than", "500", "--slowlog-max-len", "100000"];
    let server = (name == "redis").then(|| RedisServer::start(&slow))?;
    std::fs::write(folder.join(SERVER), server.socket_url()).expect("it is written");
    std::fs::copy(server.folder.join("pid"), folder.join(SERVER_PID)).expect("it is written");
    Some(server)
}

/// The longest that the server says it spent on one call since it was last asked, and how many took over 500 us.
#[cfg(feature = "redis")]
fn tell_slow(server: &RedisServer) {
    let longest = "local l = redis.call('SLOWLOG', 'GET', -1) local m = 0 \
        for _, e in ipairs(l) do m = math.max(m, e[3]) end redis.call('SLOWLOG', 'RESET') return { m, #l }";
    let said = server.ask(&["EVAL", longest, "0"]);
    let numbers: Vec<_> = said.lines().filter_map(|line| line.strip_prefix(':')).collect();
    println!("    the server's longest call: {} us, {} over 500 us", numbers[0], numbers[1]);
}

/// Bytes of the server in memory.
#[cfg(feature = "redis")]
fn tell_server(server: &RedisServer) {
    let said = server.ask(&["INFO", "memory"]);
    let used =
        said.lines().find_map(|line| line.strip_prefix("used_memory:")).and_then(|text| text.trim().parse().ok());
    println!("  memory of the server {:.0} MiB", mib(used.unwrap_or(0)));
}

fn open(name: &str, clock: &Clock, folder: &Path) -> Box<dyn Store> {
    let (_, make) = STORES.iter().find(|(known, _)| *known == name).expect("a store of that name");
    let store = make(clock, folder);
    store.attach().expect("the store opens");
    store
}

fn key(number: u64) -> Digest {
    id::key("data.example.org", "form", "", &number.to_be_bytes())
}

/// Runs each store, or the one of the name, in a process of its own.
pub fn run(count: u64, only: Option<&str>) {
    for (name, _) in STORES.iter().filter(|(name, _)| only.is_none_or(|only| only == *name)) {
        let status = again(&[format!("part={name}"), format!("sessions={count}")]).wait();
        assert!(status.is_ok_and(|status| status.success()), "{name} has failed");
    }
}

fn again(words: &[String]) -> Child {
    Command::new(std::env::current_exe().expect("this program")).args(words).spawn().expect("it starts")
}

/// Everything about one store.
pub fn part(name: &str, count: u64) {
    let (scene, clock) = (Scene::new(), Clock::fake(START));
    #[cfg(feature = "redis")]
    let server = beside(name, &scene.0);
    let (anonymous, files) = resident();
    let store = open(name, &clock, &scene.0);
    let start = Instant::now();
    fill(store.as_ref(), &clock, count);
    let took = start.elapsed();
    let (now_anonymous, now_files) = resident();
    let disk: u64 = size(&scene.0);
    println!("{name}: {count} sessions, {:.0} log-ins/s", count as f64 / took.as_secs_f64());
    println!(
        "  memory {:.0} MiB of its own, {:.0} MiB of mapped files; {:.0} MiB on disk",
        mib(now_anonymous - anonymous),
        mib(now_files - files),
        mib(disk)
    );
    #[cfg(feature = "redis")]
    server.iter().for_each(tell_server);
    use_some(store.as_ref(), &clock, count);
    checks("all sessions in turn", store.as_ref(), &clock, count, 1);
    checks("the same 10,000", store.as_ref(), &clock, count, count / 10_000);
    let scene = Pauses { store: store.as_ref(), clock: &clock, count, folder: &scene.0, aside: Aside::default() };
    scene.all(name, || {
        #[cfg(feature = "redis")]
        server.iter().for_each(tell_slow);
    });
}

fn fill(store: &dyn Store, clock: &Clock, count: u64) {
    std::thread::scope(|threads| {
        for writer in 0..WRITERS {
            threads.spawn(move || {
                for number in (writer..count).step_by(WRITERS as usize) {
                    let seq = store.seq().expect("the store answers");
                    // Idle ends spread over half an hour, as log-ins would spread them.
                    let idle = 1_800 + (number % 1_800) as u32;
                    let record =
                        Record::new(NewSession::of(&format!("user {}", number / 4), idle, 43_200, seq), clock.now());
                    store.insert(key(number), record, 100, clock.now()).expect("it is stored");
                }
            });
        }
    });
}

/// A tenth is used, and a thousand log out.
fn use_some(store: &dyn Store, clock: &Clock, count: u64) {
    clock.advance(120);
    let start = Instant::now();
    for number in (0..count).step_by(10) {
        let Answer::Hit(record) = store.check(&key(number), clock.now()) else { panic!("{number} is not there") };
        store.touch(&record, None, clock.now()).expect("it is touched");
        if number % 40_000 == 0 {
            store.tend(clock.now()).expect("it is tended");
        }
    }
    store.tend(clock.now()).expect("it is tended");
    println!("  a tenth used: {:.1} us a use, written down", start.elapsed().as_secs_f64() * 1e6 / (count / 10) as f64);
    for number in (5..count).step_by((count / 1_000).max(1) as usize) {
        store.revoke(Revocation::Session(key(number)), clock.now()).expect("it is revoked");
    }
}

/// Numbers below `count` in an order that no cache foresees.
fn scattered(count: u64) -> impl Iterator<Item = u64> {
    (0_u64..).map(move |turn| (turn.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20) % count)
}

fn checks(what: &str, store: &dyn Store, clock: &Clock, count: u64, every: u64) {
    let keys: Vec<_> = scattered(count / every.max(1)).take(300_000).map(|number| key(number * every.max(1))).collect();
    let warm = if every > 1 { keys.len() } else { 0 };
    keys.iter().take(warm).for_each(|key| drop(store.check(key, clock.now())));
    let mut took: Vec<_> = keys
        .iter()
        .map(|key| {
            let start = Instant::now();
            assert!(!matches!(store.check(key, clock.now()), Answer::Unavailable));
            start.elapsed()
        })
        .collect();
    took.sort_unstable();
    let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize].as_nanos();
    println!("  check, {what}: p50 {} ns, p99 {} ns, p99.9 {} ns", at(0.5), at(0.99), at(0.999));
}

/// When the thread that sweeps had work and no processor: a check that waited for it then says nothing of the sweep.
type Aside = Mutex<Vec<(Instant, Instant)>>;

/// What the longest checks are measured with.
struct Pauses<'a> {
    store: &'a dyn Store,
    clock: &'a Clock,
    count: u64,
    folder: &'a Path,
    aside: Aside,
}

impl Pauses<'_> {
    /// The longest check beside nobody, beside a thread that sweeps, and beside a process that does.
    fn all(&self, name: &str, tell_server: impl Fn()) {
        let tell = |what: &str, seen: &Longest| {
            seen.tell(what, &self.aside);
            tell_server();
        };
        tell_server();
        tell("beside nobody", &self.checked());
        self.clock.advance(1_800);
        let over = AtomicBool::new(false);
        let (longest, swept) = std::thread::scope(|threads| {
            let sweeper = threads.spawn(|| sweep(self.store, self.clock, self.folder, &over, &self.aside));
            let longest = self.checked();
            over.store(true, Ordering::Relaxed);
            (longest, sweeper.join().expect("the sweeper"))
        });
        tell(&format!("beside a thread that looked at {swept}"), &longest);
        if self.store.multi_process() {
            let words = [
                format!("sweeper={name}"),
                format!("folder={}", self.folder.display()),
                format!("second={}", self.clock.now().unix() - START),
            ];
            let mut other = again(&words);
            tell("beside a process that sweeps", &self.checked());
            other.kill().and_then(|()| other.wait()).expect("the other ends");
        }
    }

    /// Checks for some seconds.
    fn checked(&self) -> Longest {
        let over = AtomicBool::new(false);
        std::thread::scope(|threads| {
            let checker = threads.spawn(|| self.watch(&over));
            std::thread::sleep(Duration::from_secs(5));
            over.store(true, Ordering::Relaxed);
            checker.join().expect("the checker")
        })
    }

    fn watch(&self, over: &AtomicBool) -> Longest {
        let (mut seen, mut waits) = (Longest::default(), Waits::new(self.folder));
        for number in scattered(self.count) {
            if over.load(Ordering::Relaxed) {
                break;
            }
            let key = key(number);
            let start = Instant::now();
            assert!(!matches!(self.store.check(&key, self.clock.now()), Answer::Unavailable));
            let took = start.elapsed();
            seen.checks += 1;
            seen.all = seen.all.max(took);
            if took > Duration::from_micros(100) {
                seen.long.push((start, took, took.saturating_sub(waits.since())));
            } else if seen.checks.is_multiple_of(64) {
                waits.since();
            }
        }
        seen
    }
}

/// Sweeps until it is killed: the part of the other process.
pub fn sweep_on(name: &str, folder: &Path, second: i64) {
    let clock = Clock::fake(START);
    clock.advance(second);
    let store = open(name, &clock, folder);
    sweep(store.as_ref(), &clock, folder, &AtomicBool::new(false), &Aside::default());
}

/// Lets seconds pass, and does in each what maintenance does. At how many it looked.
fn sweep(store: &dyn Store, clock: &Clock, folder: &Path, over: &AtomicBool, aside: &Aside) -> usize {
    let (mut swept, mut waits) = (0, Waits::new(folder));
    let mut timed = |work: &mut dyn FnMut() -> usize| {
        let start = Instant::now();
        let looked = work();
        if waits.since() > Duration::from_micros(50) {
            aside.lock().expect("nobody panics").push((start, Instant::now()));
        }
        looked
    };
    while !over.load(Ordering::Relaxed) {
        clock.advance(1);
        timed(&mut || {
            store.tend(clock.now()).expect("it is tended");
            0
        });
        while !over.load(Ordering::Relaxed) {
            let looked = timed(&mut || store.sweep(clock.now(), STEP));
            swept += looked;
            if looked < STEP {
                break;
            }
        }
    }
    swept
}

/// Entries in one call. Maintenance asks for more at a time; here each call is looked at by itself.
const STEP: usize = 64;

/// What was seen of the checks.
#[derive(Default)]
struct Longest {
    checks: u64,
    all: Duration,
    /// Long ones: when they began, how long they took, and for how long of it the checker had a processor or waited for
    /// somebody else than the system.
    long: Vec<(Instant, Duration, Duration)>,
}

/// For how long this thread, and a server beside it, have waited for a processor, by the kernel's own account.
struct Waits(Vec<(std::fs::File, Duration)>);

impl Waits {
    fn new(folder: &Path) -> Waits {
        let server =
            std::fs::read_to_string(folder.join(SERVER_PID)).map(|pid| format!("/proc/{}/schedstat", pid.trim()));
        let open = |path| (std::fs::File::open(path).expect("the account"), Duration::ZERO);
        let mut waits = Waits(["/proc/thread-self/schedstat".to_owned()].into_iter().chain(server).map(open).collect());
        waits.since();
        waits
    }

    /// How much of it is new.
    fn since(&mut self) -> Duration {
        let news = self.0.iter_mut().map(|(account, known)| {
            let mut text = [0; 64];
            let count = std::os::unix::fs::FileExt::read_at(account, &mut text, 0).expect("the account");
            let text = String::from_utf8_lossy(&text[..count]);
            let waited = text.split_whitespace().nth(1).and_then(|word| word.parse().ok());
            let waited = waited.map_or(Duration::ZERO, Duration::from_nanos);
            waited.saturating_sub(std::mem::replace(known, waited))
        });
        news.sum()
    }
}

const LIMIT: Duration = Duration::from_millis(1);

impl Longest {
    fn tell(&self, what: &str, aside: &Aside) {
        let aside = aside.lock().expect("nobody panics");
        let clear = |(start, took, _): &&(Instant, Duration, Duration)| {
            let end = *start + *took;
            !aside.iter().any(|(from, to)| *start < *to && *from < end)
        };
        let long: Vec<_> = self.long.iter().filter(clear).map(|(_, _, own)| *own).collect();
        println!(
            "  longest of {} checks {what}: {} us, {} over 1 ms (with the time in which one of the two had no processor: {} us)",
            self.checks,
            long.iter().max().map_or(0, Duration::as_micros),
            long.iter().filter(|took| **took > LIMIT).count(),
            self.all.as_micros()
        );
    }
}

/// Bytes of this process in memory: its own, and of mapped files.
fn resident() -> (u64, u64) {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    };
    (line("RssAnon:").unwrap_or(0) * 1024, line("RssFile:").unwrap_or(0) * 1024)
}

/// Bytes that the files below `folder` have on the disk.
fn size(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(found) if found.is_dir() => size(&entry.path()),
        Ok(found) => std::os::unix::fs::MetadataExt::blocks(&found) * 512,
        Err(_) => 0,
    });
    sizes.sum()
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
