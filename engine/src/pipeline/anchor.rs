//! Where a stream begins in the song, and so where its grids lie. Hops of the network and of the normalizer, turns of the
//! running estimates and phases of the resamplers are counted from the song's frame 0, not from the stream's first frame:
//! then a stream that begins in the middle is cut as the whole song is, and makes the same mix.
//!
//! That is done by silence which does not count. Every stage is given as many frames of silence ahead of the stream as lie
//! between the last grid point of the song and the stream's first frame, and drops what it makes of them at its other
//! end. So output frame n still belongs to input frame n. It cannot come later either: of the stream's first hop a part is
//! there before the stream begins, so it is complete earlier than a whole one.

use tributary_dsp::normalizer::{HOP_FRAMES, TURNS_HOPS};

use crate::bundle::contract::WindowGeometry;
use crate::resample;

/// Frames of silence ahead of each stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Anchor {
    /// Host frames ahead of the stream. The first of them lies on a whole frame at the model's rate, and they are as many
    /// as the resampler's filter rings ahead of a sound: a song that begins with the stream and one that begins after
    /// silence sound alike.
    pub(crate) host_frames: usize,
    /// Host frames from the first of those to the song's frame 0, when that comes later. The song begins there, so there a
    /// filter does not ring ahead: in a file that begins with the song there is no room for it either.
    pub(crate) before_song_frames: usize,
    /// Model frames ahead of the normalizer.
    pub(crate) normalizer_frames: usize,
    /// Model frames ahead of the window.
    pub(crate) window_frames: usize,
}

impl Anchor {
    /// Of a stream whose first frame is the song's host frame `song_frame`. Between rates without an exact period
    /// (`resample.rs`) grids lie on the nearest model frame, and the resamplers' phases on the stream's start.
    pub(crate) fn at(song_frame: i64, geometry: WindowGeometry, host_rate_hz: f64) -> Self {
        let model_rate_hz = f64::from(geometry.sample_rate_hz);
        let (host_period, model_period) = resample::period(host_rate_hz, model_rate_hz).unwrap_or((1, 0));
        let rings = resample::reach_frames(host_rate_hz, model_rate_hz) as i128;
        let song_frame = i128::from(song_frame);
        let heard_from = if song_frame < 0 { song_frame - rings } else { (song_frame - rings).max(0) };
        let periods = heard_from.div_euclid(host_period as i128);
        let first_frame = periods * host_period as i128;
        let model_frame = match model_period {
            0 => (first_frame as f64 * model_rate_hz / host_rate_hz).round() as i128,
            period => periods * period as i128,
        };
        let since_grid_point = |period: usize| model_frame.rem_euclid(period as i128) as usize;
        Self {
            host_frames: (song_frame - first_frame) as usize,
            before_song_frames: usize::try_from((-first_frame).max(0)).unwrap_or(usize::MAX),
            normalizer_frames: since_grid_point(TURNS_HOPS * HOP_FRAMES),
            window_frames: since_grid_point(geometry.hop_frames),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::SMALL_GEOMETRY;

    fn at(song_frame: i64, host_rate_hz: f64) -> [usize; 3] {
        let anchor = Anchor::at(song_frame, SMALL_GEOMETRY, host_rate_hz);
        [anchor.host_frames, anchor.normalizer_frames, anchor.window_frames]
    }

    #[test]
    fn every_grid_passes_through_frame_0() {
        for rate_hz in [8_000.0, 44_100.0, 47_999.0, 48_000.0, 44_100.5, 96_000.0, 768_000.0] {
            assert_eq!(at(0, rate_hz), [0, 0, 0], "{rate_hz} Hz");
        }
        assert_eq!(at(10_000, 44_100.0), [0, 10_000 - 8_192, 10_000 % 512]);
        assert_eq!(at(-1, 44_100.0), [0, 8_191, 511]);
        // The filter rings 142 frames ahead; 5 periods of 160 frames lie before that, and they are 735 model frames.
        assert_eq!(at(1_000, 48_000.0), [200, 735, 735 - 512]);
        assert_eq!(at(-40, 48_000.0), [280, 8_192 - 294, 512 - 294]);
        assert_eq!(at(100, 48_000.0), [100, 0, 0], "the song begins before the filter rings");
        assert_eq!(at(1_000, 44_100.5)[0], 134);
    }

    #[test]
    fn no_position_is_too_far_away() {
        for song_frame in [i64::MIN, i64::MIN + 1, i64::MAX] {
            for rate_hz in [8_000.0, 44_100.0, 44_100.5, 48_000.0, 768_000.0] {
                let [host, normalizer, window] = at(song_frame, rate_hz);
                assert!(host < 10_000 && normalizer < 8_192 && window < 512);
            }
        }
    }
}
