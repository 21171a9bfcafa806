//! The way of a request: match, prove, judge, act, answer. Data moves down once and back once.
//!
//! A request is [`Asked`] at one [`Site`]; nothing here outlives the call. What stops it on the way is a [`Stop`].

use crate::base::{Now, Reason};
use crate::engine::audit::EventKind;
use crate::engine::client::Client;
use crate::engine::decision::{Decision, Outcome, WaitClass};
use crate::engine::subject::Subject;
use crate::engine::{Engine, Site, policy};
use crate::parse::{Request, cookie, header, path};
use crate::profile::{Action, Need, Room, Routed, Visit, Word};
use std::cell::{Cell, RefCell};

/// Why the way ends before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// No.
    Refuse(Reason),
    /// Not here: the caller may not wait, and this would.
    Wait(WaitClass),
}

impl From<Reason> for Stop {
    fn from(reason: Reason) -> Stop {
        Stop::Refuse(reason)
    }
}

/// One request at one site.
pub(crate) struct Asked<'a> {
    pub site: &'a Site,
    pub engine: &'a Engine,
    pub request: &'a Request<'a>,
    pub client: Client<'a>,
    pub now: Now,
    /// Never hash, wait or write the store.
    pub fast: bool,
    /// The steps in words, when somebody asked for them.
    pub steps: Option<&'a RefCell<Vec<String>>>,
    /// What audit says of this request beyond the subject.
    pub marks: Marks,
    /// One item of a list.
    pub inside: bool,
}

/// Marks of one request for audit, set on the way.
#[derive(Default)]
pub(crate) struct Marks {
    /// `~` and 32 hex digits of a keyed digest of the name that was refused.
    pub name: Cell<Option<[u8; 33]>>,
    /// Eight hex digits that a refusal may show.
    pub reference: Cell<[u8; 8]>,
}

impl Asked<'_> {
    /// Decides and writes the decision. `out` is clear.
    pub fn run(&self, room: &mut Room, out: &mut Decision) {
        if let Err(reason) = self.request_rules() {
            return self.deny_bare(reason, out);
        }
        match self.site.profile.route(self.request, &self.site.prefix, room) {
            Routed::Nothing => self.deny_bare(Reason::NoEndpoint, out),
            Routed::NeedBody { limit, .. } => self.need_body(limit, out),
            Routed::Refused(visit, reason) => {
                self.note(|| format!("endpoint `{}`: the request cannot be read", visit.endpoint().name()));
                self.refuse(&visit, reason, &Subject::default(), out);
            }
            Routed::Visit(visit) => self.visit(&visit, out),
        }
    }

    fn visit(&self, visit: &Visit<'_>, out: &mut Decision) {
        self.note(|| format!("endpoint `{}` answers", visit.endpoint().name()));
        let mut subject = Subject::default();
        match self.act(visit, &mut subject, out) {
            Ok(()) => {}
            Err(Stop::Refuse(reason)) => self.refuse(visit, reason, &subject, out),
            Err(Stop::Wait(class)) => out.would_block(class),
        }
        out.maintain |= self.engine.store.is_due(self.now);
    }

    /// Asked before the store is read: whether this call may not wait and reading could.
    pub fn may_read(&self) -> Result<(), Stop> {
        if self.fast && self.engine.store.reads_may_wait(self.now) {
            return Err(Stop::Wait(WaitClass::Store));
        }
        Ok(())
    }

    /// What a question to the store came to: the answer of one that may wait, or that of one that may not if there is any.
    pub fn asked<T>(&self, at_once: impl FnOnce() -> Option<T>, waiting: impl FnOnce() -> T) -> Result<T, Stop> {
        if self.fast { at_once().ok_or(Stop::Wait(WaitClass::Store)) } else { Ok(waiting()) }
    }

    fn act(&self, visit: &Visit<'_>, subject: &mut Subject, out: &mut Decision) -> Result<(), Stop> {
        let endpoint = visit.endpoint();
        self.gates(visit)?;
        match endpoint.action() {
            Action::Pass | Action::Answer => {
                self.prove(visit, subject)?;
                self.judge(visit, subject)?;
                self.touch(visit, subject, out)?;
                let stays = endpoint.action() == Action::Pass && endpoint.answer(Word::Ok).is_none();
                if stays { self.allow(visit, subject, out) } else { self.answer(visit, subject, out) }
            }
            Action::Login => self.login(visit, subject, out),
            Action::Logout => self.logout(visit, subject, out),
            Action::IssueToken => self.issue_token(visit, subject, out),
            Action::ChooseTenant => self.choose_tenant(visit, subject, out),
            Action::Each => self.each(visit, subject, out),
        }
    }

    /// What is asked of every request before its profile is.
    fn request_rules(&self) -> Result<(), Reason> {
        let request = self.request;
        if !path::agree(request.path, request.raw_path) {
            self.note(|| "the path as received and as routed differ".to_owned());
            return Err(Reason::PathAmbiguous);
        }
        let spent = self.site.profile.spent();
        if !spent.cookies.is_empty() && cookie::too_large(request.headers) {
            return Err(Reason::TooLarge);
        }
        for name in header::listed(request.headers, b"connection") {
            if self.site.strip.iter().any(|s| header::canonical_same(s.as_bytes(), name))
                || spent.headers_read.iter().any(|s| header::canonical_same(s.as_bytes(), name))
            {
                return Err(Reason::ConnectionHeader);
            }
        }
        Ok(())
    }

    /// Need, tenant, cross-site and path rules on what was proven, and then the end of a one-time password.
    pub fn judge(&self, visit: &Visit<'_>, subject: &mut Subject) -> Result<(), Stop> {
        let endpoint = visit.endpoint();
        self.settle_tenant(visit, subject)?;
        if let Err(reason) = policy::judge(endpoint.need(), subject) {
            // Optional is who somebody is; a place that names a role is for nobody else.
            let open = self.site.optional && !matches!(endpoint.need(), Need::Role(_));
            let lets_pass = open && endpoint.action() == Action::Pass && reason == Reason::Missing;
            if !lets_pass {
                self.note(|| format!("the endpoint needs {}: {}", need_word(endpoint.need()), reason.name()));
                return Err(reason.into());
            }
        }
        // Behind a path that others may read as another one stands, for all we know, any place of the site.
        let all_of_it =
            subject.user.is_some() && self.site.needs.iter().all(|need| policy::judge(need, subject).is_ok());
        if !all_of_it
            && (path::is_ambiguous(self.request.raw_path) || path::merges(self.request.path, self.request.raw_path))
        {
            return Err(Reason::PathAmbiguous.into());
        }
        if subject.ambient && (is_unsafe(visit.method()) || self.upgrades()) {
            self.same_site()?;
        }
        self.use_up(subject)
    }

    /// Refuses what another site made the browser send.
    pub fn same_site(&self) -> Result<(), Stop> {
        if self.engine.cross_site.refuses(self.request) {
            self.note(|| "another site made the browser send this".to_owned());
            return Err(Reason::CrossSite.into());
        }
        Ok(())
    }

    fn upgrades(&self) -> bool {
        self.request.headers.iter().any(|h| header::same(h.name, b"upgrade"))
    }

    /// Writes the use of a session down, and that its companion came along: when nothing can refuse or put off the
    /// request any more. What the store does not take is no reason to refuse it.
    fn touch(&self, visit: &Visit<'_>, subject: &Subject, out: &mut Decision) -> Result<(), Stop> {
        let mut beside = Subject::default();
        // Where another proof won, a guest's wish too: the session that came along proves nobody, and was used all the same.
        let used = match (&subject.session, subject.by) {
            (None, Some(_)) => match self.prove_session(visit, &mut beside) {
                Ok(()) => &beside.session,
                Err(wait @ Stop::Wait(_)) => return Err(wait),
                Err(Stop::Refuse(_)) => &None,
            },
            (used, _) => used,
        };
        let Some(session) = used else { return Ok(()) };
        let path = self.site.profile.wants_last_path().then(|| visit.full_path());
        out.maintain |= self.engine.touch(&session.record, session.accompanied, path, self.now, self.fast)?;
        Ok(())
    }

    fn need_body(&self, limit: usize, out: &mut Decision) {
        let limit = limit.min(self.engine.body_limit);
        self.note(|| format!("the body is needed, at most {limit} bytes"));
        out.outcome = Outcome::NeedBody;
        out.body_limit = limit;
    }

    /// Adds a step to the explanation; costs nothing when none was asked for.
    pub fn note(&self, step: impl FnOnce() -> String) {
        if let Some(steps) = self.steps {
            steps.borrow_mut().push(step());
        }
    }

    /// Ends a decision: reason, counter, audit.
    pub fn close(&self, kind: EventKind, reason: Reason, subject: &Subject, out: &mut Decision) {
        out.reason = Some(reason);
        self.engine.metrics.count(reason);
        self.tell(kind, reason, subject, out);
    }
}

/// Methods that may change something (RFC 9110 section 9.2.1).
fn is_unsafe(method: &[u8]) -> bool {
    !matches!(method, b"GET" | b"HEAD" | b"OPTIONS" | b"TRACE")
}

fn need_word(need: &Need) -> String {
    match need {
        Need::None => "nothing".to_owned(),
        Need::Optional => "nothing, but no bad proof".to_owned(),
        Need::Guest => "a guest or a user".to_owned(),
        Need::User => "a user".to_owned(),
        Need::Tenant => "a user and a tenant".to_owned(),
        Need::Role(role) => format!("the role `{role}`"),
    }
}
