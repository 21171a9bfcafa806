//! What a template may say, checked on its text when the profile is built: a branch that is never rendered in the
//! proofs must not hide an unknown filter, a call or an unknown name.
//!
//! Called by `profile::render` for each template. Stricter than the renderer's grammar, never looser.

use super::near;

/// Filters, tests and tags that templates know.
pub const FILTERS: [&str; 5] = ["local", "url", "iso", "default", "length"];
const TESTS: [&str; 2] = ["none", "defined"];
const TAGS: [&str; 7] = ["if", "elif", "else", "endif", "for", "endfor", "set"];
/// Words of the grammar inside a tag.
const GRAMMAR: [&str; 9] = ["in", "not", "and", "or", "is", "else", "if", "recursive", "loop"];

/// The names templates know. `*` stands for any one name.
pub const NAMES: [&str; 27] = [
    "user.id",
    "user.name",
    "user.full_name",
    "user.email",
    "user.roles",
    "user.must_change",
    "user.attr.*",
    "session.id",
    "session.idle_left",
    "session.absolute_left",
    "token",
    "tenant.id",
    "tenant.name",
    "tenants",
    "sessions",
    "target.alive",
    "offered.user",
    "echo.*",
    "setting.*",
    "path",
    "method",
    "status",
    "outcome",
    "reason",
    "reference",
    "loop.*",
    "none",
];

/// Checks tags, filters, tests and calls. Errors are sentences.
pub(super) fn check(source: &str) -> Result<(), String> {
    let mut rest = source;
    while let Some(at) = rest.find('{') {
        rest = rest.get(at..).unwrap_or_default();
        let (close, tag) = match rest.as_bytes().get(1) {
            Some(b'{') => ("}}", false),
            Some(b'%') => ("%}", true),
            Some(b'#') => return Err("a template holds no comments; write them beside it, after `#`".into()),
            _ => {
                rest = rest.get(1..).unwrap_or_default();
                continue;
            }
        };
        let inner = rest.get(2..).unwrap_or_default();
        let tokens = tokens(inner, close)?;
        expression(&tokens.list, tag)?;
        rest = inner.get(tokens.length..).unwrap_or_default();
    }
    Ok(())
}

/// Checks that each of `used` (with dots) is a known name.
pub(super) fn names<'n>(used: impl Iterator<Item = &'n str>) -> Result<(), String> {
    for name in used {
        if !NAMES.iter().any(|known| fits(known, name)) {
            return Err(format!("no template knows `{name}`{}", near::hint(name, NAMES.into_iter())));
        }
    }
    Ok(())
}

/// Whether `name` is `known`, or the table that `known` is a member of.
fn fits(known: &str, name: &str) -> bool {
    if let Some(table) = known.strip_suffix(".*")
        && let Some(member) = name.strip_prefix(table).and_then(|rest| rest.strip_prefix('.'))
    {
        // A setting may be a table itself.
        return !member.is_empty() && (table == "setting" || !member.contains('.'));
    }
    known == name || known.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'))
}

#[derive(PartialEq, Debug)]
enum Token<'s> {
    Word(&'s str),
    Text,
    Sign(char),
}

struct Tokens<'s> {
    list: Vec<Token<'s>>,
    /// Bytes up to and including the closing mark.
    length: usize,
}

fn tokens<'s>(inner: &'s str, close: &str) -> Result<Tokens<'s>, String> {
    let mut list = Vec::new();
    let mut at = 0;
    loop {
        let rest = inner.get(at..).unwrap_or_default();
        let Some(c) = rest.chars().next() else {
            return Err(format!("a template's `{close}` is missing"));
        };
        if rest.starts_with(close) {
            return Ok(Tokens { list, length: at + close.len() });
        }
        at += if c == '"' || c == '\'' {
            list.push(Token::Text);
            string(rest, c).ok_or("a text in a template is not closed")?
        } else if c.is_ascii_alphabetic() || c == '_' {
            let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
            list.push(Token::Word(rest.get(..end).unwrap_or_default()));
            end
        } else {
            if !c.is_whitespace() {
                list.push(Token::Sign(c));
            }
            c.len_utf8()
        };
    }
}

/// The length of a quoted text that `rest` begins with, quotes included.
fn string(rest: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return Some(at + 1),
            _ => {}
        }
    }
    None
}

fn expression(tokens: &[Token<'_>], tag: bool) -> Result<(), String> {
    let signs = ['-', '+'];
    let tokens = match tokens {
        [Token::Sign(c), rest @ ..] if tag && signs.contains(c) => rest,
        all => all,
    };
    if tag {
        match tokens.first() {
            Some(Token::Word(word)) if TAGS.contains(word) || *word == "endset" => {}
            Some(Token::Word(word)) => {
                return Err(format!("templates have no `{word}`{}", near::hint(word, TAGS.into_iter())));
            }
            _ => return Err("a template's tag begins with a word".into()),
        }
    }
    for (index, token) in tokens.iter().enumerate() {
        let before = |n: usize| index.checked_sub(n).and_then(|i| tokens.get(i));
        let Token::Word(word) = token else { continue };
        let called = tokens.get(index + 1) == Some(&Token::Sign('('));
        if before(1) == Some(&Token::Sign('|')) {
            if !FILTERS.contains(word) {
                return Err(format!("templates have no filter `{word}`{}", near::hint(word, FILTERS.into_iter())));
            }
        } else if matches!(before(1), Some(Token::Word("is")))
            || (matches!(before(1), Some(Token::Word("not"))) && matches!(before(2), Some(Token::Word("is"))))
        {
            if *word != "not" && !TESTS.contains(word) {
                return Err(format!("templates have no test `{word}`{}", near::hint(word, TESTS.into_iter())));
            }
        } else if called && !GRAMMAR.contains(word) && !TAGS.contains(word) {
            return Err(format!("templates call nothing, not even `{word}`"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_filter_is_found_in_a_branch_nobody_renders() {
        assert!(check("{% if false %}{{ path | upper }}{% endif %}").unwrap_err().contains("no filter `upper`"));
        assert!(check("{{ path | locl(path) }}").unwrap_err().contains("did you mean `local`"));
        assert!(check("{{ '| upper' }}").is_ok(), "in a text it is text");
        assert!(check("{{ path.upper() }}").is_err());
        assert!(check("{{ path is odd }}").is_err());
        assert!(check("{{ path is not odd }}").is_err());
        assert!(check("{{ path is not none and not (path is none) }}").is_ok());
        assert!(check("{%- autoescape false %}").is_err());
        assert!(check("{{ 'open }}").is_err());
        assert!(check("{# x #}").is_err());
        assert!(check("{\"a\":{\"b\":{{ path }}}}").is_ok());
    }

    #[test]
    fn names_are_checked_with_their_members() {
        assert!(names(["user", "user.attr.x", "setting.a.b", "echo.id", "path", "user.attr"].into_iter()).is_ok());
        for unknown in ["usr", "user.password", "user.attr.x.y", "session.key", "pathx", "user.i"] {
            assert!(names([unknown].into_iter()).is_err(), "{unknown}");
        }
    }
}
