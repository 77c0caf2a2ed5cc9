//! Bands to latent frames: rectified, smoothed by a filter of each band's own, and of every latent frame the maximum. The
//! smoothing is a convolution by overlap-save whose result goes straight into the maximum and nowhere else. With the same
//! pass the mean level of every latent frame is taken.

use pulp::Simd;

use super::lanes::{Aligned, Block, Packed};
use super::spectra::Spectra;
use super::transform::{POINTS, Transform, conjugate_multiply_add, multiply_add};
use super::weights::EndWeights;
use crate::bundle::contract::FRAME_RATIO;

/// Frames before its own, and behind, that a smoothing filter may see: a latent frame on either side.
pub(super) const SMOOTHING_TAPS: usize = 2 * FRAME_RATIO + 1;

/// Frames that a block gives.
const STRIDE: usize = (POINTS - SMOOTHING_TAPS + 1) / FRAME_RATIO * FRAME_RATIO;

/// The filters, of every place four vectors: the mean of both halves' spectra, and half their difference, which is what
/// becomes of the opposite frequency because two signals ride in one.
pub(super) struct Smoothing {
    packs: Vec<Aligned>,
    filters: usize,
}

impl Smoothing {
    pub(super) fn new(weights: &EndWeights, spectra: &Spectra, lanes: usize) -> Self {
        let taps = weights.smoothing_taps;
        let filter = |number: usize| weights.smoothing.get(number * taps..(number + 1) * taps).unwrap_or(&[]);
        let packs = (0..weights.filters.div_ceil(2 * lanes)).map(|pack| {
            let mut packed = Aligned::zeros(POINTS * 4 * lanes);
            for lane in 0..lanes {
                let [first, second] = [lane, lanes + lane]
                    .map(|lane| spectra.reversed(filter(pack * 2 * lanes + lane).iter().copied()));
                for (place, (first, second)) in first.iter().zip(&second).enumerate() {
                    let (mean, half) = ((first + second) / 2.0, (first - second) / 2.0);
                    for (nth, value) in [mean.re, mean.im, half.re, half.im].into_iter().enumerate() {
                        packed.samples_mut()[(place * 4 + nth) * lanes + lane] = value as f32;
                    }
                }
            }
            packed
        });
        Self { packs: packs.collect(), filters: weights.filters }
    }

    /// Bands, a latent frame more on either side than `latent` and `level` (filters, latent frames) have.
    #[inline(always)]
    pub(super) fn run<S: Simd>(
        &self,
        simd: S,
        transform: &Transform,
        block: &mut Block,
        bands: &Packed,
        latent: &mut [f32],
        level: &mut [f32],
    ) {
        let (width, columns) = (2 * S::F32_LANES, bands.frames / FRAME_RATIO - 2);
        for (number, spectra) in self.packs.iter().enumerate() {
            let filters = number * width..self.filters.min((number + 1) * width);
            for from in (0..columns * FRAME_RATIO).step_by(STRIDE) {
                let rectified = &bands.pack::<S>(number)[2 * from..];
                let first = from / FRAME_RATIO;
                let count = (STRIDE / FRAME_RATIO).min(columns - first);
                let levels = rectify(simd, rectified, block);
                let (re, im) = block.vectors_mut::<S>();
                transform.forward(simd, re, im);
                smooth(simd, transform, spectra.vectors::<S>(), re, im);
                transform.inverse(simd, re, im);
                for column in 0..count {
                    let frames = column * FRAME_RATIO..(column + 1) * FRAME_RATIO;
                    let largest = [&re[frames.clone()], &im[frames]].map(|frames| largest(simd, frames));
                    let levels = levels[column + 1];
                    for (lane, filter) in filters.clone().enumerate() {
                        let (part, lane) = (lane / S::F32_LANES, lane % S::F32_LANES);
                        let at = filter * columns + first + column;
                        latent[at] = softplus(as_samples::<S>(&largest[part])[lane]);
                        level[at] = as_samples::<S>(&levels[part])[lane] / FRAME_RATIO as f32;
                    }
                }
            }
        }
    }
}

/// A block of bands without their signs, silence behind their end; returns the sums of the block's latent frames.
#[inline(always)]
fn rectify<S: Simd>(simd: S, bands: &[S::f32s], block: &mut Block) -> [[S::f32s; 2]; POINTS / FRAME_RATIO] {
    let (re, im) = block.vectors_mut::<S>();
    let mut sums = [[simd.splat_f32s(0.0); 2]; POINTS / FRAME_RATIO];
    let columns = re.chunks_exact_mut(FRAME_RATIO).zip(im.chunks_exact_mut(FRAME_RATIO));
    for (column, ((re, im), sums)) in columns.zip(&mut sums).enumerate() {
        let Some(bands) = bands.get(2 * column * FRAME_RATIO..2 * (column + 1) * FRAME_RATIO) else {
            re.fill(simd.splat_f32s(0.0));
            im.fill(simd.splat_f32s(0.0));
            continue;
        };
        for ((re, im), bands) in re.iter_mut().zip(im).zip(bands.chunks_exact(2)) {
            (*re, *im) = (simd.abs_f32s(bands[0]), simd.abs_f32s(bands[1]));
            *sums = [simd.add_f32s(sums[0], *re), simd.add_f32s(sums[1], *im)];
        }
    }
    sums
}

/// Spectra times the filters'.
#[inline(always)]
fn smooth<S: Simd>(
    simd: S,
    transform: &Transform,
    filters: &[S::f32s],
    re: &mut [S::f32s],
    im: &mut [S::f32s],
) {
    let (filters, re, im) = (&filters[..4 * POINTS], &mut re[..POINTS], &mut im[..POINTS]);
    for (place, opposite) in transform.pairs() {
        let (there, back) = ((re[place], im[place]), (re[opposite], im[opposite]));
        for (at, own, other) in [(place, there, back), (opposite, back, there)] {
            let filter = &filters[4 * at..4 * at + 4];
            let own = multiply_add(simd, None, own, (filter[0], filter[1]));
            (re[at], im[at]) = conjugate_multiply_add(simd, own, other, (filter[2], filter[3]));
        }
    }
}

#[inline(always)]
fn largest<S: Simd>(simd: S, frames: &[S::f32s]) -> S::f32s {
    frames.iter().fold(simd.splat_f32s(f32::NEG_INFINITY), |largest, &frame| simd.max_f32s(largest, frame))
}

/// The lanes of a vector.
#[inline(always)]
fn as_samples<S: Simd>(vector: &S::f32s) -> &[f32] {
    pulp::bytemuck::cast_slice(std::slice::from_ref(vector))
}

/// ln(1 + eˣ) without overflow; of silence exactly ln 2.
fn softplus(x: f32) -> f32 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn softplus_is_smooth_and_bounded() {
        assert_eq!(softplus(0.0), std::f32::consts::LN_2);
        assert_eq!(softplus(100.0), 100.0);
        assert!(softplus(-100.0) < 1e-40);
        assert!((softplus(1.0) - 1.313_261_7).abs() < 1e-6);
    }
}
