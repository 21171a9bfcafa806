//! What a store costs under load: log-ins of many writers, and a million sessions. `make bench-store`.
//!
//! Words after `--`: `logins`, `sessions` for one part; `ms=N` for each row of the first, `sessions=N` and `store=NAME` for
//! the second.

#[cfg(target_os = "linux")]
#[path = "../../tests/disk/mod.rs"]
mod disk;
#[cfg(target_os = "linux")]
mod logins;
#[cfg(all(target_os = "linux", feature = "redis"))]
#[path = "../../tests/redis_server/mod.rs"]
mod redis_server;
#[cfg(target_os = "linux")]
mod sessions;

#[cfg(target_os = "linux")]
fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| words.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    let number = |name: &str| value(name).and_then(|value| value.parse::<u64>().ok());
    // `cargo test --benches` runs this program too, without `--bench`: a short turn shows that it works.
    let short = !words.iter().any(|word| word == "--bench");
    let count = number("sessions").unwrap_or(if short { 20_000 } else { 1_000_000 });
    if let Some(name) = value("part") {
        return sessions::part(name, count);
    }
    if let (Some(name), Some(folder)) = (value("sweeper"), value("folder")) {
        return sessions::sweep_on(name, folder.as_ref(), number("second").unwrap_or(0) as i64);
    }
    let all = !words.iter().any(|word| word == "logins" || word == "sessions");
    let wanted = |part: &str| all || words.iter().any(|word| word == part);
    if wanted("logins") {
        logins::run(number("ms").unwrap_or(if short { 50 } else { 2_000 }));
    }
    if wanted("sessions") {
        sessions::run(count, value("store"));
    }
}

#[cfg(not(target_os = "linux"))]
fn main() {}
