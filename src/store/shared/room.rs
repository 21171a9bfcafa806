//! Room on the disk that is kept for those who are already in: pages of a file that nothing stands on, there before
//! they are needed.
//!
//! Used by `store::shared::sessions` before a log-in. LMDB changes nothing in its place: a use, a log-out and a tombstone
//! need a few pages more for a moment, and a full disk has none. So new sessions stop while a file still has some, as
//! they stop before the map is full (`Rows::is_full`). It must write behind the file's end only, and only while nobody
//! else can write: the transaction that it is given is the environment's own.

use super::tables::Table;
use heed::{Env, RoTxn, WithoutTls};
use std::io;

/// Bytes kept free in the file of the sessions, and in that of the log.
const SESSIONS: u64 = 4 << 20;
const REVOCATIONS: u64 = 1 << 20;

/// A file grows by so much at a time.
const STEP: u64 = 1 << 20;

/// An environment's file, and what is kept free in it.
pub(super) struct File<'e> {
    env: &'e Env<WithoutTls>,
    free: u64,
}

impl File<'_> {
    pub(super) fn of_sessions(env: &Env<WithoutTls>) -> File<'_> {
        File { env, free: SESSIONS }
    }

    pub(super) fn of_revocations(env: &Env<WithoutTls>) -> File<'_> {
        File { env, free: REVOCATIONS }
    }

    /// Bytes by which the file is too short for what stands in `tables`; `None` when it is not.
    pub(super) fn lacks(&self, r: &RoTxn<'_>, tables: &[&Table]) -> heed::Result<Option<u64>> {
        let page = u64::from(self.env.unnamed_database_stat().page_size);
        let map = u64::try_from(self.env.info().map_size).unwrap_or(u64::MAX);
        // Of a small map no more than a quarter.
        let needed = (pages(r, tables)? as u64).saturating_mul(page).saturating_add(self.free.min(map / 4));
        Ok(needed.checked_sub(self.env.real_disk_size()?).filter(|lacking| *lacking > 0))
    }

    /// Makes the file longer by `bytes` and some more. Whoever calls has the write lock, and has changed nothing yet.
    /// Errors: the disk is full.
    pub(super) fn grow(&self, bytes: u64) -> heed::Result<()> {
        let from = self.env.real_disk_size()?;
        let needed = from.saturating_add(bytes);
        match lengthen(self.env, from, needed.saturating_add(STEP)) {
            // The disk gave what is needed, and nothing more.
            Err(_) if self.env.real_disk_size()? >= needed => Ok(()),
            grown => Ok(grown?),
        }
    }
}

/// Pages that are in use, but for the few that say which are free.
pub(super) fn pages(r: &RoTxn<'_>, tables: &[&Table]) -> heed::Result<usize> {
    let mut pages = 0;
    for table in tables {
        let stat = table.stat(r)?;
        pages += stat.branch_pages + stat.leaf_pages + stat.overflow_pages;
    }
    Ok(pages)
}

#[cfg(unix)]
fn lengthen(env: &Env<WithoutTls>, from: u64, to: u64) -> io::Result<()> {
    use std::os::unix::fs::FileExt;
    let file = env.try_clone_inner_file().map_err(io::Error::other)?;
    let zeros = [0; 1 << 16];
    let mut at = from;
    while at < to {
        let count = zeros.len().min(usize::try_from(to - at).unwrap_or(usize::MAX));
        file.write_all_at(zeros.get(..count).unwrap_or(&zeros), at)?;
        at += count as u64;
    }
    Ok(())
}

#[cfg(not(unix))]
fn lengthen(_: &Env<WithoutTls>, _: u64, _: u64) -> io::Result<()> {
    Ok(())
}
