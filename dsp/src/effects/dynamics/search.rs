//! Finds the compressor setting that the released code finds by trying (ratio, threshold) pairs one after the other
//! until the onset peaks lie low enough – up to 1,037 compressions of the file. Here a bank of eight thresholds is run
//! once on the input's onsets, which predicts where the walk would stop; full trials confirm the answer and rule out
//! every earlier pair whose prediction comes close.

use std::collections::BTreeMap;

use crate::analysis::onset_peaks::{OnsetPeaks, loudest_quarter};
use crate::effects::dynamics::compressor::{
    BANK_DB, Ballistics, CompressorSetting, bank_reductions_db, raise, slope, smooth, smooth_bank,
    static_reduction_db,
};
use crate::hop::HOP_FRAMES;
use crate::store::{Sides, StemStore, StoreError, for_each_hop};
use crate::units::{fast_db, fast_gain, gain_from_db};

/// Thresholds of the walk: −10 to −40 dB in steps of half a decibel.
const STEPS: usize = 61;
const LAST_RATIO: u32 = 20;

/// A pair predicted this close to the limit is tried, not trusted.
const DOUBT_DB: f64 = 0.3;

/// Where even the lowest threshold is predicted this far above the limit, a ratio is not tried at all.
const HOPELESS_DB: f64 = 2.0;

fn threshold_db(step: usize) -> f64 {
    -10.0 - 0.5 * step as f64
}

/// A stem's sides (one, or two that share their gain reduction) ready for trials, each of which is a pass over the stem.
pub struct Candidates<'a> {
    stem: &'a mut dyn StemStore,
    sides: &'static [usize],
    gain: f32,
    onsets: Vec<Vec<i64>>,
    input_peaks: Option<[f64; 2]>,
    coefficients: [f64; 2],
    sample_rate_hz: f64,
    first_ratio: u32,
    /// Full trials made, for tests and reports.
    pub trials: usize,
}

impl<'a> Candidates<'a> {
    /// Finds the onsets of the sides scaled by `gain_db`.
    ///
    /// # Errors
    /// The store's reason.
    pub fn new(
        stem: &'a mut dyn StemStore,
        sides: Sides,
        gain_db: f64,
        ballistics: Ballistics,
        sample_rate_hz: f64,
    ) -> Result<Self, StoreError> {
        let mut candidates = Self {
            stem,
            sides: sides.indices(),
            gain: gain_from_db(gain_db) as f32,
            onsets: Vec::new(),
            input_peaks: None,
            coefficients: ballistics.coefficients(sample_rate_hz),
            sample_rate_hz,
            first_ratio: ballistics.first_ratio,
            trials: 0,
        };
        let mut peaks: Vec<OnsetPeaks> =
            candidates.sides.iter().map(|_| OnsetPeaks::new(sample_rate_hz)).collect();
        candidates.pass(|sides, _, _| {
            peaks.iter_mut().zip(sides).for_each(|(peaks, side)| peaks.listen(side));
        })?;
        let mut features = Vec::new();
        for peaks in peaks {
            let (onsets, mut peaks_db) = peaks.finish();
            features.extend(loudest_quarter(&mut peaks_db));
            candidates.onsets.push(onsets);
        }
        let complete = features.len() == candidates.sides.len();
        candidates.input_peaks = complete.then(|| mean_of(&features));
        Ok(candidates)
    }

    /// Hands over every hop: the scaled sides, the louder side's level in dB, and the number of frames.
    fn pass(
        &mut self,
        mut visit: impl FnMut(&mut [&mut [f32; HOP_FRAMES]], &mut [f32; HOP_FRAMES], usize),
    ) -> Result<(), StoreError> {
        let (gain, indices) = (self.gain, self.sides);
        let mut levels_db = [0f32; HOP_FRAMES];
        for_each_hop(self.stem, |hop, frames| {
            let [left, right] = hop.sides_mut();
            let mut both = [left, right];
            let sides = match indices {
                [0] => &mut both[..1],
                [_] => &mut both[1..],
                _ => &mut both[..],
            };
            levels_db.fill(-700.0);
            for side in sides.iter_mut() {
                for (level, sample) in levels_db.iter_mut().zip(side.iter_mut()) {
                    *sample *= gain;
                    *level = level.max(fast_db(*sample));
                }
            }
            visit(sides, &mut levels_db, frames);
        })
    }

    /// Peak feature after compression, with onsets found anew as the released code does. A channel whose onsets vanish
    /// counts as loud: the released code stops with an error there.
    ///
    /// # Errors
    /// The store's reason.
    pub fn trial(&mut self, ratio: f64, threshold_db: f64) -> Result<f64, StoreError> {
        self.trials += 1;
        let (slope, threshold_db, coefficients) = (slope(ratio), threshold_db as f32, self.coefficients);
        let mut state = 0.0;
        let mut peaks: Vec<OnsetPeaks> =
            self.sides.iter().map(|_| OnsetPeaks::new(self.sample_rate_hz)).collect();
        self.pass(|sides, gains, _| {
            // The levels make room for the gains, sample by sample.
            for gain in gains.iter_mut() {
                let input = f64::from(static_reduction_db(*gain, threshold_db, slope));
                state = smooth(state, input, coefficients);
                *gain = state as f32;
            }
            gains.iter_mut().for_each(|gain| *gain = fast_gain(-*gain));
            for (peaks, side) in peaks.iter_mut().zip(sides) {
                side.iter_mut().zip(gains.iter()).for_each(|(sample, gain)| *sample *= gain);
                peaks.listen(side);
            }
        })?;
        let features: Option<Vec<_>> = peaks.into_iter().map(OnsetPeaks::loudest).collect();
        Ok(features.map_or(f64::INFINITY, |features| mean_of(&features)[0]))
    }

    /// Peak feature for every threshold of [`BANK_DB`], on the input's onsets.
    fn predict(&mut self, ratio: f64) -> Result<[f64; 8], StoreError> {
        let slope = slope(ratio);
        let coefficients = self.coefficients.map(|coefficient| coefficient as f32);
        let mut state = [0f32; 8];
        let onsets = std::mem::take(&mut self.onsets);
        let mut segments = Segments::new(&onsets);
        let mut position = 0;
        self.pass(|sides, levels_db, frames| {
            for start in (0..frames).step_by(BLOCK) {
                let range = start..(start + BLOCK).min(frames);
                let mut largest = [[-700f32; 8]; 2];
                for level_db in &levels_db[range.clone()] {
                    smooth_bank(&mut state, &bank_reductions_db(*level_db, slope), coefficients);
                    raise(&mut largest[0], *level_db, &state);
                }
                if let [left, right] = sides {
                    side_peaks([&left[range.clone()], &right[range.clone()]], &mut largest);
                }
                segments.add(position + range.start, &largest);
            }
            position += frames;
        })?;
        let features = segments.features();
        self.onsets = onsets;
        Ok(features)
    }
}

/// Resolution of predicted segments.
const BLOCK: usize = 64;

/// Splits the linked level's peaks over two sides by how much each side's own peak lies below the louder one.
fn side_peaks(sides: [&[f32]; 2], largest: &mut [[f32; 8]; 2]) {
    let peak = |side: &[f32]| side.iter().fold(1e-30f32, |peak, sample| peak.max(sample.abs()));
    let [left_db, right_db] = sides.map(|side| fast_db(peak(side)));
    let top_db = left_db.max(right_db);
    largest[1] = largest[0].map(|level_db| level_db - (top_db - right_db));
    largest[0] = largest[0].map(|level_db| level_db - (top_db - left_db));
}

struct Segments<'a> {
    onsets: &'a [Vec<i64>],
    current: Vec<usize>,
    peaks: Vec<Vec<[f32; 8]>>,
}

impl<'a> Segments<'a> {
    fn new(onsets: &'a [Vec<i64>]) -> Self {
        let peaks = onsets.iter().map(|onsets| vec![[-700.0; 8]; onsets.len()]).collect();
        Self { onsets, current: vec![0; onsets.len()], peaks }
    }

    /// Adds one block's largest levels to the segment in which it starts.
    fn add(&mut self, start: usize, largest: &[[f32; 8]; 2]) {
        for (side, onsets) in self.onsets.iter().enumerate() {
            while self.current[side] < onsets.len() && onsets[self.current[side]] <= start as i64 {
                self.current[side] += 1;
            }
            if let Some(segment) = self.current[side].checked_sub(1) {
                let peaks = &mut self.peaks[side][segment];
                peaks.iter_mut().zip(largest[side]).for_each(|(peak, level)| *peak = peak.max(level));
            }
        }
    }

    fn features(&self) -> [f64; 8] {
        std::array::from_fn(|lane| {
            let sides = self.peaks.iter().filter_map(|peaks| {
                loudest_quarter(&mut peaks.iter().map(|peak| f64::from(peak[lane])).collect::<Vec<f64>>())
            });
            mean_of(&sides.collect::<Vec<_>>())[0]
        })
    }
}

fn mean_of(values: &[[f64; 2]]) -> [f64; 2] {
    let count = values.len().max(1) as f64;
    std::array::from_fn(|index| values.iter().map(|value| value[index]).sum::<f64>() / count)
}

/// The setting that the walk would find; `None` when the peaks need no compression (or have no onsets).
///
/// # Errors
/// The store's reason.
pub fn find_setting(
    mut candidates: Candidates<'_>,
    peak_db: f64,
    peak_std_db: f64,
) -> Result<Option<CompressorSetting>, StoreError> {
    let limit_db = peak_db + peak_std_db;
    match candidates.input_peaks {
        Some([input_db, _]) if input_db >= limit_db => search(&mut candidates, limit_db).map(Some),
        // Too quiet peaks would need the expander, which the released settings leave off.
        _ => Ok(None),
    }
}

/// First pair of the walk whose peaks lie below `limit_db`; the walk's last pair if none does.
///
/// # Errors
/// The store's reason.
pub fn search(candidates: &mut Candidates<'_>, limit_db: f64) -> Result<CompressorSetting, StoreError> {
    for ratio in candidates.first_ratio..=LAST_RATIO {
        let ratio = f64::from(ratio);
        let bank = candidates.predict(ratio)?;
        if bank[7] > limit_db + HOPELESS_DB {
            continue;
        }
        let mut walk = Walk { candidates, ratio, limit_db, tried: BTreeMap::new() };
        if let Some(step) = walk.first_low_enough(&bank)? {
            return Ok(CompressorSetting { ratio, threshold_db: threshold_db(step) });
        }
    }
    Ok(CompressorSetting { ratio: f64::from(LAST_RATIO), threshold_db: threshold_db(STEPS - 1) })
}

/// The thresholds of one ratio, and what is known of them.
struct Walk<'a, 'b> {
    candidates: &'a mut Candidates<'b>,
    ratio: f64,
    limit_db: f64,
    tried: BTreeMap<usize, f64>,
}

impl Walk<'_, '_> {
    /// Peaks after compression with the threshold of this step, tried at most once.
    fn peaks_db(&mut self, step: usize) -> Result<f64, StoreError> {
        if let Some(known) = self.tried.get(&step) {
            return Ok(*known);
        }
        let peaks_db = self.candidates.trial(self.ratio, threshold_db(step))?;
        self.tried.insert(step, peaks_db);
        Ok(peaks_db)
    }

    /// The first step whose peaks lie below the limit.
    fn first_low_enough(&mut self, bank: &[f64; 8]) -> Result<Option<usize>, StoreError> {
        let limit_db = self.limit_db;
        let predicted: Vec<f64> = (0..STEPS).map(|step| interpolate(bank, threshold_db(step))).collect();
        let guess = predicted.iter().position(|level_db| *level_db < limit_db).unwrap_or(STEPS - 1);
        // Walk down from the guess to a pair that satisfies. The first trial tells how far the prediction is off.
        let bias_db = self.peaks_db(guess)? - predicted[guess];
        let better = predicted.iter().position(|level_db| level_db + bias_db < limit_db).unwrap_or(STEPS - 1);
        let mut answer = better;
        while self.peaks_db(answer)? >= limit_db {
            answer += 1;
            if answer == STEPS {
                return Ok(None);
            }
        }
        // Any earlier pair that might satisfy is tried, nearest first, until the prediction rules out the rest.
        for step in (0..answer).rev() {
            let doubtful = predicted[step] + bias_db < limit_db + DOUBT_DB || step + 1 == better;
            if doubtful && self.peaks_db(step)? < limit_db {
                answer = step;
            }
        }
        Ok(Some(answer))
    }
}

fn interpolate(bank: &[f64; 8], threshold_db: f64) -> f64 {
    let place = BANK_DB.iter().position(|entry| f64::from(*entry) <= threshold_db).unwrap_or(7).max(1);
    let (high, low) = (f64::from(BANK_DB[place - 1]), f64::from(BANK_DB[place]));
    bank[place] + (bank[place - 1] - bank[place]) * ((threshold_db - low) / (high - low)).clamp(0.0, 1.0)
}

const _: () = assert!(HOP_FRAMES.is_multiple_of(BLOCK));

#[cfg(test)]
#[path = "search_tests.rs"]
mod tests;
