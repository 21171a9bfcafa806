//! What the tests of the shared store have in common: a folder, a store in it, sessions by number, and this program
//! started again in a part of a test.
#![allow(dead_code)]

use janua::base::{Clock, Reason};
use janua::crypto::digest::Digest;
use janua::session::{NewSession, Record, id};
use janua::store::shared::{Durability, Settings, Shared};
use janua::store::{Answer, Inserted, NotStored, Store};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

const PART: &str = "JANUA_TEST_PART";
const FOLDER: &str = "JANUA_TEST_FOLDER";
const SEED: &str = "JANUA_TEST_SEED";

/// 2026-01-01, where fake clocks begin.
pub const START: i64 = 1_767_225_600;

pub const IDLE: u32 = 3_600;
pub const ABSOLUTE: u32 = 43_200;

pub fn key(number: u64) -> Digest {
    id::key("data.example.org", "form", "", &number.to_be_bytes())
}

/// A store and its clock.
pub struct Place {
    pub store: Shared,
    pub clock: Clock,
}

impl Place {
    pub fn open(folder: &Path, durability: Durability, clock: Clock) -> Place {
        let settings = Settings::new(folder.join("state"), durability, 86_400, Vec::new());
        Place::with(Settings { sessions_map: 1 << 30, revocations_map: 1 << 30, ..settings }, clock)
    }

    pub fn with(settings: Settings, clock: Clock) -> Place {
        let store = Shared::new(settings, clock.clone());
        store.attach().unwrap();
        Place { store, clock }
    }

    pub fn record(&self, principal: &str) -> Record {
        let seq = self.store.seq().unwrap();
        Record::new(NewSession::of(principal, IDLE, ABSOLUTE, seq), self.clock.now())
    }

    pub fn try_insert(&self, number: u64, principal: &str) -> Result<Inserted, NotStored> {
        let Ok(seq) = self.store.seq() else { return Err(NotStored::Unavailable) };
        let record = Record::new(NewSession::of(principal, IDLE, ABSOLUTE, seq), self.clock.now());
        self.store.insert(key(number), record, 1_000, self.clock.now())
    }

    pub fn insert(&self, number: u64, principal: &str) {
        self.try_insert(number, principal).unwrap();
    }

    pub fn why(&self, number: u64) -> Option<Reason> {
        self.store.check(&key(number), self.clock.now()).ok().err()
    }

    /// Whether a session lives; the store has to know.
    pub fn lives(&self, number: u64) -> bool {
        match self.store.check(&key(number), self.clock.now()) {
            Answer::Hit(_) => true,
            Answer::Miss(reason) => {
                assert_ne!(reason, Reason::StoreUnavailable);
                false
            }
            Answer::Unavailable => panic!("the store does not answer: {:?}", self.store.tend(self.clock.now())),
        }
    }

    pub fn sweep(&self) {
        while self.store.sweep(self.clock.now(), 1_000) == 1_000 {}
    }
}

/// A folder that goes when the test ends.
pub struct Scene(pub PathBuf);

impl Scene {
    pub fn new(name: &str) -> Scene {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("shared-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Scene(folder)
    }

    /// This program in a part of the test called `test`, to be started.
    pub fn program(&self, test: &str, part: &str, seed: u64) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        self.arm(&mut command, test, part, seed);
        command
    }

    /// Lets `command`, which runs this program in the end, play a part of the test called `test`.
    pub fn arm(&self, command: &mut Command, test: &str, part: &str, seed: u64) {
        command
            .args([test, "--exact", "--nocapture", "--test-threads=1"])
            .env(PART, part)
            .env(FOLDER, &self.0)
            .env(SEED, seed.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit());
    }

    pub fn start(&self, test: &str, part: &str, seed: u64) -> Child {
        self.program(test, part, seed).spawn().unwrap()
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The part that this process plays, if it was started for one.
pub fn part() -> Option<(String, PathBuf, u64)> {
    let part = std::env::var(PART).ok()?;
    Some((part, std::env::var_os(FOLDER).unwrap().into(), std::env::var(SEED).unwrap().parse().unwrap()))
}

/// What a process says, line by line.
pub struct Words(BufReader<ChildStdout>);

impl Words {
    pub fn of(child: &mut Child) -> Words {
        Words(BufReader::new(child.stdout.take().unwrap()))
    }

    /// Waits for a line that ends with `word`. `false`: it ended before that.
    pub fn until(&mut self, word: &str) -> bool {
        let mut line = String::new();
        loop {
            line.clear();
            if self.0.read_line(&mut line).unwrap() == 0 {
                return false;
            }
            if line.trim_end().ends_with(word) {
                return true;
            }
        }
    }
}
