//! Floor 0: what every floor uses and what knows of none of them.
//!
//! Status and reason numbers, secrets, time, randomness, encodings, and the few calls to the operating system.

pub mod clock;
pub mod document;
pub mod encoding;
pub mod error;
pub mod file;
pub mod page;
pub mod random;
pub mod reason;
pub mod secret;
pub mod sys;

pub use clock::{Clock, Now};
pub use error::{Error, Result, Status};
pub use page::Page;
pub use reason::Reason;
pub use secret::Secret;
