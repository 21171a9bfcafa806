//! Input: a JSON document.

use janua::base::Reason;
use janua::parse::json::{Document, MAX_DEPTH, MAX_MEMBERS, MAX_VALUES, Value};
use serde_json::Value as Tree;

pub fn run(data: &[u8]) {
    let strict = Document::parse(data, false);
    let folding = Document::parse(data, true);
    assert!(strict.is_ok() || folding.is_err(), "forgiving case forgives nothing else");
    if strict.is_ok() {
        assert!(folding.err().is_none_or(|reason| reason == Reason::Duplicate));
    }

    // Numbers that serde_json cannot hold are well-formed all the same; then there is no tree to compare with.
    let tree = serde_json::from_slice::<Tree>(data);
    match (strict, tree) {
        (Ok(document), Ok(tree)) => {
            same(&document, &tree, &mut Vec::new());
            let again = serde_json::to_vec(&tree).unwrap();
            same(&Document::parse(&again, false).ok().unwrap(), &tree, &mut Vec::new());
        }
        (Ok(_), Err(_)) => assert!(serde_json::from_slice::<&serde_json::value::RawValue>(data).is_ok()),
        (Err(Reason::Unreadable), Ok(tree)) => {
            let mut size = Size::default();
            size.add(&tree, 0);
            let bounded = size.depth <= MAX_DEPTH && size.members <= MAX_MEMBERS && size.values <= MAX_VALUES;
            // Twins are gone from the tree, so a document of many members may look small in it.
            assert!(!bounded || data.len() > MAX_MEMBERS || repeats(data), "refused without a cause");
        }
        (Err(reason), _) => assert!(matches!(reason, Reason::Duplicate | Reason::Unreadable)),
    }
}

/// Whether twins may hide how deep a document is: more brackets than levels that are allowed.
fn repeats(data: &[u8]) -> bool {
    data.iter().filter(|byte| matches!(byte, b'[' | b'{')).count() > MAX_DEPTH
}

#[derive(Default)]
struct Size {
    depth: usize,
    members: usize,
    values: usize,
}

impl Size {
    fn add(&mut self, tree: &Tree, depth: usize) {
        self.values += 1;
        match tree {
            Tree::Array(items) => {
                self.depth = self.depth.max(depth + 1);
                items.iter().for_each(|item| self.add(item, depth + 1));
            }
            Tree::Object(members) => {
                self.depth = self.depth.max(depth + 1);
                self.members = self.members.max(members.len());
                members.values().for_each(|value| self.add(value, depth + 1));
            }
            _ => {}
        }
    }
}

/// Every value of the tree is found by its pointer and says the same.
fn same(document: &Document<'_>, tree: &Tree, pointer: &mut Vec<String>) {
    match (document.at(pointer), tree) {
        (None, Tree::Null) => {}
        (Some(Value::Bool(found)), Tree::Bool(expected)) => assert_eq!(found, *expected),
        (Some(Value::Text(found)), Tree::String(expected)) => assert_eq!(found, *expected),
        (Some(Value::Number(found)), Tree::Number(expected)) => {
            let found: serde_json::Number = serde_json::from_str(found).unwrap();
            // serde_json writes fractions that it reads back a little off.
            assert!(found == *expected || found.is_f64() && expected.is_f64());
        }
        (Some(Value::Array), Tree::Array(items)) => {
            for (index, item) in items.iter().enumerate() {
                step(document, item, pointer, index.to_string());
            }
            pointer.push(items.len().to_string());
            assert!(document.at(pointer).is_none());
            pointer.pop();
        }
        (Some(Value::Object), Tree::Object(members)) => {
            for (name, value) in members {
                step(document, value, pointer, name.clone());
            }
        }
        _ => panic!("two readings of one document"),
    }
}

fn step(document: &Document<'_>, tree: &Tree, pointer: &mut Vec<String>, name: String) {
    pointer.push(name);
    same(document, tree, pointer);
    pointer.pop();
}
