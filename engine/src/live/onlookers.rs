//! Readings that take time of the worker and are made only while somebody looks ([`Telemetry::look`]): what the mix does to the
//! stems, and how far the network's masks go.

use std::sync::Arc;

use super::telemetry::Telemetry;
use crate::pipeline::Pipeline;

/// Time between two estimates of what the mix does, in seconds of the stream.
const EXPLAIN_S: f64 = 2.0;

/// See the module documentation.
pub(super) struct Onlookers {
    telemetry: Arc<Telemetry>,
    /// Frame of the stream from which the next estimate is due.
    explain_from: u64,
}

impl Onlookers {
    /// Nothing was measured.
    pub(super) fn new(telemetry: Arc<Telemetry>) -> Self {
        Self { telemetry, explain_from: 0 }
    }

    /// Another stream begins.
    pub(super) fn restart(&mut self) {
        self.explain_from = 0;
    }

    /// Lets the pipeline measure what is looked at, and publishes it.
    pub(super) fn follow(&mut self, pipeline: &mut Pipeline) {
        let is_watched = self.telemetry.is_looked_at();
        pipeline.watch(is_watched);
        if let Some(meter) = pipeline.mask_meter() {
            meter.turn(is_watched);
            self.telemetry.add_masks(meter);
        }
        let now = pipeline.pushed_frames();
        if is_watched && now >= self.explain_from {
            self.explain_from = now + (EXPLAIN_S * pipeline.latency().rate_hz) as u64;
            if let Some(explanation) = pipeline.explain() {
                self.telemetry.set_explanation(explanation);
            }
        }
    }
}
