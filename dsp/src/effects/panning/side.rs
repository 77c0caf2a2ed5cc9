//! On which side a stem sits: the balance of its left/right dissimilarity over the middle frequencies, for complete files
//! and as a running estimate with hysteresis.

use realfft::num_complex::Complex32;

use crate::analysis::estimates::{ActivityGate, ESTIMATE_SECONDS, Glide, RunningWeight, moving_average};
use crate::analysis::hop_spectra::{BINS, WINDOW_FRAMES};
use crate::analysis::similarity::phi;
use crate::hop::{HOP_FRAMES, Hop};

/// Frequencies that vote on the side.
const FIRST_VOTE_HZ: f64 = 50.0;
const END_VOTE_HZ: f64 = 2_500.0;
/// Width of the moving average over frequencies before the vote: 501 bins at 44.1 kHz, as published.
const VOTE_WIDTH_HZ: f64 = 10_780.0;

/// Mean signed dissimilarity per bin: positive where the right side is louder.
#[derive(Debug)]
pub struct SideMeter {
    /// For the bins that reach the votes through the average.
    mean: Vec<f64>,
    /// For the bins up to the last vote.
    smoothed: Vec<f64>,
    first_vote: usize,
    width: usize,
}

impl SideMeter {
    /// Nothing heard.
    pub fn new(sample_rate_hz: f64) -> Self {
        let bins = |hz: f64| (hz * WINDOW_FRAMES as f64 / sample_rate_hz) as usize;
        let (first_vote, end_vote) = (bins(FIRST_VOTE_HZ).max(1), bins(END_VOTE_HZ).max(2));
        let half_width = bins(VOTE_WIDTH_HZ / 2.0);
        Self {
            mean: vec![0.0; (end_vote + half_width + 1).min(BINS)],
            smoothed: vec![0.0; end_vote],
            first_vote,
            width: 2 * half_width + 1,
        }
    }

    /// Adds the spectra of one frame; `decay` < 1 turns the sum into a running mean of weight 1 − `decay`.
    pub fn add(&mut self, left: &[Complex32], right: &[Complex32], decay: f64) {
        let weight = if decay < 1.0 { 1.0 - decay } else { 1.0 };
        for ((mean, left), right) in self.mean.iter_mut().zip(left).zip(right) {
            let (left, right) = (left.norm_sqr(), right.norm_sqr());
            // Alike sides have no sign, whatever rounding leaves of their similarity.
            let sign = f64::from(i8::from(right > left) - i8::from(right < left));
            let signed = sign * f64::from(1.0 - phi(left, right));
            *mean = *mean * decay + signed * weight;
        }
    }

    /// Vote over the middle frequencies, −1 (left) to +1 (right). A bin in balance votes right, as published.
    pub fn balance(&mut self) -> f64 {
        moving_average(&self.mean, self.width, &mut self.smoothed);
        let voters = &self.smoothed[self.first_vote..];
        let votes = voters.iter().map(|value| if *value + 1e-10 < 0.0 { -1.0 } else { 1.0 });
        votes.sum::<f64>() / voters.len() as f64
    }

    fn reset(&mut self) {
        self.mean.fill(0.0);
    }
}

/// Running decision about a stem's side. Decided after a second of material, changed only by a clear majority.
#[derive(Debug)]
pub struct SideEstimator {
    meter: SideMeter,
    gate: ActivityGate,
    weight: RunningWeight,
    first_decision: usize,
    heard: usize,
    side: f64,
    glide: Glide,
}

/// Hops between two votes.
const VOTE_HOPS: usize = 16;
/// Majority that changes a decision.
const HYSTERESIS: f64 = 0.25;

impl SideEstimator {
    /// Undecided.
    pub fn new(sample_rate_hz: f64) -> Self {
        let hop_seconds = HOP_FRAMES as f64 / sample_rate_hz;
        Self {
            meter: SideMeter::new(sample_rate_hz),
            gate: ActivityGate::new(hop_seconds),
            weight: RunningWeight::new(ESTIMATE_SECONDS / hop_seconds),
            first_decision: (1.0 / hop_seconds) as usize,
            heard: 0,
            side: 0.0,
            glide: Glide::new(0.0, hop_seconds),
        }
    }

    /// Takes in a hop and the spectra of the frame that ends with it; returns the gliding side, −1 to +1.
    pub fn listen(&mut self, hop: &Hop, left: &[Complex32], right: &[Complex32]) -> f64 {
        if self.gate.is_material(hop.mean_square()) {
            self.meter.add(left, right, 1.0 - self.weight.next_weight());
            self.heard += 1;
            if self.heard >= self.first_decision && self.heard.is_multiple_of(VOTE_HOPS) {
                self.decide();
            }
        }
        self.glide.advance(self.side)
    }

    /// Whether the stem has a side.
    pub fn has_decided(&self) -> bool {
        self.side != 0.0
    }

    fn decide(&mut self) {
        let balance = self.meter.balance();
        if self.side == 0.0 {
            self.side = if balance < 0.0 { -1.0 } else { 1.0 };
        } else if balance * self.side < -HYSTERESIS {
            self.side = -self.side;
        }
    }

    /// Forgets everything.
    pub fn reset(&mut self) {
        self.meter.reset();
        self.gate.reset();
        self.weight.reset();
        self.heard = 0;
        self.side = 0.0;
        self.glide.set(0.0);
    }
}
