//! Equalization: brings a stem's average spectrum to its target (FxNorm-Automix; paper section 3.1). The released code
//! runs a 1001-tap linear-phase filter forward and backward; that is a zero-phase |H|², built here as one 2001-tap
//! linear-phase filter which delays by one hop.
//!
//! The published rules match each side on its own, bin by bin. The paper rules treat both sides alike, smooth the
//! measured spectrum over a third octave, keep the loudness, and bound the correction to ±15 dB.

use std::sync::Arc;

use realfft::num_complex::Complex64;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};

use crate::convolution::{Convolver, Kernel, hop_transform};
use crate::delay::{HOP_FRAMES, Hop, HopDelay, TURNS_HOPS, fade};
use crate::profile::{CURVE_POINTS, EqualizationCorrection};
use crate::recipe::RecipeKind;
use crate::smoothing::{GLIDE_SECONDS, Glide, step};
use crate::spectrum::{SpectrumEstimator, loudness_weights, mean_magnitudes, shape_correction};
use crate::stem::Stem;
use crate::stft::RealTransform;
use crate::store::{Sides, StemStore, StoreError, peak};
use crate::targets::{FULL_BINS, StemTargets};
use crate::units::{db_from_gain, gain_from_db};
use crate::{loudness, whole_file};

/// Loudness at which spectra are compared.
pub const REFERENCE_LUFS: f64 = -30.0;

/// Taps of the released code's filter before it is squared.
pub const FILTER_TAPS: usize = 1001;

/// Taps of the squared filter, and the leading zeros that round its delay up to one hop.
const SQUARED_TAPS: usize = 2 * FILTER_TAPS - 1;
const LEADING_ZEROS: usize = HOP_FRAMES - (FILTER_TAPS - 1);
const KERNEL_TAPS: usize = LEADING_ZEROS + SQUARED_TAPS;

/// Hops between two redesigns of a gliding filter.
const REDESIGN_HOPS: usize = 8;
const _: () = assert!(TURNS_HOPS.is_multiple_of(REDESIGN_HOPS));

/// Stems redesign their filters in different hops.
fn first_hop(stem: Stem) -> usize {
    stem.index() * REDESIGN_HOPS / Stem::COUNT
}

/// Changes below this are not worth a redesign, in dB.
const SETTLED_DB: f32 = 0.1;

/// Target: the average spectrum on the grid of the correction curve, in dB.
pub fn target_grid_db(target: &StemTargets, sample_rate_hz: f64) -> Vec<f64> {
    target.spectrum.grid(CURVE_POINTS, sample_rate_hz / 2.0)
}

/// Meter: mean magnitude over frames and sides of the stem brought to −30 LUFS, [`FULL_BINS`] values.
///
/// # Errors
/// The store's reason.
pub fn measure(
    stem: &mut dyn StemStore,
    kind: RecipeKind,
    sample_rate_hz: f64,
) -> Result<Vec<f64>, StoreError> {
    let gain = gain_from_db(reference_gain_db(stem, Sides::Both, kind, sample_rate_hz)?);
    let [left, right] = mean_magnitudes(stem, kind)?;
    Ok(left.iter().zip(&right).map(|(left, right)| 0.5 * (left + right) * gain).collect())
}

/// Gain to −30 LUFS, less if the result would clip: the reference's `lufs_normalize`.
fn reference_gain_db(
    stem: &mut dyn StemStore,
    sides: Sides,
    kind: RecipeKind,
    sample_rate_hz: f64,
) -> Result<f64, StoreError> {
    loudness::gain_to_lufs_db(stem, sides, REFERENCE_LUFS, kind, sample_rate_hz)
}

/// The full correction of a complete stem.
///
/// # Errors
/// The store's reason.
pub fn correction(
    stem: &mut dyn StemStore,
    kind: RecipeKind,
    target: &StemTargets,
    sample_rate_hz: f64,
) -> Result<EqualizationCorrection, StoreError> {
    let target_db = target_grid_db(target, sample_rate_hz);
    let spectra = mean_magnitudes(stem, kind)?;
    if kind == RecipeKind::Paper {
        let gain_db = reference_gain_db(stem, Sides::Both, kind, sample_rate_hz)?;
        let curve = shared_curve(&spectra, &target_db, sample_rate_hz);
        return Ok(EqualizationCorrection { gain_db: [gain_db; 2], curves_db: vec![curve] });
    }
    let mut result =
        EqualizationCorrection { gain_db: [0.0; 2], curves_db: vec![vec![0.0; CURVE_POINTS]; 2] };
    for (channel, spectrum) in spectra.iter().enumerate() {
        let side = Sides::One(channel);
        if whole_file::too_quiet(peak(stem, side)?) {
            continue;
        }
        let gain_db = reference_gain_db(stem, side, kind, sample_rate_hz)?;
        let gain = gain_from_db(gain_db);
        // The released code's FIR design looks at every 32nd bin and at nothing between.
        let measured = spectrum.iter().step_by((FULL_BINS - 1) / (CURVE_POINTS - 1));
        for ((point, target_db), measured) in
            result.curves_db[channel].iter_mut().zip(&target_db).zip(measured)
        {
            *point = (target_db - db_from_gain(measured * gain)).clamp(-300.0, 300.0) as f32;
        }
        result.gain_db[channel] = gain_db;
    }
    Ok(result)
}

/// The paper rules' curve, one for both sides.
fn shared_curve([left, right]: &[Vec<f64>; 2], target_db: &[f64], sample_rate_hz: f64) -> Vec<f32> {
    let mean: Vec<f32> = left.iter().zip(right).map(|(left, right)| (0.5 * (left + right)) as f32).collect();
    let mut curve = vec![0.0; CURVE_POINTS];
    let weights = loudness_weights(sample_rate_hz);
    shape_correction(&mean, target_db, &weights, &mut vec![0.0; FULL_BINS + 1], &mut curve);
    curve
}

/// Designs filters from curves without allocating.
pub struct FilterDesigner {
    sample: Arc<dyn ComplexToReal<f64>>,
    forward: Arc<dyn RealToComplex<f64>>,
    inverse: Arc<dyn ComplexToReal<f64>>,
    bins: Vec<Complex64>,
    short: Vec<f64>,
    wide_bins: Vec<Complex64>,
    wide: Vec<f64>,
    scratch: Vec<Complex64>,
    taps: Vec<f32>,
    turns: Vec<Complex64>,
    hamming: Vec<f64>,
}

const SHORT: usize = 2 * (CURVE_POINTS - 1);
const WIDE: usize = 2 * SHORT;

impl std::fmt::Debug for FilterDesigner {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("FilterDesigner")
    }
}

impl FilterDesigner {
    /// Allocates all buffers.
    pub fn new() -> Self {
        let mut planner = RealFftPlanner::<f64>::new();
        let sample = planner.plan_fft_inverse(SHORT);
        let (forward, inverse) = (planner.plan_fft_forward(WIDE), planner.plan_fft_inverse(WIDE));
        let scratch = sample.get_scratch_len().max(forward.get_scratch_len()).max(inverse.get_scratch_len());
        Self {
            sample,
            forward,
            inverse,
            bins: vec![Complex64::default(); SHORT / 2 + 1],
            short: vec![0.0; SHORT],
            wide_bins: vec![Complex64::default(); WIDE / 2 + 1],
            wide: vec![0.0; WIDE],
            scratch: vec![Complex64::default(); scratch],
            taps: vec![0.0; KERNEL_TAPS],
            turns: (0..CURVE_POINTS).map(turn).collect(),
            hamming: (0..FILTER_TAPS).map(hamming).collect(),
        }
    }

    /// The linear-phase filter whose square has the response `curve_db × amount`: frequency sampling with a Hamming
    /// window, as SciPy's `firwin2` does it. Returns [`FILTER_TAPS`] values.
    pub fn single_pass(&mut self, curve_db: &[f32], amount: f64) -> &[f64] {
        const NEPERS_PER_DB: f64 = std::f64::consts::LN_10 / 20.0;
        for ((bin, turn), point_db) in self.bins.iter_mut().zip(&self.turns).zip(curve_db) {
            *bin = turn * (f64::from(*point_db) * amount / 2.0 * NEPERS_PER_DB).exp();
        }
        clear_imaginary_ends(&mut self.bins);
        self.sample
            .process_with_scratch(&mut self.bins, &mut self.short, &mut self.scratch)
            .expect("buffers have the planned lengths");
        for (tap, hamming) in self.short.iter_mut().zip(&self.hamming) {
            *tap *= hamming / SHORT as f64;
        }
        &self.short[..FILTER_TAPS]
    }

    /// The zero-phase filter as a causal one that delays by exactly one hop, with `gain_db` folded in.
    pub fn kernel_taps(&mut self, curve_db: &[f32], gain_db: f64, amount: f64) -> &[f32] {
        self.single_pass(curve_db, amount);
        self.wide.fill(0.0);
        self.wide[..FILTER_TAPS].copy_from_slice(&self.short[..FILTER_TAPS]);
        self.forward
            .process_with_scratch(&mut self.wide, &mut self.wide_bins, &mut self.scratch)
            .expect("buffers have the planned lengths");
        let scale = gain_from_db(gain_db * amount) / WIDE as f64;
        self.wide_bins.iter_mut().for_each(|bin| *bin = Complex64::new(bin.norm_sqr() * scale, 0.0));
        self.inverse
            .process_with_scratch(&mut self.wide_bins, &mut self.wide, &mut self.scratch)
            .expect("buffers have the planned lengths");
        for tap in 0..SQUARED_TAPS {
            // The autocorrelation is centered at 0 and wraps around.
            let lag = (tap + WIDE - (FILTER_TAPS - 1)) % WIDE;
            self.taps[LEADING_ZEROS + tap] = self.wide[lag] as f32;
        }
        &self.taps
    }
}

/// Phase of the linear-phase filter at a point of the curve.
fn turn(point: usize) -> Complex64 {
    let delay = (FILTER_TAPS - 1) as f64 / 2.0;
    Complex64::from_polar(1.0, -delay * std::f64::consts::PI * point as f64 / (CURVE_POINTS - 1) as f64)
}

fn hamming(tap: usize) -> f64 {
    0.54 - 0.46 * (std::f64::consts::TAU * tap as f64 / (FILTER_TAPS - 1) as f64).cos()
}

impl Default for FilterDesigner {
    fn default() -> Self {
        Self::new()
    }
}

fn clear_imaginary_ends(bins: &mut [Complex64]) {
    let last = bins.len() - 1;
    bins[0].im = 0.0;
    bins[last].im = 0.0;
}

/// Matcher: filters a stem hop by hop; delays by one hop, whether or not it filters.
#[derive(Debug)]
pub struct EqualizationMatcher {
    amount: f64,
    adaptive: Option<Adaptive>,
    filtering: bool,
    starts_filtering: bool,
    gain_db: f64,
    kernels: [Kernel; 2],
    convolvers: [Convolver; 2],
    transform: RealTransform,
    dry: HopDelay,
}

#[derive(Debug)]
struct Adaptive {
    estimator: SpectrumEstimator,
    designer: FilterDesigner,
    next: Kernel,
    curve_db: Vec<f32>,
    gain_db: Glide,
    hops: usize,
    first_hop: usize,
    step: f32,
}

impl EqualizationMatcher {
    /// Applies one correction for good; without a correction, or at amount 0, it only delays.
    pub fn fixed(correction: Option<&EqualizationCorrection>, amount: f64) -> Self {
        let mut matcher = Self::idle(amount);
        if let (Some(correction), true) = (correction, amount > 0.0) {
            let mut designer = FilterDesigner::new();
            for (channel, kernel) in matcher.kernels.iter_mut().enumerate() {
                let curve = &correction.curves_db[channel.min(correction.curves_db.len() - 1)];
                let taps = designer.kernel_taps(curve, correction.gain_db[channel], amount);
                kernel.load(taps, &mut matcher.transform);
            }
            matcher.starts_filtering = true;
            matcher.filtering = true;
            matcher.gain_db = 0.5 * (correction.gain_db[0] + correction.gain_db[1]) * amount;
        }
        matcher
    }

    /// Follows a running estimate of the stem's spectrum.
    pub fn adaptive(target: &StemTargets, amount: f64, stem: Stem, sample_rate_hz: f64) -> Self {
        let mut matcher = Self::idle(amount);
        if amount > 0.0 {
            let update_seconds = (REDESIGN_HOPS * HOP_FRAMES) as f64 / sample_rate_hz;
            matcher.adaptive = Some(Adaptive {
                estimator: SpectrumEstimator::new(
                    target_grid_db(target, sample_rate_hz),
                    stem.index(),
                    sample_rate_hz,
                ),
                designer: FilterDesigner::new(),
                next: Kernel::new(KERNEL_TAPS),
                curve_db: vec![0.0; CURVE_POINTS],
                gain_db: Glide::gain(update_seconds),
                hops: first_hop(stem),
                first_hop: first_hop(stem),
                step: step(update_seconds, GLIDE_SECONDS) as f32,
            });
        }
        matcher
    }

    fn idle(amount: f64) -> Self {
        Self {
            amount,
            adaptive: None,
            filtering: false,
            starts_filtering: false,
            gain_db: 0.0,
            kernels: [Kernel::new(KERNEL_TAPS), Kernel::new(KERNEL_TAPS)],
            convolvers: [Convolver::new(KERNEL_TAPS), Convolver::new(KERNEL_TAPS)],
            transform: hop_transform(),
            dry: HopDelay::new(),
        }
    }

    /// Filters one hop in place.
    pub fn process(&mut self, hop: &mut Hop) {
        let fades = self
            .adaptive
            .as_mut()
            .is_some_and(|adaptive| adaptive.redesign(hop, self.amount, &mut self.transform));
        if self.filtering || self.adaptive.is_some() {
            for (convolver, side) in self.convolvers.iter_mut().zip(hop.sides()) {
                convolver.push(side, &mut self.transform);
            }
        }
        self.dry.process(hop);
        if self.filtering {
            for ((convolver, kernel), side) in
                self.convolvers.iter_mut().zip(&self.kernels).zip(hop.sides_mut())
            {
                convolver.output(kernel, &mut self.transform, side);
            }
        }
        if fades {
            self.fade_to_next(hop);
        }
    }

    /// A silent hop after silence: counted, so that stems keep taking turns with the heavy work.
    pub(crate) fn pass_silence(&mut self) {
        if let Some(adaptive) = &mut self.adaptive {
            adaptive.hops = (adaptive.hops + 1) % REDESIGN_HOPS;
            adaptive.estimator.pass_silence();
        }
    }

    /// Crossfades this hop to the newly designed filter, which is then the one in force.
    fn fade_to_next(&mut self, hop: &mut Hop) {
        let Some(adaptive) = &mut self.adaptive else { return };
        let mut faded = [0.0; HOP_FRAMES];
        for (convolver, side) in self.convolvers.iter_mut().zip(hop.sides_mut()) {
            convolver.output(&adaptive.next, &mut self.transform, &mut faded);
            fade(side, &faded);
        }
        std::mem::swap(&mut self.kernels[0], &mut adaptive.next);
        let [left, right] = &mut self.kernels;
        right.clone_from_kernel(left);
        self.filtering = true;
        self.gain_db = adaptive.gain_db.value() * self.amount;
    }

    /// Gain ahead of the filter in dB, after the amount, and whether a correction is in force.
    pub fn reading(&self) -> (f64, bool) {
        (self.gain_db, self.filtering)
    }

    /// Back to the state after construction.
    pub fn reset(&mut self) {
        self.filtering = self.starts_filtering;
        self.convolvers.iter_mut().for_each(Convolver::reset);
        self.dry.reset();
        if let Some(adaptive) = &mut self.adaptive {
            adaptive.estimator.reset();
            adaptive.curve_db.fill(0.0);
            adaptive.gain_db.set(0.0);
            adaptive.hops = adaptive.first_hop;
            self.gain_db = 0.0;
        }
    }
}

impl Adaptive {
    /// Listens to a hop; moves the filter toward the estimate now and then. True when `next` holds a new filter.
    fn redesign(&mut self, hop: &Hop, amount: f64, transform: &mut RealTransform) -> bool {
        self.estimator.listen(hop);
        self.hops = (self.hops + 1) % REDESIGN_HOPS;
        if self.hops != 0 || !self.estimator.has_material() {
            return false;
        }
        let mut largest_db = (self.estimator.gain_db() - self.gain_db.value()).abs() as f32;
        let gain_db = self.gain_db.advance(self.estimator.gain_db());
        for (point, goal) in self.curve_db.iter_mut().zip(self.estimator.curve_db()) {
            largest_db = largest_db.max((goal - *point).abs());
            *point += (goal - *point) * self.step;
        }
        if largest_db < SETTLED_DB {
            return false;
        }
        self.next.load(self.designer.kernel_taps(&self.curve_db, gain_db, amount), transform);
        true
    }
}
