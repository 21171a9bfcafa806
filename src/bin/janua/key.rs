//! `janua user key`: API keys. A key is printed once, when it is made; the file holds a digest of it.

use crate::failure::Failure;
use crate::moment;
use crate::roster::Roster;
use crate::{Done, output};
use janua::base::Clock;
use janua::directory::edit;

#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  janua user key add AlexK backup --expires 90d\n  janua user key remove AlexK backup"
)]
pub struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// Make a key and print it, this once
    Add {
        /// The user
        name: String,
        /// What the key is called in lists
        label: String,
        /// Its end: 2030-01-01T00:00:00Z, or a span from now such as 90d [default: none]
        #[arg(long, value_name = "WHEN", value_parser = moment::end)]
        expires: Option<i64>,
    },
    /// End a key
    Remove {
        /// The user
        name: String,
        /// The key's label
        label: String,
    },
}

pub fn run(roster: &Roster, arguments: &Arguments) -> Done {
    match &arguments.what {
        What::Add { name, label, expires } => add(roster, name, label, *expires),
        What::Remove { name, label } => {
            roster.user(name)?;
            edit::remove_key(&roster.path, name, label)?;
            output::note(format!("`{name}` has no key `{label}` any more"));
            Ok(())
        }
    }
}

fn add(roster: &Roster, name: &str, label: &str, expires: Option<i64>) -> Done {
    if label.is_empty() || label.chars().any(char::is_control) {
        return Err(Failure::usage("a label has at least one character, and no control character"));
    }
    if expires.is_some_and(|end| end <= Clock::system().now().unix()) {
        return Err(Failure::usage("--expires lies in the past"));
    }
    if roster.user(name)?.api_keys.iter().any(|key| key.name == label) {
        return Err(Failure::refused(format!(
            "`{name}` has a key `{label}` already; end it first: `janua user key remove {name} {label}`"
        )));
    }
    let key = edit::add_key(&roster.path, name, label, expires)?;
    output::note(format!("`{name}` has a new key `{label}`; it is shown this once"));
    output::line(key.as_str())
}
