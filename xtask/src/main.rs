//! `cargo xtask`: set-up, bundles, the demo and the one test command.
//!
//! Everything a person or a build machine does with this repository goes through here, so that "what CI does" and "what
//! one types" are the same words. It knows files, folders and other programs; it links none of the other crates, and so
//! it builds quickly – unoptimized, the `xtask` alias asks for no more – and runs when one of them does not compile.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that cannot go on should stop where it is"))]

mod against;
mod bench;
mod bundle;
mod contents;
mod demo;
mod files;
mod install;
mod layout;
mod licenses;
mod onnx_runtime;
mod package;
mod places;
mod process;
mod python;
mod setup;
mod steps;
mod symbols;
mod system;
mod test;
mod train;
mod validate;
mod validators;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::places::Places;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Set up, build, hear and test Tributary")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Check for and install what building and running needs (every other command does this by itself)
    Setup,
    /// Build Tributary.clap and Tributary.vst3, with the runtime and the default model, into target/bundled
    Bundle,
    /// Build the bundles and the command line and put them into your own folders
    Install,
    /// Remove exactly what `install` put into your folders
    Uninstall,
    /// Make what a user downloads: bundles, command line, models, licenses and an installer, in target/package
    Package,
    /// Build everything and hear it: the built CLAP mixes four stems in a small host
    Demo(demo::DemoArguments),
    /// Check formatting, lints, documentation, every test, the bundles in hosts, and the training code
    Test(test::TestArguments),
    /// Try the package and the bundles in hosts that other people wrote, as far as they are here
    Validate(validate::ValidateArguments),
    /// Run the benchmarks and collect their results
    Bench(bench::BenchArguments),
    /// Make a model: generate songs, normalize them, train, export
    Train(train::TrainArguments),
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    let places = Places::find()?;
    match command {
        Command::Setup => setup::run(&places),
        Command::Bundle => bundle::run(&places),
        Command::Install => install::install(&places),
        Command::Uninstall => install::uninstall(&places),
        Command::Package => package::run(&places),
        Command::Demo(arguments) => demo::run(&places, &arguments),
        Command::Test(arguments) => test::run(&places, &arguments),
        Command::Validate(arguments) => validate::run(&places, &arguments),
        Command::Bench(arguments) => bench::run(&places, &arguments),
        Command::Train(arguments) => train::run(&places, &arguments),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Arguments;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}
