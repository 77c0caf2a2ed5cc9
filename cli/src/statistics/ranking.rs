//! Tests on ranks: ratings and most metrics are neither normal nor of equal variance, and ranks do not ask for it.
//!
//! Wilcoxon, *Individual comparisons by ranking methods* (1945); Kruskal and Wallis (1952); Holm, *A simple sequentially
//! rejective multiple test procedure* (1979); rank-biserial correlation after Kerby (2014). All tests are two-sided.

use super::descriptive::mean;
use super::distributions::{chi_square_survival, normal_survival};

/// Up to this many pairs the distribution of the rank sum is enumerated; above, it is normal to four digits.
const MAX_EXACT_PAIRS: usize = 50;

/// Result of a signed-rank test.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Wilcoxon {
    /// Differences other than zero; zeros are left out, as in Wilcoxon's own paper.
    pub pairs: usize,
    /// Sum of the ranks of positive differences.
    pub positive_rank_sum: f64,
    /// Sum of the ranks of negative differences.
    pub negative_rank_sum: f64,
    /// Two-sided probability of ranks at least as uneven when signs are tosses of a coin.
    pub p: f64,
    /// Matched-pairs rank-biserial correlation, −1..1: (positive − negative) / all ranks.
    pub rank_biserial: f64,
    /// Whether `p` was enumerated (ties included) rather than taken from the normal approximation.
    pub exact: bool,
}

/// Wilcoxon's signed-rank test of paired differences. None when no finite difference is other than zero.
///
/// Exact up to 50 pairs, conditional on the observed ties; above, normal with tie correction and without continuity
/// correction.
pub fn wilcoxon(differences: &[f64]) -> Option<Wilcoxon> {
    let nonzero: Vec<f64> = differences.iter().copied().filter(|d| d.is_finite() && *d != 0.0).collect();
    if nonzero.is_empty() {
        return None;
    }
    let magnitudes: Vec<f64> = nonzero.iter().map(|d| d.abs()).collect();
    let ranks = ranks(&magnitudes);
    let total: f64 = ranks.iter().sum();
    let positive_rank_sum: f64 = ranks.iter().zip(&nonzero).filter(|(_, d)| **d > 0.0).map(|(r, _)| r).sum();
    let negative_rank_sum = total - positive_rank_sum;
    let exact = nonzero.len() <= MAX_EXACT_PAIRS;
    let smaller = positive_rank_sum.min(negative_rank_sum);
    let p = if exact {
        2.0 * signed_rank_cumulative(&ranks, smaller)
    } else {
        // Var(W) = Σ rank² / 4 holds with ties as well as without.
        let deviation = (ranks.iter().map(|r| r * r).sum::<f64>() / 4.0).sqrt();
        2.0 * normal_survival((total / 2.0 - smaller) / deviation)
    };
    Some(Wilcoxon {
        pairs: nonzero.len(),
        positive_rank_sum,
        negative_rank_sum,
        p: p.min(1.0),
        rank_biserial: (positive_rank_sum - negative_rank_sum) / total,
        exact,
    })
}

/// The largest smaller rank sum of so many untied pairs that is significant at `level`, two-sided; none when not even a
/// sum of zero is. For at most [`MAX_EXACT_PAIRS`] pairs, exact.
pub(super) fn critical_rank_sum(pairs: usize, level: f64) -> Option<f64> {
    let ranks: Vec<f64> = (1..=pairs).map(|rank| rank as f64).collect();
    if pairs > MAX_EXACT_PAIRS {
        let total: f64 = ranks.iter().sum();
        let deviation = (ranks.iter().map(|r| r * r).sum::<f64>() / 4.0).sqrt();
        let significant = |sum: &f64| 2.0 * normal_survival((total / 2.0 - sum) / deviation) <= level;
        return (0..=total as usize / 2).map(|sum| sum as f64).take_while(significant).last();
    }
    let mut cumulative = 0.0;
    let significant = |probability: &f64| {
        cumulative += probability;
        2.0 * cumulative <= level
    };
    let doubled = signed_rank_distribution(&ranks);
    let count = doubled.iter().step_by(2).copied().take_while(significant).count();
    count.checked_sub(1).map(|sum| sum as f64)
}

/// The smaller of the sums of positive and of negative ranks.
pub(super) fn smaller_rank_sum(differences: &[f64]) -> f64 {
    let magnitudes: Vec<f64> = differences.iter().map(|d| d.abs()).collect();
    let ranks = ranks(&magnitudes);
    let positive: f64 = ranks.iter().zip(differences).filter(|(_, d)| **d > 0.0).map(|(r, _)| r).sum();
    positive.min(ranks.iter().sum::<f64>() - positive)
}

/// Probability that a sum of these ranks, each taken or not by the toss of a coin, is at most `limit`.
fn signed_rank_cumulative(ranks: &[f64], limit: f64) -> f64 {
    signed_rank_distribution(ranks).iter().take((2.0 * limit).round() as usize + 1).sum()
}

/// Probability of every sum of these ranks, each taken or not by the toss of a coin; entry `n` is the sum `n / 2`, because
/// tied ranks are halves.
fn signed_rank_distribution(ranks: &[f64]) -> Vec<f64> {
    let doubled: Vec<usize> = ranks.iter().map(|rank| (2.0 * rank).round() as usize).collect();
    let mut probability = vec![0.0; doubled.iter().sum::<usize>() + 1];
    probability[0] = 1.0;
    for rank in doubled {
        for sum in (0..probability.len()).rev() {
            let taken = if sum >= rank { probability[sum - rank] } else { 0.0 };
            probability[sum] = 0.5 * (probability[sum] + taken);
        }
    }
    probability
}

/// Result of a Kruskal–Wallis test.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct KruskalWallis {
    /// The statistic H, corrected for ties.
    pub h: f64,
    /// Groups − 1.
    pub degrees_of_freedom: usize,
    /// Probability of a larger H when all groups are alike (chi-square approximation).
    pub p: f64,
    /// Effect size ε² = H / (n − 1): 0 none, 1 all variance of the ranks is between groups.
    pub epsilon_squared: f64,
}

/// Kruskal–Wallis test of whether independent groups differ in location. None with fewer than two filled groups, or
/// when all values are equal.
pub fn kruskal_wallis(groups: &[Vec<f64>]) -> Option<KruskalWallis> {
    let filled: Vec<&Vec<f64>> = groups.iter().filter(|group| !group.is_empty()).collect();
    let all: Vec<f64> = filled.iter().flat_map(|group| group.iter().copied()).collect();
    if filled.len() < 2 || all.iter().any(|value| !value.is_finite()) {
        return None;
    }
    let count = all.len() as f64;
    let ranks = ranks(&all);
    let mean_rank = (count + 1.0) / 2.0;
    let variance: f64 = ranks.iter().map(|rank| (rank - mean_rank).powi(2)).sum::<f64>() / (count - 1.0);
    if variance == 0.0 {
        return None;
    }
    let mut start = 0;
    let mut between = 0.0;
    for group in &filled {
        let of_group = &ranks[start..start + group.len()];
        between += group.len() as f64 * (mean(of_group) - mean_rank).powi(2);
        start += group.len();
    }
    // H as the between-group share of the variance of the ranks: ties are corrected for by the variance itself.
    let h = between / variance;
    let degrees_of_freedom = filled.len() - 1;
    let p = chi_square_survival(h, degrees_of_freedom as f64);
    Some(KruskalWallis { h, degrees_of_freedom, p, epsilon_squared: h / (count - 1.0) })
}

/// Holm's step-down adjustment: probabilities that can be compared with the level of the whole family, in the order given.
pub fn holm(probabilities: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..probabilities.len()).collect();
    order.sort_by(|&a, &b| probabilities[a].total_cmp(&probabilities[b]));
    let mut adjusted = vec![0.0; probabilities.len()];
    let mut largest = 0.0_f64;
    for (step, index) in order.into_iter().enumerate() {
        let remaining = (probabilities.len() - step) as f64;
        largest = largest.max(remaining * probabilities[index]).min(1.0);
        adjusted[index] = largest;
    }
    adjusted
}

/// Spearman's rank correlation. None for fewer than three pairs or when one side is constant.
pub fn spearman(first: &[f64], second: &[f64]) -> Option<f64> {
    if first.len() != second.len() || first.len() < 3 {
        return None;
    }
    let (first, second) = (ranks(first), ranks(second));
    let middle = mean(&first);
    let product =
        |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - middle) * (b - middle)).sum::<f64>();
    let spread = product(&first, &first) * product(&second, &second);
    (spread > 0.0).then(|| product(&first, &second) / spread.sqrt())
}

/// Ranks from 1; equal values share the mean of their ranks.
pub fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut start = 0;
    while start < order.len() {
        let value = values[order[start]];
        let tied = order[start..].iter().take_while(|&&index| values[index] == value).count().max(1);
        let shared = start as f64 + (tied as f64 + 1.0) / 2.0;
        order[start..start + tied].iter().for_each(|&index| ranks[index] = shared);
        start += tied;
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn close(value: f64, expected: f64) {
        assert!((value - expected).abs() < 1e-12 * expected.abs().max(1e-3), "{value} is not {expected}");
    }

    #[test]
    fn few_pairs_are_enumerated() {
        // scipy.stats.wilcoxon(d, method="exact")
        let test = wilcoxon(&[1.83, 0.5, 1.62, 2.48, 1.68, -1.88, 1.55, 3.06, -1.3, 0.2]).expect("differs");
        assert_eq!((test.pairs, test.negative_rank_sum, test.exact), (10, 11.0, true));
        close(test.p, 0.105_468_75);
        close(test.rank_biserial, (44.0 - 11.0) / 55.0);
    }

    #[test]
    fn ties_are_enumerated_too_and_zeros_left_out() {
        // scipy.stats.wilcoxon(d, method=scipy.stats.PermutationMethod(n_resamples=numpy.inf))
        let test =
            wilcoxon(&[1.0, -1.0, 2.0, 3.0, 3.0, -2.0, 4.0, 5.0, 0.0, 2.0, 2.0, 6.0]).expect("differs");
        assert_eq!((test.pairs, test.negative_rank_sum), (11, 6.0));
        close(test.p, 0.015_625);
    }

    #[test]
    fn many_pairs_are_normal() {
        // d = [((i * 37) % 101) - 40 for i in range(60)]; scipy.stats.wilcoxon(d, method="asymptotic")
        let differences: Vec<f64> = (0..60).map(|i| f64::from((i * 37) % 101 - 40)).collect();
        let test = wilcoxon(&differences).expect("differs");
        assert_eq!((test.pairs, test.negative_rank_sum, test.exact), (59, 583.0, false));
        close(test.p, 0.022_633_208_936_007_52);
    }

    #[test]
    fn signs_decide_the_direction_and_not_the_probability() {
        let differences = [3.0, 1.0, -2.0, 5.0, 4.0];
        let test = wilcoxon(&differences).expect("differs");
        let turned = wilcoxon(&differences.map(|d| -d)).expect("differs");
        assert_eq!((test.p, test.rank_biserial), (turned.p, -turned.rank_biserial));
        assert_eq!(wilcoxon(&[0.0, 0.0, f64::NAN]), None);
    }

    #[test]
    fn critical_rank_sums_are_the_tables() {
        // Wilcoxon's table, two-sided: n = 6 … 10 at 0.05, and n = 10 at 0.01.
        for (pairs, level, critical) in [
            (5, 0.05, None),
            (6, 0.05, Some(0.0)),
            (8, 0.05, Some(3.0)),
            (10, 0.05, Some(8.0)),
            (10, 0.01, Some(3.0)),
        ] {
            assert_eq!(critical_rank_sum(pairs, level), critical, "{pairs} at {level}");
        }
        // The table's last row, 434, is exact; one more pair is normal, and its sum grows by about 19.
        assert_eq!(critical_rank_sum(50, 0.05), Some(434.0));
        let normal = critical_rank_sum(51, 0.05).expect("significant");
        assert!((445.0..462.0).contains(&normal), "{normal}");
    }

    #[test]
    fn kruskal_wallis_is_scipys() {
        // scipy.stats.kruskal(*groups)
        let groups = [vec![2.9, 3.0, 2.5, 2.6, 3.2], vec![3.8, 2.7, 4.0, 2.4], vec![2.8, 3.4, 3.7, 2.2, 2.0]];
        let test = kruskal_wallis(&groups).expect("groups");
        close(test.h, 0.771_428_571_428_572_2);
        close(test.p, 0.679_964_773_578_893_6);
        let tied = [
            vec![1.0, 2.0, 2.0, 3.0, 5.0],
            vec![2.0, 4.0, 4.0, 5.0, 5.0],
            vec![],
            vec![3.0, 5.0, 6.0, 6.0, 7.0, 7.0],
        ];
        let test = kruskal_wallis(&tied).expect("groups");
        close(test.h, 7.552_870_090_634_44);
        close(test.p, 0.022_904_198_483_925_952);
        assert_eq!(test.degrees_of_freedom, 2);
        assert_eq!(kruskal_wallis(&[vec![1.0, 1.0], vec![1.0]]), None);
        assert_eq!(kruskal_wallis(&[vec![1.0, 2.0]]), None);
    }

    #[test]
    fn holm_steps_down_and_keeps_the_order() {
        // statsmodels.stats.multitest.multipletests(p, method="holm")[1]; R: p.adjust(p, "holm")
        let adjusted = holm(&[0.01, 0.04, 0.03, 0.005]);
        for (value, expected) in adjusted.iter().zip([0.03, 0.06, 0.06, 0.02]) {
            close(*value, expected);
        }
        assert_eq!(holm(&[0.9, 0.8]), [1.0, 1.0]);
        assert!(holm(&[]).is_empty());
    }

    #[test]
    fn spearman_is_scipys() {
        // scipy.stats.spearmanr(a, b)
        let rho = spearman(&[1.0, 2.0, 2.0, 4.0, 7.0, 3.0], &[2.0, 1.0, 4.0, 4.0, 9.0, 3.0]).expect("pairs");
        close(rho, 0.75);
        assert_eq!(spearman(&[1.0, 1.0, 1.0], &[1.0, 2.0, 3.0]), None);
    }
}
