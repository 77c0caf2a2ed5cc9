//! Latency as a sum of named parts. The pipeline aligns its output to its input to the sample, so there is no group
//! delay to measure: latency is the time that must pass before an output frame can exist. Every part is stated in
//! frames of the host's rate, and the parts add up to the total exactly.

use serde::{Deserialize, Serialize};
use tributary_dsp::normalizer::GATHERING;
use tributary_dsp::{FxNormalizer, HOP_FRAMES};

use crate::bundle::contract::WindowGeometry;
use crate::error::EngineError;
use crate::pipeline::limiter;
use crate::resample;

/// One reason for latency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LatencyPart {
    /// What takes the time, for display: "equalization", "panning", "lookahead", "hop", …
    pub name: String,
    /// Host frames.
    pub frames: usize,
}

/// The latency of a pipeline or an engine.
///
/// ```
/// use tributary_engine::{LatencyPart, LatencyReport};
///
/// let part = |name: &str, frames| LatencyPart { name: name.into(), frames };
/// let report = LatencyReport { rate_hz: 48_000.0, parts: vec![part("hop", 4_800), part("limiter", 480)] };
/// assert_eq!((report.total_frames(), report.total_ms()), (5_280, 110.0));
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
pub struct LatencyReport {
    /// The host's sample rate.
    pub rate_hz: f64,
    /// The named parts.
    pub parts: Vec<LatencyPart>,
}

impl LatencyReport {
    /// The sum of the parts in host frames.
    pub fn total_frames(&self) -> usize {
        self.parts.iter().map(|part| part.frames).sum()
    }

    /// The sum of the parts in milliseconds.
    pub fn total_ms(&self) -> f64 {
        if self.rate_hz > 0.0 { 1000.0 * self.total_frames() as f64 / self.rate_hz } else { 0.0 }
    }

    /// Host frames of the part of this name, 0 when there is none.
    pub(crate) fn part_frames(&self, name: &str) -> usize {
        self.parts.iter().filter(|part| part.name == name).map(|part| part.frames).sum()
    }

    /// Appends a part, leaving out empty ones.
    pub(crate) fn with(mut self, name: &str, frames: usize) -> Self {
        if frames > 0 {
            self.parts.push(LatencyPart { name: name.into(), frames });
        }
        self
    }
}

/// What the synchronous pipeline needs, with or without a limiter behind the model: output frame n exists once input frame
/// n + total is in. Asked before any model is loaded, so that a host can be told at once.
///
/// # Errors
/// When the host's rate is out of range.
pub fn pipeline_latency(
    geometry: WindowGeometry,
    normalizer: &FxNormalizer,
    limits: bool,
    host_rate_hz: f64,
) -> Result<LatencyReport, EngineError> {
    let model_rate_hz = f64::from(geometry.sample_rate_hz);
    let host_per_model = host_rate_hz / model_rate_hz;
    let to_model = resample::lookahead_frames(host_rate_hz, model_rate_hz)?;
    let to_host = resample::lookahead_frames(model_rate_hz, host_rate_hz)?;
    let normalizing = normalizer.latency_parts().into_iter();
    let mut model_parts: Vec<(&str, usize)> = normalizing
        .map(|(name, frames)| (name, if name == GATHERING { grids_wait_frames(geometry) } else { frames }))
        .collect();
    model_parts
        .push(("lookahead", geometry.lookahead_frames - geometry.crossfade_frames - geometry.margin_frames));
    model_parts.push(("front end", geometry.margin_frames));
    model_parts.push(("crossfade", geometry.crossfade_frames));
    model_parts.push(("hop", geometry.hop_frames));

    // Parts are rounded where they end, not where they are long, so that they add up.
    let mut report = LatencyReport { rate_hz: host_rate_hz, parts: Vec::new() };
    let (mut model_end, mut host_end) = (0, 0);
    for (name, frames) in model_parts {
        model_end += frames;
        let end = (model_end as f64 * host_per_model).ceil() as usize;
        report = report.with(name, end - host_end);
        host_end = end;
    }
    let resampling = if to_model + to_host == 0 {
        0
    } else {
        // One more frame on either side: an output time rarely falls on a frame of the other rate.
        let whole = ((model_end + to_host + 1) as f64 * host_per_model).ceil() as usize;
        whole - host_end + to_model + 1
    };
    let limiter = if limits { limiter::latency_frames(host_rate_hz) } else { 0 };
    Ok(report.with("resampling", resampling).with("limiter", limiter))
}

/// How long a window can be kept waiting, at most, because its last frame lies within a hop of the normalizer, which comes as a
/// whole. Both grids pass through the song's frame 0; where the windows' ends lie on the normalizer's grid, nothing waits.
fn grids_wait_frames(geometry: WindowGeometry) -> usize {
    let step = greatest_common_divisor(geometry.hop_frames, HOP_FRAMES);
    // Windows end at all frames of this remainder, so the worst one ends this far into a hop.
    match geometry.lookahead_frames % step {
        0 => HOP_FRAMES - step,
        into_hop => HOP_FRAMES - into_hop,
    }
}

fn greatest_common_divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_wait_is_that_of_the_worst_window() {
        for hop_frames in [64, 192, 256, 512, 960, 1024, 2048, 2240, 11_008, 11_264] {
            for lookahead_frames in [0, 64, 512, 1024, 2560, 3072, 10_240] {
                let geometry = WindowGeometry { hop_frames, lookahead_frames, ..WindowGeometry::DEFAULT };
                let ends = (1..=HOP_FRAMES).map(|window| window * hop_frames + lookahead_frames);
                let worst = ends.map(|end| end.next_multiple_of(HOP_FRAMES) - end).max().unwrap();
                assert_eq!(grids_wait_frames(geometry), worst, "{hop_frames}, {lookahead_frames}");
            }
        }
    }
}
