//! The explorer: every state that a model can reach, each once, in the order of its distance from the start.
//!
//! Called by each model of this folder. A model says what the next steps of its actors are and which state is wrong; one
//! step is one access to what actors share. It must never pass over a state: a model with too many is to be made smaller.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Debug;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::rc::Rc;

/// More states than any model here may have.
const MOST: usize = 3_000_000;

/// Who moves, and what they do.
pub type Label = (&'static str, &'static str);

pub trait Model {
    type State: Clone + Eq + Hash + Debug;

    fn starts(&self) -> Vec<Self::State>;

    /// All that may happen next.
    fn steps(&self, state: &Self::State) -> Vec<(Label, Self::State)>;

    /// What must never be, where it is so.
    fn wrong(&self, state: &Self::State) -> Option<&'static str>;

    /// Whether everybody has done what they wanted: a state without steps must be one.
    fn finished(&self, state: &Self::State) -> bool;
}

/// A hash of small numbers that nobody chooses against us.
#[derive(Default)]
struct Quick(u64);

impl Hasher for Quick {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u8(&mut self, byte: u8) {
        self.write_u64(u64::from(byte));
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    }

    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }
}

/// A state, and the state and the step that it was reached by first.
type Reached<S> = (Rc<S>, Option<(usize, Label)>);

/// What was found.
struct Found<S> {
    states: usize,
    steps: usize,
    shown: BTreeSet<&'static str>,
    wrong: Option<(&'static str, Vec<Label>, S)>,
}

fn explore<M: Model>(model: &M) -> Found<M::State> {
    let mut known: HashMap<Rc<M::State>, (), BuildHasherDefault<Quick>> = HashMap::default();
    let mut states: Vec<Reached<M::State>> = Vec::new();
    let mut found = Found { states: 0, steps: 0, shown: BTreeSet::new(), wrong: None };
    let mut reach = |states: &mut Vec<_>, state: M::State, from| {
        let state = Rc::new(state);
        if !known.contains_key(&state) {
            known.insert(Rc::clone(&state), ());
            states.push((state, from));
        }
    };
    for start in model.starts() {
        reach(&mut states, start, None);
    }
    let mut at = 0;
    while at < states.len() && found.wrong.is_none() {
        assert!(states.len() < MOST, "more than {MOST} states");
        let state = Rc::clone(&states[at].0);
        let next = model.steps(&state);
        let stuck = next.is_empty() && !model.finished(&state);
        if let Some(what) = model.wrong(&state).or(stuck.then_some("nobody can go on")) {
            found.wrong = Some((what, way_to(&states, at), (*state).clone()));
        }
        found.steps += next.len();
        for (label, to) in next {
            found.shown.insert(label.1);
            reach(&mut states, to, Some((at, label)));
        }
        at += 1;
    }
    found.states = states.len();
    found
}

/// The steps from a start to a state.
fn way_to<S>(states: &[Reached<S>], mut at: usize) -> Vec<Label> {
    let mut way = Vec::new();
    while let Some((from, label)) = states[at].1 {
        way.push(label);
        at = from;
    }
    way.reverse();
    way
}

fn told(way: &[Label]) -> String {
    way.iter().enumerate().map(|(n, (who, what))| format!("  {:3}. {who}: {what}\n", n + 1)).collect()
}

/// The model keeps its promise in every state, and all of `shows` is done on the way: a model in which nothing happens
/// keeps every promise. Returns how many states there are.
pub fn holds<M: Model>(name: &str, model: &M, shows: &[&'static str]) -> usize {
    let found = explore(model);
    if let Some((what, way, state)) = found.wrong {
        panic!("{name}: {what}\n{}{state:?}", told(&way));
    }
    let missing: Vec<_> = shows.iter().filter(|what| !found.shown.contains(*what)).collect();
    assert!(missing.is_empty(), "{name}: never seen: {missing:?}; only {:?}", found.shown);
    println!("{name}: holds in {} states, {} steps", found.states, found.steps);
    found.states
}

/// `docs/security.md` says how many states a model has: these.
pub fn stated(states: usize) {
    let digits = states.to_string();
    let grouped: String = digits
        .char_indices()
        .flat_map(|(at, digit)| {
            let comma = at > 0 && (digits.len() - at).is_multiple_of(3);
            comma.then_some(',').into_iter().chain([digit])
        })
        .collect();
    let page = include_str!("../../docs/security.md");
    assert!(page.contains(&format!("| {grouped} |")), "docs/security.md does not say {grouped} states");
}

/// The model is wrong, and the explorer finds it; returns the shortest way there.
pub fn breaks<M: Model>(name: &str, model: &M, what: &str) -> Vec<Label> {
    let found = explore(model);
    let Some((wrong, way, _)) = found.wrong else {
        panic!("{name}: nothing wrong was found in {} states: the model is blind to it", found.states);
    };
    assert_eq!(wrong, what, "{name}: something else is wrong\n{}", told(&way));
    println!("{name}: breaks after {} steps, found in {} states\n{}", way.len(), found.states, told(&way));
    way
}

/// A counter that two actors raise by reading and writing: the oldest mistake there is.
struct Counter {
    atomic: bool,
}

impl Model for Counter {
    type State = (u8, [(u8, u8); 2]);

    fn starts(&self) -> Vec<Self::State> {
        vec![(0, [(0, 0); 2])]
    }

    fn steps(&self, state: &Self::State) -> Vec<(Label, Self::State)> {
        let mut next = Vec::new();
        for (who, name) in ["first", "second"].into_iter().enumerate() {
            let (mut count, mut actors) = *state;
            match actors[who] {
                (0, _) if self.atomic => (count, actors[who]) = (count + 1, (2, 0)),
                (0, _) => actors[who] = (1, count),
                (1, read) => (count, actors[who]) = (read + 1, (2, 0)),
                _ => continue,
            }
            next.push(((name, "moves"), (count, actors)));
        }
        next
    }

    fn wrong(&self, (count, actors): &Self::State) -> Option<&'static str> {
        (actors.iter().all(|actor| actor.0 == 2) && *count != 2).then_some("one was lost")
    }

    fn finished(&self, (_, actors): &Self::State) -> bool {
        actors.iter().all(|actor| actor.0 == 2)
    }
}

#[test]
fn the_explorer_finds_what_is_wrong_by_the_shortest_way_and_counts_what_is_right() {
    assert_eq!(holds("a counter", &Counter { atomic: true }, &["moves"]), 4);
    assert_eq!(breaks("a counter, read and written", &Counter { atomic: false }, "one was lost").len(), 4);
}
