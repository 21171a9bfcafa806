//! Who has which sessions, and the floors of principals.
//!
//! Used by `store::memory` alone. Each session is one entry under its principal's hash, so the index holds exactly
//! what is alive and shrinks with it. A principal's lock is what an insertion and a revocation of that principal meet
//! at: whichever comes second sees the first. It is taken before a shard of `rows`, never after.

use super::shrink;
use crate::session::Record;
use hashbrown::HashTable;
use parking_lot::RwLock;
use std::collections::hash_map::DefaultHasher;
use std::hash::Hasher;
use std::sync::Arc;

const SHARDS: usize = 512;

/// Index and floors, in shards by principal.
pub(super) struct People {
    /// Makes the hashes differ from process to process: names are chosen by strangers.
    seed: [u8; 16],
    shards: Box<[RwLock<Shard>]>,
}

/// The principals of one shard.
#[derive(Default)]
pub(super) struct Shard {
    seed: [u8; 16],
    sessions: HashTable<Arc<Record>>,
    floors: HashTable<(Box<str>, u64)>,
}

/// A principal's hash: the lower bits choose the bucket, the middle the shard.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Hash(u64);

impl Hash {
    /// The number of the shard, and so the order in which two are locked.
    pub(super) fn shard(self) -> usize {
        (self.0 >> 40) as usize % SHARDS
    }
}

fn hash(seed: &[u8; 16], principal: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(seed);
    hasher.write(principal.as_bytes());
    hasher.finish()
}

impl People {
    pub(super) fn new(seed: [u8; 16]) -> People {
        let shards = (0..SHARDS).map(|_| RwLock::new(Shard { seed, ..Shard::default() })).collect();
        People { seed, shards }
    }

    pub(super) fn hash(&self, principal: &str) -> Hash {
        Hash(hash(&self.seed, principal))
    }

    pub(super) fn shard(&self, hash: Hash) -> &RwLock<Shard> {
        &self.shards[hash.shard()]
    }

    /// The floor of a principal; 0 when it has none. Allocates nothing.
    pub(super) fn floor(&self, principal: &str) -> u64 {
        let hash = self.hash(principal);
        self.shard(hash).read().floor(hash, principal)
    }

    /// Entries of the index, and floors.
    pub(super) fn sizes(&self) -> (usize, usize) {
        self.shards
            .iter()
            .map(|shard| shard.read())
            .fold((0, 0), |(sessions, floors), shard| (sessions + shard.sessions.len(), floors + shard.floors.len()))
    }
}

impl Shard {
    pub(super) fn floor(&self, hash: Hash, principal: &str) -> u64 {
        self.floors.find(hash.0, |(name, _)| **name == *principal).map_or(0, |(_, seq)| *seq)
    }

    /// Raises the floor to `seq`; never lowers it. Whether there was none before.
    pub(super) fn raise(&mut self, Hash(at): Hash, principal: &str, seq: u64) -> bool {
        if let Some((_, floor)) = self.floors.find_mut(at, |(name, _)| **name == *principal) {
            *floor = seq.max(*floor);
            return false;
        }
        let seed = self.seed;
        self.floors.insert_unique(at, (Box::from(principal), seq), |(name, _)| hash(&seed, name));
        true
    }

    /// Takes the floor away if it is still the one of `seq`; otherwise returns what it was raised to.
    pub(super) fn forget(&mut self, Hash(at): Hash, principal: &str, seq: u64) -> Option<u64> {
        let entry = self.floors.find_entry(at, |(name, _)| **name == *principal).ok()?;
        let floor = entry.get().1;
        if floor != seq {
            return Some(floor);
        }
        entry.remove();
        let seed = self.seed;
        shrink(&mut self.floors, |(name, _)| hash(&seed, name));
        None
    }

    /// The sessions of a principal, in no order.
    pub(super) fn of(&self, Hash(at): Hash, principal: &str) -> impl Iterator<Item = &Arc<Record>> {
        self.sessions.iter_hash(at).filter(move |record| *record.principal == *principal)
    }

    pub(super) fn add(&mut self, Hash(at): Hash, record: Arc<Record>) {
        let seed = self.seed;
        self.sessions.insert_unique(at, record, |record| hash(&seed, &record.principal));
    }

    pub(super) fn remove(&mut self, Hash(at): Hash, record: &Arc<Record>) {
        if let Ok(entry) = self.sessions.find_entry(at, |other| Arc::ptr_eq(other, record)) {
            entry.remove();
            let seed = self.seed;
            shrink(&mut self.sessions, |record| hash(&seed, &record.principal));
        }
    }
}
