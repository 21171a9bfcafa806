//! (being built)
use std::collections::BTreeMap;

#[derive(Clone, Debug, Default)]
pub struct Tenant {
    pub id: String,
    pub name: String,
}
#[derive(Clone, Debug)]
pub enum Attr {
    Text(String),
    Int(i64),
    Bool(bool),
}
#[derive(Clone, Debug)]
pub struct ApiKey {
    pub name: String,
    pub digest: [u8; 32],
    pub expires: Option<i64>,
    pub disabled: bool,
}
#[derive(Clone, Debug, Default)]
pub struct User {
    pub id: String,
    pub name: String,
    pub full_name: String,
    pub email: String,
    pub roles: Vec<String>,
    pub tenants: Vec<String>,
    pub attrs: BTreeMap<String, Attr>,
    pub disabled: bool,
    pub pending: bool,
    pub must_change: bool,
    pub generation: u64,
    pub hash: Option<String>,
    pub one_time: Option<String>,
    pub api_keys: Vec<ApiKey>,
}
#[derive(Debug)]
pub struct Gone;
pub trait HostDirectory: Send + Sync {
    fn lookup(&self, name: &str) -> Result<Option<User>, Gone>;
    /// The host verifies the password itself; None: it only looks up.
    fn check(&self, user: &str, password: &[u8]) -> Option<Result<bool, Gone>>;
}
