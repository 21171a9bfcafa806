//! What a file said, arranged for look-ups that neither wait nor allocate. Built once for each reading, then immutable.
//!
//! Called by the users file and the htpasswd file. Every check that a directory must pass as a whole stands here: no two
//! users with one id, one name in any case, or one API key.

use super::{FOLDED_MAX, Gone, Resident, Tenant, TenantForm, TenantMatch, User, fold, fold_into};
use crate::base::{Error, Result, secret};
use crate::crypto::mac::MacKey;
use crate::password::{self, Format, Policy, StoredHash};
use ring::digest;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use uuid::Uuid;

/// Users by everything they are looked up by.
pub(super) struct Index {
    users: Vec<Arc<User>>,
    by_id: HashMap<String, usize>,
    by_name: HashMap<String, usize>,
    by_folded: HashMap<String, usize>,
    by_key: HashMap<[u8; 32], (usize, usize)>,
    tenants: Tenants,
    dummies: Dummies,
    over_72: bool,
}

impl Index {
    /// Errors: [`crate::base::Status::Invalid`] naming the users that stand in each other's way.
    pub(super) fn build(users: Vec<User>, tenants: Vec<Tenant>, policy: &Policy) -> Result<Index> {
        let users: Vec<_> = users.into_iter().map(Arc::new).collect();
        let (mut by_id, mut by_name, mut by_folded) = (HashMap::new(), HashMap::new(), HashMap::new());
        let mut by_key = HashMap::new();
        for (at, user) in users.iter().enumerate() {
            unique(&mut by_id, user.id.clone(), at).map_err(|_| two(user, "one id"))?;
            unique(&mut by_name, user.name.clone(), at).map_err(|_| two(user, "one name"))?;
            let folded = fold(&user.name).into_owned();
            unique(&mut by_folded, folded, at).map_err(|_| two(user, "names that differ only in case"))?;
            for (key_at, key) in user.api_keys.iter().enumerate() {
                unique(&mut by_key, key.digest, (at, key_at)).map_err(|_| two(user, "one API key"))?;
            }
        }
        let hashes = || users.iter().flat_map(|user| [&user.hash, &user.one_time]).flatten();
        let over_72 = hashes().any(|hash| password::format_of(hash) == Some(Format::Bcrypt));
        let dummies = Dummies::build(&users, policy)?;
        Ok(Index { by_id, by_name, by_folded, by_key, tenants: Tenants::build(tenants)?, dummies, over_72, users })
    }

    pub(super) fn users(&self) -> &[Arc<User>] {
        &self.users
    }

    pub(super) fn by_id(&self, id: &str) -> Option<&Arc<User>> {
        self.by_id.get(id).and_then(|at| self.users.get(*at))
    }

    /// `name` as it stands, or folded by the caller.
    pub(super) fn by_name(&self, name: &str, folded: bool) -> Option<&Arc<User>> {
        let map = if folded { &self.by_folded } else { &self.by_name };
        map.get(name).and_then(|at| self.users.get(*at))
    }

    /// The ids of this reading that `next` has no more, has disabled or pending, has with another password, or has logged out everywhere.
    pub(super) fn ended_by(&self, next: &Index) -> Vec<String> {
        let ended = |old: &&Arc<User>| {
            next.by_id(&old.id).is_none_or(|new| {
                let out = |user: &User| user.disabled || user.pending;
                (out(new) && !out(old)) || new.generation != old.generation || new.revoked > old.revoked
            })
        };
        self.users.iter().filter(ended).map(|user| user.id.clone()).collect()
    }

    pub(super) fn resident(found: Option<&Arc<User>>) -> Resident {
        found.map_or(Resident::None, |user| Resident::User(Arc::clone(user)))
    }

    pub(super) fn by_api_key(&self, key: &[u8]) -> std::result::Result<Option<(Arc<User>, usize)>, Gone> {
        let digest = key_digest(key);
        let found = self.by_key.get(&digest).and_then(|&(user, key)| Some((self.users.get(user)?, key)));
        // The map's own comparison stops at the first difference; this one does not.
        let same = found
            .filter(|(user, key)| user.api_keys.get(*key).is_some_and(|stored| secret::equal(&stored.digest, &digest)));
        Ok(same.map(|(user, key)| (Arc::clone(user), key)))
    }

    pub(super) fn tenants(&self) -> &Tenants {
        &self.tenants
    }

    pub(super) fn dummy(&self, key: &MacKey, name: &str) -> (Arc<str>, Option<Arc<str>>) {
        self.dummies.of(key, name)
    }

    pub(super) fn refuses_over_72(&self) -> bool {
        self.over_72
    }
}

fn unique<K: std::hash::Hash + Eq, V>(map: &mut HashMap<K, V>, key: K, value: V) -> std::result::Result<(), ()> {
    match map.entry(key) {
        Entry::Occupied(_) => Err(()),
        Entry::Vacant(place) => {
            place.insert(value);
            Ok(())
        }
    }
}

fn two(user: &User, what: &str) -> Error {
    Error::invalid(format!("two users have {what}; the second is `{}`: give it another", user.name))
}

/// SHA-256 of a key's text, as `printf %s KEY | sha256sum` prints it; a UUID in any case is taken in lower case.
pub(super) fn key_digest(key: &[u8]) -> [u8; 32] {
    let mut room = Uuid::encode_buffer();
    let text = match (key.len(), Uuid::try_parse_ascii(key)) {
        (36, Ok(uuid)) => uuid.hyphenated().encode_lower(&mut room).as_bytes(),
        _ => key,
    };
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, text).as_ref());
    secret::wipe(&mut room);
    out
}

/// Hashes that no password matches, in the same kinds and shares as the users' own.
struct Dummies {
    /// One of each format and cost.
    hashes: Vec<Arc<str>>,
    /// For each user with a password: which dummy costs as much, and the same for a one-time password.
    places: Vec<(usize, Option<usize>)>,
}

impl Dummies {
    fn build(users: &[Arc<User>], policy: &Policy) -> Result<Dummies> {
        let fresh: Arc<str> = Arc::from(&*password::fresh_dummy(policy)?);
        let mut dummies = Dummies { hashes: vec![fresh], places: Vec::new() };
        let mut classes = HashMap::new();
        for user in users {
            let place = user.hash.as_ref().map(|hash| dummies.add(&mut classes, hash)).transpose()?;
            let second = user.one_time.as_ref().map(|hash| dummies.add(&mut classes, hash)).transpose()?;
            if place.is_some() || second.is_some() {
                dummies.places.push((place.unwrap_or(0), second));
            }
        }
        Ok(dummies)
    }

    fn add(&mut self, classes: &mut HashMap<String, usize>, hash: &StoredHash) -> Result<usize> {
        let class = password::class(hash).ok_or_else(|| Error::invalid("a password hash cannot be read"))?;
        if let Some(at) = classes.get(&class) {
            return Ok(*at);
        }
        self.hashes.push(Arc::from(&*password::dummy_like(hash)?));
        classes.insert(class, self.hashes.len() - 1);
        Ok(self.hashes.len() - 1)
    }

    fn of(&self, key: &MacKey, name: &str) -> (Arc<str>, Option<Arc<str>>) {
        let at = pick(key, name, self.places.len());
        let (first, second) = at.and_then(|at| self.places.get(at)).copied().unwrap_or((0, None));
        let hash = |at: usize| self.hashes.get(at).cloned();
        (hash(first).unwrap_or_default(), second.and_then(hash))
    }
}

/// A place below `count` that is always the same for one name and tells nothing of it.
pub(super) fn pick(key: &MacKey, name: &str, count: usize) -> Option<usize> {
    let tag = key.tag(&[b"janua/1 dummy", fold(name).as_bytes()]);
    let number = tag.first_chunk().map(|bytes| u64::from_be_bytes(*bytes))?;
    usize::try_from(number.checked_rem(u64::try_from(count).ok()?)?).ok()
}

/// Tenants by GUID and by name.
pub(super) struct Tenants {
    all: Vec<Arc<Tenant>>,
    by_guid: HashMap<Uuid, usize>,
    by_id: HashMap<String, usize>,
    /// By folded name; `None` when several have it.
    by_name: HashMap<String, Option<usize>>,
}

impl Tenants {
    /// Errors: [`crate::base::Status::Invalid`] for two tenants of one id.
    pub(super) fn build(tenants: Vec<Tenant>) -> Result<Tenants> {
        let all: Vec<_> = tenants.into_iter().map(Arc::new).collect();
        let (mut by_guid, mut by_id, mut by_name) = (HashMap::new(), HashMap::new(), HashMap::new());
        for (at, tenant) in all.iter().enumerate() {
            let twice = |()| Error::invalid(format!("two tenants have the id `{}`", tenant.id));
            unique(&mut by_id, tenant.id.clone(), at).map_err(twice)?;
            if let Some(guid) = guid(&tenant.id) {
                unique(&mut by_guid, guid, at).map_err(twice)?;
            }
            by_name.entry(fold(&tenant.name).into_owned()).and_modify(|place| *place = None).or_insert(Some(at));
        }
        Ok(Tenants { all, by_guid, by_id, by_name })
    }

    pub(super) fn all(&self) -> Vec<Arc<Tenant>> {
        self.all.clone()
    }

    /// The id as the file spells it, for a reference to a tenant in any spelling of its id.
    pub(super) fn canonical_id(&self, id: &str) -> Option<&str> {
        let at = guid(id).and_then(|guid| self.by_guid.get(&guid)).or_else(|| self.by_id.get(id))?;
        self.all.get(*at).map(|tenant| tenant.id.as_str())
    }

    pub(super) fn by_id(&self, id: &str) -> Option<Arc<Tenant>> {
        self.by_id.get(id).and_then(|at| self.all.get(*at)).cloned()
    }

    pub(super) fn find(&self, text: &str, form: TenantForm) -> TenantMatch {
        let one = |at: Option<&usize>| {
            let found = at.and_then(|at| self.all.get(*at));
            found.map_or(TenantMatch::None, |tenant| TenantMatch::One(Arc::clone(tenant)))
        };
        if let (TenantForm::Guid, Some(guid)) = (form, guid(text)) {
            return one(self.by_guid.get(&guid));
        }
        let mut room = [0; FOLDED_MAX];
        match fold_into(text, &mut room).and_then(|folded| self.by_name.get(folded)) {
            Some(Some(at)) => one(Some(at)),
            Some(None) => TenantMatch::Several,
            None => one(self.by_id.get(text)),
        }
    }
}

/// A GUID as systems write it: 36 characters in any case, with a pair of braces or without.
fn guid(text: &str) -> Option<Uuid> {
    let bare = text.strip_prefix('{').map_or(Some(text), |rest| rest.strip_suffix('}'))?;
    if bare.len() == 36 { Uuid::try_parse(bare).ok() } else { None }
}
