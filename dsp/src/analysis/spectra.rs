//! Average spectra of a complete stem: the 65,536-point analysis behind the features of equalization and panning.

use realfft::FftNum;
use realfft::num_complex::Complex;

use crate::filters::transform::{RealTransform, sqrt_hann};
use crate::hop::HOP_FRAMES;
use crate::rules::RecipeKind;
use crate::store::{StemStore, StoreError};
use crate::targets::FULL_BINS;

/// Loudness at which spectra are compared.
pub const REFERENCE_LUFS: f64 = -30.0;

/// Length of the analysis.
pub const ANALYSIS_FRAMES: usize = 2 * (FULL_BINS - 1);

/// Zeros that the released code puts before and after every file.
pub const PADDING_FRAMES: usize = 65_536;

const PUBLISHED_HOP: usize = ANALYSIS_FRAMES / 4;
const PAPER_HOP: usize = ANALYSIS_FRAMES / 2;

/// Frames this far below the mean power of all frames are silence and not averaged (paper rules).
const FRAME_GATE: f64 = 1e-3;

/// Start of every analysis frame of a file of `frames` frames, relative to its first.
pub fn frame_starts(frames: usize, kind: RecipeKind) -> Vec<isize> {
    match kind {
        RecipeKind::Published => {
            // With padding on both sides the file is never shorter than one analysis frame.
            let count = (frames + 2 * PADDING_FRAMES - ANALYSIS_FRAMES) / PUBLISHED_HOP + 1;
            (0..count).map(|frame| (frame * PUBLISHED_HOP) as isize - PADDING_FRAMES as isize).collect()
        }
        // Half-overlapped squared windows weigh every sample alike; more overlap only costs time.
        RecipeKind::Paper | RecipeKind::Tributary => {
            let last = frames.saturating_sub(PAPER_HOP);
            (0..=last / PAPER_HOP).map(|frame| (frame * PAPER_HOP) as isize).collect()
        }
    }
}

/// One analysis frame of both sides: read from a stem, windowed, transformed. In a precision of choice.
pub struct AnalysisFrame<T: FftNum> {
    sides: [Vec<f32>; 2],
    window: Vec<f32>,
    transform: RealTransform<T>,
    time: Vec<T>,
    bins: [Vec<Complex<T>>; 2],
}

impl<T: FftNum + From<f32> + Default> AnalysisFrame<T> {
    /// Allocates all buffers.
    pub fn new() -> Self {
        Self {
            sides: [vec![0.0; ANALYSIS_FRAMES], vec![0.0; ANALYSIS_FRAMES]],
            window: sqrt_hann(ANALYSIS_FRAMES),
            transform: RealTransform::new(ANALYSIS_FRAMES),
            time: vec![T::default(); ANALYSIS_FRAMES],
            bins: [vec![Complex::default(); FULL_BINS], vec![Complex::default(); FULL_BINS]],
        }
    }

    /// Reads the frame at `start`, which may reach beyond the ends of the stem; returns each side's sum of squares.
    ///
    /// # Errors
    /// The store's reason.
    pub fn read(&mut self, stem: &mut dyn StemStore, start: isize) -> Result<[f64; 2], StoreError> {
        let frames = stem.frames() as isize;
        let first = (-start).clamp(0, ANALYSIS_FRAMES as isize) as usize;
        let end = (frames - start).clamp(first as isize, ANALYSIS_FRAMES as isize) as usize;
        let [left, right] = &mut self.sides;
        if first < end {
            stem.read((start + first as isize) as usize, &mut left[first..end], &mut right[first..end])?;
        }
        Ok([left, right].map(|side| {
            side[..first].fill(0.0);
            side[end..].fill(0.0);
            side.iter().map(|sample| f64::from(*sample) * f64::from(*sample)).sum()
        }))
    }

    /// The spectra of the frame read last, left and right, [`FULL_BINS`] values each.
    pub fn transform(&mut self) -> [&[Complex<T>]; 2] {
        for (side, bins) in self.sides.iter().zip(&mut self.bins) {
            for ((time, sample), window) in self.time.iter_mut().zip(side).zip(&self.window) {
                *time = <T as From<f32>>::from(sample * window);
            }
            self.transform.forward(&mut self.time, bins);
        }
        [&self.bins[0], &self.bins[1]]
    }
}

impl<T: FftNum + From<f32> + Default> Default for AnalysisFrame<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// Mean magnitude over frames, left and right, [`FULL_BINS`] values each.
///
/// # Errors
/// The store's reason.
pub fn mean_magnitudes(stem: &mut dyn StemStore, kind: RecipeKind) -> Result<[Vec<f64>; 2], StoreError> {
    match kind {
        RecipeKind::Published => mean_magnitudes_in::<f64>(stem, kind),
        RecipeKind::Paper | RecipeKind::Tributary => mean_magnitudes_in::<f32>(stem, kind),
    }
}

/// The same in a precision of choice.
fn mean_magnitudes_in<T>(stem: &mut dyn StemStore, kind: RecipeKind) -> Result<[Vec<f64>; 2], StoreError>
where
    T: FftNum + From<f32> + Into<f64> + Default,
{
    let mut frame = AnalysisFrame::<T>::new();
    let starts = frame_starts(stem.frames(), kind);
    let powers = starts
        .iter()
        .map(|start| Ok(frame.read(stem, *start)?.iter().sum()))
        .collect::<Result<Vec<f64>, StoreError>>()?;
    // The released code also counts silence.
    let gate = match kind {
        RecipeKind::Published => 0.0,
        RecipeKind::Paper | RecipeKind::Tributary => {
            FRAME_GATE * powers.iter().sum::<f64>() / powers.len().max(1) as f64
        }
    };
    let sounding = || starts.iter().zip(&powers).filter(|(_, power)| **power > gate).map(|(start, _)| *start);
    let counted = if kind.is_published() { starts.len() } else { sounding().count().max(1) };
    let mut sums = [vec![0f64; FULL_BINS], vec![0f64; FULL_BINS]];
    for start in sounding() {
        frame.read(stem, start)?;
        for (sum, bins) in sums.iter_mut().zip(frame.transform()) {
            sum.iter_mut().zip(bins).for_each(|(sum, bin)| *sum += bin.norm_sqr().into().sqrt());
        }
    }
    sums.iter_mut().flatten().for_each(|sum| *sum /= counted as f64);
    Ok(sums)
}

const _: () = assert!(PADDING_FRAMES.is_multiple_of(HOP_FRAMES), "the padding must not shift the frame grid");
