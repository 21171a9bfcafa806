//! Invariant 7: touch, sweep, eviction, renewal and the end of an idle session never create or revive one.
//!
//! One session and the one that goes on from it, each a row and an entry of the log's index. Writers of rows hold their
//! lock over all their steps and may be killed between the log's commit and the rows'. Mirrors, in `store/shared/`:
//!
//! | actor | code |
//! |---|---|
//! | log-out | `sessions.rs`: `Core::work`, `ends_of`, `chain` |
//! | renewal | `sessions.rs`: `Core::work`, `place` with `After::Renewed`, `judge`; `rows.rs`: `Rows::entomb` with `next` |
//! | eviction | `sessions.rs`: `Core::make_room` on behalf of another log-in |
//! | use | `core.rs`: `Core::touch`; `upkeep.rs`: `flush`, `write_notes`; `rows.rs`: `Rows::touch` |
//! | idle end | `upkeep.rs`: `Core::write_death` |
//! | sweeping | `upkeep.rs`: `Core::visit`; `log.rs`: `Log::forget`, entries are kept for `MARGIN_SECS` after the end, and by `Core::needed` for as long as the row lives, which the model does not ask for |
//!
//! The wall clock may be set back by less than that margin: further steps are not followed (`base/clock.rs`).

use crate::explore::{Label, Model, breaks, holds, stated};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wrong {
    Nothing,
    /// A use writes the row, whatever is there.
    TouchCreates,
    /// A renewal looks whether the session lives before it takes the lock.
    RenewalLooksFirst,
    /// A log-out ends the session of its cookie and not the one that goes on from it.
    ChainNotFollowed,
    /// A tombstone is swept before its session's time is over.
    TombSweptEarly,
    /// The index forgets a log-out at the session's end, without a margin.
    NoMargin,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Row {
    None,
    Live,
    Tomb { goes_on: bool },
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Session {
    row: Row,
    /// In the index of revoked sessions.
    revoked: bool,
    /// It has ended once, by whatever but time.
    ended: bool,
}

/// Where somebody is who changes rows.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum At {
    Start,
    /// Has looked without the lock.
    Looked,
    Locked,
    Logged,
    Done,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct State {
    /// 0: before the end of both sessions; 1: after it; 2: the margin is over, too.
    time: u8,
    clock_back: u8,
    /// The session, and the one that goes on from it.
    sessions: [Session; 2],
    /// Who holds the rows' lock: 1 log-out, 2 renewal, 3 eviction.
    lock: u8,
    log_out: At,
    /// The log-out began before the end, and no clock went back.
    owed: bool,
    renewal: At,
    eviction: At,
    /// A thread has a session in its hand and will write its use: which, if any.
    uses: [bool; 2],
    kills: u8,
}

struct Rows {
    wrong: Wrong,
}

impl State {
    fn is_allowed(&self, which: usize) -> bool {
        let session = self.sessions[which];
        session.row == Row::Live && !session.revoked && self.time == 0
    }

    fn revoke(&mut self, which: usize) {
        (self.sessions[which].revoked, self.sessions[which].ended) = (true, true);
    }

    /// `Rows::entomb`: only what is there and lives.
    fn entomb(&mut self, which: usize, goes_on: bool) {
        if self.sessions[which].row == Row::Live {
            self.sessions[which].row = Row::Tomb { goes_on };
            self.sessions[which].ended = true;
        }
    }
}

impl Rows {
    /// A change's steps: lock, log, rows. `at` is where it is, `set` puts it elsewhere.
    fn log_out(&self, state: &State) -> Option<(&'static str, State)> {
        let mut next = *state;
        let first = state.sessions[0].row;
        let goes_on = first == Row::Tomb { goes_on: true } && self.wrong != Wrong::ChainNotFollowed;
        match state.log_out {
            At::Start if state.lock == 0 => {
                (next.lock, next.log_out) = (1, At::Locked);
                next.owed = state.time == 0 && state.clock_back > 0;
                Some(("takes the lock", next))
            }
            At::Locked => {
                next.revoke(0);
                if goes_on && state.sessions[1].row == Row::Live {
                    next.revoke(1);
                }
                next.log_out = At::Logged;
                Some(("writes the log", next))
            }
            At::Logged => {
                next.entomb(usize::from(goes_on), false);
                (next.lock, next.log_out) = (0, At::Done);
                Some(("buries the row, is answered", next))
            }
            _ => None,
        }
    }

    fn renewal(&self, state: &State) -> Option<(&'static str, State)> {
        let mut next = *state;
        let looks_first = self.wrong == Wrong::RenewalLooksFirst;
        let at = state.renewal;
        match at {
            At::Start if looks_first => {
                next.renewal = if state.is_allowed(0) { At::Looked } else { At::Done };
                Some(("looks whether the session lives", next))
            }
            At::Start | At::Looked if state.lock == 0 => {
                let lives = at == At::Looked || state.is_allowed(0);
                (next.lock, next.renewal) = if lives { (2, At::Locked) } else { (0, At::Done) };
                Some((if lives { "takes the lock, the session lives" } else { "is refused" }, next))
            }
            At::Locked => {
                next.revoke(0);
                next.renewal = At::Logged;
                Some(("writes the log", next))
            }
            At::Logged => {
                next.entomb(0, true);
                next.sessions[1].row = Row::Live;
                (next.lock, next.renewal) = (0, At::Done);
                Some(("commits both rows", next))
            }
            _ => None,
        }
    }

    fn eviction(state: &State) -> Option<(&'static str, State)> {
        let mut next = *state;
        match state.eviction {
            At::Start if state.lock == 0 => {
                (next.lock, next.eviction) = if state.is_allowed(0) { (3, At::Locked) } else { (0, At::Done) };
                Some(("takes the lock", next))
            }
            At::Locked => {
                next.revoke(0);
                next.eviction = At::Logged;
                Some(("writes the log", next))
            }
            At::Logged => {
                next.entomb(0, false);
                (next.lock, next.eviction) = (0, At::Done);
                Some(("commits the row", next))
            }
            _ => None,
        }
    }

    /// What one commit does, of those who write rows without the log.
    fn small(&self, state: &State) -> Vec<(Label, State)> {
        let mut steps = Vec::new();
        for which in 0..2 {
            let mut next = *state;
            if state.uses[which] {
                // Noted while it lived, written later: update if it is there.
                next.uses[which] = false;
                if state.lock == 0 {
                    if self.wrong == Wrong::TouchCreates {
                        next.sessions[which].row = Row::Live;
                    }
                    steps.push((("use", "is written down"), next));
                }
            } else if state.is_allowed(which) {
                next.uses[which] = true;
                steps.push((("use", "is noted"), next));
                if state.lock == 0 {
                    let mut next = *state;
                    next.entomb(which, false);
                    steps.push((("idle end", "is written down"), next));
                }
            }
            steps.extend(self.sweep(state, which));
        }
        steps
    }

    fn sweep(&self, state: &State, which: usize) -> Vec<(Label, State)> {
        let mut steps = Vec::new();
        let session = state.sessions[which];
        let mut next = *state;
        let over = state.time > 0;
        match session.row {
            Row::Live if state.lock == 0 && (session.revoked || over) => {
                next.entomb(which, false);
                steps.push((("sweeping", "buries a row"), next));
            }
            Row::Tomb { .. } if state.lock == 0 && (over || self.wrong == Wrong::TombSweptEarly) => {
                next.sessions[which].row = Row::None;
                steps.push((("sweeping", "clears a tombstone"), next));
            }
            _ => {}
        }
        if session.revoked && state.time >= if self.wrong == Wrong::NoMargin { 1 } else { 2 } {
            let mut next = *state;
            next.sessions[which].revoked = false;
            steps.push((("sweeping", "forgets a log-out"), next));
        }
        steps
    }

    fn killed(state: &State) -> Option<State> {
        let mut next = State { lock: 0, kills: state.kills.checked_sub(1)?, ..*state };
        match state.lock {
            1 => next.log_out = At::Start,
            2 => next.renewal = At::Done,
            3 => next.eviction = At::Done,
            _ => return None,
        }
        Some(next)
    }
}

impl Model for Rows {
    type State = State;

    fn starts(&self) -> Vec<State> {
        let none = Session { row: Row::None, revoked: false, ended: false };
        vec![State {
            time: 0,
            clock_back: 1,
            sessions: [Session { row: Row::Live, ..none }, none],
            lock: 0,
            log_out: At::Start,
            owed: false,
            renewal: At::Start,
            eviction: At::Start,
            uses: [false; 2],
            kills: 1,
        }]
    }

    fn steps(&self, state: &State) -> Vec<(Label, State)> {
        let mut steps = self.small(state);
        steps.extend(self.log_out(state).map(|(what, next)| (("log-out", what), next)));
        steps.extend(self.renewal(state).map(|(what, next)| (("renewal", what), next)));
        steps.extend(Self::eviction(state).map(|(what, next)| (("eviction", what), next)));
        steps.extend(Self::killed(state).map(|next| (("the lock's holder", "is killed"), next)));
        if state.time < 2 {
            steps.push((("time", "passes"), State { time: state.time + 1, ..*state }));
        }
        if state.time > 0 && state.clock_back > 0 {
            steps.push((("clock", "is set back"), State { time: state.time - 1, clock_back: 0, ..*state }));
        }
        steps
    }

    fn wrong(&self, state: &State) -> Option<&'static str> {
        if (0..2).any(|which| state.sessions[which].ended && state.is_allowed(which)) {
            return Some(REVIVED);
        }
        let answered = state.log_out == At::Done && state.owed;
        (answered && (0..2).any(|which| state.is_allowed(which))).then_some(LIVES)
    }

    fn finished(&self, state: &State) -> bool {
        state.lock == 0 && state.log_out == At::Done
    }
}

const REVIVED: &str = "a session that had ended is good";
const LIVES: &str = "a session is good after its log-out's answer";

fn finds(name: &str, wrong: Wrong, what: &str) {
    breaks(name, &Rows { wrong }, what);
}

#[test]
fn nothing_creates_or_revives_a_session() {
    let shows = [
        "is written down",
        "commits both rows",
        "commits the row",
        "buries a row",
        "clears a tombstone",
        "forgets a log-out",
        "is killed",
        "is set back",
    ];
    stated(holds("rows", &Rows { wrong: Wrong::Nothing }, &shows));
}

#[test]
fn a_use_that_creates_is_found() {
    finds("touch creates", Wrong::TouchCreates, REVIVED);
}

#[test]
fn a_renewal_that_looks_before_it_locks_is_found() {
    finds("renewal looks first", Wrong::RenewalLooksFirst, LIVES);
}

#[test]
fn a_log_out_that_forgets_what_goes_on_is_found() {
    finds("chain not followed", Wrong::ChainNotFollowed, LIVES);
}

#[test]
fn a_tombstone_that_is_swept_early_is_found() {
    finds("tombstone swept early", Wrong::TombSweptEarly, LIVES);
}

#[test]
fn an_index_that_forgets_at_once_is_found() {
    finds("no margin", Wrong::NoMargin, REVIVED);
}
