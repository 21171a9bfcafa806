//! `janua init`: a first configuration that works: keyring, users file, janua.toml, in this order.
//!
//! The configuration comes last, so that a run that was cut short can be repeated. A keyring or a users file that is
//! there is never touched, whatever is asked.

use crate::failure::Failure;
use crate::files::{self, If};
use crate::roster::{self, Roster};
use crate::{Done, check, keyring, output, sample, sys, user};
use janua::base::Secret;
use janua::directory::{edit, fold};
use janua::password::Policy;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  janua init /etc/janua --site data.example.org --profile mauro --group www-data
  janua init demo --sample --plain-http";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// The folder; it is made if it is not there
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// The site that sessions and tokens are bound to, usually the host name that clients see
    #[arg(long, value_name = "NAME", default_value = "localhost")]
    site: String,
    /// The wire protocol: a built-in profile such as form or mauro, or a path ending in .toml
    #[arg(long, value_name = "PROFILE", default_value = "form")]
    profile: String,
    /// Let this group read the files (0640), for a service that runs in it
    #[arg(long, value_name = "NAME")]
    group: Option<String>,
    /// Cookies and log-ins without TLS: only for tests
    #[arg(long)]
    plain_http: bool,
    /// Add the sample users of the manual, whose passwords are public: only for demonstrations and tests
    #[arg(long)]
    sample: bool,
    /// Write janua.toml anew if it is there; keys and users are kept
    #[arg(long)]
    force: bool,
}

pub fn run(arguments: &Arguments) -> Done {
    let group = arguments.group.as_deref().map(sys::group).transpose()?;
    let dir = &arguments.dir;
    let [configuration, keys, users] = ["janua.toml", "keyring.toml", "users.toml"].map(|name| dir.join(name));
    let text = text_of(arguments);
    // A wrong --site or --profile is said before anything is made.
    janua::engine::Config::new().read_text("janua.toml", &text, dir)?;
    if !arguments.force && configuration.symlink_metadata().is_ok() {
        return Err(Failure::refused(format!(
            "{}: is there already; --force writes it anew and keeps keys and users",
            configuration.display()
        )));
    }
    files::folder(dir, group)?;
    make_keyring(&keys, group)?;
    make_users(&users, group)?;
    if arguments.sample {
        add_samples(&users)?;
    }
    let when = if arguments.force { If::Any } else { If::Absent };
    if !files::write(&configuration, &text, group, when)? {
        return Err(Failure::refused(format!("{}: was made by somebody else just now", configuration.display())));
    }
    output::line(format!("made {}", configuration.display()))?;
    check::build(&configuration, false)?;
    output::line(format!("It is a good configuration: `janua check {}`", configuration.display()))?;
    match arguments.sample {
        true => output::line("The passwords of the sample users are public: never where others can reach the host."),
        false => output::line(format!("Next: janua user add NAME --users {}", users.display())),
    }
}

fn make_keyring(path: &Path, group: Option<u32>) -> Done {
    if path.symlink_metadata().is_ok() {
        return output::line(format!("kept {}", path.display()));
    }
    keyring::create(path, group)?;
    output::line(format!("made {}", path.display()))
}

fn make_users(path: &Path, group: Option<u32>) -> Done {
    if path.symlink_metadata().is_ok() {
        return output::line(format!("kept {}", path.display()));
    }
    edit::create(path)?;
    files::share(path, group)?;
    output::line(format!("made {}", path.display()))
}

/// Adds the samples that are not there yet.
fn add_samples(path: &Path) -> Done {
    let (tenants, users) = roster::list(path)?;
    for (id, name) in sample::TENANTS {
        if !tenants.iter().any(|t| t.id == id) {
            edit::add_tenant(path, Some(id.to_owned()), name)?;
        }
    }
    let roster = Roster { path: path.to_owned(), policy: Policy::default(), configured: None };
    let owned = |texts: &[&str]| texts.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>();
    for sample in &sample::USERS {
        if users.iter().any(|u| fold(&u.name) == fold(sample.name)) {
            continue;
        }
        let hash = user::hashed(&roster, &Secret::from(sample.password.as_bytes()))?;
        edit::add(
            path,
            edit::NewUser {
                name: sample.name.to_owned(),
                full_name: sample.full_name.to_owned(),
                roles: owned(sample.roles),
                tenants: owned(sample.tenants),
                hash: Some(hash),
                ..edit::NewUser::default()
            },
        )?;
        output::line(format!("added the sample user {}", sample.name))?;
    }
    Ok(())
}

/// The text of janua.toml.
fn text_of(arguments: &Arguments) -> String {
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    let secure = match arguments.plain_http {
        true => "secure    = false                   # plain HTTP: only for tests",
        false => "# secure  = true                    # cookies carry Secure, log-ins need TLS; false only for tests",
    };
    format!(
        "\
# Janua. Every key: docs/configuration.md. After a change: janua check
[engine]
site      = {site}
profile   = {profile}
{secure}
# prefix  = \"/data\"                 # what the host puts before the profile's paths
# trusted_proxies = [\"127.0.0.1\"]   # whose X-Forwarded-For and X-Forwarded-Proto are believed
[keyring]
path      = \"keyring.toml\"
[store]
kind      = \"memory\"
[directory]
users     = \"users.toml\"
# [session]                         # default: the profile's
# idle      = \"30m\"
# absolute  = \"12h\"
",
        site = quoted(&arguments.site),
        profile = quoted(&arguments.profile),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(site: &str) -> Arguments {
        Arguments {
            dir: PathBuf::from("."),
            site: site.to_owned(),
            profile: "form".to_owned(),
            group: None,
            plain_http: true,
            sample: false,
            force: false,
        }
    }

    #[test]
    fn the_first_configuration_is_read_without_complaint_whatever_the_names_hold() {
        for site in ["data.example.org", "quote\"d", "line\nbreak"] {
            let text = text_of(&arguments(site));
            janua::engine::Config::new().read_text("janua.toml", &text, Path::new(".")).unwrap();
            let table: toml::Table = toml::from_str(&text).unwrap();
            assert_eq!(table["engine"]["site"].as_str(), Some(site));
            assert_eq!(table["engine"]["secure"].as_bool(), Some(false));
        }
    }
}
