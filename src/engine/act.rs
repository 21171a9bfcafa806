//! The four actions that change something: log-in, log-out, a new token, another tenant.
//!
//! Each announces itself first where the caller may not wait, before anything is counted or written.

use crate::base::{Reason, random};
use crate::crypto::digest::Digest;
use crate::directory::Tenant;
use crate::engine::audit::EventKind;
use crate::engine::decide::{Asked, Stop};
use crate::engine::decision::{Decision, WaitClass};
use crate::engine::login::{NameRoom, made};
use crate::engine::policy;
use crate::engine::respond::Made;
use crate::engine::subject::{LiveSession, Subject, revocation};
use crate::parse::instant;
use crate::profile::{Need, Occupied, Offer, ProofKind, Read, Visit, Word};
use crate::session::{self, Record, id as session_id};
use crate::store::Revocation;
use crate::token::{self, Claims, ExtraRoom, SidKind, tenant_tag};
use std::borrow::Cow;
use std::sync::Arc;

impl Asked<'_> {
    /// Log-in: the pair that the endpoint reads, a new session under a new id, its cookie, the `ok` answer.
    pub fn login(&self, visit: &Visit<'_>, subject: &mut Subject, out: &mut Decision) -> Result<(), Stop> {
        self.same_site()?;
        self.needs_tls()?;
        let pair = visit.pair()?;
        if pair.is_none() && visit.endpoint().reads(Read::User) {
            return Err(Reason::Incomplete.into());
        }
        if self.fast {
            return Err(Stop::Wait(WaitClass::Hash));
        }
        let mut before = Subject::default();
        match self.prove_session(visit, &mut before) {
            Err(stop @ Stop::Refuse(reason)) if reason.is_unavailable() => return Err(stop),
            _ => {}
        }
        match pair {
            Some(pair) => {
                let mut room = NameRoom::new();
                let name = self.canonical(&pair.user, pair.domain.as_deref(), &mut room);
                subject.verified(self.verify(&name, &pair.password)?);
                subject.by = Some(ProofKind::Password);
            }
            None => {
                // A session is none of them: a log-in by itself would give it a new life each time.
                self.prove_by(visit, subject, |kind| kind != ProofKind::Session)?;
                policy::judge(&Need::User, subject)?;
            }
        }
        if let Some(text) = visit.read(Read::Tenant)?
            && !text.is_empty()
            && self.site.profile.tenant().is_some()
        {
            subject.tenant = self.tenant_for(&text, subject)?;
        }
        self.settle_tenant(visit, subject)?;
        policy::judge(visit.endpoint().need(), subject)?;
        if let (Some(old), Some(new)) = (&before.user, &subject.user)
            && old.id != new.id
            && visit.endpoint().occupied() == Occupied::Refuse
        {
            return Err(Reason::Occupied.into());
        }
        self.use_up(subject)?;
        let before = before.session.as_ref().map_or(Before::Nothing, Before::Replaced);
        let id = self.start_session(visit, before, subject, out)?;
        let made = Made { session_id: Some(&id), token: None };
        self.finish(visit, Word::Ok, Reason::LoggedIn, EventKind::Login, subject, &made, out)
    }

    /// Makes the session of `subject` (revoking the one before it in the same step) and writes its cookies.
    pub fn start_session(
        &self,
        visit: &Visit<'_>,
        before: Before<'_>,
        subject: &mut Subject,
        out: &mut Decision,
    ) -> Result<String, Stop> {
        let new = self.site.new_session(self, visit, subject, before)?;
        let store = &self.engine.store;
        let cap = self.engine.per_principal;
        let stored = match before {
            Before::Nothing | Before::Kept => store.insert(new.key, new.record, cap, self.now),
            Before::Replaced(old) => store.replace(&old.key, new.key, new.record, cap, self.now),
            Before::Continued(old) => store.renew(&old.key, new.key, new.record, cap, self.now),
        };
        let stored = stored.map_err(|e| e.reason())?;
        let ends = match before {
            Before::Nothing => !stored.evicted.is_empty(),
            Before::Replaced(_) | Before::Continued(_) => true,
            // A script that drops its cookies puts one out with each request, which is nobody's log-out.
            Before::Kept => false,
        };
        if ends {
            // What this ends is dead everywhere when the answer goes out, as after a log-out.
            out.hold_ms = store.hold_ms();
        }
        for reference in &stored.evicted {
            self.tell_of(EventKind::Eviction, Reason::SessionRevoked, subject, Some(*reference), out);
        }
        subject.session = Some(LiveSession { key: new.key, record: stored.record, accompanied: false });
        self.set_cookies(&new.id, new.companion.as_deref(), out)?;
        Ok(new.id)
    }

    /// Log-out: revokes what was proven, and with it every session whose id came along: the browser is told to drop the
    /// cookie, so nothing under its name may live on. Without any there is nothing to do, which the `ok` answer says too.
    pub fn logout(&self, visit: &Visit<'_>, subject: &mut Subject, out: &mut Decision) -> Result<(), Stop> {
        self.prove(visit, subject)?;
        let (mut sessions, ambient) = self.offered_sessions(visit)?;
        // What was proven may have been renewed since; the store knows what went on from it.
        sessions.extend(subject.session.as_ref().map(|session| session.key).filter(|key| !sessions.contains(key)));
        if subject.ambient || ambient {
            self.same_site()?;
        }
        self.settle_tenant(visit, subject)?;
        policy::judge(visit.endpoint().need(), subject)?;
        let by_token = match (&subject.session, &subject.token) {
            (None, Some(token)) => Some(revocation(token.sid_kind, &token.sid).ok_or(Reason::NoSessionId)?),
            (None, None) if subject.user.is_some() => return Err(Reason::NoSessionId.into()),
            _ => None,
        };
        if self.fast && (by_token.is_some() || !sessions.is_empty()) {
            return Err(Stop::Wait(WaitClass::Store));
        }
        let ends = by_token.into_iter().chain(sessions.into_iter().map(Revocation::Session));
        for what in ends {
            self.engine.store.revoke(what, self.now).map_err(|_| Reason::StoreUnavailable)?;
        }
        out.hold_ms = self.engine.store.hold_ms();
        self.clear_cookies(visit, out);
        self.finish(visit, Word::Ok, Reason::LoggedOut, EventKind::Logout, subject, &Made::default(), out)
    }

    /// The keys of all sessions whose ids came with the request and that live, here or elsewhere, whoever's they are and
    /// companion or not: an id is enough to end its session. And whether a browser may have sent one by itself.
    fn offered_sessions(&self, visit: &Visit<'_>) -> Result<(Vec<Digest>, bool), Stop> {
        let (mut keys, mut ambient) = (Vec::new(), false);
        for proof in visit.endpoint().proofs().filter(|p| p.kind() == ProofKind::Session) {
            let Some(Offer::Session(candidates)) = visit.offers(proof)? else { continue };
            for id in candidates.iter() {
                let realm = visit.endpoint().realm();
                match self.stored_session(realm, id) {
                    Ok(session) => keys.push(session.key),
                    Err(Stop::Refuse(reason)) if self.may_live_elsewhere(reason) => {
                        keys.push(self.site.session_key(realm, id));
                    }
                    Err(Stop::Refuse(reason)) if !reason.is_unavailable() => continue,
                    Err(stop) => return Err(stop),
                }
                ambient |= proof.browser_sends();
            }
        }
        Ok((keys, ambient))
    }

    /// Whether a session that is dead here may live for other machines: by another clock, or because the log-out before
    /// this one was not confirmed by who becomes the primary. An id that the store does not know commits nothing, for
    /// anybody can make one up.
    fn may_live_elsewhere(&self, reason: Reason) -> bool {
        let dead = matches!(reason, Reason::SessionIdle | Reason::SessionEnded | Reason::SessionRevoked);
        dead && self.engine.store.multi_machine()
    }

    /// A token for the pair in the body, or for whoever was proven where the endpoint reads no pair.
    pub fn issue_token(&self, visit: &Visit<'_>, subject: &mut Subject, out: &mut Decision) -> Result<(), Stop> {
        if !visit.endpoint().reads(Read::User) {
            self.prove(visit, subject)?;
            self.judge(visit, subject)?;
            return self.mint(visit, subject, None, out);
        }
        let expires = self.expiry(visit)?;
        // Looked at before the pair, for both: what is refused for its values is refused whatever the pair.
        let extra = self.extra_for(visit, &Subject::default())?;
        let pair = visit.pair().and_then(|pair| pair.ok_or(Reason::Incomplete));
        if self.fast && pair.is_ok() {
            return Err(Stop::Wait(WaitClass::Hash));
        }
        let outcome = pair.map_err(Stop::from).and_then(|pair| {
            let mut room = NameRoom::new();
            let name = self.canonical(&pair.user, pair.domain.as_deref(), &mut room);
            subject.verified(self.verify(&name, &pair.password)?);
            if let Some(text) = visit.read(Read::Tenant)?.filter(|t| !t.is_empty()) {
                subject.tenant = self.tenant_for(&text, subject)?;
            }
            policy::judge(visit.endpoint().need(), subject)?;
            self.use_up(subject)
        });
        match outcome {
            Ok(()) => self.mint(visit, subject, expires, out),
            Err(Stop::Refuse(reason)) if self.site.decoys() && is_wrong(reason) => {
                *subject = Subject::default();
                let token = self.engine.sealer.decoy(&self.site.token, extra.get()).map_err(made)?;
                let made = Made { session_id: None, token: Some(&token) };
                self.finish(visit, Word::Ok, reason, EventKind::Deny, subject, &made, out)
            }
            Err(stop) => {
                *subject = Subject::default();
                Err(stop)
            }
        }
    }

    fn mint(
        &self,
        visit: &Visit<'_>,
        subject: &mut Subject,
        expires: Option<i64>,
        out: &mut Decision,
    ) -> Result<(), Stop> {
        let chosen = visit.read(Read::Session)?.filter(|s| !s.is_empty());
        let token = self.token_for(visit, subject, subject.tenant.as_deref(), chosen.as_deref(), expires)?;
        let made = Made { session_id: None, token: Some(&token) };
        self.finish(visit, Word::Ok, Reason::LoggedIn, EventKind::Token, subject, &made, out)
    }

    /// Seals a token for the user of `subject` in `tenant`; `chosen` is the SessionID that the client asked for.
    ///
    /// A token that is made from a token ends with it at the latest, and is logged out with it; one that is made from a
    /// session is logged out with that, whatever the client chose. Both keep what that keeps.
    pub fn token_for(
        &self,
        visit: &Visit<'_>,
        subject: &Subject,
        tenant: Option<&Tenant>,
        chosen: Option<&str>,
        expires: Option<i64>,
    ) -> Result<String, Stop> {
        let user = subject.user.as_ref().ok_or(Reason::Missing)?;
        let tenant_id = tenant.map_or("", |t| t.id.as_str());
        let parent = subject.token.as_ref();
        let bound = parent.filter(|token| token.sid_kind != SidKind::Random);
        let (sid, sid_kind) = match (bound, &subject.session, chosen) {
            (Some(token), ..) => (token.sid, token.sid_kind),
            (None, Some(session), _) => (session.record.origin().0, SidKind::Session),
            (None, None, Some(chosen)) => {
                self.engine.store.admits().map_err(|_| Reason::StoreUnavailable)?;
                (self.site.chosen_sid(tenant_id, &user.id, chosen), SidKind::Chosen)
            }
            (None, None, None) => (random::array::<16>().map_err(made)?, SidKind::Random),
        };
        let extra = self.extra_for(visit, subject)?;
        if !token::fits(&user.id, extra.get()) {
            return Err(Reason::TooLarge.into());
        }
        let now = self.now.unix();
        let cap = now.saturating_add(i64::from(self.site.token_lifetime));
        let cap = parent.map_or(cap, |token| token.ends.min(cap));
        let claims = Claims {
            issued: now,
            ends: expires.map_or(cap, |e| e.min(cap)),
            seq: subject.seq,
            sid,
            sid_kind,
            tenant: tenant.map_or([0; 16], |t| tenant_tag(&t.id)),
            principal: &user.id,
            extra: extra.get(),
        };
        self.engine.sealer.mint(&self.site.token, &claims).map_err(made)
    }

    /// The extra values of what is made now: the request's own, and those that are kept where it says nothing else.
    fn extra_for(&self, visit: &Visit<'_>, subject: &Subject) -> Result<ExtraRoom, Stop> {
        let mut room = ExtraRoom::new();
        for own in visit.extra() {
            let (name, value) = own?;
            room.push(name, &value)?;
        }
        for (name, value) in subject.kept() {
            room.push(name, value)?;
        }
        Ok(room)
    }

    /// The session of the request goes on in another tenant, under a new id.
    pub fn choose_tenant(&self, visit: &Visit<'_>, subject: &mut Subject, out: &mut Decision) -> Result<(), Stop> {
        self.prove(visit, subject)?;
        policy::judge(visit.endpoint().need(), subject)?;
        if subject.ambient {
            self.same_site()?;
        }
        self.needs_tls()?;
        let text = visit.read(Read::Tenant)?.filter(|t| !t.is_empty()).ok_or(Reason::Incomplete)?;
        let tenant = self.tenant_for(&text, subject)?.ok_or(Reason::WrongTenant)?;
        let Some(old) = subject.session.clone() else { return Err(Reason::NoSessionId.into()) };
        if self.fast {
            return Err(Stop::Wait(WaitClass::Store));
        }
        subject.tenant = Some(tenant);
        let id = self.start_session(visit, Before::Continued(&old), subject, out)?;
        let made = Made { session_id: Some(&id), token: None };
        self.finish(visit, Word::Ok, Reason::Proven, EventKind::Tenant, subject, &made, out)
    }

    /// The tenant named, if the user of `subject` belongs to it.
    fn tenant_for(&self, text: &str, subject: &Subject) -> Result<Option<Arc<Tenant>>, Stop> {
        let Some(tenant) = self.named_tenant(text)? else { return Ok(None) };
        let member = subject.user.as_ref().is_some_and(|user| user.belongs_to(&tenant.id));
        if member { Ok(Some(tenant)) } else { Err(Reason::WrongTenant.into()) }
    }

    /// The end that the client asks for: none, or a time to come.
    fn expiry(&self, visit: &Visit<'_>) -> Result<Option<i64>, Stop> {
        let Some(text) = visit.read(Read::Expires)?.filter(|t| !t.is_empty()) else { return Ok(None) };
        match instant::parse(&text) {
            Some(end) if end > self.now.unix() => Ok(Some(end)),
            _ => Err(Reason::BadExpiry.into()),
        }
    }

    /// A session that comes with a log-in or beside a better proof: looked at, never adopted.
    pub fn prove_session(&self, visit: &Visit<'_>, before: &mut Subject) -> Result<(), Stop> {
        for proof in visit.endpoint().proofs().filter(|p| p.kind() == ProofKind::Session) {
            if let Some(Offer::Session(candidates)) = visit.offers(proof)? {
                return self.check_session(visit.endpoint().realm(), &candidates, before);
            }
        }
        Ok(())
    }

    /// What sets a cookie is refused over an open line while cookies must be `Secure`.
    fn needs_tls(&self) -> Result<(), Stop> {
        let sets_cookie = self.site.profile.session().is_some_and(|s| s.cookie.is_some());
        if sets_cookie && self.engine.secure && !self.client.secure {
            self.note(|| "engine.secure is true and this did not come over TLS".to_owned());
            return Err(Reason::NeedsTls.into());
        }
        Ok(())
    }
}

/// Refusals that a decoy answers for: the client's fault, about the pair.
fn is_wrong(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::WrongPassword
            | Reason::UnknownUser
            | Reason::Disabled
            | Reason::Pending
            | Reason::WrongTenant
            | Reason::TenantAmbiguous
            | Reason::PasswordTooLong
            | Reason::Throttled
            | Reason::HashNotAllowed
            | Reason::Incomplete
            | Reason::Malformed
    )
}

/// The characters of a companion cookie: 22 of them are 131 bits.
const COMPANION_ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// What a new session follows.
#[derive(Clone, Copy)]
pub(crate) enum Before<'s> {
    Nothing,
    /// Nothing, and it is made beside a proof that comes with every request.
    Kept,
    /// A log-in over it: it ends, and has no part in the new one. It may have ended already.
    Replaced(&'s LiveSession),
    /// The same session under another id: with its ends and its values, and only while it is alive.
    Continued(&'s LiveSession),
}

/// What a new session is made of.
pub(crate) struct NewSession {
    pub id: String,
    pub key: Digest,
    pub companion: Option<String>,
    pub record: Record,
}

impl crate::engine::Site {
    /// A new id, its key and its record; nothing is stored yet.
    fn new_session(
        &self,
        asked: &Asked<'_>,
        visit: &Visit<'_>,
        subject: &Subject,
        before: Before<'_>,
    ) -> Result<NewSession, Stop> {
        let user = subject.user.as_ref().ok_or(Reason::Missing)?;
        let form = self.profile.session().ok_or(Reason::NoSessionId)?;
        let id = session_id::make(&form.alphabet, form.length).map_err(made)?;
        let key = self.session_key(visit.endpoint().realm(), id.as_bytes());
        let companion = match &self.companion {
            Some(_) => Some(random::text(COMPANION_ALPHABET, 22).map_err(made)?),
            None => None,
        };
        let mut extra = visit.extra().collect::<Result<Vec<_>, _>>()?;
        for (name, value) in subject.kept() {
            if !extra.iter().any(|(known, _)| *known == name) {
                extra.push((name, Cow::Borrowed(value)));
            }
        }
        if self.profile.token().is_some() {
            // The tokens of a session keep what it keeps: it takes in no more than they can.
            let mut room = ExtraRoom::new();
            extra.iter().try_for_each(|(name, value)| room.push(name, value))?;
            if !token::fits(&user.id, room.get()) {
                return Err(Reason::TooLarge.into());
            }
        }
        let old = match before {
            Before::Continued(old) => Some(&*old.record),
            Before::Nothing | Before::Kept | Before::Replaced(_) => None,
        };
        let kept = matches!(before, Before::Kept);
        let new = self.session_of(user, subject.tenant.clone(), subject.seq, companion.as_deref(), extra);
        let new = session::NewSession { kept, ..new };
        let record = match old {
            Some(old) => Record::continued(new, old, asked.now),
            None => Record::new(new, asked.now),
        };
        Ok(NewSession { id, key, companion, record })
    }
}
