//! What the worker tells of its work: loudness and corrections of the stems, its load, and the gains that bring what stands in
//! for a late mix to the mix's loudness.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::telemetry::{StemLevels, Telemetry};
use crate::bundle::contract::WindowGeometry;
use crate::pipeline::Pipeline;

/// Frames between two publications of the meters: 50 ms at 48 kHz.
const PUBLISH_FRAMES: u64 = 2400;
/// Weight of the newest hop in the smoothed load.
const LOAD_WEIGHT: f32 = 0.1;
/// Signals quieter than this do not move the fallback gains.
const AUDIBLE_LUFS: f64 = -60.0;
/// Fallback gains stay within these bounds.
const FALLBACK_GAIN_RANGE_DB: (f64, f64) = (-40.0, 20.0);

/// See the module documentation.
pub(super) struct Publication {
    telemetry: Arc<Telemetry>,
    /// Frames of the stream that had been pushed when the meters were published last.
    published_frames: u64,
    /// The figures of a resting pipeline are out.
    published_rest: bool,
    /// Time worked since the last hop.
    busy: Duration,
}

impl Publication {
    /// Nothing has been published.
    pub(super) fn new(telemetry: Arc<Telemetry>) -> Self {
        Self { telemetry, published_frames: 0, published_rest: false, busy: Duration::ZERO }
    }

    /// Another stream begins.
    pub(super) fn restart(&mut self) {
        self.published_frames = 0;
        self.published_rest = false;
        self.busy = Duration::ZERO;
        self.telemetry.load_peak.set(0.0);
    }

    /// The worker has worked for so long.
    pub(super) fn add_work(&mut self, time: Duration) {
        self.busy += time;
    }

    /// A hop is made: publishes what all the work for it took of the time it lasts.
    pub(super) fn publish_load(&mut self, geometry: WindowGeometry) {
        let available_s = geometry.hop_frames as f64 / f64::from(geometry.sample_rate_hz);
        let load = (std::mem::take(&mut self.busy).as_secs_f64() / available_s) as f32;
        let smoothed = self.telemetry.load.get();
        let first = self.telemetry.hops.load(Relaxed) <= 1;
        let weight = if first { 1.0 } else { LOAD_WEIGHT };
        self.telemetry.load.set(smoothed + weight * (load - smoothed));
        self.telemetry.load_peak.set(self.telemetry.load_peak.get().max(load));
    }

    /// Publishes what the pipeline measures, now and then. Returns the gain that brings the normalized sum to the mix's
    /// loudness, when that is known anew.
    pub(super) fn publish(&mut self, pipeline: &Pipeline) -> Option<f32> {
        let pushed_frames = pipeline.pushed_frames();
        if pushed_frames < self.published_frames + PUBLISH_FRAMES {
            return None;
        }
        self.published_frames = pushed_frames;
        // Nothing has changed since the last time.
        if std::mem::replace(&mut self.published_rest, pipeline.is_resting()) && self.published_rest {
            return None;
        }
        let readings = pipeline.normalizer_readings();
        let (before, after) =
            pipeline.meters().map(|meters| (meters.before(), meters.after())).unwrap_or_default();
        let levels = |stem: usize| StemLevels::new(before[stem], after[stem], readings[stem]);
        self.telemetry.set_levels(std::array::from_fn(levels));
        let meters = pipeline.meters()?;
        let mix_lufs = meters.mix().recent_lufs;
        if let Some(gain) = gain_between(meters.raw_sum().recent_lufs, mix_lufs) {
            self.telemetry.raw_gain.set(gain);
        }
        gain_between(meters.sum().recent_lufs, mix_lufs)
    }
}

/// Linear gain from one loudness to another, within bounds; `None` when either is nearly silent.
fn gain_between(from_lufs: f64, to_lufs: f64) -> Option<f32> {
    let (least, most) = FALLBACK_GAIN_RANGE_DB;
    let gain_db = (to_lufs - from_lufs).clamp(least, most);
    (from_lufs > AUDIBLE_LUFS && to_lufs > AUDIBLE_LUFS).then(|| 10.0_f64.powf(gain_db / 20.0) as f32)
}
