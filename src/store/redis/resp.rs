//! The protocol of the server (RESP2): commands to bytes, bytes to replies. The crate `redis` packs and parses.
//!
//! Used by `connection` alone. What the parser is given is bounded in bytes, in lines and in lists, for the parser bounds
//! none of them, and takes more stack for a hundred lists in each other than a thread may have. Whatever is not a reply is
//! an error: nothing is guessed. No clock, no socket of its own.

use super::fault::Fault;
use ::redis::{Cmd, Parser, ServerError, Value};
use std::io::{self, BufRead, ErrorKind, Read};

/// The most bytes and lines of the replies to one question; each part of a reply takes a line, or two.
const MAX_BYTES: usize = 16 << 20;
const MAX_LINES: usize = 1 << 20;

/// The most lists in them, so the deepest that lists lie in each other. No question of ours brings more than three.
const MAX_LISTS: usize = 24;

/// A reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// A short text, such as `OK`.
    Word(Vec<u8>),
    Number(i64),
    Bytes(Vec<u8>),
    Nothing,
    Parts(Vec<Reply>),
    /// What the server refuses, as it says it.
    Refused(String),
}

/// Appends a command to `out`.
pub(super) fn command(out: &mut Vec<u8>, words: &[&[u8]]) {
    let mut command = Cmd::new();
    for word in words {
        command.arg(*word);
    }
    command.write_packed_command(out);
}

/// The replies to one question.
pub(super) struct Replies<'a, R> {
    parser: Parser,
    lines: Lines<'a, R>,
}

impl<'a, R: BufRead> Replies<'a, R> {
    pub(super) fn new(from: &'a mut R) -> Self {
        let lines = Lines { from, failed: None, last: *b"\r\n", bytes: 0, count: 0, lists: 0 };
        Replies { parser: Parser::new(), lines }
    }

    pub(super) fn next(&mut self) -> Result<Reply, Fault> {
        match self.parser.parse_value(&mut self.lines) {
            Ok(value) => reply(value),
            Err(_) => Err(self.lines.failed.take().map_or(Fault::Nonsense, Fault::from)),
        }
    }
}

/// Hands the parser a line at a time. Every reply ends with its last line, so the parser never holds a byte that is behind
/// the reply it gives: what came in too much stays in `from`, where the connection sees it and is not used again. Nothing
/// can be lost with a parser, and no answer be taken for another question's.
struct Lines<'a, R> {
    from: &'a mut R,
    /// The parser does not give an error of its reader back as it was.
    failed: Option<io::Error>,
    /// The last two bytes.
    last: [u8; 2],
    bytes: usize,
    count: usize,
    lists: usize,
}

impl<R: BufRead> Read for Lines<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let there = match self.from.fill_buf() {
            Ok([]) => Err(ErrorKind::UnexpectedEof.into()),
            other => other,
        };
        let there = match there {
            Ok(there) => there,
            Err(e) => {
                self.failed = Some(e);
                return Err(ErrorKind::Other.into());
            }
        };
        let end = there.iter().position(|byte| *byte == b'\n').map_or(there.len(), |at| at + 1);
        let taken = (&there[..end]).read(into)?;
        let piece = &into[..taken];
        // Each list begins a line. Texts may have such bytes too, by chance once in three million: far from the bound.
        let begins = self.last == *b"\r\n";
        self.lists += usize::from(begins && matches!(piece.first(), Some(b'*' | b'%' | b'~' | b'>' | b'|')));
        self.last = match *piece {
            [.., before, last] => [before, last],
            [last] => [self.last[1], last],
            [] => self.last,
        };
        self.count += usize::from(piece.ends_with(b"\n"));
        self.bytes += taken;
        self.from.consume(taken);
        if self.bytes > MAX_BYTES || self.count > MAX_LINES || self.lists > MAX_LISTS {
            return Err(ErrorKind::InvalidData.into());
        }
        Ok(taken)
    }
}

/// What newer servers say to those who ask for it (RESP3) is no reply: nobody asks here.
fn reply(value: Value) -> Result<Reply, Fault> {
    Ok(match value {
        Value::Okay => Reply::Word(b"OK".to_vec()),
        Value::SimpleString(text) => Reply::Word(text.into_bytes()),
        Value::Int(number) => Reply::Number(number),
        Value::BulkString(bytes) => Reply::Bytes(bytes),
        Value::Nil => Reply::Nothing,
        Value::Array(parts) => Reply::Parts(parts.into_iter().map(reply).collect::<Result<_, _>>()?),
        Value::ServerError(error) => Reply::Refused(sentence(&error)),
        _ => return Err(Fault::Nonsense),
    })
}

/// The line as the server wrote it: the parser takes the code off.
fn sentence(error: &ServerError) -> String {
    match error.details() {
        Some(details) => format!("{} {details}", error.code()),
        None => error.code().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::BufReader;

    const WHOLE: &[u8] = b"*5\r\n:-7\r\n$3\r\na\r\n\r\n$-1\r\n*1\r\n+OK\r\n-MOVED 1 host:2\r\n";

    /// Reads one reply, `step` bytes at a time, and says what was left.
    fn read(bytes: &[u8], step: usize) -> (Result<Reply, Fault>, usize) {
        let mut from = BufReader::with_capacity(step, bytes);
        let reply = Replies::new(&mut from).next();
        let left = from.buffer().len() + from.get_ref().len();
        (reply, left)
    }

    fn short() -> Result<Reply, Fault> {
        Err(io::Error::from(ErrorKind::UnexpectedEof).into())
    }

    #[test]
    fn a_reply_reads_back_whole_leaves_the_next_and_every_shorter_one_waits() {
        let parts = vec![
            Reply::Number(-7),
            Reply::Bytes(b"a\r\n".to_vec()),
            Reply::Nothing,
            Reply::Parts(vec![Reply::Word(b"OK".to_vec())]),
            Reply::Refused("MOVED 1 host:2".to_owned()),
        ];
        for step in [1, 2, 3, 7, 8192] {
            let (reply, left) = read(&[WHOLE, b"+more\r\n"].concat(), step);
            assert_eq!((reply, left), (Ok(Reply::Parts(parts.clone())), 7), "{step}");
            for length in 0..WHOLE.len() {
                assert_eq!(read(&WHOLE[..length], step).0, short(), "{length}");
            }
        }
    }

    #[test]
    fn several_replies_are_read_by_the_same_parser() {
        let mut from = BufReader::new(&b"+OK\r\n-ERR no\r\n-NOSCRIPT\r\n:1\r\n$1\r\n"[..]);
        let mut replies = Replies::new(&mut from);
        assert_eq!(replies.next(), Ok(Reply::Word(b"OK".to_vec())));
        assert_eq!(replies.next(), Ok(Reply::Refused("ERR no".to_owned())));
        assert_eq!(replies.next(), Ok(Reply::Refused("NOSCRIPT".to_owned())));
        assert_eq!(replies.next(), Ok(Reply::Number(1)));
        drop(replies);
        assert_eq!(from.buffer(), b"$1\r\n");
    }

    #[test]
    fn an_error_of_the_socket_stays_what_it_was() {
        struct Late;
        impl Read for Late {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(ErrorKind::TimedOut.into())
            }
        }
        let mut from = BufReader::new((&b"*2\r\n$9\r\nabc"[..]).chain(Late));
        assert_eq!(Replies::new(&mut from).next(), Err(Fault::Slow));
    }

    #[test]
    fn nonsense_is_an_error() {
        for bytes in [
            &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
            b"\r\n",
            b":\r\n",
            b":1x\r\n",
            b"$1\r\nabc\r\n",
            b"$9223372036854775808\r\n",
            b"+\xff\r\n",
            b"%1\r\n+a\r\n+b\r\n",
            b"~1\r\n+a\r\n",
            b">1\r\n+a\r\n",
            b"|1\r\n+a\r\n+b\r\n+c\r\n",
            b"#t\r\n",
            b",1.5\r\n",
            b"(1\r\n",
            b"=5\r\ntxt:a\r\n",
            b"*1\r\n#t\r\n",
        ] {
            assert_eq!(read(bytes, 8192).0, Err(Fault::Nonsense), "{:?}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn an_announced_length_reserves_nothing() {
        for kind in ["$", "*", "%", "~", ">", "|", "=", "!"] {
            for length in ["9223372036854775807", "9999999999999", "4611686018427387904"] {
                for rest in ["", ":1\r\n:2\r\n"] {
                    let bytes = format!("{kind}{length}\r\n{rest}");
                    let fault = read(bytes.as_bytes(), 8192).0.unwrap_err();
                    assert!(Err(&fault) == short().as_ref() || fault == Fault::Nonsense, "{bytes}: {fault:?}");
                }
            }
        }
        let endless = |head: &'static str, body: u8| {
            let mut from = BufReader::new(head.as_bytes().chain(io::repeat(body)));
            Replies::new(&mut from).next()
        };
        assert_eq!(endless("$9223372036854775807\r\n", b'a'), Err(Fault::Nonsense));
        assert_eq!(endless("+", b'a'), Err(Fault::Nonsense));
        let mut many = b"*9223372036854775807\r\n".to_vec();
        many.extend(b":1\r\n".repeat(MAX_LINES));
        assert_eq!(read(&many, 8192).0, Err(Fault::Nonsense));
    }

    /// A host may give its threads as little as this. A parser that is built without optimization takes eight times as much.
    #[test]
    fn lists_in_lists_fit_a_small_stack() {
        let stack = if cfg!(debug_assertions) { 512 << 10 } else { 128 << 10 };
        let run = || {
            for head in ["*1\r\n", "*2\r\n:1\r\n", "*2\r\n$1\r\n\n\r\n", "%1\r\n+a\r\n", "~1\r\n", ">1\r\n", "|1\r\n"] {
                let deep = |count: usize| read(format!("{}:1\r\n", head.repeat(count)).as_bytes(), 8192).0;
                assert_eq!(deep(MAX_LISTS).is_ok(), head.starts_with('*'), "{head}");
                for count in [MAX_LISTS + 1, 99, 100, 101, 200, 100_000] {
                    assert_eq!(deep(count), Err(Fault::Nonsense), "{head} {count}");
                }
            }
        };
        std::thread::Builder::new().stack_size(stack).spawn(run).unwrap().join().unwrap();
    }

    #[test]
    fn no_flipped_byte_panics() {
        for at in 0..WHOLE.len() {
            for byte in 0..=255 {
                for step in [1, 8192] {
                    let mut bytes = WHOLE.to_vec();
                    bytes[at] = byte;
                    let _ = read(&bytes, step);
                }
            }
        }
    }

    /// Bytes that a parser may trip over, in any order; always the same ones.
    #[test]
    fn no_heap_of_headers_panics() {
        let words =
            ["*", "$", "%", "~", ">", "|", "=", "!", "(", ",", "#", "_", "-", "+", ":", "\r", "\n", "\r\n", "\r\n"];
        let texts =
            ["0", "1", "2", "-1", "-9223372036854775808", "9223372036854775807", "t", "nan", "txt:", " ", "\u{fe}"];
        let all: Vec<&str> = words.into_iter().chain(texts).collect();
        let mut state = 1_u64;
        for _ in 0..20_000 {
            let mut bytes = Vec::new();
            for _ in 0..24 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                bytes.extend(all[usize::try_from(state >> 33).unwrap() % all.len()].bytes());
            }
            let _ = read(&bytes, 8192);
        }
    }

    #[test]
    fn a_command_is_its_words_with_their_lengths() {
        let mut out = b"before".to_vec();
        command(&mut out, &[b"GET", b"a\r\nb", b"", b"\xff"]);
        assert_eq!(out, b"before*4\r\n$3\r\nGET\r\n$4\r\na\r\nb\r\n$0\r\n\r\n$1\r\n\xff\r\n");
    }
}
