//! The plain sum of the stems: of the normalized ones, what stands in for a mix that is late; of those that come in, what a
//! loudness is compared with.

use tributary_dsp::CHANNELS;

use super::intake::BLOCK_FRAMES;

/// Sums stems, one side at a time.
pub(crate) struct StemSum {
    sides: [Vec<f32>; 2],
}

impl Default for StemSum {
    fn default() -> Self {
        Self { sides: std::array::from_fn(|_| Vec::with_capacity(BLOCK_FRAMES)) }
    }
}

impl StemSum {
    /// The sum of eight planar slices, left and right; lasts until the next.
    pub(crate) fn of(&mut self, stems: [&[f32]; CHANNELS]) -> [&[f32]; 2] {
        for (side, sum) in self.sides.iter_mut().enumerate() {
            sum.clear();
            sum.extend_from_slice(stems[side]);
            for stem in 1..CHANNELS / 2 {
                for (sum, x) in sum.iter_mut().zip(stems[2 * stem + side]) {
                    *sum += x;
                }
            }
        }
        self.sides.each_ref().map(Vec::as_slice)
    }
}
