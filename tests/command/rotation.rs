//! `janua keyring publish`, `rotate` and `retire`, and what `janua check` says of keys.

use crate::folder::Folder;
use serde_json::Value;

fn ring(folder: &Folder) -> Value {
    folder.janua(&["keyring", "show", "--json"]).is(0).json()
}

fn states(folder: &Folder) -> Vec<String> {
    let ring = ring(folder);
    ring["keys"].as_array().unwrap().iter().map(|key| key["state"].as_str().unwrap().to_owned()).collect()
}

fn id(folder: &Folder, at: usize) -> String {
    ring(folder)["keys"][at]["id"].as_str().unwrap().to_owned()
}

/// Makes the first key of the ring look as if it had signed for so many days.
fn age(folder: &Folder, days: i64) {
    let text = folder.read("keyring.toml");
    let since = time::OffsetDateTime::now_utc() - time::Duration::days(days);
    let since = since.replace_nanosecond(0).unwrap().format(&time::format_description::well_known::Rfc3339).unwrap();
    let dated = |line: &str| match line.split_once(" = ") {
        Some((name @ ("published" | "signing"), _)) => format!("{name} = {since}\n"),
        _ => format!("{line}\n"),
    };
    folder.write("keyring.toml", &text.lines().map(dated).collect::<String>());
}

fn configure(folder: &Folder, line: &str) {
    let text = folder.read("janua.toml");
    folder.write("janua.toml", &text.replace("[keyring]\n", &format!("[keyring]\n{line}\n")));
}

#[test]
fn a_key_is_published_rotated_in_and_the_old_one_retired() {
    let folder = Folder::init();
    let old = id(&folder, 0);
    let said = folder.janua(&["keyring", "publish"]).is(0);
    assert!(said.out.contains("may sign from") && said.out.contains("janua keyring rotate"), "{}", said.out);
    assert_eq!(
        (ring(&folder)["generation"].as_u64(), states(&folder)),
        (Some(2), ["signing", "published"].map(str::to_owned).into())
    );
    assert_eq!(ring(&folder)["keys"][1]["waits"], true);
    assert!(folder.janua(&["keyring", "show"]).is(0).out.contains("rotate"), "what it waits for");
    folder.janua(&["keyring", "publish"]).is(1).complains("published already");
    let new = id(&folder, 1);
    let said = folder.janua(&["keyring", "rotate"]).is(0);
    assert!(
        said.out.contains(&format!("{new} of ")) && said.out.contains("No session and no token ends"),
        "{}",
        said.out
    );
    assert_eq!(ring(&folder)["keys"][0]["verify_only_from"], ring(&folder)["keys"][1]["signs_from"]);
    assert!(folder.janua(&["keyring", "rotate"]).is(0).out.contains("nothing was changed"));
    folder.janua(&["keyring", "retire", &old, "--yes"]).is(1).complains("the only one that signs");
    folder.janua(&["keyring", "rotate", "--now"]).is(0);
    assert_eq!(states(&folder), ["verify-only", "signing"]);

    let said = folder.janua_with("no\n", &["keyring", "retire", &old]).is(1).complains("nothing was changed");
    assert!(said.err.contains(&format!("Retire {old}?")), "{}", said.err);
    for known in ["signed from", "is not known here", "The last of its tokens ends on", "sessions go on"] {
        assert!(said.out.contains(known), "{known}: {}", said.out);
    }
    folder.janua(&["keyring", "retire", &old]).is(1);
    assert_eq!(states(&folder), ["verify-only", "signing"], "no answer is no");
    folder.janua_with("yes\n", &["keyring", "retire", &old.to_uppercase()]).is(0);
    assert_eq!(
        (ring(&folder)["generation"].as_u64(), states(&folder)),
        (Some(5), ["retired", "signing"].map(str::to_owned).into())
    );
    folder.janua(&["keyring", "retire", &old, "--yes"]).is(1).complains("retired already");
    folder.janua(&["keyring", "retire", "0000000000000000", "--yes"]).is(4).complains("janua keyring show");
    folder.janua(&["check"]).is(0);
}

#[test]
fn the_lead_is_a_span_of_122_seconds_or_more() {
    let folder = Folder::init();
    folder.janua(&["keyring", "publish", "--lead", "10s"]).is(2).complains("122s or more");
    folder.janua(&["keyring", "rotate", "--lead", "1h", "--now"]).is(2);
    let said = folder.janua(&["keyring", "rotate", "keyring.toml", "--lead", "2h"]).is(0);
    assert!(said.out.contains("by itself"), "{}", said.out);
    let from = ring(&folder)["keys"][1]["signs_from"].as_str().unwrap().to_owned();
    let from = time::OffsetDateTime::parse(&from, &time::format_description::well_known::Rfc3339).unwrap();
    let ahead = (from - time::OffsetDateTime::now_utc()).whole_seconds();
    assert!((7190..=7200).contains(&ahead), "{ahead}");
}

#[test]
fn a_timer_rotates_only_what_is_due_and_check_warns_of_what_is_overdue() {
    let folder = Folder::init();
    folder.janua(&["keyring", "rotate", "--if-due"]).is(2).complains("keyring.rotate");
    configure(&folder, "rotate = '90d'");
    let said = folder.janua(&["keyring", "rotate", "--if-due"]).is(0);
    assert!(said.out.contains("is due on") && states(&folder) == ["signing"], "{}", said.out);
    let warns = |folder: &Folder| folder.janua(&["check", "--json"]).is(0).json()["warnings"].to_string();
    age(&folder, 89);
    assert!(!warns(&folder).contains("keyring.rotate"));
    age(&folder, 91);
    assert!(warns(&folder).contains("longer than keyring.rotate says"), "{}", warns(&folder));
    folder.janua(&["keyring", "rotate", "--if-due"]).is(0);
    assert_eq!(states(&folder), ["signing", "published"]);
    assert!(!warns(&folder).contains("keyring.rotate"), "the next one is on its way");
    folder.janua(&["keyring", "rotate", "--if-due"]).is(0);
    assert_eq!(states(&folder).len(), 2, "twice is once");
    configure(&folder, "# nothing");
    let text = folder.read("janua.toml").replace("rotate = '90d'", "rotate = '14d'");
    folder.write("janua.toml", &text);
    folder.janua(&["check"]).is(3).complains("15 days or more");
}

#[test]
fn keys_in_the_environment_are_read_and_never_changed() {
    let folder = Folder::init();
    let text = folder.read("keyring.toml");
    let named = folder.read("janua.toml").replace("\"keyring.toml\"", "\"env:JANUA_TEST_RING\"");
    folder.write("janua.toml", &named);
    let said = folder.janua_knowing("JANUA_TEST_RING", &text, &["check"]).is(0);
    assert!(said.out.contains("env:JANUA_TEST_RING, generation 1") && !said.out.contains("ephemeral"), "{}", said.out);
    for (value, says) in [("", "is not set"), ("OpenSesame", "line 1: not a keyring")] {
        let said = folder.janua_knowing("JANUA_TEST_RING", value, &["check"]).is(3).complains(says);
        assert!(!said.err.contains("Sesame") && said.err.contains("JANUA_TEST_RING"), "{}", said.err);
    }
    for command in [&["show"][..], &["publish"], &["rotate"], &["retire", "0000000000000000"]] {
        let said = folder.janua_knowing("JANUA_TEST_RING", &text, &[&["keyring"], command].concat());
        said.is(3).complains("JANUA_TEST_RING, which no command reads or changes");
    }
}

#[test]
fn what_is_no_safe_keyring_is_not_changed() {
    let folder = Folder::init();
    folder.janua(&["keyring", "rotate", "missing.toml"]).is(3).complains("janua keyring new");
    folder.write("garbage.toml", "OpenSesame");
    #[cfg(unix)]
    std::fs::set_permissions(folder.path("garbage.toml"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    folder.janua(&["keyring", "publish", "garbage.toml"]).is(3).complains("not a keyring");
    assert_eq!(folder.read("garbage.toml"), "OpenSesame");
}

#[cfg(unix)]
#[test]
fn a_write_that_fails_leaves_the_old_file_and_nothing_beside_it() {
    use std::process::Command;
    let folder = Folder::init();
    let (text, names) = (folder.read("keyring.toml"), || std::fs::read_dir(&folder.0).unwrap().count());
    let before = names();
    for command in ["publish", "rotate --now"] {
        // A limit of no bytes for a file stands for a full disk, and holds for root as well.
        let script = format!("trap '' XFSZ; ulimit -f 0; exec \"$0\" keyring {command}");
        let said =
            Command::new("sh").args(["-c", &script, env!("CARGO_BIN_EXE_janua")]).current_dir(&folder.0).output();
        let said = crate::folder::Said::of(said.unwrap()).is(3);
        assert!(said.err.contains("cannot write"), "{}", said.err);
        assert_eq!((folder.read("keyring.toml") == text, names()), (true, before));
    }
    folder.janua(&["keyring", "rotate", "--now"]).is(0);
}

#[cfg(unix)]
#[test]
fn a_change_keeps_the_mode_that_lets_a_service_in() {
    let folder = Folder::init();
    let path = folder.path("keyring.toml");
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o640)).unwrap();
    folder.janua(&["keyring", "rotate"]).is(0);
    assert_eq!(crate::folder::mode(&path), 0o640);
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    folder.janua(&["keyring", "rotate", "--now"]).is(3).complains("chmod 0640");
}
