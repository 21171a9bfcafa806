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
fn a_user_is_found_by_id_by_name_and_in_any_case_when_folding() {
    let folder = Folder::new();
    let path = folder.users(&sample(&[("joe.bloggs@test.com", &hash("pa55w0rd")), ("ÀLEX", &hash("x"))]));
    let users = open(&path).unwrap();
    let by = |name: &str, folding| users.by_name(name, folding).unwrap().map(|user| user.id.clone());
    assert_eq!(by("joe.bloggs@test.com", false).as_deref(), Some("id-0"));
    assert_eq!(by("Joe.Bloggs@TEST.com", true).as_deref(), Some("id-0"));
    assert_eq!(by("Joe.Bloggs@TEST.com", false), None);
    assert_eq!(by("àlex", true).as_deref(), Some("id-1"));
    for variant in
        [" joe.bloggs@test.com", "joe.bloggs@test.com ", "joe.bloggs@test.com\n", "joe.bloggs@test.com\0", ""]
    {
        assert_eq!(by(variant, true), None, "{variant:?}");
    }
    // A with a combining grave accent is another name than the composed letter: byte for byte, for look-up and lock-out.
    assert_eq!(by("a\u{300}lex", true), None);
    assert!(matches!(users.resident_by_id("id-1"), Resident::User(user) if user.name == "ÀLEX"));
    assert!(matches!(users.resident_by_name("àlex", true), Resident::User(_)));
    assert!(matches!(users.resident_by_name("àlex", false), Resident::None));
    assert!(matches!(users.resident_by_id("id-2"), Resident::None));
}

#[test]
fn mistakes_in_the_file_are_named_with_their_line_and_the_mend() {
    let folder = Folder::new();
    let good = hash("x");
    let user = |rest: &str| format!("format = 1\n\n[[user]]\nname = \"AlexK\"\nid = \"1\"\n{rest}");
    let twice = |a: &str, b: &str| format!("format = 1\n[[user]]\n{a}\n[[user]]\n{b}\n");
    for (text, says) in [
        (String::new(), "`format = 1` is missing"),
        ("format = 2\n".into(), "line 1: format 2 is not known"),
        ("format = 1\nusers = 1\n".into(), "line 2: the file has no `users`; did you mean `user`?"),
        (user("hsah = \"x\"\n"), "line 6: a user has no `hsah`; did you mean `hash`?"),
        (user("zzzzzzzzz = 1\n"), "line 6: a user has no `zzzzzzzzz`"),
        (user("roles = [1]\n"), "line 6: `roles` is not a list of texts"),
        (user("disabled = 1\n"), "line 6: `disabled` is neither true nor false"),
        (user("generation = -1\n"), "line 6: the generation is negative"),
        (user("hash = \"OpenSesame\"\n"), "line 3: user `AlexK`: the password hash cannot be used"),
        (user("hash = \"QOsJ.AycZAcq2\"\n"), "weak format des; set a new password, or allow des by name"),
        (user("one_time = \"$2y$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW\"\n"), "bcrypt cost"),
        (user("tenants = [\"nowhere\"]\n"), "line 3: user `AlexK`: there is no [[tenant]] with the id `nowhere`"),
        (user("[[user.api_key]]\nname = \"n\"\ndigest = \"00\"\n"), "line 8: a digest has 64 hexadecimal digits"),
        (user("[[user.api_key]]\nname = \"n\"\n"), "line 6: an API key needs `digest`"),
        (
            user(&format!("[[user.api_key]]\nname = \"n\"\ndigest = \"{}\"\nexpires = 2030-01-01\n", "0".repeat(64))),
            "line 9: `expires` is not a time like 2030-01-01T00:00:00Z",
        ),
        (user("[user.attrs]\nUserID = 1.5\n"), "line 7: `UserID` is no text, number or flag"),
        ("format = 1\n[[user]]\nname = \" AlexK\"\nid = \"1\"\n".into(), "line 3: a name has 1 to 256 bytes"),
        ("format = 1\n[[user]]\nname = \"AlexK\"\n".into(), "line 2: a user needs `id`"),
        ("format = 1\n[user]\nname = \"AlexK\"\n".into(), "line 2: `user` is not a list: write `[[user]]`"),
        ("format = 1\n[[user\n".into(), "line 2: "),
        (twice("name=\"AlexK\"\nid=\"1\"", "name=\"alexk\"\nid=\"2\""), "names that differ only in case"),
        (twice("name=\"AlexK\"\nid=\"1\"", "name=\"Aladdin\"\nid=\"1\""), "two users have one id"),
        (twice("name=\"AlexK\"\nid=\"1\"", "name=\"AlexK\"\nid=\"2\""), "two users have one name"),
    ] {
        let path = folder.users(&text);
        let error = open(&path).map(drop).unwrap_err();
        assert_eq!(error.status, Status::Invalid, "{text}");
        assert!(error.message.contains(says), "{text}\n{error}\n{says}");
        assert!(error.message.starts_with(&path.display().to_string()), "{error}");
        assert!(!error.message.contains("OpenSesame") && !error.message.contains(&good), "{error}");
    }
}

#[test]
fn a_file_that_others_may_read_or_write_is_refused() {
    let folder = Folder::new();
    let text = sample(&[("AlexK", &hash("My Password"))]);
    for (mode, good) in [(0o600, true), (0o640, true), (0o400, true), (0o644, false), (0o660, false), (0o602, false)] {
        let path = folder.write("users.toml", &text, mode);
        let opened = open(&path);
        assert_eq!(opened.is_ok(), good, "{mode:o}");
        if let Err(error) = opened {
            assert!(error.message.contains("chmod 0600"), "{error}");
        }
    }
    assert_eq!(open(&folder.0.join("none.toml")).map(drop).unwrap_err().status, Status::NotFound);
    assert!(open(&folder.0).is_err(), "a folder");
}

#[test]
fn what_is_written_reads_back_the_same() {
    let folder = Folder::new();
    let path = folder.0.join("users.toml");
    edit::create(&path).unwrap();
    assert_eq!(edit::create(&path).unwrap_err().status, Status::Invalid, "never over another");
    edit::add_tenant(&path, Some(VAULT.into()), "Sample Vault").unwrap();
    let attrs = [
        ("UserID".to_owned(), Attr::Int(7)),
        ("first\"Name".to_owned(), Attr::Text("multi\nline \\ \u{7f} ß".into())),
        ("InternalUser".to_owned(), Attr::Bool(false)),
    ];
    let user = edit::NewUser {
        name: "AlexK".into(),
        full_name: "Alex \"K\" 'quoted'".into(),
        email: "joe.bloggs@test.com".into(),
        roles: vec!["administrator".into()],
        tenants: vec!["c840be1a-5b47-4ac0-8ef7-835c166c8e24".into()],
        attrs: attrs.into(),
        pending: true,
        hash: Some(hash("My Password").into()),
        one_time: Some(hash("once").into()),
        id: None,
    };
    let id = edit::add(&path, user.clone()).unwrap();
    assert!(uuid::Uuid::try_parse(&id).is_ok());
    let key = edit::add_key(&path, "AlexK", "nightly", Some(1_900_000_000)).unwrap();
    let users = open(&path).unwrap();
    let found = users.by_name("AlexK", false).unwrap().unwrap();
    assert_eq!((&found.full_name, &found.roles, &found.attrs), (&user.full_name, &user.roles, &user.attrs));
    assert_eq!((found.generation, found.pending, found.disabled), (1, true, false));
    assert!(found.belongs_to(VAULT), "in the spelling of the tenant");
    assert_eq!(found.api_keys[0].expires, Some(1_900_000_000));
    let (by_key, at) = users.by_api_key(key.as_bytes()).unwrap().unwrap();
    assert_eq!((by_key.id.as_str(), at), (id.as_str(), 0));
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(!text.contains(key.as_str()), "the key itself is written nowhere");
    assert!(edit::add(&path, edit::NewUser { name: "ALEXK".into(), ..Default::default() }).is_err());
    assert!(edit::add(&path, edit::NewUser { name: "x\n".into(), ..Default::default() }).is_err());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text, "a refused change leaves the file as it was");
    assert_eq!(std::fs::read_dir(&folder.0).unwrap().count(), 1, "and nothing beside it");
}

#[test]
fn api_keys_are_found_by_digest_in_any_case_and_end() {
    let folder = Folder::new();
    let path = folder.users("format = 1\n");
    aladdin(&path);
    let key = edit::add_key(&path, "Aladdin", "nightly", Some(2_000)).unwrap();
    assert!(edit::add_key(&path, "Aladdin", "nightly", None).is_err());
    let users = open(&path).unwrap();
    let (user, at) = users.by_api_key(key.to_uppercase().as_bytes()).unwrap().unwrap();
    let found = &user.api_keys[at];
    assert!(found.is_alive(1_999) && !found.is_alive(2_000) && !found.is_alive(2_001));
    assert!(!ApiKey { disabled: true, ..found.clone() }.is_alive(0));
    for wrong in ["", "x", &key[1..], &format!("{{{}}}", key.as_str()), "00000000-0000-4000-8000-000000000000"] {
        assert!(users.by_api_key(wrong.as_bytes()).unwrap().is_none(), "{wrong}");
    }
    edit::remove_key(&path, "Aladdin", "nightly").unwrap();
    assert_eq!(edit::remove_key(&path, "Aladdin", "nightly").unwrap_err().status, Status::NotFound);
    assert!(users.reload().unwrap());
    assert!(users.by_api_key(key.as_bytes()).unwrap().is_none());
}

#[test]
fn a_key_of_any_form_is_stored_as_sha256sum_prints_it() {
    // printf %s abc | sha256sum
    let digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(crate::base::encoding::hex(&super::index::key_digest(b"abc")), digest);
}

#[test]
fn a_rehash_never_undoes_a_password_change() {
    let folder = Folder::new();
    let path = folder.users("format = 1\n");
    let id = aladdin(&path);
    let users = open(&path).unwrap();
    let old = users.by_name("Aladdin", false).unwrap().unwrap();
    let old_hash = old.hash.as_deref().unwrap();
    assert_eq!(edit::set_password(&path, "Aladdin", hash("new").as_str().into()).unwrap(), 2);
    assert!(!users.rehash(&id, old_hash, &hash("OpenSesame")).unwrap(), "the new password wins");
    assert!(users.reload().unwrap());
    let now = users.by_name("Aladdin", false).unwrap().unwrap();
    assert!(Hasher::new(cheap()).unwrap().verify(now.hash.as_deref().unwrap(), b"new").unwrap().ok);
    assert!(users.rehash(&id, now.hash.as_deref().unwrap(), &hash("new")).unwrap());
    let rehashed = users.by_name("Aladdin", false).unwrap().unwrap();
    assert_eq!(rehashed.generation, 2, "a rehash revokes nothing");
    assert_ne!(rehashed.hash, now.hash, "seen at once, without maintenance");
    assert!(users.rehash(&id, rehashed.hash.as_deref().unwrap(), "plain").is_err());
    assert!(!users.rehash("nobody", "a", &hash("x")).unwrap());
}

#[test]
fn in_every_race_of_rehash_and_password_change_the_new_password_stands() {
    let folder = Folder::new();
    let path = folder.users("format = 1\n");
    let id = aladdin(&path);
    let hasher = Hasher::new(cheap()).unwrap();
    let mut old = "OpenSesame".to_owned();
    for round in 0..8 {
        let (users, new) = (open(&path).unwrap(), format!("pa55w0rd{round}"));
        let before = users.by_name("Aladdin", false).unwrap().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| users.rehash(&id, before.hash.as_deref().unwrap(), &hash(&old)).unwrap());
            }
            scope.spawn(|| edit::set_password(&path, "Aladdin", hash(&new).as_str().into()).unwrap());
        });
        users.reload().unwrap();
        let after = users.by_name("Aladdin", false).unwrap().unwrap();
        assert!(hasher.verify(after.hash.as_deref().unwrap(), new.as_bytes()).unwrap().ok, "{round}");
        assert_eq!(after.generation, before.generation + 1);
        old = new;
    }
}

#[test]
fn parallel_writers_lose_nothing() {
    let folder = Folder::new();
    let path = folder.users("format = 1\n");
    std::thread::scope(|scope| {
        for number in 0..12 {
            let path = &path;
            scope.spawn(move || {
                edit::add(path, edit::NewUser { name: format!("user{number}"), ..Default::default() }).unwrap()
            });
        }
    });
    assert_eq!(edit::list(&path).unwrap().1.len(), 12);
}

#[test]
fn a_one_time_password_is_spent_by_exactly_one_login() {
    let folder = Folder::new();
    let path = folder.users("format = 1\n");
    let id = aladdin(&path);
    assert_eq!(edit::set_one_time(&path, "Aladdin", hash("once").as_str().into()).unwrap(), 2);
    let users = open(&path).unwrap();
    let user = users.by_name("Aladdin", false).unwrap().unwrap();
    let one_time = user.one_time.as_deref().unwrap();
    let winners = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                winners.fetch_add(usize::from(users.spend_one_time(&id, one_time).unwrap()), Ordering::SeqCst)
            });
        }
    });
    assert_eq!(winners.into_inner(), 1);
    let user = users.by_name("Aladdin", false).unwrap().unwrap();
    assert!(user.one_time.is_none() && user.must_change && user.hash.is_some());
    edit::set_password(&path, "Aladdin", hash("new").as_str().into()).unwrap();
    users.reload().unwrap();
    assert!(!users.by_name("Aladdin", false).unwrap().unwrap().must_change);
}

#[test]
fn where_the_file_cannot_be_written_it_is_said_once_and_one_time_passwords_fail() {
    let folder = Folder::new();
    let path = folder.users("format = 1\n");
    let id = aladdin(&path);
    let users = open(&path).unwrap();
    let old = users.by_name("Aladdin", false).unwrap().unwrap();
    // Root may write everywhere, so the file is made unusable for writers in a way that stops root as well.
    std::fs::rename(&path, folder.0.join("away.toml")).unwrap();
    assert!(users.may_rehash());
    assert!(users.rehash(&id, old.hash.as_deref().unwrap(), &hash("x")).is_err());
    assert!(!users.may_rehash());
    assert_eq!(users.rehash(&id, old.hash.as_deref().unwrap(), &hash("x")), Ok(false));
    assert!(users.spend_one_time(&id, "x").is_err());
    assert!(users.reload().is_err());
    assert!(users.by_name("Aladdin", false).unwrap().is_some(), "the last good stays");
    std::fs::rename(folder.0.join("away.toml"), &path).unwrap();
    assert!(users.reload().is_ok());
}

#[test]
fn a_change_is_followed_and_a_broken_file_is_not() {
    let folder = Folder::new();
    let path = folder.users("format = 1\n");
    aladdin(&path);
    let users = open(&path).unwrap();
    assert!(!users.reload().unwrap(), "nothing changed");
    edit::set_disabled(&path, "Aladdin", true).unwrap();
    assert!(users.reload().unwrap());
    assert!(users.by_name("Aladdin", false).unwrap().unwrap().disabled);
    folder.users("format = 1\n[[user]]\n");
    assert!(users.reload().is_err());
    assert!(users.by_name("Aladdin", false).unwrap().unwrap().disabled, "the last good stays");
    assert_eq!(edit::set_disabled(&path, "Aladdin", true).unwrap_err().status, Status::Invalid);
    assert!(edit::set_disabled(&folder.0.join("none"), "Aladdin", true).is_err());
}

#[cfg(unix)]
#[test]
fn a_replaced_file_keeps_its_mode_and_a_link_stays_a_link() {
    use std::os::unix::fs::MetadataExt as _;
    let folder = Folder::new();
    let path = folder.write("real.toml", "format = 1\n", 0o640);
    let link = folder.0.join("users.toml");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    aladdin(&link);
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o7777, 0o640);
    assert_eq!(edit::list(&path).unwrap().1.len(), 1);
}

#[test]
fn tenants_are_found_by_guid_in_every_spelling_and_by_name() {
    let folder = Folder::new();
    let mut text = String::from("format = 1\n");
    for (id, name) in [(VAULT, "Sample Vault"), ("localhost", "Central"), ("a", "Twin"), ("b", "TWIN")] {
        text.push_str(&format!("[[tenant]]\nid = \"{id}\"\nname = \"{name}\"\n"));
    }
    let users = open(&folder.users(&text)).unwrap();
    let one = |text: &str, form| match users.tenant(text, form) {
        TenantMatch::One(tenant) => tenant.id.clone(),
        TenantMatch::Several => "several".to_owned(),
        TenantMatch::None => "none".to_owned(),
    };
    let bare = "c840be1a-5b47-4ac0-8ef7-835c166c8e24";
    for spelling in [VAULT, bare, &bare.to_uppercase(), &format!("{{{bare}}}")] {
        assert_eq!(one(spelling, TenantForm::Guid), VAULT);
    }
    for form in [TenantForm::Guid, TenantForm::Name] {
        assert_eq!(one("sample VAULT", form), VAULT);
        assert_eq!(one("localhost", form), "localhost");
        assert_eq!(one("twin", form), "several");
        assert_eq!(one("nowhere", form), "none");
        assert_eq!(one("", form), "none");
        assert_eq!(one(&"x".repeat(5_000), form), "none");
    }
    for wrong in [&bare[1..], &format!("{{{bare}"), &format!("{bare}}}"), "00000000-0000-0000-0000-000000000000"] {
        assert_eq!(one(wrong, TenantForm::Guid), "none", "{wrong}");
    }
    assert_eq!(users.tenants().len(), 4);
}

#[test]
fn unknown_names_meet_hashes_of_the_same_kinds_and_shares_as_known_ones() {
    let folder = Folder::new();
    let strong = hash("x");
    let blow = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
    let mut entries = vec![("u0".to_owned(), blow.to_owned())];
    entries.extend((1..4).map(|n| (format!("u{n}"), strong.clone())));
    let entries: Vec<_> = entries.iter().map(|(name, hash)| (name.as_str(), hash.as_str())).collect();
    let users = open(&folder.users(&sample(&entries))).unwrap();
    assert!(users.refuses_over_72());
    let mut blown = 0;
    for number in 0..2_000 {
        let name = format!("stranger{number}");
        let dummy = users.dummy(&name);
        assert_eq!(dummy, users.dummy(&name.to_uppercase()), "one name, one cost");
        let of = class(&dummy);
        assert!(of == class(blow) || of == class(&strong), "{of:?}");
        blown += usize::from(of == class(blow));
    }
    assert!((400..600).contains(&blown), "a quarter of the users, a quarter of the strangers: {blown}");
    let other = UsersFile::open(&folder.0.join("users.toml"), cheap(), MacKey::new(b"site")).unwrap();
    assert_eq!(class(&other.dummy("stranger1")), class(&users.dummy("stranger1")), "the same in every process");
    let empty = open(&folder.users("format = 1\n")).unwrap();
    assert_eq!(check(&empty.dummy("x"), &cheap()), Ok(Format::Argon2));
    assert!(!empty.refuses_over_72());
}

#[test]
fn htpasswd_is_read_line_by_line_and_what_cannot_be_used_is_said() {
    let folder = Folder::new();
    let text = "# comment\n\nAladdin:$2y$05$n/.NDuGC93eYUsirhuqQnOb53H3XTz0wMVNLHHAdLxrnf5bGQNDCa\r\nAlexK:QOsJ.AycZAcq2\n\
                plain:OpenSesame\nnocolon\naladdin:$2y$05$n/.NDuGC93eYUsirhuqQnOb53H3XTz0wMVNLHHAdLxrnf5bGQNDCa\n:x\n";
    let path = folder.write("htpasswd", text, 0o644);
    let strict = Htpasswd::open(&path, cheap(), MacKey::new(b"site")).unwrap();
    let warnings = strict.warnings();
    let lines: Vec<_> = warnings.iter().map(|text| &text[..7]).collect();
    assert_eq!(lines, ["line 4:", "line 5:", "line 6:", "line 7:", "line 8:"]);
    assert!(!warnings.concat().contains("OpenSesame"));
    let user = strict.by_name("Aladdin", false).unwrap().unwrap();
    assert_eq!(user.id, "Aladdin");
    let hasher = Hasher::new(cheap()).unwrap();
    assert!(hasher.verify(user.hash.as_deref().unwrap(), b"password").unwrap().ok);
    assert!(strict.by_name("AlexK", false).unwrap().is_none());
    assert_eq!(strict.rehash("Aladdin", user.hash.as_deref().unwrap(), &hash("x")), Ok(false), "never written");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    let weak = Policy { weak: vec![Format::Des], ..cheap() };
    let lenient = Htpasswd::open(&path, weak, MacKey::new(b"site")).unwrap();
    assert!(lenient.by_name("AlexK", false).unwrap().is_some());
    folder.write("htpasswd", "Aladdin:$2y$05$lFtZl5LCRApFFg19ztH0u.TCaV6oFUNGZrSFs//dh.3KbB7yr4dcW\n", 0o644);
    assert!(strict.reload().unwrap());
    assert_ne!(strict.by_name("Aladdin", false).unwrap().unwrap().generation, user.generation, "a new password");
    let open_to_all = folder.write("open", text, 0o666);
    assert!(Htpasswd::open(&open_to_all, cheap(), MacKey::new(b"site")).is_err());
}

#[test]
fn an_htpasswd_file_is_taken_over_once() {
    let folder = Folder::new();
    let path = folder.users("format = 1\n");
    aladdin(&path);
    let lines: Vec<_> = include_str!("../../tests/vectors/htpasswd.tsv").lines().collect();
    let hash = |at: usize| lines[at].rsplit('\t').next().unwrap();
    let text = format!("ALADDIN:{}\nAlexK:{}\nsomeName:{}\n", hash(0), hash(1), hash(2));
    let from = folder.write("htpasswd", &text, 0o644);
    let imported = edit::import(&path, &from, &cheap()).unwrap();
    assert_eq!(imported.added, ["AlexK"]);
    assert_eq!(imported.skipped.len(), 2, "{:?}", imported.skipped);
    assert_eq!(edit::import(&path, &from, &cheap()).unwrap().added, Vec::<String>::new());
    let users = open(&path).unwrap();
    let user = users.by_name("AlexK", false).unwrap().unwrap();
    let found = Hasher::new(cheap()).unwrap().verify(user.hash.as_deref().unwrap(), b"password").unwrap();
    assert!(found.ok && found.stale);
}

struct Callbacks(Arc<AtomicUsize>);

impl HostDirectory for Callbacks {
    fn lookup(&self, name: &str) -> std::result::Result<Option<User>, Gone> {
        self.0.fetch_add(1, Ordering::SeqCst);
        match name {
            "gone" => Err(Gone),
            "nobody" => Ok(None),
            _ => Ok(Some(User { id: format!("id-{name}"), name: name.to_owned(), ..User::default() })),
        }
    }

    fn check(&self, user: &str, password: &[u8]) -> Option<std::result::Result<bool, Gone>> {
        Some(if user == "gone" { Err(Gone) } else { Ok(password == b"OpenSesame") })
    }
}

#[test]
fn a_hosts_user_is_resident_for_a_minute_and_the_shelf_is_bounded() {
    let (asked, clock) = (Arc::new(AtomicUsize::new(0)), Clock::fake(1_000_000));
    let callbacks = Box::new(Callbacks(Arc::clone(&asked)));
    let host = Host::new(callbacks, Vec::new(), &cheap(), MacKey::new(b"site"), clock.clone(), 4).unwrap();
    assert!(matches!(host.resident_by_id("id-aladdin"), Resident::Ask));
    host.by_name("Aladdin", true).unwrap().unwrap();
    for moment in [0, 59, 60, 61] {
        let resident = matches!(host.resident_by_id("id-aladdin"), Resident::User(_));
        assert_eq!(resident, moment < 60, "{moment}");
        assert_eq!(matches!(host.resident_by_name("aladdin", true), Resident::User(_)), moment < 60);
        clock.advance(if moment == 0 { 59 } else { 1 });
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1, "the check path never asks");
    for number in 0..100 {
        host.by_name(&format!("user{number}"), false).unwrap().unwrap();
    }
    let resident = (0..100).filter(|n| matches!(host.resident_by_id(&format!("id-user{n}")), Resident::User(_)));
    assert_eq!(resident.collect::<Vec<_>>(), [96, 97, 98, 99]);
    assert_eq!(host.by_name("gone", false).map(drop), Err(Gone), "cannot tell is not nobody");
    assert!(host.by_name("nobody", false).unwrap().is_none());
    assert_eq!(host.check_host("aladdin", b"OpenSesame"), Some(Ok(true)));
    assert_eq!(host.check_host("gone", b"OpenSesame"), Some(Err(Gone)));
    assert_eq!(check(&host.dummy("x"), &cheap()), Ok(Format::Argon2));
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

/// The engine's login in small: the order of the pieces, and that they fit.
struct Login {
    users: UsersFile,
    hasher: Hasher,
    permits: Permits,
    throttle: Throttle,
    cache: Cache,
    clock: Clock,
    hashes: AtomicUsize,
}

impl Login {
    fn new(path: &Path) -> Login {
        let key = || MacKey::random().unwrap();
        Login {
            users: open(path).unwrap(),
            hasher: Hasher::new(Policy { argon2_passes: 2, ..cheap() }).unwrap(),
            permits: Permits::new(2),
            throttle: Throttle::new(Settings::default(), key()),
            cache: Cache::new(64, key()),
            clock: Clock::fake(1_000_000),
            hashes: AtomicUsize::new(0),
        }
    }

    fn verify(&self, hash: &str, password: &str) -> std::result::Result<bool, Reason> {
        self.hashes.fetch_add(1, Ordering::SeqCst);
        self.hasher.verify(hash, password.as_bytes()).map(|found| found.ok)
    }

    fn attempt(&self, name: &str, password: &str, tenant: &str) -> std::result::Result<Reason, Reason> {
        let (now, seq) = (self.clock.now(), 1);
        let name = fold(name);
        let account = Account { site: "data.example.org", user: &name, client: b"192.0.2.7" };
        let known = self.throttle.is_known(&account, now);
        let (site, profile, directory) = ("data.example.org", "form", self.users.name());
        let pair = Pair { site, profile, tenant, directory, user: &name, password: password.as_bytes() };
        let tag = self.cache.tag(&pair).ok_or(Reason::NotAttached)?;
        if (known || !self.throttle.delayed(&account, now)) && self.remembers(&tag) {
            return Ok(Reason::Proven);
        }
        if self.users.refuses_over_72() && password.len() > 72 {
            return Err(Reason::PasswordTooLong);
        }
        let lead = match self.cache.fly(&tag, Duration::from_secs(5))? {
            Flight::Lead(lead) => lead,
            Flight::Remembered if self.remembers(&tag) => return Ok(Reason::Proven),
            Flight::Remembered => return Err(Reason::Busy),
            Flight::Refused(reason) => return Err(reason),
        };
        let ticket = self.throttle.admit(&account, now, known)?;
        let permit = match self.permits.acquire(Duration::from_secs(5)) {
            Ok(permit) => permit,
            Err(reason) => {
                self.throttle.abandon(ticket);
                return Err(reason);
            }
        };
        let judged = self.judge(&name, password, tenant);
        drop(permit);
        match judged {
            Ok((user, one_time)) => {
                self.throttle.success(ticket, now);
                if !one_time {
                    self.cache.remember(&tag, &user.id, user.generation, seq, now);
                    lead.remembered();
                }
                Ok(Reason::LoggedIn)
            }
            Err(reason) if reason.is_unavailable() => {
                self.throttle.abandon(ticket);
                Err(reason)
            }
            Err(reason) => {
                self.throttle.failure(ticket, now);
                lead.refused(reason);
                Err(reason)
            }
        }
    }

    /// A hit is an answer about the past: the user as he is now must bear it out.
    fn remembers(&self, tag: &Tag) -> bool {
        self.cache.check(tag, self.clock.now()).is_some_and(|hit| match self.users.resident_by_id(&hit.principal) {
            Resident::User(user) => user.generation == hit.generation && !user.disabled && !user.pending,
            Resident::None | Resident::Ask => false,
        })
    }

    fn judge(&self, name: &str, password: &str, tenant: &str) -> std::result::Result<(Arc<User>, bool), Reason> {
        let found = self.users.by_name(name, true).map_err(|Gone| Reason::DirectoryUnavailable)?;
        let stored = found.as_ref().and_then(|user| user.hash.as_deref()).map(Arc::from);
        let hash: Arc<str> = stored.unwrap_or_else(|| self.users.dummy(name));
        let one_time = match &found {
            Some(user) => user.one_time.as_deref().map(Arc::from),
            None => self.users.dummy_one_time(name),
        };
        let by_one_time = one_time.is_some_and(|hash: Arc<str>| self.verify(&hash, password) == Ok(true));
        let by_hash = !by_one_time && self.verify(&hash, password)?;
        let user = found.ok_or(Reason::UnknownUser)?;
        if !by_one_time && !by_hash {
            return Err(Reason::WrongPassword);
        }
        if user.disabled {
            return Err(Reason::Disabled);
        }
        if user.pending {
            return Err(Reason::Pending);
        }
        if !tenant.is_empty() && !user.belongs_to(tenant) {
            return Err(Reason::WrongTenant);
        }
        match user.one_time.as_deref().filter(|_| by_one_time) {
            Some(one_time) if self.users.spend_one_time(&user.id, one_time) == Ok(true) => {}
            Some(_) => return Err(Reason::WrongPassword),
            None if self.users.may_rehash() => {
                let stale = self.hasher.verify(&hash, password.as_bytes())?.stale;
                if let (true, Ok(new)) = (stale, self.hasher.hash(password.as_bytes())) {
                    let _ = self.users.rehash(&user.id, &hash, &new);
                }
            }
            None => {}
        }
        Ok((user, by_one_time))
    }
}

#[test]
fn a_login_asks_throttle_permit_directory_hash_and_only_then_the_user() {
    let folder = Folder::new();
    let path = folder.users("format = 1\n");
    edit::add_tenant(&path, Some(VAULT.into()), "Sample Vault").unwrap();
    aladdin(&path);
    let login = Login::new(&path);
    let first = login.users.by_name("Aladdin", false).unwrap().unwrap();
    assert_eq!(login.attempt("ALADDIN", "OpenSesame", ""), Ok(Reason::LoggedIn));
    assert_eq!(login.attempt("aladdin", "OpenSesame", ""), Ok(Reason::Proven), "remembered");
    let second = login.users.by_name("Aladdin", false).unwrap().unwrap();
    assert_ne!(first.hash, second.hash, "made stronger by the way");
    assert_eq!(login.hashes.load(Ordering::SeqCst), 1);
    assert_eq!(login.attempt("Aladdin", "OpenSesame", VAULT), Err(Reason::WrongTenant));
    assert_eq!(login.attempt("nobody", "OpenSesame", ""), Err(Reason::UnknownUser));
    assert_eq!(login.hashes.load(Ordering::SeqCst), 3, "an unknown name costs a hash, too");
    edit::set_disabled(&path, "Aladdin", true).unwrap();
    login.users.reload().unwrap();
    assert_eq!(login.attempt("Aladdin", "OpenSesame", ""), Err(Reason::Disabled), "no cached pair lives on");
    assert_eq!(login.attempt("Aladdin", "wrong", ""), Err(Reason::WrongPassword), "told only to who has the password");
    edit::set_disabled(&path, "Aladdin", false).unwrap();
    edit::set_password(&path, "Aladdin", hash("new").as_str().into()).unwrap();
    login.users.reload().unwrap();
    assert_eq!(login.attempt("Aladdin", "OpenSesame", ""), Err(Reason::WrongPassword), "the generation is another");
    assert_eq!(login.attempt("Aladdin", "new", ""), Ok(Reason::LoggedIn));
    for wrong in ["a", "b", "c", "d", "e"] {
        assert_eq!(login.attempt("Aladdin", wrong, ""), Err(Reason::WrongPassword));
    }
    let hashed = login.hashes.load(Ordering::SeqCst);
    assert_eq!(login.attempt("Aladdin", "f", ""), Err(Reason::Throttled));
    assert_eq!(login.hashes.load(Ordering::SeqCst), hashed, "a delayed guess is not hashed");
    assert_eq!(login.attempt("Aladdin", "new", ""), Ok(Reason::Proven), "but the owner's own pair is known");
}

#[test]
fn a_one_time_password_comes_first_and_is_never_remembered() {
    let folder = Folder::new();
    let path = folder.users("format = 1\n");
    aladdin(&path);
    edit::set_one_time(&path, "Aladdin", hash("once").as_str().into()).unwrap();
    let login = Login::new(&path);
    assert_eq!(login.attempt("Aladdin", "once", ""), Ok(Reason::LoggedIn));
    assert_eq!(login.attempt("Aladdin", "once", ""), Err(Reason::WrongPassword));
    assert_eq!(login.attempt("Aladdin", "OpenSesame", ""), Ok(Reason::LoggedIn));
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
            api_keys: vec![ApiKey { name: "k".into(), digest: [7; 32], expires: Some(expires), disabled: true }],
            ..User::default()
        });
        let written = document::Document { users: users.collect(), ..Default::default() };
        let read = document::parse(&document::print(&written).unwrap()).unwrap();
        prop_assert_eq!(read.users, written.users);
    }
}
