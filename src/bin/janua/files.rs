//! Files that the command writes itself (the configuration), and the folder they lie in: whole or not at all, with
//! permissions that do not depend on the umask.
//!
//! The keyring and the users file have writers of their own in the library, with the same rules.

use crate::failure::Failure;
#[cfg(unix)]
use std::fs::File;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Whether [`write`] may take the place of a file that is there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum If {
    Absent,
    Any,
}

/// Writes `text` to `path`: 0600, or 0640 for `group`. The file appears whole, flushed with its folder.
///
/// Returns `false` when it was there already and [`If::Absent`] was asked for; then nothing was changed.
pub fn write(path: &Path, text: &str, group: Option<u32>, when: If) -> Result<bool, Failure> {
    let folder = folder_of(path);
    let draft = draft_beside(path)?;
    let written = draft_file(&draft, text, group).and_then(|()| publish(&draft, path, when));
    if !matches!(written, Ok(true)) || when == If::Absent {
        // A link was made or nothing was; either way the draft's own name goes. After a rename it is gone.
        let _ = std::fs::remove_file(&draft);
    }
    let published = written.map_err(|e| failed(path, "cannot be written", &e))?;
    flush(&folder).map_err(|e| failed(&folder, "cannot be flushed", &e))?;
    Ok(published)
}

/// Lets `group` read a file of ours: 0640 and that group; without one, 0600.
pub fn share(path: &Path, group: Option<u32>) -> Result<(), Failure> {
    open_to_group(path, group, 0o600, 0o640).map_err(|e| failed(path, "cannot be given to the group", &e))
}

/// Makes the folder if it is not there: 0700, or 0750 for `group`. One that is there is left as it is.
pub fn folder(path: &Path, group: Option<u32>) -> Result<(), Failure> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        std::fs::create_dir_all(parent).map_err(|e| failed(parent, "cannot be made", &e))?;
    }
    make_private(path).map_err(|e| failed(path, "cannot be made", &e))?;
    open_to_group(path, group, 0o700, 0o750).map_err(|e| failed(path, "cannot be given to the group", &e))
}

/// The folder `path` lies in.
pub fn folder_of(path: &Path) -> PathBuf {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_path_buf()
}

/// A failure of `path` with the mend that its kind suggests.
pub fn failed(path: &Path, what: &str, error: &io::Error) -> Failure {
    let mend = match error.kind() {
        io::ErrorKind::PermissionDenied => "; run this as the owner of the folder (or with sudo)",
        io::ErrorKind::NotFound => "; check the path",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "; make room on the disk",
        io::ErrorKind::ReadOnlyFilesystem => "; that file system is mounted read-only",
        _ => "",
    };
    Failure::file(format!("{}: {what}: {error}{mend}", path.display()))
}

fn draft_beside(path: &Path) -> Result<PathBuf, Failure> {
    let name = path.file_name().ok_or_else(|| Failure::usage(format!("{} is no name of a file", path.display())))?;
    let tail = janua::base::encoding::hex(&janua::base::random::array::<8>()?);
    let mut draft = std::ffi::OsString::from(".");
    draft.push(name);
    draft.push(format!(".{tail}"));
    Ok(folder_of(path).join(draft))
}

fn draft_file(draft: &Path, text: &str, group: Option<u32>) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut file = options.open(draft)?;
    file.write_all(text.as_bytes())?;
    open_to_group(draft, group, 0o600, 0o640)?;
    file.sync_all()
}

/// Gives `path` its last permissions. The group is set before the mode that lets it in.
#[cfg(unix)]
fn open_to_group(path: &Path, group: Option<u32>, alone: u32, shared: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    if group.is_some() {
        std::os::unix::fs::chown(path, None, group)?;
    }
    let mode = if group.is_some() { shared } else { alone };
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn open_to_group(_: &Path, _: Option<u32>, _: u32, _: u32) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn make_private(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().mode(0o700).create(path)
}

#[cfg(not(unix))]
fn make_private(path: &Path) -> io::Result<()> {
    std::fs::create_dir(path)
}

fn publish(draft: &Path, path: &Path, when: If) -> io::Result<bool> {
    match when {
        If::Any => std::fs::rename(draft, path).map(|()| true),
        If::Absent => match std::fs::hard_link(draft, path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        },
    }
}

#[cfg(unix)]
fn flush(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn flush(_: &Path) -> io::Result<()> {
    Ok(())
}
