//! Onsets: the high-frequency-content detector of aubio 0.4.9 with its default settings, one frame per hop and no
//! overlap, as the released code runs it. The dynamics feature is defined by where this detector fires, so its
//! peculiarities (filter coefficients that aubio itself calls wrong, a delay of 4.3 hops) are part of the method.

use realfft::num_complex::Complex32;

use crate::analysis::spectra::PADDING_FRAMES;
use crate::filters::transform::RealTransform;
use crate::hop::HOP_FRAMES;

/// Frames by which a report is dated back: 4.3 hops, whatever the rate.
const DELAY_FRAMES: i64 = 4403;
/// Least distance between onsets: 2,205 frames at 44.1 kHz.
const SHORTEST_GAP_SECONDS: f64 = 0.05;
const SILENCE_DB: f64 = -70.0;
const MEAN_FACTOR: f32 = 0.058;
const KEPT: usize = 7;
const SMOOTHER_B: [f64; 3] = [0.15998789, 0.31997577, 0.15998789];
const SMOOTHER_A: [f64; 2] = [0.23484048, 0.0];

/// Detects onsets hop by hop.
#[derive(Debug)]
pub(crate) struct OnsetDetector {
    window: Vec<f32>,
    time: Vec<f32>,
    bins: Vec<Complex32>,
    transform: RealTransform,
    recent: [f32; KEPT],
    thresholded: [f32; 3],
    position: i64,
    last: i64,
    shortest_gap_frames: i64,
}

impl OnsetDetector {
    /// Starts before the first frame of a stream, as if the reference's padding had just passed.
    pub fn new(sample_rate_hz: f64) -> Self {
        let step = std::f64::consts::TAU / HOP_FRAMES as f64;
        Self {
            window: (0..HOP_FRAMES).map(|n| (0.5 * (1.0 - (step * n as f64).cos())) as f32).collect(),
            time: vec![0.0; HOP_FRAMES],
            bins: vec![Complex32::default(); HOP_FRAMES / 2 + 1],
            transform: RealTransform::new(HOP_FRAMES),
            recent: [0.0; KEPT],
            thresholded: [0.0; 3],
            position: PADDING_FRAMES as i64,
            last: 0,
            shortest_gap_frames: (SHORTEST_GAP_SECONDS * sample_rate_hz).round() as i64,
        }
    }

    /// Takes in the next hop; the frame of an onset, counted from the start of the stream, when one is found. It lies
    /// three to five hops back and, for an onset at the very start, may be negative.
    pub fn listen(&mut self, samples: &[f32; HOP_FRAMES]) -> Option<i64> {
        let content = self.high_frequency_content(samples);
        let found = self.pick(content).filter(|_| !is_silent(samples)).and_then(|offset| self.accept(offset));
        self.position += HOP_FRAMES as i64;
        found
    }

    /// Sum over bins of (bin + 1) ln(1 + magnitude).
    fn high_frequency_content(&mut self, samples: &[f32; HOP_FRAMES]) -> f32 {
        for ((time, sample), window) in self.time.iter_mut().zip(samples).zip(&self.window) {
            *time = sample * window;
        }
        self.transform.forward(&mut self.time, &mut self.bins);
        const LN_PER_DB: f32 = std::f32::consts::LN_10 / 20.0;
        let mut partial = [0f32; 4];
        let mut place = [1.0, 2.0, 3.0, 4.0];
        let quads = self.bins.chunks_exact(4);
        let last = quads
            .remainder()
            .first()
            .map_or(0.0, |bin| (self.bins.len() as f32) * (1.0 + bin.norm_sqr().sqrt()).ln());
        for quad in quads {
            for lane in 0..4 {
                let magnitude = quad[lane].norm_sqr().sqrt();
                partial[lane] += place[lane] * crate::units::fast_db(1.0 + magnitude) * LN_PER_DB;
                place[lane] += 4.0;
            }
        }
        partial.iter().sum::<f32>() + last
    }

    /// Peak picking over the last seven values; the peak's place in hops, relative to the middle one of the last three.
    fn pick(&mut self, newest: f32) -> Option<f64> {
        self.recent.rotate_left(1);
        self.recent[KEPT - 1] = newest;
        let mut smooth = self.recent;
        smooth_once(&mut smooth);
        smooth.reverse();
        smooth_once(&mut smooth);
        smooth.reverse();
        let mean = smooth.iter().sum::<f32>() / KEPT as f32;
        let mut sorted = smooth;
        sorted.sort_unstable_by(f32::total_cmp);
        self.thresholded.rotate_left(1);
        self.thresholded[2] = smooth[KEPT - 2] - sorted[KEPT / 2] - mean * MEAN_FACTOR;
        let [before, peak, after] = self.thresholded;
        let is_peak = peak > before && peak > after && peak > 0.0;
        is_peak.then(|| {
            let (before, peak, after) = (f64::from(before), f64::from(peak), f64::from(after));
            1.0 + 0.5 * (before - after) / (before - 2.0 * peak + after)
        })
    }

    fn accept(&mut self, offset: f64) -> Option<i64> {
        let candidate = self.position + (offset * HOP_FRAMES as f64).round() as i64;
        if self.last + self.shortest_gap_frames >= candidate {
            return None;
        }
        self.last = candidate.max(DELAY_FRAMES);
        Some(self.last - DELAY_FRAMES - PADDING_FRAMES as i64)
    }

    /// Back to the state after construction.
    pub fn reset(&mut self) {
        self.recent = [0.0; KEPT];
        self.thresholded = [0.0; 3];
        self.position = PADDING_FRAMES as i64;
        self.last = 0;
    }
}

fn is_silent(samples: &[f32; HOP_FRAMES]) -> bool {
    let power: f64 = samples.iter().map(|sample| f64::from(sample * sample)).sum();
    10.0 * (power / HOP_FRAMES as f64).max(1e-30).log10() < SILENCE_DB
}

/// One pass of aubio's second-order smoother from rest.
fn smooth_once(values: &mut [f32; KEPT]) {
    let (mut x, mut y) = ([0f64; 2], [0f64; 2]);
    for value in values {
        let input = f64::from(*value);
        let output = SMOOTHER_B[0] * input + SMOOTHER_B[1] * x[0] + SMOOTHER_B[2] * x[1]
            - SMOOTHER_A[0] * y[0]
            - SMOOTHER_A[1] * y[1];
        x = [input, x[0]];
        y = [output, y[0]];
        *value = output as f32;
    }
}

/// All onsets of a complete channel, in frames from its start.
pub fn onsets(samples: &[f32], sample_rate_hz: f64) -> Vec<i64> {
    let mut detector = OnsetDetector::new(sample_rate_hz);
    let mut frame = [0.0; HOP_FRAMES];
    let mut found = Vec::new();
    for chunk in samples.chunks(HOP_FRAMES) {
        frame.fill(0.0);
        frame[..chunk.len()].copy_from_slice(chunk);
        found.extend(detector.listen(&frame));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bursts_are_found_where_they_begin() {
        let starts = [20_000usize, 60_000, 99_000];
        let mut samples = vec![0.0f32; 140_000];
        for start in starts {
            for n in 0..8_000 {
                let noise = ((n * 7919 % 1009) as f32 / 504.5 - 1.0) * (-(n as f32) / 2_000.0).exp();
                samples[start + n] = 0.3 * noise;
            }
        }
        let found = onsets(&samples, 44_100.0);
        assert_eq!(found.len(), starts.len(), "{found:?}");
        for (onset, start) in found.iter().zip(starts) {
            assert!((onset - start as i64).abs() < 2 * HOP_FRAMES as i64, "{onset} {start}");
        }
        assert!(onsets(&vec![0.0; 50_000], 44_100.0).is_empty());
    }

    #[test]
    fn onsets_lie_fifty_milliseconds_apart_at_any_rate() {
        for rate_hz in [44_100.0, 48_000.0, 96_000.0] {
            let mut detector = OnsetDetector::new(rate_hz);
            let mut accepts_after = |seconds: f64| {
                detector.position = detector.last + (seconds * rate_hz) as i64;
                detector.accept(0.0).is_some()
            };
            assert!(accepts_after(1.0));
            assert!(!accepts_after(0.045), "{rate_hz} Hz");
            assert!(accepts_after(0.055), "{rate_hz} Hz");
        }
    }
}
