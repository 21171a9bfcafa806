//! The users file: `users.toml`, ours, read by every process and written under its lock.
//!
//! Called by the engine. A login writes two things through one door, compare-and-swap on the exact stored text under the
//! lock of the file: a stronger hash, and a one-time password that was used. A password change made meanwhile always wins,
//! because it changed the text that is compared. Where this process may not write, hashes stay as they are, and it is said
//! once. The administrator's own changes are in [`super::edit`].

use super::document::{self, Document};
use super::file::{self, Locked, Stamp, Strictness};
use super::index::Index;
use super::{Directory, Gone, Resident, Tenant, TenantForm, TenantMatch, User, fold};
use crate::base::{Error, Result, Status, secret};
use crate::crypto::mac::MacKey;
use crate::password::{self, Policy, StoredHash};
use parking_lot::{Mutex, RwLock};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A users file, open for look-ups. Any thread; look-ups share a lock that is held for a pointer's copy.
pub struct UsersFile {
    path: PathBuf,
    policy: Policy,
    key: MacKey,
    index: RwLock<Arc<Index>>,
    /// The state of the file that `index` was read from. Held while reading again, so that an older reading never
    /// replaces a newer one.
    read: Mutex<Stamp>,
    told: AtomicBool,
    /// Ids whose sessions must end, of readings since the last [`Directory::reload`]: a login's own writing reads too.
    ended: Mutex<Vec<String>>,
}

/// Reads a document and everything that must hold of it, each mistake with its line.
pub(super) fn check(document: Document, policy: &Policy) -> Result<Index> {
    let Document { tenants, mut users, lines } = document;
    let known = super::index::Tenants::build(tenants.clone())?;
    for (at, user) in users.iter_mut().enumerate() {
        let place = match lines.get(at) {
            Some(line) => format!("line {line}: user `{}`", user.name),
            None => format!("user `{}`", user.name),
        };
        for hash in [&user.hash, &user.one_time].into_iter().flatten() {
            password::check(hash, policy).map_err(|error| error.at(&place))?;
        }
        for id in &mut user.tenants {
            let text = || Error::invalid(format!("{place}: there is no [[tenant]] with the id `{id}`"));
            *id = known.canonical_id(id).ok_or_else(text)?.to_owned();
        }
    }
    Index::build(users, tenants, policy)
}

fn load(path: &Path, policy: &Policy) -> Result<(Index, Stamp)> {
    let (text, stamp) = file::read(path, Strictness::Private).map_err(|mut error| {
        if error.status == Status::NotFound {
            error.message.push_str("; `janua user add` makes it");
        }
        error
    })?;
    let index = document::parse(&text).and_then(|document| check(document, policy));
    Ok((index.map_err(|error| error.at(path.display()))?, stamp))
}

impl UsersFile {
    /// Reads `path`. `key` chooses dummies: the same for all processes of a site, so that an unknown name costs the same
    /// everywhere.
    ///
    /// Errors: [`crate::base::Status::NotFound`], [`crate::base::Status::Invalid`] (with the line), both with the mend;
    /// [`crate::base::Status::Unavailable`] when the system refuses. Blocks on the file.
    pub fn open(path: &Path, policy: Policy, key: MacKey) -> Result<UsersFile> {
        let (index, stamp) = load(path, &policy)?;
        let (index, read) = (RwLock::new(Arc::new(index)), Mutex::new(stamp));
        Ok(UsersFile {
            path: path.to_owned(),
            policy,
            key,
            index,
            read,
            told: AtomicBool::new(false),
            ended: Mutex::default(),
        })
    }

    /// All users, in the order of the file.
    pub fn users(&self) -> Vec<Arc<User>> {
        self.index().users().to_vec()
    }

    fn index(&self) -> Arc<Index> {
        Arc::clone(&self.index.read())
    }

    pub(super) fn read_again(&self, always: bool) -> Result<()> {
        let mut read = self.read.lock();
        if !always && file::look(&self.path)? == *read {
            return Ok(());
        }
        let (index, stamp) = load(&self.path, &self.policy)?;
        let old = std::mem::replace(&mut *self.index.write(), Arc::new(index));
        self.ended.lock().extend(old.ended_by(&self.index()));
        drop(old); // Outside the lock: freeing thousands of users takes longer than a check may wait.
        *read = stamp;
        self.told.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// The one door by which a login writes: `change` sees the user as the file has him now, under the lock, and says
    /// whether to write.
    fn swap(&self, id: &str, change: impl FnOnce(&mut User) -> bool) -> Result<bool> {
        let swapped = change_file(&self.path, &self.policy, |document| {
            Ok(document.users.iter_mut().find(|user| user.id == id).is_some_and(change))
        })?;
        if swapped {
            self.read_again(true)?;
        }
        Ok(swapped)
    }
}

/// Reads the file under its lock, lets `change` at it, and writes when that says so: only what would load again.
pub(super) fn change_file(
    path: &Path,
    policy: &Policy,
    change: impl FnOnce(&mut Document) -> Result<bool>,
) -> Result<bool> {
    let locked = Locked::open(path)?;
    let (open, place) = locked.file();
    let (text, _) = file::read_open(open, place, Strictness::Private)?;
    let mut document = document::parse(&text).map_err(|error| error.at(path.display()))?;
    if !change(&mut document)? {
        return Ok(false);
    }
    let text = document::print(&document)?;
    // Neither a bug of ours nor a wrong argument may leave a file that no process can read.
    let mut written = document::parse(&text)?;
    // Its lines are of a text that nobody has seen.
    written.lines.clear();
    check(written, policy)?;
    locked.replace(&text)?;
    Ok(true)
}

fn is_still(stored: Option<&StoredHash>, text: &str) -> bool {
    stored.is_some_and(|stored| secret::equal(stored.as_bytes(), text.as_bytes()))
}

impl Directory for UsersFile {
    fn name(&self) -> &str {
        "users"
    }

    fn resident_by_id(&self, id: &str) -> Resident {
        Index::resident(self.index.read().by_id(id))
    }

    fn by_name(&self, name: &str, folding: bool) -> std::result::Result<Option<Arc<User>>, Gone> {
        let index = self.index();
        Ok(if folding { index.by_name(&fold(name), true) } else { index.by_name(name, false) }.cloned())
    }

    fn by_api_key(&self, key: &[u8]) -> std::result::Result<Option<(Arc<User>, usize)>, Gone> {
        self.index.read().by_api_key(key)
    }

    fn tenant(&self, text: &str, form: TenantForm) -> TenantMatch {
        self.index.read().tenants().find(text, form)
    }

    fn tenant_by_id(&self, id: &str) -> Option<Arc<Tenant>> {
        self.index.read().tenants().by_id(id)
    }

    fn tenants(&self) -> Vec<Arc<Tenant>> {
        self.index.read().tenants().all()
    }

    fn dummy(&self, name: &str) -> Arc<str> {
        self.index().dummy(&self.key, name).0
    }

    fn dummy_one_time(&self, name: &str) -> Option<Arc<str>> {
        self.index().dummy(&self.key, name).1
    }

    fn refuses_over_72(&self) -> bool {
        self.index.read().refuses_over_72()
    }

    fn may_rehash(&self) -> bool {
        !self.told.load(Ordering::Relaxed)
    }

    /// Errors: once, when this process may not write the file; then `Ok(false)`, until the file was changed by another.
    fn rehash(&self, id: &str, old: &str, new: &str) -> Result<bool> {
        password::check(new, &self.policy)?;
        if self.told.load(Ordering::Relaxed) {
            return Ok(false);
        }
        let swapped = self.swap(id, |user| {
            let same = is_still(user.hash.as_ref(), old);
            if same {
                user.hash = Some(StoredHash::from(new));
            }
            same
        });
        match swapped {
            Err(_) if self.told.swap(true, Ordering::Relaxed) => Ok(false),
            other => other,
        }
    }

    fn spend_one_time(&self, id: &str, one_time: &str) -> Result<bool> {
        self.swap(id, |user| {
            let same = is_still(user.one_time.as_ref(), one_time);
            if same {
                user.one_time = None;
                user.must_change = true;
            }
            same
        })
    }

    fn revoked(&self) -> Vec<(String, u64)> {
        let index = self.index();
        let revoked = index.users().iter().filter(|user| user.revoked > 0);
        revoked.map(|user| (user.id.clone(), user.revoked)).collect()
    }

    fn reload(&self) -> Result<Vec<String>> {
        self.read_again(false)?;
        Ok(std::mem::take(&mut *self.ended.lock()))
    }
}
