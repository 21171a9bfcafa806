//! The connections: what a failure closes and what it leaves, what a panic leaves, and how long one may rest.

use super::*;
use connection::Connection;
use fault::Fault;
use pool::Pool;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Barrier;
use std::thread;
use std::time::Instant;

fn pool(home: &Home, most: usize) -> Pool {
    let way = resolve::Way::new(Kind::One, vec![Server::parse(&home.server.socket_url()).unwrap()]);
    Pool::new(way, Login::default(), Duration::from_secs(10), most)
}

fn ask(pool: &Pool) -> Result<String, Fault> {
    let deadline = pool.deadline();
    pool.call(deadline, |connection| number(connection, deadline))
}

/// What the server calls this connection: another one has another number.
fn number(connection: &mut Connection, deadline: Instant) -> Result<String, Fault> {
    connection.one(&[b"CLIENT", b"ID"], deadline).map(|reply| format!("{reply:?}"))
}

/// Asks as everybody would, until the rest after a failure is over.
fn until_asked(pool: &Pool) -> String {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        match ask(pool) {
            Ok(number) => return number,
            Err(fault) => assert!(fault == Fault::Down && Instant::now() < until, "{fault:?}"),
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// Begins `count` calls, lets one fail while they are under way, and ends them with `late` after what `meanwhile` does.
fn overlapped(pool: &Pool, late: impl Fn() -> Result<(), Fault> + Sync, meanwhile: impl FnOnce()) {
    let count = 3;
    let (begun, over) = (Barrier::new(count + 1), Barrier::new(count + 1));
    thread::scope(|threads| {
        for _ in 0..count {
            threads.spawn(|| {
                let done = pool.call(pool.deadline(), |_| {
                    begun.wait();
                    over.wait();
                    late()
                });
                assert_eq!(done, late());
            });
        }
        begun.wait();
        assert_eq!(pool.call(pool.deadline(), |_| Err::<(), _>(Fault::Slow)), Err(Fault::Slow));
        assert!(pool.is_down());
        meanwhile();
        over.wait();
    });
}

#[test]
fn a_late_failure_of_an_old_connection_closes_no_new_one() {
    let home = Home::new();
    let pool = pool(&home, 8);
    let mut new = String::new();
    overlapped(&pool, || Err(Fault::Slow), || new = until_asked(&pool));
    assert!(!pool.is_down(), "the new ones are good");
    assert_eq!(ask(&pool).unwrap(), new, "and stay");
}

#[test]
fn a_late_success_on_an_old_connection_says_nothing_of_new_ones() {
    let home = Home::new();
    let pool = pool(&home, 8);
    overlapped(&pool, || Ok(()), || {});
    assert!(pool.is_down(), "who tries next finds out");
    until_asked(&pool);
}

#[test]
fn a_panic_in_a_call_gives_its_place_back() {
    let home = Home::new();
    let pool = pool(&home, 1);
    for _ in 0..3 {
        let call = || pool.call(pool.deadline(), |_| -> Result<(), Fault> { panic!("as a test wants it") });
        assert!(catch_unwind(AssertUnwindSafe(call)).is_err());
        until_asked(&pool);
    }
}

#[test]
fn a_panic_of_who_tries_lets_the_next_one_try() {
    let home = Home::new();
    let pool = pool(&home, 4);
    assert_eq!(pool.call(pool.deadline(), |_| Err::<(), _>(Fault::Slow)), Err(Fault::Slow));
    let until = Instant::now() + Duration::from_secs(20);
    let call = || pool.call(pool.deadline(), |_| -> Result<(), Fault> { panic!("as a test wants it") });
    while catch_unwind(AssertUnwindSafe(call)).is_ok() {
        assert!(Instant::now() < until, "nobody may try");
        thread::sleep(Duration::from_millis(10));
    }
    assert!(pool.rests(), "it was a failure");
    until_asked(&pool);
    assert!(!pool.is_down());
}

#[test]
fn a_connection_that_rested_long_is_not_used_again() {
    let home = Home::new();
    let pool = pool(&home, 2);
    let mut kept = None;
    let mut after = |rested: u64| {
        if let Some(connection) = &mut kept {
            let connection: &mut Connection = connection;
            connection.used -= Duration::from_secs(rested);
        }
        let deadline = pool.deadline();
        pool.call_on(&mut kept, deadline, false, |connection| number(connection, deadline)).unwrap()
    };
    let first = after(0);
    assert_eq!(after(50), first);
    assert_eq!(after(50), first, "it was used meanwhile");
    assert_ne!(after(61), first);
    assert!(!pool.is_down());
}
