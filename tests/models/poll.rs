//! Invariant 3 and the protocol of several machines: a copy is trusted no longer than the newest applied poll allows, and
//! no check that starts after a log-out's answer allows, whatever messages take and whichever server is the primary.
//!
//! One process polls and checks, another client logs a session out, messages take any time. A primary may be cut off with
//! the process on its side, while the replica behind the cut is promoted. Time is counted in small steps, and several
//! things may happen in one. Mirrors, in `store/redis/`:
//!
//! | steps | code |
//! |---|---|
//! | polls | `core.rs`: `Core::polled`, the time read before sending; `horizon.rs`: `Horizon::take`; `pool.rs` |
//! | trust | `core.rs`: `Core::is_trusted`, less than DELTA |
//! | rows | `checks.rs`: `Core::read`, asked of a primary after the check began |
//! | log-out | `scripts.rs`: `Script::run` with its `WAIT`, too few replicas are an error; `mod.rs`: `hold_ms`, held by the host |
//! | servers | every script says that it writes, so that a server which may not write refuses it |
//!
//! Of the installation: a primary without replicas takes writes for LAG at most (`min-replicas-to-write`,
//! `min-replicas-max-lag`), and no replica is promoted sooner.

use crate::explore::{Label, Model, breaks, holds, stated};

const DELTA: u8 = 2;
const LAG: u8 = 2;
const END: u8 = 9;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wrong {
    Nothing,
    /// The horizon is the time at which the answer came.
    StampedOnReceipt,
    /// The log-out is answered at once.
    NotHeld,
    /// A copy still counts when DELTA has just passed.
    AtMostDelta,
    /// The poll reads and writes nothing: a deposed primary answers it.
    PollOnlyReads,
    /// The row is read by a script that writes nothing.
    RowOnlyReads,
    /// A log-out that no replica has confirmed is answered.
    WaitIgnored,
    /// The replica is promoted before the old primary stops to take writes.
    PromotedEarly,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Poll {
    None,
    Sent { at: u8 },
    Answered { sent: u8, revoked: bool },
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Logout {
    None,
    /// On which server, and when.
    Executed {
        on: u8,
        at: u8,
    },
    Answered,
}

/// A check that asks for the row: whether it began after the answer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Row {
    None,
    Sent { after: bool },
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct State {
    now: u8,
    /// Whether each server has the log-out. The first is the primary, the second its replica.
    revoked: [bool; 2],
    cut: Option<u8>,
    promoted: bool,
    logout: Logout,
    poll: Poll,
    horizon: u8,
    /// The process knows of the log-out.
    known: bool,
    row: Row,
    row_allowed: bool,
}

struct Machines {
    wrong: Wrong,
}

impl Machines {
    /// Whether a server takes a write now.
    fn writes(state: &State, server: usize) -> bool {
        match server {
            0 => state.cut.is_none_or(|cut| state.now <= cut + LAG),
            _ => state.promoted,
        }
    }

    /// Whether a server answers a script that is to write, or is said to.
    fn answers(state: &State, server: usize, only_reads: bool) -> bool {
        Self::writes(state, server) || (only_reads && server == 0)
    }

    fn trusts(&self, state: &State) -> bool {
        let age = state.now - state.horizon;
        if self.wrong == Wrong::AtMostDelta { age <= DELTA } else { age < DELTA }
    }

    fn servers(&self, state: &State) -> Vec<(Label, State)> {
        let mut steps = Vec::new();
        if state.cut.is_none() {
            steps.push((("servers", "are cut off from each other"), State { cut: Some(state.now), ..*state }));
            if state.revoked[0] && !state.revoked[1] {
                steps.push((("servers", "the replica follows"), State { revoked: [true; 2], ..*state }));
            }
        }
        let down = if self.wrong == Wrong::PromotedEarly { LAG - 1 } else { LAG };
        if !state.promoted && state.cut.is_some_and(|cut| state.now >= cut + down) {
            steps.push((("servers", "the replica is promoted"), State { promoted: true, ..*state }));
        }
        steps
    }

    fn log_out(&self, state: &State) -> Vec<(Label, State)> {
        let mut steps = Vec::new();
        for (server, what) in ["writes to the first server", "writes to the second server"].into_iter().enumerate() {
            // One that was not confirmed is sent again to who is the primary then.
            let due = match state.logout {
                Logout::None => true,
                Logout::Executed { on, .. } => usize::from(on) < server,
                Logout::Answered => false,
            };
            if due && Self::writes(state, server) {
                let mut next = *state;
                next.revoked[server] = true;
                next.logout = Logout::Executed { on: u8::from(server == 1), at: state.now };
                steps.push((("log-out", what), next));
            }
        }
        if let Logout::Executed { on, at } = state.logout {
            let confirmed = on == 1 || state.revoked[1] || self.wrong == Wrong::WaitIgnored;
            let held = state.now >= at + DELTA || self.wrong == Wrong::NotHeld;
            if confirmed && held {
                steps.push((("log-out", "is answered"), State { logout: Logout::Answered, ..*state }));
            }
        }
        steps
    }

    fn process(&self, state: &State) -> Vec<(Label, State)> {
        let mut steps = Vec::new();
        let mut step = |what, next| steps.push((("process", what), next));
        match state.poll {
            Poll::None => step("sends a poll", State { poll: Poll::Sent { at: state.now }, ..*state }),
            Poll::Sent { at } => {
                for server in 0..2 {
                    if Self::answers(state, server, self.wrong == Wrong::PollOnlyReads) {
                        let poll = Poll::Answered { sent: at, revoked: state.revoked[server] };
                        step(["the first server polls", "the second server polls"][server], State { poll, ..*state });
                    }
                }
                if !Self::writes(state, 0) {
                    step("the first server refuses the poll", State { poll: Poll::None, ..*state });
                }
            }
            Poll::Answered { sent, revoked } => {
                let stamp = if self.wrong == Wrong::StampedOnReceipt { state.now } else { sent };
                let horizon = state.horizon.max(stamp);
                step("applies the poll", State { poll: Poll::None, horizon, known: state.known || revoked, ..*state });
            }
        }
        match state.row {
            Row::None if !self.trusts(state) => {
                step(
                    "asks for the row",
                    State { row: Row::Sent { after: state.logout == Logout::Answered }, ..*state },
                );
            }
            Row::None => {}
            Row::Sent { after } => {
                for server in 0..2 {
                    if Self::answers(state, server, self.wrong == Wrong::RowOnlyReads) {
                        let row_allowed = after && !state.revoked[server];
                        let what = if state.revoked[server] { "the row is gone" } else { "the row is there" };
                        step(what, State { row: Row::None, row_allowed, ..*state });
                    }
                }
            }
        }
        steps
    }
}

impl Model for Machines {
    type State = State;

    fn starts(&self) -> Vec<State> {
        vec![State {
            now: 0,
            revoked: [false; 2],
            cut: None,
            promoted: false,
            logout: Logout::None,
            poll: Poll::None,
            horizon: 0,
            known: false,
            row: Row::None,
            row_allowed: false,
        }]
    }

    fn steps(&self, state: &State) -> Vec<(Label, State)> {
        let mut steps = [self.servers(state), self.log_out(state), self.process(state)].concat();
        if state.now < END {
            steps.push((("time", "passes"), State { now: state.now + 1, ..*state }));
        }
        steps
    }

    fn wrong(&self, state: &State) -> Option<&'static str> {
        let late = state.logout == Logout::Answered && self.trusts(state) && !state.known;
        (late || state.row_allowed).then_some(if late { BY_COPY } else { BY_ROW })
    }

    fn finished(&self, state: &State) -> bool {
        state.now == END
    }
}

const BY_COPY: &str = "a copy is good after the log-out's answer";
const BY_ROW: &str = "a row is good after the log-out's answer";

fn finds(name: &str, wrong: Wrong, what: &str) {
    breaks(name, &Machines { wrong }, what);
}

#[test]
fn no_copy_and_no_row_is_good_after_the_answer() {
    let shows = [
        "is answered",
        "the replica is promoted",
        "the second server polls",
        "the first server refuses the poll",
        "the row is gone",
    ];
    stated(holds("several machines", &Machines { wrong: Wrong::Nothing }, &shows));
}

#[test]
fn a_horizon_of_the_time_of_receipt_is_found() {
    finds("stamped on receipt", Wrong::StampedOnReceipt, BY_COPY);
}

#[test]
fn an_answer_that_is_not_held_is_found() {
    finds("not held", Wrong::NotHeld, BY_COPY);
}

#[test]
fn a_copy_that_counts_at_the_very_end_is_found() {
    finds("at most DELTA", Wrong::AtMostDelta, BY_COPY);
}

#[test]
fn a_deposed_primary_that_still_answers_polls_is_found() {
    finds("a poll that only reads", Wrong::PollOnlyReads, BY_COPY);
}

#[test]
fn a_deposed_primary_that_still_shows_rows_is_found() {
    finds("a row that is only read", Wrong::RowOnlyReads, BY_ROW);
}

#[test]
fn a_log_out_that_no_replica_confirmed_is_found() {
    finds("WAIT ignored", Wrong::WaitIgnored, BY_ROW);
}

#[test]
fn a_promotion_before_the_old_primary_stops_is_found() {
    finds("promoted early", Wrong::PromotedEarly, BY_COPY);
}
