//! What a network averages over time: mean and variance at every group norm, the mean level behind its gate. The network
//! as published takes them over the whole song, which a stream does not have. So they are *running* – they start from
//! what the bundle ships, follow the song with a growing mean and, once it is long enough, an exponential one – or
//! *frozen* to what one pass over the song has learned. Apart from the models because a learned set is saved and given
//! back like the rest of a song's profile.

use serde::{Deserialize, Serialize};

/// How much song the shipped statistics are worth at a stream's start. With 2 s the first seconds of four real songs
/// lie up to 10 dB farther from the whole-song network; with much more a song never becomes itself.
const PRIOR_S: f64 = 8.0;
/// Song beyond which the running mean turns exponential: its effective length.
const MEMORY_S: f64 = 60.0;
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
const EPSILON: f64 = 1e-5;
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
    rows: Vec<f32>,
}

impl Response {
    /// From what was `observed` over a stream, and what was `used` for it in the mean, to the statistics that would be
    /// observed if they themselves were used. `None` when they lie too far away to be believed.
    fn settle(&self, observed: &[[f64; 2]], used: &[[f64; 2]]) -> Option<Vec<[f64; 2]>> {
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

/// Statistics in use, how much they weigh, and what the stream's own mean is so far.
pub(crate) struct RunningStatistics {
    prior: Prior,
    frozen: Option<Statistics>,
    norms: Track<[f64; 2]>,
    gate: Track<f64>,
}

impl RunningStatistics {
    /// `frames_per_s` is the network's latent frame rate.
    pub(crate) fn new(prior: Prior, frames_per_s: f64) -> Self {
        let (prior_frames, memory_frames) = (PRIOR_S * frames_per_s, MEMORY_S * frames_per_s);
        let norms = Track::new(prior.statistics.norms.len(), prior_frames, memory_frames);
        let gate = Track::new(prior.statistics.gate.len(), prior_frames, memory_frames);
        let mut statistics = Self { prior, frozen: None, norms, gate };
        statistics.reset();
        statistics
    }

    /// What the bundle ships.
    pub(crate) fn prior(&self) -> &Statistics {
        &self.prior.statistics
    }

    /// Back to the start of a stream. What is frozen stays frozen.
    pub(crate) fn reset(&mut self) {
        let start = self.frozen.as_ref().unwrap_or(&self.prior.statistics);
        self.norms.reset(start.norms.iter().map(|pair| pair.map(f64::from)));
        self.gate.reset(start.gate.iter().map(|&level| f64::from(level)));
    }

    /// Holds these statistics from now on, or lets those in use follow the stream again.
    pub(crate) fn freeze(&mut self, statistics: Option<Statistics>) {
        if let Some(Statistics { norms, gate }) = &statistics {
            self.norms.take_up(norms.iter().map(|pair| pair.map(f64::from)));
            self.gate.take_up(gate.iter().map(|&level| f64::from(level)));
        }
        self.frozen = statistics;
        self.norms.weight = self.norms.prior_frames;
        self.gate.weight = self.gate.prior_frames;
    }

    /// The share that the next `frames` have in what is used for them: (norms, gate).
    pub(crate) fn rates(&self, norm_frames: usize, gate_frames: usize) -> (f32, f32) {
        if self.frozen.is_some() {
            return (0.0, 0.0);
        }
        (self.norms.rate(norm_frames) as f32, self.gate.rate(gate_frames) as f32)
    }

    /// Mean and variance of every norm before the next frames, planar pairs.
    pub(crate) fn norms(&self) -> impl Iterator<Item = f32> {
        self.norms.used.iter().flatten().map(|&x| x as f32)
    }

    /// Mean level per filter before the next frames.
    pub(crate) fn gate(&self) -> impl Iterator<Item = f32> {
        self.gate.used.iter().map(|&x| x as f32)
    }

    /// Takes what `frames` showed at the norms.
    pub(crate) fn hear_norms(&mut self, observed: &[f32], frames: usize) {
        let pairs = observed.chunks_exact(2).map(|pair| [f64::from(pair[0]), f64::from(pair[1])]);
        self.norms.hear(pairs, frames, self.frozen.is_some());
    }

    /// Takes what `frames` showed at the gate.
    pub(crate) fn hear_gate(&mut self, observed: &[f32], frames: usize) {
        self.gate.hear(observed.iter().map(|&x| f64::from(x)), frames, self.frozen.is_some());
    }

    /// The stream's own statistics since its start, as they would be had they been used from the start; `None` before
    /// anything was heard.
    pub(crate) fn learned(&self) -> Option<Statistics> {
        let heard = self.norms.heard > 0.0 && self.gate.heard > 0.0;
        let settle = |response: &Response| response.settle(&self.norms.own, &self.norms.given);
        heard.then(|| {
            let settled = self.prior.response.as_ref().and_then(settle);
            let norms = settled.as_ref().unwrap_or(&self.norms.own);
            Statistics {
                norms: norms.iter().map(|pair| pair.map(|x| x as f32)).collect(),
                gate: self.gate.own.iter().map(|&x| x as f32).collect(),
            }
        })
    }
}

/// A quantity of which means can be taken.
trait Mean: Copy + Default {
    /// `self` with a share `rate` of `other` mixed in.
    fn toward(self, other: Self, rate: f64) -> Self;

    /// The plain mean, number by number, with a share `rate` of `other`.
    fn plainly_toward(self, other: Self, rate: f64) -> Self;
}

impl Mean for f64 {
    fn toward(self, other: Self, rate: f64) -> Self {
        self + rate * (other - self)
    }

    fn plainly_toward(self, other: Self, rate: f64) -> Self {
        self.toward(other, rate)
    }
}

/// Mean and variance of a mixture.
impl Mean for [f64; 2] {
    fn toward(self, other: Self, rate: f64) -> Self {
        let shift = other[0] - self[0];
        [self[0] + rate * shift, self[1] + rate * (other[1] - self[1] + (1.0 - rate) * shift * shift)]
    }

    fn plainly_toward(self, other: Self, rate: f64) -> Self {
        [self[0].toward(other[0], rate), self[1].toward(other[1], rate)]
    }
}

/// One kind of statistics: those in use, what the stream showed, and what was given for it in the mean.
struct Track<T> {
    used: Vec<T>,
    own: Vec<T>,
    given: Vec<T>,
    /// Frames that `used` and `own` are worth.
    weight: f64,
    heard: f64,
    prior_frames: f64,
    memory_frames: f64,
}

impl<T: Mean> Track<T> {
    fn new(count: usize, prior_frames: f64, memory_frames: f64) -> Self {
        let values = || vec![T::default(); count];
        let (used, own, given) = (values(), values(), values());
        Self { used, own, given, weight: 0.0, heard: 0.0, prior_frames, memory_frames }
    }

    /// Uses these values from now on.
    fn take_up(&mut self, values: impl Iterator<Item = T>) {
        self.used.iter_mut().zip(values).for_each(|(used, value)| *used = value);
    }

    fn reset(&mut self, start: impl Iterator<Item = T>) {
        self.take_up(start);
        self.own.fill(T::default());
        self.given.fill(T::default());
        self.weight = self.prior_frames;
        self.heard = 0.0;
    }

    fn rate(&self, frames: usize) -> f64 {
        frames as f64 / (self.weight + frames as f64)
    }

    fn hear(&mut self, observed: impl Iterator<Item = T>, frames: usize, frozen: bool) {
        let (rate, share) = (self.rate(frames), frames as f64 / (self.heard + frames as f64));
        let tracks = self.used.iter_mut().zip(&mut self.own).zip(&mut self.given);
        for (((used, own), given), observed) in tracks.zip(observed) {
            if !frozen {
                *used = used.toward(observed, rate);
            }
            *own = own.toward(observed, share);
            // The network moved what it holds by the same rate before it used it.
            *given = given.plainly_toward(*used, share);
        }
        self.weight = (self.weight + frames as f64).min(self.memory_frames);
        self.heard += frames as f64;
    }
}

#[cfg(test)]
#[path = "statistics_tests.rs"]
mod tests;
