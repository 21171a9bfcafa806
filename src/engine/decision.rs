//! The engine's word on one request, in buffers that are kept and used again.
//!
//! A host keeps decisions (the C interface pools them), so that a check allocates nothing: every text of a decision
//! lies in one buffer, spans point into it.

use crate::base::{Reason, secret};
use crate::profile::Room;

/// What the host is to do. `Deny` is 0, so a zeroed decision refuses.
#[repr(i32)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outcome {
    /// Refuse, with the status, headers and body given.
    #[default]
    Deny = 0,
    /// Pass on, with the headers set inward.
    Allow = 1,
    /// Send this complete answer.
    Answer = 2,
    /// Ask again with at most `body_limit` bytes of the body; once.
    NeedBody = 3,
    /// Only when asked to be fast: ask again from a thread that may wait.
    WouldBlock = 4,
}

/// What kind of slow work a [`Outcome::WouldBlock`] announces, so that a host can keep separate pools.
#[repr(u16)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WaitClass {
    #[default]
    None = 0,
    /// A password hash: tens of milliseconds of one core.
    Hash = 1,
    /// The store, the directory or the keyring.
    Store = 2,
    /// A Kerberos or NTLM ticket.
    Ticket = 3,
}

/// A range of a decision's text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    start: u32,
    end: u32,
}

impl Span {
    pub(crate) const fn is_empty(self) -> bool {
        self.start >= self.end
    }
}

/// The decision on one request. Reuse it: [`Site::decide`](super::Site::decide) clears it first and keeps its buffers.
#[derive(Default)]
pub struct Decision {
    pub(crate) outcome: Outcome,
    pub(crate) reason: Option<Reason>,
    pub(crate) http_status: u16,
    pub(crate) wait: WaitClass,
    pub(crate) maintain: bool,
    pub(crate) hold_ms: u32,
    pub(crate) body_limit: usize,
    pub(crate) principal: Span,
    pub(crate) roles: Span,
    pub(crate) tenant: Span,
    pub(crate) session_ref: Span,
    pub(crate) method: Span,
    pub(crate) path: Span,
    pub(crate) log_path: Span,
    pub(crate) query: Span,
    pub(crate) endpoint: Span,
    text: Vec<u8>,
    inward: Vec<(Span, Span)>,
    response: Vec<(Span, Span)>,
    pub(crate) body: Vec<u8>,
    /// Made at the first request. Boxed: it is a kilobyte that would otherwise be moved about on every request.
    room: Option<Box<Room>>,
}

impl Decision {
    pub fn new() -> Decision {
        Decision::default()
    }

    /// Forgets the last decision and wipes what may hold a secret (a new cookie, a token); keeps the buffers.
    pub fn clear(&mut self) {
        // Taken apart whole, so that a new field cannot be forgotten; in place, for this runs on every request.
        let Decision {
            outcome,
            reason,
            http_status,
            wait,
            maintain,
            hold_ms,
            body_limit,
            principal,
            roles,
            tenant,
            session_ref,
            method,
            path,
            log_path,
            query,
            endpoint,
            text,
            inward,
            response,
            body,
            room: _,
        } = self;
        for secret in [text, body] {
            // All that was ever written: nothing but this shortens a buffer.
            secret::wipe(secret);
            secret.clear();
        }
        inward.clear();
        response.clear();
        (*outcome, *reason, *http_status, *wait) = (Outcome::Deny, None, 0, WaitClass::None);
        (*maintain, *hold_ms, *body_limit) = (false, 0, 0);
        for span in [principal, roles, tenant, session_ref, method, path, log_path, query, endpoint] {
            *span = Span::default();
        }
    }

    /// Nothing but that slow work of this kind lies ahead.
    pub(crate) fn would_block(&mut self, class: WaitClass) {
        self.clear();
        (self.outcome, self.wait) = (Outcome::WouldBlock, class);
    }

    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    pub fn reason(&self) -> Reason {
        self.reason.unwrap_or(Reason::Undecided)
    }

    /// The status of DENY and ANSWER; a hint for the others (0).
    pub fn http_status(&self) -> u16 {
        self.http_status
    }

    pub fn wait_class(&self) -> WaitClass {
        self.wait
    }

    /// Whether the host should call `maintain` soon.
    pub fn wants_maintenance(&self) -> bool {
        self.maintain
    }

    /// Milliseconds to hold the answer back (0 with stores of one machine).
    pub fn hold_ms(&self) -> u32 {
        self.hold_ms
    }

    /// Of NEED_BODY: the most bytes the engine will look at.
    pub fn body_limit(&self) -> usize {
        self.body_limit
    }

    /// The principal's id; empty when nobody was proven.
    pub fn principal(&self) -> &[u8] {
        self.bytes(self.principal)
    }

    /// The principal's roles, separated by commas.
    pub fn roles(&self) -> &[u8] {
        self.bytes(self.roles)
    }

    /// The tenant's id, or empty.
    pub fn tenant(&self) -> &[u8] {
        self.bytes(self.tenant)
    }

    /// The session's reference (32 hex digits), fit for logs; or empty.
    pub fn session_ref(&self) -> &[u8] {
        self.bytes(self.session_ref)
    }

    /// The method as matched, after overrides: the host authorises on this, not on its own.
    pub fn method(&self) -> &[u8] {
        self.bytes(self.method)
    }

    /// The path as matched, prefix and base included.
    pub fn path(&self) -> &[u8] {
        self.bytes(self.path)
    }

    /// The same for a log: a segment that may be a session's id is shown by its name.
    pub fn log_path(&self) -> &[u8] {
        self.bytes(self.log_path)
    }

    /// Of ALLOW: the query to pass on, as received but without the parameters that carried a credential.
    pub fn query(&self) -> &[u8] {
        self.bytes(self.query)
    }

    /// The endpoint's name in the profile.
    pub fn endpoint(&self) -> &[u8] {
        self.bytes(self.endpoint)
    }

    /// Headers to set on the request that goes inward.
    pub fn set_inward(&self) -> impl ExactSizeIterator<Item = (&[u8], &[u8])> {
        self.inward.iter().map(|(name, value)| (self.bytes(*name), self.bytes(*value)))
    }

    /// Headers to add to the answer; cookies first.
    pub fn response(&self) -> impl ExactSizeIterator<Item = (&[u8], &[u8])> {
        self.response.iter().map(|(name, value)| (self.bytes(*name), self.bytes(*value)))
    }

    /// The body of DENY and ANSWER.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Whether there is no answer to send but a status.
    pub(crate) fn is_bare(&self) -> bool {
        self.body.is_empty() && self.response.is_empty()
    }

    /// The room that requests are taken apart in; kept here so that it is used again.
    pub(crate) fn take_room(&mut self) -> Box<Room> {
        self.room.take().unwrap_or_default()
    }

    pub(crate) fn put_room(&mut self, room: Box<Room>) {
        self.room = Some(room);
    }

    fn bytes(&self, span: Span) -> &[u8] {
        self.text.get(span.start as usize..span.end as usize).unwrap_or_default()
    }

    /// Writes `parts` one after the other and returns where they lie.
    pub(crate) fn write(&mut self, parts: &[&[u8]]) -> Span {
        let start = self.text.len();
        for part in parts {
            self.text.extend_from_slice(part);
        }
        let at = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Span { start: at(start), end: at(self.text.len()) }
    }

    /// Extends the span written last.
    pub(crate) fn extend(&mut self, span: Span, parts: &[&[u8]]) -> Span {
        Span { start: span.start, end: self.write(parts).end }
    }

    pub(crate) fn push_inward(&mut self, name: &[u8], value: Span) {
        let name = self.write(&[name]);
        self.inward.push((name, value));
    }

    /// An extra value of the profile: `read_only` goes inward as `X-Extra-read-only`.
    pub(crate) fn push_extra(&mut self, name: &str, value: &str) {
        let mut header = self.write(&[b"X-Extra"]);
        for word in name.split('_') {
            header = self.extend(header, &[b"-", word.as_bytes()]);
        }
        let value = self.write(&[value.as_bytes()]);
        self.inward.push((header, value));
    }

    pub(crate) fn push_response(&mut self, name: &[u8], value: &[u8]) {
        let pair = (self.write(&[name]), self.write(&[value]));
        self.response.push(pair);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_and_a_cleared_decision_deny() {
        let mut decision = Decision::new();
        assert_eq!(decision.outcome(), Outcome::Deny);
        decision.outcome = Outcome::Allow;
        decision.principal = decision.write(&[b"Alad", b"din"]);
        assert_eq!(decision.principal(), b"Aladdin");
        decision.clear();
        assert_eq!(decision.outcome(), Outcome::Deny);
        assert_eq!(decision.principal(), b"");
        assert_eq!(decision.reason(), Reason::Undecided);
    }
}
