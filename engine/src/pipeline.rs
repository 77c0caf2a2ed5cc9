//! The synchronous pipeline: stems at the host's rate in, the aligned mix at the host's rate out. Everything that
//! makes sound happens here and nowhere else, in one thread and in one order, so the plug-in's worker, its bounce and
//! the command line produce the same bits. Output frame n belongs to input frame n: every stage's delay is trimmed, and
//! frames simply come out later than they went in ([`Pipeline::latency`]).
//!
//! [`Pipeline::push`] does everything. The worker uses the pieces instead, so that the normalized sum is out before the
//! network starts: [`Pipeline::ingest`], then [`Pipeline::run_hop`] or [`Pipeline::skip_hop`] while a hop is due.

pub(crate) mod anchor;
mod faders;
pub(crate) mod image;
pub(crate) mod intake;
pub(crate) mod join;
pub(crate) mod limiter;
pub(crate) mod meters;
mod network;
pub(crate) mod normalize;
pub(crate) mod output;
mod sum;
mod timeline;
pub mod watch;
pub(crate) mod window;

use tributary_dsp::explain::Explanation;
use tributary_dsp::{
    CHANNELS, CorrectionSource, Corrections, LockedCorrections, Recipe, SongProfile, StemReading, Targets,
    TonePortrait,
};

pub use meters::{Loudness, MeterBank};
pub use normalize::ReadyStems;
pub use window::{HOPS_SHOWN, StemWindow};

use anchor::Anchor;
use faders::Faders;
use intake::{Block, Intake, PUSH_FRAMES};
use join::HopJoin;
use network::NetworkShare;
use normalize::{Normalize, StemListener, build_normalizer};
use output::HostOutput;
use sum::StemSum;
use watch::MixWatch;

use crate::bundle::contract::{ContractLimiter, WindowGeometry};
use crate::bundle::statistics::Statistics;
use crate::controls::Controls;
use crate::error::{EngineError, ModelError};
use crate::latency::{LatencyReport, pipeline_latency};
use crate::mask_meter::MaskMeter;
use crate::model::{MaskHold, MixHop, MixModel};

/// Once a model's output has fallen below this (−120 dB full scale) and its window is silent, it rests.
const REST_LINEAR: f32 = 1e-6;

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
///
/// ```
/// use tributary_dsp::{CorrectionSource, Recipe, Targets};
/// use tributary_engine::{ContractLimiter, Pipeline, SumModel, WindowGeometry};
///
/// let model = Box::new(SumModel::new(WindowGeometry::DEFAULT));
/// let (recipe, targets) = (Recipe::bypass(), Targets::default());
/// let mut pipeline = Pipeline::new(model, &recipe, &targets, CorrectionSource::Adaptive, None, 44_100.0)?;
/// let stem = vec![0.1_f32; 44_100];
/// pipeline.push([&stem, &stem, &stem, &stem, &stem, &stem, &stem, &stem])?;
/// let (mut left, mut right) = (vec![0.0; 4_096], vec![0.0; 4_096]);
/// assert_eq!(pipeline.pull_mix(&mut [&mut left, &mut right]), 4_096);
/// assert!((left[4_000] - 0.4).abs() < 1e-3, "four times 0.1");
/// # Ok::<(), tributary_engine::EngineError>(())
/// ```
pub struct Pipeline {
    geometry: WindowGeometry,
    latency: LatencyReport,
    intake: Intake,
    normalize: Normalize,
    faders: Faders,
    sum: StemSum,
    sum_output: HostOutput,
    meters: Option<MeterBank>,
    watch: Option<MixWatch>,
    window: StemWindow,
    model: Box<dyn MixModel>,
    network: NetworkShare,
    crossfade: HopJoin,
    mix: [Vec<f32>; 2],
    mix_peak: f32,
    resting: bool,
    mix_output: HostOutput,
    host_rate_hz: f64,
    /// The song's host frame with which the stream begins.
    song_frame: i64,
    /// Frames at the beginning of the next hop that lie ahead of the stream.
    lead_frames: usize,
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
        source: CorrectionSource,
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
            intake: Intake::new(host_rate_hz, model_rate_hz)?,
            normalize: Normalize::new(normalizer),
            faders: Faders::new(model_rate_hz),
            sum: StemSum::default(),
            sum_output: HostOutput::new(model_rate_hz, host_rate_hz)?,
            meters: None,
            watch: None,
            window: StemWindow::new(geometry),
            network: NetworkShare::new(geometry, model.mask_share()),
            model,
            crossfade: HopJoin::new(geometry),
            mix: [mix(), mix()],
            mix_peak: 0.0,
            resting: false,
            mix_output: HostOutput::new(model_rate_hz, host_rate_hz)?.limited(limiter, host_rate_hz),
            host_rate_hz,
            song_frame: 0,
            lead_frames: 0,
        })
    }

    /// The same pipeline with loudness meters running ([`Self::meters`]).
    pub fn with_meters(mut self) -> Self {
        self.meters = MeterBank::new(self.geometry.sample_rate_hz);
        self
    }

    /// The same pipeline with meters of its stems only ([`Self::meters`]): whoever writes the mix to a file measures that.
    pub fn with_stem_meters(mut self) -> Self {
        self.meters = MeterBank::of_stems(self.geometry.sample_rate_hz);
        self
    }

    /// The same pipeline with somebody who may watch what the mix does to the stems ([`Self::watch`]).
    pub fn with_watch(mut self) -> Self {
        self.watch = Some(MixWatch::new(f64::from(self.geometry.sample_rate_hz)));
        self
    }

    /// The same pipeline on two cores, if the model can make use of them: it makes a hop once the next ones are there as
    /// well, with the same bits. Output comes so many hops ([`crate::pipeline::window::HOPS_SHOWN`]) later than [`Self::latency`]
    /// says, so this is for offline work.
    pub fn on_two_cores(mut self) -> Self {
        if self.model.look_ahead() {
            self.window = self.window.showing_next();
        }
        self
    }

    /// The same pipeline with stems that were normalized before, as whole files with the corrections it was given: they take
    /// the place of the normalizer's output, so that nothing is normalized twice. For offline work on a song from its
    /// beginning; the stems still have to be pushed, for their meters and as the measure of time.
    pub fn with_ready_stems(mut self, stems: Box<ReadyStems>) -> Self {
        self.normalize.take_from(Some(stems));
        self
    }

    /// The meters, when the pipeline has some.
    pub fn meters(&self) -> Option<&MeterBank> {
        self.meters.as_ref()
    }

    /// Whether somebody looks at where the stems sit.
    pub(crate) fn watch_images(&mut self, watched: bool) {
        self.meters.iter_mut().for_each(|meters| meters.watch_images(watched));
    }

    /// What is known of the tone of each stem, in stem order. For somebody who looks.
    pub(crate) fn tone_portraits(&self) -> [TonePortrait; 4] {
        self.normalize.normalizer().tone_portraits()
    }

    /// By how many host frames the normalized stems lag at present behind those that come in.
    pub(crate) fn normalizer_frames(&self) -> u64 {
        let samples = self.normalize.held_frames() as f64;
        (samples * self.host_rate_hz / f64::from(self.geometry.sample_rate_hz)).round() as u64
    }

    /// Watches from now on, or ceases to. The mix is the same to the bit.
    pub fn watch(&mut self, on: bool) {
        self.watch.iter_mut().for_each(|watch| watch.turn(on));
    }

    /// An estimate of what the mix does to the stems as they arrive ([`tributary_dsp::explain`]), of what was watched; takes
    /// some milliseconds.
    pub fn explain(&self) -> Option<Explanation> {
        self.watch.as_ref()?.explain()
    }

    /// Where the network's masks can be read, if they can.
    pub fn mask_meter(&mut self) -> Option<&mut MaskMeter> {
        self.model.mask_meter()
    }

    /// The corrections the normalizer applies at present, in stem order.
    pub fn normalizer_readings(&self) -> [StemReading; 4] {
        self.normalize.normalizer().normalize_readings()
    }

    /// Lets somebody hear what enters the normalizer from now on; `None` ends that.
    pub(crate) fn set_listener(&mut self, listener: Option<Box<dyn StemListener>>) {
        self.normalize.set_listener(listener);
    }

    /// Lets other corrections take over: at once when no frame of the stream has come in, otherwise as
    /// [`tributary_dsp::FxNormalizer::glide_to`] does.
    pub fn glide_to(&mut self, corrections: Corrections) {
        self.normalize.normalizer_mut().glide_to(corrections);
        if self.intake.pushed_frames() == 0 {
            self.start_at(self.song_frame);
        }
    }

    /// Lets corrections that were kept take over, as [`Self::glide_to`], and keeps them until their stems' lock
    /// ([`crate::StemControls::lock`]) is let go.
    pub fn lock_at(&mut self, kept: LockedCorrections) {
        self.normalize.normalizer_mut().lock_at(kept);
        if self.intake.pushed_frames() == 0 {
            self.start_at(self.song_frame);
        }
    }

    /// The corrections of the stems that are locked. Allocates.
    pub fn locked(&self) -> SongProfile {
        self.normalize.normalizer().locked()
    }

    /// How often [`Self::locked`] may have changed.
    pub(crate) fn lock_changes(&self) -> u64 {
        self.normalize.normalizer().lock_changes()
    }

    /// Whether a share of the network ([`Controls::network`]) is a share of its masks, and not a plain crossfade with the sum.
    pub fn has_masks(&self) -> bool {
        self.model.mask_share().is_some()
    }

    /// Watches the model's masks, or holds them at the mean of what was watched, from the next hop on. Returns whether the model
    /// has masks that can be held.
    pub fn hold_masks(&mut self, hold: MaskHold) -> bool {
        self.model.hold_masks(hold)
    }

    /// Steers the mix from the next frame on that is pushed, gliding; at once when no frame of the stream has come in. Streams
    /// to come begin with these.
    pub fn set_controls(&mut self, controls: &Controls) {
        let controls = controls.sanitized();
        let from_frame = self.intake.next_frame();
        let Self { normalize, faders, network, .. } = self;
        for timeline in [normalize.timeline_mut(), faders.timeline_mut(), network.timeline_mut()] {
            timeline.set(from_frame, controls);
        }
        if self.intake.pushed_frames() == 0 {
            let locks = self.lock_changes();
            self.normalize.arrive();
            self.faders.start();
            self.network.start();
            // What is let go ahead of the first frame has nothing to glide from.
            if self.lock_changes() != locks {
                self.start_at(self.song_frame);
            }
        }
    }

    /// Whether nothing is left to be done until the next sound: every stage has decayed and passes silence on. Where that
    /// begins follows from the stream alone.
    pub fn is_resting(&self) -> bool {
        let meters = self.meters.as_ref().is_none_or(MeterBank::are_resting);
        self.resting && self.normalize.normalizer().is_resting() && meters
    }

    /// Holds what the model averages over a song, or lets it follow the stream again, from the next hop on – from the
    /// first when no frame of the stream has come in.
    ///
    /// # Errors
    /// [`ModelError::Statistics`] when they are not this model's; nothing has then changed.
    pub fn freeze_statistics(&mut self, statistics: Option<Statistics>) -> Result<(), ModelError> {
        match (self.model.learner(), statistics) {
            (Some(learner), statistics) => learner.freeze(statistics)?,
            (None, None) => {}
            (None, Some(_)) => return Err(ModelError::Statistics),
        }
        if self.intake.pushed_frames() == 0 {
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
        self.intake.pushed_frames()
    }

    /// Back to the start of a stream that begins with the song: the result is that of a fresh pipeline.
    pub fn reset(&mut self) {
        self.start_at(0);
    }

    /// Back to the start of a stream whose first frame is the song's host frame `song_frame`, which may be negative. Hops
    /// and all other grids lie where they lie in a stream that begins with the song; latency and alignment are the same.
    pub fn start_at(&mut self, song_frame: i64) {
        let anchor = Anchor::at(song_frame, self.geometry, self.host_rate_hz);
        self.song_frame = song_frame;
        if song_frame != 0 {
            self.normalize.take_from(None);
        }
        self.window.reset();
        self.window.lead_in(anchor.window_frames);
        self.lead_frames = anchor.window_frames;
        self.normalize.start_after(anchor.normalizer_frames);
        self.sum_output.start_after(anchor.host_frames);
        self.faders.start();
        self.network.start();
        self.meters.iter_mut().for_each(MeterBank::reset);
        self.watch.iter_mut().for_each(MixWatch::restart);
        self.take_stems(|intake, behind| intake.start_at(anchor, behind));
        self.model.reset();
        self.crossfade.reset();
        self.mix_output.start_after(anchor.host_frames);
        self.mix_peak = 0.0;
        self.resting = false;
    }

    /// Pushes stems (eight planar slices of equal length, host rate) and makes every hop that becomes due.
    ///
    /// # Errors
    /// When the model fails, or ready stems cannot be read; the pipeline then needs a [`Self::reset`].
    pub fn push(&mut self, stems: [&[f32]; CHANNELS]) -> Result<(), EngineError> {
        let frames = stems[0].len();
        let mut from = 0;
        while from < frames {
            let to = frames.min(from + PUSH_FRAMES);
            self.ingest(std::array::from_fn(|channel| &stems[channel][from..to]));
            if let Some(reason) = self.normalize.take_failure() {
                return Err(EngineError::Stopped { reason });
            }
            while self.hop_is_due() {
                self.run_hop()?;
            }
            from = to;
        }
        Ok(())
    }

    /// Takes stems as far as the window: resampled, normalized, trimmed, and their sum put out. Makes no hop.
    pub fn ingest(&mut self, stems: [&[f32]; CHANNELS]) {
        self.take_stems(|intake, behind| intake.take(stems, behind));
    }

    /// As [`Self::ingest`], of up to 4,096 interleaved frames of eight channels in two parts, as a ring holds them.
    pub(crate) fn ingest_interleaved(&mut self, stems: [&[f32]; 2]) {
        self.take_stems(|intake, behind| intake.take_interleaved(stems, behind));
    }

    /// Lets the intake take stems, and leads its blocks through what lies behind it, as far as the window.
    fn take_stems(&mut self, take: impl FnOnce(&mut Intake, &mut dyn FnMut(&mut Block, usize))) {
        let Self { intake, normalize, faders, sum, sum_output, meters, watch, window, .. } = self;
        take(intake, &mut |block, lead_frames| {
            let arrived = block.each_ref().map(|channel| &channel[lead_frames..]);
            if let Some(meters) = meters {
                meters.add_stems_before(arrived);
            }
            if let Some(watch) = watch {
                watch.take_stems(arrived);
            }
            normalize.process(block, lead_frames, |mut stems| {
                faders.process(&mut stems);
                let stems = stems.each_ref().map(|channel| &**channel);
                let sum = sum.of(stems);
                if let Some(meters) = meters {
                    meters.add_stems_after(stems, sum);
                }
                sum_output.take(sum);
                window.append(stems);
            });
        });
    }

    /// Whether the window of the next hop is complete.
    pub fn hop_is_due(&self) -> bool {
        self.window.is_complete()
    }

    /// Frames at the model's rate that must still come in before a hop is due.
    pub fn missing_frames(&self) -> usize {
        self.normalize.frames_until(self.window.missing_frames())
    }

    /// The host frame one past the end of the next hop to be made.
    pub fn next_hop_end_frame(&self) -> u64 {
        self.mix_output.host_frame_after(self.geometry.hop_frames - self.lead_frames)
    }

    /// Makes the hop that is due. Does nothing but report `Rested` when none is.
    ///
    /// # Errors
    /// When the model fails; the hop is then still due.
    pub fn run_hop(&mut self) -> Result<HopOutcome, ModelError> {
        if !self.hop_is_due() {
            return Ok(HopOutcome::Rested);
        }
        let silent = self.window.is_silent();
        // Silence that only the lookahead ends is no part of the song yet: nothing averages it.
        let precedes = self.window.precedes_sound();
        let outcome = if precedes || silent && (self.resting || self.mix_peak < REST_LINEAR) {
            if !self.resting {
                match self.model.learner() {
                    Some(learner) => learner.rest(),
                    None => self.model.reset(),
                }
                self.resting = true;
            }
            self.mix.iter_mut().for_each(|side| side.fill(0.0));
            HopOutcome::Rested
        } else {
            self.resting = false;
            let shares = self.network.prepare(self.lead_frames);
            self.model.set_shares(shares);
            let [left, right] = &mut self.mix;
            self.model.run(&self.window, &mut MixHop { left, right })?;
            self.mix_peak = peak(&self.mix);
            if !self.mix_peak.is_finite() {
                self.model.reset();
                self.skip_hop();
                return Ok(HopOutcome::Discarded);
            }
            self.network.blend(&self.window, &mut self.mix);
            HopOutcome::Mixed
        };
        if precedes {
            self.crossfade.reset();
        } else {
            self.crossfade.join(&mut self.mix);
        }
        let made = std::mem::take(&mut self.lead_frames)..self.geometry.hop_frames;
        self.network.advance(made.len());
        let made = self.mix.each_ref().map(|side| &side[made.clone()]);
        if let Some(meters) = &mut self.meters {
            meters.add_mix(made);
        }
        if let Some(watch) = &mut self.watch {
            watch.take_mix(made);
        }
        self.mix_output.take(made);
        if precedes {
            self.window.advance_before_sound();
        } else {
            self.window.advance(true);
        }
        Ok(outcome)
    }

    /// Gives up the hop that is due without running the model. Its frames come out marked: see [`is_missing`].
    pub fn skip_hop(&mut self) {
        if self.hop_is_due() {
            self.crossfade.reset();
            self.mix_peak = f32::INFINITY;
            let missing = self.geometry.hop_frames - std::mem::take(&mut self.lead_frames);
            self.network.advance(missing);
            self.watch.iter_mut().for_each(|watch| watch.skip(missing));
            self.mix_output.take_missing(missing);
            self.window.advance(false);
        }
    }

    /// Flushes with silence until every pushed frame has its mix; after this, pulling returns exactly as many frames
    /// as were pushed. The stream ends here: only [`Self::reset`] may follow.
    ///
    /// # Errors
    /// When the model fails.
    pub fn finish(&mut self) -> Result<(), EngineError> {
        let wanted = self.intake.pushed_frames();
        let silence = [0.0; 1024];
        while self.mix_output.made_frames() < wanted || self.sum_output.made_frames() < wanted {
            self.push([&silence; CHANNELS])?;
        }
        self.mix_output.truncate(wanted);
        self.sum_output.truncate(wanted);
        self.intake.end_at(wanted);
        Ok(())
    }

    /// Mix frames that can be pulled.
    pub fn mix_ready_frames(&self) -> usize {
        self.mix_output.ready_frames()
    }

    /// Frames of the normalized sum that can be pulled.
    pub fn sum_ready_frames(&self) -> usize {
        self.sum_output.ready_frames()
    }

    /// Pulls up to `out[0].len()` mix frames in order and returns how many were written.
    pub fn pull_mix(&mut self, out: &mut [&mut [f32]; 2]) -> usize {
        self.mix_output.pull(out)
    }

    /// Pulls up to `out[0].len()` frames of the plain sum of the normalized stems and returns how many were written.
    pub fn pull_sum(&mut self, out: &mut [&mut [f32]; 2]) -> usize {
        self.sum_output.pull(out)
    }
}

/// Whether a pulled mix frame is missing because its hop was skipped. Audio never holds this value: everything is
/// sanitized before it gets out.
pub fn is_missing(left: f32) -> bool {
    left.is_nan()
}

/// Largest magnitude of both channels; infinite when a sample is not finite.
fn peak(mix: &[Vec<f32>; 2]) -> f32 {
    let of = |side: &Vec<f32>| {
        side.iter().fold(0.0_f32, |peak, x| if x.is_finite() { peak.max(x.abs()) } else { f32::INFINITY })
    };
    of(&mix[0]).max(of(&mix[1]))
}
