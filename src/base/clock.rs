//! Time: one reading gives the wall time for ends that people asked for and the boot time for idle time.
//!
//! Boot time (`CLOCK_BOOTTIME`) counts through suspend and never jumps. Wall time is boot time plus an offset that
//! [`Clock::follow`] renews: a wall clock that jumps by more than an hour against boot time is reported and **not**
//! followed, so that a clock set forward by mistake ends nobody's session and one set back revives none.

use super::sys;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// Jumps of the wall clock beyond this many microseconds are not followed.
pub const MAX_JUMP_US: i64 = 3600 * 1_000_000;

/// Seconds by which the clocks of two machines of a site may differ without anybody being refused for it.
pub const APART_SECS: i64 = 120;

/// One reading of the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Unix time in microseconds.
    pub unix_us: i64,
    /// Microseconds since boot, suspend included; comparable within one boot of one machine only.
    pub boot_us: i64,
}

impl Now {
    /// Unix time in whole seconds.
    pub const fn unix(self) -> i64 {
        self.unix_us.div_euclid(1_000_000)
    }

    /// Whole seconds since boot.
    pub const fn boot(self) -> i64 {
        self.boot_us.div_euclid(1_000_000)
    }
}

/// A source of [`Now`]. Cheap to clone; clones share the same offset. Any thread; reading takes no lock.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Source>);

#[derive(Debug)]
struct Source {
    offset_us: AtomicI64,
    /// Set in tests: boot time, and the wall clock that `follow` sees.
    fake: Option<(AtomicI64, AtomicI64)>,
}

impl Clock {
    /// The system's clock.
    pub fn system() -> Clock {
        let offset = sys::wall_us().saturating_sub(sys::boot_us());
        Clock(Arc::new(Source { offset_us: AtomicI64::new(offset), fake: None }))
    }

    /// A clock that stands still at `unix` seconds until it is moved: for tests, and for `janua explain --at`.
    pub fn fake(unix: i64) -> Clock {
        let boot_us = 1_000_000 * 1_000_000;
        let wall_us = unix.saturating_mul(1_000_000);
        Clock(Arc::new(Source {
            offset_us: AtomicI64::new(wall_us - boot_us),
            fake: Some((AtomicI64::new(boot_us), AtomicI64::new(wall_us))),
        }))
    }

    /// Whether it is one that is moved by hand.
    pub fn is_fake(&self) -> bool {
        self.0.fake.is_some()
    }

    /// Reads the clock: one call of the system, no lock.
    pub fn now(&self) -> Now {
        let boot_us = match &self.0.fake {
            None => sys::boot_us(),
            Some((boot, _)) => boot.load(Ordering::Relaxed),
        };
        Now { unix_us: boot_us.saturating_add(self.0.offset_us.load(Ordering::Relaxed)), boot_us }
    }

    /// Follows small corrections of the wall clock; called by maintenance. Returns a jump in microseconds that was
    /// too large to follow.
    pub fn follow(&self) -> Option<i64> {
        let (boot, wall) = match &self.0.fake {
            None => (sys::boot_us(), sys::wall_us()),
            Some((boot, wall)) => (boot.load(Ordering::Relaxed), wall.load(Ordering::Relaxed)),
        };
        let offset = wall.saturating_sub(boot);
        let jump = offset.saturating_sub(self.0.offset_us.load(Ordering::Relaxed));
        if jump.saturating_abs() > MAX_JUMP_US {
            return Some(jump);
        }
        self.0.offset_us.store(offset, Ordering::Relaxed);
        None
    }

    /// Moves a fake clock: time passes (boot and wall together). No effect on the system's clock.
    pub fn advance(&self, seconds: i64) {
        self.advance_ms(seconds * 1_000);
    }

    /// The same in milliseconds.
    pub fn advance_ms(&self, millis: i64) {
        if let Some((boot, wall)) = &self.0.fake {
            boot.fetch_add(millis * 1_000, Ordering::Relaxed);
            wall.fetch_add(millis * 1_000, Ordering::Relaxed);
        }
    }

    /// Sets the wall clock of a fake clock forward or back without time passing. Seen after [`Clock::follow`].
    pub fn step_wall(&self, seconds: i64) {
        if let Some((_, wall)) = &self.0.fake {
            wall.fetch_add(seconds * 1_000_000, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_steps_are_followed_and_large_ones_reported() {
        let clock = Clock::fake(1_000);
        clock.step_wall(-30);
        assert_eq!(clock.now().unix(), 1_000, "not before maintenance");
        assert_eq!(clock.follow(), None);
        assert_eq!(clock.now().unix(), 970);
        clock.step_wall(86_400);
        assert_eq!(clock.follow(), Some(86_400 * 1_000_000));
        assert_eq!(clock.now().unix(), 970);
        let boot = clock.now().boot();
        clock.advance(5);
        assert_eq!(clock.now().boot(), boot + 5);
    }

    #[test]
    fn system_clock_is_near_the_wall_clock() {
        let now = Clock::system().now();
        assert!((now.unix_us - sys::wall_us()).abs() < 1_000_000);
    }
}
