//! Floating-point files in the range of whole numbers: written without the division that makes full scale 1, they would be 90
//! dB too loud. Nothing is clipped or muted: the division is made up for, and said.

use tributary_dsp::StoreError;

use crate::stem_space::{PIECE_FRAMES, StemSpace};

/// Samples beyond this, 48 dB over full scale, are whole numbers that somebody wrote as floating point.
const LARGEST_SAMPLE: f32 = 256.0;

/// What a file's samples are measured in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scale {
    /// Full scale is 1.
    Full,
    /// Full scale is that of whole numbers with so many bits.
    WholeNumbers {
        /// Of them, sign included.
        bits: u32,
    },
    /// No scale makes sense.
    NoAudio {
        /// Largest magnitude.
        peak: f32,
    },
}

/// Brings a stem whose samples are whole numbers in floating point to full scale: by the power of two of the smallest common
/// width that holds its peak, so that no sample changes but its exponent.
///
/// # Errors
/// The storage's reason.
pub fn bring_to_full_scale<S: StemSpace>(stem: &mut S) -> Result<Scale, StoreError> {
    let [mut left, mut right] = [(); 2].map(|()| vec![0f32; PIECE_FRAMES]);
    let pieces =
        |frames: usize| (0..frames).step_by(PIECE_FRAMES).map(move |at| (at, PIECE_FRAMES.min(frames - at)));
    let mut peak = 0f32;
    for (at, count) in pieces(stem.frames()) {
        stem.read(at, &mut left[..count], &mut right[..count])?;
        peak = left[..count].iter().chain(&right[..count]).fold(peak, |peak, sample| peak.max(sample.abs()));
    }
    if peak <= LARGEST_SAMPLE {
        return Ok(Scale::Full);
    }
    let Some(bits) = [16, 24, 32].into_iter().find(|bits| peak <= 2f32.powi(bits - 1)) else {
        return Ok(Scale::NoAudio { peak });
    };
    let gain = 2f32.powi(1 - bits);
    for (at, count) in pieces(stem.frames()) {
        stem.read(at, &mut left[..count], &mut right[..count])?;
        left[..count].iter_mut().chain(&mut right[..count]).for_each(|sample| *sample *= gain);
        stem.write(at, &left[..count], &right[..count])?;
    }
    Ok(Scale::WholeNumbers { bits: bits as u32 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tributary_dsp::StereoBuffer;

    fn sine(peak: f32) -> StereoBuffer {
        StereoBuffer::mono((0..20_000).map(|n| peak * (n as f32 * 0.1).sin()).collect())
    }

    #[test]
    fn whole_numbers_are_brought_to_full_scale_to_the_bit() {
        for (peak, bits) in [(9_000.0, 16), (32_768.0, 16), (5e6, 24), (2e9, 32)] {
            let mut stem = sine(peak);
            assert_eq!(bring_to_full_scale(&mut stem), Ok(Scale::WholeNumbers { bits }));
            let divisor = 2f32.powi(bits as i32 - 1);
            assert!(stem.left.iter().zip(&sine(peak).left).all(|(now, before)| *now == before / divisor));
            assert_eq!(bring_to_full_scale(&mut stem), Ok(Scale::Full), "once is enough");
        }
    }

    #[test]
    fn what_is_hot_stays_and_what_has_no_scale_is_no_audio() {
        let mut hot = sine(30.0);
        assert_eq!(bring_to_full_scale(&mut hot), Ok(Scale::Full));
        assert_eq!(hot, sine(30.0));
        assert!(matches!(bring_to_full_scale(&mut sine(1e20)), Ok(Scale::NoAudio { .. })));
    }
}
