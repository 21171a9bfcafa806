//! What a fork does to keys and tokens: no (key, salt, nonce) is ever used twice, by any number of processes that share
//! a sealer made before the fork, in nested pid namespaces too.

#![cfg(target_os = "linux")]

use janua::base::encoding::base64url_decode;
use janua::base::{Clock, Now};
use janua::crypto::{ForkGuard, Keyring, WipedKey};
use janua::token::{Binding, Claims, Extra, Room, Sealer, SidKind};
use std::collections::HashSet;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::FromRawFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const TOKENS: usize = 1 << 12;

/// A child forked while another test has a pipe open would hold that pipe open too.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Version, key id, salt and nonce as they stand at the front of a token.
type Head = [u8; 29];

fn sealer() -> Sealer {
    let clock = Clock::system();
    let ring = Keyring::ephemeral(clock.now().unix()).unwrap();
    Sealer::new(Arc::new(ring), clock)
}

fn binding() -> Binding {
    Binding::new("token", "mauro", "data.example.org")
}

fn mint(sealer: &Sealer, now: Now) -> String {
    let claims = Claims {
        issued: now.unix(),
        ends: now.unix() + 60,
        seq: 0,
        sid: [0; 16],
        sid_kind: SidKind::Random,
        tenant: [0; 16],
        principal: "someName",
        extra: Extra::NONE,
    };
    sealer.mint(&binding(), &claims).unwrap()
}

fn mint_heads(sealer: &Sealer, count: usize, out: &mut impl Write) {
    let now = Clock::system().now();
    for _ in 0..count {
        let mut raw = [0; 160];
        base64url_decode(mint(sealer, now).as_bytes(), &mut raw).unwrap();
        out.write_all(&raw[..29]).unwrap();
    }
}

/// Runs `work` in a forked child; whatever happens there, the child ends here.
fn child(work: impl FnOnce()) -> libc::pid_t {
    // SAFETY: the child runs only `work` and then leaves; the C library keeps its allocator usable after a fork.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0, "fork failed");
    if pid == 0 {
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        // SAFETY: leaves without running what the parent's exit would run.
        unsafe { libc::_exit(i32::from(done.is_err())) };
    }
    pid
}

/// Whether the child ended well.
fn wait(pid: libc::pid_t) -> bool {
    let mut status = 0;
    // SAFETY: `status` is a valid place to write to, `pid` a child of this process.
    let got = unsafe { libc::waitpid(pid, &mut status, 0) };
    got == pid && libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0
}

fn pipe() -> (File, File) {
    let mut ends = [0; 2];
    // SAFETY: `ends` holds two descriptors for the call to write.
    assert_eq!(unsafe { libc::pipe(ends.as_mut_ptr()) }, 0);
    // SAFETY: both were just opened and belong to nobody else.
    unsafe { (File::from_raw_fd(ends[0]), File::from_raw_fd(ends[1])) }
}

/// Runs `work` in a forked child and returns what it wrote.
fn written_by_child(work: impl FnOnce(&mut File)) -> (libc::pid_t, File) {
    let (reader, mut writer) = pipe();
    let pid = child(|| work(&mut writer));
    (pid, reader)
}

fn heads(mut from: impl Read) -> Vec<Head> {
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes.len() % 29, 0);
    bytes.chunks_exact(29).map(|head| head.try_into().unwrap()).collect()
}

#[test]
fn forked_processes_never_share_a_salt_or_a_nonce() {
    let _alone = alone();
    let sealer = sealer();
    let mut all = Vec::new();
    mint_heads(&sealer, 10, &mut all);
    let mut all = heads(all.as_slice());
    // Four children, each with a child of its own that is forked in the middle of its work.
    let mut children = Vec::new();
    for _ in 0..4 {
        children.push(written_by_child(|out| {
            mint_heads(&sealer, TOKENS / 2, out);
            let (pid, grandchild) = written_by_child(|out| mint_heads(&sealer, TOKENS, out));
            mint_heads(&sealer, TOKENS / 2, out);
            for head in heads(grandchild) {
                out.write_all(&head).unwrap();
            }
            assert!(wait(pid));
        }));
    }
    let mut salts = HashSet::from([all[0][9..17].to_vec()]);
    for (pid, reader) in children {
        let minted = heads(reader);
        assert!(wait(pid));
        assert_eq!(minted.len(), 2 * TOKENS);
        let (own, grandchild) = minted.split_at(TOKENS);
        for process in [own, grandchild] {
            assert!(process.iter().all(|head| head[9..17] == process[0][9..17]), "one salt in one process");
            assert!(salts.insert(process[0][9..17].to_vec()), "two processes minted under one salt");
        }
        all.extend(minted);
    }
    let mut again = Vec::new();
    mint_heads(&sealer, 10, &mut again);
    all.extend(heads(again.as_slice()));
    assert_eq!(all[0][9..17], all[all.len() - 1][9..17], "the parent keeps its own");
    let distinct: HashSet<Head> = all.iter().copied().collect();
    assert_eq!(distinct.len(), 20 + 8 * TOKENS, "key, salt and nonce never repeat");
    assert_eq!(sealer.minted()[0].1, 20, "children count for themselves");
}

/// Invariant 11 at its full size. All write to one pipe, in pieces that a pipe takes whole.
#[ignore = "2^24 tokens: some minutes and a gigabyte of memory; cargo test --release --test token_fork -- --ignored"]
#[test]
fn sixty_four_processes_never_repeat_a_nonce_in_sixteen_million_tokens() {
    const PROCESSES: usize = 64;
    const EACH: usize = (1 << 24) / PROCESSES;
    const PIECE: usize = 128;
    let _alone = alone();
    let sealer = sealer();
    let (reader, writer) = pipe();
    let mint_all = |mut out: &File| {
        for _ in 0..EACH / PIECE {
            let mut piece = Vec::with_capacity(PIECE * 29);
            mint_heads(&sealer, PIECE, &mut piece);
            out.write_all(&piece).unwrap();
        }
    };
    let children: Vec<_> = (0..PROCESSES / 2)
        .map(|_| {
            child(|| {
                mint_heads(&sealer, 1, &mut Vec::new());
                let grandchild = child(|| mint_all(&writer));
                mint_all(&writer);
                assert!(wait(grandchild));
            })
        })
        .collect();
    drop(writer);
    let mut all = heads(std::io::BufReader::new(reader));
    assert!(children.into_iter().all(wait));
    assert_eq!(all.len(), 1 << 24);
    all.sort_unstable();
    assert!(all.windows(2).all(|pair| pair[0] != pair[1]), "key, salt and nonce never repeat");
    all.dedup_by_key(|head| <[u8; 8]>::try_from(&head[9..17]).unwrap());
    assert!(all.len() >= PROCESSES, "a salt is one process's");
}

#[test]
fn processes_with_the_same_process_id_never_share_a_salt() {
    let _alone = alone();
    let sealer = sealer();
    // Process 1 of a new pid namespace mints and forks process 1 of another one below it.
    let (pid, reader) = written_by_child(|out| {
        in_new_namespace(|| {
            mint_heads(&sealer, 1, out);
            in_new_namespace(|| mint_heads(&sealer, 1, out));
        })
    });
    let minted = heads(reader);
    assert!(wait(pid));
    if minted.is_empty() {
        eprintln!("this machine lets nobody make pid namespaces: only the wiped page itself was tested");
        return;
    }
    assert_eq!(minted.len(), 2);
    assert_ne!(minted[0][9..17], minted[1][9..17]);
}

/// Runs `work` as process 1 of a new pid namespace; not at all where the machine does not allow one.
fn in_new_namespace(work: impl FnOnce()) {
    // SAFETY: the caller is a forked child with one thread; only its later children are concerned.
    let allowed = unsafe {
        libc::unshare(libc::CLONE_NEWPID) == 0 || libc::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWPID) == 0
    };
    if allowed {
        assert!(wait(child(|| {
            assert_eq!(std::process::id(), 1);
            work();
        })));
    }
}

#[test]
fn a_token_minted_on_one_side_of_a_fork_opens_on_the_other() {
    let _alone = alone();
    let sealer = sealer();
    let now = Clock::system().now();
    let opens = |token: &str| sealer.open(&binding(), token.as_bytes(), now, &mut Room::new()).is_ok();
    let before = mint(&sealer, now);
    assert!(opens(&before));
    let (pid, mut reader) = written_by_child(|out| {
        assert!(opens(&before));
        out.write_all(mint(&sealer, now).as_bytes()).unwrap();
    });
    let mut token = String::new();
    reader.read_to_string(&mut token).unwrap();
    assert!(wait(pid));
    assert!(opens(&token));
}

#[test]
fn a_forked_child_is_told_and_finds_no_key() {
    let _alone = alone();
    let guard = ForkGuard::new();
    let key = WipedKey::new();
    let drawn = key.fill().unwrap();
    let (pid, mut reader) = written_by_child(|out| {
        assert!(!guard.same_process());
        assert!(key.get().is_none());
        let own = key.fill().unwrap();
        assert!(ForkGuard::new().same_process());
        out.write_all(own.as_slice()).unwrap();
    });
    let mut own = Vec::new();
    reader.read_to_end(&mut own).unwrap();
    assert!(wait(pid));
    assert_eq!(own.len(), 32);
    assert_ne!(own, drawn.as_slice());
    assert!(guard.same_process());
    assert_eq!(key.get().as_deref(), Some(&*drawn));
}
