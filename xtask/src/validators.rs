//! Plug-in validators of other people: used when they are on `PATH`, never fetched.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::places::Places;
use crate::process;

/// One validator.
pub struct Validator {
    /// Its program.
    pub program: &'static str,
    /// What stands before the plug-in on its command line.
    arguments: &'static [&'static str],
    /// The ending of the plug-in that it takes.
    pub ending: &'static str,
}

/// All that are known.
pub const ALL: [Validator; 3] = [
    Validator { program: "clap-validator", arguments: &["validate"], ending: "clap" },
    Validator { program: "validator", arguments: &[], ending: "vst3" },
    Validator {
        program: "pluginval",
        arguments: &["--strictness-level", "5", "--skip-gui-tests", "--validate"],
        ending: "vst3",
    },
];

impl Validator {
    /// Where it is, if it is on `PATH`.
    pub fn find(&self) -> Option<PathBuf> {
        process::on_path(self.program)
    }

    /// Lets it look at the bundled plug-in.
    ///
    /// # Errors
    /// When it finds a fault or cannot be started.
    pub fn run(&self, places: &Places) -> Result<()> {
        process::run(Command::new(self.program).args(self.arguments).arg(places.plugin(self.ending)))
    }
}
