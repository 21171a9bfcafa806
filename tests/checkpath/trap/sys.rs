//! A trap for system calls: once closed, the kernel kills this process at any but the clock's.

#![allow(unsafe_code)]

use libc::{c_long, sock_filter, sock_fprog};

/// What the process dies of.
pub const SIGNAL: i32 = libc::SIGSYS;

/// Let through: the clock, for machines whose clock cannot be read without the kernel, and leaving.
const ALLOWED: [c_long; 2] = [libc::SYS_clock_gettime, libc::SYS_exit_group];

/// Closes the trap for the calling thread, for ever. Panics where the kernel has none.
pub fn close() {
    let number_at = u32::try_from(std::mem::offset_of!(libc::seccomp_data, nr)).unwrap();
    let word = |code: u32| u16::try_from(code).unwrap();
    let step = |code: u32, jt: u8, jf: u8, k: u32| sock_filter { code: word(code), jt, jf, k };
    let mut filter = vec![step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, number_at)];
    for call in ALLOWED {
        filter.push(step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, u32::try_from(call).unwrap()));
        filter.push(step(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW));
    }
    filter.push(step(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_KILL_PROCESS));
    let program = sock_fprog { len: u16::try_from(filter.len()).unwrap(), filter: filter.as_mut_ptr() };
    // SAFETY: the program points to `filter`, which outlives both calls; the kernel copies it.
    unsafe {
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0, "no_new_privs");
        let closed = libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program, 0, 0);
        assert_eq!(closed, 0, "this kernel has no seccomp filters");
    }
}

/// A system call that nothing on the check path makes.
pub fn ask_for_the_parent() {
    // SAFETY: takes nothing and changes nothing.
    unsafe { libc::getppid() };
}

/// Ends the process at once: nothing is flushed, no destructor runs.
pub fn leave(code: i32) -> ! {
    // SAFETY: ends the process.
    unsafe { libc::_exit(code) }
}
