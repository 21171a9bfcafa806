//! The nearest known word, so that a slip of the pen is told and not guessed at.
//!
//! Called wherever a profile names something that does not exist. Only a message is made of it.

/// `; did you mean `X`?` for the nearest of `known`, or the whole list when nothing is near and the list is short.
pub(super) fn hint<'k>(word: &str, known: impl Iterator<Item = &'k str>) -> String {
    let known: Vec<&str> = known.collect();
    let best = known.iter().map(|k| (distance(word, k), *k)).min_by_key(|(d, _)| *d);
    match best {
        Some((d, near)) if d <= 1 + word.chars().count() / 3 => format!("; did you mean `{near}`?"),
        _ if known.is_empty() => String::new(),
        _ if known.len() <= 16 => format!("; known are `{}`", known.join("`, `")),
        _ => String::new(),
    }
}

/// Levenshtein's distance, case ignored.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().map(|c| c.to_ascii_lowercase()).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().map(|c| c.to_ascii_lowercase()).enumerate() {
        let mut corner = i;
        let mut left = i + 1;
        for (cb, cell) in b.iter().zip(row.iter_mut().skip(1)) {
            let new = (corner + usize::from(ca != *cb)).min(*cell + 1).min(left + 1);
            corner = *cell;
            *cell = new;
            left = new;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_offered_and_a_far_one_is_not() {
        assert_eq!(hint("alfabet", ["alphabet", "length"].into_iter()), "; did you mean `alphabet`?");
        assert_eq!(hint("zzzzzzzz", ["alphabet", "length"].into_iter()), "; known are `alphabet`, `length`");
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
    }
}
