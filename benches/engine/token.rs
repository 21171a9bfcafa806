//! Sealed tokens against the primitives they rest on: base64url and one AES-256-GCM open of the same bytes.

use crate::checkpath::Rust;
use crate::checkpath::house::House;
use crate::measure::{Compared, Effort, Row, compare, median, time};
use janua::base::encoding::base64url_decode;
use janua::base::{Clock, Now};
use janua::crypto::Keyring;
use janua::engine::Held;
use janua::token::{Binding, Claims, Extra, Room, Sealer, SidKind};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use std::hint::black_box;
use std::sync::Arc;

/// The same bytes under a plain key: what a token costs at least.
struct Bare {
    key: LessSafeKey,
    token: String,
}

impl Bare {
    fn new() -> Bare {
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &[7; 32]).unwrap());
        let mut raw = vec![1; 29 + 104];
        let aad = Aad::from([1; 45]);
        let tag = key.seal_in_place_separate_tag(Nonce::assume_unique_for_key([1; 12]), aad, &mut raw[29..]).unwrap();
        raw.extend_from_slice(tag.as_ref());
        Bare { key, token: janua::base::encoding::base64url(&raw) }
    }

    fn open(&self, room: &mut [u8; 504]) -> usize {
        let length = base64url_decode(self.token.as_bytes(), room).unwrap();
        let nonce = Nonce::assume_unique_for_key([1; 12]);
        self.key.open_in_place(nonce, Aad::from([1; 45]), &mut room[29..length]).unwrap().len()
    }
}

fn mint(sealer: &Sealer, binding: &Binding, now: Now) -> String {
    let claims = Claims {
        issued: now.unix(),
        ends: now.unix() + 3600,
        seq: 7,
        sid: [1; 16],
        sid_kind: SidKind::Chosen,
        tenant: [2; 16],
        principal: "joe.bloggs@test.com",
        extra: Extra::NONE,
    };
    sealer.mint(binding, &claims).unwrap()
}

pub fn rows(short: bool) -> Vec<Row> {
    let effort = Effort::of(short);
    let clock = Clock::system();
    let now = clock.now();
    let ring = Arc::new(Keyring::ephemeral(now.unix()).unwrap());
    let binding = Binding::new("token", "mfiles", "data.example.org");
    let sealer = Sealer::new(ring.clone(), clock.clone());
    let token = mint(&sealer, &binding, now);
    let bare = Bare::new();
    assert_eq!(bare.token.len(), token.len());

    let (mut room, mut plain) = (Room::new(), [0; 504]);
    let mut base = || {
        black_box(bare.open(black_box(&mut plain)));
    };
    let opened = compare(effort, &mut base, &mut || {
        black_box(sealer.open(&binding, black_box(token.as_bytes()), now, &mut room).unwrap());
    });
    let checked = check(effort, &mut base);
    let minted = compare(effort, &mut base, &mut || {
        black_box(mint(&sealer, &binding, now));
    });
    let first = first_sight(&ring, &clock, &binding, &token);
    let first = Compared { ours: first, base: opened.base, ratio: first / opened.base };
    vec![
        Row::limited("sealed token opened", BASE, &opened, 1.5),
        Row::limited("sealed token to principal", BASE, &checked, 1.5),
        Row::ratio("sealed token, salt seen for the first time", BASE, &first),
        Row::ratio("sealed token minted", BASE, &minted),
    ]
}

const BASE: &str = "base64url + AES-256-GCM";

/// The whole primitive of a host: the token, the revocations, the user, and what it proves written down.
fn check(effort: Effort, base: &mut dyn FnMut()) -> Compared {
    let house = House::new();
    let rust = Rust::new(&house, Clock::system(), None);
    let site = &rust.sites["mfiles"];
    let token = site.token_issue("access", "0b97751d-b6bf-476c-a9e6-95d3352e8008", "", "", 0).unwrap();
    let mut held = Held::default();
    compare(effort, base, &mut || site.token_check("access", black_box(token.as_bytes()), &mut held).unwrap())
}

/// A fresh sealer has seen no salt yet; making it is not timed.
fn first_sight(ring: &Arc<Keyring>, clock: &Clock, binding: &Binding, token: &str) -> f64 {
    let mut first: Vec<_> = (0..500)
        .map(|_| {
            let fresh = Sealer::new(ring.clone(), clock.clone());
            let (mut room, now) = (Room::new(), clock.now());
            time(1, &mut || {
                black_box(fresh.open(binding, black_box(token.as_bytes()), now, &mut room).unwrap());
            })
        })
        .collect();
    median(&mut first)
}
