//! The sample users of the protocol sheets, for demonstrations and tests. Their passwords are public: never where
//! anybody else can reach the host.

/// A user of the samples.
pub struct Sample {
    pub name: &'static str,
    pub password: &'static str,
    pub full_name: &'static str,
    pub roles: &'static [&'static str],
    /// Ids of [`TENANTS`].
    pub tenants: &'static [&'static str],
}

const VAULT: &str = "{C840BE1A-5B47-4AC0-8EF7-835C166C8E24}";

/// Ids and names.
pub const TENANTS: [(&str, &str); 1] = [(VAULT, "Sample Vault")];

pub const USERS: [Sample; 5] = [
    Sample { name: "Aladdin", password: "OpenSesame", full_name: "", roles: &[], tenants: &[] },
    Sample { name: "AlexK", password: "My Password", full_name: "", roles: &[], tenants: &[VAULT] },
    Sample { name: "joe.bloggs@test.com", password: "pa55w0rd", full_name: "Joe Bloggs", roles: &[], tenants: &[] },
    Sample {
        name: "admin@test.com",
        password: "password",
        full_name: "Administrator",
        roles: &["administrator"],
        tenants: &[],
    },
    Sample { name: "someName", password: "pw", full_name: "", roles: &[], tenants: &[] },
];
