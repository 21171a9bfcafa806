//! More rows of `docs/attacks.md`: the same attack by every wire protocol, and the ones that need many tries.

mod house;

use house::{Ask, House, Reply, START, VAULT, ask};
use janua::base::{Clock, Reason};
use janua::crypto::Keyring;
use janua::engine::{Config, Engine, Outcome, Site};
use janua::token::{Binding, Claims, Extra, Sealer, SidKind};
use std::collections::HashSet;
use std::sync::Arc;

const REST: &str = "/mashzone/edge/api/rest/UserManagerService";

/// How one protocol logs in, uses a session and logs out.
struct Way {
    name: &'static str,
    site: Arc<Site>,
    login: Ask,
    id: fn(&Reply) -> String,
    using: fn(&str) -> Ask,
    logout: fn(&str) -> Ask,
}

fn ways(house: &House) -> Vec<Way> {
    let men = house.site("menandmice");
    vec![
        Way {
            name: "form",
            site: house.site("form"),
            login: ask("POST", "/login").body("application/x-www-form-urlencoded", "user=Aladdin&password=OpenSesame"),
            id: |reply| reply.cookie("sid").unwrap(),
            using: |id| ask("GET", "/app").cookie("sid", id),
            logout: |id| ask("POST", "/logout").cookie("sid", id),
        },
        Way {
            name: "REST of Men&Mice",
            site: men.clone(),
            login: ask("POST", "/mmws/api/commands/Login").json(r#"{"loginName":"Aladdin","password":"OpenSesame"}"#),
            id: |reply| reply.json()["result"]["session"].as_str().unwrap().to_owned(),
            using: |id| ask("GET", &format!("/mmws/api/DNSZones?session={id}")),
            logout: |id| ask("GET", &format!("/mmws/api/commands/Logout?session={id}")),
        },
        Way {
            name: "JSON-RPC of Men&Mice",
            site: men.clone(),
            login: ask("POST", "/_mmwebext/mmwebext.dll")
                .json(r#"{"method":"Login","params":{"loginName":"Aladdin","password":"OpenSesame"},"id":1}"#),
            id: |reply| reply.json()["result"]["session"].as_str().unwrap().to_owned(),
            using: |id| rpc_call("GetDNSZones", id),
            logout: |id| rpc_call("Logout", id),
        },
        Way {
            name: "SOAP of Men&Mice",
            site: men,
            login: soap("Login", "<loginName>Aladdin</loginName><password>OpenSesame</password>"),
            id: |reply| reply.body.split("<session>").nth(1).unwrap().split('<').next().unwrap().to_owned(),
            using: |id| soap("GetDNSZones", &format!("<session>{id}</session>")),
            logout: |id| soap("Logout", &format!("<session>{id}</session>")),
        },
        Way {
            name: "MashZone",
            site: house.site("mashzone"),
            login: ask("POST", &format!("{REST}/login"))
                .header("presto_username", "Aladdin")
                .header("presto_password", "OpenSesame"),
            id: |reply| reply.cookie("JSESSIONID").unwrap(),
            using: |id| ask("GET", "/mashzone/edge/api/rest/a/b").cookie("JSESSIONID", id),
            logout: |id| ask("GET", &format!("{REST}/logout")).cookie("JSESSIONID", id),
        },
    ]
}

fn rpc_call(method: &str, id: &str) -> Ask {
    ask("POST", "/_mmwebext/mmwebext.dll")
        .json(&format!(r#"{{"method":"{method}","params":{{"session":"{id}"}},"id":1}}"#))
}

fn soap(method: &str, inside: &str) -> Ask {
    let body = format!("<Envelope><Body><{method}>{inside}</{method}></Body></Envelope>");
    ask("POST", "/Soap").body("text/xml", body)
}

#[test]
fn row_6_a_log_out_kills_the_session_whatever_protocol_it_speaks() {
    let house = House::new();
    for way in ways(&house) {
        let reply = house.ask(&way.site, &way.login);
        let (id, other) = ((way.id)(&reply), (way.id)(&house.ask(&way.site, &way.login)));
        assert_ne!(id, other, "{}", way.name);
        assert!(house.ask(&way.site, &(way.using)(&id)).allowed(), "{}", way.name);
        let bye = house.ask(&way.site, &(way.logout)(&id));
        assert_eq!((bye.outcome, bye.reason), (Outcome::Answer, Reason::LoggedOut), "{}", way.name);
        let after = house.ask(&way.site, &(way.using)(&id));
        assert!(!after.allowed() && after.reason == Reason::SessionRevoked, "{}: {after:?}", way.name);
        assert!(house.ask(&way.site, &(way.using)(&other)).allowed(), "{}: the other one lives", way.name);
    }
}

/// Row 12. The issue says nothing about time, so all are minted for equal content in one second.
#[test]
fn row_12_a_nonce_never_repeats_while_salts_change() {
    let tokens: usize = if cfg!(debug_assertions) { 1 << 16 } else { 1 << 20 };
    let sealer = Sealer::new(Arc::new(Keyring::ephemeral(START).unwrap()), Clock::fake(START));
    let binding = Binding::new("access", "mfiles", "data.example.org");
    let claims = Claims {
        issued: START,
        ends: START + 60,
        seq: 1,
        sid: [7; 16],
        sid_kind: SidKind::Random,
        tenant: [0; 16],
        principal: "AlexK",
        extra: Extra::NONE,
    };
    let (mut seen, mut salts) = (HashSet::with_capacity(tokens), HashSet::new());
    let mut raw = [0; 152];
    for _ in 0..tokens {
        let token = sealer.mint(&binding, &claims).unwrap();
        janua::base::encoding::base64url_decode(token.as_bytes(), &mut raw).unwrap();
        let mut nonce = [0u8; 20];
        nonce.copy_from_slice(&raw[9..29]);
        salts.insert(raw[9..17].to_vec());
        assert!(seen.insert(nonce), "salt and nonce repeat");
    }
    // 2^18 tokens a salt.
    assert_eq!(salts.len(), tokens.div_ceil(1 << 18));
}

/// Row 17, through whole engines: they share the keys and differ in the end of their names only.
#[test]
fn row_17_a_token_for_a_site_is_forged_to_the_site_whose_name_goes_on() {
    let house = House::new();
    Keyring::create(&house.folder.join("ring.toml"), START, None).unwrap();
    let engine = |site: &str| {
        let text = format!(
            "[engine]\nsite='{site}'\n[keyring]\npath='ring.toml'\n[directory]\nusers='users.toml'\n{}",
            house::CHEAP
        );
        let mut config = Config::new();
        config.read_text("janua.toml", &text, &house.folder).unwrap();
        config.set_clock(house.clock.clone());
        let engine = Engine::build(config).unwrap();
        engine.attach().unwrap();
        engine.site(Some("mfiles"), None, false).unwrap()
    };
    let (ab, abc, again) = (engine("ab"), engine("abc"), engine("ab"));
    let body = format!(r#"{{"Username":"AlexK","Password":"My Password","VaultGuid":"{VAULT}"}}"#);
    for (here, there) in [(&ab, &abc), (&abc, &ab)] {
        let made = house.ask(here, &ask("POST", "/REST/server/authenticationtokens").json(&body));
        let token = made.json()["Value"].as_str().unwrap().to_owned();
        let views = ask("GET", "/REST/views").header("X-Authentication", &token);
        assert!(house.ask(here, &views).allowed());
        assert_eq!(house.ask(there, &views).reason, Reason::TokenForged);
        assert_eq!(house.ask(&again, &views).allowed(), std::ptr::eq(here, &ab), "an engine of the same name");
    }
}

#[test]
fn row_31_what_a_client_says_comes_back_as_text_or_not_at_all() {
    let house = House::new();
    let (presto, mfiles, form) = (house.site("mashzone"), house.site("mfiles"), house.site("form"));
    let long = "A".repeat(64 << 10);
    for text in ["<script>alert(1)</script>", "%n%s%x%p", "a\"b\\c", "x\r\nSet-Cookie: a=b", "\u{2028}", &long] {
        let login =
            ask("POST", &format!("{REST}/login")).header("presto_username", text).header("presto_password", "wrong");
        let reply = house.ask(&presto, &login);
        assert!(!reply.allowed());
        let header = |name: &str| reply.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
        assert!(reply.body.is_empty() || header("Content-Type") == Some("text/plain; charset=utf-8"), "{reply:?}");
        assert_eq!(header("X-Content-Type-Options").is_some(), !reply.body.is_empty());
        assert!(!reply.body.contains(['\r', '\n']) && reply.headers.iter().all(|(n, _)| n != "Set-Cookie"));

        let escaped: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let reply = house.ask(&mfiles, &ask("GET", &format!("/REST/{escaped}")));
        assert!(!reply.allowed());
        if !reply.body.is_empty() {
            assert_eq!(reply.json()["URL"].as_str().unwrap(), format!("/{text}"));
        }
        for (method, target) in [("GET", format!("/{escaped}")), ("POST", "/login".to_owned())] {
            let body = format!("user=a&password=b&next={escaped}");
            let request = ask(method, &target).body("application/x-www-form-urlencoded", body);
            let reply = house.ask(&form, &request);
            let location = reply.headers.iter().find(|(n, _)| n == "Location").map_or("", |(_, value)| value);
            assert!(location.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>\"\\".contains(&byte)), "{location}");
        }
    }
}

#[test]
fn row_33_only_the_exact_name_is_the_cookie() {
    let house = House::new();
    let site = house.site("mauro");
    let reply = house.login(&site, "Aladdin", "OpenSesame");
    let (id, companion) = (reply.cookie("JSESSIONID").unwrap(), reply.cookie("__Host-janua-mauro").unwrap());
    for (name, value) in reply.headers.iter().filter(|(name, _)| name == "Set-Cookie") {
        assert!(value.bytes().all(|byte| (b' '..0x7f).contains(&byte) && byte != b','), "{name}: {value}");
    }
    let asked = |line: &str| house.ask(&site, &ask("GET", "/api/folders").header("Cookie", line));
    for line in [
        format!("=JSESSIONID={id}"),
        format!("%4aSESSIONID={id}"),
        format!("jsessionid={id}"),
        format!("JSESSIONID%3D{id}"),
        format!("XJSESSIONID={id}"),
        format!("JSESSIONID\u{a0}={id}"),
        format!("a=b, JSESSIONID={id}"),
    ] {
        let reply = asked(&line);
        assert!(reply.principal.is_empty(), "{line}: {reply:?}");
    }
    assert!(!asked(&format!("JSESSIONID={id}")).principal.is_empty());
    assert!(!asked(&format!("JSESSIONID={id}; __Host-janua-mauro={companion}")).principal.is_empty());
    for line in [format!("__%48ost-janua-mauro={companion}"), format!("=__Host-janua-mauro={companion}")] {
        let reply = asked(&format!("JSESSIONID={id}; {line}"));
        assert_eq!(reply.reason, Reason::CompanionMissing, "{line}");
    }
}

#[test]
fn row_37_one_count_over_all_protocols() {
    let house = House::new();
    let (men, presto) = (house.site("menandmice"), house.site("mashzone"));
    let jump = r#"{"sid":"UserManagerService","oid":"login","svcVersion":"1","params":["Aladdin","wrong"]}"#;
    let guesses = [
        (
            house.site("mauro"),
            ask("POST", "/api/authentication/login").json(r#"{"username":"Aladdin","password":"wrong"}"#),
        ),
        (house.site("mfiles"), ask("GET", "/REST/views").header("X-Username", "Aladdin").header("X-Password", "wrong")),
        (men.clone(), ask("GET", "/mmws/api/DNSZones").header("Authorization", "Basic QWxhZGRpbjp3cm9uZw==")),
        (men.clone(), soap("Login", "<loginName>Aladdin</loginName><password>wrong</password>")),
        (presto, ask("GET", &format!("/mashzone/edge/api?inputStream={}", percent(jump)))),
        (men.clone(), ask("GET", "/mmws/api/DNSZones?loginName=ALADDIN&password=wrong")),
        (
            men,
            ask("POST", "/_mmwebext/mmwebext.dll")
                .json(r#"{"method":"Login","params":{"loginName":"Aladdin","password":"wrong"},"id":1}"#),
        ),
        (
            house.site("form"),
            ask("POST", "/login").body("application/x-www-form-urlencoded", "user=Aladdin&password=OpenSesame"),
        ),
    ];
    for (number, (site, guess)) in guesses.iter().enumerate() {
        let reply = house.ask(site, guess);
        assert!(!reply.allowed() && reply.principal.is_empty(), "{number}: {reply:?}");
        let reason = if number < 5 { Reason::WrongPassword } else { Reason::Throttled };
        assert_eq!(reply.reason, reason, "{number}: {reply:?}");
    }
    assert_eq!(house.engine.count(Reason::WrongPassword), 5);
}

fn percent(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[test]
fn row_41_two_of_a_kind_are_refused_in_headers_queries_and_bodies() {
    let house = House::new();
    let men = house.site("menandmice");
    let login = ask("POST", "/mmws/api/commands/Login").json(r#"{"loginName":"Aladdin","password":"OpenSesame"}"#);
    let id = house.ask(&men, &login).json()["result"]["session"].as_str().unwrap().to_owned();
    let zones = |more: &str| ask("GET", &format!("/mmws/api/DNSZones{more}"));
    let basic = "Basic QWxhZGRpbjpPcGVuU2VzYW1l";
    assert!(house.ask(&men, &zones("").header("Authorization", basic)).allowed());
    assert!(house.ask(&men, &zones(&format!("?session={id}"))).allowed());
    let twice = [
        zones("").header("Authorization", basic).header("Authorization", basic),
        zones("").header("Authorization", basic).header("authorization", "Bearer x"),
        zones(&format!("?session={id}&session={id}")),
        zones(&format!("?session={id}&SESSION=x")),
        zones(&format!("?session={id}")).header("Authorization", basic),
        ask("POST", "/mmws/api/DNSZones").json(&format!(r#"{{"session":"{id}","session":"{id}"}}"#)),
        soap("GetDNSZones", &format!("<session>{id}</session><session>{id}</session>")),
        ask("POST", "/Soap").body(
            "text/xml",
            format!("<Envelope><Body><A><session>{id}</session></A><B><session>x</session></B></Body></Envelope>"),
        ),
    ];
    for (number, request) in twice.iter().enumerate() {
        let reply = house.ask(&men, request);
        assert!(!reply.allowed() && reply.principal.is_empty(), "{number}: {reply:?}");
    }
}

/// A call that would be passed on, and a log-out that is answered, both naming a callback.
fn jump(house: &House, callback: &str) -> (bool, Reply) {
    let site = house.site("mashzone");
    let login = ask("GET", &format!("{REST}/login?presto_username=Aladdin&presto_password=OpenSesame"));
    let id = house.ask(&site, &login).cookie("JSESSIONID").unwrap();
    let call = |oid: &str| {
        let document = percent(&format!(r#"{{"sid":"UserManagerService","oid":"{oid}","svcVersion":"0.1"}}"#));
        let target = format!("/mashzone/edge/api?inputStream={document}&callback={callback}");
        house.ask(&site, &ask("GET", &target).cookie("JSESSIONID", &id))
    };
    (call("currentUser").allowed(), call("logout"))
}

#[test]
fn row_44_json_comes_back_as_a_program_only_where_that_was_asked_for() {
    let off = House::new();
    let on = House::with("[settings.mashzone]\njsonp = 'wrap'\n");
    let kind = |reply: &Reply| reply.headers.iter().find(|(n, _)| n == "Content-Type").map(|(_, value)| value.clone());
    let names = ["f", "angular.callbacks._0", "$.f_1"];
    let programs =
        ["alert(1)//", "a[0]", "1a", ".a", "f%0a", "%3Cscript%3E", "f;g", "", "f%00", "%C3%A9", "f&callback=g"];
    for callback in names.iter().chain(&programs) {
        let (passed, reply) = jump(&off, callback);
        assert!(!passed, "off, and `{callback}` was handed to whoever stands behind");
        assert_eq!(kind(&reply).as_deref(), Some("application/json"), "{callback}: {reply:?}");
        assert_eq!(reply.json()["response"], "JBPSASCE0741 - Logout Success");

        let (passed, reply) = jump(&on, callback);
        let good = names.contains(callback);
        assert_eq!((passed, reply.status), (good, if good { 200 } else { 400 }), "{callback}: {reply:?}");
        let expected = if good { "application/javascript; charset=utf-8" } else { "application/json" };
        assert_eq!(kind(&reply).as_deref(), Some(expected), "{callback}");
        assert_eq!(reply.body.starts_with(&format!("/**/{callback}({{")), good, "{callback}: {}", reply.body);
        assert!(reply.headers.contains(&("X-Content-Type-Options".into(), "nosniff".into())));
    }
}

#[test]
fn row_44_another_site_logs_nobody_in_or_out_by_get() {
    let house = House::new();
    let site = house.site("mashzone");
    let login = ask("GET", &format!("{REST}/login?presto_username=Aladdin&presto_password=OpenSesame"));
    let id = house.ask(&site, &login).cookie("JSESSIONID").unwrap();
    let document = percent(r#"{"sid":"UserManagerService","oid":"logout"}"#);
    let logouts =
        [ask("GET", &format!("{REST}/logout")), ask("GET", &format!("/mashzone/edge/api?inputStream={document}"))];
    for (name, value) in [("Sec-Fetch-Site", "cross-site"), ("Origin", "null"), ("Referer", "https://evil.example/")] {
        let reply = house.ask(&site, &login.clone().header(name, value));
        assert_eq!((reply.status, reply.cookie("JSESSIONID")), (403, None), "{name}: {reply:?}");
        for logout in &logouts {
            let reply = house.ask(&site, &logout.clone().cookie("JSESSIONID", &id).header(name, value));
            assert_eq!((reply.status, reply.reason), (403, Reason::CrossSite), "{name}: {reply:?}");
        }
    }
    assert!(house.ask(&site, &ask("GET", "/mashzone/edge/api/rest/a/b").cookie("JSESSIONID", &id)).allowed());
}
