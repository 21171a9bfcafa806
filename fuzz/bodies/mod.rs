//! One body for each fuzz target: what must hold for every input.
//!
//! `fuzz_targets/` runs a body under libFuzzer (`scripts/fuzz SECONDS NAME`), `tests/corpus.rs` runs it over
//! `corpus/NAME/` under plain `cargo test`. A body asserts what its parser promises; that it does not panic is the
//! least of it.

// A target uses one body; the others are dead code to it.
#![allow(dead_code)]

pub mod authorization;
pub mod cookie;
pub mod decide;
pub mod form;
pub mod header;
pub mod json;
pub mod path;
pub mod token_open;
pub mod xml;

/// Whether `view` lies within `input`: a parser of views may hand out nothing else.
fn lies_in(view: &[u8], input: &[u8]) -> bool {
    let (view, input) = (view.as_ptr_range(), input.as_ptr_range());
    view.is_empty() || input.start <= view.start && view.end <= input.end
}

/// The first line, and the rest.
fn first_line(data: &[u8]) -> (&[u8], &[u8]) {
    let end = data.iter().position(|&byte| byte == b'\n').unwrap_or(data.len());
    (&data[..end], data.get(end + 1..).unwrap_or_default())
}
