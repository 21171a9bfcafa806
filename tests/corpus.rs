//! Replays the fuzz seeds through the fuzz bodies, so that plain `cargo test` holds every property that the fuzzers do.

use std::fs;
use std::path::{Path, PathBuf};

#[path = "../fuzz/bodies/mod.rs"]
mod bodies;

type Body = fn(&[u8]);

const TARGETS: [(&str, Body); 9] = [
    ("authorization", bodies::authorization::run),
    ("cookie", bodies::cookie::run),
    ("decide", bodies::decide::run),
    ("form", bodies::form::run),
    ("header", bodies::header::run),
    ("json", bodies::json::run),
    ("path", bodies::path::run),
    ("token_open", bodies::token_open::run),
    ("xml", bodies::xml::run),
];

fn sorted(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

#[test]
fn every_seed_and_every_beginning_of_one_keeps_the_promises() {
    for (target, run) in TARGETS {
        let seeds = sorted(&fuzz().join("corpus").join(target));
        assert!(seeds.len() >= 12, "{target} has too few seeds");
        for seed in seeds {
            let data = fs::read(&seed).unwrap();
            println!("{}", seed.display());
            (0..=data.len()).for_each(|end| run(&data[..end]));
            // One byte changed at a time, to bytes that mean something to some parser. A whole decision takes longer.
            let bytes: &[u8] = if target == "decide" { b"$/%" } else { b"\0\n \"%&/.:;<=?\\}\xff" };
            for at in 0..data.len() {
                for &byte in bytes {
                    let mut changed = data.clone();
                    changed[at] = byte;
                    run(&changed);
                }
            }
        }
    }
}

/// A body that lets nothing through asserts nothing about what is let through.
#[test]
fn the_seeds_of_decide_reach_what_they_are_for() {
    use janua::base::Reason;
    let reached = [
        Reason::Proven,
        Reason::Open,
        Reason::LoggedIn,
        Reason::LoggedOut,
        Reason::Missing,
        Reason::Malformed,
        Reason::Incomplete,
        Reason::PathAmbiguous,
        Reason::UnknownUser,
        Reason::SessionUnknown,
        Reason::SessionRevoked,
        Reason::SessionConflict,
        Reason::CrossSite,
        Reason::NoEndpoint,
    ];
    for seed in sorted(&fuzz().join("corpus/decide")) {
        bodies::decide::run(&fs::read(&seed).unwrap());
    }
    let missed: Vec<_> = reached.into_iter().filter(|reason| bodies::decide::count(*reason) == 0).collect();
    assert!(missed.is_empty(), "{missed:?}");
}

#[test]
fn every_fuzz_target_is_replayed() {
    let names = |folder: &str| -> Vec<String> {
        sorted(&fuzz().join(folder))
            .iter()
            .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
            .collect()
    };
    let replayed: Vec<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names("fuzz_targets"), replayed);
    assert_eq!(names("corpus"), replayed);
}

/// The bounds keep a hostile megabyte linear; a quadratic slip would take minutes here.
#[test]
fn a_megabyte_of_anything_is_soon_done() {
    let cases: [(&str, &str, &[&str]); 8] = [
        ("authorization", "Bearer ", &[".", " ", "="]),
        ("authorization", "Basic ", &["Zm9v"]),
        ("cookie", "a\n", &["a=b;", ";", "a=\n"]),
        ("form", "a\n", &["%61=b&", "a;", "+", "&"]),
        ("header", "a\n", &["a:b\n", "a:,"]),
        ("json", "", &["[", "{\"a\":", "[0,", "\\u0061", "{\"a\":1,"]),
        ("path", "/x\n/", &["../", "//", "%2e/", "%25", ";."]),
        ("xml", "<u>", &["<a>", "<a/>", "<a b='", "&amp;", "<!--", "<![CDATA[a]]>"]),
    ];
    for (target, start, parts) in cases {
        let (_, run) = TARGETS.iter().find(|(name, _)| *name == target).unwrap();
        for part in parts {
            println!("{target} {part:?}");
            run(&[start, &part.repeat(1_000_000 / part.len())].concat().into_bytes());
        }
    }
    let attributes: String = (0..100_000).map(|i| format!("a{i}='' ")).collect();
    bodies::xml::run(format!("<u {attributes}/>").as_bytes());
    let members: String = (0..100_000).map(|i| format!("\"{i}\":0,")).collect();
    bodies::json::run(format!("{{{members}\"x\":0}}").as_bytes());
}
