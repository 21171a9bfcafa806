//! The only place that says "expired": two named ends of a session, the one end of a token, and when a touch is due.
//!
//! Called by `session`, `store` and `token`. Pure arithmetic on a [`Now`] that the caller read once: it reads no clock
//! itself, keeps nothing, and never wraps (64-bit seconds, saturating). It must never let a step of the wall clock
//! change idle time, and never let a session end early because its touches are coarse.
//!
//! **Idle time** runs on the boot clock, which counts through suspend and never steps. **Absolute ends** are moments
//! of Unix time, fixed at login. Both ends are exclusive: at the second of the end the session is over.
//!
//! **Coarse touches.** A use is written down only when the last one written is [`touch_step`] old. So the true last
//! use may be up to that step younger than the one on record, and the step is added to the idle time when the end is
//! judged: a session never ends early, and at most one step (a sixteenth of the idle time, 1 to 60 s) late.

use crate::base::{Now, Reason};

/// The longest step between two touches, in seconds.
pub const MAX_TOUCH_STEP: i64 = 60;

/// The fixed ends of a session, written once at login; nothing moves them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// Unix seconds of the login.
    pub created_unix: i64,
    /// Unix seconds of the absolute end: the first second at which the session is over.
    pub absolute_unix: i64,
    /// Seconds without use after which the session is over; 0 is no life at all.
    pub idle_secs: u32,
}

/// How a session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// In force. Both numbers are whole seconds and at least 1.
    Alive {
        /// Seconds left if it is not used again; never more than the idle time.
        idle_left: i64,
        /// Seconds left to the absolute end; never more than the whole life.
        absolute_left: i64,
    },
    /// Idle for too long.
    Idle,
    /// Past its absolute end. Said before [`Life::Idle`] when both are true.
    Ended,
}

/// Judges a session by its ends and its last use on record (boot seconds). Does not touch.
///
/// A last use that lies ahead of `now` (another thread read the clock a moment later) counts as now.
pub fn session(ends: &Ends, last_used_boot: i64, now: Now) -> Life {
    let absolute_left = ends.absolute_unix.saturating_sub(now.unix());
    if absolute_left <= 0 {
        return Life::Ended;
    }
    let idle = i64::from(ends.idle_secs);
    let unused = now.boot().saturating_sub(last_used_boot).max(0);
    let idle_left = idle.saturating_add(touch_step(ends.idle_secs)).saturating_sub(unused);
    if idle_left <= 0 || idle == 0 {
        return Life::Idle;
    }
    let whole = ends.absolute_unix.saturating_sub(ends.created_unix).max(1);
    Life::Alive { idle_left: idle_left.min(idle), absolute_left: absolute_left.min(whole) }
}

/// Whether [`session`] certainly says alive, in a few steps: for the check path, where almost every session is well
/// before both ends. `false` says nothing; then [`session`] is to be asked.
#[inline]
pub fn surely_alive(absolute_unix: i64, idle_secs: u32, last_used_boot: i64, now: Now) -> bool {
    let unused = now.boot().saturating_sub(last_used_boot).max(0);
    unused < i64::from(idle_secs) && now.unix() < absolute_unix
}

/// Judges a token: `issued` and `ends` in Unix seconds, `skew` the seconds by which another machine's clock may run
/// ahead of ours. Skew forgives an issue in the future only; it never lengthens a life.
///
/// Errors: [`Reason::TokenExpired`] from the second `ends` on and for a token that never had a life;
/// [`Reason::TokenFuture`] when it was issued more than `skew` seconds from now.
pub fn token(issued: i64, ends: i64, now: Now, skew: i64) -> Result<(), Reason> {
    if now.unix() >= ends || ends <= issued {
        return Err(Reason::TokenExpired);
    }
    if issued > now.unix().saturating_add(skew.max(0)) {
        return Err(Reason::TokenFuture);
    }
    Ok(())
}

/// Seconds between two touches: a sixteenth of the idle time, at least 1 and at most [`MAX_TOUCH_STEP`].
pub fn touch_step(idle_secs: u32) -> i64 {
    (i64::from(idle_secs) / 16).clamp(1, MAX_TOUCH_STEP)
}

/// Whether a use at `now` is to be written down, the last one on record being of `last_used_boot`.
pub fn touch_due(idle_secs: u32, last_used_boot: i64, now: Now) -> bool {
    now.boot().saturating_sub(last_used_boot) >= touch_step(idle_secs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Clock;
    use proptest::prelude::*;

    fn at(unix: i64, boot: i64) -> Now {
        Now { unix_us: unix.saturating_mul(1_000_000), boot_us: boot.saturating_mul(1_000_000) }
    }

    const ENDS: Ends = Ends { created_unix: 1_000, absolute_unix: 1_000 + 43_200, idle_secs: 1_800 };

    #[test]
    fn the_absolute_end_is_exclusive() {
        let used = 500;
        assert_eq!(session(&ENDS, used, at(44_199, used)), Life::Alive { idle_left: 1_800, absolute_left: 1 });
        assert_eq!(session(&ENDS, used, at(44_200, used)), Life::Ended);
        assert_eq!(session(&ENDS, used, at(44_201, used)), Life::Ended);
        assert_eq!(session(&ENDS, used - 9_999, at(44_200, used)), Life::Ended, "ended is said before idle");
    }

    #[test]
    fn the_idle_end_is_exclusive_and_one_step_late() {
        let (used, end) = (500, 500 + 1_800 + 60);
        assert_eq!(session(&ENDS, used, at(1_000, end - 1)), Life::Alive { idle_left: 1, absolute_left: 43_200 });
        assert_eq!(session(&ENDS, used, at(1_000, end)), Life::Idle);
        assert_eq!(session(&ENDS, used, at(1_000, end + 1)), Life::Idle);
    }

    #[test]
    fn a_session_in_use_has_its_whole_idle_time_left() {
        for unrecorded in 0..60 {
            let life = session(&ENDS, 500, at(1_000, 500 + unrecorded));
            assert_eq!(life, Life::Alive { idle_left: 1_800, absolute_left: 43_200 }, "{unrecorded}");
        }
        assert!(touch_due(1_800, 500, at(1_000, 560)) && !touch_due(1_800, 500, at(1_000, 559)));
    }

    #[test]
    fn no_idle_time_is_no_life() {
        let ends = Ends { idle_secs: 0, ..ENDS };
        for used in [499, 500, 501] {
            assert_eq!(session(&ends, used, at(1_000, 500)), Life::Idle);
            assert!(!surely_alive(ends.absolute_unix, 0, used, at(1_000, 500)), "nor when used a moment ahead");
        }
    }

    #[test]
    fn a_step_of_the_wall_clock_moves_no_idle_end() {
        let clock = Clock::fake(1_000);
        let used = clock.now().boot();
        clock.step_wall(3_000);
        assert_eq!(clock.follow(), None);
        assert_eq!(session(&ENDS, used, clock.now()), Life::Alive { idle_left: 1_800, absolute_left: 40_200 });
        clock.step_wall(-3_500);
        assert_eq!(clock.follow(), None);
        assert_eq!(
            session(&ENDS, used, clock.now()),
            Life::Alive { idle_left: 1_800, absolute_left: 43_200 },
            "before its login by the wall clock, yet never more than its whole life"
        );
        clock.advance(1_860);
        assert_eq!(session(&ENDS, used, clock.now()), Life::Idle);
    }

    #[test]
    fn token_ends_are_exclusive_and_skew_forgives_the_future_only() {
        let judge = |issued, ends, now| token(issued, ends, at(now, 0), 60);
        assert_eq!(judge(1_000, 2_000, 1_999), Ok(()));
        assert_eq!(judge(1_000, 2_000, 2_000), Err(Reason::TokenExpired));
        assert_eq!(judge(1_000, 2_000, 2_001), Err(Reason::TokenExpired));
        assert_eq!(judge(1_000, 2_000, 939), Err(Reason::TokenFuture));
        assert_eq!(judge(1_000, 2_000, 940), Ok(()));
        assert_eq!(judge(1_000, 2_000, 941), Ok(()));
        assert_eq!(judge(1_000, 1_000, 990), Err(Reason::TokenExpired), "a token without a life");
        assert_eq!(token(1_000, 2_000, at(999, 0), -5), Err(Reason::TokenFuture), "negative skew is none");
    }

    #[test]
    fn the_ends_of_the_number_range_neither_wrap_nor_live_for_ever() {
        let ends = Ends { created_unix: i64::MIN, absolute_unix: i64::MAX, idle_secs: u32::MAX };
        assert!(matches!(session(&ends, i64::MAX, at(0, 0)), Life::Alive { .. }));
        assert_eq!(session(&ends, i64::MIN, at(0, 1)), Life::Idle);
        assert_eq!(session(&Ends { absolute_unix: i64::MIN, ..ends }, 0, at(0, 0)), Life::Ended);
        assert_eq!(token(i64::MAX, i64::MAX, at(0, 0), i64::MAX), Err(Reason::TokenExpired));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn the_short_way_never_says_alive_where_the_long_way_does_not(
            life in 0i64..40, idle in 0u32..40, used in -40i64..80, unix in 0i64..40, boot in 0i64..80,
        ) {
            let ends = Ends { created_unix: 0, absolute_unix: life, idle_secs: idle };
            let alive = matches!(session(&ends, used, at(unix, boot)), Life::Alive { .. });
            prop_assert!(alive || !surely_alive(life, idle, used, at(unix, boot)));
            prop_assert!(!surely_alive(life, idle, i64::MIN, at(unix, boot)));
        }

        /// Uses at random microseconds; a touch is written only when due. The session must be alive for the whole
        /// idle time after the last use, and over one step after that.
        #[test]
        fn a_coarsely_touched_session_never_ends_early_and_at_most_a_step_late(
            idle in 1u32..100_000,
            gaps in proptest::collection::vec(0i64..100_000_000_000, 0..40),
            start in 0i64..10_000_000,
        ) {
            let ends = Ends { created_unix: 0, absolute_unix: i64::MAX, idle_secs: idle };
            let idle_us = i64::from(idle) * 1_000_000;
            let mut use_us = start;
            let mut record = start.div_euclid(1_000_000);
            for gap in gaps {
                use_us += gap % idle_us;
                let now = Now { unix_us: 0, boot_us: use_us };
                prop_assert!(matches!(session(&ends, record, now), Life::Alive { .. }), "ended early");
                if touch_due(idle, record, now) {
                    record = now.boot();
                }
            }
            let later = |us: i64| Now { unix_us: 0, boot_us: use_us + us };
            prop_assert!(matches!(session(&ends, record, later(idle_us)), Life::Alive { .. }), "ended early");
            let late = idle_us + touch_step(idle) * 1_000_000;
            prop_assert_eq!(session(&ends, record, later(late)), Life::Idle);
        }
    }
}
