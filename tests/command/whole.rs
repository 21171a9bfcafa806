//! What holds for the command as a whole.

use crate::folder::{Folder, Said};
use std::process::{Command, Stdio};

#[test]
fn help_version_and_completions_are_there_for_everything() {
    let folder = Folder::new();
    let help = folder.janua(&["--help"]).is(0);
    assert!(help.out.contains("Exit codes:"), "{}", help.out);
    let version = folder.janua(&["--version"]).is(0);
    assert_eq!(version.out.trim(), concat!("janua ", env!("CARGO_PKG_VERSION")));
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        assert!(folder.janua(&["completions", shell]).is(0).out.contains("keyring"), "{shell}");
    }
    for command in [&["init"][..], &["user"], &["user", "add"], &["tenant"], &["keyring"], &["check"], &["explain"]] {
        folder.janua(&[command, &["--help"]].concat()).is(0);
    }
    folder.janua(&["nonsense"]).is(2);
}

#[test]
fn the_manual_names_every_command_and_option() {
    let manual = include_str!("../../docs/janua.md");
    let folder = Folder::new();
    let commands: [&[&str]; 22] = [
        &["init"],
        &["user", "add"],
        &["user", "list"],
        &["user", "disable"],
        &["user", "enable"],
        &["user", "passwd"],
        &["user", "logout"],
        &["user", "import"],
        &["user", "key", "add"],
        &["user", "key", "remove"],
        &["tenant", "add"],
        &["tenant", "list"],
        &["keyring", "new"],
        &["keyring", "master"],
        &["keyring", "show"],
        &["keyring", "publish"],
        &["keyring", "rotate"],
        &["keyring", "retire"],
        &["check"],
        &["hash"],
        &["explain"],
        &["completions"],
    ];
    for command in commands {
        let name = format!("janua {}", command.join(" "));
        assert!(manual.contains(&name), "{name}");
        let help = folder.janua(&[command, &["--help"]].concat()).is(0).out;
        let options = help.split([' ', '\n', ',']).filter(|w| w.starts_with("--") && w.len() > 2);
        for option in options.filter(|o| !o.starts_with("--help") && !o.starts_with("--version")) {
            let option = option.trim_end_matches(['.', ':', ';', '`']);
            assert!(manual.contains(option), "{name} {option}");
        }
    }
}

#[test]
fn a_reader_that_goes_away_is_no_panic() {
    let folder = Folder::init();
    let mut child = Command::new(env!("CARGO_BIN_EXE_janua"))
        .args(["completions", "bash"])
        .current_dir(&folder.0)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let said = Said::of(child.wait_with_output().unwrap());
    assert!(!said.err.contains("panicked"), "{}", said.err);
}
