//! The claims of a sealed token as bytes, in a bucket of fixed size, and back.
//!
//! Called by `sealed` only, on bytes whose seal holds. The table of the bytes stands at the top of `sealed`. Every
//! claim has one spelling: what is left over is zero, and one bucket is the right one. Extra values choose it as if the
//! principal filled the smallest bucket, so that a decoy, which knows no principal, is as long as the token would be.

use crate::base::{Error, Reason, Result};
use crate::crypto::digest::sha256_16;
use crate::token::Extra;
use std::fmt;

/// The sizes that claims are padded to; the first is the one of every token without extra values and of a short name.
pub(super) const BUCKETS: [usize; 3] = [104, 200, 456];

/// The largest bucket.
pub(super) const LARGEST: usize = 456;

/// The longest principal, in bytes.
pub const MAX_PRINCIPAL: usize = 255;

/// The longest principal that fits the smallest bucket.
const SHORT: usize = BUCKETS[0] - FIXED;

/// Bytes that the extra values of a token take at most, names and lengths included. A principal of more than 53 bytes
/// takes what it is longer from these: see [`fits`].
pub const MAX_EXTRA: usize = LARGEST - FIXED - SHORT - 2;

/// Bytes of claims before the principal.
const FIXED: usize = 51;

const CHOSEN: u8 = 1;
const HAS_EXTRA: u8 = 2;
const OF_SESSION: u8 = 4;

/// What the `sid` of a token stands for, and so what logs it out besides its principal and key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SidKind {
    /// Nothing: it is random, and the token cannot be logged out by itself.
    Random,
    /// A session id that the client chose, as a digest: all tokens of that id are logged out with each other.
    Chosen,
    /// The session that the token was made from, by its reference: they are logged out with each other.
    Session,
}

/// What a sealed token says. `Debug` shows times, principal and what else is public.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Claims<'a> {
    /// Unix seconds, from 0 to below 2^40.
    pub issued: i64,
    /// Unix seconds; after `issued`, at most 2^32 - 1 later.
    pub ends: i64,
    /// The number of the revocation log that was read before the login.
    pub seq: u64,
    /// What logs the token out, by its [`kind`](Claims::sid_kind); random for none.
    pub sid: [u8; 16],
    pub sid_kind: SidKind,
    /// [`tenant_tag`] of the tenant, or zeros: none.
    pub tenant: [u8; 16],
    /// The principal's id: 1 to 255 bytes. Up to 53 fit the smallest bucket.
    pub principal: &'a str,
    /// What the profile keeps, usually nothing; any at all make the token larger.
    pub extra: Extra<'a>,
}

impl fmt::Debug for Claims<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claims")
            .field("issued", &self.issued)
            .field("ends", &self.ends)
            .field("seq", &self.seq)
            .field("sid_kind", &self.sid_kind)
            .field("principal", &self.principal)
            .field("extra", &self.extra)
            .finish_non_exhaustive()
    }
}

/// The tag that stands for a tenant inside the seal. Never zeros in practice; zeros say "no tenant".
pub fn tenant_tag(tenant_id: &str) -> [u8; 16] {
    sha256_16(&[b"janua-tenant", tenant_id.as_bytes()])
}

/// Writes `claims` to the front of `room` and returns the size of the bucket.
///
/// Errors: `Status::Invalid` when a time, the principal or `extra` does not fit.
pub(super) fn write(claims: &Claims<'_>, room: &mut [u8; LARGEST]) -> Result<usize> {
    let issued = u64::try_from(claims.issued).ok().filter(|issued| *issued < 1 << 40);
    let lifetime = claims.ends.checked_sub(claims.issued).and_then(|life| u32::try_from(life).ok());
    let (Some(issued), Some(lifetime @ 1..)) = (issued, lifetime) else {
        return Err(Error::invalid("a token must end after it begins, and within 136 years"));
    };
    let length = u8::try_from(claims.principal.len()).ok().filter(|length| *length > 0);
    let length = length.ok_or_else(|| Error::invalid(format!("a principal's id has 1 to {MAX_PRINCIPAL} bytes")))?;
    let sid = match claims.sid_kind {
        SidKind::Random => 0,
        SidKind::Chosen => CHOSEN,
        SidKind::Session => OF_SESSION,
    };
    let extra = if claims.extra.is_empty() { 0 } else { HAS_EXTRA };
    let values = claims.extra.bytes();

    room.fill(0);
    let mut writer = Writer { room, at: 0, fits: true };
    writer.put(&[sid | extra]);
    let [_, _, _, forty @ ..] = issued.to_be_bytes();
    writer.put(&forty);
    writer.put(&lifetime.to_be_bytes());
    writer.put(&claims.seq.to_be_bytes());
    writer.put(&claims.sid);
    writer.put(&claims.tenant);
    writer.put(&[length]);
    writer.put(claims.principal.as_bytes());
    if extra != 0 {
        let length = u16::try_from(values.len()).unwrap_or(u16::MAX);
        writer.put(&length.to_be_bytes());
        writer.put(values);
    }
    bucket(claims.principal.len(), values.len())
        .filter(|_| writer.fits)
        .ok_or_else(|| Error::invalid(format!("the claims are longer than the {LARGEST} bytes of the largest token")))
}

/// Reads the claims that fill the bucket `bytes`.
///
/// Errors: [`Reason::TokenMalformed`] for whatever [`write`] does not write. Such bytes were sealed by a key of the
/// ring all the same: by another version of this library, or by a bug.
#[inline]
pub(super) fn read(bytes: &[u8]) -> std::result::Result<Claims<'_>, Reason> {
    split(bytes).ok_or(Reason::TokenMalformed)
}

#[inline]
fn split(bytes: &[u8]) -> Option<Claims<'_>> {
    let ([flags], rest) = bytes.split_first_chunk()?;
    let ([i0, i1, i2, i3, i4], rest) = rest.split_first_chunk()?;
    let (lifetime, rest) = rest.split_first_chunk()?;
    let (seq, rest) = rest.split_first_chunk()?;
    let (sid, rest) = rest.split_first_chunk()?;
    let (tenant, rest) = rest.split_first_chunk()?;
    let ([length], rest) = rest.split_first_chunk()?;
    let (principal, mut rest) = rest.split_at_checked(usize::from(*length))?;
    let mut values: &[u8] = &[];
    if flags & HAS_EXTRA != 0 {
        let (length, after) = rest.split_first_chunk()?;
        (values, rest) = after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    }
    let issued = i64::from_be_bytes([0, 0, 0, *i0, *i1, *i2, *i3, *i4]);
    let lifetime = u32::from_be_bytes(*lifetime);
    let sid_kind = match flags & !HAS_EXTRA {
        0 => SidKind::Random,
        CHOSEN => SidKind::Chosen,
        OF_SESSION => SidKind::Session,
        _ => return None,
    };
    let well_formed = lifetime > 0
        && !principal.is_empty()
        && values.is_empty() == (flags & HAS_EXTRA == 0)
        && bucket(principal.len(), values.len()) == Some(bytes.len())
        && rest.iter().fold(0, |any, byte| any | byte) == 0;
    well_formed.then_some(Claims {
        issued,
        ends: issued + i64::from(lifetime),
        seq: u64::from_be_bytes(*seq),
        sid: *sid,
        sid_kind,
        tenant: *tenant,
        principal: std::str::from_utf8(principal).ok()?,
        extra: Extra::read(values)?,
    })
}

/// The bucket of a principal and extra values of so many bytes. With extra values a short principal counts as the
/// longest short one, so that what came with the request alone chooses the length.
fn bucket(principal: usize, extra: usize) -> Option<usize> {
    let bytes = if extra == 0 { FIXED + principal } else { FIXED + principal.max(SHORT) + 2 + extra };
    BUCKETS.into_iter().find(|bucket| bytes <= *bucket)
}

/// The bucket of a decoy: the one of every user whose id is short.
pub(super) fn decoy_bucket(extra: Extra<'_>) -> Option<usize> {
    bucket(SHORT, extra.bytes().len())
}

/// Whether a token can hold these values beside this principal: always, unless its id is longer than 53 bytes.
pub fn fits(principal: &str, extra: Extra<'_>) -> bool {
    bucket(principal.len(), extra.bytes().len()).is_some()
}

/// Appends to a buffer, and notes when something did not fit.
struct Writer<'a> {
    room: &'a mut [u8; LARGEST],
    at: usize,
    fits: bool,
}

impl Writer<'_> {
    fn put(&mut self, bytes: &[u8]) {
        match self.room.get_mut(self.at..self.at.saturating_add(bytes.len())) {
            Some(place) => {
                place.copy_from_slice(bytes);
                self.at += bytes.len();
            }
            None => self.fits = false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::ExtraRoom;

    pub(super) fn sample() -> Claims<'static> {
        Claims {
            issued: 1_700_000_000,
            ends: 1_700_003_600,
            seq: 7,
            sid: [1; 16],
            sid_kind: SidKind::Chosen,
            tenant: [2; 16],
            principal: "Aladdin",
            extra: Extra::NONE,
        }
    }

    fn bytes(claims: &Claims<'_>) -> Vec<u8> {
        let mut room = [0xff; LARGEST];
        let size = write(claims, &mut room).unwrap();
        room[..size].to_vec()
    }

    #[test]
    fn the_bytes_stand_where_the_table_says() {
        let bytes = bytes(&sample());
        assert_eq!(bytes.len(), 104);
        assert_eq!(bytes[0], 1);
        assert_eq!(bytes[1..6], [0, 0x65, 0x53, 0xf1, 0x00]);
        assert_eq!(bytes[6..10], [0, 0, 0x0e, 0x10]);
        assert_eq!(bytes[10..18], [0, 0, 0, 0, 0, 0, 0, 7]);
        assert_eq!(bytes[18..34], [1; 16]);
        assert_eq!(bytes[34..50], [2; 16]);
        assert_eq!(bytes[50..58], *b"\x07Aladdin");
        assert_eq!(bytes[58..], [0; 46]);
    }

    /// Values that take so many bytes: none, or at least 4.
    fn extra(bytes: usize) -> ExtraRoom {
        let mut room = ExtraRoom::new();
        if bytes > 0 {
            room.push("x", &"v".repeat(bytes - 4)).unwrap();
        }
        assert_eq!(room.get().bytes().len(), bytes);
        room
    }

    #[test]
    fn the_smallest_bucket_that_fits_is_used() {
        let name = "n".repeat(256);
        let size = |principal: usize, values: usize| {
            let extra = extra(values);
            let claims = Claims { principal: &name[..principal], extra: extra.get(), ..sample() };
            let bytes = bytes(&claims);
            assert_eq!(read(&bytes), Ok(claims));
            bytes.len()
        };
        assert_eq!(size(53, 0), 104);
        assert_eq!(size(54, 0), 200);
        assert_eq!(size(149, 0), 200);
        assert_eq!(size(150, 0), 456);
        assert_eq!(size(255, 0), 456);
        for short in [1, 7, 53] {
            assert_eq!(size(short, 4), 200, "extra values never go into the smallest bucket");
            assert_eq!(size(short, 94), 200);
            assert_eq!(size(short, 95), 456, "a short name makes no difference");
            assert_eq!(size(short, MAX_EXTRA), 456);
        }
        assert_eq!(size(54, 93), 200, "a long one does");
        assert_eq!(size(54, 94), 456);
        assert_eq!(size(54, MAX_EXTRA - 1), 456);
        assert_eq!(size(255, 148), 456);
        assert_eq!(MAX_EXTRA, 350);
    }

    #[test]
    fn a_decoy_has_the_bucket_of_every_short_name() {
        for values in [0].into_iter().chain(4..=MAX_EXTRA) {
            let extra = extra(values);
            for principal in ["n", "Aladdin", &"n".repeat(SHORT)] {
                let claims = Claims { principal, extra: extra.get(), ..sample() };
                assert_eq!(decoy_bucket(extra.get()), Some(bytes(&claims).len()), "{values}");
                assert!(fits(principal, extra.get()));
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let name = "n".repeat(256);
        let refused = |claims: Claims<'_>| write(&claims, &mut [0; LARGEST]).is_err();
        assert!(refused(Claims { principal: "", ..sample() }));
        assert!(refused(Claims { principal: &name, ..sample() }));
        for (principal, values) in [(54, MAX_EXTRA), (255, 149)] {
            let extra = extra(values);
            assert!(refused(Claims { principal: &name[..principal], extra: extra.get(), ..sample() }));
            assert!(!fits(&name[..principal], extra.get()) && fits(&name[..principal - 1], extra.get()));
        }
        assert!(refused(Claims { ends: sample().issued, ..sample() }));
        assert!(refused(Claims { ends: sample().issued - 1, ..sample() }));
        assert!(refused(Claims { ends: sample().issued + (1 << 32), ..sample() }));
        assert!(refused(Claims { issued: -1, ..sample() }));
        assert!(refused(Claims { issued: 1 << 40, ends: (1 << 40) + 1, ..sample() }));
        assert!(refused(Claims { issued: i64::MIN, ends: i64::MAX, ..sample() }));
        assert!(!refused(Claims { issued: (1 << 40) - 1, ends: (1 << 40) + 4_294_967_294, ..sample() }));
    }

    #[test]
    fn claims_have_one_spelling() {
        let good = bytes(&sample());
        assert_eq!(read(&good), Ok(sample()));
        let changed = |place: usize, byte: u8| {
            let mut bytes = good.clone();
            bytes[place] = byte;
            read(&bytes).err()
        };
        for place in 58..104 {
            assert_eq!(changed(place, 1), Some(Reason::TokenMalformed), "padding at {place}");
        }
        assert_eq!(changed(0, 8), Some(Reason::TokenMalformed), "an unknown flag");
        assert_eq!(changed(0, 5), Some(Reason::TokenMalformed), "chosen, and of a session");
        assert_eq!(changed(0, 3), Some(Reason::TokenMalformed), "extra in the smallest bucket");
        assert_eq!(changed(50, 0), Some(Reason::TokenMalformed), "no principal");
        assert_eq!(changed(50, 54), Some(Reason::TokenMalformed), "a principal beyond the end");
        assert_eq!(changed(51, 0xff), Some(Reason::TokenMalformed), "not UTF-8");
        let mut wide = good.clone();
        wide.resize(200, 0);
        assert_eq!(read(&wide), Err(Reason::TokenMalformed), "a larger bucket than needed");
        let mut endless = good.clone();
        endless[6..10].fill(0);
        assert_eq!(read(&endless), Err(Reason::TokenMalformed), "no lifetime");
        for length in 0..104 {
            assert_eq!(read(&good[..length]), Err(Reason::TokenMalformed));
        }
    }

    #[test]
    fn extra_values_have_one_spelling() {
        let room = extra(4);
        let good = bytes(&Claims { extra: room.get(), ..sample() });
        assert_eq!(good[58..64], *b"\0\x04\x01x\0\0");
        let changed = |place: usize, byte: u8| {
            let mut bytes = good.clone();
            bytes[place] = byte;
            read(&bytes).err()
        };
        for (place, byte, what) in [
            (0, 1, "values without their flag"),
            (58, 1, "longer than the token"),
            (59, 0, "an empty list"),
            (59, 3, "cut"),
            (59, 5, "with padding"),
            (60, 0, "a value without a name"),
            (61, b'\n', "a control character"),
            (63, 1, "a value beyond the end"),
        ] {
            assert_eq!(changed(place, byte), Some(Reason::TokenMalformed), "{what}");
        }
        let mut wide = good.clone();
        wide.resize(456, 0);
        assert_eq!(read(&wide), Err(Reason::TokenMalformed), "a larger bucket than needed");
        for length in 0..good.len() {
            assert_eq!(read(&good[..length]), Err(Reason::TokenMalformed));
        }
    }

    #[test]
    fn what_a_sid_stands_for_is_a_flag_of_its_own() {
        for (sid_kind, flag) in [(SidKind::Random, 0), (SidKind::Chosen, 1), (SidKind::Session, 4)] {
            let claims = Claims { sid_kind, ..sample() };
            let bytes = bytes(&claims);
            assert_eq!((bytes[0], read(&bytes)), (flag, Ok(claims)));
        }
    }

    #[test]
    fn tenants_have_tags_of_their_own() {
        assert_ne!(tenant_tag("{C840BE1A-5B47-4AC0-8EF7-835C166C8E24}"), tenant_tag(""));
        assert_ne!(tenant_tag(""), [0; 16]);
    }
}
