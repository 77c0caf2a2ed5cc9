//! What chance would do, simulated: bootstrap intervals, the power of a test, and the generator behind both.

use super::descriptive::{mean, quantile};
use super::ranking::{critical_rank_sum, smaller_rank_sum};

/// SplitMix64 (Steele, Lea and Flood 2014): small, seeded, good enough for simulation and not for secrets.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The same seed gives the same numbers on every machine.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in 0..1.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// An index below `count`, which must not be 0.
    pub fn below(&mut self, count: usize) -> usize {
        // The product maps 64 random bits to the range; the unevenness is below 2⁻⁴⁰ for any count met here.
        ((u128::from(self.bits()) * count as u128) >> 64) as usize
    }
}

/// A range that covers the truth with a stated confidence.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// Percentile bootstrap interval (Efron and Tibshirani 1993, chapter 13) of a statistic of independent values.
/// `confidence` is 0..1, 0.95 for a 95 % interval. None without a value.
pub fn bootstrap_interval(
    values: &[f64],
    statistic: impl Fn(&[f64]) -> f64,
    confidence: f64,
    resamples: usize,
    seed: u64,
) -> Option<Interval> {
    if values.is_empty() || resamples == 0 {
        return None;
    }
    let mut random = Random::new(seed);
    let mut drawn = vec![0.0; values.len()];
    let statistics: Vec<f64> = (0..resamples)
        .map(|_| {
            drawn.fill_with(|| values[random.below(values.len())]);
            statistic(&drawn)
        })
        .collect();
    let tail = (1.0 - confidence) / 2.0;
    Some(Interval { low: quantile(&statistics, tail), high: quantile(&statistics, 1.0 - tail) })
}

/// Share of simulated experiments with `pairs` pairs in which Wilcoxon's test is significant at `level`, when paired
/// differences scatter as the observed `residuals` do (their mean is taken off) around a true difference of `shift`. Ties,
/// which only equal residuals make, are ranked but not allowed for in the level.
pub fn wilcoxon_power(
    residuals: &[f64],
    shift: f64,
    pairs: usize,
    level: f64,
    experiments: usize,
    seed: u64,
) -> f64 {
    if residuals.is_empty() || experiments == 0 {
        return f64::NAN;
    }
    let Some(critical) = critical_rank_sum(pairs, level) else { return 0.0 };
    let center = mean(residuals);
    let mut random = Random::new(seed);
    let mut drawn = vec![0.0; pairs];
    let significant = (0..experiments)
        .filter(|_| {
            // Under the null hypothesis differences are symmetric: either sign of a residual is as likely.
            drawn.fill_with(|| {
                let sign = if random.bits() >> 63 == 0 { 1.0 } else { -1.0 };
                shift + sign * (residuals[random.below(residuals.len())] - center)
            });
            smaller_rank_sum(&drawn) <= critical
        })
        .count();
    significant as f64 / experiments as f64
}

/// The smallest true difference that [`wilcoxon_power`] finds with probability `power`, by bisection between 0 and
/// `limit`; none when even `limit` is not found that often (too few pairs for the level).
pub fn detectable_difference(
    residuals: &[f64],
    pairs: usize,
    level: f64,
    power: f64,
    limit: f64,
    seed: u64,
) -> Option<f64> {
    const EXPERIMENTS: usize = 400;
    const HALVINGS: usize = 8;
    let found = |shift| wilcoxon_power(residuals, shift, pairs, level, EXPERIMENTS, seed) >= power;
    if !found(limit) {
        return None;
    }
    let (mut low, mut high) = (0.0, limit);
    for _ in 0..HALVINGS {
        let middle = (low + high) / 2.0;
        if found(middle) { high = middle } else { low = middle }
    }
    Some(high)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sum of twelve uniforms: near enough to a normal of deviation 1.
    fn normals(count: usize, seed: u64) -> Vec<f64> {
        let mut random = Random::new(seed);
        (0..count).map(|_| (0..12).map(|_| random.unit()).sum::<f64>() - 6.0).collect()
    }

    #[test]
    fn the_generator_is_the_published_one() {
        // First outputs of SplitMix64 for the seed 1234567, as in the author's C code.
        let mut random = Random::new(1_234_567);
        assert_eq!(random.bits(), 6_457_827_717_110_365_317);
        assert_eq!(random.bits(), 3_203_168_211_198_807_973);
        assert!((0..1000).all(|_| random.below(7) < 7 && (0.0..1.0).contains(&random.unit())));
    }

    #[test]
    fn a_bootstrap_interval_of_the_mean_has_the_width_of_theory() {
        let values = normals(400, 7);
        let interval = bootstrap_interval(&values, mean, 0.95, 2000, 1).expect("values");
        // ±1.96 / √400
        assert!((interval.high - interval.low - 0.196).abs() < 0.02, "{interval:?}");
        assert!(interval.low < mean(&values) && mean(&values) < interval.high);
        assert_eq!(bootstrap_interval(&values, mean, 0.95, 2000, 1), Some(interval), "seeded");
        assert_eq!(bootstrap_interval(&[], mean, 0.95, 100, 1), None);
    }

    #[test]
    fn power_is_the_level_without_a_difference_and_grows_with_pairs() {
        let residuals = normals(4000, 3);
        let power = |shift, pairs| wilcoxon_power(&residuals, shift, pairs, 0.05, 1000, 5);
        assert!((power(0.0, 20) - 0.05).abs() < 0.02, "{}", power(0.0, 20));
        // x = numpy.random.default_rng(1).normal(0.66, 1, (20000, 20))
        // (scipy.stats.wilcoxon(x, axis=1, method="exact").pvalue <= 0.05).mean() is 0.777
        assert!((power(0.66, 20) - 0.777).abs() < 0.04, "{}", power(0.66, 20));
        assert!(power(0.66, 40) > power(0.66, 20) + 0.1);
    }

    #[test]
    fn the_detectable_difference_shrinks_with_listeners() {
        let residuals = normals(100, 11);
        let detect = |pairs| detectable_difference(&residuals, pairs, 0.05, 0.8, 10.0, 2);
        let (few, many) = (detect(10).expect("found"), detect(40).expect("found"));
        assert!((1.5..3.0).contains(&(few / many)), "{few} {many}");
        // Five pairs cannot reach 0.05 however large the difference: 2 / 2⁵ = 0.0625.
        assert_eq!(detect(5), None);
    }
}
