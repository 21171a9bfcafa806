//! The small parts of XML that quick-xml leaves unchecked: declarations, references, names, attributes, characters.
//!
//! Called by `xml` only. Each function refuses what the grammar does not allow, even where nothing is read from it: a
//! document that a stricter parser behind us would refuse must not be half accepted here.

use super::MAX_ATTRIBUTES;
use crate::base::Reason;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesDecl, BytesRef, BytesStart};
use std::borrow::Cow;

/// An XML declaration must say version 1.0, and UTF-8 if it names an encoding, and nothing unheard of (XML 1.0,
/// section 2.8).
pub(super) fn accept(declaration: &BytesDecl<'_>) -> Result<(), Reason> {
    let mut allowed = ["version", "encoding", "standalone"].iter();
    let tag = BytesStart::from_content(&**declaration, "xml".len());
    let mut versioned = false;
    if !are_apart(tag.attributes_raw()) {
        return Err(Reason::Unreadable);
    }
    for attribute in tag.attributes() {
        let attribute = attribute.map_err(|_| Reason::Unreadable)?;
        let name = attribute.key.0;
        let value = &*attribute.value;
        let good = match name {
            "version" => value == "1.0",
            "encoding" => versioned && value.eq_ignore_ascii_case("utf-8"),
            _ => versioned && matches!(value, "yes" | "no"),
        };
        // The search leaves behind what it has passed: known names, in their order, once.
        if !good || !allowed.any(|known| *known == name) {
            return Err(Reason::Unreadable);
        }
        versioned = true;
    }
    if versioned { Ok(()) } else { Err(Reason::Unreadable) }
}

/// What a reference stands for: a character that XML allows, or one of the five predefined entities.
pub(super) fn resolved(reference: &BytesRef<'_>) -> Result<Cow<'static, str>, Reason> {
    match reference.resolve_char_ref() {
        Ok(Some(character)) if is_allowed(character) => Ok(Cow::Owned(character.into())),
        Ok(None) => resolve_predefined_entity(reference).map(Cow::Borrowed).ok_or(Reason::Unreadable),
        _ => Err(Reason::Unreadable),
    }
}

/// Whether the element is `xsi:nil`. Looks at every attribute, so that an ill-formed one is refused.
pub(super) fn is_nil(tag: &BytesStart<'_>) -> Result<bool, Reason> {
    let mut nil = false;
    if !are_apart(tag.attributes_raw()) {
        return Err(Reason::Unreadable);
    }
    for (count, attribute) in tag.attributes().enumerate() {
        let attribute = attribute.map_err(|_| Reason::Unreadable)?;
        let value = attribute.normalized_value(quick_xml::XmlVersion::Implicit1_0);
        let value = value.map_err(|_| Reason::Unreadable)?;
        let name = attribute.key.0;
        if count >= MAX_ATTRIBUTES || attribute.value.contains('<') || !value.chars().all(is_allowed) {
            return Err(Reason::Unreadable);
        }
        let prefixed = local(name)? == "nil" && name != "nil";
        nil |= prefixed && matches!(value.trim(), "true" | "1");
    }
    Ok(nil)
}

/// The namespace of an element that stands in no other: what its own attributes bind its prefix to.
pub(super) fn namespace(tag: &BytesStart<'_>) -> Result<Option<Box<str>>, Reason> {
    let name = tag.name().0;
    let prefix = name.split_once(':').map_or("", |(prefix, _)| prefix);
    for attribute in tag.attributes() {
        let attribute = attribute.map_err(|_| Reason::Unreadable)?;
        let key = attribute.key.0;
        let bound = if key == "xmlns" { Some("") } else { key.strip_prefix("xmlns:") };
        if bound == Some(prefix) {
            let value = attribute.normalized_value(quick_xml::XmlVersion::Implicit1_0);
            let value = value.map_err(|_| Reason::Unreadable)?;
            return Ok(if value.is_empty() { None } else { Some(value.as_ref().into()) });
        }
    }
    Ok(None)
}

/// Whether a blank stands behind every quoted value that is not the last.
fn are_apart(attributes: &str) -> bool {
    let (mut quote, mut closed) = (None, false);
    for byte in attributes.bytes() {
        match quote {
            Some(open) if byte == open => (quote, closed) = (None, true),
            Some(_) => {}
            None if closed && !is_blank(byte) => return false,
            None => (quote, closed) = (matches!(byte, b'"' | b'\'').then_some(byte), false),
        }
    }
    true
}

/// The part of a name behind its prefix, if it is a name (Namespaces in XML, section 4; all characters beyond ASCII
/// are taken as letters).
pub(super) fn local(name: &str) -> Result<&str, Reason> {
    let is_part = |part: &str| {
        let starts = part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || !c.is_ascii());
        starts && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.') || !c.is_ascii())
    };
    let (prefix, local) = name.split_once(':').unwrap_or(("_", name));
    if is_part(prefix) && is_part(local) { Ok(local) } else { Err(Reason::Unreadable) }
}

/// The characters of XML 1.0, section 2.2, but not the byte order mark.
pub(super) const fn is_allowed(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}' | '\u{10000}'..)
}

pub(super) const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}
