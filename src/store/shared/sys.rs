//! Opening an LMDB environment: the one call of the binding that the compiler cannot check. Nothing else here is unsafe.

#![allow(unsafe_code)]

use heed::{Env, EnvFlags, EnvOpenOptions, WithoutTls};
use std::path::Path;

/// Reader slots: one for each thread, of any process, that reads at one moment.
const READERS: u32 = 4096;

/// Databases in one environment.
const DATABASES: u32 = 8;

/// Opens the environment in the folder `path`. `synced`: every commit is on disk when it returns; otherwise it is in the
/// system's memory, where no end of a process touches it.
///
/// The caller has made sure that this process does not have it open, and that nobody else opens it meanwhile: `place` keeps
/// one for each path, under a lock.
pub(super) fn open(path: &Path, map: usize, synced: bool) -> heed::Result<Env<WithoutTls>> {
    let env = open_once(path, map, synced)?;
    if env.info().number_of_readers == 0 {
        return Ok(env);
    }
    // Of readers that were killed LMDB clears the places, but for those of this process's own number, which another one may
    // have had: it takes them for alive. Closing clears those, of a process that has read. Nothing of ours reads yet, and
    // whose number somebody else has at this moment may not read, and clears nothing.
    drop(env.read_txn());
    env.prepare_for_closing().wait();
    open_once(path, map, synced)
}

fn open_once(path: &Path, map: usize, synced: bool) -> heed::Result<Env<WithoutTls>> {
    let mut options = EnvOpenOptions::new().read_txn_without_tls();
    options.map_size(map).max_readers(READERS).max_dbs(DATABASES);
    if !synced {
        // SAFETY: NO_SYNC gives up what a crash of the whole system leaves, nothing in a running one; `place` throws such
        // an environment away after a boot. No other flag is set, above all not NO_LOCK and not WRITE_MAP.
        unsafe { options.flags(EnvFlags::NO_SYNC) };
    }
    // SAFETY: the files are mapped, so they must not be cut short or rewritten by anything but LMDB while this is open.
    // They lie in a folder of mode 0700 that `place` has checked, under names of ours; who can write there can write
    // this process's memory in other ways too. All processes use one lock file on one machine, with its locks on.
    unsafe { options.open(path) }
}
