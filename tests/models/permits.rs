//! Invariant 10: places for hashing in use stay within the budget and those who are overdue, and all come back.
//!
//! Processes take and give back slots of a page that all map; each may be killed while it has one, or be held up for longer
//! than a slot is its own. Mirrors `password/slots.rs`: `Slots::take`, load, clock and compare-and-swap one by one, and
//! `Slots::give_back`.

use crate::explore::{Label, Model, breaks, holds, stated};

/// Slots, and for how long after its taking one is its taker's: not beyond the tick of the clock.
const PLACES: usize = 2;
const LIFE: u8 = 0;

/// Nobody begins after this, and the world ends when the last slot must be free again.
const LAST: u8 = 2;
const END: u8 = LAST + LIFE + 1;

/// A word that nobody wrote: it says that its slot is taken for a long time.
const GARBAGE: Word = Word { until: 100, who: 9 };

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wrong {
    Nothing,
    /// A slot is freed whoever has it.
    FreedBlindly,
    /// A slot is written, not compared and swapped.
    TakenBlindly,
    /// The clock is read before the slot is.
    ClockFirst,
    /// Whatever says that it is taken is believed.
    GarbageBelieved,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
struct Word {
    /// 0: nobody's.
    until: u8,
    who: u8,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Actor {
    Idle,
    /// The clock was read; this slot is next.
    Looks(u8, usize),
    /// This was in the slot, and is to be judged by the clock.
    Saw(u8, usize, Word),
    /// The slot seemed free.
    Swaps(u8, usize, Word),
    Has(usize, Word),
    Gone,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct State {
    time: u8,
    slots: [Word; PLACES],
    /// Who, and how many turns are left.
    actors: [(Actor, u8); 3],
}

struct Places {
    wrong: Wrong,
}

impl Places {
    fn is_taken(&self, word: Word, now: u8) -> bool {
        let believed = self.wrong == Wrong::GarbageBelieved || word.until <= now + LIFE;
        word.until != 0 && now <= word.until && believed
    }

    /// What the actor does next; `None`: nothing more.
    fn step(&self, state: &State, at: usize) -> Vec<(&'static str, State)> {
        let (actor, turns) = state.actors[at];
        let with = |actor, turns| {
            let mut next = state.clone();
            next.actors[at] = (actor, turns);
            next
        };
        let after = |slot: usize, now| if slot + 1 < PLACES { Actor::Looks(now, slot + 1) } else { Actor::Idle };
        match actor {
            Actor::Idle if turns > 0 && state.time <= LAST => {
                vec![("asks", with(Actor::Looks(state.time, 0), turns - 1))]
            }
            Actor::Looks(now, slot) => vec![("reads a slot", with(Actor::Saw(now, slot, state.slots[slot]), turns))],
            Actor::Saw(now, slot, seen) => {
                let judged = if self.wrong == Wrong::ClockFirst { now } else { state.time };
                match self.is_taken(seen, judged) {
                    true => vec![("finds it taken", with(after(slot, now), turns))],
                    false => vec![("finds it free", with(Actor::Swaps(now, slot, seen), turns))],
                }
            }
            Actor::Swaps(now, slot, seen) => {
                if state.slots[slot] != seen && self.wrong != Wrong::TakenBlindly {
                    return vec![("comes too late", with(after(slot, now), turns))];
                }
                let own = Word { until: now + LIFE, who: 3 * turns + at as u8 };
                let mut next = with(Actor::Has(slot, own), turns);
                next.slots[slot] = own;
                vec![("takes it", next)]
            }
            Actor::Has(slot, own) => {
                let mut next = with(Actor::Idle, turns);
                if next.slots[slot] == own || self.wrong == Wrong::FreedBlindly {
                    next.slots[slot] = Word::default();
                }
                vec![("gives it back", next), ("is killed", with(Actor::Gone, 0))]
            }
            Actor::Idle | Actor::Gone => Vec::new(),
        }
    }
}

impl Model for Places {
    type State = State;

    fn starts(&self) -> Vec<State> {
        [Word::default(), GARBAGE]
            .map(|first| State { time: 1, slots: [first, Word::default()], actors: [(Actor::Idle, 2); 3] })
            .to_vec()
    }

    fn steps(&self, state: &State) -> Vec<(Label, State)> {
        let mut steps = Vec::new();
        for (at, name) in ["first", "second", "third"].into_iter().enumerate() {
            steps.extend(self.step(state, at).into_iter().map(|(what, next)| ((name, what), next)));
        }
        if state.time < END {
            steps.push((("time", "passes"), State { time: state.time + 1, ..state.clone() }));
        }
        steps
    }

    fn wrong(&self, state: &State) -> Option<&'static str> {
        let in_time = |(actor, _): &&(Actor, u8)| matches!(actor, Actor::Has(_, own) if state.time <= own.until);
        if state.actors.iter().filter(in_time).count() > PLACES {
            return Some(TOO_MANY);
        }
        let rest = |(actor, _): &(Actor, u8)| matches!(actor, Actor::Idle | Actor::Gone);
        let over = state.time == END && state.actors.iter().all(rest);
        let held = state.slots.iter().any(|word| self.is_taken(*word, state.time));
        (over && held).then_some(LOST)
    }

    fn finished(&self, state: &State) -> bool {
        state.time == END
    }
}

const TOO_MANY: &str = "more hash at once than there are places";
const LOST: &str = "a place does not come back";

#[test]
fn places_in_use_stay_within_the_budget_and_all_come_back() {
    let shows = ["takes it", "comes too late", "finds it taken", "gives it back", "is killed"];
    stated(holds("places", &Places { wrong: Wrong::Nothing }, &shows));
}

#[test]
fn a_slot_that_is_freed_whoever_has_it_is_found() {
    breaks("freed blindly", &Places { wrong: Wrong::FreedBlindly }, TOO_MANY);
}

#[test]
fn a_slot_that_is_written_over_is_found() {
    breaks("taken blindly", &Places { wrong: Wrong::TakenBlindly }, TOO_MANY);
}

#[test]
fn a_clock_that_is_older_than_what_it_judges_is_found() {
    breaks("clock first", &Places { wrong: Wrong::ClockFirst }, TOO_MANY);
}

#[test]
fn a_slot_that_garbage_holds_for_ever_is_found() {
    breaks("garbage believed", &Places { wrong: Wrong::GarbageBelieved }, LOST);
}
