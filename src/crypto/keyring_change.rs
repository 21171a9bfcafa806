//! Changes of a keyring: a new key is published, made to sign, or retired.
//!
//! Called by the administrator's command, and by the engine's maintenance for a ring that is due. Each change replaces the
//! ring as a whole, one generation up, by whatever the [`RingPlace`] has against two at once; one that fails, or that would
//! leave a ring which signs nothing, leaves it as it was. No change tells a running process: those follow by themselves
//! (`keyring_watch`). Rotation ends no token, and nothing here touches a session; retiring a key ends the tokens that it
//! signed and nothing else.

use super::keyring::{BACK, Key, KeyId, Keyring, LONGEST_TOKEN, MAX_KEYS, PUBLISH_LEAD, State};
use super::keyring_place::RingPlace;
use super::keyring_text::{Dates, Entry, RingText, date_text};
use crate::base::encoding::hex;
use crate::base::{Error, Result, Status, random};
use zeroize::Zeroizing;

/// A key that is to sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coming {
    pub id: KeyId,
    /// From when it signs, or may sign; Unix seconds.
    pub signs_from: i64,
    /// Whether it was made by this change.
    pub made: bool,
    /// Whether the ring was changed: not when the key was told before to sign at its date.
    pub changed: bool,
}

/// What hurries a rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Haste {
    /// Nothing: a new key signs after this many seconds, [`PUBLISH_LEAD`] at the least.
    Lead(i64),
    /// The key in force is in wrong hands: the next one signs at once, and a process that has not read it yet
    /// refuses its tokens until it has, about a second.
    AtOnce,
}

/// What an edit of a ring's text comes to.
struct Edited {
    /// The key that it is about, by its place in the text.
    place: usize,
    signs_from: i64,
    made: bool,
    /// Whether to write it.
    changed: bool,
}

/// Adds a key that verifies everywhere and does not sign before [`rotate`]; from `now + lead` on it may.
///
/// `now` was read before a file's lock was waited for, five seconds at the most: the two minutes that the lead has for
/// clocks have room for that.
///
/// Errors: `Status::Refused` when there is such a key already; `Status::Invalid` for a lead under [`PUBLISH_LEAD`]; as
/// [`RingPlace::load`]; `Status::Unavailable` when the ring cannot be locked or replaced, `Status::Random`.
pub fn publish(place: &RingPlace, now: i64, lead: i64) -> Result<Coming> {
    let lead = long_enough(lead)?;
    let coming = change(place, now, |ring, keys| {
        if let Some(key) = keys.keys().iter().find(|key| key.state(now) == State::Published) {
            let (id, from) = (hex(&key.id()), date_text(key.signs_from()));
            return Err(Error::new(
                Status::Refused,
                match key.waits() {
                    true => format!("key {id} is published already and may sign from {from}: `janua keyring rotate`"),
                    false => format!("key {id} is published already and signs from {from}"),
                },
            ));
        }
        let signs_from = now.saturating_add(lead);
        add(ring, now, now, signs_from, true)?;
        Ok(Some(Edited { place: ring.keys.len() - 1, signs_from, made: true, changed: true }))
    });
    coming?.ok_or_else(no_such_key)
}

/// Lets the published key sign, from now on or from the time from which it may. Without one, publishes a key that signs
/// by its date. The keys before it sign no more from that moment on, and go on to verify.
///
/// A key that was told before to sign at a later date is left alone. Errors: as [`publish`].
pub fn rotate(place: &RingPlace, now: i64, haste: Haste) -> Result<Coming> {
    let lead = match haste {
        Haste::Lead(lead) => long_enough(lead)?,
        Haste::AtOnce => 0,
    };
    let at_once = haste == Haste::AtOnce;
    let coming = change(place, now, |ring, keys| {
        let next = keys.keys().iter().position(|key| key.state(now) == State::Published);
        if let Some((place, key)) = next.and_then(|place| Some((place, keys.keys().get(place)?)))
            && !key.waits()
            && !at_once
        {
            return Ok(Some(Edited { place, signs_from: key.signs_from(), made: false, changed: false }));
        }
        turn(ring, next, now, now, Turn { lead, at_once }).map(Some)
    });
    coming?.ok_or_else(no_such_key)
}

/// Does what [`rotate`] does if the key that signs has done so for `span` seconds ([`Keyring::is_due`]); `None`: it was not
/// due, and nothing was changed. However many come at once, one of them rotates.
///
/// Keys whose tokens have all ended are dropped by what the ring itself tells of the time, not by `now` alone: a machine that
/// starts with its clock years ahead makes one key too many and takes none away that others need. Errors: as [`publish`].
pub fn rotate_if_due(place: &RingPlace, now: i64, span: u32, lead: i64) -> Result<Option<Coming>> {
    let lead = long_enough(lead)?;
    change(place, now, |ring, keys| {
        if !keys.is_due(span, now) {
            return Ok(None);
        }
        let then = told(keys, span).min(now);
        let waits = |key: &Key| key.state(now) == State::Published && key.waits();
        turn(ring, keys.keys().iter().position(waits), now, then, Turn { lead, at_once: false }).map(Some)
    })
}

/// Retires a key: nothing that it signed is good any more, whatever a machine's clock says, up to an hour.
///
/// Errors: `Status::NotFound` when the ring has no such key; `Status::Refused` when it is retired already, or when no
/// other key signs that every machine knows to sign; else as [`publish`].
pub fn retire(place: &RingPlace, now: i64, id: &KeyId) -> Result<()> {
    let done = change(place, now, |ring, keys| {
        let place = keys.keys().iter().position(|key| key.id() == *id).ok_or_else(|| {
            Error::not_found(format!("there is no key {} in the ring; `janua keyring show` lists them", hex(id)))
        })?;
        let (Some(key), Some(entry)) = (keys.keys().get(place), ring.keys.get_mut(place)) else {
            return Err(no_such_key());
        };
        if key.state(now) == State::Retired {
            return Err(Error::new(Status::Refused, format!("key {} is retired already", hex(id))));
        }
        let end = back(now);
        let dates = &mut entry.dates;
        *dates = Dates {
            published: dates.published.min(end),
            signing: dates.signing.min(end),
            waits: false,
            verify_only: Some(dates.verify_only.unwrap_or(end).min(end)),
            retired: Some(dates.retired.unwrap_or(end).min(end)),
        };
        may_go_without(ring, now, id)?;
        Ok(Some(Edited { place, signs_from: end, made: false, changed: true }))
    });
    done.map(|_| ())
}

/// How a key comes to sign.
struct Turn {
    lead: i64,
    at_once: bool,
}

/// Lets the key at `next` sign, or a new one; the others end. `then`: as of when keys are judged to be of no more use.
fn turn(ring: &mut RingText, next: Option<usize>, now: i64, then: i64, how: Turn) -> Result<Edited> {
    let (place, made) = match next {
        Some(place) => (place, false),
        None => {
            add(ring, now, then, now.saturating_add(how.lead), false)?;
            (ring.keys.len() - 1, true)
        }
    };
    let dates = &mut ring.keys.get_mut(place).ok_or_else(no_such_key)?.dates;
    dates.waits = false;
    let mut signs_from = dates.signing.max(now);
    if how.at_once {
        signs_from = now;
        // A machine whose clock is behind has to sign with it too, for the key before it may be retired at once.
        dates.signing = back(now);
        dates.published = dates.published.min(dates.signing);
    } else {
        dates.signing = signs_from;
    }
    let others = ring.keys.iter_mut().enumerate().filter(|(other, _)| *other != place);
    others.for_each(|(_, entry)| end_signing(&mut entry.dates, signs_from, now));
    Ok(Edited { place, signs_from, made, changed: true })
}

/// The time that the ring itself tells: when the last key began to sign that followed the others about as rotation does. One
/// that begins long after all others was made by a clock that was wrong, or after a long silence; nobody knows which.
fn told(keys: &Keyring, span: u32) -> i64 {
    let mut dates: Vec<i64> = keys.keys().iter().filter(|key| !key.waits()).map(Key::signs_from).collect();
    dates.sort_unstable();
    let near = |before: i64, next: i64| next.saturating_sub(before) <= 2 * i64::from(span);
    dates.into_iter().reduce(|told, next| if near(told, next) { next } else { told }).unwrap_or(0)
}

fn no_such_key() -> Error {
    Error::invalid("the ring has no such key")
}

/// The one way to change a ring. `edit` gets its text and the ring that it stands for; `None`: there is nothing to do.
fn change(
    place: &RingPlace,
    now: i64,
    edit: impl Fn(&mut RingText, &Keyring) -> Result<Option<Edited>>,
) -> Result<Option<Coming>> {
    place.change(|mut ring| {
        let here = |error: Error| error.at(place.shown());
        let old = Keyring::from_text(&ring).map_err(here)?;
        let Some(edited) = edit(&mut ring, &old)? else { return Ok((None, None)) };
        if edited.changed {
            ring.generation =
                ring.generation.checked_add(1).ok_or_else(|| here(Error::invalid("`generation` cannot be raised")))?;
        }
        // Neither a bug of ours nor a wrong argument may leave a ring that no process takes.
        let new = Keyring::from_text(&RingText::parse(ring.write()?.as_bytes())?)?;
        let id = new.keys().get(edited.place).ok_or_else(no_such_key)?.id();
        let Edited { signs_from, made, changed, .. } = edited;
        let coming = Coming { id, signs_from, made, changed };
        if !new.follows(&old)? {
            return Ok((Some(coming), None));
        }
        new.signing(now).map_err(here)?;
        Ok((Some(coming), Some(ring)))
    })
}

fn long_enough(lead: i64) -> Result<i64> {
    if lead >= PUBLISH_LEAD {
        return Ok(lead);
    }
    Err(Error::invalid(format!(
        "a key has to be published {PUBLISH_LEAD} s before it signs at the least, so that every process and machine knows \
         it by then; {lead} s are too few"
    )))
}

fn back(now: i64) -> i64 {
    now.saturating_sub(BACK).max(0)
}

/// Adds a key to the end, after what nothing can need any more as of `then` was dropped; in a full ring, as of `now`.
fn add(ring: &mut RingText, now: i64, then: i64, signing: i64, waits: bool) -> Result<()> {
    drop_useless(ring, then);
    if ring.keys.len() >= MAX_KEYS {
        drop_useless(ring, now);
    }
    if ring.keys.len() >= MAX_KEYS {
        // The longest retired one gives way: its tokens are refused with it and without it.
        let retired = |(place, entry): (usize, &Entry)| Some((entry.dates.retired.filter(|end| *end <= now)?, place));
        let (_, place) = ring.keys.iter().enumerate().filter_map(retired).min().ok_or_else(|| {
            let text = format!(
                "the ring holds {} keys, the most there may be, and none is retired: `janua keyring retire KEY-ID`",
                ring.keys.len()
            );
            Error::new(Status::Refused, text)
        })?;
        ring.keys.remove(place);
    }
    let dates = Dates { published: now, signing, waits, verify_only: None, retired: None };
    ring.keys.push(Entry { master: Zeroizing::new(random::array()?), dates });
    Ok(())
}

/// Drops keys that stopped signing so long ago that every token of theirs has ended.
fn drop_useless(ring: &mut RingText, now: i64) {
    let needed = i64::from(LONGEST_TOKEN) + PUBLISH_LEAD;
    ring.keys.retain(|entry| entry.dates.verify_only.is_none_or(|end| now.saturating_sub(end) <= needed));
}

/// From `from` on this key verifies only, if it would have signed then.
fn end_signing(dates: &mut Dates, from: i64, now: i64) {
    let published = dates.waits || dates.signing > now;
    if !published && dates.verify_only.is_none_or(|end| end > from) {
        dates.verify_only = Some(from);
    }
}

/// Refuses to leave a ring with no key that every machine knows to sign, one whose clock is behind included.
fn may_go_without(ring: &RingText, now: i64, id: &KeyId) -> Result<()> {
    let left = Keyring::from_text(ring)?;
    let id = hex(id);
    let Ok(key) = left.signing(now) else {
        let text = format!("key {id} is the only one that signs; let another sign first: `janua keyring rotate`");
        return Err(Error::new(Status::Refused, text));
    };
    if left.signing(now.saturating_sub(PUBLISH_LEAD)).is_ok() {
        return Ok(());
    }
    Err(Error::new(
        Status::Refused,
        format!(
            "the key that takes over from {id} signs since {} only; try again after {}, when machines whose clock is \
             behind sign with it too (if key {id} is in wrong hands: `janua keyring rotate --now` first)",
            date_text(key.signs_from()),
            date_text(key.signs_from().saturating_add(PUBLISH_LEAD))
        ),
    ))
}
