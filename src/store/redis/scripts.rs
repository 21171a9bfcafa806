//! The scripts, each one transaction on the server, and how they are called: by digest, and in full where the server does
//! not know it yet.
//!
//! Used by `store::redis` alone. They begin with a line that says they write: a replica, and a primary that has lost its
//! replicas (`min-replicas-to-write`), refuses them before anything is done, the poll among them. All but a log-in may
//! run where the memory is full.

use super::connection::Connection;
use super::fault::{Fault, answered};
use super::resp::Reply;
use crate::base::encoding::hex;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use std::time::Instant;

/// A script with the name that the server knows it by.
pub(super) struct Script {
    text: String,
    digest: String,
}

/// All of them.
pub(super) struct Scripts {
    pub poll: Script,
    pub read: Script,
    pub insert: Script,
    pub revoke: Script,
    pub touch: Script,
    pub sweep: Script,
    pub list: Script,
    pub compare: Script,
    pub merge: Script,
    pub recall: Script,
    pub accept: Script,
    pub get: Script,
    pub swap: Script,
}

const COMMON: &str = include_str!("scripts/common.lua");
const GUARD: &str = include_str!("scripts/guard.lua");
const MERGE: &str = include_str!("scripts/merge.lua");

impl Script {
    fn new(flags: &str, parts: &[&str]) -> Script {
        let text = format!("#!lua flags={flags}\n{}", parts.concat());
        // The name that servers give it; nothing rests on it.
        let digest = hex(digest(&SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes()).as_ref());
        Script { text, digest }
    }

    /// Runs it over `connection`. `copies`: how many replicas are to have it when this returns, and the milliseconds that
    /// they may take; fewer is an error, and it may have happened all the same.
    pub(super) fn run(
        &self,
        connection: &mut Connection,
        keys: &[Vec<u8>],
        args: &[Vec<u8>],
        copies: Option<(u32, u32)>,
        deadline: Instant,
    ) -> Result<Reply, Fault> {
        match self.once(connection, b"EVALSHA", self.digest.as_bytes(), keys, args, copies, deadline) {
            Err(fault) if fault.code() == "NOSCRIPT" => {
                self.once(connection, b"EVAL", self.text.as_bytes(), keys, args, copies, deadline)
            }
            other => other,
        }
    }

    #[allow(clippy::too_many_arguments)]
    fn once(
        &self,
        connection: &mut Connection,
        verb: &[u8],
        script: &[u8],
        keys: &[Vec<u8>],
        args: &[Vec<u8>],
        copies: Option<(u32, u32)>,
        deadline: Instant,
    ) -> Result<Reply, Fault> {
        let count = keys.len().to_string();
        let mut words = vec![verb, script, count.as_bytes()];
        words.extend(keys.iter().chain(args).map(Vec::as_slice));
        let Some((copies, millis)) = copies else { return connection.one(&words, deadline) };
        let (copies_text, millis) = (copies.to_string(), millis.to_string());
        let wait: &[&[u8]] = &[b"WAIT", copies_text.as_bytes(), millis.as_bytes()];
        let mut replies = connection.ask(&[&words, wait], deadline)?.into_iter();
        let (done, there) = (replies.next(), replies.next());
        let done = answered(done.ok_or(Fault::Nonsense)?)?;
        match answered(there.ok_or(Fault::Nonsense)?)? {
            Reply::Number(there) if there >= i64::from(copies) => Ok(done),
            Reply::Number(_) => Err(Fault::Refused("UNCONFIRMED too few replicas have it".to_owned())),
            _ => Err(Fault::Nonsense),
        }
    }
}

impl Scripts {
    pub(super) fn new() -> Scripts {
        let full = |text| Script::new("allow-oom", &[COMMON, GUARD, text]);
        Scripts {
            poll: full(include_str!("scripts/poll.lua")),
            read: full(include_str!("scripts/read.lua")),
            insert: Script::new("", &[COMMON, GUARD, include_str!("scripts/insert.lua")]),
            revoke: full(include_str!("scripts/revoke.lua")),
            touch: full(include_str!("scripts/touch.lua")),
            sweep: full(include_str!("scripts/sweep.lua")),
            list: full(include_str!("scripts/list.lua")),
            compare: Script::new("allow-oom", &[COMMON, include_str!("scripts/compare.lua")]),
            merge: Script::new("allow-oom", &[COMMON, include_str!("scripts/raise.lua"), MERGE]),
            recall: full(MERGE),
            accept: full(include_str!("scripts/accept.lua")),
            get: Script::new("allow-oom", &[include_str!("scripts/get.lua")]),
            swap: Script::new("", &[include_str!("scripts/swap.lua")]),
        }
    }
}
