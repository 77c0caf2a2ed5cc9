//! `tributary explain`: how each stem of a song stands in a mix of it, as an estimate, in words, as JSON and as moves to dial.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use serde_json::json;
use tributary_audio_io::dataset::Found;
use tributary_audio_io::file_output;
use tributary_audio_io::outputs::Outputs;

use crate::evaluation::RATE_HZ;
use crate::evaluation::explain::ExplainedMix;
use crate::options::selection::{SetArgs, SongArgs};
use crate::report;

/// Arguments of `tributary explain`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The song: a folder of audio files named like stems or tracks, a song of a known data set, or a .stem.mp4 file
    song: PathBuf,
    /// A mix of it: one that Tributary made, or anybody's
    mix: PathBuf,
    #[command(flatten)]
    reading: SongArgs,
    #[command(flatten)]
    set: SetArgs,
    /// Largest distance in time at which mix and stems are looked for, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 2.0)]
    max_lag: f64,
    /// Also write everything as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Explains one mix.
///
/// # Errors
/// The song is none or several, a file cannot be read or written, or there is nothing to compare.
pub fn run(args: &Args) -> Result<()> {
    if !(0.0..=600.0).contains(&args.max_lag) {
        bail!("--max-lag must be between 0 and 600 seconds, not {}", args.max_lag);
    }
    let Found::Song(files) = args.set.find(&args.song, &args.reading)? else {
        bail!("{} is no song but holds several: name one of them", args.song.display());
    };
    Outputs::new().texts(&args.json).reads(files.paths()).reads([&args.mix]).check()?;
    let max_lag = (args.max_lag * f64::from(RATE_HZ)).round() as usize;
    let explained = ExplainedMix::of(&files, &args.mix, max_lag, args.reading.strict)?;
    explained.notes.iter().for_each(|note| report::note(note));
    report::say(explained.text().trim_end());
    let Some(path) = &args.json else { return Ok(()) };
    let document = json!({
        "format": 1,
        "song": files.name,
        "mix": args.mix.display().to_string(),
        "alignment": explained.alignment,
        "estimate": explained.estimate,
        "moves": explained.moves,
    });
    let text = serde_json::to_string_pretty(&document)? + "\n";
    file_output::write_text(path, &text).with_context(|| path.display().to_string())
}
