//! `janua keyring publish`, `rotate` and `retire`: what changes a keyring, in a file or in the store. Running hosts follow it
//! by themselves.
//!
//! Rotation is not revocation: `publish` and `rotate` end nothing. `retire` ends every token of a key, so it says first
//! what is known of them, and asks.

use crate::failure::{Code, Failure};
use crate::{Done, check, configuration, keyring, output};
use janua::base::Clock;
use janua::base::encoding::hex;
use janua::crypto::keyring::{Key, Keyring, LONGEST_TOKEN, PUBLISH_LEAD, State};
use janua::crypto::keyring_change::{self, Coming, Haste};
use std::io::{BufRead, Write};
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Publish {
    #[command(flatten)]
    ring: Ring,
    #[command(flatten)]
    lead: Lead,
}

#[derive(clap::Args)]
pub struct Rotate {
    #[command(flatten)]
    ring: Ring,
    #[command(flatten)]
    lead: Lead,
    /// Only if the key has signed for as long as keyring.rotate of the configuration says; for a timer
    #[arg(long, conflicts_with = "now")]
    if_due: bool,
    /// For a key in wrong hands: sign with the next key at once, published or not
    #[arg(long, conflicts_with = "lead")]
    now: bool,
}

#[derive(clap::Args)]
pub struct Retire {
    /// The key, by its id in `janua keyring show`
    #[arg(value_name = "KEY-ID")]
    id: String,
    #[command(flatten)]
    ring: Ring,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

/// Which keyring.
#[derive(clap::Args)]
struct Ring {
    /// The keyring [default: the one of the configuration]
    path: Option<PathBuf>,
    /// The configuration [default: ./janua.toml, then /etc/janua/janua.toml]
    #[arg(long, value_name = "FILE", conflicts_with = "path")]
    config: Option<PathBuf>,
}

#[derive(clap::Args)]
struct Lead {
    /// How long a new key is published before it may sign: 122s at the least, more where machines get the file late
    #[arg(long, value_name = "SPAN", value_parser = lead)]
    lead: Option<i64>,
}

impl Ring {
    fn find(&self) -> Result<configuration::Place, Failure> {
        configuration::keyring(self.path.as_deref(), self.config.as_deref())
    }

    /// The longest life of a token in seconds, and why it is that. To be asked before [`Ring::find`], which may open a store.
    fn longest(&self) -> (u32, &'static str) {
        let file = match &self.path {
            Some(_) => None,
            None => configuration::find(self.config.as_deref()).ok(),
        };
        match file.and_then(|file| check::longest_token(&file)) {
            Some(seconds) => (seconds, "by the lifetime that the configuration gives tokens today"),
            None => (LONGEST_TOKEN, "by the longest life that any token can have"),
        }
    }
}

impl Lead {
    fn seconds(&self) -> i64 {
        self.lead.unwrap_or(PUBLISH_LEAD)
    }
}

fn lead(text: &str) -> Result<i64, String> {
    let span = humantime::parse_duration(text).map_err(|e| format!("not a span of time such as 10m: {e}"))?;
    let seconds = i64::try_from(span.as_secs()).map_err(|_| "that is too long".to_owned())?;
    if seconds < PUBLISH_LEAD {
        return Err(format!("every process and machine has to know a key before it signs: {PUBLISH_LEAD}s or more"));
    }
    Ok(seconds)
}

fn now() -> i64 {
    Clock::system().now().unix()
}

fn named(coming: &Coming) -> String {
    hex(&coming.id)
}

pub fn publish(arguments: &Publish) -> Done {
    let ring = arguments.ring.find()?.ring;
    keyring::load(&ring, now())?;
    let coming = keyring_change::publish(&ring, now(), arguments.lead.seconds())?;
    let from = output::time(Some(coming.signs_from));
    output::line(format!("published {} in {}: it verifies, and may sign from {from}", named(&coming), ring.shown()))?;
    output::line(match ring.is_stored() {
        true => "Next: `janua keyring rotate`; every host of the store knows the key within about a second.",
        false => "Next: bring the file to every machine of the site, then `janua keyring rotate`.",
    })
}

pub fn rotate(arguments: &Rotate) -> Done {
    let place = arguments.ring.find()?;
    let ring = &place.ring;
    let before = keyring::load(ring, now())?;
    let coming = match (arguments.if_due, arguments.now) {
        (true, _) => {
            let span = span(&place)?;
            match keyring_change::rotate_if_due(ring, now(), span, arguments.lead.seconds())? {
                Some(coming) => coming,
                None => return output::line(not_due(&before, span)?),
            }
        }
        (false, true) => keyring_change::rotate(ring, now(), Haste::AtOnce)?,
        (false, false) => keyring_change::rotate(ring, now(), Haste::Lead(arguments.lead.seconds()))?,
    };
    let (id, from, shown) = (named(&coming), output::time(Some(coming.signs_from)), ring.shown());
    output::line(match (coming.changed, coming.made) {
        (false, _) => format!("{id} of {shown} signs from {from} already: nothing was changed"),
        (true, true) if !arguments.now => {
            format!("published {id} in {shown}: it verifies, and signs from {from} by itself")
        }
        (true, _) => format!("{id} of {shown} signs from {from}"),
    })?;
    match (coming.changed, ring.is_stored()) {
        (false, _) => Ok(()),
        (true, true) => {
            output::line("Every host of the store follows by itself. No session and no token ends by this.")
        }
        (true, false) => {
            output::line("Bring the file to every machine of the site. No session and no token ends by this.")
        }
    }
}

/// How long a key is to sign, as the configuration says.
fn span(place: &configuration::Place) -> Result<u32, Failure> {
    let rotation = place.configuration.as_ref().and_then(|(_, config)| config.keyring_rotation());
    rotation.ok_or_else(|| {
        Failure::usage(
            "--if-due goes by keyring.rotate of the configuration, and there is none; set it, like rotate = \"90d\"",
        )
    })
}

/// Why it is not time yet.
fn not_due(ring: &Keyring, span: u32) -> Result<String, Failure> {
    let due = ring.due(span, now())?;
    let id = hex(&ring.signing(now())?.id());
    Ok(match now() < due {
        true => format!("{id} is due on {}: nothing was changed", output::time(Some(due))),
        false => format!("the key after {id} is on its way: nothing was changed"),
    })
}

pub fn retire(arguments: &Retire) -> Done {
    let longest = arguments.ring.longest();
    let place = arguments.ring.find()?;
    let ring = keyring::load(&place.ring, now())?;
    let (shown, wanted) = (place.ring.shown(), arguments.id.to_ascii_lowercase());
    let key = ring.keys().iter().find(|key| hex(&key.id()) == wanted).ok_or_else(|| {
        let text = format!("{shown}: there is no key `{}`", output::plain(&arguments.id));
        Failure::not_found(format!("{text}; `janua keyring show` lists them"))
    })?;
    for line in known(&ring, key, longest) {
        output::line(line)?;
    }
    if !arguments.yes && !agreed(&format!("Retire {wanted}?"))? {
        return Err(Failure::refused("not retired: nothing was changed"));
    }
    keyring_change::retire(&place.ring, now(), &key.id())?;
    output::line(format!("retired {wanted}: what it signed is refused by every host that follows {shown}"))
}

/// What is known of the tokens of a key, in sentences.
fn known(ring: &Keyring, key: &Key, (life, why): (u32, &str)) -> Vec<String> {
    let id = hex(&key.id());
    let Some((from, until)) = ring.signed(key, now()) else {
        return vec![format!("{id} has signed nothing: it is {}.", key.state(now()).name())];
    };
    let date = |unix| output::time(Some(unix));
    let still = key.state(now()) == State::Signing && until == now();
    let end = until.saturating_add(i64::from(life)).saturating_add(PUBLISH_LEAD);
    let span = humantime::format_duration(std::time::Duration::from_secs(u64::from(life)));
    let signed = match still {
        true => format!("{id} has signed since {} and signs now.", date(from)),
        false => format!("{id} signed from {} to {}.", date(from), date(until)),
    };
    let last = match end <= now() {
        true => format!("The last of its tokens has ended on {}, {why} ({span}): nobody will notice.", date(end)),
        false => format!(
            "The last of its tokens ends on {}, {why} ({span}). Whoever holds one that is still good has to log in again; \
             sessions go on.",
            date(end)
        ),
    };
    let count = "How many tokens those are is not known here: each process counts its own and writes nothing down.";
    vec![signed, count.to_owned(), last]
}

/// Asks on standard error and reads one line; anything but `yes` is no.
pub fn agreed(question: &str) -> Result<bool, Failure> {
    let mut err = std::io::stderr().lock();
    err.write_all(format!("{question} Type yes: ").as_bytes())?;
    err.flush()?;
    let mut line = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut line)
        .map_err(|e| Failure::Said(Code::Refused, format!("the answer cannot be read ({e}): use --yes")))?;
    Ok(line.trim() == "yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lead_is_a_span_that_is_long_enough() {
        assert_eq!(lead("122s"), Ok(122));
        assert_eq!(lead("1h"), Ok(3600));
        assert!(lead("121s").unwrap_err().contains("122s or more"));
        assert!(lead("soon").is_err());
    }

    #[test]
    fn what_is_known_of_a_keys_tokens_is_said() {
        let ring = Keyring::ephemeral(now()).unwrap();
        let key = ring.signing(now()).unwrap();
        let said = known(&ring, key, (3600, "by that")).join("\n");
        assert!(said.contains("and signs now") && said.contains("by that (1h). Whoever"), "{said}");
        assert!(said.contains("not known here"), "{said}");
    }
}
