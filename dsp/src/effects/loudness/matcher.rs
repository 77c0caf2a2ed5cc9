//! Applies a loudness correction: one gain for good, or one that glides after the running estimate. No latency.

use crate::amounts::Share;
use crate::analysis::estimates::Glide;
use crate::analysis::loudness::short_of_clipping_db;
use crate::effects::loudness::correction::LoudnessCorrection;
use crate::effects::loudness::estimator::LoudnessEstimator;
use crate::hop::{HOP_FRAMES, Hop, ramp};
use crate::reading::LoudnessReading;
use crate::session::{GainLimit, Standing};
use crate::units::gain_from_db;

/// Matcher: one gain for the stem, fixed or gliding. No latency.
#[derive(Debug)]
pub struct LoudnessMatcher {
    amount: f64,
    /// A correction was given, or has been found.
    is_corrected: bool,
    /// The gain stays where it is, whatever is heard.
    held: bool,
    target_lufs: f64,
    standing: Standing,
    limit: Option<GainLimit>,
    estimator: Option<LoudnessEstimator>,
    start_gain_db: f64,
    glide: Glide,
    gain: f32,
    share: Share,
    /// The gain that the last hop ended with; none before the first one.
    applied: Option<f32>,
}

impl LoudnessMatcher {
    /// Applies one gain for good.
    pub fn fixed(correction: Option<LoudnessCorrection>, amount: f64) -> Self {
        let start_gain_db = correction.map_or(0.0, |found| found.gain_db) * amount;
        let gain = gain_from_db(start_gain_db) as f32;
        Self {
            amount,
            is_corrected: correction.is_some(),
            held: false,
            target_lufs: 0.0,
            standing: Standing::ALONE,
            limit: correction.and_then(|found| found.limit),
            estimator: None,
            start_gain_db,
            glide: Glide::new(start_gain_db, 1.0),
            gain,
            share: Share::FULL,
            applied: None,
        }
    }

    /// Follows a running estimate of the loudness.
    pub fn adaptive(target_lufs: f64, amount: f64, sample_rate_hz: f64) -> Self {
        Self {
            amount,
            is_corrected: false,
            held: false,
            target_lufs,
            standing: Standing::ALONE,
            limit: None,
            estimator: (amount > 0.0).then(|| LoudnessEstimator::new(sample_rate_hz)),
            start_gain_db: 0.0,
            glide: Glide::gain(HOP_FRAMES as f64 / sample_rate_hz),
            gain: 1.0,
            share: Share::FULL,
            applied: None,
        }
    }

    /// How the stem stands to the others of its session: for the running estimate, which knows this stem only.
    pub fn stand(&mut self, standing: Standing) {
        self.standing = standing;
    }

    /// How much of it is let through over the next hop.
    pub fn let_through(&mut self, share: Share) {
        self.share = share;
    }

    /// The gain stays where it is, or follows the estimate again.
    pub fn hold(&mut self, held: bool) {
        self.held = held;
    }

    /// The correction that was found while listening, if one was.
    pub fn followed(&self) -> Option<LoudnessCorrection> {
        let found = self.estimator.is_some() && self.is_corrected;
        found.then(|| LoudnessCorrection { gain_db: self.glide.value() / self.amount, limit: self.limit })
    }

    /// Scales one hop in place.
    pub fn process(&mut self, hop: &mut Hop) {
        if let Some(estimator) = &mut self.estimator {
            estimator.listen(hop);
            if let Some(loudness_lufs) = estimator.loudness_lufs().filter(|_| !self.held) {
                let wanted_db = short_of_clipping_db(self.target_lufs - loudness_lufs, estimator.peak());
                let (wanted_db, limit) = self.standing.gain_db(wanted_db);
                self.limit = limit;
                self.is_corrected = true;
                let gain_db = self.glide.advance(wanted_db * self.amount);
                self.gain = gain_from_db(gain_db) as f32;
            }
        }
        let held_back = f64::from(self.share.end);
        let gain =
            if held_back == 1.0 { self.gain } else { gain_from_db(self.glide.value() * held_back) as f32 };
        let start = self.applied.replace(gain).unwrap_or(gain);
        ramp(hop, [start; 2], [gain; 2]);
    }

    /// The gain in force: none without a correction, or live before the first estimate.
    pub fn reading(&self) -> Option<LoudnessReading> {
        (self.amount > 0.0 && self.is_corrected).then_some(LoudnessReading {
            gain_db: self.glide.value() as f32 * self.share.end,
            limit: self.limit,
        })
    }

    /// Back to the state after construction; a gain that is held stays.
    pub fn reset(&mut self) {
        self.applied = None;
        if let Some(estimator) = &mut self.estimator {
            estimator.reset();
            self.standing = Standing::ALONE;
            if !self.held {
                self.glide.set(self.start_gain_db);
                self.gain = gain_from_db(self.start_gain_db) as f32;
                self.limit = None;
                self.is_corrected = false;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::loudness::measure;
    use crate::block::StereoBuffer;
    use crate::rules::RecipeKind;
    use crate::store::Sides;

    fn sine(seconds: f64, amplitude: f64, rate_hz: f64) -> Vec<f32> {
        let frames = (rate_hz * seconds) as usize;
        let step = std::f64::consts::TAU * 997.0 / rate_hz;
        (0..frames).map(|n| ((n as f64 * step).sin() * amplitude) as f32).collect()
    }

    /// Distance of the running estimate's gain from what the whole file asks for.
    fn distance_db(samples: &[f32], rate_hz: f64) -> f64 {
        let mut audio = StereoBuffer::mono(samples.to_vec());
        let integrated = measure(&mut audio, Sides::Both, RecipeKind::Paper, rate_hz).expect("in memory");
        let mut matcher = LoudnessMatcher::adaptive(-30.0, 1.0, rate_hz);
        for chunk in samples.chunks_exact(HOP_FRAMES) {
            let mut hop = Hop::SILENT;
            hop.left.copy_from_slice(chunk);
            hop.right.copy_from_slice(chunk);
            matcher.process(&mut hop);
        }
        let gain_db = f64::from(matcher.reading().expect("loud enough").gain_db);
        (gain_db - (-30.0 - integrated.expect("loud enough"))).abs()
    }

    #[test]
    fn the_running_estimate_reaches_the_integrated_one() {
        assert!(distance_db(&sine(5.0, 0.05, 44_100.0), 44_100.0) < 0.05);
    }

    #[test]
    fn blocks_last_as_long_at_any_rate() {
        // Short strokes: how loud they are depends on how much silence a block holds beside them.
        for rate_hz in [44_100.0, 48_000.0, 96_000.0] {
            let mut strokes = sine(30.0, 0.1, rate_hz);
            for (n, sample) in strokes.iter_mut().enumerate() {
                *sample *= f32::from(u8::from((n as f64 / rate_hz).fract() < 0.15));
            }
            let distance_db = distance_db(&strokes, rate_hz);
            assert!(distance_db < 0.6, "{rate_hz} Hz: {distance_db} dB");
        }
    }
}
