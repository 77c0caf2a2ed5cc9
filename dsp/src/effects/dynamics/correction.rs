//! The dynamics correction of one stem, and how it is found on a complete one.

use serde::{Deserialize, Serialize};

use crate::effects::dynamics::compressor::{Ballistics, CompressorSetting};
use crate::effects::dynamics::meter::peak_gain_db;
use crate::effects::dynamics::search::{Candidates, find_setting};
use crate::rules::RecipeKind;
use crate::stem::Stem;
use crate::store::{Sides, StemStore, StoreError, peak, too_quiet};
use crate::targets::StemTargets;

/// Full dynamics correction of one stem.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DynamicsCorrection {
    /// Gain, left and right, in dB (brings each side's peak to −10 dBFS).
    pub gain_db: [f64; 2],
    /// Compressor, left and right; `None` where the peaks already meet their target.
    pub compressor: [Option<CompressorSetting>; 2],
}

/// The full correction of a complete stem.
///
/// # Errors
/// The store's reason.
pub fn correction(
    store: &mut dyn StemStore,
    kind: RecipeKind,
    stem: Stem,
    target: &StemTargets,
    sample_rate_hz: f64,
) -> Result<DynamicsCorrection, StoreError> {
    let groups: &[Sides] = if kind.is_published() { &[Sides::One(0), Sides::One(1)] } else { &[Sides::Both] };
    let mut result = DynamicsCorrection { gain_db: [0.0; 2], compressor: [None; 2] };
    for sides in groups {
        let peak = peak(store, *sides)?;
        if too_quiet(peak) {
            continue;
        }
        let gain_db = peak_gain_db(peak);
        let candidates = Candidates::new(store, *sides, gain_db, Ballistics::of(stem), sample_rate_hz)?;
        let setting = find_setting(candidates, target.peak_db, target.peak_std_db)?;
        for side in sides.indices() {
            result.gain_db[*side] = gain_db;
            result.compressor[*side] = setting;
        }
    }
    Ok(result)
}
