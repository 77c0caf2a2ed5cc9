//! Trim, mute and solo: a gain for each normalized stem, ahead of the window, the sum and the meters, so that whatever is made
//! of the stems is made of what the engineer lets through.

use tributary_dsp::{CHANNELS, Stem};

use super::timeline::Timeline;
use crate::glide::{GAIN_MS, Glide};

/// See the module documentation.
pub(crate) struct Faders {
    timeline: Timeline,
    gains: [Glide; Stem::COUNT],
}

impl Faders {
    /// Everything passes as it is.
    pub(crate) fn new(sample_rate_hz: f64) -> Self {
        Self { timeline: Timeline::default(), gains: [Glide::new(1.0, GAIN_MS, sample_rate_hz); Stem::COUNT] }
    }

    /// Another stream begins, with the controls that were set last.
    pub(crate) fn start(&mut self) {
        let gains = self.timeline.start().stem_gains();
        self.gains.iter_mut().zip(gains).for_each(|(glide, gain)| glide.jump(gain));
    }

    /// What is in force, and when; counted in the stream's frames at the model's rate.
    pub(crate) fn timeline_mut(&mut self) -> &mut Timeline {
        &mut self.timeline
    }

    /// The stream's next frames, in place.
    pub(crate) fn process(&mut self, stems: &mut [&mut [f32]; CHANNELS]) {
        let frames = stems[0].len();
        let mut from = 0;
        while from < frames {
            let (controls, count) = self.timeline.next(frames - from);
            let gains = controls.stem_gains();
            for ((glide, gain), stem) in self.gains.iter_mut().zip(gains).zip(stems.chunks_exact_mut(2)) {
                glide.set(gain);
                if let [left, right] = stem {
                    apply(glide, &mut left[from..from + count], &mut right[from..from + count]);
                }
            }
            from += count;
        }
    }
}

/// Scales both sides of a stem.
fn apply(glide: &mut Glide, left: &mut [f32], right: &mut [f32]) {
    match glide.at_rest() {
        Some(1.0) => {}
        // Not by multiplication: silence has no sign.
        Some(0.0) => [left, right].into_iter().for_each(|side| side.fill(0.0)),
        Some(gain) => left.iter_mut().chain(right).for_each(|sample| *sample *= gain as f32),
        None => {
            for (left, right) in left.iter_mut().zip(right) {
                let gain = glide.next() as f32;
                *left *= gain;
                *right *= gain;
            }
        }
    }
}
