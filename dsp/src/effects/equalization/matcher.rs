//! Applies an equalization: one filter for good, or one that glides after the running estimate. Delays by one hop,
//! whether or not it filters.

use crate::analysis::estimates::{GLIDE_SECONDS, Glide, step};
use crate::effects::equalization::correction::EqualizationCorrection;
use crate::effects::equalization::curve::{CURVE_POINTS, target_grid_db};
use crate::effects::equalization::designer::{FilterDesigner, KERNEL_TAPS};
use crate::effects::equalization::estimator::SpectrumEstimator;
use crate::filters::convolution::{Convolver, Kernel, hop_transform};
use crate::filters::delay::HopDelay;
use crate::filters::transform::RealTransform;
use crate::hop::{HOP_FRAMES, Hop, TURNS_HOPS, fade};
use crate::reading::EqualizationReading;
use crate::stem::Stem;
use crate::targets::StemTargets;

/// Hops between two redesigns of a gliding filter.
const REDESIGN_HOPS: usize = 8;
const _: () = assert!(TURNS_HOPS.is_multiple_of(REDESIGN_HOPS));

/// Stems redesign their filters in different hops.
fn first_hop(stem: Stem) -> usize {
    stem.index() * REDESIGN_HOPS / Stem::COUNT
}

/// Changes below this are not worth a redesign, in dB.
const SETTLED_DB: f32 = 0.1;

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

    /// What the filter in force does.
    pub fn reading(&self) -> Option<EqualizationReading> {
        self.filtering.then_some(EqualizationReading { gain_db: self.gain_db as f32 })
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
