//! The htpasswd file and the host's directory.

use super::*;

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
    assert_eq!(strict.reload().unwrap(), ["Aladdin"], "whose sessions must end");
    assert_ne!(strict.by_name("Aladdin", false).unwrap().unwrap().generation, user.generation, "a new password");
    let open_to_all = folder.write("open", text, 0o666);
    assert!(Htpasswd::open(&open_to_all, cheap(), MacKey::new(b"site")).is_err());
}

#[test]
fn an_htpasswd_file_is_taken_over_once() {
    let folder = Folder::new();
    let path = folder.users("format = 1\n");
    aladdin(&path);
    let lines: Vec<_> = include_str!("../../../tests/vectors/htpasswd.tsv").lines().collect();
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
