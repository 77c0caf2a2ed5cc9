//! Applies a width correction: adds the side that is missing. A fresh matcher, or one at amount 0, changes no bit.

use crate::amounts::Share;
use crate::analysis::estimates::{ActivityGate, ESTIMATE_SECONDS, Glide, RunningWeight};
use crate::effects::width::bands::BANDS;
use crate::effects::width::correction::WidthCorrection;
use crate::effects::width::decorrelator::{Decorrelator, TAPS};
use crate::effects::width::meter::{WidthMeter, WidthTarget};
use crate::filters::convolution::{Convolver, Kernel, hop_transform};
use crate::filters::transform::RealTransform;
use crate::hop::{HOP_FRAMES, Hop, TURNS_HOPS, fade};
use crate::reading::WidthReading;
use crate::session::Standing;
use crate::stem::Stem;

/// Hops between two redesigns of a gliding filter, and between two of the estimator's transforms.
const REDESIGN_HOPS: usize = 8;
const LISTEN_HOPS: usize = 2;
const _: () = assert!(TURNS_HOPS.is_multiple_of(REDESIGN_HOPS) && REDESIGN_HOPS.is_multiple_of(LISTEN_HOPS));
/// Changes of a gain below this (linear) are not worth a redesign.
const SETTLED_GAIN: f64 = 0.003;
/// Material before the first decision, in seconds.
const FIRST_DECISION_SECONDS: f64 = 1.0;

/// Matcher: adds the missing side. A fresh one, or one at amount 0, changes no bit.
#[derive(Debug)]
pub struct WidthMatcher {
    amount: f32,
    /// A correction was given, or has been decided on.
    is_corrected: bool,
    /// The filter in force stays, whatever is heard.
    held: bool,
    adaptive: Option<Adaptive>,
    /// A filter is in force.
    widening: bool,
    starts_widening: bool,
    /// Of the filter in force, before the recipe's amount.
    gains: [f32; BANDS],
    kernel: Kernel,
    convolver: Convolver,
    transform: RealTransform,
    mid: Box<[f32; HOP_FRAMES]>,
    side: Box<[f32; HOP_FRAMES]>,
    share: Share,
}

#[derive(Debug)]
struct Adaptive {
    meter: WidthMeter,
    gate: ActivityGate,
    weight: RunningWeight,
    target: WidthTarget,
    gains: [Glide; BANDS],
    decorrelator: Decorrelator,
    next: Kernel,
    faded: Box<[f32; HOP_FRAMES]>,
    first_decision: usize,
    heard: usize,
    /// 1 for music, 0 for bleed.
    music: f32,
    hops: usize,
    first_hop: usize,
}

impl WidthMatcher {
    /// Applies one correction for good; without one, or at amount 0, it changes nothing.
    pub fn fixed(correction: Option<&WidthCorrection>, amount: f64, stem: Stem, sample_rate_hz: f64) -> Self {
        let mut matcher = Self::idle(amount);
        matcher.is_corrected = correction.is_some();
        if let Some(correction) = correction
            && amount > 0.0
            && correction.gains.iter().any(|gain| *gain > 0.0)
        {
            let mut decorrelator = Decorrelator::new(stem, sample_rate_hz);
            let scaled = correction.gains.map(|gain| gain * matcher.amount);
            matcher.kernel.load(decorrelator.taps(scaled.into_iter()), &mut matcher.transform);
            matcher.gains = correction.gains;
            matcher.starts_widening = true;
            matcher.widening = true;
        }
        matcher
    }

    /// Follows a running estimate of the stem's width.
    pub fn adaptive(target: WidthTarget, amount: f64, stem: Stem, sample_rate_hz: f64) -> Self {
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
                target,
                gains: std::array::from_fn(|_| Glide::new(0.0, REDESIGN_HOPS as f64 * hop_seconds)),
                decorrelator: Decorrelator::new(stem, sample_rate_hz),
                next: Kernel::new(TAPS),
                faded: Box::new([0.0; HOP_FRAMES]),
                first_decision: (FIRST_DECISION_SECONDS / listen_seconds) as usize,
                heard: 0,
                music: 1.0,
                hops: first_hop,
                first_hop,
            });
        }
        matcher
    }

    fn idle(amount: f64) -> Self {
        Self {
            amount: amount as f32,
            is_corrected: false,
            held: false,
            adaptive: None,
            widening: false,
            starts_widening: false,
            gains: [0.0; BANDS],
            kernel: Kernel::new(TAPS),
            convolver: Convolver::new(TAPS),
            transform: hop_transform(),
            mid: Box::new([0.0; HOP_FRAMES]),
            side: Box::new([0.0; HOP_FRAMES]),
            share: Share::FULL,
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

    /// The correction that was decided on while listening, if one was.
    pub fn followed(&self) -> Option<WidthCorrection> {
        (self.adaptive.is_some() && self.is_corrected).then_some(WidthCorrection { gains: self.gains })
    }

    /// Widens one hop in place. Never allocates.
    pub fn process(&mut self, hop: &mut Hop) {
        let fades = self
            .adaptive
            .as_mut()
            .is_some_and(|adaptive| adaptive.redesign(hop, self.amount, self.held, &mut self.transform));
        if !self.held {
            self.is_corrected |= self.adaptive.as_ref().is_some_and(Adaptive::has_decided);
        }
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
            if !self.share.is_full() {
                self.side.iter_mut().zip(self.share.frames()).for_each(|(side, share)| *side *= share);
            }
            for ((side, left), right) in self.side.iter().zip(&mut hop.left).zip(&mut hop.right) {
                *left += side;
                *right -= side;
            }
        }
    }

    /// How much of a correction the stem gets, of one that is estimated: bleed is not widened.
    pub fn stand(&mut self, standing: Standing) {
        if let Some(adaptive) = &mut self.adaptive {
            adaptive.music = standing.music() as f32;
        }
    }

    /// Whether the stem was recorded in mono, as far as it has been heard; `None` before the first decision.
    pub fn mono(&self) -> Option<f32> {
        let adaptive = self.adaptive.as_ref().filter(|adaptive| adaptive.has_decided())?;
        adaptive.target.mono(adaptive.meter.powers())
    }

    /// A silent hop passes at rest: only the turns go on.
    pub fn pass_silence(&mut self) {
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
        self.gains = std::array::from_fn(|band| adaptive.gains[band].value() as f32);
    }

    /// Added side against the middle, root of the mean power over the bands: none without a correction, or live before the
    /// first decision.
    pub fn reading(&self) -> Option<WidthReading> {
        let added_side = (self.gains.iter().map(|gain| gain * gain).sum::<f32>() / BANDS as f32).sqrt();
        let added_side = added_side * self.amount * self.share.end;
        (self.amount > 0.0 && self.is_corrected).then_some(WidthReading { added_side })
    }

    /// Back to the state after construction; a filter that is held stays.
    pub fn reset(&mut self) {
        self.convolver.reset();
        if let Some(adaptive) = &mut self.adaptive {
            adaptive.reset();
            if !self.held {
                adaptive.gains.iter_mut().for_each(|gain| gain.set(0.0));
                self.gains = [0.0; BANDS];
                self.widening = self.starts_widening;
                self.is_corrected = false;
            }
        }
    }
}

impl Adaptive {
    fn has_decided(&self) -> bool {
        self.heard >= self.first_decision
    }

    /// Listens to a hop; moves the filter toward the estimate now and then, unless it is held. True when `next` holds a new
    /// filter.
    fn redesign(&mut self, hop: &Hop, amount: f32, held: bool, transform: &mut RealTransform) -> bool {
        self.hops = (self.hops + 1) % REDESIGN_HOPS;
        let listens = self.gate.is_material(hop.mean_square()) && self.hops.is_multiple_of(LISTEN_HOPS);
        let weight = listens.then(|| self.weight.next_weight());
        self.meter.add(hop, weight);
        self.heard += usize::from(listens);
        if held || self.hops != 0 || !self.has_decided() {
            return false;
        }
        let goals = self.target.missing_gains(self.meter.powers()).map(|gain| gain * self.music);
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
        self.heard = 0;
        self.music = 1.0;
        self.hops = self.first_hop;
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
