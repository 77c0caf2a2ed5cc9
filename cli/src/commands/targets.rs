//! `tributary targets show`: draws targets, and profiles of songs, beside each other.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;
use tributary_audio_io::dataset::file_name;
use tributary_audio_io::file_output;
use tributary_audio_io::outputs::Outputs;
use tributary_dsp::{Stem, Targets};

use crate::plot::{self, Curves};
use crate::report::{self, Table};

/// Arguments of `tributary targets`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Draw targets and profiles beside each other
    Show(ShowArgs),
}

#[derive(Debug, clap::Args)]
struct ShowArgs {
    /// Targets or profiles; "default" stands for the MUSDB18 averages
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The picture to write, SVG; without it only the table is printed
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Runs one of the subcommands.
///
/// # Errors
/// A file that is neither targets nor a profile, or a picture that cannot be written.
pub fn run(args: &Args) -> Result<()> {
    let Command::Show(args) = &args.command;
    let files = args.files.iter().filter(|path| !is_default(path));
    Outputs::new().texts(&args.output).reads(files).check()?;
    let shown = args.files.iter().map(|path| read(path)).collect::<Result<Vec<_>>>()?;
    report::say(table(&shown).to_string().trim_end());
    let Some(path) = &args.output else { return Ok(()) };
    file_output::write_text(path, &plot::svg(&shown)).with_context(|| path.display().to_string())?;
    report::say(path.display());
    Ok(())
}

/// A profile as `tributary profile` writes it.
#[derive(Deserialize)]
struct ProfileFile {
    song: String,
    stems: std::collections::BTreeMap<String, ProfileStem>,
}

#[derive(Deserialize)]
struct ProfileStem {
    loudness_lufs: Option<f64>,
    peak_db: Option<f64>,
    peak_std_db: Option<f64>,
    spectrum: Option<Vec<[f64; 2]>>,
    phi: Option<Vec<[f64; 2]>>,
}

/// Whether the averages that are built in are meant.
fn is_default(path: &Path) -> bool {
    path == Path::new("default")
}

fn read(path: &Path) -> Result<Curves> {
    if is_default(path) {
        return Ok(plot::of_targets(&Targets::default(), "MUSDB18 (default)"));
    }
    let context = || format!("{} cannot be shown", path.display());
    let text = fs::read_to_string(path).with_context(context)?;
    if let Ok(profile) = serde_json::from_str::<ProfileFile>(&text) {
        return Ok(of_profile(profile));
    }
    let targets = Targets::from_json(&text).with_context(context)?;
    let name = if targets.name.is_empty() { file_name(path) } else { targets.name.clone() };
    Ok(plot::of_targets(&targets, &name))
}

fn of_profile(profile: ProfileFile) -> Curves {
    let stems = Stem::ALL.map(|stem| match profile.stems.get(stem.name()) {
        None => plot::StemCurves::default(),
        Some(stem) => plot::StemCurves {
            loudness_lufs: stem.loudness_lufs,
            peak_db: stem.peak_db,
            peak_std_db: stem.peak_std_db,
            spectrum_db: plot::smooth(stem.spectrum.as_deref().unwrap_or_default()),
            phi: plot::smooth(stem.phi.as_deref().unwrap_or_default()),
            reduction_db: Vec::new(),
        },
    });
    Curves { name: profile.song, stems }
}

fn table(shown: &[Curves]) -> Table {
    let mut table = Table::new(&["stem", "of", "LUFS", "peaks dB", "spread dB"]);
    for stem in Stem::ALL {
        for curves in shown {
            let values = &curves.stems[stem.index()];
            let levels = [values.loudness_lufs, values.peak_db, values.peak_std_db];
            let mut row = vec![stem.name().into(), curves.name.clone()];
            row.extend(levels.map(report::level));
            table.row(row);
        }
    }
    table
}
