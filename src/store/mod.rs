//! Floor 5, second half: where sessions and revocations live, behind one trait.
//!
//! Called by `engine`. Rules that every store keeps, and `suite` proves for each: hit, miss and unavailable are three
//! answers, and only the first two say anything about a session; nothing is stored before authentication; a touch
//! never creates; a removed session leaves a tombstone until its absolute end; revocations are one numbered log, and
//! once [`Store::revoke`] has returned, no check that starts later says [`Answer::Hit`], in any thread.
//!
//! A login calls [`Store::seq`] **first**, then asks the directory, then verifies, then inserts; a change of a
//! password or a disabling writes the directory **first**, then revokes. Of the possible orders only these are safe.

// Each of the two uses most of it.
#[cfg(any(feature = "shared", feature = "redis"))]
#[cfg_attr(not(all(feature = "shared", feature = "redis")), allow(dead_code))]
mod held;
pub mod memory;
#[cfg(feature = "redis")]
pub mod redis;
#[cfg(feature = "shared")]
pub mod shared;
#[cfg(any(test, feature = "testing"))]
#[doc(hidden)]
pub mod suite;

use crate::base::{Error, Now, Reason};
use crate::crypto::digest::Digest;
use crate::crypto::keyring::KeyId;
use crate::directory::{Tenant, User};
use crate::expiry::{self, Life};
use crate::session::{Record, Reference, Touch};
use std::path::PathBuf;
use std::sync::Arc;

pub use memory::Memory;
#[cfg(feature = "redis")]
pub use redis::Redis;
#[cfg(feature = "shared")]
pub use shared::Shared;

/// The most sessions one principal may have, whatever the configuration says.
pub const MAX_CAP: usize = 1024;

/// Microseconds after which maintenance raises the number of the log where no revocation did.
const TICK_US: u64 = 60_000_000;

/// The store did not answer. Says nothing about any session: 503, no cookie cleared, nothing minted, no log-out
/// answered as done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unavailable;

/// The answer to a look-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer<T> {
    Hit(T),
    /// The store is sure: `SessionUnknown`, `SessionIdle`, `SessionEnded` or `SessionRevoked`.
    Miss(Reason),
    /// See [`Unavailable`].
    Unavailable,
}

impl<T> Answer<T> {
    /// The session, or why there is none ([`Reason::StoreUnavailable`] when nobody knows).
    pub fn ok(self) -> Result<T, Reason> {
        match self {
            Answer::Hit(found) => Ok(found),
            Answer::Miss(reason) => Err(reason),
            Answer::Unavailable => Err(Reason::StoreUnavailable),
        }
    }
}

/// Why a session was not stored. Nothing changed then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotStored {
    /// See [`Unavailable`].
    Unavailable,
    /// Not to be stored: `SessionRevoked` when its principal or the site was revoked since the login read `seq` (or
    /// its key is a removed session's), `NoRandom` when its key is a live session's, which honest randomness rules
    /// out.
    Refused(Reason),
}

impl From<Unavailable> for NotStored {
    fn from(_: Unavailable) -> NotStored {
        NotStored::Unavailable
    }
}

impl NotStored {
    pub const fn reason(self) -> Reason {
        match self {
            NotStored::Unavailable => Reason::StoreUnavailable,
            NotStored::Refused(reason) => reason,
        }
    }
}

/// A session that was stored.
#[derive(Debug)]
pub struct Inserted {
    pub record: Arc<Record>,
    /// The principal's oldest sessions, put out to keep its cap; for audit.
    pub evicted: Vec<Reference>,
}

/// What to revoke. All are floors but for sessions themselves: whatever carries a smaller `seq` is dead, whatever is proven anew
/// lives. Rotation of keys is another verb and revokes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revocation<'a> {
    /// One session, by its store key, with what goes on from it. Where tokens may be made from it
    /// ([`mints`](crate::session::NewSession::mints)) it is a floor for those, too.
    Session(Digest),
    /// The same by the [`origin`](Record::origin) that its tokens carry, and the floor for them in any case: the session
    /// may have ended by itself.
    Origin(Reference),
    /// The tokens that share a session id chosen by their client ([`chosen_key`](crate::session::id::chosen_key)), or the
    /// session they were made from ([`made_key`](crate::session::id::made_key)).
    Chosen(Digest),
    /// All sessions and tokens of a principal.
    Principal(&'a str),
    /// All tokens of a key.
    Key(KeyId),
    /// Everything issued before now.
    All,
    /// Everything issued before a moment, in microseconds of Unix time; and what was issued within a minute after it, for
    /// numbers are no finer than that where nothing is revoked.
    Before(u64),
}

/// What a FAST call's use of a session comes to, see [`Store::touch_later`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Later {
    /// Nothing is due.
    Nothing,
    /// It is noted; maintenance writes it down.
    Noted,
    /// It may not be put off: ask again where waiting is allowed.
    MustWait,
}

/// A row of an administrator's list.
#[derive(Clone, Debug)]
pub struct Listed {
    pub reference: Reference,
    /// Unix seconds of the login.
    pub created: i64,
    /// Unix seconds of the last use on record: at most one touch step before the true one.
    pub last_use: i64,
    pub principal: Arc<str>,
    /// As [`Record::user`].
    pub user: Option<Arc<User>>,
    pub tenant: Option<Arc<Tenant>>,
    /// Where the profile keeps it: the path of the last due touch, at most [`MAX_PATH`](crate::session::MAX_PATH)
    /// bytes as received.
    pub last_path: Option<String>,
}

/// Where sessions and revocations live. Shared by all threads of a process; every call may come from any of them.
///
/// Every answer may be [`Unavailable`]; nothing has changed then unless the call says otherwise. After a fork a store
/// is used only if it is [`multi_process`](Store::multi_process) and the child has attached.
pub trait Store: Send + Sync {
    /// The word of the configuration: `memory`, `shared`, `redis`, `host`.
    fn kind(&self) -> &'static str;

    /// Whether all processes of a host see one set of sessions. An engine told of several workers refuses a store
    /// that says no.
    fn multi_process(&self) -> bool;

    /// Whether all machines of a site see that set. Each goes by clocks of its own, and servers may fail over: a session
    /// that is dead here may live for another machine still.
    fn multi_machine(&self) -> bool {
        false
    }

    /// Opens what must not be open across a fork. Called once in each process, after the fork, before anything else.
    fn attach(&self) -> Result<(), Error>;

    /// Whether a call that only reads could wait for a disk, a network or another process now. A FAST call asks this
    /// first and says WOULD_BLOCK; it never waits and changes nothing itself. Of a check and of floors it asks for the
    /// answer at once ([`check_at_once`](Store::check_at_once)).
    fn reads_may_wait(&self, now: Now) -> bool;

    /// [`check`](Store::check) for a FAST call: never waits, allocates nothing; `None`: only a call that may wait can say.
    fn check_at_once(&self, key: &Digest, now: Now) -> Option<Answer<Arc<Record>>> {
        (!self.reads_may_wait(now)).then(|| self.check(key, now))
    }

    /// [`token_revoked`](Store::token_revoked) for a FAST call, in the same way.
    fn token_revoked_at_once(
        &self,
        principal: &str,
        key: &KeyId,
        chosen: Option<&Digest>,
        seq: u64,
        now: Now,
    ) -> Option<Result<bool, Unavailable>> {
        (!self.reads_may_wait(now)).then(|| self.token_revoked(principal, key, chosen, seq))
    }

    /// [`floor`](Store::floor) for a FAST call, in the same way.
    fn floor_at_once(&self, principal: &str, now: Now) -> Option<Result<u64, Unavailable>> {
        (!self.reads_may_wait(now)).then(|| self.floor(principal))
    }

    /// Whether [`tend`](Store::tend) should come soon, so that checks need not wait. Asked by every decision.
    fn is_due(&self, _now: Now) -> bool {
        false
    }

    /// Whether [`touch`](Store::touch) and [`note_companion`](Store::note_companion) could wait; a FAST call leaves
    /// them to maintenance then, by [`touch_later`](Store::touch_later).
    fn touches_may_wait(&self) -> bool;

    /// Notes a use, and that the companion came along where `accompanied`, for the next [`tend`](Store::tend): never
    /// waits, allocates nothing, writes nothing. Asked of stores whose touches may wait.
    fn touch_later(&self, _record: &Record, _accompanied: bool, _path: Option<&[u8]>, _now: Now) -> Later {
        Later::MustWait
    }

    /// Does what calls that may not wait have left, and the store's own upkeep but for sweeping. Called by maintenance
    /// about every second; may wait. Errors: what is wrong, for a person; it is tried again next time.
    fn tend(&self, _now: Now) -> Result<(), Error> {
        Ok(())
    }

    /// A folder of this machine for pages that its processes share, beside the store: hash permits and failure counts,
    /// which are disposable. Nobody else may enter it. Asked once attached; none: each process has its own.
    fn page_folder(&self) -> Option<PathBuf> {
        None
    }

    /// Milliseconds for which the answer to a log-out is to be held back, so that copies on other machines have run
    /// out when it goes out.
    fn hold_ms(&self) -> u32 {
        0
    }

    /// The operator's word that nothing was revoked in a log that was lost: what was issued before this one began is
    /// good again. Errors: also for a store that loses none.
    fn accept_older(&self, _now: Now) -> Result<(), Error> {
        Err(Error::invalid("this store has lost no log of revocations"))
    }

    /// The number of the newest revocation. Read by a login before everything else. Never falls.
    fn seq(&self) -> Result<u64, Unavailable>;

    /// Whether there is room for the revocation of what is made now without a session: a token under an id of its client.
    /// Sessions are asked for by [`insert`](Store::insert).
    fn admits(&self) -> Result<(), Unavailable> {
        Ok(())
    }

    /// Stores a session that was proven. Puts out the principal's oldest sessions so that it has at most `cap` of
    /// them (1 to [`MAX_CAP`]; what is outside counts as the nearest of these); those that are over go first, then
    /// [`kept`](crate::session::NewSession::kept) ones: a script that drops its cookies ends nobody's session but its own.
    fn insert(&self, key: Digest, record: Record, cap: usize, now: Now) -> Result<Inserted, NotStored>;

    /// Stores a session and revokes `old` with its tokens in one transaction: a login over a live session. `old` may be
    /// gone, or another principal's; when the new one is refused, `old` is as before.
    fn replace(&self, old: &Digest, key: Digest, record: Record, cap: usize, now: Now) -> Result<Inserted, NotStored>;

    /// The same for a session that goes on from `old`, which must be alive: `SessionRevoked` when it is not. Revoking
    /// `old` later ends the one that goes on from it: whichever of a log-out and a renewal in flight commits first, the
    /// session does not outlive the answer to the log-out.
    fn renew(&self, old: &Digest, key: Digest, record: Record, cap: usize, now: Now) -> Result<Inserted, NotStored>;

    /// Looks a session up: its ends, its floors, its tombstone. Never touches.
    fn check(&self, key: &Digest, now: Now) -> Answer<Arc<Record>>;

    /// Looks a session up by its reference, for probes. Never touches, and is no proof.
    fn alive(&self, reference: &Reference, now: Now) -> Answer<()>;

    /// The key of the session that a reference stands for; nothing is said about whether it lives.
    fn key_of(&self, reference: &Reference) -> Result<Option<Digest>, Unavailable>;

    /// Writes a use down if one is due ([`expiry::touch_due`](crate::expiry::touch_due)), and `path` (without its
    /// query) with it where the session keeps it. Never creates and never revives.
    fn touch(&self, record: &Record, path: Option<&[u8]>, now: Now) -> Result<Touch, Unavailable>;

    /// Notes that the session came with its companion cookie, which is required from then on.
    fn note_companion(&self, record: &Record) -> Result<(), Unavailable>;

    /// Revokes, and returns the number of the revocation: **the commit point**. Always a new number, even for what is
    /// already revoked or unknown, so that a log-out sent again is answered by a commit of its own. On
    /// [`Unavailable`] it may or may not have happened: the caller must not answer it as done.
    fn revoke(&self, what: Revocation<'_>, now: Now) -> Result<u64, Unavailable>;

    /// Whether a token or a remembered pair that carries `seq` is revoked: by principal, key, `chosen` (the key of its
    /// chosen id, or of the session it was made from) or site. A
    /// `seq` that this store has not reached belongs to a log it does not know, and counts as revoked. For a pair,
    /// which has no key, see [`floor`](Store::floor).
    fn token_revoked(
        &self,
        principal: &str,
        key: &KeyId,
        chosen: Option<&Digest>,
        seq: u64,
    ) -> Result<bool, Unavailable>;

    /// The higher of the floors of the principal and the site: what carries a smaller `seq` is revoked.
    fn floor(&self, principal: &str) -> Result<u64, Unavailable>;

    /// At most `max` live sessions, oldest login first; which ones, when there are more, is not said.
    fn list(&self, now: Now, max: usize) -> Result<Vec<Listed>, Unavailable>;

    /// How many sessions are held, those that are over but not swept among them.
    fn count(&self) -> Result<usize, Unavailable>;

    /// A small text that all processes of the store share, by its name (at most 300 bytes): what was put there last, and
    /// that it is there no process forgets, a crash of the machine included. `Ok(None)`: there is none, for sure.
    ///
    /// Every [`multi_process`](Store::multi_process) store keeps such texts; one of a single process has nothing to share.
    fn document(&self, _name: &str) -> Result<Option<Vec<u8>>, Unavailable> {
        Err(Unavailable)
    }

    /// Puts `new` in the place of exactly `old`, in one step; `None` stands for no document. `false`: another was there,
    /// and is there still. It is on disk when this returns `true`; after [`Unavailable`] either may be there.
    fn replace_document(&self, _name: &str, _old: Option<&[u8]>, _new: &[u8]) -> Result<bool, Unavailable> {
        Err(Unavailable)
    }

    /// Entries that [`sweep`](Store::sweep) is best asked for, so that one call takes about a millisecond, or as long as a
    /// disk takes to answer once.
    fn sweep_step(&self) -> usize {
        64
    }

    /// Removes what is over, in steps: looks at no more than `budget` entries and returns at how many. Fewer than
    /// `budget`: nothing is due. Called by maintenance about every second; a store that is never swept still answers
    /// right.
    fn sweep(&self, now: Now, budget: usize) -> usize;
}

/// Unix time as the log numbers it.
fn micros(now: Now) -> u64 {
    u64::try_from(now.unix_us).unwrap_or(0)
}

/// Seconds until a look at a live session could find it over, if it is not used until then.
fn until_look(record: &Record, now: Now) -> i64 {
    match record.life(now) {
        Life::Alive { idle_left, absolute_left } => {
            absolute_left.min(idle_left.saturating_add(expiry::touch_step(record.ends().idle_secs)))
        }
        Life::Idle | Life::Ended => 0,
    }
}

/// The row of a live session in a list.
fn listed(record: &Record, now: Now) -> Option<Listed> {
    let unused = now.boot().saturating_sub(record.last_used_boot()?).max(0);
    Some(Listed {
        reference: Reference::of(&record.key),
        created: record.ends().created_unix,
        // The clocks' seconds do not turn together.
        last_use: now.unix().saturating_sub(unused).max(record.ends().created_unix),
        principal: Arc::clone(&record.principal),
        user: record.user.clone(),
        tenant: record.tenant.clone(),
        last_path: record.last_path(),
    })
}
