//! The administrator's changes to a users file: add, disable, set a password, import, keys.
//!
//! Called by the command only. Each function takes the file's lock, changes one thing, proves that the result loads and
//! replaces the file. What ends sessions and tokens writes the time down with it ([`User::revoked`]), so that they stay
//! ended in processes that start later. Nothing here revokes in this process: whoever disables a user or changes a
//! password revokes **afterwards** (directory first, then revoke), or a login in between would outlive it.

use super::document::{self, Document};
use super::file::{self, Strictness};
use super::users::change_file;
use super::{ApiKey, Attr, Tenant, User, fold, htpasswd, is_name};
use crate::base::{Clock, Error, Result, random};
use crate::password::{Format, Policy, StoredHash};
use std::collections::BTreeMap;
use std::path::Path;
use zeroize::Zeroizing;

/// What [`add`] needs to know of a new user.
#[derive(Clone, Debug, Default)]
pub struct NewUser {
    pub name: String,
    /// A UUID is made when there is none.
    pub id: Option<String>,
    pub full_name: String,
    pub email: String,
    pub roles: Vec<String>,
    /// Ids of tenants that are in the file.
    pub tenants: Vec<String>,
    pub attrs: BTreeMap<String, Attr>,
    pub pending: bool,
    /// A hash, never a password. None for a user of keys.
    pub hash: Option<StoredHash>,
    pub one_time: Option<StoredHash>,
}

/// What [`import`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    pub added: Vec<String>,
    /// What was left out, each a sentence with its line.
    pub skipped: Vec<String>,
}

/// Editing reads every format, so that a file with weak hashes can still be mended.
fn policy() -> Policy {
    Policy { weak: Format::ALL.to_vec(), ..Policy::default() }
}

fn change(path: &Path, change: impl FnOnce(&mut Document) -> Result<()>) -> Result<()> {
    change_file(path, &policy(), |document| change(document).map(|()| true)).map(|_| ())
}

/// Makes an empty users file of mode 0600. Errors: [`crate::base::Status::Invalid`] when there is one already.
pub fn create(path: &Path) -> Result<()> {
    file::create(path, &document::print(&Document::default())?)
}

/// All users, in the order of the file. Blocks on the file.
pub fn list(path: &Path) -> Result<(Vec<Tenant>, Vec<User>)> {
    let (text, _) = file::read(path, Strictness::Private)?;
    let document = document::parse(&text).map_err(|error| error.at(path.display()))?;
    Ok((document.tenants, document.users))
}

/// Adds a user and returns the id. Errors: [`crate::base::Status::Invalid`] for a name that is taken in any case.
pub fn add(path: &Path, user: NewUser) -> Result<String> {
    if !is_name(&user.name) {
        let text = "a name has 1 to 256 bytes, no control character and no blank at either end";
        return Err(Error::invalid(text));
    }
    let id = match user.id {
        Some(id) => id,
        None => uuid()?,
    };
    let user = User {
        id: id.clone(),
        name: user.name,
        full_name: user.full_name,
        email: user.email,
        roles: user.roles,
        tenants: user.tenants,
        attrs: user.attrs,
        pending: user.pending,
        generation: 1,
        hash: user.hash,
        one_time: user.one_time,
        ..User::default()
    };
    change(path, |document| {
        document.users.push(user);
        Ok(())
    })?;
    Ok(id)
}

/// Adds a tenant; a GUID is made when there is no id. Returns the id.
pub fn add_tenant(path: &Path, id: Option<String>, name: &str) -> Result<String> {
    let id = match id {
        Some(id) => id,
        None => uuid()?,
    };
    let tenant = Tenant { id: id.clone(), name: name.to_owned() };
    change(path, |document| {
        document.tenants.push(tenant);
        Ok(())
    })?;
    Ok(id)
}

/// Changes whatever `edit` changes of one user (roles, tenants, names). Not for passwords: those raise the generation.
///
/// Errors: [`crate::base::Status::NotFound`] for a name that is not in the file.
pub fn change_user<T>(path: &Path, name: &str, edit: impl FnOnce(&mut User) -> Result<T>) -> Result<T> {
    let mut out = None;
    change(path, |document| {
        let unknown = || Error::not_found(format!("{}: there is no user `{name}`", path.display()));
        let user = document.users.iter_mut().find(|user| user.name == name).ok_or_else(unknown)?;
        out = Some(edit(user)?);
        Ok(())
    })?;
    out.ok_or_else(|| Error::invalid("nothing was changed"))
}

/// Disables or enables a user. Revoke after disabling.
pub fn set_disabled(path: &Path, name: &str, disabled: bool) -> Result<()> {
    change_user(path, name, |user| {
        user.disabled = disabled;
        if disabled {
            end_all(user);
        }
        Ok(())
    })
}

/// "Log out everywhere": ends all sessions, tokens and remembered pairs of a user, who may log in again at once.
pub fn log_out(path: &Path, name: &str) -> Result<()> {
    change_user(path, name, |user| {
        end_all(user);
        Ok(())
    })
}

fn end_all(user: &mut User) {
    let now = Clock::system().now().unix_us;
    user.revoked = user.revoked.saturating_add(1).max(u64::try_from(now).unwrap_or(0));
}

/// Sets the password's hash, raises the generation, ends `must_change` and drops a one-time password. Revoke afterwards.
/// Returns the new generation.
pub fn set_password(path: &Path, name: &str, hash: StoredHash) -> Result<u64> {
    change_user(path, name, |user| {
        user.hash = Some(hash);
        user.one_time = None;
        user.must_change = false;
        raise(user)
    })
}

/// Sets the hash of a password that is good for one login. The other password stays; the generation is raised, for the
/// user's proof is another from now on.
pub fn set_one_time(path: &Path, name: &str, hash: StoredHash) -> Result<u64> {
    change_user(path, name, |user| {
        user.one_time = Some(hash);
        raise(user)
    })
}

fn raise(user: &mut User) -> Result<u64> {
    let next = user.generation.checked_add(1).filter(|next| i64::try_from(*next).is_ok());
    user.generation = next.ok_or_else(|| Error::invalid("the generation has reached its end"))?;
    end_all(user);
    Ok(user.generation)
}

/// Takes over the users of an htpasswd file whose names are not taken, with their hashes as they are. Weak ones only when
/// `policy` allows them.
pub fn import(path: &Path, from: &Path, policy: &Policy) -> Result<Imported> {
    let (text, _) = file::read(from, Strictness::Foreign)?;
    let (entries, skipped) = htpasswd::parse(&text, policy);
    let mut imported = Imported { added: Vec::new(), skipped };
    change(path, |document| {
        for entry in entries {
            if document.users.iter().any(|user| fold(&user.name) == fold(&entry.name)) {
                imported.skipped.push(format!("line {}: there is a user `{}` already", entry.line, entry.name));
                continue;
            }
            let (id, name, hash) = (uuid()?, entry.name, Some(entry.hash));
            imported.added.push(name.clone());
            document.users.push(User { id, name, hash, generation: 1, ..User::default() });
        }
        Ok(())
    })?;
    Ok(imported)
}

/// Makes an API key and returns it: the only time that it can be seen. `expires` in Unix seconds.
///
/// Errors: [`crate::base::Status::Invalid`] when the user has a key of this name.
pub fn add_key(path: &Path, name: &str, key_name: &str, expires: Option<i64>) -> Result<Zeroizing<String>> {
    let key = Zeroizing::new(uuid()?);
    let digest = super::index::key_digest(key.as_bytes());
    change_user(path, name, |user| {
        if user.api_keys.iter().any(|key| key.name == key_name) {
            return Err(Error::invalid(format!("user `{name}` has a key `{key_name}` already")));
        }
        user.api_keys.push(ApiKey { name: key_name.to_owned(), digest, expires, disabled: false });
        Ok(())
    })?;
    Ok(key)
}

/// Removes an API key. Errors: [`crate::base::Status::NotFound`].
pub fn remove_key(path: &Path, name: &str, key_name: &str) -> Result<()> {
    change_user(path, name, |user| {
        let before = user.api_keys.len();
        user.api_keys.retain(|key| key.name != key_name);
        if user.api_keys.len() == before {
            return Err(Error::not_found(format!("user `{name}` has no key `{key_name}`")));
        }
        Ok(())
    })
}

/// A random UUID (RFC 9562, version 4): 122 random bits.
fn uuid() -> Result<String> {
    Ok(uuid::Builder::from_random_bytes(random::array()?).into_uuid().hyphenated().to_string())
}
