//! Sessions: their ends, their cookies, and what a log-out ends.

use super::*;
use crate::house::{API_KEY, OTHER_VAULT, Reply};
use janua::base::Reason;
use janua::engine::{Decision, Outcome};
use janua::parse::Body;
use std::sync::atomic::Ordering;

#[test]
fn a_log_out_ends_every_session_that_came_with_it() {
    let house = House::new();
    let site = house.site("mauro");
    let (joe, other) = (mauro_id(&house, &site, JOE), mauro_id(&house, &site, ADMIN));
    let both = format!("JSESSIONID={joe}; JSESSIONID={other}");
    let reply = house.ask(&site, &ask("GET", "/api/authentication/logout").header("Cookie", &both));
    assert_eq!((reply.status, reply.reason), (204, Reason::LoggedOut));
    for id in [joe, other] {
        let reply = house.ask(&site, &folders(&format!("JSESSIONID={id}")));
        assert_eq!(reply.reason, Reason::SessionRevoked, "log-out was answered as done");
    }
}

#[test]
fn a_log_out_without_the_companion_still_ends_the_session_and_still_asks_where_it_comes_from() {
    let house = House::new();
    let site = house.site("mauro");
    let reply = house.login(&site, JOE.0, JOE.1);
    let (id, companion) = (reply.cookie("JSESSIONID").unwrap(), reply.cookie("__Host-janua-mauro").unwrap());
    let both = format!("JSESSIONID={id}; __Host-janua-mauro={companion}");
    assert!(house.ask(&site, &folders(&both)).allowed());
    let logout = ask("GET", "/api/authentication/logout").cookie("JSESSIONID", &id);
    let foreign = house.ask(&site, &logout.clone().header("Sec-Fetch-Site", "cross-site"));
    assert_eq!(foreign.reason, Reason::CrossSite);
    assert!(house.ask(&site, &folders(&both)).allowed(), "another site logs nobody out");
    assert_eq!(house.ask(&site, &logout).status, 204);
    assert_eq!(house.ask(&site, &folders(&both)).reason, Reason::SessionRevoked);
}

#[test]
fn two_sessions_of_different_users_are_told_as_such_even_where_dead_ones_are_ignored() {
    let house = House::new();
    let site = house.site("mfiles");
    let alex = mfiles_session(&house, &site, "");
    let body = r#"{"Username":"Aladdin","Password":"OpenSesame"}"#;
    let other = house.ask(&site, &ask("PUT", "/REST/session").json(body)).cookie("ASP.NET_SessionId").unwrap();
    let both = format!("ASP.NET_SessionId={alex}; ASP.NET_SessionId={other}");
    let reply = house.ask(&site, &ask("GET", "/REST/session/userid").header("Cookie", &both));
    assert_eq!((reply.status, reply.reason), (403, Reason::SessionConflict));
}

#[test]
fn a_session_that_was_logged_out_does_not_live_on_in_a_request_in_flight() {
    let house = House::new();
    house.crowded.store(true, Ordering::Relaxed);
    let site = house.site("mfiles");
    for round in 0..300 {
        let id = mfiles_session(&house, &site, "");
        let logout = ask("DELETE", "/REST/session").cookie("ASP.NET_SessionId", &id);
        let (chosen, ended) = std::thread::scope(|scope| {
            let chosen = scope.spawn(|| house.ask(&site, &choose(&id)));
            let ended = house.ask(&site, &logout);
            (chosen.join().unwrap(), ended)
        });
        let Some(new) = chosen.cookie("ASP.NET_SessionId") else { continue };
        let alive = house.ask(&site, &ask("GET", "/REST/session/userid").cookie("ASP.NET_SessionId", &new));
        assert!(ended.status != 204 || alive.status != 200, "round {round}: log-out was answered as done");
    }
}

#[test]
fn choosing_a_tenant_moves_no_absolute_end_and_keeps_what_the_session_keeps() {
    let house = House::with("[session]\nidle='50m'\nabsolute='1h'\n");
    let site = house.site("mfiles");
    let login = r#"{"Username":"AlexK","Password":"My Password"}"#;
    let login = ask("PUT", "/REST/session").header("X-ComputerName", "PC-17").json(login);
    let id = house.ask(&site, &login).cookie("ASP.NET_SessionId").unwrap();
    house.clock.advance(2_400);
    let id = house.ask(&site, &choose(&id)).cookie("ASP.NET_SessionId").unwrap();
    let views = ask("GET", "/REST/views").cookie("ASP.NET_SessionId", &id);
    house.clock.advance(1_199);
    let reply = house.ask(&site, &views);
    assert!(reply.allowed(), "3599 s after the log-in");
    assert_eq!(reply.inward("X-Extra-computer"), Some("PC-17"));
    house.clock.advance(1);
    assert_eq!(house.ask(&site, &views).status, 403);
    assert_eq!(house.told().last().unwrap().reason, Reason::Missing, "a dead session is a new visitor");
}

#[test]
fn a_new_session_id_goes_out_over_tls_only() {
    let house = House::new();
    let site = house.site("mfiles");
    let id = mfiles_session(&house, &site, "");
    let reply = house.ask(&site, &choose(&id).open_line());
    assert_eq!(reply.reason, Reason::NeedsTls);
    assert!(reply.cookie("ASP.NET_SessionId").is_none());
    assert_eq!(house.ask(&site, &choose(&id)).status, 200, "and nothing has changed");
}

#[test]
fn a_session_leaves_the_tenant_that_its_user_has_left() {
    let house = House::new();
    let site = house.site("mfiles");
    let id = mfiles_session(&house, &site, &format!(r#","VaultGuid":"{VAULT}""#));
    let views = ask("GET", "/REST/views").cookie("ASP.NET_SessionId", &id);
    assert_eq!(house.ask(&site, &views).tenant, VAULT);
    edit_users(&house, &format!("tenants = [\"{VAULT}\"]"), &format!("tenants = [\"{OTHER_VAULT}\"]"));
    assert_eq!(house.ask(&site, &views).reason, Reason::WrongTenant);
    let named = views.clone().header("X-Vault", VAULT);
    assert_eq!(house.ask(&site, &named).reason, Reason::WrongTenant);
    let held = &mut janua::engine::Held::default();
    assert_eq!(site.session_check(id.as_bytes(), false, held), Err(Reason::WrongTenant));
    assert!(house.ask(&site, &views.header("X-Vault", OTHER_VAULT)).allowed(), "the other one is open");
}

#[test]
fn a_session_is_no_log_in() {
    let house = House::with("[session]\nidle='50m'\nabsolute='1h'\n");
    let site = graded(&house, false);
    let id = house.ask(&site, &basic(ask("POST", "/login"), JOE)).cookie("sid").unwrap();
    let again = house.ask(&site, &ask("POST", "/login").cookie("sid", &id));
    assert_eq!(again.reason, Reason::Missing, "or it would never end");
    let again = house.ask(&site, &basic(ask("POST", "/login").cookie("sid", &id), JOE));
    assert_eq!((again.status, again.reason), (204, Reason::LoggedIn));
    assert_eq!(house.ask(&site, &ask("GET", "/x").cookie("sid", &id)).reason, Reason::SessionRevoked);
}

#[test]
fn a_script_that_keeps_no_cookie_puts_nobody_out() {
    let house = House::new();
    let site = house.site("mauro");
    let browser = mauro_id(&house, &site, JOE);
    for _ in 0..120 {
        assert!(house.ask(&site, &ask("GET", "/api/folders").header("apiKey", API_KEY)).allowed());
    }
    assert!(house.ask(&site, &folders(&format!("JSESSIONID={browser}"))).allowed());
    assert!(house.engine.session_count() <= 50, "and the cap holds");
}

#[test]
fn only_the_proof_that_keeps_keeps() {
    let house = House::new();
    let site = graded(&house, false);
    let reply = house.ask(&site, &basic(ask("GET", "/x"), JOE));
    assert!(reply.allowed() && reply.cookie("sid").is_none(), "{reply:?}");
    let pair = ask("GET", "/x").header("X-Username", JOE.0).header("X-Password", JOE.1);
    assert!(house.ask(&site, &pair).cookie("sid").is_some());
}

#[test]
fn a_cookie_is_cleared_with_the_attributes_it_was_set_with() {
    let house = House::new();
    let site = house.site("mauro");
    let set = house.login(&site, JOE.0, JOE.1);
    let id = set.cookie("JSESSIONID").unwrap();
    let cleared = house.ask(&site, &ask("GET", "/api/authentication/logout").cookie("JSESSIONID", &id));
    let attributes = |reply: &Reply| -> Vec<Vec<String>> {
        let cookies = reply.headers.iter().filter(|(name, _)| name == "Set-Cookie");
        let part = |text: &str| text.trim().to_owned();
        cookies.map(|(_, value)| value.split(';').skip(1).map(part).collect()).collect()
    };
    let end = ["Max-Age=0".to_owned(), "Expires=Thu, 01 Jan 1970 00:00:00 GMT".to_owned()];
    let expected: Vec<_> = attributes(&set).into_iter().map(|all| [all, end.to_vec()].concat()).collect();
    assert_eq!(attributes(&cleared), expected);
    assert_eq!(expected.len(), 2);
}

#[test]
fn an_extra_value_goes_inward_once() {
    let house = House::new();
    let site = graded(&house, false);
    let kept = house.ask(
        &site,
        &ask("GET", "/x").header("X-Username", JOE.0).header("X-Password", JOE.1).header("X-Computer", "one"),
    );
    let id = kept.cookie("sid").unwrap();
    let named = |reply: Reply| -> Vec<String> {
        reply.inward.into_iter().filter(|(name, _)| name == "X-Extra-computer").map(|(_, value)| value).collect()
    };
    assert_eq!(named(kept), ["one"]);
    assert_eq!(named(house.ask(&site, &ask("GET", "/x").cookie("sid", &id))), ["one"]);
    let two = ask("GET", "/x").cookie("sid", &id).header("X-Computer", "two");
    assert_eq!(named(house.ask(&site, &two)), ["two"], "the request's own wins");
    let hop = ask("GET", "/x").cookie("sid", &id).header("Connection", "x-extra-computer");
    assert_eq!(house.ask(&site, &hop).reason, Reason::ConnectionHeader);
}

#[test]
fn an_announced_wait_has_noted_no_companion() {
    let house = House::new();
    let site = house.site("mauro");
    let reply = house.login(&site, JOE.0, JOE.1);
    let (id, companion) = (reply.cookie("JSESSIONID").unwrap(), reply.cookie("__Host-janua-mauro").unwrap());
    let both = format!("JSESSIONID={id}; __Host-janua-mauro={companion}");
    let mut out = Decision::new();
    let logout = ask("GET", "/api/authentication/logout").header("Cookie", &both);
    crate::house::decide(&site, &logout, Body::NotRead, true, &mut out);
    assert_eq!(out.outcome(), Outcome::WouldBlock);
    assert!(house.ask(&site, &folders(&format!("JSESSIONID={id}"))).allowed(), "as if it had not been asked");
    assert!(house.ask(&site, &folders(&both)).allowed());
    assert_eq!(house.ask(&site, &folders(&format!("JSESSIONID={id}"))).reason, Reason::CompanionMissing);
}

#[test]
fn what_the_users_file_ended_stays_ended_in_a_process_that_starts_later() {
    let house = House::new();
    let users = house.folder.join("users.toml");
    let keys = house.folder.join("keys.toml");
    janua::crypto::keyring::Keyring::create(&keys, 0, None).unwrap();
    let start = || {
        let mut config = janua::engine::Config::new();
        let text =
            "[engine]\nsite = 'data.example.org'\n[keyring]\npath = 'keys.toml'\n[directory]\nusers = 'users.toml'\n";
        config.read_text("janua.toml", text, &house.folder).unwrap();
        let engine = janua::engine::Engine::build(config).unwrap();
        engine.attach().unwrap();
        let site = engine.site(Some("mfiles"), None, false).unwrap();
        (engine, site)
    };
    let held = &mut janua::engine::Held::default();
    let good = |site: &Site, token: &str, held: &mut _| site.token_check("access", token.as_bytes(), held).is_ok();
    let joe = "0b97751d-b6bf-476c-a9e6-95d3352e8008";
    let (first, site) = start();
    let old = site.token_issue("access", joe, "", "", 0).unwrap();
    edit::log_out(&users, JOE.0).unwrap();
    let early = site.token_issue("access", joe, "", "", 0).unwrap();
    assert!(good(&site, &old, held), "maintenance has not seen it");
    first.maintain(std::time::Duration::from_millis(1)).unwrap();
    assert!(!good(&site, &old, held) && !good(&site, &early, held));
    let new = site.token_issue("access", joe, "", "", 0).unwrap();

    let (_second, site) = start();
    assert!(!good(&site, &old, held) && !good(&site, &early, held), "a restart brings nothing back");
    assert!(good(&site, &new, held), "and ends nothing");
    let newest = site.token_issue("access", joe, "", "", 0).unwrap();
    assert!(good(&site, &newest, held));
    let cheap = Policy { argon2_memory_kib: 8, argon2_passes: 1, argon2_lanes: 1, ..Policy::default() };
    let hash = Hasher::new(cheap).unwrap().hash(b"Abracadabra").unwrap();
    edit::set_password(&users, JOE.0, hash.into()).unwrap();
    let (_third, site) = start();
    assert!([&old, &new, &newest].iter().all(|token| !good(&site, token, held)), "changed while nothing ran");
}

#[test]
fn a_log_is_shown_no_session_id_of_the_path() {
    let house = House::new();
    let id = mauro_id(&house, &house.site("mauro"), JOE);
    for (prefix, text) in [(None, ""), (Some("/data"), "/data")] {
        let site = house.engine.site(Some("mauro"), prefix, false).unwrap();
        let mut out = Decision::new();
        for target in [format!("{text}/api/session/isAuthenticated/{id}"), format!("{text}/api/folders")] {
            crate::house::decide(&site, &ask("GET", &target), Body::Given(b""), false, &mut out);
            assert_eq!(out.path(), target.as_bytes());
            assert_eq!(out.log_path(), target.replace(&id, "{id}").as_bytes());
        }
    }
}
