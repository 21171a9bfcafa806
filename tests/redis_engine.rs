//! Whole engines over a store on a server: what one ends is dead in another when the answer may go out, FAST calls ask nobody
//! while the store is known, a server that is down is no "no", and every wrong setting is named.

#![cfg(all(unix, feature = "redis"))]

mod house;

use house::redis_server::RedisServer;
use house::{Ask, House, ask, decide};
use janua::base::{Clock, Reason};
use janua::crypto::{Keyring, Master};
use janua::engine::{Config, Decision, Engine, Outcome, Site, WaitClass};
use janua::parse::Body;
use std::sync::Arc;
use std::time::{Duration, Instant};

const RING: &str = "[keyring]\npath='keyring.toml'\n";

/// Some processes of one site on one server.
struct Town {
    house: House,
    server: RedisServer,
}

impl Town {
    fn new() -> Town {
        let house = House::with("[store]\nkind='memory'\n");
        Keyring::create(&house.folder.join("keyring.toml"), house::START, None).unwrap();
        Town { house, server: RedisServer::start(&["--appendonly", "yes"]) }
    }

    fn store(&self) -> String {
        format!("kind='redis'\nservers=['{}']\ntimeout='2s'\n", self.server.socket_url())
    }

    /// An engine with these sections, not attached.
    fn build(&self, keys: &str, store: &str, clock: &Clock) -> Result<Arc<Engine>, String> {
        let text = format!(
            "[engine]\nsite='data.example.org'\n{keys}[directory]\nusers='users.toml'\n{}[store]\n{store}",
            house::CHEAP
        );
        let mut config = Config::new();
        config.read_text("janua.toml", &text, &self.house.folder).map_err(|e| e.message)?;
        config.set_clock(clock.clone());
        Engine::build(config).map_err(|e| e.message)
    }

    fn node(&self, more: &str) -> Arc<Site> {
        let engine = self.build(RING, &(self.store() + more), &self.house.clock).unwrap();
        engine.check_workers(64).unwrap();
        engine.attach().unwrap();
        engine.site(Some("mauro"), None, false).unwrap()
    }

    fn login(&self, site: &Site) -> String {
        self.house.login(site, "joe.bloggs@test.com", "pa55w0rd").cookie("JSESSIONID").unwrap()
    }

    fn maintain(&self, site: &Site) {
        let until = Instant::now() + Duration::from_secs(20);
        while site.engine().maintain(Duration::from_millis(1)).is_err() {
            assert!(Instant::now() < until, "it does not come back");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn folders(id: &str) -> Ask {
    ask("GET", "/api/folders").cookie("JSESSIONID", id)
}

fn logout(id: &str) -> Ask {
    ask("POST", "/api/authentication/logout").cookie("JSESSIONID", id)
}

fn fast(site: &Site, id: &str) -> (Outcome, WaitClass, bool) {
    let mut out = Decision::new();
    decide(site, &folders(id), Body::NotRead, true, &mut out);
    (out.outcome(), out.wait_class(), out.wants_maintenance())
}

#[test]
fn a_log_out_here_is_dead_there_when_its_answer_may_go_out() {
    let town = Town::new();
    let (here, there) = (town.node(""), town.node(""));
    let id = town.login(&here);
    assert!(town.house.ask(&there, &folders(&id)).allowed(), "no sticky cookie needed");
    assert_eq!(fast(&there, &id), (Outcome::Allow, WaitClass::None, false));
    let mut out = Decision::new();
    decide(&here, &logout(&id), Body::NotRead, true, &mut out);
    assert_eq!((out.outcome(), out.hold_ms()), (Outcome::WouldBlock, 0));
    decide(&here, &logout(&id), Body::NotRead, false, &mut out);
    assert_eq!((out.outcome(), out.http_status()), (Outcome::Answer, 204));
    town.house.clock.advance_ms(i64::from(out.hold_ms()));
    assert_eq!(town.house.ask(&there, &folders(&id)).reason, Reason::SessionRevoked);
    assert_eq!(town.house.ask(&here, &folders(&id)).reason, Reason::SessionRevoked);
}

#[test]
fn an_id_that_a_log_in_replaces_is_dead_there_when_the_answer_may_go_out() {
    let town = Town::new();
    let (here, there) = (town.node(""), town.node(""));
    let id = town.login(&here);
    assert!(town.house.ask(&there, &folders(&id)).allowed());
    let pair = r#"{"username": "joe.bloggs@test.com", "password": "pa55w0rd"}"#;
    let again = ask("POST", "/api/authentication/login").cookie("JSESSIONID", &id);
    let mut out = Decision::new();
    decide(&here, &again, Body::Given(pair.as_bytes()), false, &mut out);
    assert_eq!((out.outcome(), out.http_status()), (Outcome::Answer, 200));
    town.house.clock.advance_ms(i64::from(out.hold_ms()));
    assert_eq!(town.house.ask(&there, &folders(&id)).reason, Reason::SessionRevoked);
}

#[test]
fn a_session_that_the_cap_puts_out_is_dead_there_when_the_answer_may_go_out() {
    let town = Town::new();
    let cap = "[session]\nper_principal=1\n";
    let (here, there) = (town.node(cap), town.node(cap));
    let pair = r#"{"username": "joe.bloggs@test.com", "password": "pa55w0rd"}"#;
    let (login, mut out) = (ask("POST", "/api/authentication/login"), Decision::new());
    decide(&here, &login, Body::Given(pair.as_bytes()), false, &mut out);
    assert_eq!((out.outcome(), out.http_status(), out.hold_ms()), (Outcome::Answer, 200, 0), "nobody is put out");
    town.house.clock.advance(1);
    let id = town.login(&here);
    assert!(town.house.ask(&there, &folders(&id)).allowed());
    decide(&here, &login, Body::Given(pair.as_bytes()), false, &mut out);
    assert_eq!((out.outcome(), out.http_status()), (Outcome::Answer, 200));
    town.house.clock.advance_ms(i64::from(out.hold_ms()));
    assert_eq!(town.house.ask(&there, &folders(&id)).reason, Reason::SessionRevoked);
}

#[test]
fn a_session_that_a_host_makes_waits_until_the_one_it_puts_out_is_dead_there() {
    let town = Town::new();
    let here = town.node("[session]\nper_principal=1\n");
    let made = || {
        let begun = Instant::now();
        here.session_create("6f0e0d7a-6b0b-4a39-9d7e-0f3c5b6a7c81", "").unwrap();
        begun.elapsed() >= Duration::from_millis(110)
    };
    made();
    assert!(made(), "the first one is good elsewhere for so long");
}

#[test]
fn a_script_that_drops_its_cookies_is_not_held_back_by_the_sessions_it_puts_out() {
    let town = Town::new();
    let here = town.node("[session]\nper_principal=1\n");
    let with_key = ask("GET", "/api/folders").header("apiKey", house::API_KEY);
    let mut out = Decision::new();
    for _ in 0..3 {
        decide(&here, &with_key, Body::NotRead, false, &mut out);
        assert_eq!((out.outcome(), out.hold_ms()), (Outcome::Allow, 0));
        assert!(out.response().any(|(name, _)| name == b"Set-Cookie"), "it makes a session each time");
    }
}

#[test]
fn a_fast_call_asks_nobody_while_the_store_is_known_and_asks_for_maintenance_in_time() {
    let town = Town::new();
    let site = town.node("");
    let id = town.login(&site);
    for _ in 0..20 {
        town.house.clock.advance_ms(50);
        assert_eq!(fast(&site, &id), (Outcome::Allow, WaitClass::None, false));
        town.house.clock.advance_ms(1);
        assert_eq!(fast(&site, &id), (Outcome::Allow, WaitClass::None, true));
        town.maintain(&site);
    }
    town.house.clock.advance_ms(101);
    assert_eq!(fast(&site, &id).0, Outcome::WouldBlock, "too long ago");
    assert_eq!(fast(&site, &id).1, WaitClass::Store);
    assert!(town.house.ask(&site, &folders(&id)).allowed());
    assert_eq!(fast(&site, &id), (Outcome::Allow, WaitClass::None, false), "who waited has asked for all");
    assert_eq!(
        fast(&site, "0123456789ABCDEF0123456789ABCDEF").0,
        Outcome::WouldBlock,
        "a stranger must be asked about"
    );
}

#[test]
fn a_server_that_is_down_clears_no_cookie_mints_nothing_and_is_back_without_a_restart() {
    let mut town = Town::new();
    let site = town.node("");
    let id = town.login(&site);
    town.server.kill();
    town.house.clock.advance_ms(101);
    for round in 0..3 {
        let login = town.house.login(&site, "Aladdin", "OpenSesame");
        for reply in [town.house.ask(&site, &folders(&id)), town.house.ask(&site, &logout(&id)), login] {
            assert_eq!((reply.status, reply.reason), (503, Reason::StoreUnavailable), "round {round}");
            assert!(reply.headers.iter().all(|(name, _)| name != "Set-Cookie"), "{reply:?}");
        }
    }
    let error = site.engine().maintain(Duration::from_millis(1)).unwrap_err();
    assert!(error.message.contains("unix://"), "{}", error.message);
    town.server.restart();
    town.maintain(&site);
    assert!(town.house.ask(&site, &folders(&id)).allowed(), "logged in still");
    assert_eq!(town.house.ask(&site, &logout(&id)).status, 204);
}

#[test]
fn a_keyring_may_lie_on_the_server_too() {
    let town = Town::new();
    Master::create(&town.house.folder.join("master.key"), None).unwrap();
    let keys = "[keyring]\npath='store'\nmaster='file:master.key'\n";
    let sites = [0, 1].map(|_| {
        let engine = town.build(keys, &town.store(), &town.house.clock).unwrap();
        engine.attach().unwrap();
        engine.site(Some("mfiles"), None, false).unwrap()
    });
    let user = "2f1a3b44-5566-4778-8899-aabbccddeeff";
    for (from, to) in [(0, 1), (1, 0)] {
        let token = sites[from].token_issue("bearer", user, "", "", 0).unwrap();
        sites[to].token_check("bearer", token.as_bytes(), &mut janua::engine::Held::default()).unwrap();
    }
    let id = sites[0].session_create(user, "").unwrap();
    assert!(sites[1].session_check(id.as_bytes(), false, &mut janua::engine::Held::default()).is_ok());
}

#[test]
fn every_wrong_setting_is_named_and_no_secret_is() {
    let town = Town::new();
    let folder = &town.house.folder;
    std::fs::write(folder.join("open"), "OpenSesame\n").unwrap();
    std::fs::set_permissions(folder.join("open"), std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    std::fs::write(folder.join("ca.pem"), "nothing\n").unwrap();
    let one = "servers=['redis://127.0.0.1']\n";
    let two = "servers=['redis://127.0.0.1', 'redis://127.0.0.2']\n";
    let secured = "servers=['rediss://127.0.0.1']\n";
    for (settings, word) in [
        (String::new(), "store.servers"),
        ("servers=[]\n".into(), "store.servers"),
        ("servers=['127.0.0.1']\n".into(), "store.servers: write redis://"),
        ("servers=['redis://door:OpenSesame@127.0.0.1']\n".into(), "store.password"),
        (two.into(), "store.sentinel"),
        (format!("{two}sentinel=''\n"), "store.sentinel"),
        (format!("{two}sentinel='a'\ncluster=true\n"), "store.cluster"),
        ("servers=['redis://127.0.0.1/3']\ncluster=true\n".into(), "no database"),
        ("servers=['unix:///run/redis.sock']\nsentinel='a'\n".into(), "not by a socket"),
        (
            "servers=['rediss://127.0.0.1', 'redis://127.0.0.2']\nca='ca.pem'\ncluster=true\n".into(),
            "write all of them rediss://",
        ),
        (
            "servers=['redis://127.0.0.1', 'rediss://127.0.0.2']\nca='ca.pem'\nsentinel='a'\n".into(),
            "write all of them rediss://",
        ),
        (format!("{one}user='door'\n"), "store.user needs store.password"),
        (format!("{one}password='OpenSesame'\n"), "env:NAME"),
        (format!("{one}password='env:JANUA_TEST_NO_SUCH'\n"), "JANUA_TEST_NO_SUCH"),
        (format!("{one}password='file:none'\n"), "there is no password of the store"),
        (format!("{one}password='file:open'\n"), "open to every user"),
        (secured.into(), "store.ca is missing"),
        (format!("{secured}ca='none.pem'\n"), "none.pem: cannot be read"),
        (format!("{secured}ca='ca.pem'\n"), "ca.pem: holds no certificate"),
        (format!("{secured}ca='ca.pem'\nkey='own.key'\n"), "store.certificate and store.key"),
        (format!("{one}ca='ca.pem'\n"), "rediss://"),
        (format!("{one}timeout='5ms'\n"), "store.timeout"),
        (format!("{one}timeout='199ms'\nreplicas=1\n"), "store.timeout must be at least \"200ms\""),
        (format!("{two}sentinel='a'\ntimeout='100ms'\n"), "store.replicas"),
        (format!("{one}timeout='soon'\n"), "is not a span of time"),
        (format!("{one}stale_for='2h'\n"), "store.stale_for"),
        (format!("{one}connections=0\n"), "store.connections"),
        (format!("{one}replicas=17\n"), "store.replicas"),
        (format!("{one}replica=1\n"), "did you mean `replicas`"),
    ] {
        let error = town.build(RING, &format!("kind='redis'\n{settings}"), &town.house.clock).err();
        let error = error.unwrap_or_else(|| panic!("{settings} was taken"));
        assert!(error.contains(word), "{settings}: {error}");
        assert!(!error.contains("OpenSesame"), "{error}");
    }
    for (kind, key) in [("memory", "servers=['redis://127.0.0.1']"), ("shared", "path='state'\ntimeout='1s'")] {
        let error = town.build(RING, &format!("kind='{kind}'\n{key}\n"), &town.house.clock).err().unwrap();
        assert!(error.contains("is for store.kind = \"redis\""), "{error}");
    }
    std::fs::set_permissions(folder.join("open"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    for short in [format!("{one}timeout='10ms'\n"), format!("{two}sentinel='a'\ntimeout='10ms'\nreplicas=0\n")] {
        assert!(town.build(RING, &format!("kind='redis'\n{short}"), &town.house.clock).is_ok(), "{short}");
    }
    let good = format!("kind='redis'\n{one}user='door'\npassword='file:open'\npath='own'\n");
    assert!(town.build(RING, &good, &town.house.clock).is_ok());
    assert!(!folder.join("own").exists(), "building opens nothing");
}
