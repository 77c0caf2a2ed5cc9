//! Convolution of hops by uniformly partitioned overlap-save: adds no latency beyond the hop itself. The input's
//! spectra are kept apart from the kernel, so that two kernels can be run on the same history and crossfaded.

use realfft::num_complex::Complex32;

use crate::delay::HOP_FRAMES;
use crate::stft::RealTransform;

const TRANSFORM_FRAMES: usize = 2 * HOP_FRAMES;
const BINS: usize = HOP_FRAMES + 1;

/// The spectra of an impulse response, one for each hop of its length.
#[derive(Debug, Clone)]
pub struct Kernel {
    partitions: Vec<Vec<Complex32>>,
    time: Vec<f32>,
}

impl Kernel {
    /// Room for a response of up to `taps` samples; zero at first.
    pub fn new(taps: usize) -> Self {
        let count = taps.div_ceil(HOP_FRAMES).max(1);
        Self { partitions: vec![vec![Complex32::default(); BINS]; count], time: vec![0.0; TRANSFORM_FRAMES] }
    }

    /// Becomes equal to another kernel of the same room, without allocating.
    pub fn clone_from_kernel(&mut self, other: &Kernel) {
        for (partition, source) in self.partitions.iter_mut().zip(&other.partitions) {
            partition.copy_from_slice(source);
        }
    }

    /// Replaces the response, without allocating; taps beyond the room made by `new` are dropped.
    pub fn load(&mut self, taps: &[f32], transform: &mut RealTransform) {
        let mut chunks = taps.chunks(HOP_FRAMES);
        for partition in &mut self.partitions {
            self.time.fill(0.0);
            for (sample, tap) in self.time.iter_mut().zip(chunks.next().unwrap_or(&[])) {
                // The inverse transform's factor is taken here, once.
                *sample = tap / TRANSFORM_FRAMES as f32;
            }
            transform.forward(&mut self.time, partition);
        }
    }
}

/// The recent input of one channel as spectra.
#[derive(Debug, Clone)]
pub struct Convolver {
    history: Vec<Vec<Complex32>>,
    newest: usize,
    previous: Vec<f32>,
    time: Vec<f32>,
    sum: Vec<Complex32>,
}

impl Convolver {
    /// History for kernels of up to `taps` samples.
    pub fn new(taps: usize) -> Self {
        let count = taps.div_ceil(HOP_FRAMES).max(1);
        Self {
            history: vec![vec![Complex32::default(); BINS]; count],
            newest: 0,
            previous: vec![0.0; HOP_FRAMES],
            time: vec![0.0; TRANSFORM_FRAMES],
            sum: vec![Complex32::default(); BINS],
        }
    }

    /// Takes in the next hop.
    pub fn push(&mut self, input: &[f32; HOP_FRAMES], transform: &mut RealTransform) {
        self.time[..HOP_FRAMES].copy_from_slice(&self.previous);
        self.time[HOP_FRAMES..].copy_from_slice(input);
        self.previous.copy_from_slice(input);
        self.newest = (self.newest + 1) % self.history.len();
        transform.forward(&mut self.time, &mut self.history[self.newest]);
    }

    /// The newest hop of the output through `kernel`.
    pub fn output(&mut self, kernel: &Kernel, transform: &mut RealTransform, output: &mut [f32; HOP_FRAMES]) {
        self.sum.fill(Complex32::default());
        let count = self.history.len();
        for (age, partition) in kernel.partitions.iter().take(count).enumerate() {
            let input = &self.history[(self.newest + count - age) % count];
            for ((sum, x), h) in self.sum.iter_mut().zip(input).zip(partition) {
                sum.re += x.re * h.re - x.im * h.im;
                sum.im += x.re * h.im + x.im * h.re;
            }
        }
        transform.inverse(&mut self.sum, &mut self.time);
        output.copy_from_slice(&self.time[HOP_FRAMES..]);
    }

    /// Forgets the input.
    pub fn reset(&mut self) {
        self.history.iter_mut().for_each(|spectrum| spectrum.fill(Complex32::default()));
        self.previous.fill(0.0);
        self.newest = 0;
    }
}

/// A transform of the size that kernels and convolvers use.
pub fn hop_transform() -> RealTransform {
    RealTransform::new(TRANSFORM_FRAMES)
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
            convolver.push(chunk.try_into().expect("one hop"), &mut transform);
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
