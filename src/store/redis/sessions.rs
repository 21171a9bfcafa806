//! Putting sessions in, ending them, raising floors.
//!
//! The part of `store::redis` that writes on somebody's behalf. Each call is one script, so that a log-out and a renewal in
//! flight meet on the server: whichever comes second sees the first. What ends a session before its time is in the log
//! when the call returns, on the primary and on as many replicas as the configuration asks for.

use super::core::{Call, Core, Known, MARGIN_SECS};
use super::fault::Fault;
use super::told::{self, Told};
use crate::base::encoding::{self, hex};
use crate::base::{Now, Reason};
use crate::crypto::digest::Digest;
use crate::expiry;
use crate::session::id::made_key;
use crate::session::{Record, Reference};
use crate::store::held::codec::{self, Used};
use crate::store::held::copies::Copy;
use crate::store::held::revoked::Word;
use crate::store::held::what::What;
use crate::store::{Inserted, MAX_CAP, NotStored, Revocation, Unavailable};
use std::sync::Arc;

/// The longest way that a session may have gone on from an id; from the first one it is one step.
const LONGEST_WAY: usize = 1024;

/// Floors given to the server in one call.
const STEP: usize = 256;

/// What a new session comes after.
#[derive(Clone, Copy)]
pub(super) enum After<'a> {
    Nothing,
    /// It takes its place, whether it lives or not.
    Replaced(&'a Digest),
    /// It goes on from it, which must live.
    Renewed(&'a Digest),
}

impl Core {
    /// Stores a session, and ends those that make room for it.
    pub(super) fn insert(
        &self,
        after: After<'_>,
        key: Digest,
        mut record: Record,
        cap: usize,
        now: Now,
    ) -> Result<Inserted, NotStored> {
        record.key = key;
        // What is not written stays noted, and the failure with it.
        let _ = self.flush_some_if_due(now);
        let base = self.horizon.revoked.applied();
        let principal = self.keys.principal(&record.principal);
        let call = self.insertion(after, &record, &principal, cap, now)?;
        let told = self.ask_log(&call, now)?;
        match told.word.as_slice() {
            b"stored" => {}
            b"revoked" => return Err(NotStored::Refused(Reason::SessionRevoked)),
            b"again" => return Err(NotStored::Refused(Reason::NoRandom)),
            _ => return Err(self.failed(&Fault::Nonsense).into()),
        }
        let evicted = told.own.iter().map(|key| {
            let key = std::str::from_utf8(key).ok().and_then(encoding::hex_decode::<32>);
            key.map(|key| Reference::of(&key)).ok_or(Unavailable)
        });
        let evicted = evicted.collect::<Result<_, _>>()?;
        let record = Arc::new(record);
        if let Word::Good(number) = self.horizon.revoked.judge(&record, &principal, base) {
            self.copies.put(Arc::new(Copy::new(Arc::clone(&record), principal, number, now)));
        }
        Ok(Inserted { record, evicted })
    }

    fn insertion(
        &self,
        after: After<'_>,
        record: &Record,
        principal: &Digest,
        cap: usize,
        now: Now,
    ) -> Known<Call<'_>> {
        let ends = record.ends();
        let used = Used { boot_tag: 0, boot: 0, unix: 0 };
        let row = codec::live(record, 0, used).ok_or(Unavailable)?;
        let sealed = self.keys.seal([b"row", record.key()], row).map_err(|_| Unavailable)?;
        let over = match ends.idle_secs {
            0 => 0,
            idle => i64::from(idle).saturating_add(expiry::touch_step(idle)),
        };
        let left = ends.absolute_unix.saturating_mul(1_000_000).saturating_sub(now.unix_us).max(0);
        let (word, old) = match after {
            After::Nothing => ("", None),
            After::Replaced(old) => ("replace", Some(old)),
            After::Renewed(old) => ("renew", Some(old)),
        };
        let tokens = record.mints.then(|| made_from(&record.origin()));
        let mut keys = vec![self.names.person(principal), self.row(record.key())];
        keys.extend(old.map(|old| self.row(old)));
        if let After::Renewed(_) = after {
            keys.push(self.names.row(&record.origin().0));
        }
        let text = |text: &str| text.as_bytes().to_vec();
        let args = vec![
            text(word),
            text(&hex(record.key())),
            sealed,
            text(&hex(principal)),
            text(&record.seq.to_string()),
            text(&left.to_string()),
            text(&over.to_string()),
            text(if record.kept { "1" } else { "" }),
            tokens.map(|what| named(&what)).unwrap_or_default(),
            text(&cap.clamp(1, MAX_CAP).to_string()),
            text(&old.map(|old| hex(old)).unwrap_or_default()),
        ];
        Ok(Call { confirmed: old.is_some(), ..self.call(&self.scripts.insert, keys, args) })
    }

    fn row(&self, key: &Digest) -> Vec<u8> {
        self.names.row(&Reference::of(key).0)
    }

    pub(super) fn revoke(&self, what: Revocation<'_>, now: Now) -> Known<u64> {
        let (what, floor) = match what {
            Revocation::Session(key) => return self.end(&key, None, now),
            Revocation::Origin(origin) => {
                // Should it be long swept, nothing but its tokens can be left.
                let mut key = [0; 32];
                key.iter_mut().zip(origin.0).for_each(|(to, from)| *to = from);
                return self.end(&key, Some(origin), now);
            }
            Revocation::Principal(name) => (What::Principal(self.keys.principal(name)), None),
            Revocation::Key(id) => (What::Key(id), None),
            Revocation::Chosen(chosen) => (What::Chosen(Reference::of(&chosen).0), None),
            Revocation::All => (What::Site, None),
            Revocation::Before(floor) => (What::Site, Some(floor)),
        };
        let floor = floor.map(|floor| floor.to_string().into_bytes()).unwrap_or_default();
        let args = vec![b"floor".to_vec(), told::written(&what), floor];
        let told = self.confirmed(Vec::new(), args, now)?;
        Ok(told.seq)
    }

    fn confirmed(&self, keys: Vec<Vec<u8>>, args: Vec<Vec<u8>>, now: Now) -> Known<Told> {
        let call = Call { confirmed: true, ..self.call(&self.scripts.revoke, keys, args) };
        self.ask_log(&call, now)
    }

    /// Ends a session, the one that went on from it, and the tokens that were made from them; those of `origin` in any
    /// case.
    fn end(&self, key: &Digest, origin: Option<Reference>, now: Now) -> Known<u64> {
        let tokens = origin.map(|origin| named(&made_from(&origin))).unwrap_or_default();
        let args = vec![b"session".to_vec(), hex(key).into_bytes(), tokens];
        let mut keys = vec![self.row(key)];
        while keys.len() <= LONGEST_WAY {
            let told = self.confirmed(keys.clone(), args.clone(), now)?;
            if told.word != b"more" {
                return Ok(told.seq);
            }
            let next = told.own.first().and_then(|key| std::str::from_utf8(key).ok());
            let next = next.and_then(encoding::hex_decode::<32>).ok_or(Unavailable)?;
            keys.push(self.row(&next));
        }
        Err(Unavailable)
    }

    /// Gives floors to the log that a users file remembers and it may not have.
    pub(super) fn recall(&self, floors: &[(String, u64)], now: Now) -> Known<()> {
        let keep = i64::from(self.longest_secs).saturating_add(MARGIN_SECS);
        let young = |floor: u64| i64::try_from(floor / 1_000_000).unwrap_or(i64::MAX).saturating_add(keep) > now.unix();
        let mut wanted = Vec::new();
        for (name, floor) in floors.iter().filter(|(_, floor)| young(*floor)) {
            let principal = self.keys.principal(name);
            if self.horizon.revoked.floor(|| principal) < *floor {
                wanted.push((What::Principal(principal), *floor));
            }
        }
        for some in wanted.chunks(STEP) {
            let mut args = vec![Vec::new()];
            for (what, floor) in some {
                args.push(told::written(what));
                args.push(floor.to_string().into_bytes());
            }
            self.ask_log(&self.call(&self.scripts.recall, Vec::new(), args), now)?;
            self.poll_now(false)?;
        }
        Ok(())
    }
}

/// What the tokens that were made from a session are known by.
fn made_from(origin: &Reference) -> What {
    What::Chosen(Reference::of(&made_key(origin)).0)
}

/// The same without its letter.
fn named(what: &What) -> Vec<u8> {
    told::written(what).into_iter().skip(1).collect()
}
