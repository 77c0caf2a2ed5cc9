//! `tributary evaluate`: how close mixes come to the human mix, figure by figure, for one song or a whole set.
//!
//! Everything that measures is in [`crate::evaluation`]; this file reads the arguments, adds the mixes of models, and prints.

mod models;

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use tributary_audio_io::dataset::Source;
use tributary_audio_io::error::in_full;
use tributary_audio_io::file_output;
use tributary_audio_io::outputs::Outputs;
use tributary_dsp::{Recipe, Stem, Targets};

use self::models::MODEL_NAME;
use crate::evaluation::baselines::Baseline;
use crate::evaluation::catalog::{self, Family, Metric};
use crate::evaluation::song::{Entry, Prepared, Settings, SongReport};
use crate::evaluation::summary::{Summary, SystemSummary};
use crate::evaluation::{Options, RATE_HZ, harm, page, scramble, set, text};
use crate::jobs::batch;
use crate::model::ModelChoice;
use crate::options::selection::SongArgs;
use crate::progress;
use crate::report::{self, Table};

/// Length of a player's audio in seconds, unless there are too many of them.
const LONGEST_EXCERPT_S: f64 = 15.0;
/// Below this a difference between systems is called one.
const SIGNIFICANT: f64 = 0.05;

/// Arguments of `tributary evaluate`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder of songs: `<song>/reference.wav`, `<song>/<system>.wav`, and stems if there are any; or a known data set with
    /// human mixes
    #[arg(required_unless_present = "reference", conflicts_with_all = ["reference", "mix", "stems"])]
    set: Option<PathBuf>,
    /// The human mix of one song
    #[arg(long, value_name = "FILE")]
    reference: Option<PathBuf>,
    /// A mix of that song; may be given many times
    #[arg(long, value_name = "NAME=FILE", value_parser = named_file, requires = "reference")]
    mix: Vec<(String, PathBuf)>,
    /// Folder with the song's stems: adds the baselines and the balance of the stems
    #[arg(long, value_name = "FOLDER", requires = "reference")]
    stems: Option<PathBuf>,
    #[command(flatten)]
    reading: SongArgs,
    /// Sum every stem to mono first: how mixes of stems without any width fare
    #[arg(long)]
    mono_stems: bool,
    /// Change the stems' gains by up to 10 dB, in five ways, and report the mean: where the human mix is the sum of the
    /// stems, leaving levels alone would win
    #[arg(long)]
    scramble_gains: bool,
    /// Mixes made of the stems: raw, equal, normalized, static, model, held (the model with masks that do not move); or none
    #[arg(
        long,
        value_name = "NAME,...",
        value_delimiter = ',',
        default_value = "raw,equal,normalized,static,model,held"
    )]
    baselines: Vec<String>,
    /// Model bundle for the model's mix and the normalized sum [default: the bundled model]
    #[arg(long, value_name = "FOLDER")]
    model: Option<String>,
    /// A further model bundle whose mix stands beside the model's, such as the one before; may be given many times
    #[arg(long, value_name = "NAME=FOLDER", value_parser = named_file)]
    other_model: Vec<(String, PathBuf)>,
    /// The system that tests compare all others with [default: the model, else the first mix]
    #[arg(long, value_name = "NAME")]
    focus: Option<String>,
    /// End with an error when the model's mix is farther from the human mix than the normalized sum or equal loudness, by
    /// more than 3 % of the mean in any column of the verdict
    #[arg(long)]
    do_no_harm: bool,
    /// Compute the published figures exactly as the published code does, accidents included
    #[arg(long)]
    published_oddities: bool,
    /// Print all figures, not only the verdict
    #[arg(long)]
    all: bool,
    /// Largest time shift to look for, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0)]
    max_lag: f64,
    /// Also write everything as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Also write one row per song, mix and figure
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Also write a report with pictures and players, one file that needs no network
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Leave the players out of the report
    #[arg(long)]
    no_audio: bool,
    /// Mixes judged at the same time [default: one per processor]
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
}

/// Judges mixes.
///
/// # Errors
/// Wrong arguments, a file that cannot be read or written, or nothing in common to compare.
pub fn run(args: &Args) -> Result<()> {
    let entries = entries(args)?;
    if !(0.0..=600.0).contains(&args.max_lag) {
        bail!("--max-lag must be between 0 and 600 seconds, not {}", args.max_lag);
    }
    let baselines = baselines(&args.baselines)?;
    let any_stems = entries.iter().any(|entry| entry.stems.is_some());
    let choice = if any_stems { model_choice(args)? } else { None };
    let outputs = Outputs::new().texts(&args.json).texts(&args.csv).texts(&args.html);
    let model_folder = choice.as_ref().and_then(ModelChoice::folder);
    outputs.reads(entries.iter().flat_map(Entry::paths)).reads(model_folder).check()?;
    let normalization = match &choice {
        Some(choice) => (choice.recipe(), choice.targets()),
        None => (Recipe::default(), Targets::default()),
    };
    let settings = Settings {
        options: Options {
            published_oddities: args.published_oddities,
            mono_stems: args.mono_stems,
            scrambled_gains: args.scramble_gains,
        },
        max_lag_s: args.max_lag,
        jobs: args.jobs.unwrap_or_else(batch::default_jobs),
        strict: args.reading.strict,
        baselines,
        normalization,
        models: models::mixers(choice.as_ref(), &args.baselines, &args.other_model)?,
        excerpt_s: (args.html.is_some() && !args.no_audio).then(|| excerpt_s(&entries)),
    };
    let songs = judge(&entries, &settings)?;
    let focus = focus(args, &songs)?;
    let summary = Summary::of(&songs, focus.as_deref());
    print(args, &songs, &summary);
    write(args, &songs, &summary, &settings)?;
    if args.do_no_harm { check_harm(&summary) } else { Ok(()) }
}

/// Says in which columns the model's mix is farther than it may be.
fn check_harm(summary: &Summary) -> Result<()> {
    let mut worse = Vec::new();
    for than in harm::HELD_TO.map(Baseline::name) {
        if !summary.systems.iter().any(|name| name == than) {
            bail!("--do-no-harm compares with \"{than}\", which was left out of --baselines");
        }
        let columns = harm::farther(summary, MODEL_NAME, than);
        let said: Vec<String> = columns.iter().map(harm::Farther::sentence).collect();
        if !said.is_empty() {
            worse.push(format!("than {than}: {}", said.join(", ")));
        }
    }
    if !summary.systems.iter().any(|name| name == MODEL_NAME) {
        bail!("--do-no-harm judges the model's mix, and there is none");
    }
    if worse.is_empty() {
        report::say(format!(
            "The {MODEL_NAME} is nowhere farther than its normalized sum or equal loudness."
        ));
        return Ok(());
    }
    bail!("the {MODEL_NAME} is farther from the human mix {}", worse.join("; "))
}

/// Length of the players' audio: short enough that all of it fits one page. FLAC takes about two thirds of 16-bit PCM, and
/// base64 a third more.
fn excerpt_s(entries: &[Entry]) -> f64 {
    let made = Baseline::ALL.len() + 2;
    let mixes: usize = entries
        .iter()
        .map(|entry| 1 + entry.mixes.len() + if entry.stems.is_some() { made } else { 0 })
        .sum();
    let bytes_per_s = f64::from(RATE_HZ) * 4.0 * 0.9;
    (page::MOST_AUDIO_BYTES as f64 / (mixes as f64 * bytes_per_s)).clamp(2.0, LONGEST_EXCERPT_S)
}

/// Reads `name=file`.
fn named_file(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((name, path)) if !name.is_empty() && !path.is_empty() => Ok((name.to_owned(), path.into())),
        _ => Err(format!("\"{text}\" is not a named mix; write NAME=FILE")),
    }
}

/// The songs that were named, checked before the work.
fn entries(args: &Args) -> Result<Vec<Entry>> {
    let mut entries = match (&args.reference, &args.set) {
        (Some(reference), _) => {
            let name =
                reference.file_stem().map_or("song".into(), |name| name.to_string_lossy().into_owned());
            let stems = args
                .stems
                .as_deref()
                .map(|folder| set::stems_in(folder, &args.reading.assign))
                .transpose()?;
            let reference = Source::File(reference.clone());
            vec![Entry { name, reference, mixes: args.mix.clone(), stems }]
        }
        (None, Some(folder)) => set::find(folder)?,
        (None, None) => bail!("name a folder of songs, or one song with --reference and --mix"),
    };
    for stems in entries.iter_mut().filter_map(|entry| entry.stems.as_mut()) {
        stems.balance = args.reading.balance;
    }
    for entry in &entries {
        let mut names: Vec<&str> = entry.mixes.iter().map(|(name, _)| name.as_str()).collect();
        names.extend(Baseline::ALL.map(Baseline::name));
        names.extend([MODEL_NAME, models::HELD_NAME]);
        names.extend(args.other_model.iter().map(|(name, _)| name.as_str()));
        names.sort_unstable();
        if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            bail!("two mixes of {} are called \"{}\"", entry.name, twice[0]);
        }
        if entry.mixes.is_empty() && entry.stems.is_none() {
            bail!("there is no mix of {} to judge; name one with --mix, or stems with --stems", entry.name);
        }
        let changes_stems = [(args.scramble_gains, "--scramble-gains"), (args.mono_stems, "--mono-stems")];
        if let (None, Some((_, option))) = (&entry.stems, changes_stems.iter().find(|(given, _)| *given)) {
            bail!("{option} changes stems, and there are none of {}", entry.name);
        }
    }
    Ok(entries)
}

fn baselines(names: &[String]) -> Result<Vec<Baseline>> {
    let mut chosen = Vec::new();
    for name in names {
        match name.as_str() {
            "raw" => chosen.push(Baseline::RawSum),
            "equal" => chosen.push(Baseline::EqualLoudness),
            "normalized" => chosen.push(Baseline::NormalizedSum),
            "static" => chosen.push(Baseline::Static),
            "model" | "held" | "none" => {}
            other => bail!(
                "\"{other}\" is not a baseline; there are raw, equal, normalized, static, model, held and none"
            ),
        }
    }
    Ok(chosen)
}

/// The model for the normalized sum and the model's mix; without one, a note, unless it was asked for.
fn model_choice(args: &Args) -> Result<Option<ModelChoice>> {
    match ModelChoice::open(args.model.as_deref()) {
        Ok(choice) => Ok(Some(choice)),
        Err(error) if args.model.is_some() => Err(error),
        Err(error) => {
            report::note(&format!("no mix of the default model: {}", in_full(&error)));
            Ok(None)
        }
    }
}

/// Judges song after song; the mixes of one song share the processors.
fn judge(entries: &[Entry], settings: &Settings<'_>) -> Result<Vec<SongReport>> {
    let made = settings.baselines.len() + settings.models.len();
    let mixes = |entry: &Entry| entry.mixes.len() + if entry.stems.is_some() { made } else { 0 };
    let rounds = if settings.options.scrambled_gains { scramble::ROUNDS } else { 1 };
    let bar = progress::mixes(entries.iter().map(|entry| rounds * mixes(entry)).sum());
    let mut songs = Vec::with_capacity(entries.len());
    for entry in entries {
        let judge = || -> Result<Vec<SongReport>> {
            let mut song = Prepared::read(entry, settings)?;
            let gains_db = |round| if rounds > 1 { scramble::gains_db(round) } else { [0.0; Stem::COUNT] };
            (0..rounds).map(|round| song.judge(gains_db(round), &|| bar.advance())).collect()
        };
        let report = scramble::together(judge().with_context(|| entry.name.clone())?)
            .context("no round of the song was judged")?;
        bar.suspend(|| report.notes.iter().for_each(|note| report::note(&format!("{}: {note}", entry.name))));
        songs.push(report);
    }
    bar.finish();
    Ok(songs)
}

/// The system that tests are about.
fn focus(args: &Args, songs: &[SongReport]) -> Result<Option<String>> {
    let names = || songs.iter().flat_map(|song| &song.systems).map(|system| system.name.as_str());
    match &args.focus {
        Some(focus) if names().any(|name| name == focus) => Ok(Some(focus.clone())),
        Some(focus) => bail!("no mix is called \"{focus}\""),
        None => Ok(names().find(|&name| name == MODEL_NAME).or(names().next()).map(str::to_owned)),
    }
}

fn print(args: &Args, songs: &[SongReport], summary: &Summary) {
    for song in songs {
        report::say(alignment_table(song));
    }
    let several = songs.len() > 1;
    for family in Family::ALL.into_iter().filter(|&family| args.all || family == Family::Headline) {
        let metrics: Vec<&Metric> =
            catalog::of_family(family).filter(|metric| summary.figure(metric.key).is_some()).collect();
        if metrics.is_empty() {
            continue;
        }
        let over = if several { format!(", mean of {} songs", songs.len()) } else { String::new() };
        report::say(format!("{}: distance to the human mix{over}", family.title()));
        report::say(table(&metrics, summary, several));
    }
    if let (true, Some(focus)) = (several, &summary.focus) {
        report::say(format!("* differs from {focus} (Wilcoxon, Holm, p < {SIGNIFICANT})"));
    }
}

/// Where each mix lay and how loud it was.
fn alignment_table(song: &SongReport) -> Table {
    let scrambled = song.systems.iter().any(|system| system.level_spread_lu.is_some());
    let mut titles = vec![song.name.as_str(), "lag, samples", "polarity", "LUFS", "dBTP"];
    titles.extend(scrambled.then_some("levels move by, LU"));
    let mut table = Table::new(&titles);
    for system in &song.systems {
        let value = |key: &str| system.figure(key).and_then(|figure| figure.mix);
        let lag = if system.built_in { "–".into() } else { system.alignment.lag_frames.to_string() };
        let polarity = if system.alignment.inverted { "inverted" } else { "" };
        let levels = ["integrated_lufs", "true_peak_dbtp"].map(|key| report::level(value(key)));
        let [lufs, peak] = levels;
        let mut row = vec![system.name.clone(), lag, polarity.into(), lufs, peak];
        row.extend(scrambled.then(|| report::level(system.level_spread_lu)));
        table.row(row);
    }
    table
}

/// One row per system, one column per figure.
fn table(metrics: &[&Metric], summary: &Summary, several: bool) -> Table {
    let title = |metric: &&Metric| match metric.unit {
        "" => metric.title.to_owned(),
        unit => format!("{}, {unit}", metric.title),
    };
    let mut titles = vec![String::new()];
    titles.extend(metrics.iter().map(title));
    if several {
        titles.push("rank".into());
    }
    let mut table = Table::new(&titles.iter().map(String::as_str).collect::<Vec<_>>());
    for (index, name) in summary.systems.iter().enumerate() {
        let mut row = vec![name.clone()];
        let mut ranks = Vec::new();
        for metric in metrics {
            let found = summary.figure(metric.key).map(|figure| &figure.systems[index]);
            row.push(found.map_or(String::new(), |found| cell(metric, found)));
            ranks.extend(found.and_then(|found| found.rank));
        }
        if several {
            let mean = ranks.iter().sum::<f64>() / ranks.len() as f64;
            row.push(if ranks.is_empty() { String::new() } else { format!("{mean:.1}") });
        }
        table.row(row);
    }
    table
}

fn cell(metric: &Metric, found: &SystemSummary) -> String {
    let Some(mean) = found.mean else { return "–".into() };
    let decimals = metric.decimals;
    let interval =
        found.interval.map_or(String::new(), |[low, high]| format!(" [{low:.decimals$}, {high:.decimals$}]"));
    let star = if found.test.is_some_and(|test| test.p_holm < SIGNIFICANT) { "*" } else { "" };
    format!("{mean:.decimals$}{interval}{star}")
}

fn write(args: &Args, songs: &[SongReport], summary: &Summary, settings: &Settings<'_>) -> Result<()> {
    if let Some(path) = &args.json {
        let report = serde_json::to_string_pretty(&text::json(songs, summary, settings))? + "\n";
        file_output::write_text(path, &report).with_context(|| path.display().to_string())?;
    }
    if let Some(path) = &args.csv {
        file_output::write_text(path, &text::csv(songs)).with_context(|| path.display().to_string())?;
    }
    if let Some(path) = &args.html {
        file_output::write_text(path, &page::html(songs, summary))
            .with_context(|| path.display().to_string())?;
    }
    Ok(())
}
