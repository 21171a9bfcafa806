//! This program started again in a part of a test: a folder for all that play in it, what they say, and numbers that all
//! of them see at once.
//!
//! Used by the tests of several processes. A test asks [`part`] first whether it is one of its own children.

#![allow(dead_code)]

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

const PART: &str = "JANUA_TEST_PART";
const FOLDER: &str = "JANUA_TEST_FOLDER";
const SEED: &str = "JANUA_TEST_SEED";

/// Lets `command`, which runs this program in the end, play a part of the test called `test`.
pub fn arm(command: &mut Command, folder: &Path, test: &str, part: &str, seed: u64) {
    command
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(PART, part)
        .env(FOLDER, folder)
        .env(SEED, seed.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit());
}

/// This program in a part of the test called `test`, to be started.
pub fn program(folder: &Path, test: &str, part: &str, seed: u64) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    arm(&mut command, folder, test, part, seed);
    command
}

/// The part that this process plays, if it was started for one.
pub fn part() -> Option<(String, PathBuf, u64)> {
    let part = std::env::var(PART).ok()?;
    // What follows stands on lines of its own, not behind the test's name.
    println!();
    Some((part, std::env::var_os(FOLDER).unwrap().into(), std::env::var(SEED).unwrap().parse().unwrap()))
}

/// A folder that goes when the test ends.
pub struct Scene(pub PathBuf);

impl Scene {
    pub fn new(name: &str) -> Scene {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("scene-{}-{name}", std::process::id()));
        // Of a killed process that had the same number.
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        Scene(folder)
    }

    pub fn program(&self, test: &str, part: &str, seed: u64) -> Command {
        program(&self.0, test, part, seed)
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

    /// The text up to a line that begins with `word`.
    pub fn up_to(&mut self, word: &str) -> String {
        let mut text = String::new();
        while !text.lines().last().is_some_and(|line| line.starts_with(word)) {
            assert!(self.0.read_line(&mut text).unwrap() > 0, "nothing more is said: {text}");
        }
        text
    }

    /// All that is still said, up to the last whole line.
    pub fn rest(&mut self) -> String {
        let mut text = String::new();
        self.0.read_to_string(&mut text).unwrap();
        text.truncate(text.rfind('\n').map_or(0, |end| end + 1));
        text
    }
}

/// What lines that begin with `what` say.
pub fn said(text: &str, what: &str) -> Vec<u64> {
    text.lines().filter_map(|line| line.strip_prefix(what)?.trim().parse().ok()).collect()
}

/// Numbers that all processes of a folder see at once.
pub struct Numbers(File);

impl Numbers {
    pub fn open(folder: &Path) -> Numbers {
        let path = folder.join("numbers");
        let file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path).unwrap();
        file.set_len(4_096).unwrap();
        Numbers(file)
    }

    pub fn get(&self, at: u64) -> u64 {
        let mut bytes = [0; 8];
        self.0.read_exact_at(&mut bytes, at * 8).unwrap();
        u64::from_ne_bytes(bytes)
    }

    pub fn set(&self, at: u64, number: u64) {
        self.0.write_all_at(&number.to_ne_bytes(), at * 8).unwrap();
    }
}
