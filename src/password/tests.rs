use super::*;
use crate::base::Reason;
use proptest::prelude::*;

const HTPASSWD: &str = include_str!("../../tests/vectors/htpasswd.tsv");
const OTHERS: &str = include_str!("../../tests/vectors/passwords.tsv");

fn lenient() -> Hasher {
    Hasher::new(Policy { weak: Format::ALL.to_vec(), ..cheap() }).unwrap()
}

fn cheap() -> Policy {
    Policy { argon2_memory_kib: 8, argon2_passes: 1, ..Policy::default() }
}

fn lines(file: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    file.lines().map(|line| {
        let mut fields = line.split('\t').skip(1);
        (fields.next().unwrap(), fields.next().unwrap())
    })
}

#[test]
fn every_vector_verifies_and_only_with_its_password() {
    let hasher = lenient();
    let mut seen = std::collections::HashSet::new();
    for (password, hash) in lines(HTPASSWD).chain(lines(OTHERS)) {
        let format = format_of(hash).unwrap();
        seen.insert(format);
        if format == Format::Bcrypt && password.len() > BCRYPT_MAX {
            assert_eq!(hasher.verify(hash, password.as_bytes()), Err(Reason::PasswordTooLong), "{hash}");
            continue;
        }
        assert!(hasher.verify(hash, password.as_bytes()).unwrap().ok, "{password} {hash}");
        // The expensive ones are tried once only: their comparison is the same code.
        if !hash.contains("m=65536") && !hash.starts_with("$2y$12$") {
            let wrong = format!("y{password}");
            let refused = hasher.verify(hash, wrong.as_bytes());
            assert!(!refused.is_ok_and(|found| found.ok), "{wrong} {hash}");
        }
    }
    assert_eq!(seen.len(), Format::ALL.len(), "a format without a vector");
}

#[test]
fn bcrypt_refuses_73_bytes_and_takes_72() {
    let hasher = lenient();
    let (_, hash) = lines(HTPASSWD).find(|(password, hash)| password.len() == 72 && hash.starts_with("$2y$")).unwrap();
    assert!(hasher.verify(hash, &[b'a'; 72]).unwrap().ok);
    assert_eq!(hasher.verify(hash, &[b'a'; 73]), Err(Reason::PasswordTooLong), "any tail would match");
    assert!(!hasher.verify(hash, &[b'a'; 71]).unwrap().ok);
}

#[test]
fn a_nul_byte_never_matches() {
    let hasher = lenient();
    let hash = lines(OTHERS).find(|(password, hash)| *password == "OpenSesame" && hash.starts_with("$2y$")).unwrap().1;
    assert!(hasher.verify(hash, b"OpenSesame").unwrap().ok);
    assert!(!hasher.verify(hash, b"OpenSesame\0OpenSesame").unwrap().ok, "to bcrypt the same key");
    assert!(!hasher.verify(hash, b"OpenSesame\0").unwrap().ok);
    assert!(hasher.hash(b"a\0b").is_err());
}

#[test]
fn what_is_hashed_verifies_and_is_not_stale() {
    let hasher = Hasher::new(cheap()).unwrap();
    let hash = hasher.hash(b"OpenSesame").unwrap();
    assert!(hash.starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{hash}");
    assert_eq!(hasher.verify(&hash, b"OpenSesame"), Ok(Verified { ok: true, stale: false }));
    assert_eq!(hasher.verify(&hash, b"opensesame").map(|found| found.ok), Ok(false));
    assert_ne!(hasher.hash(b"OpenSesame").unwrap(), hash, "a new salt each time");
    let stronger = Hasher::new(Policy { argon2_passes: 2, ..cheap() }).unwrap();
    assert_eq!(stronger.verify(&hash, b"OpenSesame"), Ok(Verified { ok: true, stale: true }));
    let weaker = Hasher::new(cheap()).unwrap();
    let strong = stronger.hash(b"OpenSesame").unwrap();
    assert_eq!(weaker.verify(&strong, b"OpenSesame"), Ok(Verified { ok: true, stale: false }), "never to weaker");
}

#[test]
fn passwords_over_the_limit_are_refused_before_anything() {
    let hasher = Hasher::new(Policy { max_password: 16, ..cheap() }).unwrap();
    assert_eq!(hasher.verify("no hash at all", &[b'a'; 17]), Err(Reason::PasswordTooLong));
    assert_eq!(hasher.verify("no hash at all", &[b'a'; 16]), Err(Reason::HashNotAllowed));
    assert!(hasher.hash(&[b'a'; 17]).is_err());
    assert!(hasher.hash(&[b'a'; 16]).is_ok());
}

#[test]
fn weak_formats_are_read_only_when_named() {
    let strict = Hasher::new(cheap()).unwrap();
    for (password, hash) in lines(HTPASSWD).chain(lines(OTHERS)) {
        let format = format_of(hash).unwrap();
        assert_eq!(check(hash, strict.policy()).is_err(), format.is_weak(), "{hash}");
        if format.is_weak() {
            assert_eq!(strict.verify(hash, password.as_bytes()), Err(Reason::HashNotAllowed), "{hash}");
            let named = Policy { weak: vec![format], ..Policy::default() };
            assert_eq!(check(hash, &named), Ok(format));
        }
    }
    for format in Format::ALL {
        assert_eq!(Format::named(format.name()), Some(format));
    }
}

#[test]
fn hashes_that_ask_for_too_much_are_refused_at_load() {
    let policy = Policy { weak: Format::ALL.to_vec(), ..Policy::default() };
    let (salt, hash) = ("c29tZXNhbHQ", "iekCn0Y3spW+sCcFanM2xBT63UP2sghkUoHLIUpWRS8");
    let blow = "CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
    let sha = "5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5";
    for wrong in [
        format!("$argon2id$v=19$m=8388608,t=2,p=1${salt}${hash}"),
        format!("$argon2id$v=19$m=262145,t=1,p=1${salt}${hash}"),
        format!("$argon2id$v=19$m=65536,t=4294967295,p=1${salt}${hash}"),
        format!("$argon2id$v=19$m=65536,t=2,p=16777215${salt}${hash}"),
        format!("$argon2id$v=19$m=7,t=2,p=1${salt}${hash}"),
        format!("$argon2id$v=19$m=256,t=0,p=1${salt}${hash}"),
        format!("$argon2id$v=19$m=256,t=1,p=0${salt}${hash}"),
        format!("$argon2id$v=20$m=256,t=2,p=1${salt}${hash}"),
        format!("$argon2id$v=19$m=+256,t=2,p=1${salt}${hash}"),
        format!("$argon2id$v=19$m=256,t=2,p=1,data=AA${salt}${hash}"),
        format!("$argon2id$v=19$m=256,t=2,p=1${salt}${hash}$"),
        format!("$argon2id$v=19$m=256,t=2,p=1${salt}$"),
        format!("$2y$31${blow}"),
        format!("$2y$17${blow}"),
        format!("$2y$03${blow}"),
        format!("$2y$5${blow}"),
        format!("$2x$05${blow}"),
        format!("$scrypt$ln=25,r=8,p=1${salt}${hash}"),
        format!("$scrypt$ln=19,r=8,p=1${salt}${hash}"),
        format!("$scrypt$ln=63,r=4294967295,p=4294967295${salt}${hash}"),
        format!("$scrypt$ln=17,r=8,p=16${salt}${hash}"),
        format!("$scrypt$ln=0,r=8,p=1${salt}${hash}"),
        format!("$pbkdf2-sha256$i=10000001${salt}${hash}"),
        format!("$pbkdf2-sha256$i=0${salt}${hash}"),
        format!("$pbkdf2-sha256$i=1000,l=31${salt}${hash}"),
        format!("$pbkdf2-sha1$i=1000${salt}${hash}"),
        format!("pbkdf2_sha256$99999999${salt}${hash}"),
        format!("$5$rounds=999${salt}${sha}"),
        format!("$5$rounds=5000001${salt}${sha}"),
        format!("$5$seventeencharacter${sha}"),
        format!("$5$salt${}", &sha[1..]),
        "$6$salt".to_owned(),
        "$apr1$salt$short".to_owned(),
        "$1$ninechars$0123456789012345678901".to_owned(),
        "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g".to_owned() + "AA",
        "{SSHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=".to_owned(),
        "{MD5}X03MO1qnZdYdgyfeuILPmQ==".to_owned(),
        "OpenSesame".to_owned(),
        String::new(),
        "$".to_owned(),
        "$2y$".to_owned(),
        "_J9..rasmBYk8r9AiWNc".to_owned(),
    ] {
        let error = check(&wrong, &policy).unwrap_err();
        assert!(error.message.contains("cannot be used"), "{wrong}: {error}");
        assert!(wrong.len() < 8 || !error.message.contains(&wrong), "{error}");
        assert_eq!(lenient().verify(&wrong, b"password"), Err(Reason::HashNotAllowed), "{wrong}");
    }
    let good = format!("$scrypt$ln=17,r=8,p=1${salt}${hash}");
    assert_eq!(check(&good, &policy), Ok(Format::Scrypt), "what OWASP recommends is within");
    assert!(Hasher::new(Policy { argon2_memory_kib: 1 << 23, ..Policy::default() }).is_err());
}

#[test]
fn a_dummy_has_the_format_and_cost_of_its_model_and_no_password() {
    let hasher = lenient();
    for (password, hash) in lines(HTPASSWD).chain(lines(OTHERS)) {
        let dummy = dummy_like(hash).unwrap();
        assert_eq!(format_of(&dummy), format_of(hash));
        assert_eq!(class(&dummy), class(hash));
        assert_ne!(&*dummy, ldap::without_crypt(hash));
        let costly = hash.contains("m=65536") || hash.starts_with("$2y$12$");
        if !costly && password.len() <= BCRYPT_MAX {
            assert_eq!(hasher.verify(&dummy, password.as_bytes()).map(|found| found.ok), Ok(false), "{hash}");
        }
    }
    let policy = Policy::default();
    let fresh = fresh_dummy(&policy).unwrap();
    assert_eq!(check(&fresh, &policy), Ok(Format::Argon2));
    assert!(fresh.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
}

#[test]
fn debug_shows_no_hash() {
    let stored = StoredHash::from("$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW");
    assert_eq!(format!("{stored:?}"), "StoredHash(bcrypt)");
    assert_eq!(format!("{:?}", StoredHash::from("plain")), "StoredHash(unknown)");
}

#[test]
fn memory_goes_around_and_a_large_hash_does_not_keep_it() {
    let hasher = Hasher::new(Policy { argon2_memory_kib: 64, argon2_passes: 2, ..Policy::default() }).unwrap();
    let hash = hasher.hash(b"pa55w0rd").unwrap();
    let large = "$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$iekCn0Y3spW+sCcFanM2xBT63UP2sghkUoHLIUpWRS8";
    for _ in 0..3 {
        assert!(hasher.verify(&hash, b"pa55w0rd").unwrap().ok);
        assert!(hasher.verify(large, b"password").unwrap().ok);
    }
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert!(hasher.verify(&hash, b"pa55w0rd").unwrap().ok));
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC{0,80}", start in 0usize..14) {
        const STARTS: [&str; 14] = ["", "$argon2id$v=19$", "$2y$05$", "$scrypt$ln=1,r=1,p=1$", "$pbkdf2-sha256$i=1$",
            "pbkdf2_sha256$1$", "$5$", "$6$rounds=1000$", "$apr1$", "$1$", "{SHA}", "{SSHA}", "{CRYPT}", "ab"];
        let text = format!("{}{text}", STARTS[start]);
        let policy = Policy { weak: Format::ALL.to_vec(), ..Policy::default() };
        if check(&text, &policy).is_ok() {
            prop_assert!(class(&text).is_some());
            prop_assert!(dummy_like(&text).is_ok());
        }
    }
}
