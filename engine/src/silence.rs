//! Digital silence: how every stage finds it without looking at each sample twice. Stages that have nothing to do leave
//! silence out or pass it on untouched; where that starts and ends depends on the frames alone.

/// Samples looked at in one go.
const STRIDE: usize = 64;

/// Whether every sample is exactly zero.
pub(crate) fn is_silent(samples: &[f32]) -> bool {
    leading_frames([samples]) == samples.len()
}

/// Frames before the first one that is not exactly zero in all of some equally long channels.
pub(crate) fn leading_frames<const CHANNELS: usize>(channels: [&[f32]; CHANNELS]) -> usize {
    // Bits are gathered rather than compared, so that the loop vectorizes; the sign of a zero is shifted out.
    let is_zero = |samples: &[f32]| samples.iter().fold(0, |bits, x| bits | x.to_bits() << 1) == 0;
    channels.into_iter().fold(usize::MAX, |least, samples| {
        let samples = &samples[..samples.len().min(least)];
        let silent = samples.chunks(STRIDE).take_while(|chunk| is_zero(chunk)).count() * STRIDE;
        let rest = samples.get(silent..).unwrap_or(&[]);
        let more = rest.iter().position(|x| *x != 0.0).unwrap_or(rest.len());
        samples.len().min(silent + more)
    })
}

/// Frames after the last one that is not exactly zero in all channels.
pub(crate) fn trailing_frames<const CHANNELS: usize>(channels: [&[f32]; CHANNELS]) -> usize {
    let after = |samples: &[f32]| samples.iter().rev().position(|x| *x != 0.0).unwrap_or(samples.len());
    channels.into_iter().map(after).min().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_measured_to_the_frame() {
        for length in [0, 1, 63, 64, 65, 200] {
            let silence = vec![0.0; length];
            assert!(is_silent(&silence));
            assert_eq!(leading_frames([&silence, &silence]), length);
            assert_eq!(trailing_frames([&silence, &silence]), length);
            for at in 0..length {
                let mut sound = silence.clone();
                sound[at] = 1e-45;
                assert_eq!(leading_frames([&silence, &sound]), at);
                assert_eq!(trailing_frames([&sound, &silence]), length - at - 1);
                assert!(!is_silent(&sound));
                sound[at] = -0.0;
                assert!(is_silent(&sound));
            }
        }
    }
}
