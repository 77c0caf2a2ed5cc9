//! What a network averages over a song, as plain data: mean and variance at every group norm, the mean level behind its
//! gate; what a bundle ships of it, and how the norms answer to each other. Apart from the network, which has them in use
//! (`crafx2/averages.rs`), because a learned set is saved and given back like the rest of a song's profile.

use serde::{Deserialize, Serialize};

/// Variances outside this range cannot come from a network that works.
const VARIANCE_LIMIT: f32 = 1e12;

/// One set of statistics. Its lengths belong to one network.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statistics {
    /// Mean and variance per group norm, in the network's order.
    pub norms: Vec<[f32; 2]>,
    /// Mean of |mask · band| per filter.
    pub gate: Vec<f32>,
}

impl Statistics {
    /// Whether every number is one that a network of `norms` norms and `filters` filters can have.
    pub fn fits(&self, norms: usize, filters: usize) -> bool {
        self.norms.len() == norms && self.gate.len() == filters && self.is_possible()
    }

    /// Whether every number is one that some network can have.
    pub fn is_possible(&self) -> bool {
        self.norms.iter().all(|&[mean, variance]| {
            mean.abs() <= VARIANCE_LIMIT && (0.0..=VARIANCE_LIMIT).contains(&variance)
        }) && self.gate.iter().all(|level| (0.0..=VARIANCE_LIMIT).contains(level))
    }
}

/// What a bundle ships: statistics to start from, and how the norms answer to each other.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Prior {
    pub(crate) statistics: Statistics,
    pub(crate) response: Option<Response>,
}

impl Prior {
    /// Values of a prior with a response.
    pub(crate) fn most_values(norms: usize, filters: usize) -> usize {
        2 * norms + filters + 4 * norms * norms
    }

    /// Reads `norms` pairs, `filters` levels and the response, if there is one, from a bundle's file; `None` when they do
    /// not fit.
    pub(crate) fn from_values(values: &[f32], norms: usize, filters: usize) -> Option<Self> {
        let (pairs, rest) = values.split_at_checked(2 * norms)?;
        let (gate, response) = rest.split_at_checked(filters)?;
        let statistics = Statistics {
            norms: pairs.chunks_exact(2).map(|pair| [pair[0], pair[1]]).collect(),
            gate: gate.to_vec(),
        };
        let response = match response.len() {
            0 => None,
            count if count == 4 * norms * norms && response.iter().all(|x| x.is_finite()) => {
                Some(Response { rows: response.to_vec() })
            }
            _ => return None,
        };
        statistics.fits(norms, filters).then_some(Self { statistics, response })
    }
}

/// GroupNorm's epsilon; keeps spreads above zero.
pub(crate) const EPSILON: f64 = 1e-5;
/// A norm is believed to settle at most this far from what was observed, in units of its spread and of its logarithm.
const SETTLE_LIMIT: f64 = 1.0;

/// How what each norm observes answers to the statistics given to the norms before it: derivatives, (2 · norms, 2 · norms)
/// by rows. Coordinates are each norm's mean in units of its spread, then the logarithm of its spread, in which they hardly
/// differ from song to song. Found when the network is exported (`norm_response` in `crafx2/incremental.py`).
///
/// While a song is heard for the first time every norm uses what is known so far, so those behind it observe something else
/// than they would with the song's final statistics, and no second or third pass with what was observed mends that: an error
/// only moves on by one norm. To first order, though, it is known: the sum of the responses times how far what was used, in
/// the mean, lies from what is right. Each norm answers only to those before it, so one walk in their order solves for all.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Response {
    pub(crate) rows: Vec<f32>,
}

impl Response {
    /// From what was `observed` over a stream, and what was `used` for it in the mean, to the statistics that would be
    /// observed if they themselves were used. `None` when they lie too far away to be believed.
    pub(crate) fn settle(&self, observed: &[[f64; 2]], used: &[[f64; 2]]) -> Option<Vec<[f64; 2]>> {
        let columns = 2 * observed.len();
        // How far what is right lies from what was used, norm by norm.
        let mut shifts: Vec<f64> = Vec::with_capacity(columns);
        let mut settled = Vec::with_capacity(observed.len());
        for (norm, (&own, &given)) in observed.iter().zip(used).enumerate() {
            let spread = (own[1] + EPSILON).sqrt();
            let coordinates = |pair: [f64; 2]| [pair[0] / spread, (pair[1] + EPSILON).ln() / 2.0];
            let (own, given) = (coordinates(own), coordinates(given));
            let rows = self.rows.chunks_exact(columns).skip(2 * norm);
            let moves = rows.take(2).map(|row| -> f64 {
                row.iter().zip(&shifts).map(|(&response, shift)| f64::from(response) * shift).sum()
            });
            let mut right = own;
            for (right, by) in right.iter_mut().zip(moves) {
                *right += by;
                // No NaN lies in a range.
                if !(-SETTLE_LIMIT..=SETTLE_LIMIT).contains(&by) {
                    return None;
                }
            }
            shifts.extend([right[0] - given[0], right[1] - given[1]]);
            settled.push([right[0] * spread, ((2.0 * right[1]).exp() - EPSILON).max(0.0)]);
        }
        Some(settled)
    }
}
