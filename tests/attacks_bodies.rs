//! Rows of `docs/attacks.md` about bodies: XML that is dangerous to parse, and lists of calls in one body.

mod house;

use house::{Ask, House, ask};
use janua::base::Reason;
use janua::engine::Outcome;
use std::time::{Duration, Instant};

/// What no body may take, in a test build on a busy machine.
const BOUND: Duration = Duration::from_secs(2);

const DOORS: [(&str, &str); 4] = [
    ("menandmice", "/_mmwebext/mmwebext.dll"),
    ("menandmice", "/Soap"),
    ("menandmice", "/mmws/soap"),
    ("mauro", "/api/authentication/login"),
];

/// A log-in in both protocols' words, so that each would be let in if it were read.
const LOGIN: &str = "<s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/'><s:Body><Login><loginName>Aladdin</loginName><password>OpenSesame</password></Login></s:Body></s:Envelope>";
const MAURO: &str = "<user><username>Aladdin</username><password>OpenSesame</password></user>";

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn utf7(text: &str) -> Vec<u8> {
    text.replace('<', "+ADw-").replace('>', "+AD4-").into_bytes()
}

/// `login` as somebody would send it who wants more than to log in.
fn dangerous(login: &str) -> Vec<(&'static str, Vec<u8>)> {
    let entity = |name: &str| login.replace("Aladdin", &format!("&{name};"));
    let nested: String = (1..20).map(|n| format!("<!ENTITY e{n} \"&e{0};&e{0};&e{0};\">", n - 1)).collect();
    let levels = |n: usize| login.replace("Aladdin", &("<a>".repeat(n) + &"</a>".repeat(n)));
    vec![
        ("a DTD", format!("<!DOCTYPE x>{login}").into()),
        ("a DTD from elsewhere", format!("<!DOCTYPE x SYSTEM \"http://127.0.0.1:9/x\">{login}").into()),
        ("a file", format!("<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]>{}", entity("e")).into()),
        ("a parameter entity", format!("<!DOCTYPE x [<!ENTITY % p SYSTEM \"file:///etc/passwd\"> %p;]>{login}").into()),
        ("laughs", format!("<!DOCTYPE x [<!ENTITY e0 \"ha\">{nested}]>{}", entity("e19")).into()),
        ("an entity of nobody", entity("admin").into()),
        ("9,000 levels, closed", levels(9_000).into()),
        ("10,000 levels, open", "<a>".repeat(10_000).into()),
        ("an attribute without end", format!("<a b='{}", "x".repeat(60_000)).into()),
        ("many attributes", format!("<a {}/>", (0..8_000).map(|n| format!("a{n}='' ")).collect::<String>()).into()),
        ("UTF-16", utf16(login)),
        ("UTF-16 with a mark", [vec![0xff, 0xfe], utf16(login)].concat()),
        ("UTF-16 by its word", format!("<?xml version='1.0' encoding='UTF-16'?>{login}").into()),
        ("UTF-7", utf7(login)),
        ("UTF-7 by its word", format!("<?xml version='1.0' encoding='UTF-7'?>{login}").into()),
    ]
}

#[test]
fn row_40_dangerous_xml_is_refused_in_bounded_time() {
    let house = House::new();
    for (profile, path) in DOORS {
        let site = house.site(profile);
        let login = if profile == "mauro" { MAURO } else { LOGIN };
        let post = |kind: &str, body: Vec<u8>| house.ask(&site, &ask("POST", path).body(kind, body));
        assert_eq!(post("text/xml", login.into()).reason, Reason::LoggedIn, "{path}");
        for (what, body) in dangerous(login) {
            let start = Instant::now();
            let reply = post("text/xml; charset=utf-8", body);
            assert!(start.elapsed() < BOUND, "{path}, {what}: {:?}", start.elapsed());
            assert!(matches!(reply.reason, Reason::Unreadable | Reason::TooLarge), "{path}, {what}: {reply:?}");
            assert!(!reply.body.contains("root:"), "{path}, {what}");
        }
        for charset in ["utf-16", "UTF-7", "iso-8859-1"] {
            let reply = post(&format!("text/xml; charset={charset}"), login.into());
            assert_eq!(reply.reason, Reason::BodyEncoding, "{path}, {charset}");
        }
    }
}

fn call(method: &str, params: &str) -> String {
    format!(r#"{{"method":"{method}","params":{params}}}"#)
}

fn batch(calls: &[String]) -> Ask {
    ask("POST", "/mmws/json").json(&format!("[{}]", calls.join(",")))
}

fn session(house: &House, user: &str, password: &str) -> String {
    let pair = format!(r#"{{"loginName":"{user}","password":"{password}"}}"#);
    let reply = house.ask(&house.site("menandmice"), &ask("POST", "/mmws/json").json(&call("Login", &pair)));
    reply.json()["result"]["session"].as_str().unwrap().to_owned()
}

#[test]
fn row_41_a_list_of_calls_is_let_through_for_one_caller_or_not_at_all() {
    let house = House::new();
    let site = house.site("menandmice");
    let (mine, theirs) = (session(&house, "Aladdin", "OpenSesame"), session(&house, "joe.bloggs@test.com", "pa55w0rd"));
    let users = |id: &str| call("GetUsers", &format!(r#"{{"session":"{id}"}}"#));
    let good = house.ask(&site, &batch(&[users(&mine), users(&mine)]));
    assert!(good.allowed() && good.inward("X-User") == Some("Aladdin"), "{good:?}");
    let bare = call("GetUsers", "{}");
    let logout = call("Logout", &format!(r#"{{"session":"{theirs}"}}"#));
    for (what, calls) in [
        ("another's second", vec![users(&mine), users(&theirs)]),
        ("another's first", vec![users(&theirs), users(&mine)]),
        ("none second", vec![users(&mine), bare.clone()]),
        ("none first", vec![bare.clone(), users(&mine)]),
        ("no call", vec![users(&mine), "7".into()]),
        ("a list in it", vec![users(&mine), format!("[{}]", users(&mine))]),
        ("a log-out in it", vec![users(&mine), logout]),
        ("two sessions of one user", vec![users(&mine), users(&session(&house, "Aladdin", "OpenSesame"))]),
    ] {
        let reply = house.ask(&site, &batch(&calls));
        assert!(!reply.allowed() && reply.inward.is_empty(), "{what}: {reply:?}");
    }
    let both = batch(&[bare.clone(), users(&mine)]).header("Authorization", "Basic QWxhZGRpbjpPcGVuU2VzYW1l");
    assert!(!house.ask(&site, &both).allowed());
    let dead = house.ask(&site, &batch(&[users(&theirs)]));
    assert!(!dead.allowed() && dead.reason == Reason::SessionRevoked, "the log-out in the list was carried out");
}

#[test]
fn row_37_guesses_in_a_list_are_counted_one_by_one() {
    let house = House::new();
    let site = house.site("menandmice");
    let guess = call("Login", r#"{"loginName":"Aladdin","password":"wrong"}"#);
    let reply = house.ask(&site, &batch(&vec![guess.clone(); 32]));
    assert_eq!((reply.outcome, reply.json().as_array().unwrap().len()), (Outcome::Answer, 32));
    assert_eq!(house.engine.count(Reason::WrongPassword), 5);
    assert_eq!(house.engine.count(Reason::Throttled), 27);
    let reply = house.ask(&site, &batch(&vec![guess; 33]));
    assert_eq!(reply.reason, Reason::TooLarge);
    assert_eq!(house.engine.count(Reason::Throttled), 27, "nothing of a list that is too long is tried");
}

#[test]
fn a_log_in_by_a_link_on_another_site_is_refused() {
    let house = House::new();
    let site = house.site("menandmice");
    let login = ask("GET", "/mmws/api/commands/Login?loginName=Aladdin&password=OpenSesame");
    assert_eq!(house.ask(&site, &login).reason, Reason::LoggedIn);
    let login = ask("GET", "/mmws/api/commands/Login?loginName=Aladdin&password=OpenSesame&callback=f");
    let reply = house.ask(&site, &login);
    assert!(reply.body.starts_with("{\"result\""), "no answer is a script: {}", reply.body);
    let reply = house.ask(&site, &login.header("Sec-Fetch-Site", "cross-site"));
    assert_eq!(reply.reason, Reason::CrossSite);
    let change = ask("POST", "/mmws/api/Users")
        .json("{}")
        .header("Authorization", "Basic QWxhZGRpbjpPcGVuU2VzYW1l")
        .header("Sec-Fetch-Site", "cross-site");
    let reply = house.ask(&site, &change);
    assert_eq!((reply.reason, reply.status), (Reason::CrossSite, 403), "browsers send Basic by themselves");
}
