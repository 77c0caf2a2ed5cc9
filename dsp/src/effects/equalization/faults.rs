//! What may be wrong with a stem's tone, and whether it is. The rules of kind [`Tributary`](crate::RecipeKind::Tributary) do
//! not pull a stem to the average of its kind, which would take its character; they mend it.
//!
//! Twenty-six common faults – muffled, thin, boomy, harsh, bright, each at a few places and strengths – are taken back in
//! thought, loudness kept. Then it is seen whether the stem lies nearer to the average spectrum, in units of its spread, from
//! third octave to third octave. A fault that makes the stem likelier than "nothing is wrong" by more than the tolerance is
//! taken back in fact; otherwise nothing happens at all.
//!
//! That is Bayes' rule over a mixture of faults with a prior in which the deviations of neighboring third octaves are
//! correlated (`NEIGHBORS`) and single steps may be outliers (`OUTLIER`). Bringing every band to the edge of a tolerance
//! instead fails both ways: natural spreads (5 to 8 dB) are wider than what is to be mended.

use serde::{Deserialize, Serialize};

use crate::effects::equalization::spread::usual_spread_db;
use crate::effects::equalization::third_octaves::{THIRD_OCTAVES, center_hz, edge_hz};
use crate::filters::biquad::k_weighting;
use crate::stem::Stem;
use crate::targets::StemTargets;

/// Bands that are judged, in Hz; those beyond are corrected along with them.
const JUDGED_HZ: std::ops::Range<f64> = 48.0..10_500.0;
/// Correlation of the deviations of neighboring third octaves, in spreads.
const NEIGHBORS: f64 = 0.85;
/// A step from band to band that is larger than this, in spreads, counts like this one: coders cut off the top, and instruments
/// lack registers.
const OUTLIER: f64 = 2.5;
/// Spreads are taken for no less, since songs of one data set are alike, and for no more than this, in dB.
const SPREAD_DB: [f64; 2] = [5.0, 8.0];
/// Probability of a fault below which nothing is done, and above which all of it is.
const CERTAIN: [f64; 2] = [0.2, 0.8];
/// Largest correction in dB, down and up.
const MOST_DB: [f64; 2] = [-15.0, 24.0];
/// Level against the loudest band, in dB, at which there is nothing left to be raised, and from which on all of it may be.
const NOTHING_DB: [f64; 2] = [-90.0, -80.0];
/// A falling spectrum falls no further than this, in dB.
const STEEPEST_DB: f64 = 36.0;

/// What is wrong with a stem's tone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fault {
    /// The top is missing.
    Muffled,
    /// The bottom is missing.
    Thin,
    /// The bass booms.
    Boomy,
    /// The presence hurts.
    Harsh,
    /// The top is too loud.
    Bright,
}

impl Fault {
    /// All of them.
    const ALL: [Self; 5] = [Self::Muffled, Self::Thin, Self::Boomy, Self::Harsh, Self::Bright];

    /// What the fault does to a spectrum, in dB per third octave: at a few places and strengths.
    fn curves_db(self) -> Vec<[f64; THIRD_OCTAVES]> {
        let each = |hz: &[f64], strengths: &[f64], curve: fn(f64, f64, f64) -> f64| {
            let pairs = hz.iter().flat_map(|hz| strengths.iter().map(move |strength| (*hz, *strength)));
            pairs
                .map(|(hz, strength)| std::array::from_fn(|band| curve(center_hz(band), hz, strength)))
                .collect()
        };
        match self {
            Self::Muffled => each(&[1000.0, 2000.0, 4000.0], &[6.0, 12.0], falling_db),
            Self::Thin => each(&[200.0, 400.0], &[-8.0, -14.0], |at, hz, db| db - high_shelf_db(at, hz, db)),
            Self::Boomy => each(&[80.0, 125.0, 200.0], &[6.0, 12.0], bell_db),
            Self::Harsh => each(&[2200.0, 3000.0, 4200.0], &[6.0, 12.0], bell_db),
            Self::Bright => each(&[2000.0, 4000.0], &[5.0, 10.0], high_shelf_db),
        }
    }
}

/// So many dB per octave above a corner.
fn falling_db(at_hz: f64, corner_hz: f64, db_per_octave: f64) -> f64 {
    (-db_per_octave * (at_hz / corner_hz).log2().max(0.0)).max(-STEEPEST_DB)
}

/// An analog bell of quality 0.9.
fn bell_db(at_hz: f64, center_hz: f64, gain_db: f64) -> f64 {
    const QUALITY: f64 = 0.9;
    let (ratio, amplitude) = (at_hz / center_hz, 10f64.powf(gain_db / 40.0));
    let power = |width: f64| (1.0 - ratio * ratio).powi(2) + (ratio * width / QUALITY).powi(2);
    10.0 * (power(amplitude) / power(1.0 / amplitude)).log10()
}

/// An analog high shelf of quality 0.71.
fn high_shelf_db(at_hz: f64, corner_hz: f64, gain_db: f64) -> f64 {
    let (ratio, amplitude) = (at_hz / corner_hz, 10f64.powf(gain_db / 40.0));
    let middle = amplitude.sqrt() * std::f64::consts::SQRT_2 * ratio;
    let power = |rising: f64, constant: f64| (constant - rising * ratio * ratio).powi(2) + middle * middle;
    20.0 * amplitude.log10() + 10.0 * (power(amplitude, 1.0) / power(1.0, amplitude)).log10()
}

/// One fault at one place and strength.
#[derive(Debug)]
struct Hypothesis {
    fault: Fault,
    curve_db: [f64; THIRD_OCTAVES],
    /// Logarithm of its weight: every fault is as likely as "nothing is wrong", wherever it may sit.
    log_prior: f64,
}

/// Looks for faults in the spectrum of one stem.
#[derive(Debug)]
pub struct FaultFinder {
    target_db: [f64; THIRD_OCTAVES],
    spread_db: [f64; THIRD_OCTAVES],
    /// K-weighted power of a band per squared mean magnitude.
    weights: [f64; THIRD_OCTAVES],
    judged: [bool; THIRD_OCTAVES],
    hypotheses: Vec<Hypothesis>,
    /// Log odds that speak for "nothing is wrong" from the start.
    tolerance: f64,
    log_odds: Vec<f64>,
}

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Finding {
    /// The likeliest fault, when something is done.
    pub fault: Option<Fault>,
    /// Probability that anything is wrong, 0 to 1.
    pub probability: f64,
    /// The correction in dB per third octave, before loudness is kept.
    pub curve_db: [f64; THIRD_OCTAVES],
}

impl FaultFinder {
    /// For a kind of stem. `tolerance` says, in spreads, how loudly a fault must speak before it is believed.
    pub fn new(stem: Stem, target: &StemTargets, tolerance: f64, sample_rate_hz: f64) -> Self {
        let bands = |value: &dyn Fn(usize) -> f64| std::array::from_fn(value);
        let weighting = k_weighting(sample_rate_hz);
        let usual = usual_spread_db(stem);
        let hypotheses: Vec<Hypothesis> = Fault::ALL
            .into_iter()
            .flat_map(|fault| {
                let curves = fault.curves_db();
                let log_prior = -(curves.len() as f64).ln();
                curves.into_iter().map(move |curve_db| Hypothesis { fault, curve_db, log_prior })
            })
            .collect();
        Self {
            target_db: bands(&|band| target.spectrum.at_hz(center_hz(band))),
            spread_db: bands(&|band| match &target.spectrum_spread_db {
                Some(spread_db) => spread_db.at_hz(center_hz(band)).clamp(SPREAD_DB[0], SPREAD_DB[1]),
                None => usual[band],
            }),
            weights: bands(&|band| {
                let hz = center_hz(band);
                let power: f64 = weighting.iter().map(|filter| filter.power_at(hz, sample_rate_hz)).product();
                (edge_hz(band + 1) - edge_hz(band)) * power
            }),
            judged: std::array::from_fn(|band| {
                JUDGED_HZ.contains(&center_hz(band)) && edge_hz(band + 1) < 0.5 * sample_rate_hz
            }),
            log_odds: vec![0.0; hypotheses.len() + 1],
            hypotheses,
            tolerance,
        }
    }

    /// Judges a spectrum: mean magnitudes per third octave of the stem at −30 LUFS, in dB. Never allocates.
    pub fn find(&mut self, spectrum_db: &[f64; THIRD_OCTAVES]) -> Finding {
        self.log_odds[0] =
            self.log_likelihood(spectrum_db, &[0.0; THIRD_OCTAVES]) + 0.5 * self.tolerance.powi(2);
        for index in 0..self.hypotheses.len() {
            let Hypothesis { curve_db, log_prior, .. } = &self.hypotheses[index];
            self.log_odds[index + 1] = self.log_likelihood(spectrum_db, curve_db) + log_prior;
        }
        let largest = self.log_odds.iter().copied().fold(f64::MIN, f64::max);
        self.log_odds.iter_mut().for_each(|odds| *odds = (*odds - largest).exp());
        let sum: f64 = self.log_odds.iter().sum();
        let probability = 1.0 - self.log_odds[0] / sum;
        let share = ((probability - CERTAIN[0]) / (CERTAIN[1] - CERTAIN[0])).clamp(0.0, 1.0);
        if share == 0.0 {
            return Finding { fault: None, probability, curve_db: [0.0; THIRD_OCTAVES] };
        }
        Finding {
            fault: Some(self.likeliest()),
            probability,
            curve_db: self.correction(spectrum_db, share * share * (3.0 - 2.0 * share)),
        }
    }

    /// How likely a stem's spectrum is once a fault is taken back, as a logarithm.
    fn log_likelihood(&self, spectrum_db: &[f64; THIRD_OCTAVES], fault_db: &[f64; THIRD_OCTAVES]) -> f64 {
        let (mut before, mut after) = (0.0, 0.0);
        for ((spectrum_db, fault_db), weight) in spectrum_db.iter().zip(fault_db).zip(&self.weights) {
            before += weight * 10f64.powf(spectrum_db / 10.0);
            after += weight * 10f64.powf((spectrum_db - fault_db) / 10.0);
        }
        let keep_loudness_db = 10.0 * (before / after).log10();
        let mut sum = 0.0;
        let mut previous: Option<f64> = None;
        for band in (0..THIRD_OCTAVES).filter(|band| self.judged[*band]) {
            let mended_db = spectrum_db[band] - fault_db[band] + keep_loudness_db;
            let deviation = (mended_db - self.target_db[band]) / self.spread_db[band];
            if let Some(previous) = previous {
                let step = (deviation - NEIGHBORS * previous) / (1.0 - NEIGHBORS * NEIGHBORS).sqrt();
                sum += (step * step).min(OUTLIER * OUTLIER);
            }
            previous = Some(deviation);
        }
        -0.5 * sum
    }

    /// The fault that most of the odds speak for.
    fn likeliest(&self) -> Fault {
        let odds = |fault: Fault| -> f64 {
            let all = self.hypotheses.iter().zip(&self.log_odds[1..]);
            all.filter(|(one, _)| one.fault == fault).map(|(_, odds)| odds).sum()
        };
        let mut faults = Fault::ALL.into_iter();
        let first = faults.next().unwrap_or(Fault::Muffled);
        faults.fold(first, |best, fault| if odds(fault) > odds(best) { fault } else { best })
    }

    /// A share of the expected fault, taken back.
    fn correction(&self, spectrum_db: &[f64; THIRD_OCTAVES], share: f64) -> [f64; THIRD_OCTAVES] {
        let odds = &self.log_odds[1..];
        let all: f64 = odds.iter().sum();
        let loudest_db = spectrum_db.iter().copied().fold(f64::MIN, f64::max);
        std::array::from_fn(|band| {
            let expected: f64 =
                self.hypotheses.iter().zip(odds).map(|(one, odds)| one.curve_db[band] * odds).sum();
            let mut correction_db = -share * expected / all;
            if correction_db > 0.0 {
                let level = spectrum_db[band] - loudest_db;
                correction_db *= ((level - NOTHING_DB[0]) / (NOTHING_DB[1] - NOTHING_DB[0])).clamp(0.0, 1.0);
            }
            correction_db.clamp(MOST_DB[0], MOST_DB[1])
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::targets::Targets;

    const RATE_HZ: f64 = 44_100.0;

    fn finder(stem: Stem, tolerance: f64) -> FaultFinder {
        FaultFinder::new(stem, Targets::default().stem(stem), tolerance, RATE_HZ)
    }

    /// What a separate implementation of the same rule in Python finds.
    #[test]
    fn another_implementation_finds_the_same() {
        #[derive(Deserialize)]
        struct Vector {
            name: String,
            stem: String,
            tolerance: f64,
            fault: String,
            probability: f64,
            spectrum_db: [f64; THIRD_OCTAVES],
            correction_db: [f64; THIRD_OCTAVES],
        }
        let vectors: Vec<Vector> = serde_json::from_str(include_str!("fault_vectors.json")).expect("vectors");
        assert!(vectors.len() > 10);
        for vector in vectors {
            let stem = Stem::ALL.into_iter().find(|stem| stem.name() == vector.stem).expect("a stem");
            let found = finder(stem, vector.tolerance).find(&vector.spectrum_db);
            let fault = found.fault.map_or("none".into(), |fault| format!("{fault:?}").to_lowercase());
            assert_eq!(fault, vector.fault, "{}", vector.name);
            assert!((found.probability - vector.probability).abs() < 0.01, "{}: {found:?}", vector.name);
            for (found, wanted) in found.curve_db.iter().zip(vector.correction_db) {
                assert!((found - wanted).abs() < 0.1, "{}: {found} {wanted}", vector.name);
            }
        }
    }

    #[test]
    fn a_stem_like_the_average_is_left_alone_and_a_muffled_one_gets_its_top_back() {
        for stem in Stem::ALL.into_iter().filter(|stem| *stem != Stem::Bass) {
            let mut finder = finder(stem, 2.5);
            let average = finder.target_db;
            assert_eq!(finder.find(&average).curve_db, [0.0; THIRD_OCTAVES], "{stem}");
            let muffled: [f64; THIRD_OCTAVES] =
                std::array::from_fn(|band| average[band] + falling_db(center_hz(band), 1000.0, 12.0));
            let found = finder.find(&muffled);
            assert_eq!(found.fault, Some(Fault::Muffled), "{stem}: {found:?}");
            let error_db = |band: usize| {
                let kept = average[band] - muffled[band];
                (kept - found.curve_db[band] + found.curve_db[17]).abs()
            };
            // 2 to 4 kHz: further up the boost is bounded.
            assert!((20..24).all(|band| error_db(band) < 4.0), "{stem}: {found:?}");
        }
    }

    #[test]
    fn nothing_is_raised_where_there_is_nothing() {
        for level_db in [-180.0, -120.0, 60.0] {
            let mut spectrum_db = [level_db - 95.0; THIRD_OCTAVES];
            spectrum_db[12] = level_db;
            let found = finder(Stem::Vocals, 0.0).find(&spectrum_db);
            let others = found.curve_db.iter().enumerate().filter(|(band, _)| *band != 12);
            assert!(others.into_iter().all(|(_, db)| db.is_finite() && *db <= 0.01), "{found:?}");
        }
    }
}
