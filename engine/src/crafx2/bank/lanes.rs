//! Samples as the bank works on them: filters side by side in the lanes of vectors. A *pack* is twice as many filters as a
//! vector has lanes, because two real signals ride in one complex lane: its first half as real parts, its second half as
//! imaginary ones.

use pulp::Simd;

/// Bytes of the longest vectors, and of a cache line: vectors that straddle two lines cost twice.
const ALIGNMENT_BYTES: usize = 64;

/// Samples that begin where vectors like to.
pub(super) struct Aligned {
    samples: Vec<f32>,
    start: usize,
    length: usize,
}

impl Aligned {
    /// So many zeros.
    pub(super) fn zeros(length: usize) -> Self {
        let samples = vec![0.0_f32; length + ALIGNMENT_BYTES / size_of::<f32>()];
        let start = samples.as_ptr().align_offset(ALIGNMENT_BYTES).min(samples.len() - length);
        Self { samples, start, length }
    }

    pub(super) fn samples(&self) -> &[f32] {
        &self.samples[self.start..][..self.length]
    }

    pub(super) fn samples_mut(&mut self) -> &mut [f32] {
        &mut self.samples[self.start..][..self.length]
    }

    /// The samples as vectors.
    #[inline(always)]
    pub(super) fn vectors<S: Simd>(&self) -> &[S::f32s] {
        S::as_simd_f32s(self.samples()).0
    }

    /// The same to be written.
    #[inline(always)]
    pub(super) fn vectors_mut<S: Simd>(&mut self) -> &mut [S::f32s] {
        S::as_mut_simd_f32s(self.samples_mut()).0
    }

    /// Grows to so many samples at least; what it held is lost then.
    pub(super) fn reserve(&mut self, length: usize) {
        if self.length < length {
            *self = Self::zeros(length);
        }
    }
}

/// Real and imaginary parts of a block in every lane.
pub(super) struct Block {
    pub(super) re: Aligned,
    pub(super) im: Aligned,
}

impl Block {
    pub(super) fn new(points: usize, lanes: usize) -> Self {
        Self { re: Aligned::zeros(points * lanes), im: Aligned::zeros(points * lanes) }
    }

    #[inline(always)]
    pub(super) fn vectors_mut<S: Simd>(&mut self) -> (&mut [S::f32s], &mut [S::f32s]) {
        (self.re.vectors_mut::<S>(), self.im.vectors_mut::<S>())
    }
}

/// Frames of all bands, pack by pack: of every frame the pack's filters.
pub(crate) struct Packed {
    pub(super) samples: Aligned,
    pub(super) frames: usize,
    /// Filters of a pack.
    pub(super) width: usize,
}

impl Packed {
    pub(super) fn zeros(packs: usize, frames: usize, width: usize) -> Self {
        Self { samples: Aligned::zeros(packs * frames * width), frames, width }
    }

    /// A pack's frames as vectors, two of each frame.
    #[inline(always)]
    pub(super) fn pack<S: Simd>(&self, pack: usize) -> &[S::f32s] {
        &self.samples.vectors::<S>()[pack * self.frames * 2..][..self.frames * 2]
    }

    /// The same to be written.
    #[inline(always)]
    pub(super) fn pack_mut<S: Simd>(&mut self, pack: usize) -> &mut [S::f32s] {
        &mut self.samples.vectors_mut::<S>()[pack * self.frames * 2..][..self.frames * 2]
    }

    /// One filter's samples.
    pub(super) fn band(&self, filter: usize) -> impl Iterator<Item = f32> {
        let (pack, lane) = (filter / self.width, filter % self.width);
        let frames = self.samples.samples()[pack * self.frames * self.width..].chunks_exact(self.width);
        frames.take(self.frames).map(move |frame| frame[lane])
    }
}
