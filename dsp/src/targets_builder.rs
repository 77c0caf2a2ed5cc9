//! Averages features of many songs into targets: arithmetic means per stem and effect, as published; curves are stored
//! per sixth of an octave.

use crate::recipe::Effect;
use crate::stem::Stem;
use crate::targets::{Curve, FULL_BIN_HZ, FULL_BINS, Targets};
use crate::whole_file::Feature;

/// Averages features of many songs into targets.
#[derive(Debug, Clone)]
pub struct TargetsBuilder {
    targets: Targets,
    sums: [[Option<(u32, Feature)>; Effect::ALL.len()]; Stem::COUNT],
}

impl TargetsBuilder {
    /// Starts from targets whose values stand in for features that no song has.
    pub fn new(start: Targets) -> Self {
        Self { targets: start, sums: std::array::from_fn(|_| std::array::from_fn(|_| None)) }
    }

    /// Adds one song's feature of one stem.
    pub fn add(&mut self, stem: Stem, feature: &Feature) {
        let effect = match feature {
            Feature::Spectrum(_) => Effect::Equalization,
            Feature::Peaks { .. } => Effect::Dynamics,
            Feature::Phi(_) => Effect::Panning,
            Feature::Loudness(_) => Effect::Loudness,
        };
        match &mut self.sums[stem.index()][effect as usize] {
            Some((count, sum)) => {
                *count += 1;
                accumulate(sum, feature);
            }
            empty => *empty = Some((1, feature.clone())),
        }
    }

    /// The averages so far. Features are measured in sequence, so this is asked after each effect's pass.
    pub fn targets(&self) -> Targets {
        let mut targets = self.targets.clone();
        for stem in Stem::ALL {
            let averages = targets.stem_mut(stem);
            for (count, sum) in self.sums[stem.index()].iter().flatten() {
                let count = f64::from(*count);
                match sum {
                    Feature::Spectrum(sum) => {
                        averages.spectrum =
                            sixth_octaves(sum, |mean| 20.0 * (mean / count).max(1e-9).log10());
                    }
                    Feature::Peaks { peak_db, peak_std_db } => {
                        averages.peak_db = peak_db / count;
                        averages.peak_std_db = peak_std_db / count;
                    }
                    Feature::Phi(sum) => averages.phi = sixth_octaves(sum, |mean| mean / count),
                    Feature::Loudness(sum) => averages.loudness_lufs = sum / count,
                }
            }
        }
        targets
    }
}

fn accumulate(sum: &mut Feature, feature: &Feature) {
    match (sum, feature) {
        (Feature::Spectrum(sum), Feature::Spectrum(values)) | (Feature::Phi(sum), Feature::Phi(values)) => {
            sum.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
        }
        (Feature::Peaks { peak_db, peak_std_db }, Feature::Peaks { peak_db: peak, peak_std_db: std }) => {
            *peak_db += peak;
            *peak_std_db += std;
        }
        (Feature::Loudness(sum), Feature::Loudness(value)) => *sum += value,
        _ => {}
    }
}

/// Averages full-resolution values over sixth-octave bands from 11 Hz to the Nyquist frequency.
fn sixth_octaves(values: &[f64], convert: impl Fn(f64) -> f64) -> Curve {
    let points = (-39..=26).filter_map(|band| {
        let center_hz = 1000.0 * 2f64.powf(f64::from(band) / 6.0);
        let edge = |sixths: f64| (center_hz * 2f64.powf(sixths / 12.0) / FULL_BIN_HZ).ceil() as usize;
        let (low, high) = (edge(-1.0), edge(1.0).min(FULL_BINS).min(values.len()));
        (low < high).then(|| {
            let mean = values[low..high].iter().sum::<f64>() / (high - low) as f64;
            [center_hz, convert(mean)]
        })
    });
    Curve::Points(points.collect())
}
