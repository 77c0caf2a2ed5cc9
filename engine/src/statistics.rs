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

    /// Reads `norms` pairs and `filters` levels from a bundle's file; `None` when they do not fit.
    pub(crate) fn from_values(values: &[f32], norms: usize, filters: usize) -> Option<Self> {
        let (pairs, gate) = values.split_at_checked(2 * norms)?;
        let statistics = Self {
            norms: pairs.chunks_exact(2).map(|pair| [pair[0], pair[1]]).collect(),
            gate: gate.to_vec(),
        };
        statistics.fits(norms, filters).then_some(statistics)
    }
}

/// Statistics in use, how much they weigh, and what the stream's own mean is so far.
pub(crate) struct RunningStatistics {
    prior: Statistics,
    frozen: Option<Statistics>,
    norms: Track<[f64; 2]>,
    gate: Track<f64>,
}

impl RunningStatistics {
    /// `frames_per_s` is the network's latent frame rate.
    pub(crate) fn new(prior: Statistics, frames_per_s: f64) -> Self {
        let (prior_frames, memory_frames) = (PRIOR_S * frames_per_s, MEMORY_S * frames_per_s);
        let norms = Track::new(prior.norms.len(), prior_frames, memory_frames);
        let gate = Track::new(prior.gate.len(), prior_frames, memory_frames);
        let mut statistics = Self { prior, frozen: None, norms, gate };
        statistics.reset();
        statistics
    }

    /// What the bundle ships.
    pub(crate) fn prior(&self) -> &Statistics {
        &self.prior
    }

    /// Back to the start of a stream. What is frozen stays frozen.
    pub(crate) fn reset(&mut self) {
        let start = self.frozen.as_ref().unwrap_or(&self.prior);
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

    /// The stream's own statistics since its start; `None` before anything was heard.
    pub(crate) fn learned(&self) -> Option<Statistics> {
        (self.norms.heard > 0.0 && self.gate.heard > 0.0).then(|| Statistics {
            norms: self.norms.own.iter().map(|pair| pair.map(|x| x as f32)).collect(),
            gate: self.gate.own.iter().map(|&x| x as f32).collect(),
        })
    }
}

/// A quantity of which means can be taken.
trait Mean: Copy + Default {
    /// `self` with a share `rate` of `other` mixed in.
    fn toward(self, other: Self, rate: f64) -> Self;
}

impl Mean for f64 {
    fn toward(self, other: Self, rate: f64) -> Self {
        self + rate * (other - self)
    }
}

/// Mean and variance of a mixture.
impl Mean for [f64; 2] {
    fn toward(self, other: Self, rate: f64) -> Self {
        let shift = other[0] - self[0];
        [self[0] + rate * shift, self[1] + rate * (other[1] - self[1] + (1.0 - rate) * shift * shift)]
    }
}

/// One kind of statistics: those in use, and the plain mean of the stream.
struct Track<T> {
    used: Vec<T>,
    own: Vec<T>,
    /// Frames that `used` and `own` are worth.
    weight: f64,
    heard: f64,
    prior_frames: f64,
    memory_frames: f64,
}

impl<T: Mean> Track<T> {
    fn new(count: usize, prior_frames: f64, memory_frames: f64) -> Self {
        let values = || vec![T::default(); count];
        Self { used: values(), own: values(), weight: 0.0, heard: 0.0, prior_frames, memory_frames }
    }

    /// Uses these values from now on.
    fn take_up(&mut self, values: impl Iterator<Item = T>) {
        self.used.iter_mut().zip(values).for_each(|(used, value)| *used = value);
    }

    fn reset(&mut self, start: impl Iterator<Item = T>) {
        self.take_up(start);
        self.own.fill(T::default());
        self.weight = self.prior_frames;
        self.heard = 0.0;
    }

    fn rate(&self, frames: usize) -> f64 {
        frames as f64 / (self.weight + frames as f64)
    }

    fn hear(&mut self, observed: impl Iterator<Item = T>, frames: usize, frozen: bool) {
        let (rate, share) = (self.rate(frames), frames as f64 / (self.heard + frames as f64));
        for ((used, own), observed) in self.used.iter_mut().zip(&mut self.own).zip(observed) {
            if !frozen {
                *used = used.toward(observed, rate);
            }
            *own = own.toward(observed, share);
        }
        self.weight = (self.weight + frames as f64).min(self.memory_frames);
        self.heard += frames as f64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prior() -> Statistics {
        Statistics { norms: vec![[1.0, 4.0]], gate: vec![0.5] }
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

        running.freeze(Some(prior()));
        assert_eq!(running.rates(5, 5), (0.0, 0.0));
        running.hear_norms(&[9.0, 9.0], 5);
        assert_eq!(running.norms().collect::<Vec<_>>(), [1.0, 4.0]);
        running.freeze(None);
        assert!(running.rates(5, 5).0 > 0.0);
        assert_eq!(running.norms().collect::<Vec<_>>(), [1.0, 4.0], "they go on from where they are");
        running.hear_norms(&[9.0, 9.0], 5);
        assert!(running.norms().next().unwrap() > 1.0);
    }

    #[test]
    fn impossible_statistics_do_not_fit() {
        assert!(prior().fits(1, 1) && !prior().fits(2, 1) && !prior().fits(1, 2));
        assert!(Statistics::from_values(&[0.0, 1.0, 0.1], 1, 1).is_some());
        for bad in [[f32::NAN, 1.0, 0.1], [0.0, -1.0, 0.1], [0.0, 1.0, f32::INFINITY]] {
            assert!(Statistics::from_values(&bad, 1, 1).is_none(), "{bad:?}");
        }
        assert!(Statistics::from_values(&[0.0], 1, 1).is_none());
    }
}
