//! The check path makes no system call but the clock's, through Rust and through C.
//!
//! A child process forbids itself everything else (seccomp, which asks for no privilege) and decides; the kernel kills
//! it at the first other call. A second child plants one, so that the trap is known to work.

#![cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]

#[path = "checkpath/mod.rs"]
mod checkpath;
#[path = "checkpath/trap/sys.rs"]
mod trap;

use checkpath::house::House;
use checkpath::sys::C;
use checkpath::{Door, Rust, cases};
use janua::base::Clock;
use janua::engine::Outcome;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus};

const CHILD: &str = "JANUA_TEST_TRAP";

/// Runs this program's own test in a child that is told `what` to do.
fn child(what: &str, house: &House) -> ExitStatus {
    let program = std::env::current_exe().unwrap();
    let name = "nothing_but_the_clock_is_asked";
    let mut command = Command::new(program);
    // It leaves without tidying up: its files go with this house.
    command.args([name, "--exact", "--nocapture"]).env(CHILD, what).env("TMPDIR", &house.folder);
    let output = command.output().unwrap();
    println!("{what}: {}", String::from_utf8_lossy(&output.stderr));
    output.status
}

/// Decides every allowed request of the check path, 1000 times each, then leaves without another word.
fn decide(door: &dyn Door, planted: bool) -> ! {
    let cases = cases(door);
    let allowed = || cases.iter().filter(|case| case.outcome == Outcome::Allow);
    let rounds = |count: usize| {
        allowed().all(|case| {
            let mut good = true;
            door.again(case, &mut |decide| good = (0..count).all(|_| decide() == Outcome::Allow as i32));
            good
        })
    };
    assert!(rounds(3), "warm");
    trap::close();
    let good = rounds(1_000);
    if planted {
        trap::ask_for_the_parent();
    }
    trap::leave(if good { 0 } else { 1 })
}

#[test]
fn nothing_but_the_clock_is_asked() {
    let house = House::new();
    match std::env::var(CHILD).as_deref() {
        Ok("C") => decide(&C::new(&house), false),
        #[cfg(feature = "shared")]
        Ok("shared") => {
            let store = "kind = 'shared'\npath = 'state'";
            decide(&Rust::over(store, &house, Clock::system(), None), false)
        }
        #[cfg(feature = "redis")]
        Ok("redis") => {
            let server = checkpath::house::redis_server::RedisServer::start(&[]);
            let store = format!("kind = 'redis'\nservers = ['{}']", server.socket_url());
            // The newest poll stays young: what is shown is a check that need not ask.
            decide(&Rust::over(&store, &house, Clock::fake(checkpath::house::START), None), false)
        }
        Ok("planted") => decide(&Rust::new(&house, Clock::system(), None), true),
        Ok(_) => decide(&Rust::new(&house, Clock::system(), None), false),
        Err(_) => {}
    }
    let shared = cfg!(feature = "shared").then_some("shared");
    let redis = cfg!(feature = "redis").then_some("redis");
    for door in ["Rust", "C"].into_iter().chain(shared).chain(redis) {
        let status = child(door, &house);
        assert!(status.success(), "{door}: {status}; signal 31 is a system call");
    }
    assert_eq!(child("planted", &house).signal(), Some(trap::SIGNAL), "the trap catches nothing");
}
