//! Opening a token allocates nothing, whether it is good, forged, foreign, expired or no token at all.

use janua::base::Clock;
use janua::crypto::Keyring;
use janua::token::{Binding, Claims, Extra, ExtraRoom, Room, Sealer, SidKind};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;

struct Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator unchanged; counting touches a thread's own cell and allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: as the caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        // SAFETY: as the caller promised.
        unsafe { System.dealloc(start, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn opening_allocates_nothing() {
    let clock = Clock::system();
    let now = clock.now();
    let sealer = Sealer::new(Arc::new(Keyring::ephemeral(now.unix()).unwrap()), clock.clone());
    let other = Sealer::new(Arc::new(Keyring::ephemeral(now.unix()).unwrap()), clock);
    let binding = Binding::new("token", "mfiles", "data.example.org");
    let claims = Claims {
        issued: now.unix(),
        ends: now.unix() + 60,
        seq: 0,
        sid: [0; 16],
        sid_kind: SidKind::Random,
        tenant: [0; 16],
        principal: "Aladdin",
        extra: Extra::NONE,
    };
    let good = sealer.mint(&binding, &claims).unwrap();
    let mut values = ExtraRoom::new();
    for (name, value) in [("computer", "x".repeat(200)), ("read_only", "true".to_owned())] {
        values.push(name, &value).unwrap();
    }
    let large = sealer.mint(&binding, &Claims { extra: values.get(), ..claims }).unwrap();
    let ended = sealer.mint(&binding, &Claims { issued: 1, ends: 2, ..claims }).unwrap();
    let forged = sealer.decoy(&binding, Extra::NONE).unwrap();
    let foreign = other.mint(&binding, &claims).unwrap();
    let mut room = Room::new();
    let before = COUNT.with(Cell::get);
    let (mut opened, mut kept) = (0, 0);
    for _ in 0..3 {
        for token in [good.as_str(), &large, &ended, &forged, &foreign, "", "Aladdin"] {
            let Ok(good) = sealer.open(&binding, token.as_bytes(), now, &mut room) else { continue };
            let mut copy = ExtraRoom::new();
            good.claims.extra.iter().for_each(|(name, value)| copy.push(name, value).unwrap());
            opened += 1;
            kept += copy.get().iter().count();
        }
    }
    let after = COUNT.with(Cell::get);
    assert_eq!((opened, kept), (6, 6));
    assert_eq!(after - before, 0);
    assert!(before > 0, "the count counts");
}
