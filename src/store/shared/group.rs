//! Writers of one process that wait at the same time: one of them does the work of all.
//!
//! Used by `store::shared::sessions`, so that many log-ins become one transaction and wait for one sync of the disk.
//! There is no thread of ours: who comes while nobody works leads, the others sleep until they are answered or it is
//! their turn to lead. Knows nothing of the store. It must never answer a job before the work that it is part of has
//! returned, nor leave one without an answer: a leader that panics leaves `None` to those whose jobs it had taken.

use parking_lot::{Condvar, Mutex};
use std::collections::{HashMap, VecDeque};

/// Jobs in one piece of work: so long is a writer of another process kept waiting.
const MOST: usize = 64;

/// Jobs `J` that wait for answers `A`. Any thread.
pub(super) struct Group<J, A> {
    line: Mutex<Line<J, A>>,
    moved: Condvar,
}

struct Line<J, A> {
    next: u64,
    waiting: VecDeque<(u64, J)>,
    led: bool,
    answers: HashMap<u64, Option<A>>,
}

/// The turn of a leader; ends when it is dropped, in a panic too.
pub(super) struct Turn<'g, J, A> {
    group: &'g Group<J, A>,
    taken: Vec<u64>,
    answers: Vec<A>,
}

impl<J, A> Group<J, A> {
    pub(super) fn new() -> Group<J, A> {
        let line = Line { next: 0, waiting: VecDeque::new(), led: false, answers: HashMap::new() };
        Group { line: Mutex::new(line), moved: Condvar::new() }
    }

    /// Gives `job` in, and waits for its answer. `lead` does what waits: it takes the jobs as late as it can
    /// ([`Turn::take`]) and answers them in their order. `None`: the work was broken off, and nobody knows how far it got.
    pub(super) fn submit(&self, job: J, lead: impl Fn(&mut Turn<'_, J, A>) -> Vec<A>) -> Option<A> {
        let mut line = self.line.lock();
        let ticket = line.next;
        line.next += 1;
        line.waiting.push_back((ticket, job));
        loop {
            if let Some(answer) = line.answers.remove(&ticket) {
                return answer;
            }
            if line.led {
                self.moved.wait(&mut line);
                continue;
            }
            line.led = true;
            drop(line);
            let mut turn = Turn { group: self, taken: Vec::new(), answers: Vec::new() };
            turn.answers = lead(&mut turn);
            drop(turn);
            line = self.line.lock();
        }
    }
}

impl<J, A> Turn<'_, J, A> {
    /// The jobs that wait by now, oldest first. Asked once in a turn.
    pub(super) fn take(&mut self) -> Vec<J> {
        let mut line = self.group.line.lock();
        let count = line.waiting.len().min(MOST);
        let (tickets, jobs) = line.waiting.drain(..count).unzip();
        self.taken = tickets;
        jobs
    }
}

impl<J, A> Drop for Turn<'_, J, A> {
    fn drop(&mut self) {
        let mut line = self.group.line.lock();
        let mut answers = self.answers.drain(..);
        for ticket in self.taken.drain(..) {
            line.answers.insert(ticket, answers.next());
        }
        line.led = false;
        self.group.moved.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;
    use std::time::Duration;

    #[test]
    fn each_job_is_done_once_and_answered_after_its_work() {
        let (group, turns) = (Group::<u64, u64>::new(), AtomicUsize::new(0));
        let lead = |turn: &mut Turn<'_, u64, u64>| {
            turns.fetch_add(1, Ordering::SeqCst);
            thread::sleep(Duration::from_millis(2));
            turn.take().into_iter().map(|job| job * 2).collect()
        };
        thread::scope(|threads| {
            for writer in 0..100_u64 {
                let (group, lead) = (&group, &lead);
                threads.spawn(move || {
                    for number in 0..10 {
                        let job = writer * 100 + number;
                        assert_eq!(group.submit(job, lead), Some(job * 2));
                    }
                });
            }
        });
        let turns = turns.load(Ordering::SeqCst);
        assert!((10..1_000).contains(&turns), "1,000 jobs in {turns} turns");
        assert!(group.line.lock().answers.is_empty());
    }

    #[test]
    fn a_leader_that_panics_leaves_nobody_waiting() {
        let group = Group::<u64, u64>::new();
        let answered = AtomicUsize::new(0);
        thread::scope(|threads| {
            for number in 0..8 {
                let (group, answered) = (&group, &answered);
                threads.spawn(move || {
                    let lead = |turn: &mut Turn<'_, u64, u64>| {
                        thread::sleep(Duration::from_millis(20));
                        let jobs = turn.take();
                        assert!(!jobs.contains(&3), "the job that breaks it");
                        jobs
                    };
                    let answer = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| group.submit(number, lead)));
                    assert!(matches!(answer, Ok(Some(_) | None) | Err(_)));
                    answered.fetch_add(1, Ordering::SeqCst);
                });
            }
        });
        assert_eq!(answered.load(Ordering::SeqCst), 8);
        assert_eq!(group.submit(9, |turn| turn.take()), Some(9), "and the next one works");
    }

    #[test]
    fn an_answer_that_the_work_does_not_give_is_none() {
        let group = Group::<u64, u64>::new();
        let broken = |turn: &mut Turn<'_, u64, u64>| {
            turn.take();
            Vec::new()
        };
        assert_eq!(group.submit(1, broken), None);
    }
}
