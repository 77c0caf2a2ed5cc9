//! From a measured spectrum to the correction curve, by the rules of a recipe: matched to the target as the paper has it, or
//! mended where something is wrong. The running estimate and the whole-file pass share it.

use crate::analysis::spectra::ANALYSIS_FRAMES;
use crate::context::Context;
use crate::effects::equalization::curve::{
    CURVE_POINTS, keep_loudness, loudness_weights, match_target, target_grid_db,
};
use crate::effects::equalization::faults::{Fault, FaultFinder};
use crate::effects::equalization::third_octaves::{THIRD_OCTAVES, center_hz, edge_hz};
use crate::rules::RecipeKind;
use crate::targets::FULL_BINS;

/// Quietest mean magnitude of a third octave that is told from nothing.
const QUIETEST: f64 = 1e-9;

/// Shapes correction curves for one stem. Never allocates once it is built.
#[derive(Debug)]
pub struct CurveShaper {
    rule: Rule,
    weights: Vec<f64>,
    sums: Vec<f64>,
    sample_rate_hz: f64,
}

#[derive(Debug)]
enum Rule {
    /// To the target, on the curve's grid in dB.
    Match(Vec<f64>),
    /// Free of faults.
    Mend(Box<FaultFinder>),
}

impl CurveShaper {
    /// By the rules, and toward the target, of a stem.
    pub fn new(context: &Context) -> Self {
        let Context { stem, kind, target, tolerance, sample_rate_hz } = context;
        let rule = match kind {
            RecipeKind::Tributary => {
                Rule::Mend(Box::new(FaultFinder::new(*stem, target, *tolerance, *sample_rate_hz)))
            }
            RecipeKind::Paper | RecipeKind::Published => Rule::Match(target_grid_db(target, *sample_rate_hz)),
        };
        Self {
            rule,
            weights: loudness_weights(*sample_rate_hz),
            sums: vec![0.0; FULL_BINS + 1],
            sample_rate_hz: *sample_rate_hz,
        }
    }

    /// Whether faults are mended, so that the curve is flat unless there is one.
    pub fn mends(&self) -> bool {
        matches!(self.rule, Rule::Mend(_))
    }

    /// From mean magnitudes, [`FULL_BINS`] values, which `gain_db` brings to −30 LUFS, to the correction: [`CURVE_POINTS`] values
    /// in dB which keep the stem's loudness. Returns the fault that is mended.
    pub fn shape(&mut self, magnitudes: &[f32], gain_db: f64, curve_db: &mut [f32]) -> Option<Fault> {
        self.sums[0] = 0.0;
        for (bin, magnitude) in magnitudes.iter().enumerate() {
            self.sums[bin + 1] = self.sums[bin] + f64::from(*magnitude);
        }
        if self.sums[FULL_BINS] <= 0.0 {
            curve_db.fill(0.0);
            return None;
        }
        let fault = match &mut self.rule {
            Rule::Match(target_db) => {
                match_target(&self.sums, target_db, curve_db);
                None
            }
            Rule::Mend(finder) => {
                let spectrum_db = third_octaves(&self.sums, gain_db, self.sample_rate_hz);
                let finding = finder.find(&spectrum_db);
                if finding.fault.is_none() {
                    curve_db.fill(0.0);
                    return None;
                }
                spread_out(&finding.curve_db, self.sample_rate_hz, curve_db);
                finding.fault
            }
        };
        keep_loudness(&self.sums, &self.weights, self.mends(), curve_db);
        fault
    }
}

/// Mean magnitudes per third octave in dB, from running sums over the bins; edges may lie within a bin.
fn third_octaves(sums: &[f64], gain_db: f64, sample_rate_hz: f64) -> [f64; THIRD_OCTAVES] {
    let position =
        |band| (edge_hz(band) * ANALYSIS_FRAMES as f64 / sample_rate_hz + 0.5).min(FULL_BINS as f64);
    let sum_to = |position: f64| {
        let bin = (position as usize).min(FULL_BINS - 1);
        sums[bin] + (sums[bin + 1] - sums[bin]) * (position - bin as f64)
    };
    std::array::from_fn(|band| {
        let (from, to) = (position(band), position(band + 1));
        let mean = (sum_to(to) - sum_to(from)) / (to - from).max(1e-9);
        20.0 * mean.max(QUIETEST).log10() + gain_db
    })
}

/// Joins the bands over the logarithm of frequency.
fn spread_out(bands_db: &[f64; THIRD_OCTAVES], sample_rate_hz: f64, curve_db: &mut [f32]) {
    let step_hz = 0.5 * sample_rate_hz / (CURVE_POINTS - 1) as f64;
    for (point, value) in curve_db.iter_mut().enumerate() {
        let octaves = (point as f64 * step_hz / center_hz(0)).max(1.0).log2();
        let position = (3.0 * octaves).min((THIRD_OCTAVES - 1) as f64);
        let band = (position as usize).min(THIRD_OCTAVES - 2);
        let [low, high] = [bands_db[band], bands_db[band + 1]];
        *value = (low + (high - low) * (position - band as f64)) as f32;
    }
}
