//! Directories: where users, their password hashes and their keys come from.
//!
//! Called by the engine. On the check path (`resident_*`, `by_api_key`, `tenant`, no file, no wait, no allocation) and in
//! a login, in this order: throttle, permit, [`Directory::by_name`], the hash (or [`Directory::dummy`] for a name that is
//! not there, so that both take as long), and only then `disabled`, `pending` and the tenants. A directory hands out what
//! is written; it never says who may come in, and no hash of it stands in an error or a `Debug`.
//!
//! | kind | file | written |
//! |---|---|---|
//! | [`users`] | `users.toml`, ours | by rehash, one-time passwords and the command |
//! | [`htpasswd`] | Apache's | never |
//! | [`host`] | the host's callbacks | never |

mod document;
pub mod edit;
mod file;
pub mod host;
pub mod htpasswd;
mod index;
mod sys;
pub mod users;

pub use host::{Host, HostDirectory};
pub use htpasswd::Htpasswd;
pub use users::UsersFile;

use crate::base::Result;
use crate::password::StoredHash;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A vault, a central server: what a user may belong to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant {
    pub id: String,
    pub name: String,
}

/// A key that stands for its user without a password. The key itself was shown once, when it was made.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey {
    pub name: String,
    /// SHA-256 of the key's text (of the canonical text when it is a UUID).
    pub digest: [u8; 32],
    /// Unix seconds; the key is dead from then on.
    pub expires: Option<i64>,
    pub disabled: bool,
}

impl ApiKey {
    /// Whether the key counts at `unix` seconds: not disabled, and its end not reached.
    pub fn is_alive(&self, unix: i64) -> bool {
        !self.disabled && self.expires.is_none_or(|end| unix < end)
    }
}

impl std::fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApiKey").field("name", &self.name).field("expires", &self.expires).finish_non_exhaustive()
    }
}

/// A value that a profile's answers may show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attr {
    Text(String),
    Int(i64),
    Bool(bool),
}

/// A user as the directory has it. `Debug` hides hashes and digests.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct User {
    /// Never changes, even when the name does.
    pub id: String,
    pub name: String,
    pub full_name: String,
    pub email: String,
    pub roles: Vec<String>,
    /// Ids of tenants.
    pub tenants: Vec<String>,
    pub attrs: BTreeMap<String, Attr>,
    pub disabled: bool,
    /// Not activated yet.
    pub pending: bool,
    /// Must set a new password after the next login.
    pub must_change: bool,
    /// Raised by every password change, and by nothing else.
    pub generation: u64,
    /// Microseconds of Unix time of the last "log out everywhere", 0 for never: what was made before it has ended, and
    /// stays ended in a process that starts later.
    pub revoked: u64,
    /// The hash of the password; none for a user who has only keys.
    pub hash: Option<StoredHash>,
    /// The hash of a password that is good for one login, tried before the other.
    pub one_time: Option<StoredHash>,
    pub api_keys: Vec<ApiKey>,
}

impl User {
    /// Whether the user belongs to the tenant of this id.
    pub fn belongs_to(&self, tenant_id: &str) -> bool {
        self.tenants.iter().any(|id| id == tenant_id)
    }
}

/// What a directory can tell without waiting.
#[derive(Clone, Debug)]
pub enum Resident {
    User(Arc<User>),
    None,
    /// Only a slow look-up can tell.
    Ask,
}

/// The directory did not answer. Never to be read as "no such user".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone;

/// How a profile spells tenants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TenantForm {
    /// By name, any case; by id when that is written exactly.
    Name,
    /// By GUID, braces or none, any case; else by name. A GUID wins.
    Guid,
}

/// What a tenant's spelling means.
#[derive(Clone, Debug)]
pub enum TenantMatch {
    One(Arc<Tenant>),
    /// Several tenants have this name.
    Several,
    None,
}

/// A place where users are found. Any thread. Nothing is kept of what is passed in.
pub trait Directory: Send + Sync {
    /// `users`, `htpasswd` or `host`: part of what cached pairs are bound to.
    fn name(&self) -> &str;

    /// The user of an id. No allocation, no file, no wait.
    fn resident_by_id(&self, id: &str) -> Resident;

    /// The user of an id. May be slow for a host's directory only, which is asked by the id then.
    fn by_id(&self, id: &str) -> std::result::Result<Option<Arc<User>>, Gone> {
        match self.resident_by_id(id) {
            Resident::User(user) => Ok(Some(user)),
            Resident::None => Ok(None),
            Resident::Ask => Err(Gone),
        }
    }

    /// The user of a name; with `fold`, in any case. May be slow for a host's directory only.
    fn by_name(&self, name: &str, fold: bool) -> std::result::Result<Option<Arc<User>>, Gone>;

    /// The user of an API key and the key's place in [`User::api_keys`]. The caller asks [`ApiKey::is_alive`].
    fn by_api_key(&self, key: &[u8]) -> std::result::Result<Option<(Arc<User>, usize)>, Gone>;

    /// The tenant that a request names. No allocation beyond an `Arc`'s count.
    fn tenant(&self, text: &str, form: TenantForm) -> TenantMatch;

    /// The tenant of exactly this id.
    fn tenant_by_id(&self, id: &str) -> Option<Arc<Tenant>>;

    /// All tenants, in the order of the file.
    fn tenants(&self) -> Vec<Arc<Tenant>>;

    /// A hash to verify an unknown name against: of the format and cost of some user's, always the same for one name.
    /// No password matches it. Also for a user who has no hash.
    fn dummy(&self, name: &str) -> Arc<str>;

    /// A second dummy, when that user also has a one-time password: verified before [`Directory::dummy`].
    fn dummy_one_time(&self, _name: &str) -> Option<Arc<str>> {
        None
    }

    /// Whether any hash is bcrypt's: then passwords over 72 bytes are refused for every name, before any look-up.
    fn refuses_over_72(&self) -> bool;

    /// Whether [`Directory::rehash`] has a chance: asked before a new hash is computed for it.
    fn may_rehash(&self) -> bool {
        false
    }

    /// Puts `new` in the place of `old` if the user's hash still is exactly `old`: the new password always wins. Raises no
    /// generation and revokes nothing. `Ok(false)`: not written, and nothing is wrong.
    fn rehash(&self, _id: &str, _old: &str, _new: &str) -> Result<bool> {
        Ok(false)
    }

    /// Uses up a one-time password: removes it if it still is exactly `one_time`, and says that the user must set a new
    /// one. `Ok(true)`: this login has it. `Ok(false)`: another login had it first; refuse. An error: it could not be used
    /// up, for the file cannot be written.
    fn spend_one_time(&self, _id: &str, _one_time: &str) -> Result<bool> {
        Ok(false)
    }

    /// Called by maintenance: reads again what has changed, and names the ids whose sessions and tokens must end: gone,
    /// disabled, pending, with another password or logged out everywhere. On an error the last good stays.
    fn reload(&self) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    /// [`User::revoked`] of those who have one, by id, for a store that does not outlive its process.
    fn revoked(&self) -> Vec<(String, u64)> {
        Vec::new()
    }

    /// For directories that verify passwords themselves: whether this one is right. `None` elsewhere.
    fn check_host(&self, _name: &str, _password: &[u8]) -> Option<std::result::Result<bool, Gone>> {
        None
    }
}

/// A name in the form in which names are the same "in any case": each character in Unicode lower case. Borrowed when it
/// has that form.
///
/// The throttle counts under this form, and folding look-ups use it: the key of a lock-out and the key of a look-up are
/// one (CVE-2021-30640).
pub fn fold(name: &str) -> Cow<'_, str> {
    if name.chars().flat_map(lower).eq(name.chars()) {
        return Cow::Borrowed(name);
    }
    Cow::Owned(name.chars().flat_map(lower).collect())
}

/// [`fold`] without allocation, for the check path. `None` when `room` is too small: such a name stands in no directory
/// when `room` has [`FOLDED_MAX`] bytes.
pub fn fold_into<'b>(name: &str, room: &'b mut [u8]) -> Option<&'b str> {
    let mut length = 0;
    for c in name.chars().flat_map(lower) {
        length += c.encode_utf8(room.get_mut(length..length + c.len_utf8())?).len();
    }
    std::str::from_utf8(room.get(..length)?).ok()
}

/// The longest name in bytes.
pub const NAME_MAX: usize = 256;

/// Room for any folded name: lower case is at most three times as long.
pub const FOLDED_MAX: usize = 3 * NAME_MAX;

/// The Greek sigma has two lower cases; as in Unicode's case folding they count as one.
fn lower(c: char) -> impl Iterator<Item = char> {
    c.to_lowercase().map(|lower| if lower == 'ς' { 'σ' } else { lower })
}

/// Whether a name may stand in a directory: 1 to 256 bytes, no control character, no blank at either end. Look-ups of
/// other names find nothing.
pub fn is_name(name: &str) -> bool {
    (1..=NAME_MAX).contains(&name.len()) && !name.chars().any(char::is_control) && name.trim() == name
}

#[cfg(all(test, unix))]
mod tests;
