//! The header itself: what is committed is what the sources say, complete, and mostly prose.

use super::basics::ABI;
use crate::base::{Reason, Status};
use crate::engine::{EventKind, Outcome, WaitClass};
use std::collections::BTreeSet;

const COMMITTED: &str = include_str!("../../include/janua.h");
const GENERATED: &str = include_str!(concat!(env!("OUT_DIR"), "/janua.h"));

/// The number behind `#define NAME`.
fn defined(name: &str) -> Option<i64> {
    let line = COMMITTED.lines().find(|line| line.split_whitespace().take(2).eq(["#define", name]))?;
    line.split_whitespace().nth(2)?.trim_matches(['(', ')']).parse().ok()
}

/// The functions with the comment above each.
fn functions() -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut comment = String::new();
    for line in COMMITTED.lines() {
        if line.starts_with("/**") {
            comment.clear();
        }
        if line.starts_with("/**") || line.starts_with(" *") {
            comment.push_str(line);
        } else if let Some((before, _)) = line.split_once('(')
            && !line.starts_with([' ', '#', '/'])
            && let Some(name) = before.split([' ', '*']).next_back().filter(|name| name.starts_with("janua_"))
        {
            found.push((name.to_owned(), std::mem::take(&mut comment)));
        }
    }
    found
}

#[test]
fn the_committed_header_is_the_generated_one() {
    assert!(COMMITTED == GENERATED, "include/janua.h has drifted; renew it: JANUA_WRITE_HEADER=1 cargo check --lib");
}

#[test]
fn every_number_of_the_enums_stands_in_the_header() {
    assert_eq!(defined("JANUA_ABI"), Some(i64::from(ABI)));
    assert_eq!(defined("JANUA_OK"), Some(0));
    for status in Status::ALL {
        assert_eq!(defined(status.name()), Some(status as i64), "{}", status.name());
    }
    for reason in Reason::ALL {
        let name = format!("JANUA_REASON_{}", reason.name().to_uppercase().replace('-', "_"));
        assert_eq!(defined(&name), Some(*reason as i64), "{name}");
    }
    let defines = COMMITTED.lines().filter(|line| line.starts_with("#define JANUA_REASON_")).count();
    assert_eq!(defines, Reason::ALL.len());
    for (name, number) in [
        ("JANUA_DENY", Outcome::Deny as i64),
        ("JANUA_ALLOW", Outcome::Allow as i64),
        ("JANUA_ANSWER", Outcome::Answer as i64),
        ("JANUA_NEED_BODY", Outcome::NeedBody as i64),
        ("JANUA_WOULD_BLOCK", Outcome::WouldBlock as i64),
        ("JANUA_WAIT_HASH", WaitClass::Hash as i64),
        ("JANUA_WAIT_TICKET", WaitClass::Ticket as i64),
        ("JANUA_EVENT_ALLOW", EventKind::Allow as i64),
        ("JANUA_EVENT_ALARM", EventKind::Alarm as i64),
    ] {
        assert_eq!(defined(name), Some(number), "{name}");
    }
}

#[test]
fn every_function_says_what_it_returns_whether_it_blocks_and_since_when() {
    let functions = functions();
    assert!(functions.len() > 25, "found {}", functions.len());
    for (name, comment) in functions {
        for word in ["*Returns*: ", "*Blocks*: ", "*Since*: "] {
            assert!(comment.contains(word), "{name} lacks {word}");
        }
    }
}

#[test]
fn the_list_of_symbols_is_the_headers_list_of_functions() {
    let header: BTreeSet<String> = functions().into_iter().map(|(name, _)| name).collect();
    let listed: BTreeSet<String> = include_str!("../../ffi-tests/abi/symbols.txt").lines().map(str::to_owned).collect();
    assert_eq!(header, listed);
}

#[test]
fn most_of_the_header_is_prose() {
    let (mut prose, mut all, mut inside) = (0, 0, false);
    for line in COMMITTED.lines().filter(|line| !line.trim().is_empty()) {
        all += line.len();
        if inside || line.trim().starts_with("/*") {
            prose += line.len();
            inside = !line.contains("*/");
        } else if let Some((_, comment)) = line.split_once("/*") {
            prose += comment.len() + 2;
        }
    }
    let percent = 100 * prose / all;
    assert!((60..=75).contains(&percent), "{percent} %");
}
