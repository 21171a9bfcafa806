//! The section `[store]` of the configuration. Read by `engine::build`; judges nothing.

use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct StoreSection {
    pub kind: String,
    pub path: Option<String>,
    pub durability: Lasting,
}

impl Default for StoreSection {
    fn default() -> StoreSection {
        StoreSection { kind: "memory".to_owned(), path: None, durability: Lasting::Process }
    }
}

/// What the sessions of a shared store outlive.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Lasting {
    Process,
    Disk,
}
