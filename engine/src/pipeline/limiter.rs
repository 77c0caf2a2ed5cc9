//! The true-peak limiter: what is heard of a model never exceeds the ceiling its contract states. It belongs to the contract
//! because a model is judged with it, and it runs at the host's rate because changes of rate move peaks.
//! Below 0.15 dB under the ceiling it only delays, bit for bit, and the pipeline trims that delay.
//!
//! Linked stereo. Peaks between samples are found by interpolating four times (ITU-R BS.1770-5, Annex 2, with a filter of
//! our own); the gain that each peak asks for is held over the lookahead and averaged over it, so that it arrives at the
//! peak exactly, without a corner; afterwards it returns exponentially.

use std::f64::consts::PI;

use crate::silence::{self, Tail};

/// Time over which the gain falls before a peak.
const LOOKAHEAD_MS: f64 = 2.0;
/// Time constant with which the gain returns after a peak.
const RELEASE_MS: f64 = 80.0;
/// Taps of each interpolation phase: with 24 the four phases stay within 0.05 dB up to 18 kHz at 44.1 kHz.
const TAPS: usize = 24;
/// Phases between two samples.
const PHASES: usize = 3;
/// How far below the ceiling it holds peaks, dB. The gain moves while a peak passes, and what lies between the points that
/// are looked at is missed: of four real mixes one came out 0.11 dB above (by the fourfold meter of `tributary evaluate`).
const MARGIN_DB: f64 = 0.15;
/// A gain this close to one is one: −120 dB.
const NEARLY_ONE: f64 = 1e-6;
/// Frames limited in one go.
const BLOCK_FRAMES: usize = 1024;

/// Frames by which a limiter at this rate delays, and so the latency it adds.
pub fn latency_frames(rate_hz: f64) -> usize {
    TAPS / 2 + lookahead_frames(rate_hz) - 1
}

fn lookahead_frames(rate_hz: f64) -> usize {
    ((LOOKAHEAD_MS * 1e-3 * rate_hz).round() as usize).max(1)
}

/// A stereo limiter whose output frame n is its input frame n; frames come out later than they go in. Allocates nothing
/// once built.
pub(crate) struct Limiter {
    ceiling: f32,
    interpolation: [[f32; TAPS]; PHASES],
    /// Largest factor by which a peak between samples can exceed the samples around it.
    overshoot: f32,
    delay_frames: usize,
    /// Frames that went in and have not come out: 0 at the start of a stream, `delay_frames` later.
    held_frames: usize,
    /// `past` frames that went before, then the block being limited.
    work: [Vec<f32>; 2],
    past: usize,
    limited: [Vec<f32>; 2],
    minimum: SlidingMinimum,
    release: f64,
    gain: f64,
    average: MovingAverage,
    /// Work and average hold nothing but silence after it.
    tail: Tail,
}

impl Limiter {
    /// A limiter at `ceiling_dbtp`, −24 to 0, for signals at `rate_hz`.
    pub(crate) fn new(ceiling_dbtp: f64, rate_hz: f64) -> Self {
        let lookahead = lookahead_frames(rate_hz);
        let delay_frames = latency_frames(rate_hz);
        let interpolation = std::array::from_fn(|phase| fractional_delay(phase + 1));
        let gain_of = |taps: &[f32; TAPS]| taps.iter().map(|tap| tap.abs()).sum::<f32>();
        let past = delay_frames.max(TAPS - 1);
        Self {
            ceiling: 10f64.powf((ceiling_dbtp - MARGIN_DB) / 20.0) as f32,
            overshoot: interpolation.iter().map(gain_of).fold(1.0, f32::max),
            interpolation,
            delay_frames,
            held_frames: 0,
            work: std::array::from_fn(|_| vec![0.0; past + BLOCK_FRAMES]),
            past,
            limited: std::array::from_fn(|_| vec![0.0; BLOCK_FRAMES]),
            // One longer than the average: a peak between two frames concerns both.
            minimum: SlidingMinimum::new(lookahead + 1),
            release: 1.0 - (-1.0 / (RELEASE_MS * 1e-3 * rate_hz)).exp(),
            gain: 1.0,
            average: MovingAverage::new(lookahead),
            tail: Tail::new(past + lookahead + 1),
        }
    }

    /// Back to the start of a stream.
    pub(crate) fn reset(&mut self) {
        self.held_frames = 0;
        self.work.iter_mut().for_each(|side| side.fill(0.0));
        self.minimum.reset();
        self.average.reset();
        self.gain = 1.0;
        self.tail.restart();
    }

    /// Whether silence leaves everything as it is: it holds nothing but silence and every gain is one.
    fn is_resting(&self) -> bool {
        self.tail.is_over() && self.average.is_one()
    }

    /// Takes planar frames; `sink` receives those that are finished, in pieces.
    pub(crate) fn pass(&mut self, frames: [&[f32]; 2], mut sink: impl FnMut([&[f32]; 2])) {
        let mut from = 0;
        while from < frames[0].len() {
            let to = frames[0].len().min(from + BLOCK_FRAMES);
            let dropped = (self.delay_frames - self.held_frames).min(to - from);
            self.held_frames += dropped;
            let limited = self.process_or_rest(frames.map(|side| &side[from..to]));
            sink(limited.map(|side| &side[dropped..]));
            from = to;
        }
    }

    /// [`Self::process`], which silence after silence need not go through: bit for bit the same.
    fn process_or_rest(&mut self, block: [&[f32]; 2]) -> [&[f32]; 2] {
        const SILENCE: [f32; BLOCK_FRAMES] = [0.0; BLOCK_FRAMES];
        let silent = block.iter().all(|side| silence::is_silent(side));
        if silent && self.is_resting() {
            return [&SILENCE[..block[0].len()]; 2];
        }
        self.tail.hear(silent, block[0].len());
        self.process(block)
    }

    /// Limits a block of at most [`BLOCK_FRAMES`] and returns as many frames, those that went in `delay_frames` before.
    fn process(&mut self, block: [&[f32]; 2]) -> [&[f32]; 2] {
        let frames = block[0].len().min(BLOCK_FRAMES);
        for (work, side) in self.work.iter_mut().zip(block) {
            work[self.past..self.past + frames].copy_from_slice(&side[..frames]);
        }
        for frame in 0..frames {
            let gain = self.next_gain(self.past + frame);
            let delayed = self.past + frame - self.delay_frames;
            for (limited, work) in self.limited.iter_mut().zip(&self.work) {
                limited[frame] = work[delayed] * gain;
            }
        }
        for work in &mut self.work {
            work.copy_within(frames..frames + self.past, 0);
        }
        [&self.limited[0][..frames], &self.limited[1][..frames]]
    }

    /// Looks at the frame that lies at `newest` and returns the gain for the one `delay_frames` before it.
    fn next_gain(&mut self, newest: usize) -> f32 {
        let peak = self.peak(newest);
        let wanted = if peak > self.ceiling { f64::from(self.ceiling / peak) } else { 1.0 };
        let held = self.minimum.next(wanted);
        self.gain = if held < self.gain { held } else { self.gain + self.release * (held - self.gain) };
        // The exponential never quite arrives, and what needs no limiting must not change.
        if held == 1.0 && self.gain > 1.0 - NEARLY_ONE {
            self.gain = 1.0;
        }
        self.average.next(self.gain) as f32
    }

    /// The largest magnitude from the frame in the middle of the interpolation's reach up to the one after it; where
    /// nothing can exceed the ceiling, some magnitude below it.
    fn peak(&self, newest: usize) -> f32 {
        let reach = newest + 1 - TAPS..newest + 1;
        let sides = self.work.each_ref().map(|side| &side[reach.clone()]);
        let largest = |side: &[f32]| side.iter().fold(0f32, |most, x| most.max(x.abs()));
        let samples = largest(sides[0]).max(largest(sides[1]));
        if samples * self.overshoot <= self.ceiling {
            return 0.0;
        }
        let between = |side: &[f32], taps: &[f32; TAPS]| -> f32 {
            side.iter().zip(taps).map(|(x, tap)| x * tap).sum::<f32>().abs()
        };
        sides.iter().fold(0f32, |peak, side| {
            let at_frame = peak.max(side[TAPS / 2 - 1].abs());
            self.interpolation.iter().fold(at_frame, |peak, taps| peak.max(between(side, taps)))
        })
    }
}

/// Taps that read a signal `phase` quarters of a sample after the middle of its window: a sinc under a Kaiser window.
fn fractional_delay(phase: usize) -> [f32; TAPS] {
    const BETA: f64 = 5.0;
    let fraction = phase as f64 / (PHASES + 1) as f64;
    let half = TAPS as f64 / 2.0;
    let taps: [f64; TAPS] = std::array::from_fn(|tap| {
        let x = tap as f64 - (half - 1.0) - fraction;
        let inside = (1.0 - (x / half).powi(2)).max(0.0).sqrt();
        (PI * x).sin() / (PI * x) * bessel_i0(BETA * inside) / bessel_i0(BETA)
    });
    let sum: f64 = taps.iter().sum();
    taps.map(|tap| (tap / sum) as f32)
}

/// The modified Bessel function of the first kind and order zero, by its power series.
fn bessel_i0(x: f64) -> f64 {
    let mut term = 1.0;
    let mut sum = 1.0;
    for k in 1..32 {
        term *= (x / 2.0 / f64::from(k)).powi(2);
        sum += term;
    }
    sum
}

/// The smallest of the newest values, in constant time on average: a queue of candidates that grow towards the newest.
struct SlidingMinimum {
    length: u64,
    now: u64,
    /// (time, value) in a ring that never holds more than `length` entries.
    candidates: std::collections::VecDeque<(u64, f64)>,
}

impl SlidingMinimum {
    fn new(length: usize) -> Self {
        let candidates = std::collections::VecDeque::with_capacity(length + 1);
        Self { length: length as u64, now: 0, candidates }
    }

    fn reset(&mut self) {
        self.now = 0;
        self.candidates.clear();
    }

    fn next(&mut self, value: f64) -> f64 {
        while self.candidates.back().is_some_and(|(_, later)| *later >= value) {
            self.candidates.pop_back();
        }
        self.candidates.push_back((self.now, value));
        if self.candidates.front().is_some_and(|(time, _)| time + self.length <= self.now) {
            self.candidates.pop_front();
        }
        self.now += 1;
        self.candidates.front().map_or(value, |(_, least)| *least)
    }
}

/// The mean of the newest gains, ones before the first. Gains are whole multiples of 2^-40, so that the running sum is
/// exact: it never drifts, and after a peak the gain becomes one again, not nearly one.
struct MovingAverage {
    units: Vec<i64>,
    at: usize,
    sum: i64,
}

/// Units in a gain of one.
const UNITS: i64 = 1 << 40;

impl MovingAverage {
    fn new(length: usize) -> Self {
        Self { units: vec![UNITS; length], at: 0, sum: length as i64 * UNITS }
    }

    fn reset(&mut self) {
        self.units.fill(UNITS);
        self.at = 0;
        self.sum = self.units.len() as i64 * UNITS;
    }

    /// Whether every gain in it is one.
    fn is_one(&self) -> bool {
        self.sum == self.units.len() as i64 * UNITS
    }

    fn next(&mut self, gain: f64) -> f64 {
        let units = (gain * UNITS as f64).round() as i64;
        self.sum += units - self.units[self.at];
        self.units[self.at] = units;
        self.at = (self.at + 1) % self.units.len();
        self.sum as f64 / (self.units.len() as i64 * UNITS) as f64
    }
}

#[cfg(test)]
#[path = "limiter_tests.rs"]
mod tests;
