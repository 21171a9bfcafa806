//! The claims of a sealed token as bytes, in a bucket of fixed size, and back.
//!
//! Called by `sealed` only, on bytes whose seal holds. The table of the bytes stands at the top of `sealed`. Every
//! claim has one spelling: what is left over is zero, and the smallest bucket that fits is the only right one.

use crate::base::{Error, Reason, Result};
use crate::crypto::digest::sha256_16;
use std::fmt;

/// The sizes that claims are padded to; the first is the one of every token without `extra` and with a short name.
pub(super) const BUCKETS: [usize; 3] = [104, 200, 456];

/// The largest bucket.
pub(super) const LARGEST: usize = 456;

/// The longest principal, in bytes.
pub const MAX_PRINCIPAL: usize = 255;

const HAS_SESSION: u8 = 1;
const HAS_EXTRA: u8 = 2;

/// What a sealed token says. `Debug` shows times, principal and what else is public.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Claims<'a> {
    /// Unix seconds, from 0 to below 2^40.
    pub issued: i64,
    /// Unix seconds; after `issued`, at most 2^32 - 1 later.
    pub ends: i64,
    /// The number of the revocation log that was read before the login.
    pub seq: u64,
    /// A digest of the session id that the client chose, or random.
    pub sid: [u8; 16],
    /// Whether the client chose a session id: only then can it log this token out.
    pub has_session: bool,
    /// [`tenant_tag`] of the tenant, or zeros: none.
    pub tenant: [u8; 16],
    /// The principal's id: 1 to 255 bytes. Up to 53 fit the smallest bucket.
    pub principal: &'a str,
    /// Opaque bytes, usually none; any at all make the token larger.
    pub extra: &'a [u8],
}

impl fmt::Debug for Claims<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claims")
            .field("issued", &self.issued)
            .field("ends", &self.ends)
            .field("seq", &self.seq)
            .field("has_session", &self.has_session)
            .field("principal", &self.principal)
            .field("extra", &self.extra.len())
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
    let session = if claims.has_session { HAS_SESSION } else { 0 };
    let extra = if claims.extra.is_empty() { 0 } else { HAS_EXTRA };

    room.fill(0);
    let mut writer = Writer { room, at: 0, fits: true };
    writer.put(&[session | extra]);
    let [_, _, _, forty @ ..] = issued.to_be_bytes();
    writer.put(&forty);
    writer.put(&lifetime.to_be_bytes());
    writer.put(&claims.seq.to_be_bytes());
    writer.put(&claims.sid);
    writer.put(&claims.tenant);
    writer.put(&[length]);
    writer.put(claims.principal.as_bytes());
    if extra != 0 {
        let length = u16::try_from(claims.extra.len()).unwrap_or(u16::MAX);
        writer.put(&length.to_be_bytes());
        writer.put(claims.extra);
    }
    let Writer { at, fits, .. } = writer;
    bucket(at, extra != 0)
        .filter(|_| fits)
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
    let mut extra: &[u8] = &[];
    if flags & HAS_EXTRA != 0 {
        let (length, after) = rest.split_first_chunk()?;
        (extra, rest) = after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    }
    let issued = i64::from_be_bytes([0, 0, 0, *i0, *i1, *i2, *i3, *i4]);
    let lifetime = u32::from_be_bytes(*lifetime);
    let well_formed = flags & !(HAS_SESSION | HAS_EXTRA) == 0
        && lifetime > 0
        && !principal.is_empty()
        && extra.is_empty() == (flags & HAS_EXTRA == 0)
        && bucket(bytes.len() - rest.len(), !extra.is_empty()) == Some(bytes.len())
        && rest.iter().fold(0, |any, byte| any | byte) == 0;
    well_formed.then_some(Claims {
        issued,
        ends: issued + i64::from(lifetime),
        seq: u64::from_be_bytes(*seq),
        sid: *sid,
        has_session: flags & HAS_SESSION != 0,
        tenant: *tenant,
        principal: std::str::from_utf8(principal).ok()?,
        extra,
    })
}

/// The bucket for this many bytes; `extra` never goes into the smallest.
fn bucket(bytes: usize, extra: bool) -> Option<usize> {
    BUCKETS.into_iter().skip(usize::from(extra)).find(|bucket| bytes <= *bucket)
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

    pub(super) fn sample() -> Claims<'static> {
        Claims {
            issued: 1_700_000_000,
            ends: 1_700_003_600,
            seq: 7,
            sid: [1; 16],
            has_session: true,
            tenant: [2; 16],
            principal: "Aladdin",
            extra: b"",
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

    #[test]
    fn the_smallest_bucket_that_fits_is_used() {
        let name = "n".repeat(256);
        let size = |principal: usize, extra: usize| {
            bytes(&Claims { principal: &name[..principal], extra: &vec![9; extra], ..sample() }).len()
        };
        assert_eq!(size(53, 0), 104);
        assert_eq!(size(54, 0), 200);
        assert_eq!(size(149, 0), 200);
        assert_eq!(size(150, 0), 456);
        assert_eq!(size(255, 0), 456);
        assert_eq!(size(1, 1), 200, "extra never goes into the smallest bucket");
        assert_eq!(size(7, 140), 200);
        assert_eq!(size(7, 141), 456);
        assert_eq!(size(7, 396), 456);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let name = "n".repeat(256);
        let refused = |claims: Claims<'_>| write(&claims, &mut [0; LARGEST]).is_err();
        assert!(refused(Claims { principal: "", ..sample() }));
        assert!(refused(Claims { principal: &name, ..sample() }));
        assert!(refused(Claims { extra: &[9; 397], ..sample() }));
        assert!(refused(Claims { extra: &[9; 70_000], ..sample() }));
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
        assert_eq!(changed(0, 4), Some(Reason::TokenMalformed), "an unknown flag");
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
    fn an_empty_extra_is_not_marked_as_one() {
        let mut bytes = bytes(&Claims { extra: &[9], ..sample() });
        assert_eq!(bytes[58..61], [0, 1, 9]);
        bytes[58..61].fill(0);
        assert_eq!(read(&bytes), Err(Reason::TokenMalformed));
    }

    #[test]
    fn tenants_have_tags_of_their_own() {
        assert_ne!(tenant_tag("{C840BE1A-5B47-4AC0-8EF7-835C166C8E24}"), tenant_tag(""));
        assert_ne!(tenant_tag(""), [0; 16]);
    }
}
