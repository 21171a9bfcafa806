mod login;
mod others;
mod reading;
mod writing;

use super::*;
use crate::base::{Clock, Reason, Status};
use crate::crypto::mac::MacKey;
use crate::password::verified::{Cache, Flight, Pair, Tag};
use crate::password::{Format, Hasher, Permits, Policy, check, class};
use crate::throttle::{Account, Settings, Throttle};
use proptest::prelude::*;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const VAULT: &str = "{C840BE1A-5B47-4AC0-8EF7-835C166C8E24}";

/// A folder of its own for each test, removed with it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        let name = format!("janua-{}", crate::base::encoding::hex(&crate::base::random::array::<8>().unwrap()));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Folder(path)
    }

    fn users(&self, text: &str) -> PathBuf {
        let path = self.0.join("users.toml");
        self.write("users.toml", text, 0o600);
        path
    }

    fn write(&self, name: &str, text: &str, mode: u32) -> PathBuf {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn cheap() -> Policy {
    Policy { argon2_memory_kib: 8, argon2_passes: 1, ..Policy::default() }
}

fn hash(password: &str) -> String {
    Hasher::new(cheap()).unwrap().hash(password.as_bytes()).unwrap()
}

fn open(path: &Path) -> Result<UsersFile> {
    UsersFile::open(path, cheap(), MacKey::new(b"site"))
}

fn aladdin(path: &Path) -> String {
    let user = edit::NewUser { name: "Aladdin".into(), hash: Some(hash("OpenSesame").into()), ..Default::default() };
    edit::add(path, user).unwrap()
}

fn sample(hashes: &[(&str, &str)]) -> String {
    let mut text = String::from("format = 1\n");
    for (at, (name, hash)) in hashes.iter().enumerate() {
        text.push_str(&format!("[[user]]\nname = \"{name}\"\nid = \"id-{at}\"\nhash = \"{hash}\"\n"));
    }
    text
}

#[test]
fn no_debug_shows_a_hash() {
    let user = User {
        hash: Some("$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW".into()),
        api_keys: vec![ApiKey { name: "nightly".into(), digest: [0xab; 32], expires: None, disabled: false }],
        ..User::default()
    };
    let shown = format!("{user:?}");
    assert!(!shown.contains("E5YPO9") && !shown.contains("171") && !shown.contains("abab"), "{shown}");
}

#[test]
fn folding_makes_one_of_many_cases_and_needs_no_memory() {
    for (a, b) in [("ALADDIN", "aladdin"), ("ÀÉ", "àé"), ("ΟΔΟΣ", "οδος"), ("K", "k")] {
        assert_eq!(fold(a), fold(b), "{a}");
    }
    assert!(matches!(fold("joe.bloggs@test.com"), Cow::Borrowed(_)));
    let mut room = [0; 4];
    assert_eq!(fold_into("ABCD", &mut room), Some("abcd"));
    assert_eq!(fold_into("ABCDE", &mut room), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn folding_twice_is_folding_once(name in "\\PC{0,64}") {
        let folded = fold(&name).into_owned();
        prop_assert_eq!(&fold(&folded), &folded);
        let mut room = [0; FOLDED_MAX];
        prop_assert_eq!(fold_into(&name, &mut room), Some(folded.as_str()));
    }

    #[test]
    fn no_text_makes_the_file_reader_panic(text in "(\\PC|\n|=|\\[|\\]|\"){0,200}") {
        let _ = document::parse(&format!("format = 1\n{text}"));
        let _ = htpasswd::parse(&text, &cheap());
    }

    #[test]
    fn every_document_reads_back(
        names in prop::collection::btree_set("[a-z]{1,12}", 0..6),
        text in "\\PC{0,40}",
        number in any::<i64>(),
        expires in 0i64..253_402_300_799,
    ) {
        let users = names.into_iter().enumerate().map(|(at, name)| User {
            id: format!("id-{at}"),
            name,
            full_name: text.clone(),
            roles: vec![text.clone()],
            attrs: [(text.clone(), Attr::Int(number)), ("text".into(), Attr::Text(text.clone()))].into(),
            generation: u64::try_from(number.saturating_abs()).unwrap(),
            revoked: u64::try_from(expires).unwrap() * 1_000 + 7,
            api_keys: vec![ApiKey { name: "k".into(), digest: [7; 32], expires: Some(expires), disabled: true }],
            ..User::default()
        });
        let written = document::Document { users: users.collect(), ..Default::default() };
        let read = document::parse(&document::print(&written).unwrap()).unwrap();
        prop_assert_eq!(read.users, written.users);
    }
}
