//! Applies an equalization: one filter for good, or one that glides after the running estimate. Delays by one hop,
//! whether or not it filters.

use crate::amounts::Share;
use crate::analysis::estimates::{GLIDE_SECONDS, Glide, step};
use crate::context::Context;
use crate::effects::equalization::correction::EqualizationCorrection;
use crate::effects::equalization::curve::CURVE_POINTS;
use crate::effects::equalization::designer::Designer;
use crate::effects::equalization::estimator::SpectrumEstimator;
use crate::effects::equalization::faults::Fault;
use crate::effects::equalization::third_octaves::{THIRD_OCTAVES, center_hz};
use crate::filters::convolution::{Convolver, Kernel, hop_transform};
use crate::filters::delay::HopDelay;
use crate::filters::transform::RealTransform;
use crate::hop::{HOP_FRAMES, Hop, TURNS_HOPS, fade};
use crate::reading::EqualizationReading;
use crate::rules::RecipeKind;
use crate::session::Standing;
use crate::stem::Stem;

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
    /// The filter in force stays, whatever is heard.
    held: bool,
    /// Ahead of the filter in force, before the recipe's amount.
    gain_db: f64,
    kernels: [Kernel; 2],
    convolvers: [Convolver; 2],
    transform: RealTransform,
    /// As late as the filters; `None` where they do not delay.
    dry: Option<HopDelay>,
    fault: Option<Fault>,
    /// Of the curve in force, likewise.
    range_db: [f32; 2],
    /// The curve in force, before the recipe's amount.
    curve_db: Vec<f32>,
    share: Share,
    plain: Box<Hop>,
}

#[derive(Debug)]
struct Adaptive {
    estimator: SpectrumEstimator,
    designer: Designer,
    next: Kernel,
    curve_db: Vec<f32>,
    gain_db: Glide,
    hops: usize,
    first_hop: usize,
    step: f32,
    /// 1 for music, 0 for bleed.
    music: f32,
}

/// A range of boosts and cuts in dB, widened to hold a curve.
fn widened(range_db: [f32; 2], curve_db: &[f32]) -> [f32; 2] {
    curve_db.iter().fold(range_db, |[lowest, highest], point| [lowest.min(*point), highest.max(*point)])
}

impl EqualizationMatcher {
    /// Applies one correction for good; without a correction, or at amount 0, it only delays.
    pub fn fixed(correction: Option<&EqualizationCorrection>, amount: f64, kind: RecipeKind) -> Self {
        let mut matcher = Self::idle(amount, kind);
        if let Some(correction) = correction.filter(|found| amount > 0.0 && !found.is_flat()) {
            let mut designer = Designer::of(kind);
            for (channel, kernel) in matcher.kernels.iter_mut().enumerate() {
                let curve = &correction.curves_db[channel.min(correction.curves_db.len() - 1)];
                let taps = designer.kernel_taps(curve, correction.gain_db[channel], amount);
                kernel.load(taps, &mut matcher.transform);
            }
            matcher.starts_filtering = true;
            matcher.filtering = true;
            matcher.gain_db = 0.5 * (correction.gain_db[0] + correction.gain_db[1]);
            matcher.fault = correction.fault;
            let curves = correction.curves_db.iter();
            matcher.range_db = curves.fold([0.0; 2], |range_db, curve| widened(range_db, curve));
            let share = 1.0 / correction.curves_db.len() as f32;
            for curve in &correction.curves_db {
                matcher.curve_db.iter_mut().zip(curve).for_each(|(sum, point)| *sum += share * point);
            }
        }
        matcher
    }

    /// Follows a running estimate of the stem's spectrum.
    pub fn adaptive(context: &Context, amount: f64) -> Self {
        let mut matcher = Self::idle(amount, context.kind);
        if amount > 0.0 {
            let stem = context.stem;
            let update_seconds = (REDESIGN_HOPS * HOP_FRAMES) as f64 / context.sample_rate_hz;
            matcher.adaptive = Some(Adaptive {
                estimator: SpectrumEstimator::new(context),
                designer: Designer::of(context.kind),
                music: 1.0,
                next: Kernel::new(Designer::taps(context.kind)),
                curve_db: vec![0.0; CURVE_POINTS],
                gain_db: Glide::gain(update_seconds),
                hops: first_hop(stem),
                first_hop: first_hop(stem),
                step: step(update_seconds, GLIDE_SECONDS) as f32,
            });
        }
        matcher
    }

    fn idle(amount: f64, kind: RecipeKind) -> Self {
        let taps = Designer::taps(kind);
        Self {
            amount,
            adaptive: None,
            filtering: false,
            starts_filtering: false,
            held: false,
            gain_db: 0.0,
            kernels: [Kernel::new(taps), Kernel::new(taps)],
            convolvers: [Convolver::new(taps), Convolver::new(taps)],
            transform: hop_transform(),
            dry: (Designer::latency_hops(kind) > 0).then(HopDelay::new),
            fault: None,
            range_db: [0.0; 2],
            curve_db: vec![0.0; CURVE_POINTS],
            share: Share::FULL,
            plain: Box::new(Hop::SILENT),
        }
    }

    /// How much of it is let through over the next hop.
    pub fn let_through(&mut self, share: Share) {
        self.share = share;
    }

    /// The filter in force stays, or follows the estimate again.
    pub fn hold(&mut self, held: bool) {
        self.held = held;
    }

    /// The correction that was found while listening, if one was. Allocates.
    pub fn followed(&self) -> Option<EqualizationCorrection> {
        let found = self.adaptive.is_some() && self.filtering;
        found.then(|| EqualizationCorrection {
            gain_db: [self.gain_db; 2],
            curves_db: vec![self.curve_db.clone()],
            fault: self.fault,
        })
    }

    /// Filters one hop in place.
    pub fn process(&mut self, hop: &mut Hop) {
        let fades = self
            .adaptive
            .as_mut()
            .is_some_and(|adaptive| adaptive.redesign(hop, self.amount, self.held, &mut self.transform));
        if self.filtering || self.adaptive.is_some() {
            for (convolver, side) in self.convolvers.iter_mut().zip(hop.sides()) {
                convolver.push(side, &mut self.transform);
            }
        }
        self.dry.iter_mut().for_each(|dry| dry.process(hop));
        let blends = !self.share.is_full();
        if blends {
            self.plain.left = hop.left;
            self.plain.right = hop.right;
        }
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
        if blends {
            self.share.blend(hop, &self.plain);
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
        self.gain_db = adaptive.gain_db.value();
        self.fault = adaptive.estimator.fault();
        self.range_db = widened([0.0; 2], &adaptive.curve_db);
        self.curve_db.copy_from_slice(&adaptive.curve_db);
    }

    /// How much of a correction the stem gets, of one that is estimated: nothing is mended in bleed.
    pub fn stand(&mut self, standing: Standing) {
        if let Some(adaptive) = &mut self.adaptive {
            adaptive.music = standing.music() as f32;
        }
    }

    /// What the filter in force does.
    pub fn reading(&self) -> Option<EqualizationReading> {
        let share = self.amount as f32 * self.share.end;
        self.filtering.then_some(EqualizationReading {
            gain_db: self.gain_db as f32 * share,
            fault: self.fault,
            range_db: self.range_db.map(|db| db * share),
        })
    }

    /// The spectrum heard so far, where one is estimated: per third octave, in dB.
    pub fn measured_db(&self, sample_rate_hz: f64) -> Option<[f32; THIRD_OCTAVES]> {
        self.adaptive.as_ref()?.estimator.measured_db(sample_rate_hz)
    }

    /// What the filter in force does per third octave, in dB.
    pub fn applied_db(&self, sample_rate_hz: f64) -> [f32; THIRD_OCTAVES] {
        let step_hz = 0.5 * sample_rate_hz / (CURVE_POINTS - 1) as f64;
        let share = if self.filtering { self.amount as f32 * self.share.end } else { 0.0 };
        std::array::from_fn(|band| {
            let position = (center_hz(band) / step_hz).min((CURVE_POINTS - 1) as f64);
            let point = (position as usize).min(CURVE_POINTS - 2);
            let [low, high] = [self.curve_db[point], self.curve_db[point + 1]];
            share * (low + (high - low) * (position - point as f64) as f32)
        })
    }

    /// Back to the state after construction; a filter that is held stays.
    pub fn reset(&mut self) {
        self.convolvers.iter_mut().for_each(Convolver::reset);
        self.dry.iter_mut().for_each(HopDelay::reset);
        if let Some(adaptive) = &mut self.adaptive {
            adaptive.estimator.reset();
            adaptive.hops = adaptive.first_hop;
            adaptive.music = 1.0;
            if !self.held {
                adaptive.curve_db.fill(0.0);
                adaptive.gain_db.set(0.0);
                self.filtering = self.starts_filtering;
                self.gain_db = 0.0;
                self.fault = None;
                self.range_db = [0.0; 2];
            }
        }
    }
}

impl Adaptive {
    /// Listens to a hop; moves the filter toward the estimate now and then, unless it is held. True when `next` holds a new
    /// filter.
    fn redesign(&mut self, hop: &Hop, amount: f64, held: bool, transform: &mut RealTransform) -> bool {
        self.estimator.listen(hop);
        self.hops = (self.hops + 1) % REDESIGN_HOPS;
        if held || self.hops != 0 || !self.estimator.has_material() {
            return false;
        }
        let mut largest_db = (self.estimator.gain_db() - self.gain_db.value()).abs() as f32;
        let gain_db = self.gain_db.advance(self.estimator.gain_db());
        for (point, goal) in self.curve_db.iter_mut().zip(self.estimator.curve_db()) {
            let goal = goal * self.music;
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
