//! `janua user`: keeps the users file. Each command is one change under the file's lock, written whole or not at all.
//!
//! The rules of the file (names, hashes, permissions, generations) are the library's; this file brings the words.

use crate::failure::Failure;
use crate::password::Source;
use crate::roster::{Place, Roster};
use crate::{Done, import, key, output, password};
use janua::base::{Secret, random};
use janua::directory::{User, edit, fold, is_name};
use janua::password::{StoredHash, format_of};
use serde_json::json;
use std::collections::HashMap;

const EXAMPLES: &str = "\
Examples:
  janua user add joe.bloggs@test.com --full-name \"Joe Bloggs\" --role editor
  printf %s \"$password\" | janua user add AlexK --password-stdin --tenant \"Sample Vault\"
  janua user list
  janua user disable AlexK
  janua user passwd AlexK
  janua user logout AlexK
  janua user key add AlexK backup --expires 90d
  janua user import /etc/apache2/.htpasswd";

/// Characters of one-time passwords: none that is taken for another when it is read aloud or copied.
const ONE_TIME_ALPHABET: &[u8] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// 20 of 32 characters are 100 bits.
const ONE_TIME_LENGTH: usize = 20;

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// Add a user
    Add(Add),
    /// List the users; no hash is shown
    List {
        /// Print a JSON array
        #[arg(long)]
        json: bool,
    },
    /// Shut a user out, and end all sessions and tokens of that user
    Disable {
        /// The user
        name: String,
    },
    /// Let a disabled user in again
    Enable {
        /// The user
        name: String,
    },
    /// Set a new password, and end what was made with the old one
    Passwd(Passwd),
    /// End all sessions and tokens of a user, who may log in again at once
    Logout {
        /// The user
        name: String,
    },
    /// Take over the users of an htpasswd file
    Import(import::Arguments),
    /// Make and end API keys
    Key(key::Arguments),
}

#[derive(clap::Args)]
struct Add {
    /// What the user logs in with
    name: String,
    /// A role; may be given more than once
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<String>,
    /// A tenant by id or name; may be given more than once
    #[arg(long = "tenant", value_name = "TENANT")]
    tenants: Vec<String>,
    /// Shown by some profiles
    #[arg(long, value_name = "ADDRESS", default_value = "", hide_default_value = true)]
    email: String,
    /// Shown by some profiles
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    full_name: String,
    /// Make a random password that is good for one log-in, and print it once
    #[arg(long, conflicts_with_all = ["password_stdin", "no_password"])]
    one_time: bool,
    /// No password: the user comes in by API keys only
    #[arg(long, conflicts_with = "password_stdin")]
    no_password: bool,
    #[command(flatten)]
    source: Source,
}

#[derive(clap::Args)]
struct Passwd {
    /// The user
    name: String,
    /// Make a random password that is good for one log-in, and print it once; the old one stays
    #[arg(long, conflicts_with = "password_stdin")]
    one_time: bool,
    #[command(flatten)]
    source: Source,
}

pub fn run(arguments: &Arguments) -> Done {
    let place = &arguments.place;
    match &arguments.what {
        What::Add(new) => {
            new.source.refuse_argument()?;
            add(&place.find()?, new)
        }
        What::List { json } => list(&place.find()?, *json),
        What::Disable { name } => set_disabled(&place.find()?, name, true),
        What::Enable { name } => set_disabled(&place.find()?, name, false),
        What::Passwd(new) => {
            new.source.refuse_argument()?;
            passwd(&place.find()?, new)
        }
        What::Logout { name } => log_out(&place.find()?, name),
        What::Import(arguments) => import::run(&place.find()?, arguments),
        What::Key(arguments) => key::run(&place.find()?, arguments),
    }
}

fn add(roster: &Roster, new: &Add) -> Done {
    check_new(roster, &new.name, &new.roles)?;
    let tenants = roster.tenant_ids(&new.tenants)?;
    let mut user = edit::NewUser {
        name: new.name.clone(),
        full_name: new.full_name.clone(),
        email: new.email.clone(),
        roles: new.roles.clone(),
        tenants,
        ..edit::NewUser::default()
    };
    let mut shown = None;
    if new.one_time {
        let (once, hash) = one_time(roster)?;
        user.one_time = Some(hash);
        shown = Some(once);
    } else if !new.no_password {
        user.hash = Some(hashed(roster, &new.source.read(&format!("`{}`", new.name))?)?);
    }
    let id = edit::add(&roster.path, user)?;
    output::note(format!("added `{}` with the id {id}", new.name));
    show_once(shown)
}

/// What is wrong with a new user before anybody is asked for a password.
fn check_new(roster: &Roster, name: &str, roles: &[String]) -> Done {
    if !is_name(name) {
        return Err(Failure::usage(
            "a name has 1 to 256 bytes, no control character, and no blank at its beginning or end",
        ));
    }
    if let Some(role) = roles.iter().find(|r| r.is_empty() || r.contains(',') || r.chars().any(char::is_control)) {
        return Err(Failure::usage(format!("`{role}` is no role: roles are handed on as a list with commas")));
    }
    if roster.path.symlink_metadata().is_err() {
        edit::create(&roster.path)?;
        output::note(format!("made {}", roster.path.display()));
        return Ok(());
    }
    let (_, users) = roster.list()?;
    match users.iter().find(|u| fold(&u.name) == fold(name)) {
        Some(user) => Err(Failure::refused(format!(
            "{}: there is a user `{}` already; a new password: `janua user passwd`",
            roster.path.display(),
            user.name
        ))),
        None => Ok(()),
    }
}

fn passwd(roster: &Roster, new: &Passwd) -> Done {
    roster.user(&new.name)?;
    if new.one_time {
        let (once, hash) = one_time(roster)?;
        edit::set_one_time(&roster.path, &new.name, hash)?;
        output::note(format!("`{}` can log in once with this password, and sets a new one then", new.name));
        return show_once(Some(once));
    }
    let hash = hashed(roster, &new.source.read(&format!("`{}`", new.name))?)?;
    edit::set_password(&roster.path, &new.name, hash)?;
    output::note(format!("`{}` has a new password; what was made with the old one ends", new.name));
    Ok(())
}

fn set_disabled(roster: &Roster, name: &str, disabled: bool) -> Done {
    let user = roster.user(name)?;
    let word = if disabled { "disabled" } else { "enabled" };
    if user.disabled == disabled {
        output::note(format!("`{name}` was {word} already"));
        return Ok(());
    }
    edit::set_disabled(&roster.path, name, disabled)?;
    output::note(format!("`{name}` is {word}"));
    Ok(())
}

fn log_out(roster: &Roster, name: &str) -> Done {
    roster.user(name)?;
    edit::log_out(&roster.path, name)?;
    output::note(format!("all sessions and tokens of `{name}` end; a running host follows within seconds"));
    Ok(())
}

/// The hash of a password by the configuration's cost.
pub fn hashed(roster: &Roster, password: &Secret) -> Result<StoredHash, Failure> {
    let hash = roster.hasher()?.hash(password.expose()).map_err(|e| Failure::refused(e.message))?;
    Ok(StoredHash::from(hash))
}

fn one_time(roster: &Roster) -> Result<(Secret, StoredHash), Failure> {
    let once = Secret::new(random::text(ONE_TIME_ALPHABET, ONE_TIME_LENGTH)?.into_bytes());
    let hash = hashed(roster, &once)?;
    Ok((once, hash))
}

/// Prints what is shown this once, alone on its line, after it was stored.
fn show_once(secret: Option<Secret>) -> Done {
    match secret {
        Some(secret) => password::print(&secret),
        None => Ok(()),
    }
}

fn list(roster: &Roster, as_json: bool) -> Done {
    let (tenants, users) = roster.list()?;
    if as_json {
        let users: Vec<serde_json::Value> = users.iter().map(as_value).collect();
        return output::json(&serde_json::Value::Array(users));
    }
    let names: HashMap<&str, &str> = tenants.iter().map(|t| (t.id.as_str(), t.name.as_str())).collect();
    let rows: Vec<Vec<String>> = users.iter().map(|user| as_row(user, &names)).collect();
    output::table(&["NAME", "STATE", "ROLES", "TENANTS", "PASSWORD", "KEYS"], &rows)
}

fn as_row(user: &User, tenants: &HashMap<&str, &str>) -> Vec<String> {
    let joined = |items: Vec<&str>| if items.is_empty() { "-".to_owned() } else { output::plain(&items.join(",")) };
    let named = user.tenants.iter().map(|id| *tenants.get(id.as_str()).unwrap_or(&id.as_str())).collect();
    let mut password = hash_kind(user).unwrap_or("-").to_owned();
    if user.one_time.is_some() {
        password.push_str(" +one-time");
    }
    vec![
        output::plain(&user.name),
        state(user).to_owned(),
        joined(user.roles.iter().map(String::as_str).collect()),
        joined(named),
        password,
        joined(user.api_keys.iter().map(|k| k.name.as_str()).collect()),
    ]
}

fn state(user: &User) -> &'static str {
    match user {
        User { disabled: true, .. } => "disabled",
        User { pending: true, .. } => "pending",
        User { must_change: true, .. } => "must change",
        _ => "active",
    }
}

/// The kind of the stored hash.
pub fn hash_kind(user: &User) -> Option<&'static str> {
    user.hash.as_ref().map(|hash| format_of(hash).map_or("unreadable", |format| format.name()))
}

fn as_value(user: &User) -> serde_json::Value {
    let keys: Vec<serde_json::Value> = user
        .api_keys
        .iter()
        .map(|key| {
            let expires = key.expires.map(|unix| output::time(Some(unix)));
            json!({ "name": key.name, "expires": expires, "disabled": key.disabled })
        })
        .collect();
    json!({
        "id": user.id,
        "name": user.name,
        "full_name": user.full_name,
        "email": user.email,
        "roles": user.roles,
        "tenants": user.tenants,
        "disabled": user.disabled,
        "pending": user.pending,
        "must_change": user.must_change,
        "generation": user.generation,
        "revoked": Some(user.revoked).filter(|us| *us > 0).map(|us| output::time(i64::try_from(us / 1_000_000).ok())),
        "hash": hash_kind(user),
        "one_time": user.one_time.is_some(),
        "api_keys": keys,
    })
}
