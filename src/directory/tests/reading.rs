//! What a users file says, and what is wrong with it.

use super::*;

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
        (user("revoked = 1\n"), "line 6: `revoked` is not a time like"),
        (user("revoked = 1969-12-31T00:00:00Z\n"), "line 6: `revoked` lies before 1970"),
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
