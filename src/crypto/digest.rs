//! Stand-in: SHA-256 over length-prefixed parts.

/// A SHA-256 digest.
pub type Digest = [u8; 32];

/// SHA-256 of `parts`, each preceded by its length as eight bytes, big-endian.
pub fn sha256(parts: &[&[u8]]) -> Digest {
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    let mut out = [0; 32];
    out.copy_from_slice(context.finish().as_ref());
    out
}
