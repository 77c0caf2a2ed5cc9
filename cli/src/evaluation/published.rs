//! The evaluation published with FxNorm-Automix: running means of features over the song, compared as mean absolute
//! percentage errors (`|t − o| / |t|`, as a ratio, not a percentage).
//!
//! What the published code does by accident is available as `--published-oddities`: the crest factor as a ratio of two
//! dB values, logarithms down to −600 dB, and divisions by targets near zero.

use tributary_dsp::StereoBuffer;

use super::Options;
use super::catalog::Figure;
use super::frames::Complex;
use super::low_pass::LowPass;
use super::spectral::{self, GRID};

/// Frames of a running mean.
const RUNNING_FRAMES: usize = 40;
/// Both mixes are brought to this peak first, in dBFS.
const PEAK_DBFS: f64 = -1.0;
/// Added before logarithms: inaudible, unless the published value is asked for.
const FLOOR: f64 = 1e-5;
const PUBLISHED_FLOOR: f64 = 1e-30;
/// Corner of the low-frequency ratio in Hz, and what is added to its denominators.
const LOW_FREQUENCY_HZ: f64 = 1_000.0;
const LOW_FREQUENCY_LEAST: f64 = 1e-5;

const SPECTRAL_KEYS: [&str; spectral::SERIES] = [
    "published_centroid",
    "published_bandwidth",
    "published_contrast_low",
    "published_contrast_middle",
    "published_contrast_high",
    "published_rolloff",
    "published_flatness",
];
const DYNAMIC_KEYS: [&str; 3] = ["published_rms", "published_spread", "published_crest"];

/// The published features of one mix, except panning.
#[derive(Debug, Clone)]
pub struct Published {
    /// Factor that brings the mix to the common peak.
    gain: f64,
    spectral: spectral::Series,
    /// RMS level, dynamic spread, crest factor.
    dynamic: [Vec<f64>; 3],
    low_frequency: Vec<f64>,
}

impl Published {
    /// Measures a mix.
    pub fn of(audio: &StereoBuffer, options: &Options) -> Self {
        let peak = f64::from(audio.peak());
        let gain = if peak > 0.0 { 10f64.powf(PEAK_DBFS / 20.0) / peak } else { 0.0 };
        let mut spectral = spectral::series(audio, gain);
        // As published: frequencies plus one, flatness as one minus its level.
        for index in [0, 1, 5] {
            spectral[index].iter_mut().for_each(|value| *value += 1.0);
        }
        spectral[6].iter_mut().for_each(|value| *value = 1.0 - 20.0 * (*value + PUBLISHED_FLOOR).log10());
        Self {
            gain,
            spectral,
            dynamic: dynamics(audio, gain, options),
            low_frequency: low_frequency(audio, gain),
        }
    }

    /// The figures that need only features; `self` is the human mix.
    pub fn compare(&self, mix: &Self) -> Vec<Figure> {
        let error = |target: &[f64], output: &[f64]| mape(&running_mean(target), &running_mean(output), 0.0);
        let spectral: [Option<f64>; spectral::SERIES] =
            std::array::from_fn(|n| error(&self.spectral[n], &mix.spectral[n]));
        let dynamic: [Option<f64>; 3] = std::array::from_fn(|n| error(&self.dynamic[n], &mix.dynamic[n]));
        // The three contrasts count as one.
        let contrast = mean_of(&spectral[2..5]);
        let overall = mean_of(&[spectral[0], spectral[1], contrast, spectral[5], spectral[6]]);
        let low = (running_mean(&self.low_frequency), running_mean(&mix.low_frequency));
        let squares = low.0.iter().zip(&low.1).map(|(target, output)| (target - output).powi(2)).sum::<f64>();
        let mut figures: Vec<Figure> =
            SPECTRAL_KEYS.iter().zip(spectral).map(|(key, error)| Figure::maybe(key, error)).collect();
        figures.extend(DYNAMIC_KEYS.iter().zip(dynamic).map(|(key, error)| Figure::maybe(key, error)));
        figures.extend([
            Figure::maybe("published_spectral", overall),
            Figure::maybe("published_dynamic", mean_of(&dynamic)),
            Figure::maybe("published_low_frequency", mape(&low.0, &low.1, 0.0)),
            Figure::distance("published_low_frequency_mse", squares / low.0.len() as f64),
        ]);
        figures
    }

    /// Mean absolute and squared sample differences, at the common peak.
    pub fn sample_distances(
        &self,
        reference: &StereoBuffer,
        mix: &StereoBuffer,
        other: &Self,
    ) -> Vec<Figure> {
        let (mut absolute, mut square) = (0.0, 0.0);
        for (target, output) in [(&reference.left, &mix.left), (&reference.right, &mix.right)] {
            for (&target, &output) in target.iter().zip(output) {
                let difference = self.gain * f64::from(target) - other.gain * f64::from(output);
                absolute += difference.abs();
                square += difference * difference;
            }
        }
        let samples = (2 * reference.frames()) as f64;
        vec![
            Figure::distance("published_l1", absolute / samples),
            Figure::distance("published_l2", square / samples),
        ]
    }
}

/// Errors of loudness and peak as delivered.
pub fn level_errors(reference: (Option<f64>, Option<f64>), mix: (Option<f64>, Option<f64>)) -> Vec<Figure> {
    let error = |target: Option<f64>, output: Option<f64>| mape(&[target?], &[output?], 0.0);
    vec![
        Figure::maybe("published_loudness", error(reference.0, mix.0)),
        Figure::maybe("published_peak", error(reference.1, mix.1)),
    ]
}

/// RMS level (as one minus it), dynamic spread (likewise) and crest factor of every frame, mean of both channels.
fn dynamics(audio: &StereoBuffer, gain: f64, options: &Options) -> [Vec<f64>; 3] {
    let floor = if options.published_oddities { PUBLISHED_FLOOR } else { FLOOR };
    let db = |value: f64| 20.0 * (value + floor).log10();
    let mut series: [Vec<f64>; 3] = std::array::from_fn(|_| vec![0.0; GRID.count(audio.frames())]);
    for channel in [&audio.left, &audio.right] {
        // Frames are whole numbers of hops; each hop is measured once.
        let hops: Vec<(f64, f64, f64)> = channel
            .chunks_exact(GRID.hop)
            .map(|hop| {
                hop.iter().fold((0.0, 0.0, 0.0_f64), |(square, level, peak), &sample| {
                    let value = gain * f64::from(sample.abs());
                    (square + value * value, level + db(value), peak.max(value))
                })
            })
            .collect();
        let length = GRID.length as f64;
        for (frame, hops) in hops.windows(GRID.length / GRID.hop).enumerate() {
            let rms_db = db((hops.iter().map(|hop| hop.0).sum::<f64>() / length).sqrt());
            let spread_db = hops.iter().map(|hop| hop.1).sum::<f64>() / length - rms_db;
            let peak_db = db(hops.iter().map(|hop| hop.2).fold(0.0, f64::max));
            let crest = if options.published_oddities { peak_db / rms_db } else { peak_db - rms_db };
            let values = [1.0 - rms_db, 1.0 - spread_db, crest];
            series.iter_mut().zip(values).for_each(|(series, value)| series[frame] += value / 2.0);
        }
    }
    series
}

/// Per frame, the sum over bins of the low-passed magnitude over the magnitude, mean of both channels.
fn low_frequency(audio: &StereoBuffer, gain: f64) -> Vec<f64> {
    let filter = LowPass::new(LOW_FREQUENCY_HZ, f64::from(super::RATE_HZ));
    let (left, right) = (filter.both_ways(&audio.left), filter.both_ways(&audio.right));
    let mut series = Vec::with_capacity(GRID.count(audio.frames()));
    let ratio = |low: &[Complex], whole: &[Complex]| -> f64 {
        let magnitude = |bin: &Complex| gain * f64::from(bin.norm_sqr()).sqrt();
        let terms = low.iter().zip(whole).map(|(l, w)| magnitude(l) / (magnitude(w) + LOW_FREQUENCY_LEAST));
        terms.sum()
    };
    let channels = [&left[..], &audio.left, &right, &audio.right];
    GRID.each(channels, |_, [low_left, left, low_right, right]| {
        series.push((ratio(low_left, left) + ratio(low_right, right)) / 2.0);
    });
    series
}

/// Running mean over 40 frames, only where all 40 exist; a shorter series becomes its mean.
pub fn running_mean(series: &[f64]) -> Vec<f64> {
    let width = RUNNING_FRAMES.min(series.len());
    if width == 0 {
        return Vec::new();
    }
    series.windows(width).map(|window| window.iter().sum::<f64>() / width as f64).collect()
}

/// Mean of `|t − o| / max(|t|, floor)`; none where there is nothing to compare.
pub fn mape(target: &[f64], output: &[f64], floor: f64) -> Option<f64> {
    let terms = target.iter().zip(output).filter(|(target, _)| target.abs().max(floor) > 0.0);
    let terms: Vec<f64> =
        terms.map(|(target, output)| (target - output).abs() / target.abs().max(floor)).collect();
    (!terms.is_empty()).then(|| terms.iter().sum::<f64>() / terms.len() as f64)
}

/// Mean of those that exist.
pub fn mean_of(errors: &[Option<f64>]) -> Option<f64> {
    let errors: Vec<f64> = errors.iter().flatten().copied().collect();
    (!errors.is_empty()).then(|| errors.iter().sum::<f64>() / errors.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_relative_to_the_target() {
        assert_eq!(mape(&[2.0, -4.0], &[1.0, -6.0], 0.0), Some(0.5));
        assert_eq!(mape(&[0.0, 1.0], &[1.0, 1.0], 0.0), Some(0.0), "a target of zero has no relative error");
        assert_eq!(mape(&[0.0], &[0.005], 0.01), Some(0.5));
        assert_eq!(mape(&[], &[], 0.0), None);
        assert_eq!(running_mean(&[1.0, 3.0]), [2.0]);
        assert_eq!(running_mean(&(0..41).map(f64::from).collect::<Vec<_>>()), [19.5, 20.5]);
    }
}
