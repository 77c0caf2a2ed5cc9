//! Products of spectra of stems and mix, averaged over time: all that least squares need, however long one listens.

use realfft::num_complex::{Complex32, Complex64};

use crate::stem::CHANNELS;

/// Sides of the mix.
pub const SIDES: usize = 2;
/// Sides of all stems, then those of the mix.
pub const SIGNALS: usize = CHANNELS + SIDES;
/// Powers below this (−140 dBFS in one bin of a window of 8,192) are silence: nothing is learned from it.
const SILENT: f64 = 1e-8;

/// Products of every pair of signals; only pairs whose first is not before the second are kept.
pub type Products = [[Complex64; SIGNALS]; SIGNALS];

/// Mean products of one group.
#[derive(Debug, Clone, Default)]
pub struct Moments {
    /// As they are: powers.
    pub plain: Products,
    /// Divided by the root of the power of the moment, so that quiet moments, where little drowns, count as well.
    pub even: Products,
}

impl Moments {
    /// Averages in the products of one frame's bins, with a weight. Returns whether there was sound.
    pub fn add(&mut self, signals: &[Vec<Complex32>; SIGNALS], bins: std::ops::Range<usize>, weight: f64) {
        let now = products(signals, bins);
        let power: f64 = (0..SIGNALS).map(|n| now[n][n].re).sum();
        let evened = if power > SILENT { 1.0 / power.sqrt() } else { 0.0 };
        for row in 0..SIGNALS {
            for column in 0..=row {
                let (now, plain) = (now[row][column], &mut self.plain[row][column]);
                *plain += (now - *plain) * weight;
                let even = &mut self.even[row][column];
                *even += (now * evened - *even) * weight;
            }
        }
    }
}

/// Products summed over some bins.
fn products(signals: &[Vec<Complex32>; SIGNALS], bins: std::ops::Range<usize>) -> Products {
    // In 64 bits, so that a stem with two equal sides is singular to the last bit and its leaning decides.
    let mut sums = [[Complex64::default(); SIGNALS]; SIGNALS];
    for bin in bins {
        let values: [Complex64; SIGNALS] = std::array::from_fn(|n| {
            let value = signals[n][bin];
            Complex64::new(f64::from(value.re), f64::from(value.im))
        });
        for (row, sums) in sums.iter_mut().enumerate() {
            for (sum, other) in sums[..=row].iter_mut().zip(&values) {
                *sum += values[row] * other.conj();
            }
        }
    }
    sums
}
