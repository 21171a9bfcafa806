//! Files that hold credentials: read with a look at who else may. How they are locked and replaced: `base::file`.
//!
//! Called by the users file and by the command that writes it.

pub(super) use crate::base::file::{Locked, Stamp, look};
use crate::base::file::{cannot, stamp, sync_folder, write_new};
use crate::base::{Error, Result, Status};
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;
use zeroize::Zeroizing;

/// No directory is larger.
const MAX_BYTES: u64 = 64 << 20;
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

/// The same of a file that is open, such as a locked one.
pub(super) fn read_open(mut file: &File, path: &Path, how: Strictness) -> Result<(Zeroizing<String>, Stamp)> {
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
