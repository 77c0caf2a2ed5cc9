//! `tributary profile --learned`: what the plug-in's Learn would find of a song, as a file of its own. It is learned for a model –
//! its recipe, its targets and, if the network averages over a song, its averages – and belongs to no project.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use tributary_audio_io::dataset::SongFiles;
use tributary_audio_io::outputs::Outputs;
use tributary_audio_io::place::Place;
use tributary_audio_io::song::{Rate, Song};
use tributary_audio_io::stem_space::spaces_in;
use tributary_engine::{LearnedSong, LearnedStatistics, Normalization};

use crate::model::ModelChoice;
use crate::normalized::Normalized;
use crate::progress;
use crate::report::{self, Table};
use tributary_dsp::Stem;

/// Learns one song for a model and writes it. With `strict`, audio that is there and not used is an error.
///
/// # Errors
/// No usable stem, a model that cannot be opened or run, or a file that cannot be written.
pub fn run(files: &SongFiles, model: Option<&str>, output: &Path, strict: bool) -> Result<()> {
    let choice = ModelChoice::open(model)?;
    Outputs::new().texts([&output.to_owned()]).reads(files.paths()).reads(choice.folder()).check()?;
    let place = Place::of(output).map_err(anyhow::Error::msg)?;
    let spaces = spaces_in(&place.scratch_folder());
    let rate_hz = choice.sample_rate_hz();
    let step = progress::fraction("reading");
    let read = Song::read_reporting(files, Rate::Hz(rate_hz), &spaces, &mut |share| {
        progress::set_fraction(&step, share);
    });
    step.finish();
    let song = read?;
    song.notes.iter().for_each(|note| report::note(note));
    if strict {
        song.check_complete()?;
    }
    let length_s = song.frames as f64 / f64::from(rate_hz);
    let normalization =
        Normalization { recipe: choice.recipe(), targets: choice.targets(), sample_rate_hz: rate_hz };
    let bar = progress::fraction("measuring");
    let Normalization { recipe, targets, .. } = &normalization;
    let mut normalized = Normalized::of(song.stems, recipe, targets, f64::from(rate_hz), &bar)?;
    bar.finish();
    let bar = progress::fraction("listening");
    let statistics = choice.song_statistics(normalized.stems(), &mut |share| {
        progress::set_fraction(&bar, share);
        Ok(())
    });
    bar.finish();
    let statistics = statistics.context("the network cannot be run over the song")?;
    let model_sha256 = choice.name().sha256;
    let learned = LearnedSong {
        normalization_sha256: normalization.sha256(),
        learned_unix_s: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
        length_s,
        profile: normalized.profile,
        statistics: statistics.map(|statistics| LearnedStatistics { model_sha256, statistics }),
    };
    learned.write_file(output)?;
    report::say(table(&learned).to_string().trim_end());
    report::say(output.display());
    Ok(())
}

/// What was found, stem by stem.
fn table(learned: &LearnedSong) -> Table {
    let mut table = Table::new(&["stem", "gain dB", "pan %", "right over left dB"]);
    for (stem, profile) in Stem::ALL.into_iter().zip(&learned.profile.0) {
        let Some(profile) = profile else { continue };
        let pan = profile.panning.map(|panning| 100.0 * panning.side);
        table.row(vec![
            stem.name().into(),
            report::level(profile.loudness.map(|loudness| loudness.gain_db)),
            report::level(pan),
            report::level(profile.panning.map(|panning| panning.balance_db)),
        ]);
    }
    table
}
