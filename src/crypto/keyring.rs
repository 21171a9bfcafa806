//! The keyring: dated keys and one secret of the site that rotation does not change.
//!
//! Called by `token` (to seal and open), by `engine` (keyed digests of the site) and by the admin command. A ring is
//! immutable: rotation makes a new file and a new ring. What a key may do follows from its dates and the time asked
//! about, so that every process and machine changes over at the same moment without a word between them. Where a ring lies
//! stands in `keyring_place`, how it is changed in `keyring_change`, how a running process follows it in `keyring_watch`.
//!
//! Masters never leave this file: what goes out is a `Prk` to derive from, and ids that are derived themselves.

use super::keyring_place::RingPlace;
use super::keyring_text::{Dates, Entry, RingText, date_text};
use super::mac::MacKey;
use super::master::Master;
use super::sys::Arena;
use crate::base::clock::APART_SECS;
use crate::base::encoding::hex;
use crate::base::{Error, Result, Status, random, secret};
use ring::hkdf::{HKDF_SHA256, KeyType, Prk};
use std::fmt;
use std::path::Path;
use zeroize::Zeroizing;

/// Names a key: HKDF-Expand(master, "janua/1 kid"). Computed, never configured; public.
pub type KeyId = [u8; 8];

/// Most keys in one ring.
pub const MAX_KEYS: usize = 32;

/// Longest life of a token, in seconds: who makes tokens keeps to it, and what was signed so long ago has ended.
pub const LONGEST_TOKEN: u32 = 400 * 86_400;

/// How soon a running process has read a changed ring: its host calls maintenance about every second.
const FOLLOW_SECS: i64 = 1;

/// Seconds from a key's publication to its first signature at the least: twice the time in which every process follows,
/// and what clocks may differ by. So whoever meets a token knows its key.
pub const PUBLISH_LEAD: i64 = 2 * FOLLOW_SECS + APART_SECS;

/// A first key is dated this many seconds back: nobody can have missed its publication, and a machine whose clock is
/// behind, or a clock that is set back after the ring was made, must be able to sign with it too.
pub(super) const BACK: i64 = 3600;

const LABEL_KEY_ID: &[u8] = b"janua/1 kid";
const LABEL_SITE: &[u8] = b"janua/1 site";

/// What a key may do at a given time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Known to all who verify, does not sign yet.
    Published,
    /// May sign; the newest of these does.
    Signing,
    /// Signs no more; what it signed is still good.
    VerifyOnly,
    /// Of no use: what it signed is refused.
    Retired,
}

impl State {
    /// The stable name: lower case, hyphens.
    pub const fn name(self) -> &'static str {
        match self {
            State::Published => "published",
            State::Signing => "signing",
            State::VerifyOnly => "verify-only",
            State::Retired => "retired",
        }
    }
}

/// One key of a ring. `Debug` shows id and dates only.
pub struct Key {
    id: KeyId,
    dates: Dates,
    prk: Arena<Prk>,
}

impl Key {
    fn new(master: &[u8; 32], dates: Dates) -> Result<Key> {
        let prk = Arena::from_fn(1, |_| Prk::new_less_safe(HKDF_SHA256, master));
        Ok(Key { id: key_id(&prk[0])?, dates, prk })
    }

    pub fn id(&self) -> KeyId {
        self.id
    }

    /// What this key may do at `now` (Unix seconds). Each date counts from its own second on.
    pub fn state(&self, now: i64) -> State {
        let passed = |date: Option<i64>| date.is_some_and(|date| now >= date);
        if passed(self.dates.retired) {
            State::Retired
        } else if passed(self.dates.verify_only) {
            State::VerifyOnly
        } else if now >= self.dates.signing && !self.dates.waits {
            State::Signing
        } else {
            State::Published
        }
    }

    /// When the key was published, in Unix seconds.
    pub fn created(&self) -> i64 {
        self.dates.published
    }

    /// When the key begins to sign, or from when it may if it [waits](Key::waits); in Unix seconds.
    pub fn signs_from(&self) -> i64 {
        self.dates.signing
    }

    /// Whether the key signs only after it is told to: `janua keyring rotate`.
    pub fn waits(&self) -> bool {
        self.dates.waits
    }

    /// When the key stops signing, if that is decided; in Unix seconds.
    pub fn verify_only_from(&self) -> Option<i64> {
        self.dates.verify_only
    }

    /// When what the key signed is refused, if that is decided; in Unix seconds.
    pub fn retired_from(&self) -> Option<i64> {
        self.dates.retired
    }

    /// To derive from (HKDF-Expand, RFC 5869), with a label of your own for each purpose.
    pub fn prk(&self) -> &Prk {
        // `new` makes exactly one.
        &self.prk[0]
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({}, {:?})", hex(&self.id), self.dates)
    }
}

/// A keyring. Immutable; share it in an `Arc`. Any thread may use it, and so may a forked child. `Debug` shows ids and
/// dates only.
pub struct Keyring {
    generation: u64,
    keys: Vec<Key>,
    site: Arena<MacKey>,
}

impl Keyring {
    /// A ring that lives in this process only and dies with it, with every token and keyed digest made from it. Must
    /// be asked for by name.
    ///
    /// Errors: `Status::Random`.
    pub fn ephemeral(now: i64) -> Result<Keyring> {
        Keyring::from_text(&first_ring(now, None)?)
    }

    /// A ring without keys, for a process that gets them when it attaches: it signs and finds nothing, and the first ring
    /// of `master`'s site may take its place.
    pub fn none(master: &Master) -> Result<Keyring> {
        let secret = master.site_secret()?;
        let site = Arena::from_fn(1, |_| MacKey::new(secret.as_slice()));
        Ok(Keyring { generation: 0, keys: Vec::new(), site })
    }

    /// Makes a new keyring file with one key and reads it back. `now` is Unix seconds.
    ///
    /// The file appears whole or not at all, is flushed with its folder, and has mode 0600, or 0640 with `group` (a
    /// numeric group id) as its group.
    ///
    /// Errors: `Status::Refused` when `path` exists already, in whatever form: it is left alone. `Status::Unavailable`
    /// when the system says no, `Status::Random`.
    pub fn create(path: &Path, now: i64, group: Option<u32>) -> Result<Keyring> {
        match RingPlace::file(path).create(now, group)? {
            true => Keyring::load(path, now),
            false => Err(Error::new(
                Status::Refused,
                "there is a file already, and it is left alone; move it away first if a new keyring is truly wanted \
                 (every token and session made with the old one ends)",
            )
            .at(path.display())),
        }
    }

    /// Loads the ring in the file at `path`. Errors: as [`RingPlace::load`].
    pub fn load(path: &Path, now: i64) -> Result<Keyring> {
        RingPlace::file(path).load(now)
    }

    pub(super) fn from_text(text: &RingText) -> Result<Keyring> {
        let mut keys = Vec::with_capacity(text.keys.len());
        for entry in &text.keys {
            keys.push(Key::new(&entry.master, entry.dates)?);
        }
        let site = Arena::from_fn(1, |_| MacKey::new(text.site_secret.as_slice()));
        refuse_equal_ids(&keys)?;
        Ok(Keyring { generation: text.generation, keys, site })
    }

    /// Counts the changes of the ring; a reader never goes back to a lower one.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// All keys in the order of the file, retired ones included.
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// The key that signs at `now` (Unix seconds): of those in [`State::Signing`] the one that began last. Of two that
    /// began in the same second, the one with the higher id, so that all processes choose alike.
    ///
    /// Errors: `Status::Unavailable` when none signs; the sentence says whether all are past it or still before it.
    pub fn signing(&self, now: i64) -> Result<&Key> {
        let signing = self.keys.iter().filter(|key| key.state(now) == State::Signing);
        signing.max_by_key(|key| (key.dates.signing, key.id)).ok_or_else(|| self.none_signs(now))
    }

    /// The key named `id`, if it may verify at `now` (Unix seconds): never a retired one. No allocation.
    ///
    /// A published key verifies already: another machine's clock may be ahead.
    pub fn find(&self, id: &KeyId, now: i64) -> Option<&Key> {
        self.keys.iter().find(|key| key.id == *id && key.state(now) != State::Retired)
    }

    /// When the key that signs at `now` will have signed for `span` seconds. Errors: as [`Keyring::signing`].
    pub fn due(&self, span: u32, now: i64) -> Result<i64> {
        self.signing(now).map(|key| key.signs_from().saturating_add(i64::from(span)))
    }

    /// Whether a new key is to be made at `now`: the one that signs has done so for `span` seconds, and none is on its way
    /// to sign by its date within so many seconds. (One further off was made by a machine whose clock is wrong.)
    pub fn is_due(&self, span: u32, now: i64) -> bool {
        let ends = now.saturating_add(i64::from(span));
        let coming = |key: &Key| key.state(now) == State::Published && !key.waits() && key.signs_from() <= ends;
        self.due(span, now).is_ok_and(|due| due <= now) && !self.keys.iter().any(coming)
    }

    /// Whether this ring may take the place of `old`, and says something new: `Ok(false)` when both are the same.
    ///
    /// Errors: `Status::Refused` when it is older, when it differs and counts the same generation, or when it is
    /// another site's.
    pub fn follows(&self, old: &Keyring) -> Result<bool> {
        let refuse = |message: String| Err(Error::new(Status::Refused, message));
        let secret = |ring: &Keyring| ring.site_key("janua/1 same site").tag(&[]);
        if !secret::equal(&secret(self), &secret(old)) {
            return refuse(
                "its `site_secret` is another: not a newer keyring but another one; restore the file, or \
                           reload the host if this one is wanted (its tokens of today end)"
                    .to_owned(),
            );
        }
        let (here, there) = (self.generation, old.generation);
        if here < there {
            return refuse(format!(
                "generation {here} is older than {there}, which is in force: a ring never goes back; restore the newest \
                 file"
            ));
        }
        if here == there && !self.same_keys(old) {
            return refuse(format!("it was changed and is generation {here} still; whoever changes it raises that"));
        }
        Ok(here > there)
    }

    fn same_keys(&self, other: &Keyring) -> bool {
        let facts = |ring: &Keyring| ring.keys.iter().map(|key| (key.id, key.dates)).collect::<Vec<_>>();
        facts(self) == facts(other)
    }

    /// From when to when `key` of this ring may have signed, up to `now`; `None` when it never has. In Unix seconds.
    pub fn signed(&self, key: &Key, now: i64) -> Option<(i64, i64)> {
        let from = key.dates.signing;
        let newer = |other: &&Key| !other.dates.waits && other.dates.signing > from;
        let superseded = || self.keys.iter().filter(newer).map(Key::signs_from).min();
        let until = key.dates.verify_only.or_else(superseded).unwrap_or(now).min(now);
        (!key.dates.waits && from < until).then_some((from, until))
    }

    /// A key for digests of this site, one per `label`. Comes from the ring's own secret, so that rotation leaves it
    /// as it is.
    pub fn site_key(&self, label: &str) -> MacKey {
        // `from_text` makes exactly one.
        let derived = Zeroizing::new(self.site[0].tag(&[LABEL_SITE, label.as_bytes()]));
        MacKey::new(derived.as_slice())
    }

    fn none_signs(&self, now: i64) -> Error {
        let next = self
            .keys
            .iter()
            .filter(|key| key.state(now) == State::Published && !key.waits())
            .map(Key::signs_from)
            .min();
        Error::unavailable(match next {
            Some(from) => format!(
                "no key of the ring signs before {}; set the clock of this machine if it is behind, or let a [[key]] sign \
                 earlier",
                date_text(from)
            ),
            None if self.keys.is_empty() => "no key of the ring is known yet: attach first".to_owned(),
            None => "every key of the ring is verify-only, retired or waits for `janua keyring rotate`".to_owned(),
        })
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring").field("generation", &self.generation).field("keys", &self.keys).finish()
    }
}

/// The text of a ring with one new key, and with a site secret of its own or the one that goes with `master`.
pub(super) fn first_ring(now: i64, master: Option<&Master>) -> Result<RingText> {
    let from = now.saturating_sub(BACK).max(0);
    Ok(RingText {
        generation: 1,
        site_secret: match master {
            Some(master) => master.site_secret()?,
            None => Zeroizing::new(random::array()?),
        },
        keys: vec![Entry {
            master: Zeroizing::new(random::array()?),
            dates: Dates { published: from, signing: from, waits: false, verify_only: None, retired: None },
        }],
    })
}

fn refuse_equal_ids(keys: &[Key]) -> Result<()> {
    for (place, key) in keys.iter().enumerate() {
        if let Some(other) = keys.iter().take(place).position(|other| other.id == key.id) {
            return Err(Error::invalid(format!(
                "[[key]] {} and [[key]] {} are the same key ({}); remove one of the two",
                other + 1,
                place + 1,
                hex(&key.id)
            )));
        }
    }
    Ok(())
}

fn key_id(prk: &Prk) -> Result<KeyId> {
    let mut id = KeyId::default();
    expand(prk, &[LABEL_KEY_ID], &mut id)?;
    Ok(id)
}

/// HKDF-Expand (RFC 5869, section 2.3) into `out`.
pub(super) fn expand(prk: &Prk, info: &[&[u8]], out: &mut [u8]) -> Result<()> {
    struct Length(usize);
    impl KeyType for Length {
        fn len(&self) -> usize {
            self.0
        }
    }
    let filled = prk.expand(info, Length(out.len())).and_then(|okm| okm.fill(out));
    filled.map_err(|_| Error::invalid("a key could not be derived"))
}
