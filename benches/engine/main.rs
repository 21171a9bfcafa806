//! Everything that is measured, in one program and one table: `make bench`, or `cargo bench --bench engine`.
//!
//! Plain `Instant`, no framework. Whatever is compared runs in turns of about a millisecond, and a ratio is the median
//! of the turns' ratios: a busy machine slows both sides alike. What each figure means is in `docs/performance.md`.
//!
//! Words after `--`: names of parts (`token sessions decide bodies profiles guesses`) to run only those; `sessions=N` for another
//! number of sessions; `library=FILE` and `syscalls=N` add what `scripts/bench` found out to the table;
//! `checks=N` decides N times between two marks and nothing else, for strace and profilers; with `case=NAME` only the
//! requests of that name.

mod bodies;
#[path = "../../tests/checkpath/mod.rs"]
mod checkpath;
#[path = "../counting/sys.rs"]
mod counting;
mod decide;
mod guesses;
mod measure;
mod profiles;
mod sessions;
mod token;

use measure::Row;

#[global_allocator]
static ALLOCATOR: counting::Counting = counting::Counting::new();

/// The value of `name=` among the words.
fn value(words: &[String], name: &str) -> Option<String> {
    words.iter().find_map(|word| Some(word.strip_prefix(name)?.strip_prefix('=')?.to_owned()))
}

/// What others measured: the size of the library, and the system calls of the check path.
fn told(words: &[String]) -> Vec<Row> {
    let mut rows = Vec::new();
    if let Some(library) = value(words, "library") {
        let bytes = std::fs::metadata(&library).map_or(0, |file| file.len());
        rows.push(Row::alone("library, stripped", format!("{bytes} bytes")));
    }
    if let Some(count) = value(words, "syscalls") {
        let count = count.parse().ok();
        let shown = count.map_or("not measured: strace may not trace here".to_owned(), |n: u64| n.to_string());
        let row = Row::alone("system calls of 100,000 checks", shown);
        rows.push(match count {
            Some(count) => row.judged("0", count == 0),
            None => row,
        });
    }
    rows
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    // `cargo test --benches` runs this program too, without `--bench`: a short turn shows that it works.
    let short = !words.iter().any(|word| word == "--bench");
    if let Some(count) = value(&words, "checks").and_then(|count| count.parse().ok()) {
        return decide::only(count, &value(&words, "case").unwrap_or_default());
    }
    let parts = ["token", "sessions", "decide", "bodies", "profiles", "guesses"];
    let all = !words.iter().any(|word| parts.contains(&word.as_str()));
    let wanted = |part: &str| all || words.iter().any(|word| word == part);
    let count = value(&words, "sessions").and_then(|count| count.parse().ok());
    let mut rows = Vec::new();
    if wanted("token") {
        rows.extend(token::rows(short));
    }
    if wanted("sessions") {
        rows.extend(sessions::rows(count.unwrap_or(if short { 20_000 } else { 1_000_000 })));
    }
    if wanted("decide") {
        rows.extend(decide::rows(short));
    }
    if wanted("bodies") {
        rows.extend(bodies::rows(short));
    }
    if wanted("profiles") {
        rows.extend(profiles::rows());
    }
    if wanted("guesses") {
        rows.extend(guesses::rows(short));
    }
    rows.extend(told(&words));
    println!("{}", measure::table(&rows));
}
