//! `tributary profile`: the features of a song's raw stems, as the published method measures them for its data-set
//! averages, at full resolution. What targets are to a set, this is to a song: `tributary targets show` draws both. Of a set
//! every song gets a profile of its own.

mod learned;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use tributary_audio_io::dataset::{Found, SongFiles};
use tributary_audio_io::file_output;
use tributary_audio_io::outputs::Outputs;
use tributary_audio_io::place::Place;
use tributary_audio_io::song::{Rate, Song};
use tributary_audio_io::stem_space::spaces_in;
use tributary_dsp::{Recipe, Stem};
use tributary_engine::StemFile;
use tributary_engine::sha256_hex;

use crate::jobs::batch;
use crate::jobs::ledger::{Ledger, Partial, Record};
use crate::jobs::song_jobs::{JobArgs, SongJobs, conclude};
use crate::options::normalization::TRAINING_RATE_HZ;
use crate::options::normalization::{Normalization, NormalizationArgs};
use crate::options::selection::{SetArgs, SongArgs};
use crate::plot::before_after::{self, Measured};
use crate::plot::features::Features;
use crate::plot::of_targets;
use crate::report::{self, Table};
use crate::{plot, progress};

/// Every profile of a set has this name, in a folder of its song's name.
const PROFILE: &str = "profile.json";

/// Arguments of `tributary profile`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The song: a folder of audio files named like stems or tracks, a song of a known data set, or a .stem.mp4 file; or a
    /// set of songs
    song: PathBuf,
    #[command(flatten)]
    reading: SongArgs,
    #[command(flatten)]
    set: SetArgs,
    #[command(flatten)]
    job: JobArgs,
    /// The profile to write, JSON; for a set a folder, made if absent and resumed if not, of `<song>/profile.json`
    #[arg(short, long, value_name = "FILE|FOLDER")]
    output: PathBuf,
    /// By whose rules to measure: "published", "paper" or a JSON file
    #[arg(long, value_name = "published|paper|FILE", default_value = "published")]
    recipe: String,
    /// Draw what normalizing by these rules does, SVG: spectrum and φ before, after and as the MUSDB18 averages have them,
    /// and the compressor's gain reduction over time; for one song only
    #[arg(long, value_name = "FILE")]
    picture: Option<PathBuf>,
    /// Write what the plug-in's Learn would find of the song instead: the corrections, and the network's averages. For one song
    #[arg(long, conflicts_with_all = ["picture", "recipe"])]
    learned: bool,
    /// Model bundle to learn for: a folder or the name of a model that ships [default: the bundled model]
    #[arg(long, value_name = "FOLDER|NAME", requires = "learned")]
    model: Option<String>,
}

/// Measures a song, or every song of a set.
///
/// # Errors
/// No usable stem, or a file that cannot be written. In a set a song that cannot be measured is left out.
pub fn run(args: &Args) -> Result<()> {
    let normalization = NormalizationArgs::of_recipe(Some(args.recipe.clone())).resolve()?;
    match args.set.find(&args.song, &args.reading)? {
        Found::Song(files) if args.learned => {
            ensure!(
                args.job.is_default(),
                "--jobs and --shard are for sets; {} is one song",
                args.song.display()
            );
            learned::run(&files, args.model.as_deref(), &args.output, args.reading.strict)
        }
        Found::Set(_) if args.learned => {
            bail!("{} is no song but holds several: --learned is for one", args.song.display())
        }
        Found::Song(files) => run_song(args, &files, &normalization),
        Found::Set(songs) => run_set(args, &songs, &normalization),
    }
}

fn run_song(args: &Args, files: &SongFiles, normalization: &Normalization) -> Result<()> {
    ensure!(args.job.is_default(), "--jobs and --shard are for sets; {} is one song", args.song.display());
    let outputs = Outputs::new().texts([&args.output]).texts(&args.picture);
    outputs.reads(files.paths()).reads(&normalization.files).check()?;
    let place = Place::of(&args.output).map_err(anyhow::Error::msg)?;
    let spaces = spaces_in(&place.scratch_folder());
    let step = progress::fraction("reading");
    let read = Song::read_reporting(files, Rate::Hz(TRAINING_RATE_HZ), &spaces, &mut |share| {
        progress::set_fraction(&step, share);
    });
    step.finish();
    let song = read?;
    song.notes.iter().for_each(|note| report::note(note));
    if args.reading.strict {
        song.check_complete()?;
    }
    let (profile, raw) = measure(&files.name, song, &normalization.recipe)?;
    write(&args.output, &profile)?;
    report::say(table(&raw).to_string().trim_end());
    report::say(args.output.display());
    if let Some(path) = &args.picture {
        // The raw stems once more: normalization leaves nothing of the others.
        let again = Song::read_into(files, Rate::Hz(TRAINING_RATE_HZ), &spaces)?.stems;
        let [before, after] = before_after::curves(raw, again, normalization)?;
        let target = of_targets(&normalization.targets, "target");
        file_output::write_text(path, &plot::svg(&[before, after, target]))
            .with_context(|| path.display().to_string())?;
        report::say(path.display());
    }
    Ok(())
}

fn run_set(args: &Args, songs: &[SongFiles], normalization: &Normalization) -> Result<()> {
    if args.picture.is_some() || args.output.is_file() || args.output.extension().is_some_and(|e| e == "json")
    {
        bail!(
            "{} is no song but holds {}: name one of them, or a folder for their profiles with -o, without --picture",
            args.song.display(),
            songs.len()
        );
    }
    let outputs = Outputs::new().fills([&args.output]).reads([&args.song]);
    outputs.reads(&normalization.files).reads(args.set.instruments()).check()?;
    fs::create_dir_all(&args.output)
        .with_context(|| format!("cannot create the folder {}", args.output.display()))?;
    let settings = json!({
        "recipe": normalization.recipe,
        "strict": args.reading.strict,
        "balance": args.reading.balance,
        "version": env!("CARGO_PKG_VERSION"),
    });
    let work = |files: &SongFiles, song: Song<StemFile>, partial: &Partial, record: &mut Record| {
        let (profile, _) = measure(&files.name, song, &normalization.recipe)?;
        for stem in Stem::ALL {
            let found = profile["stems"].get(stem.name());
            found.map(|stem_profile| record.stems.insert(stem.name().into(), level_of(stem_profile)));
        }
        write(&partial.folder.join(PROFILE), &profile)
    };
    let jobs = SongJobs {
        ledger: Ledger::open(&args.output)?,
        settings: sha256_hex(serde_json::to_string(&settings)?.as_bytes()),
        strict: args.reading.strict,
        rate: Rate::Hz(TRAINING_RATE_HZ),
        work: &work,
    };
    let mine = args.job.share(songs);
    let outcomes = jobs.run(&mine, args.job.jobs.unwrap_or_else(batch::default_jobs), "measuring");
    jobs.report(json!({ "command": "profile", "settings": jobs.settings }), songs)?;
    conclude(&args.output, &outcomes, "measured")
}

/// What of a stem's profile goes into the report over a set: all but the curves.
fn level_of(profile: &Value) -> Value {
    let numbers = profile.as_object().into_iter().flatten().filter(|(_, value)| value.is_number());
    Value::Object(numbers.map(|(key, value)| (key.clone(), value.clone())).collect())
}

/// Measures all stems; returns the profile, and what it was made of.
fn measure(name: &str, song: Song<StemFile>, recipe: &Recipe) -> Result<(Value, Measured<StemFile>)> {
    let measured = batch::run_each(song.stems.into(), batch::default_jobs(), |audio| {
        audio.map(|mut audio| Ok((Features::measure(&mut audio, recipe)?, audio))).transpose()
    });
    let mut raw = Measured::default();
    let mut stems = serde_json::Map::new();
    for (stem, found) in Stem::ALL.into_iter().zip(measured) {
        let found: Result<_> = found;
        let Some((features, audio)) = found.with_context(|| format!("cannot measure the {stem} stem"))?
        else {
            continue;
        };
        stems.insert(stem.name().into(), features.to_json());
        raw[stem.index()] = Some((features, audio));
    }
    let profile = json!({
        "format": 1,
        "song": name,
        "rules": recipe.kind,
        "sample_rate_hz": TRAINING_RATE_HZ,
        "stems": stems,
    });
    Ok((profile, raw))
}

fn write(path: &Path, profile: &Value) -> Result<()> {
    let text = serde_json::to_string(profile)? + "\n";
    file_output::write_text(path, &text).with_context(|| path.display().to_string())
}

fn table(raw: &Measured<StemFile>) -> Table {
    let mut table = Table::new(&["stem", "LUFS", "peaks dB", "spread dB"]);
    for (stem, measured) in Stem::ALL.into_iter().zip(raw.iter()) {
        let Some((features, _)) = measured else { continue };
        table.row(vec![
            stem.name().into(),
            report::level(features.loudness_lufs),
            report::level(features.peaks_db.map(|[mean, _]| mean)),
            report::level(features.peaks_db.map(|[_, spread]| spread)),
        ]);
    }
    table
}
