//! Log-ins a second of one process on the shared store, and how many syncs they took.

use crate::disk;
use janua::base::Clock;
use janua::session::{NewSession, Record, id};
use janua::store::Store;
use janua::store::shared::{Durability, Settings, Shared};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const WRITERS: [u64; 3] = [1, 8, 32];

/// Syncs as the disk has them, and as slow ones.
const DELAYS_US: [u64; 2] = [0, 1_000];

pub fn run(milliseconds: u64) {
    println!("log-ins of one process on the shared store, over {milliseconds} ms each");
    println!("{:<12}{:>14}{:>10}{:>14}{:>12}", "durability", "sync slower by", "writers", "log-ins/s", "syncs each");
    for durability in [Durability::Process, Durability::Disk] {
        for delay in DELAYS_US {
            if durability == Durability::Process && delay > 0 {
                continue;
            }
            for writers in WRITERS {
                row(durability, delay, writers, Duration::from_millis(milliseconds));
            }
        }
    }
}

fn row(durability: Durability, delay: u64, writers: u64, time: Duration) {
    let scene = Scene::new();
    let clock = Clock::system();
    let store = Shared::new(Settings::new(scene.0.join("state"), durability, 86_400, Vec::new()), clock.clone());
    store.attach().expect("the store opens");
    disk::slow_down(Duration::from_micros(delay));
    let (over, done, before) = (AtomicBool::new(false), AtomicU64::new(0), disk::syncs());
    let start = Instant::now();
    std::thread::scope(|threads| {
        for writer in 0..writers {
            let (store, clock, over, done) = (&store, &clock, &over, &done);
            threads.spawn(move || {
                for number in 0_u64.. {
                    if over.load(Ordering::Relaxed) {
                        return;
                    }
                    let principal = format!("user {writer} {}", number / 4);
                    let seq = store.seq().expect("the store answers");
                    let record = Record::new(NewSession::of(&principal, 1_800, 43_200, seq), clock.now());
                    let key =
                        id::key("data.example.org", "form", "", &[writer.to_be_bytes(), number.to_be_bytes()].concat());
                    store.insert(key, record, 100, clock.now()).expect("it is stored");
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        std::thread::sleep(time);
        over.store(true, Ordering::Relaxed);
    });
    let (took, done, syncs) = (start.elapsed(), done.load(Ordering::Relaxed), disk::syncs() - before);
    disk::slow_down(Duration::ZERO);
    println!(
        "{:<12}{:>11} us{:>10}{:>14.0}{:>12.3}",
        format!("{durability:?}").to_lowercase(),
        delay,
        writers,
        done as f64 / took.as_secs_f64(),
        syncs as f64 / done as f64
    );
}

/// A folder that goes with its owner.
pub struct Scene(pub PathBuf);

impl Scene {
    pub fn new() -> Scene {
        let root = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let folder = root.join(format!("bench-store-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).expect("a folder can be made");
        Scene(folder)
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
