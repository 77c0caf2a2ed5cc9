//! `tributary`: mix four stems, and prepare data sets of stems, from the command line.
//!
//! Each subcommand is one module below `commands`; this file only parses, runs and reports. Exit codes: 0 done, 1 failed
//! (one line of error says why), 2 wrong usage, 3 done in part: songs of a set were skipped.

mod before_after;
mod commands;
mod features;
mod ledger;
mod listen;
mod metrics;
mod model;
mod normalization;
mod plot;
mod progress;
mod report;
mod reverb;
mod selection;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tributary_cli::{
    audio_file, base64, batch, dataset, evaluate, file_output, flac, markup, outputs, resample, song,
    wav_output,
};

/// Exit code of a job over a set that had to leave songs out.
const INCOMPLETE: u8 = 3;

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
    /// Mix the stems of one song
    Mix(commands::mix::Args),
    /// Measure a data set and write the averages that stems are brought to
    Analyze(commands::analyze::Args),
    /// Measure the features of one song's stems
    Profile(commands::profile::Args),
    /// Show and write down which stem each audio file of a folder goes into
    Stems(commands::stems::Args),
    /// Judge mixes against the human mix
    Evaluate(commands::evaluate::Args),
    /// Look at targets
    Targets(commands::targets::Args),
    /// Normalize the stems of a data set or of one song, for training
    Normalize(commands::normalize::Args),
    /// Make a listening test, and analyze its results
    Listen(commands::listen::Args),
}

fn main() -> ExitCode {
    // Where that is impossible, such a limit ends the program without a word, as it ends every other.
    let _ = file_output::survive_size_limit();
    let result = match &Cli::parse().command {
        Command::Mix(args) => commands::mix::run(args),
        Command::Analyze(args) => commands::analyze::run(args),
        Command::Profile(args) => commands::profile::run(args),
        Command::Stems(args) => commands::stems::run(args),
        Command::Evaluate(args) => commands::evaluate::run(args),
        Command::Targets(args) => commands::targets::run(args),
        Command::Normalize(args) => commands::normalize::run(args),
        Command::Listen(args) => commands::listen::run(args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<report::Incomplete>() => {
            eprintln!("incomplete: {error:#}");
            ExitCode::from(INCOMPLETE)
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
