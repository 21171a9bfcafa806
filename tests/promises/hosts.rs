//! A host that brings users of its own.

use super::*;
use crate::house::OTHER_VAULT;
use janua::base::Reason;
use janua::directory::{Gone, User};
use janua::engine::{Config, Engine, HostDirectory, Outcome};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// A host that verifies passwords itself and knows users by names that are not their ids.
#[derive(Default)]
struct Ldap {
    checks: Arc<AtomicU32>,
    disabled: Arc<AtomicBool>,
}

impl HostDirectory for Ldap {
    fn lookup(&self, name: &str) -> Result<Option<User>, Gone> {
        let user = |id: &str, roles: &[&str]| User {
            id: id.to_owned(),
            name: format!("{name} as displayed"),
            roles: roles.iter().map(|r| (*r).to_owned()).collect(),
            ..User::default()
        };
        Ok(match name {
            "joe" => Some(User { disabled: self.disabled.load(Ordering::SeqCst), ..user("17", &[]) }),
            "root" => Some(user("1", &["administrator"])),
            _ => None,
        })
    }

    fn check(&self, _user: &str, password: &[u8]) -> Option<Result<bool, Gone>> {
        self.checks.fetch_add(1, Ordering::SeqCst);
        Some(Ok(password == b"right"))
    }
}

fn ldap(house: &House, host: Ldap) -> Arc<Site> {
    let mut config = Config::new();
    let text = "[engine]\nsite='data.example.org'\n[keyring]\npath='ephemeral'\n";
    config.read_text("janua.toml", text, &house.folder).unwrap();
    config.set_directory(Box::new(host));
    config.set_clock(house.clock.clone());
    config.set_audit(Box::new(house.ears.clone()));
    let engine = Engine::build(config).unwrap();
    engine.attach().unwrap();
    engine.site(Some("mauro"), None, false).unwrap()
}

#[test]
fn a_host_that_verifies_by_itself_is_asked_for_unknown_names_as_for_known_ones() {
    let house = House::new();
    let host = Ldap::default();
    let checks = host.checks.clone();
    let site = ldap(&house, host);
    assert_eq!(house.login(&site, "joe", "wrong").reason, Reason::WrongPassword);
    assert_eq!(checks.load(Ordering::SeqCst), 1);
    assert_eq!(house.login(&site, "nobody", "right").reason, Reason::UnknownUser, "and never let in by it");
    assert_eq!(checks.load(Ordering::SeqCst), 2, "what it costs is the host's to make alike");
}

#[test]
fn a_host_that_knows_names_only_logs_nobody_out_after_a_minute() {
    let house = House::new();
    let site = ldap(&house, Ldap::default());
    let id = mauro_id(&house, &site, ("joe", "right"));
    for _ in 0..3 {
        house.clock.advance(120);
        assert!(house.ask(&site, &folders(&format!("JSESSIONID={id}"))).allowed());
    }
}

#[test]
fn a_list_of_sessions_shows_those_of_users_who_are_gone() {
    let house = House::new();
    let host = Ldap::default();
    let disabled = host.disabled.clone();
    let site = ldap(&house, host);
    mauro_id(&house, &site, ("joe", "right"));
    let root = mauro_id(&house, &site, ("root", "right"));
    disabled.store(true, Ordering::SeqCst);
    house.clock.advance(120);
    let list = house.ask(&site, &ask("GET", "/api/admin/activeSessions").cookie("JSESSIONID", &root));
    assert_eq!((list.outcome, list.status), (Outcome::Answer, 200), "{list:?}");
    assert_eq!(list.json()["items"].as_array().unwrap().len(), 2);
}

/// A host that names its user's vault in a spelling of its own.
struct Vaults;

impl HostDirectory for Vaults {
    fn lookup(&self, name: &str) -> Result<Option<User>, Gone> {
        let tenants = vec![VAULT.trim_matches(['{', '}']).to_lowercase(), "unheard-of".to_owned()];
        let user = User { id: "7".into(), name: "AlexK".into(), tenants, ..User::default() };
        Ok((name == "AlexK" || name == "7").then_some(user))
    }

    fn check(&self, user: &str, password: &[u8]) -> Option<Result<bool, Gone>> {
        Some(Ok(user == "AlexK" && password == b"My Password"))
    }
}

#[test]
fn users_of_a_host_belong_to_the_tenants_of_the_configuration() {
    let house = House::new();
    let tenants = format!(
        "[directory]\ntenant = [{{ id = '{VAULT}', name = 'Sample Vault' }}, {{ id = '{OTHER_VAULT}', name = 'Other' }}]\n"
    );
    let text = format!("[engine]\nsite='data.example.org'\n[keyring]\npath='ephemeral'\n{tenants}");
    let mut config = Config::new();
    config.read_text("janua.toml", &text, &house.folder).unwrap();
    config.set_directory(Box::new(Vaults));
    config.set_clock(house.clock.clone());
    let engine = Engine::build(config).unwrap();
    engine.attach().unwrap();
    let site = engine.site(Some("mfiles"), None, false).unwrap();
    let token = |vault: &str| {
        let body = format!(r#"{{"Username":"AlexK","Password":"My Password","VaultGuid":"{vault}"}}"#);
        house.ask(&site, &ask("POST", TOKENS).json(&body)).json()["Value"].as_str().unwrap().to_owned()
    };
    let views = |token: &str| house.ask(&site, &ask("GET", "/REST/views").header("X-Authentication", token));
    let reply = views(&token(VAULT));
    assert!(reply.allowed(), "{reply:?}");
    assert_eq!(reply.tenant, VAULT);
    assert!(!views(&token(OTHER_VAULT)).allowed(), "a vault of others");
    let beside = "[engine]\nsite='x'\n[keyring]\npath='ephemeral'\n[directory]\nusers='users.toml'\ntenant=[{id='a',name='b'}]\n";
    let mut config = Config::new();
    config.read_text("janua.toml", beside, &house.folder).unwrap();
    assert!(Engine::build(config).err().unwrap().message.contains("directory.tenant"), "not beside a users file");
}
