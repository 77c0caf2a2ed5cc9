//! Average spectra: the 65,536-point analysis behind equalization and panning features, in whole-file form and as a
//! running estimate, and the paper rules that turn a measured spectrum into a correction.
//!
//! The running estimate keeps the 65,536-point scale of the published targets: a shorter transform would need a
//! conversion that differs between noise and tones by up to 6 dB per octave of length.

use realfft::FftNum;
use realfft::num_complex::{Complex, Complex32};

use crate::delay::{HOP_FRAMES, Hop, TURNS_HOPS};
use crate::equalization::REFERENCE_LUFS;
use crate::filter::k_weighting;
use crate::profile::CURVE_POINTS;
use crate::recipe::RecipeKind;
use crate::smoothing::{ActivityGate, ESTIMATE_SECONDS, RunningWeight};
use crate::stft::{RealTransform, sqrt_hann};
use crate::store::{StemStore, StoreError};
use crate::targets::FULL_BINS;

/// Length of the analysis.
pub const ANALYSIS_FRAMES: usize = 2 * (FULL_BINS - 1);

/// Zeros that the released code puts before and after every file.
pub const PADDING_FRAMES: usize = 65_536;

const PUBLISHED_HOP: usize = ANALYSIS_FRAMES / 4;
const PAPER_HOP: usize = ANALYSIS_FRAMES / 2;

/// Frames this far below the mean power of all frames are silence and not averaged (paper rules).
const FRAME_GATE: f64 = 1e-3;

/// Stems that take turns with the transforms of the running estimate.
const TURNS: usize = 4;
const _: () = assert!(TURNS_HOPS.is_multiple_of(TURNS));

/// Bound of the paper rules' correction.
pub const LARGEST_CORRECTION_DB: f64 = 15.0;

/// Start of every analysis frame of a file of `frames` frames, relative to its first.
pub fn frame_starts(frames: usize, kind: RecipeKind) -> Vec<isize> {
    match kind {
        RecipeKind::Published => {
            // With padding on both sides the file is never shorter than one analysis frame.
            let count = (frames + 2 * PADDING_FRAMES - ANALYSIS_FRAMES) / PUBLISHED_HOP + 1;
            (0..count).map(|frame| (frame * PUBLISHED_HOP) as isize - PADDING_FRAMES as isize).collect()
        }
        // Half-overlapped squared windows weigh every sample alike; more overlap only costs time.
        RecipeKind::Paper => {
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
        RecipeKind::Paper => mean_magnitudes_in::<f32>(stem, kind),
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
        RecipeKind::Paper => FRAME_GATE * powers.iter().sum::<f64>() / powers.len().max(1) as f64,
    };
    let sounding = || starts.iter().zip(&powers).filter(|(_, power)| **power > gate).map(|(start, _)| *start);
    let counted = if kind == RecipeKind::Published { starts.len() } else { sounding().count().max(1) };
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

/// Paper rules: from a mean magnitude (any level, [`FULL_BINS`] values) and a target to the correction in dB.
///
/// The measured spectrum is averaged over a third octave; the correction keeps the K-weighted power of the stem (its
/// level is the loudness matcher's business) and is bounded to ±[`LARGEST_CORRECTION_DB`]. `weights` come from
/// [`loudness_weights`]; `sums` is scratch of [`FULL_BINS`] + 1 values.
pub fn shape_correction(
    magnitudes: &[f32],
    target_db: &[f64],
    weights: &[f64],
    sums: &mut [f64],
    curve_db: &mut [f32],
) {
    sums[0] = 0.0;
    for (bin, magnitude) in magnitudes.iter().enumerate() {
        sums[bin + 1] = sums[bin] + f64::from(*magnitude);
    }
    let loudest = (0..CURVE_POINTS).map(|point| third_octave(sums, point)).fold(0.0, f64::max);
    if loudest <= 0.0 {
        curve_db.fill(0.0);
        return;
    }
    // Far below the loudest band there is no spectrum to match, only a noise floor.
    let floor = loudest * 1e-6;
    for (point, correction) in curve_db.iter_mut().enumerate() {
        let measured_db = 20.0 * third_octave(sums, point).max(floor).log10();
        *correction = (target_db[point] - measured_db) as f32;
    }
    keep_loudness(sums, weights, curve_db);
}

/// Mean magnitude within a third octave around a point of the curve, and at least to the neighboring points.
fn third_octave(sums: &[f64], point: usize) -> f64 {
    const STEP: usize = (FULL_BINS - 1) / (CURVE_POINTS - 1);
    const HALF_THIRD: f64 = 1.122_462_048;
    let center = point * STEP;
    let low = ((center as f64 / HALF_THIRD) as usize).min(center.saturating_sub(STEP / 2));
    let high = ((center as f64 * HALF_THIRD) as usize).max(center + STEP / 2).min(FULL_BINS - 1) + 1;
    (sums[high] - sums[low]) / (high - low) as f64
}

/// K-weighting on the grid of the curve, as a power.
pub fn loudness_weights(sample_rate_hz: f64) -> Vec<f64> {
    let weighting = k_weighting(sample_rate_hz);
    let at_point = |point: usize| {
        let hz = point as f64 * sample_rate_hz / (2 * (CURVE_POINTS - 1)) as f64;
        weighting.iter().map(|filter| filter.power_at(hz, sample_rate_hz)).product()
    };
    (0..CURVE_POINTS).map(at_point).collect()
}

/// Shifts a correction so that the K-weighted power of the stem stays, and bounds it.
fn keep_loudness(sums: &[f64], weights: &[f64], curve_db: &mut [f32]) {
    const PASSES: usize = 3;
    let bound = LARGEST_CORRECTION_DB as f32;
    for _ in 0..PASSES {
        let (mut before, mut after) = (1e-60, 1e-60);
        for (point, correction_db) in curve_db.iter().enumerate().skip(1) {
            let power = third_octave(sums, point).powi(2) * weights[point];
            before += power;
            after += power * 10f64.powf(f64::from(correction_db.clamp(-300.0, 300.0)) / 10.0);
        }
        let shift_db = (10.0 * (before / after).log10()) as f32;
        for point in curve_db.iter_mut() {
            *point = (*point + shift_db).clamp(-bound, bound);
        }
    }
}

/// Running average spectrum and loudness of a stem, updated once per 65,536 frames of material (about 1.5 s).
#[derive(Debug)]
pub struct SpectrumEstimator {
    target_db: Vec<f64>,
    point_weights: Vec<f64>,
    gate: ActivityGate,
    weight: RunningWeight,
    gathered: [Vec<f32>; 2],
    analyzed: [Vec<f32>; 2],
    filled: usize,
    stage: usize,
    turn: usize,
    hops: usize,
    window: Vec<f32>,
    transform: RealTransform,
    bins: Vec<Complex32>,
    newest: Vec<f32>,
    mean: Vec<f32>,
    newest_power: f64,
    power: f64,
    weighting: Vec<f32>,
    sums: Vec<f64>,
    curve_db: Vec<f32>,
    gain_db: f64,
}

impl SpectrumEstimator {
    /// Listens for the correction toward `target_db` (on the curve's grid). Of the stems of a song each takes another
    /// `turn`.
    pub fn new(target_db: Vec<f64>, turn: usize, sample_rate_hz: f64) -> Self {
        let k = k_weighting(sample_rate_hz);
        let weighting = (0..FULL_BINS).map(|bin| {
            let hz = bin as f64 * sample_rate_hz / ANALYSIS_FRAMES as f64;
            (k[0].power_at(hz, sample_rate_hz) * k[1].power_at(hz, sample_rate_hz)) as f32
        });
        Self {
            target_db,
            point_weights: loudness_weights(sample_rate_hz),
            gate: ActivityGate::new(HOP_FRAMES as f64 / sample_rate_hz),
            weight: RunningWeight::new(ESTIMATE_SECONDS * sample_rate_hz / ANALYSIS_FRAMES as f64),
            gathered: [vec![0.0; ANALYSIS_FRAMES], vec![0.0; ANALYSIS_FRAMES]],
            analyzed: [vec![0.0; ANALYSIS_FRAMES], vec![0.0; ANALYSIS_FRAMES]],
            filled: 0,
            stage: 0,
            turn: turn % TURNS,
            hops: 0,
            window: sqrt_hann(ANALYSIS_FRAMES),
            transform: RealTransform::new(ANALYSIS_FRAMES),
            bins: vec![Complex32::default(); FULL_BINS],
            newest: vec![0.0; FULL_BINS],
            mean: vec![0.0; FULL_BINS],
            newest_power: 0.0,
            power: 0.0,
            weighting: weighting.collect(),
            sums: vec![0.0; FULL_BINS + 1],
            curve_db: vec![0.0; CURVE_POINTS],
            gain_db: 0.0,
        }
    }

    /// Takes in a hop. The transforms of the two sides and the update each wait for this stem's turn: of the stems of a
    /// song only one does such work in any hop. Meanwhile gathering goes on.
    pub fn listen(&mut self, hop: &Hop) {
        self.gather(hop);
        let is_turn = self.hops % TURNS == self.turn;
        self.hops += 1;
        if !is_turn {
            return;
        }
        match self.stage {
            0 => return,
            1 | 2 => self.analyze(self.stage - 1),
            _ => self.update(),
        }
        self.stage = (self.stage + 1) % 4;
    }

    /// A hop of silence.
    pub(crate) fn pass_silence(&mut self) {
        self.hops += 1;
    }

    fn gather(&mut self, hop: &Hop) {
        if !self.gate.is_material(hop.mean_square()) {
            return;
        }
        let range = self.filled..self.filled + HOP_FRAMES;
        for (gathered, side) in self.gathered.iter_mut().zip(hop.sides()) {
            gathered[range.clone()].copy_from_slice(side);
        }
        self.filled += HOP_FRAMES;
        if self.filled == ANALYSIS_FRAMES {
            std::mem::swap(&mut self.gathered, &mut self.analyzed);
            self.filled = 0;
            self.stage = 1;
        }
    }

    fn analyze(&mut self, side: usize) {
        let time = &mut self.analyzed[side];
        time.iter_mut().zip(&self.window).for_each(|(sample, window)| *sample *= window);
        self.transform.forward(time, &mut self.bins);
        if side == 0 {
            self.newest.fill(0.0);
            self.newest_power = 0.0;
        }
        let mut total = 0.0;
        for ((newest, bin), weight) in self.newest.iter_mut().zip(&self.bins).zip(&self.weighting) {
            let power = bin.norm_sqr();
            *newest += 0.5 * power.sqrt();
            total += f64::from(power * weight);
        }
        // Parseval with a window whose mean square is one half; each bin stands for its conjugate too.
        self.newest_power += total * 4.0 / (ANALYSIS_FRAMES as f64).powi(2);
    }

    fn update(&mut self) {
        let weight = self.weight.next_weight();
        self.power += (self.newest_power - self.power) * weight;
        for (mean, newest) in self.mean.iter_mut().zip(&self.newest) {
            *mean += (newest - *mean) * weight as f32;
        }
        let loudness_lufs = -0.691 + 10.0 * self.power.max(1e-30).log10();
        self.gain_db = REFERENCE_LUFS - loudness_lufs;
        shape_correction(
            &self.mean,
            &self.target_db,
            &self.point_weights,
            &mut self.sums,
            &mut self.curve_db,
        );
    }

    /// Whether there is an estimate.
    pub fn has_material(&self) -> bool {
        self.weight.has_material()
    }

    /// Estimated correction in dB.
    pub fn curve_db(&self) -> &[f32] {
        &self.curve_db
    }

    /// Estimated gain to −30 LUFS.
    pub fn gain_db(&self) -> f64 {
        self.gain_db
    }

    /// Forgets everything.
    pub fn reset(&mut self) {
        self.gate.reset();
        self.weight.reset();
        self.filled = 0;
        self.stage = 0;
        self.hops = 0;
        self.mean.fill(0.0);
        self.power = 0.0;
        self.curve_db.fill(0.0);
        self.gain_db = 0.0;
    }
}
