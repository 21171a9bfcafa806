//! Answers: what is sent inward for those let through, and outward for everybody else.
//!
//! Texts come from the profile's templates; statuses without one come from the reason. An answer is sent once, counted
//! once and audited once.

use crate::base::{Reason, encoding, random};
use crate::directory::{Resident, Tenant, User};
use crate::engine::act::Before;
use crate::engine::audit::{Event, EventKind};
use crate::engine::decide::{Asked, Stop};
use crate::engine::decision::{Decision, Outcome};
use crate::engine::subject::Subject;
use crate::expiry::Life;
use crate::profile::{Action, Facts, Read, Rendered, SessionFacts, SessionRow, TenantFacts, Visit, Word};
use crate::session::Reference;
use crate::store::Answer;
use std::sync::Arc;

/// What an action made, for the answer that hands it out.
#[derive(Default, Clone, Copy)]
pub(crate) struct Made<'m> {
    pub session_id: Option<&'m str>,
    pub token: Option<&'m str>,
}

/// A tenant, and a token for it where the answer shows one.
type TenantToken = (Arc<Tenant>, Option<String>);

/// What answers say unless the profile says otherwise: they are for one person and tell nobody where he came from.
const PRIVATE: [(&str, &str); 2] = [("Cache-Control", "no-store"), ("Referrer-Policy", "no-referrer")];

/// Rows of a list of sessions that one answer shows at most.
const MAX_ROWS: usize = 10_000;

impl Asked<'_> {
    /// Lets a request through: headers inward, cookies outward.
    pub fn allow(&self, visit: &Visit<'_>, subject: &mut Subject, out: &mut Decision) -> Result<(), Stop> {
        self.keep(visit, subject, out)?;
        self.identify(visit, subject, out);
        self.inward(visit, subject, out)?;
        self.spend(out);
        out.outcome = Outcome::Allow;
        let reason = if subject.by.is_some() { Reason::Proven } else { Reason::Open };
        self.close(EventKind::Allow, reason, subject, out);
        Ok(())
    }

    /// Answers with the endpoint's `ok`.
    pub fn answer(&self, visit: &Visit<'_>, subject: &mut Subject, out: &mut Decision) -> Result<(), Stop> {
        self.keep(visit, subject, out)?;
        let reason = if subject.by.is_some() { Reason::Proven } else { Reason::Open };
        self.finish(visit, Word::Ok, reason, EventKind::Allow, subject, &Made::default(), out)
    }

    /// Writes a complete answer in the words the endpoint has for `word`.
    #[allow(clippy::too_many_arguments)]
    pub fn finish(
        &self,
        visit: &Visit<'_>,
        word: Word,
        reason: Reason,
        kind: EventKind,
        subject: &Subject,
        made: &Made<'_>,
        out: &mut Decision,
    ) -> Result<(), Stop> {
        let rendered = self.render(visit, word, reason, subject, made)?;
        self.identify(visit, subject, out);
        self.emit(rendered, out);
        out.outcome = Outcome::Answer;
        self.close(kind, reason, subject, out);
        Ok(())
    }

    /// The same with a body that is made of other answers. They have told audit.
    pub fn framed(
        &self,
        visit: &Visit<'_>,
        reason: Reason,
        subject: &Subject,
        body: Vec<u8>,
        out: &mut Decision,
    ) -> Result<(), Stop> {
        let mut rendered = self.render(visit, Word::Ok, reason, subject, &Made::default())?;
        if let Some(rendered) = &mut rendered {
            rendered.body = body;
        }
        self.identify(visit, subject, out);
        self.emit(rendered, out);
        (out.outcome, out.reason) = (Outcome::Answer, Some(reason));
        Ok(())
    }

    /// Refuses in the endpoint's words; where it has none, with a bare status.
    pub fn refuse(&self, visit: &Visit<'_>, reason: Reason, subject: &Subject, out: &mut Decision) {
        out.clear();
        let rendered = self.render(visit, word_of(reason), reason, subject, &Made::default());
        self.identify(visit, subject, out);
        match rendered {
            Ok(Some(rendered)) => self.emit(Some(rendered), out),
            _ => out.http_status = bare_status(reason),
        }
        let answers = visit.endpoint().action() != Action::Pass && !out.is_bare();
        out.outcome = if answers { Outcome::Answer } else { Outcome::Deny };
        self.close(EventKind::Deny, reason, subject, out);
    }

    /// Refuses before the profile was asked.
    pub fn deny_bare(&self, reason: Reason, out: &mut Decision) {
        self.note(|| format!("refused before any endpoint: {}", reason.name()));
        out.clear();
        out.http_status = bare_status(reason);
        self.close(EventKind::Deny, reason, &Subject::default(), out);
    }

    fn render(
        &self,
        visit: &Visit<'_>,
        word: Word,
        reason: Reason,
        subject: &Subject,
        made: &Made<'_>,
    ) -> Result<Option<Rendered>, Stop> {
        let Some(answer) = visit.endpoint().answer(word) else { return Ok(None) };
        let needs = answer.needs();
        if word != Word::Ok {
            let bytes = random::array::<4>().map_err(|_| Reason::NoRandom)?;
            self.marks.reference.set(encoding::hex_array(&bytes));
        }
        let reference = self.marks.reference.get();
        let tenants = if needs.tenants { self.tenants(visit, subject, needs.tenant_tokens)? } else { Vec::new() };
        let tenants: Vec<_> =
            tenants.iter().map(|(t, token)| TenantFacts { tenant: t, token: token.as_deref() }).collect();
        let sessions = if needs.sessions { self.sessions()? } else { Vec::new() };
        let target_alive = if needs.target { Some(self.target_alive(visit)?) } else { None };
        let user = visit.read(Read::User).ok().flatten();
        let minted = if needs.token && made.token.is_none() && subject.user.is_some() {
            Some(self.token_for(visit, subject, subject.tenant.as_deref(), None, None)?)
        } else {
            None
        };
        let facts = Facts {
            word,
            reason,
            reference: if word == Word::Ok { "" } else { text(&reference) },
            offered_user: user.as_deref(),
            user: subject.user.as_deref().filter(|_| !proof_is_refused(word, reason)),
            session: self.session_facts(subject, made),
            token: made.token.or(minted.as_deref()),
            tenant: subject.tenant.as_deref(),
            tenants: &tenants,
            sessions: &sessions,
            target_alive,
            visit,
        };
        let mut rendered = Rendered::default();
        answer.render(&facts, &mut rendered)?;
        Ok(Some(rendered))
    }

    fn session_facts<'f>(&self, subject: &'f Subject, made: &Made<'f>) -> Option<SessionFacts<'f>> {
        let session = subject.session.as_ref()?;
        let (idle_left, absolute_left) = left(session.record.life(self.now));
        Some(SessionFacts { id: made.session_id, idle_left, absolute_left })
    }

    /// The tenants of the user, each with a token for it where the answer shows one.
    fn tenants(&self, visit: &Visit<'_>, subject: &Subject, tokens: bool) -> Result<Vec<TenantToken>, Stop> {
        let Some(user) = &subject.user else { return Ok(Vec::new()) };
        let known = user.tenants.iter().filter_map(|id| self.engine.directory.tenant_by_id(id));
        known
            .map(|tenant| {
                let token = tokens.then(|| self.token_for(visit, subject, Some(&tenant), None, None)).transpose()?;
                Ok((tenant, token))
            })
            .collect()
    }

    fn sessions(&self) -> Result<Vec<SessionRow>, Stop> {
        let rows = self.engine.store.list(self.now, MAX_ROWS).map_err(|_| Reason::StoreUnavailable)?;
        Ok(rows
            .into_iter()
            .map(|row| SessionRow {
                reference: row.reference.to_string(),
                created: row.created,
                last_use: row.last_use,
                user: row.user.or_else(|| Some(self.shown(&row.principal))),
                last_path: row.last_path,
            })
            .collect())
    }

    /// The user as a list shows him: let in or not. Of one who is gone the id is what there is to show.
    fn shown(&self, id: &str) -> Arc<User> {
        let found = match self.engine.directory.resident_by_id(id) {
            Resident::User(user) => Some(user),
            Resident::Ask if !self.fast => self.engine.directory.by_id(id).ok().flatten(),
            Resident::Ask | Resident::None => None,
        };
        found.unwrap_or_else(|| Arc::new(User { id: id.to_owned(), name: id.to_owned(), ..User::default() }))
    }

    /// Whether the session asked about lives: by its id, or by the reference that lists show.
    fn target_alive(&self, visit: &Visit<'_>) -> Result<bool, Stop> {
        let Some(target) = visit.read(Read::Target)? else { return Ok(false) };
        if let Some(reference) = Reference::parse(target.as_bytes()) {
            match self.engine.store.alive(&reference, self.now) {
                Answer::Hit(()) => return Ok(true),
                Answer::Miss(_) => {}
                Answer::Unavailable => return Err(Reason::StoreUnavailable.into()),
            }
        }
        match self.live_session(visit.endpoint().realm(), target.as_bytes()) {
            Ok(_) => Ok(true),
            Err(Stop::Refuse(reason)) if !reason.is_unavailable() => Ok(reason == Reason::CompanionMissing),
            Err(stop) => Err(stop),
        }
    }

    fn emit(&self, rendered: Option<Rendered>, out: &mut Decision) {
        let Some(rendered) = rendered else {
            out.http_status = 200;
            return;
        };
        out.http_status = rendered.status;
        for (name, value) in &rendered.headers {
            out.push_response(name.as_bytes(), value.as_bytes());
        }
        for (name, value) in PRIVATE {
            if !rendered.headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
                out.push_response(name.as_bytes(), value.as_bytes());
            }
        }
        out.body = rendered.body;
    }

    /// Principal, tenant, session, method and path of a decision.
    fn identify(&self, visit: &Visit<'_>, subject: &Subject, out: &mut Decision) {
        out.endpoint = out.write(&[visit.endpoint().name().as_bytes()]);
        out.method = out.write(&[visit.method()]);
        out.path = out.write(&[visit.full_path()]);
        out.log_path = visit.logged_path().map_or(out.path, |pieces| out.write(&pieces));
        if let Some(user) = &subject.user {
            out.principal = out.write(&[user.id.as_bytes()]);
            let mut roles = out.write(&[]);
            for (place, role) in user.roles.iter().enumerate() {
                let comma: &[u8] = if place == 0 { b"" } else { b"," };
                roles = out.extend(roles, &[comma, role.as_bytes()]);
            }
            out.roles = roles;
        }
        if let Some(tenant) = &subject.tenant {
            out.tenant = out.write(&[tenant.id.as_bytes()]);
        }
        if let Some(session) = &subject.session {
            out.session_ref = out.write(&[&Reference::of(&session.key).digits()]);
        }
    }

    /// Headers that tell what is behind who is calling.
    fn inward(&self, visit: &Visit<'_>, subject: &Subject, out: &mut Decision) -> Result<(), Stop> {
        let names = &self.engine.inward;
        if let Some(user) = &subject.user {
            let name = out.write(&[user.name.as_bytes()]);
            out.push_inward(names.user.as_bytes(), name);
            out.push_inward(names.id.as_bytes(), out.principal);
            out.push_inward(names.roles.as_bytes(), out.roles);
        }
        if subject.tenant.is_some() {
            out.push_inward(names.tenant.as_bytes(), out.tenant);
        }
        if subject.session.is_some() {
            out.push_inward(names.session.as_bytes(), out.session_ref);
        }
        for extra in visit.extra() {
            let (name, value) = extra?;
            out.push_extra(name, &value);
        }
        // What session or token keep, where the request does not say otherwise.
        let said = |name: &str| visit.extra().any(|own| own.is_ok_and(|(known, _)| known == name));
        for (name, value) in subject.kept().filter(|(name, _)| !said(name)) {
            out.push_extra(name, value);
        }
        Ok(())
    }

    /// A session for the proof that won, where that is one that starts a session.
    fn keep(&self, visit: &Visit<'_>, subject: &mut Subject, out: &mut Decision) -> Result<(), Stop> {
        let plain = self.engine.secure && !self.client.secure;
        if !subject.keep || subject.session.is_some() || subject.user.is_none() || plain {
            return Ok(());
        }
        if self.fast {
            return Err(Stop::Wait(crate::engine::decision::WaitClass::Store));
        }
        self.start_session(visit, Before::Kept, subject, out).map(|_| ())
    }

    /// One audit event.
    pub fn tell(&self, kind: EventKind, reason: Reason, subject: &Subject, out: &Decision) {
        let reference = subject.session.as_ref().map(|s| Reference::of(&s.key));
        self.tell_of(kind, reason, subject, reference, out);
    }

    /// One audit event about the session of that reference.
    pub fn tell_of(
        &self,
        kind: EventKind,
        reason: Reason,
        subject: &Subject,
        session: Option<Reference>,
        out: &Decision,
    ) {
        let Some(audit) = &self.engine.audit else { return };
        let session = session.map(|r| r.digits());
        let name = self.marks.name.get();
        let shown = self.marks.reference.get();
        let principal = match (&subject.user, &name) {
            (Some(user), _) => user.id.as_bytes(),
            (None, Some(name)) => name,
            (None, None) => b"",
        };
        audit.event(&Event {
            kind,
            reason,
            time: self.now.unix(),
            principal: text(principal),
            session_ref: text(session.as_ref().map_or(b"", |s| s)),
            client: text(self.client.address),
            endpoint: text(out.endpoint()),
            method: text(out.method()),
            reference: if shown == [0; 8] { "" } else { text(&shown) },
        });
    }
}

/// Bytes that should be text; what is not, is not shown.
fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or("?")
}

/// Seconds left until the idle and the absolute end.
pub(crate) fn left(life: Life) -> (i64, i64) {
    match life {
        Life::Alive { idle_left, absolute_left } => (idle_left, absolute_left),
        Life::Idle | Life::Ended => (0, 0),
    }
}

/// In which words of the profile a reason is told.
fn word_of(reason: Reason) -> Word {
    match reason {
        Reason::Missing | Reason::TenantNeeded => Word::Missing,
        Reason::SessionUnknown
        | Reason::SessionIdle
        | Reason::SessionEnded
        | Reason::SessionRevoked
        | Reason::SessionMalformed
        | Reason::CompanionMissing
        | Reason::SessionConflict
        | Reason::TokenExpired
        | Reason::TokenRevoked
        | Reason::TokenMalformed
        | Reason::TokenForged
        | Reason::TokenForeign
        | Reason::TokenFuture
        | Reason::TokenTenant => Word::Expired,
        Reason::Throttled => Word::Locked,
        Reason::Forbidden | Reason::CrossSite | Reason::NeedsTls => Word::Forbidden,
        Reason::Occupied | Reason::TenantAmbiguous => Word::Conflict,
        Reason::Malformed
        | Reason::Duplicate
        | Reason::Several
        | Reason::Incomplete
        | Reason::Unreadable
        | Reason::TooLarge
        | Reason::PathAmbiguous
        | Reason::ConnectionHeader
        | Reason::Override
        | Reason::BodyEncoding
        | Reason::BadExpiry => Word::Malformed,
        reason if reason.is_unavailable() => Word::Busy,
        _ => Word::Refused,
    }
}

/// Whether the refusal is of the proof itself: then its answer knows nobody, even where a name was known on the way.
fn proof_is_refused(word: Word, reason: Reason) -> bool {
    matches!(word, Word::Expired | Word::Refused | Word::Locked) && reason != Reason::NoSessionId
}

/// The status of a refusal that no template words.
fn bare_status(reason: Reason) -> u16 {
    match reason {
        Reason::TooLarge => 413,
        Reason::NoEndpoint => 403,
        Reason::Occupied | Reason::TenantAmbiguous => 409,
        reason => match word_of(reason) {
            Word::Malformed => 400,
            Word::Missing | Word::Expired | Word::Refused | Word::Locked => 401,
            Word::Busy => 503,
            Word::Forbidden => 403,
            Word::Conflict => 409,
            Word::Ok => 200,
        },
    }
}
