//! The buffers behind a decision, kept by the engine from one decision to the next.
//!
//! Called by `decision`, `session` and `token`. A check takes an owner out of the pool and allocates nothing once the
//! pool is warm; `janua_decision_clear` wipes it and puts it back, from any thread. Taking and putting are a bounded
//! walk over a fixed number of places, each one atomic pointer: no lock, no wait, and nothing that a fork could leave
//! locked. Nothing here is shared between processes.

use super::basics::{janua_header, janua_str};
use crate::engine::{Decision, Engine, Held, Site};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, Ordering};

/// How many owners an engine keeps; decisions beyond that work, and are freed instead of kept.
const PLACES: usize = 64;

/// An answer larger than this is freed instead of kept, so that one large answer does not stay in memory 64 times.
const KEEP: usize = 64 * 1024;

/// What all handles of one engine share. Lives until the last engine, site and decision of it is freed.
pub struct Shared {
    pub(super) engine: Arc<Engine>,
    /// Views of the engine's own list, which never changes.
    pub(super) strip: Box<[janua_str]>,
    pool: Pool,
}

// SAFETY: the pointers in `strip` point to texts of `engine` that are never changed and live as long as it does.
unsafe impl Send for Shared {}
// SAFETY: as above; everything else in it is Sync by itself.
unsafe impl Sync for Shared {}

/// What all handles and decisions of one site share.
pub struct SiteShared {
    pub(super) site: Arc<Site>,
    /// Views of the site's own list, which never changes.
    strip: Box<[janua_str]>,
}

// SAFETY: the pointers in `strip` point to texts of `site` that are never changed and live as long as it does.
unsafe impl Send for SiteShared {}
// SAFETY: as above; everything else in it is Sync by itself.
unsafe impl Sync for SiteShared {}

impl SiteShared {
    pub(super) fn new(site: Arc<Site>) -> Arc<SiteShared> {
        let strip = site.strip_list().iter().map(|name| janua_str::of(name.as_bytes())).collect();
        Arc::new(SiteShared { site, strip })
    }

    pub(super) fn strip(&self) -> &[janua_str] {
        &self.strip
    }
}

/// The buffers of one decision.
pub(super) struct Owner {
    pub(super) decision: Decision,
    pub(super) inward: Vec<janua_header>,
    pub(super) response: Vec<janua_header>,
    /// Of the primitives: what a session or a token proves.
    pub(super) held: Held,
    /// Of a decision: the site whose list it shows.
    pub(super) site: Option<Arc<SiteShared>>,
    /// Set while the owner is out, so that a decision keeps its engine alive.
    home: Option<Arc<Shared>>,
}

struct Pool([Place; PLACES]);

/// One place; on a cache line of its own, since threads meet here.
#[repr(align(64))]
struct Place(AtomicPtr<Owner>);

impl Shared {
    pub(super) fn new(engine: Arc<Engine>) -> Arc<Shared> {
        let strip = engine.strip_list().iter().map(|name| janua_str::of(name.as_bytes())).collect();
        let pool = Pool([const { Place(AtomicPtr::new(ptr::null_mut())) }; PLACES]);
        Arc::new(Shared { engine, strip, pool })
    }

    /// An owner with empty buffers.
    pub(super) fn take(self: &Arc<Shared>) -> Box<Owner> {
        let mut owner = self.pool.take().unwrap_or_else(|| {
            let (decision, held) = (Decision::new(), Held::default());
            Box::new(Owner { decision, held, inward: Vec::new(), response: Vec::new(), site: None, home: None })
        });
        owner.home = Some(Arc::clone(self));
        owner
    }
}

impl Owner {
    /// Wipes the owner and puts it back to where it came from.
    pub(super) fn put_back(mut self: Box<Owner>) {
        self.decision.clear();
        self.inward.clear();
        self.response.clear();
        self.site = None;
        let Some(home) = self.home.take() else { return };
        if self.decision.body.capacity() <= KEEP {
            home.pool.put(self);
        }
    }
}

impl Pool {
    /// Where this thread begins to look: threads have stacks far apart, one thread's calls lie close together.
    fn start() -> usize {
        let mark = 0u8;
        (&raw const mark).addr() >> 16
    }

    fn places(&self) -> impl Iterator<Item = &AtomicPtr<Owner>> {
        let start = Pool::start();
        (0..PLACES).filter_map(move |n| self.0.get(start.wrapping_add(n) % PLACES)).map(|place| &place.0)
    }

    fn take(&self) -> Option<Box<Owner>> {
        for place in self.places() {
            if place.load(Ordering::Relaxed).is_null() {
                continue;
            }
            let owner = place.swap(ptr::null_mut(), Ordering::Acquire);
            if !owner.is_null() {
                // SAFETY: only `put` fills a place, from a Box; the swap made this thread its one owner.
                return Some(unsafe { Box::from_raw(owner) });
            }
        }
        None
    }

    fn put(&self, owner: Box<Owner>) {
        let owner = Box::into_raw(owner);
        for place in self.places() {
            if place.load(Ordering::Relaxed).is_null()
                && place.compare_exchange(ptr::null_mut(), owner, Ordering::Release, Ordering::Relaxed).is_ok()
            {
                return;
            }
        }
        // SAFETY: no place took it, so it is still ours alone.
        drop(unsafe { Box::from_raw(owner) });
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        for place in &self.0 {
            let owner = place.0.swap(ptr::null_mut(), Ordering::Acquire);
            if !owner.is_null() {
                // SAFETY: as in `take`.
                drop(unsafe { Box::from_raw(owner) });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool() -> Pool {
        Pool([const { Place(AtomicPtr::new(ptr::null_mut())) }; PLACES])
    }

    fn owner() -> Box<Owner> {
        let (decision, held) = (Decision::new(), Held::default());
        Box::new(Owner { decision, held, inward: Vec::new(), response: Vec::new(), site: None, home: None })
    }

    #[test]
    fn an_owner_that_was_put_back_is_the_one_taken_next() {
        let pool = pool();
        assert!(pool.take().is_none());
        let one = owner();
        let at = &raw const *one;
        pool.put(one);
        assert_eq!(&raw const *pool.take().unwrap(), at);
        assert!(pool.take().is_none(), "handed out twice");
    }

    #[test]
    fn a_full_pool_frees_what_it_cannot_keep() {
        let pool = pool();
        (0..PLACES + 3).for_each(|_| pool.put(owner()));
        assert_eq!(std::iter::from_fn(|| pool.take()).count(), PLACES);
    }

    #[test]
    fn no_owner_is_ever_in_two_hands() {
        let pool = pool();
        (0..4).for_each(|_| pool.put(owner()));
        std::thread::scope(|scope| {
            for mark in 1..=4i64 {
                let pool = &pool;
                scope.spawn(move || {
                    for _ in 0..5_000 {
                        let mut mine = pool.take().unwrap_or_else(owner);
                        mine.held.issued = mark;
                        std::hint::spin_loop();
                        assert_eq!(mine.held.issued, mark);
                        pool.put(mine);
                    }
                });
            }
        });
    }
}
