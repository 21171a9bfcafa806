//! Proving: each offer of a request against keys, store and directory. The only place that touches them on a check.

use crate::base::Reason;
use crate::base::secret;
use crate::crypto::digest::{self, Digest};
use crate::directory::{Resident, Tenant, TenantMatch, User};
use crate::engine::decide::{Asked, Stop};
use crate::engine::decision::WaitClass;
use crate::engine::policy;
use crate::engine::subject::{LiveSession, LiveToken, Subject};
use crate::parse::cookie;
use crate::profile::{Candidates, Need, Offer, Proof, ProofKind, Several, Visit};
use crate::session::{Record, id as session_id};
use crate::store::Answer;
use crate::token::{Room as TokenRoom, tenant_tag};
use std::sync::Arc;

impl Asked<'_> {
    /// Gates prove nobody; each that has a secret must be right on every request that lists it.
    pub fn gates(&self, visit: &Visit<'_>) -> Result<(), Stop> {
        for proof in visit.endpoint().proofs().filter(|p| p.kind() == ProofKind::Gate) {
            let Some(expected) = self.site.gate(proof.name()) else { continue };
            let offered = visit.offers(proof)?;
            let right = matches!(&offered, Some(Offer::Gate(value)) if secret::equal(value, expected.expose()));
            self.note(|| format!("gate `{}` is {}", proof.name(), if right { "right" } else { "wrong or missing" }));
            if !right {
                return Err(Reason::WrongKey.into());
            }
        }
        Ok(())
    }

    /// Tries the endpoint's proofs, best first. Fills `subject`; an empty one means that nothing was offered, or
    /// nothing that counts.
    pub fn prove(&self, visit: &Visit<'_>, subject: &mut Subject) -> Result<(), Stop> {
        self.prove_by(visit, subject, |_| true)
    }

    /// The same by proofs of some kinds alone, as if the endpoint listed no others.
    pub fn prove_by(
        &self,
        visit: &Visit<'_>,
        subject: &mut Subject,
        counts: fn(ProofKind) -> bool,
    ) -> Result<(), Stop> {
        let endpoint = visit.endpoint();
        let proofs = || {
            let those = |p: &&Proof| p.kind() != ProofKind::Gate && counts(p.kind());
            endpoint.proofs().filter(those).enumerate()
        };
        // Where only one may be offered, the place of that one: the others need no second look.
        let mut only = None;
        if endpoint.several() == Several::Refuse {
            for (place, proof) in proofs() {
                if visit.offers(proof)?.is_some() && only.replace(place).is_some() {
                    return Err(Reason::Several.into());
                }
            }
            if only.is_none() {
                return Ok(());
            }
        }
        for (_, proof) in proofs().filter(|(place, _)| only.is_none_or(|only| only == *place)) {
            let Some(offer) = visit.offers(proof)? else { continue };
            match self.try_offer(visit, proof, offer, subject) {
                Ok(()) => {
                    subject.by = Some(proof.kind());
                    subject.ambient = proof.browser_sends();
                    subject.keep = proof.keep();
                    self.note(|| format!("proof `{}` is good", proof.name()));
                    return Ok(());
                }
                Err(Stop::Refuse(reason)) if !reason.is_unavailable() => {
                    self.note(|| format!("proof `{}` is refused: {}", proof.name(), reason.name()));
                    // Two users at once is no dead proof but somebody's doing: it is told wherever proof counts.
                    let ignored = proof.bad_ignored() && reason != Reason::SessionConflict;
                    if !(ignored || *endpoint.need() == Need::None) {
                        return Err(reason.into());
                    }
                }
                Err(stop) => return Err(stop),
            }
        }
        Ok(())
    }

    fn try_offer(&self, visit: &Visit<'_>, proof: &Proof, offer: Offer<'_>, subject: &mut Subject) -> Result<(), Stop> {
        match offer {
            Offer::Session(candidates) => self.check_session(visit.endpoint().realm(), &candidates, subject),
            Offer::Token(token) => self.check_token(&token, subject),
            Offer::Pair(pair) => self.check_pair(visit, &pair, subject),
            Offer::Key(key) => self.check_key(&key, subject),
            Offer::Guest => {
                subject.guest = true;
                Ok(())
            }
            Offer::Gate(_) => {
                debug_assert!(false, "gates are tried apart: {}", proof.name());
                Err(Reason::WrongKey.into())
            }
        }
    }

    /// A session id, or up to four of them (cookies of one name): the valid ones must be one principal's.
    pub fn check_session(&self, realm: &str, candidates: &Candidates<'_>, subject: &mut Subject) -> Result<(), Stop> {
        let mut worst = Reason::SessionUnknown;
        let mut found: Option<LiveSession> = None;
        for id in candidates.iter() {
            match self.live_session(realm, id) {
                Ok(session) => match &found {
                    Some(other) if other.record.principal != session.record.principal => {
                        return Err(Reason::SessionConflict.into());
                    }
                    Some(_) => {}
                    None => found = Some(session),
                },
                Err(Stop::Refuse(reason)) if !reason.is_unavailable() => {
                    if reason != Reason::SessionUnknown && reason != Reason::SessionMalformed {
                        worst = reason;
                    }
                }
                Err(stop) => return Err(stop),
            }
        }
        let session = found.ok_or(Stop::Refuse(worst))?;
        subject.user = Some(self.living(&session.record.principal, Reason::SessionRevoked)?);
        subject.tenant = session.record.tenant.clone();
        subject.seq = session.record.seq;
        subject.session = Some(session);
        Ok(())
    }

    /// One session id against the store; companion cookie included. Never touches.
    pub fn live_session(&self, realm: &str, id: &[u8]) -> Result<LiveSession, Stop> {
        let session = self.stored_session(realm, id)?;
        let accompanied = self.companion(&session.record)?;
        Ok(LiveSession { accompanied, ..session })
    }

    /// The same without a word on the companion: for ending a session, never for letting one in.
    pub fn stored_session(&self, realm: &str, id: &[u8]) -> Result<LiveSession, Stop> {
        let form = self.site.profile.session().ok_or(Stop::Refuse(Reason::SessionUnknown))?;
        if !session_id::well_formed(id, &self.site.alphabet, form.length) {
            return Err(Reason::SessionMalformed.into());
        }
        let key = self.site.session_key(realm, id);
        let store = &self.engine.store;
        match self.asked(|| store.check_at_once(&key, self.now), || store.check(&key, self.now))? {
            Answer::Hit(record) => Ok(LiveSession { key, record, accompanied: false }),
            Answer::Miss(reason) => Err(reason.into()),
            Answer::Unavailable => Err(Reason::StoreUnavailable.into()),
        }
    }

    /// Legacy cookie names cannot be `__Host-`; the companion is what proves that the cookie was set by this host.
    /// Whether it came along; refused when it is another's, or required and not there.
    fn companion(&self, record: &Record) -> Result<bool, Stop> {
        let (Some(form), Some(expected)) = (&self.site.companion, record.companion()) else { return Ok(false) };
        let mut offered = cookie::all(self.request.headers, form.name().as_bytes()).take(cookie::MAX_SAME).peekable();
        if offered.peek().is_none() {
            return if record.companion_required() { Err(Reason::CompanionMissing.into()) } else { Ok(false) };
        }
        let good = offered.any(|value| {
            let digest = companion_digest(value);
            secret::equal(&digest, expected)
        });
        if good { Ok(true) } else { Err(Reason::CompanionMissing.into()) }
    }

    /// The principal as the directory knows it now; one that is gone is refused for `gone`.
    pub fn living(&self, id: &str, gone: Reason) -> Result<Arc<User>, Stop> {
        let user = match self.engine.directory.resident_by_id(id) {
            Resident::User(user) => Some(user),
            Resident::None => None,
            Resident::Ask if self.fast => return Err(Stop::Wait(WaitClass::Store)),
            Resident::Ask => self.engine.directory.by_id(id).map_err(|_| Reason::DirectoryUnavailable)?,
        };
        let user = user.ok_or(Stop::Refuse(gone))?;
        policy::in_force(&user)?;
        Ok(user)
    }

    /// A sealed token of this site and profile.
    fn check_token(&self, token: &[u8], subject: &mut Subject) -> Result<(), Stop> {
        let (mut room, mut again) = (TokenRoom::new(), None);
        let mut opened = self.engine.sealer.open(&self.site.token, token, self.now, &mut room);
        if opened == Err(Reason::TokenForeign) && self.engine.ask_for_keys(self.now, self.fast)? {
            self.note(|| "the token names a key that was not known: the keyring was read again".to_owned());
            let room = again.insert(TokenRoom::new());
            opened = self.engine.sealer.open(&self.site.token, token, self.now, room);
        }
        let opened = opened?;
        let claims = &opened.claims;
        self.engine.not_revoked(&opened, self.fast.then_some(self.now))?;
        let user = self.living(claims.principal, Reason::TokenRevoked)?;
        if claims.tenant != [0; 16] {
            subject.tenant = Some(self.tenant_of(&user, &claims.tenant)?);
        }
        subject.user = Some(user);
        subject.seq = claims.seq;
        let extra = self.site.extra_of(claims.extra)?;
        subject.token = Some(LiveToken { sid: claims.sid, sid_kind: claims.sid_kind, ends: claims.ends, extra });
        Ok(())
    }

    /// The tenant of which a token carries the tag: one that the user still belongs to.
    fn tenant_of(&self, user: &User, tag: &[u8; 16]) -> Result<Arc<Tenant>, Stop> {
        user.tenants
            .iter()
            .filter(|id| tenant_tag(id) == *tag)
            .find_map(|id| self.engine.directory.tenant_by_id(id))
            .ok_or(Stop::Refuse(Reason::TokenTenant))
    }

    /// An API key: whoever holds it is its user.
    fn check_key(&self, key: &[u8], subject: &mut Subject) -> Result<(), Stop> {
        self.may_read()?;
        let seq = self.engine.store.seq().map_err(|_| Reason::StoreUnavailable)?;
        let found = self.engine.directory.by_api_key(key).map_err(|_| Reason::DirectoryUnavailable)?;
        let Some((user, place)) = found else { return Err(Reason::WrongKey.into()) };
        let alive = user.api_keys.get(place).is_some_and(|key| key.is_alive(self.now.unix()));
        if !alive || policy::in_force(&user).is_err() {
            return Err(Reason::WrongKey.into());
        }
        subject.user = Some(user);
        subject.seq = seq;
        Ok(())
    }

    /// The tenant of the request: the one that the proof carries, or the one the request names; in any case one that the
    /// user belongs to now, for a session may be older than that.
    pub fn settle_tenant(&self, visit: &Visit<'_>, subject: &mut Subject) -> Result<(), Stop> {
        let Some(user) = &subject.user else { return Ok(()) };
        let named = match visit.tenant()? {
            Some(text) => self.named_tenant(&text)?,
            None => None,
        };
        let tenant = match (named, &subject.tenant) {
            (Some(named), Some(carried)) if named.id != carried.id && subject.token.is_some() => {
                return Err(Reason::TokenTenant.into());
            }
            (Some(named), _) => Some(named),
            (None, Some(carried)) => Some(carried.clone()),
            // A session may leave the tenant out while there is no choice.
            (None, None) => match user.tenants.as_slice() {
                [only] if subject.session.is_some() => self.engine.directory.tenant_by_id(only),
                _ => None,
            },
        };
        let member = tenant.as_ref().is_none_or(|tenant| user.belongs_to(&tenant.id));
        subject.tenant = tenant.filter(|_| member);
        if member { Ok(()) } else { Err(Reason::WrongTenant.into()) }
    }

    /// The tenant of that id or name; none where the profile overlooks names that it does not know.
    pub fn named_tenant(&self, text: &str) -> Result<Option<Arc<Tenant>>, Stop> {
        match self.engine.directory.tenant(text, self.site.tenant_form()) {
            TenantMatch::One(tenant) => Ok(Some(tenant)),
            TenantMatch::Several => Err(Reason::TenantAmbiguous.into()),
            TenantMatch::None if self.site.profile.tenant().is_some_and(|plan| plan.overlooks_unknown) => Ok(None),
            TenantMatch::None => Err(Reason::WrongTenant.into()),
        }
    }
}

/// What the record keeps of a companion cookie.
pub(crate) fn companion_digest(value: &[u8]) -> Digest {
    digest::sha256(&[b"janua-companion", value])
}
