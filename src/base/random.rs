//! Random bytes, asked of the system at each call: no state of ours, so nothing to go wrong across a fork.

use super::{Error, Result, Status};
use ring::rand::{SecureRandom, SystemRandom};

/// Fills `out` with random bytes of the operating system. Errors: [`Status::Random`]; then nothing may be minted.
pub fn fill(out: &mut [u8]) -> Result<()> {
    SystemRandom::new().fill(out).map_err(|_| Error::new(Status::Random, "the system gave no random bytes"))
}

/// An array of `N` random bytes.
pub fn array<const N: usize>() -> Result<[u8; N]> {
    let mut out = [0; N];
    fill(&mut out)?;
    Ok(out)
}

/// `length` characters drawn evenly from `alphabet` (2 to 256 distinct bytes), without modulo bias.
pub fn text(alphabet: &[u8], length: usize) -> Result<String> {
    debug_assert!((2..=256).contains(&alphabet.len()));
    let limit = 256 - 256 % alphabet.len();
    let mut out = String::with_capacity(length);
    let mut pool = [0u8; 64];
    while out.len() < length {
        fill(&mut pool)?;
        for &byte in &pool {
            if usize::from(byte) < limit && out.len() < length {
                out.push(char::from(alphabet[usize::from(byte) % alphabet.len()]));
            }
        }
    }
    super::secret::wipe(&mut pool);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_uses_the_whole_alphabet_and_nothing_else() {
        let text = text(b"abc", 3000).unwrap();
        assert_eq!(text.len(), 3000);
        for letter in ["a", "b", "c"] {
            assert!(text.matches(letter).count() > 800, "{letter} is rare");
        }
    }
}
