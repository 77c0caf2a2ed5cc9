//! What width is measured by: power of middle and side in octave bands, and the side that an average φ stands for.

use realfft::num_complex::Complex32;

use crate::analysis::hop_spectra::{BINS, WINDOW_FRAMES};
use crate::effects::width::bands::{BANDS, center_hz};
use crate::filters::transform::{PairTransform, sqrt_hann};
use crate::hop::Hop;
use crate::rules::RecipeKind;
use crate::stem::Stem;
use crate::targets::StemTargets;
use crate::units::gain_from_db;

/// Most side against the middle, per band, in dB. Low frequencies stay in the middle, as engineers mix them (and as the
/// published φ, smoothed, no longer says); above, −6 dB is as wide as a stem gets that still has a middle.
const MOST_SIDE_DB: [f64; BANDS] = [-30.0, -24.0, -9.0, -6.0, -6.0, -6.0, -6.0, -6.0, -6.0];

/// The mean φ of a stem whose side is its middle through a flat filter of random phase and power `side_ratio`:
/// φ = √(1 − k² cos² θ) with k = 2 s / (1 + s²), over all phases θ.
pub(crate) fn similarity_of(side_ratio: f64) -> f64 {
    const PHASES: usize = 32;
    let k = 2.0 * side_ratio.sqrt() / (1.0 + side_ratio);
    let cosine = |phase: usize| ((phase as f64 + 0.5) / PHASES as f64 * std::f64::consts::FRAC_PI_2).cos();
    (0..PHASES).map(|phase| (1.0 - (k * cosine(phase)).powi(2)).sqrt()).sum::<f64>() / PHASES as f64
}

/// Power of a diffuse side against the middle at which the mean φ is this: the inverse of [`similarity_of`], 0 to 1.
pub(crate) fn side_ratio_of(phi: f64) -> f64 {
    let (mut narrow, mut wide) = (0.0, 1.0);
    for _ in 0..24 {
        let ratio = 0.5 * (narrow + wide);
        if similarity_of(ratio) > phi { narrow = ratio } else { wide = ratio }
    }
    0.5 * (narrow + wide)
}

/// A stem whose side lies this far below its middle, in dB, was recorded in mono: what is left is noise, or a coder's.
const MONO_DB: f64 = -45.0;
/// A stem whose side lies above this has been placed by somebody, with a pan, a double, a reverb or two microphones. Among the
/// real songs at hand the narrowest such stem, drums, lies at −22 dB; the widest mono one, a voice, at −63 dB.
const PLACED_DB: f64 = -30.0;
/// The lowest band that says whether a stem was placed: below, everybody's side is small.
const LOWEST_PLACED_BAND: usize = 2;

/// How much of a missing side a stem is given: 1 for one that was recorded in mono, 0 for one that somebody has placed.
fn monophony(powers: &[[f64; 2]; BANDS]) -> f64 {
    let bands = powers[LOWEST_PLACED_BAND..].iter();
    let [mid, side] = bands.fold([0.0, 0.0], |[mid, side], band| [mid + band[0], side + band[1]]);
    if mid == 0.0 && side > 0.0 {
        return 0.0;
    }
    // Without anything to hear there is nothing to add to either.
    let side_db = 10.0 * (side.max(f64::MIN_POSITIVE) / mid.max(f64::MIN_POSITIVE)).log10();
    ((PLACED_DB - side_db) / (PLACED_DB - MONO_DB)).clamp(0.0, 1.0)
}

/// Target: power of the side against the middle per band that the average φ stands for, within the bounds.
pub fn target_ratios(target: &StemTargets) -> [f64; BANDS] {
    std::array::from_fn(|band| {
        side_ratio_of(target.phi.at_hz(center_hz(band))).min(gain_from_db(MOST_SIDE_DB[band]).powi(2))
    })
}

/// How wide a stem is to be, and which stems are to be made so.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WidthTarget {
    /// Power of the side against the middle, per band.
    ratios: [f64; BANDS],
    /// What somebody has placed stays as it is.
    spares_placed: bool,
}

impl WidthTarget {
    /// For a stem, by the rules of a recipe.
    pub fn of(kind: RecipeKind, stem: Stem, target: &StemTargets) -> Self {
        let spares_placed = kind == RecipeKind::Tributary;
        let in_the_middle = spares_placed && stem == Stem::Bass;
        let ratios = if in_the_middle { [0.0; BANDS] } else { target_ratios(target) };
        Self { ratios, spares_placed }
    }

    /// Whether what was measured was recorded in mono, 1 to 0, by rules that ask for it.
    pub(crate) fn mono(&self, powers: &[[f64; 2]; BANDS]) -> Option<f32> {
        self.spares_placed.then(|| monophony(powers) as f32)
    }

    /// The gains that bring what was measured to the target: what is missing in power, 0 where nothing is.
    pub(crate) fn missing_gains(&self, powers: &[[f64; 2]; BANDS]) -> [f32; BANDS] {
        let share = if self.spares_placed { monophony(powers) } else { 1.0 };
        std::array::from_fn(|band| {
            let [mid, side] = powers[band];
            let missing = if mid > 0.0 { self.ratios[band] - side / mid } else { 0.0 };
            (share * missing.max(0.0).sqrt()) as f32
        })
    }
}

/// Meter: power of middle and side of a stem per band, over frames of two hops.
#[derive(Debug)]
pub struct WidthMeter {
    window: Vec<f32>,
    transform: PairTransform,
    /// The hop before.
    previous: Box<Hop>,
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
        Self {
            window: sqrt_hann(WINDOW_FRAMES),
            transform: PairTransform::new(WINDOW_FRAMES),
            previous: Box::new(Hop::SILENT),
            edges: std::array::from_fn(edge),
            powers: [[0.0; 2]; BANDS],
        }
    }

    /// Takes in a hop; when `weight` is given, the frame that ends with it counts that much against what was before:
    /// 1 adds plainly, less turns the sums into running means.
    pub fn add(&mut self, hop: &Hop, weight: Option<f64>) {
        if let Some(weight) = weight {
            self.transform(hop);
            self.count(weight);
        }
        self.previous.left.copy_from_slice(&hop.left);
        self.previous.right.copy_from_slice(&hop.right);
    }

    /// Middle and side of the previous hop and this one.
    fn transform(&mut self, hop: &Hop) {
        let left = self.previous.left.iter().chain(&hop.left);
        let right = self.previous.right.iter().chain(&hop.right);
        let frames = left.zip(right).zip(&self.window);
        for (sample, ((left, right), window)) in self.transform.input().iter_mut().zip(frames) {
            *sample = Complex32::new((left + right) * window, (left - right) * window);
        }
        self.transform.run();
    }

    /// Counts the frame just transformed.
    fn count(&mut self, weight: f64) {
        let keep = if weight < 1.0 { 1.0 - weight } else { 1.0 };
        for (band, powers) in self.powers.iter_mut().enumerate() {
            let bins = self.edges[band]..self.edges[band + 1];
            let found = bins.fold([0f32; 2], |[mid, side], bin| {
                let [more_mid, more_side] = self.transform.powers(bin);
                [mid + more_mid, side + more_side]
            });
            for (power, found) in powers.iter_mut().zip(found) {
                *power = *power * keep + f64::from(found) * weight;
            }
        }
    }

    /// Power of middle and side per band, in units of its own.
    pub fn powers(&self) -> &[[f64; 2]; BANDS] {
        &self.powers
    }

    pub(crate) fn reset(&mut self) {
        *self.previous = Hop::SILENT;
        self.powers = [[0.0; 2]; BANDS];
    }
}
