//! Sessions by digest, the tombstones of removed ones, and the floors of session ids that clients chose.
//!
//! Used by `store::memory` alone. A table holds pointers only: the digest is compared in the record, which a hit reads
//! anyhow. A session and its tombstone change places under one lock, so that a look-up meets exactly one of them.
//!
//! Digests are compared with `==`: whoever could learn one byte by byte from the clock would still have to invert
//! SHA-256 to get an id.

use super::shrink;
use crate::base::Now;
use crate::crypto::digest::Digest;
use crate::session::Dead;
use crate::session::{Record, Reference};
use hashbrown::HashTable;
use parking_lot::RwLock;
use std::sync::Arc;

const SHARDS: usize = 512;

/// All rows, in shards by digest.
pub(super) struct Rows {
    shards: Box<[Shard]>,
    /// Tombstones count their end in seconds from here.
    start_unix: i64,
}

/// One shard. On cache lines of its own, so that the locks of two shards do not disturb each other.
#[repr(align(64))]
#[derive(Default)]
struct Shard(RwLock<Tables>);

#[derive(Default)]
struct Tables {
    live: HashTable<Arc<Record>>,
    tombs: HashTable<Tomb>,
    chosen: HashTable<([u8; 16], u64)>,
}

/// What is left of a removed session. 64 bits name it: two that share them only refuse one login too many.
struct Tomb {
    prefix: u64,
    ends: u32,
    dead: Dead,
    /// The session that went on from this one, or [`NOBODY`].
    next: u64,
}

/// No successor.
pub(super) const NOBODY: u64 = 0;

/// What a look-up met.
pub(super) enum Met<T> {
    Live(T),
    Tomb(Dead),
    Nothing,
}

/// What the wheel's entry points at.
pub(super) enum Due {
    Live(Arc<Record>),
    /// A tombstone with so many seconds to stand.
    Tomb(i64),
    Nothing,
}

/// The first 64 bits of a digest: its hash in the tables, and its entry in the wheel.
pub(super) fn prefix(bytes: &[u8]) -> u64 {
    bytes.first_chunk().map_or(0, |first| u64::from_le_bytes(*first))
}

impl Rows {
    pub(super) fn new(now: Now) -> Rows {
        Rows { shards: (0..SHARDS).map(|_| Shard::default()).collect(), start_unix: now.unix() }
    }

    /// The shard is chosen by bits that the tables inside do not use first.
    fn shard(&self, prefix: u64) -> &RwLock<Tables> {
        &self.shards[(prefix >> 40) as usize % SHARDS].0
    }

    /// Looks a session up and gives it to `see` under the shard's read lock. Allocates nothing.
    pub(super) fn look<T>(&self, key: &Digest, see: impl FnOnce(&Arc<Record>) -> T) -> Met<T> {
        let prefix = prefix(key);
        let tables = self.shard(prefix).read();
        match tables.live.find(prefix, |record| record.key == *key) {
            Some(record) => Met::Live(see(record)),
            None => tables.tomb(prefix),
        }
    }

    /// The same by reference.
    pub(super) fn look_reference<T>(&self, reference: &Reference, see: impl FnOnce(&Arc<Record>) -> T) -> Met<T> {
        let prefix = prefix(&reference.0);
        let tables = self.shard(prefix).read();
        match tables.live.find(prefix, |record| Reference::of(&record.key) == *reference) {
            Some(record) => Met::Live(see(record)),
            None => tables.tomb(prefix),
        }
    }

    pub(super) fn add(&self, record: Arc<Record>) {
        let prefix = prefix(&record.key);
        self.shard(prefix).write().live.insert_unique(prefix, record, |record| self::prefix(&record.key));
    }

    /// The live session that went on from the removed one whose key begins so, over any number of steps.
    pub(super) fn successor(&self, mut at: u64) -> Option<Arc<Record>> {
        loop {
            at = self.shard(at).read().tombs.find(at, |tomb| tomb.prefix == at)?.next;
            if at == NOBODY {
                return None;
            }
            let tables = self.shard(at).read();
            if let Some(record) = tables.live.find(at, |record| prefix(&record.key) == at) {
                return Some(Arc::clone(record));
            }
        }
    }

    /// Puts the tombstone in the session's place, with the way to `next`; none when its absolute end has passed.
    /// Whether the session was there.
    pub(super) fn bury(&self, record: &Arc<Record>, dead: Dead, next: u64, now: Now) -> bool {
        let prefix = prefix(&record.key);
        let mut tables = self.shard(prefix).write();
        let Ok(entry) = tables.live.find_entry(prefix, |other| Arc::ptr_eq(other, record)) else {
            return false;
        };
        entry.remove();
        shrink(&mut tables.live, |record| self::prefix(&record.key));
        let end = record.ends().absolute_unix;
        if end > now.unix() {
            let ends = u32::try_from(end.saturating_sub(self.start_unix).max(0)).unwrap_or(u32::MAX);
            tables.tombs.insert_unique(prefix, Tomb { prefix, ends, dead, next }, |tomb| tomb.prefix);
        }
        true
    }

    /// What stands at the wheel's entry; a tombstone that has stood its time goes.
    pub(super) fn due(&self, prefix: u64, now: Now) -> Due {
        let shard = self.shard(prefix);
        {
            let tables = shard.read();
            if let Some(record) = tables.live.find(prefix, |record| self::prefix(&record.key) == prefix) {
                return Due::Live(Arc::clone(record));
            }
        }
        let mut tables = shard.write();
        let Ok(entry) = tables.tombs.find_entry(prefix, |tomb| tomb.prefix == prefix) else {
            return Due::Nothing;
        };
        let left = self.start_unix.saturating_add(i64::from(entry.get().ends)).saturating_sub(now.unix());
        if left > 0 {
            return Due::Tomb(left);
        }
        entry.remove();
        shrink(&mut tables.tombs, |tomb| tomb.prefix);
        Due::Nothing
    }

    /// Raises the floor of a chosen id. Whether there was none before.
    pub(super) fn raise(&self, chosen: &Digest, seq: u64) -> bool {
        let (at, Reference(name)) = (prefix(chosen), Reference::of(chosen));
        let mut tables = self.shard(at).write();
        if let Some((_, floor)) = tables.chosen.find_mut(at, |(other, _)| *other == name) {
            *floor = seq.max(*floor);
            return false;
        }
        tables.chosen.insert_unique(at, (name, seq), |(name, _)| prefix(name));
        true
    }

    /// The floor of a chosen id; 0 when it has none.
    pub(super) fn floor(&self, chosen: &Digest) -> u64 {
        let (at, Reference(name)) = (prefix(chosen), Reference::of(chosen));
        self.shard(at).read().chosen.find(at, |(other, _)| *other == name).map_or(0, |(_, seq)| *seq)
    }

    /// Takes the floor of a chosen id away if it is still the one of `seq`; otherwise returns what it was raised to.
    pub(super) fn forget(&self, chosen: &Digest, seq: u64) -> Option<u64> {
        let (at, Reference(name)) = (prefix(chosen), Reference::of(chosen));
        let mut tables = self.shard(at).write();
        let entry = tables.chosen.find_entry(at, |(other, _)| *other == name).ok()?;
        let floor = entry.get().1;
        if floor != seq {
            return Some(floor);
        }
        entry.remove();
        shrink(&mut tables.chosen, |(name, _)| prefix(name));
        None
    }

    /// Up to `max` sessions that `wanted` says yes to.
    pub(super) fn some(&self, max: usize, wanted: impl Fn(&Record) -> bool) -> Vec<Arc<Record>> {
        let mut found = Vec::new();
        for shard in &self.shards {
            let room = max - found.len();
            if room == 0 {
                break;
            }
            let tables = shard.0.read();
            found.extend(tables.live.iter().filter(|record| wanted(record)).take(room).cloned());
        }
        found
    }

    /// Sessions, tombstones, floors of chosen ids.
    pub(super) fn sizes(&self) -> (usize, usize, usize) {
        self.shards.iter().map(|shard| shard.0.read()).fold((0, 0, 0), |(live, tombs, chosen), tables| {
            (live + tables.live.len(), tombs + tables.tombs.len(), chosen + tables.chosen.len())
        })
    }
}

impl Tables {
    fn tomb<T>(&self, prefix: u64) -> Met<T> {
        self.tombs.find(prefix, |tomb| tomb.prefix == prefix).map_or(Met::Nothing, |tomb| Met::Tomb(tomb.dead))
    }
}
