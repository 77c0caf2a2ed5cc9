//! `tributary analyze`: measures a data set and writes the averages that stems are later brought to.
//!
//! Effects are measured in sequence, as the paper does: each feature on the stems as the effects before it leave them,
//! once their own averages are known. So there is one pass over the set per effect. What the earlier effects leave is
//! made again in every pass instead of being kept on disk: that is cheaper than reading it back.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use tributary_dsp::{Effect, Feature, Recipe, Stem, StereoBuffer, Targets, TargetsBuilder, measure_feature};

use crate::commands::normalize::TRAINING_RATE_HZ;
use crate::dataset::{SongFiles, file_name};
use crate::ledger::sha256_hex;
use crate::normalization::NormalizationArgs;
use crate::report::{self, Table};
use crate::selection::SelectionArgs;
use crate::song::{Rate, Song};
use crate::{audio_file, batch, progress};

/// Songs whose features are held in memory at once; a feature is 32,769 numbers.
const SONGS_IN_MEMORY: usize = 64;

/// Arguments of `tributary analyze`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    selection: SelectionArgs,
    /// The targets file to write
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// "paper", "published" or a JSON file: decides how features are measured
    #[arg(long, value_name = "paper|published|FILE")]
    recipe: Option<String>,
    /// Name of the data set in the targets file [default: the folder's name]
    #[arg(long)]
    name: Option<String>,
    /// Songs worked on at the same time [default: one per processor]
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
}

/// Measures a data set.
///
/// # Errors
/// No songs, no stem with a measurable feature, or a file that cannot be written.
pub fn run(args: &Args) -> Result<()> {
    let songs = args.selection.songs()?;
    let recipe = NormalizationArgs::of_recipe(args.recipe.clone()).resolve()?.0;
    let jobs = args.jobs.unwrap_or_else(batch::default_jobs);
    let mut set = Set { songs: &songs, recipe, jobs, builder: TargetsBuilder::new(Targets::default()) };
    let mut counts = Vec::new();
    for effect in Effect::ALL {
        counts.push(set.pass(effect)?);
    }
    let mut targets = set.builder.targets();
    targets.name = args.name.clone().unwrap_or_else(|| file_name(&args.selection.input));
    let hash = sha256_hex(serde_json::to_string(&targets.stems)?.as_bytes());
    targets.source =
        format!("measured by tributary analyze {}; sha256 of the averages {hash}", env!("CARGO_PKG_VERSION"));
    targets.songs = songs.len() as u32;
    audio_file::write_text(&args.output, &(targets.to_json() + "\n"))
        .with_context(|| args.output.display().to_string())?;
    print!("{}", summary(&targets, &counts));
    println!("{} songs; targets in {}", songs.len(), args.output.display());
    Ok(())
}

/// Per stem, how many songs had the feature.
type Counts = [u32; Stem::COUNT];

struct Set<'a> {
    songs: &'a [SongFiles],
    recipe: Recipe,
    jobs: usize,
    builder: TargetsBuilder,
}

impl Set<'_> {
    /// Measures the feature of one effect on all songs and adds it to the averages.
    fn pass(&mut self, effect: Effect) -> Result<Counts> {
        let targets = self.builder.targets();
        let earlier = before(&self.recipe, effect);
        let bar = progress::songs(self.songs.len(), effect.name());
        let mut counts = Counts::default();
        for songs in self.songs.chunks(SONGS_IN_MEMORY) {
            let features = batch::run(songs, self.jobs, |files| {
                let features = features_of(files, effect, &earlier, &targets);
                bar.inc(1);
                features
            });
            for (files, features) in songs.iter().zip(features) {
                let (features, notes) = features?;
                // Every pass reads the files anew; what is wrong with them is said once.
                if effect == Effect::ALL[0] {
                    bar.suspend(|| {
                        notes.iter().for_each(|note| report::note(&format!("{}: {note}", files.name)))
                    });
                }
                for (stem, feature) in Stem::ALL.into_iter().zip(features) {
                    let Some(feature) = feature else { continue };
                    self.builder.add(stem, &feature);
                    counts[stem.index()] += 1;
                }
            }
        }
        bar.finish_and_clear();
        if counts == Counts::default() {
            bail!("no stem of {} songs has a measurable {}", self.songs.len(), effect.name());
        }
        Ok(counts)
    }
}

type Features = [Option<Feature>; Stem::COUNT];

/// One song's feature per stem, and the notes of reading it. A song that cannot be read has none.
fn features_of(
    files: &SongFiles,
    effect: Effect,
    earlier: &Recipe,
    targets: &Targets,
) -> Result<(Features, Vec<String>)> {
    let mut features = Features::default();
    let song = match Song::read(files, Rate::Hz(TRAINING_RATE_HZ)) {
        Ok(song) => song,
        Err(error) => return Ok((features, vec![format!("skipped: {error:#}")])),
    };
    let mut notes = song.notes;
    for (stem, audio) in Stem::ALL.into_iter().zip(song.stems) {
        let Some(audio) = audio else { continue };
        let feature = feature_of(stem, &audio, effect, earlier, targets)
            .with_context(|| format!("cannot measure the {stem} stem of {}", files.name))?;
        if feature.is_none() {
            notes.push(format!("the {stem} stem is silent or too quiet, or has no onsets; it is left out"));
        }
        features[stem.index()] = feature;
    }
    Ok((features, notes))
}

fn feature_of(
    stem: Stem,
    audio: &StereoBuffer,
    effect: Effect,
    earlier: &Recipe,
    targets: &Targets,
) -> Result<Option<Feature>> {
    let rate_hz = f64::from(TRAINING_RATE_HZ);
    if effect == Effect::ALL[0] {
        return Ok(measure_feature(effect, audio, earlier, rate_hz)?);
    }
    let (left_by_earlier, _) = tributary_dsp::normalize_stem(stem, audio, earlier, targets, rate_hz)?;
    Ok(measure_feature(effect, &left_by_earlier, earlier, rate_hz)?)
}

/// The recipe with only the effects before `effect`, in full.
fn before(recipe: &Recipe, effect: Effect) -> Recipe {
    let mut recipe = recipe.clone();
    let position = |of: Effect| Effect::ALL.iter().position(|one| *one == of);
    for other in Effect::ALL {
        recipe.effect_mut(other).enabled &= position(other) < position(effect);
    }
    recipe
}

fn summary(targets: &Targets, counts: &[Counts]) -> Table {
    let mut table = Table::new(&["stem", "songs", "LUFS", "peaks dB", "spread dB", "phi 1 kHz"]);
    for stem in Stem::ALL {
        let averages = targets.stem(stem);
        let songs = counts.iter().map(|counts| counts[stem.index()]).max().unwrap_or(0);
        table.row(vec![
            stem.name().into(),
            songs.to_string(),
            format!("{:.1}", averages.loudness_lufs),
            format!("{:.1}", averages.peak_db),
            format!("{:.2}", averages.peak_std_db),
            format!("{:.2}", averages.phi.at_hz(1000.0)),
        ]);
    }
    table
}
