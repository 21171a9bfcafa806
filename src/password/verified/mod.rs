//! The verified-credential cache: a Basic pair that was verified is known again for five minutes by one keyed MAC.
//!
//! Called by the engine: [`Cache::check`] on the check path, [`Cache::fly`] and [`Cache::remember`] around a login. It
//! holds no password, only MACs under a key of this process, because a MAC is fast to guess at: the key lives in a
//! [`KeyPage`] that a fork wipes and a dump leaves out.
//!
//! What the MAC covers, each part with its length: site, profile, tenant, directory, canonical user, password. Generation
//! and revocation number are not known before the look-up, so they stand in the entry as they were read **before** the
//! verification, and come back with the hit. A hit is an answer about the past: the engine lets it in only when the live
//! user has the same generation and is neither disabled nor pending, and `seq` is at or above every floor. So a
//! password change and a revocation kill it without this file hearing of them. Failures are never remembered.

mod flight;

pub use flight::{Flight, Lead};

use crate::base::{Now, Result, secret};
use crate::crypto::mac::MacKey;
use flight::Slot;
use parking_lot::Mutex;
use std::sync::Arc;

/// Seconds for which a verified pair is known.
pub const LIFE: i64 = 300;

/// Entries that share a set; a full set loses its oldest.
const WAYS: usize = 4;

/// Where the cache's key lives. After a fork the page reads as wiped, and the cache as empty.
pub trait KeyPage: Send + Sync {
    /// The MAC of `parts`; `None` when the page was wiped.
    fn tag(&self, parts: &[&[u8]]) -> Option<[u8; 32]>;
    /// Draws a new key after a fork. Errors: [`crate::base::Status::Random`].
    fn renew(&self) -> Result<()>;
}

/// A key in ordinary memory, for hosts that never fork and for tests: never wiped, so never renewed.
impl KeyPage for MacKey {
    fn tag(&self, parts: &[&[u8]]) -> Option<[u8; 32]> {
        Some(MacKey::tag(self, parts))
    }

    fn renew(&self) -> Result<()> {
        Ok(())
    }
}

/// A pair as a request offered it. No `Debug`: it holds a password.
#[derive(Clone, Copy)]
pub struct Pair<'a> {
    pub site: &'a str,
    pub profile: &'a str,
    /// The tenant's id; empty for none.
    pub tenant: &'a str,
    /// The directory's name.
    pub directory: &'a str,
    /// In the form in which it is looked up and counted.
    pub user: &'a str,
    pub password: &'a [u8],
}

/// The MAC of a pair under the key of this process. Worth as much as the password to who holds the key: no `Debug`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Tag([u8; 32]);

/// What was known when a pair was verified. To be judged against what is true now, see the top of this file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// The id of the user.
    pub principal: Arc<str>,
    /// The user's generation, read before the verification.
    pub generation: u64,
    /// The revocation number, read before the directory.
    pub seq: u64,
}

struct Entry {
    tag: Tag,
    hit: Hit,
    /// Boot seconds; the wall clock has no say.
    born: i64,
}

impl Entry {
    fn is_alive(&self, now: Now) -> bool {
        (0..LIFE).contains(&now.boot().saturating_sub(self.born))
    }
}

/// The cache. Fixed size, any thread; one lock per set of four entries.
pub struct Cache {
    key: Box<dyn KeyPage>,
    sets: Box<[Mutex<[Option<Entry>; WAYS]>]>,
    flights: Mutex<Vec<Arc<Slot>>>,
}

impl Cache {
    /// Room for at least `capacity` pairs; 0 remembers nothing.
    pub fn new(capacity: usize, key: impl KeyPage + 'static) -> Cache {
        let sets = (0..capacity.div_ceil(WAYS)).map(|_| Mutex::default()).collect();
        Cache { key: Box::new(key), sets, flights: Mutex::default() }
    }

    /// The MAC of `pair`: one HMAC, no allocation. `None` after a fork, until [`Cache::reset_if_forked`].
    pub fn tag(&self, pair: &Pair<'_>) -> Option<Tag> {
        let parts = [pair.site, pair.profile, pair.tenant, pair.directory, pair.user].map(str::as_bytes);
        let [site, profile, tenant, directory, user] = parts;
        let label = b"janua/1 verified";
        self.key.tag(&[label, site, profile, tenant, directory, user, pair.password]).map(Tag)
    }

    /// What is known of a pair that was verified less than [`LIFE`] ago. No allocation, no wait but a set's lock.
    pub fn check(&self, tag: &Tag, now: Now) -> Option<Hit> {
        let set = self.set(tag)?.lock();
        let entry = set.iter().flatten().find(|entry| secret::equal(&entry.tag.0, &tag.0))?;
        entry.is_alive(now).then(|| entry.hit.clone())
    }

    /// Remembers a pair that was just verified and let in. Never for a one-time password, and never when `generation` or
    /// `seq` were read after the verification.
    pub fn remember(&self, tag: &Tag, principal: &str, generation: u64, seq: u64, now: Now) {
        let Some(set) = self.set(tag) else { return };
        let entry =
            Entry { tag: *tag, hit: Hit { principal: Arc::from(principal), generation, seq }, born: now.boot() };
        let mut set = set.lock();
        let same = set.iter().position(|slot| slot.as_ref().is_some_and(|old| secret::equal(&old.tag.0, &tag.0)));
        let dead = || set.iter().position(|slot| !slot.as_ref().is_some_and(|old| old.is_alive(now)));
        let oldest = || (0..WAYS).min_by_key(|&at| set.get(at).and_then(Option::as_ref).map(|old| old.born));
        let place = same.or_else(dead).or_else(oldest).unwrap_or(0);
        if let Some(slot) = set.get_mut(place) {
            *slot = Some(entry);
        }
    }

    /// Called when the process attaches and by maintenance: when the key was wiped, drops all entries and draws a new
    /// key. Errors: [`crate::base::Status::Random`]; the cache then stays empty.
    pub fn reset_if_forked(&self) -> Result<()> {
        if self.key.tag(&[]).is_some() {
            return Ok(());
        }
        self.retain(|_| false);
        self.flights.lock().clear();
        self.key.renew()
    }

    fn retain(&self, keep: impl Fn(&Entry) -> bool) {
        for set in &self.sets {
            for slot in set.lock().iter_mut() {
                if slot.as_ref().is_some_and(|entry| !keep(entry)) {
                    *slot = None;
                }
            }
        }
    }

    fn set(&self, tag: &Tag) -> Option<&Mutex<[Option<Entry>; WAYS]>> {
        let start = tag.0.first_chunk().map(|bytes| u64::from_be_bytes(*bytes))?;
        let count = u64::try_from(self.sets.len()).ok()?;
        self.sets.get(usize::try_from(start.checked_rem(count)?).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Clock;
    use std::sync::atomic::{AtomicBool, Ordering};

    fn pair<'a>(user: &'a str, password: &'a [u8]) -> Pair<'a> {
        Pair { site: "data.example.org", profile: "form", tenant: "", directory: "users", user, password }
    }

    fn cache(capacity: usize) -> Cache {
        Cache::new(capacity, MacKey::random().unwrap())
    }

    #[test]
    fn a_pair_is_known_for_five_minutes_and_not_a_second_longer() {
        let (cache, clock) = (cache(64), Clock::fake(1_000_000));
        let tag = cache.tag(&pair("Aladdin", b"OpenSesame")).unwrap();
        assert_eq!(cache.check(&tag, clock.now()), None);
        cache.remember(&tag, "id-1", 7, 42, clock.now());
        let hit = Hit { principal: Arc::from("id-1"), generation: 7, seq: 42 };
        assert_eq!(cache.check(&tag, clock.now()), Some(hit.clone()));
        clock.advance(LIFE - 1);
        assert_eq!(cache.check(&tag, clock.now()), Some(hit));
        clock.advance(1);
        assert_eq!(cache.check(&tag, clock.now()), None);
        clock.advance(1);
        assert_eq!(cache.check(&tag, clock.now()), None);
        clock.advance(-LIFE - 2);
        assert_eq!(cache.check(&tag, clock.now()), None, "an entry from the future is none");
    }

    #[test]
    fn the_wall_clock_neither_ends_nor_prolongs_it() {
        let (cache, clock) = (cache(64), Clock::fake(1_000_000));
        let tag = cache.tag(&pair("Aladdin", b"OpenSesame")).unwrap();
        cache.remember(&tag, "id-1", 1, 1, clock.now());
        clock.step_wall(3_000);
        clock.follow();
        assert!(cache.check(&tag, clock.now()).is_some());
        clock.step_wall(-3_500);
        clock.follow();
        clock.advance(LIFE);
        assert!(cache.check(&tag, clock.now()).is_none());
    }

    #[test]
    fn every_part_of_the_pair_makes_another_tag() {
        let cache = cache(64);
        let first = pair("Aladdin", b"OpenSesame");
        let neighbours = [
            Pair { site: "other.example.org", ..first },
            Pair { profile: "other", ..first },
            Pair { tenant: "{C840BE1A-5B47-4AC0-8EF7-835C166C8E24}", ..first },
            Pair { directory: "htpasswd", ..first },
            Pair { user: "AladdinO", password: b"penSesame", ..first },
            Pair { password: b"OpenSesam", ..first },
        ];
        let tag = cache.tag(&first).unwrap();
        for neighbour in neighbours {
            assert!(cache.tag(&neighbour).unwrap() != tag);
        }
        assert!(cache.tag(&first).unwrap() == tag);
        assert!(self::cache(4).tag(&first).unwrap() != tag, "another process, another key");
    }

    #[test]
    fn it_stays_in_its_bounds_and_the_newest_is_kept() {
        let (cache, clock) = (cache(8), Clock::fake(1_000_000));
        for number in 0..1_000 {
            let password = format!("pa55w0rd{number}");
            let tag = cache.tag(&pair("joe.bloggs@test.com", password.as_bytes())).unwrap();
            cache.remember(&tag, "joe", 1, 1, clock.now());
            assert!(cache.check(&tag, clock.now()).is_some());
            clock.advance(1);
        }
        let kept = cache.sets.iter().map(|set| set.lock().iter().flatten().count()).sum::<usize>();
        assert_eq!(kept, 8);
        let off = self::cache(0);
        let tag = off.tag(&pair("Aladdin", b"OpenSesame")).unwrap();
        off.remember(&tag, "id", 1, 1, clock.now());
        assert!(off.check(&tag, clock.now()).is_none());
    }

    struct Wipeable(MacKey, Arc<AtomicBool>);

    impl KeyPage for Wipeable {
        fn tag(&self, parts: &[&[u8]]) -> Option<[u8; 32]> {
            (!self.1.load(Ordering::SeqCst)).then(|| self.0.tag(parts))
        }

        fn renew(&self) -> Result<()> {
            self.1.store(false, Ordering::SeqCst);
            Ok(())
        }
    }

    #[test]
    fn after_a_fork_nothing_is_known() {
        let wiped = Arc::new(AtomicBool::new(false));
        let cache = Cache::new(64, Wipeable(MacKey::random().unwrap(), Arc::clone(&wiped)));
        let clock = Clock::fake(1_000_000);
        let tag = cache.tag(&pair("Aladdin", b"OpenSesame")).unwrap();
        cache.remember(&tag, "id-1", 1, 1, clock.now());
        cache.reset_if_forked().unwrap();
        assert!(cache.check(&tag, clock.now()).is_some(), "no fork, nothing lost");
        wiped.store(true, Ordering::SeqCst);
        assert!(cache.tag(&pair("Aladdin", b"OpenSesame")).is_none());
        cache.reset_if_forked().unwrap();
        assert!(cache.check(&tag, clock.now()).is_none());
        assert!(cache.tag(&pair("Aladdin", b"OpenSesame")).is_some());
    }
}
