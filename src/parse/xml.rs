//! XML documents as login bodies use them (XML 1.0 without everything that made XML dangerous).
//!
//! Called by `profile` for places of kind `xml`: SOAP envelopes of every client library, and plain elements. quick-xml
//! splits the text; what it leaves open is closed here, because two parsers that read one document differently are a
//! door. There is no DTD, no entity but the five predefined, no processing instruction, no encoding but UTF-8.
//! Namespaces and attributes are ignored, but for `xsi:nil` and the root's own namespace: real clients send the same element in a namespace, in
//! another prefix, or in none. All work is linear, apart from at most [`MAX_ATTRIBUTES`] looks at each attribute.

mod markup;

use crate::base::Reason;
use markup::{accept, is_allowed, is_blank, is_nil, local, namespace, resolved};
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use std::borrow::Cow;

/// Deepest nesting of elements.
pub const MAX_DEPTH: usize = 64;
/// Most elements in a document.
pub const MAX_ELEMENTS: usize = 65_536;
/// Most attributes of one element.
pub const MAX_ATTRIBUTES: usize = 64;

/// A parsed document. No `Debug`: it may hold credentials.
pub struct Document<'a> {
    /// Every element, before its children.
    elements: Vec<Element<'a>>,
    namespace: Option<Box<str>>,
}

struct Element<'a> {
    local_name: Box<str>,
    text: Cow<'a, str>,
    /// Index behind the last element inside this one.
    end: usize,
    /// `xsi:nil="true"`.
    nil: bool,
    /// A comment stands in it: parsers differ in what its text then is.
    torn: bool,
}

impl<'a> Document<'a> {
    /// Parses `bytes`. Errors: [`Reason::Unreadable`] for everything that is not one well-formed document as this file
    /// describes it, or that goes beyond its bounds.
    pub fn parse(bytes: &'a [u8]) -> Result<Document<'a>, Reason> {
        let text = std::str::from_utf8(bytes).map_err(|_| Reason::Unreadable)?;
        if !text.chars().all(is_allowed) {
            return Err(Reason::Unreadable);
        }
        let mut reader = Reader::from_str(text);
        reader.config_mut().check_comments = true;
        let mut build = Build { elements: Vec::new(), open: Vec::new(), namespace: None };
        let mut first = true;
        loop {
            match reader.read_event().map_err(|_| Reason::Unreadable)? {
                Event::Decl(declaration) if first && text.starts_with("<?xml") => accept(&declaration)?,
                Event::Eof => break,
                event => build.event(event)?,
            }
            first = false;
        }
        build.finish()
    }

    /// The text of the element that `path` leads to: local names, the first of them the root's, `*` for any. `None` if
    /// there is none, or it or one around it is `xsi:nil`. The text is not trimmed; with elements inside it is empty.
    ///
    /// Errors: [`Reason::Duplicate`] if a step fits two elements, whichever of them holds the rest of the path (so
    /// `/Envelope/Body/*` takes one child in a body); [`Reason::Unreadable`] if a comment cuts the text.
    pub fn at<S: AsRef<str>>(&self, path: &[S]) -> Result<Option<Cow<'_, str>>, Reason> {
        let mut found: Option<&Element<'_>> = None;
        let mut within = (0, self.elements.len());
        for step in path {
            let Some(place) = self.only(within, step.as_ref())? else { return Ok(None) };
            let Some(element) = self.elements.get(place).filter(|element| !element.nil) else { return Ok(None) };
            within = (place + 1, element.end);
            found = Some(element);
        }
        let Some(element) = found else { return Ok(None) };
        if within.0 < within.1 {
            return Ok(Some(Cow::Borrowed("")));
        }
        if element.torn && !element.text.is_empty() {
            return Err(Reason::Unreadable);
        }
        Ok(Some(Cow::Borrowed(&element.text)))
    }

    /// The namespace that the root element is in.
    pub fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    /// The one element of a row of neighbours that a step fits.
    fn only(&self, (start, end): (usize, usize), step: &str) -> Result<Option<usize>, Reason> {
        let next = |at: &usize| self.elements.get(*at).map(|element| element.end);
        let row = std::iter::successors(Some(start), next).take_while(|&at| at < end);
        let fits = |at: &usize| step == "*" || self.elements.get(*at).is_some_and(|e| *e.local_name == *step);
        let mut fitting = row.filter(fits);
        match (fitting.next(), fitting.next()) {
            (Some(_), Some(_)) => Err(Reason::Duplicate),
            (found, _) => Ok(found),
        }
    }
}

/// The document while it is read.
struct Build<'a> {
    elements: Vec<Element<'a>>,
    /// The elements that have not ended, outermost first.
    open: Vec<usize>,
    /// Of the root.
    namespace: Option<Box<str>>,
}

impl<'a> Build<'a> {
    fn event(&mut self, event: Event<'a>) -> Result<(), Reason> {
        match event {
            Event::Start(tag) => {
                let place = self.start(&tag)?;
                self.open.push(place);
                if self.open.len() > MAX_DEPTH { Err(Reason::Unreadable) } else { Ok(()) }
            }
            Event::Empty(tag) => {
                self.start(&tag)?;
                if self.open.len() >= MAX_DEPTH { Err(Reason::Unreadable) } else { Ok(()) }
            }
            Event::End(_) => self.end(),
            Event::Text(text) if text.contains("]]>") => Err(Reason::Unreadable),
            Event::Text(text) if self.open.is_empty() => {
                if text.bytes().all(is_blank) {
                    Ok(())
                } else {
                    Err(Reason::Unreadable)
                }
            }
            Event::Text(text) => self.text(text.xml10_content()),
            Event::CData(text) => self.text(text.xml10_content()),
            Event::GeneralRef(reference) => self.text(resolved(&reference)?),
            Event::Comment(_) => {
                if let Some(element) = self.innermost() {
                    element.torn = true;
                }
                Ok(())
            }
            Event::Decl(_) | Event::PI(_) | Event::DocType(_) | Event::Eof => Err(Reason::Unreadable),
        }
    }

    fn innermost(&mut self) -> Option<&mut Element<'a>> {
        let place = *self.open.last()?;
        self.elements.get_mut(place)
    }

    fn start(&mut self, tag: &BytesStart<'_>) -> Result<usize, Reason> {
        let place = self.elements.len();
        let second_root = self.open.is_empty() && place > 0;
        if second_root || place >= MAX_ELEMENTS {
            return Err(Reason::Unreadable);
        }
        let local_name = local(tag.name().0)?.into();
        let nil = is_nil(tag)?;
        if place == 0 {
            self.namespace = namespace(tag)?;
        }
        self.elements.push(Element { local_name, text: Cow::Borrowed(""), end: place + 1, nil, torn: false });
        Ok(place)
    }

    fn end(&mut self) -> Result<(), Reason> {
        let end = self.elements.len();
        let element = self.innermost().ok_or(Reason::Unreadable)?;
        element.end = end;
        self.open.pop();
        Ok(())
    }

    fn text(&mut self, more: Cow<'a, str>) -> Result<(), Reason> {
        let element = self.innermost().ok_or(Reason::Unreadable)?;
        if element.text.is_empty() {
            element.text = more;
        } else {
            element.text.to_mut().push_str(&more);
        }
        Ok(())
    }

    fn finish(self) -> Result<Document<'a>, Reason> {
        let whole = self.open.is_empty() && !self.elements.is_empty();
        if whole {
            Ok(Document { elements: self.elements, namespace: self.namespace })
        } else {
            Err(Reason::Unreadable)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str, path: &str) -> Result<Option<String>, Reason> {
        let path: Vec<&str> = path.split('/').skip(1).collect();
        Ok(Document::parse(text.as_bytes())?.at(&path)?.map(Cow::into_owned))
    }

    fn some(text: &str) -> Result<Option<String>, Reason> {
        Ok(Some(text.into()))
    }

    #[test]
    fn every_client_library_spells_the_same_login() {
        let path = "/Envelope/Body/Login/loginName";
        for body in [
            r#"<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body><Login xmlns="http://menandmice.com/webservices/"><server>localhost</server><loginName>u</loginName><password>p</password></Login></soap:Body></soap:Envelope>"#,
            r#"<?xml version='1.0' encoding='utf-8'?>
<soap-env:Envelope xmlns:soap-env="http://schemas.xmlsoap.org/soap/envelope/"><soap-env:Body><ns0:Login xmlns:ns0="http://menandmice.com/webservices/"><ns0:server>localhost</ns0:server><ns0:loginName>u</ns0:loginName></ns0:Login></soap-env:Body></soap-env:Envelope>"#,
            r#"<?xml version="1.0" encoding="UTF-8"?><SOAP-ENV:Envelope xmlns:SOAP-ENV="x"><SOAP-ENV:Header/><SOAP-ENV:Body SOAP-ENV:encodingStyle="e"><tns:Login xmlns:tns="http://menandmice.com/webservices/"><loginName xsi:type="xsd:string">u</loginName></tns:Login></SOAP-ENV:Body></SOAP-ENV:Envelope>"#,
            "<Envelope>\r\n<Body>\n <!-- login --> <Login><loginName>&#x75;</loginName></Login></Body></Envelope>\n<!-- end -->",
        ] {
            assert_eq!(at(body, path), some("u"), "{body}");
            assert_eq!(at(body, "/Envelope/Body/*/loginName"), some("u"));
            assert_eq!(at(body, "/Envelope/Body/Login"), some(""), "elements inside: present, but no text");
            assert_eq!(at(body, "/Envelope/Body/Login/session"), Ok(None));
            assert_eq!(at(body, "/envelope"), Ok(None), "case counts");
        }
    }

    #[test]
    fn text_is_not_trimmed_and_is_put_together() {
        assert_eq!(at("<u> a </u>", "/*"), some(" a "));
        assert_eq!(at("<u>a&lt;b&amp;c&quot;&apos;&gt;</u>", "/u"), some("a<b&c\"'>"));
        assert_eq!(at("<u>a<![CDATA[<b>&amp;]]>c</u>", "/u"), some("a<b>&amp;c"));
        assert_eq!(at("<u>a\r\nb&#13;</u>", "/u"), some("a\nb\r"), "line ends as XML says");
        assert_eq!(at("<u/>", "/u"), some(""));
        assert_eq!(at("<u><p></p></u>", "/u/p"), some(""));
        assert_eq!(at("<u>x<p/>y</u>", "/u"), some(""));
    }

    #[test]
    fn a_path_that_fits_twice_is_refused() {
        assert_eq!(at("<u><p>a</p><p>a</p></u>", "/u/p"), Err(Reason::Duplicate));
        assert_eq!(at("<u><p>a</p><x:p>b</x:p></u>", "/u/p"), Err(Reason::Duplicate), "whatever the namespace");
        assert_eq!(at("<u><p>a</p><q/></u>", "/u/p"), some("a"));
        assert_eq!(at("<u><p>a</p><q/></u>", "/u/*"), Err(Reason::Duplicate));
        let two = "<Envelope><Body><GetUsers><session>s</session></GetUsers><Delete/></Body></Envelope>";
        assert_eq!(at(two, "/Envelope/Body/*/session"), Err(Reason::Duplicate), "one child in a body");
        let bodies = "<Envelope><Body><A><session>s</session></A></Body><Body/></Envelope>";
        assert_eq!(at(bodies, "/Envelope/Body/*/session"), Err(Reason::Duplicate));
        assert_eq!(at("<u><p xsi:nil='true'/><p>a</p></u>", "/u/p"), Err(Reason::Duplicate));
    }

    #[test]
    fn nil_is_absent() {
        assert_eq!(at("<u><p xsi:nil=\"true\"/></u>", "/u/p"), Ok(None));
        assert_eq!(at("<u><p i:nil = ' 1 '>x</p></u>", "/u/p"), Ok(None));
        assert_eq!(at("<u xsi:nil='1'><p>x</p></u>", "/u/p"), Ok(None));
        assert_eq!(at("<u><p xsi:nil=\"false\">x</p></u>", "/u/p"), some("x"));
        assert_eq!(at("<u><p nil=\"true\" xsi:type='xsd:string'>x</p></u>", "/u/p"), some("x"));
    }

    #[test]
    fn a_comment_may_not_cut_a_value() {
        assert_eq!(at("<u><p>admin<!-- -->x</p></u>", "/u/p"), Err(Reason::Unreadable));
        assert_eq!(at("<u><p><!-- -->admin</p></u>", "/u/p"), Err(Reason::Unreadable));
        assert_eq!(at("<u><!-- --><p>admin</p><q><!-- --></q></u>", "/u/p"), some("admin"));
        assert_eq!(at("<u><q><!-- --></q></u>", "/u/q"), some(""));
    }

    #[test]
    fn what_is_not_plain_well_formed_utf8_is_unreadable() {
        for text in [
            "",
            " ",
            "x",
            "<u>",
            "<u></v>",
            "</u>",
            "<u/><u/>",
            "<u/>x",
            "x<u/>",
            "<u/>&amp;",
            "<u/><![CDATA[x]]>",
            "<u><p></u></p>",
            "<!DOCTYPE u><u/>",
            "<!DOCTYPE u [<!ENTITY a 'x'>]><u>&a;</u>",
            "<!doctype u><u/>",
            "<!ENTITY a 'x'><u/>",
            "<u><!DOCTYPE x></u>",
            "<?php x?><u/>",
            "<u><?x y?></u>",
            "<u/><?xml version='1.0'?>",
            " <?xml version='1.0'?><u/>",
            "<!-- --><?xml version='1.0'?><u/>",
            "<u>&a;</u>",
            "<u>&nbsp;</u>",
            "<u>&#0;</u>",
            "<u>&#1;</u>",
            "<u>&#xD800;</u>",
            "<u>&#x110000;</u>",
            "<u>&#;</u>",
            "<u>&#-1;</u>",
            "<u>&;</u>",
            "<u>&amp</u>",
            "<u>& </u>",
            "<u a='&x;'/>",
            "<u a='<'/>",
            "<u a=b/>",
            "<u a/>",
            "<u a='1' a='2'/>",
            "<u a='1'b='2'/>",
            "<?xml version='1.0'encoding='utf-8'?><u/>",
            "<u a='&#2;'/>",
            "<1/>",
            "<u:/>",
            "<:u/>",
            "<a:b:c/>",
            "<u\u{0}/>",
            "<u>\u{1}</u>",
            "<u>]]></u>",
            "<!-- -- --><u/>",
            "<?xml version='1.1'?><u/>",
            "<?xml version='1.0' encoding='UTF-7'?><u/>",
            "<?xml version='1.0' encoding='utf-16'?><u/>",
            "<?xml encoding='utf-8'?><u/>",
            "<?xml?><u/>",
            "<?xml version='1.0'&encoding='utf-8'?><u/>",
            "<?xml version='1.0' a='b'?><u/>",
            "<?xml version='1.0' standalone='maybe'?><u/>",
            "<?xml version='1.0' standalone='yes' encoding='utf-8'?><u/>",
            "\u{feff}<u/>",
            "<u><![CDATA[x</u>",
            "<u",
            "<u>\u{ffff}</u>",
            "< u/>",
            "<u/ >",
            "<>x</>",
        ] {
            assert_eq!(at(text, "/u"), Err(Reason::Unreadable), "{text:?}");
        }
        assert_eq!(Document::parse(b"<\0u\0/\0>\0").err(), Some(Reason::Unreadable), "UTF-16");
        assert_eq!(Document::parse(b"<u>\xfc</u>").err(), Some(Reason::Unreadable), "Latin-1");
        assert_eq!(Document::parse(b"+ADw-u/+AD4-").err(), Some(Reason::Unreadable), "UTF-7");
    }

    #[test]
    fn the_root_says_in_which_namespace_it_is() {
        let of = |text: &str| Document::parse(text.as_bytes()).unwrap().namespace().map(str::to_owned);
        for (text, namespace) in [
            ("<u/>", None),
            ("<u xmlns=''/>", None),
            ("<u xmlns='a'><v xmlns='b'/></u>", Some("a")),
            ("<u xmlns='a&amp;b' xmlns:p='c'/>", Some("a&b")),
            ("<p:u xmlns='a' xmlns:p='c'/>", Some("c")),
            ("<p:u xmlns='a' xmlns:q='c'/>", None),
            ("<u><v xmlns='b'/></u>", None),
        ] {
            assert_eq!(of(text).as_deref(), namespace, "{text}");
        }
        assert!(Document::parse(b"<u xmlns='a' xmlns='b'/>").is_err());
    }

    #[test]
    fn depth_elements_and_attributes_are_bounded() {
        let deep = |n: usize| "<a>".repeat(n) + &"</a>".repeat(n);
        assert!(Document::parse(deep(MAX_DEPTH).as_bytes()).is_ok());
        assert!(Document::parse(deep(MAX_DEPTH + 1).as_bytes()).is_err());
        assert!(Document::parse(deep(10_000).as_bytes()).is_err());
        let deep_empty = |n: usize| "<a>".repeat(n - 1) + "<a/>" + &"</a>".repeat(n - 1);
        assert!(Document::parse(deep_empty(MAX_DEPTH).as_bytes()).is_ok());
        assert!(Document::parse(deep_empty(MAX_DEPTH + 1).as_bytes()).is_err());
        let wide = |n: usize| format!("<u>{}</u>", "<a/>".repeat(n - 1));
        assert!(Document::parse(wide(MAX_ELEMENTS).as_bytes()).is_ok());
        assert!(Document::parse(wide(MAX_ELEMENTS + 1).as_bytes()).is_err());
        let attributes = |n: usize| format!("<u {}/>", (0..n).map(|i| format!("a{i}='' ")).collect::<String>());
        assert!(Document::parse(attributes(MAX_ATTRIBUTES).as_bytes()).is_ok());
        assert!(Document::parse(attributes(MAX_ATTRIBUTES + 1).as_bytes()).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn what_a_client_escapes_is_what_comes_out(user in "\\PC{0,20}", password in "[ -~\\t\\n]{0,20}") {
            prop_assume!(user.chars().all(is_allowed));
            let escape = |text: &str| quick_xml::escape::escape(text).into_owned();
            let text = format!("<user><username>{}</username><password>{}</password></user>", escape(&user), escape(&password));
            prop_assert_eq!(at(&text, "/user/username"), some(&user));
            prop_assert_eq!(at(&text, "/*/password"), some(&password));
        }
    }
}
