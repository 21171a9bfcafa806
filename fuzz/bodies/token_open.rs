//! Input: a byte that says how, then a token, or changes to a real one: pairs of a place and a byte.
//!
//! The tokens are minted anew in each process, so an input can say what it does to one, never what one is.

use janua::base::clock::APART_SECS;
use janua::base::encoding::{base64url, base64url_decode};
use janua::base::{Clock, Reason};
use janua::crypto::Keyring;
use janua::token::{Binding, Claims, Extra, ExtraRoom, Room, Sealer, SidKind, tenant_tag};
use std::sync::{Arc, OnceLock};

/// 2026-01-01T00:00:00Z
const START: i64 = 1_767_225_600;
const LIFE: i64 = 3600;
const PRINCIPALS: [&str; 3] = ["AlexK", "a name of more than the fifty-three bytes of the bucket", "n"];
/// Seconds from the issue at which tokens are opened: within the grace and the life, and just outside of them.
const MOMENTS: [(i64, bool); 6] =
    [(0, true), (-APART_SECS, true), (LIFE - 1, true), (LIFE, false), (-APART_SECS - 1, false), (1 << 40, false)];

struct Mint {
    sealer: Sealer,
    other_ring: Sealer,
    bindings: [Binding; 2],
    tokens: Vec<String>,
}

/// What the third keeps: nearly all that a token can.
fn extra() -> Extra<'static> {
    static ROOM: OnceLock<ExtraRoom> = OnceLock::new();
    let fill = || {
        let mut room = ExtraRoom::new();
        room.push("computer", &"c".repeat(280)).unwrap();
        room.push("read_only", "true").unwrap();
        room
    };
    ROOM.get_or_init(fill).get()
}

fn claims(which: usize) -> Claims<'static> {
    Claims {
        issued: START,
        ends: START + LIFE,
        seq: 42,
        sid: [3; 16],
        sid_kind: [SidKind::Random, SidKind::Chosen, SidKind::Session][which],
        tenant: tenant_tag("{C840BE1A-5B47-4AC0-8EF7-835C166C8E24}"),
        principal: PRINCIPALS[which],
        extra: if which == 2 { extra() } else { Extra::NONE },
    }
}

fn mint() -> &'static Mint {
    static MINT: OnceLock<Mint> = OnceLock::new();
    MINT.get_or_init(|| {
        let sealer = || Sealer::new(Arc::new(Keyring::ephemeral(START).unwrap()), Clock::fake(START));
        let (sealer, other_ring) = (sealer(), sealer());
        let bindings = ["data.example.org", "other.example.org"].map(|site| Binding::new("access", "mfiles", site));
        let tokens: Vec<_> = (0..3).map(|which| sealer.mint(&bindings[0], &claims(which)).unwrap()).collect();
        assert_eq!(tokens.iter().map(String::len).collect::<Vec<_>>(), [199, 327, 668]);
        Mint { sealer, other_ring, bindings, tokens }
    })
}

pub fn run(data: &[u8]) {
    let Some((how, rest)) = data.split_first() else { return };
    let mint = mint();
    let token = match how & 3 {
        3 => rest.to_vec(),
        which => changed(&mint.tokens[usize::from(which)], how & 4 != 0, rest),
    };
    let real = mint.tokens.iter().position(|real| real.as_bytes() == token);
    let (moment, in_time) = MOMENTS[usize::from(how >> 3) % MOMENTS.len()];
    let now = Clock::fake(START + moment).now();
    let mut room = Room::new();
    for (sealer, at_home) in [(&mint.sealer, true), (&mint.other_ring, false)] {
        for (place, binding) in mint.bindings.iter().enumerate() {
            let opened = sealer.open(binding, &token, now, &mut room);
            let opens = real.filter(|_| at_home && place == 0 && in_time);
            match (opened, opens) {
                (Ok(opened), Some(which)) => assert_eq!(opened.claims, claims(which)),
                (Ok(_), None) => panic!("a token that nobody minted opens"),
                (Err(reason), Some(_)) => panic!("a real token is refused: {}", reason.name()),
                (Err(reason), None) => refused(reason, real.is_some(), at_home, place, moment),
            }
        }
    }
}

fn refused(reason: Reason, real: bool, at_home: bool, place: usize, moment: i64) {
    if !real {
        let token = matches!(reason, Reason::TokenMalformed | Reason::TokenForeign | Reason::TokenForged);
        return assert!(token, "{}", reason.name());
    }
    let expected = match (at_home, place, moment) {
        (false, ..) => Reason::TokenForeign,
        (true, 1, _) => Reason::TokenForged,
        (.., moment) if moment < 0 => Reason::TokenFuture,
        _ => Reason::TokenExpired,
    };
    assert_eq!(reason, expected);
}

/// The token with bytes of its text, or of what the text stands for, flipped; a place beyond the end cuts or lengthens.
fn changed(real: &str, raw: bool, changes: &[u8]) -> Vec<u8> {
    let mut bytes = real.as_bytes().to_vec();
    if raw {
        let mut room = vec![0; bytes.len()];
        let length = base64url_decode(&bytes, &mut room).unwrap();
        bytes = room[..length].to_vec();
    }
    for change in changes.chunks_exact(3) {
        let place = usize::from(u16::from_be_bytes([change[0], change[1]]));
        match bytes.get_mut(place) {
            Some(byte) => *byte ^= change[2],
            None if place & 1 == 0 => bytes.truncate(bytes.len().saturating_sub(usize::from(change[2]))),
            None => bytes.push(change[2]),
        }
    }
    if raw { base64url(&bytes).into_bytes() } else { bytes }
}
