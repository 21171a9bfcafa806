//! `docs/profiles.md` against the schema: each word of one stands in the other.

use super::{FILTERS, NAMES, Overrides, PLACE_KINDS, Profile, WORDS};

const PAGE: &str = include_str!("../../docs/profiles.md");

/// The words that a section's tables document: the first cell of each row, between backticks.
fn documented(heading: &str) -> Vec<String> {
    let section =
        PAGE.split("\n## ").find(|section| section.starts_with(heading)).unwrap_or_else(|| panic!("no {heading}"));
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let words = rows.flat_map(|row| {
        let cell = row.trim_start_matches("| ").split(" | ").next().unwrap_or_default();
        cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>()
    });
    words.collect()
}

fn same(heading: &str, known: &[&str]) {
    let mut page = documented(heading);
    let mut known: Vec<String> = known.iter().map(|word| word.to_string()).collect();
    page.sort();
    known.sort();
    assert_eq!(page, known, "{heading}");
}

#[test]
fn every_word_is_documented_and_every_documented_word_is_known() {
    let headings =
        ["Top of", "`[session]`", "`[token]`", "`[tenant]`", "`[proof.", "`[[endpoint]]`", "`read`", "An answer"];
    for ((_, words), heading) in WORDS.iter().zip(headings) {
        same(heading, words);
    }
    let templates: Vec<&str> = FILTERS.into_iter().chain(NAMES).collect();
    let page: Vec<String> = documented("Templates").into_iter().filter(|word| !word.starts_with('\u{2026}')).collect();
    assert!(templates.iter().all(|name| page.iter().any(|word| word == name)), "{page:?}");
    assert!(page.iter().all(|word| templates.contains(&word.as_str())), "{page:?}");
    let places: Vec<String> =
        documented("Places").iter().map(|place| place.split(':').next().unwrap().into()).collect();
    assert_eq!(places, PLACE_KINDS);
}

#[test]
fn every_word_has_an_example() {
    for heading in
        ["Top of", "`[session]`", "`[token]`", "`[tenant]`", "`[proof.", "`[[endpoint]]`", "`read`", "An answer"]
    {
        let section = PAGE.split("\n## ").find(|section| section.starts_with(heading)).unwrap();
        for row in section.lines().filter(|line| line.starts_with("| `")) {
            let word = row.split('`').nth(1).unwrap();
            let example = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
            assert!(example.contains(word) && example.starts_with('`'), "{heading}: {row}");
        }
    }
}

#[test]
fn the_profile_of_the_page_compiles() {
    let text = PAGE.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    Profile::compile("docs/profiles.md", text, &Overrides::none()).unwrap();
}
