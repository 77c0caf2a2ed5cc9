//! `tributary profile`: the features of one song's raw stems, as the published method measures them for its data-set
//! averages, at full resolution. What targets are to a set, this is to a song: `tributary targets show` draws both.

use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::json;
use tributary_dsp::Stem;

use crate::before_after::Measured;
use crate::commands::normalize::TRAINING_RATE_HZ;
use crate::commands::targets::of_targets;
use crate::features::Features;
use crate::normalization::NormalizationArgs;
use crate::outputs::{Outputs, Place};
use crate::report::{self, Table};
use crate::selection::SongArgs;
use crate::song::{Rate, Song, spaces_in};
use crate::{audio_file, batch, before_after, dataset, plot};

/// Arguments of `tributary profile`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The song: a folder of audio files named like stems, a song of a known data set, or a .stem.mp4 file
    song: PathBuf,
    #[command(flatten)]
    reading: SongArgs,
    /// The profile to write, JSON
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// By whose rules to measure: "published", "paper" or a JSON file
    #[arg(long, value_name = "published|paper|FILE", default_value = "published")]
    recipe: String,
    /// Draw what normalizing by these rules does, SVG: spectrum and φ before, after and as the MUSDB18 averages have them,
    /// and the compressor's gain reduction over time
    #[arg(long, value_name = "FILE")]
    picture: Option<PathBuf>,
}

/// Measures one song.
///
/// # Errors
/// No usable stem, or a file that cannot be written.
pub fn run(args: &Args) -> Result<()> {
    let files = dataset::song_by(&args.song, &args.reading.assign)?;
    let normalization = NormalizationArgs::of_recipe(Some(args.recipe.clone())).resolve()?;
    let outputs = Outputs::new().texts([&args.output]).texts(&args.picture);
    outputs.reads(files.paths()).reads(&normalization.files).check()?;
    let recipe = &normalization.recipe;
    let place = Place::of(&args.output).map_err(anyhow::Error::msg)?;
    let spaces = spaces_in(&place.scratch_folder());
    let song = Song::read_into(&files, Rate::Hz(TRAINING_RATE_HZ), &spaces)?;
    song.notes.iter().for_each(|note| report::note(note));
    if args.reading.strict {
        song.check_complete()?;
    }
    let measured = batch::run_each(song.stems.into(), batch::default_jobs(), |audio| {
        audio.map(|mut audio| Ok((Features::measure(&mut audio, recipe)?, audio))).transpose()
    });
    let mut raw = Measured::default();
    let mut stems = serde_json::Map::new();
    let mut table = Table::new(&["stem", "LUFS", "peaks dB", "spread dB"]);
    for (stem, found) in Stem::ALL.into_iter().zip(measured) {
        let found: Result<_> = found;
        let Some((features, audio)) = found.with_context(|| format!("cannot measure the {stem} stem"))?
        else {
            continue;
        };
        table.row(vec![
            stem.name().into(),
            report::level(features.loudness_lufs),
            report::level(features.peaks_db.map(|[mean, _]| mean)),
            report::level(features.peaks_db.map(|[_, spread]| spread)),
        ]);
        stems.insert(stem.name().into(), features.to_json());
        raw[stem.index()] = Some((features, audio));
    }
    let profile = json!({
        "format": 1,
        "song": files.name,
        "rules": recipe.kind,
        "sample_rate_hz": TRAINING_RATE_HZ,
        "stems": stems,
    });
    audio_file::write_text(&args.output, &(serde_json::to_string(&profile)? + "\n"))
        .with_context(|| args.output.display().to_string())?;
    print!("{table}");
    println!("{}", args.output.display());
    if let Some(path) = &args.picture {
        // The raw stems once more: normalization leaves nothing of the others.
        let again = Song::read_into(&files, Rate::Hz(TRAINING_RATE_HZ), &spaces)?.stems;
        let [before, after] = before_after::curves(raw, again, &normalization)?;
        let target = of_targets(&normalization.targets, "target");
        audio_file::write_text(path, &plot::svg(&[before, after, target]))
            .with_context(|| path.display().to_string())?;
        println!("{}", path.display());
    }
    Ok(())
}
