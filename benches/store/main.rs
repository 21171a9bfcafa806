//! What a store costs under load: log-ins of many writers, and a million sessions. `make bench-store`.
//!
//! Words after `--`: `logins`, `sessions` for one part; `sessions=N`, `seconds=N`, `store=NAME`.

#[cfg(target_os = "linux")]
#[path = "../../tests/disk/mod.rs"]
mod disk;
#[cfg(target_os = "linux")]
mod logins;

fn value(words: &[String], name: &str) -> Option<u64> {
    words.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('=')?.parse().ok())
}

#[cfg(target_os = "linux")]
fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    // `cargo test --benches` runs this program too, without `--bench`: a short turn shows that it works.
    let short = !words.iter().any(|word| word == "--bench");
    let wanted = |part: &str| {
        words.iter().any(|word| word == part) || !words.iter().any(|word| word == "logins" || word == "sessions")
    };
    if wanted("logins") {
        logins::run(value(&words, "ms").unwrap_or(if short { 50 } else { 2_000 }));
    }
}

#[cfg(not(target_os = "linux"))]
fn main() {}
