//! Tail probabilities of the two distributions that the rank tests are compared with.
//!
//! Both come from the incomplete gamma function: by its series below the mean and by its continued fraction above
//! (Abramowitz and Stegun 6.5.29 and 6.5.31), each where it converges fast and keeps small tails exact.

/// Iterations until both expansions have settled to f64 precision for any degrees of freedom met here.
const MAX_ITERATIONS: usize = 10_000;

/// Probability that a chi-square variable with `degrees_of_freedom` exceeds `x`.
pub fn chi_square_survival(x: f64, degrees_of_freedom: f64) -> f64 {
    if x <= 0.0 { 1.0 } else { upper_gamma_ratio(degrees_of_freedom / 2.0, x / 2.0) }
}

/// Probability that a standard normal variable exceeds `z`.
pub fn normal_survival(z: f64) -> f64 {
    let tail = 0.5 * chi_square_survival(z * z, 1.0);
    if z >= 0.0 { tail } else { 1.0 - tail }
}

/// Γ(a, x) / Γ(a).
fn upper_gamma_ratio(a: f64, x: f64) -> f64 {
    let scale = (a * x.ln() - x - ln_gamma(a)).exp();
    if x < a + 1.0 { 1.0 - scale * lower_series(a, x) } else { scale * upper_fraction(a, x) }
}

fn lower_series(a: f64, x: f64) -> f64 {
    let mut term = 1.0 / a;
    let mut sum = term;
    for n in 1..MAX_ITERATIONS {
        term *= x / (a + n as f64);
        sum += term;
        if term < sum * f64::EPSILON {
            break;
        }
    }
    sum
}

/// The continued fraction, by Lentz's method.
fn upper_fraction(a: f64, x: f64) -> f64 {
    let tiny = f64::MIN_POSITIVE / f64::EPSILON;
    let mut b = x + 1.0 - a;
    let mut c = 1.0 / tiny;
    let mut d = 1.0 / b;
    let mut value = d;
    for n in 1..MAX_ITERATIONS {
        let n = n as f64;
        let numerator = -n * (n - a);
        b += 2.0;
        d = 1.0 / not_zero(numerator * d + b, tiny);
        c = not_zero(b + numerator / c, tiny);
        value *= c * d;
        if (c * d - 1.0).abs() < f64::EPSILON {
            break;
        }
    }
    value
}

fn not_zero(value: f64, tiny: f64) -> f64 {
    if value.abs() < tiny { tiny } else { value }
}

/// ln Γ(x) for x > 0: shifted up by the recurrence, then Stirling's series (Abramowitz and Stegun 6.1.41).
fn ln_gamma(x: f64) -> f64 {
    let mut shifted = x;
    let mut correction = 0.0;
    while shifted < 12.0 {
        correction += shifted.ln();
        shifted += 1.0;
    }
    let inverse = 1.0 / shifted;
    let square = inverse * inverse;
    let series = inverse
        * (1.0 / 12.0
            - square * (1.0 / 360.0 - square * (1.0 / 1260.0 - square * (1.0 / 1680.0 - square / 1188.0))));
    (shifted - 0.5) * shifted.ln() - shifted + 0.5 * std::f64::consts::TAU.ln() + series - correction
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn close(value: f64, expected: f64) {
        assert!((value / expected - 1.0).abs() < 1e-11, "{value} is not {expected}");
    }

    #[test]
    fn chi_square_tails_are_scipys() {
        // scipy.stats.chi2.sf(x, k)
        for (x, k, expected) in [
            (3.84, 1.0, 0.050_043_521_248_705_19),
            (0.1, 1.0, 0.751_829_634_045_849_2),
            (10.0, 4.0, 0.040_427_681_994_512_79),
            (50.0, 3.0, 7.989_179_244_951_495e-11),
            (1e-3, 6.0, 0.999_999_999_979_174_4),
            (200.0, 10.0, 1.613_930_533_697_731_7e-37),
            (7.5, 20.0, 0.994_692_826_180_665_7),
        ] {
            close(chi_square_survival(x, k), expected);
        }
        assert_eq!(chi_square_survival(0.0, 3.0), 1.0);
    }

    #[test]
    fn normal_tails_are_scipys() {
        // scipy.stats.norm.sf(z)
        for (z, expected) in [
            (0.0, 0.5),
            (1.0, 0.158_655_253_931_457_07),
            (1.96, 0.024_997_895_148_220_435),
            (3.0, 0.001_349_898_031_630_093_3),
            (8.0, 6.220_960_574_271_74e-16),
            (-1.5, 0.933_192_798_731_141_9),
        ] {
            close(normal_survival(z), expected);
        }
    }
}
