//! Filters as spectra, made once when a network is loaded: in double precision, in the order of the transform's places, with
//! the transform's factor taken back.

use std::sync::Arc;

use rustfft::num_complex::Complex;
use rustfft::{Fft, FftPlanner};

use super::transform::{POINTS, frequency};

/// Makes spectra.
pub(super) struct Spectra {
    fft: Arc<dyn Fft<f64>>,
}

impl Spectra {
    pub(super) fn new() -> Self {
        Self { fft: FftPlanner::new().plan_fft_forward(POINTS) }
    }

    /// The spectrum of so many taps at most, place by place: what is multiplied with it comes out convolved.
    pub(super) fn of(&self, taps: impl Iterator<Item = f32>) -> Vec<Complex<f64>> {
        let mut block: Vec<Complex<f64>> =
            taps.map(|tap| Complex::new(f64::from(tap) / POINTS as f64, 0.0)).collect();
        block.resize(POINTS, Complex::default());
        self.fft.process(&mut block);
        (0..POINTS).map(|place| block[frequency(place)]).collect()
    }

    /// The same of the reversed filter, whose first tap meets the sample it stands at: what a network calls a convolution.
    pub(super) fn reversed(&self, taps: impl Iterator<Item = f32>) -> Vec<Complex<f64>> {
        let mut spectrum = self.of(taps);
        spectrum.iter_mut().for_each(|value| *value = value.conj());
        spectrum
    }
}
