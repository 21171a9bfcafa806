//! What the command prints: lines, tables, JSON.
//!
//! Results go to standard output, everything about the work itself to standard error.

use crate::Done;
use crate::failure::Failure;
use std::io::{self, Write};

/// Prints one line of the result.
pub fn line(text: impl AsRef<str>) -> Done {
    let mut out = io::stdout().lock();
    out.write_all(text.as_ref().as_bytes())?;
    out.write_all(b"\n")?;
    Ok(())
}

/// Prints a JSON value, indented, and a line end.
pub fn json(value: &serde_json::Value) -> Done {
    let text = serde_json::to_string_pretty(value).map_err(|e| Failure::refused(format!("cannot write JSON: {e}")))?;
    line(text)
}

/// Says something about the work on standard error.
pub fn note(text: impl AsRef<str>) {
    eprintln!("janua: {}", text.as_ref());
}

/// Prints `rows` under `head`, each column as wide as its widest text.
pub fn table(head: &[&str], rows: &[Vec<String>]) -> Done {
    let mut widths: Vec<usize> = head.iter().map(|h| h.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let written = |cells: &mut dyn Iterator<Item = &str>| {
        let padded: Vec<String> = cells.zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        padded.join("  ").trim_end().to_owned()
    };
    line(written(&mut head.iter().copied()))?;
    for row in rows {
        line(written(&mut row.iter().map(String::as_str)))?;
    }
    Ok(())
}

/// A line's text without the control characters that could play tricks on a terminal.
pub fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// Seconds since 1970 as RFC 3339 in UTC; `never` for none.
pub fn time(unix: Option<i64>) -> String {
    match unix {
        None => "never".to_owned(),
        Some(unix) => time::OffsetDateTime::from_unix_timestamp(unix)
            .ok()
            .and_then(|t| t.format(&time::format_description::well_known::Rfc3339).ok())
            .unwrap_or_else(|| format!("{unix} s")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_utc() {
        assert_eq!(time(Some(0)), "1970-01-01T00:00:00Z");
        assert_eq!(time(None), "never");
        assert_eq!(time(Some(i64::MAX)), format!("{} s", i64::MAX));
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(plain("a\x1b[2Jb\n"), "a\u{fffd}[2Jb\u{fffd}");
    }
}
