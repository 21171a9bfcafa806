//! What stands in a keyring file: TOML, read strictly and written in one form.
//!
//! ```toml
//! format = 1
//! generation = 1
//! site_secret = "43 characters of base64url"
//!
//! [[key]]
//! master = "43 characters of base64url"
//! published = 2026-01-01T00:00:00Z
//! signing = 2026-01-02T00:00:00Z
//! waits = true                         # left out of keys that need no further word to sign at their date
//! verify_only = 2026-04-02T00:00:00Z   # may be left out: not decided yet
//! retired = 2026-05-02T00:00:00Z       # likewise
//! ```
//!
//! Called by `keyring` and `keyring_file` only. The messages of the TOML library quote the line they fail at, and a
//! line may hold a master: they are never passed on, only the number of the line is.

use super::keyring::MAX_KEYS;
use crate::base::encoding::{base64url, base64url_decode};
use crate::base::{Error, Result};
use std::fmt::Write as _;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use toml::value::{Datetime, Offset};
use zeroize::Zeroizing;

/// The only layout there is.
const FORMAT: u64 = 1;

const HEAD: &str = "\
# Keyring of Janua. Whoever reads this file can make tokens: keep it to the service and its administrators.
# Every process and machine of one site uses the same file. Whoever changes it raises `generation`.
";

/// When a key may do what, in Unix seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dates {
    pub published: i64,
    pub signing: i64,
    /// Does not sign before it is told to, whatever `signing` says.
    pub waits: bool,
    pub verify_only: Option<i64>,
    pub retired: Option<i64>,
}

/// One key as the file holds it. No `Debug`.
pub(super) struct Entry {
    pub master: Zeroizing<[u8; 32]>,
    pub dates: Dates,
}

/// A keyring file, taken apart. No `Debug`.
pub(super) struct RingText {
    pub generation: u64,
    pub site_secret: Zeroizing<[u8; 32]>,
    pub keys: Vec<Entry>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRing<'a> {
    format: u64,
    generation: u64,
    #[serde(borrow)]
    site_secret: &'a str,
    #[serde(borrow, default)]
    key: Vec<RawKey<'a>>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct RawKey<'a> {
    #[serde(borrow)]
    master: &'a str,
    published: Datetime,
    signing: Datetime,
    #[serde(default)]
    waits: bool,
    verify_only: Option<Datetime>,
    retired: Option<Datetime>,
}

impl RingText {
    /// Reads the text of a keyring file.
    ///
    /// Errors: `Status::Invalid`, with the line or the key at fault and never with what stands there.
    pub fn parse(text: &[u8]) -> Result<RingText> {
        let text = std::str::from_utf8(text).map_err(|error| not_a_ring(line_of(text, error.valid_up_to())))?;
        let raw: RawRing<'_> = toml::from_str(text)
            .map_err(|error| not_a_ring(error.span().map_or(1, |span| line_of(text.as_bytes(), span.start))))?;
        if raw.format != FORMAT {
            return Err(Error::invalid(format!(
                "keyring format {} is not known here, only {FORMAT}; update this program",
                raw.format
            )));
        }
        if raw.generation == 0 {
            return Err(Error::invalid("`generation` counts from 1; restore the file from a backup"));
        }
        if raw.key.is_empty() || raw.key.len() > MAX_KEYS {
            return Err(Error::invalid(format!(
                "a keyring holds 1 to {MAX_KEYS} keys, not {}; restore the file, or remove retired keys",
                raw.key.len()
            )));
        }
        let site_secret = secret(raw.site_secret).ok_or_else(|| bad_secret("`site_secret`"))?;
        let mut keys = Vec::with_capacity(raw.key.len());
        for (place, key) in raw.key.iter().enumerate() {
            let entry = entry(key).map_err(|error| error.at(format_args!("[[key]] {}", place + 1)))?;
            if *entry.master == *site_secret {
                return Err(Error::invalid(format!(
                    "[[key]] {}: `master` repeats `site_secret`; each secret is drawn for itself: restore the file",
                    place + 1
                )));
            }
            keys.push(entry);
        }
        Ok(RingText { generation: raw.generation, site_secret, keys })
    }

    /// The text of the file.
    ///
    /// Errors: `Status::Invalid` for a date beyond the year 9999.
    pub fn write(&self) -> Result<Zeroizing<String>> {
        // Enough for every line, so that no copy of a secret is left behind by a growing string.
        let mut out = Zeroizing::new(String::with_capacity(HEAD.len() + 256 + self.keys.len() * 256));
        out.push_str(HEAD);
        let site_secret = Zeroizing::new(base64url(self.site_secret.as_slice()));
        let generation = self.generation;
        let _ = writeln!(out, "format = {FORMAT}\ngeneration = {generation}\nsite_secret = \"{}\"", *site_secret);
        for key in &self.keys {
            let master = Zeroizing::new(base64url(key.master.as_slice()));
            let _ = writeln!(out, "\n[[key]]\nmaster = \"{}\"", *master);
            if key.dates.waits {
                out.push_str("waits = true\n");
            }
            let dates = [
                ("published", Some(key.dates.published)),
                ("signing", Some(key.dates.signing)),
                ("verify_only", key.dates.verify_only),
                ("retired", key.dates.retired),
            ];
            for (name, date) in dates {
                let Some(date) = date else { continue };
                let date =
                    rfc3339(date).ok_or_else(|| Error::invalid(format!("`{name}` lies beyond the year 9999")))?;
                let _ = writeln!(out, "{name} = {date}");
            }
        }
        Ok(out)
    }
}

/// `unix` seconds as RFC 3339 in UTC, for people.
pub(super) fn date_text(unix: i64) -> String {
    rfc3339(unix).unwrap_or_else(|| format!("second {unix}"))
}

fn rfc3339(unix: i64) -> Option<String> {
    OffsetDateTime::from_unix_timestamp(unix).ok()?.format(&Rfc3339).ok()
}

fn entry(raw: &RawKey<'_>) -> Result<Entry> {
    let master = secret(raw.master).ok_or_else(|| bad_secret("`master`"))?;
    let dates = Dates {
        published: date("published", &raw.published)?,
        signing: date("signing", &raw.signing)?,
        waits: raw.waits,
        verify_only: raw.verify_only.as_ref().map(|value| date("verify_only", value)).transpose()?,
        retired: raw.retired.as_ref().map(|value| date("retired", value)).transpose()?,
    };
    let steps = [Some(dates.published), Some(dates.signing), dates.verify_only, dates.retired];
    if !steps.iter().flatten().is_sorted() {
        return Err(Error::invalid("its dates must follow each other: published, signing, verify_only, retired"));
    }
    if dates.retired.is_some() && dates.verify_only.is_none() {
        return Err(Error::invalid("it has `retired` and no `verify_only`; a key stops signing before it is retired"));
    }
    Ok(Entry { master, dates })
}

fn date(name: &str, value: &Datetime) -> Result<i64> {
    let utc = matches!(value.offset, Some(Offset::Z | Offset::Custom { minutes: 0 }));
    let parsed = OffsetDateTime::parse(&value.to_string(), &Rfc3339).ok();
    match parsed {
        Some(time) if utc => Ok(time.unix_timestamp()),
        _ => Err(Error::invalid(format!("`{name}` must be a date and time in UTC, such as 2026-01-31T12:00:00Z"))),
    }
}

/// 32 bytes in strict base64url; all zeros is no secret.
fn secret(text: &str) -> Option<Zeroizing<[u8; 32]>> {
    let mut out = Zeroizing::new([0; 32]);
    let length = (text.len() == 43).then(|| base64url_decode(text.as_bytes(), out.as_mut_slice()))??;
    (length == 32 && out.iter().any(|byte| *byte != 0)).then_some(out)
}

fn bad_secret(what: &str) -> Error {
    Error::invalid(format!("{what} is not 32 bytes in base64url without padding (43 characters); restore the file"))
}

fn not_a_ring(line: usize) -> Error {
    Error::invalid(format!(
        "line {line}: not a keyring (TOML with `format`, `generation`, `site_secret`, and in each [[key]] `master`, \
         `published`, `signing`, `waits`, `verify_only`, `retired`, none twice); restore the file from a backup"
    ))
}

fn line_of(text: &[u8], offset: usize) -> usize {
    1 + text.iter().take(offset).filter(|byte| **byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Status;
    use proptest::prelude::*;

    const MASTER: &str = "Zm9yLXRlc3RzLW9ubHktdGhlLWZpcnN0LW1hc3RlcjE";

    fn good() -> String {
        format!(
            "format = 1\ngeneration = 2\nsite_secret = \"Zm9yLXRlc3RzLW9ubHktdGhlLXNpdGUtc2VjcmV0MDA\"\n\
             [[key]]\nmaster = \"{MASTER}\"\npublished = 2026-01-01T00:00:00Z\nsigning = 2026-01-02T00:00:00Z\n\
             verify_only = 2026-01-03T00:00:00Z\nretired = 2026-01-04T00:00:00Z\n"
        )
    }

    /// The sentence with which a changed text is refused.
    fn refused(from: &str, to: &str) -> String {
        let text = good().replacen(from, to, 1);
        assert_ne!(text, good(), "{from} stands in the text");
        let error = RingText::parse(text.as_bytes()).err().unwrap_or_else(|| panic!("{to} was accepted"));
        assert_eq!(error.status, Status::Invalid);
        error.message
    }

    #[test]
    fn each_fault_is_named_with_its_place_and_mend() {
        RingText::parse(good().as_bytes()).unwrap();
        for (from, to, says) in [
            ("format = 1", "format = 2", "format 2 is not known"),
            ("format = 1\n", "", "line 1"),
            ("generation = 2", "generation = 0", "counts from 1"),
            ("generation = 2", "generation = 2\ngeneration = 3", "line 3"),
            ("generation = 2", "generation = -2", "line 2"),
            ("generation = 2", "generation = 2\ncolour = 1", "line 3"),
            ("generation = 2", "generation = \"2\"", "line 2"),
            ("site_secret = \"Zm9", "site_secret = \"Zm9v", "`site_secret` is not 32 bytes"),
            ("c2VjcmV0MDA\"", "c2VjcmV0MDB\"", "`site_secret` is not 32 bytes"),
            ("Zm9yLXRlc3RzLW9ubHktdGhlLXNpdGUtc2VjcmV0MDA", MASTER, "repeats `site_secret`"),
            (MASTER, &"A".repeat(43), "[[key]] 1: `master` is not 32 bytes"),
            (MASTER, "", "[[key]] 1: `master` is not 32 bytes"),
            ("[[key]]", "[key]", "line 4"),
            ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00+02:00", "`published` must be a date and time in UTC"),
            ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00", "`published` must be"),
            ("2026-01-02T00:00:00Z", "2026-01-02", "`signing` must be"),
            ("2026-01-02T00:00:00Z", "2026-02-30T00:00:00Z", "line 7"),
            ("2026-01-02T00:00:00Z", "2025-12-31T00:00:00Z", "[[key]] 1: its dates must follow"),
            ("2026-01-04T00:00:00Z", "2026-01-02T12:00:00Z", "its dates must follow"),
            ("verify_only = 2026-01-03T00:00:00Z\n", "", "`retired` and no `verify_only`"),
            ("signing = 2026-01-02T00:00:00Z\n", "", "line 4"),
            ("retired", "retire", "line 9"),
            ("verify_only", "waits = 1\nverify_only", "line 8"),
        ] {
            let message = refused(from, to);
            assert!(message.contains(says), "{to}: {message}");
        }
    }

    #[test]
    fn too_few_and_too_many_keys_are_refused() {
        let (head, key) = good().split_once("[[key]]").map(|(head, key)| (head.to_owned(), key.to_owned())).unwrap();
        let with = |keys: usize| RingText::parse((head.clone() + &format!("[[key]]{key}").repeat(keys)).as_bytes());
        assert!(with(0).err().unwrap().message.contains("1 to 32 keys, not 0"));
        assert!(with(32).is_ok());
        assert!(with(33).err().unwrap().message.contains("not 33"));
    }

    #[test]
    fn no_refusal_quotes_the_file() {
        for text in [
            good().replace(&format!("\"{MASTER}\""), MASTER),
            good().replace("generation = 2", &format!("generation = \"{MASTER}\"")),
            good().replace("[[key]]", &format!("{MASTER} = 1\n[[key]]")),
            good().replace("2026-01-01T00:00:00Z", &format!("\"{MASTER}\"")),
            good().replace(MASTER, &format!("{MASTER}{MASTER}")),
            good().replace("format = 1", &format!("format = 1 \"{MASTER}\"")),
        ] {
            let error = RingText::parse(text.as_bytes()).err().unwrap();
            assert!(!format!("{error:?}{error}").contains(&MASTER[..6]), "{error}");
        }
        let error = RingText::parse(b"format = 1\n\xff").err().unwrap();
        assert!(error.message.starts_with("line 2"), "{error}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_is_written_is_read(secrets in proptest::array::uniform32(1u8..), at in 0i64..200_000_000_000, steps in
            proptest::array::uniform3(0i64..10_000_000), generation in 1u64..1 << 63, ends in 0..3) {
            let dates = Dates {
                published: at,
                signing: at + steps[0],
                waits: ends == 1,
                verify_only: (ends > 0).then_some(at + steps[0] + steps[1]),
                retired: (ends > 1).then_some(at + steps[0] + steps[1] + steps[2]),
            };
            let mut other = secrets;
            other[0] ^= 0x80;
            let entry = Entry { master: Zeroizing::new(secrets), dates };
            let ring = RingText { generation, site_secret: Zeroizing::new(other), keys: vec![entry] };
            let read = RingText::parse(ring.write().unwrap().as_bytes()).unwrap();
            prop_assert_eq!(read.generation, generation);
            prop_assert_eq!(*read.site_secret, other);
            prop_assert_eq!(*read.keys[0].master, secrets);
            prop_assert_eq!(read.keys[0].dates, dates);
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "[a-z_=\\[\\]\" \n0-9TZ:.-]{0,200}") {
            let _ = RingText::parse(text.as_bytes());
        }
    }
}
