//! Masked bands to the mix: every band through its filters for left and right, all of it added up, by overlap-save. The sum
//! is taken of the spectra, left and right in one complex signal, so a single short transform makes the mix of all bands.
//! Packs that go through the same filters – those of different stems in a bank they share – are added before.

use std::ops::Range;

use pulp::{Scalar, Simd};
use rustfft::num_complex::Complex;
use tributary_dsp::{CHANNELS, Stem};

use super::lanes::{Aligned, Block, Packed};
use super::spectra::Spectra;
use super::transform::{POINTS, Transform, conjugate_multiply_add, multiply_add};
use super::weights::EndWeights;
use crate::bundle::contract::FRAME_RATIO;

/// The filters.
pub(super) struct Synthesis {
    taps: usize,
    /// Frames before its own that a band's frame sounds in.
    after: usize,
    /// Frames that a block gives.
    stride: usize,
    groups: Vec<Group>,
}

/// Packs through the same filters.
struct Group {
    packs: Vec<usize>,
    /// Of every place four vectors: what the frequency itself is multiplied with, and what the opposite one is.
    spectra: Aligned,
}

/// Where the frames of a stretch of bands lie.
pub(crate) struct Stretch<'a> {
    /// Runs of the front end, oldest first: their bands, and which frames of them belong to the stretch. None: silence.
    pub(crate) runs: Vec<(Option<&'a Packed>, Range<usize>)>,
}

/// What one thread needs to work.
pub(super) struct SynthesisScratch {
    masked: Block,
    sums: Block,
    mix: [Vec<f32>; 2],
    /// Of every pack and column the mask of its filters.
    mask: Aligned,
}

impl SynthesisScratch {
    pub(super) fn new(lanes: usize) -> Self {
        Self {
            masked: Block::new(POINTS, lanes),
            sums: Block::new(POINTS, lanes),
            mix: [vec![0.0; POINTS], vec![0.0; POINTS]],
            mask: Aligned::zeros(0),
        }
    }

    /// Takes over a mask (filters, columns).
    pub(super) fn take_mask(&mut self, mask: &[f32], filters: usize, width: usize) {
        let columns = mask.len() / filters;
        self.mask.reserve(filters.div_ceil(width) * columns * width);
        let samples = self.mask.samples_mut();
        for (filter, row) in mask.chunks_exact(columns).enumerate() {
            let from = filter / width * columns * width + filter % width;
            samples[from..].iter_mut().step_by(width).zip(row).for_each(|(to, &mask)| *to = mask);
        }
    }
}

impl Synthesis {
    pub(super) fn new(weights: &EndWeights, spectra: &Spectra, lanes: usize) -> Self {
        let taps = weights.taps;
        let mut groups: Vec<Group> = Vec::new();
        for pack in 0..weights.filters.div_ceil(2 * lanes) {
            let packed = pack_spectra(weights, spectra, lanes, pack);
            match groups.iter_mut().find(|group| group.spectra.samples() == packed.samples()) {
                Some(group) => group.packs.push(pack),
                None => groups.push(Group { packs: vec![pack], spectra: packed }),
            }
        }
        let stride = (POINTS - taps + 1) / FRAME_RATIO * FRAME_RATIO;
        Self { taps, after: taps - 1 - (taps - 1) / 2, stride, groups }
    }

    /// A stretch of bands, a latent frame more on either side than the mix, to both sides of `mix` before the tanh. Its mask
    /// of so many columns was taken before.
    #[inline(always)]
    pub(super) fn run<S: Simd>(
        &self,
        simd: S,
        transform: &Transform,
        scratch: &mut SynthesisScratch,
        stretch: &Stretch<'_>,
        columns: usize,
        [left, right]: [&mut [f32]; 2],
    ) {
        let blocks = left.chunks_mut(self.stride).zip(right.chunks_mut(self.stride));
        for (number, (left, right)) in blocks.enumerate() {
            let from = FRAME_RATIO - self.after + number * self.stride;
            let (sum_re, sum_im) = scratch.sums.vectors_mut::<S>();
            sum_re.fill(simd.splat_f32s(0.0));
            sum_im.fill(simd.splat_f32s(0.0));
            for group in &self.groups {
                let (re, im) = scratch.masked.vectors_mut::<S>();
                re.fill(simd.splat_f32s(0.0));
                im.fill(simd.splat_f32s(0.0));
                for &pack in &group.packs {
                    let mask = &scratch.mask.vectors::<S>()[pack * columns * 2..][..columns * 2];
                    stretch.add_masked(simd, pack, from, mask, re, im);
                }
                transform.forward(simd, re, im);
                group.add_filtered(simd, transform, (re, im), (sum_re, sum_im));
            }
            let [mix_left, mix_right] = &mut scratch.mix;
            for (mix, sums) in [(&mut *mix_left, &*sum_re), (&mut *mix_right, &*sum_im)] {
                mix.iter_mut().zip(sums).for_each(|(mix, &sum)| *mix = simd.reduce_sum_f32s(sum));
            }
            transform.inverse(Scalar::new(), mix_left, mix_right);
            for (side, mix) in [(left, mix_left), (right, mix_right)] {
                side.copy_from_slice(&mix[self.taps - 1..][..side.len()]);
            }
        }
    }
}

/// What a pack's spectra are multiplied with.
fn pack_spectra(weights: &EndWeights, spectra: &Spectra, lanes: usize, pack: usize) -> Aligned {
    let taps = weights.taps;
    // Left in the real and right in the imaginary part: what a filter sends to both sides, over all stems.
    let sides = |number: usize| -> Vec<Complex<f64>> {
        let [left, right] = [0, 1].map(|side| {
            let tap = |tap: usize| {
                let of_stem = |stem: usize| {
                    weights
                        .analysis
                        .get((number * CHANNELS + 2 * stem + side) * taps + tap)
                        .copied()
                        .unwrap_or(0.0)
                };
                (0..Stem::COUNT).map(of_stem).sum()
            };
            spectra.of((0..taps).map(tap))
        });
        left.iter().zip(&right).map(|(left, right)| left + Complex::<f64>::i() * right).collect()
    };
    let mut packed = Aligned::zeros(POINTS * 4 * lanes);
    for lane in 0..lanes {
        let [first, second] = [lane, lanes + lane].map(|lane| sides(pack * 2 * lanes + lane));
        for (place, (first, second)) in first.iter().zip(&second).enumerate() {
            let turned = Complex::<f64>::i() * second;
            let (own, opposite): (Complex<f64>, Complex<f64>) =
                ((first - turned) / 2.0, (first + turned) / 2.0);
            for (nth, value) in [own.re, own.im, opposite.re, opposite.im].into_iter().enumerate() {
                packed.samples_mut()[(place * 4 + nth) * lanes + lane] = value as f32;
            }
        }
    }
    packed
}

impl Stretch<'_> {
    /// Adds a pack's bands times their mask, from a frame of the stretch on, as far as both reach.
    #[inline(always)]
    fn add_masked<S: Simd>(
        &self,
        simd: S,
        pack: usize,
        from: usize,
        mask: &[S::f32s],
        re: &mut [S::f32s],
        im: &mut [S::f32s],
    ) {
        let mut at = 0;
        for (packed, frames) in &self.runs {
            let (begins, ends) = (at.max(from), (at + frames.len()).min(from + POINTS));
            if let Some(packed) = packed
                && begins < ends
            {
                let bands =
                    &packed.pack::<S>(pack)[2 * (frames.start + begins - at)..2 * (frames.start + ends - at)];
                let mut done = begins;
                while done < ends {
                    let column = done / FRAME_RATIO;
                    let until = ends.min((column + 1) * FRAME_RATIO);
                    let mask = [mask[2 * column], mask[2 * column + 1]];
                    let bands = bands[2 * (done - begins)..2 * (until - begins)].chunks_exact(2);
                    let (re, im) = (&mut re[done - from..until - from], &mut im[done - from..until - from]);
                    for ((re, im), band) in re.iter_mut().zip(im).zip(bands) {
                        *re = simd.mul_add_e_f32s(band[0], mask[0], *re);
                        *im = simd.mul_add_e_f32s(band[1], mask[1], *im);
                    }
                    done = until;
                }
            }
            at += frames.len();
        }
    }
}

impl Group {
    /// Adds spectra times the filters' to `sums`.
    #[inline(always)]
    fn add_filtered<S: Simd>(
        &self,
        simd: S,
        transform: &Transform,
        (re, im): (&[S::f32s], &[S::f32s]),
        (sum_re, sum_im): (&mut [S::f32s], &mut [S::f32s]),
    ) {
        let filters = &self.spectra.vectors::<S>()[..4 * POINTS];
        let (re, im) = (&re[..POINTS], &im[..POINTS]);
        let (sum_re, sum_im) = (&mut sum_re[..POINTS], &mut sum_im[..POINTS]);
        for place in 0..POINTS {
            let opposite = transform.opposite(place);
            let filter = &filters[4 * place..4 * place + 4];
            let sum = (sum_re[place], sum_im[place]);
            let sum = multiply_add(simd, Some(sum), (re[place], im[place]), (filter[0], filter[1]));
            (sum_re[place], sum_im[place]) =
                conjugate_multiply_add(simd, sum, (re[opposite], im[opposite]), (filter[2], filter[3]));
        }
    }
}
