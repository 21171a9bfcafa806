//! Moments in time as clients write them: ISO 8601 (`Z`, an offset, or none for UTC), `/Date(ms)/`, Unix seconds.

use time::format_description::well_known::Iso8601;
use time::{OffsetDateTime, PrimitiveDateTime};

/// Longest text that is looked at, in bytes.
const MAX: usize = 64;

/// Unix seconds, rounded down; `None` for anything that is not one of the three spellings.
pub fn parse(text: &str) -> Option<i64> {
    let text = text.trim_ascii();
    if text.is_empty() || text.len() > MAX {
        return None;
    }
    json_date(text).or_else(|| seconds(text)).or_else(|| iso(text))
}

/// `/Date(1483228740000)/`, with or without the escaping backslashes and an offset, which changes nothing: the
/// milliseconds are UTC (the format of .NET's DataContractJsonSerializer).
fn json_date(text: &str) -> Option<i64> {
    let inner = text.strip_prefix("/Date(").or_else(|| text.strip_prefix("\\/Date("))?;
    let inner = inner.strip_suffix(")/").or_else(|| inner.strip_suffix(")\\/"))?;
    let sign = inner.get(1..).and_then(|rest| rest.find(['+', '-'])).map(|at| at + 1);
    let (ms, offset) = inner.split_at(sign.unwrap_or(inner.len()));
    let offset_is_fine = offset.is_empty() || (offset.len() == 5 && offset[1..].bytes().all(|b| b.is_ascii_digit()));
    if !offset_is_fine {
        return None;
    }
    ms.parse::<i64>().ok().map(|ms| ms.div_euclid(1000))
}

fn seconds(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    // Four digits alone would be a year, eight a date, of ISO 8601.
    let plausible = digits.len() >= 9 && digits.bytes().all(|b| b.is_ascii_digit());
    if plausible { text.parse().ok() } else { None }
}

fn iso(text: &str) -> Option<i64> {
    if let Ok(moment) = OffsetDateTime::parse(text, &Iso8601::PARSING) {
        return Some(moment.unix_timestamp());
    }
    PrimitiveDateTime::parse(text, &Iso8601::PARSING).ok().map(|moment| moment.assume_utc().unix_timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_spellings_give_the_same_moment() {
        for text in [
            "2017-01-01T23:59:00Z",
            "2017-01-01T23:59:00",
            "2017-01-01T23:59:00.000Z",
            "2017-01-02T01:59:00+02:00",
            "/Date(1483315140000)/",
            "\\/Date(1483315140000)\\/",
            "/Date(1483315140000+0200)/",
            "1483315140",
            " 1483315140 ",
        ] {
            assert_eq!(parse(text), Some(1_483_315_140), "{text}");
        }
    }

    #[test]
    fn nonsense_is_none() {
        for text in [
            "",
            "soon",
            "2017",
            "20170101",
            "2017-13-01T00:00:00Z",
            "/Date()/",
            "/Date(1e9)/",
            "/Date(5+9)/",
            "1e300",
            "NaN",
            "99999999999999999999",
            "2017-01-01T23:59:00+99:00",
            "/Date(1483315140000",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(parse(&"9".repeat(65)), None);
    }
}
