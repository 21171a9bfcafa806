//! The sessions environment: rows, who has which, and when each is to be looked at.
//!
//! | database | key | value |
//! |---|---|---|
//! | `meta` | `serial`, `high` | the last serial; the highest seq that a session carries |
//! | `rows` | digest | see `codec` |
//! | `people` | half of the principal's digest, serial | digest |
//! | `due` | Unix second, digest | nothing |
//!
//! Used by `store::shared` alone. Each row, live or tombstone, has one entry in `due`, which says only "look here": a
//! touch never moves it. Whoever writes holds LMDB's write lock, over all processes.

use super::codec::{self, Live, Row, Tomb, Used};
use super::room;
use super::tables::{self, Table};
use crate::base::{Now, Result};
use crate::crypto::digest::Digest;
use crate::session::{Dead, Record, Reference};
use heed::{Env, MdbError, RoTxn, RwTxn, WithoutTls};
use std::ops::Bound;

/// The environment.
pub(super) struct Rows {
    pub env: Env<WithoutTls>,
    pub file: room::File,
    meta: Table,
    rows: Table,
    people: Table,
    due: Table,
}

fn damaged() -> heed::Error {
    heed::Error::Mdb(MdbError::Corrupted)
}

fn full() -> heed::Error {
    heed::Error::Mdb(MdbError::MapFull)
}

fn number(bytes: &[u8]) -> heed::Result<u64> {
    bytes.try_into().map(u64::from_be_bytes).map_err(|_| damaged())
}

fn person(principal: &Digest, serial: u64) -> [u8; 24] {
    let mut key = [0; 24];
    let (half, end) = key.split_at_mut(16);
    half.iter_mut().zip(principal).for_each(|(to, from)| *to = *from);
    end.copy_from_slice(&serial.to_be_bytes());
    key
}

fn due(unix: i64, key: &Digest) -> [u8; 40] {
    let mut entry = [0; 40];
    let (time, rest) = entry.split_at_mut(8);
    time.copy_from_slice(&u64::try_from(unix).unwrap_or(0).to_be_bytes());
    rest.copy_from_slice(key);
    entry
}

/// A row as an owned thing: what a writer needs of it.
pub(super) struct Held {
    pub record: Record,
    pub serial: u64,
}

impl Rows {
    pub(super) fn open(env: Env<WithoutTls>) -> Result<Rows> {
        let [meta, rows, people, due] = tables::open(&env, ["meta", "rows", "people", "due"])?;
        let file = room::File::of_sessions(&env).map_err(|e| super::place::explained(&e, env.path()))?;
        Ok(Rows { env, file, meta, rows, people, due })
    }

    /// The highest seq that a session was ever stored with.
    pub(super) fn high(&self) -> heed::Result<u64> {
        let r = self.env.read_txn()?;
        self.meta(&r, b"high")
    }

    fn meta(&self, r: &RoTxn<'_>, name: &[u8]) -> heed::Result<u64> {
        self.meta.get(r, name)?.map_or(Ok(0), number)
    }

    /// What stands under `key`.
    pub(super) fn get<'r>(&self, r: &'r RoTxn<'_>, key: &Digest) -> heed::Result<Option<Row<'r>>> {
        self.rows.get(r, key)?.map(|bytes| codec::read(bytes).map_err(|_| damaged())).transpose()
    }

    /// The live session under `key`, whole.
    pub(super) fn held(&self, r: &RoTxn<'_>, key: &Digest, tag: u64, now: Now) -> heed::Result<Option<Held>> {
        match self.get(r, key)? {
            Some(Row::Live(row)) => Rows::hold(row, key, tag, now).map(Some),
            Some(Row::Tomb(_)) | None => Ok(None),
        }
    }

    pub(super) fn hold(row: Live<'_>, key: &Digest, tag: u64, now: Now) -> heed::Result<Held> {
        let read = || {
            let used = row.used()?.boot_in(tag, now);
            Ok::<_, codec::Unreadable>(Held { record: row.record(*key, used)?, serial: row.serial()? })
        };
        read().map_err(|_| damaged())
    }

    /// The key that a reference stands for.
    pub(super) fn key_of(&self, r: &RoTxn<'_>, reference: &Reference) -> heed::Result<Option<Digest>> {
        let Some((key, _)) = self.rows.get_greater_than_or_equal_to(r, &reference.0)? else { return Ok(None) };
        let key: Digest = key.try_into().map_err(|_| damaged())?;
        Ok((Reference::of(&key) == *reference).then_some(key))
    }

    /// The keys of a principal's live sessions, oldest first.
    pub(super) fn of(&self, r: &RoTxn<'_>, principal: &Digest) -> heed::Result<Vec<Digest>> {
        let half = principal.first_chunk::<16>().map_or(&[][..], |half| half);
        let rows = self.people.prefix_iter(r, half)?;
        rows.map(|row| row?.1.try_into().map_err(|_| damaged())).collect()
    }

    /// Live sessions, over ones that were not swept among them.
    pub(super) fn count(&self) -> heed::Result<u64> {
        self.live(&*self.env.read_txn()?)
    }

    pub(super) fn live(&self, r: &RoTxn<'_>) -> heed::Result<u64> {
        self.people.len(r)
    }

    /// Whether there is no room for new sessions.
    pub(super) fn is_full(&self, r: &RoTxn<'_>) -> heed::Result<bool> {
        self.file.fills(r, &[&self.rows, &self.people, &self.due], 0, room::NEW)
    }

    /// Keeps some of the disk free. `w` is new.
    pub(super) fn keep_room(&self, w: &RwTxn<'_>) -> heed::Result<()> {
        match self.file.lacks(w, &[&self.meta, &self.rows, &self.people, &self.due])? {
            Some(bytes) => self.file.grow(bytes),
            None => Ok(()),
        }
    }

    /// Puts a session in, and returns its serial. `look`: the Unix second at which it could first be over.
    pub(super) fn insert(
        &self,
        w: &mut RwTxn<'_>,
        record: &Record,
        principal: &Digest,
        used: Used,
        look: i64,
    ) -> heed::Result<u64> {
        if self.is_full(w)? {
            return Err(full());
        }
        let serial = self.meta(w, b"serial")?.saturating_add(1);
        let high = self.meta(w, b"high")?.max(record.seq);
        let row = codec::live(record, serial, used).ok_or_else(full)?;
        self.rows.put(w, record.key(), &row)?;
        self.people.put(w, &person(principal, serial), record.key())?;
        self.due.put(w, &due(look, record.key()), &[])?;
        self.meta.put(w, b"serial", &serial.to_be_bytes())?;
        self.meta.put(w, b"high", &high.to_be_bytes())?;
        Ok(serial)
    }

    /// Puts a tombstone in a live session's place.
    pub(super) fn entomb(
        &self,
        w: &mut RwTxn<'_>,
        held: &Held,
        principal: &Digest,
        dead: Dead,
        next: Option<Digest>,
    ) -> heed::Result<()> {
        let tomb = codec::tomb(&Tomb { dead, ends: held.record.ends().absolute_unix, next });
        self.rows.put(w, held.record.key(), &tomb)?;
        self.people.delete(w, &person(principal, held.serial)).map(drop)
    }

    /// Writes down what `record` knows of uses, where its session is still there. Whether it is.
    pub(super) fn touch(&self, w: &mut RwTxn<'_>, record: &Record, tag: u64, now: Now) -> heed::Result<bool> {
        let Some(boot) = record.last_used_boot() else { return Ok(false) };
        let touched = match self.get(w, record.key())? {
            Some(Row::Live(row)) => {
                let newest = row.used().map_err(|_| damaged())?.boot_in(tag, now).max(boot);
                row.touched(record, Used::at(tag, newest, now)).map_err(|_| damaged())?
            }
            Some(Row::Tomb(_)) | None => return Ok(false),
        };
        self.rows.put(w, record.key(), &touched)?;
        Ok(true)
    }

    /// The first row that is to be looked at by `now`.
    pub(super) fn first_due(&self, r: &RoTxn<'_>, now: Now) -> heed::Result<Option<(i64, Digest)>> {
        let Some((entry, _)) = self.due.first(r)? else { return Ok(None) };
        let (time, key) = entry.split_at_checked(8).ok_or_else(damaged)?;
        let time = i64::try_from(number(time)?).unwrap_or(i64::MAX);
        let key = key.try_into().map_err(|_| damaged())?;
        Ok((time <= now.unix()).then_some((time, key)))
    }

    /// Looks at the row next at `next`, or never again.
    pub(super) fn look_again(
        &self,
        w: &mut RwTxn<'_>,
        (time, key): (i64, Digest),
        next: Option<i64>,
    ) -> heed::Result<()> {
        self.due.delete(w, &due(time, &key))?;
        match next {
            Some(next) => self.due.put(w, &due(next, &key), &[]),
            None => Ok(()),
        }
    }

    /// Removes a tombstone that has stood its time.
    pub(super) fn clear(&self, w: &mut RwTxn<'_>, key: &Digest) -> heed::Result<()> {
        self.rows.delete(w, key).map(drop)
    }

    /// Tells the live rows in the order of their keys, until `tell` says no.
    pub(super) fn walk(
        &self,
        r: &RoTxn<'_>,
        mut tell: impl FnMut(&Digest, Live<'_>) -> heed::Result<bool>,
    ) -> heed::Result<()> {
        for row in self.rows.range(r, &(Bound::<&[u8]>::Unbounded, Bound::Unbounded))? {
            let (key, bytes) = row?;
            let key: Digest = key.try_into().map_err(|_| damaged())?;
            if let Row::Live(row) = codec::read(bytes).map_err(|_| damaged())?
                && !tell(&key, row)?
            {
                break;
            }
        }
        Ok(())
    }

    /// Leaves nothing of a row that could be read.
    #[cfg(test)]
    pub(super) fn spoil(&self, w: &mut RwTxn<'_>, key: &Digest) {
        self.rows.put(w, key, b"?").unwrap();
    }

    /// Rows of every kind, and entries in `due`.
    #[cfg(test)]
    pub(super) fn sizes(&self) -> (u64, u64) {
        let r = self.env.read_txn().unwrap();
        (self.rows.len(&r).unwrap(), self.due.len(&r).unwrap())
    }
}
