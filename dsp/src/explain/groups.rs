//! Neighboring bins that share one gain. A third octave at the top is thousands of hertz wide: a stem that comes a fraction
//! of a millisecond late in the mix turns its phase around within it, and an equalizer changes. So groups are narrow, and
//! third octaves are put together from the powers of theirs.

use std::ops::Range;

use crate::effects::equalization::third_octaves::{THIRD_OCTAVES, edge_hz};
use crate::filters::biquad::k_weighting;

/// Widest group in Hz: a stem may come up to a millisecond late before a group loses half a decibel.
const WIDEST_HZ: f64 = 300.0;

/// Bins with one gain.
#[derive(Debug, Clone)]
pub struct Group {
    /// Its bins.
    pub bins: Range<usize>,
    /// The third octave it belongs to.
    pub band: usize,
    /// Power of the K weighting at its center.
    pub loudness_weight: f64,
}

/// All groups of a transform of `length` samples, upward. Bins outside of the third octaves are left out.
pub fn groups(length: usize, sample_rate_hz: f64) -> Vec<Group> {
    let bin_hz = sample_rate_hz / length as f64;
    let weighting = k_weighting(sample_rate_hz);
    let mut groups = Vec::new();
    for band in 0..THIRD_OCTAVES {
        let edge = |band: usize| ((edge_hz(band) / bin_hz).ceil() as usize).clamp(1, length / 2);
        let (first, end) = (edge(band), edge(band + 1));
        let count = ((end - first) as f64 * bin_hz / WIDEST_HZ).ceil() as usize;
        let border = |n: usize| first + n * (end - first) / count;
        for bins in (0..count).map(|n| border(n)..border(n + 1)) {
            let center_hz = 0.5 * (bins.start + bins.end - 1) as f64 * bin_hz;
            let weight = weighting.iter().map(|filter| filter.power_at(center_hz, sample_rate_hz));
            groups.push(Group { bins, band, loudness_weight: weight.product() });
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_follow_each_other_and_stay_narrow() {
        for (length, rate_hz) in [(8_192, 44_100.0), (8_192, 32_000.0), (16_384, 96_000.0)] {
            let groups = groups(length, rate_hz);
            assert!(groups.windows(2).all(|pair| pair[0].bins.end == pair[1].bins.start));
            let bin_hz = rate_hz / length as f64;
            assert!(groups.iter().all(|group| !group.bins.is_empty()));
            assert!(groups.iter().all(|group| group.bins.len() as f64 * bin_hz < WIDEST_HZ + bin_hz));
            assert!(groups[0].bins.start as f64 * bin_hz >= edge_hz(0));
            assert!((60..130).contains(&groups.len()), "{}", groups.len());
        }
    }
}
