//! Counts in fixed memory that are never too low.
//!
//! A key belongs to one bucket of eight slots. When the bucket is full, the slot with the lowest count makes room, and its
//! count becomes the bucket's **floor**: every key that comes (or comes back) into the bucket starts there, and no success
//! forgives it that part. So filling the table can make innocent keys wait, for a minute at most, and can never make a
//! guessed one free. (The idea is "space saving" of Metwally, Agrawal and El Abbadi, ICDT 2005; counts that are given back
//! need the floor besides.)

use super::MAX_DELAY;

const BUCKET: usize = 8;

/// Seconds for which a pair is known: 30 days.
const KNOWN_FOR: i64 = 30 * 24 * 3600;

/// How many guesses are free, and how those after them wait.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limit {
    free: u32,
    doubling: bool,
}

impl Limit {
    /// 1, 2, 4 ... seconds from the `free`-th failure on.
    pub(super) const fn doubling(free: u32) -> Limit {
        Limit { free, doubling: true }
    }

    /// A minute from the `free`-th failure on.
    pub(super) const fn flat(free: u32) -> Limit {
        Limit { free, doubling: false }
    }

    /// Seconds after the last of `count` failures in which no guess is let through.
    fn delay(self, count: u32) -> i64 {
        match count.checked_sub(self.free) {
            None => 0,
            Some(over) if self.doubling && over < 6 => 1 << over,
            Some(_) => MAX_DELAY,
        }
    }

    fn wait(self, count: u32, last: i64, at: i64) -> i64 {
        let delay = self.delay(count);
        // A clock that went back has let no time pass.
        (delay - at.saturating_sub(last)).clamp(0, delay)
    }
}

/// How counts go down without a success.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fade {
    /// To zero, so many seconds after the last guess.
    Quiet(i64),
    /// By one in so many seconds.
    Leak(i64),
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    /// 0: empty.
    key: u64,
    count: u32,
    /// What it started from: no success of this key forgives it.
    base: u32,
    /// Boot second of the last guess.
    last: i64,
    /// Boot second up to which the count has leaked.
    mark: i64,
}

impl Slot {
    fn faded(mut self, fade: Fade, at: i64) -> Slot {
        match fade {
            Fade::Quiet(seconds) if at.saturating_sub(self.last) >= seconds => self.count = 0,
            Fade::Quiet(_) => {}
            Fade::Leak(seconds) => {
                let steps = at.saturating_sub(self.mark).max(0) / seconds.max(1);
                self.count = self.count.saturating_sub(u32::try_from(steps).unwrap_or(u32::MAX));
                self.mark = self.mark.saturating_add(steps * seconds);
            }
        }
        self.base = self.base.min(self.count);
        self
    }
}

#[derive(Debug)]
pub(super) struct Table {
    slots: Vec<Slot>,
    /// For each bucket the highest count that had to make room, without a key.
    floors: Vec<Slot>,
    fade: Fade,
}

fn bucket(key: u64, slots: usize) -> std::ops::Range<usize> {
    let buckets = (slots / BUCKET).max(1) as u64;
    let start = (key % buckets) as usize * BUCKET;
    start..start + BUCKET
}

fn room(slots: usize) -> usize {
    slots.div_ceil(BUCKET).max(1) * BUCKET
}

impl Table {
    pub(super) fn new(slots: usize, fade: Fade) -> Table {
        let slots = room(slots);
        Table { slots: vec![Slot::default(); slots], floors: vec![Slot::default(); slots / BUCKET], fade }
    }

    /// The place of `key`, what counts for it now, and the floor of its bucket once it stands there.
    fn place(&self, key: u64, at: i64) -> (usize, Slot, Slot) {
        let range = bucket(key, self.slots.len());
        let start = range.start;
        let slots = self.slots.get(range).unwrap_or_default();
        let floor = self.floors.get(start / BUCKET).copied().unwrap_or_default().faded(self.fade, at);
        if let Some(own) = slots.iter().position(|slot| slot.key == key) {
            return (start + own, slots.get(own).copied().unwrap_or_default().faded(self.fade, at), floor);
        }
        let faded = slots.iter().map(|slot| slot.faded(self.fade, at)).enumerate();
        let (place, out) = faded.min_by_key(|(_, slot)| (slot.count, slot.last)).unwrap_or_default();
        let floor = Slot {
            count: floor.count.max(out.count),
            last: if out.count > 0 { floor.last.max(out.last) } else { floor.last },
            mark: if out.count > 0 { floor.mark.max(out.mark) } else { floor.mark },
            ..floor
        };
        (start + place, Slot { key, base: floor.count, ..floor }, floor)
    }

    /// Seconds until `key` may guess again.
    pub(super) fn wait(&self, key: u64, at: i64, limit: Limit) -> i64 {
        let (_, slot, _) = self.place(key, at);
        limit.wait(slot.count, slot.last, at)
    }

    /// What is counted for `key`, never less than its guesses.
    #[cfg(test)]
    pub(super) fn count(&self, key: u64, at: i64) -> u32 {
        self.place(key, at).1.count
    }

    /// Counts a guess and returns the delay that it begins.
    pub(super) fn reserve(&mut self, key: u64, at: i64, limit: Limit) -> i64 {
        let (place, mut slot, floor) = self.place(key, at);
        if slot.count == 0 {
            slot.mark = at;
        }
        slot.count = slot.count.saturating_add(1);
        slot.last = slot.last.max(at);
        if let (Some(stored), Some(under)) = (self.slots.get_mut(place), self.floors.get_mut(place / BUCKET)) {
            (*stored, *under) = (slot, floor);
        }
        limit.delay(slot.count)
    }

    /// Takes `guesses` back.
    pub(super) fn give_back(&mut self, key: u64, guesses: u32) {
        self.change(key, |slot| slot.count = slot.count.saturating_sub(guesses).max(slot.base));
    }

    /// Takes all of this key's guesses back.
    pub(super) fn forgive(&mut self, key: u64) {
        self.change(key, |slot| slot.count = slot.base);
    }

    fn change(&mut self, key: u64, change: impl FnOnce(&mut Slot)) {
        let range = bucket(key, self.slots.len());
        let slots = self.slots.get_mut(range).unwrap_or_default();
        if let Some(slot) = slots.iter_mut().find(|slot| slot.key == key) {
            change(slot);
        }
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Acquaintance {
    key: u64,
    /// Boot second of the last success.
    since: i64,
    count: u32,
    last: i64,
}

/// Pairs that logged in, each with a count of its own. A full bucket loses the one whose success is oldest: it is a
/// stranger again.
#[derive(Debug)]
pub(super) struct Known {
    slots: Vec<Acquaintance>,
}

impl Known {
    pub(super) fn new(slots: usize) -> Known {
        Known { slots: vec![Acquaintance::default(); room(slots)] }
    }

    fn get(&mut self, key: u64) -> Option<&mut Acquaintance> {
        let range = bucket(key, self.slots.len());
        self.slots.get_mut(range)?.iter_mut().find(|slot| slot.key == key)
    }

    pub(super) fn contains(&self, key: u64, at: i64) -> bool {
        let slots = self.slots.get(bucket(key, self.slots.len())).unwrap_or_default();
        slots.iter().any(|slot| slot.key == key && key != 0 && (0..KNOWN_FOR).contains(&at.saturating_sub(slot.since)))
    }

    /// Counts a guess of a known pair: the delay that it begins, or the seconds still to wait.
    pub(super) fn admit(&mut self, key: u64, at: i64, limit: Limit) -> Result<i64, i64> {
        let Some(slot) = self.get(key) else { return Err(MAX_DELAY) };
        let wait = limit.wait(slot.count, slot.last, at);
        if wait > 0 {
            return Err(wait);
        }
        slot.count = slot.count.saturating_add(1);
        slot.last = at;
        Ok(limit.delay(slot.count))
    }

    pub(super) fn learn(&mut self, key: u64, at: i64) {
        let range = bucket(key, self.slots.len());
        let slots = self.slots.get_mut(range).unwrap_or_default();
        let own = slots.iter().position(|slot| slot.key == key);
        let oldest = || (0..slots.len()).min_by_key(|&at| slots.get(at).map(|slot| (slot.key != 0, slot.since)));
        let place = own.or_else(oldest).unwrap_or(0);
        if let Some(slot) = slots.get_mut(place) {
            *slot = Acquaintance { key, since: at, count: 0, last: at };
        }
    }

    pub(super) fn give_back(&mut self, key: u64) {
        if let Some(slot) = self.get(key) {
            slot.count = slot.count.saturating_sub(1);
        }
    }
}
