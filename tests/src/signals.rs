//! Repeatable test signals and the measurements made on them.
//!
//! Stands apart so that every test draws from the same few signals, known by their seed, and compares in the same unit.

pub use tributary_test_support::Random;

/// White noise of uniform density, peak `level`.
#[must_use]
pub fn noise(frames: usize, level: f32, seed: u64) -> Vec<f32> {
    let mut random = Random::new(seed);
    (0..frames).map(|_| level * (2.0 * random.unit() - 1.0) as f32).collect()
}

/// A sine of `frequency_hz` at `rate_hz`, peak `level`.
#[must_use]
pub fn sine(frames: usize, level: f32, frequency_hz: f64, rate_hz: f64) -> Vec<f32> {
    let step = std::f64::consts::TAU * frequency_hz / rate_hz;
    (0..frames).map(|frame| level * (step * frame as f64).sin() as f32).collect()
}

/// Silence with one sample of `level` at `frame`.
#[must_use]
pub fn impulse(frames: usize, frame: usize, level: f32) -> Vec<f32> {
    let mut signal = vec![0.0; frames];
    signal[frame] = level;
    signal
}

/// Bursts of noise with pauses: music-like in that it starts, sounds and stops. `rate_hz` sets the pace (half a second on,
/// half a second off); the start is shifted by the seed so that two of them differ in time as well.
#[must_use]
pub fn bursts(frames: usize, level: f32, rate_hz: f64, seed: u64) -> Vec<f32> {
    let half_frames = (rate_hz / 2.0) as usize;
    let shift = (seed as usize * 7919) % (2 * half_frames);
    let mut signal = noise(frames, level, seed);
    for (frame, sample) in signal.iter_mut().enumerate() {
        if ((frame + shift) / half_frames) % 2 == 1 {
            *sample = 0.0;
        }
    }
    signal
}

/// The largest absolute sample; not a number if any sample is not.
#[must_use]
pub fn peak(signal: &[f32]) -> f32 {
    // `max` prefers the number, so what is not one has to be kept by hand.
    signal.iter().fold(
        0.0,
        |peak: f32, sample| if peak.is_nan() || sample.is_nan() { f32::NAN } else { peak.max(sample.abs()) },
    )
}

/// Root mean square.
#[must_use]
pub fn rms(signal: &[f32]) -> f64 {
    let energy: f64 = signal.iter().map(|&sample| f64::from(sample).powi(2)).sum();
    (energy / signal.len().max(1) as f64).sqrt()
}

/// Level of the difference of two signals relative to the level of the second, in dB. Minus infinity when equal.
#[must_use]
pub fn residual_db(signal: &[f32], expected: &[f32]) -> f64 {
    assert_eq!(signal.len(), expected.len(), "signals of different length cannot null");
    let difference: f64 =
        signal.iter().zip(expected).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum();
    let reference: f64 = expected.iter().map(|&b| f64::from(b).powi(2)).sum();
    10.0 * (difference / reference).log10()
}

/// Where the largest absolute sample stands.
#[must_use]
pub fn peak_frame(signal: &[f32]) -> usize {
    let mut best = 0;
    for (frame, sample) in signal.iter().enumerate() {
        if sample.abs() > signal[best].abs() {
            best = frame;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn residual_is_in_decibels_of_the_expected() {
        let expected = noise(1000, 0.5, 1);
        let off: Vec<f32> = expected.iter().map(|sample| sample * 1.001).collect();
        assert!((residual_db(&off, &expected) + 60.0).abs() < 0.1);
        assert_eq!(residual_db(&expected, &expected), f64::NEG_INFINITY);
    }

    #[test]
    fn peak_shows_what_is_not_a_number() {
        assert!(peak(&[0.0, f32::NAN, 1.0]).is_nan());
        assert_eq!(peak(&[0.25, -0.5]), 0.5);
    }
}
