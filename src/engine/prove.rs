//! Proving: each offer of a request against keys, store and directory. The only place that touches them on a check.

use crate::base::Reason;
use crate::base::secret;
use crate::crypto::digest::{self, Digest};
use crate::directory::{Resident, Tenant, TenantMatch, User};
use crate::engine::decide::{Asked, Stop};
use crate::engine::decision::WaitClass;
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
        let endpoint = visit.endpoint();
        let proofs = || endpoint.proofs().filter(|p| p.kind() != ProofKind::Gate).enumerate();
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
                    self.note(|| format!("proof `{}` is good", proof.name()));
                    return Ok(());
                }
                Err(Stop::Refuse(reason)) if !reason.is_unavailable() => {
                    self.note(|| format!("proof `{}` is refused: {}", proof.name(), reason.name()));
                    let counts = !(proof.bad_ignored() || *endpoint.need() == Need::None);
                    if counts {
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
        let form = self.site.profile.session().ok_or(Stop::Refuse(Reason::SessionUnknown))?;
        if !session_id::well_formed(id, &self.site.alphabet, form.length) {
            return Err(Reason::SessionMalformed.into());
        }
        let key = self.site.session_key(realm, id);
        match self.engine.store.check(&key, self.now) {
            Answer::Hit(record) => {
                self.companion(&record)?;
                Ok(LiveSession { key, record })
            }
            Answer::Miss(reason) => Err(reason.into()),
            Answer::Unavailable => Err(Reason::StoreUnavailable.into()),
        }
    }

    /// Legacy cookie names cannot be `__Host-`; the companion is what proves that the cookie was set by this host.
    fn companion(&self, record: &Record) -> Result<(), Stop> {
        let (Some(name), Some(expected)) = (&self.site.companion, record.companion()) else { return Ok(()) };
        let mut offered = cookie::all(self.request.headers, name.as_bytes()).take(cookie::MAX_SAME).peekable();
        if offered.peek().is_none() {
            return if record.companion_required() { Err(Reason::CompanionMissing.into()) } else { Ok(()) };
        }
        let good = offered.any(|value| {
            let digest = companion_digest(value);
            secret::equal(&digest, expected)
        });
        if !good {
            return Err(Reason::CompanionMissing.into());
        }
        if !record.companion_required() {
            self.engine.store.note_companion(record).map_err(|_| Reason::StoreUnavailable)?;
        }
        Ok(())
    }

    /// The principal as the directory knows it now; one that is gone is refused for `gone`.
    pub fn living(&self, id: &str, gone: Reason) -> Result<Arc<User>, Stop> {
        let user = match self.engine.directory.resident_by_id(id) {
            Resident::User(user) => Some(user),
            Resident::None => None,
            Resident::Ask if self.fast => return Err(Stop::Wait(WaitClass::Store)),
            Resident::Ask => self.engine.directory.by_id(id).map_err(|_| Reason::DirectoryUnavailable)?,
        };
        match user {
            Some(user) if user.disabled => Err(Reason::Disabled.into()),
            Some(user) => Ok(user),
            None => Err(gone.into()),
        }
    }

    /// A sealed token of this site and profile.
    fn check_token(&self, token: &[u8], subject: &mut Subject) -> Result<(), Stop> {
        let mut room = TokenRoom::new();
        let opened = self.engine.sealer.open(&self.site.token, token, self.now, &mut room)?;
        let claims = &opened.claims;
        let chosen = claims.has_session.then(|| chosen_digest(&claims.sid));
        match self.engine.store.token_revoked(claims.principal, &opened.key_id, chosen.as_ref(), claims.seq) {
            Ok(false) => {}
            Ok(true) => return Err(Reason::TokenRevoked.into()),
            Err(_) => return Err(Reason::StoreUnavailable.into()),
        }
        let user = self.living(claims.principal, Reason::TokenRevoked)?;
        if claims.tenant != [0; 16] {
            subject.tenant = Some(self.tenant_of(&user, &claims.tenant)?);
        }
        subject.user = Some(user);
        subject.seq = claims.seq;
        subject.token = Some(LiveToken { sid: claims.sid, has_session: claims.has_session });
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
        let seq = self.engine.store.seq().map_err(|_| Reason::StoreUnavailable)?;
        let found = self.engine.directory.by_api_key(key).map_err(|_| Reason::DirectoryUnavailable)?;
        let Some((user, place)) = found else { return Err(Reason::WrongKey.into()) };
        let good =
            user.api_keys.get(place).is_some_and(|k| !k.disabled && k.expires.is_none_or(|end| self.now.unix() < end));
        if !good || user.disabled || user.pending {
            return Err(Reason::WrongKey.into());
        }
        subject.user = Some(user);
        subject.seq = seq;
        Ok(())
    }

    /// The tenant of the request: the one that the proof carries, or the one the request names, if the user belongs to it.
    pub fn settle_tenant(&self, visit: &Visit<'_>, subject: &mut Subject) -> Result<(), Stop> {
        let Some(user) = &subject.user else { return Ok(()) };
        let named = match visit.tenant()? {
            Some(text) => Some(self.named_tenant(&text)?),
            None => None,
        };
        match (named, &subject.tenant) {
            (Some(named), Some(carried)) if named.id == carried.id => {}
            (Some(_), Some(_)) if subject.token.is_some() => return Err(Reason::TokenTenant.into()),
            (Some(named), _) if user.tenants.contains(&named.id) => subject.tenant = Some(named),
            (Some(_), _) => return Err(Reason::WrongTenant.into()),
            (None, Some(_)) => {}
            // A session may leave the tenant out while there is no choice.
            (None, None) if subject.session.is_some() => {
                if let [only] = user.tenants.as_slice() {
                    subject.tenant = self.engine.directory.tenant_by_id(only);
                }
            }
            (None, None) => {}
        }
        Ok(())
    }

    /// The tenant of that id or name.
    pub fn named_tenant(&self, text: &str) -> Result<Arc<Tenant>, Stop> {
        match self.engine.directory.tenant(text, self.site.tenant_form()) {
            TenantMatch::One(tenant) => Ok(tenant),
            TenantMatch::Several => Err(Reason::TenantAmbiguous.into()),
            TenantMatch::None => Err(Reason::WrongTenant.into()),
        }
    }
}

/// How the store names the SessionID inside a token, of which the token carries the first 128 bits.
pub(crate) fn chosen_digest(sid: &[u8; 16]) -> Digest {
    let mut digest = [0; 32];
    digest[..16].copy_from_slice(sid);
    digest
}

/// What the record keeps of a companion cookie.
pub(crate) fn companion_digest(value: &[u8]) -> Digest {
    digest::sha256(&[b"janua-companion", value])
}
