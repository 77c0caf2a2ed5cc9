//! How one song is mixed into a file: measured, heard once by the network, and sent through the pipeline, piece by piece.

use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use tributary_audio_io::file_output::write_audio_with;
use tributary_audio_io::resample::resample;
use tributary_audio_io::song::Song;
use tributary_audio_io::stem_space::Spaces;
use tributary_audio_io::writer::{AudioFormat, Container, Samples};
use tributary_dsp::{CHANNELS, Cause, CorrectionSource, Recipe, Stem, StemStore, Targets};
use tributary_engine::offline::{OfflineFigures, mix_stream};
use tributary_engine::{Controls, LatencyReport, Pipeline, Statistics, StemFile};

use super::args::{Args, Profile};
use crate::jobs::batch;
use crate::metrics::{Loudness, Meter};
use crate::model::ModelChoice;
use crate::normalized::{self, Normalized};
use crate::options::normalization::Normalization;
use crate::progress::{self, Step};

/// A session that is brought to its working level by more than this is worth a word, in dB.
const UNUSUAL_SESSION_DB: f64 = 15.0;

/// What was measured of a finished mix.
pub struct Outcome {
    /// Of the mix.
    pub loudness: Loudness,
    /// Of the stems, before and after.
    pub figures: OfflineFigures,
    /// What was done to each stem at the song's end, and why.
    pub decisions: [String; Stem::COUNT],
    /// The network's averages were learned from the whole song.
    pub learned: bool,
    /// What the pipeline delays.
    pub latency: LatencyReport,
    /// Time that measuring and listening took, in seconds.
    pub profile_s: f64,
    /// Time that mixing took, in seconds.
    pub mixing_s: f64,
    /// Length of the song, in seconds.
    pub duration_s: f64,
}

impl Outcome {
    /// Processing time over audio time.
    pub fn real_time_factor(&self) -> f64 {
        (self.profile_s + self.mixing_s) / self.duration_s
    }
}

/// What all songs are mixed with.
pub struct Mixing<'a> {
    /// What was said.
    pub args: &'a Args,
    /// What mixes.
    pub choice: ModelChoice,
    /// How stems are normalized.
    pub recipe: Recipe,
    /// What they are brought to.
    pub targets: Targets,
    /// How the mix is steered.
    pub controls: Controls,
    /// Whether the steps of one song are shown.
    quiet: bool,
}

impl<'a> Mixing<'a> {
    /// Opens the model and puts the options together; returns the files that were read for them as well.
    pub fn open(args: &'a Args, quiet: bool) -> Result<(Self, Vec<PathBuf>)> {
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
    pub fn mix(
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
            pipeline = pipeline.with_ready_stems(Box::new(move |start, stems| {
                normalized.read(start, stems).map_err(Cause::new)
            }));
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
                    Some(stem) => {
                        stem.read(at, &mut left[..count], &mut right[..count]).map_err(Cause::new)?;
                    }
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
                meter.add(left, right).map_err(Cause::new)?;
                sink.write(left, right).map_err(Cause::new)
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
