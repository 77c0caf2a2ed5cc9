//! The equalization of one stem, what it is measured by, and how it is found on a complete one.
//!
//! The published rules match each side on its own, bin by bin. The paper rules treat both sides alike, smooth the
//! measured spectrum over a third octave, keep the loudness, and bound the correction to ±15 dB. The rules of kind
//! `Tributary` do not match at all: they mend what is wrong ([`crate::effects::equalization::faults`]).

use serde::{Deserialize, Serialize};

use crate::analysis::loudness::{gain_to_lufs_db, measure as measure_loudness};
use crate::analysis::spectra::{REFERENCE_LUFS, mean_magnitudes};
use crate::context::Context;
use crate::effects::equalization::curve::{CURVE_POINTS, target_grid_db};
use crate::effects::equalization::faults::Fault;
use crate::effects::equalization::shaper::CurveShaper;
use crate::rules::RecipeKind;
use crate::store::{Sides, StemStore, StoreError, peak, too_quiet};
use crate::targets::FULL_BINS;
use crate::units::{db_from_gain, gain_from_db};

/// Full equalization of one stem.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EqualizationCorrection {
    /// Gain before the filter, left and right, in dB (brings the stem to −30 LUFS).
    pub gain_db: [f64; 2],
    /// One curve for both sides, or one for each: [`CURVE_POINTS`] gains in dB, 0 Hz to Nyquist.
    pub curves_db: Vec<Vec<f32>>,
    /// What is mended, by rules that look for faults.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
}

impl EqualizationCorrection {
    /// Whether it changes nothing.
    pub(crate) fn is_flat(&self) -> bool {
        self.gain_db == [0.0; 2] && self.curves_db.iter().flatten().all(|point| *point == 0.0)
    }
}

/// Meter: mean magnitude over frames and sides of the stem brought to −30 LUFS, [`FULL_BINS`] values.
///
/// # Errors
/// The store's reason.
pub fn measure(
    stem: &mut dyn StemStore,
    kind: RecipeKind,
    sample_rate_hz: f64,
) -> Result<Vec<f64>, StoreError> {
    let gain = gain_from_db(reference_gain_db(stem, Sides::Both, kind, sample_rate_hz)?);
    let [left, right] = mean_magnitudes(stem, kind)?;
    Ok(left.iter().zip(&right).map(|(left, right)| 0.5 * (left + right) * gain).collect())
}

/// Gain to −30 LUFS, less if the result would clip: the reference's `lufs_normalize`.
fn reference_gain_db(
    stem: &mut dyn StemStore,
    sides: Sides,
    kind: RecipeKind,
    sample_rate_hz: f64,
) -> Result<f64, StoreError> {
    gain_to_lufs_db(stem, sides, REFERENCE_LUFS, kind, sample_rate_hz)
}

/// The full correction of a complete stem.
///
/// # Errors
/// The store's reason.
pub fn correction(stem: &mut dyn StemStore, context: &Context) -> Result<EqualizationCorrection, StoreError> {
    let (kind, sample_rate_hz) = (context.kind, context.sample_rate_hz);
    match kind {
        RecipeKind::Published => each_side(stem, context),
        RecipeKind::Paper => {
            let gain_db = reference_gain_db(stem, Sides::Both, kind, sample_rate_hz)?;
            let (curve, fault) = shared_curve(stem, context, gain_db)?;
            Ok(EqualizationCorrection { gain_db: [gain_db; 2], curves_db: vec![curve], fault })
        }
        RecipeKind::Tributary => {
            let measured_lufs = measure_loudness(stem, Sides::Both, kind, sample_rate_hz)?;
            let gain_db = measured_lufs.map_or(0.0, |lufs| REFERENCE_LUFS - lufs);
            let (curve, fault) = shared_curve(stem, context, gain_db)?;
            Ok(EqualizationCorrection { gain_db: [0.0; 2], curves_db: vec![curve], fault })
        }
    }
}

/// The published rules' corrections, one for each side.
fn each_side(stem: &mut dyn StemStore, context: &Context) -> Result<EqualizationCorrection, StoreError> {
    let (kind, sample_rate_hz) = (context.kind, context.sample_rate_hz);
    let target_db = target_grid_db(&context.target, sample_rate_hz);
    let spectra = mean_magnitudes(stem, kind)?;
    let mut result = EqualizationCorrection {
        gain_db: [0.0; 2],
        curves_db: vec![vec![0.0; CURVE_POINTS]; 2],
        fault: None,
    };
    for (channel, spectrum) in spectra.iter().enumerate() {
        let side = Sides::One(channel);
        if too_quiet(peak(stem, side)?) {
            continue;
        }
        let gain_db = reference_gain_db(stem, side, kind, sample_rate_hz)?;
        let gain = gain_from_db(gain_db);
        // The released code's FIR design looks at every 32nd bin and at nothing between.
        let measured = spectrum.iter().step_by((FULL_BINS - 1) / (CURVE_POINTS - 1));
        for ((point, target_db), measured) in
            result.curves_db[channel].iter_mut().zip(&target_db).zip(measured)
        {
            *point = (target_db - db_from_gain(measured * gain)).clamp(-300.0, 300.0) as f32;
        }
        result.gain_db[channel] = gain_db;
    }
    Ok(result)
}

/// The curve for both sides of a stem that `gain_db` brings to −30 LUFS, and what it mends.
fn shared_curve(
    stem: &mut dyn StemStore,
    context: &Context,
    gain_db: f64,
) -> Result<(Vec<f32>, Option<Fault>), StoreError> {
    let [left, right] = mean_magnitudes(stem, context.kind)?;
    let mean: Vec<f32> = left.iter().zip(&right).map(|(left, right)| (0.5 * (left + right)) as f32).collect();
    let mut curve = vec![0.0; CURVE_POINTS];
    let fault = CurveShaper::new(context).shape(&mean, gain_db, &mut curve);
    Ok((curve, fault))
}
