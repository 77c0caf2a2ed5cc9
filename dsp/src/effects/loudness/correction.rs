//! The loudness correction of one stem.

use serde::{Deserialize, Serialize};

use crate::session::GainLimit;

/// Full loudness correction of one stem.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoudnessCorrection {
    /// Gain in dB.
    pub gain_db: f64,
    /// Why it is not the gain that the target asks for, if it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<GainLimit>,
}
