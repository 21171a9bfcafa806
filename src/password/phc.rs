//! The pieces of stored hashes that begin with `$`: fields, strict numbers, base64.
//!
//! Follows the PHC string format (github.com/P-H-C/phc-string-format) and takes the two spellings that passlib added:
//! `.` for `+`, and a bare number of iterations.

use crate::base::encoding::BASE64;
use base64::Engine as _;

/// Why a stored hash cannot be used: a sentence without any part of the hash in it.
pub(super) type Fault = &'static str;

/// A decimal number as programs write it: digits only, no leading zero, no sign.
pub(super) fn decimal(text: &str) -> Result<u32, Fault> {
    const WRONG: Fault = "a parameter is not a number";
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !plain || (text.len() > 1 && text.starts_with('0')) {
        return Err(WRONG);
    }
    text.parse().map_err(|_| WRONG)
}

/// The numbers of `m=19456,t=2,p=1`: exactly the names given, in that order.
pub(super) fn parameters<const N: usize>(text: &str, names: [&str; N]) -> Result<[u32; N], Fault> {
    const WRONG: Fault = "the parameters are not those of this format";
    let mut items = text.split(',');
    let mut out = [0; N];
    for (slot, name) in out.iter_mut().zip(names) {
        let (key, value) = items.next().and_then(|item| item.split_once('=')).ok_or(WRONG)?;
        if key != name {
            return Err(WRONG);
        }
        *slot = decimal(value)?;
    }
    if items.next().is_some() { Err(WRONG) } else { Ok(out) }
}

/// Decodes the base64 of a salt or a hash and checks its length in bytes.
pub(super) fn bytes(text: &str, lengths: std::ops::RangeInclusive<usize>) -> Result<Vec<u8>, Fault> {
    let plus = text.replace('.', "+");
    let out = BASE64.decode(plus).map_err(|_| "salt or hash is not base64")?;
    if lengths.contains(&out.len()) { Ok(out) } else { Err("salt or hash has a length outside what is allowed") }
}

/// Encodes without padding, as PHC strings do.
pub(super) fn encode(bytes: &[u8]) -> String {
    let mut text = BASE64.encode(bytes);
    text.truncate(text.trim_end_matches('=').len());
    text
}

/// Whether a number lies in its bounds.
pub(super) fn within(value: u32, bounds: std::ops::RangeInclusive<u32>, fault: Fault) -> Result<u32, Fault> {
    if bounds.contains(&value) { Ok(value) } else { Err(fault) }
}
