//! (being built)

use crate::base::{Now, Reason};

/// Whether a token that was issued and ends at these Unix seconds is good at `now`.
pub fn token(issued: i64, ends: i64, now: Now, skew: i64) -> Result<(), Reason> {
    if issued > now.unix().saturating_add(skew) {
        return Err(Reason::TokenFuture);
    }
    if now.unix() >= ends {
        return Err(Reason::TokenExpired);
    }
    Ok(())
}
