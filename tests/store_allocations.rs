//! The check path allocates nothing. In the memory store: hits, touches that are due with a path, misses, tombstones,
//! probes and tokens. In the shared one: hits from a copy, with uses noted, dead copies, and tokens. In the one on a server:
//! the same at once, while the newest poll is young.

#[path = "../benches/counting/sys.rs"]
mod counting;
#[cfg(all(unix, feature = "redis"))]
#[path = "redis_server/mod.rs"]
mod redis_server;

use janua::base::Clock;
use janua::session::{NewSession, Record, Reference, Touch, id};
use janua::store::memory::{Memory, Older, Settings};
use janua::store::{Answer, Revocation, Store};

#[global_allocator]
static ALLOCATOR: counting::Counting = counting::Counting::new();

// The only test of this program: another one's thread would be counted as well.
#[test]
fn the_check_path_allocates_nothing() {
    the_memory_store();
    #[cfg(feature = "shared")]
    the_shared_store();
    #[cfg(all(unix, feature = "redis"))]
    the_redis_store();
}

fn the_memory_store() {
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

#[cfg(feature = "shared")]
fn the_shared_store() {
    use janua::store::Later;
    use janua::store::shared::{Durability, Settings, Shared};
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("allocations-{}", std::process::id()));
    let clock = Clock::fake(1_700_000_000);
    let settings = Settings::new(folder.clone(), Durability::Process, 86_400, Vec::new());
    let store = Shared::new(Settings { sessions_map: 64 << 20, revocations_map: 64 << 20, ..settings }, clock.clone());
    store.attach().unwrap();
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
    let mut noted = 0;
    for _ in 0..100 {
        let Answer::Hit(record) = store.check(&live, clock.now()) else { panic!("it is alive") };
        noted += usize::from(store.touch_later(&record, true, Some(b"/api/documents/1"), clock.now()) == Later::Noted);
        assert!(matches!(store.check(&gone, clock.now()), Answer::Miss(_)));
        assert_eq!(store.token_revoked("AlexK", &[1; 8], None, old), Ok(true));
        assert_eq!(store.token_revoked("Aladdin", &[1; 8], Some(&chosen), old), Ok(true));
        assert_eq!(store.token_revoked("Aladdin", &[1; 8], None, old), Ok(false));
        assert!(store.floor("Aladdin").unwrap() <= old);
        // Copies live for a minute; this goes to its end and no further.
        clock.advance(i64::from(noted == 1) * 60);
    }
    assert_eq!((ALLOCATOR.calls(), ALLOCATOR.bytes()), (calls, bytes));
    assert!(noted >= 2, "a companion and a use");
    drop(store);
    std::fs::remove_dir_all(folder).unwrap();
}

#[cfg(all(unix, feature = "redis"))]
fn the_redis_store() {
    use janua::crypto::mac::MacKey;
    use janua::store::Later;
    use janua::store::redis::{Keys, Redis, Server, Settings};
    let (server, clock) = (redis_server::RedisServer::start(&[]), Clock::fake(1_700_000_000));
    let keys = Keys::new(MacKey::new(&[1; 32]), MacKey::new(&[2; 32]));
    let settings = Settings::new(Server::parse(&server.socket_url()).unwrap(), "s", keys, 86_400);
    let timeout = std::time::Duration::from_secs(5);
    let store = Redis::new(Settings { server_time: false, timeout, ..settings }, clock.clone());
    store.attach().unwrap();
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
    let mut noted = 0;
    for _ in 0..3 {
        // A poll, and the copies anew.
        clock.advance(61);
        store.tend(clock.now()).unwrap();
        assert!(matches!(store.check(&live, clock.now()), Answer::Hit(_)));
        assert!(matches!(store.check(&gone, clock.now()), Answer::Miss(_)));
        let (calls, bytes) = (ALLOCATOR.calls(), ALLOCATOR.bytes());
        for _ in 0..100 {
            let now = clock.now();
            let Some(Answer::Hit(record)) = store.check_at_once(&live, now) else { panic!("it is alive") };
            noted += usize::from(store.touch_later(&record, true, Some(b"/api/documents/1"), now) == Later::Noted);
            assert!(matches!(store.check_at_once(&gone, now), Some(Answer::Miss(_))));
            assert_eq!(store.token_revoked_at_once("AlexK", &[1; 8], None, old, now), Some(Ok(true)));
            assert_eq!(store.token_revoked_at_once("Aladdin", &[1; 8], Some(&chosen), old, now), Some(Ok(true)));
            assert_eq!(store.token_revoked_at_once("Aladdin", &[1; 8], None, old, now), Some(Ok(false)));
            assert!(store.floor_at_once("Aladdin", now).unwrap().unwrap() <= old);
            assert!(!store.is_due(now));
        }
        assert_eq!((ALLOCATOR.calls(), ALLOCATOR.bytes()), (calls, bytes));
    }
    assert!(noted >= 3, "a companion and uses");
}
