//! The README keeps its word: its program is `examples/minimal.c`, 20 to 40 lines, and compiles as printed; its two
//! commands are targets of the Makefile; its map and its table name what is there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// What stands between the markers `<!-- NAME -->` and `<!-- /NAME -->`, less the fence.
fn block(readme: &str, name: &str) -> String {
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let from = readme.find(&begin).unwrap_or_else(|| panic!("no {begin}")) + begin.len();
    let to = readme[from..].find(&end).unwrap_or_else(|| panic!("no {end}")) + from;
    let fenced: Vec<&str> = readme[from..to].lines().filter(|line| !line.starts_with("```")).collect();
    fenced.join("\n").trim().to_owned() + "\n"
}

#[test]
fn the_program_is_the_example_and_compiles_as_printed() {
    let printed = block(&read("README.md"), "program");
    assert_eq!(printed.trim(), read("examples/minimal.c").trim(), "scripts/readme-output renews the README");
    let lines = printed.lines().filter(|line| !line.trim().is_empty()).count();
    assert!((20..=40).contains(&lines), "{lines} lines, 20 to 40 are promised");
    let source = Path::new(env!("CARGO_TARGET_TMPDIR")).join("readme.c");
    fs::write(&source, printed).unwrap();
    let compiled = Command::new("gcc")
        .args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-I"])
        .arg(root().join("include"))
        .arg(&source)
        .output()
        .expect("gcc runs: scripts/setup demo");
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
}

#[test]
fn the_nginx_site_is_the_one_that_the_demo_runs() {
    let printed = block(&read("README.md"), "nginx");
    assert_eq!(printed.trim(), read("examples/nginx/site.conf").trim(), "scripts/readme-output renews the README");
    assert!(read("scripts/nginx-functions").contains("examples/nginx/site.conf"));
}

#[test]
fn the_two_commands_are_there_and_their_output_is_shown() {
    let (readme, makefile) = (read("README.md"), read("Makefile"));
    for target in ["demo", "test"] {
        assert!(makefile.lines().any(|line| line.starts_with(&format!("{target}:"))), "no target {target}");
        assert!(readme.contains(&format!("make {target}")), "the README does not say make {target}");
    }
    assert!(block(&readme, "demo").contains("steps answered as they must."), "scripts/readme-output renews the README");
    let shown = block(&readme, "test");
    let listed = Command::new(root().join("scripts/test")).arg("--list").output().expect("scripts/test runs");
    for step in String::from_utf8_lossy(&listed.stdout).lines().filter_map(|line| line.split(' ').next()) {
        let is_shown = shown.lines().any(|line| line.split(' ').next() == Some(step));
        assert!(is_shown, "the README's `make test` does not show {step}: scripts/readme-output renews it");
    }
}

#[test]
fn every_place_of_the_map_and_every_link_exists() {
    let readme = read("README.md");
    let map = block(&readme, "map");
    for line in map.lines().filter(|line| line.starts_with("| `")) {
        for place in line.split('|').nth(1).unwrap_or_default().split('`').filter(|text| text.contains(['/', '.'])) {
            assert!(root().join(place).exists(), "the map names {place}, which is not there");
        }
    }
    for link in readme.match_indices("](").map(|(at, _)| &readme[at + 2..]) {
        let target = link.split(')').next().unwrap_or_default().split('#').next().unwrap_or_default();
        if !target.is_empty() && !target.contains("://") {
            assert!(root().join(target).exists(), "the README links to {target}, which is not there");
        }
    }
}
