//! Input: a name, a line end, then a query string or a form.

use super::{first_line, lies_in};
use form_urlencoded::byte_serialize;
use janua::parse::form;
use std::borrow::Cow;

pub fn run(data: &[u8]) {
    let (name, text) = first_line(data);
    let pairs: Vec<_> = form::pairs(text).collect();
    assert!(pairs.len() <= text.len());
    for part in pairs.iter().flat_map(|(name, value)| [name, value]) {
        match part {
            Cow::Borrowed(view) => assert!(lies_in(view, text) && !view.contains(&b'%') && !view.contains(&b'+')),
            Cow::Owned(bytes) => assert!(bytes.len() <= text.len()),
        }
    }
    let again: Vec<_> = pairs.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    let again = again.join("&");
    assert_eq!(form::pairs(again.as_bytes()).collect::<Vec<_>>(), pairs);

    let Ok(name) = std::str::from_utf8(name) else { return };
    for fold in [false, true] {
        let same =
            |found: &[u8]| if fold { found.eq_ignore_ascii_case(name.as_bytes()) } else { found == name.as_bytes() };
        let values: Vec<_> = pairs.iter().filter(|(name, _)| same(name)).map(|(_, value)| value).collect();
        assert_eq!(form::has(text, name, fold), !values.is_empty());
        match form::one(text, name, fold) {
            Ok(found) => assert_eq!(found.as_ref().into_iter().collect::<Vec<_>>(), values),
            Err(_) => assert!(values.len() > 1 || text.contains(&b';')),
        }
        let canonical = form::one(again.as_bytes(), name, fold);
        assert_eq!(canonical.ok().map(|found| found.is_some()), (values.len() <= 1).then_some(values.len() == 1));
    }
}

fn encode(bytes: &[u8]) -> String {
    byte_serialize(bytes).collect()
}
