//! Applies a dynamics correction: peak gain and compressor, for good or after the running estimate.
//!
//! The published rules treat each side on its own; the paper rules use one gain reduction, taken from the louder side,
//! for both, so that the image stands still.

use crate::amounts::Share;
use crate::analysis::estimates::Glide;
use crate::effects::dynamics::compressor::{
    Ballistics, CompressorSetting, slope, smooth, static_reduction_db,
};
use crate::effects::dynamics::correction::DynamicsCorrection;
use crate::effects::dynamics::estimator::PeakEstimator;
use crate::hop::{HOP_FRAMES, Hop, ramp};
use crate::reading::DynamicsReading;
use crate::rules::RecipeKind;
use crate::stem::Stem;
use crate::targets::StemTargets;
use crate::units::{fast_db, fast_gain, gain_from_db};

/// Matcher: peak gain and compressor. No latency.
#[derive(Debug)]
pub struct DynamicsMatcher {
    amount: f64,
    /// A correction was given, or has been found.
    is_corrected: bool,
    /// Gain and threshold stay where they are, whatever is heard.
    held: bool,
    linked: bool,
    coefficients: [f64; 2],
    start: [SideSetting; 2],
    current: [SideSetting; 2],
    reduction_db: [f64; 2],
    largest_db: f32,
    levels_db: Box<[[f32; HOP_FRAMES]; 2]>,
    adaptive: Option<Box<Adaptive>>,
    share: Share,
}

/// What is applied to one side, before the amount.
#[derive(Debug, Clone, Copy, PartialEq)]
struct SideSetting {
    gain_db: f64,
    threshold_db: f64,
    ratio: f64,
}

const UNTOUCHED: SideSetting = SideSetting { gain_db: 0.0, threshold_db: 0.0, ratio: 1.0 };

#[derive(Debug)]
struct Adaptive {
    estimator: PeakEstimator,
    gain_db: Glide,
    threshold_db: Glide,
}

impl DynamicsMatcher {
    /// Applies one correction for good.
    pub fn fixed(
        correction: Option<&DynamicsCorrection>,
        amount: f64,
        kind: RecipeKind,
        stem: Stem,
        sample_rate_hz: f64,
    ) -> Self {
        let start = std::array::from_fn(|side| {
            correction.map_or(UNTOUCHED, |correction| {
                let setting = correction.compressor[side]
                    .unwrap_or(CompressorSetting { ratio: 1.0, threshold_db: 0.0 });
                let CompressorSetting { ratio, threshold_db } = setting;
                SideSetting { gain_db: correction.gain_db[side], threshold_db, ratio }
            })
        });
        Self {
            amount,
            is_corrected: correction.is_some(),
            held: false,
            linked: !kind.is_published(),
            coefficients: Ballistics::of(stem).coefficients(sample_rate_hz),
            start,
            current: start,
            reduction_db: [0.0; 2],
            largest_db: 0.0,
            levels_db: Box::new([[0.0; HOP_FRAMES]; 2]),
            adaptive: None,
            share: Share::FULL,
        }
    }

    /// Follows a running estimate of the onset peaks; both sides are treated alike.
    pub fn adaptive(target: &StemTargets, amount: f64, stem: Stem, sample_rate_hz: f64) -> Self {
        let mut matcher = Self::fixed(None, amount, RecipeKind::Paper, stem, sample_rate_hz);
        if amount > 0.0 {
            let ballistics = Ballistics::of(stem);
            let ratio = f64::from(ballistics.first_ratio);
            matcher.start = [SideSetting { ratio, ..UNTOUCHED }; 2];
            matcher.current = matcher.start;
            let hop_seconds = HOP_FRAMES as f64 / sample_rate_hz;
            matcher.adaptive = Some(Box::new(Adaptive {
                estimator: PeakEstimator::new(target, ballistics, sample_rate_hz),
                gain_db: Glide::gain(hop_seconds),
                threshold_db: Glide::new(0.0, hop_seconds),
            }));
        }
        matcher
    }

    /// How much of it is let through over the next hop.
    pub fn let_through(&mut self, share: Share) {
        self.share = share;
    }

    /// Gain and threshold stay where they are, or follow the estimate again.
    pub fn hold(&mut self, held: bool) {
        self.held = held;
    }

    /// The correction that was found while listening, if one was.
    pub fn followed(&self) -> Option<DynamicsCorrection> {
        let found = self.adaptive.is_some() && self.is_corrected;
        found.then(|| DynamicsCorrection {
            gain_db: self.current.map(|side| side.gain_db),
            compressor: self.current.map(|SideSetting { threshold_db, ratio, .. }| {
                Some(CompressorSetting { ratio, threshold_db })
            }),
        })
    }

    /// Compresses one hop in place.
    pub fn process(&mut self, hop: &mut Hop) {
        if self.amount == 0.0 || (self.adaptive.is_none() && self.start == [UNTOUCHED; 2]) {
            return;
        }
        let previous = self.current;
        let [first_db, second_db] = &mut *self.levels_db;
        for (level, sample) in first_db.iter_mut().zip(&hop.left) {
            *level = fast_db(*sample);
        }
        for (level, sample) in second_db.iter_mut().zip(&hop.right) {
            *level = fast_db(*sample);
        }
        if self.linked {
            first_db.iter_mut().zip(second_db).for_each(|(first, second)| *first = first.max(*second));
        }
        if let Some(adaptive) = &mut self.adaptive {
            adaptive.listen(hop, &self.levels_db[0]);
            if !self.held {
                self.is_corrected = adaptive.follow(&mut self.current);
            }
        }
        self.largest_db = 0.0;
        if self.linked {
            self.reduce(0, [Some(&mut hop.left), Some(&mut hop.right)]);
            self.reduction_db[1] = self.reduction_db[0];
        } else {
            self.reduce(0, [Some(&mut hop.left), None]);
            self.reduce(1, [Some(&mut hop.right), None]);
        }
        let gains = |settings: [SideSetting; 2], share: f32| {
            settings.map(|side| gain_from_db(side.gain_db * self.amount * f64::from(share)) as f32)
        };
        ramp(hop, gains(previous, self.share.start), gains(self.current, self.share.end));
    }

    /// Runs one detector over its levels and applies the smoothed gain reduction to the sides it governs.
    fn reduce(&mut self, detector: usize, sides: [Option<&mut [f32; HOP_FRAMES]>; 2]) {
        let setting = self.current[detector];
        // The ratio is blended, and the detector always sees the peak-normalized stem, whatever the amount.
        let slope = slope(1.0 + (setting.ratio - 1.0) * self.amount * f64::from(self.share.end));
        if slope == 0.0 && self.reduction_db[detector] == 0.0 {
            return;
        }
        let relative_db = (setting.threshold_db - setting.gain_db) as f32;
        let mut state = self.reduction_db[detector];
        // The levels make room for the gains, sample by sample.
        let gains = &mut self.levels_db[detector];
        for gain in gains.iter_mut() {
            state =
                smooth(state, f64::from(static_reduction_db(*gain, relative_db, slope)), self.coefficients);
            *gain = state as f32;
        }
        // Far below hearing the decay ends, so that it never reaches denormal numbers.
        self.reduction_db[detector] = if state < 1e-12 { 0.0 } else { state };
        self.largest_db = gains.iter().fold(self.largest_db, |largest, value| largest.max(*value));
        gains.iter_mut().for_each(|gain| *gain = fast_gain(-*gain));
        for side in sides.into_iter().flatten() {
            side.iter_mut().zip(gains.iter()).for_each(|(sample, gain)| *sample *= gain);
        }
    }

    /// Whether the gain reduction has fallen to nothing.
    pub fn has_let_go(&self) -> bool {
        self.reduction_db == [0.0; 2]
    }

    /// What is done: nothing without a correction, or live before the first material.
    pub fn reading(&self) -> Option<DynamicsReading> {
        (self.amount > 0.0 && self.is_corrected).then(|| {
            let SideSetting { threshold_db, ratio, .. } = self.current[0];
            let ratio = if threshold_db < 0.0 { ratio as f32 } else { 1.0 };
            DynamicsReading { gain_reduction_db: self.largest_db, threshold_db: threshold_db as f32, ratio }
        })
    }

    /// Back to the state after construction; a setting that is held stays.
    pub fn reset(&mut self) {
        self.reduction_db = [0.0; 2];
        self.largest_db = 0.0;
        if let Some(adaptive) = &mut self.adaptive {
            adaptive.estimator.reset();
            if !self.held {
                adaptive.gain_db.set(0.0);
                adaptive.threshold_db.set(0.0);
                self.is_corrected = false;
                self.current = self.start;
            }
        }
    }
}

impl Adaptive {
    fn listen(&mut self, hop: &Hop, levels_db: &[f32; HOP_FRAMES]) {
        self.estimator.listen(hop, levels_db, self.gain_db.value() as f32);
    }

    /// Glides after the estimate; whether there is one.
    fn follow(&mut self, current: &mut [SideSetting; 2]) -> bool {
        let goal_db = self.estimator.gain_db();
        if let Some(goal_db) = goal_db {
            self.gain_db.advance(goal_db);
            self.threshold_db.advance(self.estimator.threshold_db());
        }
        for side in current {
            side.gain_db = self.gain_db.value();
            side.threshold_db = self.threshold_db.value();
        }
        goal_db.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_tone_settles_at_the_static_curve() {
        let compressor = [Some(CompressorSetting { ratio: 4.0, threshold_db: -20.0 }); 2];
        let correction = DynamicsCorrection { gain_db: [0.0; 2], compressor };
        let mut matcher =
            DynamicsMatcher::fixed(Some(&correction), 1.0, RecipeKind::Paper, Stem::Vocals, 44_100.0);
        let mut hop = Hop::SILENT;
        for _ in 0..100 {
            hop.left.fill(0.5);
            hop.right.fill(-0.25);
            matcher.process(&mut hop);
        }
        // −6 dBFS is 13.98 dB over the threshold; three quarters of that are taken away.
        let expected = 0.5 * gain_from_db(-0.75 * 13.979_4) as f32;
        assert!((hop.left[1023] - expected).abs() < 1e-4);
        assert!((hop.right[1023] + expected / 2.0).abs() < 1e-4, "sides are linked");
    }
}
