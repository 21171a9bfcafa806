//! Floors by what they stand for: numbers below which what carries a smaller one is dead.
//!
//! Used by `held::revoked`. A floor's number is the microsecond of Unix time at which it was raised, or a little more; what
//! it kills was made before it. So it may be forgotten once nothing of that age can live, and must not be before. It is
//! looked for some places at a time, so that no check waits for all of them.

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use std::hash::{BuildHasher, Hash, RandomState};

/// Places of the table that are looked at in one hold of the lock.
const LOOKED: usize = 4096;

/// See the module's page. Reading allocates nothing.
#[derive(Default)]
pub(super) struct Floors<K> {
    table: HashTable<(K, u64)>,
    /// Drawn for this process: clients choose what some of the keys are made of.
    state: RandomState,
    /// The place that is looked at next.
    next: usize,
}

impl<K: Hash + Eq> Floors<K> {
    pub(super) fn get(&self, key: &K) -> Option<u64> {
        self.table.find(self.state.hash_one(key), |(known, _)| known == key).map(|(_, floor)| *floor)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Takes over a floor; a lower one than is known changes nothing.
    pub(super) fn raise(&mut self, key: K, floor: u64) {
        let (state, hash) = (&self.state, self.state.hash_one(&key));
        match self.table.entry(hash, |(known, _)| *known == key, |(known, _)| state.hash_one(known)) {
            Entry::Occupied(mut known) => known.get_mut().1 = floor.max(known.get().1),
            Entry::Vacant(free) => drop(free.insert((key, floor))),
        }
    }

    /// Looks for floors that are lower than `before`, from where it left off, and forgets them.
    pub(super) fn forget_some(&mut self, before: u64) {
        let places = self.table.num_buckets();
        for _ in 0..LOOKED.min(places) {
            self.next = (self.next + 1) % places;
            if let Ok(entry) = self.table.get_bucket_entry(self.next)
                && entry.get().1 < before
            {
                entry.remove();
            }
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.table.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_floor_counts_until_its_time_has_passed() {
        let mut floors = Floors::<[u8; 16]>::default();
        floors.forget_some(u64::MAX);
        assert!(floors.is_empty() && floors.get(&[1; 16]).is_none());
        for (key, floor) in [(1, 50), (1, 40), (2, 60), (3, 70), (3, 90)] {
            floors.raise([key; 16], floor);
        }
        assert_eq!([1, 2, 3].map(|key| floors.get(&[key; 16])), [Some(50), Some(60), Some(90)]);
        floors.forget_some(50);
        assert_eq!(floors.len(), 3, "what is as old as that stays");
        floors.forget_some(61);
        assert_eq!([1, 2, 3].map(|key| floors.get(&[key; 16])), [None, None, Some(90)]);
        floors.raise([1; 16], 45);
        assert_eq!(floors.get(&[1; 16]), Some(45), "nobody but the log says what is old");
    }

    #[test]
    fn many_come_and_go_a_few_places_at_a_time_and_their_room_is_used_again() {
        let mut floors = Floors::<[u8; 16]>::default();
        let mut most = 0;
        for number in 0..400_000_u64 {
            floors.raise((u128::from(number)).to_le_bytes(), number);
            if number % 100 == 0 {
                floors.forget_some(number.saturating_sub(10_000));
                most = most.max(floors.len());
            }
            let young = number.saturating_sub(9_999);
            assert_eq!(floors.get(&u128::from(young).to_le_bytes()), Some(young));
        }
        assert!(most < 40_000 && floors.table.num_buckets() <= 65_536, "{most}, {}", floors.table.num_buckets());
        for _ in 0..100 {
            floors.forget_some(u64::MAX);
        }
        assert!(floors.is_empty());
    }
}
