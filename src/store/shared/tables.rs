//! The databases inside an environment: all of bytes, made under names of ours, and nothing of anybody else's beside
//! them.
//!
//! Used by `store::shared` alone.

use super::place::explained;
use crate::base::{Error, Result};
use heed::types::Bytes;
use heed::{CommitOrAbort, Database, Env, RoTxn, WithoutTls};
use std::path::Path;

/// A database of bytes.
pub(super) type Table = Database<'static, Bytes, Bytes>;

/// Which format an environment has; another number is another version's.
const FORMAT: &[u8] = b"janua shared store, format 1";

/// The key of the format in the first database, which each environment calls `meta`.
const FORMAT_KEY: &[u8] = b"format";

/// Opens the databases of these names, the first of them `meta`; makes them in an environment that is empty.
pub(super) fn open<const N: usize>(env: &Env<WithoutTls>, names: [&str; N]) -> Result<[Table; N]> {
    let place = env.path().to_owned();
    let found = env.unnamed_database_stat().entries;
    let opened = env.write_txn().and_then(|w| {
        env.create_databases_and_commit(w, |opener, w| {
            let mut tables = Vec::with_capacity(N);
            for name in names {
                tables.push(opener.create_database::<Bytes, Bytes>(w, Some(name))?);
            }
            let tables = <[_; N]>::try_from(tables).map_err(|_| heed::Error::Mdb(heed::MdbError::Incompatible))?;
            let Some(meta) = tables.first() else { return Ok(CommitOrAbort::Abort(None)) };
            match meta.get(w, FORMAT_KEY)? {
                Some(FORMAT) => {}
                None if found == 0 => meta.put(w, FORMAT_KEY, FORMAT)?,
                other => return Ok(CommitOrAbort::Abort(other.map(<[u8]>::to_vec))),
            }
            Ok::<_, heed::Error>(CommitOrAbort::Commit(tables))
        })
    });
    match opened.map_err(|e| explained(&e, &place))? {
        CommitOrAbort::Commit(tables) => Ok(tables),
        CommitOrAbort::Abort(format) => Err(foreign(format.as_deref(), &place)),
    }
}

fn foreign(format: Option<&[u8]>, place: &Path) -> Error {
    let what = match format.map(String::from_utf8_lossy) {
        Some(format) if format.starts_with("janua") => "is of another version; stop it, and move the folder away",
        _ => "holds what no store of this program wrote; name another folder",
    };
    Error::invalid(format!("{}: data.mdb {what}", place.display()))
}

/// Reads every page of every database. Errors: what LMDB finds damaged.
pub(super) fn look_through(env: &Env<WithoutTls>) -> heed::Result<()> {
    let r = env.read_txn()?;
    let looked = env.open_databases_and_commit(r, |opener, r| {
        if let Some(all) = opener.open_database::<Bytes, Bytes>(r, None)? {
            let names: Vec<String> = names(&all, r)?;
            for name in names {
                if let Some(table) = opener.open_database::<Bytes, Bytes>(r, Some(&name))? {
                    for row in table.iter(r)? {
                        row?;
                    }
                }
            }
        }
        Ok::<_, heed::Error>(CommitOrAbort::<(), ()>::Abort(()))
    })?;
    let (CommitOrAbort::Commit(()) | CommitOrAbort::Abort(())) = looked;
    Ok(())
}

fn names(all: &Database<'_, Bytes, Bytes>, r: &RoTxn<'_>) -> heed::Result<Vec<String>> {
    let rows = all.iter(r)?;
    rows.map(|row| row.map(|(name, _)| String::from_utf8_lossy(name).into_owned())).collect()
}
