//! Attacks that opened doors elsewhere, each tried on ours through the whole engine.
//!
//! The numbers are rows of `docs/attacks.md`, which names for each the incident and the test.

mod house;

use house::{API_KEY, Ask, House, OTHER_VAULT, VAULT, ask};
use janua::base::Reason;
use janua::engine::{Decision, Outcome};
use janua::parse::Body;

const SPELLINGS: [&str; 8] =
    ["X-User", "x-user", "X_User", "X.User", "X~User", "REMOTE_USER", "X-Forwarded-User", "x_forwarded_user"];

fn token(house: &House, user: &str, password: &str, vault: &str) -> String {
    let body = serde_json::json!({"Username": user, "Password": password, "VaultGuid": vault}).to_string();
    let reply = house.ask(&house.site("mfiles"), &ask("POST", "/REST/server/authenticationtokens").json(&body));
    assert_eq!((reply.outcome, reply.status), (Outcome::Answer, 200), "{reply:?}");
    reply.json()["Value"].as_str().unwrap().to_owned()
}

fn vault_token(house: &House) -> String {
    token(house, "AlexK", "My Password", VAULT)
}

#[test]
fn row_1_2_10_no_spelling_of_an_identity_header_survives_on_any_route() {
    let house = House::new();
    let mauro = house.site("mauro");
    let strip = house.engine.strip_list();
    for name in SPELLINGS {
        let canonical = janua::parse::header::canonical(name.as_bytes());
        assert!(strip.contains(&canonical), "{name} as {canonical}");
    }
    let cookie = house.login(&mauro, "joe.bloggs@test.com", "pa55w0rd").cookie("JSESSIONID").unwrap();
    let routes = [("OPTIONS", "/api/folders"), ("GET", "/api/folders"), ("POST", "/api/folders")];
    for (method, target) in routes {
        for signed_in in [false, true] {
            let mut request = ask(method, target);
            for name in SPELLINGS {
                request = request.header(name, "admin@test.com");
            }
            if signed_in {
                request = request.cookie("JSESSIONID", &cookie);
            }
            let reply = house.ask(&mauro, &request);
            assert!(reply.allowed(), "{method} {target}: {reply:?}");
            let user = reply.inward("X-User");
            assert_eq!(user, signed_in.then_some("joe.bloggs@test.com"));
            assert!(reply.inward.iter().all(|(_, v)| v != "admin@test.com"));
        }
    }
}

#[test]
fn row_3_connection_may_not_name_our_headers() {
    let house = House::new();
    let token = vault_token(&house);
    let site = house.site("mfiles");
    let good = ask("GET", "/REST/views").header("X-Authentication", &token);
    assert!(house.ask(&site, &good).allowed());
    for named in ["X-Authentication", "close, x_user", "keep-alive,X-Session-Ref", "x-vault", "Cookie"] {
        let reply = house.ask(&site, &good.clone().header("Connection", named));
        assert_eq!((reply.outcome, reply.reason), (Outcome::Deny, Reason::ConnectionHeader), "{named}");
    }
    assert!(house.ask(&site, &good.header("Connection", "keep-alive")).allowed());
}

#[test]
fn row_4_the_path_is_the_hosts_whatever_headers_and_queries_say() {
    let house = House::new();
    let site = house.site("mfiles");
    let forged = ask("GET", "/REST/views?x=/server/status&path=/REST/server/status")
        .header("X-Forwarded-Uri", "/REST/server/status")
        .header("X-Original-URL", "/REST/server/status")
        .header("X-Rewrite-URL", "/REST/server/status");
    let reply = house.ask(&site, &forged);
    assert_eq!((reply.outcome, reply.status), (Outcome::Deny, 403));
    assert_eq!(reply.path, "/REST/views");
}

#[test]
fn row_5_a_log_in_makes_a_new_id_and_the_old_one_dies() {
    let house = House::new();
    let site = house.site("mauro");
    let planted = "0123456789ABCDEF0123456789ABCDEF";
    let body = r#"{"username":"joe.bloggs@test.com","password":"pa55w0rd"}"#;
    let login = ask("POST", "/api/authentication/login").json(body);
    let first = house.ask(&site, &login.clone().cookie("JSESSIONID", planted)).cookie("JSESSIONID").unwrap();
    assert_ne!(first, planted, "a chosen id is never adopted");
    let second = house.ask(&site, &login.clone().cookie("JSESSIONID", &first)).cookie("JSESSIONID").unwrap();
    assert_ne!(first, second, "nor is a live one kept");
    let probe = |id: &str| house.ask(&site, &ask("GET", "/api/session/isAuthenticated").cookie("JSESSIONID", id)).body;
    assert_eq!(probe(planted), r#"{"authenticatedSession":false}"#);
    assert_eq!(probe(&first), r#"{"authenticatedSession":false}"#);
    assert_eq!(probe(&second), r#"{"authenticatedSession":true}"#);
}

#[test]
fn row_6_what_was_logged_out_is_dead_at_once() {
    let house = House::new();
    let mauro = house.site("mauro");
    let id = house.login(&mauro, "joe.bloggs@test.com", "pa55w0rd").cookie("JSESSIONID").unwrap();
    let use_it = ask("GET", "/api/folders").cookie("JSESSIONID", &id);
    assert!(house.ask(&mauro, &use_it).allowed());
    assert_eq!(house.ask(&mauro, &ask("GET", "/api/authentication/logout").cookie("JSESSIONID", &id)).status, 204);
    let reply = house.ask(&mauro, &use_it);
    assert_eq!((reply.outcome, reply.status, reply.reason), (Outcome::Deny, 401, Reason::SessionRevoked));

    let mfiles = house.site("mfiles");
    let body = format!(r#"{{"Username":"AlexK","Password":"My Password","VaultGuid":"{VAULT}","SessionID":"desk 1"}}"#);
    let login = ask("POST", "/REST/server/authenticationtokens").json(&body);
    let one = house.ask(&mfiles, &login).json()["Value"].as_str().unwrap().to_owned();
    let two = house.ask(&mfiles, &login).json()["Value"].as_str().unwrap().to_owned();
    assert_ne!(one, two, "row 12: equal content, different tokens");
    let views = |token: &str| house.ask(&mfiles, &ask("GET", "/REST/views").header("X-Authentication", token));
    assert!(views(&one).allowed() && views(&two).allowed());
    assert_eq!(house.ask(&mfiles, &ask("DELETE", "/REST/session").header("X-Authentication", &one)).status, 204);
    assert_eq!(views(&one).reason, Reason::TokenRevoked);
    assert_eq!(views(&two).reason, Reason::TokenRevoked, "all that share the SessionID");
    let again = house.ask(&mfiles, &login).json()["Value"].as_str().unwrap().to_owned();
    assert!(views(&again).allowed(), "a log-in after it is good (invariant 6)");
}

#[test]
fn row_7_expiry_holds_whichever_way_the_clock_steps() {
    let house = House::new();
    let site = house.site("mfiles");
    let body = format!(
        r#"{{"Username":"AlexK","Password":"My Password","VaultGuid":"{VAULT}","Expiration":"2026-01-01T00:10:00Z"}}"#
    );
    let reply = house.ask(&site, &ask("POST", "/REST/server/authenticationtokens").json(&body));
    let token = reply.json()["Value"].as_str().unwrap().to_owned();
    let views = || house.ask(&site, &ask("GET", "/REST/views").header("X-Authentication", &token));
    house.clock.advance(599);
    assert!(views().allowed(), "t-1");
    house.clock.advance(1);
    assert_eq!(views().reason, Reason::TokenExpired, "t");
    house.clock.step_wall(86_400);
    let _ = house.engine.maintain(std::time::Duration::from_millis(1));
    assert_eq!(views().reason, Reason::TokenExpired, "a jump is not followed");
    house.clock.step_wall(-86_400);
    let _ = house.engine.maintain(std::time::Duration::from_millis(1));
    assert_eq!(views().reason, Reason::TokenExpired);
    let past = body.replace("2026-01-01T00:10:00Z", "2020-01-01T00:00:00Z");
    let reply = house.ask(&site, &ask("POST", "/REST/server/authenticationtokens").json(&past));
    assert_eq!((reply.status, reply.reason), (400, Reason::BadExpiry));
}

#[test]
fn row_8_9_cookies_of_any_shape_are_noise_and_bounded() {
    let house = House::new();
    let site = house.site("mauro");
    let shapes = [
        "session=&=",
        ";;",
        "",
        "=",
        "JSESSIONID",
        "JSESSIONID=",
        "JSESSIONID==",
        "; ;JSESSIONID=%00",
        "=JSESSIONID=x",
        "JSESSIONID=\"",
        "JSESSIONID=\u{1}",
        "JSESSIONID_chunks=99999999",
        "\u{ff}=\u{ff}",
    ];
    for shape in shapes {
        let reply = house.ask(&site, &ask("GET", "/api/session/isAuthenticated").header("Cookie", shape));
        assert_eq!((reply.status, reply.body.as_str()), (200, r#"{"authenticatedSession":false}"#), "{shape}");
    }
    let good = house.login(&site, "joe.bloggs@test.com", "pa55w0rd").cookie("JSESSIONID").unwrap();
    let dead = "0123456789ABCDEF0123456789ABCDEF";
    let few = format!("JSESSIONID={dead}; JSESSIONID={good}");
    assert!(house.ask(&site, &ask("GET", "/api/folders").header("Cookie", &few)).allowed(), "a stale namesake");
    let many = format!("{}JSESSIONID={good}", format!("JSESSIONID={dead}; ").repeat(5));
    assert!(!house.ask(&site, &ask("GET", "/api/folders").header("Cookie", &many)).allowed(), "four are tried");
    let admin = house.login(&site, "admin@test.com", "password").cookie("JSESSIONID").unwrap();
    let two = format!("JSESSIONID={good}; JSESSIONID={admin}");
    let reply = house.ask(&site, &ask("GET", "/api/folders").header("Cookie", &two));
    assert_eq!(reply.reason, Reason::SessionConflict, "two users in one request");
}

#[test]
fn row_11_every_flipped_byte_gets_one_single_answer() {
    let house = House::new();
    let site = house.site("mfiles");
    let token = vault_token(&house);
    let mut bodies = std::collections::BTreeSet::new();
    for place in 0..token.len() {
        for flip in [1u8, 2, 0x40] {
            let mut bytes = token.clone().into_bytes();
            bytes[place] ^= flip;
            let Ok(changed) = String::from_utf8(bytes) else { continue };
            let reply = house.ask(&site, &ask("GET", "/REST/views").header("X-Authentication", &changed));
            assert_eq!((reply.outcome, reply.status), (Outcome::Deny, 403), "{place}");
            let mut json = reply.json();
            json["Stack"] = serde_json::Value::Null;
            // A token of another server has a body of its own (the sheet); every other refusal has one.
            if reply.reason != Reason::TokenForeign && reply.reason != Reason::TokenMalformed {
                bodies.insert(json.to_string());
            }
        }
    }
    house.clock.advance(40 * 86_400);
    let reply = house.ask(&site, &ask("GET", "/REST/views").header("X-Authentication", &token));
    assert_eq!(reply.reason, Reason::TokenExpired);
    let mut json = reply.json();
    json["Stack"] = serde_json::Value::Null;
    bodies.insert(json.to_string());
    assert_eq!(bodies.len(), 1, "expired and forged look alike: {bodies:?}");
}

#[test]
fn a_decoy_looks_like_a_token_and_dies_like_a_forged_one() {
    let house = House::new();
    let site = house.site("mfiles");
    let real = vault_token(&house);
    let decoy = token(&house, "AlexK", "wrong", VAULT);
    let unknown = token(&house, "nobody", "My Password", VAULT);
    let elsewhere = token(&house, "AlexK", "My Password", OTHER_VAULT);
    let no_vault = token(&house, "AlexK", "My Password", "{00000000-0000-4000-8000-000000000000}");
    for fake in [&decoy, &unknown, &elsewhere, &no_vault] {
        assert_eq!(fake.len(), real.len());
        assert_eq!(fake[..12], real[..12], "the same version and key id");
        let reply = house.ask(&site, &ask("GET", "/REST/views").header("X-Authentication", fake));
        assert_eq!((reply.status, reply.reason), (403, Reason::TokenForged));
    }
    let told: Vec<_> = house.told().iter().map(|t| t.reason).collect();
    assert!(told.contains(&Reason::WrongPassword) && told.contains(&Reason::UnknownUser), "{told:?}");
}

#[test]
fn row_23_a_megabyte_of_credential_is_refused_and_never_echoed() {
    let house = House::with("[settings.menandmice]\n");
    let site = house.site("menandmice");
    for value in
        [format!("Bearer {}", ".".repeat(1 << 20)), format!("Basic {}", "A".repeat(1 << 20)), "x".repeat(1 << 20)]
    {
        let reply = house.ask(&site, &ask("GET", "/mmws/api/DNSZones").header("Authorization", &value));
        assert!(!reply.allowed());
        assert!((400..=403).contains(&reply.status), "{}", reply.status);
        assert!(reply.body.len() < 2000);
    }
}

#[test]
fn row_24_malformed_basic_never_falls_back_to_anything() {
    let house = House::new();
    let site = house.site("menandmice");
    let basic = |raw: &[u8]| {
        use base64::Engine as _;
        let value = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(raw));
        house.ask(&site, &ask("GET", "/mmws/api/DNSZones").header("Authorization", &value))
    };
    assert!(basic(b"Aladdin:OpenSesame").allowed());
    let long = [b"Aladdin:".as_slice(), &[b'x'; 2000]].concat();
    for raw in [
        b"Aladdin".as_slice(),
        b"",
        b":OpenSesame",
        b"Aladdin\0:OpenSesame",
        b"Aladdin:Open\0Sesame",
        b"Aladdin@x:OpenSesame",
        b"\xff\xfe:x",
        &long,
    ] {
        let reply = basic(raw);
        assert!(!reply.allowed(), "{:?}", String::from_utf8_lossy(raw));
        assert!((400..=401).contains(&reply.status), "{}", reply.status);
    }
    for value in ["Basic", "Basic ", "Basic !!!!", "Basic QWxhZGRpbjpPcGVuU2VzYW1l QQ==", "Basic\tQWxh"] {
        let reply = house.ask(&site, &ask("GET", "/mmws/api/DNSZones").header("Authorization", value));
        assert!(!reply.allowed(), "{value}");
    }
}

#[test]
fn row_29_nothing_is_good_at_a_neighbour() {
    // Invariant 13: another profile, vault, principal or site.
    let house = House::new();
    let mfiles = house.site("mfiles");
    let token = vault_token(&house);
    let views = |vault: &str| {
        house.ask(&mfiles, &ask("GET", "/REST/views").header("X-Authentication", &token).header("X-Vault", vault))
    };
    assert!(views(VAULT).allowed());
    assert!(views(&VAULT.to_lowercase()).allowed());
    assert!(views(VAULT.trim_matches(['{', '}'])).allowed());
    assert_eq!(views(OTHER_VAULT).reason, Reason::TokenTenant);
    assert!(!views("no such vault").allowed());
    let mauro = house.site("mauro");
    let id = house.login(&mauro, "joe.bloggs@test.com", "pa55w0rd").cookie("JSESSIONID").unwrap();
    let form = house.site("form");
    assert!(!house.ask(&form, &ask("GET", "/app").cookie("sid", &id)).allowed());
    assert!(!house.ask(&mfiles, &ask("GET", "/REST/views").header("X-Authentication", &id)).allowed());
    assert!(!house.ask(&mfiles, &ask("GET", "/REST/views").cookie("ASP.NET_SessionId", &id)).allowed());
    let other = House::new();
    let reply = other.ask(&other.site("mfiles"), &ask("GET", "/REST/views").header("X-Authentication", &token));
    assert_eq!(reply.reason, Reason::TokenForeign);
    assert!(reply.body.contains("OAEP"), "the sheet's own words for a foreign token");
}

#[test]
fn row_17_bindings_that_share_a_prefix_are_different_bindings() {
    use janua::token::Binding;
    assert_ne!(Binding::new("access", "mfiles", "ab"), Binding::new("access", "mfiles", "abc"));
    assert_ne!(Binding::new("access", "mfilesab", ""), Binding::new("access", "mfiles", "ab"));
    assert_ne!(Binding::new("accessm", "files", "ab"), Binding::new("access", "mfiles", "ab"));
}

#[test]
fn row_31_32_33_nothing_a_client_says_breaks_out_of_an_answer() {
    let house = House::new();
    let mauro = house.site("mauro");
    let nasty =
        ["%n%s%x%p", "<script>alert(1)</script>", "a\"b\\c", "x\r\nSet-Cookie: a=b", "\u{2028}", &"A".repeat(65_000)];
    for text in nasty {
        let body = serde_json::json!({"username": text, "password": text}).to_string();
        let reply = house.ask(&mauro, &ask("POST", "/api/authentication/login").json(&body));
        assert!((400..=413).contains(&reply.status), "{}", reply.status);
        assert!(reply.headers.iter().all(|(_, v)| !v.contains(['\r', '\n'])));
        if !reply.body.is_empty() {
            assert!(!reply.body.contains("<script"), "{}", reply.body);
            reply.json();
        }
    }
    let reply = house.ask(&mauro, &ask("POST", "/api/authentication/login?scheme=%22%3E%3Cscript%3E%0d%0a").json("{}"));
    assert_eq!(reply.status, 400);
    assert!(reply.json()["message"].as_str().unwrap().contains("No authentication scheme found"));
}

#[test]
fn row_35_passwords_that_bcrypt_cannot_tell_apart_are_refused() {
    let house = House::new();
    let folder = house.folder.clone();
    let rows = include_str!("vectors/htpasswd.tsv");
    let long = rows.lines().map(|l| l.split('\t').collect::<Vec<_>>()).filter(|c| c[0] == "-B" && c[1].len() >= 72);
    let mut text = String::new();
    let mut expected = Vec::new();
    for (number, columns) in long.enumerate() {
        text.push_str(&format!("u{number}:{}\n", columns[2]));
        expected.push((format!("u{number}"), columns[1].to_owned()));
    }
    std::fs::write(folder.join("htpasswd"), text).unwrap();
    let mut config = janua::engine::Config::new();
    let text = "[engine]\nsite='x'\nsecure=false\n[keyring]\npath='ephemeral'\n[directory]\nhtpasswd='htpasswd'\n";
    config.read_text("janua.toml", text, &folder).unwrap();
    let engine = janua::engine::Engine::build(config).unwrap();
    engine.attach().unwrap();
    let site = engine.site(Some("mauro"), None, false).unwrap();
    for (user, password) in expected {
        let reply = house.login(&site, &user, &password);
        assert_eq!(reply.status == 200, password.len() <= 72, "{} bytes", password.len());
        let reply = house.login(&site, &user, &format!("{password}tail"));
        assert_ne!(reply.status, 200, "a tail must not match");
    }
}

#[test]
fn row_37_one_count_over_all_ways_to_log_in() {
    let house = House::new();
    let site = house.site("mfiles");
    let ways: [Box<dyn Fn() -> Ask>; 4] = [
        Box::new(|| {
            ask("POST", "/REST/server/authenticationtokens").json(r#"{"Username":"AlexK","Password":"wrong"}"#)
        }),
        Box::new(|| ask("GET", "/REST/views").header("X-Username", "AlexK").header("X-Password", "wrong")),
        Box::new(|| ask("GET", "/REST/views?username=AlexK&password=wrong")),
        Box::new(|| ask("PUT", "/REST/session").json(r#"{"Username":"AlexK","Password":"wrong"}"#)),
    ];
    for turn in 0..8 {
        house.ask(&site, &ways[turn % 4]());
    }
    assert_eq!(house.engine.count(Reason::WrongPassword), 5, "five hashes, whichever way");
    assert!(house.engine.count(Reason::Throttled) >= 3);
}

#[test]
fn row_38_no_secret_in_any_answer_event_or_error() {
    let house = House::new();
    let (mauro, mfiles) = (house.site("mauro"), house.site("mfiles"));
    let id = house.login(&mauro, "joe.bloggs@test.com", "pa55w0rd").cookie("JSESSIONID").unwrap();
    let token = vault_token(&house);
    let secrets = [id.as_str(), token.as_str(), "pa55w0rd", "My Password", API_KEY, "planted-secret"];
    let mut answers = String::new();
    let mut keep =
        |reply: house::Reply| answers.push_str(&format!("{:?} {:?} {}", reply.headers, reply.inward, reply.body));
    keep(house.ask(&mauro, &ask("GET", "/api/folders").cookie("JSESSIONID", &id)));
    keep(house.ask(&mauro, &ask("GET", "/api/folders").header("apiKey", API_KEY)));
    keep(house.login(&mauro, "planted-secret", "planted-secret"));
    keep(house.login(&mauro, "joe.bloggs@test.com", "planted-secret"));
    keep(house.ask(&mauro, &ask("GET", &format!("/api/session/isAuthenticated/{id}"))));
    keep(house.ask(&mfiles, &ask("GET", "/REST/views").header("X-Authentication", &token)));
    keep(house.ask(&mfiles, &ask("GET", &format!("/REST/nope?auth={token}x&password=planted-secret&username=a"))));
    keep(house.ask(&mfiles, &ask("GET", "/REST/session").header("X-Authentication", "planted-secret")));
    let admin = house.login(&mauro, "admin@test.com", "password").cookie("JSESSIONID").unwrap();
    keep(house.ask(&mauro, &ask("GET", "/api/admin/activeSessions").cookie("JSESSIONID", &admin)));
    let told: String = house.told().iter().map(|t| t.all.clone()).collect();
    for secret in secrets {
        // A new cookie is handed out once, by the log-in that made it; everything after it is searched.
        assert!(!told.contains(secret), "audit tells {secret}");
        assert!(!answers.contains(secret), "an answer tells {secret}: {answers}");
    }
}

#[test]
fn row_39_variants_of_a_name_are_one_account_or_none() {
    let house = House::new();
    let site = house.site("mauro");
    for name in ["joe.bloggs@test.com", "JOE.BLOGGS@test.com", " joe.bloggs@test.com ", "Joe.Bloggs@TEST.com"] {
        assert_eq!(house.login(&site, name, "pa55w0rd").status, 200, "{name}");
    }
    for name in ["joe.bloggs@test.com\u{0}", "joe.bloggs@test.com\nx", "joe.bloggs@test.com%20", "*", "joe*"] {
        assert_ne!(house.login(&site, name, "pa55w0rd").status, 200, "{name:?}");
    }
    let other = House::new();
    let site = other.site("mauro");
    for turn in 0..7 {
        let name = if turn % 2 == 0 { "JOE.bloggs@test.com" } else { "joe.bloggs@test.com " };
        other.login(&site, name, "wrong");
    }
    assert_eq!(other.engine.count(Reason::WrongPassword), 5, "the variants share one count");
}

#[test]
fn row_41_duplicates_are_refused() {
    let house = House::new();
    let site = house.site("mfiles");
    let token = vault_token(&house);
    let twice = [
        ask("GET", "/REST/views").header("X-Authentication", &token).header("x-authentication", &token),
        ask("GET", &format!("/REST/views?auth={token}&auth={token}")),
        ask("GET", &format!("/REST/views?auth={token}&AUTH={token}")),
        ask("GET", "/REST/views").header("X-Authentication", &token).header("X-Vault", VAULT).header("X-VAULT", VAULT),
    ];
    for request in twice {
        let reply = house.ask(&site, &request);
        assert_eq!(
            (reply.outcome, reply.status, reply.reason),
            (Outcome::Deny, 400, Reason::Duplicate),
            "{}",
            request.target
        );
    }
    let mauro = house.site("mauro");
    let body = r#"{"username":"joe.bloggs@test.com","username":"admin@test.com","password":"pa55w0rd"}"#;
    let reply = house.ask(&mauro, &ask("POST", "/api/authentication/login").json(body));
    assert_eq!((reply.status, reply.reason), (400, Reason::Duplicate));
    let body = r#"{"Username":"AlexK","username":"admin@test.com","Password":"My Password"}"#;
    let reply = house.ask(&site, &ask("POST", "/REST/server/authenticationtokens").json(body));
    assert_eq!(reply.status, 400, "members that differ only in a forgiven case");
}

#[test]
fn spent_proof_goes_no_further() {
    let house = House::new();
    let mauro = house.site("mauro");
    let login = house.login(&mauro, "joe.bloggs@test.com", "pa55w0rd");
    let (id, companion) = (login.cookie("JSESSIONID").unwrap(), login.cookie("__Host-janua-mauro").unwrap());
    let line = format!("theme=dark; JSESSIONID={id}; __Host-janua-mauro={companion}; lang=en");
    let reply = house.ask(&mauro, &ask("GET", "/api/folders?page=2&x=a%20b").header("Cookie", &line));
    assert_eq!(reply.inward("Cookie"), Some("theme=dark; lang=en"));
    assert_eq!(reply.query, "page=2&x=a%20b");
    for name in ["cookie", "apikey", "x_user"] {
        assert!(mauro.strip_list().contains(&name.to_owned()), "{name}");
    }
    let mfiles = house.site("mfiles");
    let token = vault_token(&house);
    let reply = house.ask(&mfiles, &ask("GET", &format!("/REST/views?a=1&auth={token}&%61uth2=x&Vault=&b=2")));
    assert!(reply.allowed(), "{reply:?}");
    assert_eq!(reply.query, "a=1&%61uth2=x&Vault=&b=2");
    let pair = "username=AlexK&password=My%20Password&b=2";
    let reply = house.ask(&mfiles, &ask("GET", &format!("/REST/views?{pair}")).header("X-Vault", VAULT));
    assert_eq!(reply.query, "b=2");
    for name in ["x_authentication", "x_password", "x_username"] {
        assert!(mfiles.strip_list().contains(&name.to_owned()), "{name}");
    }
}

#[test]
fn row_43_a_session_id_parameter_weakens_nothing_and_is_no_oracle() {
    let house = House::new();
    let site = house.site("mauro");
    let id = house.login(&site, "joe.bloggs@test.com", "pa55w0rd").cookie("JSESSIONID").unwrap();
    house.ask(&site, &ask("GET", "/api/authentication/logout").cookie("JSESSIONID", &id));
    let reply = house.ask(&site, &ask("GET", &format!("/api/folders?sessionId={id}")).cookie("JSESSIONID", &id));
    assert_eq!(reply.status, 401);
    let live = house.login(&site, "joe.bloggs@test.com", "pa55w0rd").cookie("JSESSIONID").unwrap();
    let probe = ask("GET", &format!("/api/session/isAuthenticated/{live}"));
    assert_eq!(house.ask(&site, &probe).status, 403, "nobody may ask");
    assert_eq!(house.ask(&site, &probe.clone().cookie("JSESSIONID", &live)).status, 403, "nor a plain user");
    let admin = house.login(&site, "admin@test.com", "password").cookie("JSESSIONID").unwrap();
    let reply = house.ask(&site, &probe.cookie("JSESSIONID", &admin));
    assert_eq!((reply.status, reply.body.as_str()), (200, r#"{"authenticatedSession":true}"#));
}

#[test]
fn invariant_16_no_reading_of_a_path_is_more_open_than_ours() {
    let house = House::new();
    let site = house.site("mauro");
    let id = house.login(&site, "joe.bloggs@test.com", "pa55w0rd").cookie("JSESSIONID").unwrap();
    let tricks = [
        ("/api/session/..%2fadmin/activeSessions", "/api/session/../admin/activeSessions"),
        ("/api/x/%2e%2e/admin", "/api/admin"),
        ("/api/admin;x=/../public", "/api/admin"),
        ("/api//folders", "/api/folders"),
        ("/api/%5c..%5cadmin", "/api/\\..\\admin"),
        ("/api/folders%00", "/api/folders"),
        ("/api/%2561dmin", "/api/%61dmin"),
    ];
    for (raw, routed) in tricks {
        let reply = house.ask(&site, &ask("GET", raw).routed(routed));
        assert_eq!(reply.outcome, Outcome::Deny, "{raw} read as {routed}: {reply:?}");
        assert_eq!(reply.reason, Reason::PathAmbiguous, "{raw}");
    }
    let reply =
        house.ask(&site, &ask("GET", "/api/folders").routed("/api/admin/activeSessions").cookie("JSESSIONID", &id));
    assert_eq!(reply.reason, Reason::PathAmbiguous, "two readings, proven or not");
    assert!(house.ask(&site, &ask("GET", "/api/folders/a%20b")).allowed(), "an ordinary escape is fine");
}

#[test]
fn method_overrides_count_only_where_the_sheet_has_them() {
    let house = House::new();
    let site = house.site("mfiles");
    let token = vault_token(&house);
    let with = |method: &str, target: &str| house.ask(&site, &ask(method, target).header("X-Authentication", &token));
    let reply = with("POST", "/REST/objects/1?_method=DELETE");
    assert!(reply.allowed());
    assert_eq!(reply.method, "DELETE", "the host authorises on what was matched");
    for target in
        ["/REST/objects?_method=TRACE", "/REST/objects?_method=DELETE&_method=PUT", "/REST/objects?_METHOD=get"]
    {
        assert!(!with("POST", target).allowed(), "{target}");
    }
    let mauro = house.site("mauro");
    let reply = house.ask(&mauro, &ask("POST", "/api/folders?_method=DELETE"));
    assert_eq!(reply.method, "POST");
}

#[test]
fn a_cross_site_request_cannot_use_what_a_browser_sends_by_itself() {
    let house = House::new();
    let site = house.site("mauro");
    let id = house.login(&site, "joe.bloggs@test.com", "pa55w0rd").cookie("JSESSIONID").unwrap();
    let post = ask("POST", "/api/folders").cookie("JSESSIONID", &id);
    assert!(house.ask(&site, &post).allowed());
    assert!(house.ask(&site, &post.clone().header("Origin", "https://data.example.org")).allowed());
    for (name, value) in [("Sec-Fetch-Site", "cross-site"), ("Origin", "https://evil.example.net"), ("Origin", "null")]
    {
        let reply = house.ask(&site, &post.clone().header(name, value));
        assert_eq!((reply.status, reply.reason), (403, Reason::CrossSite), "{name}: {value}");
        let logout = ask("GET", "/api/authentication/logout").cookie("JSESSIONID", &id).header(name, value);
        assert_eq!(house.ask(&site, &logout).reason, Reason::CrossSite, "log-out in any method");
        let get = ask("GET", "/api/folders").cookie("JSESSIONID", &id).header(name, value);
        assert!(house.ask(&site, &get).allowed(), "reading is safe");
        let body = r#"{"username":"joe.bloggs@test.com","password":"pa55w0rd"}"#;
        let login = ask("POST", "/api/authentication/login").json(body).header(name, value);
        assert_eq!(house.ask(&site, &login).reason, Reason::CrossSite, "log-in too");
    }
    assert!(house.ask(&site, &post.clone()).allowed(), "and the session lives on");
    let keyed = ask("POST", "/api/folders").header("apiKey", API_KEY).header("Origin", "https://evil.example.net");
    assert!(house.ask(&site, &keyed).allowed(), "no browser sends an API key by itself");
}

#[test]
fn a_cookie_log_in_over_an_open_line_is_refused_while_cookies_are_secure() {
    let house = House::new();
    let site = house.site("mauro");
    let body = r#"{"username":"joe.bloggs@test.com","password":"pa55w0rd"}"#;
    let reply = house.ask(&site, &ask("POST", "/api/authentication/login").json(body).open_line());
    assert_eq!(reply.reason, Reason::NeedsTls);
    assert!(reply.cookie("JSESSIONID").is_none());
    let forged = ask("POST", "/api/authentication/login").json(body).open_line().header("X-Forwarded-Proto", "https");
    assert_eq!(house.ask(&site, &forged).reason, Reason::NeedsTls, "row 34: an untrusted peer's word");
    let house = House::with("[session]\nper_principal=3\n");
    let site = house.site("mauro");
    assert_eq!(house.login(&site, "joe.bloggs@test.com", "pa55w0rd").status, 200);
}

#[test]
fn a_session_seen_with_its_companion_is_nothing_without_it() {
    let house = House::new();
    let site = house.site("mauro");
    let reply = house.login(&site, "joe.bloggs@test.com", "pa55w0rd");
    let (id, companion) = (reply.cookie("JSESSIONID").unwrap(), reply.cookie("__Host-janua-mauro").unwrap());
    assert!(reply.headers[0].1.starts_with("JSESSIONID="), "the legacy cookie stands first");
    let alone = ask("GET", "/api/folders").cookie("JSESSIONID", &id);
    assert!(house.ask(&site, &alone).allowed(), "old clients know one cookie");
    let both = ask("GET", "/api/folders").header("Cookie", &format!("JSESSIONID={id}; __Host-janua-mauro={companion}"));
    assert!(house.ask(&site, &both).allowed());
    assert_eq!(house.ask(&site, &alone).reason, Reason::CompanionMissing, "a browser that had it has it");
    let wrong =
        ask("GET", "/api/folders").header("Cookie", &format!("JSESSIONID={id}; __Host-janua-mauro=x{companion}"));
    assert_eq!(house.ask(&site, &wrong).reason, Reason::CompanionMissing);
    assert!(house.ask(&site, &both).allowed());
}

#[test]
fn bodies_that_are_too_large_cut_deep_or_hostile_get_the_products_own_refusal() {
    let house = House::new();
    let (mauro, mfiles) = (house.site("mauro"), house.site("mfiles"));
    let live = house.login(&mauro, "joe.bloggs@test.com", "pa55w0rd").cookie("JSESSIONID").unwrap();
    let deep_json = format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000));
    let deep_xml = format!("{}{}", "<a>".repeat(10_000), "</a>".repeat(10_000));
    let bodies: [(&str, Vec<u8>); 12] = [
        ("application/json", b"{\"username\":\"joe".to_vec()),
        ("application/json", b" ".to_vec()),
        ("application/json", b"\xef\xbb\xbf{}".to_vec()),
        ("application/json", b"{\"username\":\"\xff\",\"password\":\"x\"}".to_vec()),
        ("application/json", deep_json.into_bytes()),
        ("application/xml", deep_xml.into_bytes()),
        ("application/xml", b"<!DOCTYPE x [<!ENTITY a \"b\">]><user><username>&a;</username></user>".to_vec()),
        ("application/xml", b"<user><username>joe</username>".to_vec()),
        ("text/plain", b"hello".to_vec()),
        ("application/x-unknown", vec![0; 100]),
        ("application/json", vec![b'x'; 10 << 20]),
        ("application/json", b"[]".to_vec()),
    ];
    for (kind, bytes) in bodies {
        let length = bytes.len();
        let reply = house.ask(&mauro, &ask("POST", "/api/authentication/login").body(kind, bytes.clone()));
        assert!(matches!(reply.status, 400 | 413), "{kind} {length}: {reply:?}");
        let reply = house.ask(&mfiles, &ask("POST", "/REST/server/authenticationtokens").body(kind, bytes));
        assert!(matches!(reply.status, 200 | 400 | 413), "{kind} {length}: {reply:?}");
        if reply.status == 200 {
            let token = reply.json()["Value"].as_str().unwrap().to_owned();
            let reply = house.ask(&mfiles, &ask("GET", "/REST/views").header("X-Authentication", &token));
            assert!(!reply.allowed(), "{kind}: a decoy opens nothing");
        }
    }
    assert!(house.ask(&mauro, &ask("GET", "/api/folders").cookie("JSESSIONID", &live)).allowed());
}

#[test]
fn nul_and_line_ends_in_any_field_let_nobody_in_and_break_no_answer() {
    let house = House::new();
    let (mauro, mfiles) = (house.site("mauro"), house.site("mfiles"));
    let token = vault_token(&house);
    for bad in ["\0", "\r\n", "\r", "\n", "\u{7f}", "\u{1b}[31m"] {
        let fields = [
            ask("GET", "/REST/views").header("X-Authentication", &format!("{token}{bad}")),
            ask("GET", "/REST/views").header("X-Vault", bad).header("X-Authentication", &token),
            ask("GET", "/REST/views").header("X-Username", &format!("AlexK{bad}")).header("X-Password", "My Password"),
            ask("GET", "/REST/views").header("X-Username", "AlexK").header("X-Password", &format!("My Password{bad}")),
        ];
        for request in fields {
            let reply = house.ask(&mfiles, &request);
            assert!(!reply.allowed(), "{bad:?}: {reply:?}");
            assert!(
                reply.headers.iter().all(|(n, v)| !n.contains(['\r', '\n', '\0']) && !v.contains(['\r', '\n', '\0']))
            );
        }
        let reply = house.ask(&mauro, &ask("GET", "/api/folders").cookie("JSESSIONID", &format!("A{bad}")));
        assert!(reply.headers.iter().all(|(_, v)| !v.contains(['\r', '\n'])));
    }
}

#[test]
fn an_engine_that_was_not_attached_decides_nothing() {
    let house = House::new();
    let mut config = janua::engine::Config::new();
    let text = "[engine]\nsite='x'\n[keyring]\npath='ephemeral'\n[directory]\nusers='users.toml'\n";
    config.read_text("janua.toml", text, &house.folder).unwrap();
    let engine = janua::engine::Engine::build(config).unwrap();
    let site = engine.site(Some("mauro"), None, true).unwrap();
    let mut decision = Decision::new();
    let request = janua::parse::Request {
        method: b"GET",
        path: b"/api/folders",
        raw_path: b"/api/folders",
        query: b"",
        client: b"127.0.0.1",
        headers: &[],
        body: Body::NotRead,
        secure: true,
    };
    let error = site.decide(&request, true, &mut decision).unwrap_err();
    assert_eq!(error.status, janua::base::Status::Fork);
    assert_eq!((decision.outcome(), decision.http_status()), (Outcome::Deny, 503));
}
