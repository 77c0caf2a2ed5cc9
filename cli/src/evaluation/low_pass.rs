//! A fourth-order Butterworth low pass, run forward and backward: the filter of the published low-frequency ratio.
//!
//! Edges are treated as in SciPy's `filtfilt`: an odd extension of 15 samples and the state of a settled step, so that
//! the figure can be checked against it.

use std::f64::consts::{PI, TAU};

const ORDER: usize = 4;
/// Samples of odd extension at either end: three times the number of coefficients.
const EXTENSION: usize = 3 * (ORDER + 1);

/// Coefficients of a low pass, in f64 because poles near 1 lie close together.
#[derive(Debug, Clone, Copy)]
pub struct LowPass {
    b: [f64; ORDER + 1],
    a: [f64; ORDER + 1],
}

impl LowPass {
    /// Butterworth of fourth order by the bilinear transform.
    pub fn new(corner_hz: f64, sample_rate_hz: f64) -> Self {
        let warped = (PI * corner_hz / sample_rate_hz).tan();
        let (mut b, mut a) = ([0.0; ORDER + 1], [0.0; ORDER + 1]);
        (b[0], a[0]) = (1.0, 1.0);
        // Two pairs of poles at ±1/8 and ±3/8 of half a turn.
        for pair in [1.0, 3.0] {
            let damping = 2.0 * (TAU * pair / 16.0).cos();
            let scale = 1.0 + damping * warped + warped * warped;
            let gain = warped * warped / scale;
            multiply(&mut b, [gain, 2.0 * gain, gain]);
            let first = 2.0 * (warped * warped - 1.0) / scale;
            multiply(&mut a, [1.0, first, (1.0 - damping * warped + warped * warped) / scale]);
        }
        Self { b, a }
    }

    /// Forward and backward, without delay; squares the magnitude response.
    pub fn both_ways(&self, samples: &[f32]) -> Vec<f32> {
        let extended = extend(samples);
        let mut filtered = self.run(extended.into_iter());
        filtered.reverse();
        let filtered = self.run(filtered.into_iter());
        let end = filtered.len() - EXTENSION.min(samples.len().saturating_sub(1));
        filtered[end - samples.len()..end].iter().rev().map(|&value| value as f32).collect()
    }

    /// One direction, transposed direct form II, started in the state that a constant first sample leaves.
    fn run(&self, samples: impl Iterator<Item = f64>) -> Vec<f64> {
        let settled = self.settled();
        let mut state = [0.0; ORDER];
        let mut first = true;
        samples
            .map(|sample| {
                if first {
                    state = settled.map(|value| value * sample);
                    first = false;
                }
                let out = self.b[0] * sample + state[0];
                for n in 0..ORDER {
                    let next = state.get(n + 1).copied().unwrap_or(0.0);
                    state[n] = self.b[n + 1] * sample - self.a[n + 1] * out + next;
                }
                out
            })
            .collect()
    }

    /// State after an endless step of one: the output is then one too, since the gain at 0 Hz is one.
    fn settled(&self) -> [f64; ORDER] {
        let mut state = [0.0; ORDER];
        let mut sum = 0.0;
        for n in (0..ORDER).rev() {
            sum += self.b[n + 1] - self.a[n + 1];
            state[n] = sum;
        }
        state
    }
}

/// Multiplies a polynomial by a quadratic.
fn multiply(polynomial: &mut [f64; ORDER + 1], factor: [f64; 3]) {
    let source = *polynomial;
    for (n, value) in polynomial.iter_mut().enumerate() {
        *value = (0..3).filter(|&k| k <= n).map(|k| factor[k] * source[n - k]).sum();
    }
}

/// The signal, mirrored through its end points on either side.
fn extend(samples: &[f32]) -> Vec<f64> {
    let Some((&first, &last)) = samples.first().zip(samples.last()) else { return Vec::new() };
    let count = EXTENSION.min(samples.len() - 1);
    let before = samples[1..=count].iter().rev().map(|&x| 2.0 * f64::from(first) - f64::from(x));
    let after = samples[samples.len() - 1 - count..samples.len() - 1].iter().rev();
    let after = after.map(|&x| 2.0 * f64::from(last) - f64::from(x));
    before.chain(samples.iter().map(|&x| f64::from(x))).chain(after).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_pass_and_the_corner_loses_six_decibels() {
        let filter = LowPass::new(1_000.0, 44_100.0);
        let constant = filter.both_ways(&[0.5; 400]);
        assert!(constant.iter().all(|value| (value - 0.5).abs() < 1e-6));
        for (hz, expected) in [(100.0, 1.0), (1_000.0, 0.5), (4_000.0, 0.0)] {
            let sine: Vec<f32> =
                (0..8_820).map(|n| (TAU * hz * f64::from(n) / 44_100.0).sin() as f32).collect();
            let out = filter.both_ways(&sine);
            assert_eq!(out.len(), sine.len());
            let peak = out[2_000..6_000].iter().fold(0.0_f32, |peak, value| peak.max(value.abs()));
            assert!((f64::from(peak) - expected).abs() < 5e-3, "{hz}: {peak}");
        }
        assert_eq!(filter.both_ways(&[]).len(), 0);
        assert_eq!(filter.both_ways(&[0.25]).len(), 1);
    }
}
