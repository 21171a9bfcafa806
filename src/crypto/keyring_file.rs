//! A keyring or a master key on disk: made whole or not at all; read only when nobody else could read or change it.
//!
//! Called by `keyring_place` and `master`, and by whoever reads a secret of another kind. Rules for reading on Unix, judged
//! on the opened file and not on its name: a regular file,
//! owned by root or by the effective user, not writable by its group, closed to all others. A symbolic link is followed;
//! the link itself must belong to root or the effective user too. Where there are no such modes (Windows) the folder's
//! access list is the administrator's word.

use crate::base::encoding::hex;
use crate::base::file::{Locked, Stamp, stamp};
use crate::base::{Error, Result, random};
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// No keyring is longer: 32 keys are about 8 KiB.
const MAX_BYTES: usize = 64 * 1024;

/// What a file is to hold, and how a person gets one.
pub(super) struct Kind {
    noun: &'static str,
    mend: &'static str,
}

pub(super) const KEYRING: Kind = Kind { noun: "keyring", mend: "make one: `janua keyring new" };

pub(super) const MASTER: Kind = Kind {
    noun: "master key",
    mend: "copy it from another machine of the site, or make the first one: `janua keyring master",
};

/// What [`create`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Created {
    New,
    /// Something has that name already; it was not touched.
    Exists,
}

/// Writes `text` to a new file at `path`, flushed with its folder: 0600, or 0640 with `group` (a numeric group id) as its
/// group. It appears whole or not at all.
pub(super) fn create(path: &Path, text: &[u8], group: Option<u32>) -> Result<Created> {
    let folder = folder_of(path);
    let draft = draft_beside(path, &folder)?;
    let result = write_draft(&draft, text, group).and_then(|()| publish(&draft, path));
    // Whether it was published or not, the draft's own name goes.
    let removed = std::fs::remove_file(&draft);
    let created = result?;
    removed.map_err(|error| failed(&draft, "this draft cannot be removed", &error))?;
    flush_folder(&folder)?;
    Ok(created)
}

/// Reads the file at `path`, after all that the head of this file asks of it.
pub(super) fn read(path: &Path, kind: &Kind) -> Result<(Zeroizing<Vec<u8>>, Stamp)> {
    let file = open(path, kind)?;
    judge(path, &file)?;
    read_open(path, &file, kind)
}

/// The text of another file that holds a secret, of which the same is asked as of a keyring. `what` it holds, for errors.
#[cfg(feature = "redis")]
pub(super) fn secret(path: &Path, what: &'static str) -> Result<Zeroizing<Vec<u8>>> {
    read(path, &Kind { noun: what, mend: "write one: `install -m 0600 /dev/stdin" }).map(|(text, _)| text)
}

/// Takes the lock of the keyring at `path`, for one change; waits at most five seconds. The same is asked of it as by
/// [`read`], and its text is given with it.
pub(super) fn lock(path: &Path) -> Result<(Zeroizing<Vec<u8>>, Locked)> {
    judge(path, &open(path, &KEYRING)?)?;
    let locked = Locked::open(path)?;
    let (file, place) = locked.file();
    // It may be another file by now: whoever held the lock has replaced it.
    judge(place, file)?;
    let (text, _) = read_open(path, file, &KEYRING)?;
    Ok((text, locked))
}

fn read_open(path: &Path, mut file: &File, kind: &Kind) -> Result<(Zeroizing<Vec<u8>>, Stamp)> {
    let facts = file.metadata().map_err(|error| failed(path, "cannot be examined", &error))?;
    // One allocation, so that no copy of a secret is left behind by a growing vector.
    let mut text = Zeroizing::new(Vec::with_capacity(MAX_BYTES + 1));
    let read = (&mut file).take(MAX_BYTES as u64 + 1).read_to_end(&mut text);
    read.map_err(|error| failed(path, "cannot be read", &error))?;
    if text.len() > MAX_BYTES {
        return Err(Error::invalid(format!("too long to be a {}; check the path", kind.noun)).at(path.display()));
    }
    Ok((text, stamp(&facts)))
}

fn open(path: &Path, kind: &Kind) -> Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        // A pipe or a terminal in the keyring's place must not hold the process up.
        options.custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
    }
    options.open(path).map_err(|error| {
        let name = quoted(path);
        match error.kind() {
            ErrorKind::NotFound => match std::fs::read_link(path) {
                Ok(target) => Error::invalid(format!(
                    "a symbolic link to {}, where there is nothing; restore the file, or `rm {name}` and {} {name}`",
                    target.display(),
                    kind.mend
                ))
                .at(path.display()),
                Err(_) => {
                    Error::not_found(format!("there is no {}; {} {name}`", kind.noun, kind.mend)).at(path.display())
                }
            },
            ErrorKind::PermissionDenied => Error::unavailable(format!(
                "this process may not read it; let its group in: `chgrp GROUP {name}` and `chmod 0640 {name}` (and \
                 `chmod g+x` on its folders)"
            ))
            .at(path.display()),
            _ => failed(path, "cannot be opened", &error),
        }
    })
}

/// Refuses a file that somebody else could read or change.
#[cfg(unix)]
fn judge(path: &Path, file: &File) -> Result<()> {
    use std::os::unix::fs::MetadataExt;
    let user = super::sys::effective_user();
    let facts = file.metadata().map_err(|error| failed(path, "cannot be examined", &error))?;
    if !facts.is_file() {
        return Err(Error::invalid("not a regular file; check the path").at(path.display()));
    }
    judge_facts(path, facts.uid(), facts.mode(), user)?;
    let link = std::fs::symlink_metadata(path).map_err(|error| failed(path, "cannot be examined", &error))?;
    if link.is_symlink() && !trusted(link.uid(), user) {
        return Err(Error::invalid(format!(
            "a symbolic link of user {}, who can point it elsewhere; `chown -h root {}`",
            link.uid(),
            quoted(path)
        ))
        .at(path.display()));
    }
    Ok(())
}

/// Nothing to judge by: the folder's access list decides who reads.
#[cfg(not(unix))]
fn judge(path: &Path, file: &File) -> Result<()> {
    let facts = file.metadata().map_err(|error| failed(path, "cannot be examined", &error))?;
    match facts.is_file() {
        true => Ok(()),
        false => Err(Error::invalid("not a regular file; check the path").at(path.display())),
    }
}

#[cfg(unix)]
fn judge_facts(path: &Path, owner: u32, mode: u32, user: u32) -> Result<()> {
    let name = quoted(path);
    let refuse = |message: String| Err(Error::invalid(message).at(path.display()));
    if !trusted(owner, user) {
        return refuse(format!(
            "belongs to user {owner}, neither root nor the user of this process ({user}), who could change it; \
             `chown root {name}`"
        ));
    }
    // The group may read: that is how a service of another user than the file's owner comes in.
    let mend = if mode & 0o040 == 0 { "0600" } else { "0640" };
    if mode & 0o007 != 0 {
        return refuse(format!("open to every user (mode {:04o}); `chmod {mend} {name}`", mode & 0o7777));
    }
    if mode & 0o020 != 0 {
        return refuse(format!("its group may change it (mode {:04o}); `chmod {mend} {name}`", mode & 0o7777));
    }
    Ok(())
}

#[cfg(unix)]
fn trusted(owner: u32, user: u32) -> bool {
    owner == 0 || owner == user
}

fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_path_buf(),
        _ => PathBuf::from("."),
    }
}

fn draft_beside(path: &Path, folder: &Path) -> Result<PathBuf> {
    let Some(name) = path.file_name() else {
        return Err(Error::invalid("names no file; give the path of a file").at(path.display()));
    };
    let mut draft = std::ffi::OsString::from(".");
    draft.push(name);
    draft.push(format!(".{}", hex(&random::array::<8>()?)));
    Ok(folder.join(draft))
}

fn write_draft(draft: &Path, text: &[u8], group: Option<u32>) -> Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(draft).map_err(|error| failed(draft, "cannot be made", &error))?;
    hand_to_group(draft, &file, group)?;
    file.write_all(text).map_err(|error| failed(draft, "cannot be written", &error))?;
    file.sync_all().map_err(|error| failed(draft, "cannot be flushed to disk", &error))
}

/// Sets the mode whatever the umask said, and with `group` lets that group read.
#[cfg(unix)]
fn hand_to_group(draft: &Path, file: &File, group: Option<u32>) -> Result<()> {
    use std::os::unix::fs::{PermissionsExt, fchown};
    if let Some(group) = group {
        fchown(file, None, Some(group)).map_err(|error| {
            failed(draft, &format!("cannot be given to group {group}; run this as root or as a member"), &error)
        })?;
    }
    let mode = if group.is_some() { 0o640 } else { 0o600 };
    let set = file.set_permissions(std::fs::Permissions::from_mode(mode));
    set.map_err(|error| failed(draft, "its mode cannot be set", &error))
}

/// There are no groups of this kind here.
#[cfg(not(unix))]
fn hand_to_group(draft: &Path, _file: &File, group: Option<u32>) -> Result<()> {
    match group {
        None => Ok(()),
        Some(_) => Err(Error::invalid("a group cannot be given on this system; leave it out").at(draft.display())),
    }
}

/// Gives the finished draft its name. A hard link, unlike a rename, never replaces what is there.
fn publish(draft: &Path, path: &Path) -> Result<Created> {
    match std::fs::hard_link(draft, path) {
        Ok(()) => Ok(Created::New),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(Created::Exists),
        Err(error) => Err(failed(path, "cannot be made (the file system must know hard links)", &error)),
    }
}

/// Flushes the folder, so that the name outlives a power cut as the bytes do.
#[cfg(unix)]
fn flush_folder(folder: &Path) -> Result<()> {
    let flushed = File::open(folder).and_then(|open| open.sync_all());
    flushed.map_err(|error| failed(folder, "the folder cannot be flushed to disk", &error))
}

/// Folders cannot be opened here; the file's own flush is what there is.
#[cfg(not(unix))]
fn flush_folder(_folder: &Path) -> Result<()> {
    Ok(())
}

fn failed(path: &Path, what: &str, error: &std::io::Error) -> Error {
    Error::unavailable(format!("{what}: {error}")).at(path.display())
}

/// A path as a shell takes it.
pub(super) fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+,:@%=".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.into_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::base::Status;
    use crate::crypto::Keyring;
    use crate::crypto::scratch::{Scratch, mode};
    use std::os::unix::fs::{MetadataExt, symlink};

    const NOW: i64 = 1_767_225_600;

    fn refused(path: &Path) -> Error {
        let error = Keyring::load(path, NOW).unwrap_err();
        assert!(error.message.starts_with(path.to_str().unwrap()), "{error}");
        error
    }

    #[test]
    fn a_missing_ring_names_the_command_that_makes_it() {
        let folder = Scratch::new();
        let error = refused(&folder.path("ring.toml"));
        assert_eq!(error.status, Status::NotFound);
        let command = format!("`janua keyring new {}`", folder.path("ring.toml").display());
        assert!(error.message.contains(&command), "{error}");
        let error = refused(&folder.path("my ring.toml"));
        assert!(error.message.contains(&format!("new '{}'", folder.path("my ring.toml").display())), "{error}");
    }

    #[test]
    fn a_mode_that_lets_others_in_is_refused_with_the_command_that_mends_it() {
        let folder = Scratch::new();
        let path = folder.path("ring.toml");
        Keyring::create(&path, NOW, None).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
        for good in [0o600, 0o640, 0o400, 0o440] {
            mode(&path, good);
            assert!(Keyring::load(&path, NOW).is_ok(), "{good:o}");
        }
        for (bad, mend) in
            [(0o604, "0600"), (0o602, "0600"), (0o601, "0600"), (0o644, "0640"), (0o660, "0640"), (0o620, "0600")]
        {
            mode(&path, bad);
            let error = refused(&path);
            assert_eq!(error.status, Status::Invalid);
            assert!(error.message.contains(&format!("`chmod {mend} {}`", path.display())), "{bad:o}: {error}");
            assert!(error.message.contains(&format!("(mode 0{bad:o})")), "{error}");
        }
    }

    #[test]
    fn only_root_and_the_effective_user_may_own_a_ring() {
        let path = Path::new("ring.toml");
        for (owner, mode, user, good) in [
            (0, 0o600, 0, true),
            (0, 0o640, 33, true),
            (33, 0o600, 33, true),
            (33, 0o600, 0, false),
            (34, 0o640, 33, false),
        ] {
            let judged = judge_facts(path, owner, mode, user);
            assert_eq!(judged.is_ok(), good, "{owner} {mode:o} {user}");
            if let Err(error) = judged {
                assert!(error.message.contains("`chown root ring.toml`"), "{error}");
            }
        }
        // Only root can give a file away, so only root can see it refused on a real one.
        if super::super::sys::effective_user() == 0 {
            let folder = Scratch::new();
            let path = folder.path("ring.toml");
            Keyring::create(&path, NOW, None).unwrap();
            std::os::unix::fs::chown(&path, Some(12_345), None).unwrap();
            assert!(refused(&path).message.contains("belongs to user 12345"));
        }
    }

    #[test]
    fn a_link_is_followed_and_its_target_judged() {
        let folder = Scratch::new();
        let (path, link) = (folder.path("ring.toml"), folder.path("link.toml"));
        symlink(&path, &link).unwrap();
        let error = refused(&link);
        assert_eq!(error.status, Status::Invalid, "a dangling link is not a missing ring: none is made through it");
        assert!(error.message.contains("a symbolic link to"), "{error}");
        assert_eq!(Keyring::create(&link, NOW, None).unwrap_err().status, Status::Refused);
        Keyring::create(&path, NOW, None).unwrap();
        assert!(Keyring::load(&link, NOW).is_ok());
        mode(&path, 0o644);
        assert!(refused(&link).message.contains("open to every user"));
        let turning = folder.path("loop.toml");
        symlink(&turning, &turning).unwrap();
        assert_eq!(refused(&turning).status, Status::Unavailable);
    }

    #[test]
    fn what_is_no_file_or_no_keyring_is_refused() {
        let folder = Scratch::new();
        let inner = folder.path("folder");
        std::fs::create_dir(&inner).unwrap();
        assert!(refused(&inner).message.contains("not a regular file"));
        let long = folder.write("long.toml", &"#".repeat(MAX_BYTES + 1));
        assert!(refused(&long).message.contains("too long to be a keyring"));
        let garbage = folder.write("garbage.toml", "OpenSesame");
        let error = refused(&garbage);
        assert!(error.message.contains("line 1: not a keyring") && !error.message.contains("Sesame"), "{error}");
        let empty = folder.write("empty.toml", "");
        assert!(refused(&empty).message.contains("line 1: not a keyring"));
        assert!(matches!(Keyring::create(Path::new("/"), NOW, None), Err(error) if error.message.contains("no file")));
    }

    #[test]
    fn a_pipe_in_the_rings_place_holds_nobody_up() {
        let folder = Scratch::new();
        let pipe = folder.path("pipe.toml");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        assert!(refused(&pipe).message.contains("not a regular file"));
    }

    #[test]
    fn a_group_gets_to_read_and_no_more() {
        let folder = Scratch::new();
        let path = folder.path("ring.toml");
        let group = std::fs::metadata(folder.path(".")).unwrap().gid();
        Keyring::create(&path, NOW, Some(group)).unwrap();
        let facts = std::fs::metadata(&path).unwrap();
        assert_eq!((facts.mode() & 0o7777, facts.gid()), (0o640, group));
    }

    #[test]
    fn a_folder_that_is_missing_is_named() {
        let folder = Scratch::new();
        let error = Keyring::create(&folder.path("none/ring.toml"), NOW, None).unwrap_err();
        assert_eq!(error.status, Status::Unavailable);
        assert!(error.message.contains("none/"), "{error}");
        assert!(folder.names().is_empty());
    }
}
