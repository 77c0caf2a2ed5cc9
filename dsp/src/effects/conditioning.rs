//! Conditioning: takes a constant offset off a stem before anything is measured. It is inaudible, shifts peaks and costs
//! headroom, and is in no record on purpose.
//!
//! A recipe of kind [`Tributary`](crate::RecipeKind::Tributary) has it, as part of what its network hears; the paper's rules
//! and the released code's know nothing of it. A stem without an offset worth mentioning passes to the bit: a high pass would
//! also turn what little a song has below 20 Hz, and with it the place of a stem as measures of panning see it.

use crate::context::Context;
use crate::effect::Effect;
use crate::filters::biquad::{Coefficients, StereoBiquad};
use crate::hop::{HOP_FRAMES, Hop};
use crate::rules::RecipeKind;

/// Corner of the high pass. Low, for the sake of phase: at 6 Hz a kick drum's peaks rise by a quarter of a decibel, and the distance
/// of mixes to human ones in dynamics by a tenth.
const CORNER_HZ: f64 = 1.5;
/// An offset is taken off from the first of these levels on, and wholly from the second: −60 and −54 dBFS. The largest
/// offset of ten real mixes is −64 dBFS.
const OFFSET_LINEAR: [f64; 2] = [1e-3, 2e-3];
/// Time constant of either of the two averages that find the offset: long against the slowest music.
const OFFSET_SECONDS: f64 = 1.6;
/// Below this a decay has ended; it would go on in denormal numbers, which cost a hundredfold.
const SILENCE_LINEAR: f64 = 1e-20;

/// The high pass of one stem, second-order Butterworth, let through as far as there is an offset. No latency.
#[derive(Debug)]
pub(crate) struct Conditioning {
    filter: Option<StereoBiquad>,
    /// Averages of the sides, and averages of these: the offset. Nothing before the first sound.
    means: Option<[[f64; 2]; 2]>,
    step: f64,
    /// Share of the filter at the end of the last hop.
    share: f64,
}

impl Conditioning {
    /// What the recipe's rules say.
    pub fn new(context: &Context) -> Self {
        let high_pass =
            || Coefficients::high_pass(CORNER_HZ, std::f64::consts::FRAC_1_SQRT_2, context.sample_rate_hz);
        let filter = (context.kind == RecipeKind::Tributary).then(|| StereoBiquad::new(high_pass()));
        let hop_seconds = HOP_FRAMES as f64 / context.sample_rate_hz;
        Self { filter, means: None, step: 1.0 - (-hop_seconds / OFFSET_SECONDS).exp(), share: 0.0 }
    }

    /// Follows the offset; returns the share of the filter that it asks for, 0 to 1.
    fn follow(&mut self, means: [f64; 2]) -> f64 {
        let [first, offset] = self.means.get_or_insert([means; 2]);
        for side in 0..2 {
            first[side] += self.step * (means[side] - first[side]);
            offset[side] += self.step * (first[side] - offset[side]);
        }
        let [least, whole] = OFFSET_LINEAR;
        let largest = offset[0].abs().max(offset[1].abs());
        ((largest - least) / (whole - least)).clamp(0.0, 1.0)
    }
}

/// Mean of both sides of a hop from a frame on.
fn means(hop: &Hop, from: usize) -> [f64; 2] {
    let count = (HOP_FRAMES - from) as f64;
    hop.sides().map(|side| side[from..].iter().map(|sample| f64::from(*sample)).sum::<f64>() / count)
}

impl Effect for Conditioning {
    fn name(&self) -> &'static str {
        "conditioning"
    }

    fn is_on(&self) -> bool {
        self.filter.is_some()
    }

    fn process(&mut self, hop: &mut Hop) {
        if self.filter.is_none() {
            return;
        }
        let mut first = 0;
        let starts = self.means.is_none();
        if starts {
            let mut frames = hop.left.iter().zip(&hop.right);
            let Some(start) = frames.position(|(left, right)| *left != 0.0 || *right != 0.0) else { return };
            first = start;
        }
        let means = means(hop, first);
        let end = self.follow(means);
        let start = if starts { end } else { std::mem::replace(&mut self.share, end) };
        self.share = end;
        let Some(filter) = self.filter.as_mut().filter(|_| start > 0.0 || end > 0.0) else { return };
        if starts || start == 0.0 {
            // A recording with an offset begins with it: as a step it would be a thump.
            filter.settle_at(means);
        }
        let audible = |sample: f64| if sample.abs() < SILENCE_LINEAR { 0.0 } else { sample as f32 };
        for n in first..HOP_FRAMES {
            let share = start + (end - start) * (n + 1) as f64 / HOP_FRAMES as f64;
            let plain = [f64::from(hop.left[n]), f64::from(hop.right[n])];
            let filtered = filter.tick(plain);
            let blend = |side: usize| audible(plain[side] + share * (filtered[side] - plain[side]));
            (hop.left[n], hop.right[n]) = (blend(0), blend(1));
        }
        filter.flush();
    }

    fn reset(&mut self) {
        self.filter.iter_mut().for_each(StereoBiquad::reset);
        self.means = None;
        self.share = 0.0;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
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
    fn a_stem_without_an_offset_passes_to_the_bit() {
        let step = std::f64::consts::TAU * 24.0 / RATE_HZ;
        let signal = |n: usize| 0.0005 + 0.9 * (step * n as f64).cos() as f32;
        let output = conditioned(RecipeKind::Tributary, 2_000, signal);
        // The first fraction of the deepest note looks like an offset for a while.
        let settled = 1_000 * HOP_FRAMES;
        assert!(output[settled..].iter().enumerate().all(|(n, x)| *x == signal(settled + n)));
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
