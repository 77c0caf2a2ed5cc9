//! The correction curve: its grid, and the paper rules that make it of a measured spectrum and a target.

use crate::filters::biquad::k_weighting;
use crate::targets::{FULL_BINS, StemTargets};

/// Points of a stored correction curve: 0 Hz to the Nyquist frequency in 1024 equal steps, the grid on which the
/// released code designs its FIR filter (`firwin2` with `nfreqs` = 1 + 2^10).
pub const CURVE_POINTS: usize = 1025;

/// Bound of the paper rules' correction.
pub const LARGEST_CORRECTION_DB: f64 = 15.0;

/// Target: the average spectrum on the grid of the correction curve, in dB.
pub fn target_grid_db(target: &StemTargets, sample_rate_hz: f64) -> Vec<f64> {
    target.spectrum.grid(CURVE_POINTS, sample_rate_hz / 2.0)
}

/// Paper rules: from running sums over mean magnitudes (any level, [`FULL_BINS`] + 1 values) and a target to the correction
/// in dB, of any level. The measured spectrum is averaged over a third octave.
pub fn match_target(sums: &[f64], target_db: &[f64], curve_db: &mut [f32]) {
    let loudest = (0..CURVE_POINTS).map(|point| third_octave(sums, point)).fold(0.0, f64::max);
    if loudest <= 0.0 {
        curve_db.fill(0.0);
        return;
    }
    // Far below the loudest band there is no spectrum to match, only a noise floor.
    let floor = loudest * 1e-6;
    for (point, correction) in curve_db.iter_mut().enumerate() {
        let measured_db = 20.0 * third_octave(sums, point).max(floor).log10();
        *correction = (target_db[point] - measured_db) as f32;
    }
}

/// Mean magnitude within a third octave around a point of the curve, and at least to the neighboring points.
fn third_octave(sums: &[f64], point: usize) -> f64 {
    const STEP: usize = (FULL_BINS - 1) / (CURVE_POINTS - 1);
    const HALF_THIRD: f64 = 1.122_462_048;
    let center = point * STEP;
    let low = ((center as f64 / HALF_THIRD) as usize).min(center.saturating_sub(STEP / 2));
    let high = ((center as f64 * HALF_THIRD) as usize).max(center + STEP / 2).min(FULL_BINS - 1) + 1;
    (sums[high] - sums[low]) / (high - low) as f64
}

/// K-weighting on the grid of the curve, as a power.
pub fn loudness_weights(sample_rate_hz: f64) -> Vec<f64> {
    let weighting = k_weighting(sample_rate_hz);
    let at_point = |point: usize| {
        let hz = point as f64 * sample_rate_hz / (2 * (CURVE_POINTS - 1)) as f64;
        weighting.iter().map(|filter| filter.power_at(hz, sample_rate_hz)).product()
    };
    (0..CURVE_POINTS).map(at_point).collect()
}

/// Shifts a correction so that the K-weighted power of the stem stays – its level is the loudness matcher's business – and
/// bounds it to ±[`LARGEST_CORRECTION_DB`], unless it `is_bounded` already. `weights` come from [`loudness_weights`].
pub fn keep_loudness(sums: &[f64], weights: &[f64], is_bounded: bool, curve_db: &mut [f32]) {
    const PASSES: usize = 3;
    let bound = if is_bounded { f32::INFINITY } else { LARGEST_CORRECTION_DB as f32 };
    for _ in 0..PASSES {
        let (mut before, mut after) = (1e-60, 1e-60);
        for (point, correction_db) in curve_db.iter().enumerate().skip(1) {
            let power = third_octave(sums, point).powi(2) * weights[point];
            before += power;
            after += power * 10f64.powf(f64::from(correction_db.clamp(-300.0, 300.0)) / 10.0);
        }
        let shift_db = (10.0 * (before / after).log10()) as f32;
        for point in curve_db.iter_mut() {
            *point = (*point + shift_db).clamp(-bound, bound);
        }
    }
}
