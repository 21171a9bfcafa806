//! How a memory store is built, and how much it holds.

/// What becomes of tokens that were issued before this store was made, or by other processes of the same keyring. It
/// cannot know which of them were revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Older {
    /// Refused: a revocation outlives a restart, a token does not.
    Refused,
    /// Accepted: a token outlives a restart and is good in every process, a revocation reaches this process only.
    Accepted,
}

/// How a [`Memory`](super::Memory) is built.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Seconds: the longest life of any session or token of the engine. Floors are kept for that long and two hours.
    pub longest_secs: u32,
    pub older: Older,
    /// Principals (their ids) and the number below which what they have is revoked: what is remembered elsewhere.
    pub floors: Vec<(String, u64)>,
}

/// How much a [`Memory`](super::Memory) holds; all zero in a store at rest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    pub sessions: usize,
    pub tombstones: usize,
    /// Entries of the index by principal: as many as sessions, but for logins under way.
    pub index: usize,
    /// Floors of principals, keys and chosen ids.
    pub floors: usize,
    /// Revocations in the log.
    pub log: usize,
    /// Entries of the wheel: sessions and tombstones.
    pub wheel: usize,
}
