//! The keys that tokens are sealed with: one per salt, derived from a key of the ring, and a few of them kept.
//!
//! Called by `sealed` only. Nothing here waits: a slot that another thread writes to, or that a fork left locked, is
//! passed over and the key derived again. A subkey is kept only after a tag was good under it, so that nobody without
//! a real token can fill the slots. Kept keys lie in an arena that stays out of dumps and is wiped when dropped.

use crate::crypto::sys::Arena;
use crate::crypto::{Key, KeyId, MacKey};
use parking_lot::RwLock;
use ring::aead::{AES_256_GCM, LessSafeKey, UnboundKey};
use ring::hmac::HMAC_SHA256;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// What tells the subkeys of one key apart: drawn by each minting process for itself.
pub(super) type Salt = [u8; 8];

const LABEL_TOKEN: &[u8] = b"janua/1 token";
const LABEL_NONCE: &[u8] = b"janua/1 nonce";

/// Kept subkeys. A salt is one process's for at most 2^18 tokens: enough for the workers of a few machines.
const SLOTS: usize = 64;

/// A salt may stand in this many places.
const WAYS: usize = 4;

/// The key that seals and opens the tokens of `salt`; `None` should the derivation fail.
pub(super) fn sealing(key: &Key, salt: &Salt) -> Option<LessSafeKey> {
    let id = key.id();
    let info = [LABEL_TOKEN, id.as_slice(), salt.as_slice()];
    let okm = key.prk().expand(&info, &AES_256_GCM).ok()?;
    Some(LessSafeKey::new(UnboundKey::from(okm)))
}

/// The key that makes the nonces of `salt`; `None` should the derivation fail.
fn nonces(key: &Key, salt: &Salt) -> Option<MacKey> {
    let id = key.id();
    let info = [LABEL_NONCE, id.as_slice(), salt.as_slice()];
    Some(key.prk().expand(&info, HMAC_SHA256).ok()?.into())
}

/// Subkeys that opened a token before. Fixed size; any thread; safe across a fork.
pub(super) struct Opening {
    slots: Arena<Slot>,
    turn: AtomicUsize,
}

struct Slot {
    /// The salt of `kept` as a number: read without the lock, to ask only the slot that may know. Only a hint.
    hint: AtomicU64,
    kept: RwLock<Option<Kept>>,
}

struct Kept {
    id: KeyId,
    salt: Salt,
    /// The ring it was derived from; of a later one it is not known that its key is still in it.
    generation: u64,
    /// When the ring retires its key; Unix seconds.
    retired: i64,
    key: LessSafeKey,
}

/// The ring in force and the time, by which a kept key is judged. No ring has to be looked at for it.
#[derive(Clone, Copy)]
pub(super) struct At {
    pub generation: u64,
    pub now: i64,
}

impl Kept {
    fn is(&self, id: &KeyId, salt: &Salt) -> bool {
        self.salt == *salt && self.id == *id
    }

    fn is_good(&self, at: At) -> bool {
        self.generation == at.generation && at.now < self.retired
    }
}

impl Opening {
    pub fn new() -> Opening {
        let slots = Arena::from_fn(SLOTS, |_| Slot { hint: AtomicU64::new(0), kept: RwLock::new(None) });
        Opening { slots, turn: AtomicUsize::new(0) }
    }

    /// Gives the kept key of `id` and `salt` to `work`; `None` when there is none at hand that is good `at` this time and
    /// ring. No allocation, no waiting.
    pub fn with<R>(&self, id: &KeyId, salt: &Salt, at: At, work: impl FnOnce(&LessSafeKey) -> R) -> Option<R> {
        let hint = u64::from_ne_bytes(*salt);
        for slot in self.places(salt).filter(|slot| slot.hint.load(Ordering::Relaxed) == hint) {
            let Some(kept) = slot.kept.try_read() else { continue };
            if let Some(kept) = kept.as_ref().filter(|kept| kept.is(id, salt) && kept.is_good(at)) {
                return Some(work(&kept.key));
            }
        }
        None
    }

    /// Keeps a key under which a tag was good, derived from `of`, a key of the ring of this generation. Does nothing when
    /// all its places are in use by other threads.
    pub fn keep(&self, of: &Key, generation: u64, salt: Salt, key: LessSafeKey) {
        let id = of.id();
        let fresh = Kept { id, salt, generation, retired: of.retired_from().unwrap_or(i64::MAX), key };
        // The place that it had in an earlier ring first, then an empty one, else the places take turns.
        let had =
            |slot: &&Slot| slot.kept.try_read().is_some_and(|kept| kept.as_ref().is_some_and(|k| k.is(&id, &salt)));
        let had = self.places(&salt).filter(had);
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let empty = self.places(&salt).filter(|slot| slot.hint.load(Ordering::Relaxed) == 0);
        let in_turn = self.places(&salt).cycle().skip(turn % WAYS).take(WAYS);
        for slot in had.chain(empty).chain(in_turn) {
            let Some(mut kept) = slot.kept.try_write() else { continue };
            slot.hint.store(u64::from_ne_bytes(salt), Ordering::Relaxed);
            *kept = Some(fresh);
            return;
        }
    }

    /// Drops the kept keys whose ring key is not `good`. What another thread is using is left for the next time.
    pub fn retain(&self, good: impl Fn(&KeyId) -> bool) {
        let gone = |kept: &Option<Kept>| kept.as_ref().is_some_and(|kept| !good(&kept.id));
        for slot in self.slots.iter() {
            if !slot.kept.try_read().is_some_and(|kept| gone(&kept)) {
                continue;
            }
            if let Some(mut kept) = slot.kept.try_write()
                && gone(&kept)
            {
                slot.hint.store(0, Ordering::Relaxed);
                *kept = None;
            }
        }
    }

    /// How many keys are kept now.
    #[cfg(test)]
    pub fn count(&self) -> usize {
        self.slots.iter().filter(|slot| slot.kept.read().is_some()).count()
    }

    fn places(&self, salt: &Salt) -> impl Iterator<Item = &Slot> + Clone {
        // Salts are random, so any byte spreads them evenly.
        let set = usize::from(salt[0]) % (SLOTS / WAYS);
        self.slots.chunks_exact(WAYS).nth(set).unwrap_or_default().iter()
    }
}

/// What minting needs of one salt.
pub(super) struct Mint {
    id: KeyId,
    salt: Salt,
    pub sealing: LessSafeKey,
    pub nonces: MacKey,
}

/// The subkeys that this process mints with now. Any thread; safe across a fork.
pub(super) struct Minting(Arena<RwLock<Option<Mint>>>);

impl Minting {
    pub fn new() -> Minting {
        Minting(Arena::from_fn(1, |_| RwLock::new(None)))
    }

    /// Gives the keys of `key` and `salt` to `work`, derived now if they are not kept. `None` should that fail.
    pub fn with<R>(&self, key: &Key, salt: &Salt, work: impl FnOnce(&Mint) -> R) -> Option<R> {
        // `new` makes exactly one.
        let place = &self.0[0];
        let id = key.id();
        if let Some(kept) = place.try_read()
            && let Some(mint) = kept.as_ref().filter(|mint| mint.salt == *salt && mint.id == id)
        {
            return Some(work(mint));
        }
        let fresh = Mint { id, salt: *salt, sealing: sealing(key, salt)?, nonces: nonces(key, salt)? };
        let result = work(&fresh);
        if let Some(mut kept) = place.try_write() {
            *kept = Some(fresh);
        }
        Some(result)
    }

    /// Drops the keys of a ring key that does not sign now. What another thread is using is left for the next time.
    pub fn retain(&self, signing: Option<KeyId>) {
        let gone = |mint: &Option<Mint>| mint.as_ref().is_some_and(|mint| Some(mint.id) != signing);
        if let Some(mut kept) = self.0[0].try_write()
            && gone(&kept)
        {
            *kept = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Keyring;

    /// In the first generation, after the key was made.
    const FIRST: At = At { generation: 1, now: 1_000 };

    fn key_of(ring: &Keyring) -> &Key {
        &ring.keys()[0]
    }

    #[test]
    fn a_kept_key_is_found_by_its_id_and_salt_only() {
        let ring = Keyring::ephemeral(1_000).unwrap();
        let id = key_of(&ring).id();
        let opening = Opening::new();
        assert!(opening.with(&id, &[1; 8], FIRST, |_| ()).is_none());
        opening.keep(key_of(&ring), 1, [1; 8], sealing(key_of(&ring), &[1; 8]).unwrap());
        assert!(opening.with(&id, &[1; 8], FIRST, |_| ()).is_some());
        assert!(opening.with(&id, &[2; 8], FIRST, |_| ()).is_none());
        assert!(opening.with(&[0; 8], &[1; 8], FIRST, |_| ()).is_none());
        opening.keep(key_of(&ring), 1, [1; 8], sealing(key_of(&ring), &[1; 8]).unwrap());
        assert_eq!(opening.count(), 1, "kept once");
    }

    #[test]
    fn a_kept_key_is_of_use_in_its_own_generation_and_before_its_end() {
        use crate::crypto::scratch::Scratch;
        let folder = Scratch::new();
        let text = "format = 1\ngeneration = 1\nsite_secret = \"Zm9yLXRlc3RzLW9ubHktdGhlLXNpdGUtc2VjcmV0MDA\"\n\
                    [[key]]\nmaster = \"Zm9yLXRlc3RzLW9ubHktdGhlLWZpcnN0LW1hc3RlcjE\"\npublished = 1970-01-01T00:00:00Z\n\
                    signing = 1970-01-01T00:00:00Z\nverify_only = 1970-01-01T00:50:00Z\nretired = 1970-01-01T01:00:00Z\n";
        let ring = Keyring::load(&folder.write("ring.toml", text), 1_000).unwrap();
        let (id, opening) = (key_of(&ring).id(), Opening::new());
        opening.keep(key_of(&ring), 1, [1; 8], sealing(key_of(&ring), &[1; 8]).unwrap());
        for (generation, now, good) in [(1, 3_599, true), (1, 3_600, false), (1, 3_601, false), (2, 1_000, false)] {
            let at = At { generation, now };
            assert_eq!(opening.with(&id, &[1; 8], at, |_| ()).is_some(), good, "{generation} {now}");
        }
        opening.keep(key_of(&ring), 2, [1; 8], sealing(key_of(&ring), &[1; 8]).unwrap());
        assert!(opening.with(&id, &[1; 8], At { generation: 2, now: 1_000 }, |_| ()).is_some());
        assert_eq!(opening.count(), 1, "in its old place");
    }

    #[test]
    fn keys_beyond_the_places_push_older_ones_out() {
        let ring = Keyring::ephemeral(1_000).unwrap();
        let id = key_of(&ring).id();
        let opening = Opening::new();
        for number in 1..=1_000u64 {
            let salt = number.to_le_bytes();
            opening.keep(key_of(&ring), 1, salt, sealing(key_of(&ring), &salt).unwrap());
            assert!(opening.with(&id, &salt, FIRST, |_| ()).is_some(), "the newest is there");
        }
        assert_eq!(opening.count(), SLOTS);
    }

    #[test]
    fn keys_of_a_ring_key_that_is_good_no_more_are_dropped() {
        let (ring, other) = (Keyring::ephemeral(1_000).unwrap(), Keyring::ephemeral(1_000).unwrap());
        let (id, gone) = (key_of(&ring).id(), key_of(&other).id());
        let opening = Opening::new();
        for salt in [[1; 8], [2; 8]] {
            opening.keep(key_of(&ring), 1, salt, sealing(key_of(&ring), &salt).unwrap());
            opening.keep(key_of(&other), 1, salt, sealing(key_of(&other), &salt).unwrap());
        }
        opening.retain(|known| *known == id);
        assert_eq!(opening.count(), 2);
        assert!(
            opening.with(&gone, &[1; 8], FIRST, |_| ()).is_none()
                && opening.with(&id, &[1; 8], FIRST, |_| ()).is_some()
        );
        let minting = Minting::new();
        minting.with(key_of(&ring), &[1; 8], |_| ()).unwrap();
        minting.retain(Some(id));
        assert!(minting.0[0].read().is_some(), "it signs");
        minting.retain(Some(gone));
        assert!(minting.0[0].read().is_none());
    }

    #[test]
    fn a_locked_slot_is_passed_over() {
        let ring = Keyring::ephemeral(1_000).unwrap();
        let id = key_of(&ring).id();
        let opening = Opening::new();
        opening.keep(key_of(&ring), 1, [1; 8], sealing(key_of(&ring), &[1; 8]).unwrap());
        let locks: Vec<_> = opening.slots.iter().map(|slot| slot.kept.write()).collect();
        assert!(opening.with(&id, &[1; 8], FIRST, |_| ()).is_none());
        opening.keep(key_of(&ring), 1, [1; 8], sealing(key_of(&ring), &[1; 8]).unwrap());
        drop(locks);
        let minting = Minting::new();
        let lock = minting.0[0].write();
        assert!(minting.with(key_of(&ring), &[1; 8], |_| ()).is_some());
        drop(lock);
    }
}
