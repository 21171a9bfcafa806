//! The guard in every body of the C interface: a panic ends here, and says where, never what.
//!
//! Called first by each `extern "C"` function. It keeps two counters per thread (plain cells: nothing to destroy when a
//! thread ends, so the library may be unloaded): how deep the thread is in our calls, which tells the panic hook whose
//! panic it sees, and how deep in a callback of the host, which refuses a call back into an engine before it can wait
//! for its own lock.

use super::basics::{janua_error, janua_status};
use super::fault::Fault;
use crate::base::Status;
use std::cell::Cell;
use std::io::Write as _;
use std::panic::{self, AssertUnwindSafe, Location, PanicHookInfo};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

type Hook = Box<dyn Fn(&PanicHookInfo<'_>) + Send + Sync>;

#[derive(Clone, Copy)]
struct Depth {
    /// Calls of ours under way on this thread.
    calls: u32,
    /// Callbacks of the host under way on this thread.
    callbacks: u32,
    /// How many calls were under way when the innermost callback began.
    outside: u32,
    /// The call was made with JANUA_FAST.
    fast: bool,
    /// And something asked to wait.
    blocked: bool,
}

thread_local! {
    static DEPTH: Cell<Depth> = const { Cell::new(Depth { calls: 0, callbacks: 0, outside: 0, fast: false, blocked: false }) };
}

/// Puts the counters back, also when a panic passes.
struct Restore(Depth);

impl Drop for Restore {
    fn drop(&mut self) {
        DEPTH.set(self.0);
    }
}

/// Whether this thread is inside a callback of the host.
pub(super) fn in_callback() -> bool {
    DEPTH.get().callbacks > 0
}

/// Runs a call on an engine's object. Refused inside a callback.
pub(super) fn engine_call(err: *mut janua_error, body: impl FnOnce() -> Result<(), Fault>) -> janua_status {
    call(err, || match in_callback() {
        true => Err(Fault::invalid("called from inside a callback; a callback may not use an engine")),
        false => body(),
    })
}

/// Runs a call that touches no engine; callbacks may use it.
pub(super) fn call(err: *mut janua_error, body: impl FnOnce() -> Result<(), Fault>) -> janua_status {
    match caught(body) {
        Some(Ok(())) => 0,
        Some(Err(fault)) => {
            janua_error::report(err, &fault);
            fault.status as janua_status
        }
        None => {
            janua_error::report(err, &Fault::new(Status::Panic, "a bug in this library; stderr has the place"));
            Status::Panic as janua_status
        }
    }
}

/// Runs a body whose function cannot say that it failed; `None` after a panic.
pub(super) fn caught<T>(body: impl FnOnce() -> T) -> Option<T> {
    install_hook();
    let before = DEPTH.get();
    DEPTH.set(Depth { calls: before.calls + 1, ..before });
    let _restore = Restore(before);
    panic::catch_unwind(AssertUnwindSafe(body)).ok()
}

/// The answer to a callback that may not run now.
pub(super) struct Blocked;

/// Asked before a callback that may wait: refused, and noted, inside [`fast`].
pub(super) fn may_wait() -> Result<(), Blocked> {
    let depth = DEPTH.get();
    DEPTH.set(Depth { blocked: depth.fast, ..depth });
    if depth.fast { Err(Blocked) } else { Ok(()) }
}

/// Runs the part of a call that may not wait if `fast`; [`Status::WouldBlock`] if it had to. For the primitives, whose
/// check asks the directory by itself; decisions know beforehand.
pub(super) fn fast(fast: bool, body: impl FnOnce() -> Result<(), Fault>) -> Result<(), Fault> {
    let before = DEPTH.get();
    DEPTH.set(Depth { fast, blocked: false, ..before });
    let _restore = Restore(before);
    let result = body();
    match result.is_err() && DEPTH.get().blocked {
        true => Err(Fault::new(Status::WouldBlock, "the host's directory must be asked; ask again without JANUA_FAST")),
        false => result,
    }
}

/// Marks that the host's code runs.
pub(super) fn callback<T>(body: impl FnOnce() -> T) -> T {
    let before = DEPTH.get();
    DEPTH.set(Depth { callbacks: before.callbacks + 1, outside: before.calls, ..before });
    let _restore = Restore(before);
    body()
}

/// Installs our panic hook in front of the one that stands, once. The hook is the one thing of this library that is
/// global to its Rust runtime, which in a C program is the library's own; so only the C door installs it.
fn install_hook() {
    static INSTALLED: AtomicBool = AtomicBool::new(false);
    // Without a lock: a thread that comes second goes on, so that a fork in between leaves nobody waiting. Taking the
    // hook while this thread unwinds would panic again.
    if INSTALLED.load(Ordering::Relaxed) || std::thread::panicking() || INSTALLED.swap(true, Ordering::Relaxed) {
        return;
    }
    // In a static and not in the closure: neither hook then takes memory that unloading the library would lose.
    static PREVIOUS: OnceLock<Hook> = OnceLock::new();
    let _ = PREVIOUS.set(panic::take_hook());
    panic::set_hook(Box::new(|info| match (is_ours(DEPTH.get()), PREVIOUS.get()) {
        (true, _) => write_place(info.location()),
        (false, Some(previous)) => previous(info),
        (false, None) => {}
    }));
}

/// Whether a panic at this depth is one of this library: inside a call, and not in host code that the call runs.
const fn is_ours(depth: Depth) -> bool {
    depth.calls > 0 && (depth.callbacks == 0 || depth.calls > depth.outside)
}

fn write_place(place: Option<&Location<'_>>) {
    let mut line = [0u8; 256];
    let mut rest = &mut line[..];
    // A place that does not fit is cut; a closed stderr is nobody's loss.
    let _ = match place {
        Some(at) => writeln!(rest, "janua: a bug at {}:{}: the call is refused", at.file(), at.line()),
        None => writeln!(rest, "janua: a bug: the call is refused"),
    };
    let left = rest.len();
    let _ = std::io::stderr().write_all(&line[..line.len() - left]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    const CHILD: &str = "JANUA_TEST_PANIC";

    #[test]
    fn a_panic_becomes_a_status_and_writes_its_place_but_not_its_message() {
        if std::env::var_os(CHILD).is_some() {
            let mut err = janua_error::new();
            assert_eq!(call(&mut err, || panic!("OpenSesame")), -99);
            assert_eq!((err.status, err.reason), (-99, 599));
            let outside = panic::catch_unwind(|| panic!("not ours"));
            assert!(outside.is_err());
            let inside = caught(|| callback(|| panic::catch_unwind(|| panic!("host's own")).is_err()));
            assert_eq!(inside, Some(true));
            return;
        }
        let name = "ffi::guard::tests::a_panic_becomes_a_status_and_writes_its_place_but_not_its_message";
        let exe = std::env::current_exe().unwrap();
        let out = Command::new(exe).args([name, "--exact", "--nocapture"]).env(CHILD, "1").output().unwrap();
        let stderr = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success(), "{stderr}");
        assert!(stderr.contains("janua: a bug at src/ffi/guard.rs:"), "{stderr}");
        assert!(!stderr.contains("OpenSesame"), "{stderr}");
        assert!(stderr.contains("not ours") && stderr.contains("host's own"), "the host's hook is gone: {stderr}");
    }

    #[test]
    fn what_would_wait_is_refused_and_told_only_when_asked_to_be_fast() {
        let ask = || may_wait().map_err(|Blocked| Fault::from(crate::base::Reason::DirectoryUnavailable));
        assert!(fast(false, ask).is_ok());
        assert_eq!(fast(true, ask).unwrap_err().status, Status::WouldBlock);
        assert!(fast(true, || Ok(())).is_ok());
        assert!(ask().is_ok(), "outlives its call");
    }

    #[test]
    fn an_engine_is_refused_inside_a_callback_and_free_again_after_it() {
        let inner = callback(|| engine_call(std::ptr::null_mut(), || Ok(())));
        assert_eq!(inner, Status::Invalid as i32);
        assert_eq!(engine_call(std::ptr::null_mut(), || Ok(())), 0);
        assert_eq!(callback(|| call(std::ptr::null_mut(), || Ok(()))), 0);
    }
}
