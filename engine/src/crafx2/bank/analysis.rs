//! Stems to bands: every filter on every channel it hears, by overlap-save. The spectra of the channels are multiplied with
//! those of the filters, of several blocks at once, because there are more filters than a cache holds; one transform back
//! makes the bands of a whole pack. What a filter does not hear is not computed: in a bank of middles and sides six of
//! eight channels.

use pulp::Simd;
use tributary_dsp::CHANNELS;

use super::lanes::{Aligned, Block, Packed};
use super::spectra::Spectra;
use super::transform::{Complex, POINTS, Transform, multiply_add};
use super::weights::EndWeights;
use crate::bundle::contract::{FRAME_RATIO, SPLIT_MARGIN_FRAMES as MARGIN};

/// Blocks that are multiplied at once. Their sums and the filter at hand fit into 16 registers, and a piece of a hop is twice
/// as long.
const BLOCKS: usize = 5;

/// Channels of all blocks that are transformed together.
const SIGNALS: usize = BLOCKS * CHANNELS;

/// The filters.
pub(super) struct Analysis {
    /// Frames before its own that a filter sees.
    before: usize,
    /// Frames that a block gives.
    stride: usize,
    packs: Vec<Pack>,
}

struct Pack {
    /// What its filters hear.
    channels: Vec<usize>,
    /// Of every place and every one of those channels, real and imaginary parts: the first half's spectra and the second
    /// half's, turned by a quarter, in one.
    spectra: Aligned,
}

/// What one thread needs to work.
pub(super) struct AnalysisScratch {
    signals: Block,
    /// Spectra of the channels: of every place all signals, real parts and imaginary ones.
    heard: [Vec<f32>; 2],
    bands: Vec<Block>,
}

impl AnalysisScratch {
    pub(super) fn new(lanes: usize) -> Self {
        let room = SIGNALS.next_multiple_of(2 * lanes) * POINTS;
        Self {
            signals: Block::new(POINTS, lanes),
            heard: [vec![0.0; room], vec![0.0; room]],
            bands: (0..BLOCKS).map(|_| Block::new(POINTS, lanes)).collect(),
        }
    }
}

impl Analysis {
    pub(super) fn new(weights: &EndWeights, spectra: &Spectra, lanes: usize) -> Self {
        let taps = weights.taps;
        let filter = |filter: usize, channel: usize| -> &[f32] {
            let from = (filter * CHANNELS + channel) * taps;
            weights.analysis.get(from..from + taps).unwrap_or(&[])
        };
        let packs = (0..weights.filters.div_ceil(2 * lanes)).map(|pack| {
            let filters = pack * 2 * lanes..(pack + 1) * 2 * lanes;
            let hears = |&channel: &usize| {
                filters.clone().any(|number| filter(number, channel).iter().any(|&tap| tap != 0.0))
            };
            let channels: Vec<usize> = (0..CHANNELS).filter(hears).collect();
            let mut packed = Aligned::zeros(POINTS * channels.len() * 2 * lanes);
            for lane in 0..lanes {
                for (nth, &channel) in channels.iter().enumerate() {
                    let [first, second] = [filters.start + lane, filters.start + lanes + lane]
                        .map(|number| spectra.reversed(filter(number, channel).iter().copied()));
                    for (place, (first, second)) in first.iter().zip(&second).enumerate() {
                        let at = (place * channels.len() + nth) * 2 * lanes + lane;
                        packed.samples_mut()[at] = (first.re - second.im) as f32;
                        packed.samples_mut()[at + lanes] = (first.im + second.re) as f32;
                    }
                }
            }
            Pack { channels, spectra: packed }
        });
        let stride = (POINTS - taps + 1) / FRAME_RATIO * FRAME_RATIO;
        Self { before: (taps - 1) / 2, stride, packs: packs.collect() }
    }

    /// `stems` (channels, margin + frames + margin) to bands, a latent frame more on either side than the frames.
    #[inline(always)]
    pub(super) fn run<S: Simd>(
        &self,
        simd: S,
        transform: &Transform,
        scratch: &mut AnalysisScratch,
        stems: &[f32],
        bands: &mut Packed,
    ) {
        let length = stems.len() / CHANNELS;
        let silent: [bool; CHANNELS] = std::array::from_fn(|channel| {
            stems[channel * length..][..length].iter().all(|&sample| sample == 0.0)
        });
        // The first band frame lies a latent frame before the first frame, and there begins what its filters see.
        let first = MARGIN - FRAME_RATIO - self.before;
        let batch = BLOCKS * self.stride;
        for from in (0..bands.frames).step_by(batch) {
            let starts: [usize; BLOCKS] = std::array::from_fn(|block| first + from + block * self.stride);
            hear(simd, transform, scratch, stems, starts);
            for (number, pack) in self.packs.iter().enumerate() {
                if pack.channels.iter().all(|&channel| silent[channel]) {
                    // It is silent already.
                    continue;
                }
                pack.multiply(simd, scratch);
                let made = &mut bands.pack_mut::<S>(number)[2 * from..];
                for (made, block) in made.chunks_mut(2 * self.stride).zip(&mut scratch.bands) {
                    let (re, im) = block.vectors_mut::<S>();
                    transform.inverse(simd, re, im);
                    for (made, (&re, &im)) in made.chunks_exact_mut(2).zip(re.iter().zip(&*im)) {
                        (made[0], made[1]) = (re, im);
                    }
                }
            }
        }
    }
}

/// Spectra of all channels in blocks that begin at these frames.
#[inline(always)]
fn hear<S: Simd>(
    simd: S,
    transform: &Transform,
    scratch: &mut AnalysisScratch,
    stems: &[f32],
    starts: [usize; BLOCKS],
) {
    let (lanes, length) = (S::F32_LANES, stems.len() / CHANNELS);
    let row = SIGNALS.next_multiple_of(2 * lanes);
    let half = simd.splat_f32s(0.5);
    for signals in (0..SIGNALS).step_by(2 * lanes) {
        for (part, samples) in [&mut scratch.signals.re, &mut scratch.signals.im].into_iter().enumerate() {
            for lane in 0..lanes {
                let signal = signals + part * lanes + lane;
                let from = starts.get(signal / CHANNELS).map_or(length, |&start| start.min(length));
                let heard = &stems[signal % CHANNELS * length..][from..length];
                let samples = samples.samples_mut()[lane..].iter_mut().step_by(lanes);
                samples.zip(heard.iter().chain(std::iter::repeat(&0.0))).for_each(|(to, &from)| *to = from);
            }
        }
        let (re, im) = scratch.signals.vectors_mut::<S>();
        transform.forward(simd, re, im);
        // Two real signals came through as one complex one; what is even and odd in it tells them apart.
        let [heard_re, heard_im] = &mut scratch.heard;
        for (place, opposite) in transform.pairs() {
            let (there, back) = ((re[place], im[place]), (re[opposite], im[opposite]));
            let first = (simd.add_f32s(there.0, back.0), simd.sub_f32s(there.1, back.1));
            let second = (simd.add_f32s(there.1, back.1), simd.sub_f32s(back.0, there.0));
            for (signal, value) in [(signals, first), (signals + lanes, second)] {
                let (value_re, value_im) = (simd.mul_f32s(half, value.0), simd.mul_f32s(half, value.1));
                // Opposite frequencies are each other's conjugates.
                S::as_mut_simd_f32s(&mut heard_re[opposite * row + signal..][..lanes]).0[0] = value_re;
                S::as_mut_simd_f32s(&mut heard_im[opposite * row + signal..][..lanes]).0[0] =
                    simd.neg_f32s(value_im);
                S::as_mut_simd_f32s(&mut heard_re[place * row + signal..][..lanes]).0[0] = value_re;
                S::as_mut_simd_f32s(&mut heard_im[place * row + signal..][..lanes]).0[0] = value_im;
            }
        }
    }
}

/// Real and imaginary parts of a block, to be written.
type Parts<'a, V> = (&'a mut [V], &'a mut [V]);

impl Pack {
    /// The spectra of its bands in all blocks.
    #[inline(always)]
    fn multiply<S: Simd>(&self, simd: S, scratch: &mut AnalysisScratch) {
        let row = SIGNALS.next_multiple_of(2 * S::F32_LANES);
        let [heard_re, heard_im] = &scratch.heard;
        let mut bands = scratch.bands.iter_mut();
        let mut made: [Parts<'_, S::f32s>; BLOCKS] =
            std::array::from_fn(|_| bands.next().map_or((&mut [][..], &mut [][..]), Block::vectors_mut::<S>));
        let filters = self.spectra.vectors::<S>().chunks_exact(2 * self.channels.len());
        let heard = heard_re.chunks_exact(row).zip(heard_im.chunks_exact(row));
        for (place, (filters, (heard_re, heard_im))) in filters.zip(heard).enumerate() {
            let mut sums = [(simd.splat_f32s(0.0), simd.splat_f32s(0.0)); BLOCKS];
            for (filter, &channel) in filters.chunks_exact(2).zip(&self.channels) {
                let filter: Complex<S::f32s> = (filter[0], filter[1]);
                for (block, sum) in sums.iter_mut().enumerate() {
                    let signal = block * CHANNELS + channel;
                    let heard = (simd.splat_f32s(heard_re[signal]), simd.splat_f32s(heard_im[signal]));
                    *sum = multiply_add(simd, Some(*sum), heard, filter);
                }
            }
            for ((re, im), sum) in made.iter_mut().zip(sums) {
                (re[place], im[place]) = sum;
            }
        }
    }
}
