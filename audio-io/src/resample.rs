//! Brings whole files to one common sample rate before anything is measured or mixed, with the engine's own converter:
//! what training sees of a 48 kHz stem is what the live plug-in makes of it.

use anyhow::{Context, Result};
use tributary_dsp::StemStore;
use tributary_engine::resample::Converter;

use crate::stem_space::{PIECE_FRAMES, StemSpace};

/// Converts a stem from one rate to another, from its store into an empty space.
///
/// # Errors
/// A sentence when a rate is out of range, or the reason of either store.
pub fn resample<S: StemSpace>(stem: &mut dyn StemStore, from_hz: u32, to_hz: u32, mut space: S) -> Result<S> {
    let mut converter = Converter::new(f64::from(from_hz), f64::from(to_hz))
        .with_context(|| format!("cannot convert audio from {from_hz} Hz to {to_hz} Hz"))?;
    let (mut left, mut right) = (vec![0.0; PIECE_FRAMES], vec![0.0; PIECE_FRAMES]);
    let frames = stem.frames();
    let mut kept = Ok(());
    let mut keep = |piece: [&[f32]; 2]| {
        if kept.is_ok() {
            kept = space.append(piece[0], piece[1]);
        }
    };
    for start in (0..frames).step_by(PIECE_FRAMES) {
        let count = (frames - start).min(PIECE_FRAMES);
        stem.read(start, &mut left[..count], &mut right[..count])?;
        converter.push([&left[..count], &right[..count]], &mut keep);
    }
    converter.finish(&mut keep);
    kept?;
    Ok(space)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tributary_dsp::StereoBuffer;

    fn converted(mut audio: StereoBuffer, from_hz: u32, to_hz: u32) -> Result<StereoBuffer> {
        resample(&mut audio, from_hz, to_hz, StereoBuffer::default())
    }

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
        // Rates without a small common ratio are aligned to a hundredth of a frame only.
        for (from_hz, to_hz, tolerance) in [
            (48_000, 44_100, 2e-5),
            (44_100, 48_000, 2e-5),
            (96_000, 44_100, 2e-5),
            (22_050, 44_100, 2e-5),
            (192_000, 48_000, 2e-5),
            (8_000, 768_000, 2e-5),
            (44_100, 32_000, 2e-5),
            (44_101, 44_100, 1e-3),
        ] {
            let out = converted(tone(from_hz as usize, from_hz), from_hz, to_hz).expect("converts");
            let expected = tone(to_hz as usize, to_hz);
            assert_eq!(out.left.len(), expected.left.len(), "{from_hz} -> {to_hz}");
            let worst =
                |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0_f32, f32::max);
            let error = worst(&out.left, &expected.left).max(worst(&out.right, &expected.right));
            assert!(error < tolerance, "{from_hz} -> {to_hz}: largest difference {error}");
        }
    }

    #[test]
    fn equal_rates_and_short_files_keep_their_length() {
        let one = converted(tone(1000, 44_100), 44_100, 44_100).expect("converts");
        assert_eq!(one.left, tone(1000, 44_100).left);
        for frames in [1, 2, 3, 147, 1000] {
            let out = converted(tone(frames, 44_100), 44_100, 48_000).expect("converts");
            assert_eq!(out.left.len(), (frames as f64 * 160.0 / 147.0).round() as usize);
        }
    }
}
