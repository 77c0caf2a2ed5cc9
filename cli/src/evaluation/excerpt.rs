//! A stretch of a mix to listen to in the report: the loudest of the song, at the comparison loudness, as 16-bit FLAC.

use std::ops::Range;

use tributary_audio_io::writer::flac;
use tributary_dsp::StereoBuffer;

use super::RATE_HZ;

/// Fade at both ends in frames (10 ms): a stretch cut out of a song would click.
const FADE_FRAMES: usize = 441;
/// Readings of short-term loudness per second.
const READINGS_PER_S: f64 = 10.0;

/// Audio to be embedded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt {
    /// A whole FLAC file.
    pub flac: Vec<u8>,
}

/// Where the loudest `seconds` of a mix lie, in frames of its common part.
pub fn window(short_term_lufs: &[f64], seconds: f64, frames: usize) -> Range<usize> {
    let length = ((seconds * f64::from(RATE_HZ)) as usize).min(frames);
    // A reading is of the 3 s before it; readings of an excerpt's inside are all within it.
    let width = ((seconds - 3.0).max(0.0) * READINGS_PER_S) as usize + 1;
    let power = |lufs: &f64| 10f64.powf(lufs / 10.0);
    let loudest = short_term_lufs
        .windows(width)
        .map(|readings| readings.iter().map(power).sum::<f64>())
        .enumerate()
        .max_by(|a, b| a.1.total_cmp(&b.1));
    let start =
        loudest.map_or(0, |(reading, _)| (reading as f64 / READINGS_PER_S * f64::from(RATE_HZ)) as usize);
    let start = start.min(frames - length);
    start..start + length
}

impl Excerpt {
    /// Cuts and encodes.
    pub fn cut(audio: &StereoBuffer, window: Range<usize>) -> Self {
        let samples = |channel: &[f32]| -> Vec<i16> {
            let part = &channel[window.clone()];
            let fade = |n: usize| {
                let edge = n.min(part.len() - 1 - n);
                if edge < FADE_FRAMES { edge as f32 / FADE_FRAMES as f32 } else { 1.0 }
            };
            part.iter()
                .enumerate()
                .map(|(n, x)| (32_767.0 * fade(n) * x).round().clamp(-32_768.0, 32_767.0) as i16)
                .collect()
        };
        Self { flac: flac::encode(&samples(&audio.left), &samples(&audio.right), RATE_HZ) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loudest_stretch_is_found_within_the_song() {
        let mut readings = vec![-30.0; 300];
        readings[120..150].fill(-15.0);
        let found = window(&readings, 6.0, 33 * RATE_HZ as usize);
        assert_eq!(found.len(), 6 * RATE_HZ as usize);
        assert_eq!(found.start, 12 * RATE_HZ as usize);
        assert_eq!(window(&readings, 100.0, 1000), 0..1000);
        assert_eq!(window(&[], 6.0, 44_100), 0..44_100);
    }
}
