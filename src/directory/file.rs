//! Files that hold credentials: read with a look at who else may, locked, and replaced as a whole.
//!
//! Called by the users file and by the command that writes it. A reader sees the old file or the new one, never a half;
//! writers stand in line at the lock of the file itself, so that no second file is needed that root might own.

use crate::base::{Error, Result, Status, random};
use std::fs::{self, File, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// No directory is larger.
const MAX_BYTES: u64 = 64 << 20;
/// A writer that does not get the lock in this time gives up: a stopped process may hold it.
const LOCK_WAIT: Duration = Duration::from_secs(5);

/// What tells one state of a file from another without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    length: u64,
    place: (u64, u64),
    changed: [i64; 4],
}

/// Who may read and write beside the owner.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Strictness {
    /// 0600 or 0640, owned by this process's user or root: a file with credentials of ours.
    Private,
    /// Another program's file: only nobody else may write it.
    Foreign,
}

/// Reads `path`. Errors name the cause and the mend, the command included.
pub(super) fn read(path: &Path, how: Strictness) -> Result<(Zeroizing<String>, Stamp)> {
    let file = File::open(path).map_err(|error| cannot("read", path, &error))?;
    read_open(&file, path, how)
}

fn read_open(mut file: &File, path: &Path, how: Strictness) -> Result<(Zeroizing<String>, Stamp)> {
    let metadata = file.metadata().map_err(|error| cannot("read", path, &error))?;
    check_access(path, &metadata, how)?;
    if metadata.len() > MAX_BYTES {
        return Err(Error::invalid(format!("{}: the file is larger than 64 MiB", path.display())));
    }
    let room = usize::try_from(metadata.len()).unwrap_or(0) + 1;
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    file.read_to_end(&mut bytes).map_err(|error| cannot("read", path, &error))?;
    let text = String::from_utf8(std::mem::take(&mut *bytes))
        .map_err(|_| Error::invalid(format!("{}: the file is not in UTF-8", path.display())))?;
    Ok((Zeroizing::new(text), stamp(&metadata)))
}

/// The state of a file now. Errors: [`Status::Unavailable`] when it is not there.
pub(super) fn look(path: &Path) -> Result<Stamp> {
    fs::metadata(path).map(|metadata| stamp(&metadata)).map_err(|error| cannot("read", path, &error))
}

#[cfg(unix)]
fn stamp(metadata: &fs::Metadata) -> Stamp {
    use std::os::unix::fs::MetadataExt as _;
    let changed = [metadata.mtime(), metadata.mtime_nsec(), metadata.ctime(), metadata.ctime_nsec()];
    Stamp { length: metadata.len(), place: (metadata.dev(), metadata.ino()), changed }
}

#[cfg(not(unix))]
fn stamp(metadata: &fs::Metadata) -> Stamp {
    let since = metadata.modified().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    let nanos = since.map_or(0, |since| i64::try_from(since.as_nanos()).unwrap_or(0));
    Stamp { length: metadata.len(), place: (0, 0), changed: [nanos, 0, 0, 0] }
}

#[cfg(unix)]
fn check_access(path: &Path, metadata: &fs::Metadata, how: Strictness) -> Result<()> {
    use std::os::unix::fs::MetadataExt as _;
    let (mode, shown) = (metadata.mode() & 0o7777, path.display());
    if !metadata.is_file() {
        return Err(Error::invalid(format!("{shown}: this is not a file")));
    }
    if how == Strictness::Foreign {
        let open = mode & 0o002 != 0;
        let text = || format!("{shown}: everybody may write this file; run `chmod o-w {shown}`");
        return if open { Err(Error::invalid(text())) } else { Ok(()) };
    }
    if mode & 0o027 != 0 {
        return Err(Error::invalid(format!(
            "{shown}: others may read or write this file (mode {mode:04o}); run `chmod 0600 {shown}`, or 0640 with the \
             service's group"
        )));
    }
    let me = super::sys::effective_user();
    if metadata.uid() != me && metadata.uid() != 0 && me != 0 {
        return Err(Error::invalid(format!(
            "{shown}: the file belongs to user {}, not to root or to user {me} whom this process runs as; run \
             `chown {me} {shown}`",
            metadata.uid()
        )));
    }
    Ok(())
}

#[cfg(not(unix))]
fn check_access(path: &Path, metadata: &fs::Metadata, _how: Strictness) -> Result<()> {
    if metadata.is_file() { Ok(()) } else { Err(Error::invalid(format!("{}: this is not a file", path.display()))) }
}

fn cannot(what: &str, path: &Path, error: &io::Error) -> Error {
    let shown = path.display();
    if error.kind() == io::ErrorKind::NotFound {
        return Error::not_found(format!("{shown}: there is no such file"));
    }
    Error::unavailable(format!("{shown}: cannot {what} it: {error}"))
}

/// A file that no other writer changes as long as this lives.
pub(super) struct Locked {
    /// The file itself, not a link to it.
    path: PathBuf,
    file: File,
}

impl Locked {
    /// Waits at most five seconds for the lock. Errors: [`Status::Unavailable`] when another process keeps it.
    pub(super) fn open(path: &Path) -> Result<Locked> {
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

    pub(super) fn read(&self) -> Result<(Zeroizing<String>, Stamp)> {
        read_open(&self.file, &self.path, Strictness::Private)
    }

    /// Puts `text` in the file's place, with its owner, group and mode; on disk before it returns.
    ///
    /// Errors: [`Status::Unavailable`]; then the old file stands as it was.
    pub(super) fn replace(self, text: &str) -> Result<()> {
        let metadata = self.file.metadata().map_err(|error| cannot("read", &self.path, &error))?;
        let name = self.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let suffix = crate::base::encoding::hex(&random::array::<8>()?);
        let temporary = self.path.with_file_name(format!(".{name}.{suffix}"));
        let done = write_new(&temporary, text, Some(&metadata)).and_then(|()| fs::rename(&temporary, &self.path));
        if let Err(error) = done {
            let _ = fs::remove_file(&temporary);
            return Err(cannot("write", &self.path, &error));
        }
        sync_folder(&self.path).map_err(|error| cannot("write", &self.path, &error))
    }
}

/// Makes a new file of mode 0600. Errors: [`Status::Invalid`] when there is one already.
pub(super) fn create(path: &Path, text: &str) -> Result<()> {
    match write_new(path, text, None).and_then(|()| sync_folder(path)) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(Error::new(Status::Invalid, format!("{}: the file exists already", path.display())))
        }
        Err(error) => Err(Error::unavailable(format!("{}: cannot write it: {error}", path.display()))),
    }
}

#[cfg(unix)]
fn write_new(path: &Path, text: &str, like: Option<&fs::Metadata>) -> io::Result<()> {
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

#[cfg(not(unix))]
fn write_new(path: &Path, text: &str, _like: Option<&fs::Metadata>) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_path: &Path) -> io::Result<()> {
    Ok(())
}
