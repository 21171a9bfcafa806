//! Times on the command line: a date, seconds since 1970, or a span from now.

use janua::base::Clock;

/// A time before or after now: `2026-01-31T12:00:00Z`, seconds since 1970, `+30m`, `-2h`. Unix seconds.
pub fn any(text: &str) -> Result<i64, String> {
    if let Some(later) = text.strip_prefix('+') {
        return Ok(now().saturating_add(span(later)?));
    }
    if let Some(earlier) = text.strip_prefix('-') {
        return Ok(now().saturating_sub(span(earlier)?));
    }
    if let Ok(seconds) = text.parse::<u32>() {
        return Ok(i64::from(seconds));
    }
    date(text)
        .ok_or_else(|| "write it as 2026-01-31T12:00:00Z, as seconds since 1970, or as +30m or -2h from now".to_owned())
}

/// When something is to end: `2030-01-01T00:00:00Z`, or `90d` from now. Unix seconds.
pub fn end(text: &str) -> Result<i64, String> {
    match date(text) {
        Some(unix) => Ok(unix),
        None => Ok(now().saturating_add(span(text)?)),
    }
}

fn now() -> i64 {
    Clock::system().now().unix()
}

fn date(text: &str) -> Option<i64> {
    let date = time::OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339);
    date.ok().map(time::OffsetDateTime::unix_timestamp)
}

fn span(text: &str) -> Result<i64, String> {
    let span = humantime::parse_duration(text)
        .map_err(|e| format!("neither a time such as 2030-01-01T00:00:00Z nor a span such as 90d: {e}"))?;
    i64::try_from(span.as_secs()).map_err(|_| "that is too far away".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_three_ways() {
        assert_eq!(any("1970-01-01T00:01:00Z"), Ok(60));
        assert_eq!(any("1970-01-01T02:01:00+02:00"), Ok(60));
        assert_eq!(any("60"), Ok(60));
        assert!((any("+1h").unwrap() - now() - 3600).abs() <= 1);
        assert!((any("-1h").unwrap() - now() + 3600).abs() <= 1);
        assert!(any("soon").is_err());
        assert!(any("99999999999").is_err(), "milliseconds by mistake");
    }

    #[test]
    fn ends_are_dates_or_spans() {
        assert_eq!(end("1970-01-01T00:01:00Z"), Ok(60));
        assert!((end("1d").unwrap() - now() - 86_400).abs() <= 1);
        assert!(end("60").is_err());
    }
}
