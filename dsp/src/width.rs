//! Width: gives a stem that is narrower than the data set's average the side that it lacks. The paper's panning can move
//! a stem but not widen it; yet what it measures, the left/right similarity φ, says how wide such stems are. Here the
//! side that an average φ stands for is made of the stem's own middle by a fixed decorrelating filter – decaying noise, as
//! pseudo-stereo has been made since Schroeder (JAES 6(2), 1958) – band by band, as far as the stem has less.
//!
//! The middle stays as it is: L + R of the result is L + R of the stem, so nothing is lost in mono. A stem that is as wide
//! as the average passes untouched, and no stem is made narrower. No latency: side and middle belong to the same hop.

use realfft::num_complex::Complex32;

use crate::convolution::{Convolver, Kernel, hop_transform};
use crate::delay::{HOP_FRAMES, Hop, TURNS_HOPS, fade};
use crate::panning::{Analysis, BINS, WINDOW_FRAMES};
use crate::profile::WidthCorrection;
use crate::smoothing::{ActivityGate, ESTIMATE_SECONDS, Glide, RunningWeight};
use crate::stem::Stem;
use crate::stft::RealTransform;
use crate::store::{StemStore, StoreError, for_each_hop};
use crate::targets::StemTargets;
use crate::units::gain_from_db;

/// Octave bands in which width is measured and made: 62.5 Hz to 16 kHz. The published φ is smoothed over 340 Hz twice, so
/// finer bands would say no more.
pub const BANDS: usize = 9;
/// Center of the lowest band.
const LOWEST_CENTER_HZ: f64 = 62.5;

/// Most side against the middle, per band, in dB. Low frequencies stay in the middle, as engineers mix them (and as the
/// published φ, smoothed, no longer says); above, −6 dB is as wide as a stem gets that still has a middle.
const MOST_SIDE_DB: [f64; BANDS] = [-30.0, -24.0, -9.0, -6.0, -6.0, -6.0, -6.0, -6.0, -6.0];

/// Length of the decorrelating filter: two hops.
const TAPS: usize = 2 * HOP_FRAMES;
/// Time in which a stem's noise falls by 60 dB, in stem order. Short where attacks must stay crisp.
const DECAY_SECONDS: [f64; Stem::COUNT] = [0.040, 0.025, 0.015, 0.045];
/// Rounds after which the noise is flat.
const FLATTENING_ROUNDS: usize = 12;
/// Starts the noise, in stem order; each stem has its own, so that sides of different stems do not add up. Of 4,000 seeds each
/// these leave the least in phase with the middle in any octave: what is in phase makes one side louder.
const SEEDS: [u64; Stem::COUNT] =
    [0x7769_6465_0000_034a, 0x7769_6465_0000_2ad6, 0x7769_6465_0000_58a8, 0x7769_6465_0000_7845];

/// Hops between two redesigns of a gliding filter, and between two of the estimator's transforms.
const REDESIGN_HOPS: usize = 8;
const LISTEN_HOPS: usize = 2;
const _: () = assert!(TURNS_HOPS.is_multiple_of(REDESIGN_HOPS) && REDESIGN_HOPS.is_multiple_of(LISTEN_HOPS));
/// Changes of a gain below this (linear) are not worth a redesign.
const SETTLED_GAIN: f64 = 0.003;
/// Material before the first decision, in seconds.
const FIRST_DECISION_SECONDS: f64 = 1.0;

/// Center frequency of a band in Hz.
pub fn center_hz(band: usize) -> f64 {
    LOWEST_CENTER_HZ * 2f64.powi(band as i32)
}

/// The mean φ of a stem whose side is its middle through a flat filter of random phase and power `side_ratio`:
/// φ = √(1 − k² cos² θ) with k = 2 s / (1 + s²), over all phases θ.
fn similarity_of(side_ratio: f64) -> f64 {
    const PHASES: usize = 32;
    let k = 2.0 * side_ratio.sqrt() / (1.0 + side_ratio);
    let cosine = |phase: usize| ((phase as f64 + 0.5) / PHASES as f64 * std::f64::consts::FRAC_PI_2).cos();
    (0..PHASES).map(|phase| (1.0 - (k * cosine(phase)).powi(2)).sqrt()).sum::<f64>() / PHASES as f64
}

/// Power of a diffuse side against the middle at which the mean φ is this: the inverse of [`similarity_of`], 0 to 1.
fn side_ratio_of(phi: f64) -> f64 {
    let (mut narrow, mut wide) = (0.0, 1.0);
    for _ in 0..24 {
        let ratio = 0.5 * (narrow + wide);
        if similarity_of(ratio) > phi { narrow = ratio } else { wide = ratio }
    }
    0.5 * (narrow + wide)
}

/// Target: power of the side against the middle per band that the average φ stands for, within the bounds.
pub fn target_ratios(target: &StemTargets) -> [f64; BANDS] {
    std::array::from_fn(|band| {
        side_ratio_of(target.phi.at_hz(center_hz(band))).min(gain_from_db(MOST_SIDE_DB[band]).powi(2))
    })
}

/// The gains that bring what was measured to the target: what is missing in power, 0 where nothing is.
fn missing_gains(powers: &[[f64; 2]; BANDS], target: &[f64; BANDS]) -> [f32; BANDS] {
    std::array::from_fn(|band| {
        let [mid, side] = powers[band];
        let missing = if mid > 0.0 { target[band] - side / mid } else { 0.0 };
        missing.max(0.0).sqrt() as f32
    })
}

/// Meter: power of middle and side of a stem per band, over frames of two hops.
#[derive(Debug)]
pub struct WidthMeter {
    analysis: Analysis,
    /// First bin of each band, and the end of the last.
    edges: [usize; BANDS + 1],
    powers: [[f64; 2]; BANDS],
}

impl WidthMeter {
    /// Nothing heard.
    pub fn new(sample_rate_hz: f64) -> Self {
        let edge = |band: usize| {
            let hz = center_hz(band) * std::f64::consts::FRAC_1_SQRT_2;
            ((hz * WINDOW_FRAMES as f64 / sample_rate_hz).round() as usize).min(BINS)
        };
        Self { analysis: Analysis::new(), edges: std::array::from_fn(edge), powers: [[0.0; 2]; BANDS] }
    }

    /// Takes in a hop; when `weight` is given, the frame that ends with it counts that much against what was before:
    /// 1 adds plainly, less turns the sums into running means.
    pub fn add(&mut self, hop: &Hop, weight: Option<f64>) {
        let Some(weight) = weight else { return self.analysis.pass(hop) };
        self.analysis.run(hop);
        let keep = if weight < 1.0 { 1.0 - weight } else { 1.0 };
        for (band, powers) in self.powers.iter_mut().enumerate() {
            let bins = self.edges[band]..self.edges[band + 1];
            let sides = self.analysis.left[bins.clone()].iter().zip(&self.analysis.right[bins]);
            let (mid, side) = sides.fold((0f32, 0f32), |(mid, side), (left, right)| {
                (mid + (left + right).norm_sqr(), side + (left - right).norm_sqr())
            });
            for (power, found) in powers.iter_mut().zip([mid, side]) {
                *power = *power * keep + f64::from(found) * weight;
            }
        }
    }

    /// Power of middle and side per band, in units of its own.
    pub fn powers(&self) -> &[[f64; 2]; BANDS] {
        &self.powers
    }

    fn reset(&mut self) {
        self.analysis.reset();
        self.powers = [[0.0; 2]; BANDS];
    }
}

/// The full correction of a complete stem.
///
/// # Errors
/// The store's reason.
pub fn correction(
    stem: &mut dyn StemStore,
    target: &StemTargets,
    sample_rate_hz: f64,
) -> Result<WidthCorrection, StoreError> {
    let mut meter = WidthMeter::new(sample_rate_hz);
    for_each_hop(stem, |hop, _| meter.add(hop, Some(1.0)))?;
    Ok(WidthCorrection { gains: missing_gains(meter.powers(), &target_ratios(target)) })
}

/// The decorrelating filter, in parts: one band each, to be weighted and added.
#[derive(Debug)]
struct Decorrelator {
    bands: Vec<Vec<f32>>,
    taps: Vec<f32>,
}

impl Decorrelator {
    fn new(stem: Stem, sample_rate_hz: f64) -> Self {
        let mut spectrum = PaddedSpectrum::new();
        let noise = flat_noise(decaying_noise(stem, sample_rate_hz), &mut spectrum);
        let bin_hz = sample_rate_hz / (2 * TAPS) as f64;
        let part = |band| spectrum.filter(&noise, |bin, _| band_weight(band, bin as f64 * bin_hz));
        Self { bands: (0..BANDS).map(part).collect(), taps: vec![0.0; TAPS] }
    }

    /// The filter with these gains (linear) per band. Does not allocate.
    fn taps(&mut self, gains: impl Iterator<Item = f32>) -> &[f32] {
        self.taps.fill(0.0);
        for (band, gain) in self.bands.iter().zip(gains).filter(|(_, gain)| *gain > 0.0) {
            self.taps.iter_mut().zip(band).for_each(|(tap, part)| *tap += gain * part);
        }
        &self.taps
    }
}

/// Weight of a band at a frequency: overlapping raised cosines over the logarithm of frequency, which add up to one; the
/// outermost bands reach to the ends.
fn band_weight(band: usize, hz: f64) -> f64 {
    let position = (hz.max(1e-9) / LOWEST_CENTER_HZ).log2().clamp(0.0, (BANDS - 1) as f64);
    let distance = (position - band as f64).abs().min(1.0);
    0.5 * (1.0 + (std::f64::consts::PI * distance).cos())
}

/// Noise that decays, [`TAPS`] samples.
fn decaying_noise(stem: Stem, sample_rate_hz: f64) -> Vec<f32> {
    let mut state = SEEDS[stem.index()];
    let decay = 10f64.powf(-3.0 / (DECAY_SECONDS[stem.index()] * sample_rate_hz));
    let mut level = 1.0;
    let mut sample = || {
        level *= decay;
        (2.0 * crate::reverb::uniform(&mut state) - 1.0) * level
    };
    (0..TAPS).map(|_| sample() as f32).collect()
}

/// The noise with a flat spectrum (0 dB within half a decibel): by turns its magnitudes are set to one and its length is
/// kept. Without this a few random peaks and gaps would make the width of every band.
fn flat_noise(mut noise: Vec<f32>, spectrum: &mut PaddedSpectrum) -> Vec<f32> {
    for _ in 0..FLATTENING_ROUNDS {
        noise = spectrum.filter(&noise, |_, bin| 1.0 / f64::from(bin.norm()).max(1e-12));
    }
    noise
}

/// A transform of twice the filter's length, to filter the filter itself.
struct PaddedSpectrum {
    transform: RealTransform,
    time: Vec<f32>,
    bins: Vec<Complex32>,
}

impl PaddedSpectrum {
    fn new() -> Self {
        let transform = RealTransform::<f32>::new(2 * TAPS);
        Self { time: vec![0.0; 2 * TAPS], bins: vec![Complex32::default(); transform.bins()], transform }
    }

    /// `taps` with every bin multiplied by what `gain` says of its number and value, cut to [`TAPS`] samples.
    fn filter(&mut self, taps: &[f32], gain: impl Fn(usize, Complex32) -> f64) -> Vec<f32> {
        self.time[..TAPS].copy_from_slice(taps);
        self.time[TAPS..].fill(0.0);
        self.transform.forward(&mut self.time, &mut self.bins);
        for (number, bin) in self.bins.iter_mut().enumerate() {
            *bin *= (gain(number, *bin) / (2 * TAPS) as f64) as f32;
        }
        self.transform.inverse(&mut self.bins, &mut self.time);
        self.time[..TAPS].to_vec()
    }
}

/// Matcher: adds the missing side. A fresh one, or one at amount 0, changes no bit.
#[derive(Debug)]
pub struct WidthMatcher {
    amount: f32,
    adaptive: Option<Adaptive>,
    /// A filter is in force.
    widening: bool,
    starts_widening: bool,
    gains: [f32; BANDS],
    kernel: Kernel,
    convolver: Convolver,
    transform: RealTransform,
    mid: Box<[f32; HOP_FRAMES]>,
    side: Box<[f32; HOP_FRAMES]>,
}

#[derive(Debug)]
struct Adaptive {
    meter: WidthMeter,
    gate: ActivityGate,
    weight: RunningWeight,
    target: [f64; BANDS],
    gains: [Glide; BANDS],
    decorrelator: Decorrelator,
    next: Kernel,
    faded: Box<[f32; HOP_FRAMES]>,
    first_decision: usize,
    heard: usize,
    hops: usize,
    first_hop: usize,
}

impl WidthMatcher {
    /// Applies one correction for good; without one, or at amount 0, it changes nothing.
    pub fn fixed(correction: Option<&WidthCorrection>, amount: f64, stem: Stem, sample_rate_hz: f64) -> Self {
        let mut matcher = Self::idle(amount);
        if let Some(correction) = correction
            && amount > 0.0
            && correction.gains.iter().any(|gain| *gain > 0.0)
        {
            let mut decorrelator = Decorrelator::new(stem, sample_rate_hz);
            let scaled = correction.gains.map(|gain| gain * matcher.amount);
            matcher.kernel.load(decorrelator.taps(scaled.into_iter()), &mut matcher.transform);
            matcher.gains = scaled;
            matcher.starts_widening = true;
            matcher.widening = true;
        }
        matcher
    }

    /// Follows a running estimate of the stem's width.
    pub fn adaptive(target: &StemTargets, amount: f64, stem: Stem, sample_rate_hz: f64) -> Self {
        let mut matcher = Self::idle(amount);
        if amount > 0.0 {
            let hop_seconds = HOP_FRAMES as f64 / sample_rate_hz;
            let listen_seconds = LISTEN_HOPS as f64 * hop_seconds;
            // Stems listen and redesign in different hops.
            let first_hop = stem.index() * REDESIGN_HOPS / Stem::COUNT + stem.index() % LISTEN_HOPS;
            matcher.adaptive = Some(Adaptive {
                meter: WidthMeter::new(sample_rate_hz),
                gate: ActivityGate::new(hop_seconds),
                weight: RunningWeight::new(ESTIMATE_SECONDS / listen_seconds),
                target: target_ratios(target),
                gains: std::array::from_fn(|_| Glide::new(0.0, REDESIGN_HOPS as f64 * hop_seconds)),
                decorrelator: Decorrelator::new(stem, sample_rate_hz),
                next: Kernel::new(TAPS),
                faded: Box::new([0.0; HOP_FRAMES]),
                first_decision: (FIRST_DECISION_SECONDS / listen_seconds) as usize,
                heard: 0,
                hops: first_hop,
                first_hop,
            });
        }
        matcher
    }

    fn idle(amount: f64) -> Self {
        Self {
            amount: amount as f32,
            adaptive: None,
            widening: false,
            starts_widening: false,
            gains: [0.0; BANDS],
            kernel: Kernel::new(TAPS),
            convolver: Convolver::new(TAPS),
            transform: hop_transform(),
            mid: Box::new([0.0; HOP_FRAMES]),
            side: Box::new([0.0; HOP_FRAMES]),
        }
    }

    /// Widens one hop in place. Never allocates.
    pub fn process(&mut self, hop: &mut Hop) {
        let fades = self
            .adaptive
            .as_mut()
            .is_some_and(|adaptive| adaptive.redesign(hop, self.amount, &mut self.transform));
        if !self.widening && self.adaptive.is_none() {
            return;
        }
        for ((mid, left), right) in self.mid.iter_mut().zip(&hop.left).zip(&hop.right) {
            *mid = 0.5 * (left + right);
        }
        self.convolver.push(&self.mid[..], &mut self.transform);
        if self.widening {
            self.convolver.output(&self.kernel, &mut self.transform, &mut self.side[..]);
        }
        if fades {
            self.fade_to_next();
        }
        if self.widening {
            for ((side, left), right) in self.side.iter().zip(&mut hop.left).zip(&mut hop.right) {
                *left += side;
                *right -= side;
            }
        }
    }

    /// A silent hop passes at rest: only the turns go on.
    pub(crate) fn pass_silence(&mut self) {
        if let Some(adaptive) = &mut self.adaptive {
            adaptive.hops = (adaptive.hops + 1) % REDESIGN_HOPS;
        }
    }

    /// Crossfades this hop to the newly designed filter, which is then the one in force.
    fn fade_to_next(&mut self) {
        let Some(adaptive) = &mut self.adaptive else { return };
        self.convolver.output(&adaptive.next, &mut self.transform, &mut adaptive.faded[..]);
        if !self.widening {
            self.side.fill(0.0);
        }
        fade(&mut self.side, &adaptive.faded);
        std::mem::swap(&mut self.kernel, &mut adaptive.next);
        self.widening = true;
        self.gains = std::array::from_fn(|band| adaptive.gains[band].value() as f32 * self.amount);
    }

    /// Added side against the middle, linear, root of the mean power over the bands; 0 where nothing is added.
    pub fn added_side(&self) -> f32 {
        (self.gains.iter().map(|gain| gain * gain).sum::<f32>() / BANDS as f32).sqrt()
    }

    /// Back to the state after construction.
    pub fn reset(&mut self) {
        self.widening = self.starts_widening;
        self.convolver.reset();
        if let Some(adaptive) = &mut self.adaptive {
            self.gains = [0.0; BANDS];
            adaptive.reset();
        }
    }
}

impl Adaptive {
    /// Listens to a hop; moves the filter toward the estimate now and then. True when `next` holds a new filter.
    fn redesign(&mut self, hop: &Hop, amount: f32, transform: &mut RealTransform) -> bool {
        self.hops = (self.hops + 1) % REDESIGN_HOPS;
        let listens = self.gate.is_material(hop.mean_square()) && self.hops.is_multiple_of(LISTEN_HOPS);
        let weight = listens.then(|| self.weight.next_weight());
        self.meter.add(hop, weight);
        self.heard += usize::from(listens);
        if self.hops != 0 || self.heard < self.first_decision {
            return false;
        }
        let goals = missing_gains(self.meter.powers(), &self.target);
        let mut largest = 0f64;
        for (gain, goal) in self.gains.iter_mut().zip(goals) {
            let before = gain.value();
            largest = largest.max((f64::from(goal) - before).abs());
            gain.advance(f64::from(goal));
        }
        if largest < SETTLED_GAIN {
            return false;
        }
        let taps = self.decorrelator.taps(self.gains.iter().map(|gain| gain.value() as f32 * amount));
        self.next.load(taps, transform);
        true
    }

    fn reset(&mut self) {
        self.meter.reset();
        self.gate.reset();
        self.weight.reset();
        self.gains.iter_mut().for_each(|gain| gain.set(0.0));
        self.heard = 0;
        self.hops = self.first_hop;
    }
}

#[cfg(test)]
#[path = "width_tests.rs"]
mod tests;
