//! Copies of rows in this process, so that a check reads memory. A copy carries no validity of its own: it counts only
//! together with the log up to this moment, and what says "no" is always the store.
//!
//! Used by `store::shared` and `store::redis`. Bounded: in a shard that is full a new copy takes the place of any other,
//! whose session is read again.

use crate::base::Now;
use crate::crypto::digest::Digest;
use crate::session::Record;
use hashbrown::HashTable;
use parking_lot::RwLock;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// Seconds after which a row is read again: other processes note uses and companions in it.
pub(in crate::store) const LIFE_SECS: i64 = 60;

const SHARDS: usize = 64;

/// Copies in a shard: 65,536 in all.
const ROOM: usize = 1024;

/// One session as this process saw it.
pub(in crate::store) struct Copy {
    pub record: Arc<Record>,
    /// The principal's name in the log.
    pub principal: Digest,
    /// The log has nothing against it up to this number.
    seen: AtomicU64,
    /// Boot second at which its row was read.
    read: AtomicI64,
}

impl Copy {
    pub(in crate::store) fn new(record: Arc<Record>, principal: Digest, seen: u64, now: Now) -> Copy {
        Copy { record, principal, seen: AtomicU64::new(seen), read: AtomicI64::new(now.boot()) }
    }

    pub(in crate::store) fn seen(&self) -> u64 {
        self.seen.load(Ordering::Acquire)
    }

    /// Notes that the log has nothing against it up to `number`. A number from before another thread's is no news.
    pub(in crate::store) fn see(&self, number: u64) {
        self.seen.fetch_max(number, Ordering::AcqRel);
    }

    /// Whether its row was read a short time ago.
    pub(in crate::store) fn is_young(&self, now: Now) -> bool {
        (0..=LIFE_SECS).contains(&now.boot().saturating_sub(self.read.load(Ordering::Relaxed)))
    }

    /// Its row was read again.
    pub(in crate::store) fn renew(&self, now: Now) {
        self.read.store(now.boot(), Ordering::Relaxed);
    }
}

/// All copies. Any thread.
pub(in crate::store) struct Copies(Box<[Shard]>);

/// On cache lines of its own, so that the locks of two shards do not disturb each other.
#[repr(align(64))]
#[derive(Default)]
struct Shard(RwLock<HashTable<Arc<Copy>>>);

fn hash(key: &Digest) -> u64 {
    key.first_chunk().map_or(0, |first| u64::from_le_bytes(*first))
}

impl Copies {
    pub(in crate::store) fn new() -> Copies {
        Copies((0..SHARDS).map(|_| Shard::default()).collect())
    }

    fn shard(&self, hash: u64) -> &RwLock<HashTable<Arc<Copy>>> {
        &self.0[(hash >> 40) as usize % SHARDS].0
    }

    /// The copy of the session under `key`. Allocates nothing.
    pub(in crate::store) fn get(&self, key: &Digest) -> Option<Arc<Copy>> {
        let hash = hash(key);
        self.shard(hash).read().find(hash, |copy| copy.record.key == *key).cloned()
    }

    /// Puts a copy in; one that is there already (another thread was faster) stays and is returned.
    pub(in crate::store) fn put(&self, copy: Arc<Copy>) -> Arc<Copy> {
        let hash = hash(&copy.record.key);
        let mut shard = self.shard(hash).write();
        if let Some(there) = shard.find(hash, |other| other.record.key == copy.record.key) {
            return Arc::clone(there);
        }
        if shard.len() >= ROOM {
            drop_one(&mut shard, hash);
        }
        shard.insert_unique(hash, Arc::clone(&copy), |copy| self::hash(&copy.record.key));
        copy
    }

    /// Drops all.
    #[cfg(feature = "redis")]
    pub(in crate::store) fn clear(&self) {
        self.0.iter().for_each(|shard| shard.0.write().clear());
    }

    /// Drops the copy of the session under `key`, and returns it.
    pub(in crate::store) fn remove(&self, key: &Digest) -> Option<Arc<Copy>> {
        self.remove_if(key, |_| true)
    }

    /// The same where `which` says so.
    pub(in crate::store) fn remove_if(&self, key: &Digest, which: impl Fn(&Copy) -> bool) -> Option<Arc<Copy>> {
        let hash = hash(key);
        let mut shard = self.shard(hash).write();
        let entry = shard.find_entry(hash, |copy| copy.record.key == *key && which(copy)).ok()?;
        Some(entry.remove().0)
    }
}

/// Makes room for one, wherever the new one's hash points: to drop all at once takes half a millisecond.
fn drop_one(shard: &mut HashTable<Arc<Copy>>, hash: u64) {
    let buckets = shard.num_buckets();
    for step in 0..buckets {
        if let Ok(entry) = shard.get_bucket_entry((hash as usize).wrapping_add(step) % buckets) {
            entry.remove();
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Clock;
    use crate::session::NewSession;

    fn copy(number: u32, clock: &Clock) -> Arc<Copy> {
        let mut record = Record::new(NewSession::of("Aladdin", 60, 600, 1), clock.now());
        record.key = crate::session::id::key("s", "p", "", &number.to_be_bytes());
        Arc::new(Copy::new(Arc::new(record), [0; 32], 1, clock.now()))
    }

    #[test]
    fn the_first_copy_stays_and_a_number_never_falls() {
        let (clock, copies) = (Clock::fake(1_000), Copies::new());
        let first = copies.put(copy(1, &clock));
        assert!(Arc::ptr_eq(&first, &copies.put(copy(1, &clock))));
        first.see(9);
        first.see(5);
        assert_eq!(copies.get(first.record.key()).unwrap().seen(), 9);
        clock.advance(LIFE_SECS);
        assert!(first.is_young(clock.now()));
        clock.advance(1);
        assert!(!first.is_young(clock.now()));
        assert!(copies.remove(first.record.key()).is_some() && copies.get(first.record.key()).is_none());
    }

    #[test]
    fn copies_are_bounded() {
        let (clock, copies) = (Clock::fake(1_000), Copies::new());
        for number in 0..100_000 {
            copies.put(copy(number, &clock));
        }
        let held: usize = copies.0.iter().map(|shard| shard.0.read().len()).sum();
        assert!(held <= SHARDS * ROOM && held > SHARDS * ROOM / 2, "{held}");
        let late = (90_000..100_000).filter(|number| copies.get(copy(*number, &clock).record.key()).is_some()).count();
        assert!(late > 5_000, "those that came last are not the first to go: {late}");
    }
}
