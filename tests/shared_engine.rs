//! Whole engines over the shared store: what one makes another knows, a restart logs nobody out, and a store that does
//! not answer is no "no".

#![cfg(all(unix, feature = "shared"))]

mod house;

use house::{Ask, House, ask, decide};
use janua::base::Reason;
use janua::engine::{Config, Decision, Engine, Outcome, Site};
use janua::parse::Body;
use std::sync::Arc;
use std::time::Duration;

const SHARED: &str = "[store]\nkind = 'shared'\npath = 'state'\n";

fn folders(id: &str) -> Ask {
    ask("GET", "/api/folders").cookie("JSESSIONID", id)
}

fn logout(id: &str) -> Ask {
    ask("POST", "/api/authentication/logout").cookie("JSESSIONID", id)
}

/// Another engine of the same configuration.
fn another(house: &House) -> Arc<Site> {
    let mut config = Config::new();
    let text = format!(
        "[engine]\nsite='data.example.org'\n[keyring]\npath='ephemeral'\n[directory]\nusers='users.toml'\n{}{SHARED}",
        house::CHEAP
    );
    config.read_text("janua.toml", &text, &house.folder).unwrap();
    config.set_clock(house.clock.clone());
    let engine = Engine::build(config).unwrap();
    engine.check_workers(64).unwrap();
    engine.attach().unwrap();
    engine.site(Some("mauro"), None, false).unwrap()
}

#[test]
fn a_session_of_one_engine_is_known_to_the_next_and_outlives_both() {
    let mut house = House::with(SHARED);
    let here = house.site("mauro");
    let there = another(&house);
    let id = house.login(&here, "joe.bloggs@test.com", "pa55w0rd").cookie("JSESSIONID").unwrap();
    assert!(house.ask(&there, &folders(&id)).allowed(), "no sticky cookie needed");
    let gone = house.login(&there, "Aladdin", "OpenSesame").cookie("JSESSIONID").unwrap();
    assert!(house.ask(&here, &folders(&gone)).allowed());
    assert_eq!(house.ask(&here, &logout(&gone)).status, 204);
    assert_eq!(house.ask(&there, &folders(&gone)).reason, Reason::SessionRevoked);
    let last = another(&house);
    house.engine = last.engine().clone();
    drop((here, there, last));
    house.engine = House::new().engine.clone();
    let again = another(&house);
    assert!(house.ask(&again, &folders(&id)).allowed(), "a restart logs nobody out");
    assert_eq!(house.ask(&again, &folders(&gone)).reason, Reason::SessionRevoked, "nor anybody in");
}

#[test]
fn a_fast_check_leaves_the_use_to_maintenance_and_says_so() {
    let house = House::with(SHARED);
    let site = house.site("mauro");
    let id = house.login(&site, "joe.bloggs@test.com", "pa55w0rd").cookie("JSESSIONID").unwrap();
    let mut out = Decision::new();
    let mut fast = || {
        decide(&site, &folders(&id), Body::NotRead, true, &mut out);
        (out.outcome(), out.wants_maintenance())
    };
    assert_eq!(fast(), (Outcome::Allow, false), "nothing is due");
    house.clock.advance(100);
    assert_eq!(fast(), (Outcome::Allow, true));
    assert_eq!(fast(), (Outcome::Allow, false), "noted once");
    house.engine.maintain(Duration::from_millis(1)).unwrap();
    for _ in 0..20 {
        house.clock.advance(300);
        assert_eq!(fast(), (Outcome::Allow, true), "in use");
        house.engine.maintain(Duration::from_millis(1)).unwrap();
    }
}

#[test]
fn a_store_that_does_not_answer_clears_no_cookie_mints_nothing_and_answers_no_log_out_as_done() {
    let house = House::with(SHARED);
    let site = house.site("mauro");
    let id = house.login(&site, "joe.bloggs@test.com", "pa55w0rd").cookie("JSESSIONID").unwrap();
    std::fs::rename(house.folder.join("state/sessions"), house.folder.join("away")).unwrap();
    let error = house.engine.maintain(Duration::from_millis(1)).unwrap_err();
    assert!(error.message.contains("moved away or replaced"), "{}", error.message);
    let login = house.login(&site, "Aladdin", "OpenSesame");
    for reply in [house.ask(&site, &folders(&id)), house.ask(&site, &logout(&id)), login] {
        assert_eq!((reply.status, reply.reason), (503, Reason::StoreUnavailable));
        assert!(reply.headers.iter().all(|(name, _)| name != "Set-Cookie"), "{reply:?}");
    }
    std::fs::rename(house.folder.join("away"), house.folder.join("state/sessions")).unwrap();
    let error = house.engine.maintain(Duration::from_millis(1)).unwrap_err();
    assert!(error.message.contains("restart"), "what was replaced once is not trusted again: {}", error.message);
}

#[test]
fn pages_that_cannot_be_shared_are_told_and_each_process_keeps_its_own_limits() {
    let house = House::with(SHARED);
    let state = house.folder.join("state");
    let names = || std::fs::read_dir(&state).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let counts = names().find(|name| name.starts_with("counts-")).expect("made when the process attached");
    for page in [counts.as_str(), "permits"] {
        std::fs::remove_file(state.join(page)).unwrap();
        std::fs::create_dir(state.join(page)).unwrap();
    }
    let site = another(&house);
    let engine = site.engine();
    for page in [counts.as_str(), "permits"] {
        let error = engine.maintain(Duration::from_millis(1)).unwrap_err();
        let told = format!("{}: cannot be shared: ", state.canonicalize().unwrap().join(page).display());
        assert!(error.message.starts_with(&told), "{}", error.message);
        if page == counts {
            for _ in 0..20 {
                assert_eq!(house.login(&site, "Aladdin", "wrong").status, 401);
            }
            assert_eq!((engine.count(Reason::WrongPassword), engine.count(Reason::Throttled)), (5, 15));
            assert_eq!(house.login(&site, "joe.bloggs@test.com", "pa55w0rd").status, 200);
        }
        std::fs::remove_dir(state.join(page)).unwrap();
    }
    engine.maintain(Duration::from_millis(1)).unwrap();
    assert_eq!(names().filter(|name| *name == counts || name == "permits").count(), 2, "and shared once they can be");
}
