//! Conditioning: takes what nobody hears off a stem before anything is measured. A constant offset, and whatever moves more
//! slowly than a loudspeaker can, shifts peaks and costs headroom, and is in no record on purpose.
//!
//! A recipe of kind [`Tributary`](crate::RecipeKind::Tributary) has it always, as part of what its network hears; the paper's
//! rules and the released code's know nothing of it.

use crate::context::Context;
use crate::effect::Effect;
use crate::filters::biquad::{Coefficients, StereoBiquad};
use crate::hop::Hop;
use crate::rules::RecipeKind;

/// Corner of the high pass. Low, for the sake of phase: at 6 Hz a kick drum's peaks rise by a quarter of a decibel, and the distance
/// of mixes to human ones in dynamics by a tenth.
const CORNER_HZ: f64 = 1.5;
/// Below this a decay has ended; it would go on in denormal numbers, which cost a hundredfold.
const SILENCE_LINEAR: f64 = 1e-20;

/// The high pass of one stem, second-order Butterworth. No latency.
#[derive(Debug)]
pub(crate) struct Conditioning {
    filter: Option<StereoBiquad>,
    /// A sound has come since the start.
    started: bool,
}

impl Conditioning {
    /// What the recipe's rules say.
    pub fn new(context: &Context) -> Self {
        let high_pass =
            || Coefficients::high_pass(CORNER_HZ, std::f64::consts::FRAC_1_SQRT_2, context.sample_rate_hz);
        let filter = (context.kind == RecipeKind::Tributary).then(|| StereoBiquad::new(high_pass()));
        Self { filter, started: false }
    }
}

impl Effect for Conditioning {
    fn name(&self) -> &'static str {
        "conditioning"
    }

    fn is_on(&self) -> bool {
        self.filter.is_some()
    }

    fn process(&mut self, hop: &mut Hop) {
        let Some(filter) = &mut self.filter else { return };
        let mut first = 0;
        if !self.started {
            let mut frames = hop.left.iter().zip(&hop.right);
            let Some(start) = frames.position(|(left, right)| *left != 0.0 || *right != 0.0) else { return };
            // A recording with an offset begins with it: as a step it would be a thump.
            filter.settle_at([f64::from(hop.left[start]), f64::from(hop.right[start])]);
            first = start;
            self.started = true;
        }
        let audible = |sample: f64| if sample.abs() < SILENCE_LINEAR { 0.0 } else { sample as f32 };
        for (left, right) in hop.left[first..].iter_mut().zip(&mut hop.right[first..]) {
            [*left, *right] = filter.tick([f64::from(*left), f64::from(*right)]).map(audible);
        }
        filter.flush();
    }

    fn reset(&mut self) {
        self.filter.iter_mut().for_each(StereoBiquad::reset);
        self.started = false;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::hop::HOP_FRAMES;
    use crate::stem::Stem;
    use crate::targets::Targets;

    const RATE_HZ: f64 = 44_100.0;

    /// What becomes of one side of a signal.
    fn conditioned(kind: RecipeKind, hops: usize, signal: impl Fn(usize) -> f32) -> Vec<f32> {
        let target = Arc::new(Targets::default().stem(Stem::Bass).clone());
        let context = Context { stem: Stem::Bass, kind, target, tolerance: 2.5, sample_rate_hz: RATE_HZ };
        let mut effect = Conditioning::new(&context);
        let mut output = Vec::new();
        for index in 0..hops {
            let mut hop = Hop::SILENT;
            for side in hop.sides_mut() {
                side.iter_mut().enumerate().for_each(|(n, x)| *x = signal(index * HOP_FRAMES + n));
            }
            effect.process(&mut hop);
            output.extend_from_slice(&hop.left);
        }
        output
    }

    #[test]
    fn an_offset_goes_and_the_lowest_string_stays() {
        let step = std::f64::consts::TAU * 31.0 / RATE_HZ;
        let string = |n: usize| 0.5 * (step * n as f64).sin() as f32;
        let output = conditioned(RecipeKind::Tributary, 400, |n| 0.3 + string(n));
        let settled = &output[output.len() - 1_422 * 100..]; // 100 periods
        let mean = settled.iter().map(|x| f64::from(*x)).sum::<f64>() / settled.len() as f64;
        let rms = (settled.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / settled.len() as f64).sqrt();
        assert!(mean.abs() < 1e-4, "{mean}");
        assert!((20.0 * (rms * 2f64.sqrt() / 0.5).log10()).abs() < 0.02, "{rms}");
    }

    #[test]
    fn a_recording_that_begins_with_its_offset_begins_without_a_thump() {
        let output = conditioned(RecipeKind::Tributary, 20, |n| if n < 700 { 0.0 } else { 0.3 });
        assert!(output.iter().all(|x| x.abs() < 1e-6));
    }

    #[test]
    fn a_decay_ends_in_silence() {
        let output = conditioned(RecipeKind::Tributary, 400, |n| if n < 5_000 { 0.9 } else { 0.0 });
        assert!(output[350 * HOP_FRAMES..].iter().all(|x| *x == 0.0));
        assert!(output.iter().all(|x| *x == 0.0 || x.abs() >= 1e-20));
    }

    #[test]
    fn the_other_rules_know_nothing_of_it() {
        for kind in [RecipeKind::Paper, RecipeKind::Published] {
            assert!(conditioned(kind, 3, |_| 0.3).iter().all(|x| *x == 0.3));
        }
    }
}
