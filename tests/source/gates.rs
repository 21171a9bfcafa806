//! What exists only under test: items behind `#[test]` or a `#[cfg]` that names `test`, and modules declared so. Used by the
//! checks that hold the library to more than its tests.

use crate::tokens::{self, Token};

/// The items that exist only under test: the places of their first and last token.
pub fn test_items(tokens: &[Token]) -> Vec<(usize, usize)> {
    let word = |at: usize| tokens.get(at).map_or("", |t| t.text.as_str());
    let mut found = Vec::new();
    for at in (0..tokens.len()).filter(|at| word(*at) == "#" && word(at + 1) == "[") {
        let closed = (at..tokens.len()).find(|n| word(*n) == "]").unwrap_or(at);
        let inside: Vec<&str> = (at + 2..closed).map(word).collect();
        let gated = inside == ["test"]
            || inside.first() == Some(&"cfg") && inside.contains(&"test") && !inside.contains(&"not");
        if gated {
            found.push((at, end_of_item(tokens, closed + 1)));
        }
    }
    found
}

/// The last token of the item that begins at `start`, attributes before it included.
fn end_of_item(tokens: &[Token], start: usize) -> usize {
    let (mut depth, mut at) = (0_usize, start);
    while at < tokens.len() {
        match tokens[at].text.as_str() {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 && matches!(tokens[at].text.as_str(), ";" | "}") {
            return at;
        }
        at += 1;
    }
    at.saturating_sub(1)
}

/// The modules in other files that a file declares for tests only, as beginnings of their paths.
pub fn test_modules(name: &str, source: &str) -> Vec<String> {
    let tokens = tokens::read(source);
    let (folder, file) = name.rsplit_once('/').unwrap_or(("", name));
    let own = matches!(file, "mod.rs" | "lib.rs" | "main.rs");
    let folder = if own { folder.to_owned() } else { format!("{folder}/{}", file.trim_end_matches(".rs")) };
    let mut found = Vec::new();
    for (from, to) in test_items(&tokens).into_iter().filter(|(_, to)| tokens[*to].text == ";") {
        if tokens[to - 2].text == "mod" && from < to {
            found.extend([".rs", "/"].map(|end| format!("{folder}/{}{end}", tokens[to - 1].text)));
        }
    }
    found
}
