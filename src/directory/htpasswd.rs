//! Apache's htpasswd file: read, never written. A user's id is the name.
//!
//! Called by the engine, and by the command's import. An entry that cannot be used (no hash of a known format, a weak one
//! that is not allowed, a name twice) is left out with a warning, and the others stand: the file is another program's.

use super::file::{self, Stamp, Strictness};
use super::index::Index;
use super::{Directory, Gone, Resident, Tenant, TenantForm, TenantMatch, User, fold, is_name};
use crate::base::Result;
use crate::crypto::digest;
use crate::crypto::mac::MacKey;
use crate::password::{self, Policy, StoredHash};
use parking_lot::{Mutex, RwLock};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One usable line.
pub(super) struct Line {
    pub(super) line: usize,
    pub(super) name: String,
    pub(super) hash: StoredHash,
}

/// The usable lines, and a sentence for each that is not. Of two lines with one name (in any case) the first counts, as
/// in Apache.
pub(super) fn parse(text: &str, policy: &Policy) -> (Vec<Line>, Vec<String>) {
    let (mut lines, mut warnings, mut names) = (Vec::new(), Vec::new(), HashSet::new());
    for (at, text) in text.lines().enumerate() {
        let (line, text) = (at + 1, text.trim_end_matches('\r'));
        if text.trim().is_empty() || text.starts_with('#') {
            continue;
        }
        match entry(text, policy) {
            Ok((name, _)) if !names.insert(fold(name).into_owned()) => {
                warnings.push(format!("line {line}: user `{name}` stands above already, maybe in other case"));
            }
            Ok((name, hash)) => lines.push(Line { line, name: name.to_owned(), hash: StoredHash::from(hash) }),
            Err(fault) => warnings.push(format!("line {line}: {fault}")),
        }
    }
    (lines, warnings)
}

fn entry<'t>(text: &'t str, policy: &Policy) -> std::result::Result<(&'t str, &'t str), String> {
    let (name, rest) = text.split_once(':').ok_or("not `name:hash`")?;
    if !is_name(name) {
        return Err("not a name that can log in".to_owned());
    }
    // Apache, too, ignores what stands behind another colon.
    let hash = rest.split(':').next().unwrap_or(rest);
    match password::check(hash, policy) {
        Ok(_) => Ok((name, hash)),
        Err(error) => Err(format!("user `{name}`: {error}")),
    }
}

/// The password is all that can change here, so the generation is a digest of its hash.
fn generation(hash: &str) -> u64 {
    let digest = digest::sha256(&[b"janua/1 htpasswd generation", hash.as_bytes()]);
    digest.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

struct Read {
    stamp: Stamp,
    warnings: Vec<String>,
}

/// An htpasswd file, open for look-ups. Any thread.
pub struct Htpasswd {
    path: PathBuf,
    policy: Policy,
    key: MacKey,
    index: RwLock<Arc<Index>>,
    read: Mutex<Read>,
}

fn load(path: &Path, policy: &Policy) -> Result<(Index, Read)> {
    let (text, stamp) = file::read(path, Strictness::Foreign)?;
    let (lines, warnings) = parse(&text, policy);
    let user = |line: Line| User {
        id: line.name.clone(),
        generation: generation(&line.hash),
        name: line.name,
        hash: Some(line.hash),
        ..User::default()
    };
    let index = Index::build(lines.into_iter().map(user).collect(), Vec::new(), policy);
    Ok((index.map_err(|error| error.at(path.display()))?, Read { stamp, warnings }))
}

impl Htpasswd {
    /// Reads `path`; `key` as in [`super::UsersFile::open`]. Errors: the file cannot be read, or everybody may write it.
    pub fn open(path: &Path, policy: Policy, key: MacKey) -> Result<Htpasswd> {
        let (index, read) = load(path, &policy)?;
        let (index, read) = (RwLock::new(Arc::new(index)), Mutex::new(read));
        Ok(Htpasswd { path: path.to_owned(), policy, key, index, read })
    }

    /// What was left out at the last reading, and why; each a sentence that begins with the line.
    pub fn warnings(&self) -> Vec<String> {
        self.read.lock().warnings.clone()
    }
}

impl Directory for Htpasswd {
    fn name(&self) -> &str {
        "htpasswd"
    }

    fn resident_by_id(&self, id: &str) -> Resident {
        Index::resident(self.index.read().by_id(id))
    }

    fn by_name(&self, name: &str, folding: bool) -> std::result::Result<Option<Arc<User>>, Gone> {
        let index = self.index.read();
        Ok(if folding { index.by_name(&fold(name), true) } else { index.by_name(name, false) }.cloned())
    }

    fn by_api_key(&self, _key: &[u8]) -> std::result::Result<Option<(Arc<User>, usize)>, Gone> {
        Ok(None)
    }

    fn tenant(&self, _text: &str, _form: TenantForm) -> TenantMatch {
        TenantMatch::None
    }

    fn tenant_by_id(&self, id: &str) -> Option<Arc<Tenant>> {
        self.index.read().tenants().by_id(id)
    }

    fn tenants(&self) -> Vec<Arc<Tenant>> {
        Vec::new()
    }

    fn dummy(&self, name: &str) -> Arc<str> {
        self.index.read().dummy(&self.key, name).0
    }

    fn refuses_over_72(&self) -> bool {
        self.index.read().refuses_over_72()
    }

    fn reload(&self) -> Result<Vec<String>> {
        let mut read = self.read.lock();
        if file::look(&self.path)? == read.stamp {
            return Ok(Vec::new());
        }
        let (index, fresh) = load(&self.path, &self.policy)?;
        let old = std::mem::replace(&mut *self.index.write(), Arc::new(index));
        let ended = old.ended_by(&self.index.read());
        drop(old); // Outside the lock, as in the users file.
        *read = fresh;
        Ok(ended)
    }
}
