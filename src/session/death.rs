//! How a session died: three marks in the place of its last use, far below every time a clock can say.
//!
//! Written by `session::record`, read by `store`, which keeps the same word in a tombstone.

use crate::base::Reason;

/// How a session died. Written into the place of its last use, once; the first word stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dead {
    Revoked,
    Idle,
    Ended,
}

/// Everything from here down is a mark and not a time.
pub(super) const MARKS: i64 = i64::MIN + 2;

impl Dead {
    pub(super) const fn mark(self) -> i64 {
        match self {
            Dead::Revoked => i64::MIN,
            Dead::Idle => i64::MIN + 1,
            Dead::Ended => MARKS,
        }
    }

    pub(super) const fn of(last_used: i64) -> Option<Dead> {
        match last_used {
            i64::MIN => Some(Dead::Revoked),
            MARKS => Some(Dead::Ended),
            other if other < MARKS => Some(Dead::Idle),
            _ => None,
        }
    }

    pub(crate) const fn reason(self) -> Reason {
        match self {
            Dead::Revoked => Reason::SessionRevoked,
            Dead::Idle => Reason::SessionIdle,
            Dead::Ended => Reason::SessionEnded,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_reads_back_as_the_death_it_is_and_no_time_is_one() {
        for dead in [Dead::Revoked, Dead::Idle, Dead::Ended] {
            assert_eq!(Dead::of(dead.mark()), Some(dead));
        }
        for time in [MARKS + 1, -1, 0, 1, i64::MAX] {
            assert_eq!(Dead::of(time), None);
        }
    }
}
