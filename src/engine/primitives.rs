use crate::base::{Reason, Result};
use crate::engine::Site;

/// What a session or a token proves; owned by the caller, reused (buffers kept, nothing allocated once warm).
#[derive(Clone, Debug, Default)]
pub struct Held {
    pub principal: String,
    pub tenant: String,
    pub session_ref: String,
    /// Unix seconds. `last_used` and `idle_end` are 0 for tokens.
    pub issued: i64,
    pub last_used: i64,
    pub idle_end: i64,
    pub absolute_end: i64,
}

#[allow(unused_variables)]
impl Site {
    /// Makes a session for a principal whom the host proved itself; returns the id for the client. Writes the store.
    pub fn session_create(&self, principal: &str, tenant: &str) -> Result<String> {
        Ok(String::new())
    }
    /// Checks an id. `touch`: also counts as use. Never waits with the memory store.
    pub fn session_check(&self, id: &[u8], touch: bool, out: &mut Held) -> std::result::Result<(), Reason> {
        Err(Reason::SessionUnknown)
    }
    pub fn session_revoke(&self, id: &[u8]) -> Result<()> {
        Ok(())
    }
    /// Issues a sealed token. `session_id`: the client-chosen SessionID, or empty. `expires`: Unix seconds, 0 for the cap.
    pub fn token_issue(
        &self,
        purpose: &str,
        principal: &str,
        tenant: &str,
        session_id: &str,
        expires: i64,
    ) -> Result<String> {
        Ok(String::new())
    }
    pub fn token_check(&self, purpose: &str, token: &[u8], out: &mut Held) -> std::result::Result<(), Reason> {
        Err(Reason::TokenMalformed)
    }
    /// Revokes by the SessionID inside; Status::Refused when it carries none.
    pub fn token_revoke(&self, purpose: &str, token: &[u8]) -> Result<()> {
        Ok(())
    }
}
