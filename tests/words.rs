//! What may not be written: a product's name in the sources, a path of somebody's machine, work left undone, a panic in
//! the library, `unsafe` outside its rooms. The last test plants each and sees it caught.

#[path = "source/gates.rs"]
mod gates;
#[path = "source/tokens.rs"]
mod tokens;

use gates::{test_items, test_modules};
use std::fs;
use std::path::{Path, PathBuf};

/// Products are described by files under `profiles/`, never by code.
const PRODUCTS: &[&str] = &["mauro", "m-files", "mfiles", "presto", "mashzone", "menandmice", "men&mice"];

/// The list of built-in profiles, and the command's help and samples, which name what can be asked for.
const MAY_NAME_PRODUCTS: &[&str] = &["src/profile/builtin.rs", "src/profile/builtins.rs", "src/bin/"];

/// Calls that panic; in the library only tests make them.
const PANICS: &[&str] = &["unwrap", "expect", "panic", "unreachable", "unimplemented", "todo", "assert", "assert_eq"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// What is wrong with a file of `src/`.
fn source_faults(name: &str, source: &str) -> Vec<String> {
    let tokens = tokens::read(source);
    let line = |at: usize| tokens.get(at).map_or(0, |token| token.line);
    let tests: Vec<(usize, usize)> = test_items(&tokens).into_iter().map(|(from, to)| (line(from), line(to))).collect();
    let tested = |line: usize| tests.iter().any(|(from, to)| (*from..=*to).contains(&line));
    let mut wrong = Vec::new();
    if !MAY_NAME_PRODUCTS.iter().any(|allowed| name.starts_with(allowed)) {
        for (at, text) in source.lines().enumerate().filter(|(at, _)| !tested(at + 1)) {
            let lower = text.to_lowercase();
            if let Some(product) = PRODUCTS.iter().find(|product| lower.contains(**product)) {
                wrong.push(format!("{name}:{}: names the product `{product}`", at + 1));
            }
        }
    }
    let word = |at: usize| tokens.get(at).map_or("", |t| t.text.as_str());
    for (at, token) in tokens.iter().enumerate().filter(|(_, token)| !tested(token.line)) {
        let text = token.text.as_str();
        let called = (word(at + 1) == "(" && at > 0 && word(at - 1) == ".") || word(at + 1) == "!";
        let constant = at > 1 && (word(at - 1) == "=" || word(at - 1) == "{" && word(at - 2) == "const");
        if !name.starts_with("src/bin/") && PANICS.contains(&text) && called && !constant {
            wrong.push(format!("{name}:{}: `{text}` in the library", token.line));
        }
        let room = name.starts_with("src/ffi/") || name.ends_with("/sys.rs");
        if text == "unsafe" && !room && word(at + 1) != "_code" {
            wrong.push(format!("{name}:{}: `unsafe` outside src/ffi and sys.rs", token.line));
        }
        if text == "ignore" && word(at.wrapping_sub(1)) == "[" {
            wrong.push(format!("{name}:{}: an ignored test", token.line));
        }
    }
    wrong
}

/// What is wrong with any text of the tree.
fn tree_faults(name: &str, text: &str) -> Vec<String> {
    let undone = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("X", "XX")];
    let machine = ["work/", "farm/", "root/", "tmp/bash_jobs"].map(|place| format!("/{place}"));
    let mut wrong = Vec::new();
    for (at, line) in text.lines().enumerate() {
        if let Some(word) = undone.iter().find(|word| line.split(|c: char| !c.is_alphanumeric()).any(|w| w == **word)) {
            wrong.push(format!("{name}:{}: {word}", at + 1));
        }
        let begins = |place: &String| {
            line.match_indices(place.as_str()).any(|(found, _)| {
                let before = line[..found].chars().next_back();
                before.is_none_or(|c| !(c.is_alphanumeric() || "._-}*".contains(c)))
            })
        };
        if let Some(place) = machine.iter().find(|place| begins(place)) {
            wrong.push(format!("{name}:{}: a path of one machine, {place}", at + 1));
        }
    }
    wrong
}

/// The text files of the tree, without what is built or fetched.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        if matches!(name.as_ref(), ".git" | "target" | "artifacts" | "corpus" | "node_modules" | "Cargo.lock") {
            continue;
        }
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[test]
fn nothing_stands_in_the_tree_that_may_not() {
    let root = root();
    let named = files(&root).into_iter().filter_map(|path| {
        let name = path.strip_prefix(&root).ok()?.display().to_string();
        Some((name, fs::read_to_string(&path).ok()?))
    });
    let named: Vec<(String, String)> = named.collect();
    let source = |name: &str| name.starts_with("src/") && name.ends_with(".rs");
    let sources = named.iter().filter(|(name, _)| source(name));
    let tests: Vec<String> = sources.flat_map(|(name, text)| test_modules(name, text)).collect();
    let mut wrong = Vec::new();
    for (name, text) in &named {
        wrong.extend(tree_faults(name, text));
        if source(name) && !tests.iter().any(|module| name.starts_with(module.as_str())) {
            wrong.extend(source_faults(name, text));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_planted_is_caught() {
    let source = |text: &str| source_faults("src/engine/site.rs", text).len();
    assert_eq!(source("// as Mauro does"), 1);
    assert_eq!(source("fn f() { x.unwrap(); panic!(\"no\"); y.expect(\"z\") }"), 3);
    assert_eq!(source("fn f() { unsafe { g() } }"), 1);
    assert_eq!(source_faults("src/base/sys.rs", "fn f() { unsafe { g() } }").len(), 0);
    assert_eq!(source("#[cfg(test)]\nmod tests {\n    fn f() { x.unwrap(); \"mfiles\" }\n}\n"), 0);
    assert_eq!(source("#[cfg(test)]\nmod tests;\nfn f() { x.unwrap() }"), 1, "only the item itself is a test");
    assert_eq!(source("#[cfg(all(test, unix))]\nmod tests { fn f() { x.unwrap() } }\nconst _: () = assert!(true);"), 0);
    assert_eq!(source("#[cfg(not(test))]\nfn f() { x.unwrap() }"), 1);
    assert_eq!(source("#[test]\n#[cfg(unix)]\nfn f() {\n x.unwrap()\n}\nfn g() { x.unwrap() }"), 1);
    let modules =
        test_modules("src/store/mod.rs", "#[cfg(any(test, feature = \"x\"))]\n#[doc(hidden)]\npub mod suite;");
    assert_eq!(modules, ["src/store/suite.rs", "src/store/suite/"]);
    assert_eq!(source("fn f() { x.unwrap_or(0); expect(b'a'); \"panic!\"; }"), 0);
    assert_eq!(tree_faults("a", concat!("// TO", "DO: later")).len(), 1);
    assert_eq!(tree_faults("a", concat!("see /wo", "rk/x")).len(), 1);
    assert_eq!(tree_faults("a", concat!("target/wo", "rk/x")).len(), 0);
}
