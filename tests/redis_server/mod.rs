//! A Redis server of a test's own: started on a free port and a socket in a folder below `target`, gone with the test.
//!
//! Used by the tests of the store on Redis, in the library and beside it. It listens on this machine alone and keeps
//! nothing over a restart unless told to. `JANUA_TEST_REDIS_SERVER` names another program than `redis-server` by its path,
//! such as a `valkey-server`. It must never take a server that it did not start.

#![allow(dead_code)]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Ends the server when its standard input is closed, which the end of the test does in any case.
const KEEPER: &str =
    r#"pid=$1; shift; "$@" & echo $! >"$pid"; read _; kill -CONT $! 2>/dev/null; kill -9 $! 2>/dev/null; wait"#;

static NUMBER: AtomicU32 = AtomicU32::new(0);

pub struct RedisServer {
    pub folder: PathBuf,
    pub port: u16,
    args: Vec<String>,
    is_sentinel: bool,
    keeper: Child,
}

/// The program that is a server, or a sentinel when told so.
pub fn program() -> PathBuf {
    match std::env::var_os("JANUA_TEST_REDIS_SERVER") {
        // Servers are started in folders of their own.
        Some(named) if Path::new(&named).components().nth(1).is_some() => std::path::absolute(named).unwrap(),
        Some(named) => PathBuf::from(named),
        None => PathBuf::from("redis-server"),
    }
}

/// The client that came with it, in the same place: `valkey-cli` beside `valkey-server`.
pub fn client() -> PathBuf {
    let program = program();
    let name = program.file_name().unwrap().to_str().unwrap();
    program.with_file_name(name.replace("-server", "-cli"))
}

/// A port that nobody listens at.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn keeper(folder: &Path, args: &[String]) -> Child {
    let log = std::fs::File::create(folder.join("log")).unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", KEEPER, "sh"]).arg(folder.join("pid")).args(args).current_dir(folder);
    command.stdin(Stdio::piped()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap()
}

fn words(is_sentinel: bool, port: u16, options: &[&str], folder: &Path) -> Vec<String> {
    let (program, port) = (program().display().to_string(), port.to_string());
    if is_sentinel {
        let lines = [&[&*format!("port {port}"), "bind 127.0.0.1"], options].concat().join("\n");
        std::fs::write(folder.join("sentinel.conf"), lines).unwrap();
        return vec![program, "sentinel.conf".to_owned(), "--sentinel".to_owned()];
    }
    let place = ["--port", &port, "--bind", "127.0.0.1", "--unixsocket", "socket", "--unixsocketperm", "700"];
    let quiet = ["--save", "", "--appendonly", "no", "--daemonize", "no", "--dir", "."];
    [&*program].iter().chain(&place).chain(&quiet).chain(options).map(|word| (*word).to_owned()).collect()
}

impl RedisServer {
    /// Starts one, with more of its options.
    pub fn start(options: &[&str]) -> RedisServer {
        RedisServer::of(false, options)
    }

    /// Starts a sentinel, with the lines of its file.
    pub fn sentinel(lines: &[&str]) -> RedisServer {
        RedisServer::of(true, lines)
    }

    fn of(is_sentinel: bool, options: &[&str]) -> RedisServer {
        let program = program().display().to_string();
        let known = Command::new(&program).arg("--version").output();
        assert!(known.is_ok(), "{program} was not found: `scripts/setup test` installs it");
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let own = format!("janua-redis-{}-{number}", std::process::id());
        // The path of a socket is short.
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tmp").join(own);
        // What a killed process of the same number has left behind must not be read.
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        // Another program may take the port between the look and the start.
        for _ in 0..5 {
            let port = free_port();
            let args = words(is_sentinel, port, options, &folder);
            let server =
                RedisServer { keeper: keeper(&folder, &args), folder: folder.clone(), port, args, is_sentinel };
            if server.is_up() {
                return server;
            }
            std::mem::ManuallyDrop::new(server).end();
        }
        let log = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
        panic!("{program} does not come up: {log}");
    }

    /// As the configuration names it.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub fn socket_url(&self) -> String {
        format!("unix://{}", self.folder.join("socket").display())
    }

    /// Waits until it answers; `false` when it has ended instead.
    fn is_up(&self) -> bool {
        let until = Instant::now() + Duration::from_secs(10);
        let socket = self.folder.join("socket");
        let answers = || match self.is_sentinel {
            false => UnixStream::connect(&socket).is_ok() && !self.ask(&["PING"]).is_empty(),
            true => std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok(),
        };
        while !(answers() && self.is_own()) {
            let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            if Instant::now() > until || log.contains("Address already in use") {
                return false;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        true
    }

    /// Whether it is the one that was started who answers at its port: the look for a free one may be overtaken.
    fn is_own(&self) -> bool {
        let Ok(mut port) = std::net::TcpStream::connect(("127.0.0.1", self.port)) else { return false };
        port.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let (mut said, asked) = ([0; 4096], port.write_all(b"INFO server\r\n"));
        let count = asked.and_then(|()| port.read(&mut said)).unwrap_or(0);
        let pid = std::fs::read_to_string(self.folder.join("pid")).unwrap_or_default();
        let said = String::from_utf8_lossy(&said[..count]);
        said.lines().any(|line| line.strip_prefix("process_id:").is_some_and(|own| own == pid.trim()))
    }

    /// Sends a signal to it: `STOP`, `CONT`, `KILL`.
    pub fn signal(&self, name: &str) {
        let pid = std::fs::read_to_string(self.folder.join("pid")).unwrap();
        let done = Command::new("kill").args([&format!("-{name}"), pid.trim()]).status().unwrap();
        assert!(done.success());
    }

    fn end(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        self.end();
    }

    /// Starts it again at its old place.
    pub fn restart(&mut self) {
        self.end();
        self.keeper = keeper(&self.folder, &self.args);
        assert!(self.is_up(), "it does not come back");
    }

    /// Asks it something over its socket; the answer as it comes.
    pub fn ask(&self, words: &[&str]) -> String {
        let mut socket = UnixStream::connect(self.folder.join("socket")).unwrap();
        let mut text = format!("*{}\r\n", words.len());
        for word in words {
            text += &format!("${}\r\n{word}\r\n", word.len());
        }
        socket.write_all(text.as_bytes()).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let (mut all, mut some) = (Vec::new(), [0; 4096]);
        while let Ok(count @ 1..) = socket.read(&mut some) {
            all.extend_from_slice(&some[..count]);
            if count < some.len() {
                break;
            }
        }
        String::from_utf8_lossy(&all).into_owned()
    }
}

impl Drop for RedisServer {
    /// What the server said is a failed test's to show.
    fn drop(&mut self) {
        self.end();
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            eprintln!("the server in {}:\n{log}", self.folder.display());
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
