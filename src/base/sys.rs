//! The few calls to the operating system, and the unsafe code they need. Nothing else in this floor is unsafe.

#![allow(unsafe_code)]

/// Microseconds of a system clock.
#[cfg(unix)]
fn read(clock: libc::clockid_t) -> i64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid timespec for the call to write; both clocks exist, and were the call to fail, the
    // zeros stand.
    unsafe { libc::clock_gettime(clock, &mut time) };
    #[allow(clippy::unnecessary_cast)]
    (time.tv_sec as i64).saturating_mul(1_000_000).saturating_add(time.tv_nsec as i64 / 1_000)
}

/// Unix time in microseconds by the wall clock.
#[cfg(unix)]
pub fn wall_us() -> i64 {
    read(libc::CLOCK_REALTIME)
}

/// Microseconds since boot, suspend included.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub fn boot_us() -> i64 {
    read(libc::CLOCK_BOOTTIME)
}

/// Microseconds since an arbitrary start. Where the system has no boot clock, suspend may be left out.
#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
pub fn boot_us() -> i64 {
    read(libc::CLOCK_MONOTONIC)
}

/// Unix time in microseconds by the wall clock.
#[cfg(not(unix))]
pub fn wall_us() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |d| i64::try_from(d.as_micros()).unwrap_or(i64::MAX))
}

/// Microseconds since an arbitrary start.
#[cfg(not(unix))]
pub fn boot_us() -> i64 {
    wall_us()
}
