//! `janua completions`: the completion script of a shell, made from the command line's own description.

use crate::Done;
use clap::CommandFactory;
use std::io::Write;

#[derive(clap::Args)]
#[command(after_help = "Example:\n  janua completions bash > /usr/share/bash-completion/completions/janua")]
pub struct Arguments {
    /// bash, elvish, fish, powershell or zsh
    shell: clap_complete::Shell,
}

pub fn run<C: CommandFactory>(arguments: &Arguments) -> Done {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut C::command(), "janua", &mut script);
    std::io::stdout().lock().write_all(&script)?;
    Ok(())
}
