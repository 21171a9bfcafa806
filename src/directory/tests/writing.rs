//! Changes of a users file: by the command, by logins, and by both at once.

use super::*;

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
    assert!(users.reload().unwrap().is_empty(), "no session ends for it");
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
    assert_eq!(users.reload().unwrap(), [id.as_str()], "sessions of the old password must end");
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
    let id = aladdin(&path);
    let users = open(&path).unwrap();
    assert!(users.reload().unwrap().is_empty(), "nothing changed");
    edit::set_disabled(&path, "Aladdin", true).unwrap();
    assert_eq!(users.reload().unwrap(), [id.as_str()]);
    edit::set_password(&path, "Aladdin", hash("new").as_str().into()).unwrap();
    users.read_again(true).unwrap();
    assert_eq!(users.reload().unwrap(), [id.as_str()], "nor is a change lost that a login's own writing read");
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
