//! `tributary normalize`: writes every stem of every song as Fx-normalization leaves it, ready for training.
//!
//! This is the only way training data is normalized: the training side reads these WAVs, so training and the live
//! plug-in share one implementation. Songs are independent; see [`crate::jobs::ledger`] for what makes the job resumable.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::json;
use tributary_audio_io::dataset::{SongFiles, Source, file_name};
use tributary_audio_io::error::AudioFileError;
use tributary_audio_io::file_output::write_audio_with;
use tributary_audio_io::outputs::Outputs;
use tributary_audio_io::resample::resample;
use tributary_audio_io::song::{Rate, Song, read_source};
use tributary_audio_io::stem_space::{for_each_piece, spaces_in};
use tributary_audio_io::writer::{AudioFormat, Container};
use tributary_dsp::{
    EffectName, GainLimit, LARGEST_GAIN_DB, Recipe, Session, Stem, StemProfile, StemStore, Targets, WholeFile,
};
use tributary_engine::StemFile;
use tributary_engine::sha256_hex;

use crate::jobs::batch;
use crate::jobs::ledger::{Ledger, Partial, Record};
use crate::jobs::song_jobs::{JobArgs, Outcome, SongJobs, conclude};
use crate::metrics::Meter;
use crate::options::normalization::{Normalization, NormalizationArgs, TRAINING_RATE_HZ};
use crate::options::reverb::Draws;
use crate::options::selection::SelectionArgs;
use crate::report::{self, Table};

/// Arguments of `tributary normalize`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    selection: SelectionArgs,
    /// Folder to write `<song>/<stem>.wav` into; made if absent, resumed if not
    #[arg(short, long, value_name = "FOLDER")]
    output: PathBuf,
    #[command(flatten)]
    normalization: NormalizationArgs,
    /// Draw the reverb's corners and room for every song, from this seed and the song's name
    #[arg(long, value_name = "NUMBER")]
    reverb_seed: Option<u64>,
    #[command(flatten)]
    job: JobArgs,
    /// Skip songs of which audio is not used or cannot be read, instead of going on without it
    #[arg(long)]
    strict: bool,
    /// Link to mixtures that fit as they are instead of copying them: saves space, but the links break when the set moves
    #[arg(long)]
    link_mixtures: bool,
}

/// Normalizes a data set.
///
/// # Errors
/// No songs, wrong settings, an output folder that cannot be written, or not one song that could be normalized.
pub fn run(args: &Args) -> Result<()> {
    let songs = args.selection.songs()?;
    let Normalization { recipe, targets, rooms, files } = args.normalization.resolve()?;
    if args.reverb_seed.is_none() && rooms.len() > 1 {
        bail!("--reverb-rooms names {} rooms; draw among them with --reverb-seed", rooms.len());
    }
    let draws = args.reverb_seed.map(|seed| Draws::new(seed, rooms, &recipe)).transpose()?;
    check_outputs(args, &songs, &files)?;
    let mine = args.job.share(&songs);
    let jobs = args.job.jobs.unwrap_or_else(batch::default_jobs);
    // Few songs, many processors: the stems of a song then share them.
    let stem_jobs = (jobs / mine.len().max(1)).clamp(1, Stem::COUNT);
    let settings = settings_hash(&recipe, &targets, draws.as_ref(), args.strict)?;
    let normalizing = Normalizing { recipe, targets, draws, stem_jobs, link_mixtures: args.link_mixtures };
    let work = |files: &SongFiles, song: Song<StemFile>, partial: &Partial, record: &mut Record| {
        normalizing.write_song(files, song, partial, record)
    };
    let ledger = Ledger::open(&args.output)?;
    let rate = Rate::Hz(TRAINING_RATE_HZ);
    let song_jobs = SongJobs { ledger, settings, strict: args.strict, rate, work: &work };
    let outcomes = song_jobs.run(&mine, jobs, "normalizing");

    let mut summary =
        json!({ "command": "normalize", "settings": song_jobs.settings, "recipe": normalizing.recipe });
    if let Some(draws) = &normalizing.draws {
        summary["reverb_draws"] = draws.settings();
    }
    song_jobs.report(summary, &songs)?;
    if let [Outcome::Written(record)] = &outcomes[..] {
        report::say(stem_table(record).to_string().trim_end());
    }
    conclude(&args.output, &outcomes, "normalized")
}

/// What is done with all songs alike.
struct Normalizing {
    recipe: Recipe,
    targets: Targets,
    draws: Option<Draws>,
    stem_jobs: usize,
    link_mixtures: bool,
}

impl Normalizing {
    /// Normalizes and writes all stems and the mixture, and fills the record.
    fn write_song(
        &self,
        files: &SongFiles,
        mut song: Song<StemFile>,
        partial: &Partial,
        record: &mut Record,
    ) -> Result<()> {
        let mixture = Mixture::read(files, &partial.folder, &mut record.notes)?;
        let mixture_frames = mixture.as_ref().map_or(song.frames, |mixture| mixture.audio.frames());
        record.frames = song.frames.max(mixture_frames);
        if mixture_frames != song.frames {
            record
                .notes
                .push("the mixture and the stems differ in length; the shorter end in silence".into());
        }
        let recipe = match &self.draws {
            Some(draws) => draws.of_song(&self.recipe, &files.name),
            None => self.recipe.clone(),
        };
        record.reverb = self.draws.is_some().then(|| json!(recipe.reverb));
        let session = song.session(&recipe)?;
        let stems = Stem::ALL.into_iter().zip(song.stems).collect();
        let frames = record.frames;
        let entries = batch::run_each(stems, self.stem_jobs, |(stem, audio)| {
            Some((stem, self.write_stem(stem, audio?, (&recipe, &session), frames, &partial.folder)))
        });
        for (stem, written) in entries.into_iter().flatten() {
            let (entry, note) = written?;
            record.stems.insert(stem.name().into(), entry);
            record.notes.extend(note.map(|note| format!("the {stem} stem {note}")));
        }
        if let Some(mixture) = mixture {
            mixture.write(&partial.folder.join("mixture.wav"), record.frames, self.link_mixtures)?;
        }
        Ok(())
    }

    /// Normalizes one stem and writes it; returns its entry in the record, and what to tell the user.
    fn write_stem(
        &self,
        stem: Stem,
        mut audio: StemFile,
        (recipe, session): (&Recipe, &Session),
        frames: usize,
        folder: &Path,
    ) -> Result<(serde_json::Value, Option<String>)> {
        let mut before = Meter::of_stem(TRAINING_RATE_HZ)?;
        for_each_piece(&mut audio, |left, right| before.add(left, right))?;
        let rate_hz = f64::from(TRAINING_RATE_HZ);
        let profile = WholeFile::new(stem, recipe, &self.targets, rate_hz)?
            .in_session(session)
            .normalize(&mut audio, &mut |_| {})
            .with_context(|| format!("cannot normalize the {} stem", stem.name()))?;
        let mut after = Meter::of_stem(TRAINING_RATE_HZ)?;
        for_each_piece(&mut audio, |left, right| after.add(left, right))?;
        audio.set_frames(frames)?;
        write(&mut audio, &folder.join(format!("{}.wav", stem.name())))?;
        let (loudness, peak) = ((before.stem_level()?, after.stem_level()?), before.peak());
        let note = self.left_alone(peak, profile.as_ref());
        let profile = without_curves(&profile.unwrap_or_default());
        Ok((json!({ "before": loudness.0, "after": loudness.1, "profile": profile }), note))
    }

    /// Why a stem, or one feature of it, was not normalized.
    fn left_alone(&self, peak: f32, profile: Option<&StemProfile>) -> Option<String> {
        if peak == 0.0 {
            return Some("is silent".into());
        }
        let Some(profile) = profile else {
            return Some(format!("is too quiet to normalize (its peak is {:.1} dBFS)", 20.0 * peak.log10()));
        };
        match profile.loudness.and_then(|loudness| loudness.limit) {
            Some(GainLimit::Bleed) => return Some("is bleed beside the others; it is not raised".into()),
            Some(GainLimit::Bound) => {
                return Some(format!(
                    "would need a gain of more than {LARGEST_GAIN_DB:.0} dB; it gets no more"
                ));
            }
            None => {}
        }
        let dynamics_wanted = self.recipe.effect(EffectName::Dynamics).effective_amount() > 0.0;
        (dynamics_wanted && profile.dynamics.is_none())
            .then(|| "has no onsets; its dynamics are left alone".into())
    }
}

/// Writes a stem or a mixture as a file of the set.
fn write(audio: &mut StemFile, path: &Path) -> Result<()> {
    let (container, frames) = (Container::Wav, audio.frames() as u64);
    let samples = container.samples();
    let format = AudioFormat { container, sample_rate_hz: TRAINING_RATE_HZ, frames, samples };
    write_audio_with(path, format, |sink| for_each_piece(audio, |left, right| Ok(sink.write(left, right)?)))
        .with_context(|| path.display().to_string())
}

/// The profile without its long equalization curves, which would make the report as large as audio.
fn without_curves(profile: &StemProfile) -> serde_json::Value {
    let mut profile = json!(profile);
    if let Some(equalization) = profile.get_mut("equalization").and_then(|value| value.as_object_mut()) {
        equalization.remove("curves_db");
    }
    profile
}

/// The human-made mix of a song, read once.
struct Mixture {
    source: Source,
    audio: StemFile,
    untouched: bool,
}

impl Mixture {
    /// Reads the mixture if there is one; an unreadable one becomes a note.
    fn read(files: &SongFiles, folder: &Path, notes: &mut Vec<String>) -> Result<Option<Self>> {
        let Some(source) = &files.mixture else {
            notes.push("there is no mixture".into());
            return Ok(None);
        };
        let (path, spaces) = (source.path(), spaces_in(folder));
        let (mut audio, rate_hz, mended) = match read_source(source, spaces()?) {
            Ok(read) => read,
            Err(AudioFileError::Store(error)) => return Err(error.into()),
            Err(error) => {
                notes.push(format!("{} {error}; the song goes on without it", path.display()));
                return Ok(None);
            }
        };
        notes.extend(mended.iter().map(|note| format!("{}: {note}", file_name(path))));
        let is_wav = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("wav"));
        let untouched = is_wav && rate_hz == TRAINING_RATE_HZ && mended.is_empty();
        if rate_hz != TRAINING_RATE_HZ {
            audio = resample(&mut audio, rate_hz, TRAINING_RATE_HZ, spaces()?)?;
        }
        Ok(Some(Self { source: source.clone(), audio, untouched }))
    }

    /// Copies the file when it fits as it is, or links to it by name, else writes it anew. Never a hard link: who changes
    /// the result in place would change the data set. Where the file system can, a copy shares the original's blocks.
    fn write(mut self, path: &Path, frames: usize, link: bool) -> Result<()> {
        if !self.untouched || self.audio.frames() != frames {
            self.audio.set_frames(frames)?;
            return write(&mut self.audio, path);
        }
        let source = self.source.path().canonicalize();
        let written = source.and_then(|source| match link {
            true => link_to(&source, path),
            false => fs::copy(&source, path).map(drop),
        });
        written.with_context(|| format!("{} cannot be written", path.display()))
    }
}

/// Makes a symbolic link.
fn link_to(source: &Path, path: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    return std::os::unix::fs::symlink(source, path);
    #[cfg(windows)]
    return std::os::windows::fs::symlink_file(source, path);
    #[cfg(not(any(unix, windows)))]
    return Err(std::io::ErrorKind::Unsupported.into());
}

/// Refuses an output folder inside the input or the reverse: the job would read its own results, or replace the songs.
/// Settings may lie in the output folder, but not where something is written.
fn check_outputs(args: &Args, songs: &[SongFiles], settings: &[PathBuf]) -> Result<()> {
    let output = &args.output;
    Outputs::new().fills([output]).reads([&args.selection.input]).check()?;
    fs::create_dir_all(output).with_context(|| format!("cannot create the folder {}", output.display()))?;
    let ours = songs.iter().map(|song| output.join(&song.name)).chain([output.join(Ledger::FOLDER)]);
    let outputs = Outputs::new().texts([&output.join(Ledger::REPORT)]).fills(ours);
    Ok(outputs.reads(settings).reads(args.selection.set.instruments()).check()?)
}

/// Hash of everything but the audio that decides the result.
fn settings_hash(recipe: &Recipe, targets: &Targets, draws: Option<&Draws>, strict: bool) -> Result<String> {
    let mut settings = json!({
        "recipe": recipe,
        "targets": targets,
        "sample_rate_hz": TRAINING_RATE_HZ,
        "version": env!("CARGO_PKG_VERSION"),
    });
    if let Some(draws) = draws {
        settings["reverb_draws"] = draws.settings();
    }
    // Only where it is asked for: what was normalized without it stays valid.
    if strict {
        settings["strict"] = json!(true);
    }
    Ok(sha256_hex(serde_json::to_string(&settings)?.as_bytes()))
}

/// Loudness and peak of each stem before and after.
fn stem_table(record: &Record) -> Table {
    let mut table = Table::new(&["stem", "LUFS", "→ LUFS", "dBFS", "→ dBFS"]);
    for stem in Stem::ALL {
        let Some(entry) = record.stems.get(stem.name()) else { continue };
        let number = |when: &str, what: &str| report::level(entry[when][what].as_f64());
        table.row(vec![
            stem.name().into(),
            number("before", "integrated_lufs"),
            number("after", "integrated_lufs"),
            number("before", "peak_dbfs"),
            number("after", "peak_dbfs"),
        ]);
    }
    table
}
