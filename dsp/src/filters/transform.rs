//! Transforms and windows: a real FFT with its buffers, one for two real signals at once, and the periodic square-root
//! Hann window that the reference uses for analysis and synthesis alike.

use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{ComplexToReal, FftNum, RealFftPlanner, RealToComplex};
use rustfft::{Fft, FftPlanner};

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

/// Power spectra of two real signals through one complex transform of `a + i b`, in about two thirds of the time of two
/// real ones. Rounding lets each signal leak into the other at −140 dB: ample for a meter, too much for whatever decides
/// between values that are equal.
#[derive(Clone)]
pub struct PairTransform {
    forward: Arc<dyn Fft<f32>>,
    buffer: Vec<Complex<f32>>,
    scratch: Vec<Complex<f32>>,
}

impl std::fmt::Debug for PairTransform {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "PairTransform({})", self.buffer.len())
    }
}

impl PairTransform {
    /// A transform of `length` samples of either signal; an even number.
    pub fn new(length: usize) -> Self {
        let forward = FftPlanner::new().plan_fft_forward(length);
        let scratch = vec![Complex::default(); forward.get_inplace_scratch_len()];
        Self { forward, buffer: vec![Complex::default(); length], scratch }
    }

    /// Where the pair is written before [`Self::run`]: one signal as real, the other as imaginary part.
    pub fn input(&mut self) -> &mut [Complex<f32>] {
        &mut self.buffer
    }

    /// Transforms what was written. Never allocates.
    pub fn run(&mut self) {
        self.forward.process_with_scratch(&mut self.buffer, &mut self.scratch);
    }

    /// Power of both signals at a bin, 0 to `length / 2`, as two real transforms would have it.
    pub fn powers(&self, bin: usize) -> [f32; 2] {
        // The transform of a real signal is its own mirror image, that of an imaginary one the negative of it.
        let value = self.buffer[bin];
        let mirrored = self.buffer[(self.buffer.len() - bin) % self.buffer.len()].conj();
        [0.25 * (value + mirrored).norm_sqr(), 0.25 * (value - mirrored).norm_sqr()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_has_the_powers_of_two_real_transforms() {
        let mut state = 7u64;
        let mut noise = || (crate::filters::noise::uniform(&mut state) - 0.5) as f32;
        let signals: [Vec<f32>; 2] = std::array::from_fn(|_| (0..2048).map(|_| noise()).collect());
        let mut pair = PairTransform::new(2048);
        for (sample, (a, b)) in pair.input().iter_mut().zip(signals[0].iter().zip(&signals[1])) {
            *sample = Complex::new(*a, *b);
        }
        pair.run();
        let mut single = RealTransform::new(2048);
        for (index, signal) in signals.into_iter().enumerate() {
            let (mut time, mut bins) = (signal, vec![Complex::default(); 1025]);
            single.forward(&mut time, &mut bins);
            for (bin, value) in bins.iter().enumerate() {
                let (found, wanted) = (pair.powers(bin)[index], value.norm_sqr());
                assert!((found - wanted).abs() <= 1e-4 * wanted.max(1.0), "{bin}: {found} {wanted}");
            }
        }
    }

    #[test]
    fn squared_windows_overlap_to_one() {
        let window = sqrt_hann(2048);
        for n in 0..1024 {
            let sum = window[n] * window[n] + window[n + 1024] * window[n + 1024];
            assert!((sum - 1.0).abs() < 1e-6);
        }
    }
}
