//! Transforms and windows: a real FFT with its buffers, and the periodic square-root Hann window that the reference
//! uses for analysis and synthesis alike.

use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{ComplexToReal, FftNum, RealFftPlanner, RealToComplex};

/// Square root of a periodic Hann window; its square overlaps to exactly one at half its length.
pub fn sqrt_hann(length: usize) -> Vec<f32> {
    let step = std::f64::consts::TAU / length as f64;
    (0..length).map(|n| (0.5 * (1.0 - (step * n as f64).cos())).max(0.0).sqrt() as f32).collect()
}

/// A real transform of one length with everything it needs, so that running it never allocates. In f32 on the signal
/// path; in f64 where the reference's features must be met below the rounding noise of 32-bit transforms.
#[derive(Clone)]
pub struct RealTransform<T: FftNum = f32> {
    forward: Arc<dyn RealToComplex<T>>,
    inverse: Arc<dyn ComplexToReal<T>>,
    scratch: Vec<Complex<T>>,
    length: usize,
}

impl<T: FftNum> std::fmt::Debug for RealTransform<T> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "RealTransform({})", self.length)
    }
}

impl<T: FftNum + Default> RealTransform<T> {
    /// A transform of `length` real samples.
    pub fn new(length: usize) -> Self {
        let mut planner = RealFftPlanner::<T>::new();
        let forward = planner.plan_fft_forward(length);
        let inverse = planner.plan_fft_inverse(length);
        let scratch = forward.get_scratch_len().max(inverse.get_scratch_len());
        Self { forward, inverse, scratch: vec![Complex::default(); scratch], length }
    }

    /// Number of real samples.
    pub fn length(&self) -> usize {
        self.length
    }

    /// Number of bins, `length / 2 + 1`.
    pub fn bins(&self) -> usize {
        self.length / 2 + 1
    }

    /// Time to frequency, unscaled; overwrites `time`.
    pub fn forward(&mut self, time: &mut [T], spectrum: &mut [Complex<T>]) {
        self.forward
            .process_with_scratch(time, spectrum, &mut self.scratch)
            .expect("buffers have the planned lengths");
    }

    /// Frequency to time, unscaled (a round trip multiplies by `length`); overwrites `spectrum`.
    pub fn inverse(&mut self, spectrum: &mut [Complex<T>], time: &mut [T]) {
        // A real signal has real end bins; rounding must not make the transform refuse.
        spectrum[0].im = T::default();
        let last = spectrum.len() - 1;
        spectrum[last].im = T::default();
        self.inverse
            .process_with_scratch(spectrum, time, &mut self.scratch)
            .expect("buffers have the planned lengths");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squared_windows_overlap_to_one() {
        let window = sqrt_hann(2048);
        for n in 0..1024 {
            let sum = window[n] * window[n] + window[n + 1024] * window[n + 1024];
            assert!((sum - 1.0).abs() < 1e-6);
        }
    }
}
