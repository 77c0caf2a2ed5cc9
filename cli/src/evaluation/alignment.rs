//! Where a mix lies in time against the human mix, and with which sign: found by cross-correlation, to the sample.
//!
//! The correlation is whitened (generalized cross-correlation, Knapp and Carter 1976): two mixes of one song differ in
//! tone, and the plain correlation's broad peak would follow the bass. Both channels count, so that a mix without a
//! middle aligns as well.

use tributary_dsp::StereoBuffer;
use tributary_dsp::stft::RealTransform;

use super::frames::Complex;

/// Share of the magnitude that whitening takes away: 1 would be the phase transform, which noise in empty bands upsets.
const WHITENING: f32 = 0.75;
/// Bins weaker than this part of the strongest do not count at all.
const FLOOR: f32 = 1e-8;
/// A peak this many times the correlation's root mean square is no chance: among four million lags of noise the
/// highest is 5.3 times.
const CERTAIN: f64 = 8.0;
/// Frames of the human mix per block, and the number of blocks spread over a long song.
const BLOCK_FRAMES: usize = 1 << 20;
const BLOCKS: usize = 4;
/// Lags whose correlation lies this close to the best are as good; the smallest of them is taken, because music repeats.
const AS_GOOD: f32 = 1e-4;

/// Where a mix lies against the human mix.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Alignment {
    /// How many frames the mix comes later.
    pub lag_frames: i64,
    /// Whether its polarity is the opposite.
    pub inverted: bool,
    /// Height of the peak over the correlation's root mean square.
    pub confidence: f64,
    /// Whether the peak stands out; otherwise the lag is 0 and the polarity kept.
    pub certain: bool,
}

impl Alignment {
    /// Nothing to align.
    pub const NONE: Self = Self { lag_frames: 0, inverted: false, confidence: 0.0, certain: false };

    /// Frames of the human mix for which the mix has frames too.
    pub fn common(self, reference_frames: usize, mix_frames: usize) -> std::ops::Range<usize> {
        let start = (-self.lag_frames).max(0) as usize;
        let end = (mix_frames as i64 - self.lag_frames).clamp(0, reference_frames as i64) as usize;
        start..end.max(start)
    }

    /// Frame `range` of the human mix, of the mix, with the human mix's sign; zeros where the mix has nothing.
    pub fn cut(self, mix: &StereoBuffer, range: std::ops::Range<usize>) -> StereoBuffer {
        let sign = if self.inverted { -1.0 } else { 1.0 };
        let side = |samples: &[f32]| {
            let at = |frame: usize| {
                usize::try_from(frame as i64 + self.lag_frames).ok().and_then(|n| samples.get(n))
            };
            range.clone().map(|frame| at(frame).map_or(0.0, |sample| sign * sample)).collect()
        };
        StereoBuffer { left: side(&mix.left), right: side(&mix.right) }
    }
}

/// Finds lag and polarity of `mix` against `reference` within ± `max_lag_frames`.
pub fn align(reference: &StereoBuffer, mix: &StereoBuffer, max_lag_frames: usize) -> Alignment {
    let frames = reference.frames();
    if frames == 0 || mix.frames() == 0 {
        return Alignment::NONE;
    }
    // A lag as long as the song leaves nothing to compare.
    let max_lag = max_lag_frames.min(frames.max(mix.frames()) - 1);
    let block = frames.min(BLOCK_FRAMES);
    let length = (block + 2 * max_lag).next_power_of_two();
    let mut correlator = Correlator::new(length);
    for start in block_starts(frames, block) {
        for (reference, mix) in [(&reference.left, &mix.left), (&reference.right, &mix.right)] {
            correlator.add(&reference[start..start + block], mix, start as i64 - max_lag as i64);
        }
    }
    peak(&correlator.finish()[..=2 * max_lag], max_lag)
}

/// Starts of at most [`BLOCKS`] blocks, spread evenly.
fn block_starts(frames: usize, block: usize) -> Vec<usize> {
    let count = frames.div_ceil(block).min(BLOCKS);
    (0..count).map(|n| if count == 1 { 0 } else { n * (frames - block) / (count - 1) }).collect()
}

/// The highest magnitude among lags −max..=max.
fn peak(correlation: &[f32], max_lag: usize) -> Alignment {
    let highest = correlation.iter().fold(0.0_f32, |highest, value| highest.max(value.abs()));
    let mean_square =
        correlation.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>() / correlation.len() as f64;
    let as_good = |&index: &usize| correlation[index].abs() >= highest * (1.0 - AS_GOOD);
    let index = (0..correlation.len()).filter(as_good).min_by_key(|index| index.abs_diff(max_lag));
    let confidence = f64::from(highest) / mean_square.sqrt();
    match index {
        Some(index) if confidence >= CERTAIN || max_lag == 0 => Alignment {
            lag_frames: index as i64 - max_lag as i64,
            inverted: correlation[index] < 0.0,
            confidence,
            certain: true,
        },
        _ => {
            Alignment { confidence: if confidence.is_finite() { confidence } else { 0.0 }, ..Alignment::NONE }
        }
    }
}

/// Sums the cross-spectra of blocks and turns them into one correlation.
struct Correlator {
    transform: RealTransform<f32>,
    time: Vec<f32>,
    reference: Vec<Complex>,
    mix: Vec<Complex>,
    cross: Vec<Complex>,
}

impl Correlator {
    fn new(length: usize) -> Self {
        let transform = RealTransform::new(length);
        let bins = transform.bins();
        let empty = || vec![Complex::default(); bins];
        Self { transform, time: vec![0.0; length], reference: empty(), mix: empty(), cross: empty() }
    }

    /// Adds a block of the human mix and the stretch of the mix that begins at `mix_start`, which may be negative.
    fn add(&mut self, reference: &[f32], mix: &[f32], mix_start: i64) {
        self.time.fill(0.0);
        self.time[..reference.len()].copy_from_slice(reference);
        self.transform.forward(&mut self.time, &mut self.reference);
        self.time.fill(0.0);
        let from = mix_start.clamp(0, mix.len() as i64) as usize;
        let offset = (from as i64 - mix_start).clamp(0, self.time.len() as i64) as usize;
        let count = (mix.len() - from).min(self.time.len() - offset);
        self.time[offset..offset + count].copy_from_slice(&mix[from..from + count]);
        self.transform.forward(&mut self.time, &mut self.mix);
        for ((cross, reference), mix) in self.cross.iter_mut().zip(&self.reference).zip(&self.mix) {
            *cross += reference.conj() * mix;
        }
    }

    /// The whitened correlation; index 0 is the most negative lag.
    fn finish(mut self) -> Vec<f32> {
        let strongest = self.cross.iter().fold(0.0_f32, |strongest, bin| strongest.max(bin.norm()));
        for bin in &mut self.cross {
            let magnitude = bin.norm() / strongest.max(f32::MIN_POSITIVE);
            let kept = if magnitude > FLOOR { magnitude.powf(-WHITENING) / strongest } else { 0.0 };
            *bin *= kept;
        }
        self.transform.inverse(&mut self.cross, &mut self.time);
        self.time
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tributary_dsp::filter::{Coefficients, StereoBiquad};

    /// Noise with a falling spectrum, as music has; a different one per channel.
    fn noise(frames: usize, seed: u64) -> StereoBuffer {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / 8_388_608.0 - 1.0
        };
        let mut audio = StereoBuffer::silence(frames);
        let mut low = [0.0_f32; 2];
        for frame in 0..frames {
            low = [0.95 * low[0] + next(), 0.95 * low[1] + next()];
            (audio.left[frame], audio.right[frame]) = (0.1 * low[0], 0.1 * low[1]);
        }
        audio
    }

    fn processed(audio: &StereoBuffer, lag: i64, sign: f32) -> StereoBuffer {
        let mut filter = StereoBiquad::new(Coefficients::low_shelf(400.0, 6.0, 0.7, 44_100.0));
        let mut out = StereoBuffer::default();
        for frame in -lag..audio.frames() as i64 {
            let at = |samples: &[f32]| usize::try_from(frame).map_or(0.0, |frame| f64::from(samples[frame]));
            let [left, right] = filter.tick([at(&audio.left), 0.5 * at(&audio.right)]);
            out.left.push(sign * left as f32);
            out.right.push(sign * right as f32);
        }
        out
    }

    #[test]
    fn lag_and_polarity_are_found_to_the_sample() {
        let reference = noise(80_000, 1);
        for (lag, sign) in [(0, 1.0), (1, -1.0), (-1, 1.0), (977, 1.0), (-30_011, -1.0), (44_100, -1.0)] {
            let found = align(&reference, &processed(&reference, lag, sign), 88_200);
            assert_eq!(
                (found.lag_frames, found.inverted, found.certain),
                (lag, sign < 0.0, true),
                "{found:?}"
            );
        }
    }

    #[test]
    fn long_songs_align_by_blocks_spread_over_them() {
        let reference = noise(5 * BLOCK_FRAMES / 2, 2);
        let found = align(&reference, &processed(&reference, 12_345, 1.0), 44_100);
        assert_eq!((found.lag_frames, found.certain), (12_345, true));
    }

    #[test]
    fn different_music_and_silence_stay_where_they_are() {
        let found = align(&noise(60_000, 3), &noise(60_000, 4), 44_100);
        assert_eq!((found.lag_frames, found.inverted, found.certain), (0, false, false), "{found:?}");
        let found = align(&noise(60_000, 3), &StereoBuffer::silence(60_000), 44_100);
        assert_eq!((found.lag_frames, found.certain), (0, false), "{found:?}");
        assert_eq!(align(&StereoBuffer::default(), &noise(10, 1), 5), Alignment::NONE);
    }

    #[test]
    fn the_common_part_is_cut_alike() {
        let mix = StereoBuffer::mono((0..10).map(|n| n as f32).collect());
        let late = Alignment { lag_frames: 3, inverted: true, ..Alignment::NONE };
        assert_eq!(late.common(12, 10), 0..7);
        assert_eq!(late.cut(&mix, 5..8).left, [-8.0, -9.0, 0.0]);
        let early = Alignment { lag_frames: -3, ..Alignment::NONE };
        assert_eq!(early.common(12, 10), 3..12);
        assert_eq!(early.cut(&mix, 2..5).left, [0.0, 0.0, 1.0]);
        let beyond = Alignment { lag_frames: 20, ..Alignment::NONE };
        assert!(beyond.common(12, 10).is_empty());
    }
}
