//! SHA-256 over parts, each with its length before it, so that no two lists of parts read alike.

use ring::digest;

pub type Digest = [u8; 32];

/// The digest of `parts`, each preceded by its length as a big-endian u64.
pub fn sha256(parts: &[&[u8]]) -> Digest {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    let mut out = [0; 32];
    out.copy_from_slice(context.finish().as_ref());
    out
}
