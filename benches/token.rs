//! Opening a sealed token against the primitives it rests on: base64url and one AES-256-GCM open of the same bytes.
//!
//! Prints one line for a salt that was seen before, one for a salt seen for the first time, and one for minting. The
//! rounds of both sides are interleaved, so that a busy machine slows both alike, and the median of the rounds' ratios
//! is shown.

use janua::base::encoding::base64url_decode;
use janua::base::{Clock, Now};
use janua::crypto::Keyring;
use janua::token::{Binding, Claims, Room, Sealer};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

const ROUNDS: usize = 201;
const CALLS: usize = 2_000;

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
        has_session: true,
        tenant: [2; 16],
        principal: "joe.bloggs@test.com",
        extra: b"",
    };
    sealer.mint(binding, &claims).unwrap()
}

/// Nanoseconds a call.
fn time(calls: usize, mut call: impl FnMut()) -> f64 {
    let start = Instant::now();
    for _ in 0..calls {
        call();
    }
    start.elapsed().as_nanos() as f64 / calls as f64
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    let clock = Clock::system();
    let now = clock.now();
    let ring = Arc::new(Keyring::ephemeral(now.unix()).unwrap());
    let binding = Binding::new("token", "mfiles", "data.example.org");
    let sealer = Sealer::new(ring.clone(), clock.clone());
    let token = mint(&sealer, &binding, now);
    let bare = Bare::new();
    assert_eq!(bare.token.len(), token.len());

    let (mut room, mut plain) = (Room::new(), [0; 504]);
    let mut open = || {
        black_box(sealer.open(&binding, black_box(token.as_bytes()), now, &mut room).unwrap());
    };
    let (mut ours, mut theirs, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    open();
    for _ in 0..ROUNDS {
        let base = time(CALLS, || {
            black_box(bare.open(black_box(&mut plain)));
        });
        let known = time(CALLS, &mut open);
        ours.push(known);
        theirs.push(base);
        ratios.push(known / base);
    }
    let base = median(&mut theirs);
    println!(
        "token open, known salt: {:.0} ns, base64url + AES-256-GCM {base:.0} ns, ratio {:.2} (limit 1.50)",
        median(&mut ours),
        median(&mut ratios)
    );

    // A fresh sealer has seen no salt yet; making it is not timed.
    let mut first = Vec::new();
    for _ in 0..500 {
        let fresh = Sealer::new(ring.clone(), clock.clone());
        let mut room = Room::new();
        first.push(time(1, || {
            black_box(fresh.open(&binding, black_box(token.as_bytes()), now, &mut room).unwrap());
        }));
    }
    let first = median(&mut first);
    println!("token open, salt seen for the first time: {first:.0} ns, ratio {:.2}", first / base);

    let mut minted: Vec<f64> = (0..50)
        .map(|_| {
            time(500, || {
                black_box(mint(&sealer, &binding, now));
            })
        })
        .collect();
    let minted = median(&mut minted);
    println!("token mint: {minted:.0} ns, ratio {:.2}", minted / base);
}
