//! A network's averages in use. The network as published takes mean and variance at every group norm, and the mean level
//! behind its gate, over the whole song, which a stream does not have. So they are *running* – they start from what the
//! bundle ships, follow the song with a growing mean and, once it is long enough, an exponential one – or *frozen* to what
//! one pass over the song has learned.

use crate::bundle::statistics::{Prior, Response, Statistics};

/// How much song the shipped statistics are worth at a stream's start. With 2 s the first seconds of four real songs
/// lie up to 10 dB farther from the whole-song network; with much more a song never becomes itself.
const PRIOR_S: f64 = 8.0;
/// Song beyond which the running mean turns exponential: its effective length.
const MEMORY_S: f64 = 60.0;

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
#[path = "averages_tests.rs"]
mod tests;
