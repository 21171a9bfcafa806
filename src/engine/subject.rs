//! What a request has proven so far: filled by `prove` and `login`, judged by `policy`, told by `respond`.

use crate::crypto::digest::Digest;
use crate::directory::{Tenant, User};
use crate::engine::login::Verified;
use crate::profile::ProofKind;
use crate::session::id::made_key;
use crate::session::{Record, Reference};
use crate::store::Revocation;
use crate::token::{ExtraRoom, SidKind};
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
#[derive(Clone)]
pub(crate) struct LiveToken {
    pub sid: [u8; 16],
    /// What `sid` stands for: what stands for nothing cannot be logged out.
    pub sid_kind: SidKind,
    /// Unix seconds.
    pub ends: i64,
    /// What it keeps; `None` is nothing, as usual.
    pub extra: Option<ExtraRoom>,
}

/// What logs a token of this `sid` out, if anything does.
pub(crate) fn revocation(kind: SidKind, sid: &[u8; 16]) -> Option<Revocation<'static>> {
    match kind {
        SidKind::Random => None,
        SidKind::Chosen => Some(Revocation::Chosen(chosen_digest(sid))),
        SidKind::Session => Some(Revocation::Origin(Reference(*sid))),
    }
}

/// The key under which the store would keep the floor that such a log-out leaves.
pub(crate) fn floor_key(kind: SidKind, sid: &[u8; 16]) -> Option<Digest> {
    match kind {
        SidKind::Random => None,
        SidKind::Chosen => Some(chosen_digest(sid)),
        SidKind::Session => Some(made_key(&Reference(*sid))),
    }
}

/// How the store names a SessionID that a client chose, of which the token carries the first 128 bits.
fn chosen_digest(sid: &[u8; 16]) -> Digest {
    let mut digest = [0; 32];
    digest[..16].copy_from_slice(sid);
    digest
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

    /// The extra values that session or token keep.
    pub fn kept(&self) -> impl Iterator<Item = (&str, &str)> {
        let session = self.session.iter().flat_map(|session| session.record.extra());
        // A session that was made of a token holds what that held.
        let token = self.token.iter().filter(|_| self.session.is_none()).filter_map(|token| token.extra.as_ref());
        session.map(|(name, value)| (&**name, &**value)).chain(token.flat_map(|extra| extra.get().iter()))
    }

    pub fn has_role(&self, role: &str) -> bool {
        self.user.as_ref().is_some_and(|u| u.roles.iter().any(|r| r == role))
    }
}
