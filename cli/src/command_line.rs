//! What can be said to `tributary`: its commands in groups, and what its exit codes mean.
//!
//! Each subcommand is one module below `commands`; this file only parses, runs and reports. Exit codes: 0 done, 1 failed
//! (one line of error says why), 2 wrong usage, 3 done in part: songs of a set were skipped.

use std::fmt::Write;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use tributary_audio_io::error::in_full;
use tributary_audio_io::file_output;

use crate::{commands, report};

/// Exit code of a job over a set that had to leave songs out.
const INCOMPLETE: u8 = 3;

/// The commands in the order of what people do with them.
const GROUPS: [(&str, &[&str]); 4] = [
    ("Mix", &["mix", "stems", "profile"]),
    ("Prepare data sets", &["normalize", "analyze", "targets"]),
    ("Judge", &["explain", "evaluate", "listen"]),
    ("Shell", &["completions", "man", "help"]),
];

/// What people do first.
const EXAMPLES: &str = "\
Examples:
  tributary mix path/to/song -o mix.wav               mix a folder of stems or tracks
  tributary stems path/to/session                     see and edit which stem each file goes into
  tributary normalize path/to/set -o normalized       prepare a data set for training

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 done in part (songs of a set were skipped)";

/// Four streams flow into one: mixes vocals, bass, drums and other.
#[derive(Debug, Parser)]
#[command(name = "tributary", version, about, propagate_version = true, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Mix the stems of a song, or of every song of a set
    Mix(Box<commands::mix::Args>),
    /// Show and write down which stem each audio file of a folder goes into
    Stems(commands::stems::Args),
    /// Measure the features of a song's stems
    Profile(commands::profile::Args),
    /// Normalize the stems of a data set or of one song, for training
    Normalize(commands::normalize::Args),
    /// Measure a data set and write the averages that stems are brought to
    Analyze(commands::analyze::Args),
    /// Look at targets
    Targets(commands::targets::Args),
    /// Estimate how each stem stands in a mix: gain, sides, curve, and moves to dial
    Explain(commands::explain::Args),
    /// Judge mixes against the human mix
    Evaluate(commands::evaluate::Args),
    /// Make a listening test, and analyze its results
    Listen(commands::listen::Args),
    /// Print what a shell needs to complete commands and options
    Completions(commands::shell::CompletionsArgs),
    /// Print a page of the manual
    Man(commands::shell::ManArgs),
}

/// The commands with their help in groups.
fn command() -> clap::Command {
    let mut command = Cli::command();
    command.build();
    let mut groups = String::new();
    for (title, names) in GROUPS {
        let _ = writeln!(groups, "{title}:");
        for name in names {
            let about = command.find_subcommand(name).and_then(clap::Command::get_about);
            let about = about.map(ToString::to_string).unwrap_or_default();
            let _ = writeln!(groups, "  {name:<12} {about}");
        }
        groups.push('\n');
    }
    let template = format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{groups}Options:\n{{options}}{{after-help}}"
    );
    Cli::command().help_template(template)
}

/// Parses the arguments of this process, runs the command that they name, and says what went wrong.
pub fn run() -> ExitCode {
    // Where that is impossible, such a limit ends the program without a word, as it ends every other.
    let _ = file_output::survive_size_limit();
    let arguments = match Cli::from_arg_matches(&command().get_matches()) {
        Ok(arguments) => arguments,
        Err(error) => error.exit(),
    };
    let result = match &arguments.command {
        Command::Mix(args) => commands::mix::run(args),
        Command::Stems(args) => commands::stems::run(args),
        Command::Profile(args) => commands::profile::run(args),
        Command::Normalize(args) => commands::normalize::run(args),
        Command::Analyze(args) => commands::analyze::run(args),
        Command::Targets(args) => commands::targets::run(args),
        Command::Explain(args) => commands::explain::run(args),
        Command::Evaluate(args) => commands::evaluate::run(args),
        Command::Listen(args) => commands::listen::run(args),
        Command::Completions(args) => commands::shell::completions(args, command()),
        Command::Man(args) => commands::shell::man(args, command()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<report::Incomplete>() => {
            report::say_aside(&format!("incomplete: {}", in_full(&error)));
            ExitCode::from(INCOMPLETE)
        }
        Err(error) => {
            report::say_aside(&format!("error: {}", in_full(&error)));
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_in_one_group_of_the_help() {
        let mut command = command();
        let help = command.render_help().to_string();
        command.build();
        for subcommand in command.get_subcommands() {
            let name = subcommand.get_name();
            let groups = GROUPS.iter().filter(|(_, names)| names.contains(&name)).count();
            assert!(groups == 1 && help.contains(&format!("  {name} ")), "{name}\n{help}");
        }
        assert!(help.contains("Examples:") && help.contains("--version"), "{help}");
    }
}
