//! TOML files for people: one reader, so that every file of Janua complains in the same words.
//!
//! An error names file, line and key, and for an unknown key the nearest known one.

use super::{Error, Result};
use serde::de::DeserializeOwned;

/// Reads `text` as `T`. `file` is only named in errors. Errors: [`Status::Invalid`](super::Status::Invalid).
pub fn read<T: DeserializeOwned>(file: &str, text: &str) -> Result<T> {
    toml::from_str(text).map_err(|e| explain(file, text, &e))
}

/// The error of a TOML file, as `file:line: what is wrong; the mend`.
pub fn explain(file: &str, text: &str, error: &toml::de::Error) -> Error {
    let message = mend(error.message());
    match error.span() {
        Some(span) => Error::invalid(message).at(format_args!("{file}:{}", line_of(text, span.start))),
        None => Error::invalid(message).at(file),
    }
}

/// The line, counted from 1, that holds byte `offset`.
pub fn line_of(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
    before.iter().filter(|b| **b == b'\n').count() + 1
}

/// Adds the nearest known key to serde's list of all of them.
fn mend(message: &str) -> String {
    let first_line = message.lines().next().unwrap_or(message);
    let Some(rest) =
        first_line.strip_prefix("unknown field `").or_else(|| first_line.strip_prefix("unknown variant `"))
    else {
        return first_line.to_owned();
    };
    let mut quoted = rest.split('`').step_by(2);
    let unknown = quoted.next().unwrap_or_default();
    let known: Vec<&str> = rest.split('`').skip(2).step_by(2).collect();
    match nearest(unknown, known.iter().copied()) {
        Some(near) => format!("unknown key `{unknown}`: did you mean `{near}`?"),
        None => format!("unknown key `{unknown}`: known here are {}", known.join(", ")),
    }
}

/// The known word that is fewest edits away, case ignored, if it is near enough to be meant.
pub fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let limit = word.chars().count() / 3 + 1;
    known.map(|k| (edits(word, k), k)).filter(|(n, _)| *n <= limit).min().map(|(_, k)| k)
}

/// Levenshtein's distance, case ignored.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().map(|c| c.to_ascii_lowercase()).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().map(|c| c.to_ascii_lowercase()).enumerate() {
        let mut corner = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let replaced = corner + usize::from(x != *y);
            corner = row[j + 1];
            row[j + 1] = replaced.min(corner + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize, Debug)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        #[allow(dead_code)]
        absolute: Option<u32>,
    }

    #[test]
    fn an_unknown_key_names_line_and_nearest_known_key() {
        let error = read::<Sample>("janua.toml", "\n# two\nabsolut = 3\n").unwrap_err();
        assert_eq!(error.message, "janua.toml:3: unknown key `absolut`: did you mean `absolute`?");
        let error = read::<Sample>("janua.toml", "zzzzzzz = 3").unwrap_err();
        assert_eq!(error.message, "janua.toml:1: unknown key `zzzzzzz`: known here are absolute");
    }

    #[test]
    fn the_nearest_word_is_the_one_with_the_fewest_edits() {
        assert_eq!((edits("kitten", "sitting"), edits("", "abc"), edits("SITE", "site")), (3, 3, 0));
        assert_eq!(nearest("alfabet", ["alphabet", "length"].into_iter()), Some("alphabet"));
        assert_eq!(nearest("zzzzzzzz", ["alphabet", "length"].into_iter()), None);
    }

    #[test]
    fn a_wrong_type_names_the_line() {
        let error = read::<Sample>("f", "absolute = 'x'").unwrap_err();
        assert!(error.message.starts_with("f:1: invalid type"), "{}", error.message);
    }
}
