//! Base64 and hexadecimal, strict: one spelling for one value.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// base64url without padding; padding and left-over bits are refused (RFC 4648 sections 3.5 and 5).
pub const BASE64URL: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_encode_padding(false).with_decode_padding_mode(DecodePaddingMode::RequireNone),
);

/// base64 as HTTP Basic uses it; padding may be left out, as real clients do.
pub const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Decodes base64url into `out` and returns the length; `None` if it is not exactly that, or does not fit.
pub fn base64url_decode(text: &[u8], out: &mut [u8]) -> Option<usize> {
    BASE64URL.decode_slice(text, out).ok()
}

/// Encodes as base64url without padding.
pub fn base64url(bytes: &[u8]) -> String {
    BASE64URL.encode(bytes)
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    let pairs = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    pairs.map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

/// Lower-case hexadecimal of the first `N / 2` bytes, without allocating.
pub fn hex_array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut out = [b'0'; N];
    for (pair, byte) in out.chunks_exact_mut(2).zip(bytes) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    out
}

/// Decodes hexadecimal of either case into exactly `N` bytes.
pub fn hex_decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != N * 2 {
        return None;
    }
    let mut out = [0; N];
    for (byte, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
        let high = char::from(pair[0]).to_digit(16)?;
        let low = char::from(pair[1]).to_digit(16)?;
        *byte = u8::try_from(high * 16 + low).ok()?;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64url_is_strict() {
        let mut out = [0; 8];
        assert_eq!(base64url_decode(b"Zm9v", &mut out), Some(3));
        assert_eq!(base64url_decode(b"Zg==", &mut out), None, "padding");
        assert_eq!(base64url_decode(b"Zh", &mut out), None, "left-over bits");
        assert_eq!(base64url_decode(b"Zm9vZm9vZm9v", &mut out), None, "does not fit");
    }

    #[test]
    fn hex_round_trip() {
        assert_eq!(hex(&[0, 255, 16]), "00ff10");
        assert_eq!(&hex_array::<4>(&[0, 255, 16]), b"00ff");
        assert_eq!(hex_decode::<3>("00fF10"), Some([0, 255, 16]));
        assert_eq!(hex_decode::<3>("00ff1"), None);
        assert_eq!(hex_decode::<1>("+1"), None);
    }
}
