//! The pages on systems keep their word: each built-in profile of a system has one, every setting with its default is on
//! it, and what it says beyond single requests is so.

mod house;

use house::{House, ask};
use janua::profile::BUILTINS;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// What is lacking on the page of a profile.
fn lacking(profile: &toml::Table, page: &str) -> Vec<String> {
    let settings = page.split("\n## ").find(|part| part.starts_with("Settings")).unwrap_or_default();
    let rows: Vec<Vec<&str>> = settings
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.split(" | ").take(2).flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect())
        .collect();
    let own = profile.get("setting").and_then(toml::Value::as_table).cloned().unwrap_or_default();
    let told = |name: &str, value: &str| {
        rows.iter().any(|row| {
            let (names, values) = row.split_at(row.len() / 2);
            names.iter().zip(values).any(|(known, default)| *known == name && *default == value)
        })
    };
    let unknown = rows.iter().flat_map(|row| &row[..row.len() / 2]).filter(|name| !own.contains_key(**name));
    let untold = own.iter().filter(|(name, value)| !told(name, &value.to_string()));
    unknown.map(ToString::to_string).chain(untold.map(|(name, value)| format!("{name} = {value}"))).collect()
}

#[test]
fn every_system_has_a_page_with_its_settings() {
    for (name, text) in BUILTINS.iter().filter(|(name, _)| *name != "form") {
        let page = root().join(format!("docs/systems/{name}.md"));
        let page = fs::read_to_string(&page).unwrap_or_else(|error| panic!("{}: {error}", page.display()));
        assert_eq!(lacking(&text.parse().unwrap(), &page), [""; 0], "docs/systems/{name}.md");
        for part in ["What is spoken", "What differs on purpose", "Moving a site over"] {
            assert!(page.contains(&format!("\n## {part}\n")), "docs/systems/{name}.md: no part `{part}`");
        }
    }
    let profile = "[setting]\na = 1\nb = \"x\"\n".parse().unwrap();
    let page = "\n## Settings\n| `a`, `b` | `1`, `\"y\"` | |\n| `c` | `2` | |\n";
    assert_eq!(lacking(&profile, page), ["c", "b = \"x\""]);
}

/// The README names every built-in profile, and every folder of scenarios belongs to one.
#[test]
fn every_system_is_in_the_readme_and_has_scenarios() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let scenarios = fs::read_to_string(root().join("tests/scenarios.rs")).unwrap();
    for (name, _) in BUILTINS {
        assert!(readme.contains(&format!("\n| `{name}` | ")), "README.md has no row for {name}");
        assert!(Path::new(&root().join("tests/scenarios").join(name)).is_dir(), "tests/scenarios/{name}");
        assert!(scenarios.contains(&format!("system(\"{name}\")")), "tests/scenarios.rs does not run {name}");
    }
}

#[test]
fn a_session_is_good_below_both_prefixes_of_a_copied_profile() {
    let house = House::new();
    let (_, text) = BUILTINS.iter().find(|(name, _)| *name == "mashzone").unwrap();
    let file = house.folder.join("presto.toml");
    fs::write(&file, text.replacen("\"/mashzone\"", "\"/presto\"", 1)).unwrap();
    let (new, old) = (house.site("mashzone"), house.site(file.to_str().unwrap()));
    for (one, other, from, to) in [(&new, &old, "/mashzone", "/presto"), (&old, &new, "/presto", "/mashzone")] {
        let login =
            format!("{from}/edge/api/rest/UserManagerService/login?presto_username=Aladdin&presto_password=OpenSesame");
        let reply = house.ask(one, &ask("GET", &login));
        let line = reply.headers.iter().find(|(name, _)| name == "Set-Cookie").map(|(_, value)| value.as_str());
        assert!(line.is_some_and(|line| line.contains(&format!("; Path={from}; "))), "{reply:?}");
        let id = reply.cookie("JSESSIONID").unwrap();
        let reply = house.ask(other, &ask("GET", &format!("{to}/edge/api/rest/a/b")).cookie("JSESSIONID", &id));
        assert_eq!((reply.allowed(), reply.inward("X-User")), (true, Some("Aladdin")), "{reply:?}");
    }
}
