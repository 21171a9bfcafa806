//! The check path of a profile allocates nothing: from a request to its endpoint and to what it offers.

#[path = "counting/sys.rs"]
mod sys;

use janua::parse::{Body, Header, Request};
use janua::profile::{Offer, Overrides, Profile, Room, Routed, builtin};

#[global_allocator]
static ALLOCATOR: sys::Counting = sys::Counting;

fn profile(name: &str) -> Profile {
    Profile::compile(name, builtin(name).unwrap(), &Overrides::none()).unwrap()
}

/// Routes the request once to warm the room up and once to count; returns allocations and offers.
fn measure(profile: &Profile, method: &str, path: &str, query: &str, headers: &[(&str, &str)]) -> (usize, usize) {
    let headers: Vec<_> =
        headers.iter().map(|(name, value)| Header { name: name.as_bytes(), value: value.as_bytes() }).collect();
    let request = Request {
        method: method.as_bytes(),
        path: path.as_bytes(),
        raw_path: path.as_bytes(),
        query: query.as_bytes(),
        client: b"127.0.0.1",
        headers: &headers,
        body: Body::NotRead,
        secure: true,
    };
    let mut room = Room::new();
    let mut last = (0, 0);
    for _ in 0..2 {
        let before = sys::allocations();
        let mut offers = 0;
        let Routed::Visit(visit) = profile.route(&request, "", &mut room) else { panic!("{path}: no visit") };
        for proof in visit.endpoint().proofs() {
            match visit.offers(proof) {
                Ok(Some(Offer::Session(ids))) => offers += ids.iter().count(),
                Ok(Some(_)) => offers += 1,
                Ok(None) => {}
                Err(reason) => panic!("{}", reason.name()),
            }
        }
        let _ = visit.tenant().unwrap();
        last = (sys::allocations() - before, offers);
    }
    last
}

#[test]
fn proof_in_headers_cookies_and_query_costs_no_allocation() {
    let mauro = profile("mauro");
    let mfiles = profile("mfiles");
    let form = profile("form");
    let id = "JSESSIONID=0123456789ABCDEF0123456789ABCDEF";
    assert_eq!(measure(&mauro, "GET", "/api/folders", "max=10", &[("Cookie", id)]), (0, 1));
    assert_eq!(
        measure(&mauro, "GET", "/api/folders/1", "", &[("apiKey", "4a3a64b9-6a8e-4a21-8f5a-5f4f5a1d2a10")]),
        (0, 1)
    );
    let vault = ("X-Vault", "{C840BE1A-5B47-4AC0-8EF7-835C166C8E24}");
    assert_eq!(measure(&mfiles, "GET", "/REST/objects.aspx", "", &[vault, ("X-Authentication", "AQID")]), (0, 1));
    assert_eq!(measure(&mfiles, "GET", "/rest/OBJECTS", "auth=AQID&vault=x", &[]), (0, 1));
    assert_eq!(
        measure(&mfiles, "GET", "/REST/x", "", &[("X-Username", "AlexK"), ("X-Password", "My Password")]),
        (0, 1)
    );
    assert_eq!(measure(&mfiles, "POST", "/REST/x", "_method=DELETE&auth=AQID", &[]), (0, 1));
    assert_eq!(measure(&form, "GET", "/a/b", "", &[("Cookie", "sid=a; sid=b")]), (0, 2));
    let basic = "name = \"b\"\n[proof.basic]\nkind = \"password\"\nat = [\"auth:Basic\"]\n[[endpoint]]\nname = \"all\"\nmatch = [\"* /**\"]\nproof = [\"basic\"]\nmissing = { status = 401 }\n";
    let basic = Profile::compile("b.toml", basic, &Overrides::none()).unwrap();
    assert_eq!(measure(&basic, "GET", "/x", "", &[("Authorization", "Basic QWxhZGRpbjpPcGVuU2VzYW1l")]), (0, 1));
}
