//! What dynamics are measured by: the level of a stem's onset peaks once its own peak is brought to −10 dBFS.

use crate::analysis::onset_peaks::OnsetPeaks;
use crate::store::{Sides, StemStore, StoreError, for_each_hop, peak};
use crate::units::{db_from_gain, gain_from_db};

/// Peak level at which dynamics are compared, in dBFS.
pub const REFERENCE_PEAK_DB: f64 = -10.0;

/// Meter: peak mean and deviation of a stem brought jointly to a peak of −10 dBFS, averaged over sides; `None` when a
/// side has no onset.
///
/// # Errors
/// The store's reason.
pub fn measure(stem: &mut dyn StemStore, sample_rate_hz: f64) -> Result<Option<[f64; 2]>, StoreError> {
    let gain = gain_from_db(peak_gain_db(peak(stem, Sides::Both)?)) as f32;
    let mut peaks = [OnsetPeaks::new(sample_rate_hz), OnsetPeaks::new(sample_rate_hz)];
    for_each_hop(stem, |hop, _| {
        for (peaks, side) in peaks.iter_mut().zip(hop.sides_mut()) {
            side.iter_mut().for_each(|sample| *sample *= gain);
            peaks.listen(side);
        }
    })?;
    let [Some(left), Some(right)] = peaks.map(OnsetPeaks::loudest) else { return Ok(None) };
    Ok(Some([0.5 * (left[0] + right[0]), 0.5 * (left[1] + right[1])]))
}

/// Gain that brings a peak to −10 dBFS.
pub(crate) fn peak_gain_db(peak: f32) -> f64 {
    REFERENCE_PEAK_DB - db_from_gain(f64::from(peak))
}
