//! Everything that is linked into the library, or runs while it is built, may be used under one of a short list of
//! licences. Reads `cargo metadata`; the lock file decides the versions. Development dependencies are not shipped and
//! not judged.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// May be linked.
const ALLOWED: &[&str] = &[
    "MIT",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "Unicode-3.0",
    "CC0-1.0",
    "0BSD",
    "Unlicense",
    "BSL-1.0",
];

/// May run during the build, nothing of it goes into the library.
const ALLOWED_TOOLS: &[&str] = &["MPL-2.0"];

/// Whether an SPDX expression can be satisfied by the list: `OR` (or `/`) chooses, `AND` needs both, `WITH` permits more.
fn satisfiable(expression: &str, allowed: &dyn Fn(&str) -> bool) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    let holds = either(&words, &mut at, allowed);
    holds && at == words.len()
}

fn either(words: &[&str], at: &mut usize, allowed: &dyn Fn(&str) -> bool) -> bool {
    let mut holds = both(words, at, allowed);
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        holds |= both(words, at, allowed);
    }
    holds
}

fn both(words: &[&str], at: &mut usize, allowed: &dyn Fn(&str) -> bool) -> bool {
    let mut holds = one(words, at, allowed);
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        holds &= one(words, at, allowed);
    }
    holds
}

fn one(words: &[&str], at: &mut usize, allowed: &dyn Fn(&str) -> bool) -> bool {
    let word = words.get(*at);
    *at += 1;
    let Some(word) = word else { return false };
    if *word == "(" {
        let holds = either(words, at, allowed);
        let closed = words.get(*at) == Some(&")");
        *at += 1;
        return holds && closed;
    }
    if words.get(*at) == Some(&"WITH") {
        *at += 2;
    }
    allowed(word)
}

fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--all-features"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("cargo metadata writes JSON")
}

/// The packages reached from the root: true for those that are linked, false for those that only help to build.
fn reached(metadata: &Value) -> BTreeMap<String, bool> {
    let nodes: BTreeMap<&str, &Value> = metadata["resolve"]["nodes"]
        .as_array()
        .expect("a resolved graph")
        .iter()
        .map(|node| (node["id"].as_str().expect("an id"), node))
        .collect();
    let mut found: BTreeMap<String, bool> = BTreeMap::new();
    let mut todo = vec![(metadata["resolve"]["root"].as_str().expect("a root").to_owned(), true)];
    let mut seen = BTreeSet::new();
    while let Some((id, linked)) = todo.pop() {
        if !seen.insert((id.clone(), linked)) {
            continue;
        }
        *found.entry(id.clone()).or_default() |= linked;
        for dep in nodes[id.as_str()]["deps"].as_array().into_iter().flatten() {
            let kinds: Vec<Option<&str>> =
                dep["dep_kinds"].as_array().into_iter().flatten().map(|kind| kind["kind"].as_str()).collect();
            let next = dep["pkg"].as_str().expect("a package").to_owned();
            if kinds.contains(&None) {
                todo.push((next.clone(), linked));
            }
            if kinds.contains(&Some("build")) {
                todo.push((next, false));
            }
        }
    }
    found
}

#[test]
fn every_dependency_may_be_used() {
    let metadata = metadata();
    let reached = reached(&metadata);
    let mut wrong = Vec::new();
    for package in metadata["packages"].as_array().expect("packages") {
        let id = package["id"].as_str().expect("an id");
        let Some(linked) = reached.get(id) else { continue };
        let licence = package["license"].as_str().unwrap_or("none stated");
        let allowed = |name: &str| ALLOWED.contains(&name) || (!linked && ALLOWED_TOOLS.contains(&name));
        if !satisfiable(licence, &allowed) {
            let role = if *linked { "linked" } else { "build tool" };
            wrong.push(format!("{} {}: {licence} ({role})", package["name"], package["version"]));
        }
    }
    assert!(reached.len() > 20, "the graph was not read");
    assert!(wrong.is_empty(), "not under the allowed licences:\n{}", wrong.join("\n"));
}

#[test]
fn a_planted_foreign_licence_is_caught() {
    let allowed = |name: &str| ALLOWED.contains(&name);
    for good in ["MIT", "MIT OR GPL-3.0", "MIT/Apache-2.0", "(MIT OR Apache-2.0) AND Unicode-3.0", "Apache-2.0 AND ISC"]
    {
        assert!(satisfiable(good, &allowed), "{good}");
    }
    assert!(satisfiable("Apache-2.0 WITH LLVM-exception", &allowed));
    for bad in ["GPL-3.0", "MIT AND GPL-3.0", "(MIT OR GPL-3.0) AND LGPL-2.1", "none stated", "", "MIT OR", "MPL-2.0"] {
        assert!(!satisfiable(bad, &allowed), "{bad}");
    }
}
