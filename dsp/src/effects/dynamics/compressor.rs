//! The compressor: attack and release of each stem, the static curve, the smoothing in between, and the bank of eight
//! compressors that run side by side. It follows the released code: sample-wise peak detector, no knee, log-domain
//! branching smoothing after Giannoulis, Massberg and Reiss (JAES 2012). The matcher, the search and the running estimate
//! all compress with what stands here.

use serde::{Deserialize, Serialize};

use crate::stem::Stem;

/// A compressor setting.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CompressorSetting {
    /// Input over output above the threshold, in dB per dB; 1 leaves the signal alone.
    pub ratio: f64,
    /// Threshold in dBFS, relative to the peak-normalized signal.
    pub threshold_db: f64,
}

/// Attack, release and first ratio of a stem's compressor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ballistics {
    /// Attack in ms.
    pub attack_ms: f64,
    /// Release in ms.
    pub release_ms: f64,
    /// Ratio tried first.
    pub first_ratio: u32,
}

impl Ballistics {
    /// The released code's choice for each stem.
    pub const fn of(stem: Stem) -> Self {
        match stem {
            Stem::Vocals => Self { attack_ms: 7.5, release_ms: 400.0, first_ratio: 4 },
            Stem::Bass => Self { attack_ms: 10.0, release_ms: 500.0, first_ratio: 5 },
            Stem::Drums => Self { attack_ms: 10.0, release_ms: 180.0, first_ratio: 6 },
            Stem::Other => Self { attack_ms: 15.0, release_ms: 666.0, first_ratio: 4 },
        }
    }

    /// Smoothing coefficients (attack, release) at a sample rate.
    pub fn coefficients(&self, sample_rate_hz: f64) -> [f64; 2] {
        [self.attack_ms, self.release_ms].map(|ms| (-1.0 / (0.001 * sample_rate_hz * ms)).exp())
    }
}

/// One step of the branching smoother: fast up, slow down. Since the attack's coefficient is the smaller one, the branch
/// is the larger of the two results, which costs neither a jump nor a prediction.
#[inline(always)]
pub fn smooth(state: f64, input: f64, [attack, release]: [f64; 2]) -> f64 {
    let distance = state - input;
    let (fast, slow) = (attack * distance, release * distance);
    input + if fast > slow { fast } else { slow }
}

/// The same for many settings at once, in 32 bits.
#[inline(always)]
pub fn smooth_bank<const LANES: usize>(
    state: &mut [f32; LANES],
    inputs: &[f32; LANES],
    [attack, release]: [f32; 2],
) {
    for (state, input) in state.iter_mut().zip(inputs) {
        let distance = *state - input;
        let (fast, slow) = (attack * distance, release * distance);
        *state = input + if fast > slow { fast } else { slow };
    }
}

/// Gain reduction the static curve asks for, in dB.
#[inline(always)]
pub fn static_reduction_db(level_db: f32, threshold_db: f32, slope: f32) -> f32 {
    (level_db - threshold_db).max(0.0) * slope
}

/// Share of the overshoot that a ratio takes away.
pub fn slope(ratio: f64) -> f32 {
    (1.0 - 1.0 / ratio) as f32
}

/// Thresholds of the bank, in dB; what lies between is interpolated.
pub const BANK_DB: [f32; 8] = [-10.0, -14.0, -18.0, -22.0, -26.0, -30.0, -35.0, -40.0];

/// What the static curves of the whole bank ask for at one level, in dB.
#[inline(always)]
pub fn bank_reductions_db(level_db: f32, slope: f32) -> [f32; 8] {
    BANK_DB.map(|threshold_db| {
        let over_db = level_db - threshold_db;
        if over_db > 0.0 { over_db * slope } else { 0.0 }
    })
}

/// Keeps the largest level behind each compressor of the bank.
#[inline(always)]
pub fn raise(largest_db: &mut [f32; 8], level_db: f32, reductions_db: &[f32; 8]) {
    for (largest_db, reduction_db) in largest_db.iter_mut().zip(reductions_db) {
        let left_db = level_db - reduction_db;
        *largest_db = if left_db > *largest_db { left_db } else { *largest_db };
    }
}
