//! The numbered log of revocations: which floors stand, since when, and when each may be forgotten.
//!
//! Used by `store::memory` alone, under its lock. The floors themselves lie where checks look them up; the log is the
//! order in which they came and the only place that lets one go.

use crate::base::Now;
use crate::base::clock::MAX_JUMP_US;
use crate::crypto::digest::Digest;
use crate::crypto::keyring::KeyId;
use std::collections::VecDeque;
use std::sync::Arc;

/// Added to the longest life before a floor goes: a wall clock that is set back within the bounds that are followed
/// brings no revoked token back.
const MARGIN_SECS: i64 = 2 * MAX_JUMP_US / 1_000_000;

/// What a floor stands for. The site's never goes and is not here.
pub(super) enum Floor {
    Principal(Arc<str>),
    Key(KeyId),
    Chosen(Digest),
}

struct Entry {
    floor: Floor,
    seq: u64,
    /// When it was written, and by which wall time at most everything that it kills had been issued.
    boot: i64,
    unix: i64,
}

/// The log, oldest first.
pub(super) struct Log {
    entries: VecDeque<Entry>,
    /// The highest wall time seen.
    high_unix: i64,
    keep_secs: i64,
}

impl Log {
    /// `longest_secs`: the longest life of anything that carries a seq.
    pub(super) fn new(longest_secs: u32, now: Now) -> Log {
        let keep_secs = i64::from(longest_secs) + MARGIN_SECS;
        Log { entries: VecDeque::new(), high_unix: now.unix(), keep_secs }
    }

    pub(super) fn push(&mut self, floor: Floor, seq: u64, now: Now) {
        self.see(now);
        self.entries.push_back(Entry { floor, seq, boot: now.boot(), unix: self.high_unix });
    }

    /// Takes the oldest entry if nothing that it kills can be alive any more, by either clock.
    pub(super) fn outlived(&mut self, now: Now) -> Option<(Floor, u64)> {
        self.see(now);
        let over = |from: i64, now: i64| now.saturating_sub(from) >= self.keep_secs;
        let oldest = self.entries.front()?;
        if !over(oldest.boot, now.boot()) || !over(oldest.unix, now.unix()) {
            return None;
        }
        let oldest = self.entries.pop_front()?;
        if self.entries.len() * 4 < self.entries.capacity() {
            self.entries.shrink_to(self.entries.len() * 2);
        }
        Some((oldest.floor, oldest.seq))
    }

    /// Whether nothing that a floor of this number kills can be alive.
    pub(super) fn outlives(&self, seq: u64, now: Now) -> bool {
        let since = i64::try_from(seq / 1_000_000).unwrap_or(i64::MAX);
        now.unix().saturating_sub(since) >= self.keep_secs
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    fn see(&mut self, now: Now) {
        self.high_unix = self.high_unix.max(now.unix());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Clock;

    #[test]
    fn a_floor_goes_when_the_longest_life_is_over_by_both_clocks() {
        let clock = Clock::fake(1_000_000);
        let mut log = Log::new(86_400, clock.now());
        log.push(Floor::Key([1; 8]), 5, clock.now());
        clock.advance(86_400 + MARGIN_SECS - 1);
        assert!(log.outlived(clock.now()).is_none());
        clock.step_wall(-100);
        clock.follow();
        clock.advance(1);
        assert!(log.outlived(clock.now()).is_none(), "over by the boot clock only");
        clock.advance(100);
        assert!(matches!(log.outlived(clock.now()), Some((Floor::Key(_), 5))));
        assert_eq!(log.len(), 0);
    }

    #[test]
    fn a_wall_clock_that_ran_ahead_keeps_the_floor_for_what_was_issued_then() {
        let clock = Clock::fake(1_000_000);
        let mut log = Log::new(100, clock.now());
        clock.step_wall(3_000);
        clock.follow();
        assert!(log.outlived(clock.now()).is_none());
        clock.step_wall(-3_000);
        clock.follow();
        log.push(Floor::Key([1; 8]), 5, clock.now());
        clock.advance(100 + MARGIN_SECS);
        assert!(log.outlived(clock.now()).is_none());
        clock.advance(3_000);
        assert!(log.outlived(clock.now()).is_some());
    }
}
