//! `janua user`: keeps the users file. Each command is one change under the file's lock, written whole or not at all.
//!
//! The rules of the file (names, hashes, permissions, generations) are the library's; this file brings the words.

use crate::failure::Failure;
use crate::password::Source;
use crate::{Done, configuration, import, key, output};
use clap::Subcommand;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  janua user add joe.bloggs@test.com --full-name \"Joe Bloggs\" --role editor
  printf %s \"$password\" | janua user add AlexK --password-stdin --tenant \"Sample Vault\"
  janua user list
  janua user disable AlexK
  janua user passwd AlexK
  janua user key add AlexK backup --expires 90d
  janua user import /etc/apache2/.htpasswd";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    #[command(subcommand)]
    what: What,
}

/// Which users file is meant.
#[derive(clap::Args)]
pub struct Place {
    /// The users file [default: the one of the configuration]
    #[arg(long, value_name = "FILE", global = true, conflicts_with = "config")]
    users: Option<PathBuf>,
    /// The configuration [default: ./janua.toml, then /etc/janua/janua.toml]
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
}
