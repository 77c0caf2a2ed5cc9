//! Spectra of one hop and the one before it, of both sides: the short-time transform behind panning and width.

use realfft::num_complex::Complex32;

use crate::filters::transform::{RealTransform, sqrt_hann};
use crate::hop::{HOP_FRAMES, Hop};

/// Length of the transform.
pub const WINDOW_FRAMES: usize = 2 * HOP_FRAMES;
/// Bins of the transform.
pub const BINS: usize = HOP_FRAMES + 1;

/// Windowed transforms of the last two hops: [`BINS`] bins of either side.
#[derive(Debug)]
pub struct HopSpectra {
    pub window: Vec<f32>,
    pub transform: RealTransform,
    /// The hop before.
    pub previous: Box<Hop>,
    pub time: Vec<f32>,
    /// Bins of the left side.
    pub left: Vec<Complex32>,
    /// Bins of the right side.
    pub right: Vec<Complex32>,
}

impl HopSpectra {
    /// After silence.
    pub fn new() -> Self {
        Self {
            window: sqrt_hann(WINDOW_FRAMES),
            transform: RealTransform::new(WINDOW_FRAMES),
            previous: Box::new(Hop::SILENT),
            time: vec![0.0; WINDOW_FRAMES],
            left: vec![Complex32::default(); BINS],
            right: vec![Complex32::default(); BINS],
        }
    }

    /// Transforms the previous hop and this one.
    pub fn run(&mut self, hop: &Hop) {
        let spectra = [&mut self.left, &mut self.right];
        for ((spectrum, before), now) in spectra.into_iter().zip(self.previous.sides()).zip(hop.sides()) {
            let samples = before.iter().chain(now).zip(&self.window);
            self.time.iter_mut().zip(samples).for_each(|(time, (sample, window))| *time = sample * window);
            self.transform.forward(&mut self.time, spectrum);
        }
        self.pass(hop);
    }

    /// Takes in a hop without transforming it.
    pub fn pass(&mut self, hop: &Hop) {
        self.previous.left.copy_from_slice(&hop.left);
        self.previous.right.copy_from_slice(&hop.right);
    }

    /// Forgets the previous hop.
    pub fn reset(&mut self) {
        *self.previous = Hop::SILENT;
    }
}
