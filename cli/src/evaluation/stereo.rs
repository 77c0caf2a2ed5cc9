//! The stereo image as a whole: width, balance between the channels, correlation, and what becomes of the low end.

use tributary_dsp::StereoBuffer;

use super::catalog::Figure;
use super::frames::{Grid, Window, mid_side_power};
use super::tone::ratio_db;

/// Long frames, so that 120 Hz is many bins away from zero.
const GRID: Grid = Grid { length: 16_384, hop: 8_192, window: Window::Hann };
/// Below this a subwoofer plays the sum of both channels, in Hz.
const LOW_END_HZ: f64 = 120.0;

/// Image of one mix.
#[derive(Debug, Clone, PartialEq)]
pub struct Stereo {
    width_db: f64,
    imbalance_db: f64,
    correlation: f64,
    low_end_side_db: f64,
}

impl Stereo {
    /// Measures a mix.
    pub fn of(audio: &StereoBuffer) -> Self {
        let (mut left, mut right, mut both) = (0.0_f64, 0.0_f64, 0.0_f64);
        for (&l, &r) in audio.left.iter().zip(&audio.right) {
            let (l, r) = (f64::from(l), f64::from(r));
            left += l * l;
            right += r * r;
            both += l * r;
        }
        let (mid, side) = (left + right + 2.0 * both, left + right - 2.0 * both);
        let (mut low_mid, mut low_side) = (0.0, 0.0);
        let low_bins = (0..GRID.bins()).take_while(|&bin| GRID.hz(bin) < LOW_END_HZ).count();
        GRID.each([&audio.left, &audio.right], |_, [left, right]| {
            for (&left, &right) in left.iter().zip(right).take(low_bins) {
                let (mid, side) = mid_side_power(left, right);
                low_mid += mid;
                low_side += side;
            }
        });
        Self {
            width_db: ratio_db(side, mid),
            imbalance_db: 10.0 * (left / right).log10(),
            correlation: both / (left * right).sqrt(),
            low_end_side_db: ratio_db(low_side, low_mid),
        }
    }

    /// The figures; `self` is the human mix.
    pub fn compare(&self, mix: &Self) -> Vec<Figure> {
        vec![
            Figure::value("width_db", self.width_db, mix.width_db),
            Figure::value("imbalance_db", self.imbalance_db, mix.imbalance_db),
            Figure::value("correlation", self.correlation, mix.correlation),
            Figure::value("low_end_side_db", self.low_end_side_db, mix.low_end_side_db),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panned_sine_measures_as_its_gains_say() {
        let sine = |gain: f32| -> Vec<f32> {
            (0..44_100)
                .map(|n| gain * (std::f64::consts::TAU * 60.0 * f64::from(n) / 44_100.0).sin() as f32)
                .collect()
        };
        let image = Stereo::of(&StereoBuffer { left: sine(0.6), right: sine(0.2) });
        assert!((image.imbalance_db - 9.54).abs() < 0.01, "{image:?}");
        // Side 0.2, middle 0.4.
        assert!(
            (image.width_db + 6.02).abs() < 0.01 && (image.low_end_side_db + 6.02).abs() < 0.01,
            "{image:?}"
        );
        assert!((image.correlation - 1.0).abs() < 1e-6);
    }
}
