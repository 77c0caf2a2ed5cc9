//! What runs along with a song ends at what the whole song has.

use super::*;
use crate::bundle::statistics::EPSILON;

fn statistics() -> Statistics {
    Statistics { norms: vec![[1.0, 4.0]], gate: vec![0.5] }
}

fn prior() -> Prior {
    Prior { statistics: statistics(), response: None }
}

#[test]
fn own_statistics_are_those_of_all_frames_whatever_the_steps() {
    let values: Vec<f64> = (0..100).map(|n| (n as f64 * 0.7).sin() + n as f64 * 0.01).collect();
    let of = |part: &[f64]| {
        let mean = part.iter().sum::<f64>() / part.len() as f64;
        let variance = part.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / part.len() as f64;
        [mean as f32, variance as f32]
    };
    let mut running = RunningStatistics::new(prior(), 10.0);
    assert_eq!(running.learned(), None);
    for part in [&values[..3], &values[3..60], &values[60..]] {
        running.hear_norms(&of(part), part.len());
        running.hear_gate(&[part[0] as f32], part.len());
    }
    let learned = running.learned().unwrap();
    for (found, wanted) in learned.norms[0].into_iter().zip(of(&values)) {
        assert!((found - wanted).abs() < 1e-6, "{found} {wanted}");
    }
}

#[test]
fn running_statistics_leave_the_prior_and_frozen_ones_stay() {
    let mut running = RunningStatistics::new(prior(), 10.0);
    for _ in 0..1000 {
        running.hear_norms(&[3.0, 1.0], 5);
        running.hear_gate(&[2.0], 5);
    }
    let norms: Vec<f32> = running.norms().collect();
    assert!((norms[0] - 3.0).abs() < 1e-3 && (norms[1] - 1.0).abs() < 1e-2, "{norms:?}");
    // The effective length: after one memory of something else, 1/e of the old is left.
    for _ in 0..120 {
        running.hear_norms(&[0.0, 1.0], 5);
    }
    let left = running.norms().next().unwrap() / 3.0;
    assert!((0.33..0.40).contains(&left), "{left}");

    running.freeze(Some(statistics()));
    assert_eq!(running.rates(5, 5), (0.0, 0.0));
    running.hear_norms(&[9.0, 9.0], 5);
    assert_eq!(running.norms().collect::<Vec<_>>(), [1.0, 4.0]);
    running.freeze(None);
    assert!(running.rates(5, 5).0 > 0.0);
    assert_eq!(running.norms().collect::<Vec<_>>(), [1.0, 4.0], "they go on from where they are");
    running.hear_norms(&[9.0, 9.0], 5);
    assert!(running.norms().next().unwrap() > 1.0);
}

/// Three norms in a row, each of which passes on what it was given too much or too little: what settles is what is
/// observed when it is given.
#[test]
fn a_response_finds_what_repeated_passes_end_at() {
    // Coordinates as in `Response`; the first norm hears the signal itself.
    let couplings = [[0.0, 0.0, 0.0], [-0.9, 0.0, 0.0], [0.4, -1.1, 0.0]];
    let target = [0.3, -0.2, 0.1];
    let observe = |given: &[[f64; 2]; 3]| -> [[f64; 2]; 3] {
        std::array::from_fn(|norm| {
            let log = |pair: [f64; 2]| (pair[1] + EPSILON).ln() / 2.0;
            let moved: f64 = (0..3).map(|from| couplings[norm][from] * log(given[from])).sum();
            [0.5, (2.0 * (target[norm] + moved)).exp() - EPSILON]
        })
    };
    let mut rows = vec![0.0; 36];
    for norm in 0..3 {
        for from in 0..3 {
            rows[(2 * norm + 1) * 6 + 2 * from + 1] = couplings[norm][from] as f32;
        }
    }
    let mut settled = [[0.5, 1.0]; 3];
    (0..3).for_each(|_| settled = observe(&settled));
    let given = [[0.5, 1.4], [0.5, 0.8], [0.5, 1.1]];
    let observed = observe(&given);
    let found = Response { rows: rows.clone() }.settle(&observed, &given).unwrap();
    for ((found, wanted), observed) in found.iter().zip(settled).zip(observed).skip(1) {
        assert!((found[1] - wanted[1]).abs() < 1e-6 * wanted[1], "{found:?} {wanted:?}");
        assert!((observed[1] - wanted[1]).abs() > 0.05 * wanted[1], "one pass alone is far: {observed:?}");
    }
    // What explains nothing is not believed.
    for wild in [1e6, f32::NAN] {
        rows.iter_mut().filter(|x| **x != 0.0).for_each(|x| *x = wild);
        assert_eq!(Response { rows: rows.clone() }.settle(&observed, &given), None);
    }
}

#[test]
fn impossible_statistics_do_not_fit() {
    let prior = statistics();
    assert!(prior.fits(1, 1) && !prior.fits(2, 1) && !prior.fits(1, 2));
    let good = [0.0, 1.0, 0.1];
    assert_eq!(Prior::from_values(&good, 1, 1).map(|prior| prior.response), Some(None));
    let with_response = [&good[..], &[0.0; 4]].concat();
    assert!(Prior::from_values(&with_response, 1, 1).unwrap().response.is_some());
    for bad in [[f32::NAN, 1.0, 0.1], [0.0, -1.0, 0.1], [0.0, 1.0, f32::INFINITY]] {
        assert!(Prior::from_values(&bad, 1, 1).is_none(), "{bad:?}");
    }
    assert!(Prior::from_values(&[0.0], 1, 1).is_none());
    assert!(Prior::from_values(&with_response[..5], 1, 1).is_none());
    assert!(Prior::from_values(&[&good[..], &[f32::NAN; 4]].concat(), 1, 1).is_none());
}
