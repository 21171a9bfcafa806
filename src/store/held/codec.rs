//! The bytes of a row: version 1, big-endian.
//!
//! | offset | bytes | a live session | a tombstone |
//! |---|---|---|---|
//! | 0 | 1 | version, 1 | version, 1 |
//! | 1 | 1 | 1 | 2 |
//! | 2 | 1 | flags | how it died: 1 revoked, 2 idle, 3 ended |
//! | 3 | 1 | 0 | 0, or 1 where a session went on from it |
//! | 4 | 8 | serial | absolute end, Unix seconds |
//! | 12 | 8 | seq | the next session's key, 32 bytes |
//! | 20 | 8 | absolute end, Unix seconds | |
//! | 28 | 4, 4 | life, idle time, seconds | |
//! | 36 | 8 | boot that the next is counted in | |
//! | 44 | 8, 8 | last use: boot seconds, Unix seconds | |
//! | 60 | | principal, then what the flags say, then extras | |
//!
//! Texts are a length of four bytes and the bytes. The last path has a fixed room, so that a touch changes a row in its
//! place and never needs more of the disk. Used by `store::shared` and `store::redis`. A row that cannot be read is an error and never
//! "no session".

use crate::base::Now;
use crate::crypto::digest::Digest;
use crate::session::{Dead, MAX_PATH, Record, Reference, Stored};

pub(in crate::store) const VERSION: u8 = 1;
const LIVE: u8 = 1;
const TOMB: u8 = 2;

const KEPT: u8 = 1;
const COMPANION: u8 = 2;
const COMPANION_SEEN: u8 = 4;
const PATH: u8 = 8;
const CLIENT: u8 = 16;
const TENANT: u8 = 32;
const MINTS: u8 = 64;
const ORIGIN: u8 = 128;

const ABSOLUTE: usize = 20;
const BOOT: usize = 36;
const TEXTS: usize = 60;
const PATH_ROOM: usize = MAX_PATH + 1;

/// A row that is not one of this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) struct Unreadable;

type Read<T> = Result<T, Unreadable>;

/// When a session was last used, in the boot of whoever wrote it.
#[derive(Clone, Copy)]
pub(in crate::store) struct Used {
    pub boot_tag: u64,
    pub boot: i64,
    pub unix: i64,
}

impl Used {
    /// `boot`: the second of the last use in the boot of `tag`, which is this one.
    pub(in crate::store) fn at(tag: u64, boot: i64, now: Now) -> Used {
        Used { boot_tag: tag, boot, unix: now.unix().saturating_sub(now.boot().saturating_sub(boot).max(0)) }
    }

    /// The boot second of the last use as this boot counts: of another boot it is reckoned by the wall clock.
    pub(in crate::store) fn boot_in(self, tag: u64, now: Now) -> i64 {
        if self.boot_tag == tag {
            return self.boot;
        }
        now.boot().saturating_sub(now.unix().saturating_sub(self.unix).max(0))
    }
}

/// What stands in a row.
pub(in crate::store) enum Row<'a> {
    Live(Live<'a>),
    Tomb(Tomb),
}

/// What is left of a removed session.
#[derive(Clone, Copy)]
pub(in crate::store) struct Tomb {
    pub dead: Dead,
    /// Unix seconds.
    pub ends: i64,
    /// The session that went on from it.
    pub next: Option<Digest>,
}

/// A live session's row.
#[derive(Clone, Copy)]
pub(in crate::store) struct Live<'a>(&'a [u8]);

fn part<const N: usize>(bytes: &[u8], at: usize) -> Read<[u8; N]> {
    bytes.get(at..).and_then(|rest| rest.first_chunk::<N>()).copied().ok_or(Unreadable)
}

/// Reads a row.
pub(in crate::store) fn read(bytes: &[u8]) -> Read<Row<'_>> {
    match part::<2>(bytes, 0)? {
        [VERSION, LIVE] if bytes.len() >= TEXTS => Ok(Row::Live(Live(bytes))),
        [VERSION, TOMB] => {
            let [dead, goes_on] = part(bytes, 2)?;
            let dead = match dead {
                1 => Dead::Revoked,
                2 => Dead::Idle,
                3 => Dead::Ended,
                _ => return Err(Unreadable),
            };
            let next = if goes_on == 1 { Some(part(bytes, 12)?) } else { None };
            Ok(Row::Tomb(Tomb { dead, ends: i64::from_be_bytes(part(bytes, 4)?), next }))
        }
        _ => Err(Unreadable),
    }
}

/// The bytes of a tombstone.
pub(in crate::store) fn tomb(tomb: &Tomb) -> Vec<u8> {
    let dead = match tomb.dead {
        Dead::Revoked => 1,
        Dead::Idle => 2,
        Dead::Ended => 3,
    };
    let mut bytes = vec![VERSION, TOMB, dead, u8::from(tomb.next.is_some())];
    bytes.extend(tomb.ends.to_be_bytes());
    bytes.extend(tomb.next.unwrap_or_default());
    bytes
}

/// The bytes of a live session. `None` when a text is longer than any row may be.
pub(in crate::store) fn live(record: &Record, serial: u64, used: Used) -> Option<Vec<u8>> {
    let stored = record.stored();
    let flag = |is: bool, flag: u8| if is { flag } else { 0 };
    let flags = flag(stored.kept, KEPT)
        | flag(stored.companion.is_some(), COMPANION)
        | flag(stored.companion_seen, COMPANION_SEEN)
        | flag(stored.path.is_some(), PATH)
        | flag(stored.client.is_some(), CLIENT)
        | flag(stored.tenant.is_some(), TENANT)
        | flag(stored.mints, MINTS)
        | flag(stored.origin.is_some(), ORIGIN);
    let mut out = vec![VERSION, LIVE, flags, 0];
    out.extend(serial.to_be_bytes());
    out.extend(stored.seq.to_be_bytes());
    out.extend(stored.absolute_unix.to_be_bytes());
    out.extend(stored.life_secs.to_be_bytes());
    out.extend(stored.idle_secs.to_be_bytes());
    out.extend(used.boot_tag.to_be_bytes());
    out.extend(used.boot.to_be_bytes());
    out.extend(used.unix.to_be_bytes());
    put(&mut out, stored.principal)?;
    out.extend(stored.companion.iter().flatten());
    out.extend(stored.origin.iter().flat_map(|origin| origin.0));
    if let Some(path) = &stored.path {
        out.extend(path_room(path));
    }
    if let Some(client) = stored.client {
        put(&mut out, client)?;
    }
    if let Some((id, name)) = stored.tenant {
        put(&mut out, id)?;
        put(&mut out, name)?;
    }
    for (name, value) in &stored.extra {
        put(&mut out, name)?;
        put(&mut out, value)?;
    }
    Some(out)
}

fn put(out: &mut Vec<u8>, text: &str) -> Option<()> {
    out.extend(u32::try_from(text.len()).ok()?.to_be_bytes());
    out.extend(text.as_bytes());
    Some(())
}

fn path_room(path: &[u8]) -> [u8; PATH_ROOM] {
    let mut room = [0; PATH_ROOM];
    let path = path.get(..path.len().min(MAX_PATH)).unwrap_or_default();
    if let ([length, rest @ ..], Ok(count)) = (&mut room, u8::try_from(path.len())) {
        *length = count;
        rest.iter_mut().zip(path).for_each(|(to, from)| *to = *from);
    }
    room
}

/// Takes one part after the other.
struct Parts<'a>(&'a [u8]);

impl<'a> Parts<'a> {
    fn bytes(&mut self, count: usize) -> Read<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Unreadable)?;
        self.0 = rest;
        Ok(taken)
    }

    fn text(&mut self) -> Read<&'a str> {
        let length = u32::from_be_bytes(part(self.bytes(4)?, 0)?);
        let bytes = self.bytes(usize::try_from(length).map_err(|_| Unreadable)?)?;
        std::str::from_utf8(bytes).map_err(|_| Unreadable)
    }
}

impl<'a> Live<'a> {
    fn has(self, flag: u8) -> bool {
        self.0.get(2).is_some_and(|flags| flags & flag != 0)
    }

    fn number(self, at: usize) -> Read<u64> {
        part(self.0, at).map(u64::from_be_bytes)
    }

    fn signed(self, at: usize) -> Read<i64> {
        part(self.0, at).map(i64::from_be_bytes)
    }

    pub(in crate::store) fn serial(self) -> Read<u64> {
        self.number(4)
    }

    pub(in crate::store) fn absolute(self) -> Read<i64> {
        self.signed(ABSOLUTE)
    }

    pub(in crate::store) fn used(self) -> Read<Used> {
        Ok(Used { boot_tag: self.number(BOOT)?, boot: self.signed(BOOT + 8)?, unix: self.signed(BOOT + 16)? })
    }

    pub(in crate::store) fn companion_seen(self) -> bool {
        self.has(COMPANION_SEEN)
    }

    /// The whole record, as last used at boot second `used`.
    pub(in crate::store) fn record(self, key: Digest, used: i64) -> Read<Record> {
        self.record_with(key, used, None)
    }

    /// The same with a last path that is kept elsewhere, if there is one.
    pub(in crate::store) fn record_with(self, key: Digest, used: i64, newer: Option<Vec<u8>>) -> Read<Record> {
        let mut parts = Parts(self.0.get(TEXTS..).ok_or(Unreadable)?);
        let principal = parts.text()?;
        let companion = if self.has(COMPANION) { Some(part(parts.bytes(32)?, 0)?) } else { None };
        let origin = if self.has(ORIGIN) { Some(Reference(part(parts.bytes(16)?, 0)?)) } else { None };
        let path = if self.has(PATH) { Some(parts.bytes(PATH_ROOM)?) } else { None };
        let client = if self.has(CLIENT) { Some(parts.text()?) } else { None };
        let tenant = if self.has(TENANT) { Some((parts.text()?, parts.text()?)) } else { None };
        let mut extra = Vec::new();
        while !parts.0.is_empty() {
            extra.push((parts.text()?, parts.text()?));
        }
        let path = path.map(|room| {
            let (length, bytes) = room.split_first().unwrap_or((&0, &[]));
            newer.unwrap_or_else(|| bytes.get(..usize::from(*length)).unwrap_or_default().to_vec())
        });
        let stored = Stored {
            principal,
            tenant,
            absolute_unix: self.absolute()?,
            life_secs: part(self.0, 28).map(u32::from_be_bytes)?,
            idle_secs: part(self.0, 32).map(u32::from_be_bytes)?,
            seq: self.number(12)?,
            kept: self.has(KEPT),
            mints: self.has(MINTS),
            origin,
            companion,
            companion_seen: self.companion_seen(),
            client,
            path,
            extra,
        };
        Ok(Record::restored(key, stored, used))
    }

    /// The same row with the uses that `record` knows of: last use, companion, last path. Of the same length.
    pub(in crate::store) fn touched(self, record: &Record, used: Used) -> Read<Vec<u8>> {
        let mut bytes = self.0.to_vec();
        let stored = record.stored();
        if stored.companion_seen
            && let Some(flags) = bytes.get_mut(2)
        {
            *flags |= COMPANION_SEEN;
        }
        let numbers = [used.boot_tag.to_be_bytes(), used.boot.to_be_bytes(), used.unix.to_be_bytes()].concat();
        write(&mut bytes, BOOT, &numbers)?;
        if let Some(path) = stored.path.filter(|path| self.has(PATH) && !path.is_empty()) {
            let companion = if self.has(COMPANION) { 32 } else { 0 };
            let before = companion + if self.has(ORIGIN) { 16 } else { 0 };
            write(&mut bytes, TEXTS + 4 + stored.principal.len() + before, &path_room(&path))?;
        }
        Ok(bytes)
    }
}

/// Moves the absolute end of a live session's row, which is where another clock has it.
#[cfg(feature = "redis")]
pub(in crate::store) fn set_absolute(bytes: &mut [u8], absolute: i64) -> Read<()> {
    write(bytes, ABSOLUTE, &absolute.to_be_bytes())
}

fn write(bytes: &mut [u8], at: usize, new: &[u8]) -> Read<()> {
    let room = bytes.get_mut(at..).and_then(|rest| rest.get_mut(..new.len())).ok_or(Unreadable)?;
    room.copy_from_slice(new);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Clock;
    use crate::directory::Tenant;
    use crate::session::NewSession;
    use std::sync::Arc;

    fn full(clock: &Clock) -> Record {
        let new = NewSession {
            tenant: Some(Arc::new(Tenant { id: "{1}".to_owned(), name: "Sample Vault".to_owned() })),
            extra: vec![("computer".into(), "desk-7".into()), ("empty".into(), "".into())],
            client: Some("203.0.113.7".into()),
            companion: Some([7; 32]),
            keep_path: true,
            kept: true,
            mints: true,
            ..NewSession::of("Aladdin", 1_600, 43_200, 99)
        };
        Record::new(new, clock.now())
    }

    fn used(clock: &Clock, tag: u64) -> Used {
        Used::at(tag, clock.now().boot(), clock.now())
    }

    #[test]
    fn a_row_reads_back_whole_and_a_touch_keeps_its_length() {
        let clock = Clock::fake(1_700_000_000);
        let continued = Record::continued(
            NewSession { keep_path: true, ..NewSession::of("AlexK", 1_600, 9, 3) },
            &full(&clock),
            clock.now(),
        );
        for record in [full(&clock), continued, Record::new(NewSession::of("x", 1_600, 3_600, 1), clock.now())] {
            let bytes = live(&record, 12, used(&clock, 5)).unwrap();
            let Ok(Row::Live(row)) = read(&bytes) else { panic!("it is live") };
            assert_eq!((row.serial(), row.absolute()), (Ok(12), Ok(record.ends().absolute_unix)));
            let back = row.record([3; 32], 77).unwrap();
            assert_eq!((back.key(), back.last_used_boot(), back.ends()), (&[3; 32], Some(77), record.ends()));
            assert_eq!((&back.principal, back.seq, back.kept), (&record.principal, record.seq, record.kept));
            assert_eq!(
                (back.client(), back.companion(), back.extra()),
                (record.client(), record.companion(), record.extra())
            );
            assert_eq!(back.mints, record.mints);
            let begun = record.stored().origin.unwrap_or(Reference([3; 16]));
            assert_eq!(back.origin(), begun);
            assert_eq!(back.tenant.as_deref().map(|t| &t.name), record.tenant.as_deref().map(|t| &t.name));
            assert_eq!((back.last_path(), back.companion_required()), (None, false));

            clock.advance(120);
            record.touch(Some(b"/api/a"), clock.now());
            record.require_companion();
            let touched = row.touched(&record, used(&clock, 5)).unwrap();
            assert_eq!(touched.len(), bytes.len());
            let Ok(Row::Live(row)) = read(&touched) else { panic!("it is live") };
            let back = row.record([3; 32], row.used().unwrap().boot).unwrap();
            assert_eq!(back.last_path(), record.last_path());
            assert_eq!((back.last_used_boot(), back.companion_required()), (record.last_used_boot(), true));
        }
    }

    #[test]
    fn a_use_of_another_boot_is_reckoned_by_the_wall_clock() {
        let clock = Clock::fake(1_700_000_000);
        let before = used(&clock, 5);
        clock.advance(100);
        let now = clock.now();
        assert_eq!(before.boot_in(5, now), now.boot() - 100);
        let other = Used { boot: 3, ..before };
        assert_eq!(other.boot_in(6, now), now.boot() - 100);
        assert_eq!(Used { unix: now.unix() + 50, ..other }.boot_in(6, now), now.boot(), "never in the future");
    }

    #[test]
    fn a_tombstone_reads_back() {
        for next in [None, Some([9; 32])] {
            for dead in [Dead::Revoked, Dead::Idle, Dead::Ended] {
                let bytes = tomb(&Tomb { dead, ends: 1_234, next });
                let Ok(Row::Tomb(back)) = read(&bytes) else { panic!("it is a tomb") };
                assert_eq!((back.dead, back.ends, back.next), (dead, 1_234, next));
            }
        }
    }

    #[test]
    fn no_cut_or_foreign_row_is_read_and_none_panics() {
        let clock = Clock::fake(1_700_000_000);
        let bytes = live(&full(&clock), 12, used(&clock, 5)).unwrap();
        let whole = |bytes: &[u8]| match read(bytes) {
            Ok(Row::Live(row)) => row.record([0; 32], 0).is_ok_and(|record| record.extra().len() == 2),
            Ok(Row::Tomb(_)) | Err(Unreadable) => false,
        };
        assert!(whole(&bytes));
        for length in 0..bytes.len() {
            assert!(!whole(&bytes[..length]), "{length}");
        }
        for version in [0, 2, 255] {
            assert!(read(&[&[version][..], &bytes[1..]].concat()).is_err());
        }
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0xff;
            let _ = whole(&flipped);
        }
        for length in 0..44 {
            let mut tomb = tomb(&Tomb { dead: Dead::Idle, ends: 1, next: Some([1; 32]) });
            tomb.truncate(length);
            assert!(read(&tomb).is_err(), "{length}");
        }
    }
}
