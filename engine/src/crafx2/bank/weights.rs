//! The filters of a network's ends, found in its front end's graph: whoever exported it, they are the two sets of numbers
//! of which one makes bands from channels and one smooths them. That they are used as the bank uses them is not read but
//! proved (`super::super::ends`).

use tributary_dsp::{CHANNELS, Stem};

use crate::onnx::initializers::Initializer;

/// All that both ends hold. Both lists are planar.
pub(crate) struct EndWeights {
    pub(super) filters: usize,
    /// (filters, channels, taps).
    pub(super) analysis: Vec<f32>,
    pub(super) taps: usize,
    /// (filters, smoothing taps).
    pub(super) smoothing: Vec<f32>,
    pub(super) smoothing_taps: usize,
}

impl EndWeights {
    /// Finds them among a graph's numbers; `None` when there are none, or several that could be.
    pub(crate) fn find(numbers: &[Initializer], filters: usize) -> Option<Self> {
        let only = |wanted: &dyn Fn(&[usize]) -> bool| {
            let mut found = numbers.iter().filter(|numbers| wanted(&numbers.sizes));
            found.next().filter(|_| found.next().is_none())
        };
        let smoothing = only(&|sizes| matches!(*sizes, [rows, 1, 1, taps] if rows == filters && taps > 1))?;
        let dense = only(&|sizes| matches!(*sizes, [rows, CHANNELS, 1, _] if rows == filters));
        let bands = filters / CHANNELS;
        let shared =
            only(&|sizes| matches!(*sizes, [rows, 1, 1, _] if rows == bands && bands * CHANNELS == filters));
        let (analysis, taps) = match (dense, shared) {
            (Some(dense), None) => (dense.values.clone(), dense.sizes[3]),
            (None, Some(shared)) => (of_middles_and_sides(&shared.values, shared.sizes[3]), shared.sizes[3]),
            _ => return None,
        };
        let smoothing_taps = smoothing.sizes[3];
        Some(Self { filters, analysis, taps, smoothing: smoothing.values.clone(), smoothing_taps })
    }
}

/// A bank (bands, taps) that hears middle and side of every stem, as filters (stems · 2 · bands, channels, taps).
fn of_middles_and_sides(bank: &[f32], taps: usize) -> Vec<f32> {
    let mut analysis = Vec::with_capacity(CHANNELS * CHANNELS * bank.len());
    for stem in 0..Stem::COUNT {
        for sign in [1.0, -1.0] {
            for filter in bank.chunks_exact(taps) {
                for channel in 0..CHANNELS {
                    let gain = match (channel / 2 == stem, channel % 2) {
                        (false, _) => 0.0,
                        (true, 0) => 1.0,
                        (true, _) => sign,
                    };
                    analysis.extend(filter.iter().map(|tap| gain * tap));
                }
            }
        }
    }
    analysis
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(sizes: &[usize]) -> Initializer {
        let count = sizes.iter().product();
        Initializer { sizes: sizes.to_vec(), values: (0..count).map(|n| n as f32 + 1.0).collect() }
    }

    #[test]
    fn dense_and_shared_filters_are_found_and_nothing_else() {
        let dense = EndWeights::find(&[numbers(&[6, 1, 1, 129]), numbers(&[6, 8, 1, 5])], 6).expect("dense");
        assert_eq!((dense.taps, dense.analysis.len(), dense.smoothing_taps), (5, 6 * 8 * 5, 129));
        let shared =
            EndWeights::find(&[numbers(&[16, 1, 1, 129]), numbers(&[2, 1, 1, 3])], 16).expect("shared");
        // Filter 7 is the second of the bank on the second stem's side.
        let filter = &shared.analysis[7 * 8 * 3..][..8 * 3];
        assert_eq!(filter[2 * 3..4 * 3], [4.0, 5.0, 6.0, -4.0, -5.0, -6.0]);
        assert!(filter[..6].iter().chain(&filter[12..]).all(|&tap| tap == 0.0));
        assert!(EndWeights::find(&[numbers(&[6, 1, 1, 129])], 6).is_none());
        assert!(
            EndWeights::find(&[numbers(&[6, 1, 1, 9]), numbers(&[6, 1, 1, 9]), numbers(&[6, 8, 1, 5])], 6)
                .is_none()
        );
    }
}
