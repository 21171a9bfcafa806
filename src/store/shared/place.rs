//! The folder of a shared store: who may be in it, what was left there, and one open environment for each path.
//!
//! | name | what |
//! |---|---|
//! | `lock` | held while a process opens the store |
//! | `boot` | the boot in which sessions were last opened, and whether without syncing |
//! | `permits` | a page shared by those who hash passwords (`password::slots`); disposable |
//! | `counts-…` | a page of failure counts (`throttle::ledger`), one for each boot; disposable |
//! | `sessions/` | an LMDB environment: rows, index, times |
//! | `revocations/` | another one, small, always synced: the log |
//!
//! Used by `store::shared` alone. Nothing is removed but sessions that a crash of the system may have torn: written
//! without syncing, in another boot.

use super::sys;
use super::{Durability, Settings};
use crate::base::sys::boot_name;
use crate::base::{Error, Result, Status};
use crate::crypto::digest::sha256;
use crate::store::held::folder::{folder, unmade};
use heed::{Env, MdbError, WithoutTls};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long another process may take to open the store.
const PATIENCE: Duration = Duration::from_secs(10);

/// The environments' folders.
const SESSIONS: &str = "sessions";
const REVOCATIONS: &str = "revocations";

/// The files of an environment.
const FILES: [&str; 2] = ["data.mdb", "lock.mdb"];

/// The environments of a store.
pub(super) struct Opened {
    pub sessions: Env<WithoutTls>,
    pub revocations: Env<WithoutTls>,
    pub boot_tag: u64,
    /// Held until both are set up.
    pub lock: File,
}

/// Opens both environments, and makes folder and files where `settings` allows it; otherwise it changes none.
pub(super) fn open(settings: &Settings) -> Result<Opened> {
    let path = &settings.path;
    folder(path, settings.create)?;
    let lock = lock(&path.join("lock"), settings.create)?;
    let boot = boot_name();
    let synced = settle(settings, &boot)?;
    // All of it before any of it is opened: that writes.
    for place in [REVOCATIONS, SESSIONS].map(|name| path.join(name)) {
        folder(&place, settings.create)?;
        FILES.iter().try_for_each(|file| plain(&place.join(file), settings.create))?;
    }
    let open = |name: &str, map: usize, synced: bool| {
        let place = path.join(name);
        let env = sys::open(&place, map, synced).map_err(|e| explained(&e, &place))?;
        whole(&env, &place)?;
        Ok::<_, Error>(env)
    };
    let revocations = open(REVOCATIONS, settings.revocations_map, true)?;
    let sessions = open(SESSIONS, settings.sessions_map, synced)?;
    let tag = sha256(&[b"janua-boot", boot.as_bytes()]);
    let boot_tag = tag.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
    Ok(Opened { sessions, revocations, boot_tag, lock })
}

/// For opening a file of ours: for its owner only, and never through a link.
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600).custom_flags(libc::O_NOFOLLOW);
    }
    options
}

/// Refuses links, and whatever else is no file, where LMDB would open one; and nothing at all where it may not make one.
fn plain(file: &Path, create: bool) -> Result<()> {
    let text = |what: &str| format!("{}: {what}", file.display());
    match fs::symlink_metadata(file) {
        Ok(found) if !found.is_file() => {
            Err(Error::invalid(text("is a link or no file at all, which nothing here made; remove it")))
        }
        Ok(_) => Ok(()),
        Err(e) if e.kind() == ErrorKind::NotFound && create => Ok(()),
        Err(e) if e.kind() == ErrorKind::NotFound => Err(unmade(file)),
        Err(e) => Err(Error::unavailable(text(&format!("cannot be reached: {e}")))),
    }
}

/// Takes the lock under which a store is opened.
fn lock(path: &Path, create: bool) -> Result<File> {
    let failed = |e: std::io::Error| match e.kind() {
        ErrorKind::ReadOnlyFilesystem => explained(&heed::Error::Io(e), path),
        ErrorKind::NotFound if !create => unmade(path),
        _ => {
            Error::unavailable(format!("{}: cannot be opened: {e}; the store belongs to another user?", path.display()))
        }
    };
    let file = options().create(create).truncate(false).write(true).open(path).map_err(failed)?;
    let start = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(e)) => return Err(failed(e)),
            Err(TryLockError::WouldBlock) if start.elapsed() > PATIENCE => {
                let text = "another process has been opening the store for ten seconds; look for one that hangs";
                return Err(Error::new(Status::Unavailable, text).at(path.display()));
            }
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(5)),
        }
    }
}

/// Removes sessions that were written without syncing in another boot, and writes down how this boot writes them. Whether
/// this process is to sync them. Who makes no store finds none of another boot, and syncs unless it is written down already
/// that this boot does not.
fn settle(settings: &Settings, boot: &str) -> Result<bool> {
    let (path, disk) = (&settings.path, settings.durability == Durability::Disk);
    let (file, unsynced) = (path.join("boot"), format!("{boot} process\n"));
    let failed = |what: &str, e: std::io::Error| Error::unavailable(format!("{}: {what}: {e}", file.display()));
    let before = match options().read(true).open(&file).and_then(std::io::read_to_string) {
        Ok(text) => text,
        Err(e) if e.kind() == ErrorKind::NotFound => String::new(),
        Err(e) => return Err(failed("cannot be read", e)),
    };
    let torn = before.ends_with(" process\n") && before != unsynced;
    if !settings.create {
        return if torn { Err(unmade(path)) } else { Ok(disk || before != unsynced) };
    }
    if torn {
        for name in FILES {
            match fs::remove_file(path.join(SESSIONS).join(name)) {
                Err(e) if e.kind() != ErrorKind::NotFound => return Err(failed("sessions cannot be renewed", e)),
                _ => {}
            }
        }
    }
    // Once written without syncing, it counts as such for the rest of the boot.
    let now = if disk && before != unsynced { format!("{boot} disk\n") } else { unsynced };
    if now != before {
        // On disk before the first session is: what it says must be known after a crash.
        let write = || {
            use std::io::Write;
            let draft = path.join("boot.new");
            match fs::remove_file(&draft) {
                Err(e) if e.kind() != ErrorKind::NotFound => return Err(e),
                _ => {}
            }
            let mut new = options().write(true).create_new(true).open(&draft)?;
            new.write_all(now.as_bytes())?;
            new.sync_all()?;
            fs::rename(&draft, &file)?;
            File::open(path)?.sync_all()
        };
        write().map_err(|e| failed("cannot be written", e))?;
    }
    Ok(disk)
}

/// A file that was cut short would stop the process where its map is read: it is filled up again, and then looked
/// through, so that what is missing is found as damage.
fn whole(env: &Env<WithoutTls>, place: &Path) -> Result<()> {
    let stat = env.unnamed_database_stat();
    let needed = (env.info().last_page_number as u64 + 1).saturating_mul(u64::from(stat.page_size));
    let damaged = |e: &heed::Error| explained(e, place);
    let has = env.real_disk_size().map_err(|e| damaged(&e))?;
    if has >= needed {
        return Ok(());
    }
    let file = place.join("data.mdb");
    let fill = || OpenOptions::new().write(true).open(&file)?.set_len(needed);
    fill().map_err(|e| Error::unavailable(format!("{}: cut short, and cannot be filled up: {e}", file.display())))?;
    super::tables::look_through(env).map_err(|e| damaged(&e))
}

/// What went wrong, and what to do about it.
pub(super) fn explained(error: &heed::Error, place: &Path) -> Error {
    let shown = place.display();
    let text = |what: &str| Error::unavailable(format!("{shown}: {what}"));
    match error {
        heed::Error::Mdb(MdbError::MapFull) => text("the store is full: nobody can log in until sessions have ended"),
        heed::Error::Mdb(MdbError::ReadersFull) => {
            text("all 4096 places for readers are taken; is there a process that hangs?")
        }
        heed::Error::Mdb(MdbError::Invalid | MdbError::VersionMismatch) => {
            text("data.mdb is no file of this store; move it away, and a new one is made")
        }
        heed::Error::Mdb(MdbError::Panic) => {
            text("the disk failed in the middle of a commit: look at the disk, and restart this process")
        }
        heed::Error::Mdb(MdbError::Corrupted | MdbError::PageNotFound | MdbError::Incompatible) => {
            text("data.mdb is damaged; stop all processes and move it away: a new one is made")
        }
        heed::Error::Mdb(MdbError::MapResized) => text("another process uses it with a larger map: run one version"),
        heed::Error::EnvAlreadyOpened => Error::new(
            Status::Fork,
            format!(
                "{shown}: this process, or the one that it was forked from, has the store open already: attach after the last fork"
            ),
        ),
        heed::Error::Io(e) => match e.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => text("the disk is full: make room"),
            ErrorKind::FileTooLarge => text("its files may not grow any more: raise the limit on the size of files"),
            ErrorKind::ReadOnlyFilesystem => text("the file system is read-only: mount it writable"),
            ErrorKind::PermissionDenied => text("this user may not write it: run all processes as its owner"),
            _ => text(&format!("the system says: {e}")),
        },
        other => text(&other.to_string()),
    }
}
