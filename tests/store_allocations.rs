//! The check path of the memory store allocates nothing: hits, touches that are due with a path, misses, tombstones,
//! probes and tokens.

#[path = "../benches/counting/sys.rs"]
mod counting;

use janua::base::Clock;
use janua::session::{NewSession, Record, Reference, Touch, id};
use janua::store::memory::{Memory, Older, Settings};
use janua::store::{Answer, Revocation, Store};

#[global_allocator]
static ALLOCATOR: counting::Counting = counting::Counting::new();

// The only test of this program: another one's thread would be counted as well.
#[test]
fn the_check_path_allocates_nothing() {
    let clock = Clock::fake(1_700_000_000);
    let store =
        Memory::new(Settings { longest_secs: 86_400, older: Older::Refused, floors: Vec::new() }, clock.now()).unwrap();
    let (live, gone) = (id::key("s", "p", "", b"live"), id::key("s", "p", "", b"gone"));
    let chosen = id::chosen_key("s", "p", "", "Aladdin", b"1");
    let old = store.seq().unwrap();
    for key in [live, gone] {
        let new = NewSession { keep_path: true, ..NewSession::of("Aladdin", 1_800, 43_200, old) };
        store.insert(key, Record::new(new, clock.now()), 10, clock.now()).unwrap();
    }
    store.revoke(Revocation::Session(gone), clock.now()).unwrap();
    store.revoke(Revocation::Principal("AlexK"), clock.now()).unwrap();
    store.revoke(Revocation::Chosen(chosen), clock.now()).unwrap();
    let (calls, bytes) = (ALLOCATOR.calls(), ALLOCATOR.bytes());
    for _ in 0..100 {
        clock.advance(60);
        let Answer::Hit(record) = store.check(&live, clock.now()) else { panic!("it is alive") };
        assert_eq!(store.touch(&record, Some(b"/api/documents/1"), clock.now()), Ok(Touch::Done));
        assert!(matches!(store.check(&gone, clock.now()), Answer::Miss(_)));
        assert!(matches!(store.alive(&Reference::of(&live), clock.now()), Answer::Hit(())));
        assert_eq!(store.token_revoked("AlexK", &[1; 8], None, old), Ok(true));
        assert_eq!(store.token_revoked("Aladdin", &[1; 8], Some(&chosen), old), Ok(true));
        assert_eq!(store.token_revoked("Aladdin", &[1; 8], None, old), Ok(false));
        assert!(store.floor("Aladdin").unwrap() <= old);
    }
    assert_eq!((ALLOCATOR.calls(), ALLOCATOR.bytes()), (calls, bytes));
}
