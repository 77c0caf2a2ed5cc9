//! Left/right similarity φ, after Avendano (WASPAA 2003): of one bin, and as the mean over a complete stem.

use crate::analysis::spectra::{AnalysisFrame, frame_starts};
use crate::rules::RecipeKind;
use crate::store::{StemStore, StoreError};
use crate::targets::FULL_BINS;

/// Similarity of a bin, 1 in the middle, 0 on one side only. Two silent sides are alike.
#[inline(always)]
pub(crate) fn phi(left_power: f32, right_power: f32) -> f32 {
    let total = left_power + right_power;
    if total > f32::MIN_POSITIVE { 2.0 * (left_power * right_power).sqrt() / total } else { 1.0 }
}

/// Meter: mean φ over frames of a complete stem, [`FULL_BINS`] values.
///
/// # Errors
/// The store's reason.
pub fn measure_phi(stem: &mut dyn StemStore, kind: RecipeKind) -> Result<Vec<f64>, StoreError> {
    let mut frame = AnalysisFrame::<f64>::new();
    let mut sum = vec![0f64; FULL_BINS];
    let mut counted = 0usize;
    for start in frame_starts(stem.frames(), kind) {
        let power: f64 = frame.read(stem, start)?.iter().sum();
        // Silence says nothing about position; the released code counts it as centered.
        if power == 0.0 && !kind.is_published() {
            continue;
        }
        counted += 1;
        let [left, right] = frame.transform();
        for ((sum, left), right) in sum.iter_mut().zip(left).zip(right) {
            // The reference keeps its spectra in 32-bit floats, so fainter bins are noise there and silence here.
            let (left, right) = (left.norm_sqr(), right.norm_sqr());
            let total = left + right;
            *sum +=
                if total > f64::from(f32::MIN_POSITIVE) { 2.0 * (left * right).sqrt() / total } else { 1.0 };
        }
    }
    sum.iter_mut().for_each(|sum| *sum /= counted.max(1) as f64);
    Ok(sum)
}
