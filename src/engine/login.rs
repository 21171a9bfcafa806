//! Passwords: a pair of name and password against the directory, in the one order that is safe.
//!
//! The store's number is read first, then the throttle reserves a place, then a hash permit, then the directory, then
//! the hash, and only after the hash whether the user is disabled, pending or of another tenant. Every way to log in
//! comes through [`Asked::verify`], so that there is one count of failures over all of them. A one-time password is used
//! up last ([`Asked::use_up`]), when nothing else can refuse the request any more.

use crate::base::{Reason, Status, encoding};
use crate::directory::{self, Resident, User};
use crate::engine::decide::{Asked, Stop};
use crate::engine::decision::WaitClass;
use crate::engine::policy;
use crate::engine::subject::Subject;
use crate::password::verified::{Flight, Pair as CachedPair, Tag};
use crate::profile::{Pair, Visit};
use crate::throttle::Account;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

/// A pair that was right.
pub(crate) struct Verified {
    pub user: Arc<User>,
    /// The store's number, read before anything else.
    pub seq: u64,
    /// It was the one-time password, which is still to be used up.
    pub one_time: bool,
}

/// How a password was right.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Right {
    Good,
    /// And its hash is worth making anew.
    Stale,
    OneTime,
}

/// Longest name, in bytes, that is looked up.
const MAX_NAME: usize = 256;

/// Where a name is put into another form without allocating. Longer names than any directory has are allocated.
pub(crate) struct NameRoom([u8; MAX_NAME]);

impl NameRoom {
    pub const fn new() -> NameRoom {
        NameRoom([0; MAX_NAME])
    }

    /// `name` folded.
    fn folded<'n>(&'n mut self, name: &'n str) -> Cow<'n, str> {
        directory::fold_into(name, &mut self.0).map_or_else(|| directory::fold(name), Cow::Borrowed)
    }

    /// `domain\user`, folded where that is wanted.
    fn joined(&mut self, domain: &str, user: &str, fold: bool) -> Cow<'_, str> {
        match self.join(domain, user, fold) {
            Some(length) => String::from_utf8_lossy(self.0.get(..length).unwrap_or_default()),
            None if fold => Cow::Owned(directory::fold(&format!("{domain}\\{user}")).into_owned()),
            None => Cow::Owned(format!("{domain}\\{user}")),
        }
    }

    fn join(&mut self, domain: &str, user: &str, fold: bool) -> Option<usize> {
        let mut length = 0;
        for part in [domain, "\\", user] {
            let rest = self.0.get_mut(length..)?;
            if fold {
                length += directory::fold_into(part, rest)?.len();
            } else {
                rest.get_mut(..part.len())?.copy_from_slice(part.as_bytes());
                length += part.len();
            }
        }
        Some(length)
    }
}

impl Asked<'_> {
    /// A pair that comes with an ordinary request: known pairs are remembered, so that they are hashed once.
    pub fn check_pair(&self, visit: &Visit<'_>, pair: &Pair<'_>, subject: &mut Subject) -> Result<(), Stop> {
        let mut room = NameRoom::new();
        let name = self.canonical(&pair.user, pair.domain.as_deref(), &mut room);
        let password = &*pair.password;
        let engine = self.engine;
        if !engine.throttle.quiet(self.now) && self.is_delayed(&name) {
            self.note(|| "too many failures: refused without looking at the password".to_owned());
            self.mark_name(&name);
            return Err(Reason::Throttled.into());
        }
        let tenant = visit.tenant()?;
        let cached = CachedPair {
            site: &engine.site,
            profile: self.site.profile.name(),
            tenant: tenant.as_deref().unwrap_or(""),
            directory: engine.directory.name(),
            user: &name,
            password,
        };
        let tag = engine.verified.tag(&cached).ok_or(Reason::NotAttached)?;
        if let Some((user, seq)) = self.remembered(&tag)? {
            self.note(|| "the pair verified before and is remembered".to_owned());
            (subject.user, subject.seq) = (Some(user), seq);
            return Ok(());
        }
        if self.fast {
            return Err(Stop::Wait(WaitClass::Hash));
        }
        let verified = self.verify_once(&tag, &name, password)?;
        subject.verified(verified);
        Ok(())
    }

    /// Whether guesses at this name from here must wait. The known pairs of its owner need not.
    fn is_delayed(&self, name: &str) -> bool {
        let mut room = NameRoom::new();
        let folded = room.folded(name);
        let account = self.account(&folded);
        let throttle = &self.engine.throttle;
        throttle.delayed(&account, self.now) && !throttle.is_known(&account, self.now)
    }

    /// Verifies a pair of which many equal requests may come at once: one of them hashes, the others get its word.
    fn verify_once(&self, tag: &Tag, name: &str, password: &[u8]) -> Result<Verified, Stop> {
        let cache = &self.engine.verified;
        let lead = match cache.fly(tag, self.hash_wait())? {
            Flight::Lead(lead) => lead,
            Flight::Refused(reason) => {
                self.mark_name(name);
                return Err(reason.into());
            }
            Flight::Remembered => return self.known(tag)?.ok_or(Stop::Refuse(Reason::Busy)),
        };
        // Who looked just before another one landed leads again: it looks again.
        if let Some(known) = self.known(tag)? {
            lead.remembered();
            return Ok(known);
        }
        match self.verify(name, password) {
            Ok(verified) => {
                if !verified.one_time {
                    let user = &verified.user;
                    cache.remember(tag, &user.id, user.generation, verified.seq, self.now);
                    lead.remembered();
                }
                Ok(verified)
            }
            Err(Stop::Refuse(reason)) if reason != Reason::Throttled => {
                lead.refused(reason);
                Err(reason.into())
            }
            Err(stop) => Err(stop),
        }
    }

    fn known(&self, tag: &Tag) -> Result<Option<Verified>, Stop> {
        Ok(self.remembered(tag)?.map(|(user, seq)| Verified { user, seq, one_time: false }))
    }

    fn hash_wait(&self) -> Duration {
        Duration::from_secs(u64::from(self.engine.hash_wait))
    }

    /// A pair from the cache, still good: user not disabled, password unchanged, nothing revoked since.
    fn remembered(&self, tag: &Tag) -> Result<Option<(Arc<User>, u64)>, Stop> {
        let engine = self.engine;
        let Some(hit) = engine.verified.check(tag, self.now) else { return Ok(None) };
        let user = match engine.directory.resident_by_id(&hit.principal) {
            Resident::User(user) => user,
            Resident::None | Resident::Ask => return Ok(None),
        };
        let store = &engine.store;
        let floor = self.asked(|| store.floor_at_once(&user.id, self.now), || store.floor(&user.id))?;
        if hit.seq < floor.map_err(|_| Reason::StoreUnavailable)? {
            return Ok(None);
        }
        let good = policy::in_force(&user).is_ok() && user.generation == hit.generation;
        Ok(good.then_some((user, hit.seq)))
    }

    /// Verifies a pair. `name` is canonical. Slow: only where the caller may wait.
    pub fn verify(&self, name: &str, password: &[u8]) -> Result<Verified, Stop> {
        let engine = self.engine;
        if name.len() > MAX_NAME || name.chars().any(char::is_control) {
            return Err(Reason::Malformed.into());
        }
        let too_long =
            password.len() > engine.max_password || (password.len() > 72 && engine.directory.refuses_over_72());
        if too_long {
            return Err(Reason::PasswordTooLong.into());
        }
        let seq = engine.store.seq().map_err(|_| Reason::StoreUnavailable)?;
        let folded = directory::fold(name);
        let account = self.account(&folded);
        let known = engine.throttle.is_known(&account, self.now);
        let ticket = engine.throttle.admit(&account, self.now, known).inspect_err(|_| self.mark_name(name))?;
        let outcome = self.hash(name, password);
        match &outcome {
            Ok(_) => engine.throttle.success(ticket, self.now),
            Err(reason) if reason.is_unavailable() => engine.throttle.abandon(ticket),
            Err(_) => engine.throttle.failure(ticket, self.now),
        }
        let (user, one_time) = outcome.inspect_err(|reason| {
            self.note(|| format!("the pair is refused: {}", reason.name()));
            self.mark_name(name);
        })?;
        self.note(|| "the password is right".to_owned());
        Ok(Verified { user, seq, one_time })
    }

    /// Look-up and hash, within a permit.
    fn hash(&self, name: &str, password: &[u8]) -> Result<(Arc<User>, bool), Reason> {
        let engine = self.engine;
        let _permit = engine.permits.acquire(self.hash_wait())?;
        let fold = self.site.profile.lenient().user_case;
        let user = engine.directory.by_name(name, fold).map_err(|_| Reason::DirectoryUnavailable)?;
        let Some(user) = user else {
            // A host that verifies by itself is asked what it is asked for others; its word counts for nothing.
            if engine.directory.check_host(name, password).is_none() {
                self.hash_nobody(name, password, true);
            }
            return Err(Reason::UnknownUser);
        };
        let right = self.right_password(&user, name, password)?;
        policy::in_force(&user)?;
        if right == Right::Stale {
            self.rehash(&user, password);
        }
        Ok((user, right == Right::OneTime))
    }

    fn right_password(&self, user: &User, name: &str, password: &[u8]) -> Result<Right, Reason> {
        let engine = self.engine;
        if let Some(answer) = engine.directory.check_host(name, password) {
            return match answer {
                Ok(true) => Ok(Right::Good),
                Ok(false) => Err(Reason::WrongPassword),
                Err(_) => Err(Reason::DirectoryUnavailable),
            };
        }
        if let Some(once) = &user.one_time
            && engine.hasher.verify(once, password)?.ok
        {
            return Ok(Right::OneTime);
        }
        let Some(hash) = &user.hash else {
            self.hash_nobody(name, password, false);
            return Err(Reason::WrongPassword);
        };
        match engine.hasher.verify(hash, password)? {
            verdict if !verdict.ok => Err(Reason::WrongPassword),
            verdict if verdict.stale => Ok(Right::Stale),
            _ => Ok(Right::Good),
        }
    }

    /// Spends on a name without a hash what some user's name would cost.
    fn hash_nobody(&self, name: &str, password: &[u8], unknown: bool) {
        let directory = &self.engine.directory;
        let second = if unknown { directory.dummy_one_time(name) } else { None };
        for dummy in second.into_iter().chain([directory.dummy(name)]) {
            let _ = self.engine.hasher.verify(&dummy, password);
        }
    }

    /// A stale hash is made anew; that it cannot be written is no reason to refuse a right password. Only for who is let
    /// in: the time that it takes would tell that the password was right.
    fn rehash(&self, user: &User, password: &[u8]) {
        let directory = &self.engine.directory;
        // Who asks for an explanation changes nothing.
        if self.steps.is_some() || !directory.may_rehash() {
            return;
        }
        let Some(old) = &user.hash else { return };
        let Ok(new) = self.engine.hasher.hash(password) else { return };
        let _ = directory.rehash(&user.id, old, &new);
    }

    /// Uses up the one-time password that proved `subject`, if one did: it opens once, and where it cannot be used up it
    /// opens nothing. Called when nothing else can refuse the request, or a refusal would lock its owner out.
    pub fn use_up(&self, subject: &mut Subject) -> Result<(), Stop> {
        let Some(user) = subject.user.as_mut().filter(|_| subject.one_time) else { return Ok(()) };
        // Another item may refuse the list still, and the password would be gone for nothing.
        if self.inside {
            self.note(|| "a one-time password opens no list".to_owned());
            return Err(Reason::WrongPassword.into());
        }
        let Some(once) = user.one_time.as_deref() else { return Err(Reason::WrongPassword.into()) };
        let spent = if self.steps.is_some() { Ok(true) } else { self.engine.directory.spend_one_time(&user.id, once) };
        match spent {
            Ok(true) => {
                let mut changed = (**user).clone();
                changed.one_time = None;
                changed.must_change = true;
                *user = Arc::new(changed);
                subject.one_time = false;
                Ok(())
            }
            Ok(false) => Err(Reason::WrongPassword.into()),
            Err(_) => Err(Reason::DirectoryUnavailable.into()),
        }
    }

    /// The name as directory, throttle and cache all know it. Does not allocate for a name of a usual length.
    pub fn canonical<'n>(&self, user: &'n str, domain: Option<&str>, room: &'n mut NameRoom) -> Cow<'n, str> {
        let fold = self.site.profile.lenient().user_case;
        match domain.filter(|d| !d.is_empty()) {
            None if fold => room.folded(user),
            None => Cow::Borrowed(user),
            Some(domain) => room.joined(domain, user, fold),
        }
    }

    /// Names are told to audit as keyed digests: people type passwords where the name belongs.
    fn mark_name(&self, name: &str) {
        let digest = self.engine.names.tag(&[name.as_bytes()]);
        let mut mark = [b'~'; 33];
        mark[1..].copy_from_slice(&encoding::hex_array::<32>(&digest));
        self.marks.name.set(Some(mark));
    }

    fn account<'n>(&'n self, name: &'n str) -> Account<'n> {
        Account { site: &self.engine.site, user: name, client: self.client.address }
    }
}

/// What stops a call that made something, in the words of a request.
pub(crate) fn made(error: crate::base::Error) -> Stop {
    Stop::Refuse(match error.status {
        Status::Random => Reason::NoRandom,
        Status::Refused => Reason::SessionRevoked,
        _ => Reason::StoreUnavailable,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_form_whether_it_fits_the_room_or_not() {
        let long = "Ä".repeat(MAX_NAME);
        for (domain, user) in [("ACME", "AlexK"), ("acme", "alexk"), ("ACME", long.as_str()), (&long, "x")] {
            let whole = format!("{domain}\\{user}");
            assert_eq!(NameRoom::new().joined(domain, user, false), whole);
            assert_eq!(NameRoom::new().joined(domain, user, true), directory::fold(&whole));
            assert_eq!(NameRoom::new().folded(user), directory::fold(user));
        }
        assert!(matches!(NameRoom::new().joined("ACME", "AlexK", true), Cow::Borrowed("acme\\alexk")));
    }
}
