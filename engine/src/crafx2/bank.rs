//! Both ends of CRAFx2 as the filter banks they are, computed without the runtime: the same sums as the graphs', by fast
//! convolution, for any filters. A convolution of the published size, 8 channels to 128 filters of 64 taps, takes 65,536
//! products a sample; through spectra it takes some 3,000. The latent mixer between the ends stays a graph.
//!
//! The filters are read from the front end's graph (`weights.rs`) and used only when what they make is what the graphs make
//! (`ends.rs`), so a bundle whose ends are something else keeps its graphs.
//!
//! | file | what |
//! |---|---|
//! | `weights` | the filters in a graph |
//! | `transform`, `lanes`, `spectra` | Fourier transforms of many signals side by side; packs of filters; filters as spectra |
//! | `analysis` | stems to bands |
//! | `smoothing` | bands to latent frames and levels |
//! | `synthesis` | masked bands to the mix |
//!
//! Vectors are as long as the processor's, found out at run time by `pulp`: 16 lanes with AVX-512, 8 with AVX2, 4 with NEON,
//! else one number at a time.

mod analysis;
mod lanes;
mod smoothing;
mod spectra;
mod synthesis;
mod transform;
mod weights;

use std::sync::Arc;

use pulp::{Arch, Simd, WithSimd};
use tributary_dsp::CHANNELS;

use analysis::{Analysis, AnalysisScratch};
use lanes::Block;
pub(crate) use lanes::Packed;
use smoothing::{SMOOTHING_TAPS, Smoothing};
use spectra::Spectra;
pub(crate) use synthesis::Stretch;
use synthesis::{Synthesis, SynthesisScratch};
use transform::{POINTS, Transform};
pub(crate) use weights::EndWeights;

use crate::bundle::contract::{FRAME_RATIO, SPLIT_MARGIN_FRAMES as MARGIN};

/// The filters of both ends, to be shared.
pub(crate) struct Bank {
    arch: Arch,
    /// Lanes of this processor's vectors.
    lanes: usize,
    filters: usize,
    transform: Transform,
    analysis: Analysis,
    smoothing: Smoothing,
    synthesis: Synthesis,
}

impl Bank {
    /// `None` for filters that reach farther than a front end's margin lets them.
    pub(crate) fn new(weights: &EndWeights) -> Option<Self> {
        Self::on(Arch::new(), weights)
    }

    fn on(arch: Arch, weights: &EndWeights) -> Option<Self> {
        let reach = weights.taps / 2;
        if weights.taps == 0 || reach >= MARGIN - FRAME_RATIO || weights.smoothing_taps != SMOOTHING_TAPS {
            return None;
        }
        let (lanes, spectra) = (arch.dispatch(Lanes), Spectra::new());
        Some(Self {
            arch,
            lanes,
            filters: weights.filters,
            transform: Transform::new(),
            analysis: Analysis::new(weights, &spectra, lanes),
            smoothing: Smoothing::new(weights, &spectra, lanes),
            synthesis: Synthesis::new(weights, &spectra, lanes),
        })
    }

    /// Filters that lie side by side.
    fn width(&self) -> usize {
        2 * self.lanes
    }
}

struct Lanes;

impl WithSimd for Lanes {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        S::F32_LANES
    }
}

/// The front end of one thread.
pub(crate) struct BankFront {
    bank: Arc<Bank>,
    analysis: AnalysisScratch,
    block: Block,
}

/// What a run of the front end made.
pub(super) struct FrontMade {
    /// (filters, frames / 64).
    pub(super) latent: Vec<f32>,
    /// (filters, frames / 64).
    pub(super) level: Vec<f32>,
    /// All frames, and a latent frame more on either side.
    pub(super) bands: Packed,
}

impl BankFront {
    pub(super) fn new(bank: Arc<Bank>) -> Self {
        let lanes = bank.lanes;
        Self { bank, analysis: AnalysisScratch::new(lanes), block: Block::new(POINTS, lanes) }
    }

    /// `stems` (8, frames + 2 · margin), as the front end's graph takes them.
    pub(super) fn run(&mut self, stems: &[f32]) -> FrontMade {
        let bank = Arc::clone(&self.bank);
        let frames = stems.len() / CHANNELS - 2 * MARGIN;
        let columns = bank.filters * (frames / FRAME_RATIO);
        let packs = bank.filters.div_ceil(bank.width());
        let mut made = FrontMade {
            latent: vec![0.0; columns],
            level: vec![0.0; columns],
            bands: Packed::zeros(packs, frames + 2 * FRAME_RATIO, bank.width()),
        };
        bank.arch.dispatch(FrontPass { bank: &bank, front: self, stems, made: &mut made });
        made
    }
}

struct FrontPass<'a> {
    bank: &'a Bank,
    front: &'a mut BankFront,
    stems: &'a [f32],
    made: &'a mut FrontMade,
}

impl WithSimd for FrontPass<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { bank, front, stems, made } = self;
        let FrontMade { latent, level, bands } = made;
        bank.analysis.run(simd, &bank.transform, &mut front.analysis, stems, bands);
        bank.smoothing.run(simd, &bank.transform, &mut front.block, bands, latent, level);
    }
}

impl FrontMade {
    /// A filter's band, its frames only.
    pub(super) fn band(&self, filter: usize) -> impl Iterator<Item = f32> {
        let frames = self.bands.frames - 2 * FRAME_RATIO;
        self.bands.band(filter).skip(FRAME_RATIO).take(frames)
    }
}

/// The back end of one thread.
pub(crate) struct BankBack {
    bank: Arc<Bank>,
    scratch: SynthesisScratch,
}

impl BankBack {
    pub(super) fn new(bank: Arc<Bank>) -> Self {
        let scratch = SynthesisScratch::new(bank.lanes);
        Self { bank, scratch }
    }

    /// A stretch of bands and its mask (filters, columns of 64 frames) to the mix, which is a column shorter at either end.
    pub(super) fn run(&mut self, stretch: &Stretch<'_>, mask: &[f32], [left, right]: [&mut [f32]; 2]) {
        let bank = Arc::clone(&self.bank);
        self.scratch.take_mask(mask, bank.filters, bank.width());
        let columns = mask.len() / bank.filters;
        let scratch = &mut self.scratch;
        bank.arch.dispatch(BackPass {
            bank: &bank,
            scratch,
            stretch,
            columns,
            mix: [&mut *left, &mut *right],
        });
        left.iter_mut().chain(right).for_each(|sample| *sample = sample.tanh());
    }
}

struct BackPass<'a> {
    bank: &'a Bank,
    scratch: &'a mut SynthesisScratch,
    stretch: &'a Stretch<'a>,
    columns: usize,
    mix: [&'a mut [f32]; 2],
}

impl WithSimd for BackPass<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { bank, scratch, stretch, columns, mix } = self;
        bank.synthesis.run(simd, &bank.transform, scratch, stretch, columns, mix);
    }
}

#[cfg(test)]
#[path = "bank_tests.rs"]
mod tests;
