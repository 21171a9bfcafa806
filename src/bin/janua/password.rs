//! How the command comes by a password: a prompt without echo, asked twice, or one line of standard input.
//!
//! Never from an argument (it would stand in the shell's history and in the list of processes) and never from the
//! environment (which every child inherits). What is read is wiped when it is dropped.

use crate::failure::Failure;
use janua::base::{Secret, secret};
use std::io::{self, Read, Write};
use zeroize::Zeroizing;

/// The longest line of standard input that is taken for a password, in bytes.
const MAX_LINE: u64 = 64 * 1024;

/// The options of every command that takes a password.
#[derive(clap::Args)]
pub struct Source {
    /// Read the password from standard input (its first line) instead of prompting
    #[arg(long)]
    pub password_stdin: bool,

    // Known only to be refused with a reason, and so that a password given there is not repeated in an error.
    #[arg(long, hide = true, value_name = "REFUSED", num_args = 0..=1)]
    password: Option<Option<String>>,
}

impl Source {
    /// Refuses a password on the command line; called before anything else is done.
    pub fn refuse_argument(&self) -> Result<(), Failure> {
        match self.password {
            None => Ok(()),
            Some(_) => Err(Failure::usage(
                "there is no --password: an argument is seen by everyone who lists the processes, and stays in the \
                 shell's history. Leave it out to be prompted, or pipe the password in with --password-stdin. If it \
                 was a real one, change it",
            )),
        }
    }

    /// Reads a new password. Errors: nothing was given, the two prompts differ, no terminal to prompt on.
    pub fn read(&self, of: &str) -> Result<Secret, Failure> {
        self.refuse_argument()?;
        if self.password_stdin { from_stdin() } else { from_prompt(of) }
    }
}

/// The first line of standard input, without its line end. A password may hold anything but a line end.
pub fn from_stdin() -> Result<Secret, Failure> {
    let mut text = Zeroizing::new(Vec::with_capacity(1024));
    let read = io::stdin().lock().take(MAX_LINE + 1).read_to_end(&mut text);
    read.map_err(|e| Failure::refused(format!("cannot read the password from standard input: {e}")))?;
    if text.len() as u64 > MAX_LINE {
        return Err(Failure::refused("standard input is too long for a password: pipe in one line"));
    }
    let line = text.split(|b| *b == b'\n').next().unwrap_or_default();
    checked(line.strip_suffix(b"\r").unwrap_or(line))
}

/// Asks twice on the terminal, without echo.
pub fn from_prompt(of: &str) -> Result<Secret, Failure> {
    let ask = |prompt: String| -> Result<Zeroizing<String>, Failure> {
        rpassword::prompt_password(prompt).map(Zeroizing::new).map_err(|e| {
            Failure::refused(format!("there is no terminal to ask for the password on ({e}): use --password-stdin"))
        })
    };
    let first = ask(format!("New password for {of}: "))?;
    let again = ask("Again: ".to_owned())?;
    if !secret::equal(first.as_bytes(), again.as_bytes()) {
        return Err(Failure::refused("the two passwords differ; nothing was changed"));
    }
    checked(first.as_bytes())
}

/// Prints a password that was made here, alone on its line.
pub fn print(password: &Secret) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(password.expose())?;
    out.write_all(b"\n")?;
    Ok(())
}

fn checked(password: &[u8]) -> Result<Secret, Failure> {
    if password.is_empty() {
        return Err(Failure::refused("an empty password lets everybody in; nothing was changed"));
    }
    if std::str::from_utf8(password).is_err() {
        return Err(Failure::refused(
            "the password is not UTF-8, and no client could send it; nothing was changed: check the terminal's or \
             the file's encoding",
        ));
    }
    if password.iter().any(|b| b.is_ascii_control()) {
        return Err(Failure::refused(
            "the password holds a control character, which no login form or header can send; nothing was changed",
        ));
    }
    Ok(Secret::from(password))
}
