//! A lazy wheel: which sessions and tombstones are to be looked at, and about when.
//!
//! Used by `store::memory` alone. An entry is 64 bits of a digest and says only "look here": whether anything is over
//! is judged by the record, so a touch never moves an entry and an early look costs a look. Every session has one
//! entry from its login to the end of its tombstone.

use crate::base::Now;

/// Slots, and the seconds of each: entries further ahead than all slots are looked at early and put back.
const SLOTS: i64 = 1024;
const SLOT_SECS: i64 = 8;

/// The wheel. Not shared: its owner locks it.
pub(super) struct Wheel {
    slots: Box<[Vec<u64>]>,
    /// The tick (boot seconds / [`SLOT_SECS`]) that is looked at next.
    next: i64,
    len: usize,
}

impl Wheel {
    pub(super) fn new(now: Now) -> Wheel {
        let slots = (0..SLOTS).map(|_| Vec::new()).collect();
        Wheel { slots, next: tick(now.boot()), len: 0 }
    }

    /// Adds an entry that is due once `boot` seconds have been reached, up to one slot later.
    pub(super) fn add(&mut self, entry: u64, boot: i64) {
        let due = tick(boot).saturating_add(1).clamp(self.next + 1, self.next + SLOTS - 1);
        if let Some(slot) = self.slots.get_mut(place(due)) {
            slot.push(entry);
            self.len += 1;
        }
    }

    /// Takes an entry that is due at `now`.
    pub(super) fn due(&mut self, now: Now) -> Option<u64> {
        let last = tick(now.boot());
        self.next = self.next.max(last.saturating_sub(SLOTS - 1));
        while self.next <= last {
            let slot = self.slots.get_mut(place(self.next))?;
            if let Some(entry) = slot.pop() {
                self.len -= 1;
                return Some(entry);
            }
            *slot = Vec::new();
            self.next += 1;
        }
        None
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }
}

fn tick(boot: i64) -> i64 {
    boot.div_euclid(SLOT_SECS)
}

fn place(tick: i64) -> usize {
    usize::try_from(tick.rem_euclid(SLOTS)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boot(seconds: i64) -> Now {
        Now { unix_us: 0, boot_us: seconds * 1_000_000 }
    }

    #[test]
    fn an_entry_is_due_within_a_slot_of_its_time_and_once() {
        let mut wheel = Wheel::new(boot(1_000));
        wheel.add(7, 1_500);
        assert_eq!(wheel.due(boot(1_500)), None);
        assert_eq!(wheel.due(boot(1_500 + SLOT_SECS)), Some(7));
        assert_eq!(wheel.due(boot(1_500 + SLOT_SECS)), None);
        assert_eq!(wheel.len(), 0);
    }

    #[test]
    fn what_lies_beyond_the_wheel_or_in_the_past_is_looked_at_early_but_never_lost() {
        let mut wheel = Wheel::new(boot(0));
        wheel.add(1, 1_000_000);
        wheel.add(2, -5);
        assert_eq!(wheel.due(boot(SLOT_SECS)), Some(2));
        assert_eq!(wheel.due(boot(SLOTS * SLOT_SECS - SLOT_SECS)), Some(1));
    }

    #[test]
    fn a_wheel_that_stood_still_for_days_gives_every_entry() {
        let mut wheel = Wheel::new(boot(0));
        for entry in 0..5_000 {
            wheel.add(entry, i64::try_from(entry).unwrap());
        }
        let late = boot(10 * 86_400);
        let mut got: Vec<u64> = std::iter::from_fn(|| wheel.due(late)).collect();
        got.sort_unstable();
        assert_eq!(got, (0..5_000).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_put_back_while_sweeping_waits_for_its_time() {
        let mut wheel = Wheel::new(boot(0));
        wheel.add(1, 10);
        let now = boot(50);
        let entry = wheel.due(now).unwrap();
        wheel.add(entry, 51);
        assert_eq!(wheel.due(now), None);
        assert_eq!(wheel.due(boot(51 + SLOT_SECS)), Some(1));
    }
}
