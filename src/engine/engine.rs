use crate::base::{Reason, Result};
use crate::engine::{Config, Site};
use std::sync::Arc;
use std::time::Duration;

pub struct Engine {}

#[allow(unused_variables)]
impl Engine {
    /// Builds and validates everything; opens no store, starts nothing. Blocks: reads files.
    pub fn build(config: Config) -> Result<Arc<Engine>> {
        Ok(Arc::new(Engine {}))
    }
    /// Refuses a store that cannot serve that many worker processes.
    pub fn check_workers(&self, workers: u32) -> Result<()> {
        Ok(())
    }
    /// Prepares this process; idempotent. Status::Fork is what every other call says before.
    pub fn attach(&self) -> Result<()> {
        Ok(())
    }
    /// Re-reads users, sweeps, follows the clock, within about `budget`.
    pub fn maintain(&self, budget: Duration) -> Result<()> {
        Ok(())
    }
    /// Canonical names (lower case, `_`) of headers no request may bring in from outside.
    pub fn strip_list(&self) -> &[String] {
        &[]
    }
    /// One profile (None: the configuration's) under one prefix. `optional`: no proof passes without a principal.
    pub fn site(self: &Arc<Self>, profile: Option<&str>, prefix: &str, optional: bool) -> Result<Arc<Site>> {
        Ok(Arc::new(Site {}))
    }
    /// Ends all sessions, tokens and cached pairs of a principal (its id) made before now.
    pub fn revoke_principal(&self, principal: &str) -> Result<()> {
        Ok(())
    }
    /// How many decisions fell for `reason` in this process.
    pub fn count(&self, reason: Reason) -> u64 {
        0
    }
    /// Live sessions in the store as this process sees it.
    pub fn session_count(&self) -> u64 {
        0
    }
}
