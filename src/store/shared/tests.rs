//! Tests of what `shared` alone promises; the rules of every store are in `store::suite`.

mod full;
mod late;
mod places;
mod tidy;

use super::*;
use crate::base::{Reason, Status};
use crate::crypto::scratch::Scratch;
use crate::directory::Tenant;
use crate::session::{NewSession, id};
use crate::store::suite;

fn settings(path: PathBuf) -> Settings {
    let settings = Settings::new(path, Durability::Process, suite::LONGEST_SECS, Vec::new());
    Settings { sessions_map: 256 << 20, revocations_map: 64 << 20, ..settings }
}

fn attached(settings: Settings, clock: &Clock) -> Shared {
    let store = Shared::new(settings, clock.clone());
    store.attach().unwrap();
    store
}

#[test]
fn shared_keeps_the_rules_of_every_store() {
    let (clock, folder) = (Clock::fake(1_700_000_000), Scratch::new());
    let number = std::cell::Cell::new(0);
    let make = || -> Box<dyn Store> {
        number.set(number.get() + 1);
        Box::new(attached(settings(folder.path(&number.get().to_string())), &clock))
    };
    suite::run(make, &clock);
}

const SEQ_AGO: u64 = 60_000_000;

/// A store in a folder of its own.
struct Home {
    folder: Scratch,
    clock: Clock,
}

impl Home {
    fn new() -> Home {
        Home { folder: Scratch::new(), clock: Clock::fake(1_700_000_000) }
    }

    fn path(&self) -> PathBuf {
        self.folder.path("state")
    }

    fn settings(&self) -> Settings {
        settings(self.path())
    }

    fn open(&self) -> Shared {
        attached(self.settings(), &self.clock)
    }

    fn refused(&self, settings: Settings) -> Error {
        Shared::new(settings, self.clock.clone()).attach().unwrap_err()
    }

    fn record(&self, store: &Shared, principal: &str) -> Record {
        Record::new(NewSession::of(principal, 1_600, 43_200, store.seq().unwrap()), self.clock.now())
    }

    fn login(&self, store: &Shared, principal: &str, number: u32) -> Digest {
        let record = self.record(store, principal);
        *store.insert(key(number), record, 1_000, self.clock.now()).unwrap().record.key()
    }

    fn why(&self, store: &Shared, key: &Digest) -> Option<Reason> {
        store.check(key, self.clock.now()).ok().err()
    }

    fn revoke(&self, store: &Shared, what: Revocation<'_>) -> u64 {
        store.revoke(what, self.clock.now()).unwrap()
    }

    fn sweep(&self, store: &Shared) {
        while store.sweep(self.clock.now(), 1_000) == 1_000 {}
    }
}

fn key(number: u32) -> Digest {
    id::key("data.example.org", "form", "", &number.to_be_bytes())
}

#[test]
fn what_was_stored_and_revoked_outlives_the_process() {
    let home = Home::new();
    let store = home.open();
    let new = NewSession {
        tenant: Some(Arc::new(Tenant { id: "{1}".to_owned(), name: "Sample Vault".to_owned() })),
        extra: vec![("computer".into(), "desk-7".into())],
        companion: Some([7; 32]),
        keep_path: true,
        ..NewSession::of("Aladdin", 1_600, 43_200, store.seq().unwrap())
    };
    let live = key(1);
    let record = store.insert(live, Record::new(new, home.clock.now()), 9, home.clock.now()).unwrap().record;
    let (gone, other) = (home.login(&store, "Aladdin", 2), home.login(&store, "AlexK", 3));
    let seq = store.seq().unwrap();
    home.revoke(&store, Revocation::Session(gone));
    home.revoke(&store, Revocation::Principal("AlexK"));
    home.clock.advance(100);
    assert_eq!(store.touch(&record, Some(b"/api/a"), home.clock.now()), Ok(Touch::Done));
    store.note_companion(&record).unwrap();
    let newest = store.seq().unwrap();
    assert_eq!(store.replace_document("a", None, b"one"), Ok(true));
    drop(store);

    let store = home.open();
    assert_eq!((store.seq(), store.document("a").unwrap().as_deref()), (Ok(newest), Some(&b"one"[..])));
    let Answer::Hit(back) = store.check(&live, home.clock.now()) else { panic!("a restart logs nobody out") };
    assert!(!Arc::ptr_eq(&back, &record));
    assert_eq!((back.ends(), back.last_used_boot()), (record.ends(), record.last_used_boot()), "uses were written");
    assert_eq!((back.last_path().as_deref(), back.companion_required()), (Some("/api/a"), true));
    assert_eq!((back.extra().len(), back.tenant.as_ref().map(|t| t.id.as_str())), (1, Some("{1}")));
    assert_eq!([&gone, &other].map(|key| home.why(&store, key)), [Some(Reason::SessionRevoked); 2]);
    assert!(store.token_revoked("AlexK", &[9; 8], None, seq).unwrap(), "floors too");
    assert!(!store.token_revoked("Aladdin", &[9; 8], None, seq).unwrap());
}

#[test]
fn sessions_written_without_syncing_end_with_the_boot_and_synced_ones_do_not() {
    for (durability, lives) in [(Durability::Process, false), (Durability::Disk, true)] {
        let home = Home::new();
        let settings = || Settings { durability, ..home.settings() };
        let store = attached(settings(), &home.clock);
        let key = home.login(&store, "Aladdin", 1);
        let token = store.seq().unwrap();
        home.revoke(&store, Revocation::Principal("AlexK"));
        drop(store);
        let file = home.path().join("boot");
        let text = std::fs::read_to_string(&file).unwrap();
        let (_, word) = text.split_once(' ').unwrap();
        std::fs::write(&file, format!("another-boot {word}")).unwrap();
        let store = attached(settings(), &home.clock);
        assert_eq!(home.why(&store, &key).is_none(), lives, "{durability:?}");
        assert!(store.token_revoked("AlexK", &[9; 8], None, token).unwrap(), "revocations outlive every boot");
        assert!(!store.token_revoked("Aladdin", &[9; 8], None, token).unwrap(), "and what is not revoked, lives");
    }
}

#[test]
fn without_the_log_everything_issued_before_is_refused_until_the_operator_says_otherwise() {
    for backup in [false, true] {
        let home = Home::new();
        let store = home.open();
        drop(store);
        let (log, copy) = (home.path().join("revocations/data.mdb"), home.folder.path("backup.mdb"));
        std::fs::copy(&log, &copy).unwrap();
        let store = home.open();
        home.clock.advance(10);
        home.revoke(&store, Revocation::Principal("AlexK"));
        let key = home.login(&store, "Aladdin", 1);
        let token = store.seq().unwrap();
        drop(store);
        std::fs::remove_dir_all(home.path().join("revocations")).unwrap();
        if backup {
            std::fs::create_dir(home.path().join("revocations")).unwrap();
            crate::crypto::scratch::mode(&home.path().join("revocations"), 0o700);
            std::fs::copy(&copy, &log).unwrap();
        }
        home.clock.advance(10);
        let store = home.open();
        assert!(store.seq().unwrap() > token, "the number never falls");
        assert_eq!(home.why(&store, &key), Some(Reason::SessionRevoked), "backup: {backup}");
        assert!(store.token_revoked("Aladdin", &[9; 8], None, token).unwrap());
        let new = home.login(&store, "someName", 2);
        assert_eq!(home.why(&store, &new), None);
        drop(store);
        let store = home.open();
        assert_eq!(home.why(&store, &key), Some(Reason::SessionRevoked), "the next start changes nothing");
        home.revoke(&store, Revocation::Session(new));
        store.accept_older(home.clock.now()).unwrap();
        assert_eq!(home.why(&store, &key), None);
        assert_eq!(home.why(&store, &new), Some(Reason::SessionRevoked), "what this log revoked stays so");
        assert!(!store.token_revoked("Aladdin", &[9; 8], None, token).unwrap());
    }
}

#[test]
fn floors_that_a_users_file_remembers_are_taken_over_once() {
    let home = Home::new();
    let store = home.open();
    let token = store.seq().unwrap();
    home.clock.advance(10);
    let floor = token + SEQ_AGO / 6 - 1;
    let floors = vec![("Aladdin".to_owned(), floor), ("AlexK".to_owned(), 7)];
    home.clock.advance(10);
    let after = home.revoke(&store, Revocation::Session([1; 32]));
    let joined = attached(Settings { floors, ..home.settings() }, &home.clock);
    assert!(joined.token_revoked("Aladdin", &[9; 8], None, token).unwrap());
    assert!(store.token_revoked("Aladdin", &[9; 8], None, token).unwrap(), "both are one store");
    assert!(!store.token_revoked("Aladdin", &[9; 8], None, after).unwrap(), "what came after it lives");
    assert!(!store.token_revoked("AlexK", &[9; 8], None, token).unwrap(), "too old to matter");
    let seq = store.seq().unwrap();
    drop((store, joined));
    let floors = vec![("Aladdin".to_owned(), floor)];
    let store = attached(Settings { floors, ..home.settings() }, &home.clock);
    assert_eq!(store.seq(), Ok(seq), "known: nothing is written again");
}

#[test]
fn a_full_store_refuses_log_ins_and_logs_nobody_out() {
    let home = Home::new();
    let store = attached(Settings { sessions_map: 8 << 20, ..home.settings() }, &home.clock);
    let insert = |number: u32| {
        let record = home.record(&store, &format!("user {number}"));
        store.insert(key(number), record, 1_000, home.clock.now()).map(|new| new.record)
    };
    let mut records = Vec::new();
    let stopped = loop {
        match insert(u32::try_from(records.len()).unwrap()) {
            Ok(record) => records.push(record),
            Err(stopped) => break stopped,
        }
    };
    assert_eq!(stopped, NotStored::Unavailable);
    assert!(records.len() > 5_000, "{}", records.len());
    let error = store.tend(home.clock.now()).unwrap_err();
    assert!(error.message.contains("the store is full: nobody can log in"), "{}", error.message);
    home.clock.advance(1_000);
    for record in &records {
        assert_eq!(store.touch(record, None, home.clock.now()), Ok(Touch::Done));
    }
    assert_eq!(store.tend(home.clock.now()), Ok(()));
    home.clock.advance(1_000);
    assert!(records.iter().all(|record| home.why(&store, record.key()).is_none()), "uses were written all the same");
    assert_eq!(insert(1 << 20).map(drop), Err(NotStored::Unavailable));
    let replaced = store.replace(records[0].key(), key(1 << 20), home.record(&store, "x"), 9, home.clock.now());
    assert_eq!(replaced.map(drop), Err(NotStored::Unavailable));
    assert_eq!(home.why(&store, records[0].key()), None, "a log-in that fails ends no session");
    for record in &records[..100] {
        home.revoke(&store, Revocation::Session(*record.key()));
    }
    assert!(records[..100].iter().all(|record| home.why(&store, record.key()) == Some(Reason::SessionRevoked)));
    home.clock.advance(43_200);
    home.sweep(&store);
    insert(2 << 20).unwrap();
}

#[test]
fn an_hour_of_churn_leaves_the_files_as_large_as_a_minute_of_it() {
    let home = Home::new();
    let store = home.open();
    let mut sizes = Vec::new();
    for minute in 0..60 {
        for number in 0..60 {
            let record = Record::new(NewSession::of("Aladdin", 60, 300, store.seq().unwrap()), home.clock.now());
            let number = minute * 60 + number;
            let record = store.insert(key(number), record, 1_000, home.clock.now()).unwrap().record;
            if number % 7 == 0 {
                home.revoke(&store, Revocation::Session(*record.key()));
            }
        }
        home.clock.advance(60);
        store.tend(home.clock.now()).unwrap();
        home.sweep(&store);
        let core = store.core().unwrap();
        sizes.push(core.rows.env.real_disk_size().unwrap());
    }
    assert!(sizes[59] <= sizes[14] + (64 << 10), "{sizes:?}");
    let core = store.core().unwrap();
    let (rows, due) = core.rows.sizes();
    assert!(rows <= 7 * 60 && due == rows, "{rows} rows, {due} looks");
    assert_eq!(store.count().map(|count| count <= 180), Ok(true));
    home.clock.advance(10_000);
    home.sweep(&store);
    assert_eq!(core.rows.sizes(), (0, 0));
}

#[test]
fn engines_of_one_process_share_what_is_open() {
    let home = Home::new();
    let (one, two) = (home.open(), home.open());
    assert!(std::ptr::eq(one.core().unwrap(), two.core().unwrap()));
    let error = home.refused(Settings { durability: Durability::Disk, ..home.settings() });
    assert!(error.message.contains("with the other store.durability"), "{}", error.message);
    let key = home.login(&one, "Aladdin", 1);
    drop(one);
    assert_eq!(home.why(&two, &key), None, "the last one closes it");
}

#[test]
fn uses_are_noted_where_waiting_is_not_allowed_and_written_by_maintenance() {
    let home = Home::new();
    let store = home.open();
    let key = home.login(&store, "Aladdin", 1);
    let Answer::Hit(record) = store.check(&key, home.clock.now()) else { panic!("it is alive") };
    let later = |accompanied| store.touch_later(&record, accompanied, None, home.clock.now());
    let written = || {
        let core = store.core().unwrap();
        let r = core.rows.env.read_txn().unwrap();
        let held = core.rows.held(&r, &key, core.boot_tag, home.clock.now()).unwrap().unwrap();
        (held.record.last_used_boot().unwrap(), held.record.companion_required())
    };
    let start = written();
    assert_eq!((later(false), later(true), later(true)), (Later::Nothing, Later::Noted, Later::Nothing));
    home.clock.advance(100);
    assert_eq!((later(false), later(false)), (Later::Noted, Later::Nothing));
    assert_eq!(written(), start, "nothing is written without waiting");
    store.tend(home.clock.now()).unwrap();
    assert_eq!(written(), (start.0 + 100, true));
    home.clock.advance(1_655);
    assert_eq!(later(false), Later::MustWait, "another process could think it over before this is written");
    assert_eq!(store.touch(&record, None, home.clock.now()), Ok(Touch::Done));
    assert_eq!(written().0, start.0 + 1_755, "at once");
}

#[test]
fn the_log_is_shortened_and_who_missed_that_starts_anew() {
    let home = Home::new();
    let store = home.open();
    let (key, token) = (home.login(&store, "Aladdin", 1), store.seq().unwrap());
    for number in 0..1_100_u32 {
        home.revoke(&store, Revocation::Session(id::key("s", "p", "", &number.to_be_bytes())));
    }
    home.revoke(&store, Revocation::Principal("AlexK"));
    let core = store.core().unwrap();
    home.clock.advance(700);
    home.revoke(&store, Revocation::Principal("joe.bloggs@test.com"));
    store.tend(home.clock.now()).unwrap();
    let r = core.log.env.read_txn().unwrap();
    let head = core.log.head(&r).unwrap();
    assert!(head.trimmed > token && head.trimmed < head.seq);
    drop(r);
    let late = super::fresh::Fresh::new();
    late.catch_up(&core.log, |_| panic!("nothing of it is told")).unwrap();
    assert_eq!((late.revoked.applied(), late.revoked.sizes()), (head.seq, (0, 2)));
    assert_eq!(home.why(&store, &key), None);
}

#[test]
fn files_that_are_moved_away_make_the_store_unavailable_and_nobody_logged_out() {
    let home = Home::new();
    let store = home.open();
    let key = home.login(&store, "Aladdin", 1);
    std::fs::rename(home.path().join("revocations"), home.folder.path("away")).unwrap();
    let error = store.tend(home.clock.now()).unwrap_err();
    assert!(error.message.ends_with("under this process: restart it"), "{}", error.message);
    assert_eq!(home.why(&store, &key), Some(Reason::StoreUnavailable));
    assert_eq!(store.revoke(Revocation::All, home.clock.now()), Err(Unavailable));
    assert_eq!(store.document("a"), Err(Unavailable));
    assert_eq!(store.replace_document("a", None, b"one"), Err(Unavailable), "nobody else would see it");
}

#[test]
fn what_is_no_store_of_ours_or_is_damaged_is_refused_with_a_word_on_it() {
    let wrong = |break_it: &dyn Fn(&Home), says: &str| {
        let home = Home::new();
        let store = home.open();
        for number in 0..500 {
            home.login(&store, "Aladdin", number);
        }
        drop(store);
        break_it(&home);
        let error = home.refused(home.settings());
        assert!(error.message.contains(says), "{}", error.message);
        assert!(matches!(error.status, Status::Unavailable | Status::Invalid), "{error:?}");
    };
    for name in ["sessions", "revocations"] {
        let data = |home: &Home| home.path().join(name).join("data.mdb");
        wrong(&|home| std::fs::write(data(home), "no environment".repeat(1_000)).unwrap(), "is no file of this store");
        wrong(
            &|home| crate::crypto::scratch::mode(&home.path().join(name), 0o750),
            "open to other users (mode 0750); chmod 0700",
        );
        wrong(
            &|home| {
                let env = sys::open(&home.path().join(name), 64 << 20, true).unwrap();
                let [meta] = tables::open(&env, ["meta"]).unwrap();
                let mut w = env.write_txn().unwrap();
                meta.put(&mut w, b"format", b"janua shared store, format 2").unwrap();
                w.commit().unwrap();
            },
            "is of another version",
        );
        wrong(
            &|home| {
                std::fs::remove_file(data(home)).unwrap();
                let env = sys::open(&home.path().join(name), 64 << 20, true).unwrap();
                let w = env.write_txn().unwrap();
                let made = env.create_databases_and_commit(w, |opener, w| {
                    let table = opener.create_database::<heed::types::Bytes, heed::types::Bytes>(w, Some("theirs"))?;
                    Ok::<_, heed::Error>(heed::CommitOrAbort::<_, ()>::Commit(table))
                });
                assert!(matches!(made, Ok(heed::CommitOrAbort::Commit(_))));
            },
            "no store of this program wrote",
        );
    }
    wrong(
        &|home| {
            let file = home.path().join("sessions/data.mdb");
            std::fs::OpenOptions::new().write(true).open(file).unwrap().set_len(3 * 4096).unwrap();
        },
        "data.mdb is damaged",
    );
    wrong(
        &|home| {
            std::fs::remove_dir_all(home.path()).unwrap();
            std::fs::write(home.path(), "a file").unwrap();
        },
        "store.path must be a folder",
    );
    wrong(&|home| crate::crypto::scratch::mode(&home.path(), 0o755), "open to other users (mode 0755); chmod 0700");
}

#[test]
fn a_store_that_is_not_there_is_made_only_where_that_is_asked_for() {
    let home = Home::new();
    let error = home.refused(Settings { create: false, ..home.settings() });
    assert_eq!(error.status, Status::NotFound);
    assert!(!home.path().exists());
    drop(home.open());
    assert!(Shared::new(Settings { create: false, ..home.settings() }, home.clock.clone()).attach().is_ok());
    let deep = Settings::new(home.folder.path("no/such/place"), Durability::Disk, 60, Vec::new());
    assert!(home.refused(deep).message.contains("the store's folder cannot be made"));
}
