//! `janua`: the administrator's command. It makes a first configuration, keeps users and keys, and says beforehand what
//! a host would do with a configuration or with one request.
//!
//! Called by people and by their scripts. It only calls the library; it must never print a password, a hash's input, a
//! master key or a session id, and never take one from its arguments. The manual is `docs/janua.md`.

#![deny(unsafe_code)]

mod check;
mod completions;
mod configuration;
mod explain;
mod failure;
mod files;
mod hash;
mod import;
mod init;
mod key;
mod keyring;
mod live;
mod moment;
mod output;
mod password;
mod reasons;
mod redact;
mod request;
mod revoke;
mod roster;
mod rotation;
mod sample;
mod sessions;
mod sys;
mod tenant;
mod user;

use clap::{Parser, Subcommand};
use failure::Failure;
use std::process::ExitCode;

const EXITS: &str = "\
Exit codes:
  0  done; of `check`: the configuration is good; of `explain`: the request would be let in
  1  refused or failed
  2  the command line is wrong
  3  a configuration or another file is missing, unreadable, unsafe or wrong
  4  no such user, key, tenant or session

Passwords are prompted for without echo or read with --password-stdin, never taken from the command line.
Manual: docs/janua.md";

/// Looks after the configuration, users and keys of Janua, the authentication core inside a web server or a service.
#[derive(Parser)]
#[command(name = "janua", version, after_help = EXITS, propagate_version = true)]
struct Command {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Make a first configuration: janua.toml, keyring.toml and users.toml
    Init(init::Arguments),
    /// Keep the users file: add, list, disable, enable, passwd, import, key
    User(user::Arguments),
    /// Add and list what users belong to: vaults, central servers
    Tenant(tenant::Arguments),
    /// Make a keyring, show the ages and states of its keys, rotate them
    Keyring(keyring::Arguments),
    /// List, show and end the sessions of a running host
    Sessions(sessions::Arguments),
    /// End the sessions and tokens of a user, of a key, or of before a time
    Revoke(revoke::Arguments),
    /// Read and build a configuration as a host would, and say what was found
    Check(check::Arguments),
    /// Print the argon2id hash of a password
    Hash(hash::Arguments),
    /// Say step by step how a request would be decided, and why
    Explain(explain::Arguments),
    /// Print the completion script of a shell
    Completions(completions::Arguments),
}

fn main() -> ExitCode {
    // Parsing leaves with 2 by itself when the command line is wrong, and with 0 after --help and --version.
    let done = match Command::parse().what {
        What::Init(arguments) => init::run(&arguments),
        What::User(arguments) => user::run(&arguments),
        What::Tenant(arguments) => tenant::run(&arguments),
        What::Keyring(arguments) => keyring::run(&arguments),
        What::Sessions(arguments) => sessions::run(&arguments),
        What::Revoke(arguments) => revoke::run(&arguments),
        What::Check(arguments) => check::run(&arguments),
        What::Hash(arguments) => hash::run(&arguments),
        What::Explain(arguments) => explain::run(&arguments),
        What::Completions(arguments) => completions::run::<Command>(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

type Done = Result<(), Failure>;

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_holds_together() {
        super::Command::command().debug_assert();
    }
}
