//! The template renderer behind a small interface of ours, so that it can be replaced.
//!
//! minijinja's empty environment: no includes, no macros, no functions, five filters, two tests. Every value a template
//! writes passes [`Escape`]; there is no way around it. What a template names is known before it is first rendered.

use super::escape::Escape;
use super::{filters, scan};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Enumerator, Object, ObjectRepr, ValueKind};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Output, State, UndefinedBehavior, Value};
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

/// A value for a template.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Datum {
    /// There, and nothing: `null` in JSON, empty elsewhere.
    None,
    Bool(bool),
    Int(i64),
    /// A JSON number as it was written, however long.
    Digits(String),
    Text(String),
    List(Vec<Datum>),
    /// Names to values. A name that is not there is undefined; a template that writes it fails.
    Map(Vec<(&'static str, Datum)>),
    /// The same, with names of the file.
    Named(Vec<(String, Datum)>),
}

/// A template of a profile: text that never changes, or a number in [`Templates`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Text {
    Static(Box<str>),
    Live(u32),
}

/// All templates of a profile. Immutable after the build; shared between threads.
pub(super) struct Templates {
    environment: Environment<'static>,
    live: Vec<(Escape, String, BTreeSet<String>)>,
}

impl fmt::Debug for Templates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Templates({})", self.live.len())
    }
}

impl Templates {
    pub fn new() -> Templates {
        let mut environment = Environment::empty();
        if let Ok(syntax) = SyntaxConfig::builder().keep_trailing_newline(true).build() {
            environment.set_syntax(syntax);
        }
        environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
        environment.set_recursion_limit(32);
        environment.set_formatter(write);
        environment.set_auto_escape_callback(|name| {
            let kind = name.split(':').next().and_then(Escape::from_name);
            AutoEscape::Custom(kind.unwrap_or(Escape::Text).name().into())
        });
        environment.add_filter("default", minijinja::filters::default);
        environment.add_filter("length", minijinja::filters::length);
        environment.add_filter("local", |target: Value, home: Value| -> String {
            let target = target.as_str().and_then(filters::local);
            target.unwrap_or_else(|| home.as_str().unwrap_or("/").to_owned())
        });
        environment.add_filter("url", |text: Value| -> Result<String, Error> {
            match text.as_str() {
                Some(text) => Ok(filters::url(text)),
                None if text.is_none() => Ok(String::new()),
                None => Err(wrong("`url` takes a text")),
            }
        });
        environment.add_filter("iso", |seconds: Value| -> Value {
            seconds.as_i64().and_then(filters::iso).map_or(Value::from(()), Value::from)
        });
        environment.add_test("none", minijinja::tests::is_none);
        environment.add_test("defined", minijinja::tests::is_defined);
        Templates { environment, live: Vec::new() }
    }

    /// Takes a template in. The same text with the same escaping is kept once. Errors are sentences.
    pub fn add(&mut self, escape: Escape, source: &str) -> Result<Text, String> {
        if !["{{", "{%", "{#"].iter().any(|mark| source.contains(mark)) {
            return Ok(Text::Static(source.into()));
        }
        if let Some(known) = self.live.iter().position(|(e, s, _)| *e == escape && s == source) {
            return Ok(Text::Live(u32::try_from(known).unwrap_or(u32::MAX)));
        }
        scan::check(source)?;
        let number = self.live.len();
        let name = format!("{}:{number}", escape.name());
        self.environment.add_template_owned(name.clone(), source.to_owned()).map_err(|e| sentence(&e))?;
        let names = self.environment.get_template(&name).map_err(|e| sentence(&e))?.undeclared_variables(true);
        scan::names(names.iter().map(String::as_str))?;
        self.live.push((escape, source.to_owned(), names.into_iter().collect()));
        u32::try_from(number).map(Text::Live).map_err(|_| "too many templates".to_owned())
    }

    /// The names a template uses, dots included (`user.attr.organisation`).
    pub fn uses(&self, text: &Text) -> impl Iterator<Item = &str> {
        let names = match text {
            Text::Static(_) => None,
            Text::Live(number) => self.entry(*number).map(|(_, _, names)| names),
        };
        names.into_iter().flatten().map(String::as_str)
    }

    /// A template's own text.
    pub fn source<'t>(&'t self, text: &'t Text) -> &'t str {
        match text {
            Text::Static(text) => text,
            Text::Live(number) => self.entry(*number).map_or("", |(_, source, _)| source),
        }
    }

    /// Renders with `scope`. Errors are sentences for the one who builds the profile; they may quote the template,
    /// never a value.
    pub fn render(&self, text: &Text, scope: &Scope) -> Result<String, String> {
        let number = match text {
            Text::Static(text) => return Ok(text.to_string()),
            Text::Live(number) => *number,
        };
        let (escape, _, _) = self.entry(number).ok_or("no such template")?;
        let name = format!("{}:{number}", escape.name());
        let template = self.environment.get_template(&name).map_err(|e| sentence(&e))?;
        template.render(scope.0.clone()).map_err(|e| sentence(&e))
    }

    fn entry(&self, number: u32) -> Option<&(Escape, String, BTreeSet<String>)> {
        self.live.get(usize::try_from(number).ok()?)
    }
}

/// What the templates of one answer see.
pub(super) struct Scope(Value);

impl Scope {
    pub fn new(names: Vec<(&'static str, Datum)>) -> Scope {
        Scope(value(Datum::Map(names)))
    }
}

fn value(datum: Datum) -> Value {
    match datum {
        Datum::None => Value::from(()),
        Datum::Bool(flag) => Value::from(flag),
        Datum::Int(number) => Value::from(number),
        Datum::Digits(digits) => Value::from_object(Digits(digits)),
        Datum::Text(text) => Value::from(text),
        Datum::List(items) => Value::from(items.into_iter().map(value).collect::<Vec<_>>()),
        Datum::Map(entries) => {
            Value::from_object(Names(entries.into_iter().map(|(name, item)| (name.into(), value(item))).collect()))
        }
        Datum::Named(entries) => {
            Value::from_object(Names(entries.into_iter().map(|(name, item)| (name.into(), value(item))).collect()))
        }
    }
}

/// A JSON number as written.
#[derive(Debug)]
struct Digits(String);

impl Object for Digits {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A map that is looked up by name. (`Value::from_iter` over pairs would make a list.)
#[derive(Debug)]
struct Names(Vec<(Arc<str>, Value)>);

impl Object for Names {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let key = key.as_str()?;
        self.0.iter().find(|(name, _)| name.as_ref() == key).map(|(_, value)| value.clone())
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.0.iter().map(|(name, _)| Value::from(name.clone())).collect())
    }
}

/// Writes one value, escaped as the template's type demands.
fn write(out: &mut Output, state: &mut State, value: &Value) -> Result<(), Error> {
    let escape = match state.auto_escape() {
        AutoEscape::Custom(name) => Escape::from_name(name),
        _ => None,
    };
    let escape = escape.ok_or_else(|| wrong("no escaping is set"))?;
    // Only a block that a template captured (`set`…`endset`) is safe: its values were escaped when it was.
    if value.is_safe() {
        return out.write_str(value.as_str().unwrap_or_default()).map_err(Error::from);
    }
    put(escape, value, out, 0)
}

fn put(escape: Escape, value: &Value, out: &mut Output, depth: usize) -> Result<(), Error> {
    let json = escape == Escape::Json;
    match value.kind() {
        ValueKind::None => out.write_str(if json { "null" } else { "" })?,
        ValueKind::Bool => out.write_str(if value.is_true() { "true" } else { "false" })?,
        ValueKind::Number if value.is_integer() => write!(out, "{value}")?,
        ValueKind::String => escape.text(value.as_str().unwrap_or_default(), out)?,
        ValueKind::Plain if value.downcast_object_ref::<Digits>().is_some() => write!(out, "{value}")?,
        ValueKind::Undefined => return Err(Error::new(ErrorKind::UndefinedError, "undefined value")),
        ValueKind::Seq if json && depth < 16 => {
            out.write_str("[")?;
            for (index, item) in value.try_iter()?.enumerate() {
                out.write_str(if index == 0 { "" } else { "," })?;
                put(escape, &item, out, depth + 1)?;
            }
            out.write_str("]")?;
        }
        ValueKind::Map if json && depth < 16 => {
            out.write_str("{")?;
            for (index, key) in value.try_iter()?.enumerate() {
                out.write_str(if index == 0 { "" } else { "," })?;
                escape.text(key.as_str().unwrap_or_default(), out)?;
                out.write_str(":")?;
                put(escape, &value.get_item(&key)?, out, depth + 1)?;
            }
            out.write_str("}")?;
        }
        kind => return Err(wrong(&format!("a value of kind {kind} cannot be written here"))),
    }
    Ok(())
}

fn wrong(text: &str) -> Error {
    Error::new(ErrorKind::InvalidOperation, text.to_owned())
}

fn sentence(error: &Error) -> String {
    let line = error.line().map_or_else(String::new, |line| format!(" (line {line} of the template)"));
    format!("{}{}{line}", error.kind(), error.detail().map_or_else(String::new, |detail| format!(": {detail}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(escape: Escape, source: &str, names: Vec<(&'static str, Datum)>) -> Result<String, String> {
        let mut templates = Templates::new();
        let text = templates.add(escape, source)?;
        templates.render(&text, &Scope::new(names))
    }

    fn echo(value: Datum) -> Vec<(&'static str, Datum)> {
        vec![("echo", Datum::Map(vec![("x", value)]))]
    }

    #[test]
    fn in_json_a_value_is_a_whole_value() {
        let json = |value| render(Escape::Json, "{{ echo.x }}", echo(value)).unwrap();
        assert_eq!(json(Datum::Text("a\"b\n\u{1}".into())), "\"a\\\"b\\n\\u0001\"");
        assert_eq!(json(Datum::None), "null");
        assert_eq!(json(Datum::Bool(true)), "true", "not capitalised");
        assert_eq!(json(Datum::Digits("123456789012345678901234567890".into())), "123456789012345678901234567890");
        assert_eq!(json(Datum::List(vec![Datum::Int(1), Datum::Text("a".into())])), "[1,\"a\"]");
        assert_eq!(json(Datum::Named(vec![("k".into(), Datum::Int(1))])), "{\"k\":1}");
    }

    #[test]
    fn a_captured_block_is_escaped_once() {
        let source = "{% set b %}[{{ echo.x }}]{% endset %}{{ b }}{{ b }}";
        assert_eq!(render(Escape::Json, source, echo(Datum::Text("\"".into()))).unwrap(), "[\"\\\"\"][\"\\\"\"]");
        let source = "{{ \"<\" ~ echo.x }}";
        assert_eq!(render(Escape::Xml, source, echo(Datum::Text("&".into()))).unwrap(), "&lt;&amp;");
    }

    #[test]
    fn the_last_newline_stays_and_text_without_marks_is_static() {
        assert_eq!(render(Escape::Text, "{{ path }}\n", vec![("path", Datum::Text("/".into()))]).unwrap(), "/\n");
        assert_eq!(render(Escape::Text, "100%\n", vec![]).unwrap(), "100%\n");
    }

    #[test]
    fn what_is_undefined_fails_and_default_mends_it() {
        assert!(render(Escape::Json, "{{ echo.y }}", echo(Datum::None)).is_err());
        assert_eq!(render(Escape::Json, "{{ echo.y | default(\"-\") }}", echo(Datum::None)).unwrap(), "\"-\"");
        assert_eq!(render(Escape::Json, "{% if echo.y %}1{% else %}2{% endif %}", echo(Datum::None)).unwrap(), "2");
    }

    #[test]
    fn escaping_cannot_be_switched_off() {
        for source in [
            "{% autoescape false %}{{ path }}{% endautoescape %}",
            "{% autoescape 'none' %}{{ path }}{% endautoescape %}",
            "{{ path | safe }}",
            "{{ path|e }}",
            "{% include 'x' %}",
            "{% macro m() %}{% endmacro %}",
            "{% filter safe %}x{% endfilter %}",
            "{{ path.upper() }}",
            "{{ range(10) }}",
            "{{ path }}{% raw %}{% endraw %}",
        ] {
            assert!(render(Escape::Json, source, vec![("path", Datum::Text("<".into()))]).is_err(), "{source}");
        }
    }

    #[test]
    fn filters_take_any_value_without_failing_open() {
        let location = "{{ echo.x | local(setting.home) | url }}";
        let with = |value| {
            let mut names = echo(value);
            names.push(("setting", Datum::Map(vec![("home", Datum::Text("/home".into()))])));
            render(Escape::Header, location, names).unwrap()
        };
        assert_eq!(with(Datum::Text("/a".into())), "%2Fa");
        assert_eq!(with(Datum::Text("//evil".into())), "%2Fhome");
        assert_eq!(with(Datum::None), "%2Fhome");
        assert_eq!(render(Escape::Json, "{{ echo.x | iso }}", echo(Datum::None)).unwrap(), "null");
    }
}
