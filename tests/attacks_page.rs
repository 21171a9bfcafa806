//! `docs/attacks.md` and `docs/security.md` promise tests by name; a promise of a test that is not there is worth nothing.

use std::path::Path;

const ATTACKS: &str = include_str!("../docs/attacks.md");
const SECURITY: &str = include_str!("../docs/security.md");

/// The rows that are built.
const ROWS: [u32; 29] =
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 17, 23, 24, 27, 29, 31, 32, 33, 35, 36, 37, 38, 39, 40, 41, 43, 44];

/// The rows of a page's table that begin with a number, as cells.
fn rows(page: &str) -> Vec<(u32, Vec<&str>)> {
    page.lines()
        .filter(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>())
        .filter_map(|cells| Some((cells.first()?.parse().ok()?, cells)))
        .collect()
}

/// `path::name` in backticks.
fn tests(text: &str) -> Vec<(&str, &str)> {
    text.split('`').skip(1).step_by(2).filter_map(|code| code.split_once(".rs::")).collect()
}

/// Whether the file defines the function; a body of `fuzz/` counts only where the target is replayed, see below.
fn stands(file: &str, name: &str) -> bool {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("{file}.rs"));
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    let Some(at) = text.find(&format!("fn {name}(")) else { return false };
    let before = text[..at].trim_end();
    let test = before.trim_end_matches("pub(super)").trim_end().ends_with("#[test]");
    test || file.starts_with("fuzz/bodies/") || file.starts_with("src/store/suite")
}

#[test]
fn every_test_that_the_pages_name_is_in_the_tree() {
    let named: Vec<_> = tests(ATTACKS).into_iter().chain(tests(SECURITY)).collect();
    assert!(named.len() > 60, "{}", named.len());
    let missing: Vec<_> = named.into_iter().filter(|(file, name)| !stands(file, name)).collect();
    assert!(missing.is_empty(), "{missing:#?}");
    assert!(!stands("tests/attacks", "row_44_nothing") && !stands("tests/nowhere", "rows"));
}

/// What is neither a test nor called by one is not held: suites are called by name, bodies by `tests/corpus.rs`.
#[test]
fn named_functions_that_are_no_tests_are_called_by_tests() {
    let suite = include_str!("../src/store/suite.rs");
    let corpus = include_str!("corpus.rs");
    for (file, name) in tests(ATTACKS).into_iter().chain(tests(SECURITY)) {
        if file.starts_with("src/store/suite") {
            assert!(suite.contains(&format!("::{name}")), "{file}.rs::{name} is not in the suite");
        }
        if let Some(body) = file.strip_prefix("fuzz/bodies/") {
            assert!(corpus.contains(&format!("bodies::{body}::run)")), "{file}.rs is not replayed");
        }
    }
}

#[test]
fn every_row_has_a_mechanism_and_a_test() {
    let rows = rows(ATTACKS);
    assert_eq!(rows.iter().map(|(number, _)| *number).collect::<Vec<_>>(), ROWS);
    for (number, cells) in rows {
        assert_eq!(cells.len(), 5, "row {number}");
        assert!(cells.iter().all(|cell| !cell.is_empty()) && !tests(cells[4]).is_empty(), "row {number}");
    }
}

#[test]
fn every_invariant_is_held_or_said_to_come() {
    let part = SECURITY.split("\n## ").find(|part| part.starts_with("7. ")).unwrap();
    let rows = rows(part);
    assert_eq!(rows.iter().map(|(number, _)| *number).collect::<Vec<_>>(), (1..=17).collect::<Vec<_>>());
    for (number, cells) in rows {
        assert_eq!(cells.len(), 3, "invariant {number}");
        assert!(!tests(cells[2]).is_empty() || cells[2].starts_with("with the Redis store"), "invariant {number}");
    }
}
