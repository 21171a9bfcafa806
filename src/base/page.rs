//! A page: words that threads, and processes of one machine, count in without a lock.
//!
//! Used by the throttle for its counts and by `password` for its places. It is private memory, or a file that every
//! process maps: whoever comes first makes it, whoever opens it keeps what it holds, and what that is means nothing here.
//! It holds no secret, nothing that has to outlive the boot, and no lock that a killed process could leave behind. It must
//! never lie in a folder that other users may enter: who cuts the file short kills those that have it mapped.

use super::sys;
use super::{Error, Result};
use std::path::Path;
use std::sync::atomic::AtomicU64;

/// The page. Any thread; a fork shares what was shared and copies what was private.
#[derive(Debug)]
pub struct Page(Memory);

#[derive(Debug)]
enum Memory {
    Private(Box<[AtomicU64]>),
    #[cfg(unix)]
    Mapped(sys::Mapping),
}

impl Page {
    /// So many words of this process, all 0.
    pub fn private(words: usize) -> Page {
        Page(Memory::Private(sys::zeroed(words)))
    }

    /// The words of a file, shared with all who open it; those of a new file are 0.
    ///
    /// Errors: `Unavailable`.
    #[cfg(unix)]
    pub fn shared(path: &Path, words: usize) -> Result<Page> {
        let failed = |e| Error::unavailable(format!("{}: cannot be shared: {e}", path.display()));
        sys::Mapping::open(path, words).map(|mapping| Page(Memory::Mapped(mapping))).map_err(failed)
    }

    /// Not on this system.
    #[cfg(not(unix))]
    pub fn shared(path: &Path, _words: usize) -> Result<Page> {
        Err(Error::unavailable(format!("{}: this system's processes cannot share it", path.display())))
    }

    /// The words; those of a file may hold anything.
    pub fn words(&self) -> &[AtomicU64] {
        match &self.0 {
            Memory::Private(words) => words,
            #[cfg(unix)]
            Memory::Mapped(mapping) => mapping.words(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::Ordering;

    #[test]
    fn private_words_begin_at_nothing() {
        let page = Page::private(1_000);
        assert_eq!(page.words().len(), 1_000);
        assert!(page.words().iter().all(|word| word.load(Ordering::Relaxed) == 0));
        assert!(Page::private(0).words().is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn a_file_is_one_page_to_all_and_keeps_what_it_holds() {
        use std::os::unix::fs::MetadataExt;
        // The scratch folder of the floor above is not this floor's to use.
        let folder = std::env::temp_dir().join(format!("janua-page-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("page");
        let (one, two) = (Page::shared(&path, 1_024).unwrap(), Page::shared(&path, 1_024).unwrap());
        one.words()[1_023].store(7, Ordering::Relaxed);
        assert_eq!(two.words()[1_023].load(Ordering::Relaxed), 7);
        let found = path.metadata().unwrap();
        assert_eq!((found.mode() & 0o777, found.len()), (0o600, 8_192));
        drop((one, two));
        std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(9).unwrap();
        let again = Page::shared(&path, 1_024).unwrap();
        assert_eq!(again.words()[1_023].load(Ordering::Relaxed), 0, "cut short, it is filled up");
        assert!(Page::shared(&folder, 8).is_err() && Page::shared(&folder.join("no/such"), 8).is_err());
        std::os::unix::fs::symlink(&path, folder.join("link")).unwrap();
        assert!(Page::shared(&folder.join("link"), 8).is_err(), "no link is followed");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
