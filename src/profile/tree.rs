//! A profile file as a tree in which every value knows its line, with the settings already filled in.
//!
//! Called by `profile::compile` only. Filling in happens here and not on the text, so that an error found later still
//! names the line of the file, and a setting can never change the file's structure beyond the place it stands at.

use super::near;
use crate::base::{Error, Result};
use std::collections::BTreeMap;
use toml::de::{DeTable, DeValue};

/// The configuration's replacements of a profile's settings: name to value. A value may be replaced, its type not.
#[derive(Clone, Debug, Default)]
pub struct Overrides(BTreeMap<String, toml::Value>);

impl Overrides {
    /// No replacements.
    pub fn none() -> Overrides {
        Overrides::default()
    }

    /// Whether nothing is replaced.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Replaces `setting`; the last word counts.
    pub fn set(&mut self, setting: impl Into<String>, value: impl Into<toml::Value>) {
        self.0.insert(setting.into(), value.into());
    }
}

impl From<toml::Table> for Overrides {
    fn from(table: toml::Table) -> Overrides {
        Overrides(table.into_iter().collect())
    }
}

/// The file's name and text, for errors.
pub(super) struct Source<'a> {
    pub name: &'a str,
    pub text: &'a str,
}

impl Source<'_> {
    /// An error at byte `at`: `FILE:LINE: MESSAGE`.
    pub fn error(&self, at: usize, message: impl std::fmt::Display) -> Error {
        let before = self.text.as_bytes().iter().take(at);
        let line = 1 + before.filter(|byte| **byte == b'\n').count();
        Error::invalid(format!("{}:{line}: {message}", self.name))
    }
}

/// A value and the byte of the file it begins at.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub at: usize,
    pub value: Value,
}

#[derive(Clone, Debug)]
pub(super) enum Value {
    Text(String),
    Number(i64),
    Bool(bool),
    List(Vec<Node>),
    Table(Table),
}

impl Value {
    /// What errors call this type.
    pub const fn kind(&self) -> &'static str {
        match self {
            Value::Text(_) => "a text",
            Value::Number(_) => "a whole number",
            Value::Bool(_) => "true or false",
            Value::List(_) => "a list",
            Value::Table(_) => "a table",
        }
    }
}

/// A table's entries in the order of the file.
pub(super) type Table = Vec<Entry>;

#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub key: String,
    pub at: usize,
    pub node: Node,
}

/// The settings of a profile after the configuration's replacements.
pub(super) struct Settings(pub Table);

impl Settings {
    fn get<'s>(&'s self, source: &Source<'_>, at: usize, name: &str) -> Result<&'s Value> {
        match self.0.iter().find(|entry| entry.key == name) {
            Some(entry) => Ok(&entry.node.value),
            None => {
                let known = self.0.iter().map(|entry| entry.key.as_str());
                Err(source.error(at, format!("unknown setting `${name}`{}", near::hint(name, known))))
            }
        }
    }
}

/// Reads `source` and fills the settings in. Returns the top table without `setting`, and the settings.
pub(super) fn read(source: &Source<'_>, overrides: &Overrides) -> Result<(Table, Settings)> {
    let parsed = DeTable::parse(source.text)
        .map_err(|e| source.error(e.span().map_or(0, |span| span.start), e.message()))?
        .into_inner();
    let mut settings = Settings(Vec::new());
    let own = parsed.iter().find(|(key, _)| key.get_ref() == "setting");
    if let Some((_, value)) = own {
        let nothing = Settings(Vec::new());
        let node = convert(source, value, &Fill { settings: &nothing, active: false })?;
        match node.value {
            Value::Table(table) => settings.0 = table,
            other => return Err(source.error(node.at, format!("`setting` is a table, not {}", other.kind()))),
        }
    }
    replace(source, &mut settings, overrides)?;
    let fill = Fill { settings: &settings, active: true };
    let mut top = Vec::new();
    for (key, value) in &parsed {
        if key.get_ref() != "setting" {
            top.push(entry(source, key, value, &fill)?);
        }
    }
    top.sort_by_key(|entry| entry.at);
    Ok((top, settings))
}

fn replace(source: &Source<'_>, settings: &mut Settings, overrides: &Overrides) -> Result<()> {
    for (name, value) in &overrides.0 {
        let Some(found) = settings.0.iter().position(|entry| entry.key == *name) else {
            let known = settings.0.iter().map(|entry| entry.key.as_str());
            let hint = near::hint(name, known);
            return Err(Error::invalid(format!("{}: this profile has no setting `{name}`{hint}", source.name)));
        };
        if let Some(entry) = settings.0.get_mut(found) {
            let new = from_value(entry.node.at, value)
                .ok_or_else(|| Error::invalid(format!("{}: setting `{name}`: no such type here", source.name)))?;
            if new.value.kind() != entry.node.value.kind() {
                let (old, new) = (entry.node.value.kind(), new.value.kind());
                return Err(Error::invalid(format!("{}: setting `{name}` is {old}, not {new}", source.name)));
            }
            entry.node = new;
        }
    }
    Ok(())
}

fn from_value(at: usize, value: &toml::Value) -> Option<Node> {
    let value = match value {
        toml::Value::String(text) => Value::Text(text.clone()),
        toml::Value::Integer(number) => Value::Number(*number),
        toml::Value::Boolean(flag) => Value::Bool(*flag),
        toml::Value::Array(items) => Value::List(items.iter().map(|v| from_value(at, v)).collect::<Option<_>>()?),
        toml::Value::Table(table) => Value::Table(
            table
                .iter()
                .map(|(key, v)| Some(Entry { key: key.clone(), at, node: from_value(at, v)? }))
                .collect::<Option<_>>()?,
        ),
        toml::Value::Float(_) | toml::Value::Datetime(_) => return None,
    };
    Some(Node { at, value })
}

struct Fill<'a> {
    settings: &'a Settings,
    active: bool,
}

type SpannedKey<'i> = toml::Spanned<std::borrow::Cow<'i, str>>;
type SpannedValue<'i> = toml::Spanned<DeValue<'i>>;

fn entry(source: &Source<'_>, key: &SpannedKey<'_>, value: &SpannedValue<'_>, fill: &Fill<'_>) -> Result<Entry> {
    let node = convert(source, value, fill)?;
    Ok(Entry { key: key.get_ref().to_string(), at: key.span().start, node })
}

fn convert(source: &Source<'_>, value: &SpannedValue<'_>, fill: &Fill<'_>) -> Result<Node> {
    let at = value.span().start;
    let value = match value.get_ref() {
        DeValue::String(text) => match whole(text).filter(|_| fill.active) {
            Some(name) => fill.settings.get(source, at, name)?.clone(),
            None if fill.active => Value::Text(fill_text(source, at, text, fill.settings)?),
            None => Value::Text(text.to_string()),
        },
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map(Value::Number)
            .map_err(|_| source.error(at, "the number is too large"))?,
        DeValue::Boolean(flag) => Value::Bool(*flag),
        DeValue::Array(items) => Value::List(list(source, items.iter(), fill)?),
        DeValue::Table(table) => {
            let entries = table.iter().map(|(key, value)| entry(source, key, value, fill));
            let mut entries = entries.collect::<Result<Vec<_>>>()?;
            entries.sort_by_key(|entry| entry.at);
            Value::Table(entries)
        }
        DeValue::Float(_) => return Err(source.error(at, "a profile has no fractions; write a whole number")),
        DeValue::Datetime(_) => return Err(source.error(at, "a profile has no dates; write a text in quotes")),
    };
    Ok(Node { at, value })
}

/// A list's items; a setting that is a list itself is spliced in.
fn list<'i, 't>(
    source: &Source<'_>,
    items: impl Iterator<Item = &'t SpannedValue<'i>>,
    fill: &Fill<'_>,
) -> Result<Vec<Node>>
where
    'i: 't,
{
    let mut out = Vec::new();
    for item in items {
        let spliced = item.get_ref().as_str().and_then(whole).is_some() && fill.active;
        let node = convert(source, item, fill)?;
        match node.value {
            Value::List(inner) if spliced => out.extend(inner.into_iter().map(|inner| Node { at: node.at, ..inner })),
            value => out.push(Node { at: node.at, value }),
        }
    }
    Ok(out)
}

/// The setting's name if `text` is `$name` and nothing else.
fn whole(text: &str) -> Option<&str> {
    let name = text.strip_prefix('$')?;
    (!name.is_empty() && name_length(name) == name.len()).then_some(name)
}

fn name_length(text: &str) -> usize {
    let starts = text.starts_with(|c: char| c.is_ascii_lowercase());
    let length = text.find(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'));
    if starts { length.unwrap_or(text.len()) } else { 0 }
}

/// Replaces every `$name` inside `text`; `$$` is one `$`, and a `$` before anything else stands for itself.
fn fill_text(source: &Source<'_>, at: usize, text: &str, settings: &Settings) -> Result<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        rest = after;
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
            continue;
        }
        let (name, after) = rest.split_at(name_length(rest));
        if name.is_empty() {
            out.push('$');
            continue;
        }
        match settings.get(source, at, name)? {
            Value::Text(value) => out.push_str(value),
            Value::Number(number) => out.push_str(&number.to_string()),
            Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
            other => return Err(source.error(at, format!("`${name}` is {} and cannot stand in a text", other.kind()))),
        }
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(text: &str, overrides: &Overrides) -> Result<Table> {
        read(&Source { name: "p.toml", text }, overrides).map(|(top, _)| top)
    }

    fn text_of<'t>(table: &'t Table, key: &str) -> &'t Value {
        &table.iter().find(|e| e.key == key).unwrap().node.value
    }

    #[test]
    fn a_setting_keeps_its_type_alone_and_is_text_inside_a_text() {
        let top = tree("a = \"$n\"\nb = \"x$n/$$n $ 5\"\n[setting]\nn = 7\n", &Overrides::none()).unwrap();
        assert!(matches!(text_of(&top, "a"), Value::Number(7)));
        assert!(matches!(text_of(&top, "b"), Value::Text(t) if t == "x7/$n $ 5"));
    }

    #[test]
    fn a_list_setting_splices_into_a_list() {
        let top = tree("a = [\"x\", \"$l\", \"y\"]\n[setting]\nl = [\"1\", \"2\"]\n", &Overrides::none()).unwrap();
        assert!(matches!(text_of(&top, "a"), Value::List(items) if items.len() == 4));
    }

    #[test]
    fn errors_name_the_file_the_line_and_the_nearest_setting() {
        let error = tree("x = 1\ny = \"$patch\"\n[setting]\npath = \"/\"\n", &Overrides::none()).unwrap_err();
        assert_eq!(error.message, "p.toml:2: unknown setting `$patch`; did you mean `path`?");
        let error = tree("x = 1\nx = 2\n", &Overrides::none()).unwrap_err();
        assert!(error.message.starts_with("p.toml:2: "), "{error}");
    }

    #[test]
    fn a_replacement_may_change_a_value_and_never_a_type() {
        let text = "a = \"$n\"\n[setting]\nn = 7\n";
        let mut overrides = Overrides::none();
        overrides.set("n", 8);
        assert!(matches!(text_of(&tree(text, &overrides).unwrap(), "a"), Value::Number(8)));
        overrides.set("n", "8");
        assert_eq!(tree(text, &overrides).unwrap_err().message, "p.toml: setting `n` is a whole number, not a text");
        let mut overrides = Overrides::none();
        overrides.set("m", 8);
        let message = tree(text, &overrides).unwrap_err().message;
        assert_eq!(message, "p.toml: this profile has no setting `m`; did you mean `n`?");
    }
}
