//! Brings the dry signal to the loudness of the wet one, so that who compares the two compares mixes and not levels. Both are
//! weighted as loudness is (ITU-R BS.1770-4) and averaged over seconds, and the gain between them glides slowly: it follows
//! the song and not the beat. Nothing is measured while nobody asks.

use tributary_dsp::filter::{StereoBiquad, k_weighting};

/// Frames over which power is gathered before it counts.
const BLOCK_MS: f64 = 100.0;
/// Time constant of the average: that of short-term loudness.
const AVERAGE_MS: f64 = 3000.0;
/// Time constant of the gain on its way.
const GLIDE_MS: f64 = 400.0;
/// Time constant on the way back to no gain, when nobody asks any more.
const RELEASE_MS: f64 = 20.0;
/// Blocks in which either signal is quieter than this mean square (−60 LUFS, nearly) move nothing.
const AUDIBLE: f64 = 1e-6;
/// The gain stays within ±20 dB.
const GAIN_RANGE: (f64, f64) = (0.1, 10.0);
/// The rest of a way that nobody hears (−120 dB).
const ARRIVED: f64 = 1e-6;

/// See the module documentation. Real-time safe but for `new`.
pub(super) struct LoudnessMatch {
    /// K-weighting of the dry signal and of the wet one.
    weighting: [[StereoBiquad; 2]; 2],
    /// Power since the block began.
    gathered: [f64; 2],
    gathered_frames: usize,
    /// Mean powers; zero before the first audible block.
    powers: [f64; 2],
    block_frames: usize,
    block_share: f64,
    glide_share: f64,
    release_share: f64,
    on: bool,
    goal: f64,
    gain: f64,
}

impl LoudnessMatch {
    /// Off, and at unity gain.
    pub(super) fn new(rate_hz: f64) -> Self {
        let rate_hz = rate_hz.clamp(8e3, 768e3);
        let share = |ms: f64| 1.0 - (-1000.0 / (ms * rate_hz)).exp();
        let weighting = || k_weighting(rate_hz).map(StereoBiquad::new);
        Self {
            weighting: [weighting(), weighting()],
            gathered: [0.0; 2],
            gathered_frames: 0,
            powers: [0.0; 2],
            block_frames: (BLOCK_MS * 1e-3 * rate_hz) as usize,
            block_share: 1.0 - (-BLOCK_MS / AVERAGE_MS).exp(),
            glide_share: share(GLIDE_MS),
            release_share: share(RELEASE_MS),
            on: false,
            goal: 1.0,
            gain: 1.0,
        }
    }

    /// Whether the dry signal is to be matched from now on. Begins with what was measured when it was on last.
    pub(super) fn set(&mut self, on: bool) {
        if on && !self.on {
            self.weighting.iter_mut().flatten().for_each(StereoBiquad::reset);
            (self.gathered, self.gathered_frames) = ([0.0; 2], 0);
        }
        self.on = on;
    }

    /// Another song may follow: what was measured says nothing of it.
    pub(super) fn reset(&mut self) {
        self.powers = [0.0; 2];
        (self.gathered, self.gathered_frames) = ([0.0; 2], 0);
        self.weighting.iter_mut().flatten().for_each(StereoBiquad::reset);
    }

    /// The next frame's gain of the dry signal; exactly 1 when it is off.
    pub(super) fn gain(&mut self) -> f32 {
        let (goal, share) = if self.on { (self.goal, self.glide_share) } else { (1.0, self.release_share) };
        if self.gain != goal {
            self.gain += share * (goal - self.gain);
            if (self.gain - goal).abs() < ARRIVED {
                self.gain = goal;
            }
        }
        self.gain as f32
    }

    /// Hears a frame of the dry signal as it is and of the wet one.
    #[inline]
    pub(super) fn hear(&mut self, dry: [f32; 2], wet: [f32; 2]) {
        if !self.on {
            return;
        }
        for ((filters, frame), gathered) in self.weighting.iter_mut().zip([dry, wet]).zip(&mut self.gathered)
        {
            let weighted = filters.iter_mut().fold(frame.map(f64::from), |frame, filter| filter.tick(frame));
            *gathered += weighted[0] * weighted[0] + weighted[1] * weighted[1];
        }
        self.gathered_frames += 1;
        if self.gathered_frames == self.block_frames {
            self.end_block();
        }
    }

    fn end_block(&mut self) {
        let new = self.gathered.map(|power| power / self.block_frames as f64);
        (self.gathered, self.gathered_frames) = ([0.0; 2], 0);
        self.weighting.iter_mut().flatten().for_each(StereoBiquad::flush);
        if new.iter().any(|power| power.is_nan() || *power < AUDIBLE) {
            return;
        }
        let first = self.powers[0] == 0.0;
        let share = if first { 1.0 } else { self.block_share };
        for (power, new) in self.powers.iter_mut().zip(new) {
            *power += share * (new - *power);
        }
        self.goal = (self.powers[1] / self.powers[0]).sqrt().clamp(GAIN_RANGE.0, GAIN_RANGE.1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE_HZ: f64 = 48_000.0;

    /// Seconds of a tone that is dry at one amplitude and wet at another.
    fn run(matching: &mut LoudnessMatch, seconds: f64, dry: f32, wet: f32) -> f32 {
        let mut gain = 0.0;
        for n in 0..(seconds * RATE_HZ) as usize {
            let tone = (n as f32 * 0.13).sin();
            gain = matching.gain();
            matching.hear([dry * tone; 2], [wet * tone; 2]);
        }
        gain
    }

    #[test]
    fn the_dry_signal_comes_to_the_loudness_of_the_wet_one_and_back() {
        let mut matching = LoudnessMatch::new(RATE_HZ);
        assert_eq!(run(&mut matching, 1.0, 0.1, 0.3), 1.0, "off");
        matching.set(true);
        assert!((run(&mut matching, 5.0, 0.1, 0.3) - 3.0).abs() < 0.01);
        let held = run(&mut matching, 5.0, 0.1, 0.0);
        // The filters ring into the first silent block.
        assert!((held - 3.0).abs() < 0.1, "silence says nothing: {held}");
        assert_eq!(run(&mut matching, 30.0, 0.001, 0.5), 10.0, "within bounds");
        matching.set(false);
        assert_eq!(run(&mut matching, 1.0, 0.1, 0.3), 1.0, "exactly");
    }

    #[test]
    fn its_gain_makes_no_step() {
        let mut matching = LoudnessMatch::new(RATE_HZ);
        matching.set(true);
        let mut last = matching.gain();
        for n in 0..4 * RATE_HZ as usize {
            let wet = if (n / 24_000) % 2 == 0 { 0.02 } else { 0.4 };
            matching.hear([0.1; 2].map(|x| x * (n as f32).sin()), [wet; 2].map(|x| x * (n as f32).sin()));
            let gain = matching.gain();
            assert!((gain - last).abs() < 3.2e-4 * last.max(1.0), "{gain} after {last}");
            last = gain;
        }
    }
}
