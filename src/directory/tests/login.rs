//! The pieces in the order in which a login uses them.

use super::*;

/// The engine's login in small: the order of the pieces, and that they fit.
struct Login {
    users: UsersFile,
    hasher: Hasher,
    permits: Permits,
    throttle: Throttle,
    cache: Cache,
    clock: Clock,
    hashes: AtomicUsize,
}

impl Login {
    fn new(path: &Path) -> Login {
        let key = || MacKey::random().unwrap();
        Login {
            users: open(path).unwrap(),
            hasher: Hasher::new(Policy { argon2_passes: 2, ..cheap() }).unwrap(),
            permits: Permits::new(2),
            throttle: Throttle::new(Settings::default(), key()),
            cache: Cache::new(64, key()),
            clock: Clock::fake(1_000_000),
            hashes: AtomicUsize::new(0),
        }
    }

    fn verify(&self, hash: &str, password: &str) -> std::result::Result<bool, Reason> {
        self.hashes.fetch_add(1, Ordering::SeqCst);
        self.hasher.verify(hash, password.as_bytes()).map(|found| found.ok)
    }

    fn attempt(&self, name: &str, password: &str, tenant: &str) -> std::result::Result<Reason, Reason> {
        let (now, seq) = (self.clock.now(), 1);
        let name = fold(name);
        let account = Account { site: "data.example.org", user: &name, client: b"192.0.2.7" };
        let known = self.throttle.is_known(&account, now);
        let (site, profile, directory) = ("data.example.org", "form", self.users.name());
        let pair = Pair { site, profile, tenant, directory, user: &name, password: password.as_bytes() };
        let tag = self.cache.tag(&pair).ok_or(Reason::NotAttached)?;
        if (known || !self.throttle.delayed(&account, now)) && self.remembers(&tag) {
            return Ok(Reason::Proven);
        }
        if self.users.refuses_over_72() && password.len() > 72 {
            return Err(Reason::PasswordTooLong);
        }
        let lead = match self.cache.fly(&tag, Duration::from_secs(5))? {
            Flight::Lead(lead) => lead,
            Flight::Remembered if self.remembers(&tag) => return Ok(Reason::Proven),
            Flight::Remembered => return Err(Reason::Busy),
            Flight::Refused(reason) => return Err(reason),
        };
        let ticket = self.throttle.admit(&account, now, known)?;
        let permit = match self.permits.acquire(Duration::from_secs(5)) {
            Ok(permit) => permit,
            Err(reason) => {
                self.throttle.abandon(ticket);
                return Err(reason);
            }
        };
        let judged = self.judge(&name, password, tenant);
        drop(permit);
        match judged {
            Ok((user, one_time)) => {
                self.throttle.success(ticket, now);
                if !one_time {
                    self.cache.remember(&tag, &user.id, user.generation, seq, now);
                    lead.remembered();
                }
                Ok(Reason::LoggedIn)
            }
            Err(reason) if reason.is_unavailable() => {
                self.throttle.abandon(ticket);
                Err(reason)
            }
            Err(reason) => {
                self.throttle.failure(ticket, now);
                lead.refused(reason);
                Err(reason)
            }
        }
    }

    /// A hit is an answer about the past: the user as he is now must bear it out.
    fn remembers(&self, tag: &Tag) -> bool {
        self.cache.check(tag, self.clock.now()).is_some_and(|hit| match self.users.resident_by_id(&hit.principal) {
            Resident::User(user) => user.generation == hit.generation && !user.disabled && !user.pending,
            Resident::None | Resident::Ask => false,
        })
    }

    fn judge(&self, name: &str, password: &str, tenant: &str) -> std::result::Result<(Arc<User>, bool), Reason> {
        let found = self.users.by_name(name, true).map_err(|Gone| Reason::DirectoryUnavailable)?;
        let stored = found.as_ref().and_then(|user| user.hash.as_deref()).map(Arc::from);
        let hash: Arc<str> = stored.unwrap_or_else(|| self.users.dummy(name));
        let one_time = match &found {
            Some(user) => user.one_time.as_deref().map(Arc::from),
            None => self.users.dummy_one_time(name),
        };
        let by_one_time = one_time.is_some_and(|hash: Arc<str>| self.verify(&hash, password) == Ok(true));
        let by_hash = !by_one_time && self.verify(&hash, password)?;
        let user = found.ok_or(Reason::UnknownUser)?;
        if !by_one_time && !by_hash {
            return Err(Reason::WrongPassword);
        }
        if user.disabled {
            return Err(Reason::Disabled);
        }
        if user.pending {
            return Err(Reason::Pending);
        }
        if !tenant.is_empty() && !user.belongs_to(tenant) {
            return Err(Reason::WrongTenant);
        }
        match user.one_time.as_deref().filter(|_| by_one_time) {
            Some(one_time) if self.users.spend_one_time(&user.id, one_time) == Ok(true) => {}
            Some(_) => return Err(Reason::WrongPassword),
            None if self.users.may_rehash() => {
                let stale = self.hasher.verify(&hash, password.as_bytes())?.stale;
                if let (true, Ok(new)) = (stale, self.hasher.hash(password.as_bytes())) {
                    let _ = self.users.rehash(&user.id, &hash, &new);
                }
            }
            None => {}
        }
        Ok((user, by_one_time))
    }
}

#[test]
fn a_login_asks_throttle_permit_directory_hash_and_only_then_the_user() {
    let folder = Folder::new();
    let path = folder.users("format = 1\n");
    edit::add_tenant(&path, Some(VAULT.into()), "Sample Vault").unwrap();
    aladdin(&path);
    let login = Login::new(&path);
    let first = login.users.by_name("Aladdin", false).unwrap().unwrap();
    assert_eq!(login.attempt("ALADDIN", "OpenSesame", ""), Ok(Reason::LoggedIn));
    assert_eq!(login.attempt("aladdin", "OpenSesame", ""), Ok(Reason::Proven), "remembered");
    let second = login.users.by_name("Aladdin", false).unwrap().unwrap();
    assert_ne!(first.hash, second.hash, "made stronger by the way");
    assert_eq!(login.hashes.load(Ordering::SeqCst), 1);
    assert_eq!(login.attempt("Aladdin", "OpenSesame", VAULT), Err(Reason::WrongTenant));
    assert_eq!(login.attempt("nobody", "OpenSesame", ""), Err(Reason::UnknownUser));
    assert_eq!(login.hashes.load(Ordering::SeqCst), 3, "an unknown name costs a hash, too");
    edit::set_disabled(&path, "Aladdin", true).unwrap();
    login.users.reload().unwrap();
    assert_eq!(login.attempt("Aladdin", "OpenSesame", ""), Err(Reason::Disabled), "no cached pair lives on");
    assert_eq!(login.attempt("Aladdin", "wrong", ""), Err(Reason::WrongPassword), "told only to who has the password");
    edit::set_disabled(&path, "Aladdin", false).unwrap();
    edit::set_password(&path, "Aladdin", hash("new").as_str().into()).unwrap();
    login.users.reload().unwrap();
    assert_eq!(login.attempt("Aladdin", "OpenSesame", ""), Err(Reason::WrongPassword), "the generation is another");
    assert_eq!(login.attempt("Aladdin", "new", ""), Ok(Reason::LoggedIn));
    for wrong in ["a", "b", "c", "d", "e"] {
        assert_eq!(login.attempt("Aladdin", wrong, ""), Err(Reason::WrongPassword));
    }
    let hashed = login.hashes.load(Ordering::SeqCst);
    assert_eq!(login.attempt("Aladdin", "f", ""), Err(Reason::Throttled));
    assert_eq!(login.hashes.load(Ordering::SeqCst), hashed, "a delayed guess is not hashed");
    assert_eq!(login.attempt("Aladdin", "new", ""), Ok(Reason::Proven), "but the owner's own pair is known");
}

#[test]
fn a_one_time_password_comes_first_and_is_never_remembered() {
    let folder = Folder::new();
    let path = folder.users("format = 1\n");
    aladdin(&path);
    edit::set_one_time(&path, "Aladdin", hash("once").as_str().into()).unwrap();
    let login = Login::new(&path);
    assert_eq!(login.attempt("Aladdin", "once", ""), Ok(Reason::LoggedIn));
    assert_eq!(login.attempt("Aladdin", "once", ""), Err(Reason::WrongPassword));
    assert_eq!(login.attempt("Aladdin", "OpenSesame", ""), Ok(Reason::LoggedIn));
}
