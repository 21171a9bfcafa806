//! Sessions and tokens one by one, for a host with a protocol of its own. The same keys, store and rules as decisions.

use crate::base::{Error, Reason, Result, Status};
use crate::directory::{Resident, Tenant, User};
use crate::engine::build::{TOKEN_PURPOSE, token_binding};
use crate::engine::decide::Stop;
use crate::engine::decision::WaitClass;
use crate::engine::respond::left;
use crate::engine::subject::revocation;
use crate::engine::{Site, policy};
use crate::session::{Record, Reference, id as session_id};
use crate::store::{Answer, NotStored, Revocation};
use crate::token::{Binding, Claims, Extra, Room as TokenRoom, SidKind, tenant_tag};
use std::sync::Arc;

/// What a session or a token proves. Owned by the caller and reused: once warm, filling it allocates nothing.
#[derive(Clone, Debug, Default)]
pub struct Held {
    /// The principal's id.
    pub principal: String,
    /// The tenant's id, or empty.
    pub tenant: String,
    /// The session's reference, fit for logs; empty for tokens.
    pub session_ref: String,
    /// Unix seconds. `last_used` and `idle_end` are 0 for tokens.
    pub issued: i64,
    pub last_used: i64,
    pub idle_end: i64,
    pub absolute_end: i64,
}

/// The realm of sessions made here: profiles name their own, never this.
const REALM: &str = "";

impl Site {
    /// Makes a session for a principal whom the host proved itself, and returns the id for the client.
    ///
    /// Writes the store, and waits as a log-out does where a session was put out to make room. `tenant`: an id, or
    /// empty. Errors: `Fork`, `NotFound` for a principal or tenant that the directory does not know, `Refused` for a
    /// disabled one, `Random`, `Unavailable`.
    pub fn session_create(&self, principal: &str, tenant: &str) -> Result<String> {
        let engine = &self.engine;
        engine.attached()?;
        let form = self.profile.session().ok_or_else(|| Error::invalid("this profile has no sessions"))?;
        let seq = engine.store.seq().map_err(|_| unavailable())?;
        let user = self.principal(principal)?;
        let tenant = self.member(&user, tenant)?;
        let id = session_id::make(&form.alphabet, form.length)?;
        let key = self.session_key(REALM, id.as_bytes());
        let now = engine.clock.now();
        let record = Record::new(self.session_of(&user, tenant, seq, None, Vec::new()), now);
        let stored = engine.store.insert(key, record, engine.per_principal, now).map_err(|e| match e {
            NotStored::Unavailable => unavailable(),
            NotStored::Refused(reason) => Error::new(Status::Refused, reason.name()),
        })?;
        if !stored.evicted.is_empty() {
            engine.hold();
        }
        Ok(id)
    }

    /// Checks an id and tells what it proves; `touch` counts it as use. Allocates nothing once `out` is warm, and never
    /// waits with the memory store. Errors: the reason; `out` is then unchanged.
    pub fn session_check(&self, id: &[u8], touch: bool, out: &mut Held) -> std::result::Result<(), Reason> {
        self.session_look(id, touch, false, out).map_err(|stop| match stop {
            Stop::Refuse(reason) => reason,
            Stop::Wait(_) => Reason::StoreUnavailable,
        })
    }

    /// The same; with `fast` it says [`Stop::Wait`] where the store could make it wait.
    pub(crate) fn session_look(
        &self,
        id: &[u8],
        touch: bool,
        fast: bool,
        out: &mut Held,
    ) -> std::result::Result<(), Stop> {
        let engine = &self.engine;
        if !engine.is_attached() {
            return Err(Reason::NotAttached.into());
        }
        let form = self.profile.session().ok_or(Reason::SessionUnknown)?;
        if !session_id::well_formed(id, &self.alphabet, form.length) {
            return Err(Reason::SessionMalformed.into());
        }
        let (now, key) = (engine.clock.now(), self.session_key(REALM, id));
        let answer = match fast {
            true => engine.store.check_at_once(&key, now).ok_or(Stop::Wait(WaitClass::Store))?,
            false => engine.store.check(&key, now),
        };
        let record = match answer {
            Answer::Hit(record) => record,
            Answer::Miss(reason) => return Err(reason.into()),
            Answer::Unavailable => return Err(Reason::StoreUnavailable.into()),
        };
        let user = self.still(&record.principal, Reason::SessionRevoked)?;
        if record.tenant.as_ref().is_some_and(|tenant| !user.belongs_to(&tenant.id)) {
            return Err(Reason::WrongTenant.into());
        }
        if touch {
            engine.touch(&record, false, None, now, fast)?;
        }
        let (idle_left, _) = left(record.life(now));
        let ends = record.ends();
        put(&mut out.principal, &record.principal);
        put(&mut out.tenant, record.tenant.as_ref().map_or("", |t| t.id.as_str()));
        put(&mut out.session_ref, std::str::from_utf8(&Reference::of(&key).digits()).unwrap_or_default());
        out.issued = ends.created_unix;
        out.idle_end = now.unix().saturating_add(idle_left);
        out.last_used = out.idle_end.saturating_sub(i64::from(ends.idle_secs));
        out.absolute_end = ends.absolute_unix;
        Ok(())
    }

    /// Ends a session. When this returns, no check that starts later lets it in; unknown ids are fine.
    pub fn session_revoke(&self, id: &[u8]) -> Result<()> {
        self.engine.revoke(Revocation::Session(self.session_key(REALM, id)))
    }

    /// Issues a sealed token for `purpose`. `tenant`: an id, or empty. `session_id`: the SessionID by which the token
    /// can be revoked, or empty. `expires`: Unix seconds, 0 for the cap; more than the cap is the cap.
    pub fn token_issue(
        &self,
        purpose: &str,
        principal: &str,
        tenant: &str,
        session_id: &str,
        expires: i64,
    ) -> Result<String> {
        let engine = &self.engine;
        engine.attached()?;
        let seq = engine.store.seq().map_err(|_| unavailable())?;
        let user = self.principal(principal)?;
        let tenant = self.member(&user, tenant)?;
        let now = engine.clock.now().unix();
        let cap = now.saturating_add(i64::from(self.token_lifetime));
        if expires != 0 && expires <= now {
            return Err(Error::invalid("expires lies in the past"));
        }
        let tenant_id = tenant.as_ref().map_or("", |t| t.id.as_str());
        let (sid, sid_kind) = if session_id.is_empty() {
            (crate::base::random::array::<16>()?, SidKind::Random)
        } else {
            engine.store.admits().map_err(|_| unavailable())?;
            (self.chosen_sid(tenant_id, &user.id, session_id), SidKind::Chosen)
        };
        let claims = Claims {
            issued: now,
            ends: if expires == 0 { cap } else { expires.min(cap) },
            seq,
            sid,
            sid_kind,
            tenant: tenant.as_ref().map_or([0; 16], |t| tenant_tag(&t.id)),
            principal: &user.id,
            extra: Extra::NONE,
        };
        engine.sealer.mint(&self.binding(purpose), &claims)
    }

    /// Checks a token made for `purpose` here and tells what it proves. Errors: the reason; `out` is then unchanged.
    pub fn token_check(&self, purpose: &str, token: &[u8], out: &mut Held) -> std::result::Result<(), Reason> {
        self.token_look(purpose, token, false, out).map_err(|stop| match stop {
            Stop::Refuse(reason) => reason,
            Stop::Wait(_) => Reason::StoreUnavailable,
        })
    }

    /// The same; with `fast` it says [`Stop::Wait`] where the store could make it wait.
    pub(crate) fn token_look(
        &self,
        purpose: &str,
        token: &[u8],
        fast: bool,
        out: &mut Held,
    ) -> std::result::Result<(), Stop> {
        let engine = &self.engine;
        if !engine.is_attached() {
            return Err(Reason::NotAttached.into());
        }
        let mut room = TokenRoom::new();
        let (binding, now) = (self.binding(purpose), engine.clock.now());
        let opened = engine.sealer.open(&binding, token, now, &mut room)?;
        let claims = &opened.claims;
        engine.not_revoked(&opened, fast.then_some(now))?;
        let user = self.still(claims.principal, Reason::TokenRevoked)?;
        let tenant = if claims.tenant == [0; 16] {
            ""
        } else {
            let found = user.tenants.iter().find(|id| tenant_tag(id) == claims.tenant);
            found.ok_or(Reason::TokenTenant)?.as_str()
        };
        put(&mut out.principal, claims.principal);
        put(&mut out.tenant, tenant);
        put(&mut out.session_ref, "");
        (out.issued, out.last_used, out.idle_end, out.absolute_end) = (claims.issued, 0, 0, claims.ends);
        Ok(())
    }

    /// Ends all tokens that share the SessionID inside this one, or its session and all that were made from it. Errors: `Refused` when it carries none, or is not good.
    pub fn token_revoke(&self, purpose: &str, token: &[u8]) -> Result<()> {
        let engine = &self.engine;
        engine.attached()?;
        let mut room = TokenRoom::new();
        let binding = self.binding(purpose);
        let opened = engine
            .sealer
            .open(&binding, token, engine.clock.now(), &mut room)
            .map_err(|reason| Error::new(Status::Refused, reason.name()))?;
        match revocation(opened.claims.sid_kind, &opened.claims.sid) {
            Some(what) => engine.revoke(what),
            None => Err(Error::new(Status::Refused, Reason::NoSessionId.name())),
        }
    }

    /// What tokens of `purpose` are bound to. Known beforehand for the purpose of the profiles' own tokens; any other
    /// costs a SHA-256.
    fn binding(&self, purpose: &str) -> Binding {
        match purpose {
            TOKEN_PURPOSE => self.token,
            other => token_binding(&self.engine, self.profile.name(), other),
        }
    }

    fn principal(&self, id: &str) -> Result<Arc<User>> {
        match self.engine.directory.by_id(id) {
            Ok(Some(user)) => match policy::in_force(&user) {
                Ok(()) => Ok(user),
                Err(_) => Err(Error::new(Status::Refused, "the principal is disabled or pending")),
            },
            Ok(None) => Err(Error::not_found("the directory knows no such principal")),
            Err(_) => Err(Error::unavailable("the directory did not answer")),
        }
    }

    fn member(&self, user: &User, tenant: &str) -> Result<Option<Arc<Tenant>>> {
        if tenant.is_empty() {
            return Ok(None);
        }
        let known = self.engine.directory.tenant_by_id(tenant).filter(|tenant| user.belongs_to(&tenant.id));
        known.map(Some).ok_or_else(|| Error::not_found("the principal belongs to no such tenant"))
    }

    /// The principal, if it still counts; a directory that must be asked first is asked.
    fn still(&self, id: &str, gone: Reason) -> std::result::Result<Arc<User>, Reason> {
        let user = match self.engine.directory.resident_by_id(id) {
            Resident::User(user) => Some(user),
            Resident::None => None,
            Resident::Ask => self.engine.directory.by_id(id).map_err(|_| Reason::DirectoryUnavailable)?,
        };
        let user = user.ok_or(gone)?;
        policy::in_force(&user)?;
        Ok(user)
    }
}

fn put(to: &mut String, text: &str) {
    to.clear();
    to.push_str(text);
}

fn unavailable() -> Error {
    Error::unavailable("the store did not answer")
}
