//! The house stands: a room imports only from floors below its own, files and functions stay of a size to be read.
//!
//! Floors are those of `docs/house.md`. Every `crate::` path of `src/` is read, wherever it stands; a `super::` that
//! climbs to the crate's root is read as one. The last tests plant faults and see them caught.

#[path = "source/gates.rs"]
mod gates;
#[path = "source/tokens.rs"]
mod tokens;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use tokens::Token;

/// Each room and its floor. A room that is not listed here is an error.
const FLOORS: &[(&str, u8)] = &[
    ("base", 0),
    ("parse", 1),
    ("crypto", 2),
    ("expiry", 3),
    ("password", 3),
    ("throttle", 3),
    ("token", 4),
    ("directory", 4),
    ("session", 5),
    ("store", 5),
    ("profile", 6),
    ("engine", 7),
    ("ffi", 8),
    ("bin", 8),
    ("lib", 8),
];

/// The arrows allowed between rooms of one floor.
const BESIDE: &[(&str, &str)] = &[("store", "session")];

const MAX_FILE: usize = 450;
const MAX_FUNCTION: usize = 60;

/// Files that may be longer, each with its reason.
const LONG_FILES: &[(&str, &str)] =
    &[("tests/attacks.rs", "one row of the table of attacks after the other, to be read beside it")];

/// Functions that may be longer, as `file: name`, each with its reason.
const LONG_FUNCTIONS: &[(&str, &str)] = &[];

fn floor(room: &str) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| *name == room).map(|(_, floor)| *floor)
}

/// The room of a file, from its path below `src/`: `engine/site.rs` is in `engine`, `expiry.rs` is `expiry`.
fn room_of(file: &Path) -> String {
    let first = file.components().next().map(|c| c.as_os_str().to_string_lossy().into_owned()).unwrap_or_default();
    first.strip_suffix(".rs").map(str::to_owned).unwrap_or(first)
}

/// How many `super::` lead from a file's own module to the crate's root.
fn depth_of(file: &Path) -> usize {
    let parts = file.components().count();
    let own = file.file_stem().is_some_and(|stem| stem == "mod" || stem == "lib" || stem == "main");
    if own { parts - 1 } else { parts }
}

/// The first names after `crate::`, over a whole group `crate::{a, b::{c, d}}`.
fn heads(tokens: &[Token]) -> Vec<String> {
    match tokens.first() {
        Some(first) if first.text == "{" => {
            let (mut depth, mut fresh, mut found) = (0, false, Vec::new());
            for token in tokens {
                match token.text.as_str() {
                    "{" => {
                        depth += 1;
                        fresh = depth == 1;
                        continue;
                    }
                    "}" => depth -= 1,
                    "," if depth == 1 => {
                        fresh = true;
                        continue;
                    }
                    word if fresh => found.push(word.to_owned()),
                    _ => {}
                }
                fresh = false;
                if depth == 0 {
                    break;
                }
            }
            found
        }
        Some(first) => vec![first.text.clone()],
        None => Vec::new(),
    }
}

/// Every room that `source` names from the crate's root, with the line.
fn arrows(file: &Path, source: &str) -> Vec<(String, usize)> {
    let tokens = tokens::read(source);
    let (mut found, mut braces, mut inner) = (Vec::new(), 0, Vec::new());
    for (at, token) in tokens.iter().enumerate() {
        let word = |place: usize| tokens.get(place).map_or("", |t| t.text.as_str());
        let chained = at > 1 && word(at - 1) == "::";
        let root = match word(at) {
            "crate" => at,
            "super" if !chained => {
                let climbs = (0..).take_while(|n| word(at + 2 * n) == "super" && word(at + 2 * n + 1) == "::").count();
                let last = (at + 2 * climbs).saturating_sub(2);
                if climbs < depth_of(file) + inner.len() {
                    continue;
                }
                last
            }
            "{" => {
                braces += 1;
                continue;
            }
            "}" => {
                braces -= 1;
                inner.retain(|depth| *depth <= braces);
                continue;
            }
            "mod" if word(at + 2) == "{" => {
                inner.push(braces + 1);
                continue;
            }
            _ => continue,
        };
        if word(root + 1) == "::" {
            found.extend(heads(&tokens[root + 2..]).into_iter().map(|name| (name, token.line)));
        }
    }
    found
}

/// What is wrong with the arrows of one file.
fn faults(file: &Path, source: &str) -> Vec<String> {
    let room = room_of(file);
    let Some(own) = floor(&room) else {
        return vec![format!("src/{}: the room `{room}` stands on no floor", file.display())];
    };
    if room == "bin" {
        return Vec::new(); // a crate of its own, above all floors
    }
    let mut faults = Vec::new();
    for (target, line) in arrows(file, source) {
        let beside = BESIDE.contains(&(room.as_str(), target.as_str()));
        let verdict = match floor(&target) {
            _ if target == room || beside => continue,
            None => "is no room of the house".to_owned(),
            Some(there) if there < own => continue,
            Some(there) if there == own => format!("is beside it on floor {own}"),
            Some(there) => format!("is on floor {there}, above floor {own}"),
        };
        faults.push(format!("src/{}:{line}: `{room}` names `{target}`, which {verdict}", file.display()));
    }
    faults
}

/// The functions of a file: name and number of lines. Those that exist only under test are left out: a table may be
/// long.
fn functions(source: &str) -> Vec<(String, usize)> {
    let tokens = tokens::read(source);
    let tests = gates::test_items(&tokens);
    let (mut found, mut open, mut braces, mut brackets) = (Vec::new(), Vec::new(), 0_usize, 0_i32);
    let mut pending: Option<(String, usize)> = None;
    for (at, token) in tokens.iter().enumerate() {
        match token.text.as_str() {
            "fn" if tokens.get(at + 1).is_some_and(|t| t.text.starts_with(|c: char| c.is_alphabetic() || c == '_')) => {
                let tested = tests.iter().any(|(from, to)| (*from..=*to).contains(&at));
                pending = Some((tokens[at + 1].text.clone(), token.line)).filter(|_| !tested);
            }
            "(" | "[" => brackets += 1,
            ")" | "]" => brackets -= 1,
            ";" if brackets == 0 => pending = None,
            "{" => {
                braces += 1;
                open.extend(pending.take().map(|(name, line)| (name, line, braces)));
            }
            "}" => {
                if let Some((name, line, _)) = open.pop_if(|(_, _, depth)| *depth == braces) {
                    found.push((name, token.line - line + 1));
                }
                braces = braces.saturating_sub(1);
            }
            _ => {}
        }
    }
    found
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn every_import_goes_downstairs() {
    let src = root().join("src");
    let files = rust_files(&src);
    assert!(files.len() > 10, "src/ was not found");
    let mut wrong = Vec::new();
    for file in files {
        let source = fs::read_to_string(&file).unwrap();
        wrong.extend(faults(file.strip_prefix(&src).unwrap(), &source));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_and_functions_are_of_a_size_to_be_read() {
    let root = root();
    let mut wrong = Vec::new();
    let mut seen = BTreeMap::new();
    let mut under_test = vec!["tests/".to_owned(), "benches/".to_owned()];
    for folder in ["src", "tests", "benches"] {
        let read = |file: PathBuf| {
            let name = file.strip_prefix(&root).unwrap().display().to_string();
            (name, fs::read_to_string(&file).unwrap())
        };
        let files: Vec<(String, String)> = rust_files(&root.join(folder)).into_iter().map(read).collect();
        under_test.extend(files.iter().flat_map(|(name, source)| gates::test_modules(name, source)));
        for (name, source) in files {
            let lines = source.lines().count();
            if lines > MAX_FILE && !LONG_FILES.iter().any(|(listed, _)| *listed == name) {
                wrong.push(format!("{name}: {lines} lines, {MAX_FILE} are allowed"));
            }
            let tested = under_test.iter().any(|module| name.starts_with(module.as_str()));
            for (function, lines) in functions(&source).into_iter().filter(|_| !tested) {
                let full = format!("{name}: {function}");
                if lines > MAX_FUNCTION && !LONG_FUNCTIONS.iter().any(|(listed, _)| *listed == full) {
                    wrong.push(format!("{full}: {lines} lines, {MAX_FUNCTION} are allowed"));
                }
                seen.insert(full, lines);
            }
            seen.insert(name, lines);
        }
    }
    for (listed, reason) in LONG_FILES.iter().chain(LONG_FUNCTIONS) {
        assert!(reason.len() > 10, "{listed}: say why it may be long");
        let needed = seen.get(*listed).copied().unwrap_or(0);
        let limit = if listed.contains(": ") { MAX_FUNCTION } else { MAX_FILE };
        if needed <= limit {
            wrong.push(format!("{listed}: listed as long and is not"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_planted_upward_arrow_is_caught() {
    let caught = |file: &str, source: &str| faults(Path::new(file), source);
    assert_eq!(
        caught("parse/cookie.rs", "//! x\nuse crate::engine::Site;\n"),
        ["src/parse/cookie.rs:2: `parse` names `engine`, which is on floor 7, above floor 1"]
    );
    assert_eq!(caught("token/sealed.rs", "use crate::{base::Reason, store::{self, Store}, crypto};").len(), 1);
    assert_eq!(caught("token/sealed.rs", "fn f() { let x = crate::profile::builtin(\"{\"); }").len(), 1);
    assert_eq!(caught("session/id.rs", "use crate::store::Store;").len(), 1, "on one floor only store to session");
    assert_eq!(caught("password/mod.rs", "use crate::throttle::Throttle;").len(), 1, "beside");
    assert_eq!(caught("base/clock.rs", "use crate::Engine;").len(), 1, "no room of that name");
    assert_eq!(caught("cellar/mod.rs", "").len(), 1, "a room without a floor");
    assert_eq!(caught("expiry.rs", "use super::engine::Site;").len(), 1, "super at the root is the crate");
    assert_eq!(caught("parse/json.rs", "mod tests { use super::super::super::store::Store; }").len(), 1);
}

#[test]
fn lawful_arrows_comments_and_strings_are_let_through() {
    let caught = |file: &str, source: &str| faults(Path::new(file), source);
    assert!(caught("store/memory.rs", "use crate::session::Record; use crate::store::Store;").is_empty());
    assert!(caught("engine/site.rs", "use crate::{base::{Now, Reason}, profile::Profile};").is_empty());
    assert!(
        caught("parse/json.rs", "use super::request::Body; mod tests { use super::*; use super::super::path; }")
            .is_empty()
    );
    assert!(
        caught(
            "parse/json.rs",
            "// use crate::engine\n/* crate::store:: /* */ */ const A: &str = r#\"crate::ffi::\"#;"
        )
        .is_empty()
    );
    assert!(
        caught("parse/json.rs", "fn f<'a>(c: char) { if c == '\"' || c == '\\'' {} let s = b\"crate::store::x\"; }")
            .is_empty()
    );
    assert!(caught("lib.rs", "pub mod base; pub use crate::engine::Engine;").is_empty());
}

#[test]
fn a_planted_long_function_is_measured() {
    let body = "    let x = [0; 3];\n".repeat(61);
    let source =
        format!("trait T {{ fn none(&self); }}\nfn long<'a>(a: [u8; 2]) -> u8 {{\n{body}}}\nfn short() {{}}\n");
    assert_eq!(functions(&source), [("long".to_owned(), 63), ("short".to_owned(), 1)]);
    assert!(functions(&format!("#[cfg(test)]\nmod tests {{ {source} }}")).is_empty());
}
