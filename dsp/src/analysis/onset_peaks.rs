//! Onset peaks of one channel, hop by hop: the largest sample between one onset and the next. Onsets are reported up to
//! four hops late, so that many are kept; nothing else of the audio is.

use crate::analysis::onsets::OnsetDetector;
use crate::hop::HOP_FRAMES;
use crate::units::db_from_gain;

/// Hops that an onset report can still cut, and a few to spare.
const KEPT_HOPS: usize = 8;

/// Collects the peaks of one channel.
#[derive(Debug)]
pub struct OnsetPeaks {
    detector: OnsetDetector,
    recent: Box<[[f32; HOP_FRAMES]; KEPT_HOPS]>,
    heard_frames: usize,
    folded_frames: usize,
    segment: Option<f32>,
    onsets: Vec<i64>,
    peaks_db: Vec<f64>,
}

impl OnsetPeaks {
    /// Nothing heard.
    pub fn new(sample_rate_hz: f64) -> Self {
        Self {
            detector: OnsetDetector::new(sample_rate_hz),
            recent: Box::new([[0.0; HOP_FRAMES]; KEPT_HOPS]),
            heard_frames: 0,
            folded_frames: 0,
            segment: None,
            onsets: Vec::new(),
            peaks_db: Vec::new(),
        }
    }

    /// Takes in the next hop; a last, shorter one is filled up with zeros.
    pub fn listen(&mut self, samples: &[f32; HOP_FRAMES]) {
        self.recent[self.heard_frames / HOP_FRAMES % KEPT_HOPS] = *samples;
        self.heard_frames += HOP_FRAMES;
        if let Some(onset) = self.detector.listen(samples) {
            self.fold(onset.max(0) as usize);
            self.peaks_db.extend(self.segment.replace(0.0).map(level_db));
            self.onsets.push(onset);
        }
        // Make room for the next hop.
        self.fold(self.heard_frames.saturating_sub((KEPT_HOPS - 1) * HOP_FRAMES));
    }

    /// Moves the frames before `end` into the current segment.
    fn fold(&mut self, end: usize) {
        while self.folded_frames < end {
            let first = self.folded_frames % HOP_FRAMES;
            let count = (end - self.folded_frames).min(HOP_FRAMES - first);
            let hop = &self.recent[self.folded_frames / HOP_FRAMES % KEPT_HOPS];
            if let Some(peak) = &mut self.segment {
                *peak = peak.max(largest(&hop[first..first + count]));
            }
            self.folded_frames += count;
        }
    }

    /// Ends the channel: the onsets, in frames from its start, and the level of each one's peak in dB.
    pub fn finish(mut self) -> (Vec<i64>, Vec<f64>) {
        self.fold(self.heard_frames);
        self.peaks_db.extend(self.segment.map(level_db));
        (self.onsets, self.peaks_db)
    }

    /// Ends the channel: mean and deviation of the loudest quarter of peaks in dB; `None` without onsets.
    pub fn loudest(self) -> Option<[f64; 2]> {
        loudest_quarter(&mut self.finish().1)
    }
}

/// Mean and population standard deviation of the values strictly above their 75th percentile (linear interpolation); of
/// all values when none is above.
pub fn loudest_quarter(values: &mut [f64]) -> Option<[f64; 2]> {
    if values.is_empty() {
        return None;
    }
    values.sort_unstable_by(f64::total_cmp);
    let place = 0.75 * (values.len() - 1) as f64;
    let (low, fraction) = (place as usize, place.fract());
    let high = (low + 1).min(values.len() - 1);
    let percentile = values[low] + (values[high] - values[low]) * fraction;
    let first = values.partition_point(|value| *value <= percentile);
    let kept = if first < values.len() { &values[first..] } else { &*values };
    let mean = kept.iter().sum::<f64>() / kept.len() as f64;
    let variance = kept.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / kept.len() as f64;
    Some([mean, variance.sqrt()])
}

fn level_db(peak: f32) -> f64 {
    db_from_gain(f64::from(peak))
}

/// Largest magnitude; eight lanes let the loop vectorize.
fn largest(samples: &[f32]) -> f32 {
    let mut lanes = [0f32; 8];
    let chunks = samples.chunks_exact(8);
    let rest = chunks.remainder().iter().fold(0f32, |peak, sample| peak.max(sample.abs()));
    for chunk in chunks {
        lanes.iter_mut().zip(chunk).for_each(|(lane, sample)| *lane = lane.max(sample.abs()));
    }
    lanes.into_iter().fold(rest, f32::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loudest_quarter_lies_strictly_above_the_percentile() {
        let mut values: Vec<f64> = (1..=9).map(f64::from).collect();
        assert_eq!(loudest_quarter(&mut values), Some([8.5, 0.5]));
        assert_eq!(loudest_quarter(&mut [3.0, 3.0]), Some([3.0, 0.0]));
        assert_eq!(loudest_quarter(&mut []), None);
    }

    #[test]
    fn peaks_lie_between_onsets_and_survive_any_distance() {
        // Bursts whose peak comes late, one followed by ten seconds without an onset.
        let mut samples = vec![0f32; 44 * 10 * HOP_FRAMES];
        for (start, level) in [(20_000usize, 0.5f32), (60_000, 0.25), (90_000, 0.125)] {
            for n in 0..9_000 {
                let noise = (n * 7919 % 1009) as f32 / 504.5 - 1.0;
                samples[start + n] = 0.3 * level * noise * (-(n as f32) / 2_000.0).exp();
            }
            samples[start + 6_500] = level;
        }
        let mut peaks = OnsetPeaks::new(44_100.0);
        samples.chunks_exact(HOP_FRAMES).for_each(|hop| peaks.listen(hop.try_into().expect("a hop")));
        let (onsets, peaks_db) = peaks.finish();
        assert_eq!(onsets, crate::analysis::onsets::onsets(&samples, 44_100.0));
        let wanted: Vec<f64> = [0.5f32, 0.25, 0.125].map(level_db).to_vec();
        assert!(wanted.iter().all(|level| peaks_db.contains(level)), "{peaks_db:?}");
        assert_eq!(onsets.len(), peaks_db.len());
    }
}
