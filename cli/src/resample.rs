//! Brings whole files to one common sample rate before anything is measured or mixed.
//!
//! Offline and exact: the converter's delay is trimmed, frame `n` of the input lies at `n · out / in` of the output,
//! and the length is the input's, scaled and rounded up. The live path has its own streaming resampler in the engine.

use rubato::audioadapter_buffers::owned::SequentialOwned;
use rubato::{Fft, FixedSync, Resampler};
use tributary_dsp::StereoBuffer;

/// Frames per transform, about: long enough for a transition band of some ten hertz around the Nyquist frequency.
const BLOCK_FRAMES: usize = 8192;

/// Converts stereo audio from one rate to another; equal rates return the audio unchanged.
///
/// # Errors
/// A sentence when the converter cannot be built for these rates.
pub fn resample(audio: StereoBuffer, from_hz: u32, to_hz: u32) -> anyhow::Result<StereoBuffer> {
    if from_hz == to_hz || audio.left.is_empty() {
        return Ok(audio);
    }
    let describe =
        |reason: String| anyhow::anyhow!("cannot convert audio from {from_hz} Hz to {to_hz} Hz: {reason}");
    let frames = audio.left.len();
    let mut samples = audio.left;
    samples.extend_from_slice(&audio.right);
    let input = SequentialOwned::new_from(samples, 2, frames).map_err(|e| describe(e.to_string()))?;
    let mut converter = converter(from_hz as usize, to_hz as usize).map_err(describe)?;
    let output = converter.process_all(&input, frames, None).map_err(|e| describe(e.to_string()))?;
    let mut interleaved = output.take_data();
    // The converter computes the length in floating point and may round one frame up.
    let out_frames = (frames as u64 * u64::from(to_hz)).div_ceil(u64::from(from_hz)) as usize;
    interleaved.truncate(2 * out_frames);
    Ok(StereoBuffer {
        left: interleaved.iter().copied().step_by(2).collect(),
        right: interleaved.iter().copied().skip(1).step_by(2).collect(),
    })
}

/// A Fourier resampler whose block is an even number of the rates' smallest common blocks.
///
/// Its delay is half a block; only an even block makes that a whole number of frames on both sides, so that nothing is
/// shifted by a fraction of a frame.
fn converter(from_hz: usize, to_hz: usize) -> Result<Fft<f32>, String> {
    let smallest = from_hz / greatest_common_divisor(from_hz, to_hz);
    let blocks = BLOCK_FRAMES.div_ceil(smallest).next_multiple_of(2);
    Fft::new(from_hz, to_hz, smallest * blocks, 2, FixedSync::Both).map_err(|e| e.to_string())
}

fn greatest_common_divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A 1 kHz sine that fades in and out, so that its ends do not matter.
    fn tone(frames: usize, rate_hz: u32) -> StereoBuffer {
        let sample = |n: usize, phase: f64| {
            let t = n as f64 / f64::from(rate_hz);
            let length_s = frames as f64 / f64::from(rate_hz);
            let fade = (std::f64::consts::PI * t / length_s).sin().powi(2);
            (fade * (std::f64::consts::TAU * 1000.0 * t + phase).sin()) as f32
        };
        StereoBuffer {
            left: (0..frames).map(|n| sample(n, 0.0)).collect(),
            right: (0..frames).map(|n| sample(n, 1.0)).collect(),
        }
    }

    #[test]
    fn every_frame_lands_where_it_belongs() {
        for (from_hz, to_hz) in [
            (48_000, 44_100),
            (44_100, 48_000),
            (96_000, 44_100),
            (22_050, 44_100),
            (192_000, 48_000),
            (8_000, 768_000),
            (44_100, 32_000),
            (44_101, 44_100),
        ] {
            let out = resample(tone(from_hz as usize, from_hz), from_hz, to_hz).expect("converts");
            let expected = tone(to_hz as usize, to_hz);
            assert_eq!(out.left.len(), expected.left.len(), "{from_hz} -> {to_hz}");
            let worst =
                |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0_f32, f32::max);
            let error = worst(&out.left, &expected.left).max(worst(&out.right, &expected.right));
            assert!(error < 2e-5, "{from_hz} -> {to_hz}: largest difference {error}");
        }
    }

    #[test]
    fn equal_rates_and_short_files_keep_their_length() {
        let one = resample(tone(1000, 44_100), 44_100, 44_100).expect("converts");
        assert_eq!(one.left, tone(1000, 44_100).left);
        for frames in [1, 2, 3, 147, 1000] {
            let out = resample(tone(frames, 44_100), 44_100, 48_000).expect("converts");
            assert_eq!(out.left.len(), (frames * 160).div_ceil(147));
        }
    }
}
