//! A site: one profile under one prefix of an engine. What a host configures once per location.

use crate::base::{Error, Reason, Result, Secret};
use crate::crypto::digest::Digest;
use crate::directory::{Tenant, TenantForm, User};
use crate::engine::build::{LONGEST_LIFE, TOKEN_PURPOSE, token_binding};
use crate::engine::decide::{Asked, Marks};
use crate::engine::prove::companion_digest;
use crate::engine::{Decision, Engine};
use crate::parse::{Body, Request, header};
use crate::profile::{CookieForm, MAX_BODY, Need, Profile, ProofKind};
use crate::session::NewSession;
use crate::session::id as session_id;
use crate::session::id::AlphabetSet;
use crate::token::{Binding, Extra, ExtraRoom};
use std::borrow::Cow;
use std::cell::RefCell;
use std::sync::Arc;

/// How the names of companion cookies begin, whatever the profile.
pub(crate) const COMPANION_PREFIX: &str = "__Host-janua-";

/// One profile under one prefix. Any thread; keeps its engine alive.
pub struct Site {
    pub(crate) engine: Arc<Engine>,
    pub(crate) profile: Profile,
    pub(crate) prefix: String,
    /// A request without proof passes, without a principal, but where a role is needed.
    pub(crate) optional: bool,
    pub(crate) token: Binding,
    /// Seconds; the least of what profile and configuration say is the configuration's word.
    pub(crate) idle: u32,
    pub(crate) absolute: u32,
    pub(crate) token_lifetime: u32,
    /// The companion cookie, where cookies are `Secure` and the profile's own name is not `__Host-`.
    pub(crate) companion: Option<CookieForm>,
    /// Canonical names of headers that go no further than this site: identity, extra values, spent proof.
    pub(crate) strip: Vec<String>,
    /// The characters of session ids.
    pub(crate) alphabet: AlphabetSet,
    /// What the endpoints that let requests pass need, each once.
    pub(crate) needs: Vec<Need>,
    gates: Vec<(String, Secret)>,
}

impl Site {
    pub(crate) fn new(engine: Arc<Engine>, profile: Profile, prefix: &str, optional: bool) -> Result<Site> {
        let defaults = &engine.defaults;
        let form = profile.session();
        let idle = defaults.session.idle.map(|s| s.0).or(form.map(|f| f.idle)).unwrap_or(1800);
        let absolute = defaults.session.absolute.map(|s| s.0).or(form.map(|f| f.absolute)).unwrap_or(43_200);
        if idle == 0 || absolute < idle {
            return Err(Error::invalid(format!(
                "session.absolute ({absolute} s) must not be shorter than session.idle ({idle} s), and neither 0"
            ))
            .at(&defaults.file));
        }
        let lifetime = defaults.token_lifetime.or(profile.token().map(|t| t.lifetime)).unwrap_or(30 * 86_400);
        if lifetime > LONGEST_LIFE {
            let text = "token.lifetime: revocations are remembered for 400 days, a token must not live longer";
            return Err(Error::invalid(text).at(&defaults.file));
        }
        let cookie = form.and_then(|f| f.cookie.as_ref());
        let companion = cookie
            .filter(|c| engine.secure && !c.name().starts_with("__Host-"))
            .map(|_| format!("{COMPANION_PREFIX}{}; Path=/; Secure; HttpOnly; SameSite=Lax", profile.name()))
            .map(|text| CookieForm::parse(&text).map_err(Error::invalid))
            .transpose()?;
        let gates = gates(&engine, &profile)?;
        Ok(Site {
            token: token_binding(&engine, profile.name(), TOKEN_PURPOSE),
            prefix: prefix.to_owned(),
            optional,
            idle,
            absolute,
            token_lifetime: lifetime,
            companion,
            strip: strip(&engine, &profile),
            alphabet: AlphabetSet::of(profile.session().map_or(b"".as_slice(), |f| &f.alphabet)),
            needs: profile.pass_needs(),
            gates,
            profile,
            engine,
        })
    }

    /// How long tokens made here live at the most, in seconds.
    pub fn token_lifetime(&self) -> u32 {
        self.token_lifetime
    }

    /// Decides a request into `out`, which is cleared first.
    ///
    /// `fast`: never hash, wait or write the store; [`Outcome::WouldBlock`](super::Outcome::WouldBlock) then has counted,
    /// touched and audited nothing. A check (session, token or known pair in a header, a cookie or the query) allocates
    /// nothing once `out` is warm. Any thread. Errors: `Fork` when this process has not attached; `out` then denies
    /// with 503.
    pub fn decide(&self, request: &Request<'_>, fast: bool, out: &mut Decision) -> Result<()> {
        self.ask(request, fast, None, out)
    }

    /// [`Site::decide`] that also tells each step in words without secrets.
    pub fn explain(&self, request: &Request<'_>, out: &mut Decision) -> Result<Vec<String>> {
        let steps = RefCell::new(Vec::new());
        self.ask(request, false, Some(&steps), out)?;
        Ok(steps.into_inner())
    }

    fn ask(
        &self,
        request: &Request<'_>,
        fast: bool,
        steps: Option<&RefCell<Vec<String>>>,
        out: &mut Decision,
    ) -> Result<()> {
        out.clear();
        if let Err(error) = self.engine.attached() {
            out.http_status = 503;
            out.reason = Some(Reason::NotAttached);
            return Err(error);
        }
        let engine = &*self.engine;
        let client = engine.proxies.client(request);
        // A host that did not count: what is over the limit is not looked at.
        let body = match request.body {
            Body::Given(bytes) if bytes.len() > engine.body_limit.min(MAX_BODY) => Body::TooLarge,
            body => body,
        };
        let request = &Request { body, ..*request };
        let asked = Asked {
            site: self,
            engine,
            request,
            client,
            now: engine.clock.now(),
            fast,
            steps,
            marks: Marks::default(),
            inside: false,
        };
        let mut room = out.take_room();
        asked.run(&mut room, out);
        out.put_room(room);
        Ok(())
    }

    /// Canonical names of headers that go no further than this site: identity, extra values, and spent proof.
    ///
    /// To be removed from a request that is let through, before `set_inward` is written. `cookie` is among them where
    /// the profile's proof sits in a cookie: the client's other cookies come back in `set_inward`.
    pub fn strip_list(&self) -> &[String] {
        &self.strip
    }

    /// The engine that this site is of.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// The profile's name.
    pub fn profile_name(&self) -> &str {
        self.profile.name()
    }

    /// Under which key the store knows a session id.
    pub(crate) fn session_key(&self, realm: &str, id: &[u8]) -> Digest {
        session_id::key(&self.engine.site, self.profile.name(), realm, id)
    }

    /// What a token carries for a SessionID that its client chose.
    pub(crate) fn chosen_sid(&self, tenant: &str, principal: &str, chosen: &str) -> [u8; 16] {
        let key = session_id::chosen_key(&self.engine.site, self.profile.name(), tenant, principal, chosen.as_bytes());
        let mut sid = [0; 16];
        sid.copy_from_slice(&key[..16]);
        sid
    }

    /// What a token keeps that the profile still names: the strip list holds nothing else back. `None` for nothing.
    pub(crate) fn extra_of(&self, extra: Extra<'_>) -> std::result::Result<Option<ExtraRoom>, Reason> {
        let mut kept = None;
        for (name, value) in extra.iter().filter(|(name, _)| self.profile.keeps(name)) {
            kept.get_or_insert_with(ExtraRoom::new).push(name, value)?;
        }
        Ok(kept)
    }

    /// The secret of a gate, if the configuration holds one.
    pub(crate) fn gate(&self, name: &str) -> Option<&Secret> {
        self.gates.iter().find(|(n, _)| n == name).map(|(_, secret)| secret)
    }

    pub(crate) fn decoys(&self) -> bool {
        self.profile.token().is_some_and(|t| t.decoy)
    }

    pub(crate) fn tenant_form(&self) -> TenantForm {
        self.profile.tenant().map_or(TenantForm::Name, |t| t.form)
    }

    /// What the record of a new session of `user` is made of.
    pub(crate) fn session_of(
        &self,
        user: &User,
        tenant: Option<Arc<Tenant>>,
        seq: u64,
        companion: Option<&str>,
        extra: Vec<(&str, Cow<'_, str>)>,
    ) -> NewSession {
        NewSession {
            tenant,
            companion: companion.map(|c| companion_digest(c.as_bytes())),
            extra: extra.into_iter().map(|(name, value)| (name.into(), value.into())).collect(),
            keep_path: self.profile.wants_last_path(),
            mints: self.profile.token().is_some(),
            ..NewSession::of(&user.id, self.idle, self.absolute, seq)
        }
    }
}

/// Identity headers, the extra values of the profile, and the headers that its proofs sit in.
fn strip(engine: &Engine, profile: &Profile) -> Vec<String> {
    let spent = profile.spent();
    let extra = profile.extra_names().into_iter().map(|name| header::canonical(format!("x-extra-{name}").as_bytes()));
    let headers = spent.headers.iter().map(|name| header::canonical(name.as_bytes()));
    let authorization = spent.authorization.then(|| "authorization".to_owned());
    let cookie = (!spent.cookies.is_empty()).then(|| "cookie".to_owned());
    let own = engine.strip.iter().cloned();
    let mut all: Vec<String> = own.chain(extra).chain(headers).chain(authorization).chain(cookie).collect();
    all.sort();
    all.dedup();
    all
}

fn gates(engine: &Engine, profile: &Profile) -> Result<Vec<(String, Secret)>> {
    let Some(configured) = engine.defaults.gates.get(profile.name()) else { return Ok(Vec::new()) };
    configured
        .iter()
        .map(|(name, secret)| {
            if !profile.proofs().any(|p| p.kind() == ProofKind::Gate && p.name() == name) {
                return Err(Error::invalid(format!("gates.{}: the profile has no gate `{name}`", profile.name())));
            }
            if secret.expose().len() < 16 {
                return Err(Error::invalid(format!("gates.{}.{name}: under 16 bytes can be guessed", profile.name())));
            }
            Ok((name.clone(), secret.clone()))
        })
        .collect()
}
