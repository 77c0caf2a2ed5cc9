//! `tributary analyze`: measures a data set and writes the averages that stems are later brought to.
//!
//! Effects are measured in sequence, as the paper does: each feature on the stems as the effects before it leave them,
//! once their own averages are known. So there is one pass over the set per effect. What the earlier effects leave is
//! made again in every pass instead of being kept on disk: that is cheaper than reading it back.
//!
//! Every measured song leaves a small record per effect in a folder beside the targets. Averages are made from those
//! records only, in the order of the songs: killed and resumed, on one machine or on many, the result has the same bytes.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use serde_json::json;
use tributary_audio_io::dataset::{SongFiles, file_name};
use tributary_audio_io::error::in_full;
use tributary_audio_io::file_output;
use tributary_audio_io::outputs::Outputs;
use tributary_audio_io::song::{Rate, Song, lacks_space};
use tributary_audio_io::stem_space::spaces_in;
use tributary_dsp::{
    BandFeature, EffectName, Recipe, Stem, Targets, TargetsBuilder, WholeFile, measure_feature_of,
};
use tributary_engine::sha256_hex;

use crate::jobs::batch;
use crate::jobs::ledger::{Ledger, Partial, Record};
use crate::jobs::song_jobs::JobArgs;
use crate::options::normalization::NormalizationArgs;
use crate::options::normalization::TRAINING_RATE_HZ;
use crate::options::selection::SelectionArgs;
use crate::progress;
use crate::report::{self, Incomplete, Table};

/// Arguments of `tributary analyze`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    selection: SelectionArgs,
    /// The input is one reference song: its own features become the targets
    #[arg(long)]
    reference: bool,
    /// The targets file to write
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Where the records of measured songs lie, to resume from and for shards to share [default: FILE.songs]
    #[arg(long, value_name = "FOLDER")]
    records: Option<PathBuf>,
    /// "paper", "published" or a JSON file: decides how features are measured
    #[arg(long, value_name = "paper|published|FILE")]
    recipe: Option<String>,
    /// Name of the data set in the targets file [default: the folder's name]
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    job: JobArgs,
    /// Leave out songs of which audio is not used or cannot be read, instead of measuring what is there
    #[arg(long)]
    strict: bool,
}

/// Measures a data set.
///
/// # Errors
/// No songs, no stem with a measurable feature, or a file that cannot be written.
pub fn run(args: &Args) -> Result<()> {
    let songs = args.selection.songs()?;
    if args.reference && songs.len() != 1 {
        bail!("--reference takes one song; {} holds {}", args.selection.input.display(), songs.len());
    }
    let normalization = NormalizationArgs::of_recipe(args.recipe.clone()).resolve()?;
    let records = args.records.clone().unwrap_or_else(|| {
        let mut name = args.output.clone().into_os_string();
        name.push(".songs");
        name.into()
    });
    let outputs = Outputs::new().texts([&args.output]).fills([&records]).reads(normalization.files);
    outputs.reads(args.selection.set.instruments()).reads(songs.iter().flat_map(SongFiles::paths)).check()?;
    let mut set = Set {
        songs: &songs,
        recipe: normalization.recipe,
        job: &args.job,
        strict: args.strict,
        records,
        builder: TargetsBuilder::new(Targets::default()),
        skipped: 0,
    };
    for effect in EffectName::MEASURED {
        let pending = set.pass(effect)?;
        if !pending.is_empty() {
            report::say(format!(
                "{} of {} songs still lack their {effect}, such as {}; run the other shards, then this one again",
                pending.len(),
                songs.len(),
                pending[0],
                effect = effect.name(),
            ));
            return Ok(());
        }
    }
    set.write_targets(args)?;
    set.conclude()
}

struct Set<'a> {
    songs: &'a [SongFiles],
    recipe: Recipe,
    job: &'a JobArgs,
    strict: bool,
    records: PathBuf,
    builder: TargetsBuilder,
    /// Songs that could not be measured, as of the last pass.
    skipped: usize,
}

impl Set<'_> {
    /// Measures the feature of one effect on this shard's songs, then adds all songs' records to the averages. Returns
    /// the songs whose records are missing.
    fn pass(&mut self, effect: EffectName) -> Result<Vec<String>> {
        let pass = self.effect_pass(effect)?;
        let shard = self.job.share(self.songs);
        let bar = progress::songs(shard.len(), effect.name());
        let outcomes = batch::run(&shard, self.job.jobs.unwrap_or_else(batch::default_jobs), |files| {
            let outcome = pass.song(files).with_context(|| files.name.clone());
            bar.advance();
            outcome
        });
        bar.finish();
        for (files, outcome) in shard.iter().zip(outcomes) {
            // Every pass reads the files anew; what is wrong with them is said once.
            if let (Some(record), true) = (outcome?, effect == EffectName::MEASURED[0]) {
                record.notes.iter().for_each(|note| report::note(&format!("{}: {note}", files.name)));
            }
        }
        let names: Vec<String> = self.songs.iter().map(|song| song.name.clone()).collect();
        pass.ledger.write_report(
            json!({ "command": "analyze", "effect": effect, "settings": pass.settings }),
            &names,
        )?;
        let mut pending = Vec::new();
        self.skipped = 0;
        for files in self.songs {
            match pass.ledger.finished(&Record::of(files, &pass.settings)?) {
                None => pending.push(files.name.clone()),
                Some(record) => {
                    self.skipped += usize::from(record.skipped.is_some());
                    self.add(&record)?;
                }
            }
        }
        if pending.is_empty() && self.builder.counts(effect) == [0; Stem::COUNT] {
            bail!("no stem of {} songs has a measurable {}", self.songs.len(), effect.name());
        }
        Ok(pending)
    }

    fn effect_pass(&self, effect: EffectName) -> Result<EffectPass> {
        let targets = self.builder.targets();
        let earlier = before(&self.recipe, effect);
        let mut settings = json!({
            "effect": effect,
            "recipe": earlier,
            "targets": targets,
            "sample_rate_hz": TRAINING_RATE_HZ,
            "version": env!("CARGO_PKG_VERSION"),
        });
        // Only where it is asked for: what was measured without it stays valid.
        if self.strict {
            settings["strict"] = json!(true);
        }
        let settings = serde_json::to_string(&settings)?;
        let ledger = Ledger::of_records(&self.records.join(effect.name()))?;
        let settings = sha256_hex(settings.as_bytes());
        Ok(EffectPass { effect, earlier, targets, settings, strict: self.strict, ledger })
    }

    fn add(&mut self, record: &Record) -> Result<()> {
        for (name, feature) in &record.stems {
            let stem = Stem::from_name(name)
                .with_context(|| format!("{}: no stem is called {name}", record.song))?;
            let feature: BandFeature = serde_json::from_value(feature.clone())
                .with_context(|| format!("the record of {} is damaged", record.song))?;
            self.builder.add(stem, &feature);
        }
        Ok(())
    }

    /// An error of its own kind when songs had to be left out.
    fn conclude(&self) -> Result<()> {
        if self.skipped > 0 {
            let (skipped, all, records) = (self.skipped, self.songs.len(), self.records.display());
            let said = format!("{skipped} of {all} songs were skipped; the reports in {records} say why");
            return Err(Incomplete(said).into());
        }
        Ok(())
    }

    fn write_targets(&self, args: &Args) -> Result<()> {
        let mut targets = self.builder.targets();
        targets.name = args.name.clone().unwrap_or_else(|| file_name(&args.selection.input));
        let hash = sha256_hex(serde_json::to_string(&targets.stems)?.as_bytes());
        targets.source = format!(
            "{}measured by tributary analyze {}; sha256 of the averages {hash}",
            if args.reference { "one reference song; " } else { "" },
            env!("CARGO_PKG_VERSION")
        );
        targets.songs = self.songs.len() as u32;
        file_output::write_text(&args.output, &(targets.to_json() + "\n"))
            .with_context(|| args.output.display().to_string())?;
        report::say(summary(&targets, &self.builder).to_string().trim_end());
        report::say(format!(
            "{} songs; targets in {}, what was measured of each song in {}",
            self.songs.len(),
            args.output.display(),
            self.records.display()
        ));
        Ok(())
    }
}

/// One effect's pass over the set.
struct EffectPass {
    effect: EffectName,
    /// What is applied before the feature is measured.
    earlier: Recipe,
    targets: Targets,
    settings: String,
    strict: bool,
    ledger: Ledger,
}

impl EffectPass {
    /// Measures one song unless its record is there; returns the new record, none when another run works on it.
    fn song(&self, files: &SongFiles) -> Result<Option<Record>> {
        let mut record = Record::of(files, &self.settings)?;
        let Some(partial) = self.ledger.start(&files.name)? else { return Ok(None) };
        // Asked only under the lock: another run may just have finished it.
        if self.ledger.finished(&record).is_some() {
            return Ok(None);
        }
        self.measure(files, &partial, &mut record)?;
        self.ledger.finish(partial, &record)?;
        Ok(Some(record))
    }

    /// Fills the record with one song's feature per stem, or with why it has none.
    fn measure(&self, files: &SongFiles, partial: &Partial, record: &mut Record) -> Result<()> {
        let spaces = spaces_in(&partial.folder);
        let song = Song::read_into(files, Rate::Hz(TRAINING_RATE_HZ), &spaces);
        let whole = |song: Song<_>| if self.strict { song.check_complete().map(|()| song) } else { Ok(song) };
        let song = match song.and_then(whole) {
            Ok(song) => song,
            Err(error) if lacks_space(&error) => return Err(error),
            Err(error) => {
                record.skipped = Some(in_full(&error));
                record.notes = vec![format!("skipped: {}", in_full(&error))];
                return Ok(());
            }
        };
        let mut song = song;
        let session = song.session(&self.earlier)?;
        record.notes = song.notes;
        record.sample_rate_hz = song.sample_rate_hz;
        record.frames = song.frames;
        let rate_hz = f64::from(TRAINING_RATE_HZ);
        for (stem, audio) in Stem::ALL.into_iter().zip(song.stems) {
            let Some(mut audio) = audio else { continue };
            WholeFile::new(stem, &self.earlier, &self.targets, rate_hz)?
                .in_session(&session)
                .normalize(&mut audio, &mut |_| {})?;
            match measure_feature_of(self.effect, &mut audio, &self.earlier, rate_hz)? {
                Some(feature) => {
                    record.stems.insert(stem.name().into(), json!(BandFeature::of(&feature)));
                }
                None => record.notes.push(format!(
                    "the {stem} stem is silent or too quiet, or has no onsets; it is left out"
                )),
            }
        }
        Ok(())
    }
}

/// The recipe with only the effects before `effect`, as the chain has them; the reverb comes before all of them.
fn before(recipe: &Recipe, effect: EffectName) -> Recipe {
    let mut recipe = recipe.clone();
    let position = |of: EffectName| EffectName::ALL.iter().position(|one| *one == of);
    for other in EffectName::ALL {
        recipe.effect_mut(other).enabled &= position(other) < position(effect);
    }
    recipe
}

fn summary(targets: &Targets, builder: &TargetsBuilder) -> Table {
    let mut table = Table::new(&["stem", "songs", "LUFS", "peaks dB", "spread dB", "phi 1 kHz"]);
    for stem in Stem::ALL {
        let averages = targets.stem(stem);
        let songs =
            EffectName::ALL.map(|effect| builder.counts(effect)[stem.index()]).into_iter().max().unwrap_or(0);
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
