//! `docs/configuration.md` and the configuration's grammar agree: every key has its entry, every entry its key, and the
//! defaults that the page names are values that are taken.

use janua::engine::Config;

const PAGE: &str = include_str!("../docs/configuration.md");

/// Sections whose keys are names of profiles.
const BY_PROFILE: [&str; 2] = ["settings", "gates"];

/// Section, key, and the lines of each entry of the page.
fn entries() -> Vec<(String, String, Vec<&'static str>)> {
    let (mut section, mut entries) = (String::new(), Vec::<(String, String, Vec<&str>)>::new());
    for line in PAGE.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            section = heading.strip_prefix("`[").and_then(|h| h.strip_suffix("]`")).unwrap_or_default().to_owned();
        } else if let Some(key) = line.strip_prefix("### `").and_then(|h| h.strip_suffix('`')) {
            entries.push((section.clone(), key.to_owned(), Vec::new()));
        } else if let (Some((_, _, lines)), false) = (entries.last_mut(), section.is_empty()) {
            lines.push(line);
        }
        // The names of headers stand in a table.
        if let ("headers", Some(row)) = (section.as_str(), line.strip_prefix("| `")) {
            let key = row.split('`').next().unwrap_or_default();
            entries.push((section.clone(), key.to_owned(), Vec::new()));
        }
    }
    entries
}

/// The keys that the reader knows in a place, as its error for an unknown one lists them.
fn known(place: &str) -> Vec<String> {
    let error = Config::new().set(&format!("{place}zzzzzzzzzzzzzzzzzzzz"), "1").unwrap_err();
    let list = error.message.split("known here are ").nth(1).expect(&error.message).to_owned();
    list.split(", ").map(str::to_owned).collect()
}

#[test]
fn every_key_is_documented_and_every_documented_key_is_known() {
    for section in known("").into_iter().filter(|s| !BY_PROFILE.contains(&s.as_str())) {
        let mut code = known(&format!("{section}."));
        let mut page: Vec<String> =
            entries().into_iter().filter(|(s, _, _)| *s == section).map(|(_, key, _)| key).collect();
        code.sort();
        page.sort();
        assert_eq!(page, code, "[{section}]");
    }
    for section in BY_PROFILE {
        assert!(PAGE.contains(&format!("## `[{section}.PROFILE]`")), "{section}");
    }
}

#[test]
fn the_defaults_and_examples_of_the_page_are_taken() {
    let mut tried = 0;
    for (section, key, lines) in entries() {
        for line in &lines {
            let default = line.split("Default: `").nth(1).and_then(|d| d.split('`').next());
            let example = line.strip_prefix("- Example: `").and_then(|e| e.split('`').next());
            let example = example.and_then(|e| e.split_once(" = ")).map(|(_, value)| value);
            for value in default.into_iter().chain(example) {
                let set = Config::new().set(&format!("{section}.{key}"), value);
                assert!(set.is_ok(), "{section}.{key} = {value}: {set:?}");
                tried += 1;
            }
        }
    }
    assert!(tried > 25, "{tried}");
}
