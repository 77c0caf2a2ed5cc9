//! A stream at one rate to a stream at another, in pieces of any length.

use super::filter::Filter;
use super::rates::{CHUNK_FRAMES, check};
use crate::error::EngineError;

/// Converts a planar stream of `CHANNELS` channels.
pub struct Resampler<const CHANNELS: usize> {
    /// `None` at equal rates: frames pass through untouched.
    filter: Option<Filter>,
    in_per_out: f64,
}

impl<const CHANNELS: usize> Resampler<CHANNELS> {
    /// A converter from `from_hz` to `to_hz`.
    ///
    /// # Errors
    /// When a rate is outside 8 to 768 kHz.
    pub fn new(from_hz: f64, to_hz: f64) -> Result<Self, EngineError> {
        check(from_hz, to_hz)?;
        let in_per_out = from_hz / to_hz;
        let filter = if from_hz == to_hz { None } else { Some(Filter::new(from_hz, to_hz, CHANNELS)?) };
        Ok(Self { filter, in_per_out })
    }

    /// Frames of input that must lie beyond an output frame's time before that frame comes out, at most: half the
    /// filter and the gathering of a chunk.
    pub fn lookahead_frames(&self) -> usize {
        self.filter.as_ref().map_or(0, |filter| filter.reach_frames + CHUNK_FRAMES)
    }

    /// Half-length of the filter in input frames: input farther away than this from an output frame does not
    /// influence it.
    pub fn reach_frames(&self) -> usize {
        self.filter.as_ref().map_or(0, |filter| filter.reach_frames)
    }

    /// Input frames per output frame.
    pub fn in_per_out(&self) -> f64 {
        self.in_per_out
    }

    /// Back to an empty stream.
    pub fn reset(&mut self) {
        if let Some(filter) = &mut self.filter {
            filter.reset();
        }
    }

    /// Takes planar input of any length and hands output to `sink` in pieces, in order.
    pub fn process(&mut self, input: [&[f32]; CHANNELS], mut sink: impl FnMut([&[f32]; CHANNELS])) {
        let Some(filter) = &mut self.filter else {
            sink(input);
            return;
        };
        let frames = input[0].len();
        let mut taken = 0;
        while taken < frames {
            let room = CHUNK_FRAMES - filter.gathered[0].len();
            let count = room.min(frames - taken);
            for (gathered, channel) in filter.gathered.iter_mut().zip(input) {
                gathered.extend_from_slice(&channel[taken..taken + count]);
            }
            taken += count;
            if filter.gathered[0].len() == CHUNK_FRAMES {
                let range = filter.run();
                if !range.is_empty() {
                    sink(std::array::from_fn(|channel| &filter.output[channel][range.clone()]));
                }
            }
        }
    }
}

#[cfg(test)]
#[path = "resampler_tests.rs"]
mod tests;
