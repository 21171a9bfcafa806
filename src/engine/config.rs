use crate::base::{Clock, Result};
use crate::engine::Audit;
use std::path::Path;

/// A configuration in the making. One thread.
pub struct Config {}

#[allow(unused_variables)]
impl Config {
    pub fn new() -> Config {
        Config {}
    }
    /// Reads the one TOML file; relative paths in it count from its folder. Errors name file, line, key, nearest known key.
    pub fn read_file(&mut self, path: &Path) -> Result<()> {
        Ok(())
    }
    /// The same from a text.
    pub fn read_text(&mut self, name: &str, text: &str, folder: &Path) -> Result<()> {
        Ok(())
    }
    /// Sets one key, `session.idle` = `10m`; wins over the file.
    pub fn set(&mut self, key: &str, value: &str) -> Result<()> {
        Ok(())
    }
    /// The host's own directory of users instead of a file.
    pub fn set_directory(&mut self, directory: Box<dyn crate::engine::HostDirectory>) {}
    pub fn set_audit(&mut self, audit: Box<dyn Audit>) {}
    /// For tests and `explain --at`.
    pub fn set_clock(&mut self, clock: Clock) {}
}
