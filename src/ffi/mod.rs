//! Floor 8: the door for C. One file per noun; `include/janua.h` is generated from them and is their documentation.
//!
//! Called by programs in C, C++ and by every binding. This floor checks pointers, sizes and flags, turns them into views
//! and hands them to the engine; it decides nothing itself. It must never let a panic out ([`guard`]), write an output
//! on failure, keep a view of the caller, or allocate on the check path once warm ([`owner`]).
//!
//! It is the only floor with unsafe code. What makes that code sound is what the caller promises: the six rules at the
//! head of the header (`cbindgen.toml`). All pointers are read and written in [`raw`].

#![allow(unsafe_code)]
// The names are the C names, and the promises a `Safety` section would list stand once, at the head of the header.
#![allow(non_camel_case_types, clippy::missing_safety_doc)]

pub mod audit;
pub mod basics;
pub mod config;
pub mod decision;
pub mod directory;
pub mod engine;
pub mod parse;
pub mod password;
pub mod session;
pub mod token;

mod fault;
mod guard;
mod owner;
mod raw;
mod request;

#[cfg(test)]
mod layout;
#[cfg(test)]
mod tests;
