//! Input: an XML document.

use janua::base::Reason;
use janua::parse::xml::Document;
use std::borrow::Cow;

const PATHS: [&[&str]; 7] = [
    &["*"],
    &["*", "*"],
    &["*", "*", "*"],
    &["user", "username"],
    &["Envelope", "Body", "*"],
    &["Envelope", "Body", "*", "session"],
    &["Envelope", "Body", "Login", "password"],
];

pub fn run(data: &[u8]) {
    let Ok(document) = Document::parse(data) else { return };
    let text = std::str::from_utf8(data).unwrap();
    nothing_but_plain_markup(text);
    assert_ne!(document.at(&["*"]), Err(Reason::Duplicate), "one root");
    assert_eq!(document.at::<&str>(&[]), Ok(None));

    let longer = format!("{text}\r\n<!-- -->");
    let longer = Document::parse(longer.as_bytes()).ok().unwrap();
    for path in PATHS {
        let found = document.at(path);
        assert_eq!(found, longer.at(path), "what follows the root changes nothing");
        if let Ok(Some(value)) = found {
            survives(value);
        }
    }
}

/// Without sections that hide markup, nothing but elements and known references is left.
fn nothing_but_plain_markup(text: &str) {
    if text.contains("<![CDATA[") || text.contains("<!--") {
        return;
    }
    assert!(!text.contains("<!"), "a declaration");
    assert!(!text.get(1..).unwrap_or_default().contains("<?"), "a processing instruction");
    for reference in text.split('&').skip(1) {
        let known = ["lt;", "gt;", "amp;", "quot;", "apos;", "#"].iter().any(|name| reference.starts_with(name));
        assert!(known, "an entity in {text}");
    }
}

/// What was read is read again when it is written as a client would.
fn survives(value: Cow<'_, str>) {
    let escaped = quick_xml::escape::escape(&*value).replace('\r', "&#13;");
    let again = format!("<a:r xmlns:a='urn:x'><a:v>{escaped}</a:v></a:r>");
    assert_eq!(Document::parse(again.as_bytes()).ok().unwrap().at(&["r", "v"]), Ok(Some(value)));
}
