//! A copy of what leaves the plug-in, on its way to the worker, which measures it; and its peak, which is seen at once.

use rtrb::Producer;

use crate::live::telemetry::{PEAK_FALL_PER_SECOND, Telemetry};

/// See the module documentation.
pub(super) struct OutputCopy {
    ring: Producer<f32>,
    /// Absolute frames written to the ring.
    written: u64,
    peak: f32,
    rate_hz: f64,
    interleaved: Vec<f32>,
}

impl OutputCopy {
    /// For parts of at most `max_block` frames. Allocates.
    pub(super) fn new(ring: Producer<f32>, max_block: usize, rate_hz: f64) -> Self {
        Self { ring, written: 0, peak: 0.0, rate_hz, interleaved: vec![0.0; 2 * max_block] }
    }

    /// Absolute frames written so far.
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    /// Takes a part. When the worker is so far behind that there is no room, it is not measured.
    pub(super) fn take(&mut self, [left, right]: [&[f32]; 2], telemetry: &Telemetry) {
        let fall = PEAK_FALL_PER_SECOND.powf(left.len() as f32 / self.rate_hz as f32);
        let largest = |side: &[f32]| side.iter().fold(0f32, |peak, x| peak.max(x.abs()));
        self.peak = (self.peak * fall).max(largest(left)).max(largest(right));
        telemetry.output_peak.set(self.peak);
        // Of a player of engines come parts that another one's length has cut.
        let longest = self.interleaved.len() / 2;
        for (left, right) in left.chunks(longest).zip(right.chunks(longest)) {
            let copy = &mut self.interleaved[..2 * left.len()];
            for (frame, (&left, &right)) in copy.chunks_exact_mut(2).zip(left.iter().zip(right)) {
                frame.copy_from_slice(&[left, right]);
            }
            if self.ring.push_entire_slice(copy).is_ok() {
                self.written += left.len() as u64;
            }
        }
    }
}
