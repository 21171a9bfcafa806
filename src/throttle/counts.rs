//! Counts of guesses in fixed memory that any number of threads and processes change at once, and that are never too low.
//!
//! Used by `throttle::ledger` alone. A key belongs to one cell, and a cell is **one word**:
//!
//! | bits | what |
//! |---|---|
//! | 20 | whose guesses these are: a tag of the key, or [`MIXED`] when keys that share the cell have guessed |
//! | 8 | count, at most 255 |
//! | 6 | seconds by which the count has leaked up to before the last guess |
//! | 30 | boot second of the last guess |
//!
//! Every change is one compare-and-swap of one word, so there is no half-made change, no lock, and nothing that a process
//! killed at any instruction could leave held or torn. Of guesses that come at once each is let through or refused
//! by the count that it raises: exactly the free ones pass, over all processes.
//!
//! *Never too low.* A cell counts the guesses of all its keys together, so it is at least the count of each. A key that
//! has the cell for itself may forgive all of it; in a mixed cell only the guess that is given back is taken off. So a
//! flood of names can make innocents wait, for a minute at most after each guess that is let through, and can never make
//! a guessed one free. A guess that is refused raises and lengthens nothing.
//!
//! *Whatever the words hold* is a count and a time. A time further ahead than any clock that is read here is mended to now
//! when it is met; a count fades like any other. So garbage delays a guess by a minute, for some hours after it was met.

use super::MAX_DELAY;
use std::sync::atomic::{AtomicU64, Ordering};

/// Seconds by which one reader's clock may be behind another's: a request takes its time before it comes here.
pub(super) const AHEAD: i64 = MAX_DELAY;

/// Boot seconds of 34 years.
const LATEST: i64 = (1 << 30) - 1;

/// The tag of a cell in which several keys have guessed. No key has it, nor 0.
const MIXED: u64 = (1 << 20) - 1;

/// The highest count that a cell knows: more than any limit, so that all above it is one.
const MOST: u64 = 255;

/// How many guesses are free, and how those after them wait.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limit {
    free: u64,
    doubling: bool,
}

impl Limit {
    /// 1, 2, 4 ... seconds from the `free`-th failure on.
    pub(super) const fn doubling(free: u64) -> Limit {
        Limit { free, doubling: true }
    }

    /// A minute from the `free`-th failure on.
    pub(super) const fn flat(free: u64) -> Limit {
        Limit { free, doubling: false }
    }

    /// Seconds after the last of `count` failures in which no guess is let through.
    fn delay(self, count: u64) -> i64 {
        match count.checked_sub(self.free) {
            None => 0,
            Some(over) if self.doubling && over < 6 => 1 << over,
            Some(_) => MAX_DELAY,
        }
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

/// A cell, taken apart.
#[derive(Clone, Copy, Debug, Default)]
struct Cell {
    tag: u64,
    count: u64,
    /// Boot second of the last guess.
    last: i64,
    /// Boot second up to which the count has leaked.
    mark: i64,
}

impl Cell {
    fn of(word: u64) -> Cell {
        let last = (word & LATEST as u64) as i64;
        let cell = Cell { tag: word >> 44, count: word >> 36 & MOST, last, mark: last - (word >> 30 & 63) as i64 };
        if cell.count == 0 { Cell::default() } else { cell }
    }

    fn word(self) -> u64 {
        if self.count == 0 {
            return 0;
        }
        let last = self.last.clamp(0, LATEST);
        // A mark that is too late leaks too late.
        let leaked = (self.last - self.mark).clamp(0, 63);
        self.tag << 44 | self.count.min(MOST) << 36 | (leaked as u64) << 30 | last as u64
    }

    fn is_ahead(&self, at: i64) -> bool {
        self.last > at.saturating_add(AHEAD)
    }

    /// As it is at `at`.
    fn faded(mut self, fade: Fade, at: i64) -> Cell {
        if self.is_ahead(at) {
            (self.last, self.mark) = (at, at);
        }
        match fade {
            Fade::Quiet(seconds) if at - self.last >= seconds => self.count = 0,
            Fade::Quiet(_) => {}
            Fade::Leak(seconds) => {
                let steps = (at - self.mark).max(0) / seconds.max(1);
                self.count = self.count.saturating_sub(steps as u64);
                self.mark += steps * seconds;
            }
        }
        if self.count == 0 { Cell::default() } else { self }
    }

    fn guessed(self, tag: u64, at: i64) -> Cell {
        match self.count {
            0 => Cell { tag, count: 1, last: at, mark: at },
            count => Cell {
                tag: if self.tag == tag { tag } else { MIXED },
                count: (count + 1).min(MOST),
                last: self.last.max(at),
                mark: self.mark,
            },
        }
    }

    fn wait(&self, limit: Limit, at: i64) -> i64 {
        let delay = limit.delay(self.count);
        // A clock that went back has let no time pass.
        (delay - (at - self.last)).clamp(0, delay)
    }
}

/// Cells, as they lie in a page.
#[derive(Clone, Copy)]
pub(super) struct Counts<'a> {
    pub cells: &'a [AtomicU64],
    pub fade: Fade,
}

/// What tells the keys of a cell from each other. The cell is chosen by the other bits of the key.
fn tag(key: u64) -> u64 {
    (key >> 44).clamp(1, MIXED - 1)
}

impl<'a> Counts<'a> {
    fn cell(&self, key: u64) -> Option<&'a AtomicU64> {
        let cells = (self.cells.len() as u64).max(1);
        self.cells.get(((key & ((1 << 44) - 1)) % cells) as usize)
    }

    /// Seconds until `key` may guess again. Counts nothing.
    pub(super) fn wait(&self, key: u64, at: i64, limit: Limit) -> i64 {
        let at = at.clamp(0, LATEST);
        let Some(cell) = self.cell(key) else { return MAX_DELAY };
        let word = cell.load(Ordering::Acquire);
        let (seen, now) = (Cell::of(word), Cell::of(word).faded(self.fade, at));
        if seen.is_ahead(at) {
            // Whoever is quicker has mended it, or counted.
            let _ = cell.compare_exchange(word, now.word(), Ordering::AcqRel, Ordering::Relaxed);
        }
        now.wait(limit, at)
    }

    /// Counts a guess and returns the delay that it begins; or, counting nothing, the seconds still to wait.
    pub(super) fn reserve(&self, key: u64, at: i64, limit: Limit) -> Result<i64, i64> {
        let at = at.clamp(0, LATEST);
        let Some(cell) = self.cell(key) else { return Err(MAX_DELAY) };
        let mut word = cell.load(Ordering::Acquire);
        loop {
            let now = Cell::of(word).faded(self.fade, at);
            let wait = now.wait(limit, at);
            if wait > 0 {
                return Err(self.wait(key, at, limit).max(1));
            }
            let next = now.guessed(tag(key), at);
            match cell.compare_exchange_weak(word, next.word(), Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Ok(limit.delay(next.count)),
                Err(other) => word = other,
            }
        }
    }

    /// Takes back one guess that was counted, and `more` of this key's where nobody else's are among them.
    pub(super) fn give_back(&self, key: u64, more: u64) {
        self.change(key, |cell| match cell.tag {
            MIXED => cell.count.saturating_sub(1),
            _ => cell.count.saturating_sub(1 + more),
        });
    }

    /// Takes back one guess that was counted, and all of this key's where nobody else's are among them.
    pub(super) fn forgive(&self, key: u64) {
        self.give_back(key, MOST);
    }

    /// Changes the count of a cell in which this key's guesses are. Another's alone: ours have faded since.
    fn change(&self, key: u64, count: impl Fn(&Cell) -> u64) {
        let Some(cell) = self.cell(key) else { return };
        let _ = cell.fetch_update(Ordering::AcqRel, Ordering::Acquire, |word| {
            let seen = Cell::of(word);
            let ours = seen.count > 0 && [MIXED, tag(key)].contains(&seen.tag);
            ours.then(|| Cell { count: count(&seen), ..seen }.word())
        });
    }

    /// What is counted for `key`, never less than its guesses.
    #[cfg(test)]
    pub(super) fn count(&self, key: u64, at: i64) -> u64 {
        self.cell(key).map_or(0, |cell| Cell::of(cell.load(Ordering::Acquire)).faded(self.fade, at).count)
    }
}
