//! Streams that end: whole files, converted to the nearest frame.

use tributary_dsp::StereoBuffer;

use super::resampler::Resampler;
use crate::error::EngineError;

/// Converts a stereo stream that ends: the result is as long as the input to the nearest frame and starts at the same
/// instant.
pub struct Converter {
    resampler: Resampler<2>,
    taken_frames: u64,
    given_frames: u64,
}

impl Converter {
    /// A converter between any two rates from 8 to 768 kHz.
    ///
    /// # Errors
    /// When a rate is outside the range.
    pub fn new(from_hz: f64, to_hz: f64) -> Result<Self, EngineError> {
        Ok(Self { resampler: Resampler::new(from_hz, to_hz)?, taken_frames: 0, given_frames: 0 })
    }

    /// Takes in the next piece, left and right of the same length, and hands on what is ready.
    pub fn push(&mut self, piece: [&[f32]; 2], mut sink: impl FnMut([&[f32]; 2])) {
        self.taken_frames += piece[0].len() as u64;
        let given_frames = &mut self.given_frames;
        self.resampler.process(piece, |piece| {
            *given_frames += piece[0].len() as u64;
            sink(piece);
        });
    }

    /// Ends the stream and hands on the rest.
    pub fn finish(mut self, mut sink: impl FnMut([&[f32]; 2])) {
        let in_per_out = self.resampler.in_per_out();
        let frames = (self.taken_frames as f64 / in_per_out).round() as u64;
        let mut missing = frames.saturating_sub(self.given_frames) as usize;
        let tail = vec![0.0; self.resampler.lookahead_frames() + in_per_out.ceil() as usize + 1];
        self.resampler.process([&tail, &tail], |[left, right]| {
            let count = left.len().min(missing);
            missing -= count;
            sink([&left[..count], &right[..count]]);
        });
        let rest = vec![0.0; missing];
        sink([&rest, &rest]);
    }
}

/// Converts a whole stereo file; see [`Converter`].
///
/// # Errors
/// When a rate is outside the range.
pub fn convert(audio: &StereoBuffer, from_hz: f64, to_hz: f64) -> Result<StereoBuffer, EngineError> {
    let mut converter = Converter::new(from_hz, to_hz)?;
    let mut result = StereoBuffer::default();
    let mut collect = |piece: [&[f32]; 2]| {
        result.left.extend_from_slice(piece[0]);
        result.right.extend_from_slice(piece[1]);
    };
    converter.push([&audio.left, &audio.right], &mut collect);
    converter.finish(&mut collect);
    Ok(result)
}
