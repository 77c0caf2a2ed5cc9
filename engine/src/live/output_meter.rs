//! The meter of what leaves the plug-in: loudness and true peak after every gain, fade and bypass, at the host's rate. The
//! audio side copies its output into a ring, never waiting; the worker measures it here. Apart from the worker, because it
//! goes on when that has failed.

use std::sync::Arc;

use rtrb::Consumer;

use crate::live::protocol::Shared;
use crate::live::telemetry::{OutputLevels, Telemetry};
use crate::pipeline::image::ImageMeter;
use crate::pipeline::meters::Meter;

/// Seconds between two publications.
const PUBLISH_S: f64 = 0.05;
/// Frames measured in one go.
const PIECE_FRAMES: usize = 1024;

/// See the module documentation.
pub(crate) struct OutputMeter {
    ring: Consumer<f32>,
    shared: Arc<Shared>,
    telemetry: Arc<Telemetry>,
    /// `None` at rates that no meter knows.
    meter: Option<Meter>,
    /// Absolute frames taken from the ring, and the one with which what is measured begins.
    taken: u64,
    start: u64,
    /// Frames between two publications, and since the last one.
    publish_frames: usize,
    unpublished_frames: usize,
    /// The figures of a resting meter are out.
    published_rest: bool,
    planar: [Vec<f32>; 2],
    /// Measured while somebody looks.
    image: ImageMeter,
    host_rate_hz: f64,
}

impl OutputMeter {
    /// A meter that has heard nothing.
    pub(crate) fn new(
        ring: Consumer<f32>,
        (shared, telemetry): (Arc<Shared>, Arc<Telemetry>),
        host_rate_hz: f64,
    ) -> Self {
        let piece = || Vec::with_capacity(PIECE_FRAMES);
        Self {
            ring,
            shared,
            telemetry,
            meter: Meter::of_output(host_rate_hz.round() as u32),
            taken: 0,
            start: 0,
            publish_frames: (PUBLISH_S * host_rate_hz) as usize,
            unpublished_frames: 0,
            published_rest: false,
            planar: [piece(), piece()],
            image: ImageMeter::default(),
            host_rate_hz,
        }
    }

    /// Measures what has come.
    pub(crate) fn follow(&mut self) {
        // As with streams (`protocol.rs`): who sees a frame after a reset also sees, by looking later, that there was one.
        let filled = self.ring.slots() / 2;
        let start = self.shared.output_start();
        let Some(meter) = &mut self.meter else { return };
        if start != self.start {
            self.start = start;
            meter.reset();
            self.image = ImageMeter::default();
            self.published_rest = false;
            self.unpublished_frames = self.publish_frames;
        }
        let looked_at = self.telemetry.is_looked_at();
        if !looked_at {
            self.image = ImageMeter::default();
        }
        let mut left = filled;
        while left > 0 {
            let stale = start.saturating_sub(self.taken).min(left as u64) as usize;
            let count = if stale > 0 { stale } else { left.min(PIECE_FRAMES) };
            let Ok(chunk) = self.ring.read_chunk(2 * count) else { return };
            if stale == 0 {
                let (head, tail) = chunk.as_slices();
                self.planar.iter_mut().for_each(Vec::clear);
                for (i, &sample) in head.iter().chain(tail).enumerate() {
                    self.planar[i % 2].push(sample);
                }
                let planar = self.planar.each_ref().map(Vec::as_slice);
                meter.add(planar);
                if looked_at {
                    self.image.add(planar, self.host_rate_hz);
                }
                self.unpublished_frames += count;
            }
            chunk.commit_all();
            self.taken += count as u64;
            left -= count;
        }
        if self.unpublished_frames >= self.publish_frames {
            self.unpublished_frames = 0;
            // Of a resting meter nothing has changed since the last time.
            if !(std::mem::replace(&mut self.published_rest, meter.is_resting()) && self.published_rest) {
                let (loudness, true_peak_db) = (meter.loudness(), meter.true_peak_db());
                self.telemetry.set_output(OutputLevels {
                    momentary_lufs: loudness.momentary_lufs as f32,
                    short_term_lufs: loudness.short_term_lufs as f32,
                    image: self.image.image(),
                    integrated_lufs: loudness.integrated_lufs as f32,
                    true_peak_db: true_peak_db as f32,
                });
            }
        }
    }
}
