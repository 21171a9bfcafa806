//! The base64 of crypt(3): its own alphabet, low bits first. Used by the `$1$`, `$5$`, `$6$`, `$apr1$` and DES formats.

const ALPHABET: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The value of a character, 0 to 63.
pub(super) fn value(character: u8) -> Option<u8> {
    let position = match character {
        b'.' => 0,
        b'/' => 1,
        b'0'..=b'9' => character - b'0' + 2,
        b'A'..=b'Z' => character - b'A' + 12,
        b'a'..=b'z' => character - b'a' + 38,
        _ => return None,
    };
    Some(position)
}

/// Whether `text` has only characters of the alphabet.
pub(super) fn is_text(text: &str) -> bool {
    text.bytes().all(|byte| value(byte).is_some())
}

/// The character of the low six bits of `bits`.
pub(super) fn character(bits: u32) -> char {
    char::from(ALPHABET[(bits & 63) as usize])
}

/// Appends `count` characters of `bits`, the low six bits first.
pub(super) fn push(out: &mut String, mut bits: u32, count: usize) {
    for _ in 0..count {
        out.push(character(bits));
        bits >>= 6;
    }
}

/// Encodes `digest` in groups of three taken in `order`, which names each byte once; what is left at the end (one or
/// two bytes) makes a shorter group.
pub(super) fn encode(digest: &[u8], order: &[u8]) -> String {
    let mut out = String::with_capacity(digest.len() * 4 / 3 + 2);
    for group in order.chunks(3) {
        let bits = group
            .iter()
            .fold(0u32, |bits, &at| bits << 8 | u32::from(digest.get(usize::from(at)).copied().unwrap_or(0)));
        push(&mut out, bits, group.len() + 1);
    }
    out
}
