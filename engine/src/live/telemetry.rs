//! What the engine lets others see while it runs: levels, loudness, load, underruns, state. The audio and worker
//! threads write, the editor reads, and nobody ever waits: every value is one atomic, and values that belong together
//! may for a moment stem from neighboring blocks, which no eye can tell. [`Report`] is the same as plain data, built on
//! the main thread for the plug-in's state and for tests.

use std::sync::OnceLock;
use std::sync::atomic::{
    AtomicBool, AtomicU32, AtomicU64, Ordering::Acquire, Ordering::Relaxed, Ordering::Release,
};

use serde::{Deserialize, Serialize};
use tributary_dsp::{
    DynamicsReading, EqualizationReading, LoudnessReading, PanningReading, Stem, StemReading, WidthReading,
};

use crate::latency::LatencyReport;
use crate::live::audio_thread::render_record::{RenderReport, SharedRecord};
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

/// One stem's live values.
#[derive(Debug)]
pub struct StemTelemetry {
    /// Largest input sample of both channels, linear, falling by [`PEAK_FALL_PER_SECOND`]. 0 when no signal arrives.
    pub input_peak: AtomicF32,
    /// Momentary loudness as it arrives.
    pub before_lufs: AtomicF32,
    /// Momentary loudness after normalization.
    pub after_lufs: AtomicF32,
    /// Integrated loudness as it arrives.
    pub before_integrated_lufs: AtomicF32,
    /// Integrated loudness after normalization.
    pub after_integrated_lufs: AtomicF32,
    /// Signal has arrived since the engine started. Stays true through resets and silence.
    pub heard: AtomicBool,
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

/// What the normalizer does to one stem, as [`StemReading`] says it; NaN where an effect has no reading.
#[derive(Debug)]
struct SharedReading {
    equalization_gain_db: AtomicF32,
    gain_reduction_db: AtomicF32,
    threshold_db: AtomicF32,
    ratio: AtomicF32,
    pan_side: AtomicF32,
    added_side: AtomicF32,
    loudness_gain_db: AtomicF32,
}

impl SharedReading {
    fn nothing() -> Self {
        let nothing = || AtomicF32::new(f32::NAN);
        Self {
            equalization_gain_db: nothing(),
            gain_reduction_db: nothing(),
            threshold_db: nothing(),
            ratio: nothing(),
            pan_side: nothing(),
            added_side: nothing(),
            loudness_gain_db: nothing(),
        }
    }

    fn get(&self) -> StemReading {
        let value = |shared: &AtomicF32| Some(shared.get()).filter(|value| !value.is_nan());
        StemReading {
            equalization: value(&self.equalization_gain_db).map(|gain_db| EqualizationReading { gain_db }),
            dynamics: value(&self.gain_reduction_db).map(|gain_reduction_db| DynamicsReading {
                gain_reduction_db,
                threshold_db: self.threshold_db.get(),
                ratio: self.ratio.get(),
            }),
            panning: value(&self.pan_side).map(|side| PanningReading { side }),
            width: value(&self.added_side).map(|added_side| WidthReading { added_side }),
            loudness: value(&self.loudness_gain_db).map(|gain_db| LoudnessReading { gain_db }),
        }
    }

    fn set(&self, reading: &StemReading) {
        let set = |shared: &AtomicF32, value: Option<f32>| shared.set(value.unwrap_or(f32::NAN));
        set(&self.equalization_gain_db, reading.equalization.map(|reading| reading.gain_db));
        set(&self.threshold_db, reading.dynamics.map(|reading| reading.threshold_db));
        set(&self.ratio, reading.dynamics.map(|reading| reading.ratio));
        set(&self.gain_reduction_db, reading.dynamics.map(|reading| reading.gain_reduction_db));
        set(&self.pan_side, reading.panning.map(|reading| reading.side));
        set(&self.added_side, reading.width.map(|reading| reading.added_side));
        set(&self.loudness_gain_db, reading.loudness.map(|reading| reading.gain_db));
    }
}

/// How fast peak values fall: to a tenth (−20 dB) per second.
pub const PEAK_FALL_PER_SECOND: f32 = 0.1;

/// Live values of one engine.
#[derive(Debug)]
pub struct Telemetry {
    /// The model is loaded.
    is_loaded: AtomicBool,
    loading_progress: AtomicF32,
    /// Why the engine has given up: that there is a reason is the state, so neither is ever seen without the other.
    failure: OnceLock<String>,
    remark: OnceLock<String>,
    /// Per stem, in stem order.
    pub stems: [StemTelemetry; 4],
    /// Corrections in effect, per stem, as [`Telemetry::correction`] returns them.
    corrections: [SharedReading; Stem::COUNT],
    /// Momentary loudness of what leaves the plug-in.
    pub output_momentary_lufs: AtomicF32,
    /// Its integrated loudness since the last reset.
    pub output_integrated_lufs: AtomicF32,
    /// Its largest true peak since the last reset.
    pub output_true_peak_db: AtomicF32,
    /// Largest output sample, linear, falling by [`PEAK_FALL_PER_SECOND`].
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
        let silence = || AtomicF32::new(SILENCE_DB as f32);
        let stem = |_| StemTelemetry {
            input_peak: AtomicF32::new(0.0),
            before_lufs: silence(),
            after_lufs: silence(),
            before_integrated_lufs: silence(),
            after_integrated_lufs: silence(),
            heard: AtomicBool::new(false),
        };
        Self {
            is_loaded: AtomicBool::new(false),
            loading_progress: AtomicF32::new(0.0),
            failure: OnceLock::new(),
            remark: OnceLock::new(),
            stems: std::array::from_fn(stem),
            corrections: std::array::from_fn(|_| SharedReading::nothing()),
            output_momentary_lufs: silence(),
            output_integrated_lufs: silence(),
            output_true_peak_db: silence(),
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

    /// Whether the engine has given up. Real-time safe.
    pub fn is_failed(&self) -> bool {
        self.failure.get().is_some()
    }

    /// The corrections the normalizer applies to a stem at present. Real-time safe.
    pub fn correction(&self, stem: Stem) -> StemReading {
        self.corrections[stem.index()].get()
    }

    pub(crate) fn set_correction(&self, stem: Stem, reading: &StemReading) {
        self.corrections[stem.index()].set(reading);
    }

    /// Publishes what was measured of the output.
    pub(crate) fn set_output(&self, loudness: Loudness, true_peak_db: f64) {
        self.output_momentary_lufs.set(loudness.momentary_lufs as f32);
        self.output_integrated_lufs.set(loudness.integrated_lufs as f32);
        self.output_true_peak_db.set(true_peak_db as f32);
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
                before_lufs: self.stems[i].before_integrated_lufs.get(),
                after_lufs: self.stems[i].after_integrated_lufs.get(),
            }),
            output_lufs: self.output_integrated_lufs.get(),
            output_true_peak_db: self.output_true_peak_db.get(),
            render: self.render(latency.rate_hz),
        }
    }

    /// How the last render went, `None` before the first. Allocates: for the main thread.
    pub fn render(&self, rate_hz: f64) -> Option<RenderReport> {
        self.render.report(rate_hz)
    }
}

/// Which model an engine runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ModelName {
    /// Name from the contract.
    pub name: String,
    /// Version from the contract.
    pub version: String,
    /// Checksum of the contract.
    pub sha256: String,
}

/// One stem of a [`Report`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StemReport {
    /// "vocals", "bass", "drums" or "other".
    pub name: String,
    /// Integrated loudness as it arrived, −120 for none.
    pub before_lufs: f32,
    /// Integrated loudness after normalization, −120 for none.
    pub after_lufs: f32,
}

/// The last run in figures. Saved with the plug-in's state; unknown fields are ignored and missing ones default, so
/// that states travel between versions.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Report {
    /// "loading", "ready" or "failed".
    pub state: String,
    /// Why it failed, one sentence.
    pub reason: String,
    /// The model.
    pub model: ModelName,
    /// Latency in host frames.
    pub latency_frames: usize,
    /// Latency in milliseconds.
    pub latency_ms: f64,
    /// The host's sample rate.
    pub rate_hz: f64,
    /// Hops made.
    pub hops: u64,
    /// Underruns.
    pub underruns: u64,
    /// Hops given up.
    pub skipped_hops: u64,
    /// Time used / time available.
    pub load: f32,
    /// Largest load of a single hop.
    pub load_peak: f32,
    /// Per stem, in stem order.
    pub stems: [StemReport; 4],
    /// Integrated loudness of what left the plug-in, −120 for none.
    pub output_lufs: f32,
    /// Its true peak, −120 for none.
    pub output_true_peak_db: f32,
    /// How the last render went; absent before the first.
    pub render: Option<RenderReport>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_effect_is_read_whatever_the_others_do() {
        let telemetry = Telemetry::default();
        assert_eq!(telemetry.correction(Stem::Bass), StemReading::default());
        let everything = StemReading {
            equalization: Some(EqualizationReading { gain_db: -1.0 }),
            dynamics: Some(DynamicsReading { gain_reduction_db: 2.0, threshold_db: -20.0, ratio: 4.0 }),
            panning: Some(PanningReading { side: 0.0 }),
            width: Some(WidthReading { added_side: 0.25 }),
            loudness: Some(LoudnessReading { gain_db: 6.0 }),
        };
        let without_equalization = StemReading { equalization: None, ..everything };
        let only_width = StemReading { width: everything.width, ..StemReading::default() };
        for reading in [everything, without_equalization, only_width, StemReading::default()] {
            telemetry.set_correction(Stem::Bass, &reading);
            assert_eq!(telemetry.correction(Stem::Bass), reading);
            assert_eq!(telemetry.correction(Stem::Drums), StemReading::default());
        }
    }
}
