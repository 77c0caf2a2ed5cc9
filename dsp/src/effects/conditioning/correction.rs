//! The conditioning of one stem.

use serde::{Deserialize, Serialize};

/// An offset is taken off from the first of these levels on, and wholly from the second: −60 and −54 dBFS. The largest
/// offset of ten real mixes is −64 dBFS.
const OFFSET_LINEAR: [f64; 2] = [1e-3, 2e-3];

/// How much of the high pass a stem gets.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConditioningCorrection {
    /// 0 for a stem without an offset, 1 for one that has one.
    pub share: f64,
}

impl ConditioningCorrection {
    /// For an offset of both sides, linear.
    pub(crate) fn of(offset: [f64; 2]) -> Self {
        let [least, whole] = OFFSET_LINEAR;
        let largest = offset[0].abs().max(offset[1].abs());
        Self { share: ((largest - least) / (whole - least)).clamp(0.0, 1.0) }
    }
}
