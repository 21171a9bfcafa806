//! Tokens: the extra values they keep, and the session they were made from.

use super::*;
use crate::house::Reply;
use janua::base::Reason;
use janua::engine::Held;

/// A profile in which tokens are made from sessions and tokens, and sessions from tokens.
const KIN: &str = r#"
name = "kin"
[session]
alphabet = "0-9A-F"
length   = 32
idle     = "30m"
absolute = "12h"
cookie   = "sid; Path=/; HttpOnly"
[token]
lifetime = "30d"
[proof.session]
kind = "session"
at   = ["cookie:sid"]
[proof.token]
kind = "token"
at   = ["auth:Bearer"]
[[endpoint]]
name  = "token"
match = ["POST /token"]
do    = "issue-token"
need  = "none"
read  = { user = ["json:/user"], password = ["json:/password"] }
extra = { computer = "json:/computer", note = "json:/note" }
ok    = { status = 200, type = "application/json", body = '{"Value":{{ token }}}' }
[[endpoint]]
name  = "more"
match = ["GET /more"]
do    = "issue-token"
proof = ["session", "token"]
read  = { session = ["query:chosen"] }
extra = { note = "query:note" }
ok    = { status = 200, type = "application/json", body = '{"Value":{{ token }}}' }
[[endpoint]]
name  = "login"
match = ["POST /login"]
do    = "login"
proof = ["token"]
ok    = { status = 204 }
[[endpoint]]
name  = "logout"
match = ["POST /logout"]
do    = "logout"
proof = ["session", "token"]
ok    = { status = 204 }
[[endpoint]]
name  = "rest"
match = ["* /**"]
proof = ["session", "token"]
extra = { computer = "header:X-Computer" }
"#;

fn kin(house: &House) -> Arc<Site> {
    let path = house.folder.join("kin.toml");
    std::fs::write(&path, KIN).unwrap();
    house.engine.site(path.to_str(), None, false).unwrap()
}

fn kin_token(house: &House, site: &Site, more: &str) -> String {
    let body = format!(r#"{{"user":"AlexK","password":"My Password"{more}}}"#);
    value(&house.ask(site, &ask("POST", "/token").json(&body)))
}

fn value(reply: &Reply) -> String {
    reply.json()["Value"].as_str().unwrap_or_else(|| panic!("{reply:?}")).to_owned()
}

fn bearer(request: Ask, token: &str) -> Ask {
    request.header("Authorization", &format!("Bearer {token}"))
}

fn views(token: &str) -> Ask {
    ask("GET", "/REST/views").header("X-Authentication", token)
}

fn by_cookie(method: &str, path: &str, id: &str) -> Ask {
    ask(method, path).cookie("ASP.NET_SessionId", id)
}

/// The extra values that go inward, in order of their names.
fn extra(reply: &Reply) -> Vec<(&str, &str)> {
    assert!(reply.allowed(), "{reply:?}");
    let all = reply.inward.iter().filter(|(name, _)| name.starts_with("X-Extra-"));
    let mut all: Vec<_> = all.map(|(name, value)| (&name["X-Extra-".len()..], value.as_str())).collect();
    all.sort_unstable();
    all
}

#[test]
fn a_token_keeps_what_its_log_in_said() {
    let house = House::new();
    let site = house.site("mfiles");
    let token = mfiles_token(&house, &site, r#","ComputerName":"PC-17 \u00e4","ReadOnly":true"#);
    assert_eq!(extra(&house.ask(&site, &views(&token))), [("computer", "PC-17 ä"), ("read-only", "true")]);
    let own = house.ask(&site, &views(&token).header("X-ComputerName", "PC-18"));
    assert_eq!(extra(&own), [("computer", "PC-18"), ("read-only", "true")], "the request's own wins, once");
    let forged = house.ask(&site, &views(&token).header("X-Extra-read-only", "false"));
    assert_eq!(extra(&forged), [("computer", "PC-17 ä"), ("read-only", "true")]);
    assert!(site.strip_list().iter().any(|name| name == "x_extra_read_only"), "and the host takes that one off");
    let none = mfiles_token(&house, &site, r#","ComputerName":null"#);
    assert_eq!(none.len(), 199);
    assert_eq!(extra(&house.ask(&site, &views(&none))), []);
}

#[test]
fn tokens_made_from_tokens_and_sessions_keep_what_those_kept() {
    let house = House::new();
    let site = house.site("mfiles");
    let both = [("computer", "PC-17"), ("read-only", "true")];
    let token = mfiles_token(&house, &site, r#","ComputerName":"PC-17","ReadOnly":true"#);
    let more = ask("GET", "/REST/session/authenticationtoken").header("X-Authentication", &token);
    let child = value(&house.ask(&site, &more));
    assert_eq!(extra(&house.ask(&site, &views(&child))), both);
    let listed = house.ask(&site, &ask("GET", "/REST/session/vaults").header("X-Authentication", &child)).json();
    assert_eq!(extra(&house.ask(&site, &views(listed[0]["Authentication"].as_str().unwrap()))), both);
    let login = ask("PUT", "/REST/session").header("X-ComputerName", "PC-19");
    let login = house.ask(&site, &login.json(r#"{"Username":"AlexK","Password":"My Password"}"#));
    let shown = login.json()[0]["Authentication"].as_str().unwrap().to_owned();
    assert_eq!(extra(&house.ask(&site, &views(&shown))), [("computer", "PC-19")]);
    let id = login.cookie("ASP.NET_SessionId").unwrap();
    let child = value(&house.ask(&site, &by_cookie("GET", "/REST/session/authenticationtoken", &id)));
    assert_eq!(extra(&house.ask(&site, &views(&child))), [("computer", "PC-19")]);

    let site = kin(&house);
    let token = kin_token(&house, &site, r#","computer":"PC-20","note":"first""#);
    let id = house.ask(&site, &bearer(ask("POST", "/login"), &token)).cookie("sid").unwrap();
    let kept = [("computer", "PC-20"), ("note", "first")];
    assert_eq!(extra(&house.ask(&site, &ask("GET", "/x").cookie("sid", &id))), kept, "a session made from a token");
    let child = value(&house.ask(&site, &bearer(ask("GET", "/more?note=second"), &token)));
    let said = house.ask(&site, &bearer(ask("GET", "/x"), &child));
    assert_eq!(extra(&said), [("computer", "PC-20"), ("note", "second")], "the newer word wins");
}

#[test]
fn what_the_profile_no_longer_names_stays_in_the_token() {
    let house = House::new();
    let token = kin_token(&house, &kin(&house), r#","computer":"PC-20","note":"first""#);
    let path = house.folder.join("kin.toml");
    let other = KIN.replace("note = \"json:/note\"", "hint = \"json:/note\"").replace("note = \"query:note\"", "");
    std::fs::write(&path, other).unwrap();
    let site = house.engine.site(path.to_str(), None, false).unwrap();
    let reply = house.ask(&site, &bearer(ask("GET", "/x"), &token));
    assert_eq!(extra(&reply), [("computer", "PC-20")], "nothing would strip the other from a request");
}

#[test]
fn neither_the_length_of_a_token_nor_its_refusal_tells_a_decoy() {
    let house = House::new();
    let site = house.site("mfiles");
    let issue = |user: &str, password: &str, computer: usize, from: &str| {
        let name = "x".repeat(computer);
        let body = format!(r#"{{"Username":"{user}","Password":"{password}","ComputerName":"{name}"}}"#);
        let reply = house.ask(&site, &ask("POST", TOKENS).from(from).json(&body));
        let length = reply.json()["Value"].as_str().map(str::len);
        (reply.status, length)
    };
    // `computer` and its lengths take 11 bytes of the 94 and 350 that there are.
    let edges = [0, 1, 82, 83, 84, 85, 338, 339, 340, 341, 1024, 1025];
    let mut lengths = std::collections::BTreeSet::new();
    for (place, computer) in (2..360).step_by(13).chain(edges).enumerate() {
        let from = format!("198.51.100.{place}");
        let real = issue("AlexK", "My Password", computer, "203.0.113.7");
        assert_eq!(issue("AlexK", "wrong", computer, &from), real, "{computer}: a wrong password");
        assert_eq!(issue("nobody", "wrong", computer, &from), real, "{computer}: nobody");
        assert_eq!(issue("gone@test.com", "pa55w0rd", computer, &from), real, "{computer}: disabled");
        lengths.insert((computer, real));
    }
    let of = |computer: usize| lengths.iter().find(|(known, _)| *known == computer).unwrap().1;
    assert_eq!([of(0), of(1), of(83)], [(200, Some(199)), (200, Some(327)), (200, Some(327))]);
    assert_eq!([of(84), of(339)], [(200, Some(668)); 2]);
    assert_eq!([of(340), of(1025)], [(400, None); 2]);
}

#[test]
fn an_id_of_more_than_53_bytes_makes_larger_tokens_and_leaves_less_room() {
    let house = House::new();
    let site = house.site("mfiles");
    let id = "n".repeat(60);
    edit_users(&house, "6f0e0d7a-6b0b-4a39-9d7e-0f3c5b6a7c81", &id);
    assert_eq!(mfiles_token(&house, &site, "").len(), 327);
    let computer = |length: usize| format!(r#","ComputerName":"{}""#, "x".repeat(length));
    let token = mfiles_token(&house, &site, &computer(332));
    assert_eq!(token.len(), 668);
    assert_eq!(extra(&house.ask(&site, &views(&token)))[0].1.len(), 332);
    let body = format!(r#"{{"Username":"AlexK","Password":"My Password"{}}}"#, computer(333));
    let reply = house.ask(&site, &ask("POST", TOKENS).json(&body));
    assert_eq!((reply.status, reply.reason), (400, Reason::TooLarge));
}

#[test]
fn a_session_takes_in_no_more_than_its_tokens_can_keep() {
    let house = House::new();
    let site = house.site("mfiles");
    let login = |computer: usize| {
        let login = ask("PUT", "/REST/session").header("X-ComputerName", &"x".repeat(computer));
        house.ask(&site, &login.json(r#"{"Username":"AlexK","Password":"My Password"}"#))
    };
    let reply = login(340);
    assert_eq!((reply.status, reply.reason), (400, Reason::TooLarge));
    assert!(reply.cookie("ASP.NET_SessionId").is_none() && house.engine.session_count() == 0);
    let id = login(339).cookie("ASP.NET_SessionId").unwrap();
    let child = value(&house.ask(&site, &by_cookie("GET", "/REST/session/authenticationtoken", &id)));
    assert_eq!(child.len(), 668);
}

/// A session and what was made from it, step by step: a token shown at the log-in, one by the cookie, one by that.
fn family(house: &House, site: &Site) -> (String, Vec<String>) {
    let login = ask("PUT", "/REST/session").json(r#"{"Username":"AlexK","Password":"My Password"}"#);
    let login = house.ask(site, &login);
    let id = login.cookie("ASP.NET_SessionId").unwrap();
    let shown = login.json()[0]["Authentication"].as_str().unwrap().to_owned();
    let path = "/REST/session/authenticationtoken";
    let child = value(&house.ask(site, &by_cookie("GET", path, &id)));
    let grandchild = value(&house.ask(site, &ask("GET", path).header("X-Authentication", &child)));
    (id, vec![shown, child, grandchild])
}

fn lives(house: &House, site: &Site, token: &str) -> bool {
    let reply = house.ask(site, &views(token).header("X-Vault", VAULT));
    assert!(reply.allowed() || reply.reason == Reason::TokenRevoked, "{reply:?}");
    reply.allowed()
}

#[test]
fn what_was_made_from_a_session_dies_with_its_log_out() {
    let house = House::new();
    let site = house.site("mfiles");
    let (id, tokens) = family(&house, &site);
    let (other, others) = family(&house, &site);
    let plain = mfiles_token(&house, &site, "");
    assert!(tokens.iter().chain(&others).all(|token| lives(&house, &site, token)));
    assert_eq!(house.ask(&site, &by_cookie("DELETE", "/REST/session", &id)).status, 204);
    for token in &tokens {
        assert!(!lives(&house, &site, token));
    }
    assert!(others.iter().chain([&plain]).all(|token| lives(&house, &site, token)), "of others, of no session");
    assert_eq!(house.ask(&site, &by_cookie("GET", "/REST/session/userid", &other)).status, 200);
    let (_, again) = family(&house, &site);
    assert!(again.iter().all(|token| lives(&house, &site, token)), "and who logs in anew");
}

#[test]
fn a_token_made_from_a_session_logs_it_out() {
    let house = House::new();
    let site = house.site("mfiles");
    for which in 0..3 {
        let (id, tokens) = family(&house, &site);
        let (other, others) = family(&house, &site);
        let logout = ask("DELETE", "/REST/session").header("X-Authentication", &tokens[which]);
        assert_eq!(house.ask(&site, &logout).status, 204, "{which}");
        assert!(tokens.iter().all(|token| !lives(&house, &site, token)), "{which}");
        assert_eq!(house.ask(&site, &by_cookie("GET", "/REST/session/userid", &id)).status, 403, "{which}");
        assert!(others.iter().all(|token| lives(&house, &site, token)), "{which}");
        assert_eq!(house.ask(&site, &by_cookie("GET", "/REST/session/userid", &other)).status, 200, "{which}");
    }
}

#[test]
fn a_session_that_goes_on_or_is_logged_in_over_keeps_or_ends_its_tokens() {
    let house = House::new();
    let site = house.site("mfiles");
    let (id, mut tokens) = family(&house, &site);
    let renewed = house.ask(&site, &choose(&id)).cookie("ASP.NET_SessionId").unwrap();
    tokens.push(value(&house.ask(&site, &by_cookie("GET", "/REST/session/authenticationtoken", &renewed))));
    assert!(tokens.iter().all(|token| lives(&house, &site, token)), "another id, the same session");
    assert_eq!(house.ask(&site, &by_cookie("DELETE", "/REST/session", &renewed)).status, 204);
    assert!(tokens.iter().all(|token| !lives(&house, &site, token)), "those from before the renewal as well");

    let (id, tokens) = family(&house, &site);
    let over = by_cookie("PUT", "/REST/session", &id).json(r#"{"Username":"Aladdin","Password":"OpenSesame"}"#);
    assert_eq!(house.ask(&site, &over).status, 200);
    assert!(tokens.iter().all(|token| !lives(&house, &site, token)), "somebody else sits there now");
}

#[test]
fn tokens_outlive_the_end_of_their_session_but_no_log_out_of_it_or_of_everything() {
    let house = House::new();
    let site = house.site("mfiles");
    let (id, tokens) = family(&house, &site);
    house.clock.advance(86_400);
    house.engine.maintain(std::time::Duration::from_millis(5)).unwrap();
    assert_eq!(house.ask(&site, &by_cookie("GET", "/REST/session/userid", &id)).status, 403);
    assert!(tokens.iter().all(|token| lives(&house, &site, token)), "a token has a life of its own");
    let logout = ask("DELETE", "/REST/session").header("X-Authentication", &tokens[1]);
    assert_eq!(house.ask(&site, &logout).status, 204);
    assert!(tokens.iter().all(|token| !lives(&house, &site, token)), "one of them ends them all");

    let (_, tokens) = family(&house, &site);
    house.engine.revoke_principal("6f0e0d7a-6b0b-4a39-9d7e-0f3c5b6a7c81").unwrap();
    assert!(tokens.iter().all(|token| !lives(&house, &site, token)), "logged out everywhere");
    let (_, tokens) = family(&house, &site);
    house.engine.revoke_all().unwrap();
    assert!(tokens.iter().all(|token| !lives(&house, &site, token)));
}

#[test]
fn one_by_one_sessions_and_their_tokens_are_revoked_alike() {
    let house = House::new();
    let site = house.site("mfiles");
    let check = |token: &str| site.token_check("access", token.as_bytes(), &mut Held::default());
    let (id, tokens) = family(&house, &site);
    assert!(tokens.iter().all(|token| check(token).is_ok()));
    site.session_revoke(id.as_bytes()).unwrap();
    assert!(tokens.iter().all(|token| check(token) == Err(Reason::TokenRevoked)));
    let (id, tokens) = family(&house, &site);
    site.token_revoke("access", tokens[2].as_bytes()).unwrap();
    assert!(tokens.iter().all(|token| check(token) == Err(Reason::TokenRevoked)));
    assert_eq!(site.session_check(id.as_bytes(), false, &mut Held::default()), Err(Reason::SessionRevoked));
}

#[test]
fn a_chosen_session_id_does_not_take_a_token_from_its_session() {
    let house = House::new();
    let site = kin(&house);
    let token = kin_token(&house, &site, "");
    let login = || house.ask(&site, &bearer(ask("POST", "/login"), &token)).cookie("sid").unwrap();
    let more = |id: &str| value(&house.ask(&site, &ask("GET", "/more?chosen=1").cookie("sid", id)));
    let by_token = value(&house.ask(&site, &bearer(ask("GET", "/more?chosen=1"), &token)));
    let (one, two) = (login(), login());
    let (of_one, of_two) = (more(&one), more(&two));
    let alive = |token: &str| house.ask(&site, &bearer(ask("GET", "/x"), token)).allowed();
    assert_eq!(house.ask(&site, &ask("POST", "/logout").cookie("sid", &one)).status, 204);
    assert_eq!([&of_one, &of_two, &by_token, &token].map(|token| alive(token)), [false, true, true, true]);
    assert_eq!(house.ask(&site, &bearer(ask("POST", "/logout"), &by_token)).status, 204);
    assert_eq!([&of_two, &by_token, &token].map(|token| alive(token)), [true, false, true]);
}
