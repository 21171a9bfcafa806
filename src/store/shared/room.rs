//! The file of an environment: whether it still lies in its place, and room on the disk that is kept for those who are
//! already in: pages that nothing stands on, there before they are needed.
//!
//! Used by `store::shared` before a log-in and by its upkeep. LMDB changes nothing in its place: a use, a log-out and a
//! tombstone need a few pages more for a moment, and a full disk has none. So new sessions stop while a file still has some,
//! as they stop before the map is full (`Rows::is_full`). It must write behind the file's end only, and only while nobody
//! else can write: the transaction that it is given is the environment's own. It must open nothing once it is there: a
//! process that may open no more files keeps its store.

use super::tables::Table;
use crate::store::held::folder::identity;
use heed::{Env, RoTxn, WithoutTls};
use std::fs;
use std::io::{self, ErrorKind};
use std::path::PathBuf;

/// Bytes kept free in the file of the sessions, and in that of the log.
const SESSIONS: u64 = 4 << 20;
const REVOCATIONS: u64 = 1 << 20;

/// Of a map what is new may fill so many hundredths: the rest is for touches, tombstones and log-outs.
pub(super) const NEW: u64 = 85;

/// And log-outs so many: the rest is for forgetting, which writes pages anew before it gives the old ones back.
pub(super) const ENDS: u64 = 95;

/// A file grows by so much at a time.
const STEP: u64 = 1 << 20;

/// An environment's file, and what is kept free in it.
pub(super) struct File {
    file: fs::File,
    path: PathBuf,
    identity: Option<(u64, u64)>,
    page: u64,
    map: u64,
    free: u64,
}

impl File {
    pub(super) fn of_sessions(env: &Env<WithoutTls>) -> heed::Result<File> {
        File::of(env, SESSIONS)
    }

    pub(super) fn of_revocations(env: &Env<WithoutTls>) -> heed::Result<File> {
        File::of(env, REVOCATIONS)
    }

    fn of(env: &Env<WithoutTls>, free: u64) -> heed::Result<File> {
        let file = env.try_clone_inner_file()?;
        let identity = identity(&file.metadata()?);
        let map = env.info().map_size as u64;
        // Of a small map no more than a quarter.
        let free = free.min(map / 4);
        let page = u64::from(env.unnamed_database_stat().page_size);
        Ok(File { file, path: env.path().join("data.mdb"), identity, page, map, free })
    }

    /// Whether another file lies in its place, or none. Errors: nobody knows.
    pub(super) fn is_replaced(&self) -> io::Result<bool> {
        match fs::metadata(&self.path) {
            Ok(there) => Ok(identity(&there) != self.identity),
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(true),
            Err(e) => Err(e),
        }
    }

    /// Whether what stands in `tables`, with `owed` bytes that are still to come, fills so many hundredths of the map.
    pub(super) fn fills(&self, r: &RoTxn<'_>, tables: &[&Table], owed: u64, hundredths: u64) -> heed::Result<bool> {
        let used = self.used(r, tables)?.saturating_add(owed);
        Ok(used.saturating_mul(100) >= self.map.saturating_mul(hundredths))
    }

    /// Bytes of the pages that are in use.
    pub(super) fn used(&self, r: &RoTxn<'_>, tables: &[&Table]) -> heed::Result<u64> {
        Ok((pages(r, tables)? as u64).saturating_mul(self.page))
    }

    /// Bytes by which the file is too short for what stands in `tables`; `None` when it is not.
    pub(super) fn lacks(&self, r: &RoTxn<'_>, tables: &[&Table]) -> heed::Result<Option<u64>> {
        let needed = self.used(r, tables)?.saturating_add(self.free);
        Ok(needed.checked_sub(self.size()?).filter(|lacking| *lacking > 0))
    }

    /// Makes the file longer by `bytes` and some more. Whoever calls has the write lock, and has changed nothing yet.
    /// Errors: the disk is full.
    pub(super) fn grow(&self, bytes: u64) -> heed::Result<()> {
        let from = self.size()?;
        let needed = from.saturating_add(bytes);
        match lengthen(&self.file, from, needed.saturating_add(STEP)) {
            // The disk gave what is needed, and nothing more.
            Err(_) if self.size()? >= needed => Ok(()),
            grown => Ok(grown?),
        }
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }
}

/// Pages that are in use, but for the few that say which are free.
fn pages(r: &RoTxn<'_>, tables: &[&Table]) -> heed::Result<usize> {
    let mut pages = 0;
    for table in tables {
        let stat = table.stat(r)?;
        pages += stat.branch_pages + stat.leaf_pages + stat.overflow_pages;
    }
    Ok(pages)
}

#[cfg(unix)]
fn lengthen(file: &fs::File, from: u64, to: u64) -> io::Result<()> {
    use std::os::unix::fs::FileExt;
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
fn lengthen(_: &fs::File, _: u64, _: u64) -> io::Result<()> {
    Ok(())
}
