//! Invariants of `docs/security.md`, part 6, through the whole engine: races with real threads, and neighbours.

mod house;

use house::{House, VAULT, ask, decide, reply};
use janua::base::Reason;
use janua::directory::{Gone, HostDirectory, User};
use janua::engine::{Config, Decision, Engine, EventKind, Outcome};
use janua::parse::Body;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

#[test]
fn invariant_1_no_check_that_starts_after_an_acknowledged_log_out_allows() {
    let house = House::new();
    house.crowded.store(true, Ordering::Relaxed);
    let site = house.site("mauro");
    for _ in 0..20 {
        let id = house.login(&site, "joe.bloggs@test.com", "pa55w0rd").cookie("JSESSIONID").unwrap();
        let gone = AtomicBool::new(false);
        let wrong = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let mut out = Decision::new();
                    let request = ask("GET", "/api/folders").cookie("JSESSIONID", &id);
                    for _ in 0..2_000 {
                        let after = gone.load(Ordering::SeqCst);
                        decide(&site, &request, Body::NotRead, true, &mut out);
                        if after && out.outcome() == Outcome::Allow {
                            wrong.fetch_add(1, Ordering::SeqCst);
                        }
                        if after {
                            break;
                        }
                    }
                });
            }
            std::thread::sleep(Duration::from_millis(1));
            let logout = ask("POST", "/api/authentication/logout").cookie("JSESSIONID", &id);
            assert_eq!(house.ask(&site, &logout).status, 204);
            gone.store(true, Ordering::SeqCst);
        });
        assert_eq!(wrong.load(Ordering::SeqCst), 0);
    }
}

#[test]
fn invariant_4_no_session_of_an_old_password_survives_its_change() {
    let house = House::new();
    house.crowded.store(true, Ordering::Relaxed);
    let site = house.site("mauro");
    let path = house.folder.join("users.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let joe = text.find("joe.bloggs@test.com").unwrap();
    let at = joe + text[joe..].find("hash = \"").unwrap() + 8;
    let end = at + text[at..].find('"').unwrap();
    let admin = text.find("name = \"admin@test.com\"").unwrap();
    let other = admin + text[admin..].find("hash = \"").unwrap() + 8;
    let other_end = other + text[other..].find('"').unwrap();
    let (old_hash, new_hash) = (text[at..end].to_owned(), text[other..other_end].to_owned());
    let (mut old, mut new) = ("pa55w0rd", "password");
    for round in 0..6u64 {
        let (from, to) = if round % 2 == 0 { (&old_hash, &new_hash) } else { (&new_hash, &old_hash) };
        let done = AtomicBool::new(false);
        let ids = std::thread::scope(|scope| {
            let logins = scope.spawn(|| {
                let mut ids = Vec::new();
                while !done.load(Ordering::SeqCst) {
                    ids.extend(house.login(&site, "joe.bloggs@test.com", old).cookie("JSESSIONID"));
                    house.clock.advance(120);
                }
                ids
            });
            std::thread::sleep(Duration::from_millis(15));
            let text = std::fs::read_to_string(&path).unwrap();
            let joe = text.find("joe.bloggs@test.com").unwrap();
            let changed = text[joe..].replacen(from, to, 1);
            let generation = format!("generation = {}", round + 1);
            let changed = changed.replacen(&generation, &format!("generation = {}", round + 2), 1);
            std::fs::write(&path, format!("{}{changed}", &text[..joe])).unwrap();
            house.engine.maintain(Duration::from_millis(1)).unwrap();
            // From here on the change has taken effect.
            done.store(true, Ordering::SeqCst);
            logins.join().unwrap()
        });
        for id in ids {
            let reply = house.ask(&site, &ask("GET", "/api/folders").cookie("JSESSIONID", &id));
            assert!(!reply.allowed(), "round {round}: a session of the old password lives");
        }
        house.clock.advance(3600);
        assert_ne!(house.login(&site, "joe.bloggs@test.com", old).status, 200);
        house.clock.advance(3600);
        assert_eq!(house.login(&site, "joe.bloggs@test.com", new).status, 200, "round {round}");
        std::mem::swap(&mut old, &mut new);
    }
}

#[test]
fn invariant_6_log_out_and_log_in_within_a_moment_kill_the_old_and_keep_the_new() {
    let house = House::new();
    let site = house.site("mauro");
    for _ in 0..50 {
        let old = house.login(&site, "Aladdin", "OpenSesame").cookie("JSESSIONID").unwrap();
        house.ask(&site, &ask("PUT", "/api/authentication/logout").cookie("JSESSIONID", &old));
        let new = house.login(&site, "Aladdin", "OpenSesame").cookie("JSESSIONID").unwrap();
        assert!(!house.ask(&site, &ask("GET", "/api/folders").cookie("JSESSIONID", &old)).allowed());
        assert!(house.ask(&site, &ask("GET", "/api/folders").cookie("JSESSIONID", &new)).allowed());
        house.engine.revoke_principal("7d3c2b1a-9988-4766-8554-433221100fee").unwrap();
        assert!(!house.ask(&site, &ask("GET", "/api/folders").cookie("JSESSIONID", &new)).allowed());
    }
}

#[test]
fn invariant_9_parallel_guesses_run_the_limit_of_hashes_and_the_owner_still_gets_in() {
    let house = House::new();
    house.crowded.store(true, Ordering::Relaxed);
    let site = house.site("mauro");
    let body = r#"{"username":"joe.bloggs@test.com","password":"pa55w0rd"}"#;
    let own = ask("POST", "/api/authentication/login").json(body).from("198.51.100.9");
    assert_eq!(house.ask(&site, &own).status, 200, "the owner's address is known from now on");
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (house, site) = (&house, &site);
            scope.spawn(move || {
                for guess in 0..25 {
                    let body = format!(r#"{{"username":"joe.bloggs@test.com","password":"guess-{thread}-{guess}"}}"#);
                    let guess = ask("POST", "/api/authentication/login").json(&body).from("203.0.113.66");
                    assert_eq!(house.ask(site, &guess).status, 401);
                }
            });
        }
    });
    assert_eq!(house.engine.count(Reason::WrongPassword), 5, "exactly the limit was hashed");
    assert_eq!(house.engine.count(Reason::Throttled), 195);
    assert_eq!(house.ask(&site, &own).status, 200, "the owner is not locked out");
}

#[test]
fn fifty_equal_pairs_at_once_are_hashed_once_and_remembered() {
    let house = House::new();
    house.crowded.store(true, Ordering::Relaxed);
    let site = house.site("mfiles");
    let request = ask("GET", "/REST/views")
        .header("X-Username", "AlexK")
        .header("X-Password", "My Password")
        .header("X-Vault", VAULT);
    std::thread::scope(|scope| {
        for _ in 0..50 {
            scope.spawn(|| assert!(house.ask(&site, &request).allowed()));
        }
    });
    let mut out = Decision::new();
    decide(&site, &request, Body::NotRead, true, &mut out);
    assert_eq!(out.outcome(), Outcome::Allow, "remembered: no slow call any more");
    house.engine.revoke_principal("6f0e0d7a-6b0b-4a39-9d7e-0f3c5b6a7c81").unwrap();
    decide(&site, &request, Body::NotRead, true, &mut out);
    assert_eq!(out.outcome(), Outcome::WouldBlock, "log out everywhere forgets the pair too");
}

/// A directory that can be switched off.
struct Flaky(Arc<AtomicBool>);

impl HostDirectory for Flaky {
    fn lookup(&self, name: &str) -> Result<Option<User>, Gone> {
        if self.0.load(Ordering::SeqCst) {
            return Err(Gone);
        }
        let id = "0b97751d-b6bf-476c-a9e6-95d3352e8008";
        let known = name == "joe.bloggs@test.com" || name == id;
        Ok(known.then(|| User { id: id.into(), name: "joe.bloggs@test.com".into(), ..User::default() }))
    }

    fn check(&self, user: &str, password: &[u8]) -> Option<Result<bool, Gone>> {
        Some(if self.0.load(Ordering::SeqCst) { Err(Gone) } else { Ok(!user.is_empty() && password == b"pa55w0rd") })
    }
}

#[test]
fn invariant_14_unavailable_is_not_no() {
    let off = Arc::new(AtomicBool::new(false));
    let house = House::new();
    let mut config = Config::new();
    let text = "[engine]\nsite='data.example.org'\n[keyring]\npath='ephemeral'\n";
    config.read_text("janua.toml", text, &house.folder).unwrap();
    config.set_directory(Box::new(Flaky(off.clone())));
    config.set_clock(house.clock.clone());
    let engine = Engine::build(config).unwrap();
    engine.attach().unwrap();
    let site = engine.site(Some("mauro"), None, false).unwrap();
    let id = house.login(&site, "joe.bloggs@test.com", "pa55w0rd").cookie("JSESSIONID").unwrap();
    let folders = ask("GET", "/api/folders").cookie("JSESSIONID", &id);
    assert!(house.ask(&site, &folders).allowed());
    off.store(true, Ordering::SeqCst);
    house.clock.advance(120);
    let reply = house.login(&site, "joe.bloggs@test.com", "pa55w0rd");
    assert_eq!((reply.status, reply.reason), (503, Reason::DirectoryUnavailable));
    assert!(reply.headers.iter().all(|(name, _)| name != "Set-Cookie"), "nothing minted, nothing cleared");
    let reply = house.ask(&site, &folders);
    let kept = reply.headers.iter().all(|(name, _)| name != "Set-Cookie");
    assert!(reply.allowed() || (reply.status == 503 && kept), "{reply:?}");
    off.store(false, Ordering::SeqCst);
    assert!(house.ask(&site, &folders).allowed(), "nobody was logged out");
    for _ in 0..10 {
        assert_eq!(house.login(&site, "joe.bloggs@test.com", "pa55w0rd").status, 200, "no failure was counted");
    }
}

#[test]
fn fast_counts_touches_and_tells_nothing() {
    let house = House::new();
    let site = house.site("mauro");
    let body = br#"{"username":"joe.bloggs@test.com","password":"wrong"}"#;
    let login = ask("POST", "/api/authentication/login").json(std::str::from_utf8(body).unwrap());
    let mut out = Decision::new();
    for _ in 0..50 {
        decide(&site, &login, Body::Given(body), true, &mut out);
        assert_eq!(out.outcome(), Outcome::WouldBlock);
    }
    assert!(house.told().is_empty());
    assert_eq!(house.engine.count(Reason::WrongPassword) + house.engine.count(Reason::Throttled), 0);
    let id = house.login(&site, "joe.bloggs@test.com", "pa55w0rd").cookie("JSESSIONID").unwrap();
    let told = house.told().len();
    let logout = ask("GET", "/api/authentication/logout").cookie("JSESSIONID", &id);
    decide(&site, &logout, Body::NotRead, true, &mut out);
    assert_eq!(out.outcome(), Outcome::WouldBlock, "a log-out writes the store");
    assert_eq!(house.told().len(), told);
    assert!(house.ask(&site, &ask("GET", "/api/folders").cookie("JSESSIONID", &id)).allowed(), "and has not happened");
}

#[test]
fn one_event_for_each_decision() {
    let house = House::new();
    let site = house.site("mauro");
    let mut expected = 0;
    let id = house.login(&site, "joe.bloggs@test.com", "pa55w0rd").cookie("JSESSIONID").unwrap();
    expected += 1;
    house.login(&site, "joe.bloggs@test.com", "wrong");
    expected += 1;
    for target in ["/api/folders", "/api/session/isAuthenticated", "/api/admin/activeSessions", "/nowhere"] {
        house.ask(&site, &ask("GET", target).cookie("JSESSIONID", &id));
        expected += 1;
    }
    house.ask(&site, &ask("GET", "/api/authentication/logout").cookie("JSESSIONID", &id));
    expected += 1;
    let told = house.told();
    assert_eq!(told.len(), expected, "{told:#?}");
    let kinds: Vec<_> = told.iter().map(|t| t.kind).collect();
    assert_eq!(kinds[0], EventKind::Login);
    assert_eq!(kinds[1], EventKind::Deny);
    assert!(told[1].principal.starts_with('~'), "a refused name is told as a digest: {}", told[1].principal);
    assert_eq!(kinds[expected - 1], EventKind::Logout);
    assert_eq!(told[0].session_ref, told[expected - 1].session_ref);
}

#[test]
fn idle_and_absolute_ends_hold_to_the_second_through_the_engine() {
    let house = House::with("[session]\nidle='10m'\nabsolute='1h'\n");
    let site = house.site("mauro");
    let ask_with = |id: &str| house.ask(&site, &ask("GET", "/api/folders").cookie("JSESSIONID", id));
    let idle = house.login(&site, "joe.bloggs@test.com", "pa55w0rd").cookie("JSESSIONID").unwrap();
    house.clock.advance(599);
    assert!(ask_with(&idle).allowed());
    // Uses are written down at most once in idle/16, so the idle end comes up to that much late and never early.
    house.clock.advance(636);
    assert!(ask_with(&idle).allowed());
    house.clock.advance(637);
    assert_eq!(ask_with(&idle).reason, Reason::SessionIdle);
    let busy = house.login(&site, "joe.bloggs@test.com", "pa55w0rd").cookie("JSESSIONID").unwrap();
    for _ in 0..7 {
        house.clock.advance(500);
        assert!(ask_with(&busy).allowed());
    }
    house.clock.advance(99);
    assert!(ask_with(&busy).allowed(), "3599 s");
    house.clock.advance(1);
    assert_eq!(ask_with(&busy).reason, Reason::SessionEnded, "use does not move the absolute end");
}

#[test]
fn the_cap_per_principal_puts_out_the_oldest_and_says_so() {
    let house = House::with("[session]\nper_principal=2\n");
    let site = house.site("mauro");
    let ids: Vec<_> = (0..3)
        .map(|_| {
            house.clock.advance(1);
            house.login(&site, "joe.bloggs@test.com", "pa55w0rd").cookie("JSESSIONID").unwrap()
        })
        .collect();
    let lives: Vec<_> =
        ids.iter().map(|id| house.ask(&site, &ask("GET", "/api/folders").cookie("JSESSIONID", id)).allowed()).collect();
    assert_eq!(lives, [false, true, true]);
    assert!(house.told().iter().any(|t| t.kind == EventKind::Eviction));
}

#[test]
fn invariant_15_two_engines_of_one_keyring_know_each_others_tokens_and_a_swap_refuses_none() {
    let house = House::new();
    house.crowded.store(true, Ordering::Relaxed);
    let ring = house.folder.join("keyring.toml");
    janua::crypto::Keyring::create(&ring, house::START, None).unwrap();
    let build = || {
        let mut config = Config::new();
        let text = format!(
            "[engine]\nsite='data.example.org'\n[keyring]\npath='keyring.toml'\n[directory]\nusers='users.toml'\n{}",
            house::CHEAP
        );
        config.read_text("janua.toml", &text, &house.folder).unwrap();
        config.set_clock(house.clock.clone());
        let engine = Engine::build(config).unwrap();
        engine.attach().unwrap();
        engine
    };
    let (one, two) = (build(), build());
    let (here, there) =
        (one.site(Some("mfiles"), None, false).unwrap(), two.site(Some("mfiles"), None, false).unwrap());
    let body = format!(r#"{{"Username":"AlexK","Password":"My Password","VaultGuid":"{VAULT}"}}"#);
    let made = house.ask(&here, &ask("POST", "/REST/server/authenticationtokens").json(&body));
    let token = made.json()["Value"].as_str().unwrap().to_owned();
    let request = ask("GET", "/REST/views").header("X-Authentication", &token);
    assert!(house.ask(&there, &request).allowed(), "no sticky cookie needed");
    let current = std::sync::RwLock::new(here);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut out = Decision::new();
                for _ in 0..500 {
                    let site = current.read().unwrap().clone();
                    decide(&site, &request, Body::NotRead, true, &mut out);
                    assert_eq!(out.outcome(), Outcome::Allow, "{:?}", reply(&out));
                }
            });
        }
        for _ in 0..5 {
            let next = build().site(Some("mfiles"), None, false).unwrap();
            *current.write().unwrap() = next;
        }
    });
}
