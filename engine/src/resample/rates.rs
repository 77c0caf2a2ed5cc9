//! What two rates have to do with each other: whether they can be converted, after how many frames of each their grids meet,
//! and how far a filter between them reaches.

use crate::error::EngineError;

/// Lowest and highest host rate.
pub const RATE_RANGE_HZ: std::ops::RangeInclusive<f64> = 8_000.0..=768_000.0;
/// Length of the sinc in frames of the lower rate: at −97 dB stop band the transition is 1.3 kHz wide at 44.1 kHz.
const SINC_FRAMES: f64 = 256.0;
/// Input frames per call of the filter: small against every hop, large against the cost of a call.
pub(super) const CHUNK_FRAMES: usize = 64;
/// Ratios with more phases than this interpolate between phases instead.
const EXACT_PHASES_LIMIT: u64 = 4_096;

/// Fails for a rate outside [`RATE_RANGE_HZ`].
pub(crate) fn check(from_hz: f64, to_hz: f64) -> Result<(), EngineError> {
    match [from_hz, to_hz].into_iter().find(|rate_hz| !RATE_RANGE_HZ.contains(rate_hz)) {
        Some(rate_hz) => Err(EngineError::SampleRate { rate_hz }),
        None => Ok(()),
    }
}

/// Frames of input that must lie beyond an output frame's time before that frame comes out of a resampler, at most: half the
/// filter and the gathering of a chunk.
///
/// # Errors
/// When a rate is outside [`RATE_RANGE_HZ`].
pub(crate) fn lookahead_frames(from_hz: f64, to_hz: f64) -> Result<usize, EngineError> {
    check(from_hz, to_hz)?;
    Ok(if from_hz == to_hz { 0 } else { reach_frames(from_hz, to_hz) + CHUNK_FRAMES })
}

/// Half-length of a resampler's filter in input frames: input farther away than this from an output frame does not influence
/// it.
pub(crate) fn reach_frames(from_hz: f64, to_hz: f64) -> usize {
    if from_hz == to_hz { 0 } else { sinc_frames(from_hz, to_hz) / 2 + 2 }
}

/// Length of the filter in input frames: longer when the output rate is the lower one.
pub(super) fn sinc_frames(from_hz: f64, to_hz: f64) -> usize {
    ((SINC_FRAMES * (from_hz / to_hz).max(1.0)).ceil() as usize).next_multiple_of(8)
}

/// Number of distinct output phases when the ratio is rational with terms below [`EXACT_PHASES_LIMIT`].
pub(super) fn exact_phases(from_hz: f64, to_hz: f64) -> Option<usize> {
    if from_hz.fract() != 0.0 || to_hz.fract() != 0.0 {
        return None;
    }
    let phases = to_hz as u64 / common_divisor(from_hz as u64, to_hz as u64);
    (phases <= EXACT_PHASES_LIMIT).then_some(phases as usize)
}

/// The shortest stretch, in frames of either rate, after which output frames fall on input frames again; `None` when the
/// filter has no exact phases.
pub(crate) fn period(from_hz: f64, to_hz: f64) -> Option<(usize, usize)> {
    let phases = exact_phases(from_hz, to_hz)?;
    Some((from_hz as usize / common_divisor(from_hz as u64, to_hz as u64) as usize, phases))
}

/// The largest number that divides both.
pub(super) fn common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}
