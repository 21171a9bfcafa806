//! Engines of one site over one keyring, each with a process's own state, and the place that the ring lies in: a file, or the
//! store of a machine.

#![allow(dead_code)]

use crate::house::{self, Ears, House, VAULT, ask, decide};
use janua::base::{Clock, Reason};
#[cfg(feature = "shared")]
use janua::crypto::Master;
use janua::crypto::keyring::KeyId;
use janua::crypto::{Keyring, RingPlace};
use janua::engine::{Config, Decision, Engine, EventKind, Outcome, Site, WaitClass};
use janua::parse::Body;
#[cfg(feature = "shared")]
use janua::store::Store;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// A process of its own, as far as keys go.
pub struct Node {
    pub engine: Arc<Engine>,
    pub site: Arc<Site>,
    pub ears: Ears,
}

pub struct Town {
    pub house: House,
    pub ring: Ring,
}

/// Where the ring lies.
pub enum Ring {
    File(PathBuf),
    #[cfg(feature = "shared")]
    Store(RingPlace, Box<dyn Store>),
}

#[cfg(feature = "shared")]
pub const DOCUMENT: &str = "keyring data.example.org";

impl Town {
    pub fn new() -> Town {
        let house = House::new();
        let ring = house.folder.join("keyring.toml");
        Keyring::create(&ring, house::START, None).unwrap();
        Town { house, ring: Ring::File(ring) }
    }

    /// One with its ring in a file, one with it in a store as far as this build has one.
    pub fn both() -> Vec<Town> {
        #[cfg(feature = "shared")]
        return vec![Town::new(), Town::stored()];
        #[cfg(not(feature = "shared"))]
        vec![Town::new()]
    }

    /// A town whose ring lies in a store.
    #[cfg(feature = "shared")]
    pub fn stored() -> Town {
        use janua::store::shared::{Durability, Settings, Shared};
        let house = House::new();
        Master::create(&house.folder.join("master.key"), None).unwrap();
        let settings = Settings::new(house.folder.join("state"), Durability::Process, 400 * 86_400, Vec::new());
        let store = Shared::new(settings, house.clock.clone());
        store.attach().unwrap();
        let looking = engine(&house.folder, &house.clock, &Ears::default(), STORED).unwrap();
        let place = looking.keyring_place().unwrap().unwrap();
        assert_eq!(place.create(house::START, None), Ok(true));
        Town { house, ring: Ring::Store(place, Box::new(store)) }
    }

    pub fn node(&self) -> Node {
        let ears = Ears::default();
        let keys = if self.is_stored() { STORED } else { "[keyring]\npath='keyring.toml'\n" };
        Node::new(engine(&self.house.folder, &self.house.clock, &ears, keys).unwrap(), ears)
    }

    pub fn now(&self) -> i64 {
        self.house.clock.now().unix()
    }

    pub fn is_stored(&self) -> bool {
        self.place().is_stored()
    }

    pub fn place(&self) -> RingPlace {
        match &self.ring {
            Ring::File(path) => RingPlace::file(path),
            #[cfg(feature = "shared")]
            Ring::Store(place, _) => place.clone(),
        }
    }

    /// What lies in the ring's place, as it lies there.
    pub fn bytes(&self) -> Vec<u8> {
        match &self.ring {
            Ring::File(path) => std::fs::read(path).unwrap(),
            #[cfg(feature = "shared")]
            Ring::Store(_, store) => store.document(DOCUMENT).unwrap().unwrap(),
        }
    }

    /// Puts something in the ring's place, as a copy from another machine or a restored backup does.
    pub fn put(&self, bytes: &[u8]) {
        match &self.ring {
            Ring::File(path) => {
                let draft = self.house.folder.join("draft");
                std::fs::write(&draft, bytes).unwrap();
                mode(&draft, 0o600);
                std::fs::rename(&draft, path).unwrap();
            }
            #[cfg(feature = "shared")]
            Ring::Store(_, store) => {
                let there = store.document(DOCUMENT).unwrap();
                assert_eq!(store.replace_document(DOCUMENT, there.as_deref(), bytes), Ok(true));
            }
        }
    }

    /// A log-in at `node`, over the whole way.
    pub fn token(&self, node: &Node) -> String {
        let body = format!(r#"{{"Username":"AlexK","Password":"My Password","VaultGuid":"{VAULT}"}}"#);
        let made = self.house.ask(&node.site, &ask("POST", "/REST/server/authenticationtokens").json(&body));
        made.json()["Value"].as_str().unwrap().to_owned()
    }
}

pub const STORED: &str = "[keyring]\npath='store'\nmaster='file:master.key'\n[store]\nkind='shared'\npath='state'\n";

/// An engine that has not attached, of the users in `folder` and with these sections of a configuration.
pub fn engine(folder: &Path, clock: &Clock, ears: &Ears, keys: &str) -> janua::base::Result<Arc<Engine>> {
    let mut config = Config::new();
    let site = if keys.contains("[engine]") { "" } else { "[engine]\nsite='data.example.org'\n" };
    let text = format!("{site}[directory]\nusers='users.toml'\n{}{keys}", house::CHEAP);
    config.read_text("janua.toml", &text, folder)?;
    config.set_clock(clock.clone());
    config.set_audit(Box::new(ears.clone()));
    Engine::build(config)
}

pub fn mode(path: &Path, mode: u32) {
    #[cfg(unix)]
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    #[cfg(not(unix))]
    let _ = (path, mode);
}

impl Node {
    pub fn new(engine: Arc<Engine>, ears: Ears) -> Node {
        engine.attach().unwrap();
        let site = engine.site(Some("mfiles"), None, false).unwrap();
        Node { engine, site, ears }
    }

    pub fn maintain(&self) -> janua::base::Result<()> {
        self.engine.maintain(Duration::from_millis(1))
    }

    /// What a check says, as an event loop asks it.
    pub fn fast(&self, token: &str) -> (Outcome, Reason) {
        let (out, _) = self.check(token, true);
        (out.outcome(), out.reason())
    }

    pub fn check(&self, token: &str, fast: bool) -> (Decision, Option<WaitClass>) {
        let mut out = Decision::new();
        let request = ask("GET", "/REST/views").header("X-Authentication", token);
        decide(&self.site, &request, Body::NotRead, fast, &mut out);
        let class = (out.outcome() == Outcome::WouldBlock).then(|| out.wait_class());
        (out, class)
    }

    pub fn allows(&self, token: &str) -> bool {
        self.fast(token).0 == Outcome::Allow
    }

    /// How many tokens each key made here.
    pub fn minted(&self, id: &KeyId) -> u64 {
        self.engine.minted().iter().find(|(known, _)| known == id).map_or(0, |(_, count)| *count)
    }

    /// How often the alarm of this name was told.
    pub fn alarms_of(&self, name: &str) -> usize {
        let told = self.ears.0.lock().unwrap();
        told.iter().filter(|told| told.kind == EventKind::Alarm && told.all.contains(name)).count()
    }

    pub fn alarms(&self) -> usize {
        self.alarms_of("keyring")
    }
}
