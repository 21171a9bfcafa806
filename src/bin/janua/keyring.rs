//! `janua keyring`: makes the keys, and the master key that a store holds them under, and shows how old they are. No key is
//! ever printed.
//!
//! What changes a keyring stands in `rotation`.

use crate::failure::{Code, Failure};
use crate::{Done, configuration, files, output, rotation, sys};
use janua::base::Clock;
use janua::base::encoding::hex;
use janua::crypto::keyring::{Key, Keyring};
use janua::crypto::{Master, RingPlace};
use serde_json::json;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  janua keyring new /etc/janua/keyring.toml --group www-data
  janua keyring master /etc/janua/master.key --group www-data
  janua keyring show /etc/janua/keyring.toml
  janua keyring publish && janua keyring rotate
  janua keyring rotate --if-due
  janua keyring retire 053fb1d21b23a2b5
  janua keyring show --json";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// Make a keyring with one key that signs from now on; never touches one that is there
    New(New),
    /// Make a master key, under which a store holds the keyring (keyring.path = "store"); never touches a file that is there
    Master {
        /// The file to make
        path: PathBuf,
        /// Let this group read it: 0640 and this group, instead of 0600
        #[arg(long, value_name = "NAME")]
        group: Option<String>,
    },
    /// Show each key's id, state and dates
    Show {
        /// The keyring [default: the one of the configuration]
        path: Option<PathBuf>,
        /// The configuration [default: ./janua.toml, then /etc/janua/janua.toml]
        #[arg(long, value_name = "FILE", conflicts_with = "path")]
        config: Option<PathBuf>,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Add a key that is known everywhere before it signs, and waits for `rotate`
    Publish(rotation::Publish),
    /// Let the published key sign; without one, publish a key that signs by its date. Ends no session and no token
    Rotate(rotation::Rotate),
    /// End a key: every token that it signed is refused. Asks first
    Retire(rotation::Retire),
}

#[derive(clap::Args)]
struct New {
    /// The file to make [default: the keyring of the configuration, also where that is in the store]
    path: Option<PathBuf>,
    /// Let this group read the file: 0640 and this group, instead of 0600
    #[arg(long, value_name = "NAME")]
    group: Option<String>,
    /// The configuration [default: ./janua.toml, then /etc/janua/janua.toml]
    #[arg(long, value_name = "FILE", conflicts_with = "path")]
    config: Option<PathBuf>,
    /// Of a keyring in the store: put the new one in the place of whatever is there, which ends every token. Asks first
    #[arg(long, conflicts_with = "path")]
    replace: bool,
    /// Do not ask
    #[arg(long, requires = "replace")]
    yes: bool,
}

pub fn run(arguments: &Arguments) -> Done {
    match &arguments.what {
        What::New(arguments) => new(arguments),
        What::Master { path, group } => master(path, group.as_deref()),
        What::Show { path, config, json } => show(path.as_deref(), config.as_deref(), *json),
        What::Publish(arguments) => rotation::publish(arguments),
        What::Rotate(arguments) => rotation::rotate(arguments),
        What::Retire(arguments) => rotation::retire(arguments),
    }
}

fn new(arguments: &New) -> Done {
    let group = arguments.group.as_deref().map(sys::group).transpose()?;
    let place = configuration::keyring(arguments.path.as_deref(), arguments.config.as_deref())?;
    let shown = place.ring.shown();
    match place.ring.path() {
        Some(_) if arguments.replace => {
            return Err(Failure::usage("--replace is for a keyring in the store; move a file away instead"));
        }
        Some(path) => drop(create(path, group)?),
        None if group.is_some() => {
            return Err(Failure::usage("--group is for a file; a store belongs to the user of its host"));
        }
        None if arguments.replace => {
            output::line(
                "Every token that was made so far ends, and hosts that run have to be restarted; sessions go on.",
            )?;
            if !arguments.yes && !rotation::agreed(&format!("Replace {shown}?"))? {
                return Err(Failure::refused("not replaced: nothing was changed"));
            }
            place.ring.start_anew(now())?;
        }
        None if !place.ring.create(now(), group)? => {
            return Err(Failure::refused(format!("{shown} is there already; to see it: `janua keyring show`")));
        }
        None => {}
    }
    output::line(format!("made {shown}: one key, signing from now on"))
}

fn master(path: &Path, group: Option<&str>) -> Done {
    let group = group.map(sys::group).transpose()?;
    refuse_missing_folder(path)?;
    Master::create(path, group)?;
    output::line(format!(
        "made {}: bring it to every machine of the site, and keep a copy in a safe place",
        path.display()
    ))
}

fn now() -> i64 {
    Clock::system().now().unix()
}

fn refuse_missing_folder(path: &Path) -> Done {
    let folder = files::folder_of(path);
    match folder.is_dir() {
        true => Ok(()),
        false => Err(Failure::file(format!("{}: there is no such folder; make it first", folder.display()))),
    }
}

/// Makes a keyring. Errors: also when the file is there.
pub fn create(path: &Path, group: Option<u32>) -> Result<Keyring, Failure> {
    if path.symlink_metadata().is_ok() {
        return Err(Failure::refused(format!(
            "{}: is there already, and replacing it would log everybody out; to see it: `janua keyring show {0}`",
            path.display()
        )));
    }
    refuse_missing_folder(path)?;
    Keyring::create(path, now(), group).map_err(|e| Failure::Said(Code::File, e.message))
}

fn show(path: Option<&Path>, config: Option<&Path>, as_json: bool) -> Done {
    let place = configuration::keyring(path, config)?.ring;
    let now = now();
    let ring = load(&place, now)?;
    if as_json {
        let keys: Vec<serde_json::Value> = ring.keys().iter().map(|key| as_value(key, now)).collect();
        return output::json(&json!({
            "path": place.word(),
            "generation": ring.generation(),
            "keys": keys,
        }));
    }
    output::line(format!("{}: generation {}", place.shown(), ring.generation()))?;
    let rows: Vec<Vec<String>> = ring.keys().iter().map(|key| as_row(key, now)).collect();
    output::table(&["KEY", "STATE", "AGE", "CREATED", "SIGNS FROM", "VERIFY ONLY FROM", "RETIRED FROM"], &rows)
}

/// Reads a keyring. Every failure is one of where it lies.
pub fn load(place: &RingPlace, now: i64) -> Result<Keyring, Failure> {
    place.load(now).map_err(|e| Failure::Said(Code::File, e.message))
}

fn as_row(key: &Key, now: i64) -> Vec<String> {
    vec![
        hex(&key.id()),
        key.state(now).name().to_owned(),
        age(key.created(), now),
        output::time(Some(key.created())),
        if key.waits() { "rotate".to_owned() } else { output::time(Some(key.signs_from())) },
        output::time(key.verify_only_from()),
        output::time(key.retired_from()),
    ]
}

fn as_value(key: &Key, now: i64) -> serde_json::Value {
    let date = |unix: Option<i64>| unix.map(|unix| output::time(Some(unix)));
    json!({
        "id": hex(&key.id()),
        "state": key.state(now).name(),
        "created": date(Some(key.created())),
        "waits": key.waits(),
        "signs_from": date(Some(key.signs_from())),
        "verify_only_from": date(key.verify_only_from()),
        "retired_from": date(key.retired_from()),
    })
}

/// An age in whole days, or in hours on the first day.
pub fn age(created: i64, now: i64) -> String {
    match now.saturating_sub(created).max(0) {
        seconds if seconds < 86_400 => format!("{} h", seconds / 3600),
        seconds => format!("{} d", seconds / 86_400),
    }
}
