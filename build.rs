//! Names the shared library and writes the C header and the tables of names from the sources.
//!
//! Both go to `OUT_DIR` only. `include/janua.h` is the committed copy: a test compares the two, and
//! `JANUA_WRITE_HEADER=1 cargo build` renews it. Numbers and their meaning are read from the enums themselves, so that
//! there is one place for each.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// Raised only when a compiled caller would break; `src/ffi/basics.rs` and `cbindgen.toml` hold the same number.
const ABI: u32 = 0;

/// The sections of the header in order: title, and the file of `src/ffi` that cbindgen reads.
const SECTIONS: [(&str, &str); 10] = [
    ("Basics", "basics.rs"),
    ("Configuration", "config.rs"),
    ("Engine and site", "engine.rs"),
    ("Deciding", "decision.rs"),
    ("Primitive: reading credentials", "parse.rs"),
    ("Primitive: passwords", "password.rs"),
    ("Primitive: sessions", "session.rs"),
    ("Primitive: tokens", "token.rs"),
    ("Callbacks: the host's directory of users", "directory.rs"),
    ("Callbacks: audit", "audit.rs"),
];

/// An enum whose numbers become constants: section it stands in, source, how the enum begins, prefix, sign.
const ENUMS: [(&str, &str, &str, &str, &str); 5] = [
    ("basics.rs", "src/base/error.rs", "pub enum Status {", "JANUA_E_", "Status numbers."),
    ("basics.rs", "src/base/reason.rs", "reasons! {", "JANUA_REASON_", "Reasons: why a decision fell as it did."),
    ("decision.rs", "src/engine/decision.rs", "pub enum Outcome {", "JANUA_", "Outcomes of a decision."),
    ("decision.rs", "src/engine/decision.rs", "pub enum WaitClass {", "JANUA_WAIT_", "What WOULD_BLOCK waits for."),
    ("audit.rs", "src/engine/audit.rs", "pub enum EventKind {", "JANUA_EVENT_", "Kinds of audit events."),
];

struct Number {
    name: String,
    number: i64,
    text: Option<String>,
    meaning: String,
}

fn main() {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    for path in ["build.rs", "cbindgen.toml", "src/ffi", "include/janua.h"] {
        println!("cargo:rerun-if-changed={path}");
    }
    for (_, source, ..) in ENUMS {
        println!("cargo:rerun-if-changed={source}");
    }
    println!("cargo:rerun-if-env-changed=JANUA_WRITE_HEADER");

    let family = env::var("CARGO_CFG_TARGET_FAMILY").unwrap_or_default();
    let vendor = env::var("CARGO_CFG_TARGET_VENDOR").unwrap_or_default();
    if family == "unix" && vendor != "apple" {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libjanua.so.{ABI}");
    }

    let header = header(&root);
    fs::write(out.join("janua.h"), &header).expect("OUT_DIR is writable");
    fs::write(out.join("names.rs"), names(&root)).expect("OUT_DIR is writable");
    if env::var_os("JANUA_WRITE_HEADER").is_some() {
        fs::create_dir_all(root.join("include")).expect("the source tree is writable");
        fs::write(root.join("include/janua.h"), &header).expect("the source tree is writable");
    }
}

/// The whole header.
fn header(root: &Path) -> String {
    let mut config = cbindgen::Config::from_file(root.join("cbindgen.toml")).expect("cbindgen.toml is well-formed");
    let head = config.header.take().unwrap_or_default();
    let guard = config.include_guard.take().expect("cbindgen.toml names the include guard");
    let after = config.after_includes.take().unwrap_or_default();
    let includes = std::mem::take(&mut config.sys_includes);
    config.no_includes = true;
    config.cpp_compat = false;

    let mut text = format!("{}\n#ifndef {guard}\n#define {guard}\n\n", head.trim());
    for include in includes {
        let _ = writeln!(text, "#include <{include}>");
    }
    let _ = write!(text, "\n{}\n\n#ifdef __cplusplus\nextern \"C\" {{\n#endif\n", after.trim());
    for (title, file) in SECTIONS {
        let rule = "-".repeat(90usize.saturating_sub(title.len()));
        let _ = write!(text, "\n/* {rule} {title} */\n\n");
        for (_, source, start, prefix, what) in ENUMS.iter().filter(|e| e.0 == file) {
            text.push_str(&defines(&numbers(root, source, start, prefix), what));
        }
        let bindings = cbindgen::Builder::new()
            .with_config(config.clone())
            .with_src(root.join("src/ffi").join(file))
            .generate()
            .expect("cbindgen reads src/ffi");
        let mut section = Vec::new();
        bindings.write(&mut section);
        text.push_str(folded(&String::from_utf8(section).expect("cbindgen writes UTF-8")).trim());
        text.push('\n');
    }
    let _ = write!(text, "\n#ifdef __cplusplus\n}} /* extern \"C\" */\n#endif\n\n#endif /* {guard} */\n");
    text
}

/// A comment of three lines that fits on one, on one.
fn folded(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let mut out = String::new();
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        let inner = lines.get(at + 1).and_then(|next| next.trim_start().strip_prefix("* "));
        let closes = lines.get(at + 2).is_some_and(|last| last.trim() == "*/");
        match inner.filter(|inner| line.trim() == "/**" && closes && line.len() + inner.len() < 94) {
            Some(inner) => {
                let _ = writeln!(out, "{line} {inner} */");
                at += 3;
            }
            None => {
                let _ = writeln!(out, "{line}");
                at += 1;
            }
        }
    }
    out
}

/// `#define` lines with the meaning beside each.
fn defines(numbers: &[Number], what: &str) -> String {
    let mut text = format!("/* {what} Stable: a number is never given another meaning. */\n");
    for n in numbers {
        let number = if n.number < 0 { format!("({})", n.number) } else { n.number.to_string() };
        let _ = writeln!(text, "#define {:<34} {number:>5} /* {} */", n.name, n.meaning);
    }
    text.push('\n');
    text
}

/// The tables behind `janua_status_name` and `janua_reason_name`.
fn names(root: &Path) -> String {
    let mut text = String::new();
    for (table, index) in [("STATUS_NAMES", 0), ("REASON_NAMES", 1)] {
        let (_, source, start, prefix, _) = ENUMS[index];
        let _ = writeln!(text, "pub(crate) static {table}: &[(i64, &std::ffi::CStr)] = &[");
        for n in numbers(root, source, start, prefix) {
            let _ = writeln!(text, "    ({}, c{:?}),", n.number, n.text.as_ref().unwrap_or(&n.name));
        }
        text.push_str("];\n");
    }
    text
}

/// Reads the variants of an enum: doc comment, `Name = number`, and a text where one follows.
fn numbers(root: &Path, source: &str, start: &str, prefix: &str) -> Vec<Number> {
    let code = fs::read_to_string(root.join(source)).expect("the sources are complete");
    let body = code.split_once(&format!("{start}\n")).unwrap_or_else(|| panic!("{source} has no `{start}`")).1;
    let mut numbers = Vec::new();
    if prefix == "JANUA_E_" {
        numbers.push(Number { name: "JANUA_OK".into(), number: 0, text: None, meaning: "Success.".into() });
    }
    let mut doc = String::new();
    for line in body.lines().map(str::trim).take_while(|line| *line != "}") {
        if let Some(more) = line.strip_prefix("///") {
            doc.push_str(more);
        } else if let Some((name, rest)) = line.split_once(" = ") {
            let rest = rest.trim_end_matches([',', ';']);
            let (number, quoted) = rest.split_once(", ").map_or((rest, None), |(n, t)| (n, Some(t)));
            let number = number.parse().unwrap_or_else(|_| panic!("{source}: `{line}` has no number"));
            let text = quoted.map(|t| t.trim_matches('"').to_owned());
            let meaning = if doc.is_empty() { "Nothing.".into() } else { doc.trim().replace(['[', ']', '`'], "") };
            numbers.push(Number { name: format!("{prefix}{}", screaming(name)), number, text, meaning });
            doc.clear();
        }
    }
    assert!(numbers.len() > 3, "{source}: `{start}` was not understood");
    numbers
}

/// `NeedBody` as `NEED_BODY`.
fn screaming(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.push(letter.to_ascii_uppercase());
    }
    text
}
