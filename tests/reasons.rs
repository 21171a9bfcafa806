//! `docs/reasons.md` and `base::Reason` agree: every number has its entry, every entry its number.

use janua::base::Reason;

const PAGE: &str = include_str!("../docs/reasons.md");

/// The page's entries: number, name, and the lines below.
fn entries() -> Vec<(u32, String, Vec<&'static str>)> {
    let mut entries: Vec<(u32, String, Vec<&'static str>)> = Vec::new();
    for line in PAGE.lines() {
        if let Some(heading) = line.strip_prefix("### ") {
            let (number, name) = heading.split_once(' ').expect("a heading is a number and a name");
            entries.push((number.parse().expect("a number"), name.to_owned(), Vec::new()));
        } else if line.starts_with("## ") {
            continue;
        } else if let Some((_, _, lines)) = entries.last_mut() {
            lines.extend(Some(line).filter(|l| !l.is_empty()));
        }
    }
    entries
}

#[test]
fn every_reason_is_explained_and_nothing_else_is_in_the_order_of_the_numbers() {
    let page: Vec<(u32, String)> = entries().into_iter().map(|(number, name, _)| (number, name)).collect();
    let code: Vec<(u32, String)> = Reason::ALL.iter().map(|r| (*r as u32, r.name().to_owned())).collect();
    assert_eq!(page, code);
}

#[test]
fn every_entry_says_what_happened_what_the_client_saw_and_what_to_do() {
    for (number, name, lines) in entries() {
        let [happened, client, operator] = lines[..] else { panic!("{number} {name}: {lines:?}") };
        assert!(happened.ends_with('.') && !happened.starts_with('-'), "{number} {name}: {happened}");
        assert!(client.starts_with("- Client: ") && client.ends_with('.'), "{number} {name}: {client}");
        assert!(operator.starts_with("- Operator: ") && operator.ends_with(['.', '?']), "{number} {name}: {operator}");
    }
}

#[test]
fn every_entry_stands_under_the_heading_of_its_hundred() {
    let mut hundred = None;
    for line in PAGE.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            hundred = heading.split(' ').next().and_then(|n| n.parse::<u32>().ok());
        } else if let Some(heading) = line.strip_prefix("### ") {
            let number: u32 = heading.split(' ').next().and_then(|n| n.parse().ok()).expect("a number");
            assert_eq!(hundred, Some(number / 100 * 100), "{heading}");
        }
    }
}
