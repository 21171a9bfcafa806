//! Proofs and needs: who is let in where, by what, and what a refusal leaves as it was.

use super::*;
use crate::house::API_KEY;
use janua::base::Reason;
use janua::engine::{Decision, EventKind, Outcome};
use janua::parse::Body;
use std::sync::atomic::{AtomicU32, Ordering};

#[test]
fn a_token_is_issued_only_to_whom_the_endpoint_needs() {
    let house = House::new();
    let site = graded(&house, false);
    let issue = |(user, password): (&str, &str)| {
        house.ask(&site, &ask("POST", "/token").json(&format!(r#"{{"user":"{user}","password":"{password}"}}"#)))
    };
    assert_eq!(issue(JOE).reason, Reason::Forbidden);
    assert_eq!(issue(ADMIN).reason, Reason::LoggedIn);
}

#[test]
fn a_one_time_password_is_used_up_by_a_log_in_and_by_no_refusal() {
    let house = House::new();
    let site = house.site("mauro");
    give_once(&house, "once");
    let other = mauro_id(&house, &site, ADMIN);
    let body = format!(r#"{{"username":"{}","password":"once"}}"#, JOE.0);
    let login = ask("POST", "/api/authentication/login").json(&body);
    assert_eq!(house.ask(&site, &login.clone().cookie("JSESSIONID", &other)).reason, Reason::Occupied);
    assert_eq!(house.ask(&site, &ask("POST", "/api/admin/activeSessions").json(&body)).reason, Reason::Forbidden);
    let reply = house.ask(&site, &login);
    assert_eq!((reply.status, reply.json()["needsToResetPassword"].as_bool()), (200, Some(true)));
    assert_eq!(house.ask(&site, &login).reason, Reason::WrongPassword);
}

#[test]
fn a_one_time_password_opens_once_however_many_come_at_once() {
    let house = House::new();
    house.crowded.store(true, Ordering::Relaxed);
    let (mauro, site) = (house.site("mauro"), graded(&house, false));
    give_once(&house, "once");
    let opened = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for turn in 0..8 {
            let (house, mauro, site, opened) = (&house, &mauro, &site, &opened);
            scope.spawn(move || {
                let ok = match turn % 2 {
                    0 => house.login(mauro, JOE.0, "once").status == 200,
                    _ => house.ask(site, &basic(ask("GET", "/x"), (JOE.0, "once"))).allowed(),
                };
                opened.fetch_add(u32::from(ok), Ordering::SeqCst);
            });
        }
    });
    assert_eq!(opened.into_inner(), 1);
}

#[test]
fn a_token_made_from_a_token_ends_with_it() {
    let house = House::new();
    let site = house.site("mfiles");
    let first = mfiles_token(&house, &site, r#","Expiration":"2026-01-01T00:10:00Z""#);
    let with = |path: &str, token: &str| house.ask(&site, &ask("GET", path).header("X-Authentication", token));
    let second = with("/REST/session/authenticationtoken", &first).json()["Value"].as_str().unwrap().to_owned();
    let third = with("/REST/server/vaults", &first).json()[0]["Authentication"].as_str().unwrap().to_owned();
    house.clock.advance(599);
    assert!([&first, &second, &third].iter().all(|token| with("/REST/views", token).allowed()));
    house.clock.advance(1);
    for token in [&first, &second, &third] {
        assert_eq!(with("/REST/views", token).reason, Reason::TokenExpired);
    }
}

#[test]
fn a_token_made_from_a_token_is_logged_out_with_it() {
    let house = House::new();
    let site = house.site("mfiles");
    let first = mfiles_token(&house, &site, r#","SessionID":"1""#);
    let with =
        |method: &str, path: &str, token: &str| house.ask(&site, &ask(method, path).header("X-Authentication", token));
    let second = with("GET", "/REST/session/authenticationtoken", &first).json()["Value"].as_str().unwrap().to_owned();
    let third = with("GET", "/REST/server/vaults", &first).json()[0]["Authentication"].as_str().unwrap().to_owned();
    assert!([&second, &third].iter().all(|token| with("GET", "/REST/views", token).allowed()));
    assert_eq!(with("DELETE", "/REST/session", &first).status, 204);
    for token in [&first, &second, &third] {
        assert_eq!(with("GET", "/REST/views", token).reason, Reason::TokenRevoked);
    }
}

#[test]
fn an_optional_log_in_opens_no_place_that_needs_a_role() {
    let house = House::new();
    let site = graded(&house, true);
    assert!(house.ask(&site, &ask("GET", "/x")).allowed());
    assert_eq!(house.ask(&site, &ask("GET", "/admin/x")).reason, Reason::Missing);
    assert_eq!(house.ask(&site, &basic(ask("GET", "/admin/x"), JOE)).reason, Reason::Forbidden);
    assert!(house.ask(&site, &basic(ask("GET", "/admin/x"), ADMIN)).allowed());
}

#[test]
fn a_path_that_others_may_read_otherwise_opens_no_more_than_all_of_it_needs() {
    let house = House::new();
    let site = graded(&house, false);
    for path in ["/open/..;/admin/x", "/open/%2e%2e%2fadmin/x", "/open%2fadmin", "/x\\..\\admin"] {
        let reply = house.ask(&site, &basic(ask("GET", path), JOE));
        assert_eq!(reply.reason, Reason::PathAmbiguous, "{path}");
    }
    let admin = house.ask(&site, &basic(ask("GET", "/open/..;/admin/x"), ADMIN));
    assert!(admin.allowed(), "who may see all of it sees it: {admin:?}");
    assert!(
        house.ask(&house.site("mfiles"), &ask("GET", "/REST/views%2fx").header("X-Authentication", "x")).status == 403
    );
}

#[test]
fn pending_users_are_let_in_by_no_route() {
    let house = House::new();
    let (mauro, site) = (house.site("mauro"), graded(&house, false));
    let id = mauro_id(&house, &mauro, JOE);
    let pair = basic(ask("GET", "/x"), JOE);
    assert!(house.ask(&site, &pair).allowed());
    let token = site.token_issue("access", "0b97751d-b6bf-476c-a9e6-95d3352e8008", "", "", 0).unwrap();
    edit_users(&house, "name = \"joe.bloggs@test.com\"", "name = \"joe.bloggs@test.com\"\npending = true");
    let held = &mut janua::engine::Held::default();
    assert!(!house.ask(&mauro, &folders(&format!("JSESSIONID={id}"))).allowed());
    assert_eq!(house.ask(&site, &pair).reason, Reason::Pending);
    assert!(mauro.session_check(id.as_bytes(), false, held).is_err());
    assert!(site.token_check("access", token.as_bytes(), held).is_err());
    let key = house.ask(&mauro, &ask("GET", "/api/folders").header("apiKey", API_KEY));
    assert_eq!((key.allowed(), key.principal.as_str()), (true, ""), "anonymous");
}

#[test]
fn nothing_outlives_the_memory_of_its_revocation() {
    let house = House::with("[token]\nlifetime='500d'\n");
    let error = house.engine.site(Some("mfiles"), None, false).err().unwrap();
    assert!(error.message.contains("token.lifetime"), "{}", error.message);
    assert!(House::with("[token]\nlifetime='400d'\n").engine.site(Some("mfiles"), None, false).is_ok());
}

#[test]
fn a_name_refused_without_a_look_is_told_as_a_digest_too() {
    let house = House::new();
    let site = graded(&house, false);
    for turn in 0..7 {
        house.ask(&site, &basic(ask("GET", "/x"), (JOE.0, &format!("wrong {turn}"))));
    }
    let told = house.told();
    assert_eq!(told.last().unwrap().reason, Reason::Throttled);
    let names: std::collections::BTreeSet<_> = told.iter().map(|t| t.principal.as_str()).collect();
    assert!(names.len() == 1 && names.iter().all(|name| name.starts_with('~')), "{names:?}");
}

#[test]
fn an_alarm_is_raised_when_it_begins_and_not_every_second() {
    let house = House::new();
    house.clock.step_wall(7_200);
    for _ in 0..5 {
        house.engine.maintain(std::time::Duration::from_millis(1)).unwrap();
    }
    assert_eq!(house.told().iter().filter(|t| t.kind == EventKind::Alarm).count(), 1);
    house.clock.step_wall(-7_200);
    house.engine.maintain(std::time::Duration::from_millis(1)).unwrap();
    house.clock.step_wall(7_200);
    house.engine.maintain(std::time::Duration::from_millis(1)).unwrap();
    assert_eq!(house.told().iter().filter(|t| t.kind == EventKind::Alarm).count(), 2, "another jump");
}

#[test]
fn the_hash_of_a_disabled_user_is_not_renewed() {
    let cost = "[password]\nmemory_kib = 128\npasses = 1\nlanes = 1\nplaces = 4\nwait = '10s'\n";
    let house = House::with(cost);
    let site = house.site("mauro");
    let text = || std::fs::read_to_string(house.folder.join("users.toml")).unwrap();
    let before = text();
    assert_eq!(house.login(&site, "gone@test.com", "pa55w0rd").reason, Reason::Disabled);
    assert_eq!(text(), before, "it would tell by its time that the password was right");
    assert_eq!(house.login(&site, JOE.0, JOE.1).status, 200);
    assert_ne!(text(), before, "others' are");
}

#[test]
fn a_body_beyond_the_limit_is_not_looked_at_even_when_it_is_given() {
    let house = House::with("");
    let site = house.site("mauro");
    let long = format!(r#"{{"username":"{}","password":"{}","x":"{}"}}"#, JOE.0, JOE.1, "y".repeat(70_000));
    let mut out = Decision::new();
    crate::house::decide(
        &site,
        &ask("POST", "/api/authentication/login"),
        Body::Given(long.as_bytes()),
        true,
        &mut out,
    );
    assert_eq!((out.outcome(), out.reason()), (Outcome::Answer, Reason::TooLarge));
}

#[test]
fn what_is_written_anew_for_those_inside_holds_no_control_character() {
    let house = House::new();
    let site = house.site("mauro");
    let id = mauro_id(&house, &site, JOE);
    for bad in ["\0 b=2", "b=\x1f", "b=2\r\nX-User: admin@test.com", "b=\x7f"] {
        let reply = house.ask(&site, &folders(&format!("a=1; JSESSIONID={id}; {bad}; c=3")));
        assert_eq!((reply.allowed(), reply.inward("Cookie")), (true, Some("a=1; c=3")), "{bad:?}");
    }
}
