//! Invariant 1, the shared store: no check that starts after an acknowledged log-out allows.
//!
//! Two threads of one process check a session, another process logs it out and may be killed before each of its steps;
//! then its client tries again; or one of the threads makes the session. Meanwhile others commit to the log, it is trimmed, what is old leaves the set, copies are
//! put out. Mirrors, by the names of the steps:
//!
//! | steps | code |
//! |---|---|
//! | `Begin` to `Stamp` | `store/shared/fresh.rs`: `Fresh::catch_up`, `read_on`, `reload` |
//! | `Look`, `Compare`, `Judge`, `See` | `store/shared/core.rs`: `Core::check`; `store/held/revoked.rs`: `Revoked::word`, `Set::judge` |
//! | `Base` to `Seen` | `core.rs`: `Core::read`, `read_once`; `store/held/copies.rs`: `Copies::put`, `Copy::see` |
//! | `LogIn` | `sessions.rs`: `Core::insert`, a session's copy from its log-in |
//! | the writer | `store/shared/sessions.rs`: `Core::end`, `work`; `log.rs`: `Log::append`, always by a commit |
//! | the rest | `revoked.rs`: `Revoked::purge`; `log.rs`: `Log::trim`; `copies.rs`: a full shard |
//!
//! Purging, trimming and putting out happen whenever they like here, which is more than the code's times let them.

mod steps;

use crate::explore::{Label, Model, breaks, holds, stated};

/// What the code must not become.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wrong {
    Nothing,
    /// The stamp is the environment's newest id instead of the snapshot's.
    StampOfInfo,
    /// The stamp is stored before what it stands for is applied.
    StampFirst,
    /// A copy is judged and stamped as if it had been read just now, not before its row was.
    NewestNumber,
    /// Who missed what was trimmed does not start anew.
    NoReload,
    /// The row alone says whether a session lives, not the index of revoked ones.
    RowAlone,
    /// The answer goes out before the commit.
    AnswerFirst,
    /// The row goes before the log is written, and a row that is gone needs no log-out.
    RowFirst,
}

/// The log's environment as one snapshot shows it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
struct Log {
    id: u8,
    seq: u8,
    trimmed: u8,
    /// The number of the session's newest entry, in the log while it is above `trimmed`, in the index for good.
    entry: u8,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum At {
    Idle,
    Begin,
    Lock,
    Snapshot,
    Apply,
    Applied,
    Stamp,
    Look,
    Compare,
    Judge,
    See,
    Base,
    Row,
    Index,
    Copy,
    JudgeNew,
    Put,
    Seen,
}

/// A thread that makes the session instead of checking it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum LogIn {
    None,
    /// Until its row is committed.
    Locked,
    Stored,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Thread {
    at: At,
    checks: u8,
    /// It began after the acknowledgement.
    after: bool,
    /// What catching up returns to.
    rereads: u8,
    log: Log,
    copy: Option<u8>,
    number: u8,
    live: bool,
    log_in: LogIn,
    /// Its word, as long as the step lasts that says it.
    answered: Option<bool>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
struct Held {
    seen: u8,
    dead: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Writer {
    Start,
    Locked,
    Logged,
    RowGone,
    Done,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct State {
    log: Log,
    row: bool,
    acknowledged: bool,
    writer: Writer,
    left: Budget,
    stamp: u8,
    applied: u8,
    /// The set: whether it holds the session, up to where it goes, what may have left it.
    revoked: bool,
    upto: u8,
    purged: u8,
    catching_up: bool,
    /// The copy that is in the table, and all that threads hold.
    table: Option<u8>,
    copies: [Held; MOST_COPIES],
    made: u8,
    threads: [Thread; 2],
    allowed_after: bool,
}

/// How often each of these may happen.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Budget {
    kills: u8,
    others: u8,
    trims: u8,
    purges: u8,
    evictions: u8,
}

struct Shared {
    wrong: Wrong,
    budget: Budget,
    /// The second thread logs in, and the session is the one it makes.
    logs_in: bool,
}

const NEVER: u8 = u8::MAX;

/// Of one session, in the table or held by a thread.
const MOST_COPIES: usize = 4;

impl State {
    fn thread(&mut self, who: usize) -> &mut Thread {
        &mut self.threads[who]
    }

    fn go(&mut self, who: usize, at: At) {
        self.threads[who].at = at;
    }

    /// The check's answer.
    fn answer(&mut self, who: usize, allows: bool) {
        self.allowed_after |= allows && self.threads[who].after;
        let checks = self.threads[who].checks - 1;
        self.threads[who] = Thread { checks, answered: Some(allows), ..idle() };
        self.forget_copies();
    }

    /// Copies that nobody holds any more leave no trace.
    fn forget_copies(&mut self) {
        if self.table.is_none() && self.threads.iter().all(|thread| thread.copy.is_none()) {
            (self.copies, self.made) = Default::default();
        }
    }

    /// `Set::judge` of a copy that was good up to `seen`: `None` is unknown.
    fn judge(&self, seen: u8) -> Option<Result<u8, ()>> {
        if seen < self.purged {
            return None;
        }
        Some(if self.revoked { Err(()) } else { Ok(self.upto) })
    }

    fn kill(&mut self, copy: Option<u8>) {
        if let Some(copy) = copy {
            self.copies[usize::from(copy)].dead = true;
        }
    }

    fn commit(&mut self, to_log: bool) {
        self.log.id += 1;
        self.log.seq += u8::from(to_log);
    }
}

fn idle() -> Thread {
    Thread {
        at: At::Idle,
        checks: 0,
        after: false,
        rereads: 0,
        log: Log::default(),
        copy: None,
        number: 0,
        live: false,
        log_in: LogIn::None,
        answered: None,
    }
}

impl Model for Shared {
    type State = State;

    fn starts(&self) -> Vec<State> {
        let log = Log { id: 1, seq: 1, trimmed: 0, entry: 0 };
        let none = State {
            log,
            row: true,
            acknowledged: false,
            writer: Writer::Start,
            left: self.budget,
            stamp: 1,
            applied: 1,
            revoked: false,
            upto: 1,
            purged: 0,
            catching_up: false,
            table: None,
            copies: Default::default(),
            made: 0,
            threads: [Thread { checks: 2, ..idle() }, Thread { checks: 1, ..idle() }],
            allowed_after: false,
        };
        let mut held = State { table: Some(0), made: 1, ..none };
        held.copies[0].seen = 1;
        let mut unborn = State { row: false, ..none };
        unborn.threads[1].log_in = LogIn::Locked;
        if self.logs_in { vec![unborn] } else { vec![none, held] }
    }

    fn steps(&self, state: &State) -> Vec<(Label, State)> {
        let mut steps = self.write(state);
        steps.extend(Self::besides(state));
        for (who, name) in ["thread 1", "thread 2"].into_iter().enumerate() {
            let thread = state.threads[who];
            let mut moved = Self::check(state, who);
            moved.extend(self.catch_up(state, who));
            moved.extend(self.read(state, who));
            if thread.at == At::Idle && thread.checks > 0 {
                let mut next = *state;
                *next.thread(who) = Thread { at: At::Begin, after: state.acknowledged, ..thread };
                moved.push(next);
            }
            for mut next in moved {
                let answered = next.thread(who).answered.take();
                let what = match (answered, thread.after) {
                    (None, _) if thread.at == At::Row && thread.log_in == LogIn::Locked => "commits the row",
                    (None, _) => thread.at.told(),
                    _ if thread.log_in != LogIn::None => "has logged in",
                    (Some(true), _) => "allows",
                    (Some(false), false) => "refuses",
                    (Some(false), true) => "refuses, after the answer",
                };
                steps.push(((name, what), next));
            }
        }
        steps
    }

    fn wrong(&self, state: &State) -> Option<&'static str> {
        state.allowed_after.then_some(LATE)
    }

    fn finished(&self, state: &State) -> bool {
        state.writer == Writer::Done && state.threads.iter().all(|thread| thread.checks == 0)
    }
}

impl At {
    fn told(self) -> &'static str {
        match self {
            At::Idle => "begins",
            At::Begin => "compares the newest id with the stamp",
            At::Lock => "takes the lock",
            At::Snapshot => "takes a snapshot of the log",
            At::Apply => "applies it to the set",
            At::Applied => "stores the number",
            At::Stamp => "stores the stamp, lets the lock go",
            At::Look => "looks for the copy",
            At::Compare => "compares its number",
            At::Judge => "judges it",
            At::See => "notes its number, answers",
            At::Base => "loads the number before it reads",
            At::Row => "reads the row",
            At::Index => "reads the index of the revoked",
            At::Copy => "takes the copy or makes one",
            At::JudgeNew => "judges what it read",
            At::Put => "puts the copy in",
            At::Seen => "notes its number, answers",
        }
    }
}

const LATE: &str = "a check that began after the answer allows";

/// What may happen besides: two of these at a time, each exhaustively.
const BUDGETS: [Budget; 6] = [
    Budget { kills: 1, others: 1, trims: 0, purges: 0, evictions: 0 },
    Budget { kills: 1, others: 0, trims: 1, purges: 0, evictions: 0 },
    Budget { kills: 0, others: 0, trims: 1, purges: 1, evictions: 0 },
    Budget { kills: 0, others: 0, trims: 0, purges: 2, evictions: 1 },
    Budget { kills: 0, others: 1, trims: 0, purges: 1, evictions: 1 },
    Budget { kills: 0, others: 0, trims: 1, purges: 1, evictions: 0 },
];

/// Which of them is for a log-in.
const LOG_IN: usize = 5;

fn finds(name: &str, wrong: Wrong, budget: usize) {
    breaks(name, &Shared { wrong, budget: BUDGETS[budget], logs_in: budget == LOG_IN }, LATE);
}

#[test]
fn no_check_after_an_acknowledged_log_out_allows() {
    let always = ["allows", "refuses", "refuses, after the answer", At::Put.told(), "cannot bury the row: answers"];
    let besides: [&[&str]; 6] = [
        &["is killed; its client asks again", "commit something else"],
        &["is killed; its client asks again", "trim the log"],
        &["trim the log", "let the session leave the set"],
        &["let the session leave the set", "put the copy out"],
        &["commit something else", "let the session leave the set", "put the copy out"],
        &["commits the row", "has logged in", "trim the log", "let the session leave the set"],
    ];
    let each = BUDGETS.into_iter().zip(besides).enumerate().map(|(at, (budget, besides))| {
        let shared = Shared { wrong: Wrong::Nothing, budget, logs_in: at == LOG_IN };
        holds(&format!("shared store, {budget:?}"), &shared, &[&always[..], besides].concat())
    });
    stated(each.sum());
}

#[test]
fn a_stamp_of_the_newest_id_is_found() {
    finds("stamp of info()", Wrong::StampOfInfo, 0);
}

#[test]
fn a_stamp_before_its_log_is_applied_is_found() {
    finds("stamp first", Wrong::StampFirst, 0);
}

#[test]
fn a_copy_with_a_number_from_after_its_row_is_found() {
    finds("newest number", Wrong::NewestNumber, 3);
    finds("newest number at a log-in", Wrong::NewestNumber, LOG_IN);
}

#[test]
fn a_trimmed_log_that_is_passed_over_is_found() {
    finds("no reload", Wrong::NoReload, 2);
}

#[test]
fn a_row_that_is_asked_alone_is_found() {
    finds("row alone", Wrong::RowAlone, 3);
}

#[test]
fn an_answer_before_the_commit_is_found() {
    finds("answer first", Wrong::AnswerFirst, 0);
}

#[test]
fn a_row_that_goes_before_the_log_is_written_is_found() {
    finds("row first", Wrong::RowFirst, 0);
}
