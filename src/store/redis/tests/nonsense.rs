//! Servers that are none: they say nonsense, stop in the middle, never answer, or send one byte now and then. Each time the
//! store is unavailable within its limit, nobody is let in and nobody is logged out.

use super::*;
use crate::base::Status;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Instant;

const LIMIT: Duration = Duration::from_millis(150);

/// What to answer to the greeting, and what to everything after it; nothing: the connection is held open.
type Script = fn(&mut TcpStream, usize) -> Option<Vec<u8>>;

const INFO: &[u8] = b"$43\r\nredis_version:7.0.15\r\nrun_id:0123456789ab\r\n\r\n";

/// A server that plays a script, on a port of its own.
fn serve(script: Script) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let mut held = Vec::new();
        for socket in listener.incoming() {
            let Ok(mut socket) = socket else { continue };
            socket.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
            let mut number = 0;
            while let Ok(1..) = socket.read(&mut [0; 8192]) {
                let Some(answer) = script(&mut socket, number) else {
                    held.push(socket);
                    break;
                };
                if socket.write_all(&answer).is_err() {
                    break;
                }
                number += 1;
            }
        }
    });
    url
}

#[test]
fn what_is_no_server_of_ours_is_unavailable_and_never_a_no() {
    assert_eq!(INFO.len(), 43 + 7);
    let nonsense: [(&str, Script); 8] = [
        ("HTTP", |_, _| Some(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec())),
        ("TLS", |_, _| Some(vec![0x15, 3, 1, 0, 2, 2, 0x46])),
        ("a huge length", |_, _| Some(b"$999999999999\r\n".to_vec())),
        ("a huge array", |_, _| Some(b"*9223372036854775807\r\n".to_vec())),
        ("an old server", |_, _| Some(b"$41\r\nredis_version:6.2.14\r\nrun_id:0123456789\r\n\r\n".to_vec())),
        ("another greeting", |_, _| Some(b"+PONG\r\n".to_vec())),
        ("nonsense after the greeting", |_, n| Some(if n == 0 { INFO.to_vec() } else { b":1\r\n".to_vec() })),
        ("an empty list after it", |_, n| Some(if n == 0 { INFO.to_vec() } else { b"*0\r\n".to_vec() })),
    ];
    for (what, script) in nonsense {
        refused(what, script);
    }
}

#[test]
fn a_server_is_known_by_the_version_it_gives_whichever_of_the_two_it_is() {
    let deadline = || Instant::now() + Duration::from_secs(10);
    let greeted = |script: Script| {
        let server = Server::parse(&serve(script)).unwrap();
        connection::Connection::open(&server, &Login::default(), 0, deadline()).map(|connection| connection.run)
    };
    fn info(lines: &str) -> Option<Vec<u8>> {
        let text = format!("# Server\r\n{lines}\r\n");
        Some(format!("${}\r\n{text}\r\n", text.len()).into_bytes())
    }
    let known: [Script; 4] = [
        |_, _| info("redis_version:7.0.15\r\nredis_mode:standalone\r\nrun_id:ab"),
        |_, _| info("redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.0.1\r\nrun_id:ab"),
        |_, _| info("server_name:valkey\r\nvalkey_version:12.1.0\r\nrun_id:ab"),
        |_, _| info("redis_version:6.2.4\r\nserver_name:valkey\r\nvalkey_version:7.2.5\r\nrun_id:ab"),
    ];
    for script in known {
        assert_eq!(greeted(script), Ok("ab".to_owned()));
    }
    let unknown: [(Script, &str); 4] = [
        (|_, _| info("redis_version:6.2.14\r\nrun_id:ab"), "OLD"),
        (|_, _| info("redis_version:7.2.4\r\nvalkey_version:8.0.1"), "OLD"),
        (|_, _| info("server_name:valkey\r\nrun_id:ab"), ""),
        (|_, _| info("redis_version:new\r\nrun_id:ab"), ""),
    ];
    for (script, code) in unknown {
        assert_eq!(greeted(script).unwrap_err().code(), code);
    }
}

#[test]
fn who_never_answers_or_stops_in_the_middle_costs_the_limit_and_no_more() {
    let slow: [(&str, Script); 5] = [
        ("silence", |_, _| None),
        ("half a greeting", |_, _| Some(INFO[..20].to_vec())),
        ("silence after the greeting", |_, n| (n == 0).then(|| INFO.to_vec())),
        ("half an answer", |_, n| Some(if n == 0 { INFO.to_vec() } else { b"*7\r\n$2\r\no".to_vec() })),
        ("a byte now and then", |socket, _| {
            while socket.write_all(b"+").is_ok() {
                std::thread::sleep(Duration::from_millis(20));
            }
            None
        }),
    ];
    for (what, script) in slow {
        refused(what, script);
    }
}

#[test]
fn a_reply_too_many_is_noticed_before_the_next_question() {
    let url = serve(|_, n| Some(if n == 0 { INFO.to_vec() } else { b"+PONG\r\n+PONG\r\n".to_vec() }));
    let (server, deadline) = (Server::parse(&url).unwrap(), Instant::now() + Duration::from_secs(10));
    let mut connection = connection::Connection::open(&server, &Login::default(), 0, deadline).unwrap();
    assert!(connection.is_usable());
    connection.one(&[b"PING"], deadline).unwrap();
    assert!(!connection.is_usable(), "it would be the answer to another question");
}

#[test]
fn what_repeats_a_password_is_not_repeated() {
    const ECHO: [&[u8]; 3] = [
        b"-ERR unknown command 'AUTH', with args beginning with: 'OpenSesame' \r\n",
        b"-ERR no such word: OpenSesame\r\n",
        b"-OpenSesame\r\n",
    ];
    // One answer to the three commands of a greeting would do; a sentinel says first that it asks for a password.
    let scripts: [(Script, Script); 3] = [
        (
            |_, _| Some(ECHO[0].repeat(2)),
            |_, n| Some(if n == 0 { b"-NOAUTH a\r\n".to_vec() } else { ECHO[0].to_vec() }),
        ),
        (
            |_, _| Some(ECHO[1].repeat(2)),
            |_, n| Some(if n == 0 { b"-NOAUTH a\r\n".to_vec() } else { ECHO[1].to_vec() }),
        ),
        (
            |_, _| Some(ECHO[2].repeat(2)),
            |_, n| Some(if n == 0 { b"-NOAUTH a\r\n".to_vec() } else { ECHO[2].to_vec() }),
        ),
    ];
    for (server, sentinel) in scripts {
        for (script, kind) in [(server, Kind::One), (sentinel, Kind::Sentinel("door".to_owned()))] {
            let password = Some(Secret::new(b"OpenSesame".to_vec()));
            let login = Login { password, ..Login::default() };
            let store = Redis::new(Settings { kind, login, ..settings(&serve(script)) }, Clock::fake(1_700_000_000));
            let error = store.attach().unwrap_err().message;
            assert!(error.contains("store.password") && !error.contains("OpenSesame"), "{error}");
        }
    }
}

fn refused(what: &str, script: Script) {
    let clock = Clock::fake(1_700_000_000);
    let store = Redis::new(Settings { timeout: LIMIT, ..settings(&serve(script)) }, clock.clone());
    let began = Instant::now();
    let error = store.attach().unwrap_err();
    println!("{what}: {} after {:?}", error.message, began.elapsed());
    assert!(began.elapsed() < 40 * LIMIT, "{what}");
    assert_eq!(error.status, Status::Unavailable, "{what}");
    assert!(error.message.contains("redis://127.0.0.1"), "{what}: {}", error.message);
}

/// What a real server said once is held against what the nonsense says: a copy made before stays, and nothing is ended.
#[test]
fn a_server_that_turns_into_nonsense_lets_nobody_in_and_logs_nobody_out() {
    let home = Home::new();
    let gate = serve_between(home.server.port);
    // The real server is to answer within it, too, on a machine that is busy.
    let store = attached(Settings { timeout: 10 * LIMIT, ..settings(&gate.url) }, &home.clock);
    let (key, unknown) = (home.login(&store, "Aladdin", 1), key(2));
    for wrong in [&b"*7\r\n$2\r\nok\r\n*0\r\n$1\r\n0\r\n"[..], b"-ERR no\r\n", b"$-1\r\n", b"*1\r\n$4\r\nnone\r\n", b""]
    {
        gate.answer(Some(wrong));
        home.clock.advance(61);
        for key in [key, unknown] {
            // The one line that a server of ours says of a session it does not have is believed, where the log is known.
            assert_eq!(home.why(&store, &key), Some(Reason::StoreUnavailable), "{:?}", String::from_utf8_lossy(wrong));
        }
        assert_eq!(home.end(&store, key), Err(Unavailable));
        gate.answer(None);
        let until = Instant::now() + Duration::from_secs(20);
        // On a busy machine the real server may take longer than the limit as well.
        while store.tend(home.now()).is_err() || home.why(&store, &key) == Some(Reason::StoreUnavailable) {
            assert!(Instant::now() < until);
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(home.why(&store, &key), None);
    }
}

/// A door to a real server that can be told to answer by itself.
struct Gate {
    url: String,
    says: Arc<Mutex<Option<Vec<u8>>>>,
}

impl Gate {
    fn answer(&self, what: Option<&[u8]>) {
        *self.says.lock() = what.map(<[u8]>::to_vec);
    }
}

fn serve_between(port: u16) -> Gate {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    let says = Arc::new(Mutex::new(None));
    let told = Arc::clone(&says);
    std::thread::spawn(move || {
        for socket in listener.incoming().map_while(Result::ok) {
            let told = Arc::clone(&told);
            std::thread::spawn(move || pass(socket, port, &told));
        }
    });
    Gate { url, says }
}

fn pass(mut near: TcpStream, port: u16, told: &Mutex<Option<Vec<u8>>>) {
    let mut far = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let (mut back, mut room) = ((far.try_clone().unwrap(), near.try_clone().unwrap()), [0; 65_536]);
    std::thread::spawn(move || std::io::copy(&mut back.0, &mut back.1));
    while let Ok(count @ 1..) = near.read(&mut room) {
        let wrong = told.lock().clone();
        let done = match wrong {
            Some(text) if text.is_empty() => return drop(near.shutdown(std::net::Shutdown::Both)),
            Some(text) => near.write_all(&text),
            None => far.write_all(&room[..count]),
        };
        if done.is_err() {
            return;
        }
    }
    let _ = far.shutdown(std::net::Shutdown::Both);
}
