//! Exhaustive models of what a race test can only sample: `docs/security.md`, part 7, has the table.
//!
//! Each file mirrors functions of the code, named at its head, step by step, so that the two can be read side by side. Who
//! changes one of them changes the model. Each model must also **find** what is known to be wrong: every variant that the
//! code must not become is switched on in a test of its own, and the way to the violation is printed (`--nocapture`).
//! Memory is as strongly ordered here as the locks, acquire and release make it; what the processor might do to weaker
//! orders is not modelled.

mod explore;
mod permits;
mod poll;
mod replica;
mod rows;
mod sequence;
mod shared;

use std::fs;
use std::path::{Path, PathBuf};

/// The files of `src/`, and all their text.
fn sources(folder: &Path, files: &mut Vec<PathBuf>, text: &mut String) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.path().is_dir() {
            sources(&entry.path(), files, text);
        } else {
            text.push_str(&fs::read_to_string(entry.path()).unwrap());
            files.push(entry.path());
        }
    }
}

/// What the heads of the models say in backticks.
fn named(head: &str) -> impl Iterator<Item = &str> {
    head.lines().take_while(|line| line.starts_with("//!")).flat_map(|line| line.split('`').skip(1).step_by(2))
}

#[test]
fn what_a_model_says_it_mirrors_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut files, mut text) = (Vec::new(), String::new());
    sources(&root.join("src"), &mut files, &mut text);
    let mut functions = 0;
    for model in ["permits.rs", "poll.rs", "replica.rs", "rows.rs", "sequence.rs", "shared/mod.rs"] {
        let head = fs::read_to_string(root.join("tests/models").join(model)).unwrap();
        for name in named(&head) {
            if name.ends_with(".rs") {
                assert!(files.iter().any(|file| file.ends_with(name)), "{model}: there is no {name}");
            } else if let Some((_, name)) = name.rsplit_once("::") {
                let is_type = name.starts_with(char::is_uppercase);
                assert!(text.contains(&format!("fn {name}")) || (is_type && text.contains(name)), "{model}: no {name}");
                functions += 1;
            }
        }
    }
    assert!(functions > 20, "only {functions} names were found");
}
