//! Several parts as one text, each with its length before it: what is hashed here is never ambiguous.
//!
//! Called by `digest` and `mac`. A hash is fed once where all parts fit on the stack, for each feeding costs about as
//! much as a tenth of a block; the copy is wiped, since parts may be secret.

use crate::base::secret;

/// Most inputs are shorter: a password with all that it is bound to, a session's id.
const USUAL: usize = 256;

/// Hands the text to `take`: at once if it is of a usual length, else piece by piece.
pub(super) fn feed(parts: &[&[u8]], mut take: impl FnMut(&[u8])) {
    let length = parts.iter().fold(0usize, |sum, part| sum.saturating_add(8).saturating_add(part.len()));
    let mut room = [0; USUAL];
    let Some(text) = room.get_mut(..length) else {
        for part in parts {
            take(&(part.len() as u64).to_be_bytes());
            take(part);
        }
        return;
    };
    let mut at = 0;
    for part in parts {
        for bytes in [&(part.len() as u64).to_be_bytes(), *part] {
            if let Some(place) = text.get_mut(at..at + bytes.len()) {
                place.copy_from_slice(bytes);
            }
            at += bytes.len();
        }
    }
    take(text);
    secret::wipe(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_the_same_whether_it_fits_or_not() {
        for length in [0, 1, USUAL - 24, USUAL - 23, USUAL, 1_000] {
            let long = vec![7; length];
            let parts: [&[u8]; 3] = [b"ab", &long, b""];
            let expected: Vec<u8> = parts
                .iter()
                .flat_map(|part| (part.len() as u64).to_be_bytes().into_iter().chain(part.iter().copied()))
                .collect();
            let (mut text, mut calls) = (Vec::new(), 0);
            feed(&parts, |piece| {
                text.extend_from_slice(piece);
                calls += 1;
            });
            assert_eq!(text, expected);
            assert_eq!(calls == 1, expected.len() <= USUAL, "{length}");
        }
    }
}
