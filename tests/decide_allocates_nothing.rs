//! Deciding a request that brings a session, a token or a known pair allocates nothing, through Rust and through C.
//!
//! Refusals write an answer from a template and may allocate; what they cost is printed, not judged.

mod checkpath;
#[path = "counting/sys.rs"]
mod counting;

use checkpath::house::House;
use checkpath::sys::C;
use checkpath::{Case, Door, Rust, cases};
use janua::engine::{Audit, Event, Outcome};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[global_allocator]
static ALLOCATOR: counting::Counting = counting::Counting;

/// Counts events and keeps none.
#[derive(Clone, Default)]
struct Counter(Arc<AtomicUsize>);

impl Audit for Counter {
    fn event(&self, event: &Event<'_>) {
        self.0.fetch_add(event.endpoint.len().min(1), Ordering::Relaxed);
    }
}

/// Allocations of `rounds` decisions, after a few that warm the buffers; `between` runs before each.
fn allocations(door: &dyn Door, case: &Case, rounds: usize, between: &dyn Fn(&Case)) -> usize {
    let mut counted = 0;
    door.again(case, &mut |decide| {
        for _ in 0..3 {
            assert_eq!(decide(), case.outcome as i32, "{}", case.name);
        }
        let before = counting::allocations();
        for _ in 0..rounds {
            between(case);
            assert_eq!(decide(), case.outcome as i32, "{}", case.name);
        }
        counted = counting::allocations() - before;
    });
    counted
}

/// Measures every case; returns those that are let through and allocate.
fn failures(name: &str, door: &dyn Door, rounds: usize, between: &dyn Fn(&Case)) -> Vec<String> {
    let mut wrong = Vec::new();
    for case in cases(door) {
        let counted = allocations(door, &case, rounds, between);
        println!("{name:>4}  {:28} {:?}: {} allocations in {rounds} decisions", case.name, case.outcome, counted);
        if case.outcome == Outcome::Allow && counted > 0 {
            wrong.push(format!("{name}, {}: {counted} allocations in {rounds} decisions", case.name));
        }
    }
    wrong
}

#[test]
fn a_check_through_rust_allocates_nothing() {
    let house = House::new();
    let events = Counter::default();
    let door = Rust::new(&house, house.clock.clone(), Some(Box::new(events.clone())));
    // Two minutes for each session, so that a touch falls due.
    let advance = |case: &Case| house.clock.advance(if case.profile == "mauro" { 5 } else { 0 });
    let wrong = failures("Rust", &door, 25, &advance);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(events.0.load(Ordering::Relaxed) > 100, "audit was told");
}

#[test]
#[cfg(feature = "shared")]
fn a_check_over_the_shared_store_allocates_nothing() {
    let house = House::new();
    let store = "kind = 'shared'\npath = 'state'";
    let door = Rust::over(store, &house, house.clock.clone(), None);
    // Within the minute of a copy, a touch falls due.
    let advance = |case: &Case| house.clock.advance(if case.profile == "mauro" { 1 } else { 0 });
    let wrong = failures("shared", &door, 50, &advance);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_check_through_c_allocates_nothing() {
    let house = House::new();
    let wrong = failures("C", &C::new(&house), 25, &|_| ());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_allocation_is_counted() {
    let before = counting::allocations();
    drop(std::hint::black_box(Box::new(1)));
    assert_eq!(counting::allocations() - before, 1);
}
