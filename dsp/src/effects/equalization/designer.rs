//! Designs the equalizer's filter. The released code runs a 1001-tap linear-phase filter forward and backward; that is a
//! zero-phase |H|², built here as one 2001-tap linear-phase filter which delays by one hop.

use std::sync::Arc;

use realfft::num_complex::Complex64;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};

use crate::effects::equalization::curve::CURVE_POINTS;
use crate::effects::equalization::minimum_phase::{MINIMUM_PHASE_TAPS, MinimumPhase};
use crate::hop::HOP_FRAMES;
use crate::rules::RecipeKind;
use crate::units::gain_from_db;

/// Taps of the released code's filter before it is squared.
pub const FILTER_TAPS: usize = 1001;

/// Taps of the squared filter, and the leading zeros that round its delay up to one hop.
const SQUARED_TAPS: usize = 2 * FILTER_TAPS - 1;
const LEADING_ZEROS: usize = HOP_FRAMES - (FILTER_TAPS - 1);
/// Taps of the kernel, silence ahead of the filter included.
const KERNEL_TAPS: usize = LEADING_ZEROS + SQUARED_TAPS;

/// Which filters a recipe's rules ask for.
#[derive(Debug)]
pub(crate) enum Designer {
    /// Those of the paper and of the released code: linear phase, one hop late.
    Linear(Box<FilterDesigner>),
    /// Minimum phase, without delay.
    Minimum(MinimumPhase),
}

impl Designer {
    /// Designs for the rules of a recipe.
    pub(crate) fn of(kind: RecipeKind) -> Self {
        match kind {
            RecipeKind::Paper | RecipeKind::Published => Self::Linear(Box::default()),
            RecipeKind::Tributary => Self::Minimum(MinimumPhase::new()),
        }
    }

    /// Taps of its filters, at most.
    pub(crate) fn taps(kind: RecipeKind) -> usize {
        match kind {
            RecipeKind::Paper | RecipeKind::Published => KERNEL_TAPS,
            RecipeKind::Tributary => MINIMUM_PHASE_TAPS,
        }
    }

    /// Hops by which its filters delay.
    pub(crate) fn latency_hops(kind: RecipeKind) -> usize {
        usize::from(kind != RecipeKind::Tributary)
    }

    /// The filter of a curve, times an amount, with a gain folded in. Never allocates.
    pub(crate) fn kernel_taps(&mut self, curve_db: &[f32], gain_db: f64, amount: f64) -> &[f32] {
        match self {
            Self::Linear(designer) => designer.kernel_taps(curve_db, gain_db, amount),
            Self::Minimum(designer) => designer.kernel_taps(curve_db, gain_db, amount),
        }
    }
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
    /// window, as SciPy's `firwin2` does it. Returns `FILTER_TAPS` values.
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
