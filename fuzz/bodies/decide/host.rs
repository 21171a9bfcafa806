//! The house that requests are sent to: one engine, sample users with passwords nobody knows, and live credentials.
//!
//! Used by `decide`. Everything secret here is drawn anew in each process, so that no input can hold any of it by
//! itself: what an input is proven by, this file has planted in it.

use super::sys::{Asked, Engine, Site, told};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use janua::base::random;
use janua::password::{Hasher, Policy};
use std::fmt::Write as _;
use std::sync::OnceLock;

pub const ALADDIN: &str = "7d3c2b1a-9988-4766-8554-433221100fee";
pub const ADMIN: &str = "2f1a3b44-5566-4778-8899-aabbccddeeff";
const VAULT: &str = "{C840BE1A-5B47-4AC0-8EF7-835C166C8E24}";
const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The house's own log-ins come from here, and no input's request does.
const INSIDE: &[u8] = b"198.51.100.9";

/// In the order in which inputs choose them.
pub const PROFILES: [&str; 5] = ["mauro", "mfiles", "form", "menandmice", "mashzone"];

pub struct Host {
    pub engine: Engine,
    /// For each profile: a plain site, one where proof is optional, one below a prefix.
    pub sites: Vec<[Site; 3]>,
    pub strip: Vec<Vec<u8>>,
    pub password: String,
    pub key: String,
    pub token: String,
}

impl Host {
    pub fn the() -> &'static Host {
        static HOST: OnceLock<Host> = OnceLock::new();
        HOST.get_or_init(Host::build)
    }

    fn build() -> Host {
        let word = || random::text(LETTERS, 24).unwrap();
        let (password, key) = (word(), word());
        let folder = std::env::temp_dir().join(format!("janua-fuzz-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("users.toml");
        std::fs::write(&path, users(&password, &word(), &key)).unwrap();
        #[cfg(unix)]
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let text = "[engine]\nsite = 'data.example.org'\ntrusted_proxies = ['10.0.0.0/8']\nbody_limit = 4096\n\
                    [keyring]\npath = 'ephemeral'\n[directory]\nusers = 'users.toml'\n[session]\nper_principal = 4\n\
                    [password]\nmemory_kib = 8\npasses = 1\nlanes = 1\nwait = '10s'\n";
        let engine = Engine::new(text, folder.to_str().unwrap());
        let sites =
            PROFILES.map(|name| [engine.site(name, "/", 0), engine.site(name, "/", 1), engine.site(name, "/data", 0)]);
        std::fs::remove_dir_all(&folder).unwrap();
        let strip = engine.strip_list();
        let mut host = Host { engine, sites: sites.into(), strip, password, key, token: String::new() };
        let body = format!(r#"{{"Username":"Aladdin","Password":"{}","VaultGuid":"{VAULT}"}}"#, host.password);
        host.token = host.ask_for(1, "/REST/server/authenticationtokens", &body, "Value");
        host
    }

    /// Posts a body to the plain site of a profile and takes a text out of the JSON that comes back.
    fn ask_for(&self, profile: usize, path: &str, body: &str, member: &str) -> String {
        let asked = Asked {
            flags: 1 | 2,
            method: b"POST".to_vec(),
            path: path.into(),
            raw_path: path.into(),
            client: INSIDE.to_vec(),
            headers: vec![(b"Content-Type".to_vec(), b"application/json".to_vec())],
            body: body.into(),
            ..Asked::default()
        };
        let seen = self.sites[profile][0].decide(&asked, 0);
        told();
        let text = String::from_utf8(seen.body).unwrap();
        let start = text.find(&format!("\"{member}\":\"")).unwrap_or_else(|| panic!("{text}")) + member.len() + 4;
        let end = start + text[start..].find('"').unwrap();
        text[start..end].to_owned()
    }

    /// A live session of a principal, for what answers below the main paths of the profile.
    pub fn session(&self, profile: usize, principal: &str) -> String {
        self.sites[profile][0].session(principal, "")
    }

    /// Ends a session that [`Host::session`] made.
    pub fn end(&self, profile: usize, id: &str) {
        self.sites[profile][0].revoke(id);
    }

    /// The password pair as Basic has it.
    pub fn basic(&self) -> String {
        STANDARD.encode(format!("Aladdin:{}", self.password))
    }
}

fn users(password: &str, admins: &str, key: &str) -> String {
    let policy = Policy { argon2_memory_kib: 8, argon2_passes: 1, argon2_lanes: 1, ..Policy::default() };
    let hasher = Hasher::new(policy).unwrap();
    let hash = |password: &str| hasher.hash(password.as_bytes()).unwrap();
    let digest = ring::digest::digest(&ring::digest::SHA256, key.as_bytes());
    let digest = digest.as_ref().iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    });
    format!(
        "format = 1\n[[tenant]]\nid = \"{VAULT}\"\nname = \"Sample Vault\"\n\
         [[user]]\nid = \"{ALADDIN}\"\nname = \"Aladdin\"\ntenants = [\"{VAULT}\"]\ngeneration = 1\nhash = \"{}\"\n\
         [[user.api_key]]\nname = \"script\"\ndigest = \"{digest}\"\n\
         [[user]]\nid = \"{ADMIN}\"\nname = \"admin@test.com\"\nroles = [\"administrator\"]\ngeneration = 1\n\
         hash = \"{}\"\n",
        hash(password),
        hash(admins)
    )
}
