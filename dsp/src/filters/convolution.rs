//! Convolution by uniformly partitioned overlap-save: adds no latency beyond the block itself. The input's spectra are
//! kept apart from the kernel, so that two kernels can be run on the same history and crossfaded. Spectra are stored with
//! real and imaginary parts apart, since the products of the partitions are most of the work and then fill vectors.

use realfft::num_complex::Complex32;

use crate::filters::transform::RealTransform;
use crate::hop::HOP_FRAMES;

/// A spectrum, real and imaginary parts apart.
#[derive(Debug, Clone)]
struct Spectrum {
    re: Vec<f32>,
    im: Vec<f32>,
}

impl Spectrum {
    fn new(bins: usize) -> Self {
        Self { re: vec![0.0; bins], im: vec![0.0; bins] }
    }

    fn load(&mut self, bins: &[Complex32]) {
        for ((re, im), bin) in self.re.iter_mut().zip(&mut self.im).zip(bins) {
            (*re, *im) = (bin.re, bin.im);
        }
    }

    fn store(&self, bins: &mut [Complex32]) {
        for ((re, im), bin) in self.re.iter().zip(&self.im).zip(bins) {
            *bin = Complex32::new(*re, *im);
        }
    }

    fn clear(&mut self) {
        self.re.fill(0.0);
        self.im.fill(0.0);
    }

    fn copy_from(&mut self, other: &Self) {
        self.re.copy_from_slice(&other.re);
        self.im.copy_from_slice(&other.im);
    }

    fn add_product(&mut self, x: &Self, h: &Self) {
        let factors = x.re.iter().zip(&x.im).zip(h.re.iter().zip(&h.im));
        for ((re, im), ((x_re, x_im), (h_re, h_im))) in self.re.iter_mut().zip(&mut self.im).zip(factors) {
            *re += x_re * h_re - x_im * h_im;
            *im += x_re * h_im + x_im * h_re;
        }
    }
}

/// The spectra of an impulse response, one for each block of its length.
#[derive(Debug, Clone)]
pub struct Kernel {
    block_frames: usize,
    partitions: Vec<Spectrum>,
    time: Vec<f32>,
    bins: Vec<Complex32>,
}

impl Kernel {
    /// Room for a response of up to `taps` samples, in blocks of one hop; zero at first.
    pub fn new(taps: usize) -> Self {
        Self::in_blocks(taps, HOP_FRAMES)
    }

    /// The same in blocks of another length.
    pub fn in_blocks(taps: usize, block_frames: usize) -> Self {
        let count = taps.div_ceil(block_frames).max(1);
        Self {
            block_frames,
            partitions: vec![Spectrum::new(block_frames + 1); count],
            time: vec![0.0; 2 * block_frames],
            bins: vec![Complex32::default(); block_frames + 1],
        }
    }

    /// Becomes equal to another kernel of the same room, without allocating.
    pub fn clone_from_kernel(&mut self, other: &Kernel) {
        for (partition, source) in self.partitions.iter_mut().zip(&other.partitions) {
            partition.copy_from(source);
        }
    }

    /// Blocks in the response.
    pub fn blocks(&self) -> usize {
        self.partitions.len()
    }

    /// Replaces the response, without allocating; taps beyond the room made by `new` are dropped. `transform` is one of
    /// two blocks.
    pub fn load(&mut self, taps: &[f32], transform: &mut RealTransform) {
        let mut chunks = taps.chunks(self.block_frames);
        let scale = 1.0 / (2 * self.block_frames) as f32;
        for partition in &mut self.partitions {
            self.time.fill(0.0);
            for (sample, tap) in self.time.iter_mut().zip(chunks.next().unwrap_or(&[])) {
                // The inverse transform's factor is taken here, once.
                *sample = tap * scale;
            }
            transform.forward(&mut self.time, &mut self.bins);
            partition.load(&self.bins);
        }
    }
}

/// The recent input of one channel as spectra.
#[derive(Debug, Clone)]
pub struct Convolver {
    history: Vec<Spectrum>,
    newest: usize,
    previous: Vec<f32>,
    time: Vec<f32>,
    bins: Vec<Complex32>,
    sum: Spectrum,
}

impl Convolver {
    /// History for kernels of up to `taps` samples, in blocks of one hop.
    pub fn new(taps: usize) -> Self {
        Self::in_blocks(taps, HOP_FRAMES)
    }

    /// The same in blocks of another length.
    pub fn in_blocks(taps: usize, block_frames: usize) -> Self {
        let count = taps.div_ceil(block_frames).max(1);
        Self {
            history: vec![Spectrum::new(block_frames + 1); count],
            newest: 0,
            previous: vec![0.0; block_frames],
            time: vec![0.0; 2 * block_frames],
            bins: vec![Complex32::default(); block_frames + 1],
            sum: Spectrum::new(block_frames + 1),
        }
    }

    /// Takes in the next block.
    pub fn push(&mut self, input: &[f32], transform: &mut RealTransform) {
        let (before, now) = self.time.split_at_mut(input.len());
        before.copy_from_slice(&self.previous);
        now.copy_from_slice(input);
        self.previous.copy_from_slice(input);
        self.newest = (self.newest + 1) % self.history.len();
        transform.forward(&mut self.time, &mut self.bins);
        self.history[self.newest].load(&self.bins);
    }

    /// The newest block of the output through `kernel`.
    pub fn output(&mut self, kernel: &Kernel, transform: &mut RealTransform, output: &mut [f32]) {
        self.begin();
        self.accumulate(kernel, 0..kernel.blocks());
        self.finish(transform, output);
    }

    /// [`Convolver::output`] in three steps, to be spread over time: begin, accumulate every block of the kernel in any
    /// portions, finish.
    pub fn begin(&mut self) {
        self.sum.clear();
    }

    /// Adds what some blocks of the kernel contribute.
    pub fn accumulate(&mut self, kernel: &Kernel, blocks: std::ops::Range<usize>) {
        self.accumulate_before(kernel, blocks, 0);
    }

    /// The same for the block of output that came so many blocks before the newest, as far as the history reaches.
    pub fn accumulate_before(&mut self, kernel: &Kernel, blocks: std::ops::Range<usize>, back: usize) {
        let count = self.history.len();
        for age in blocks.start..blocks.end.min(count - back) {
            let input = &self.history[(self.newest + count - age - back) % count];
            self.sum.add_product(input, &kernel.partitions[age]);
        }
    }

    /// Hands out the block.
    pub fn finish(&mut self, transform: &mut RealTransform, output: &mut [f32]) {
        self.sum.store(&mut self.bins);
        transform.inverse(&mut self.bins, &mut self.time);
        output.copy_from_slice(&self.time[output.len()..]);
    }

    /// Forgets the input.
    pub fn reset(&mut self) {
        self.history.iter_mut().for_each(Spectrum::clear);
        self.sum.clear();
        self.previous.fill(0.0);
        self.newest = 0;
    }
}

/// A transform of the size that kernels and convolvers in hops use.
pub fn hop_transform() -> RealTransform {
    RealTransform::new(2 * HOP_FRAMES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_the_direct_sum() {
        let taps: Vec<f32> = (0..2500).map(|n| ((n * n) as f32 * 0.37).sin() / 50.0).collect();
        let input: Vec<f32> =
            (0..5 * HOP_FRAMES).map(|n| (n as f32 * 0.013).sin() * (n as f32 * 1.7).cos()).collect();
        let mut transform = hop_transform();
        let (mut kernel, mut convolver) = (Kernel::new(taps.len()), Convolver::new(taps.len()));
        kernel.load(&taps, &mut transform);
        let mut output = [0.0; HOP_FRAMES];
        for (hop, chunk) in input.chunks_exact(HOP_FRAMES).enumerate() {
            convolver.push(chunk, &mut transform);
            convolver.output(&kernel, &mut transform, &mut output);
            for (offset, actual) in output.iter().enumerate().step_by(97) {
                let n = hop * HOP_FRAMES + offset;
                let direct: f32 =
                    taps.iter().take(n + 1).enumerate().map(|(k, tap)| tap * input[n - k]).sum();
                assert!((actual - direct).abs() < 1e-5, "{n}: {actual} {direct}");
            }
        }
    }
}
