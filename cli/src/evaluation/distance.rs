//! Frame-by-frame distances between a mix and the human mix that do not care which side is left: the published losses
//! La and Lb, and short-time spectra of middle and side at three resolutions.
//!
//! Unlike portraits these need both mixes at once, in step.

use tributary_dsp::StereoBuffer;
use tributary_dsp::units::fast_db;

use super::Options;
use super::catalog::Figure;
use super::frames::{Complex, Grid, Window};
use super::weighting::emphasize;

/// Frames of the published losses.
const LOSS_GRID: Grid = Grid { length: 4_096, hop: 1_024, window: Window::SqrtHann };
/// Frames the published losses drop at either end of a 10 s crop.
const GUARD_FRAMES: usize = 30;
/// Added to magnitudes before a logarithm. The published 1e-30 lets one silent bin outweigh all others; at −23 LUFS the
/// loud bins stand near 1, and this is 40 dB below.
const LOSS_FLOOR: f32 = 1e-2;
const PUBLISHED_LOSS_FLOOR: f32 = 1e-30;
/// Nepers per decibel.
const NEPER: f64 = std::f64::consts::LN_10 / 20.0;

/// Resolutions of the STFT figures: transients, notes, bass.
const GRIDS: [Grid; 3] = [
    Grid { length: 1_024, hop: 512, window: Window::Hann },
    Grid { length: 2_048, hop: 1_024, window: Window::Hann },
    Grid { length: 8_192, hop: 4_096, window: Window::Hann },
];
/// Side counts at least as this part of mid (−40 dB): against a mono mixture nothing would be measurable.
const SIDE_FLOOR: f64 = 1e-2;
/// Levels below this of a full-scale sine do not count in logarithms.
const SILENT_DBFS: f64 = -80.0;

/// Sums over the bins of one pair of signals.
#[derive(Debug, Default, Clone, Copy)]
struct Sums {
    /// Of squared magnitude differences.
    difference: f64,
    /// Of the human mix's squared magnitudes.
    reference: f64,
    /// Of level differences in dB.
    level_db: f64,
    bins: usize,
}

impl Sums {
    fn add(&mut self, reference: &[f32], mix: &[f32], floor: f32) {
        let (mut difference, mut power, mut level) = (0.0_f32, 0.0_f32, 0.0_f32);
        for (&y, &x) in reference.iter().zip(mix) {
            difference += (y - x) * (y - x);
            power += y * y;
            level += fast_db((x + floor) / (y + floor)).abs();
        }
        self.difference += f64::from(difference);
        self.reference += f64::from(power);
        self.level_db += f64::from(level);
        self.bins += reference.len();
    }

    /// ‖Y − X‖ / ‖Y‖, where ‖Y‖ counts at least as `least`.
    fn convergence(&self, least: f64) -> f64 {
        let reference = self.reference.sqrt().max(least);
        if reference > 0.0 { self.difference.sqrt() / reference } else { self.difference.sqrt() }
    }

    fn mean_db(&self) -> f64 {
        self.level_db / self.bins.max(1) as f64
    }
}

/// All figures of this file; both mixes are in step and at one loudness.
pub fn compare(reference: &StereoBuffer, mix: &StereoBuffer, options: &Options) -> Vec<Figure> {
    let mut figures = losses(reference, mix, options);
    figures.extend(resolutions(reference, mix));
    figures
}

/// La and Lb: pre-emphasis, then L + R and L − R.
pub fn losses(reference: &StereoBuffer, mix: &StereoBuffer, options: &Options) -> Vec<Figure> {
    let floor = if options.published_oddities { PUBLISHED_LOSS_FLOOR } else { LOSS_FLOOR };
    let combined = |audio: &StereoBuffer, sign: f32| {
        let sum: Vec<f32> = audio.left.iter().zip(&audio.right).map(|(&l, &r)| l + sign * r).collect();
        emphasize(&sum)
    };
    let frames = LOSS_GRID.count(reference.frames());
    let guard = GUARD_FRAMES.min(frames.saturating_sub(1) / 2);
    let kept = guard..frames - guard;
    let (mut loss_a, mut loss_b) = (0.0, 0.0);
    for sign in [1.0, -1.0] {
        let (target, output) = (combined(reference, sign), combined(mix, sign));
        let mut sums = Sums::default();
        let mut magnitudes: [Vec<f32>; 2] = Default::default();
        LOSS_GRID.each([&target, &output], |frame, spectra| {
            if kept.contains(&frame) {
                for (magnitudes, spectrum) in magnitudes.iter_mut().zip(spectra) {
                    magnitude(spectrum.iter().copied(), magnitudes);
                }
                sums.add(&magnitudes[0], &magnitudes[1], floor);
            }
        });
        let log = sums.mean_db() * NEPER;
        loss_a += sums.convergence(0.0) + log;
        loss_b += sums.difference / sums.bins.max(1) as f64 + log;
    }
    vec![Figure::distance("loss_a", loss_a), Figure::distance("loss_b", loss_b)]
}

/// Spectral convergence and log-magnitude distance of middle and side, averaged over three resolutions.
pub fn resolutions(reference: &StereoBuffer, mix: &StereoBuffer) -> Vec<Figure> {
    // Middle's and side's convergence, middle's and side's level difference.
    let mut total = [0.0; 4];
    for grid in GRIDS {
        let [mid, side] = one_resolution(grid, reference, mix);
        let least = SIDE_FLOOR * mid.reference.sqrt();
        let figures = [mid.convergence(0.0), side.convergence(least), mid.mean_db(), side.mean_db()];
        for (total, figure) in total.iter_mut().zip(figures) {
            *total += figure / GRIDS.len() as f64;
        }
    }
    let [mid, side, mid_db, side_db] = total;
    vec![
        Figure::distance("stft_error", (mid + side) / 2.0),
        Figure::distance("stft_mid_error", mid),
        Figure::distance("stft_side_error", side),
        Figure::distance("stft_mid_db", mid_db),
        Figure::distance("stft_side_db", side_db),
    ]
}

fn one_resolution(grid: Grid, reference: &StereoBuffer, mix: &StereoBuffer) -> [Sums; 2] {
    let peak: f64 = grid.samples().iter().map(|&weight| f64::from(weight)).sum::<f64>() / 2.0;
    let floor = (peak * 10f64.powf(SILENT_DBFS / 20.0)) as f32;
    let mut sums = [Sums::default(); 2];
    let mut magnitudes: [Vec<f32>; 2] = Default::default();
    let channels = [&reference.left[..], &reference.right, &mix.left, &mix.right];
    grid.each(channels, |_, [reference_left, reference_right, left, right]| {
        for (sums, sign) in sums.iter_mut().zip([0.5_f32, -0.5]) {
            let half = |left: &[Complex], right: &[Complex], out: &mut Vec<f32>| {
                magnitude(left.iter().zip(right).map(|(l, r)| l * 0.5 + r * sign), out);
            };
            half(reference_left, reference_right, &mut magnitudes[0]);
            half(left, right, &mut magnitudes[1]);
            sums.add(&magnitudes[0], &magnitudes[1], floor);
        }
    });
    sums
}

fn magnitude(spectrum: impl Iterator<Item = Complex>, out: &mut Vec<f32>) {
    out.clear();
    out.extend(spectrum.map(|bin| bin.norm_sqr().sqrt()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_as_far_as_the_whole_mix_and_mono_side_stays_finite() {
        let noise: Vec<f32> =
            (0..44_100_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 8) as f32 / 1.7e7 - 0.5).collect();
        let mono = StereoBuffer::mono(noise);
        let silence = StereoBuffer::silence(44_100);
        let of = |mix: &StereoBuffer, key: &str| {
            let figures = resolutions(&mono, mix);
            figures.iter().find(|figure| figure.key == key).and_then(|figure| figure.distance)
        };
        assert!((of(&silence, "stft_mid_error").expect("measured") - 1.0).abs() < 1e-6);
        assert_eq!(of(&silence, "stft_side_error"), Some(0.0));
        assert_eq!(of(&mono, "stft_error"), Some(0.0));
    }
}
