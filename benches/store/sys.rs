//! How often the system took the processor away from this thread: a pause that it made is none of the store's.

/// Times that this thread was put aside although it had work.
pub fn put_aside() -> i64 {
    // SAFETY: a zeroed `rusage` is a valid one.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: `usage` is a valid place to write to.
    unsafe { libc::getrusage(libc::RUSAGE_THREAD, &mut usage) };
    usage.ru_nivcsw
}
