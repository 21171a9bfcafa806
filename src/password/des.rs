//! The DES crypt of Seventh Edition Unix (13 characters: two of salt, eleven of hash): weak, read only.
//!
//! Own code: the crates that know it are unmaintained or bring a second set of hash libraries. The tables are those of
//! FIPS 46-3; the salt swaps bits of the expansion. Eight characters of the password count, seven bits of each.

use super::crypt64;
use super::phc::Fault;
use crate::base::secret;

#[rustfmt::skip]
const PC1: [u8; 56] = [
    57, 49, 41, 33, 25, 17, 9, 1, 58, 50, 42, 34, 26, 18, 10, 2, 59, 51, 43, 35, 27, 19, 11, 3, 60, 52, 44, 36,
    63, 55, 47, 39, 31, 23, 15, 7, 62, 54, 46, 38, 30, 22, 14, 6, 61, 53, 45, 37, 29, 21, 13, 5, 28, 20, 12, 4,
];
#[rustfmt::skip]
const PC2: [u8; 48] = [
    14, 17, 11, 24, 1, 5, 3, 28, 15, 6, 21, 10, 23, 19, 12, 4, 26, 8, 16, 7, 27, 20, 13, 2,
    41, 52, 31, 37, 47, 55, 30, 40, 51, 45, 33, 48, 44, 49, 39, 56, 34, 53, 46, 42, 50, 36, 29, 32,
];
const SHIFTS: [u32; 16] = [1, 1, 2, 2, 2, 2, 2, 2, 1, 2, 2, 2, 2, 2, 2, 1];
#[rustfmt::skip]
const EXPANSION: [u8; 48] = [
    32, 1, 2, 3, 4, 5, 4, 5, 6, 7, 8, 9, 8, 9, 10, 11, 12, 13, 12, 13, 14, 15, 16, 17,
    16, 17, 18, 19, 20, 21, 20, 21, 22, 23, 24, 25, 24, 25, 26, 27, 28, 29, 28, 29, 30, 31, 32, 1,
];
#[rustfmt::skip]
const P: [u8; 32] = [
    16, 7, 20, 21, 29, 12, 28, 17, 1, 15, 23, 26, 5, 18, 31, 10,
    2, 8, 24, 14, 32, 27, 3, 9, 19, 13, 30, 6, 22, 11, 4, 25,
];
#[rustfmt::skip]
const FINAL: [u8; 64] = [
    40, 8, 48, 16, 56, 24, 64, 32, 39, 7, 47, 15, 55, 23, 63, 31, 38, 6, 46, 14, 54, 22, 62, 30, 37, 5, 45, 13, 53, 21,
    61, 29, 36, 4, 44, 12, 52, 20, 60, 28, 35, 3, 43, 11, 51, 19, 59, 27, 34, 2, 42, 10, 50, 18, 58, 26, 33, 1, 41, 9,
    49, 17, 57, 25,
];
#[rustfmt::skip]
const BOXES: [[u8; 64]; 8] = [
    [
        14, 4, 13, 1, 2, 15, 11, 8, 3, 10, 6, 12, 5, 9, 0, 7, 0, 15, 7, 4, 14, 2, 13, 1, 10, 6, 12, 11, 9, 5, 3, 8,
        4, 1, 14, 8, 13, 6, 2, 11, 15, 12, 9, 7, 3, 10, 5, 0, 15, 12, 8, 2, 4, 9, 1, 7, 5, 11, 3, 14, 10, 0, 6, 13,
    ],
    [
        15, 1, 8, 14, 6, 11, 3, 4, 9, 7, 2, 13, 12, 0, 5, 10, 3, 13, 4, 7, 15, 2, 8, 14, 12, 0, 1, 10, 6, 9, 11, 5,
        0, 14, 7, 11, 10, 4, 13, 1, 5, 8, 12, 6, 9, 3, 2, 15, 13, 8, 10, 1, 3, 15, 4, 2, 11, 6, 7, 12, 0, 5, 14, 9,
    ],
    [
        10, 0, 9, 14, 6, 3, 15, 5, 1, 13, 12, 7, 11, 4, 2, 8, 13, 7, 0, 9, 3, 4, 6, 10, 2, 8, 5, 14, 12, 11, 15, 1,
        13, 6, 4, 9, 8, 15, 3, 0, 11, 1, 2, 12, 5, 10, 14, 7, 1, 10, 13, 0, 6, 9, 8, 7, 4, 15, 14, 3, 11, 5, 2, 12,
    ],
    [
        7, 13, 14, 3, 0, 6, 9, 10, 1, 2, 8, 5, 11, 12, 4, 15, 13, 8, 11, 5, 6, 15, 0, 3, 4, 7, 2, 12, 1, 10, 14, 9,
        10, 6, 9, 0, 12, 11, 7, 13, 15, 1, 3, 14, 5, 2, 8, 4, 3, 15, 0, 6, 10, 1, 13, 8, 9, 4, 5, 11, 12, 7, 2, 14,
    ],
    [
        2, 12, 4, 1, 7, 10, 11, 6, 8, 5, 3, 15, 13, 0, 14, 9, 14, 11, 2, 12, 4, 7, 13, 1, 5, 0, 15, 10, 3, 9, 8, 6,
        4, 2, 1, 11, 10, 13, 7, 8, 15, 9, 12, 5, 6, 3, 0, 14, 11, 8, 12, 7, 1, 14, 2, 13, 6, 15, 0, 9, 10, 4, 5, 3,
    ],
    [
        12, 1, 10, 15, 9, 2, 6, 8, 0, 13, 3, 4, 14, 7, 5, 11, 10, 15, 4, 2, 7, 12, 9, 5, 6, 1, 13, 14, 0, 11, 3, 8,
        9, 14, 15, 5, 2, 8, 12, 3, 7, 0, 4, 10, 1, 13, 11, 6, 4, 3, 2, 12, 9, 5, 15, 10, 11, 14, 1, 7, 6, 0, 8, 13,
    ],
    [
        4, 11, 2, 14, 15, 0, 8, 13, 3, 12, 9, 7, 5, 10, 6, 1, 13, 0, 11, 7, 4, 9, 1, 10, 14, 3, 5, 12, 2, 15, 8, 6,
        1, 4, 11, 13, 12, 3, 7, 14, 10, 15, 6, 8, 0, 5, 9, 2, 6, 11, 13, 8, 1, 4, 10, 7, 9, 5, 0, 15, 14, 2, 3, 12,
    ],
    [
        13, 2, 8, 4, 6, 15, 11, 1, 10, 9, 3, 14, 5, 0, 12, 7, 1, 15, 13, 8, 10, 3, 7, 4, 12, 5, 6, 11, 0, 14, 9, 2,
        7, 11, 4, 1, 9, 12, 14, 2, 0, 6, 10, 13, 15, 3, 5, 8, 2, 1, 14, 7, 4, 10, 8, 13, 15, 12, 9, 0, 3, 5, 6, 11,
    ],
];

pub(super) struct Hash<'a> {
    text: &'a str,
    /// Bit i set: bits i and i + 24 of the expansion change places (counted from its left).
    salt: u32,
}

/// Whether `text` has the form; every 13 characters of the alphabet do.
pub(super) fn looks_like(text: &str) -> bool {
    text.len() == 13 && crypt64::is_text(text)
}

pub(super) fn parse(text: &str) -> Result<Hash<'_>, Fault> {
    const WRONG: Fault = "not a DES hash of 13 characters";
    if !looks_like(text) {
        return Err(WRONG);
    }
    let mut values = text.bytes().filter_map(crypt64::value).map(u32::from);
    let (low, high) = values.next().zip(values.next()).ok_or(WRONG)?;
    Ok(Hash { text, salt: low | high << 6 })
}

impl Hash<'_> {
    pub(super) fn class(&self) -> String {
        "des".to_owned()
    }

    pub(super) fn matches(&self, password: &[u8]) -> bool {
        let Some(digest) = self.text.get(2..) else { return false };
        secret::equal(text(crypt(password, self.salt)).as_bytes(), digest.as_bytes())
    }
}

/// A digest's text that no password made.
pub(super) fn random_digest(bytes: &[u8; 64]) -> String {
    let block = bytes.iter().take(8).fold(0, |block, &byte| block << 8 | u64::from(byte));
    text(block)
}

/// The eleven characters of a block: six bits each from the left, two zero bits at the end.
fn text(block: u64) -> String {
    let bits = u128::from(block) << 2;
    (0..11).rev().map(|at| crypt64::character(((bits >> (at * 6)) & 63) as u32)).collect()
}

/// Takes the bits of `table` (counted from 1 at the left of `width` bits) in its order.
fn permute(value: u64, width: u32, table: &[u8]) -> u64 {
    table.iter().fold(0, |out, &from| out << 1 | (value >> (width - u32::from(from))) & 1)
}

fn crypt(password: &[u8], salt: u32) -> u64 {
    let mut key = 0u64;
    for at in 0..8 {
        key = key << 8 | u64::from(password.get(at).copied().unwrap_or(0) << 1);
    }
    let keys = schedule(key);
    // The block is all zeros, so the first permutation changes nothing; between the 25 rounds it undoes the last one.
    let (mut left, mut right) = (0u32, 0u32);
    for _ in 0..25 {
        for round in &keys {
            (left, right) = (right, left ^ mix(right, *round, salt));
        }
        (left, right) = (right, left);
    }
    permute(u64::from(left) << 32 | u64::from(right), 64, &FINAL)
}

fn schedule(key: u64) -> [u64; 16] {
    const HALF: u64 = (1 << 28) - 1;
    let chosen = permute(key, 64, &PC1);
    let (mut high, mut low) = (chosen >> 28, chosen & HALF);
    SHIFTS.map(|shift| {
        high = (high << shift | high >> (28 - shift)) & HALF;
        low = (low << shift | low >> (28 - shift)) & HALF;
        permute(high << 28 | low, 56, &PC2)
    })
}

fn mix(half: u32, key: u64, salt: u32) -> u32 {
    let wide = permute(u64::from(half), 32, &EXPANSION);
    let (high, low) = (wide >> 24, wide & 0xff_ffff);
    let swapped = (high ^ low) & mask(salt);
    let wide = ((high ^ swapped) << 24 | (low ^ swapped)) ^ key;
    let mut out = 0u64;
    for (at, table) in BOXES.iter().enumerate() {
        let six = (wide >> (42 - 6 * at)) & 63;
        // Row: the outer two bits; column: the inner four.
        let row = (six >> 4) & 2 | six & 1;
        out = out << 4 | u64::from(table[(row * 16 + ((six >> 1) & 15)) as usize]);
    }
    permute(out, 32, &P) as u32
}

/// The salt's bits as a mask over 24 bits: bit 0 of the salt is the leftmost.
fn mask(salt: u32) -> u64 {
    u64::from(salt.reverse_bits() >> 8)
}
