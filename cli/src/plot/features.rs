//! The features of one stem as the data-set averages are made of them: what `tributary profile` writes as JSON and draws.

use anyhow::Result;
use serde_json::{Value, json};
use tributary_dsp::{EffectName, Feature, Recipe, StemStore, measure_feature_of};

use crate::options::normalization::TRAINING_RATE_HZ;
use crate::plot::{self, StemCurves};

/// Spacing of the bins of the 65,536-point transform, in Hz.
const BIN_HZ: f64 = TRAINING_RATE_HZ as f64 / 65_536.0;
/// Magnitudes below this are written as this, so that an empty bin is a number, in dB.
const FLOOR_DB: f64 = -200.0;

/// What was measured of a stem at the rate of training; absent where the stem has none.
#[derive(Debug, Clone, Default)]
pub struct Features {
    /// Integrated loudness.
    pub loudness_lufs: Option<f64>,
    /// Mean of the loudest onset peaks and their standard deviation, in dB.
    pub peaks_db: Option<[f64; 2]>,
    /// Mean magnitude per bin at −30 LUFS, in dB.
    spectrum_db: Option<Vec<f64>>,
    /// Similarity per bin.
    phi: Option<Vec<f64>>,
}

impl Features {
    /// Measures every feature of a stem as it is.
    ///
    /// # Errors
    /// A recipe out of range, or the store's reason.
    pub fn measure(stem: &mut dyn StemStore, recipe: &Recipe) -> Result<Self> {
        let mut features = Self::default();
        for effect in EffectName::ALL {
            match measure_feature_of(effect, stem, recipe, f64::from(TRAINING_RATE_HZ))? {
                None => {}
                Some(Feature::Spectrum(bins)) => {
                    let level_db = |magnitude: f64| (20.0 * magnitude.log10()).max(FLOOR_DB);
                    features.spectrum_db = Some(bins.into_iter().map(level_db).collect());
                }
                Some(Feature::Peaks { peak_db, peak_std_db }) => {
                    features.peaks_db = Some([peak_db, peak_std_db]);
                }
                Some(Feature::Phi(bins)) => features.phi = Some(bins),
                Some(Feature::Loudness(lufs)) => features.loudness_lufs = Some(lufs),
            }
        }
        Ok(features)
    }

    /// At full resolution; null where there is nothing.
    pub fn to_json(&self) -> Value {
        json!({
            "loudness_lufs": self.loudness_lufs,
            "peak_db": self.peaks_db.map(|[mean, _]| mean),
            "peak_std_db": self.peaks_db.map(|[_, spread]| spread),
            "spectrum": self.spectrum_db.as_deref().map(rounded),
            "phi": self.phi.as_deref().map(rounded),
        })
    }

    /// At the resolution of pictures.
    pub fn to_curves(&self) -> StemCurves {
        let smooth = |bins: &Option<Vec<f64>>| plot::smooth(&points(bins.as_deref().unwrap_or_default()));
        StemCurves {
            loudness_lufs: self.loudness_lufs,
            peak_db: self.peaks_db.map(|[mean, _]| mean),
            peak_std_db: self.peaks_db.map(|[_, spread]| spread),
            spectrum_db: smooth(&self.spectrum_db),
            phi: smooth(&self.phi),
            reduction_db: Vec::new(),
        }
    }
}

/// `[Hz, value]` of every bin.
fn points(bins: &[f64]) -> Vec<[f64; 2]> {
    bins.iter().enumerate().map(|(bin, &value)| [bin as f64 * BIN_HZ, value]).collect()
}

/// The same, rounded to what the measurement carries.
fn rounded(bins: &[f64]) -> Vec<[f64; 2]> {
    let round = |x: f64| (x * 1e6).round() / 1e6;
    points(bins).into_iter().map(|point| point.map(round)).collect()
}
