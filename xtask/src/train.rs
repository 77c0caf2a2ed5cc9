//! `cargo xtask train`: from nothing to a model bundle, with one command.
//!
//! The training package's own command line does the work in its own environment.

use anyhow::{Result, bail};
use clap::Args;

use crate::places::Places;

/// What can be said on the command line.
#[derive(Args)]
pub struct TrainArguments {
    /// The name of a training configuration in model-export/configs
    #[arg(long, value_name = "NAME")]
    config: String,
}

/// Generates, normalizes, trains, exports.
pub fn run(_places: &Places, arguments: &TrainArguments) -> Result<()> {
    bail!("there is no training configuration {:?}", arguments.config);
}
