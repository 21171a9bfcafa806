//! `janua hash`: the argon2id hash of a password, for those who write users files by other means.

use crate::failure::Failure;
use crate::password::{self, Source};
use crate::{Done, output};
use janua::password::{Hasher, Policy};
use std::io::IsTerminal;

#[derive(clap::Args)]
#[command(after_help = "Examples:\n  janua hash\n  printf %s \"$password\" | janua hash --memory-kib 65536")]
pub struct Arguments {
    #[command(flatten)]
    source: Source,
    /// Memory in KiB
    #[arg(long, value_name = "KIB", default_value_t = 19_456, value_parser = clap::value_parser!(u32).range(8..=4_194_304))]
    memory_kib: u32,
    /// Passes over the memory
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=1000))]
    passes: u32,
    /// Lanes
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=255))]
    lanes: u32,
}

pub fn run(arguments: &Arguments) -> Done {
    arguments.source.refuse_argument()?;
    let password = match std::io::stdin().is_terminal() && !arguments.source.password_stdin {
        true => password::from_prompt("the hash")?,
        false => password::from_stdin()?,
    };
    let policy = Policy {
        argon2_memory_kib: arguments.memory_kib,
        argon2_passes: arguments.passes,
        argon2_lanes: arguments.lanes,
        ..Policy::default()
    };
    let hasher = Hasher::new(policy).map_err(|e| Failure::usage(e.message))?;
    let hash = hasher.hash(password.expose()).map_err(|e| Failure::refused(e.message))?;
    output::line(hash)
}
