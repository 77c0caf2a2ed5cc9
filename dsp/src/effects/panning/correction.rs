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
}

/// Meter: which side of a complete stem is louder, −1 left or +1 right (0 when both are in balance).
///
/// # Errors
/// The store's reason.
pub fn measure_side(stem: &mut dyn StemStore) -> Result<f64, StoreError> {
    let mut meter = SideMeter::new();
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
