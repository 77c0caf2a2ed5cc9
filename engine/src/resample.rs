//! Sample-rate conversion with exact alignment. A [`Resampler`] turns a stream at one rate into a stream at another so
//! that output frame k lies exactly at input time k · in/out: the filter's delay is removed by choosing how many zeros
//! to feed before the stream and how many outputs to drop, so that an output phase coincides with the first input
//! frame. Any host rate from 8 to 768 kHz works, and the result does not depend on how the input is cut into pieces.
//!
//! The filter is rubato's windowed sinc. Where the rates have a ratio of small terms (48 k, 96 k, …) every output
//! phase has its own filter (`Nearest` with an oversampling factor equal to the number of phases), which is an exact
//! polyphase resampler at one dot product per sample; other ratios interpolate between 256 phases. Rubato's FFT
//! resampler is cheaper still but gathers a whole FFT block, which costs tens of milliseconds of latency.

mod converter;
mod filter;
mod rates;
mod resampler;

pub use converter::{Converter, convert};
pub(crate) use rates::{RATE_RANGE_HZ, lookahead_frames, period, reach_frames};
pub use resampler::Resampler;
