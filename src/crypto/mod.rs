//! Floor 2: keys and what is done with them, on `ring`.
//!
//! The keyring wherever it lies, keyed and plain digests, and pages of memory that a fork wipes or that stay out of dumps. Nothing
//! here knows of tokens, sessions or users; no key byte leaves through `Debug`, an error or a log.

pub mod digest;
pub mod guard;
pub mod keyring;
pub mod keyring_change;
#[cfg(test)]
mod keyring_change_tests;
#[cfg(test)]
mod keyring_due_tests;
mod keyring_file;
pub mod keyring_place;
#[cfg(test)]
mod keyring_place_tests;
#[cfg(test)]
mod keyring_tests;
mod keyring_text;
pub mod keyring_watch;
#[cfg(test)]
mod keyring_watch_tests;
pub mod mac;
pub mod master;
mod parts;
#[cfg(test)]
pub(crate) mod scratch;
pub(crate) mod sys;

/// The text of a file that holds a secret and is nobody else's to read. Errors: as for a keyring; `what` it holds.
#[cfg(feature = "redis")]
pub(crate) fn secret_file(
    path: &std::path::Path,
    what: &'static str,
) -> crate::base::Result<zeroize::Zeroizing<Vec<u8>>> {
    keyring_file::secret(path, what)
}

pub use digest::Digest;
pub use guard::{ForkGuard, WipedKey};
pub use keyring::{Key, KeyId, Keyring, State};
pub use keyring_place::{Documents, RingPlace};
pub use mac::MacKey;
pub use master::Master;
