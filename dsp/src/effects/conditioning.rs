//! Conditioning: takes a constant offset off a stem before anything else is measured. It is inaudible, shifts peaks and costs
//! headroom, and is in no record on purpose.
//!
//! A recipe of kind [`Tributary`](crate::RecipeKind::Tributary) has it, as part of what its network hears; the paper's rules
//! and the released code's know nothing of it. A stem without an offset worth mentioning passes to the bit: a high pass would
//! also turn what little a song has below 20 Hz, and with it the place of a stem as measures of panning see it.

pub(crate) mod correction;

use self::correction::ConditioningCorrection;
use crate::analysis::estimates::{ESTIMATE_SECONDS, RunningWeight};
use crate::context::Context;
use crate::effect::{Effect, Source};
use crate::filters::biquad::{Coefficients, StereoBiquad};
use crate::hop::{HOP_FRAMES, Hop};
use crate::profile::StemProfile;
use crate::store::{StemStore, StoreError, for_each_hop};

/// Corner of the high pass. Low, for the sake of phase: at 6 Hz a kick drum's peaks rise by a quarter of a decibel, and the distance
/// of mixes to human ones in dynamics by a tenth.
const CORNER_HZ: f64 = 1.5;
/// Below this a decay has ended; it would go on in denormal numbers, which cost a hundredfold.
const SILENCE_LINEAR: f64 = 1e-20;

/// The high pass of one stem, second-order Butterworth, let through as far as there is an offset. No latency.
#[derive(Debug)]
pub(crate) struct Conditioning {
    filter: StereoBiquad,
    correction: Option<ConditioningCorrection>,
    running: Option<Running>,
    /// The share stays, whatever is heard.
    held: bool,
    /// A sound has come since the start.
    started: bool,
    /// Share of the filter at the end of the last hop.
    share: f64,
}

/// Running mean of both sides.
#[derive(Debug)]
struct Running {
    weight: RunningWeight,
    means: [f64; 2],
}

impl Running {
    fn follow(&mut self, means: [f64; 2]) -> f64 {
        let weight = self.weight.next_weight();
        self.means.iter_mut().zip(means).for_each(|(mean, now)| *mean += weight * (now - *mean));
        ConditioningCorrection::of(self.means).share
    }
}

impl Conditioning {
    /// With a correction from `source`.
    pub fn new(context: &Context, source: Source<'_>) -> Self {
        let rate_hz = context.sample_rate_hz;
        let high_pass = Coefficients::high_pass(CORNER_HZ, std::f64::consts::FRAC_1_SQRT_2, rate_hz);
        let weight = || RunningWeight::new(ESTIMATE_SECONDS * rate_hz / HOP_FRAMES as f64);
        Self {
            filter: StereoBiquad::new(high_pass),
            correction: source.profile().and_then(|profile| profile.conditioning),
            running: matches!(source, Source::Adaptive)
                .then(|| Running { weight: weight(), means: [0.0; 2] }),
            held: false,
            started: false,
            share: 0.0,
        }
    }
}

/// Mean of both sides of a hop from a frame on.
fn means(hop: &Hop, from: usize) -> [f64; 2] {
    let count = (HOP_FRAMES - from) as f64;
    hop.sides().map(|side| side[from..].iter().map(|sample| f64::from(*sample)).sum::<f64>() / count)
}

/// The first frame that is not silent.
fn first_sound(hop: &Hop) -> Option<usize> {
    hop.left.iter().zip(&hop.right).position(|(left, right)| *left != 0.0 || *right != 0.0)
}

impl Effect for Conditioning {
    fn name(&self) -> &'static str {
        "conditioning"
    }

    fn is_on(&self) -> bool {
        true
    }

    fn corrects_bleed(&self) -> bool {
        true
    }

    /// Means over all that sounds: between takes a recording is silent to the bit, offset and all.
    fn find(&mut self, store: &mut dyn StemStore) -> Result<(), StoreError> {
        let (mut sums, mut hops) = ([0.0; 2], 0.0);
        for_each_hop(store, |hop, _| {
            if let Some(first) = first_sound(hop) {
                sums.iter_mut().zip(means(hop, first)).for_each(|(sum, mean)| *sum += mean);
                hops += 1.0;
            }
        })?;
        self.correction = Some(ConditioningCorrection::of(sums.map(|sum| sum / f64::max(hops, 1.0))));
        Ok(())
    }

    fn keep(&self, profile: &mut StemProfile) {
        let followed = self.running.is_some().then_some(ConditioningCorrection { share: self.share });
        profile.conditioning = self.correction.or(followed).filter(|found| found.share > 0.0);
    }

    fn hold(&mut self, held: bool) {
        self.held = held;
    }

    fn process(&mut self, hop: &mut Hop) {
        let Some(mut first) = first_sound(hop).or(self.started.then_some(0)) else { return };
        let means = means(hop, first);
        let end = match &mut self.running {
            Some(running) => {
                let followed = running.follow(means);
                if self.held { self.share } else { followed }
            }
            None => self.correction.map_or(0.0, |correction| correction.share),
        };
        let before = std::mem::replace(&mut self.share, end);
        let starts = !std::mem::replace(&mut self.started, true);
        let start = if starts { end } else { before };
        if start == 0.0 && end == 0.0 {
            return;
        }
        if starts || start == 0.0 {
            // A recording with an offset begins with it: as a step it would be a thump.
            self.filter.settle_at(means);
        } else {
            first = 0;
        }
        let audible = |sample: f64| if sample.abs() < SILENCE_LINEAR { 0.0 } else { sample as f32 };
        for n in first..HOP_FRAMES {
            let share = start + (end - start) * (n + 1) as f64 / HOP_FRAMES as f64;
            let plain = [f64::from(hop.left[n]), f64::from(hop.right[n])];
            let filtered = self.filter.tick(plain);
            let blend = |side: usize| audible(plain[side] + share * (filtered[side] - plain[side]));
            (hop.left[n], hop.right[n]) = (blend(0), blend(1));
        }
        self.filter.flush();
    }

    fn reset(&mut self) {
        self.filter.reset();
        if let Some(running) = &mut self.running {
            running.weight.reset();
            running.means = [0.0; 2];
        }
        self.started = false;
        self.share = if self.held { self.share } else { 0.0 };
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::block::StereoBuffer;
    use crate::rules::RecipeKind;
    use crate::stem::Stem;
    use crate::targets::Targets;

    const RATE_HZ: f64 = 44_100.0;

    fn effect(source: Source<'_>) -> Conditioning {
        let target = Arc::new(Targets::default().stem(Stem::Bass).clone());
        let kind = RecipeKind::Tributary;
        let context = Context { stem: Stem::Bass, kind, target, tolerance: 2.5, sample_rate_hz: RATE_HZ };
        Conditioning::new(&context, source)
    }

    /// What becomes of one side of a signal: live, and from file.
    fn conditioned(hops: usize, signal: impl Fn(usize) -> f32) -> [Vec<f32>; 2] {
        let audio = StereoBuffer::mono((0..hops * HOP_FRAMES).map(signal).collect());
        let mut found = effect(Source::Fixed(None));
        found.find(&mut audio.clone()).expect("memory");
        [effect(Source::Adaptive), found].map(|mut effect| {
            let mut output = audio.clone();
            crate::whole_file::stream(&mut output, 0, |hop| effect.process(hop)).expect("memory");
            output.left
        })
    }

    #[test]
    fn an_offset_goes_and_the_lowest_string_stays() {
        let step = std::f64::consts::TAU * 31.0 / RATE_HZ;
        let string = |n: usize| 0.5 * (step * n as f64).sin() as f32;
        for output in conditioned(400, |n| 0.3 + string(n)) {
            let settled = &output[output.len() - 1_422 * 100..]; // 100 periods
            let mean = settled.iter().map(|x| f64::from(*x)).sum::<f64>() / settled.len() as f64;
            let rms =
                (settled.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / settled.len() as f64).sqrt();
            assert!(mean.abs() < 1e-4, "{mean}");
            assert!((20.0 * (rms * 2f64.sqrt() / 0.5).log10()).abs() < 0.02, "{rms}");
        }
    }

    #[test]
    fn a_recording_that_begins_with_its_offset_begins_without_a_thump() {
        for output in conditioned(20, |n| if n < 700 { 0.0 } else { 0.3 }) {
            assert!(output.iter().all(|x| x.abs() < 1e-6));
        }
    }

    #[test]
    fn a_stem_without_an_offset_passes_to_the_bit() {
        let step = std::f64::consts::TAU * 24.0 / RATE_HZ;
        let signal = |n: usize| 0.0005 + 0.9 * (step * n as f64).cos() as f32;
        let [live, file] = conditioned(1_000, signal);
        assert!(file.iter().enumerate().all(|(n, x)| *x == signal(n)));
        // The first fraction of the deepest note looks like an offset for a while.
        let settled = 800 * HOP_FRAMES;
        assert!(live[settled..].iter().enumerate().all(|(n, x)| *x == signal(settled + n)));
    }

    #[test]
    fn a_decay_ends_in_silence() {
        for output in conditioned(400, |n| if n < 5_000 { 0.9 } else { 0.0 }) {
            assert!(output[350 * HOP_FRAMES..].iter().all(|x| *x == 0.0));
            assert!(output.iter().all(|x| *x == 0.0 || x.abs() >= 1e-20));
        }
    }
}
