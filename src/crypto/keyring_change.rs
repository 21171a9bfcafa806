//! Changes of a keyring file: a new key is published, made to sign, or retired.
//!
//! Called by the administrator's command. Each change is made under the lock of the file and replaces it as a whole, one
//! generation up; one that fails, or that would leave a ring which signs nothing, leaves the file as it was. No change
//! tells a running process: those follow the file by themselves (`keyring_watch`). Rotation ends no token, and nothing
//! here touches a session; retiring a key ends the tokens that it signed and nothing else.

use super::keyring::{BACK, KeyId, Keyring, LONGEST_TOKEN, MAX_KEYS, PUBLISH_LEAD, State};
use super::keyring_file;
use super::keyring_text::{Dates, Entry, RingText, date_text};
use crate::base::encoding::hex;
use crate::base::{Error, Result, Status, random};
use std::path::Path;
use zeroize::Zeroizing;

/// A key that is to sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coming {
    pub id: KeyId,
    /// From when it signs, or may sign; Unix seconds.
    pub signs_from: i64,
    /// Whether it was made by this change.
    pub made: bool,
    /// Whether the file was changed: not when the key was told before to sign at its date.
    pub changed: bool,
}

/// What hurries a rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Haste {
    /// Nothing: a new key signs after this many seconds, [`PUBLISH_LEAD`] at the least.
    Lead(i64),
    /// The key in force is in wrong hands: the next one signs at once, and a process that has not read the file yet
    /// refuses its tokens until it has, about a second.
    AtOnce,
}

/// Adds a key that verifies everywhere and does not sign before [`rotate`]; from `now + lead` on it may.
///
/// `now` was read before the file's lock was waited for, five seconds at the most: the two minutes that the lead has for
/// clocks have room for that.
///
/// Errors: `Status::Refused` when there is such a key already; `Status::Invalid` for a lead under [`PUBLISH_LEAD`]; as
/// [`Keyring::load`]; `Status::Unavailable` when the file cannot be locked or replaced, `Status::Random`.
pub fn publish(path: &Path, now: i64, lead: i64) -> Result<Coming> {
    let lead = long_enough(lead)?;
    change(path, now, |ring, keys| {
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
        add(ring, keys, now, signs_from, true)?;
        Ok((signs_from, ring.keys.len() - 1, true))
    })
    .map(|(signs_from, id, changed)| Coming { id, signs_from, made: true, changed })
}

/// Lets the published key sign, from now on or from the time from which it may. Without one, publishes a key that signs
/// by its date. The keys before it sign no more from that moment on, and go on to verify.
///
/// A key that was told before to sign at a later date is left alone. Errors: as [`publish`].
pub fn rotate(path: &Path, now: i64, haste: Haste) -> Result<Coming> {
    let lead = match haste {
        Haste::Lead(lead) => long_enough(lead)?,
        Haste::AtOnce => 0,
    };
    let at_once = haste == Haste::AtOnce;
    let mut made = false;
    let done = change(path, now, |ring, keys| {
        let next = keys.keys().iter().position(|key| key.state(now) == State::Published);
        let place = match next {
            Some(place) if !keys.keys()[place].waits() && !at_once => {
                return Ok((keys.keys()[place].signs_from(), place, false));
            }
            Some(place) => place,
            None => {
                made = true;
                add(ring, keys, now, now.saturating_add(lead), false)?;
                ring.keys.len() - 1
            }
        };
        let Some(entry) = ring.keys.get_mut(place) else { return Err(Error::invalid("the ring has no such key")) };
        let dates = &mut entry.dates;
        dates.waits = false;
        let from = dates.signing.max(now);
        if at_once {
            // A machine whose clock is behind has to sign with it too, for the key before it may be retired at once.
            dates.signing = back(now);
            dates.published = dates.published.min(dates.signing);
        } else {
            dates.signing = from;
        }
        let from = if at_once { now } else { from };
        let others = ring.keys.iter_mut().enumerate().filter(|(other, _)| *other != place);
        others.for_each(|(_, entry)| end_signing(&mut entry.dates, from, now));
        Ok((from, place, true))
    });
    done.map(|(signs_from, id, changed)| Coming { id, signs_from, made, changed })
}

/// Retires a key: nothing that it signed is good any more, whatever a machine's clock says, up to an hour.
///
/// Errors: `Status::NotFound` when the ring has no such key; `Status::Refused` when it is retired already, or when no
/// other key signs that every machine knows to sign; else as [`publish`].
pub fn retire(path: &Path, now: i64, id: &KeyId) -> Result<()> {
    let done = change(path, now, |ring, keys| {
        let place = keys.keys().iter().position(|key| key.id() == *id).ok_or_else(|| {
            Error::not_found(format!("there is no key {} in the ring; `janua keyring show` lists them", hex(id)))
        })?;
        let (key, Some(entry)) = (&keys.keys()[place], ring.keys.get_mut(place)) else {
            return Err(Error::invalid("the ring has no such key"));
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
        Ok((end, place, true))
    });
    done.map(|_| ())
}

/// The one way to change a file. `edit` gets its text and the ring that it stands for, and says: a date to hand on, the
/// place of the key it worked on, and whether to write.
fn change(
    path: &Path,
    now: i64,
    edit: impl FnOnce(&mut RingText, &Keyring) -> Result<(i64, usize, bool)>,
) -> Result<(i64, KeyId, bool)> {
    let (text, locked) = keyring_file::lock(path)?;
    let here = |error: Error| error.at(path.display());
    let mut ring = RingText::parse(&text).map_err(here)?;
    let old = Keyring::from_text(&ring).map_err(here)?;
    let (date, place, write) = edit(&mut ring, &old)?;
    if write {
        ring.generation =
            ring.generation.checked_add(1).ok_or_else(|| here(Error::invalid("`generation` cannot be raised")))?;
    }
    let text = ring.write()?;
    // Neither a bug of ours nor a wrong argument may leave a file that no process takes.
    let new = Keyring::from_text(&RingText::parse(text.as_bytes())?)?;
    let id = new.keys().get(place).ok_or_else(|| Error::invalid("the ring has no such key"))?.id();
    if new.follows(&old)? {
        new.signing(now).map_err(here)?;
        locked.replace(&text)?;
    }
    Ok((date, id, write))
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

/// Adds a key to the end, after what nothing can need any more was dropped.
fn add(ring: &mut RingText, keys: &Keyring, now: i64, signing: i64, waits: bool) -> Result<()> {
    drop_useless(ring, now);
    if ring.keys.len() >= MAX_KEYS {
        // The longest retired one gives way: its tokens are refused with it and without it.
        let retired = |(place, entry): (usize, &Entry)| Some((entry.dates.retired.filter(|end| *end <= now)?, place));
        let (_, place) = ring.keys.iter().enumerate().filter_map(retired).min().ok_or_else(|| {
            let text = format!(
                "the ring holds {} keys, the most there may be, and none is retired: `janua keyring retire KEY-ID`",
                keys.keys().len()
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
