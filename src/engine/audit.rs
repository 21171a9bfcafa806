//! Audit: one event for each decision, handed to the host; no event ever holds a credential.

use crate::base::Reason;

/// What kind of decision an event tells of.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// A request was let through or answered for whom it proved.
    Allow = 1,
    /// A request was refused.
    Deny = 2,
    /// A log-in made a session.
    Login = 3,
    /// A log-out ended one (or there was none).
    Logout = 4,
    /// A token was issued.
    Token = 5,
    /// A session chose a tenant.
    Tenant = 6,
    /// A session was put out to make room (the cap per principal).
    Eviction = 7,
    /// Something an operator must look at: the clock jumped, guesses over the whole site, a bad keyring or page, a late rotation.
    Alarm = 8,
}

/// One event. Views live until the callback returns.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    pub kind: EventKind,
    pub reason: Reason,
    /// Unix time in seconds.
    pub time: i64,
    /// The principal's id; of a refused login `~` and a keyed digest of the name, since people type passwords there.
    pub principal: &'a str,
    /// The first 128 bits of the session's digest as hex, or empty.
    pub session_ref: &'a str,
    /// The client's address as text.
    pub client: &'a str,
    /// The endpoint's name in the profile, or empty.
    pub endpoint: &'a str,
    /// The method as matched.
    pub method: &'a str,
    /// Of a refusal: the eight digits that the client's answer may show as a reference; or empty.
    pub reference: &'a str,
}

/// Takes events. Called on the thread that decides; it cannot change the outcome and must not wait.
pub trait Audit: Send + Sync {
    fn event(&self, event: &Event<'_>);
}
