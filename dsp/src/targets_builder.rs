//! Averages features of many songs into targets: arithmetic means per stem and effect, as published. Curves are averaged
//! over sixth octaves first, which commutes with the mean over songs: what has to be kept of a song is small.

use serde::{Deserialize, Serialize};

use crate::effect::Feature;
use crate::recipe::EffectName;
use crate::stem::Stem;
use crate::targets::{Curve, FULL_BIN_HZ, FULL_BINS, Targets};

/// One feature of one stem with its curve averaged over sixth octaves (see [`BandFeature::of`]).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BandFeature {
    /// Mean magnitude at −30 LUFS per band, linear.
    Spectrum(Vec<f64>),
    /// Onset peaks: mean of the loudest quarter in dBFS, and standard deviation in dB.
    Peaks([f64; 2]),
    /// Left/right similarity per band, 0 to 1.
    Phi(Vec<f64>),
    /// Integrated loudness in LUFS.
    LoudnessLufs(f64),
}

impl BandFeature {
    /// Averages a measured feature over the bands.
    pub fn of(feature: &Feature) -> Self {
        match feature {
            Feature::Spectrum(bins) => Self::Spectrum(band_means(bins)),
            Feature::Peaks { peak_db, peak_std_db } => Self::Peaks([*peak_db, *peak_std_db]),
            Feature::Phi(bins) => Self::Phi(band_means(bins)),
            Feature::Loudness(lufs) => Self::LoudnessLufs(*lufs),
        }
    }

    /// The effect whose feature this is.
    pub fn effect(&self) -> EffectName {
        match self {
            Self::Spectrum(_) => EffectName::Equalization,
            Self::Peaks(_) => EffectName::Dynamics,
            Self::Phi(_) => EffectName::Panning,
            Self::LoudnessLufs(_) => EffectName::Loudness,
        }
    }

    /// The numbers, whatever they mean.
    fn values(&self) -> &[f64] {
        match self {
            Self::Spectrum(values) | Self::Phi(values) => values,
            Self::Peaks(values) => values,
            Self::LoudnessLufs(value) => std::slice::from_ref(value),
        }
    }
}

/// Averages features of many songs into targets.
#[derive(Debug, Clone)]
pub struct TargetsBuilder {
    targets: Targets,
    sums: [[Option<Sum>; EffectName::ALL.len()]; Stem::COUNT],
}

/// How many songs have the feature, and the sums over them.
#[derive(Debug, Clone)]
struct Sum {
    songs: u32,
    values: Vec<f64>,
}

impl TargetsBuilder {
    /// Starts from targets whose values stand in for features that no song has.
    pub fn new(start: Targets) -> Self {
        Self { targets: start, sums: std::array::from_fn(|_| std::array::from_fn(|_| None)) }
    }

    /// Adds one song's feature of one stem. One of another size than the earlier ones is no feature and is left out.
    pub fn add(&mut self, stem: Stem, feature: &BandFeature) {
        let values = feature.values();
        match &mut self.sums[stem.index()][feature.effect() as usize] {
            Some(sum) if sum.values.len() == values.len() => {
                sum.songs += 1;
                sum.values.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
            }
            Some(_) => {}
            empty => *empty = Some(Sum { songs: 1, values: values.to_vec() }),
        }
    }

    /// How many songs have a feature, per stem.
    pub fn counts(&self, effect: EffectName) -> [u32; Stem::COUNT] {
        std::array::from_fn(|stem| self.sums[stem][effect as usize].as_ref().map_or(0, |sum| sum.songs))
    }

    /// The averages so far. Features are measured in sequence, so this is asked after each effect's pass.
    pub fn targets(&self) -> Targets {
        let mut targets = self.targets.clone();
        for stem in Stem::ALL {
            for (effect, sum) in EffectName::ALL.into_iter().zip(&self.sums[stem.index()]) {
                let Some(Sum { songs, values }) = sum else { continue };
                let means: Vec<f64> = values.iter().map(|value| value / f64::from(*songs)).collect();
                let averages = targets.stem_mut(stem);
                match (effect, means.as_slice()) {
                    (EffectName::Equalization, means) => {
                        averages.spectrum = curve(means, |mean| 20.0 * mean.max(1e-9).log10());
                    }
                    (EffectName::Panning, means) => averages.phi = curve(means, |mean| mean),
                    (EffectName::Dynamics, &[peak_db, peak_std_db]) => {
                        averages.peak_db = peak_db;
                        averages.peak_std_db = peak_std_db;
                    }
                    (EffectName::Loudness, &[lufs]) => averages.loudness_lufs = lufs,
                    _ => {}
                }
            }
        }
        targets
    }
}

/// Sixth-octave bands from 11 Hz to the Nyquist frequency: center in Hz, and the bins of full resolution.
fn bands() -> impl Iterator<Item = (f64, std::ops::Range<usize>)> {
    (-39..=26).filter_map(|band| {
        let center_hz = 1000.0 * 2f64.powf(f64::from(band) / 6.0);
        let edge = |sixths: f64| (center_hz * 2f64.powf(sixths / 12.0) / FULL_BIN_HZ).ceil() as usize;
        let range = edge(-1.0)..edge(1.0).min(FULL_BINS);
        (!range.is_empty()).then_some((center_hz, range))
    })
}

fn band_means(bins: &[f64]) -> Vec<f64> {
    bands()
        .filter_map(|(_, range)| bins.get(range))
        .map(|bins| bins.iter().sum::<f64>() / bins.len() as f64)
        .collect()
}

fn curve(means: &[f64], convert: impl Fn(f64) -> f64) -> Curve {
    Curve::Points(bands().zip(means).map(|((center_hz, _), mean)| [center_hz, convert(*mean)]).collect())
}
