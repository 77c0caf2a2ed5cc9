//! `tributary mix`: the stems of a song in, the mix out, through the same pipeline the plug-in drives. Sets of songs are
//! worked through in `set.rs`; what is said of a mix is in `outcome.rs`.
//!
//! The pipeline runs at the stems' own rate, as in a host at that rate. With `--profile adaptive` the result is what the
//! plug-in makes live, bit for bit; with `--profile file`, the default, every stem is measured as a whole first and the
//! network is run once over the song for its averages: what the plug-in plays once it has learned the song.

mod outcome;
mod set;

use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use tributary_dsp::{CHANNELS, CorrectionSource, Recipe, Stem, StemStore, Targets};
use tributary_engine::offline::{OfflineFigures, mix_stream};
use tributary_engine::{Controls, LatencyMode, Pipeline, Provider, Statistics, StemFile};

use crate::audio_file;
use crate::audio_output::{AudioFormat, Container, Samples};
use crate::batch;
use crate::controls::ControlArgs;
use crate::dataset::{Found, SongFiles, Source};
use crate::file_output::write_audio_with;
use crate::metrics::{Loudness, Meter};
use crate::model::ModelChoice;
use crate::normalization::{Normalization, NormalizationArgs};
use crate::normalized::{self, Normalized};
use crate::outputs::{Outputs, Place};
use crate::progress::{self, Step};
use crate::report;
use crate::resample::resample;
use crate::selection::{SetArgs, SongArgs};
use crate::song::{Rate, Song, Spaces, spaces_in};
use crate::song_jobs::JobArgs;

use outcome::Outcome;

/// Arguments of `tributary mix`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The song: a folder of audio files named like stems or tracks, a song of a known data set, or a .stem.mp4 file; or a
    /// set of songs
    #[arg(required_unless_present_any = ["vocals", "bass", "drums", "other"])]
    song: Option<PathBuf>,
    /// The mix to write, at the stems' rate: .wav or .flac; "-" for WAV to standard output. For a set a folder, made if absent
    /// and resumed if not, of `<song>/mix.wav`
    #[arg(short, long, value_name = "FILE|FOLDER")]
    output: PathBuf,
    /// Bits of a sample of the mix: whole numbers with dither, or floating point [default: 32f for WAV, 24 for FLAC]
    #[arg(long, value_name = "16|24|32f", value_parser = named(Samples::ALL, Samples::name))]
    bits: Option<Samples>,
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
    #[command(flatten)]
    set: SetArgs,
    #[command(flatten)]
    job: JobArgs,
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
    #[command(flatten)]
    controls: ControlArgs,
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

/// Mixes a song, or every song of a set.
///
/// # Errors
/// No usable stem, no model, or a result that cannot be written; nothing is left half-written. In a set a song that cannot be
/// mixed is left out.
pub fn run(args: &Args) -> Result<()> {
    match found(args)? {
        Found::Song(files) => run_song(args, &files),
        Found::Set(songs) => set::run(args, &songs),
    }
}

fn run_song(args: &Args, files: &SongFiles) -> Result<()> {
    ensure!(
        args.job.is_default(),
        "--jobs and --shard are for sets; {} is one song",
        args.song.as_deref().unwrap_or(Path::new("this")).display()
    );
    let (mixing, settings) = Mixing::open(args, false)?;
    let outputs = Outputs::new().audio(&args.output).texts(&args.json).reads(settings).reads(files.paths());
    outputs.reads(mixing.choice.folder()).check()?;
    let packed = packed(&args.output, args.bits)?;
    let place = Place::of(&args.output).map_err(anyhow::Error::msg)?;
    let spaces = spaces_in(&place.scratch_folder());
    let step = progress::fraction("reading");
    let read = Song::read_reporting(files, Rate::HighestOfFiles, &spaces, &mut |share| {
        progress::set_fraction(&step, share);
    });
    step.finish();
    let mut song = read?;
    song.notes.iter().for_each(|note| report::note(note));
    if args.reading.strict {
        song.check_complete()?;
    }
    let noted = song.notes.len();
    let outcome = mixing.mix(&mut song, &args.output, packed, &spaces)?;
    song.notes.iter().skip(noted).for_each(|note| report::note(note));
    outcome.print(&song, files, &mixing);
    match &args.json {
        None => Ok(()),
        Some(path) => {
            let report = outcome.to_json(&song, files, &mixing);
            let text = serde_json::to_string_pretty(&report)? + "\n";
            audio_file::write_text(path, &text).with_context(|| path.display().to_string())
        }
    }
}

/// What all songs are mixed with.
struct Mixing<'a> {
    args: &'a Args,
    choice: ModelChoice,
    recipe: Recipe,
    targets: Targets,
    controls: Controls,
    /// Whether the steps of one song are shown.
    quiet: bool,
}

impl<'a> Mixing<'a> {
    /// Opens the model and puts the options together; returns the files that were read for them as well.
    fn open(args: &'a Args, quiet: bool) -> Result<(Self, Vec<PathBuf>)> {
        let choice = ModelChoice::open(args.model.as_deref())?.in_mode(args.latency_mode).on(args.provider);
        let Normalization { recipe, targets, rooms, files } =
            args.normalization.resolve_from(choice.recipe(), choice.targets(), choice.sample_rate_hz())?;
        if rooms.len() > 1 {
            bail!("a song is sent to one room; --reverb-rooms names {}", rooms.len());
        }
        let controls = args.controls.resolve()?;
        Ok((Self { args, choice, recipe, targets, controls, quiet }, files))
    }

    /// Mixes a song into a file; notes about it go to the song's.
    fn mix(
        &self,
        song: &mut Song<StemFile>,
        output: &Path,
        packed: (Container, Samples),
        spaces: &Spaces<'_, StemFile>,
    ) -> Result<Outcome> {
        let started = Instant::now();
        let mut measured = match self.args.profile {
            Profile::Adaptive => None,
            Profile::File => Some(self.whole_file_profile(song, spaces)?),
        };
        // The network that mixes loads beside the one that listens.
        let (model, statistics) = std::thread::scope(|scope| {
            let model = scope.spawn(|| self.choice.load());
            let statistics = match &mut measured {
                Some(normalized) if !self.args.running_statistics => self.song_statistics(normalized),
                _ => Ok(None),
            };
            (model.join().unwrap_or_else(|panic| resume_unwind(panic)), statistics)
        });
        let (model, statistics) = (model?, statistics?);
        song.notes.extend(model.remark);
        if let Some(gain_db) = measured.as_ref().and_then(|normalized| normalized.session.gain_db())
            && gain_db.abs() > UNUSUAL_SESSION_DB
        {
            let (far, moved) = if gain_db > 0.0 { ("below", "up") } else { ("above", "down") };
            song.notes.push(format!(
                "the session lies {:.0} dB {far} the usual level; all stems are brought {moved} by one gain first",
                gain_db.abs()
            ));
        }
        let source = match &measured {
            None => CorrectionSource::Adaptive,
            Some(normalized) => CorrectionSource::Fixed(normalized.profile.clone()),
        };
        let ready = measured
            .filter(|normalized| normalized.are_ready(&self.recipe) && self.controls.normalizes_fully());
        let profile_s = started.elapsed().as_secs_f64();
        let (limiter, rate_hz) = (self.choice.limiter(), f64::from(song.sample_rate_hz));
        let mut pipeline = Pipeline::new(model.model, &self.recipe, &self.targets, source, limiter, rate_hz)?
            .with_stem_meters()
            .on_two_cores();
        if let Some(mut normalized) = ready {
            pipeline = pipeline.with_ready_stems(Box::new(move |start, stems| normalized.read(start, stems)));
        }
        let learned = statistics.is_some();
        pipeline.freeze_statistics(statistics)?;
        pipeline.set_controls(&self.controls);
        let (figures, loudness) = self.write_mix(&mut pipeline, song, output, packed)?;
        Ok(Outcome {
            loudness,
            figures,
            decisions: pipeline.normalizer_readings().map(|reading| reading.decision()),
            learned,
            latency: pipeline.latency().clone(),
            profile_s,
            mixing_s: started.elapsed().as_secs_f64() - profile_s,
            duration_s: song.frames as f64 / f64::from(song.sample_rate_hz),
        })
    }

    fn step(&self, what: &str) -> Step {
        if self.quiet { progress::hidden() } else { progress::fraction(what) }
    }

    /// Measures the stems at the model's rate, where the corrections are applied, and normalizes them on the way. That works
    /// on copies: the stems themselves are still to be mixed.
    fn whole_file_profile(
        &self,
        song: &mut Song<StemFile>,
        spaces: &Spaces<'_, StemFile>,
    ) -> Result<Normalized<StemFile>> {
        let bar = self.step("measuring");
        let (song_rate_hz, model_rate_hz) = (song.sample_rate_hz, self.choice.sample_rate_hz());
        let stems = song.stems.iter_mut().collect();
        let copies = batch::run_each(stems, normalized::TOGETHER, |stem: &mut Option<StemFile>| {
            let stem = stem.as_mut()?;
            Some(spaces().and_then(|space| resample(stem, song_rate_hz, model_rate_hz, space)))
        });
        let mut stems = <[Option<StemFile>; Stem::COUNT]>::default();
        for (stem, copy) in stems.iter_mut().zip(copies) {
            *stem = copy.transpose()?;
        }
        let normalized = Normalized::of(stems, &self.recipe, &self.targets, f64::from(model_rate_hz), &bar)?;
        bar.finish();
        Ok(normalized)
    }

    /// Runs the network over the normalized stems for what it averages.
    fn song_statistics(&self, normalized: &mut Normalized<StemFile>) -> Result<Option<Statistics>> {
        let bar = self.step("listening");
        let statistics = self.choice.song_statistics(normalized.stems(), &mut |share| {
            progress::set_fraction(&bar, share);
            Ok(())
        });
        bar.finish();
        statistics.context("the network cannot be run over the song")
    }

    /// Mixes the song piece by piece into the output file.
    fn write_mix(
        &self,
        pipeline: &mut Pipeline,
        song: &mut Song<StemFile>,
        output: &Path,
        (container, samples): (Container, Samples),
    ) -> Result<(OfflineFigures, Loudness)> {
        let bar = self.step("mixing");
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
        let (sample_rate_hz, frames) = (song.sample_rate_hz, song.frames as u64);
        let format = AudioFormat { container, sample_rate_hz, frames, samples };
        let written = write_audio_with(output, format, |sink| {
            let mut take = |[left, right]: [&[f32]; 2]| {
                meter.add(left, right).map_err(|error| format!("{error:#}"))?;
                sink.write(left, right).map_err(|error| error.to_string())
            };
            let figures = mix_stream(pipeline, &mut source, &mut take).context("the song cannot be mixed")?;
            Ok::<_, anyhow::Error>((figures, sink.clipped()))
        });
        bar.finish();
        let (figures, clipped) = written.with_context(|| output.display().to_string())?;
        if clipped > 0 {
            song.notes.push(format!(
                "{clipped} samples of the mix are above full scale and are cut off there; a .wav with --bits 32f keeps them"
            ));
        }
        Ok((figures, meter.loudness()?))
    }
}

/// A session that is brought to its working level by more than this is worth a word, in dB.
const UNUSUAL_SESSION_DB: f64 = 15.0;

/// The song or the set that is meant, with the files that were named one by one.
fn found(args: &Args) -> Result<Found> {
    let found = match &args.song {
        Some(folder) => args.set.find(folder, &args.reading)?,
        None => Found::Song(Box::new(SongFiles::new("song"))),
    };
    let named = [&args.vocals, &args.bass, &args.drums, &args.other];
    let mut files = match found {
        Found::Song(files) => files,
        Found::Set(_) if named.iter().any(|named| named.is_some()) => {
            bail!("--vocals, --bass, --drums and --other are for one song, not for a set")
        }
        set => return Ok(set),
    };
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
    Ok(Found::Song(files))
}

/// How a mix of that name is written.
fn packed(output: &Path, bits: Option<Samples>) -> Result<(Container, Samples)> {
    let container = Container::of(output).unwrap_or_default();
    let samples = bits.unwrap_or(container.samples());
    if (container, samples) == (Container::Flac, Samples::Float32) {
        bail!("FLAC holds whole numbers: use --bits 24 or 16, or give the mix a name that ends in .wav");
    }
    Ok((container, samples))
}
