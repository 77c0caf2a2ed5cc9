//! What the engine lets others see while it runs: levels, loudness, load, underruns, state. What the audio thread writes,
//! and what it reads, is one plain atomic each, and nobody ever waits for it. What the worker measures it publishes whole, a
//! struct at a time: such a cell is too large for an atomic and may hold up one of its two sides for a moment, so the audio
//! thread touches none. [`Report`] is the same as plain data, built on the main thread for the plug-in's state and for tests.

use std::sync::atomic::{
    AtomicBool, AtomicU32, AtomicU64, Ordering::Acquire, Ordering::Relaxed, Ordering::Release,
};
use std::sync::{Mutex, OnceLock, PoisonError};

use crossbeam_utils::atomic::AtomicCell;
use tributary_dsp::explain::Explanation;
use tributary_dsp::{SongProfile, Stem, StemReading, TonePortrait};

use super::audio_thread::render_record::{RenderReport, SharedRecord};
use super::mask_history::{MaskHistory, SharedMaskHistory};
use super::report::{ModelName, Report, StemReport};
use crate::latency::LatencyReport;
use crate::mask_meter::MaskMeter;
use crate::pipeline::image::StereoImage;
use crate::pipeline::meters::{Loudness, SILENCE_DB};

/// An `f32` that threads share without waiting.
#[derive(Debug)]
pub struct AtomicF32(AtomicU32);

impl AtomicF32 {
    /// A shared value.
    pub const fn new(value: f32) -> Self {
        Self(AtomicU32::new(value.to_bits()))
    }

    /// The latest value.
    pub fn get(&self) -> f32 {
        f32::from_bits(self.0.load(Relaxed))
    }

    /// Publishes a value.
    pub fn set(&self, value: f32) {
        self.0.store(value.to_bits(), Relaxed);
    }
}

/// What the engine is doing.
#[derive(Debug, Clone, PartialEq)]
pub enum EngineState {
    /// The runtime and the model are being loaded; the aligned dry signal passes.
    Loading {
        /// 0 to 1.
        progress: f32,
    },
    /// The model mixes.
    Ready,
    /// There is no model; the aligned dry signal passes.
    Failed {
        /// One plain sentence.
        reason: String,
    },
}

/// What the audio thread sees of one stem.
#[derive(Debug)]
pub struct StemTelemetry {
    /// Largest input sample of both channels, linear, falling by 20 dB per second. 0 when no signal arrives.
    pub input_peak: AtomicF32,
    /// Signal has arrived since the engine started. Stays true through resets and silence.
    pub heard: AtomicBool,
}

/// What the worker measures of one stem, all of it at the same time. −120 for nothing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StemLevels {
    /// Momentary loudness as it arrives.
    pub before_lufs: f32,
    /// Momentary loudness after normalization.
    pub after_lufs: f32,
    /// Integrated loudness as it arrives.
    pub before_integrated_lufs: f32,
    /// Integrated loudness after normalization.
    pub after_integrated_lufs: f32,
    /// The corrections the normalizer applies.
    pub correction: StemReading,
    /// Where the normalized stem sits; `None` for silence, and while nobody [looks](Telemetry::look).
    pub image: Option<StereoImage>,
}

impl Default for StemLevels {
    fn default() -> Self {
        let silence = SILENCE_DB as f32;
        Self {
            before_lufs: silence,
            after_lufs: silence,
            before_integrated_lufs: silence,
            after_integrated_lufs: silence,
            correction: StemReading::default(),
            image: None,
        }
    }
}

impl StemLevels {
    /// From a stem's two meters and its reading.
    pub(super) fn new(
        before: Loudness,
        after: Loudness,
        correction: StemReading,
        image: Option<StereoImage>,
    ) -> Self {
        Self {
            before_lufs: before.momentary_lufs as f32,
            after_lufs: after.momentary_lufs as f32,
            before_integrated_lufs: before.integrated_lufs as f32,
            after_integrated_lufs: after.integrated_lufs as f32,
            correction,
            image,
        }
    }
}

/// What the worker measures of what leaves the plug-in, since the last reset. −120 for nothing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OutputLevels {
    /// Momentary loudness.
    pub momentary_lufs: f32,
    /// Short-term loudness.
    pub short_term_lufs: f32,
    /// Integrated loudness.
    pub integrated_lufs: f32,
    /// Where it sits; `None` for silence, and while nobody [looks](Telemetry::look).
    pub image: Option<StereoImage>,
    /// The largest true peak.
    pub true_peak_db: f32,
}

impl Default for OutputLevels {
    fn default() -> Self {
        let silence = SILENCE_DB as f32;
        Self {
            momentary_lufs: silence,
            short_term_lufs: silence,
            integrated_lufs: silence,
            image: None,
            true_peak_db: silence,
        }
    }
}

/// A stem is heard above this sample value (−60 dB of full scale).
pub const HEARD_THRESHOLD: f32 = 1e-3;

impl StemTelemetry {
    /// Publishes the peak of a block. Real-time safe.
    pub(crate) fn set_input_peak(&self, peak: f32) {
        self.input_peak.set(peak);
        if peak > HEARD_THRESHOLD {
            self.heard.store(true, Relaxed);
        }
    }
}

/// A look is good for so many publications of the worker: a second. An editor looks thirty times as often.
const LOOK_PUBLICATIONS: u32 = 20;

/// How fast peak values fall: to a tenth (−20 dB) per second.
pub const PEAK_FALL_PER_SECOND: f32 = 0.1;

/// Live values of one engine.
#[derive(Debug)]
pub struct Telemetry {
    /// The model is loaded.
    is_loaded: AtomicBool,
    /// The model has masks that can be taken back.
    has_masks: AtomicBool,
    /// They can be told apart by stem and band.
    shows_masks: AtomicBool,
    loading_progress: AtomicF32,
    /// Why the engine has given up: that there is a reason is the state, so neither is ever seen without the other.
    failure: OnceLock<String>,
    remark: OnceLock<String>,
    /// Corrections of locked stems. Main thread and worker only.
    locked: Mutex<SongProfile>,
    /// Per stem, in stem order.
    pub stems: [StemTelemetry; 4],
    /// What was measured last, published whole.
    levels: AtomicCell<[StemLevels; Stem::COUNT]>,
    output: AtomicCell<OutputLevels>,
    portraits: AtomicCell<[TonePortrait; Stem::COUNT]>,
    /// Publications for which the last look is still good.
    looks: AtomicU32,
    /// What the mix does to the stems, as far as that was looked at.
    explanation: AtomicCell<Option<Explanation>>,
    /// What the network's masks did, likewise.
    masks: SharedMaskHistory,
    /// Largest output sample, linear, falling by 20 dB per second.
    pub output_peak: AtomicF32,
    /// Time the last hop took / time a hop lasts, smoothed over about ten hops. Above 1 the worker cannot keep up.
    pub load: AtomicF32,
    /// The largest single-hop load since the stream started.
    pub load_peak: AtomicF32,
    /// Underruns since the engine started: times the mix was due and not there.
    pub underruns: AtomicU64,
    /// Hops the worker gave up because they were wholly overdue.
    pub skipped_hops: AtomicU64,
    /// Hops made.
    pub hops: AtomicU64,
    /// Stream frame (host rate) of the latest underrun, or `u64::MAX`.
    pub last_underrun_frame: AtomicU64,
    /// Times the stream started anew: reset, overflow.
    pub restarts: AtomicU64,
    /// What the last render lost.
    pub(crate) render: SharedRecord,
    /// Gain that brings the plain sum of the stems to the mix's loudness, linear.
    pub(crate) raw_gain: AtomicF32,
}

impl Default for Telemetry {
    fn default() -> Self {
        let stem = |_| StemTelemetry { input_peak: AtomicF32::new(0.0), heard: AtomicBool::new(false) };
        Self {
            is_loaded: AtomicBool::new(false),
            has_masks: AtomicBool::new(false),
            shows_masks: AtomicBool::new(false),
            loading_progress: AtomicF32::new(0.0),
            failure: OnceLock::new(),
            remark: OnceLock::new(),
            locked: Mutex::default(),
            stems: std::array::from_fn(stem),
            levels: AtomicCell::default(),
            output: AtomicCell::default(),
            portraits: AtomicCell::default(),
            looks: AtomicU32::new(0),
            explanation: AtomicCell::default(),
            masks: SharedMaskHistory::default(),
            output_peak: AtomicF32::new(0.0),
            load: AtomicF32::new(0.0),
            load_peak: AtomicF32::new(0.0),
            underruns: AtomicU64::new(0),
            skipped_hops: AtomicU64::new(0),
            hops: AtomicU64::new(0),
            last_underrun_frame: AtomicU64::new(u64::MAX),
            restarts: AtomicU64::new(0),
            render: SharedRecord::default(),
            raw_gain: AtomicF32::new(1.0),
        }
    }
}

impl Telemetry {
    /// What the engine is doing. Allocates for a failure's text: for the main thread.
    pub fn state(&self) -> EngineState {
        match self.failure.get() {
            Some(reason) => EngineState::Failed { reason: reason.clone() },
            None if self.is_loaded.load(Acquire) => EngineState::Ready,
            None => EngineState::Loading { progress: self.loading_progress.get() },
        }
    }

    /// Takes over which stems another engine of the same activation has heard.
    pub fn hear_as(&self, other: &Self) {
        for (stem, other) in self.stems.iter().zip(&other.stems) {
            stem.heard.fetch_or(other.heard.load(Relaxed), Relaxed);
        }
    }

    /// Whether the model mixes. Real-time safe.
    pub fn is_ready(&self) -> bool {
        self.is_loaded.load(Acquire) && !self.is_failed()
    }

    /// Whether a share of the network is a share of its masks; otherwise it is a plain crossfade with the sum of the stems.
    pub fn has_masks(&self) -> bool {
        self.has_masks.load(Relaxed)
    }

    /// Whether the masks can be told apart by stem and band, so that [`masks`](Self::masks) comes to have readings.
    pub fn shows_masks(&self) -> bool {
        self.shows_masks.load(Relaxed)
    }

    pub(crate) fn set_masks(&self, has_masks: bool, shows_masks: bool) {
        self.has_masks.store(has_masks, Relaxed);
        self.shows_masks.store(shows_masks, Relaxed);
    }

    /// Whether the engine has given up. Real-time safe.
    pub fn is_failed(&self) -> bool {
        self.failure.get().is_some()
    }

    /// What was measured of the stems last, in stem order. Not for the audio thread.
    pub fn levels(&self) -> [StemLevels; Stem::COUNT] {
        self.levels.load()
    }

    pub(super) fn set_levels(&self, levels: [StemLevels; Stem::COUNT]) {
        self.levels.store(levels);
    }

    /// The corrections of the stems that are locked ([`crate::StemControls::lock`]): what a project saves, so that it sounds
    /// the same when it is opened again. Not for the audio thread.
    pub fn locked(&self) -> SongProfile {
        self.locked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Publishes them. Not for the audio thread.
    pub fn set_locked(&self, locked: SongProfile) {
        *self.locked.lock().unwrap_or_else(PoisonError::into_inner) = locked;
    }

    /// What was measured of the output last. Not for the audio thread.
    pub fn output(&self) -> OutputLevels {
        self.output.load()
    }

    pub(super) fn set_output(&self, levels: OutputLevels) {
        self.output.store(levels);
    }

    /// Somebody looks: what costs something and only an editor shows – images, tone – is measured for a second from now on.
    pub fn look(&self) {
        self.looks.store(LOOK_PUBLICATIONS, Relaxed);
    }

    /// Whether somebody looks.
    pub(super) fn is_looked_at(&self) -> bool {
        self.looks.load(Relaxed) > 0
    }

    /// The worker has published once more.
    pub(super) fn pass_publication(&self) {
        // A look in between starts the count anew, or is a publication short.
        self.looks.store(self.looks.load(Relaxed).saturating_sub(1), Relaxed);
    }

    /// What was known of the stems' tone when somebody looked last, in stem order. Not for the audio thread.
    pub fn tone_portraits(&self) -> [TonePortrait; Stem::COUNT] {
        self.portraits.load()
    }

    pub(super) fn set_tone_portraits(&self, portraits: [TonePortrait; Stem::COUNT]) {
        self.portraits.store(portraits);
    }

    /// An estimate of what the mix does to the stems as they arrive, over the last half minute that somebody looked at;
    /// renewed every other second of that. `None` before the first. Not for the audio thread.
    pub fn explanation(&self) -> Option<Explanation> {
        self.explanation.load()
    }

    pub(super) fn set_explanation(&self, explanation: Explanation) {
        self.explanation.store(Some(explanation));
    }

    /// What the network's masks did in the last ten seconds that somebody looked at. Without readings for a network whose
    /// masks nobody can read. Not for the audio thread.
    pub fn masks(&self) -> MaskHistory {
        self.masks.copy()
    }

    /// Takes the readings of a meter.
    pub(super) fn add_masks(&self, meter: &mut MaskMeter) {
        if !meter.is_empty() {
            let bands_hz = meter.layout().bands_hz.clone();
            self.masks.extend(&bands_hz, meter.drain());
        }
    }

    pub(crate) fn set_loading(&self, progress: f32) {
        self.loading_progress.set(progress);
    }

    pub(crate) fn set_ready(&self) {
        self.is_loaded.store(true, Release);
    }

    /// The first reason stays; whatever fails afterwards follows from it.
    pub(crate) fn set_failed(&self, reason: String) {
        let _ = self.failure.set(reason);
    }

    /// What the user should know about how the model runs, once it is loaded.
    pub fn remark(&self) -> Option<&str> {
        self.remark.get().map(String::as_str)
    }

    pub(crate) fn set_remark(&self, remark: String) {
        let _ = self.remark.set(remark);
    }

    /// The live values as plain data. For the main thread.
    pub fn report(&self, model: ModelName, latency: &LatencyReport) -> Report {
        let (state, reason) = match self.state() {
            EngineState::Loading { .. } => ("loading", String::new()),
            EngineState::Ready => ("ready", self.remark().unwrap_or_default().to_owned()),
            EngineState::Failed { reason } => ("failed", reason),
        };
        let (levels, output) = (self.levels(), self.output());
        Report {
            state: state.into(),
            reason,
            model,
            latency_frames: latency.total_frames(),
            latency_ms: latency.total_ms(),
            rate_hz: latency.rate_hz,
            hops: self.hops.load(Relaxed),
            underruns: self.underruns.load(Relaxed),
            skipped_hops: self.skipped_hops.load(Relaxed),
            load: self.load.get(),
            load_peak: self.load_peak.get(),
            stems: std::array::from_fn(|i| StemReport {
                name: Stem::ALL[i].name().into(),
                before_lufs: levels[i].before_integrated_lufs,
                after_lufs: levels[i].after_integrated_lufs,
            }),
            output_lufs: output.integrated_lufs,
            output_true_peak_db: output.true_peak_db,
            render: self.render(latency.rate_hz),
        }
    }

    /// How the last render went, `None` before the first. Allocates: for the main thread.
    pub fn render(&self, rate_hz: f64) -> Option<RenderReport> {
        self.render.report(rate_hz)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_published_together_is_read_together() {
        const TIMES: u32 = 200_000;
        let telemetry = Telemetry::default();
        assert_eq!(telemetry.levels(), [StemLevels::default(); Stem::COUNT]);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for time in 0..TIMES {
                    let loudness = |lufs| Loudness {
                        momentary_lufs: lufs,
                        integrated_lufs: lufs,
                        ..Loudness::default()
                    };
                    let lufs = f64::from(time);
                    let levels =
                        StemLevels::new(loudness(lufs), loudness(lufs), StemReading::default(), None);
                    telemetry.set_levels([levels; Stem::COUNT]);
                }
            });
            let mut last = -1.0;
            while last < f64::from(TIMES - 1) as f32 {
                let read = telemetry.levels();
                let one = read[0];
                assert!(read.iter().all(|levels| *levels == one), "{read:?}");
                assert_eq!(one.before_lufs, one.after_integrated_lufs);
                assert!(one.before_lufs >= last || one == StemLevels::default(), "never back in time");
                last = one.before_lufs.max(last);
            }
        });
    }
}
