//! Invariant 2: a retried log-out never acknowledges without a commit of its own.
//!
//! A process logs a session out on a primary that fails over to its replica, more than once, and may lose what was not
//! confirmed; clients that heard no answer ask again. Mirrors `store/redis/scripts.rs`: `Script::run` with its `WAIT`, and the
//! script `revoke.lua`, which writes whatever it finds (as every store does:
//! `src/store/suite/revocation.rs::a_log_out_sent_again_commits_again`): it appends to the log, or, where its log has the entry that
//! the tombstone names, raises the number. The process remembers that it wrote, and the server may not.

use crate::explore::{Label, Model, breaks, holds, stated};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wrong {
    Nothing,
    /// Who remembers that the session was revoked answers at once.
    MemoryTrusted,
    /// A row that is gone already is not revoked again.
    RowTrusted,
    /// Where the row is gone only the number is raised, without a look at the log.
    LogNotAsked,
    /// The number of replicas that confirmed is not looked at.
    WaitIgnored,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Attempt {
    None,
    Begun,
    /// It has written: on which server, and under which number.
    Written(u8, u8),
    Answered,
}

/// What a server has of the session.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
struct Server {
    logged: bool,
    row_gone: bool,
    /// What it has of the writes, whatever they were.
    number: u8,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct State {
    servers: [Server; 2],
    primary: u8,
    /// The other server is up and follows.
    follows: bool,
    failovers: u8,
    attempts: u8,
    /// The process has seen that it was revoked.
    remembered: bool,
    attempt: Attempt,
    /// The attempt that was answered had written.
    own: bool,
}

struct Replicas {
    wrong: Wrong,
}

impl State {
    fn primary(&mut self) -> &mut Server {
        &mut self.servers[usize::from(self.primary)]
    }

    fn replica(&self) -> Server {
        self.servers[usize::from(1 - self.primary)]
    }
}

impl Replicas {
    fn log_out(&self, state: &State) -> Vec<(Label, State)> {
        let mut steps = Vec::new();
        let mut step = |what, next| steps.push((("log-out", what), next));
        let there = state.servers[usize::from(state.primary)];
        match state.attempt {
            Attempt::None if state.attempts > 0 => {
                step("is asked for", State { attempt: Attempt::Begun, attempts: state.attempts - 1, ..*state });
            }
            Attempt::Begun => {
                let trusts = (self.wrong == Wrong::MemoryTrusted && state.remembered)
                    || (self.wrong == Wrong::RowTrusted && there.row_gone);
                if trusts {
                    step("has nothing to do: is answered", State { attempt: Attempt::Answered, ..*state });
                } else {
                    let number = there.number + 1;
                    let attempt = Attempt::Written(state.primary, number);
                    let mut next = State { attempt, remembered: true, ..*state };
                    if there.row_gone && (there.logged || self.wrong == Wrong::LogNotAsked) {
                        next.primary().number = number;
                        step("raises the number", next);
                    } else {
                        *next.primary() = Server { logged: true, row_gone: true, number };
                        step("writes", next);
                    }
                }
            }
            Attempt::Written(on, number) => {
                let confirmed = on == state.primary && state.follows && state.replica().number == number;
                if confirmed || self.wrong == Wrong::WaitIgnored {
                    step("is answered", State { attempt: Attempt::Answered, own: true, ..*state });
                }
                step("is not confirmed: 503", State { attempt: Attempt::None, ..*state });
            }
            _ => {}
        }
        steps
    }

    fn servers(state: &State) -> Vec<(Label, State)> {
        let mut steps = Vec::new();
        let (primary, other) = (usize::from(state.primary), usize::from(1 - state.primary));
        let mut step = |what, next| steps.push((("servers", what), next));
        if state.follows && state.servers[other] != state.servers[primary] {
            // Replication may stop between any two writes, the log's and the row's too.
            for both in [false, true] {
                let mut next = *state;
                let from = state.servers[primary];
                next.servers[other] =
                    if both { from } else { Server { row_gone: from.row_gone, ..next.servers[other] } };
                step("the replica follows", next);
            }
        }
        if state.follows && state.failovers > 0 {
            let failovers = state.failovers - 1;
            step("the primary dies", State { primary: 1 - state.primary, follows: false, failovers, ..*state });
        }
        if !state.follows {
            let mut next = State { follows: true, ..*state };
            next.servers[other] = state.servers[primary];
            step("a new replica has copied everything", next);
        }
        steps
    }
}

impl Model for Replicas {
    type State = State;

    fn starts(&self) -> Vec<State> {
        vec![State {
            servers: [Server::default(); 2],
            primary: 0,
            follows: true,
            failovers: 2,
            attempts: 3,
            remembered: false,
            attempt: Attempt::None,
            own: false,
        }]
    }

    fn steps(&self, state: &State) -> Vec<(Label, State)> {
        [self.log_out(state), Self::servers(state)].concat()
    }

    fn wrong(&self, state: &State) -> Option<&'static str> {
        let answered = state.attempt == Attempt::Answered;
        let lost = answered && !state.servers[usize::from(state.primary)].logged;
        lost.then_some(LOST)
            .or((answered && !state.own && self.wrong == Wrong::Nothing).then_some("no commit of its own"))
    }

    fn finished(&self, state: &State) -> bool {
        state.attempt == Attempt::Answered || state.attempts == 0
    }
}

const LOST: &str = "an answered log-out is not in the primary's log";

#[test]
fn every_answered_log_out_has_written_and_outlives_failovers() {
    let shows = [
        "raises the number",
        "is not confirmed: 503",
        "the primary dies",
        "a new replica has copied everything",
        "is answered",
    ];
    stated(holds("replicas", &Replicas { wrong: Wrong::Nothing }, &shows));
}

#[test]
fn a_process_that_remembers_its_own_write_is_found() {
    breaks("memory trusted", &Replicas { wrong: Wrong::MemoryTrusted }, LOST);
}

#[test]
fn a_row_that_is_gone_and_taken_for_a_log_out_is_found() {
    breaks("row trusted", &Replicas { wrong: Wrong::RowTrusted }, LOST);
}

#[test]
fn a_number_that_is_raised_without_a_look_at_the_log_is_found() {
    breaks("log not asked", &Replicas { wrong: Wrong::LogNotAsked }, LOST);
}

#[test]
fn an_answer_without_a_replica_is_found() {
    breaks("WAIT ignored", &Replicas { wrong: Wrong::WaitIgnored }, LOST);
}
