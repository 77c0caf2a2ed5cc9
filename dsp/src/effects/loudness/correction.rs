//! The loudness correction of one stem.

use serde::{Deserialize, Serialize};

/// Full loudness correction of one stem.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoudnessCorrection {
    /// Gain in dB.
    pub gain_db: f64,
}
