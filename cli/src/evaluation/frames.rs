//! Short-time spectra of several channels at once, handed out frame by frame, so that no spectrogram is ever stored:
//! memory does not grow with the number of frames beyond what a figure keeps of each.

use std::f64::consts::TAU;

use tributary_dsp::stft::{RealTransform, sqrt_hann};

/// A bin of a spectrum.
pub type Complex = realfft::num_complex::Complex<f32>;

/// The window's shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// Periodic Hann.
    Hann,
    /// Its square root, as in the published code.
    SqrtHann,
}

/// Window, length and step of a short-time transform; frames lie wholly within the signal (no centering, no padding).
#[derive(Debug, Clone, Copy)]
pub struct Grid {
    /// Samples per frame.
    pub length: usize,
    /// Samples between frames.
    pub hop: usize,
    /// Its shape.
    pub window: Window,
}

impl Grid {
    /// Number of frames in a signal: the first at sample 0, the last ending at or before the end.
    pub fn count(self, samples: usize) -> usize {
        if samples < self.length { 0 } else { 1 + (samples - self.length) / self.hop }
    }

    /// Bins per frame.
    pub fn bins(self) -> usize {
        self.length / 2 + 1
    }

    /// Center frequency of a bin in Hz.
    pub fn hz(self, bin: usize) -> f64 {
        bin as f64 * f64::from(super::RATE_HZ) / self.length as f64
    }

    /// The window's samples.
    pub fn samples(self) -> Vec<f32> {
        match self.window {
            Window::SqrtHann => sqrt_hann(self.length),
            Window::Hann => {
                let step = TAU / self.length as f64;
                (0..self.length).map(|n| (0.5 - 0.5 * (step * n as f64).cos()) as f32).collect()
            }
        }
    }

    /// Transforms every frame of all channels and shows their spectra to `visit`.
    pub fn each<const N: usize>(
        self,
        channels: [&[f32]; N],
        mut visit: impl FnMut(usize, &[Vec<Complex>; N]),
    ) {
        let samples = channels.iter().map(|channel| channel.len()).min().unwrap_or(0);
        let window = self.samples();
        let mut transform = RealTransform::<f32>::new(self.length);
        let mut time = vec![0.0; self.length];
        let mut spectra: [Vec<Complex>; N] =
            std::array::from_fn(|_| vec![Complex::default(); transform.bins()]);
        for frame in 0..self.count(samples) {
            let start = frame * self.hop;
            for (channel, spectrum) in channels.iter().zip(&mut spectra) {
                let input = &channel[start..start + self.length];
                for ((time, &sample), &weight) in time.iter_mut().zip(input).zip(&window) {
                    *time = sample * weight;
                }
                transform.forward(&mut time, spectrum);
            }
            visit(frame, &spectra);
        }
    }
}

/// Power of the middle, `|(L + R) / 2|²`, and of the side, `|(L − R) / 2|²`.
pub fn mid_side_power(left: Complex, right: Complex) -> (f64, f64) {
    let (mid, side) = (left + right, left - right);
    (f64::from(mid.norm_sqr()) / 4.0, f64::from(side.norm_sqr()) / 4.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sine_stands_in_its_bin_at_half_the_windows_sum() {
        let grid = Grid { length: 1024, hop: 256, window: Window::Hann };
        let sine: Vec<f32> = (0..4096).map(|n| (TAU * 32.0 * f64::from(n) / 1024.0).sin() as f32).collect();
        let mut frames = 0;
        grid.each([&sine], |_, [spectrum]| {
            frames += 1;
            assert!((spectrum[32].norm() - 256.0).abs() < 1e-2);
            assert!(spectrum[40].norm() < 1e-2);
        });
        assert_eq!(frames, 13);
        assert_eq!((grid.count(1023), grid.count(1024), grid.count(1279), grid.count(1280)), (0, 1, 1, 2));
    }
}
