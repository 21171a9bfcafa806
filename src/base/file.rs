//! Files that are replaced as a whole: what tells one state of such a file from another, and the lock of those who change
//! it.
//!
//! Called by the users file and by the keyring, which judge for themselves what they read. A reader sees the old file or
//! the new one, never a half; writers stand in line at the lock of the file itself, so that no second file is needed that
//! root might own. Nothing here looks at what a file holds.

use super::encoding::hex;
use super::{Error, Result, random};
use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A writer that does not get the lock in this time gives up: a stopped process may hold it.
const LOCK_WAIT: Duration = Duration::from_secs(5);

/// What tells one state of a file from another without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    length: u64,
    place: (u64, u64),
    changed: [i64; 4],
}

/// The state of a file now. Errors: `Status::Unavailable` when it is not there.
pub fn look(path: &Path) -> Result<Stamp> {
    fs::metadata(path).map(|metadata| stamp(&metadata)).map_err(|error| cannot("read", path, &error))
}

/// The state of an opened file.
#[cfg(unix)]
pub fn stamp(metadata: &fs::Metadata) -> Stamp {
    use std::os::unix::fs::MetadataExt as _;
    let changed = [metadata.mtime(), metadata.mtime_nsec(), metadata.ctime(), metadata.ctime_nsec()];
    Stamp { length: metadata.len(), place: (metadata.dev(), metadata.ino()), changed }
}

/// The state of an opened file.
#[cfg(not(unix))]
pub fn stamp(metadata: &fs::Metadata) -> Stamp {
    let since = metadata.modified().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    let nanos = since.map_or(0, |since| i64::try_from(since.as_nanos()).unwrap_or(0));
    Stamp { length: metadata.len(), place: (0, 0), changed: [nanos, 0, 0, 0] }
}

/// An error of `path` with the system's word.
pub fn cannot(what: &str, path: &Path, error: &io::Error) -> Error {
    let shown = path.display();
    if error.kind() == io::ErrorKind::NotFound {
        return Error::not_found(format!("{shown}: there is no such file"));
    }
    Error::unavailable(format!("{shown}: cannot {what} it: {error}"))
}

/// A file that no other writer changes as long as this lives.
pub struct Locked {
    /// The file itself, not a link to it.
    path: PathBuf,
    file: File,
}

impl Locked {
    /// Waits at most five seconds for the lock. Errors: `Status::Unavailable` when another process keeps it.
    pub fn open(path: &Path) -> Result<Locked> {
        let path = fs::canonicalize(path).map_err(|error| cannot("find", path, &error))?;
        let deadline = Instant::now() + LOCK_WAIT;
        loop {
            let file = File::open(&path).map_err(|error| cannot("read", &path, &error))?;
            match file.try_lock() {
                Ok(()) => {
                    // Who held the lock has put another file in this one's place: stand in line again, at that one.
                    let mine = file.metadata().map(|metadata| stamp(&metadata).place);
                    if mine.map_err(|error| cannot("read", &path, &error))? == look(&path)?.place {
                        return Ok(Locked { path, file });
                    }
                }
                Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(5)),
                Err(TryLockError::Error(error)) => return Err(cannot("lock", &path, &error)),
            }
            if Instant::now() > deadline {
                let text = format!("{}: another process has locked it for five seconds", path.display());
                return Err(Error::unavailable(text));
            }
        }
    }

    /// The file as it was opened, and its path with links followed.
    pub fn file(&self) -> (&File, &Path) {
        (&self.file, &self.path)
    }

    /// Puts `text` in the file's place, with its owner, group and mode; on disk before it returns.
    ///
    /// Errors: `Status::Unavailable`; then the old file stands as it was.
    pub fn replace(self, text: &str) -> Result<()> {
        let metadata = self.file.metadata().map_err(|error| cannot("read", &self.path, &error))?;
        let name = self.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let suffix = hex(&random::array::<8>()?);
        let temporary = self.path.with_file_name(format!(".{name}.{suffix}"));
        let done = write_new(&temporary, text, Some(&metadata)).and_then(|()| fs::rename(&temporary, &self.path));
        if let Err(error) = done {
            let _ = fs::remove_file(&temporary);
            return Err(cannot("write", &self.path, &error));
        }
        sync_folder(&self.path).map_err(|error| cannot("write", &self.path, &error))
    }
}

/// Writes a new file of mode 0600, or with owner, group and mode of `like`, flushed.
#[cfg(unix)]
pub fn write_new(path: &Path, text: &str, like: Option<&fs::Metadata>) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    if let Some(like) = like {
        let made = file.metadata()?;
        // Owner first: a change of owner clears bits of the mode.
        if (made.uid(), made.gid()) != (like.uid(), like.gid()) {
            std::os::unix::fs::fchown(&file, Some(like.uid()), Some(like.gid()))?;
        }
        file.set_permissions(like.permissions())?;
    }
    file.sync_all()
}

/// Writes a new file, flushed.
#[cfg(not(unix))]
pub fn write_new(path: &Path, text: &str, _like: Option<&fs::Metadata>) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Flushes the folder of `path`, so that the name outlives a power cut as the bytes do.
#[cfg(unix)]
pub fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

/// Folders cannot be opened here; the file's own flush is what there is.
#[cfg(not(unix))]
pub fn sync_folder(_path: &Path) -> io::Result<()> {
    Ok(())
}
