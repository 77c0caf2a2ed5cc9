//! What was learned, for what, and how far learning has come: the plain data that [`Learning`](crate::Learning), an
//! editor and a saved session exchange.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tributary_dsp::{Recipe, SongProfile, Stem, Targets};

use crate::bundle::statistics::Statistics;

/// What stems are normalized by: what a profile depends on.
#[derive(Debug, Clone, PartialEq)]
pub struct Normalization {
    /// Which effects, and how strongly.
    pub recipe: Recipe,
    /// To which averages.
    pub targets: Targets,
    /// The normalizer's rate.
    pub sample_rate_hz: u32,
}

impl Normalization {
    /// SHA-256 of recipe, targets and rate: a profile learned under another one must not be used.
    pub fn sha256(&self) -> String {
        let mut hasher = Sha256::new();
        hasher.update(
            serde_json::to_vec(&(&self.recipe, &self.targets, self.sample_rate_hz)).unwrap_or_default(),
        );
        hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// One song as it was learned: its profile, and what the network averaged over it. Saved with the session.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LearnedSong {
    /// [`Normalization::sha256`] of what it was learned for.
    pub normalization_sha256: String,
    /// Seconds since 1970-01-01 UTC.
    #[serde(default)]
    pub learned_unix_s: u64,
    /// Length of the stretch in seconds.
    #[serde(default)]
    pub length_s: f64,
    /// The corrections.
    pub profile: SongProfile,
    /// What the network averaged over the song so corrected; none for a network that averages nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statistics: Option<LearnedStatistics>,
}

/// A network's averages over one song. They mean nothing to another network.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LearnedStatistics {
    /// [`ModelBundle::sha256`](crate::ModelBundle::sha256) of the network's bundle.
    pub model_sha256: String,
    /// The averages.
    pub statistics: Statistics,
}

/// Where learning is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LearningPhase {
    /// Running estimates are in force.
    #[default]
    Adaptive,
    /// Stems are being captured; what was in force before still is.
    Listening,
    /// The captured stems are being measured.
    Analyzing,
    /// A learned profile is in force, or being glided to.
    Learned,
}

/// A copy of everything an editor shows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LearningStatus {
    /// Where it is.
    pub phase: LearningPhase,
    /// While listening: seconds captured of the present stretch.
    pub captured_s: f64,
    /// While listening: seconds of the longest stretch before a jump.
    pub kept_s: f64,
    /// While listening: which stems of the stretch are loud enough to be measured, in stem order.
    pub heard: [bool; Stem::COUNT],
    /// While analyzing: 0 to 1.
    pub progress: f32,
    /// Why nothing was learned, one plain sentence; gone with the next action.
    pub message: Option<String>,
    /// What is in force, or in force again when listening is cancelled.
    pub song: Option<Arc<LearnedSong>>,
    /// What has become of the normalized stems that were to be written, one plain sentence; gone with the next action.
    pub exported: Option<String>,
    /// The song's statistics are this network's, and held.
    pub holds_statistics: bool,
}
