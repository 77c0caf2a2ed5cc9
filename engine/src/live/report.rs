//! The run of an engine in figures, as plain data: what a project keeps of it. Apart from the telemetry, which is live.

use serde::{Deserialize, Serialize};

use super::audio_thread::render_record::RenderReport;

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
