//! A store that waits, behind a real engine: a FAST call announces it and has counted, touched and told nothing, and a
//! use that may not be written now is left to maintenance.

use crate::base::{Clock, Error, Now, Reason, Status};
use crate::crypto::digest::Digest;
use crate::crypto::keyring::KeyId;
use crate::crypto::scratch::Scratch;
use crate::engine::audit::{Audit, Event};
use crate::engine::{Config, Decision, Engine, Held, Outcome, Site, Stop, WaitClass, build};
use crate::parse::{Body, Header, Request};
use crate::session::{Record, Reference, Touch};
use crate::store::memory::{Memory, Older, Settings};
use crate::store::{Answer, Inserted, Later, Listed, NotStored, Revocation, Store, Unavailable};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What the test turns and what it reads off.
#[derive(Default)]
struct Knobs {
    slow_reads: AtomicBool,
    slow_touches: AtomicBool,
    must_wait: AtomicBool,
    broken: AtomicBool,
    /// Another process's writer, for which upkeep waits.
    writer: Mutex<()>,
    full: AtomicBool,
    reads: AtomicUsize,
    touches: AtomicUsize,
    noted: AtomicUsize,
    events: AtomicUsize,
}

struct Waiting(Memory, Arc<Knobs>);

impl Waiting {
    fn read(&self) -> &Memory {
        self.1.reads.fetch_add(1, Ordering::Relaxed);
        &self.0
    }
}

impl Store for Waiting {
    fn kind(&self) -> &'static str {
        "waiting"
    }

    fn multi_process(&self) -> bool {
        self.0.multi_process()
    }

    fn multi_machine(&self) -> bool {
        self.0.multi_machine()
    }

    fn attach(&self) -> Result<(), Error> {
        Ok(())
    }

    fn reads_may_wait(&self, _: Now) -> bool {
        self.1.slow_reads.load(Ordering::Relaxed)
    }

    fn touches_may_wait(&self) -> bool {
        self.1.slow_touches.load(Ordering::Relaxed)
    }

    fn touch_later(&self, record: &Record, accompanied: bool, _: Option<&[u8]>, now: Now) -> Later {
        if self.1.must_wait.load(Ordering::Relaxed) {
            return Later::MustWait;
        }
        let left = now.boot() - record.last_used_boot().unwrap_or_default();
        if left < 60 && !accompanied {
            return Later::Nothing;
        }
        self.1.noted.fetch_add(1, Ordering::Relaxed);
        Later::Noted
    }

    fn tend(&self, _: Now) -> Result<(), Error> {
        drop(self.1.writer.lock());
        match self.1.broken.load(Ordering::Relaxed) {
            true => Err(Error::unavailable("the store is broken: mend it")),
            false => Ok(()),
        }
    }

    fn seq(&self) -> Result<u64, Unavailable> {
        self.read().seq()
    }

    fn admits(&self) -> Result<(), Unavailable> {
        if self.1.full.load(Ordering::Relaxed) { Err(Unavailable) } else { Ok(()) }
    }

    fn insert(&self, key: Digest, record: Record, cap: usize, now: Now) -> Result<Inserted, NotStored> {
        self.0.insert(key, record, cap, now)
    }

    fn replace(&self, old: &Digest, key: Digest, record: Record, cap: usize, now: Now) -> Result<Inserted, NotStored> {
        self.0.replace(old, key, record, cap, now)
    }

    fn renew(&self, old: &Digest, key: Digest, record: Record, cap: usize, now: Now) -> Result<Inserted, NotStored> {
        self.0.renew(old, key, record, cap, now)
    }

    fn check(&self, key: &Digest, now: Now) -> Answer<Arc<Record>> {
        self.read().check(key, now)
    }

    fn alive(&self, reference: &Reference, now: Now) -> Answer<()> {
        self.read().alive(reference, now)
    }

    fn key_of(&self, reference: &Reference) -> Result<Option<Digest>, Unavailable> {
        self.read().key_of(reference)
    }

    fn touch(&self, record: &Record, path: Option<&[u8]>, now: Now) -> Result<Touch, Unavailable> {
        self.1.touches.fetch_add(1, Ordering::Relaxed);
        self.0.touch(record, path, now)
    }

    fn note_companion(&self, record: &Record) -> Result<(), Unavailable> {
        self.1.touches.fetch_add(1, Ordering::Relaxed);
        self.0.note_companion(record)
    }

    fn revoke(&self, what: Revocation<'_>, now: Now) -> Result<u64, Unavailable> {
        self.0.revoke(what, now)
    }

    fn token_revoked(&self, user: &str, key: &KeyId, chosen: Option<&Digest>, seq: u64) -> Result<bool, Unavailable> {
        self.read().token_revoked(user, key, chosen, seq)
    }

    fn floor(&self, principal: &str) -> Result<u64, Unavailable> {
        self.read().floor(principal)
    }

    fn list(&self, now: Now, max: usize) -> Result<Vec<Listed>, Unavailable> {
        self.read().list(now, max)
    }

    fn count(&self) -> Result<usize, Unavailable> {
        self.0.count()
    }

    fn sweep(&self, now: Now, budget: usize) -> usize {
        self.0.sweep(now, budget)
    }
}

struct Ears(Arc<Knobs>);

impl Audit for Ears {
    fn event(&self, _: &Event<'_>) {
        self.0.events.fetch_add(1, Ordering::Relaxed);
    }
}

/// An engine with the sample users and a store made of an empty one in memory.
pub(super) fn engine(
    clock: &Clock,
    audit: Box<dyn Audit>,
    store: impl FnOnce(Memory) -> Arc<dyn Store>,
) -> (Arc<Engine>, Scratch) {
    let folder = Scratch::new();
    folder.write("users.toml", include_str!("../../tests/scenarios/config/users.toml"));
    let text = "[engine]\nsite='data.example.org'\n[keyring]\npath='ephemeral'\n[directory]\nusers='users.toml'\n\
                [password]\nmemory_kib=1024\npasses=1\n";
    let mut config = Config::new();
    config.read_text("janua.toml", text, &folder.path("")).unwrap();
    config.set_clock(clock.clone());
    config.set_audit(audit);
    let mut engine = build::engine(config).unwrap();
    let settings = Settings { longest_secs: build::LONGEST_LIFE, older: Older::Accepted, floors: Vec::new() };
    engine.store = store(Memory::new(settings, clock.now()).unwrap());
    let engine = Arc::new(engine);
    engine.attach().unwrap();
    (engine, folder)
}

struct House {
    engine: Arc<Engine>,
    knobs: Arc<Knobs>,
    clock: Clock,
    out: Mutex<Decision>,
    folder: Scratch,
}

impl House {
    fn new() -> House {
        let (clock, knobs) = (Clock::fake(1_767_225_600), Arc::new(Knobs::default()));
        let store = |memory| -> Arc<dyn Store> { Arc::new(Waiting(memory, knobs.clone())) };
        let (engine, folder) = engine(&clock, Box::new(Ears(knobs.clone())), store);
        House { engine, knobs, clock, out: Mutex::default(), folder }
    }

    fn site(&self, profile: &str) -> Arc<Site> {
        self.engine.site(Some(profile), None, false).unwrap()
    }

    /// The outcome, and whether maintenance was asked for.
    fn ask(&self, site: &Site, target: &str, headers: &[(&str, &str)], fast: bool) -> (Outcome, bool) {
        let headers: Vec<_> = headers.iter().map(|(n, v)| Header { name: n.as_bytes(), value: v.as_bytes() }).collect();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let request = Request {
            method: b"GET",
            path: path.as_bytes(),
            raw_path: path.as_bytes(),
            query: query.as_bytes(),
            client: b"203.0.113.7",
            headers: &headers,
            body: Body::NotRead,
            secure: true,
        };
        let mut out = self.out.lock().unwrap();
        site.decide(&request, fast, &mut out).unwrap();
        if out.outcome() == Outcome::WouldBlock {
            assert_eq!((out.wait_class(), out.wants_maintenance()), (WaitClass::Store, false));
        }
        (out.outcome(), out.wants_maintenance())
    }

    fn counted(&self) -> u64 {
        Reason::ALL.iter().map(|reason| self.engine.count(*reason)).sum()
    }

    /// Runs `ask` with slow reads: it blocks, and nothing has been read, counted, touched or told.
    fn blocks(&self, ask: impl FnOnce() -> Outcome) {
        self.knobs.slow_reads.store(true, Ordering::Relaxed);
        let state = || {
            let numbers = [&self.knobs.reads, &self.knobs.touches, &self.knobs.noted, &self.knobs.events];
            (self.counted(), numbers.map(|number| number.load(Ordering::Relaxed)))
        };
        let before = state();
        assert_eq!(ask(), Outcome::WouldBlock);
        assert_eq!(state(), before);
        self.knobs.slow_reads.store(false, Ordering::Relaxed);
    }
}

const JOE: &str = "7b0c2f4e-6a1d-4e38-9c57-1f2e3d4c5b6a";
const VAULT: &str = "{C840BE1A-5B47-4AC0-8EF7-835C166C8E24}";

#[test]
fn a_store_whose_reads_may_wait_makes_every_fast_check_ask_again() {
    let house = House::new();
    let (mauro, mfiles) = (house.site("mauro"), house.site("mfiles"));
    let id = mauro.session_create(JOE, "").unwrap();
    let cookie = format!("JSESSIONID={id}");
    let session = [("Cookie", cookie.as_str())];
    let token = mfiles.token_issue("access", "alexk", VAULT, "", 0).unwrap();
    let token = [("X-Authentication", token.as_str())];
    let pair = [("X-Username", "AlexK"), ("X-Password", "My Password"), ("X-Vault", VAULT)];
    for (site, target, headers) in [
        (&mauro, "/api/folders", &session[..]),
        (&mfiles, "/REST/objects", &token[..]),
        (&mfiles, "/REST/objects", &pair[..]),
    ] {
        let slow = house.ask(site, target, headers, false);
        assert_eq!(slow.0, Outcome::Allow, "{headers:?}");
        house.blocks(|| house.ask(site, target, headers, true).0);
        assert_eq!(house.ask(site, target, headers, true), slow, "and FAST says the same once it need not wait");
        house.knobs.slow_reads.store(true, Ordering::Relaxed);
        assert_eq!(house.ask(site, target, headers, false), slow, "who may wait is not asked again");
        house.knobs.slow_reads.store(false, Ordering::Relaxed);
    }
    house.knobs.slow_reads.store(true, Ordering::Relaxed);
    assert_eq!(house.ask(&mauro, "/api/folders", &[], true).0, Outcome::Allow, "nobody offered: no store to ask");
}

#[test]
fn the_primitives_say_the_same() {
    let house = House::new();
    let site = house.site("mauro");
    let (id, mut held) = (site.session_create(JOE, "").unwrap(), Held::default());
    house.knobs.slow_reads.store(true, Ordering::Relaxed);
    assert_eq!(site.session_look(id.as_bytes(), true, true, &mut held), Err(Stop::Wait(WaitClass::Store)));
    let binding = site.token_issue("bearer", JOE, "", "", 0).unwrap();
    assert_eq!(site.token_look("bearer", binding.as_bytes(), true, &mut held), Err(Stop::Wait(WaitClass::Store)));
    assert_eq!(site.token_check("bearer", binding.as_bytes(), &mut held), Ok(()));
    assert_eq!(site.session_check(id.as_bytes(), true, &mut held), Ok(()));
}

#[test]
fn a_use_that_may_not_be_written_now_is_left_to_maintenance() {
    let house = House::new();
    let site = house.site("mauro");
    let id = site.session_create(JOE, "").unwrap();
    let cookie = format!("JSESSIONID={id}");
    let session = [("Cookie", cookie.as_str())];
    let counts = || [&house.knobs.noted, &house.knobs.touches].map(|number| number.load(Ordering::Relaxed));
    let ask = |fast| house.ask(&site, "/api/folders", &session, fast);
    house.clock.advance(100);
    assert_eq!((ask(true), counts()), ((Outcome::Allow, false), [0, 1]), "a store that never waits is touched at once");
    house.knobs.slow_touches.store(true, Ordering::Relaxed);
    assert_eq!((ask(true), counts()), ((Outcome::Allow, false), [0, 1]), "nothing is due");
    house.clock.advance(100);
    assert_eq!((ask(true), counts()), ((Outcome::Allow, true), [1, 1]), "noted, and maintenance is asked for");
    assert_eq!((ask(false), counts()), ((Outcome::Allow, false), [1, 2]), "who may wait writes it himself");
    house.clock.advance(100);
    house.knobs.must_wait.store(true, Ordering::Relaxed);
    let before = house.counted();
    assert_eq!((ask(true), counts()), ((Outcome::WouldBlock, false), [1, 2]));
    assert_eq!(house.counted(), before);
    house.engine.maintain(Duration::from_millis(1)).unwrap();
    house.knobs.broken.store(true, Ordering::Relaxed);
    let error = house.engine.maintain(Duration::from_millis(1)).unwrap_err();
    assert_eq!(error.message, "the store is broken: mend it");
}

#[test]
fn whom_the_users_file_ended_is_out_though_a_writer_of_another_process_stands_still() {
    let house = House::new();
    let site = house.site("mauro");
    let id = site.session_create(JOE, "").unwrap();
    let cookie = format!("JSESSIONID={id}");
    let session = [("Cookie", cookie.as_str())];
    let ask = || house.ask(&site, "/api/folders", &session, false).0;
    assert_eq!(ask(), Outcome::Allow);
    let users = include_str!("../../tests/scenarios/config/users.toml");
    // JOE is the first of them.
    let (head, all) = users.split_once("[[user]]\n").unwrap();
    let (_, others) = all.split_once("[[user]]\n").unwrap();
    house.folder.write("users.toml", &format!("{head}[[user]]\n{others}"));
    let stands = house.knobs.writer.lock().unwrap();
    std::thread::scope(|threads| {
        let upkeep = threads.spawn(|| house.engine.maintain(Duration::ZERO));
        let until = std::time::Instant::now() + Duration::from_secs(10);
        while house.engine.store.floor(JOE) == Ok(0) && std::time::Instant::now() < until {
            std::thread::sleep(Duration::from_millis(1));
        }
        let (outcome, waits) = (ask(), !upkeep.is_finished());
        drop(stands);
        upkeep.join().unwrap().unwrap();
        assert!(outcome != Outcome::Allow && waits, "{outcome:?}");
    });
}

#[test]
fn a_store_without_room_for_log_outs_gives_out_no_token_that_could_be_logged_out() {
    let house = House::new();
    let site = house.site("mfiles");
    let issue = |session_id: &str| site.token_issue("access", "alexk", VAULT, session_id, 0);
    let token = issue("{a}").unwrap();
    house.knobs.full.store(true, Ordering::Relaxed);
    assert!(issue("{b}").is_err_and(|error| error.status == Status::Unavailable));
    assert!(issue("").is_ok(), "nothing logs this one out");
    let get = |target: &str, header: (&str, &str)| house.ask(&site, target, &[header], false).0;
    assert_eq!(get("/REST/objects", ("X-Authentication", &token)), Outcome::Allow, "who is in stays in");
    house.knobs.full.store(false, Ordering::Relaxed);
    assert!(issue("{b}").is_ok());
}
