//! Stand-in for the crypto floor: the two names the stores need.

pub mod digest;
pub mod keyring;
