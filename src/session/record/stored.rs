//! A record on its way into a store outside this process, and back.
//!
//! Called by stores that several processes share. What was read back is a copy: its last use may be older than the one
//! on record, and only ever moves forward. Nothing here writes a store.

use super::{Record, Rest};
use crate::base::Now;
use crate::crypto::digest::Digest;
use crate::directory::Tenant;
use crate::expiry::{self, Life};
use crate::session::death::MARKS;
use crate::session::last_path::LastPath;
use crate::session::{Dead, Reference};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

/// What a store keeps of a record, borrowed from one or the other. The user of a host's directory is looked up by id.
pub(crate) struct Stored<'a> {
    pub principal: &'a str,
    /// Id and name.
    pub tenant: Option<(&'a str, &'a str)>,
    pub absolute_unix: i64,
    pub life_secs: u32,
    pub idle_secs: u32,
    pub seq: u64,
    pub kept: bool,
    pub mints: bool,
    /// Where it began, if not with itself.
    pub origin: Option<Reference>,
    pub companion: Option<Digest>,
    pub companion_seen: bool,
    pub client: Option<&'a str>,
    /// The last path, where one is kept.
    pub path: Option<Vec<u8>>,
    pub extra: Vec<(&'a str, &'a str)>,
}

impl Record {
    /// What a store keeps of this record, but for its last use.
    pub(crate) fn stored(&self) -> Stored<'_> {
        let rest = self.rest.as_deref();
        Stored {
            principal: &self.principal,
            tenant: self.tenant.as_deref().map(|tenant| (tenant.id.as_str(), tenant.name.as_str())),
            absolute_unix: self.absolute_unix,
            life_secs: self.life_secs,
            idle_secs: self.idle_secs,
            seq: self.seq,
            kept: self.kept,
            mints: self.mints,
            origin: rest.and_then(|rest| rest.origin),
            companion: rest.and_then(|rest| rest.companion),
            companion_seen: self.companion_required(),
            client: self.client(),
            path: rest.and_then(|rest| rest.path.as_ref()).map(LastPath::bytes),
            extra: self.extra().iter().map(|(name, value)| (&**name, &**value)).collect(),
        }
    }

    /// The record that a store keeps under `key`, last used at boot second `used`.
    pub(crate) fn restored(key: Digest, stored: Stored<'_>, used: i64) -> Record {
        let path = stored.path.map(|bytes| {
            let path = LastPath::default();
            path.keep(&bytes);
            path
        });
        let plain = stored.extra.is_empty()
            && stored.client.is_none()
            && stored.companion.is_none()
            && stored.origin.is_none()
            && path.is_none();
        let rest = || Rest {
            extra: stored.extra.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
            client: stored.client.map(Into::into),
            companion: stored.companion,
            path,
            origin: stored.origin,
        };
        let tenant = stored.tenant.map(|(id, name)| Arc::new(Tenant { id: id.to_owned(), name: name.to_owned() }));
        Record {
            key,
            last_used: AtomicI64::new(used.max(MARKS + 1)),
            absolute_unix: stored.absolute_unix,
            life_secs: stored.life_secs,
            idle_secs: stored.idle_secs,
            seq: stored.seq,
            principal: Arc::from(stored.principal),
            user: None,
            tenant,
            rest: if plain { None } else { Some(Box::new(rest())) },
            serial: 0,
            companion_seen: AtomicBool::new(stored.companion_seen),
            kept: stored.kept,
            mints: stored.mints,
        }
    }

    /// How it died, if it has.
    pub(crate) fn death(&self) -> Option<Dead> {
        Dead::of(self.last_used.load(Ordering::Acquire))
    }

    /// How it stands, without writing a death down: somebody else may know of a later use. Allocates nothing.
    #[inline]
    pub(crate) fn stands(&self, now: Now) -> Result<(), Dead> {
        let seen = self.last_used.load(Ordering::Acquire);
        if expiry::surely_alive(self.absolute_unix, self.idle_secs, seen, now) {
            return Ok(());
        }
        if let Some(dead) = Dead::of(seen) {
            return Err(dead);
        }
        match expiry::session(&self.ends(), seen, now) {
            Life::Alive { .. } => Ok(()),
            Life::Idle => Err(Dead::Idle),
            Life::Ended => Err(Dead::Ended),
        }
    }

    /// Takes over a later use that another process wrote down. Never moves back and never revives.
    pub(crate) fn advance(&self, used: i64) {
        let mut seen = self.last_used.load(Ordering::Acquire);
        while Dead::of(seen).is_none() && seen < used {
            match self.step(seen, used) {
                Ok(()) => return,
                Err(newer) => seen = newer,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Clock;
    use crate::session::NewSession;

    #[test]
    fn a_later_use_is_taken_over_and_revives_nobody() {
        let clock = Clock::fake(1_000);
        let record = Record::new(NewSession::of("Aladdin", 60, 600, 1), clock.now());
        let used = record.last_used_boot().unwrap();
        record.advance(used - 5);
        assert_eq!(record.last_used_boot(), Some(used), "never back");
        clock.advance(70);
        assert_eq!(record.stands(clock.now()), Err(Dead::Idle));
        record.advance(used + 50);
        assert_eq!(record.stands(clock.now()), Ok(()), "another process knew better");
        record.kill(Dead::Revoked);
        record.advance(used + 60);
        assert_eq!((record.stands(clock.now()), record.death()), (Err(Dead::Revoked), Some(Dead::Revoked)));
    }
}
