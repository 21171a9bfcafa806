//! The host's own directory: callbacks, and a small shelf of the users they gave in the last minute.
//!
//! Called by the engine. The check path reads the shelf only and says [`Resident::Ask`] when it does not hold the user; a
//! login always asks the host. The host either hands out hashes (and Janua verifies) or verifies passwords itself.

use super::index::{self, Tenants};
use super::{Directory, Gone, Resident, Tenant, TenantForm, TenantMatch, User, fold};
use crate::base::{Clock, Result};
use crate::crypto::mac::MacKey;
use crate::password::{self, Format, Policy, StoredHash};
use parking_lot::RwLock;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// Seconds for which a user that the host gave is taken for true on the check path: so late may a disabled user be
/// noticed when the host does not revoke.
pub const LIFE: i64 = 60;

/// Dummies of at most so many formats and costs are kept.
const MAX_DUMMIES: usize = 16;

/// What a host implements. May block; called from threads that may wait. Any thread.
pub trait HostDirectory: Send + Sync {
    /// The user of a name; of a folded name where the profile forgives case. Asked by a principal's id as well, when the
    /// user is wanted that nobody has logged in as here. `Err(Gone)`: cannot tell now.
    fn lookup(&self, name: &str) -> std::result::Result<Option<User>, Gone>;

    /// Whether the password is right, for hosts that hand out no hashes. `None`: Janua is to verify. Asked for unknown
    /// names too, whose answer is not believed: what known and unknown ones cost is the host's to make alike.
    fn check(&self, user: &str, password: &[u8]) -> Option<std::result::Result<bool, Gone>>;
}

struct Held {
    user: Arc<User>,
    /// What the host was asked when it gave the user.
    asked: Box<str>,
    /// Boot seconds.
    born: i64,
}

/// Users by id, the oldest out when it is full.
#[derive(Default)]
struct Shelf {
    by_id: HashMap<String, Held>,
    /// Folded name to id.
    by_name: HashMap<String, String>,
    order: VecDeque<(String, i64)>,
}

/// A host's directory. Any thread; no lock is held while the host is asked.
pub struct Host {
    host: Box<dyn HostDirectory>,
    tenants: Tenants,
    clock: Clock,
    key: MacKey,
    capacity: usize,
    shelf: RwLock<Shelf>,
    /// Class and dummy, in the order seen; the first is the policy's own.
    dummies: RwLock<Vec<(String, Arc<str>)>>,
}

impl Host {
    /// `capacity`: users on the shelf. `key` as in [`super::UsersFile::open`]. Errors: no randomness, two tenants of one
    /// id.
    pub fn new(
        host: Box<dyn HostDirectory>,
        tenants: Vec<Tenant>,
        policy: &Policy,
        key: MacKey,
        clock: Clock,
        capacity: usize,
    ) -> Result<Host> {
        let fresh = password::fresh_dummy(policy)?;
        let class = password::class(&fresh).unwrap_or_default();
        let dummies = RwLock::new(vec![(class, Arc::from(&*fresh))]);
        let tenants = Tenants::build(tenants)?;
        Ok(Host { host, tenants, clock, key, capacity, shelf: RwLock::default(), dummies })
    }

    /// The user with his tenants as the configuration spells them; tenants that it does not know are none.
    fn spelled(&self, mut user: User) -> User {
        user.tenants = user.tenants.iter().filter_map(|id| self.tenants.canonical_id(id)).map(str::to_owned).collect();
        user
    }

    fn keep(&self, user: &Arc<User>, asked: &str) {
        let born = self.clock.now().boot();
        let mut shelf = self.shelf.write();
        shelf.remove(&user.id);
        if self.capacity == 0 {
            return;
        }
        while shelf.by_id.len() >= self.capacity {
            let Some((oldest, born)) = shelf.order.pop_front() else { break };
            if shelf.by_id.get(&oldest).is_some_and(|held| held.born == born) {
                shelf.remove(&oldest);
            }
        }
        shelf.by_name.insert(fold(&user.name).into_owned(), user.id.clone());
        shelf.order.push_back((user.id.clone(), born));
        shelf.by_id.insert(user.id.clone(), Held { user: Arc::clone(user), asked: asked.into(), born });
        // What was removed by name is still in line; it must not make the line grow.
        if shelf.order.len() > self.capacity.saturating_mul(2) {
            let Shelf { by_id, order, .. } = &mut *shelf;
            order.retain(|(id, born)| by_id.get(id).is_some_and(|held| held.born == *born));
        }
    }

    fn forget(&self, name: &str) {
        let mut shelf = self.shelf.write();
        if let Some(id) = shelf.by_name.get(&*fold(name)).cloned() {
            shelf.remove(&id);
        }
    }

    fn held(&self, held: Option<&Held>) -> Resident {
        let alive = |held: &&Held| (0..LIFE).contains(&self.clock.now().boot().saturating_sub(held.born));
        held.filter(alive).map_or(Resident::Ask, |held| Resident::User(Arc::clone(&held.user)))
    }

    /// Unknown names are to cost what known ones do, and hashes are only seen one by one.
    fn learn(&self, hash: &StoredHash) {
        let Some(class) = password::class(hash) else { return };
        let known = |dummies: &[(String, Arc<str>)]| {
            dummies.len() >= MAX_DUMMIES || dummies.iter().any(|(seen, _)| *seen == class)
        };
        if known(&self.dummies.read()) {
            return;
        }
        let Ok(dummy) = password::dummy_like(hash) else { return };
        let mut dummies = self.dummies.write();
        if !known(&dummies) {
            dummies.push((class, Arc::from(&*dummy)));
        }
    }
}

impl Shelf {
    fn remove(&mut self, id: &str) {
        if let Some(held) = self.by_id.remove(id) {
            let name = fold(&held.user.name);
            if self.by_name.get(&*name).is_some_and(|of| of == id) {
                self.by_name.remove(&*name);
            }
        }
    }
}

impl Directory for Host {
    fn name(&self) -> &str {
        "host"
    }

    fn resident_by_id(&self, id: &str) -> Resident {
        self.held(self.shelf.read().by_id.get(id))
    }

    /// Asked as it was when it last gave this user, since a host may know names only; then by the id.
    fn by_id(&self, id: &str) -> std::result::Result<Option<Arc<User>>, Gone> {
        let seen = self.shelf.read().by_id.get(id).map(|held| held.asked.clone());
        for name in seen.as_deref().into_iter().chain([id]) {
            if let Some(user) = self.host.lookup(name)?.filter(|user| user.id == id && !user.name.is_empty()) {
                let user = Arc::new(self.spelled(user));
                self.keep(&user, name);
                return Ok(Some(user));
            }
        }
        Ok(None)
    }

    fn by_name(&self, name: &str, folding: bool) -> std::result::Result<Option<Arc<User>>, Gone> {
        let asked = if folding { fold(name) } else { name.into() };
        let found = self.host.lookup(&asked)?;
        let Some(user) = found.filter(|user| !user.id.is_empty() && !user.name.is_empty()) else {
            self.forget(name);
            return Ok(None);
        };
        user.hash.iter().for_each(|hash| self.learn(hash));
        let user = Arc::new(self.spelled(user));
        self.keep(&user, &asked);
        Ok(Some(user))
    }

    fn by_api_key(&self, _key: &[u8]) -> std::result::Result<Option<(Arc<User>, usize)>, Gone> {
        Ok(None)
    }

    fn tenant(&self, text: &str, form: TenantForm) -> TenantMatch {
        self.tenants.find(text, form)
    }

    fn tenant_by_id(&self, id: &str) -> Option<Arc<Tenant>> {
        self.tenants.by_id(id)
    }

    fn tenants(&self) -> Vec<Arc<Tenant>> {
        self.tenants.all()
    }

    fn dummy(&self, name: &str) -> Arc<str> {
        let dummies = self.dummies.read();
        // The policy's own stands in only until a hash was seen.
        let seen = if dummies.len() > 1 { dummies.get(1..) } else { None }.unwrap_or(&dummies);
        let at = index::pick(&self.key, name, seen.len()).unwrap_or(0);
        seen.get(at).map(|(_, dummy)| Arc::clone(dummy)).unwrap_or_default()
    }

    fn refuses_over_72(&self) -> bool {
        self.dummies.read().iter().any(|(_, dummy)| password::format_of(dummy) == Some(Format::Bcrypt))
    }

    fn check_host(&self, name: &str, password: &[u8]) -> Option<std::result::Result<bool, Gone>> {
        self.host.check(name, password)
    }
}
