//! What the scripts answer, read strictly: a part that is not as it should be is a fault, never a "no".
//!
//! Used by `store::redis` alone.

use super::fault::Fault;
use super::resp::Reply;
use crate::base::encoding;
use crate::crypto::digest::Digest;
use crate::session::Dead;
use crate::store::held::what::What;

const LOG: Fault = Fault::Unreadable("an entry of the log");
const ROW: Fault = Fault::Unreadable("a session");

/// An answer with the log behind it.
#[derive(Debug)]
pub(super) struct Told {
    pub word: Vec<u8>,
    pub own: Vec<Vec<u8>>,
    pub seq: u64,
    /// What is below it is dead, whatever it is.
    pub floor: u64,
    /// The log does not go back to what was known.
    pub lost: bool,
    /// There are more entries than these.
    pub more: bool,
    pub entries: Vec<Logged>,
}

/// An entry of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Logged {
    pub number: u64,
    pub floor: u64,
    pub what: What,
}

/// A live row as the server has it.
#[derive(Debug)]
pub(super) struct LiveRow {
    pub key: Digest,
    pub sealed: Vec<u8>,
    /// Microseconds to the absolute end, and since the last use, by the server's clock.
    pub left_us: i64,
    pub unused_us: i64,
    pub companion_seen: bool,
    pub path: Vec<u8>,
}

/// What stands under a key.
#[derive(Debug)]
pub(super) enum Found {
    None,
    Dead(Digest, Dead),
    Live(LiveRow),
}

pub(super) fn parts<const N: usize>(reply: Reply) -> Result<[Reply; N], Fault> {
    match reply {
        Reply::Parts(parts) => parts.try_into().map_err(|_| Fault::Nonsense),
        _ => Err(Fault::Nonsense),
    }
}

pub(super) fn list(reply: Reply) -> Result<Vec<Reply>, Fault> {
    match reply {
        Reply::Parts(parts) => Ok(parts),
        _ => Err(Fault::Nonsense),
    }
}

pub(super) fn bytes(reply: Reply) -> Result<Vec<u8>, Fault> {
    match reply {
        Reply::Bytes(bytes) | Reply::Word(bytes) => Ok(bytes),
        _ => Err(Fault::Nonsense),
    }
}

pub(super) fn number(reply: Reply) -> Result<i64, Fault> {
    match reply {
        Reply::Number(number) => Ok(number),
        Reply::Bytes(text) => digits(&text).ok_or(Fault::Nonsense),
        _ => Err(Fault::Nonsense),
    }
}

fn digits<T: std::str::FromStr>(text: &[u8]) -> Option<T> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

fn unsigned(reply: Reply) -> Result<u64, Fault> {
    digits(&bytes(reply)?).ok_or(Fault::Nonsense)
}

/// A letter and what it names, as the log writes it.
pub(super) fn written(what: &What) -> Vec<u8> {
    let bytes = what.bytes();
    match bytes.split_first() {
        Some((letter, rest)) => [&[*letter], encoding::hex(rest).as_bytes()].concat(),
        None => bytes,
    }
}

/// An entry as the log has it.
pub(super) fn entry(logged: &Logged) -> Vec<u8> {
    [format!("{} {} ", logged.number, logged.floor).as_bytes(), &written(&logged.what)].concat()
}

/// Reads [`written`] back.
pub(super) fn what(text: &[u8]) -> Option<What> {
    let (letter, rest) = text.split_first()?;
    let rest = std::str::from_utf8(rest).ok()?;
    let raw = match rest.len() {
        0 => Vec::new(),
        16 => encoding::hex_decode::<8>(rest)?.to_vec(),
        32 => encoding::hex_decode::<16>(rest)?.to_vec(),
        64 => encoding::hex_decode::<32>(rest)?.to_vec(),
        _ => return None,
    };
    What::read(&[&[*letter][..], &raw].concat())
}

/// Reads [`entry`] back.
pub(super) fn logged(entry: &[u8]) -> Option<Logged> {
    let mut words = entry.splitn(3, |byte| *byte == b' ');
    let (number, floor) = (digits(words.next()?)?, digits(words.next()?)?);
    Some(Logged { number, floor, what: what(words.next()?)? })
}

/// A floor that is kept, as it stands beside its name: the number, and until when.
pub(super) fn kept(name: &[u8], value: &[u8]) -> Result<Option<(u64, What)>, Fault> {
    if !name.first().is_some_and(u8::is_ascii_uppercase) {
        return Ok(None);
    }
    let floor = value.split(|byte| *byte == b' ').next().and_then(digits);
    match (floor, what(name)) {
        (Some(floor), Some(what)) => Ok(Some((floor, what))),
        _ => Err(LOG),
    }
}

impl Told {
    /// The number up to which its entries are all.
    pub(super) fn upto(&self) -> u64 {
        match self.entries.last() {
            Some(last) if self.more => last.number,
            _ => self.seq,
        }
    }

    pub(super) fn read(reply: Reply) -> Result<Told, Fault> {
        let [word, own, seq, floor, lost, more, entries] = parts::<7>(reply)?;
        let entries = list(entries)?.into_iter().map(|entry| logged(&bytes(entry)?).ok_or(LOG));
        Ok(Told {
            word: bytes(word)?,
            own: list(own)?.into_iter().map(bytes).collect::<Result<_, _>>()?,
            seq: unsigned(seq)?,
            floor: unsigned(floor)?,
            lost: number(lost)? != 0,
            more: number(more)? != 0,
            entries: entries.collect::<Result<_, _>>()?,
        })
    }
}

fn digest(reply: Reply) -> Result<Digest, Fault> {
    let bytes = bytes(reply)?;
    std::str::from_utf8(&bytes).ok().and_then(encoding::hex_decode::<32>).ok_or(ROW)
}

impl Found {
    pub(super) fn read(reply: Reply) -> Result<Found, Fault> {
        let mut parts = list(reply)?.into_iter();
        let mut next = || parts.next().ok_or(Fault::Nonsense);
        match bytes(next()?)?.as_slice() {
            b"none" => Ok(Found::None),
            b"dead" => {
                let key = digest(next()?)?;
                match bytes(next()?)?.as_slice() {
                    b"1" => Ok(Found::Dead(key, Dead::Revoked)),
                    b"2" => Ok(Found::Dead(key, Dead::Idle)),
                    b"3" => Ok(Found::Dead(key, Dead::Ended)),
                    _ => Err(ROW),
                }
            }
            b"live" => Ok(Found::Live(LiveRow {
                key: digest(next()?)?,
                sealed: bytes(next()?)?,
                left_us: number(next()?)?,
                unused_us: number(next()?)?,
                companion_seen: !bytes(next()?)?.is_empty(),
                path: bytes(next()?)?,
            })),
            _ => Err(Fault::Nonsense),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back_and_nothing_else_is_read() {
        for one in
            [What::Session([1; 32]), What::Principal([2; 32]), What::Key([3; 8]), What::Chosen([4; 16]), What::Site]
        {
            let text = written(&one);
            assert_eq!(what(&text), Some(one));
            let one = Logged { number: 12, floor: 5, what: one };
            assert_eq!(entry(&one), [b"12 5 ", &text[..]].concat());
            assert_eq!(logged(&entry(&one)), Some(one));
            if text.len() > 1 {
                assert_eq!(what(&text[..text.len() - 2]), None);
            }
        }
        for entry in ["", "1", "1 2", "x 2 A", "1 2 A00", "1 2 Sxx", "1 2 Z", "1  A"] {
            assert_eq!(logged(entry.as_bytes()), None, "{entry}");
        }
        assert_eq!(kept(b"seq", b"5"), Ok(None));
        assert_eq!(kept(&written(&What::Key([3; 8])), b"5 99"), Ok(Some((5, What::Key([3; 8])))));
        assert!(kept(b"P00", b"5 99").is_err());
    }

    #[test]
    fn an_answer_of_another_shape_is_a_fault() {
        let text = |text: &str| Reply::Bytes(text.as_bytes().to_vec());
        for reply in [
            Reply::Nothing,
            Reply::Parts(Vec::new()),
            Reply::Parts(vec![text("live"), text("00")]),
            Reply::Parts(vec![text("dead"), text(&"00".repeat(32)), text("7")]),
            Reply::Parts(vec![text("gone")]),
        ] {
            assert!(Found::read(reply.clone()).is_err(), "{reply:?}");
            assert!(Told::read(reply).is_err());
        }
    }
}
