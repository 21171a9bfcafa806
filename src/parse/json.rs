//! JSON documents (RFC 8259): one strict reading, or none.
//!
//! Called by `profile` for places of kind `json`, when a body or a document in the query must be read. serde_json
//! decides what is JSON; a second walk over the text, which is by then known to be JSON, notes where its parts are.
//! So numbers stay the text they were (ids beyond 64 bits survive), and a member that stands twice is seen, which
//! serde_json would let the last one win. Both walks are linear; the tree is one flat list of borrowed parts.
//!
//! It must never take one of two members, guess an encoding, or let input decide how deep it recurses.

mod walk;

use crate::base::Reason;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Deepest nesting of arrays and objects.
pub const MAX_DEPTH: usize = 32;
/// Most members of one object.
pub const MAX_MEMBERS: usize = 4096;
/// Most values in a document, members and items of all depths together.
pub const MAX_VALUES: usize = 65_536;

/// A parsed document. No `Debug`: it may hold credentials.
pub struct Document<'a> {
    /// Every value, a container before what it contains.
    nodes: Vec<Node<'a>>,
    fold_case: bool,
}

/// A value of a document. No `Debug`: it may be a credential.
#[derive(Clone, PartialEq)]
pub enum Value<'a> {
    /// A string, its escapes decoded.
    Text(Cow<'a, str>),
    /// A number as it was written.
    Number(&'a str),
    Bool(bool),
    Array,
    Object,
}

struct Node<'a> {
    /// The member's name; empty in an array and at the top.
    name: Cow<'a, str>,
    /// `None` is null.
    value: Option<Value<'a>>,
    /// Index behind the last node inside this one.
    end: usize,
}

impl<'a> Document<'a> {
    /// Parses `bytes`. With `fold_case`, member names that differ only in case are the same name.
    ///
    /// Errors: [`Reason::Unreadable`] for what is not JSON in UTF-8 without a byte order mark and without anything
    /// behind it, half a surrogate pair, or more than [`MAX_DEPTH`], [`MAX_MEMBERS`] or [`MAX_VALUES`];
    /// [`Reason::Duplicate`] if an object, wherever it stands, has a member twice.
    pub fn parse(bytes: &'a [u8], fold_case: bool) -> Result<Document<'a>, Reason> {
        let text = std::str::from_utf8(bytes).map_err(|_| Reason::Unreadable)?;
        serde_json::from_str::<IgnoredAny>(text).map_err(|_| Reason::Unreadable)?;
        Ok(Document { nodes: walk::nodes(text, fold_case)?, fold_case })
    }

    /// The value that `pointer` leads to: member names, or array indices without leading zeros (RFC 6901, already
    /// split and unescaped). `None` if there is none or it is null. The empty pointer is the whole document.
    pub fn at<S: AsRef<str>>(&self, pointer: &[S]) -> Option<Value<'_>> {
        let mut place = 0;
        for step in pointer {
            place = self.step(place, step.as_ref())?;
        }
        Some(match self.nodes.get(place)?.value.as_ref()? {
            Value::Text(text) => Value::Text(Cow::Borrowed(text)),
            Value::Number(number) => Value::Number(number),
            Value::Bool(bool) => Value::Bool(*bool),
            Value::Array => Value::Array,
            Value::Object => Value::Object,
        })
    }

    fn step(&self, place: usize, step: &str) -> Option<usize> {
        match self.nodes.get(place)?.value {
            Some(Value::Object) => self.inside(place).find(|&at| self.is_named(at, step)),
            Some(Value::Array) => self.inside(place).nth(index(step)?),
            _ => None,
        }
    }

    /// The members or items of the container at `place`.
    fn inside(&self, place: usize) -> impl Iterator<Item = usize> {
        let end = self.nodes.get(place).map_or(0, |node| node.end);
        let next = |at: &usize| self.nodes.get(*at).map(|node| node.end);
        std::iter::successors(Some(place + 1), next).take_while(move |&at| at < end)
    }

    fn is_named(&self, at: usize, name: &str) -> bool {
        self.nodes
            .get(at)
            .is_some_and(|node| node.name == name || self.fold_case && node.name.eq_ignore_ascii_case(name))
    }
}

fn index(step: &str) -> Option<usize> {
    let is_index = step == "0" || !step.starts_with('0') && step.bytes().all(|byte| byte.is_ascii_digit());
    if is_index { step.parse().ok() } else { None }
}

/// The items of the array `bytes`, each as it was written. Errors: [`Reason::Malformed`] if it is none,
/// [`Reason::TooLarge`] if it holds more than `most`.
pub fn items(bytes: &[u8], most: usize) -> Result<Vec<&[u8]>, Reason> {
    let items: Vec<&RawValue> = serde_json::from_slice(bytes).map_err(|_| Reason::Malformed)?;
    if items.len() > most {
        return Err(Reason::TooLarge);
    }
    Ok(items.iter().map(|item| item.get().as_bytes()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::fmt::Write as _;

    fn parse(text: &str) -> Result<Document<'_>, Reason> {
        Document::parse(text.as_bytes(), false)
    }

    fn refusal(bytes: &[u8], fold_case: bool) -> Option<Reason> {
        Document::parse(bytes, fold_case).err()
    }

    fn text(document: &Document<'_>, pointer: &[&str]) -> String {
        match document.at(pointer) {
            None => "-".into(),
            Some(Value::Text(text)) => format!("text {text}"),
            Some(Value::Number(number)) => format!("number {number}"),
            Some(Value::Bool(bool)) => format!("{bool}"),
            Some(Value::Array) => "array".into(),
            Some(Value::Object) => "object".into(),
        }
    }

    #[test]
    fn a_login_of_json_rpc() {
        let body = r#"{"jsonrpc":"2.0","method":"Login","params":{"loginName":"testuser","password":"p\u00e4\"ss","server":"test-ipam.local"},"id":123456789012345678901234567890}"#;
        let document = parse(body).ok().unwrap();
        assert_eq!(text(&document, &["params", "loginName"]), "text testuser");
        assert_eq!(text(&document, &["params", "password"]), "text pä\"ss");
        assert_eq!(text(&document, &["id"]), "number 123456789012345678901234567890", "beyond 64 bits");
        assert_eq!(text(&document, &["params"]), "object");
        assert_eq!(text(&document, &[]), "object");
        assert_eq!(text(&document, &["params", "session"]), "-");
        assert_eq!(text(&document, &["method", "x"]), "-");
    }

    #[test]
    fn a_login_with_nulls_and_dates() {
        let body = r#"{"ComputerName":null,"Domain":null,"Expiration":"\/Date(1483228740000)\/","ReadOnly":false,"Username":"AlexK"}"#;
        let document = parse(body).ok().unwrap();
        assert_eq!(text(&document, &["Domain"]), "-", "null is absent");
        assert_eq!(text(&document, &["Expiration"]), "text /Date(1483228740000)/");
        assert_eq!(text(&document, &["ReadOnly"]), "false");
        assert_eq!(text(&document, &["username"]), "-");
    }

    #[test]
    fn arrays_are_counted_without_leading_zeros() {
        let document = parse(r#"{"params":["user",["a",{"0":1}],-0.5e+3],"0":true}"#).ok().unwrap();
        assert_eq!(text(&document, &["params", "0"]), "text user");
        assert_eq!(text(&document, &["params", "1", "1", "0"]), "number 1");
        assert_eq!(text(&document, &["params", "2"]), "number -0.5e+3");
        assert_eq!(text(&document, &["0"]), "true", "a member may be called so");
        for step in ["3", "00", "+0", "-0", "-1", "", " 0", "99999999999999999999999"] {
            assert_eq!(text(&document, &["params", step]), "-", "{step}");
        }
    }

    #[test]
    fn items_are_the_texts_they_were() {
        let texts = |bytes: &'static [u8], most| {
            items(bytes, most).map(|all| all.into_iter().map(|i| std::str::from_utf8(i).unwrap()).collect::<Vec<_>>())
        };
        assert_eq!(texts(br#" [1e999 , {"a":[1] } ,"]"] "#, 3), Ok(vec!["1e999", r#"{"a":[1] }"#, r#""]""#]));
        assert_eq!(texts(b"[]", 0), Ok(vec![]));
        assert_eq!(texts(b"[1,2]", 1), Err(Reason::TooLarge));
        for none in [&b"{}"[..], b"1", b"[1", b"[1]]", b"", b"\xff"] {
            assert_eq!(texts(none, 9), Err(Reason::Malformed));
        }
    }

    #[test]
    fn a_member_that_stands_twice_is_refused_wherever_it_stands() {
        for body in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":null,"a":1}"#,
            r#"{"a":1,"b":{},"\u0061":2}"#,
            r#"[0,[{"x":{"a":1,"b":2,"a":3}}]]"#,
            r#"{"":1,"":2}"#,
        ] {
            assert_eq!(refusal(body.as_bytes(), false), Some(Reason::Duplicate), "{body}");
        }
        assert_eq!(refusal(br#"[{"a":1},{"a":{"a":2}}]"#, true), None);
    }

    #[test]
    fn case_counts_unless_it_is_forgiven() {
        let body = r#"{"Password":"x","password":"y"}"#;
        assert_eq!(text(&parse(body).ok().unwrap(), &["password"]), "text y");
        assert_eq!(refusal(body.as_bytes(), true), Some(Reason::Duplicate));
        assert_eq!(refusal("{\"\u{17f}ession\":1,\"session\":2}".as_bytes(), true), Some(Reason::Duplicate), "long s");
        let document = Document::parse(br#"{"USERNAME":"AlexK"}"#, true).ok().unwrap();
        assert_eq!(text(&document, &["Username"]), "text AlexK");
        let document = Document::parse("{\"\u{17f}ession\":1}".as_bytes(), true).ok().unwrap();
        assert_eq!(text(&document, &["session"]), "-");
    }

    #[test]
    fn what_is_not_one_document_in_utf8_is_unreadable() {
        for body in [
            &b""[..],
            b" ",
            b"{",
            b"{}{}",
            b"{} x",
            b"{'a':1}",
            b"{\"a\":1,}",
            b"[1,]",
            b"[,]",
            b"{\"a\" 1}",
            b"{1:2}",
            b"nul",
            b"NaN",
            b"01",
            b"1.",
            b".5",
            b"+1",
            b"1e",
            b"-",
            b"\"\t\"",
            b"\"\\x\"",
            b"\"\\ud800\"",
            b"{\"\\udc00\":1}",
            b"\"",
            b"\"\\",
            b"\xef\xbb\xbf{}",
            b"\xff\xfe{\0}\0",
            b"\0{\0}",
            b"\"\xff\"",
            b"{}\0",
            b"// x\n{}",
            b"/**/{}",
            b"\x0c{}",
            b"\xc2\xa0{}",
        ] {
            assert_eq!(refusal(body, false), Some(Reason::Unreadable), "{}", String::from_utf8_lossy(body));
        }
        assert_eq!(refusal(b" \r\n\t1e999 ", false), None, "a number is text");
    }

    #[test]
    fn depth_and_members_are_bounded() {
        let deep = |n: usize| [b"[".repeat(n), b"]".repeat(n)].concat();
        assert_eq!(refusal(&deep(MAX_DEPTH), false), None);
        assert_eq!(refusal(&deep(MAX_DEPTH + 1), false), Some(Reason::Unreadable));
        assert_eq!(refusal(&deep(500_000), false), Some(Reason::Unreadable));
        let wide = |n: usize| {
            let mut text = String::from("{\"x\":0");
            (1..n).for_each(|i| write!(text, ",\"{i}\":0").unwrap());
            text + "}"
        };
        assert_eq!(refusal(wide(MAX_MEMBERS).as_bytes(), true), None);
        assert_eq!(refusal(wide(MAX_MEMBERS + 1).as_bytes(), true), Some(Reason::Unreadable));
        let items = |n: usize| format!("[{}0]", "0,".repeat(n - 1));
        assert_eq!(refusal(items(MAX_VALUES - 1).as_bytes(), true), None);
        assert_eq!(refusal(items(MAX_VALUES).as_bytes(), true), Some(Reason::Unreadable));
    }

    fn any_json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            "\\PC{0,8}".prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Into::into),
                prop::collection::btree_map("[\\PC\"\\\\]{0,3}", inner, 0..5)
                    .prop_map(|map| map.into_iter().collect::<serde_json::Map<_, _>>().into()),
            ]
        })
    }

    /// Every value of `tree` is found by its pointer and says the same.
    fn assert_same(document: &Document<'_>, tree: &serde_json::Value, pointer: &mut Vec<String>) {
        let steps: Vec<&str> = pointer.iter().map(String::as_str).collect();
        let expected = match tree {
            serde_json::Value::Null => "-".into(),
            serde_json::Value::Bool(bool) => format!("{bool}"),
            serde_json::Value::Number(number) => format!("number {number}"),
            serde_json::Value::String(text) => format!("text {text}"),
            serde_json::Value::Array(_) => "array".into(),
            serde_json::Value::Object(_) => "object".into(),
        };
        assert_eq!(text(document, &steps), expected);
        let children: Vec<(String, &serde_json::Value)> = match tree {
            serde_json::Value::Array(items) => items.iter().enumerate().map(|(i, v)| (i.to_string(), v)).collect(),
            serde_json::Value::Object(members) => members.iter().map(|(k, v)| (k.clone(), v)).collect(),
            _ => Vec::new(),
        };
        for (step, child) in children {
            pointer.push(step);
            assert_same(document, child, pointer);
            pointer.pop();
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]

        #[test]
        fn every_value_is_found_and_says_what_serde_json_says(tree in any_json(), pretty in any::<bool>()) {
            let text = if pretty { serde_json::to_string_pretty(&tree) } else { serde_json::to_string(&tree) }.unwrap();
            let document = parse(&text).ok().unwrap();
            assert_same(&document, &tree, &mut Vec::new());
        }

        #[test]
        fn what_serde_json_refuses_is_refused(text in "[\\[\\]{}\",:0-9a-fntrul\\\\ .eE+-]{0,24}") {
            if parse(&text).is_ok() {
                prop_assert!(serde_json::from_str::<&serde_json::value::RawValue>(&text).is_ok());
            } else if let Ok(tree) = serde_json::from_str::<serde_json::Value>(&text) {
                prop_assert_eq!(parse(&text).err(), Some(Reason::Duplicate), "{}", tree);
            }
        }
    }
}
