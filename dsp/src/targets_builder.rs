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
///
/// ```
/// use tributary_dsp::{BandFeature, Stem, Targets, TargetsBuilder};
/// use tributary_dsp::Feature;
///
/// let mut builder = TargetsBuilder::new(Targets::default());
/// for song_lufs in [-20.0, -24.0] {
///     builder.add(Stem::Bass, &BandFeature::of(&Feature::Loudness(song_lufs)));
/// }
/// assert_eq!(builder.targets().stem(Stem::Bass).loudness_lufs, -22.0);
/// ```
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
    /// Of the values in dB, and of their squares: what spreads are made of.
    levels_db: Vec<[f64; 2]>,
}

/// Fewer songs do not say how far songs differ.
const FEWEST_SONGS_FOR_A_SPREAD: u32 = 8;

impl Sum {
    fn new(values: usize) -> Self {
        Self { songs: 0, values: vec![0.0; values], levels_db: vec![[0.0; 2]; values] }
    }

    fn add(&mut self, values: &[f64]) {
        self.songs += 1;
        for ((sum, [levels_db, squares]), value) in
            self.values.iter_mut().zip(&mut self.levels_db).zip(values)
        {
            *sum += value;
            *levels_db += level_db(*value);
            *squares += level_db(*value).powi(2);
        }
    }

    /// Standard deviations of the values in dB; `None` for too few songs.
    fn spreads_db(&self) -> Option<Vec<f64>> {
        let songs = f64::from(self.songs);
        let spread_db = |[sum, squares]: &[f64; 2]| {
            // A spread of nothing would make everything a fault.
            ((squares - sum * sum / songs) / (songs - 1.0)).max(0.0).sqrt().max(0.1)
        };
        (self.songs >= FEWEST_SONGS_FOR_A_SPREAD).then(|| self.levels_db.iter().map(spread_db).collect())
    }
}

fn level_db(magnitude: f64) -> f64 {
    20.0 * magnitude.max(1e-9).log10()
}

impl TargetsBuilder {
    /// Starts from targets whose values stand in for features that no song has.
    pub fn new(start: Targets) -> Self {
        Self { targets: start, sums: std::array::from_fn(|_| std::array::from_fn(|_| None)) }
    }

    /// Adds one song's feature of one stem. One of another size than the earlier ones is no feature and is left out.
    pub fn add(&mut self, stem: Stem, feature: &BandFeature) {
        let values = feature.values();
        let sum = &mut self.sums[stem.index()][feature.effect() as usize];
        let sum = sum.get_or_insert_with(|| Sum::new(values.len()));
        if sum.values.len() == values.len() {
            sum.add(values);
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
                let Some(sum) = sum else { continue };
                let means: Vec<f64> = sum.values.iter().map(|value| value / f64::from(sum.songs)).collect();
                let averages = targets.stem_mut(stem);
                match (effect, means.as_slice()) {
                    (EffectName::Equalization, means) => {
                        averages.spectrum = curve(means, level_db);
                        averages.spectrum_spread_db =
                            sum.spreads_db().map(|spreads| curve(&spreads, |db| db));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_needs_songs_and_is_their_standard_deviation() {
        let mut builder = TargetsBuilder::new(Targets::default());
        let count = band_means(&vec![1.0; FULL_BINS]).len();
        let song = |number: u32| {
            // Levels of −3 and +3 dB in turn.
            let level = if number.is_multiple_of(2) { -3.0 } else { 3.0 };
            BandFeature::Spectrum(vec![10f64.powf(level / 20.0); count])
        };
        (0..7).for_each(|number| builder.add(Stem::Drums, &song(number)));
        assert_eq!(builder.targets().stem(Stem::Drums).spectrum_spread_db, None, "seven songs are too few");
        builder.add(Stem::Drums, &song(7));
        let targets = builder.targets();
        let spread_db =
            targets.stem(Stem::Drums).spectrum_spread_db.as_ref().expect("eight songs").at_hz(1000.0);
        assert!((spread_db - (8f64 * 9.0 / 7.0).sqrt()).abs() < 1e-9, "{spread_db}");
        assert_eq!(targets.validate(), Ok(()));
    }
}
