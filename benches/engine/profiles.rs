//! How long a profile takes to compile, and a request to find its endpoint.

use crate::measure::{Row, median, time};
use janua::parse::{Body, Header, Request};
use janua::profile::{BUILTINS, Overrides, Profile, Room, Routed};
use std::array;
use std::hint::black_box;

/// Microseconds that a profile may take to compile.
const LIMIT: f64 = 5_000.0;

pub fn rows() -> Vec<Row> {
    let mut rows: Vec<_> = BUILTINS.into_iter().map(|(name, text)| compiled(name, text)).collect();
    rows.push(routed());
    rows
}

fn compiled(name: &str, text: &str) -> Row {
    let mut times = array::from_fn::<_, 31, _>(|_| {
        time(1, &mut || assert!(black_box(Profile::compile(name, text, &Overrides::none())).is_ok())) / 1_000.0
    });
    let median = median(&mut times);
    Row::alone(format!("profile {name} compiled"), format!("{median:.0} us")).judged("5000 us", median <= LIMIT)
}

fn routed() -> Row {
    let (name, text) = BUILTINS.into_iter().find(|(name, _)| *name == "mfiles").unwrap();
    let profile = Profile::compile(name, text, &Overrides::none()).unwrap();
    let headers = [
        Header { name: b"Host", value: b"data.example.org" },
        Header { name: b"X-Vault", value: b"{C840BE1A-5B47-4AC0-8EF7-835C166C8E24}" },
        Header { name: b"X-Authentication", value: &[b'A'; 199] },
    ];
    let request = Request {
        method: b"GET",
        path: b"/REST/objects",
        raw_path: b"/REST/objects",
        query: b"p=1",
        client: b"127.0.0.1",
        headers: &headers,
        body: Body::NotRead,
        secure: true,
    };
    let mut room = Room::new();
    let mut times = array::from_fn::<_, 101, _>(|_| {
        time(1_000, &mut || {
            let Routed::Visit(visit) = profile.route(black_box(&request), "", &mut room) else { panic!("an endpoint") };
            for proof in visit.endpoint().proofs() {
                let _ = black_box(visit.offers(proof));
            }
        })
    });
    Row::alone(format!("profile {name}: endpoint and offers found"), format!("{:.0} ns", median(&mut times)))
}
