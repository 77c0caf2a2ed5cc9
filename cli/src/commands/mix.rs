//! `tributary mix`: the stems of one song in, the mix out, through the same pipeline the plug-in drives.
//!
//! The pipeline runs at the stems' own rate, as in a host at that rate. With `--profile adaptive` the result is what the
//! plug-in makes live, bit for bit; with `--profile file`, the default, every stem is measured as a whole first and the
//! network is run once over the song for its averages: what the plug-in plays once it has learned the song.

use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde_json::json;
use tributary_dsp::{
    CHANNELS, ProfileSource, Recipe, SongProfile, Stem, StemStore, Targets, normalize_in_place,
};
use tributary_engine::offline::{OfflineFigures, mix_stream};
use tributary_engine::{LatencyMode, Pipeline, Provider, Statistics, StemFile};

use crate::audio_file;
use crate::dataset::{self, SongFiles, Source, file_name};
use crate::file_output::write_wav_with;
use crate::metrics::{Loudness, Meter};
use crate::model::ModelChoice;
use crate::normalization::{Normalization, NormalizationArgs};
use crate::outputs::{Outputs, Place, is_standard_output};
use crate::progress;
use crate::report::{self, Table};
use crate::resample::resample;
use crate::selection::SongArgs;
use crate::song::{Rate, Song, Spaces, spaces_in};
use crate::wav_output::{Samples, WavFormat};

/// Below this a meter of the engine means silence, in LUFS.
const SILENCE_LUFS: f64 = -119.0;

/// Arguments of `tributary mix`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The song: a folder of audio files named like stems, a song of a known data set, or a .stem.mp4 file
    #[arg(required_unless_present_any = ["vocals", "bass", "drums", "other"])]
    song: Option<PathBuf>,
    /// The mix to write: WAV at the stems' rate; "-" for standard output
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Bits of a sample of the mix: whole numbers with dither, or floating point
    #[arg(long, value_name = "16|24|32f", default_value = Samples::default().name(), value_parser = named(Samples::ALL, Samples::name))]
    bits: Samples,
    /// Vocals file, instead of the one in the folder
    #[arg(long, value_name = "FILE")]
    vocals: Option<PathBuf>,
    /// Bass file
    #[arg(long, value_name = "FILE")]
    bass: Option<PathBuf>,
    /// Drums file
    #[arg(long, value_name = "FILE")]
    drums: Option<PathBuf>,
    /// File of everything else
    #[arg(long, value_name = "FILE")]
    other: Option<PathBuf>,
    #[command(flatten)]
    reading: SongArgs,
    /// Model bundle to mix with: a folder, the name of a model that ships, or "sum" for the plain sum of the stems [default:
    /// the bundled model]
    #[arg(long, value_name = "FOLDER|NAME|sum")]
    model: Option<String>,
    /// Measure every stem as a whole, or adapt while playing as the plug-in does
    #[arg(long, value_enum, default_value_t = Profile::File)]
    profile: Profile,
    /// Window of the network, as in the plug-in: how much of the future it sees, how much it makes at a time; "monitor" is
    /// the sum of the normalized stems
    #[arg(long, default_value = LatencyMode::default().name(), value_parser = named(LatencyMode::ALL, LatencyMode::name))]
    latency_mode: LatencyMode,
    /// What the network runs on; if "cuda" fails, the CPU takes over and a note says why [default: $TRIBUTARY_PROVIDER, else
    /// cpu]
    #[arg(long, value_parser = named(Provider::ALL, Provider::name))]
    provider: Option<Provider>,
    /// With --profile file: let the network's averages follow the song instead of running it once over all of it before.
    /// Takes half the time, as the plug-in does before it has learned the song
    #[arg(long)]
    running_statistics: bool,
    #[command(flatten)]
    normalization: NormalizationArgs,
    /// Also write everything measured as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Where the corrections come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
enum Profile {
    /// Each stem's whole file
    File,
    /// Running estimates, exactly as live
    Adaptive,
}

/// Reads one of several values by its name.
fn named<T: Copy + Default + Send + Sync + 'static, const N: usize>(
    all: [T; N],
    name: fn(T) -> &'static str,
) -> impl TypedValueParser<Value = T> {
    let find = move |word: String| all.into_iter().find(|value| name(*value) == word).unwrap_or_default();
    PossibleValuesParser::new(all.map(name)).map(find)
}

/// Mixes one song.
///
/// # Errors
/// No usable stem, no model, or a result that cannot be written; nothing is left half-written.
pub fn run(args: &Args) -> Result<()> {
    let files = files(args)?;
    let choice = ModelChoice::open(args.model.as_deref())?.in_mode(args.latency_mode).on(args.provider);
    let Normalization { recipe, targets, rooms, files: settings } =
        args.normalization.resolve_from(choice.recipe(), choice.targets(), choice.sample_rate_hz())?;
    if rooms.len() > 1 {
        bail!("a song is sent to one room; --reverb-rooms names {}", rooms.len());
    }
    let outputs = Outputs::new().audio(&args.output).texts(&args.json).reads(settings).reads(files.paths());
    outputs.reads(choice.folder()).check()?;
    let place = Place::of(&args.output).map_err(anyhow::Error::msg)?;
    let spaces = spaces_in(&place.scratch_folder());
    let mut song = Song::read_into(&files, Rate::HighestOfFiles, &spaces)?;
    song.notes.iter().for_each(|note| report::note(note));
    if args.reading.strict {
        song.check_complete()?;
    }
    let started = Instant::now();
    let mut measured = match args.profile {
        Profile::Adaptive => None,
        Profile::File => {
            Some(whole_file_profile(&mut song, &recipe, &targets, choice.sample_rate_hz(), &spaces)?)
        }
    };
    // The network that mixes loads beside the one that listens.
    let (model, statistics) = std::thread::scope(|scope| {
        let model = scope.spawn(|| choice.load());
        let statistics = match &mut measured {
            Some((_, normalized)) if !args.running_statistics => song_statistics(&choice, normalized),
            _ => Ok(None),
        };
        (model.join().unwrap_or_else(|panic| resume_unwind(panic)), statistics)
    });
    let (model, statistics) = (model?, statistics?);
    model.remark.iter().for_each(|remark| report::note(remark));
    let source =
        measured.map_or(ProfileSource::Adaptive, |(profile, _normalized)| ProfileSource::Fixed(profile));
    let profile_s = started.elapsed().as_secs_f64();
    let (limiter, rate_hz) = (choice.limiter(), f64::from(song.sample_rate_hz));
    let mut pipeline = Pipeline::new(model.model, &recipe, &targets, source, limiter, rate_hz)?
        .with_stem_meters()
        .on_two_cores();
    let learned = statistics.is_some();
    pipeline.freeze_statistics(statistics)?;
    let (figures, loudness) = write_mix(&mut pipeline, &mut song, &args.output, args.bits)?;
    let took_s = started.elapsed().as_secs_f64();

    let outcome = Outcome {
        loudness,
        figures,
        learned,
        profile_s,
        mixing_s: took_s - profile_s,
        duration_s: song.frames as f64 / f64::from(song.sample_rate_hz),
    };
    outcome.print(&song, &files, &args.output);
    match &args.json {
        None => Ok(()),
        Some(path) => {
            let report = outcome.to_json(&song, &files, &choice, &recipe, args, &pipeline);
            let text = serde_json::to_string_pretty(&report)? + "\n";
            audio_file::write_text(path, &text).with_context(|| path.display().to_string())
        }
    }
}

/// The song's files: those of the folder, replaced by those named one by one.
fn files(args: &Args) -> Result<SongFiles> {
    let mut files = match &args.song {
        Some(folder) => dataset::song_by(folder, &args.reading.assign)?,
        None => SongFiles::new("song"),
    };
    let named = [&args.vocals, &args.bass, &args.drums, &args.other];
    for (stem, named) in Stem::ALL.into_iter().zip(named) {
        if let Some(path) = named {
            let there =
                std::fs::metadata(path).with_context(|| format!("{} cannot be read", path.display()))?;
            ensure!(there.is_file(), "{} cannot be read: it is no file", path.display());
            files.stems[stem.index()] = vec![Source::File(path.clone())];
            files.named[stem.index()] = true;
        }
    }
    if let (true, Some(folder)) = (files.is_empty(), &args.song) {
        bail!("{} holds no stem: expected vocals, bass, drums or other as audio files", folder.display());
    }
    Ok(files)
}

/// The stems at the model's rate, normalized.
type Normalized = [Option<StemFile>; Stem::COUNT];

/// Measures the stems at the model's rate, where the corrections are applied, two at a time; returns them normalized as well.
fn whole_file_profile(
    song: &mut Song<StemFile>,
    recipe: &Recipe,
    targets: &Targets,
    model_rate_hz: u32,
    spaces: &Spaces<'_, StemFile>,
) -> Result<(SongProfile, Normalized)> {
    let bar = progress::fraction("measuring");
    let song_rate_hz = song.sample_rate_hz;
    let measure = |stem: Stem, audio: &mut StemFile| {
        // Measuring works on a copy: the stem itself is still to be mixed.
        let mut copy = resample(audio, song_rate_hz, model_rate_hz, spaces()?)?;
        let mut part = progress::Part::of(&bar, Stem::COUNT);
        let (rate_hz, mut report) = (f64::from(model_rate_hz), |share: f64| part.set_fraction(share));
        let corrections = normalize_in_place(stem, &mut copy, recipe, targets, rate_hz, &mut report)
            .with_context(|| format!("the {stem} stem cannot be measured"))?;
        Ok((stem, corrections, copy))
    };
    let there =
        song.stems.iter_mut().zip(Stem::ALL).filter_map(|(audio, stem)| Some((stem, audio.as_mut()?)));
    let mut there: Vec<(Stem, &mut StemFile)> = there.collect();
    let half = there.len().div_ceil(2);
    let measured: Vec<Result<_>> = std::thread::scope(|scope| {
        let halves = there.chunks_mut(half.max(1)).map(|half| {
            scope.spawn(|| half.iter_mut().map(|(stem, audio)| measure(*stem, audio)).collect::<Vec<_>>())
        });
        let halves: Vec<_> = halves.collect();
        halves.into_iter().flat_map(|half| half.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
    });
    bar.finish_and_clear();
    let (mut profile, mut normalized) = (SongProfile::default(), Normalized::default());
    for measured in measured {
        let (stem, corrections, copy) = measured?;
        profile.0[stem.index()] = corrections;
        normalized[stem.index()] = Some(copy);
    }
    Ok((profile, normalized))
}

/// Runs the network over the normalized stems for what it averages.
fn song_statistics(choice: &ModelChoice, normalized: &mut Normalized) -> Result<Option<Statistics>> {
    let bar = progress::fraction("listening");
    let stems = normalized.each_mut().map(|stem| stem.as_mut().map(|stem| stem as &mut dyn StemStore));
    let statistics = choice.song_statistics(stems, &mut |share| {
        progress::set_fraction(&bar, share);
        Ok(())
    });
    bar.finish_and_clear();
    statistics.context("the network cannot be run over the song")
}

/// Mixes the song piece by piece into the output file.
fn write_mix(
    pipeline: &mut Pipeline,
    song: &mut Song<StemFile>,
    output: &Path,
    samples: Samples,
) -> Result<(OfflineFigures, Loudness)> {
    let bar = progress::fraction("mixing");
    let mut meter = Meter::of_mix(song.sample_rate_hz)?;
    let (frames, mut at) = (song.frames, 0);
    let mut source = |piece: &mut [Vec<f32>; CHANNELS]| {
        progress::set_fraction(&bar, at as f64 / frames as f64);
        let count = (frames - at).min(piece[0].len());
        for (stem, pair) in song.stems.iter_mut().zip(piece.chunks_exact_mut(2)) {
            let [left, right] = pair else { continue };
            match stem {
                Some(stem) => stem
                    .read(at, &mut left[..count], &mut right[..count])
                    .map_err(|error| error.to_string())?,
                None => {
                    left[..count].fill(0.0);
                    right[..count].fill(0.0);
                }
            }
        }
        at += count;
        Ok(count)
    };
    let format = WavFormat { sample_rate_hz: song.sample_rate_hz, frames: song.frames as u64, samples };
    let figures = write_wav_with(output, format, |sink| {
        let mut take = |[left, right]: [&[f32]; 2]| {
            meter.add(left, right).map_err(|error| format!("{error:#}"))?;
            sink.write(left, right).map_err(|error| error.to_string())
        };
        mix_stream(pipeline, &mut source, &mut take).context("the song cannot be mixed")
    });
    bar.finish_and_clear();
    let figures = figures.with_context(|| output.display().to_string())?;
    Ok((figures, meter.loudness()?))
}

/// What was measured of a finished mix.
struct Outcome {
    loudness: Loudness,
    figures: OfflineFigures,
    /// The network's averages were learned from the whole song.
    learned: bool,
    profile_s: f64,
    mixing_s: f64,
    duration_s: f64,
}

impl Outcome {
    /// Processing time over audio time.
    fn real_time_factor(&self) -> f64 {
        (self.profile_s + self.mixing_s) / self.duration_s
    }

    fn print(&self, song: &Song<StemFile>, files: &SongFiles, output: &Path) {
        let assigned = assignment_table(files).map(|table| format!("{table}\n")).unwrap_or_default();
        let mut table = Table::new(&["", "LUFS", "→ LUFS", "dBTP"]);
        for stem in Stem::ALL {
            let index = stem.index();
            let (before, after) = match song.stems[index] {
                Some(_) => (audible(&self.figures.before[index]), audible(&self.figures.after[index])),
                None => (None, None),
            };
            table.row(vec![stem.name().into(), report::level(before), report::level(after)]);
        }
        table.row(vec![
            "mix".into(),
            String::new(),
            report::level(self.loudness.integrated_lufs),
            report::level(self.loudness.true_peak_dbtp),
        ]);
        let said = format!(
            "{assigned}{table}{:.1} s of audio in {:.1} s: real-time factor {:.3}\n",
            self.duration_s,
            self.profile_s + self.mixing_s,
            self.real_time_factor()
        );
        // Where the mix itself goes to standard output, words do not.
        if is_standard_output(output) { eprint!("{said}") } else { println!("{said}{}", output.display()) }
    }

    fn to_json(
        &self,
        song: &Song<StemFile>,
        files: &SongFiles,
        choice: &ModelChoice,
        recipe: &Recipe,
        args: &Args,
        pipeline: &Pipeline,
    ) -> serde_json::Value {
        let stems: Vec<_> = Stem::ALL
            .into_iter()
            .map(|stem| {
                json!({
                    "name": stem.name(),
                    "present": song.stems[stem.index()].is_some(),
                    "files": names(&files.stems[stem.index()]),
                    "before_lufs": audible(&self.figures.before[stem.index()]),
                    "after_lufs": audible(&self.figures.after[stem.index()]),
                })
            })
            .collect();
        json!({
            "format": 1,
            "model": choice.name(),
            "recipe": recipe,
            "profile": args.profile,
            "statistics": if self.learned { "learned" } else { "running" },
            "latency_mode": args.latency_mode,
            "sample_rate_hz": song.sample_rate_hz,
            "frames": song.frames,
            "duration_s": self.duration_s,
            "stems": stems,
            "mix_lufs": self.loudness.integrated_lufs,
            "mix_true_peak_dbtp": self.loudness.true_peak_dbtp,
            "profile_s": self.profile_s,
            "mixing_s": self.mixing_s,
            "real_time_factor": self.real_time_factor(),
            "latency_frames": pipeline.latency().total_frames(),
            "latency": pipeline.latency(),
            "unused": files.unused.iter().map(|one| file_name(&one.path)).collect::<Vec<_>>(),
            "notes": song.notes,
        })
    }
}

/// Names of the files that sources lie in.
fn names(sources: &[Source]) -> Vec<String> {
    sources.iter().flat_map(Source::paths).map(file_name).collect()
}

/// Which files went into which stem; none where every stem is one file of its name.
fn assignment_table(files: &SongFiles) -> Option<Table> {
    let plain = |stem: Stem, name: &String| {
        Path::new(name).file_stem().is_some_and(|name| name.eq_ignore_ascii_case(stem.name()))
    };
    let named = Stem::ALL.map(|stem| (stem, names(&files.stems[stem.index()])));
    if named.iter().all(|(stem, names)| names.len() < 2 && names.iter().all(|name| plain(*stem, name))) {
        return None;
    }
    let mut table = Table::new(&["stem", "files"]);
    for (stem, names) in named {
        table.row(vec![stem.name().into(), names.join(", ")]);
    }
    Some(table)
}

/// The integrated loudness of a meter, or none for silence.
fn audible(meter: &tributary_engine::Loudness) -> Option<f64> {
    (meter.integrated_lufs > SILENCE_LUFS).then_some(meter.integrated_lufs)
}
