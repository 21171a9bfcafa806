//! The protocol of the server (RESP2): commands to bytes, bytes to replies.
//!
//! Used by `connection` alone. What comes back is bounded in length, in depth and in all, and whatever is not a reply is
//! an error: nothing is guessed, nothing is reserved because a length says so. No clock, no socket.

/// The longest line, the longest text, the most parts of a reply, and how deep they may lie in each other.
const MAX_LINE: usize = 64 << 10;
const MAX_BULK: usize = 16 << 20;
const MAX_PARTS: usize = 1 << 20;
const MAX_DEPTH: usize = 8;

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

/// Why bytes are not a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// There is more to come.
    Short,
    /// This is no server of ours.
    Nonsense,
}

/// Appends a command to `out`.
pub(super) fn command(out: &mut Vec<u8>, words: &[&[u8]]) {
    out.extend(format!("*{}\r\n", words.len()).bytes());
    for word in words {
        out.extend(format!("${}\r\n", word.len()).bytes());
        out.extend_from_slice(word);
        out.extend(b"\r\n");
    }
}

/// Reads one reply from the beginning of `bytes`, and says how many it took.
pub(super) fn read(bytes: &[u8]) -> Result<(Reply, usize), Unread> {
    let mut reader = Reader { bytes, at: 0, parts: 0 };
    let reply = reader.reply(0)?;
    Ok((reply, reader.at))
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    parts: usize,
}

impl Reader<'_> {
    fn line(&mut self) -> Result<&[u8], Unread> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let Some(end) = rest.iter().take(MAX_LINE).position(|byte| *byte == b'\n') else {
            return Err(if rest.len() < MAX_LINE { Unread::Short } else { Unread::Nonsense });
        };
        let line = rest.get(..end).and_then(|line| line.strip_suffix(b"\r")).ok_or(Unread::Nonsense)?;
        self.at += end + 1;
        Ok(line)
    }

    fn reply(&mut self, depth: usize) -> Result<Reply, Unread> {
        self.parts += 1;
        if depth > MAX_DEPTH || self.parts > MAX_PARTS {
            return Err(Unread::Nonsense);
        }
        let (kind, line) = match self.line()?.split_first() {
            Some((kind, line)) => (*kind, line.to_vec()),
            None => return Err(Unread::Nonsense),
        };
        match kind {
            b'+' => Ok(Reply::Word(line)),
            b'-' => Ok(Reply::Refused(String::from_utf8_lossy(&line).into_owned())),
            b':' => Ok(Reply::Number(number(&line)?)),
            b'$' => self.bulk(number(&line)?),
            b'*' => self.several(number(&line)?, depth),
            _ => Err(Unread::Nonsense),
        }
    }

    fn bulk(&mut self, length: i64) -> Result<Reply, Unread> {
        if length == -1 {
            return Ok(Reply::Nothing);
        }
        let length = usize::try_from(length).ok().filter(|length| *length <= MAX_BULK).ok_or(Unread::Nonsense)?;
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let (text, rest) = rest.split_at_checked(length).ok_or(Unread::Short)?;
        match rest {
            [b'\r', b'\n', ..] => {}
            [] | [b'\r'] => return Err(Unread::Short),
            _ => return Err(Unread::Nonsense),
        }
        let text = text.to_vec();
        self.at += length + 2;
        Ok(Reply::Bytes(text))
    }

    fn several(&mut self, length: i64, depth: usize) -> Result<Reply, Unread> {
        if length == -1 {
            return Ok(Reply::Nothing);
        }
        let length = usize::try_from(length).ok().filter(|length| *length <= MAX_PARTS).ok_or(Unread::Nonsense)?;
        let mut parts = Vec::new();
        for _ in 0..length {
            parts.push(self.reply(depth + 1)?);
        }
        Ok(Reply::Parts(parts))
    }
}

fn number(line: &[u8]) -> Result<i64, Unread> {
    std::str::from_utf8(line).ok().and_then(|text| text.parse().ok()).ok_or(Unread::Nonsense)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &[u8] = b"*5\r\n:-7\r\n$3\r\na\r\n\r\n$-1\r\n*1\r\n+OK\r\n-ERR no\r\n";

    #[test]
    fn a_reply_reads_back_whole_and_every_shorter_one_waits() {
        let (reply, taken) = read(&[WHOLE, b"+more\r\n"].concat()).unwrap();
        let parts = vec![
            Reply::Number(-7),
            Reply::Bytes(b"a\r\n".to_vec()),
            Reply::Nothing,
            Reply::Parts(vec![Reply::Word(b"OK".to_vec())]),
            Reply::Refused("ERR no".to_owned()),
        ];
        assert_eq!((reply, taken), (Reply::Parts(parts), WHOLE.len()));
        for length in 0..WHOLE.len() {
            assert_eq!(read(&WHOLE[..length]), Err(Unread::Short), "{length}");
        }
    }

    #[test]
    fn nonsense_is_an_error_and_reserves_nothing() {
        let deep = b"*1\r\n".repeat(20);
        let long = vec![b'+'; MAX_LINE + 1];
        for bytes in [
            &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
            b"\r\n",
            b"$-2\r\n",
            b"$9999999999999\r\n",
            b"*9223372036854775807\r\n",
            b":\r\n",
            b":1x\r\n",
            b"$1\r\nabc",
            b"+OK\n",
            &deep,
            &long,
        ] {
            assert_eq!(read(bytes), Err(Unread::Nonsense), "{:?}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn no_flipped_byte_panics() {
        for at in 0..WHOLE.len() {
            for bit in 0..8 {
                let mut bytes = WHOLE.to_vec();
                bytes[at] ^= 1 << bit;
                let _ = read(&bytes);
            }
        }
    }

    #[test]
    fn a_command_is_its_words_with_their_lengths() {
        let mut out = Vec::new();
        command(&mut out, &[b"GET", b"a\r\nb"]);
        assert_eq!(out, b"*2\r\n$3\r\nGET\r\n$4\r\na\r\nb\r\n");
    }
}
