//! The folder of this machine that a store names by `store.path`.
//!
//! Used by `store::shared` and `store::redis`. It must never be one that another user may enter, nor another's than this
//! process's own: its owner could lead whoever opens files in it to any other file.

#[cfg(unix)]
use crate::base::sys::effective_user;
use crate::base::{Error, Result};
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

/// A folder that nobody else may enter; `create`: it is made where its parent is there.
pub(in crate::store) fn folder(path: &Path, create: bool) -> Result<()> {
    let shown = path.display();
    if create {
        match make(path) {
            Err(e) if e.kind() != ErrorKind::AlreadyExists => {
                return Err(Error::unavailable(format!("{shown}: the store's folder cannot be made: {e}")));
            }
            _ => {}
        }
    }
    let found = fs::metadata(path).map_err(|e| match e.kind() {
        ErrorKind::NotFound => unmade(path),
        _ => Error::unavailable(format!("{shown}: the store's folder cannot be reached: {e}")),
    })?;
    if !found.is_dir() {
        return Err(Error::invalid(format!("{shown}: store.path must be a folder")));
    }
    private(path, &found)
}

/// What whoever only looks is told where no host has been.
pub(in crate::store) fn unmade(path: &Path) -> Error {
    Error::not_found(format!("{}: there is no store yet; the host makes it", path.display()))
}

#[cfg(unix)]
fn make(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().mode(0o700).create(path)
}

#[cfg(not(unix))]
fn make(path: &Path) -> std::io::Result<()> {
    fs::create_dir(path)
}

#[cfg(unix)]
fn private(path: &Path, found: &fs::Metadata) -> Result<()> {
    use std::os::unix::fs::MetadataExt;
    let (mode, shown, own) = (found.mode() & 0o7777, path.display(), effective_user());
    if found.uid() != own {
        let owner = found.uid();
        let mend = match own {
            0 => format!("run the host as that user, or give the folder to root: chown -R root {shown}"),
            _ => "run all processes as its owner".to_owned(),
        };
        return Err(Error::invalid(format!(
            "{shown}: belongs to user {owner}, and this process runs as user {own}; {mend}"
        )));
    }
    if mode & 0o077 != 0 {
        let text = format!("{shown}: open to other users (mode {mode:04o}); chmod 0700 {shown}");
        return Err(Error::invalid(text));
    }
    Ok(())
}

/// What a file or folder is by itself, under whatever names; none where the system tells no such thing.
#[cfg(unix)]
pub(in crate::store) fn identity(found: &fs::Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    Some((found.dev(), found.ino()))
}

#[cfg(not(unix))]
pub(in crate::store) fn identity(_: &fs::Metadata) -> Option<(u64, u64)> {
    None
}

#[cfg(not(unix))]
fn private(_: &Path, _: &fs::Metadata) -> Result<()> {
    Ok(())
}
