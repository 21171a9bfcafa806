//! argon2 (RFC 9106): the one format that is made here (id), and all three kinds read.
//!
//! Called by the hasher. The memory of a hash is kept for the next one, because making it anew costs a third of the
//! time. What one hash leaves in it would let a thief of the memory guess at a half of the hash's cost, no less, for
//! two passes wrote over everything; memory of a single pass is wiped instead of kept.

use super::Policy;
use super::phc::{self, Fault};
use crate::base::{Reason, Result, random, secret};
use ::argon2::{Algorithm, Argon2, Block, Params, Version};
use parking_lot::Mutex;
use zeroize::Zeroize as _;

/// A stored hash may ask for this much memory at most: 256 MiB.
const MAX_MEMORY_KIB: u32 = 256 * 1024;
/// And for this much work at most: memory times passes.
const MAX_WORK_KIB: u64 = 2 * 1024 * 1024;
const MAX_LANES: u32 = 64;
/// Buffers kept between hashes.
const KEPT: usize = 2;

/// A stored argon2 hash, read and found within bounds.
pub(super) struct Hash {
    algorithm: Algorithm,
    version: Version,
    params: Params,
    salt: Vec<u8>,
    digest: Vec<u8>,
}

/// Reads `$argon2id$v=19$m=..,t=..,p=..$salt$hash`.
pub(super) fn parse(text: &str) -> std::result::Result<Hash, Fault> {
    let mut fields = text.split('$');
    let mut next = || fields.next().ok_or("a field is missing");
    next()?;
    let algorithm = match next()? {
        "argon2id" => Algorithm::Argon2id,
        "argon2i" => Algorithm::Argon2i,
        "argon2d" => Algorithm::Argon2d,
        _ => return Err("not a kind of argon2"),
    };
    let mut field = next()?;
    let version = match field.strip_prefix("v=") {
        None => Version::V0x10,
        Some(number) => {
            field = next()?;
            match number {
                "19" => Version::V0x13,
                "16" => Version::V0x10,
                _ => return Err("a version of argon2 that is not known"),
            }
        }
    };
    let params = phc::parameters(field, ["m", "t", "p"])?;
    let salt = phc::bytes(next()?, 8..=64)?;
    let digest = phc::bytes(next()?, 16..=64)?;
    if fields.next().is_some() {
        return Err("more fields than the format has");
    }
    let params = bounded(params, digest.len())?;
    Ok(Hash { algorithm, version, params, salt, digest })
}

/// The parameters, if a hash of them is one that may run.
pub(super) fn bounded([memory, passes, lanes]: [u32; 3], length: usize) -> std::result::Result<Params, Fault> {
    phc::within(memory, 8..=MAX_MEMORY_KIB, "argon2 memory is outside 8 KiB to 256 MiB")?;
    phc::within(lanes, 1..=MAX_LANES, "argon2 lanes are outside 1 to 64")?;
    if u64::from(memory) * u64::from(passes) > MAX_WORK_KIB {
        return Err("argon2 memory times passes is more than 2 GiB");
    }
    Params::new(memory, passes, lanes, Some(length)).map_err(|_| "argon2 parameters do not fit together")
}

impl Hash {
    /// Format and cost in one text: equal texts cost the same.
    pub(super) fn class(&self) -> String {
        let (m, t, p) = (self.params.m_cost(), self.params.t_cost(), self.params.p_cost());
        format!("{} v{} m={m},t={t},p={p} {}", self.algorithm, u32::from(self.version), self.digest.len())
    }

    /// The length of the digest in bytes.
    pub(super) fn length(&self) -> usize {
        self.digest.len()
    }

    /// Whether `policy` makes stronger ones.
    pub(super) fn is_stale(&self, policy: &Policy) -> bool {
        self.algorithm != Algorithm::Argon2id
            || self.version != Version::V0x13
            || self.params.m_cost() < policy.argon2_memory_kib
            || self.params.t_cost() < policy.argon2_passes
            || self.salt.len() < 16
            || self.digest.len() < 32
    }

    /// Whether `password` made this hash. Errors: [`Reason::Busy`] when there is no memory.
    pub(super) fn matches(&self, password: &[u8], pool: &Pool) -> std::result::Result<bool, Reason> {
        let mut out = [0; 64];
        let out = out.get_mut(..self.digest.len()).ok_or(Reason::HashNotAllowed)?;
        let context = Argon2::new(self.algorithm, self.version, self.params.clone());
        pool.run(&context, password, &self.salt, out)?;
        Ok(secret::equal(out, &self.digest))
    }
}

/// Makes a hash of `password` by `policy`, which [`super::Hasher::new`] has found within bounds.
pub(super) fn make(policy: &Policy, pool: &Pool, password: &[u8]) -> std::result::Result<String, Reason> {
    let salt = random::array::<16>().map_err(|_| Reason::NoRandom)?;
    let mut digest = [0; 32];
    let params = bounded(costs(policy), digest.len()).map_err(|_| Reason::HashNotAllowed)?;
    pool.run(&Argon2::new(Algorithm::Argon2id, Version::V0x13, params), password, &salt, &mut digest)?;
    Ok(text(policy, &salt, &digest))
}

/// A hash by `policy` that no password made: the digest is random.
pub(super) fn dummy(policy: &Policy) -> Result<String> {
    Ok(text(policy, &random::array::<16>()?, &random::array::<32>()?))
}

fn costs(policy: &Policy) -> [u32; 3] {
    [policy.argon2_memory_kib, policy.argon2_passes, policy.argon2_lanes]
}

fn text(policy: &Policy, salt: &[u8], digest: &[u8]) -> String {
    let [m, t, p] = costs(policy);
    format!("$argon2id$v=19$m={m},t={t},p={p}${}${}", phc::encode(salt), phc::encode(digest))
}

/// Memory for hashing, kept from one hash to the next. Any thread.
pub(super) struct Pool {
    /// Buffers are kept at this size; larger ones are a stored hash's own and go back to the system.
    blocks: usize,
    free: Mutex<Vec<Vec<Block>>>,
}

impl Pool {
    pub(super) fn new(policy: &Policy) -> std::result::Result<Pool, Fault> {
        let blocks = bounded(costs(policy), 32)?.block_count();
        Ok(Pool { blocks, free: Mutex::new(Vec::new()) })
    }

    fn run(
        &self,
        context: &Argon2<'_>,
        password: &[u8],
        salt: &[u8],
        out: &mut [u8],
    ) -> std::result::Result<(), Reason> {
        let wanted = context.params().block_count();
        let mut memory = self.free.lock().pop().unwrap_or_default();
        if memory.len() < wanted {
            memory.try_reserve_exact(wanted - memory.len()).map_err(|_| Reason::Busy)?;
            memory.resize(wanted, Block::new());
        }
        let done = context.hash_password_into_with_memory(password, salt, out, &mut memory);
        self.give_back(memory, context.params().t_cost());
        done.map_err(|_| Reason::HashNotAllowed)
    }

    fn give_back(&self, mut memory: Vec<Block>, passes: u32) {
        if passes < 2 {
            memory.iter_mut().for_each(|block| block.as_mut().zeroize());
        }
        if memory.len() > self.blocks {
            return;
        }
        let mut free = self.free.lock();
        if free.len() < KEPT {
            free.push(memory);
        }
    }
}
