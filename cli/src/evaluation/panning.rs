//! Where sound lies between left and right, frequency by frequency: the spectral panning of Fx-normalization's panning
//! effect, as the published evaluation uses it.
//!
//! A bin's panning is ±(1 − φ), φ = 2|LR*| / (|L|² + |R|²): 0 in the center, ±1 at either side, positive to the right.

use tributary_dsp::StereoBuffer;

use super::Options;
use super::catalog::Figure;
use super::frames::{Complex, Grid, Window};
use super::published::{mape, mean_of, running_mean};
use super::tone::{BANDS, band_at, center_hz};

/// Frames of the published evaluation.
pub const GRID: Grid = Grid { length: 2_048, hop: 1_024, window: Window::SqrtHann };
/// Upper limits of the published bands in Hz; the first spans everything.
const BAND_EDGES_HZ: [(f64, f64); 4] = [(0.0, 22_050.0), (0.0, 250.0), (250.0, 2_500.0), (2_500.0, 22_050.0)];
const KEYS: [&str; 4] = [
    "published_panning_total",
    "published_panning_low",
    "published_panning_middle",
    "published_panning_high",
];
/// A human mix whose panning stays below this sounds centered there: it corresponds to a level difference of 1.2 dB.
/// Without it a mono low end would make every error infinite.
const CENTERED: f64 = 0.01;
/// Frames whose power is below this part of the loudest do not show in the picture.
const QUIET: f64 = 1e-6;

/// Panning of one mix.
#[derive(Debug, Clone)]
pub struct Panning {
    /// Per band, the root mean square over its bins, frame by frame.
    rms: [Vec<f64>; 4],
    /// Per third octave, the mean magnitude over the audible frames.
    mean: [f64; BANDS],
}

/// Panning of one bin.
pub fn of_bin(left: Complex, right: Complex) -> f64 {
    let (left, right) = (f64::from(left.norm_sqr()), f64::from(right.norm_sqr()));
    if left + right <= 0.0 {
        return 0.0;
    }
    let phi = 2.0 * (left * right).sqrt() / (left + right);
    (1.0 - phi.min(1.0)) * if right > left { 1.0 } else { -1.0 }
}

impl Panning {
    /// Measures a mix.
    pub fn of(audio: &StereoBuffer) -> Self {
        let ranges = BAND_EDGES_HZ.map(|(low, high)| {
            let bin = |hz: f64| (hz * GRID.length as f64 / f64::from(super::RATE_HZ)).floor() as usize;
            bin(low)..if high >= 22_050.0 { GRID.bins() } else { bin(high) }
        });
        let mut rms: [Vec<f64>; 4] = Default::default();
        let mut weighted = [(0.0, 0.0); BANDS];
        let mut pan = vec![0.0; GRID.bins()];
        GRID.each([&audio.left, &audio.right], |_, [left, right]| {
            for ((pan, &left), &right) in pan.iter_mut().zip(left).zip(right) {
                *pan = of_bin(left, right);
            }
            for (rms, range) in rms.iter_mut().zip(&ranges) {
                let squares: f64 = pan[range.clone()].iter().map(|pan| pan * pan).sum();
                rms.push((squares / range.len() as f64).sqrt());
            }
            for (bin, pan) in pan.iter().enumerate() {
                if let Some(band) = band_at(GRID.hz(bin)) {
                    let power = f64::from(left[bin].norm_sqr() + right[bin].norm_sqr());
                    weighted[band].0 += power * pan.abs();
                    weighted[band].1 += power;
                }
            }
        });
        let mean = weighted.map(|(sum, power)| if power > QUIET { sum / power } else { 0.0 });
        Self { rms, mean }
    }

    /// The figures; `self` is the human mix.
    pub fn compare(&self, mix: &Self, options: &Options) -> Vec<Figure> {
        let floor = if options.published_oddities { 0.0 } else { CENTERED };
        let heard: Vec<usize> = (0..self.rms[0].len()).filter(|&frame| self.rms[0][frame] > 0.0).collect();
        let series = |rms: &[f64]| running_mean(&heard.iter().map(|&frame| rms[frame]).collect::<Vec<_>>());
        let errors: [Option<f64>; 4] =
            std::array::from_fn(|band| mape(&series(&self.rms[band]), &series(&mix.rms[band]), floor));
        let overall = mean_of(&errors);
        let bands = KEYS.iter().zip(errors).map(|(key, error)| Figure::maybe(key, error));
        let overall = [Figure::maybe("panning_error", overall), Figure::maybe("published_panning", overall)];
        bands.chain(overall).collect()
    }

    /// For pictures: `[Hz, 0..1]`, how far from the center.
    pub fn curve(&self) -> Vec<[f64; 2]> {
        self.mean.iter().enumerate().map(|(band, &mean)| [center_hz(band), mean]).collect()
    }
}

/// How far apart two mixes place each sound, left and right told apart: the mean difference of the bins' panning,
/// weighted with the human mix's magnitude. From 0 to 2; both mixes start together.
pub fn placement_error(reference: &StereoBuffer, mix: &StereoBuffer) -> f64 {
    let (mut difference, mut weight) = (0.0, 0.0);
    let channels = [&reference.left[..], &reference.right, &mix.left, &mix.right];
    GRID.each(channels, |_, [reference_left, reference_right, left, right]| {
        for bin in 0..GRID.bins() {
            let (reference_left, reference_right) = (reference_left[bin], reference_right[bin]);
            let magnitude = f64::from(reference_left.norm_sqr() + reference_right.norm_sqr()).sqrt();
            let apart = of_bin(left[bin], right[bin]) - of_bin(reference_left, reference_right);
            difference += magnitude * apart.abs();
            weight += magnitude;
        }
    });
    difference / weight
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bin_lies_where_its_levels_say() {
        let bin = |magnitude: f32| Complex::new(0.0, magnitude);
        assert_eq!(of_bin(bin(1.0), bin(1.0)), 0.0);
        assert_eq!(of_bin(bin(0.0), bin(2.0)), 1.0);
        assert_eq!(of_bin(bin(2.0), bin(0.0)), -1.0);
        assert!((of_bin(bin(1.0), bin(3.0)) - 0.4).abs() < 1e-6);
        assert_eq!(of_bin(bin(0.0), bin(0.0)), 0.0);
    }
}
