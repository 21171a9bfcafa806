//! What a request has proven so far: filled by `prove` and `login`, judged by `policy`, told by `respond`.

use crate::crypto::digest::Digest;
use crate::directory::{Tenant, User};
use crate::engine::login::Verified;
use crate::profile::ProofKind;
use crate::session::Record;
use std::sync::Arc;

/// A session that was offered and found good.
#[derive(Clone)]
pub(crate) struct LiveSession {
    pub key: Digest,
    pub record: Arc<Record>,
    /// Its companion cookie came with it.
    pub accompanied: bool,
}

/// A token that was offered and found good.
#[derive(Clone, Copy)]
pub(crate) struct LiveToken {
    pub sid: [u8; 16],
    /// Unix seconds.
    pub ends: i64,
    /// Whether `sid` stands for a SessionID that the client chose: only such a token can be logged out.
    pub has_session: bool,
}

/// Who was proven, and by what. Everything shared; filling it allocates nothing.
#[derive(Default, Clone)]
pub(crate) struct Subject {
    pub user: Option<Arc<User>>,
    pub tenant: Option<Arc<Tenant>>,
    pub guest: bool,
    pub by: Option<ProofKind>,
    /// The proof is of a kind that browsers send by themselves.
    pub ambient: bool,
    /// The proof is one that starts a session.
    pub keep: bool,
    pub session: Option<LiveSession>,
    pub token: Option<LiveToken>,
    /// Proven by a one-time password that is not used up yet.
    pub one_time: bool,
    /// The store's number before the directory was asked; what is made for this subject carries it.
    pub seq: u64,
}

impl Subject {
    /// Takes over whom a pair proved.
    pub fn verified(&mut self, verified: Verified) {
        (self.user, self.seq, self.one_time) = (Some(verified.user), verified.seq, verified.one_time);
    }

    pub fn has_role(&self, role: &str) -> bool {
        self.user.as_ref().is_some_and(|u| u.roles.iter().any(|r| r == role))
    }
}
