//! The words of a profile file, and the readers that refuse every other word.
//!
//! Called by `profile::compile`. [`WORDS`] is the vocabulary as data; `docs/profiles.md` documents each entry, and a
//! test compares the two.

use super::near;
use super::place::Place;
use super::tree::{Entry, Node, Source, Table, Value};
use crate::base::Result;

pub(super) const TOP: [&str; 13] = [
    "name", "base", "setting", "lenient", "strip", "method", "path", "headers", "session", "token", "tenant", "proof",
    "endpoint",
];
pub(super) const SESSION: [&str; 5] = ["alphabet", "length", "idle", "absolute", "cookie"];
pub(super) const TOKEN: [&str; 2] = ["lifetime", "decoy"];
pub(super) const TENANT: [&str; 3] = ["form", "at", "unknown"];
pub(super) const PROOF: [&str; 8] = ["kind", "at", "user", "password", "domain", "blank", "bad", "keep"];
pub(super) const ENDPOINT: [&str; 25] = [
    "name",
    "like",
    "match",
    "when",
    "document",
    "do",
    "proof",
    "several",
    "need",
    "realm",
    "read",
    "extra",
    "echo",
    "occupied",
    "jsonp",
    "callback",
    "ok",
    "refused",
    "locked",
    "busy",
    "malformed",
    "missing",
    "expired",
    "forbidden",
    "conflict",
];
pub(super) const READ: [&str; 7] = ["user", "password", "domain", "tenant", "expires", "session", "target"];
pub(super) const ANSWER: [&str; 5] = ["status", "type", "headers", "body", "like"];
pub(super) const LENIENT: [&str; 6] =
    ["path-case", "query-case", "json-case", "user-case", "user-trim", "password-trim"];

/// Each table of a profile and the words it may hold.
pub const WORDS: [(&str, &[&str]); 8] = [
    ("top", &TOP),
    ("session", &SESSION),
    ("token", &TOKEN),
    ("tenant", &TENANT),
    ("proof", &PROOF),
    ("endpoint", &ENDPOINT),
    ("read", &READ),
    ("answer", &ANSWER),
];

/// Names, each with its places.
pub(super) type Named = Box<[(Box<str>, Box<[Place]>)]>;

/// A table being read: errors name the file, the line and what the table is.
pub(super) struct Fields<'t> {
    pub source: &'t Source<'t>,
    pub table: &'t Table,
    /// For messages: "endpoint `login`".
    pub what: String,
    /// Where the table begins.
    pub at: usize,
}

impl<'t> Fields<'t> {
    /// Refuses words that are not in `known`.
    pub fn new(
        source: &'t Source<'t>,
        table: &'t Table,
        at: usize,
        what: String,
        known: &[&str],
    ) -> Result<Fields<'t>> {
        for entry in table {
            if !known.contains(&entry.key.as_str()) {
                let hint = near::hint(&entry.key, known.iter().copied());
                return Err(source.error(entry.at, format!("{what} has no key `{}`{hint}", entry.key)));
            }
        }
        Ok(Fields { source, table, what, at })
    }

    pub fn get(&self, key: &str) -> Option<&'t Entry> {
        self.table.iter().find(|entry| entry.key == key)
    }

    pub fn error(&self, key: &str, message: impl std::fmt::Display) -> crate::base::Error {
        let at = self.get(key).map_or(self.at, |entry| entry.node.at);
        self.source.error(at, format!("{}: {message}", self.what))
    }

    /// The table under `key`, if it is written.
    pub fn table(&self, key: &str, known: Option<&[&str]>) -> Result<Option<Fields<'t>>> {
        let Some(entry) = self.get(key) else { return Ok(None) };
        let what = format!("{}, `{key}`", self.what);
        match (&entry.node.value, known) {
            (Value::Table(table), Some(known)) => Fields::new(self.source, table, entry.at, what, known).map(Some),
            (Value::Table(table), None) => Ok(Some(Fields { source: self.source, table, what, at: entry.at })),
            (other, _) => Err(self.error(key, format!("`{key}` is a table, not {}", other.kind()))),
        }
    }

    pub fn text(&self, key: &str) -> Result<Option<&'t str>> {
        match self.get(key).map(|entry| &entry.node.value) {
            None => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text)),
            Some(other) => Err(self.error(key, format!("`{key}` is a text, not {}", other.kind()))),
        }
    }

    pub fn required(&self, key: &str) -> Result<&'t str> {
        self.text(key)?.ok_or_else(|| self.error(key, format!("`{key}` is missing")))
    }

    pub fn number(&self, key: &str) -> Result<Option<i64>> {
        match self.get(key).map(|entry| &entry.node.value) {
            None => Ok(None),
            Some(Value::Number(number)) => Ok(Some(*number)),
            Some(other) => Err(self.error(key, format!("`{key}` is a whole number, not {}", other.kind()))),
        }
    }

    pub fn flag(&self, key: &str) -> Result<bool> {
        match self.get(key).map(|entry| &entry.node.value) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(other) => Err(self.error(key, format!("`{key}` is true or false, not {}", other.kind()))),
        }
    }

    /// One of a few words; `default` when not written.
    pub fn one_of<T: Copy>(&self, key: &str, words: &[(&str, T)], default: T) -> Result<T> {
        let Some(text) = self.text(key)? else { return Ok(default) };
        match words.iter().find(|(word, _)| *word == text) {
            Some((_, value)) => Ok(*value),
            None => {
                let hint = near::hint(text, words.iter().map(|(word, _)| *word));
                Err(self.error(key, format!("`{key}` cannot be `{text}`{hint}")))
            }
        }
    }

    /// Texts with the byte they stand at; a single text is a list of one.
    pub fn texts(&self, key: &str) -> Result<Vec<(&'t str, usize)>> {
        let Some(entry) = self.get(key) else { return Ok(Vec::new()) };
        let one = std::slice::from_ref(&entry.node);
        let items: &'t [Node] = match &entry.node.value {
            Value::List(items) => items,
            _ => one,
        };
        let texts = items.iter().map(|item| match &item.value {
            Value::Text(text) => Ok((text.as_str(), item.at)),
            other => {
                Err(self.source.error(item.at, format!("{}: `{key}` holds texts, not {}", self.what, other.kind())))
            }
        });
        texts.collect()
    }

    pub fn places(&self, key: &str) -> Result<Box<[Place]>> {
        let texts = self.texts(key)?;
        let places = texts
            .iter()
            .map(|(text, at)| Place::parse(text).map_err(|e| self.source.error(*at, format!("{}: {e}", self.what))));
        places.collect()
    }

    /// A table of names and places.
    pub fn named_places(&self, key: &str) -> Result<Named> {
        let Some(fields) = self.table(key, None)? else { return Ok(Box::default()) };
        let named = fields.table.iter().map(|entry| Ok((entry.key.as_str().into(), fields.places(&entry.key)?)));
        named.collect()
    }
}
