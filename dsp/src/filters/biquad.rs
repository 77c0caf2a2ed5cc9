//! Second-order filters after the RBJ audio EQ cookbook, designed in f64 and run on both channels at once. The
//! reference's K-weighting uses these designs too, instead of the coefficient table of BS.1770.

use std::f64::consts::TAU;

/// Coefficients of `b0 + b1 z^-1 + b2 z^-2` over `1 + a1 z^-1 + a2 z^-2`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Coefficients {
    /// Numerator.
    pub b: [f64; 3],
    /// Denominator without its leading 1.
    pub a: [f64; 2],
}

impl Coefficients {
    fn normalized(b: [f64; 3], a: [f64; 3]) -> Self {
        Self { b: b.map(|value| value / a[0]), a: [a[1] / a[0], a[2] / a[0]] }
    }

    /// High shelf of `gain_db` above `corner_hz`.
    pub fn high_shelf(corner_hz: f64, gain_db: f64, q: f64, sample_rate_hz: f64) -> Self {
        Self::shelf(corner_hz, gain_db, q, sample_rate_hz, 1.0)
    }

    /// Low shelf of `gain_db` below `corner_hz`.
    pub fn low_shelf(corner_hz: f64, gain_db: f64, q: f64, sample_rate_hz: f64) -> Self {
        Self::shelf(corner_hz, gain_db, q, sample_rate_hz, -1.0)
    }

    /// The cookbook's two shelves differ only in the sign of their cosine terms.
    fn shelf(corner_hz: f64, gain_db: f64, q: f64, sample_rate_hz: f64, sign: f64) -> Self {
        let omega = TAU * corner_hz.min(0.49 * sample_rate_hz) / sample_rate_hz;
        let (sin, cos) = omega.sin_cos();
        let amplitude = 10f64.powf(gain_db / 40.0);
        let slope = amplitude.sqrt() * sin / q;
        let (up, down) = (amplitude + 1.0, (amplitude - 1.0) * sign);
        let b = [
            amplitude * (up + down * cos + slope),
            -2.0 * amplitude * (down + up * cos),
            amplitude * (up + down * cos - slope),
        ];
        let a = [up - down * cos + slope, 2.0 * (down - up * cos), up - down * cos - slope];
        Self::normalized(b, a)
    }

    /// High pass.
    pub fn high_pass(corner_hz: f64, q: f64, sample_rate_hz: f64) -> Self {
        let omega = TAU * corner_hz / sample_rate_hz;
        let (sin, cos) = omega.sin_cos();
        let alpha = sin / (2.0 * q);
        let b = [(1.0 + cos) / 2.0, -(1.0 + cos), (1.0 + cos) / 2.0];
        Self::normalized(b, [1.0 + alpha, -2.0 * cos, 1.0 - alpha])
    }

    /// Squared magnitude response at a frequency.
    pub fn power_at(&self, hz: f64, sample_rate_hz: f64) -> f64 {
        let omega = TAU * hz / sample_rate_hz;
        let power = |c: [f64; 3]| {
            let real = c[0] + c[1] * omega.cos() + c[2] * (2.0 * omega).cos();
            let imaginary = c[1] * omega.sin() + c[2] * (2.0 * omega).sin();
            real * real + imaginary * imaginary
        };
        power(self.b) / power([1.0, self.a[0], self.a[1]]).max(1e-30)
    }
}

/// The two filters of K-weighting as `pyloudnorm` designs them (its RBJ form of ITU-R BS.1770-4, annex 1).
pub fn k_weighting(sample_rate_hz: f64) -> [Coefficients; 2] {
    let shelf = Coefficients::high_shelf(1500.0, 4.0, std::f64::consts::FRAC_1_SQRT_2, sample_rate_hz);
    [shelf, Coefficients::high_pass(38.0, 0.5, sample_rate_hz)]
}

/// State of one second-order filter on a stereo signal, transposed direct form II.
#[derive(Debug, Clone)]
pub struct StereoBiquad {
    coefficients: Coefficients,
    state: [[f64; 2]; 2],
}

impl StereoBiquad {
    /// At rest.
    pub fn new(coefficients: Coefficients) -> Self {
        Self { coefficients, state: [[0.0; 2]; 2] }
    }

    /// Filters one frame.
    #[inline(always)]
    pub fn tick(&mut self, input: [f64; 2]) -> [f64; 2] {
        let Coefficients { b, a } = self.coefficients;
        let mut output = [0.0; 2];
        for channel in 0..2 {
            output[channel] = b[0] * input[channel] + self.state[0][channel];
            self.state[0][channel] = b[1] * input[channel] - a[0] * output[channel] + self.state[1][channel];
            self.state[1][channel] = b[2] * input[channel] - a[1] * output[channel];
        }
        output
    }

    /// As if it had heard this frame for ever.
    pub fn settle_at(&mut self, input: [f64; 2]) {
        let Coefficients { b, a } = self.coefficients;
        let at_zero_hz = (b[0] + b[1] + b[2]) / (1.0 + a[0] + a[1]);
        for (channel, input) in input.into_iter().enumerate() {
            let output = at_zero_hz * input;
            self.state[1][channel] = b[2] * input - a[1] * output;
            self.state[0][channel] = b[1] * input - a[0] * output + self.state[1][channel];
        }
    }

    /// Clears state too small to matter, so that a decay never ends in denormal numbers.
    pub fn flush(&mut self) {
        for value in self.state.iter_mut().flatten() {
            if value.abs() < 1e-100 {
                *value = 0.0;
            }
        }
    }

    /// Back to rest.
    pub fn reset(&mut self) {
        self.state = [[0.0; 2]; 2];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_close(actual: &Coefficients, b: [f64; 3], a: [f64; 2]) {
        let pairs = actual.b.iter().zip(b).chain(actual.a.iter().zip(a));
        for (value, expected) in pairs {
            assert!((value - expected).abs() < 1e-8, "{value} {expected}");
        }
    }

    /// Reference coefficients: pyloudnorm 0.2.0 and FxNorm-Automix' reverb send at 44.1 kHz.
    #[test]
    fn designs_equal_the_reference() {
        let [shelf, high_pass] = k_weighting(44_100.0);
        assert_close(&shelf, [1.53090959, -2.65116903, 1.16916686], [-1.66375011, 0.71265753]);
        assert_close(&high_pass, [0.99460781, -1.98921562, 0.99460781], [-1.98920104, 0.9892302]);
        let low = Coefficients::low_shelf(600.0, -30.0, 0.707, 44_100.0);
        assert_close(&low, [0.88914002, -1.73293113, 0.84491884], [-1.71566395, 0.75132604]);
        let high = Coefficients::high_shelf(8500.0, -30.0, 0.707, 44_100.0);
        assert_close(&high, [0.12700669, 0.0715559, 0.02898151], [-1.22121976, 0.44876386]);
    }
}
