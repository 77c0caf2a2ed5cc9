//! The width correction of one stem, and how it is found on a complete one.

use serde::{Deserialize, Serialize};

use crate::effects::width::bands::BANDS;
use crate::effects::width::meter::{WidthMeter, WidthTarget};
use crate::store::{StemStore, StoreError, for_each_hop};

/// Full width correction of one stem.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WidthCorrection {
    /// Added side against the middle, linear, 0 to 1, for the octave bands of width.
    pub gains: [f32; BANDS],
}

/// The full correction of a complete stem, and whether it was [recorded in mono](WidthTarget::mono).
///
/// # Errors
/// The store's reason.
pub fn correction(
    stem: &mut dyn StemStore,
    target: &WidthTarget,
    sample_rate_hz: f64,
) -> Result<(WidthCorrection, Option<f32>), StoreError> {
    let mut meter = WidthMeter::new(sample_rate_hz);
    for_each_hop(stem, |hop, _| meter.add(hop, Some(1.0)))?;
    let powers = meter.powers();
    Ok((WidthCorrection { gains: target.missing_gains(powers) }, target.mono(powers)))
}
