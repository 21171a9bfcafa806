//! The folder of a shared store: who may be in it, what was left there, and one open environment for each path.
//!
//! | name | what |
//! |---|---|
//! | `lock` | held while a process opens the store |
//! | `open` | held, shared, for as long as a process has the store open |
//! | `boot` | the boot in which sessions were last opened, and whether without syncing |
//! | `permits` | a page shared by those who hash passwords (`password::slots`); disposable |
//! | `counts-…` | a page of failure counts (`throttle::ledger`), one for each boot; disposable |
//! | `sessions/` | an LMDB environment: rows, index, times |
//! | `revocations/` | another one, small, always synced: the log |
//!
//! Used by `store::shared` alone. Nothing is removed but sessions that a crash of the system may have torn: written
//! without syncing, in another boot, and open in no process. What the system calls its boot is not enough for that: two
//! processes may see two names (a container, a service without `/proc/sys`), or none. A lock does not outlive the
//! system, so what somebody holds open is of this boot. A fork that lives on holds it for its parent; that is as true.

use super::{Durability, Settings, room, sys};
use crate::base::sys::{NO_BOOT_NAME, boot_name};
use crate::base::{Error, Result, Status, random};
use crate::crypto::digest::sha256;
use crate::store::held::folder::{folder, unmade};
use heed::{Env, MdbError, WithoutTls};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long another process may take to open the store.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// How long a thread of this process may take to close it.
const CLOSING: Duration = Duration::from_millis(500);

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
    pub lock: Opening,
    /// Held for as long as they are open.
    pub held: File,
}

/// Opens both environments, and makes folder and files where `settings` allows it; otherwise it changes none.
pub(super) fn open(settings: &Settings) -> Result<Opened> {
    let path = &settings.path;
    folder(path, settings.create)?;
    let lock = lock(&path.join("lock"), settings.create)?;
    let (held, alone) = hold(&path.join("open"), settings.create)?;
    let boot = boot_name();
    let synced = settle(settings, &boot, alone)?;
    // All of it before any of it is opened: that writes.
    for place in [REVOCATIONS, SESSIONS].map(|name| path.join(name)) {
        folder(&place, settings.create)?;
        FILES.iter().try_for_each(|file| plain(&place.join(file), settings.create))?;
    }
    let open = |name: &str, map: usize, synced: bool| {
        let place = path.join(name);
        let env = opened(&place, map, synced).map_err(|e| explained(&e, &place))?;
        whole(&env, &place)?;
        Ok::<_, Error>(env)
    };
    let revocations = open(REVOCATIONS, settings.revocations_map, true)?;
    let sessions = open(SESSIONS, settings.sessions_map, synced)?;
    Ok(Opened { sessions, revocations, boot_tag: boot_tag(&boot)?, lock, held })
}

/// An environment that this process has open is waited for, but not for long: the last engine that had it may be closing it in
/// another thread. What a fork has inherited nobody closes.
fn opened(place: &Path, map: usize, synced: bool) -> heed::Result<Env<WithoutTls>> {
    let start = Instant::now();
    loop {
        match sys::open(place, map, synced) {
            Err(heed::Error::EnvAlreadyOpened) if start.elapsed() < CLOSING => {
                std::thread::sleep(Duration::from_millis(1));
            }
            opened => return opened,
        }
    }
}

/// What rows say of the boot in which their boot seconds count. Without a name no two are the same: what another process
/// wrote, or this one before, goes by the wall clock.
pub(super) fn boot_tag(boot: &str) -> Result<u64> {
    if boot == NO_BOOT_NAME {
        return random::array().map(u64::from_be_bytes);
    }
    let tag = sha256(&[b"janua-boot", boot.as_bytes()]);
    Ok(tag.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes)))
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

/// The lock under which a store is opened. It is let go by name: a child that another thread forks off meanwhile inherits
/// the file, and closing it here alone would leave the lock to that child for its life.
pub(super) struct Opening(pub(super) File);

impl Drop for Opening {
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

/// Takes the lock under which a store is opened.
pub(super) fn lock(path: &Path, create: bool) -> Result<Opening> {
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
            Ok(()) => return Ok(Opening(file)),
            Err(TryLockError::Error(e)) => return Err(failed(e)),
            Err(TryLockError::WouldBlock) if start.elapsed() > PATIENCE => {
                let text = "another process has been opening the store for ten seconds; look for one that hangs";
                return Err(Error::new(Status::Unavailable, text).at(path.display()));
            }
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(5)),
        }
    }
}

/// Takes the lock of those who have the store open, and says whether nobody else has. Whoever calls holds `lock`, so that
/// nobody comes in between; nobody waits.
fn hold(path: &Path, create: bool) -> Result<(File, bool)> {
    let failed = |e: std::io::Error| match e.kind() {
        ErrorKind::NotFound if !create => unmade(path),
        _ => explained(&heed::Error::Io(e), path),
    };
    let file = options().create(create).truncate(false).write(true).open(path).map_err(failed)?;
    let alone = match file.try_lock() {
        Ok(()) => true,
        Err(TryLockError::WouldBlock) => false,
        Err(TryLockError::Error(e)) => return Err(failed(e)),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok((file, alone)),
        Err(TryLockError::Error(e)) => Err(failed(e)),
        Err(TryLockError::WouldBlock) => {
            Err(Error::unavailable(format!("{}: locked by what is no process of this store", path.display())))
        }
    }
}

/// Removes sessions that were written without syncing in another boot, and writes down how this boot writes them. Whether
/// this process is to sync them. Who makes no store finds none of another boot, and syncs unless it is written down already
/// that this boot does not. `alone`: nobody else has the store open.
pub(super) fn settle(settings: &Settings, boot: &str, alone: bool) -> Result<bool> {
    let (path, disk) = (&settings.path, settings.durability == Durability::Disk);
    let file = path.join("boot");
    let failed = |what: &str, e: std::io::Error| Error::unavailable(format!("{}: {what}: {e}", file.display()));
    let before = match options().read(true).open(&file).and_then(std::io::read_to_string) {
        Ok(text) => Some(text),
        Err(e) if e.kind() == ErrorKind::NotFound => None,
        Err(e) => return Err(failed("cannot be read", e)),
    };
    // Of a word that nobody wrote the worst is thought.
    let unsynced = before.as_ref().is_some_and(|before| !before.ends_with(" disk\n"));
    let same = boot != NO_BOOT_NAME && before.as_ref().is_some_and(|before| *before == word(boot, false));
    let torn = unsynced && alone && !same;
    if !settings.create {
        return if torn { Err(unmade(path)) } else { Ok(disk || !unsynced) };
    }
    if torn {
        for name in FILES {
            match fs::remove_file(path.join(SESSIONS).join(name)) {
                Err(e) if e.kind() != ErrorKind::NotFound => return Err(failed("sessions cannot be renewed", e)),
                _ => {}
            }
        }
    }
    // Once written without syncing, it counts as such for the rest of the boot, under the name that it has.
    let stays = unsynced && !torn;
    if !stays && before.as_ref() != Some(&word(boot, disk)) {
        // On disk before the first session is: what it says must be known after a crash.
        let write = || {
            use std::io::Write;
            let draft = path.join("boot.new");
            match fs::remove_file(&draft) {
                Err(e) if e.kind() != ErrorKind::NotFound => return Err(e),
                _ => {}
            }
            let mut new = options().write(true).create_new(true).open(&draft)?;
            new.write_all(word(boot, disk).as_bytes())?;
            new.sync_all()?;
            fs::rename(&draft, &file)?;
            File::open(path)?.sync_all()
        };
        write().map_err(|e| failed("cannot be written", e))?;
    }
    Ok(disk)
}

/// What the file `boot` says.
fn word(boot: &str, disk: bool) -> String {
    format!("{boot} {}\n", if disk { "disk" } else { "process" })
}

/// A file that was cut short would stop the process where its map is read: it is filled up again, and then looked
/// through, so that what is missing is found as damage. It may also be short because its last pages are free and were
/// never written, while another process is about to write them: so it is judged and made longer under the write lock, and
/// never made shorter.
pub(super) fn whole(env: &Env<WithoutTls>, place: &Path) -> Result<()> {
    let lacks = || {
        let page = u64::from(env.unnamed_database_stat().page_size);
        let needed = (env.info().last_page_number as u64 + 1).saturating_mul(page);
        Ok::<_, heed::Error>(needed.checked_sub(env.real_disk_size()?).filter(|lacking| *lacking > 0))
    };
    let fill = || {
        // The common case takes no lock.
        if lacks()?.is_none() {
            return Ok(false);
        }
        let _w = env.write_txn()?;
        let Some(lacking) = lacks()? else { return Ok(false) };
        room::File::of_sessions(env)?.grow(lacking).map(|()| true)
    };
    match fill() {
        Ok(false) => Ok(()),
        Ok(true) => super::tables::look_through(env).map_err(|e| explained(&e, place)),
        Err(heed::Error::Io(e)) => {
            let file = place.join("data.mdb");
            Err(Error::unavailable(format!("{}: cut short, and cannot be filled up: {e}", file.display())))
        }
        Err(e) => Err(explained(&e, place)),
    }
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
            // The lock by which LMDB knows the living from the dead is one for each number of a process.
            ErrorKind::WouldBlock => text(
                "a process with this one's number has it open, in another process namespace: let all of them share their \
                 process ids",
            ),
            _ => text(&format!("the system says: {e}")),
        },
        other => text(&other.to_string()),
    }
}
