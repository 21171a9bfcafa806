//! Why a request was refused, or let in: one stable number each, explained in `docs/reasons.md`.
//!
//! A number is never reused for another meaning. The reason goes to the host and to the audit event; the client's
//! answer stays as vague as the profile makes it.

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $text:literal;)*) => {
        /// Why a decision fell as it did. The numbers are part of the C interface.
        #[repr(u32)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Reason { $($(#[$doc])* $name = $number,)* }

        impl Reason {
            /// Every reason, in the order of the numbers.
            pub const ALL: &'static [Reason] = &[$(Reason::$name,)*];

            /// The stable name: lower case, hyphens.
            pub const fn name(self) -> &'static str { match self { $(Reason::$name => $text,)* } }
        }
    };
}

reasons! {
    /// Nothing was decided yet; a zeroed decision says this, and denies.
    Undecided = 0, "undecided";
    /// The proof was good.
    Proven = 1, "proven";
    /// Nothing needed to be proven here.
    Open = 2, "open";
    /// A log-out was carried out (or there was nothing to log out).
    LoggedOut = 3, "logged-out";
    /// A new session or token was made.
    LoggedIn = 4, "logged-in";

    /// The request or its credential is not well-formed.
    Malformed = 100, "malformed";
    /// A value that may stand once stands twice.
    Duplicate = 101, "duplicate";
    /// Two proofs where one is allowed.
    Several = 102, "several";
    /// A credential lacks a part.
    Incomplete = 103, "incomplete";
    /// The body could not be read as what it says it is.
    Unreadable = 104, "unreadable";
    /// The body, a header or a value is longer than allowed.
    TooLarge = 105, "too-large";
    /// The path means one thing as received and another as routed.
    PathAmbiguous = 106, "path-ambiguous";
    /// `Connection` names a header that Janua sets or reads.
    ConnectionHeader = 107, "connection-header";
    /// A method or path override where none is allowed, or a forbidden one.
    Override = 108, "override";
    /// The body is encoded (`Content-Encoding`) or not in UTF-8.
    BodyEncoding = 109, "body-encoding";

    /// No proof was offered and one is needed.
    Missing = 200, "missing";
    /// The password is wrong.
    WrongPassword = 201, "wrong-password";
    /// No such user.
    UnknownUser = 202, "unknown-user";
    /// The user is disabled.
    Disabled = 203, "disabled";
    /// The user is not activated yet.
    Pending = 204, "pending";
    /// The user does not belong to the tenant asked for, or there is no such tenant.
    WrongTenant = 205, "wrong-tenant";
    /// The password is longer than its hash can tell apart, or than is allowed at all.
    PasswordTooLong = 206, "password-too-long";
    /// Too many failures: refused without looking at the password.
    Throttled = 207, "throttled";
    /// The stored hash is of a kind the configuration does not allow, or cannot be read.
    HashNotAllowed = 208, "hash-not-allowed";
    /// The key (an API key, a pre-shared key) is unknown, expired or wrong.
    WrongKey = 209, "wrong-key";

    /// No session of this id.
    SessionUnknown = 300, "session-unknown";
    /// The session was idle too long.
    SessionIdle = 301, "session-idle";
    /// The session reached its absolute end.
    SessionEnded = 302, "session-ended";
    /// The session was revoked: log-out, log out everywhere, disabled, password change.
    SessionRevoked = 303, "session-revoked";
    /// The session has a companion cookie that did not come with it.
    CompanionMissing = 304, "companion-missing";
    /// Two valid sessions of different users in one request.
    SessionConflict = 305, "session-conflict";
    /// A session id of the wrong form.
    SessionMalformed = 306, "session-malformed";
    /// Not a token of ours: length, alphabet, version.
    TokenMalformed = 310, "token-malformed";
    /// A token of a key that is not in the ring, or retired.
    TokenForeign = 311, "token-foreign";
    /// The seal does not hold: changed, or made for another site, profile or purpose.
    TokenForged = 312, "token-forged";
    /// The token has ended.
    TokenExpired = 313, "token-expired";
    /// The token was revoked.
    TokenRevoked = 314, "token-revoked";
    /// The token was issued in the future.
    TokenFuture = 315, "token-future";
    /// The token is for another tenant.
    TokenTenant = 316, "token-tenant";

    /// Proven, but lacks the role.
    Forbidden = 400, "forbidden";
    /// A request that another site made the browser send.
    CrossSite = 401, "cross-site";
    /// A cookie login that did not arrive over TLS while `secure = true`.
    NeedsTls = 402, "needs-tls";
    /// Another user is logged in on this session.
    Occupied = 403, "occupied";
    /// A log-out by a token that carries no session id.
    NoSessionId = 404, "no-session-id";
    /// A tenant is needed and none was named or proven.
    TenantNeeded = 405, "tenant-needed";
    /// The name fits several tenants.
    TenantAmbiguous = 406, "tenant-ambiguous";
    /// The expiry asked for is not a time, or lies in the past.
    BadExpiry = 407, "bad-expiry";
    /// The profile has nothing at this path and method.
    NoEndpoint = 408, "no-endpoint";

    /// All hashing places are taken; try again.
    Busy = 500, "busy";
    /// The store did not answer.
    StoreUnavailable = 501, "store-unavailable";
    /// The directory did not answer.
    DirectoryUnavailable = 502, "directory-unavailable";
    /// This process has not attached the engine.
    NotAttached = 503, "not-attached";
    /// The system gave no random bytes.
    NoRandom = 504, "no-random";
    /// An answer could not be rendered.
    RenderFailed = 505, "render-failed";
    /// A bug in this library.
    Panic = 599, "panic";
}

impl Reason {
    /// The reason of a number, if there is one.
    pub fn from_number(number: u32) -> Option<Reason> {
        Reason::ALL.iter().copied().find(|r| *r as u32 == number)
    }

    /// Whether the failure is ours and not the client's: such a request is neither a "no" nor a guess.
    pub const fn is_unavailable(self) -> bool {
        matches!(
            self,
            Reason::Busy
                | Reason::StoreUnavailable
                | Reason::DirectoryUnavailable
                | Reason::NotAttached
                | Reason::NoRandom
                | Reason::RenderFailed
                | Reason::Panic
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_ascending_and_names_unique() {
        for pair in Reason::ALL.windows(2) {
            assert!((pair[0] as u32) < pair[1] as u32);
        }
        let mut names: Vec<_> = Reason::ALL.iter().map(|r| r.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Reason::ALL.len());
        assert_eq!(Reason::from_number(201), Some(Reason::WrongPassword));
        assert_eq!(Reason::from_number(9999), None);
    }
}
