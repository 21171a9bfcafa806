//! Whole decisions: a known Basic pair against one HMAC-SHA-256, and every request of the check path through C against
//! the same through Rust.

use crate::checkpath::house::House;
use crate::checkpath::sys::C;
use crate::checkpath::{Case, Door, Rust, cases};
use crate::measure::{Effort, Row, compare};
use janua::base::Clock;
use janua::engine::Outcome;
use ring::hmac;
use std::fs;
use std::hint::black_box;

pub fn rows(short: bool) -> Vec<Row> {
    let (house, effort) = (House::new(), Effort::of(short));
    let (rust, c) = (Rust::new(&house, Clock::system(), None), C::new(&house));
    let (ours, theirs) = (cases(&rust), cases(&c));
    let mut rows = Vec::new();
    for case in ours.iter().filter(|case| case.name.starts_with("Basic")) {
        rust.again(case, &mut |decide| {
            let found = compare(effort, &mut mac(), &mut || assert_eq!(decide(), Outcome::Allow as i32));
            rows.push(Row::limited(format!("decide: {}", case.name), "one HMAC-SHA-256", &found, 2.0));
        });
    }
    for (mine, other) in ours.iter().zip(&theirs) {
        assert_eq!(mine.name, other.name);
        rust.again(mine, &mut |one| {
            c.again(other, &mut |two| {
                let word = |outcome: i32| assert_eq!(outcome, mine.outcome as i32);
                let found = compare(effort, &mut || word(one()), &mut || word(two()));
                rows.push(match mine.outcome {
                    Outcome::Allow => Row::limited(format!("through C: {}", mine.name), "through Rust", &found, 1.1),
                    _ => Row::ratio(format!("through C, refused: {}", mine.name), "through Rust", &found),
                });
            });
        });
    }
    rows
}

/// One HMAC over as many bytes as a remembered pair needs: label, site, profile, directory, name and password with
/// their lengths.
fn mac() -> impl FnMut() {
    let key = hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]);
    let mut message = Vec::new();
    for part in ["janua/1 verified", "data.example.org", "menandmice", "", "users", "joe.bloggs@test.com", "pa55w0rd"] {
        message.extend_from_slice(&(part.len() as u64).to_be_bytes());
        message.extend_from_slice(part.as_bytes());
    }
    move || {
        black_box(hmac::sign(&key, black_box(&message)));
    }
}

/// Decides the allowed requests of the check path whose name begins with `name`, `count` times in all, through both
/// doors, between two marks that a tracer sees.
pub fn only(count: usize, name: &str) {
    let house = House::new();
    let (rust, c) = (Rust::new(&house, Clock::system(), None), C::new(&house));
    let doors: [&dyn Door; 2] = [&rust, &c];
    let made = doors.map(cases);
    let allowed = |case: &&Case| case.outcome == Outcome::Allow && case.name.starts_with(name);
    let each = count / made.iter().map(|cases| cases.iter().filter(allowed).count()).sum::<usize>() + 1;
    for warm in [true, false] {
        if !warm {
            mark("begin");
        }
        for (door, cases) in doors.iter().zip(&made) {
            for case in cases.iter().filter(allowed) {
                door.again(case, &mut |decide| {
                    for _ in 0..if warm { 3 } else { each } {
                        assert_eq!(decide(), Outcome::Allow as i32, "{}", case.name);
                    }
                });
            }
        }
    }
    mark("end");
}

/// A system call that a trace shows by its name.
fn mark(name: &str) {
    let _ = fs::symlink_metadata(format!("/janua-check-path-{name}"));
}
