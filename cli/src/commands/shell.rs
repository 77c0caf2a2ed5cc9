//! `tributary completions` and `tributary man`: what a shell and `man` need to know of the commands, made from the commands
//! themselves.

use anyhow::{Context, Result, bail};
use clap::Command;
use clap_complete::{Shell, generate};
use clap_mangen::Man;

use crate::report;

/// Arguments of `tributary completions`.
#[derive(Debug, clap::Args)]
pub struct CompletionsArgs {
    /// The shell: `tributary completions bash > ~/.local/share/bash-completion/completions/tributary`
    shell: Shell,
}

/// Arguments of `tributary man`.
#[derive(Debug, clap::Args)]
pub struct ManArgs {
    /// The command whose page is wanted [default: the overview]
    command: Vec<String>,
}

/// Prints a completion script.
///
/// # Errors
/// A script that is no text, which cannot be.
pub fn completions(args: &CompletionsArgs, mut command: Command) -> Result<()> {
    let (name, mut script) = (command.get_name().to_owned(), Vec::new());
    generate(args.shell, &mut command, name, &mut script);
    report::say(String::from_utf8(script).context("the script is no text")?.trim_end());
    Ok(())
}

/// Prints a page of the manual: `tributary man mix | man -l -`.
///
/// # Errors
/// There is no such command.
pub fn man(args: &ManArgs, mut command: Command) -> Result<()> {
    command.build();
    let mut wanted = command;
    for name in &args.command {
        let Some(found) = wanted.find_subcommand(name) else { bail!("there is no command \"{name}\"") };
        wanted = found.clone();
    }
    let mut page = Vec::new();
    Man::new(wanted).render(&mut page).context("the page cannot be made")?;
    report::say(String::from_utf8(page).context("the page is no text")?.trim_end());
    Ok(())
}
