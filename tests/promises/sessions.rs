//! Sessions: where they go, when they end, and who ends them.

use super::*;

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
    let id = mfiles_session(&house, &site, "");
    house.clock.advance(2_400);
    let id = house.ask(&site, &choose(&id)).cookie("ASP.NET_SessionId").unwrap();
    let views = ask("GET", "/REST/views").cookie("ASP.NET_SessionId", &id);
    house.clock.advance(1_199);
    assert!(house.ask(&site, &views).allowed(), "3599 s after the log-in");
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
