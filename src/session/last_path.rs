//! The last path of a session, for lists: a fixed place that a check can write to without waiting or allocating.
//!
//! Used by `session::record` alone, and only where the profile shows it. It is what a client sent: whoever shows it
//! escapes it.

use parking_lot::Mutex;

/// The most bytes of a path that are kept.
pub const MAX_PATH: usize = 119;

/// The place; empty at first.
pub(super) struct LastPath(Mutex<Kept>);

struct Kept {
    length: u8,
    bytes: [u8; MAX_PATH],
}

impl Default for LastPath {
    fn default() -> LastPath {
        LastPath(Mutex::new(Kept { length: 0, bytes: [0; MAX_PATH] }))
    }
}

impl LastPath {
    /// Writes the beginning of `path` down; leaves what is there while another thread is at it.
    pub(super) fn keep(&self, path: &[u8]) {
        let Some(mut kept) = self.0.try_lock() else {
            return;
        };
        let bytes = whole_characters(path);
        if let (Some(room), Ok(length)) = (kept.bytes.get_mut(..bytes.len()), u8::try_from(bytes.len())) {
            room.copy_from_slice(bytes);
            kept.length = length;
        }
    }

    /// The path as it is kept; empty when none came yet.
    #[cfg(any(feature = "shared", feature = "redis"))]
    pub(super) fn bytes(&self) -> Vec<u8> {
        let kept = self.0.lock();
        kept.bytes.get(..usize::from(kept.length)).unwrap_or_default().to_vec()
    }

    /// The path as text, what is not UTF-8 replaced; `None` when none came yet.
    pub(super) fn text(&self) -> Option<String> {
        let kept = self.0.lock();
        let bytes = kept.bytes.get(..usize::from(kept.length)).filter(|bytes| !bytes.is_empty())?;
        Some(String::from_utf8_lossy(bytes).into_owned())
    }
}

/// The first [`MAX_PATH`] bytes, less a character that would be cut in two.
fn whole_characters(path: &[u8]) -> &[u8] {
    let mut end = path.len().min(MAX_PATH);
    while end > 0 && end < path.len() && path[end] & 0xc0 == 0x80 {
        end -= 1;
    }
    &path[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_bounded_and_no_character_is_cut() {
        let place = LastPath::default();
        assert_eq!(place.text(), None);
        let long = format!("/{}é/{}", "x".repeat(MAX_PATH - 2), "y".repeat(500));
        place.keep(long.as_bytes());
        assert_eq!(place.text(), Some(format!("/{}", "x".repeat(MAX_PATH - 2))));
        place.keep(b"\xff");
        assert_eq!(place.text().as_deref(), Some("\u{fffd}"));
        place.keep(&[0x80; 500]);
        assert_eq!(place.text(), None, "nothing but halves of characters");
    }

    #[test]
    fn a_path_that_is_being_read_is_left_as_it_is() {
        let place = LastPath::default();
        place.keep(b"/a");
        let reading = place.0.lock();
        place.keep(b"/b");
        drop(reading);
        assert_eq!(place.text().as_deref(), Some("/a"));
    }
}
