//! The nearest known word, so that a slip of the pen is told and not guessed at.
//!
//! Called wherever a profile names something that does not exist. Only a message is made of it.

use crate::base::document;

/// `; did you mean `X`?` for the nearest of `known`, or the whole list when nothing is near and the list is short.
pub(super) fn hint<'k>(word: &str, known: impl Iterator<Item = &'k str>) -> String {
    let known: Vec<&str> = known.collect();
    match document::nearest(word, known.iter().copied()) {
        Some(near) => format!("; did you mean `{near}`?"),
        None if (1..=16).contains(&known.len()) => format!("; known are `{}`", known.join("`, `")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_offered_and_a_far_one_is_not() {
        assert_eq!(hint("alfabet", ["alphabet", "length"].into_iter()), "; did you mean `alphabet`?");
        assert_eq!(hint("zzzzzzzz", ["alphabet", "length"].into_iter()), "; known are `alphabet`, `length`");
    }
}
