//! A folder of one test, and the command run in it.

use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// A folder of one test, removed with it.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Folder {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("command-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    pub fn janua(&self, arguments: &[&str]) -> Said {
        self.janua_with("", arguments)
    }

    /// Runs the command in the folder with `input` on its standard input and no terminal.
    pub fn janua_with(&self, input: &str, arguments: &[&str]) -> Said {
        let mut child = Command::new(env!("CARGO_BIN_EXE_janua"))
            .args(arguments)
            .current_dir(&self.0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // The command may leave before it reads.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        Said::of(child.wait_with_output().unwrap())
    }

    /// Runs the command in the folder with a variable in its environment.
    pub fn janua_knowing(&self, name: &str, value: &str, arguments: &[&str]) -> Said {
        let mut command = Command::new(env!("CARGO_BIN_EXE_janua"));
        Said::of(command.args(arguments).current_dir(&self.0).env(name, value).output().unwrap())
    }

    /// A configuration without users.
    pub fn init() -> Folder {
        let folder = Folder::new();
        folder.janua(&["init", "--site", "data.example.org", "--profile", "mauro", "--plain-http"]).is(0);
        folder
    }

    pub fn users(&self) -> Value {
        self.janua(&["user", "list", "--json"]).is(0).json()
    }

    pub fn user(&self, name: &str) -> Value {
        let users = self.users();
        users.as_array().unwrap().iter().find(|u| u["name"] == name).expect(name).clone()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What a run said.
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Said {
    pub fn of(output: Output) -> Said {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Said { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
    }

    #[track_caller]
    pub fn is(self, code: i32) -> Said {
        assert_eq!(self.code, code, "stdout: {}\nstderr: {}", self.out, self.err);
        self
    }

    #[track_caller]
    pub fn complains(self, of: &str) -> Said {
        assert!(self.err.contains(of), "stderr: {}", self.err);
        self
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).expect(&self.out)
    }
}

#[cfg(unix)]
pub fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}
