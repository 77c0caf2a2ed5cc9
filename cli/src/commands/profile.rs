//! `tributary profile`: the features of one song's raw stems, as the published method measures them for its data-set
//! averages, at full resolution. What targets are to a set, this is to a song: `tributary targets show` draws both.

use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tributary_dsp::{Effect, Feature, Recipe, Stem, StemStore, measure_feature_of};

use crate::commands::normalize::TRAINING_RATE_HZ;
use crate::commands::targets::of_targets;
use crate::file_output::{check_output, folder_of};
use crate::normalization::NormalizationArgs;
use crate::report::{self, Table};
use crate::song::{Rate, Song, spaces_in};
use crate::{audio_file, batch, before_after, dataset, plot};

/// Spacing of the bins of the 65,536-point transform, in Hz.
const BIN_HZ: f64 = TRAINING_RATE_HZ as f64 / 65_536.0;
/// Magnitudes below this are written as this, so that an empty bin is a number, in dB.
const FLOOR_DB: f64 = -200.0;

/// Arguments of `tributary profile`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder with vocals, bass, drums and other as WAV or FLAC
    song: PathBuf,
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
    check_output(&args.output)?;
    args.picture.as_deref().map_or(Ok(()), check_output)?;
    let files = dataset::song_in(&args.song)?;
    let normalization = NormalizationArgs::of_recipe(Some(args.recipe.clone())).resolve()?;
    let recipe = &normalization.recipe;
    let spaces = spaces_in(&folder_of(&args.output));
    let song = Song::read_into(&files, Rate::Hz(TRAINING_RATE_HZ), &spaces)?;
    song.notes.iter().for_each(|note| report::note(note));
    let profiles = batch::run_each(song.stems.into(), batch::default_jobs(), |audio| {
        audio.map(|mut audio| measure(&mut audio, recipe)).transpose()
    });
    let mut stems = serde_json::Map::new();
    let mut table = Table::new(&["stem", "LUFS", "peaks dB", "spread dB"]);
    for (stem, profile) in Stem::ALL.into_iter().zip(profiles) {
        let Some(profile) = profile.with_context(|| format!("cannot measure the {stem} stem"))? else {
            continue;
        };
        let number = |key: &str| report::level(profile[key].as_f64());
        table.row(vec![
            stem.name().into(),
            number("loudness_lufs"),
            number("peak_db"),
            number("peak_std_db"),
        ]);
        stems.insert(stem.name().into(), profile);
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
        let read = || Ok(Song::read_into(&files, Rate::Hz(TRAINING_RATE_HZ), &spaces)?.stems);
        let [before, after] = before_after::curves(read, &normalization, f64::from(TRAINING_RATE_HZ))?;
        let target = of_targets(&normalization.targets, "target");
        audio_file::write_text(path, &plot::svg(&[before, after, target]))
            .with_context(|| path.display().to_string())?;
        println!("{}", path.display());
    }
    Ok(())
}

/// All features of one raw stem; null where the stem has none.
fn measure(audio: &mut dyn StemStore, recipe: &Recipe) -> Result<Value> {
    let mut profile = json!({
        "loudness_lufs": null, "peak_db": null, "peak_std_db": null, "spectrum": null, "phi": null,
    });
    for effect in Effect::ALL {
        match measure_feature_of(effect, audio, recipe, f64::from(TRAINING_RATE_HZ))? {
            None => {}
            Some(Feature::Spectrum(bins)) => {
                profile["spectrum"] = pairs(&bins, |magnitude| (20.0 * magnitude.log10()).max(FLOOR_DB));
            }
            Some(Feature::Peaks { peak_db, peak_std_db }) => {
                profile["peak_db"] = peak_db.into();
                profile["peak_std_db"] = peak_std_db.into();
            }
            Some(Feature::Phi(bins)) => profile["phi"] = pairs(&bins, |phi| phi),
            Some(Feature::Loudness(lufs)) => profile["loudness_lufs"] = lufs.into(),
        }
    }
    Ok(profile)
}

/// `[Hz, value]` of every bin, rounded to what the measurement carries.
fn pairs(bins: &[f64], value: impl Fn(f64) -> f64) -> Value {
    let round = |x: f64| (x * 1e6).round() / 1e6;
    bins.iter().enumerate().map(|(bin, &x)| json!([round(bin as f64 * BIN_HZ), round(value(x))])).collect()
}
