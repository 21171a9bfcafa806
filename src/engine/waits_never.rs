//! Invariant 12 over all states: a FAST call never waits, and one that would have to has counted, noted and told nothing.
//!
//! Every request of the profiles' cases, with every kind of proof, meets every state that a store can be in. The store
//! here knows which of its calls could wait in that state, and that none of them may come.

use super::waits::engine;
use crate::base::{Clock, Error, Now, Reason};
use crate::crypto::digest::Digest;
use crate::crypto::keyring::KeyId;
use crate::engine::audit::{Audit, Event};
use crate::engine::{Decision, Engine, Outcome, Site};
use crate::parse::{Body, Header, Request};
use crate::session::{Record, Reference, Touch};
use crate::store::memory::Memory;
use crate::store::{Answer, Inserted, Later, Listed, NotStored, Revocation, Store, Unavailable};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// What a look-up would be.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Reads {
    /// It never waits: `memory`, `shared`.
    AtOnce,
    /// It could, and this process knows enough: `redis` while the newest poll is young.
    Known,
    /// It could, and only the server knows.
    Waiting,
    /// The server is down, and nobody is to ask it now.
    Down,
}

/// What noting a use would be.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Touches {
    AtOnce,
    Noted,
    Nothing,
    MustWait,
}

const READS: [Reads; 4] = [Reads::AtOnce, Reads::Known, Reads::Waiting, Reads::Down];
const TOUCHES: [Touches; 4] = [Touches::AtOnce, Touches::Noted, Touches::Nothing, Touches::MustWait];

struct State {
    now: Mutex<(Reads, Touches)>,
    /// While a FAST call runs.
    fast: Mutex<Option<String>>,
    noted: AtomicUsize,
    told: AtomicUsize,
}

struct Strict(Memory, Arc<State>);

impl Strict {
    fn reads(&self) -> Reads {
        self.1.now.lock().unwrap().0
    }

    fn touches(&self) -> Touches {
        self.1.now.lock().unwrap().1
    }

    /// The store, where this call may be made.
    fn may(&self, call: &str, waits: bool) -> &Memory {
        let fast = self.1.fast.lock().unwrap().clone();
        if let Some(asked) = fast.filter(|_| waits) {
            panic!("{call} could wait: {asked}, {:?}", self.1.now.lock().unwrap());
        }
        &self.0
    }

    fn read(&self, call: &str) -> &Memory {
        self.may(call, self.reads() != Reads::AtOnce)
    }

    /// Writes wait for a lock, a disk or a server, in every store but `memory`.
    fn write(&self, call: &str) -> &Memory {
        self.may(call, true)
    }

    fn at_once<T>(&self, known: impl FnOnce(&Memory) -> T, down: T) -> Option<T> {
        match self.reads() {
            Reads::AtOnce | Reads::Known => Some(known(&self.0)),
            Reads::Waiting => None,
            Reads::Down => Some(down),
        }
    }
}

impl Store for Strict {
    fn kind(&self) -> &'static str {
        "strict"
    }

    fn multi_process(&self) -> bool {
        true
    }

    fn attach(&self) -> Result<(), Error> {
        Ok(())
    }

    fn reads_may_wait(&self, _: Now) -> bool {
        self.reads() != Reads::AtOnce
    }

    fn check_at_once(&self, key: &Digest, now: Now) -> Option<Answer<Arc<Record>>> {
        self.at_once(|memory| memory.check(key, now), Answer::Unavailable)
    }

    fn token_revoked_at_once(
        &self,
        user: &str,
        key: &KeyId,
        chosen: Option<&Digest>,
        seq: u64,
        _: Now,
    ) -> Option<Result<bool, Unavailable>> {
        self.at_once(|memory| memory.token_revoked(user, key, chosen, seq), Err(Unavailable))
    }

    fn floor_at_once(&self, principal: &str, _: Now) -> Option<Result<u64, Unavailable>> {
        self.at_once(|memory| memory.floor(principal), Err(Unavailable))
    }

    fn touches_may_wait(&self) -> bool {
        self.touches() != Touches::AtOnce
    }

    fn touch_later(&self, _: &Record, _: bool, _: Option<&[u8]>, _: Now) -> Later {
        match self.touches() {
            Touches::Noted => {
                self.1.noted.fetch_add(1, Ordering::Relaxed);
                Later::Noted
            }
            Touches::AtOnce | Touches::Nothing => Later::Nothing,
            Touches::MustWait => Later::MustWait,
        }
    }

    fn seq(&self) -> Result<u64, Unavailable> {
        self.read("seq").seq()
    }

    fn insert(&self, key: Digest, record: Record, cap: usize, now: Now) -> Result<Inserted, NotStored> {
        self.write("insert").insert(key, record, cap, now)
    }

    fn replace(&self, old: &Digest, key: Digest, record: Record, cap: usize, now: Now) -> Result<Inserted, NotStored> {
        self.write("replace").replace(old, key, record, cap, now)
    }

    fn renew(&self, old: &Digest, key: Digest, record: Record, cap: usize, now: Now) -> Result<Inserted, NotStored> {
        self.write("renew").renew(old, key, record, cap, now)
    }

    fn check(&self, key: &Digest, now: Now) -> Answer<Arc<Record>> {
        self.read("check").check(key, now)
    }

    fn alive(&self, reference: &Reference, now: Now) -> Answer<()> {
        self.read("alive").alive(reference, now)
    }

    fn key_of(&self, reference: &Reference) -> Result<Option<Digest>, Unavailable> {
        self.read("key_of").key_of(reference)
    }

    fn touch(&self, record: &Record, path: Option<&[u8]>, now: Now) -> Result<Touch, Unavailable> {
        self.may("touch", self.touches_may_wait()).touch(record, path, now)
    }

    fn note_companion(&self, record: &Record) -> Result<(), Unavailable> {
        self.may("note_companion", self.touches_may_wait()).note_companion(record)
    }

    fn revoke(&self, what: Revocation<'_>, now: Now) -> Result<u64, Unavailable> {
        self.write("revoke").revoke(what, now)
    }

    fn token_revoked(&self, user: &str, key: &KeyId, chosen: Option<&Digest>, seq: u64) -> Result<bool, Unavailable> {
        self.read("token_revoked").token_revoked(user, key, chosen, seq)
    }

    fn floor(&self, principal: &str) -> Result<u64, Unavailable> {
        self.read("floor").floor(principal)
    }

    fn list(&self, now: Now, max: usize) -> Result<Vec<Listed>, Unavailable> {
        self.write("list").list(now, max)
    }

    fn count(&self) -> Result<usize, Unavailable> {
        self.write("count").count()
    }

    fn sweep(&self, now: Now, budget: usize) -> usize {
        self.write("sweep").sweep(now, budget)
    }
}

struct Ears(Arc<State>);

impl Audit for Ears {
    fn event(&self, _: &Event<'_>) {
        self.0.told.fetch_add(1, Ordering::Relaxed);
    }
}

/// A request of a case, in its parts.
struct Sent {
    method: String,
    target: String,
    headers: Vec<String>,
    body: Option<String>,
}

fn cases(text: &str) -> Vec<Sent> {
    let file: toml::Table = toml::from_str(text).unwrap();
    let cases = file["case"].as_array().unwrap().iter().map(|case| {
        let (method, target) = case["send"].as_str().unwrap().split_once(' ').unwrap();
        let headers = case.get("headers").and_then(toml::Value::as_array).into_iter().flatten();
        Sent {
            method: method.to_owned(),
            target: target.to_owned(),
            headers: headers.map(|header| header.as_str().unwrap().to_owned()).collect(),
            body: case.get("body").and_then(toml::Value::as_str).map(str::to_owned),
        }
    });
    cases.collect()
}

/// A profile, the id of one of its sample users, and what its proofs may sit in; `{}` is the proof itself.
const PROFILES: [(&str, &str, &str, &[&str]); 5] = [
    (
        "mauro",
        include_str!("../../tests/profiles/cases-mauro.toml"),
        "7b0c2f4e-6a1d-4e38-9c57-1f2e3d4c5b6a",
        &["Cookie: JSESSIONID={}"],
    ),
    ("mfiles", include_str!("../../tests/profiles/cases-mfiles.toml"), "alexk", &["X-Authentication: {}"]),
    (
        "menandmice",
        include_str!("../../tests/profiles/cases-menandmice.toml"),
        "aladdin",
        &["Authorization: Bearer {}"],
    ),
    ("mashzone", include_str!("../../tests/profiles/cases-mashzone.toml"), "somename", &["Cookie: JSESSIONID={}"]),
    ("form", include_str!("../../tests/profiles/cases-form.toml"), "aladdin", &["Cookie: sid={}"]),
];

const VAULT: &str = "{C840BE1A-5B47-4AC0-8EF7-835C166C8E24}";

/// A pair, which is to be hashed.
const PAIR: &str = "Authorization: Basic QWxhZGRpbjpPcGVuU2VzYW1l";

struct House {
    engine: Arc<Engine>,
    state: Arc<State>,
    clock: Clock,
    out: Decision,
    _folder: crate::crypto::scratch::Scratch,
}

impl House {
    fn new() -> House {
        let clock = Clock::fake(1_767_225_600);
        let state = Arc::new(State {
            now: Mutex::new((Reads::AtOnce, Touches::AtOnce)),
            fast: Mutex::new(None),
            noted: AtomicUsize::new(0),
            told: AtomicUsize::new(0),
        });
        let store = |memory| -> Arc<dyn Store> { Arc::new(Strict(memory, state.clone())) };
        let (engine, folder) = engine(&clock, Box::new(Ears(state.clone())), store);
        House { engine, state, clock, out: Decision::new(), _folder: folder }
    }

    fn counts(&self) -> [u64; 3] {
        let counted = Reason::ALL.iter().map(|reason| self.engine.count(*reason)).sum();
        let noted = self.state.noted.load(Ordering::Relaxed) as u64;
        [counted, noted, self.state.told.load(Ordering::Relaxed) as u64]
    }

    /// What proves a user of the site: a token of M-Files, a session of the others; one that is revoked, and one that is good.
    fn proofs(&self, site: &Site, profile: &str, principal: &str) -> Vec<String> {
        let made = [true, false].map(|dead| {
            if profile == "mfiles" {
                let token = site.token_issue("access", principal, VAULT, if dead { "s1" } else { "" }, 0).unwrap();
                assert!(!dead || site.token_revoke("access", token.as_bytes()).is_ok());
                return token;
            }
            let session = site.session_create(principal, "").unwrap();
            assert!(!dead || site.session_revoke(session.as_bytes()).is_ok());
            session
        });
        made.into()
    }

    /// Asks with FAST, which must not wait; its outcome.
    fn ask(&mut self, site: &Site, sent: &Sent, more: Option<&str>, read: bool) -> Outcome {
        let lines = sent.headers.iter().map(String::as_str).chain(more);
        let headers: Vec<_> = lines.filter_map(|line| line.split_once(": ")).collect();
        let headers: Vec<_> = headers.iter().map(|(n, v)| Header { name: n.as_bytes(), value: v.as_bytes() }).collect();
        let (path, query) = sent.target.split_once('?').unwrap_or((&sent.target, ""));
        let body = sent.body.as_ref().filter(|_| read);
        let request = Request {
            method: sent.method.as_bytes(),
            path: path.as_bytes(),
            raw_path: path.as_bytes(),
            query: query.as_bytes(),
            client: b"203.0.113.7",
            headers: &headers,
            body: body.map_or(Body::NotRead, |body| Body::Given(body.as_bytes())),
            secure: true,
        };
        let asked = format!("{} {} {more:?}, body read: {read}", sent.method, sent.target);
        let before = self.counts();
        *self.state.fast.lock().unwrap() = Some(asked.clone());
        let done = site.decide(&request, true, &mut self.out);
        *self.state.fast.lock().unwrap() = None;
        done.unwrap_or_else(|error| panic!("{asked}: {error}"));
        let outcome = self.out.outcome();
        if outcome == Outcome::WouldBlock {
            assert_eq!(self.counts(), before, "{asked}, {:?}", self.state.now.lock().unwrap());
            assert!(!self.out.wants_maintenance() && self.out.hold_ms() == 0, "{asked}");
        }
        outcome
    }
}

#[test]
fn no_request_with_any_proof_makes_a_fast_call_wait_whatever_the_state_of_the_store() {
    let (mut house, mut outcomes, mut asked) = (House::new(), [[0; 8]; 4], 0);
    for (profile, text, principal, places) in PROFILES {
        let site = house.engine.site(Some(profile), None, false).unwrap();
        let proofs = house.proofs(&site, profile, principal);
        let lines = proofs.iter().flat_map(|proof| places.iter().map(move |place| place.replace("{}", proof)));
        let lines: Vec<_> = [None, Some(PAIR.to_owned())].into_iter().chain(lines.map(Some)).collect();
        // Uses are due, and companions were not seen.
        house.clock.advance(120);
        for (at, reads) in READS.into_iter().enumerate() {
            for touches in TOUCHES {
                *house.state.now.lock().unwrap() = (reads, touches);
                for (sent, line) in cases(text).iter().flat_map(|sent| lines.iter().map(move |line| (sent, line))) {
                    for read in [false, true] {
                        let outcome = house.ask(&site, sent, line.as_deref(), read);
                        outcomes[at][outcome as usize] += 1;
                        asked += 1;
                    }
                }
            }
        }
        *house.state.now.lock().unwrap() = (Reads::AtOnce, Touches::AtOnce);
    }
    println!("{asked} calls; outcomes by reads at once, known, waiting, down: {outcomes:?}");
    let of = |reads: Reads, outcome: Outcome| {
        outcomes[READS.iter().position(|one| *one == reads).unwrap()][outcome as usize]
    };
    assert!(of(Reads::AtOnce, Outcome::Allow) > 200 && of(Reads::Known, Outcome::Allow) > 200);
    assert!(of(Reads::Waiting, Outcome::WouldBlock) > of(Reads::Known, Outcome::WouldBlock));
    assert!(of(Reads::Down, Outcome::Allow) < of(Reads::Known, Outcome::Allow));
}
