//! The section `[store]` of the configuration. Read by `engine::build`; judges nothing but its own spans.

use serde::{Deserialize, Deserializer};
use std::time::Duration;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct StoreSection {
    pub kind: String,
    pub path: Option<String>,
    pub durability: Lasting,
    pub servers: Vec<String>,
    pub sentinel: Option<String>,
    pub cluster: bool,
    pub user: Option<String>,
    pub password: Option<String>,
    pub ca: Option<String>,
    pub certificate: Option<String>,
    pub key: Option<String>,
    pub timeout: Option<Span>,
    pub stale_for: Option<Span>,
    pub connections: Option<u32>,
    pub replicas: Option<u32>,
}

impl Default for StoreSection {
    fn default() -> StoreSection {
        StoreSection {
            kind: "memory".to_owned(),
            path: None,
            durability: Lasting::Process,
            servers: Vec::new(),
            sentinel: None,
            cluster: false,
            user: None,
            password: None,
            ca: None,
            certificate: None,
            key: None,
            timeout: None,
            stale_for: None,
            connections: None,
            replicas: None,
        }
    }
}

impl StoreSection {
    /// The first key given that only a store on servers has.
    pub fn first_of_servers(&self) -> Option<&'static str> {
        let given = [
            ("servers", !self.servers.is_empty()),
            ("sentinel", self.sentinel.is_some()),
            ("cluster", self.cluster),
            ("user", self.user.is_some()),
            ("password", self.password.is_some()),
            ("ca", self.ca.is_some()),
            ("certificate", self.certificate.is_some()),
            ("key", self.key.is_some()),
            ("timeout", self.timeout.is_some()),
            ("stale_for", self.stale_for.is_some()),
            ("connections", self.connections.is_some()),
            ("replicas", self.replicas.is_some()),
        ];
        given.iter().find(|(_, given)| *given).map(|(name, _)| *name)
    }
}

/// What the sessions of a shared store outlive.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Lasting {
    Process,
    Disk,
}

/// A span of time that may be shorter than a second, written `250ms`, `2s`.
#[derive(Clone, Copy)]
#[cfg_attr(not(feature = "redis"), allow(dead_code))]
pub(crate) struct Span(pub Duration);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Span, D::Error> {
        let text = String::deserialize(from)?;
        humantime::parse_duration(&text)
            .map(Span)
            .map_err(|e| serde::de::Error::custom(format!("`{text}` is not a span of time such as \"250ms\": {e}")))
    }
}
