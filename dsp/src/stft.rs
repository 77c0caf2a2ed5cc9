//! Transforms and windows: a real FFT with its buffers, and the periodic square-root Hann window that the reference
//! uses for analysis and synthesis alike.

use std::sync::Arc;

use realfft::num_complex::Complex32;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};

/// Square root of a periodic Hann window; its square overlaps to exactly one at half its length.
pub fn sqrt_hann(length: usize) -> Vec<f32> {
    let step = std::f64::consts::TAU / length as f64;
    (0..length).map(|n| (0.5 * (1.0 - (step * n as f64).cos())).max(0.0).sqrt() as f32).collect()
}

/// A real transform of one length with everything it needs, so that running it never allocates.
#[derive(Clone)]
pub struct RealTransform {
    forward: Arc<dyn RealToComplex<f32>>,
    inverse: Arc<dyn ComplexToReal<f32>>,
    scratch: Vec<Complex32>,
    length: usize,
}

impl std::fmt::Debug for RealTransform {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "RealTransform({})", self.length)
    }
}

impl RealTransform {
    /// A transform of `length` real samples.
    pub fn new(length: usize) -> Self {
        let mut planner = RealFftPlanner::<f32>::new();
        let forward = planner.plan_fft_forward(length);
        let inverse = planner.plan_fft_inverse(length);
        let scratch = forward.get_scratch_len().max(inverse.get_scratch_len());
        Self { forward, inverse, scratch: vec![Complex32::default(); scratch], length }
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
    pub fn forward(&mut self, time: &mut [f32], spectrum: &mut [Complex32]) {
        self.forward
            .process_with_scratch(time, spectrum, &mut self.scratch)
            .expect("buffers have the planned lengths");
    }

    /// Frequency to time, unscaled (a round trip multiplies by `length`); overwrites `spectrum`.
    pub fn inverse(&mut self, spectrum: &mut [Complex32], time: &mut [f32]) {
        // A real signal has real end bins; rounding must not make the transform refuse.
        spectrum[0].im = 0.0;
        let last = spectrum.len() - 1;
        spectrum[last].im = 0.0;
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
