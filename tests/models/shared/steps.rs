//! The steps: each is one access to what threads or processes share.

use super::{At, Log, LogIn, NEVER, Shared, State, Thread, Writer, Wrong};
use crate::explore::Label;

impl Shared {
    /// `Fresh::catch_up` and `read_on`.
    pub fn catch_up(&self, state: &State, who: usize) -> Option<State> {
        let mut next = *state;
        let thread = state.threads[who];
        let done = match thread.log_in {
            LogIn::None if thread.rereads == 0 => At::Look,
            LogIn::None | LogIn::Locked => At::Base,
            LogIn::Stored => At::Copy,
        };
        match thread.at {
            At::Begin => next.go(who, if state.log.id == state.stamp { done } else { At::Lock }),
            At::Lock if state.catching_up => return None,
            At::Lock => {
                next.catching_up = true;
                next.go(who, At::Snapshot);
            }
            At::Snapshot if state.log.id == state.stamp => {
                next.catching_up = false;
                next.go(who, done);
            }
            At::Snapshot => {
                next.thread(who).log = state.log;
                if self.wrong == Wrong::StampFirst {
                    next.stamp = state.log.id;
                }
                next.go(who, At::Apply);
            }
            At::Apply => {
                let log = thread.log;
                if log.trimmed > state.applied && self.wrong != Wrong::NoReload {
                    (next.revoked, next.purged) = (false, log.seq);
                } else if log.entry > state.applied.max(log.trimmed) {
                    next.kill(state.table);
                    next.revoked = true;
                }
                next.upto = log.seq;
                next.go(who, At::Applied);
            }
            At::Applied => {
                next.applied = thread.log.seq;
                next.go(who, At::Stamp);
            }
            At::Stamp => {
                next.stamp = if self.wrong == Wrong::StampOfInfo { state.log.id } else { thread.log.id };
                next.catching_up = false;
                next.thread(who).log = Log::default();
                next.go(who, done);
            }
            _ => return None,
        }
        Some(next)
    }

    /// `Core::check` from its copy on, and `Core::word`.
    pub fn check(state: &State, who: usize) -> Vec<State> {
        let mut next = *state;
        let thread = state.threads[who];
        match thread.at {
            At::Look => {
                // A copy that is there may be young or not.
                let mut read = *state;
                read.go(who, At::Base);
                if state.table.is_none() {
                    return vec![read];
                }
                next.thread(who).copy = state.table;
                next.thread(who).number = state.copies[usize::from(state.table.unwrap())].seen;
                next.go(who, At::Compare);
                return vec![next, read];
            }
            At::Compare if thread.number == state.applied => next.go(who, At::See),
            At::Compare => next.go(who, At::Judge),
            At::Judge => match state.judge(thread.number) {
                None => {
                    (next.thread(who).copy, next.thread(who).number) = (None, 0);
                    next.go(who, At::Base);
                }
                Some(Err(())) => {
                    next.kill(thread.copy);
                    next.answer(who, false);
                }
                Some(Ok(number)) => {
                    next.thread(who).number = number;
                    next.go(who, At::See);
                }
            },
            At::See => {
                let copy = &mut next.copies[usize::from(thread.copy.unwrap())];
                copy.seen = copy.seen.max(thread.number);
                let alive = !copy.dead;
                next.answer(who, alive);
            }
            _ => return Vec::new(),
        }
        vec![next]
    }

    /// `Core::read` and `read_once`.
    pub fn read(&self, state: &State, who: usize) -> Option<State> {
        let mut next = *state;
        let thread = state.threads[who];
        match thread.at {
            At::Base => {
                next.thread(who).number = state.applied;
                next.go(who, At::Row);
            }
            At::Row if thread.log_in == LogIn::Locked => {
                next.row = true;
                next.thread(who).log_in = LogIn::Stored;
                next.go(who, At::Begin);
            }
            At::Row => {
                next.thread(who).live = state.row;
                next.go(who, At::Index);
            }
            At::Index if thread.live && (state.log.entry == 0 || self.wrong == Wrong::RowAlone) => {
                next.go(who, At::Copy)
            }
            At::Index => {
                next.kill(state.table);
                next.answer(who, false);
            }
            At::Copy => {
                next.thread(who).copy = state.table.or(Some(state.made));
                next.made += u8::from(state.table.is_none());
                next.go(who, At::JudgeNew);
            }
            At::JudgeNew => match state.judge(if self.wrong == Wrong::NewestNumber { NEVER } else { thread.number }) {
                None if thread.rereads == 2 => next.answer(who, false), // unavailable
                // A log-in keeps no copy then.
                None | Some(Err(())) if thread.log_in == LogIn::Stored => next.answer(who, false),
                None => {
                    *next.thread(who) = Thread {
                        at: At::Begin,
                        rereads: thread.rereads + 1,
                        copy: None,
                        number: 0,
                        live: false,
                        ..thread
                    };
                    next.forget_copies();
                }
                Some(Err(())) => {
                    next.kill(thread.copy);
                    next.answer(who, false);
                }
                Some(Ok(number)) => {
                    next.thread(who).number = number;
                    if thread.log_in == LogIn::Stored && state.table.is_none() {
                        next.copies[usize::from(thread.copy.unwrap())].seen = number;
                    }
                    next.go(who, At::Put);
                }
            },
            At::Put => {
                // One that another thread has put in meanwhile stays.
                next.table = state.table.or(thread.copy);
                next.thread(who).copy = next.table;
                next.go(who, At::Seen);
            }
            At::Seen if thread.log_in == LogIn::Stored => next.answer(who, false),
            At::Seen => {
                let copy = &mut next.copies[usize::from(thread.copy.unwrap())];
                copy.seen = copy.seen.max(thread.number);
                let alive = !copy.dead;
                next.answer(who, alive);
            }
            _ => return None,
        }
        Some(next)
    }

    /// `Core::end` in another process, and its sudden end.
    pub fn write(&self, state: &State) -> Vec<(Label, State)> {
        let mut steps = Vec::new();
        let mut step = |what, change: &dyn Fn(&mut State)| {
            let mut next = *state;
            change(&mut next);
            steps.push((("writer", what), next));
        };
        let acknowledge = |next: &mut State| {
            next.acknowledged = true;
            next.writer = Writer::Done;
        };
        let log = |next: &mut State| {
            next.commit(true);
            next.log.entry = next.log.seq;
            next.writer = Writer::Logged;
        };
        let bury = |next: &mut State| {
            next.row = false;
            next.writer = Writer::RowGone;
        };
        let unborn = state.threads.iter().any(|thread| thread.log_in == LogIn::Locked);
        match (state.writer, self.wrong) {
            // The log-in holds the rows' lock, or the id is nobody's yet.
            (Writer::Start, _) if unborn => {}
            (Writer::Start, Wrong::RowFirst) if !state.row => step("finds no row: answers", &acknowledge),
            (Writer::Start, Wrong::AnswerFirst) => step("answers, and takes the rows' lock", &|next| {
                next.acknowledged = true;
                next.writer = Writer::Locked;
            }),
            (Writer::Start, _) => {
                step("takes the rows' lock, looks for the session", &|next| next.writer = Writer::Locked)
            }
            (Writer::Locked, Wrong::RowFirst) => step("buries the row, commits", &bury),
            (Writer::RowGone, Wrong::RowFirst) => step("writes the log, commits", &log),
            (Writer::Locked, _) => step("writes the log, commits", &log),
            (Writer::Logged, Wrong::RowFirst) | (Writer::RowGone, _) => step("answers", &acknowledge),
            (Writer::Logged, _) => {
                step("buries the row, commits", &bury);
                // The store is full: the row is dead by the log.
                step("cannot bury the row: answers", &acknowledge);
            }
            (Writer::Done, _) => {}
        }
        if state.left.kills > 0 && !matches!(state.writer, Writer::Start | Writer::Done) {
            step("is killed; its client asks again", &|next| {
                next.left.kills -= 1;
                // Who has the answer already does not ask again.
                next.writer = if next.acknowledged { Writer::Done } else { Writer::Start };
            });
        }
        steps
    }

    /// What happens besides.
    pub fn besides(state: &State) -> Vec<(Label, State)> {
        let mut steps = Vec::new();
        let mut step = |left: u8, what, change: &dyn Fn(&mut State)| {
            if left > 0 {
                let mut next = *state;
                change(&mut next);
                steps.push((("others", what), next));
            }
        };
        step(state.left.others, "commit something else", &|next| {
            next.left.others -= 1;
            next.commit(true);
        });
        step(state.left.trims, "trim the log", &|next| {
            next.left.trims -= 1;
            next.commit(false);
            next.log.trimmed = next.log.seq;
        });
        step(state.left.purges * u8::from(state.revoked), "let the session leave the set", &|next| {
            next.left.purges -= 1;
            (next.revoked, next.purged) = (false, next.upto);
        });
        step(state.left.evictions * u8::from(state.table.is_some()), "put the copy out", &|next| {
            next.left.evictions -= 1;
            next.table = None;
            next.forget_copies();
        });
        steps
    }
}
