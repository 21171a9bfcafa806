//! Stand-in: users and tenants as a session refers to them.

/// A user.
#[derive(Clone, Debug, Default)]
pub struct User {
    pub id: String,
    pub name: String,
}

/// A tenant: a vault, a central server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tenant {
    pub id: String,
    pub name: String,
}
