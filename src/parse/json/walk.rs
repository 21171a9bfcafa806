//! The second walk over a text that serde_json has found to be JSON: notes where its parts are, and finds twins.
//!
//! Called by `json` only, and only then: the walk checks bounds and twins, not grammar. Anything unexpected would be a
//! bug, and ends in `Unreadable`, never in a guess. Recursion ends at [`MAX_DEPTH`].

use super::{MAX_DEPTH, MAX_MEMBERS, MAX_VALUES, Node, Value};
use crate::base::Reason;
use std::borrow::Cow;

/// Every value of `text`, a container before what it contains. Errors: as
/// [`Document::parse`](super::Document::parse).
pub(super) fn nodes(text: &str, fold_case: bool) -> Result<Vec<Node<'_>>, Reason> {
    let mut walk = Walk { text, at: 0, nodes: Vec::new(), fold_case };
    walk.value(Cow::Borrowed(""), 0)?;
    Ok(walk.nodes)
}

struct Walk<'a> {
    text: &'a str,
    at: usize,
    nodes: Vec<Node<'a>>,
    fold_case: bool,
}

impl<'a> Walk<'a> {
    fn value(&mut self, name: Cow<'a, str>, depth: usize) -> Result<(), Reason> {
        let place = self.nodes.len();
        if place >= MAX_VALUES {
            return Err(Reason::Unreadable);
        }
        self.nodes.push(Node { name, value: None, end: 0 });
        let value = match self.peek()? {
            b'{' => {
                self.object(depth + 1)?;
                Some(Value::Object)
            }
            b'[' => {
                self.array(depth + 1)?;
                Some(Value::Array)
            }
            b'"' => Some(Value::Text(self.string()?)),
            _ => self.word()?,
        };
        let end = self.nodes.len();
        let node = self.nodes.get_mut(place).ok_or(Reason::Unreadable)?;
        (node.value, node.end) = (value, end);
        Ok(())
    }

    fn object(&mut self, depth: usize) -> Result<(), Reason> {
        let mut members = Vec::new();
        self.enter(depth)?;
        while self.peek()? != b'}' {
            if members.len() == MAX_MEMBERS {
                return Err(Reason::Unreadable);
            }
            let name = self.string()?;
            self.skip(b':')?;
            members.push(self.nodes.len());
            self.value(name, depth)?;
            if self.peek()? == b',' {
                self.at += 1;
            }
        }
        self.at += 1;
        self.refuse_twins(&members)
    }

    fn array(&mut self, depth: usize) -> Result<(), Reason> {
        self.enter(depth)?;
        while self.peek()? != b']' {
            self.value(Cow::Borrowed(""), depth)?;
            if self.peek()? == b',' {
                self.at += 1;
            }
        }
        self.at += 1;
        Ok(())
    }

    /// Steps over the opening bracket.
    fn enter(&mut self, depth: usize) -> Result<(), Reason> {
        self.at += 1;
        if depth > MAX_DEPTH { Err(Reason::Unreadable) } else { Ok(()) }
    }

    /// Sorting keeps this within n log n, and needs no hash that a client could aim at.
    fn refuse_twins(&self, members: &[usize]) -> Result<(), Reason> {
        let name = |&at: &usize| self.nodes.get(at).map_or("", |node| &*node.name);
        let mut names: Vec<Cow<'_, str>> = members.iter().map(|at| self.folded(name(at))).collect();
        names.sort_unstable();
        let twins = names.iter().zip(names.iter().skip(1)).any(|(a, b)| a == b);
        if twins { Err(Reason::Duplicate) } else { Ok(()) }
    }

    /// A name as it is compared with its neighbours. Upper then lower case, so that letters which other libraries
    /// fold onto ASCII (long s, the Kelvin sign) make twins too; a look-up never finds them.
    fn folded<'n>(&self, name: &'n str) -> Cow<'n, str> {
        if !self.fold_case {
            return Cow::Borrowed(name);
        }
        if name.is_ascii() {
            return Cow::Owned(name.to_ascii_lowercase());
        }
        Cow::Owned(name.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect())
    }

    /// The next byte that is not blank.
    fn peek(&mut self) -> Result<u8, Reason> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let blanks = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count();
        self.at += blanks;
        rest.get(blanks).copied().ok_or(Reason::Unreadable)
    }

    fn skip(&mut self, wanted: u8) -> Result<(), Reason> {
        if self.peek()? != wanted {
            return Err(Reason::Unreadable);
        }
        self.at += 1;
        Ok(())
    }

    fn string(&mut self) -> Result<Cow<'a, str>, Reason> {
        self.skip(b'"')?;
        let text: &'a str = self.text;
        let rest = text.get(self.at..).ok_or(Reason::Unreadable)?;
        let (mut length, mut escaped) = (0, false);
        loop {
            match rest.as_bytes().get(length).ok_or(Reason::Unreadable)? {
                b'"' => break,
                b'\\' => {
                    escaped = true;
                    length += 2;
                }
                _ => length += 1,
            }
        }
        let start = self.at;
        self.at += length + 1;
        if escaped {
            let quoted = text.get(start - 1..self.at).ok_or(Reason::Unreadable)?;
            return serde_json::from_str::<String>(quoted).map(Cow::Owned).map_err(|_| Reason::Unreadable);
        }
        rest.get(..length).map(Cow::Borrowed).ok_or(Reason::Unreadable)
    }

    /// `true`, `false`, `null` or a number.
    fn word(&mut self) -> Result<Option<Value<'a>>, Reason> {
        let text: &'a str = self.text;
        let rest = text.get(self.at..).ok_or(Reason::Unreadable)?;
        let is_end = |c: char| !matches!(c, '0'..='9' | 'a'..='z' | 'E' | '+' | '-' | '.');
        let (word, _) = rest.split_at(rest.find(is_end).unwrap_or(rest.len()));
        self.at += word.len();
        match word {
            "" => Err(Reason::Unreadable),
            "null" => Ok(None),
            "true" => Ok(Some(Value::Bool(true))),
            "false" => Ok(Some(Value::Bool(false))),
            number => Ok(Some(Value::Number(number))),
        }
    }
}
