//! Several parts as one text, each with its length before it: what is hashed here is never ambiguous.
//!
//! Called by `digest` and `mac`. A hash is fed once where all parts fit on the stack, for each feeding costs about as
//! much as a tenth of a block; the copy is wiped, since parts may be secret.

use crate::base::secret;

/// A session's id with all that it is bound to. Small enough to be cleared without a call.
const SMALL: usize = 128;

/// The same for a password; most inputs are shorter.
const LARGE: usize = 256;

/// Hands the text to `take`: at once if it is of a usual length, else piece by piece.
pub(super) fn feed(parts: &[&[u8]], mut take: impl FnMut(&[u8])) {
    match parts.iter().fold(0usize, |sum, part| sum.saturating_add(8).saturating_add(part.len())) {
        length if length <= SMALL => take_whole::<SMALL>(parts, &mut take),
        length if length <= LARGE => take_whole::<LARGE>(parts, &mut take),
        _ => {
            for part in parts {
                take(&(part.len() as u64).to_be_bytes());
                take(part);
            }
        }
    }
}

/// `parts` are known to fit.
fn take_whole<const ROOM: usize>(parts: &[&[u8]], take: &mut impl FnMut(&[u8])) {
    let mut room = [0; ROOM];
    let mut at = 0;
    for part in parts {
        for bytes in [&(part.len() as u64).to_be_bytes(), *part] {
            if let Some(place) = room.get_mut(at..at + bytes.len()) {
                place.copy_from_slice(bytes);
            }
            at += bytes.len();
        }
    }
    take(room.get(..at).unwrap_or_default());
    secret::wipe(&mut room);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_the_same_whether_it_fits_or_not() {
        for length in [0, SMALL - 26, SMALL - 25, LARGE - 26, LARGE - 25, LARGE, 1_000] {
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
            assert_eq!(calls == 1, expected.len() <= LARGE, "{length}");
        }
    }
}
