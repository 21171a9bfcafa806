//! How long a profile takes to compile, and a request to find its endpoint: `cargo bench --bench profile`.
//!
//! A profile must compile in under 5 ms.

use janua::parse::{Body, Header, Request};
use janua::profile::{BUILTINS, Overrides, Profile, Room, Routed};
use std::hint::black_box;
use std::time::Instant;

fn main() {
    for (name, text) in BUILTINS {
        let mut times: Vec<_> = (0..31)
            .map(|_| {
                let start = Instant::now();
                let _ = black_box(Profile::compile(name, text, &Overrides::none()));
                start.elapsed()
            })
            .collect();
        times.sort();
        println!("compile {name:8} median {:?}, fastest {:?}", times[15], times[0]);
    }
    let Some((name, text)) = BUILTINS.iter().find(|(name, _)| *name == "mfiles") else { return };
    let Ok(profile) = Profile::compile(name, text, &Overrides::none()) else { return };
    let headers = [
        Header { name: b"Host", value: b"example.org" },
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
    let rounds = 200_000;
    let start = Instant::now();
    for _ in 0..rounds {
        if let Routed::Visit(visit) = profile.route(black_box(&request), "", &mut room) {
            for proof in visit.endpoint().proofs() {
                let _ = black_box(visit.offers(proof));
            }
        }
    }
    println!("route and offers {name}: {:?}", start.elapsed() / rounds);
}
