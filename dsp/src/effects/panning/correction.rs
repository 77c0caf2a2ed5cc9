//! The panning correction of one stem, and how it is found on a complete one.

use serde::{Deserialize, Serialize};

use crate::analysis::hop_spectra::HopSpectra;
use crate::effects::panning::side::SideMeter;
use crate::hop::Hop;
use crate::store::{StemStore, StoreError, for_each_hop};

/// Full panning correction of one stem.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PanningCorrection {
    /// Which side is louder: −1 left, +1 right; 0 leaves the position alone.
    pub side: f64,
    /// Gain of the right side against the left in dB, by rules that bring a leaning stem back; 0 for none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub balance_db: f64,
}

fn is_zero(value: &f64) -> bool {
    *value == 0.0
}

/// Meter: which side of a complete stem is louder, −1 left or +1 right (0 when both are in balance).
///
/// # Errors
/// The store's reason.
pub fn measure_side(stem: &mut dyn StemStore, sample_rate_hz: f64) -> Result<f64, StoreError> {
    let mut meter = SideMeter::new(sample_rate_hz);
    let mut analysis = HopSpectra::new();
    for_each_hop(stem, |hop, _| {
        analysis.run(hop);
        meter.add(&analysis.left, &analysis.right, 1.0);
    })?;
    // The last hop's second half-window.
    if analysis.previous.mean_square() > 0.0 {
        analysis.run(&Hop::SILENT);
        meter.add(&analysis.left, &analysis.right, 1.0);
    }
    let balance = meter.balance();
    Ok(if balance == 0.0 { 0.0 } else { balance.signum() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::StereoBuffer;

    #[test]
    fn the_same_frequencies_vote_at_any_rate() {
        // Left up to 5 kHz, right above: only what reaches the votes between 50 Hz and 2.5 kHz decides.
        for rate_hz in [44_100.0, 48_000.0, 96_000.0] {
            let partials = |from_hz: i32, to_hz: i32| -> Vec<f32> {
                let hz = (from_hz..to_hz).step_by(130);
                let sines = |n: usize| {
                    let seconds = n as f64 / rate_hz;
                    let phases = hz.clone().map(|hz| f64::from(hz) * seconds + f64::from(hz * hz) * 1e-4);
                    phases.map(|phase| (std::f64::consts::TAU * phase).sin()).sum::<f64>() as f32 * 0.01
                };
                (0..20_000).map(sines).collect()
            };
            let mut stem = StereoBuffer { left: partials(60, 5_000), right: partials(5_050, 15_000) };
            assert_eq!(measure_side(&mut stem, rate_hz), Ok(-1.0), "{rate_hz} Hz");
        }
    }
}
