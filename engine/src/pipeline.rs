//! The synchronous pipeline: stems at the host's rate in, the aligned mix at the host's rate out. Everything that
//! makes sound happens here and nowhere else, in one thread and in one order, so the plug-in's worker, its bounce and
//! the command line produce the same bits. Output frame n belongs to input frame n: every stage's delay is trimmed, and
//! frames simply come out later than they went in ([`Pipeline::latency`]).
//!
//! [`Pipeline::push`] does everything. The worker uses the pieces instead, so that the normalized sum is out before the
//! network starts: [`Pipeline::ingest`], then [`Pipeline::run_hop`] or [`Pipeline::skip_hop`] while a hop is due.

use tributary_dsp::{
    CHANNELS, Corrections, FxNormalizer, ProfileSource, Recipe, StemReading, StemsBlock, Targets,
};

use crate::contract::{ContractLimiter, WindowGeometry};
use crate::crossfade::HopCrossfade;
use crate::error::{EngineError, ModelError};
use crate::latency::{LatencyReport, pipeline_latency};
use crate::limiter::Limiter;
use crate::meters::MeterBank;
use crate::model::{MixHop, MixModel};
use crate::output::HostOutput;
use crate::resample::Resampler;
use crate::silence;
use crate::statistics::Statistics;
use crate::tap::Tap;
use crate::window::StemWindow;

/// Frames the normalizer processes at a time.
const NORMALIZER_BLOCK_FRAMES: usize = 1024;
/// Frames of a push that are handled before due hops run: bounds the memory a long push takes.
const PUSH_FRAMES: usize = 4096;
static SILENCE: [f32; PUSH_FRAMES] = [0.0; PUSH_FRAMES];
/// Samples beyond this (+60 dB full scale) are garbage, not audio. They become silence, like what is not a number:
/// clamped, a burst of them would be the loudest material that the running estimates ever hear.
const LIMIT_LINEAR: f32 = 1000.0;
/// Values below this are set to zero: decaying filters otherwise end in denormals, which cost a hundredfold.
const DENORMAL_GUARD_LINEAR: f32 = 1e-20;
/// Once a model's output has fallen below this (−120 dB full scale) and its window is silent, it rests.
const REST_LINEAR: f32 = 1e-6;

/// Builds the normalizer a pipeline uses. Also gives the engine its latency before a model exists.
pub(crate) fn build_normalizer(
    recipe: &Recipe,
    targets: &Targets,
    source: ProfileSource,
    sample_rate_hz: f64,
) -> Result<FxNormalizer, EngineError> {
    FxNormalizer::new(recipe, targets, source, sample_rate_hz, NORMALIZER_BLOCK_FRAMES)
        .map_err(|e| EngineError::Normalizer { reason: e.to_string() })
}

/// What one call of [`Pipeline::run_hop`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HopOutcome {
    /// The model ran.
    Mixed,
    /// All stems have been silent for longer than the window; silence was written without running the model.
    Rested,
    /// The model wrote something that is not a number. Its frames are marked missing and the model was reset.
    Discarded,
}

/// Stems to mix, synchronously. See the module documentation.
pub struct Pipeline {
    geometry: WindowGeometry,
    latency: LatencyReport,
    to_model: Resampler<CHANNELS>,
    stage: Stage,
    model: Box<dyn MixModel>,
    crossfade: HopCrossfade,
    limiter: Option<Limiter>,
    mix: [Vec<f32>; 2],
    mix_peak: f32,
    resting: bool,
    mix_output: HostOutput,
    pushed_frames: u64,
    sanitized: [Vec<f32>; CHANNELS],
}

/// What happens at the model's rate before the window is complete. Apart from [`Pipeline`] so that the resampler can
/// hand frames to it while both are borrowed.
struct Stage {
    normalizer: FxNormalizer,
    /// Frames of the normalizer's delay that still have to be dropped.
    delay_left_frames: usize,
    scratch: [Vec<f32>; CHANNELS],
    sum: [Vec<f32>; 2],
    window: StemWindow,
    sum_output: HostOutput,
    meters: Option<MeterBank>,
    tap: Option<Tap>,
}

impl Pipeline {
    /// A pipeline at any host rate from 8 to 768 kHz, with the limiter that the model's contract asks for.
    ///
    /// # Errors
    /// [`EngineError`] for a rate out of range, contradictory windows or a recipe the normalizer refuses.
    pub fn new(
        model: Box<dyn MixModel>,
        recipe: &Recipe,
        targets: &Targets,
        source: ProfileSource,
        limiter: Option<ContractLimiter>,
        host_rate_hz: f64,
    ) -> Result<Self, EngineError> {
        let geometry = model.geometry();
        geometry.check().map_err(|reason| EngineError::Geometry { reason })?;
        let model_rate_hz = f64::from(geometry.sample_rate_hz);
        let normalizer = build_normalizer(recipe, targets, source, model_rate_hz)?;
        let latency = pipeline_latency(geometry, &normalizer, limiter.is_some(), host_rate_hz)?;
        let mix = || vec![0.0; geometry.mix_frames()];
        Ok(Self {
            geometry,
            latency,
            to_model: Resampler::new(host_rate_hz, model_rate_hz)?,
            stage: Stage {
                delay_left_frames: normalizer.latency_samples(),
                normalizer,
                scratch: std::array::from_fn(|_| Vec::with_capacity(NORMALIZER_BLOCK_FRAMES)),
                sum: std::array::from_fn(|_| Vec::with_capacity(NORMALIZER_BLOCK_FRAMES)),
                window: StemWindow::new(geometry),
                sum_output: HostOutput::new(model_rate_hz, host_rate_hz)?,
                meters: None,
                tap: None,
            },
            model,
            crossfade: HopCrossfade::new(geometry),
            limiter: limiter.map(|limiter| Limiter::new(limiter.ceiling_dbtp, model_rate_hz)),
            mix: [mix(), mix()],
            mix_peak: 0.0,
            resting: false,
            mix_output: HostOutput::new(model_rate_hz, host_rate_hz)?,
            pushed_frames: 0,
            sanitized: std::array::from_fn(|_| Vec::with_capacity(PUSH_FRAMES)),
        })
    }

    /// The same pipeline with loudness meters running ([`Self::meters`]).
    pub fn with_meters(mut self) -> Self {
        self.stage.meters = MeterBank::new(self.geometry.sample_rate_hz);
        self
    }

    /// The same pipeline on two cores, if the model can make use of them: it makes a hop once the next one is there as well,
    /// with the same bits. Output comes one hop later than [`Self::latency`] says, so this is for offline work.
    pub fn on_two_cores(mut self) -> Self {
        if self.model.look_ahead() {
            self.stage.window = self.stage.window.showing_next();
        }
        self
    }

    /// The meters, when the pipeline has some.
    pub fn meters(&self) -> Option<&MeterBank> {
        self.stage.meters.as_ref()
    }

    /// The corrections the normalizer applies at present, in stem order.
    pub fn normalizer_readings(&self) -> [StemReading; 4] {
        self.stage.normalizer.normalize_readings()
    }

    /// Copies what enters the normalizer from now on; `None` ends that.
    pub(crate) fn set_tap(&mut self, tap: Option<Tap>) {
        self.stage.tap = tap;
    }

    /// Lets other corrections take over: at once when no frame of the stream has come in, otherwise as
    /// [`FxNormalizer::glide_to`] does.
    pub fn glide_to(&mut self, corrections: Corrections) {
        self.stage.normalizer.glide_to(corrections);
        if self.pushed_frames == 0 {
            self.stage.normalizer.reset();
        }
    }

    /// Whether nothing is left to be done until the next sound: every stage has decayed and passes silence on. Where that
    /// begins follows from the stream alone.
    pub fn is_resting(&self) -> bool {
        let meters = self.stage.meters.as_ref().is_none_or(MeterBank::are_resting);
        self.resting && self.stage.normalizer.is_resting() && meters
    }

    /// Holds what the model averages over a song, or lets it follow the stream again, from the next hop on – from the
    /// first when no frame of the stream has come in.
    ///
    /// # Errors
    /// [`ModelError::Statistics`] when they are not this model's; nothing has then changed.
    pub fn freeze_statistics(&mut self, statistics: Option<Statistics>) -> Result<(), ModelError> {
        self.model.freeze_statistics(statistics)?;
        if self.pushed_frames == 0 {
            self.model.reset();
        }
        Ok(())
    }

    /// Window lengths of the model.
    pub fn geometry(&self) -> WindowGeometry {
        self.geometry
    }

    /// Output frame n is available once input frame n + `latency().total_frames()` has been pushed.
    pub fn latency(&self) -> &LatencyReport {
        &self.latency
    }

    /// Host frames pushed since the stream started.
    pub fn pushed_frames(&self) -> u64 {
        self.pushed_frames
    }

    /// Back to the start of a stream: the result is that of a fresh pipeline.
    pub fn reset(&mut self) {
        self.to_model.reset();
        let stage = &mut self.stage;
        stage.normalizer.reset();
        stage.delay_left_frames = stage.normalizer.latency_samples();
        stage.window.reset();
        stage.sum_output.reset();
        if let Some(meters) = &mut stage.meters {
            meters.reset();
        }
        if let Some(tap) = &mut stage.tap {
            tap.restart();
        }
        self.model.reset();
        self.crossfade.reset();
        self.limiter.iter_mut().for_each(Limiter::reset);
        self.mix_output.reset();
        self.mix_peak = 0.0;
        self.resting = false;
        self.pushed_frames = 0;
    }

    /// Pushes stems (eight planar slices of equal length, host rate) and makes every hop that becomes due.
    ///
    /// # Errors
    /// When the model fails; the pipeline then needs a [`Self::reset`].
    pub fn push(&mut self, stems: [&[f32]; CHANNELS]) -> Result<(), EngineError> {
        let frames = stems[0].len();
        let mut from = 0;
        while from < frames {
            let to = frames.min(from + PUSH_FRAMES);
            self.ingest(std::array::from_fn(|channel| &stems[channel][from..to]));
            while self.hop_is_due() {
                self.run_hop()?;
            }
            from = to;
        }
        Ok(())
    }

    /// Takes stems as far as the window: resampled, normalized, and their sum put out. Makes no hop.
    pub fn ingest(&mut self, stems: [&[f32]; CHANNELS]) {
        let frames = stems[0].len();
        let mut from = 0;
        while from < frames {
            let to = frames.min(from + PUSH_FRAMES);
            let piece = stems.map(|channel| &channel[from..to]);
            let clean = if piece.iter().all(|channel| silence::is_silent(channel)) {
                [&SILENCE[..to - from]; CHANNELS]
            } else {
                for (clean, channel) in self.sanitized.iter_mut().zip(piece) {
                    clean.clear();
                    clean.extend_from_slice(channel);
                    sanitize(clean);
                }
                std::array::from_fn(|c| &self.sanitized[c][..])
            };
            let stage = &mut self.stage;
            self.to_model.process(clean, |piece| stage.take(piece));
            from = to;
        }
        self.stage.flush();
        self.pushed_frames += frames as u64;
    }

    /// Whether the window of the next hop is complete.
    pub fn hop_is_due(&self) -> bool {
        self.stage.window.is_complete()
    }

    /// Frames at the model's rate that must still arrive before a hop is due.
    pub fn missing_frames(&self) -> usize {
        self.stage.window.missing_frames()
    }

    /// The host frame one past the end of the next hop to be made.
    pub fn next_hop_end_frame(&self) -> u64 {
        let held = self.limiter.as_ref().map_or(0, Limiter::held_frames);
        let end = self.mix_output.taken_frames() + (held + self.geometry.hop_frames) as u64;
        (end as f64 / self.mix_output.model_per_host()) as u64
    }

    /// Makes the hop that is due. Does nothing but report `Rested` when none is.
    ///
    /// # Errors
    /// When the model fails; the hop is then still due.
    pub fn run_hop(&mut self) -> Result<HopOutcome, ModelError> {
        if !self.hop_is_due() {
            return Ok(HopOutcome::Rested);
        }
        let silent = self.stage.window.is_silent();
        let outcome = if silent && (self.resting || self.mix_peak < REST_LINEAR) {
            if !self.resting {
                self.model.rest();
                self.resting = true;
            }
            self.mix.iter_mut().for_each(|side| side.fill(0.0));
            HopOutcome::Rested
        } else {
            self.resting = false;
            let [left, right] = &mut self.mix;
            self.model.run(&self.stage.window, &mut MixHop { left, right })?;
            self.mix_peak = peak(&self.mix);
            if !self.mix_peak.is_finite() {
                self.model.reset();
                self.skip_hop();
                return Ok(HopOutcome::Discarded);
            }
            HopOutcome::Mixed
        };
        self.crossfade.join(&mut self.mix);
        let hop = self.geometry.hop_frames;
        let made = [&self.mix[0][..hop], &self.mix[1][..hop]];
        let Self { limiter, stage, mix_output, .. } = self;
        let mut put_out = |mix: [&[f32]; 2]| {
            if let Some(meters) = &mut stage.meters {
                meters.add_mix(mix);
            }
            mix_output.take(mix);
        };
        match limiter {
            Some(limiter) => limiter.pass(made, put_out),
            None => put_out(made),
        }
        self.stage.window.advance(true);
        Ok(outcome)
    }

    /// Gives up the hop that is due without running the model. Its frames come out marked: see [`is_missing`].
    pub fn skip_hop(&mut self) {
        if self.hop_is_due() {
            self.crossfade.reset();
            self.mix_peak = f32::INFINITY;
            if let Some(limiter) = &mut self.limiter {
                limiter.flush(|held| self.mix_output.take(held));
            }
            self.mix_output.take_missing(self.geometry.hop_frames);
            self.stage.window.advance(false);
        }
    }

    /// Flushes with silence until every pushed frame has its mix; after this, pulling returns exactly as many frames
    /// as were pushed. The stream ends here: only [`Self::reset`] may follow.
    ///
    /// # Errors
    /// When the model fails.
    pub fn finish(&mut self) -> Result<(), EngineError> {
        let wanted = self.pushed_frames;
        let silence = [0.0; 1024];
        while self.mix_output.made_frames() < wanted || self.stage.sum_output.made_frames() < wanted {
            self.push([&silence; CHANNELS])?;
        }
        self.pushed_frames = wanted;
        self.mix_output.truncate(wanted);
        self.stage.sum_output.truncate(wanted);
        Ok(())
    }

    /// Mix frames that can be pulled.
    pub fn mix_ready_frames(&self) -> usize {
        self.mix_output.ready_frames()
    }

    /// Frames of the normalized sum that can be pulled.
    pub fn sum_ready_frames(&self) -> usize {
        self.stage.sum_output.ready_frames()
    }

    /// Pulls up to `out[0].len()` mix frames in order and returns how many were written.
    pub fn pull_mix(&mut self, out: &mut [&mut [f32]; 2]) -> usize {
        self.mix_output.pull(out)
    }

    /// Pulls up to `out[0].len()` frames of the plain sum of the normalized stems and returns how many were written.
    pub fn pull_sum(&mut self, out: &mut [&mut [f32]; 2]) -> usize {
        self.stage.sum_output.pull(out)
    }
}

impl Stage {
    /// Takes resampled stems in pieces of any length, which are gathered: [`Self::flush`] ends that.
    fn take(&mut self, stems: [&[f32]; CHANNELS]) {
        let frames = stems[0].len();
        let mut from = 0;
        while from < frames {
            let to = frames.min(from + NORMALIZER_BLOCK_FRAMES - self.scratch[0].len());
            for (scratch, channel) in self.scratch.iter_mut().zip(stems) {
                scratch.extend_from_slice(&channel[from..to]);
            }
            if self.scratch[0].len() == NORMALIZER_BLOCK_FRAMES {
                self.flush();
            }
            from = to;
        }
    }

    /// Passes on what was gathered.
    fn flush(&mut self) {
        if !self.scratch[0].is_empty() {
            self.normalize();
            self.scratch.iter_mut().for_each(Vec::clear);
        }
    }

    /// Normalizes what lies in `scratch` and passes it on to window, sum and meters.
    fn normalize(&mut self) {
        if let Some(meters) = &mut self.meters {
            meters.add_stems_before(std::array::from_fn(|c| &self.scratch[c][..]));
        }
        if let Some(tap) = &mut self.tap {
            tap.push(std::array::from_fn(|c| &self.scratch[c][..]));
        }
        let mut channels = self.scratch.iter_mut();
        self.normalizer.process(&mut StemsBlock {
            channels: std::array::from_fn(|_| {
                channels.next().map_or(&mut [] as &mut [f32], |c| c.as_mut_slice())
            }),
        });
        let dropped = self.delay_left_frames.min(self.scratch[0].len());
        self.delay_left_frames -= dropped;
        self.scratch.iter_mut().for_each(|channel| sanitize(channel));
        let stems: [&[f32]; CHANNELS] = std::array::from_fn(|c| &self.scratch[c][dropped..]);
        if stems[0].is_empty() {
            return;
        }
        for (side, sum) in self.sum.iter_mut().enumerate() {
            sum.clear();
            sum.extend_from_slice(stems[side]);
            for stem in 1..CHANNELS / 2 {
                for (sum, x) in sum.iter_mut().zip(stems[2 * stem + side]) {
                    *sum += x;
                }
            }
        }
        let sum = [&self.sum[0][..], &self.sum[1][..]];
        if let Some(meters) = &mut self.meters {
            meters.add_stems_after(stems, sum);
        }
        self.sum_output.take(sum);
        self.window.append(stems);
    }
}

/// Whether a pulled mix frame is missing because its hop was skipped. Audio never holds this value: everything is
/// sanitized before it gets out.
pub fn is_missing(left: f32) -> bool {
    left.is_nan()
}

/// Silences garbage and denormals.
fn sanitize(samples: &mut [f32]) {
    if silence::is_silent(samples) {
        // Not even the sign of a zero may depend on how the stream was cut.
        return samples.fill(0.0);
    }
    for x in samples {
        // False for NaN, which ends as 0.
        *x = if (DENORMAL_GUARD_LINEAR..=LIMIT_LINEAR).contains(&x.abs()) { *x } else { 0.0 };
    }
}

/// Largest magnitude of both channels; infinite when a sample is not finite.
fn peak(mix: &[Vec<f32>; 2]) -> f32 {
    let of = |side: &Vec<f32>| {
        side.iter().fold(0.0_f32, |peak, x| if x.is_finite() { peak.max(x.abs()) } else { f32::INFINITY })
    };
    of(&mix[0]).max(of(&mix[1]))
}
