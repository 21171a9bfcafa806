//! The outline of an answer: its structure without its values. Two answers from the same template must have the same.
//!
//! Called by `profile::trial` only.

use super::escape::Escape;
use crate::parse::json::Document;
use quick_xml::events::Event;
use serde_json::Value;

/// Whether both bodies parse as `kind` and have the same outline. Errors are sentences.
pub(super) fn compare(kind: Option<Escape>, harmless: &[u8], hostile: &[u8]) -> Result<(), String> {
    match kind {
        Some(Escape::Json) => {
            let (first, second) = (json(harmless)?, json(hostile)?);
            // The same member twice is JSON to one reader and not to the next.
            if let Err(reason) = Document::parse(harmless, false) {
                return Err(format!("the answer is not good JSON: {}", reason.name()));
            }
            alike(&first, &second).then_some(()).ok_or_else(changed)
        }
        Some(Escape::Xml) => {
            let (harmless, hostile) = (xml(harmless)?, xml(hostile)?);
            (harmless == hostile).then_some(()).ok_or_else(changed)
        }
        _ => match hostile.windows(5).any(|window| window == b"<evil") {
            true => Err(changed()),
            false => Ok(()),
        },
    }
}

fn changed() -> String {
    "a value changes the structure of the answer".into()
}

fn json(body: &[u8]) -> Result<Value, String> {
    serde_json::from_slice(body).map_err(|e| format!("the answer is not JSON: {e}"))
}

fn alike(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| alike(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|((ka, a), (kb, b))| ka == kb && alike(a, b))
        }
        (Value::Null, Value::Null) | (Value::String(_), Value::String(_)) => true,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Number(a), Value::Number(b)) => a == b,
        _ => false,
    }
}

/// Elements and their attributes' names, in order.
fn xml(body: &[u8]) -> Result<Vec<String>, String> {
    let text = std::str::from_utf8(body).map_err(|_| "the answer is not UTF-8".to_owned())?;
    let wrong = |e: &dyn std::fmt::Display| format!("the answer is not XML: {e}");
    let mut reader = quick_xml::Reader::from_str(text);
    reader.config_mut().check_end_names = true;
    let mut out = Vec::new();
    let mut depth = 0_usize;
    loop {
        match reader.read_event().map_err(|e| wrong(&e))? {
            Event::Start(start) => {
                depth += 1;
                out.push(element(&start)?);
            }
            Event::Empty(start) => out.push(element(&start)?),
            Event::End(_) => {
                depth = depth.saturating_sub(1);
                out.push("/".into());
            }
            Event::Eof if depth > 0 => return Err("the answer is not XML: an element is not closed".into()),
            Event::Eof if out.is_empty() => return Err("the answer is not XML: it has no element".into()),
            Event::Eof => return Ok(out),
            Event::Decl(_) | Event::Text(_) | Event::GeneralRef(_) => {}
            _ => return Err("the answer holds a comment, a section or an instruction; leave it out".into()),
        }
    }
}

fn element(start: &quick_xml::events::BytesStart<'_>) -> Result<String, String> {
    let mut out = start.name().as_ref().to_owned();
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|e| format!("the answer is not XML: {e}"))?;
        out.push(' ');
        out.push_str(attribute.key.as_ref());
    }
    Ok(out)
}

/// Scheme and authority of a reference as a browser reads it; empty for a path on the same host.
pub(super) fn origin(target: &str) -> String {
    let target = target.replace('\\', "/");
    let authority = match (target.find("://"), target.starts_with("//")) {
        (_, true) => 2,
        (Some(at), _) if !target[..at].contains(['/', '?', '#']) => at + 3,
        _ => {
            // A scheme without slashes leads elsewhere too.
            let colon = target.find(':').filter(|at| !target[..*at].contains(['/', '?', '#']));
            return colon.map_or_else(String::new, |at| target[..=at].to_owned());
        }
    };
    let rest = target.get(authority..).unwrap_or_default();
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    target.get(..authority + end).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_adds_a_part_is_noticed() {
        let json = |a: &str, b: &str| compare(Some(Escape::Json), a.as_bytes(), b.as_bytes());
        assert!(json("{\"a\":\"x\"}", "{\"a\":\"y\"}").is_ok());
        assert!(json("{\"a\":\"x\"}", "{\"a\":\"y\",\"b\":1}").is_err());
        assert!(json("{\"a\":1,\"a\":2}", "{\"a\":1,\"a\":2}").is_err());
        assert!(json("{\"a\":\"x\"}", "{\"a\":y}").is_err());
        let xml = |a: &str, b: &str| compare(Some(Escape::Xml), a.as_bytes(), b.as_bytes());
        assert!(xml("<?xml version=\"1.0\"?><a>x</a>", "<?xml version=\"1.0\"?><a>&lt;</a>").is_ok());
        assert!(xml("<a>x</a>", "<a><b/></a>").is_err());
        assert!(xml("<a>x</a>", "<a>x</a><!-- -->").is_err());
        assert!(xml("<a>x", "<a>x").is_err());
        assert!(xml("x", "x").is_err());
    }

    #[test]
    fn origins_are_what_browsers_make_of_them() {
        assert_eq!(origin("/a?u=http://x"), "");
        assert_eq!(origin("//evil/x"), "//evil");
        assert_eq!(origin("/\\evil"), "//evil");
        assert_eq!(origin("https://a.example/x"), "https://a.example");
        assert_eq!(origin("javascript:x"), "javascript:");
    }
}
