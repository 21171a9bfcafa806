//! Escaping by content type: what a value may look like in each kind of answer. It cannot be switched off.
//!
//! Called by `profile::render` for every value that a template writes.

use std::fmt::Write;

/// Longest value in a text answer, in characters.
pub const MAX_TEXT: usize = 128;
/// Longest value in a header, in characters.
pub const MAX_HEADER: usize = 4096;

/// What an answer's type makes of its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Escape {
    /// A whole JSON value, quotes included.
    Json,
    /// Character data or an attribute's value between quotes.
    Xml,
    /// No control characters, no `<`, `>`, `&`; at most [`MAX_TEXT`] characters.
    Text,
    /// No control characters; at most [`MAX_HEADER`] characters.
    Header,
}

impl Escape {
    /// The escaping of a content type. `None` for the types in which a value runs as a program or a page: such an
    /// answer may hold no value.
    pub fn of(content_type: &str) -> Option<Escape> {
        let kind = content_type.to_ascii_lowercase();
        if kind.contains("json") {
            Some(Escape::Json)
        } else if kind.contains("html") || kind.contains("script") || kind.contains("svg") || kind.contains("css") {
            None
        } else if kind.contains("xml") {
            Some(Escape::Xml)
        } else {
            Some(Escape::Text)
        }
    }

    /// The name under which the renderer finds this value again.
    pub const fn name(self) -> &'static str {
        match self {
            Escape::Json => "json",
            Escape::Xml => "xml",
            Escape::Text => "text",
            Escape::Header => "header",
        }
    }

    pub fn from_name(name: &str) -> Option<Escape> {
        [Escape::Json, Escape::Xml, Escape::Text, Escape::Header].into_iter().find(|e| e.name() == name)
    }

    /// Writes a text so escaped.
    pub fn text(self, text: &str, out: &mut dyn Write) -> std::fmt::Result {
        match self {
            Escape::Json => json(text, out),
            Escape::Xml => xml(text, out),
            Escape::Text => {
                let allowed = text.chars().filter(|c| !is_control(*c) && !matches!(c, '<' | '>' | '&'));
                allowed.take(MAX_TEXT).try_for_each(|c| out.write_char(c))
            }
            Escape::Header => {
                text.chars().filter(|c| !is_control(*c)).take(MAX_HEADER).try_for_each(|c| out.write_char(c))
            }
        }
    }
}

/// Control characters, and the ones that break or reorder a line of text.
fn is_control(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// RFC 8259 section 7; `<`, `>`, `&`, U+2028 and U+2029 are written as `\u` too, so that the value is harmless where a
/// browser is made to read it as a page or a program.
fn json(text: &str, out: &mut dyn Write) -> std::fmt::Result {
    out.write_char('"')?;
    for c in text.chars() {
        match c {
            '"' => out.write_str("\\\"")?,
            '\\' => out.write_str("\\\\")?,
            '\n' => out.write_str("\\n")?,
            '\r' => out.write_str("\\r")?,
            '\t' => out.write_str("\\t")?,
            '<' | '>' | '&' | '\u{7f}' | '\u{2028}' | '\u{2029}' => write!(out, "\\u{:04x}", u32::from(c))?,
            c if c < ' ' => write!(out, "\\u{:04x}", u32::from(c))?,
            c => out.write_char(c)?,
        }
    }
    out.write_char('"')
}

/// XML 1.0 section 2.2: characters that no document may hold are left out, for there is no way to write them.
fn xml(text: &str, out: &mut dyn Write) -> std::fmt::Result {
    for c in text.chars() {
        match c {
            '<' => out.write_str("&lt;")?,
            '>' => out.write_str("&gt;")?,
            '&' => out.write_str("&amp;")?,
            '"' => out.write_str("&quot;")?,
            '\'' => out.write_str("&#39;")?,
            '\t' | '\n' => out.write_char(c)?,
            '\r' => out.write_str("&#13;")?,
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {}
            c => out.write_char(c)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn escaped(escape: Escape, text: &str) -> String {
        let mut out = String::new();
        escape.text(text, &mut out).unwrap();
        out
    }

    #[test]
    fn text_holds_no_markup_no_line_break_and_is_short() {
        assert_eq!(escaped(Escape::Text, "a<b>\r\n&c\u{202e}"), "abc");
        assert_eq!(escaped(Escape::Text, &"x".repeat(70_000)).len(), MAX_TEXT);
        assert_eq!(escaped(Escape::Text, "%n%s%x"), "%n%s%x");
    }

    #[test]
    fn a_header_holds_no_line_break() {
        assert_eq!(escaped(Escape::Header, "a\r\nSet-Cookie: x=y\0"), "aSet-Cookie: x=y");
    }

    #[test]
    fn types_choose_their_escaping() {
        assert_eq!(Escape::of("application/problem+json; charset=utf-8"), Some(Escape::Json));
        assert_eq!(Escape::of("text/xml"), Some(Escape::Xml));
        assert_eq!(Escape::of("text/plain"), Some(Escape::Text));
        assert_eq!(Escape::of("application/xhtml+xml"), None);
        assert_eq!(Escape::of("image/svg+xml"), None);
        assert_eq!(Escape::of("application/javascript"), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn json_comes_back_as_it_was(text in "\\PC*|[\\x00-\\x7f]{0,40}") {
            let back: String = serde_json::from_str(&escaped(Escape::Json, &text)).unwrap();
            prop_assert_eq!(back, text);
        }

        #[test]
        fn xml_comes_back_as_it_was(text in "[ -~\u{e9}\u{1F600}]{0,40}") {
            let escaped = escaped(Escape::Xml, &text);
            prop_assert!(!escaped.contains(['<', '>', '"', '\'']));
            prop_assert_eq!(quick_xml::escape::unescape(&escaped).unwrap(), text);
        }
    }
}
