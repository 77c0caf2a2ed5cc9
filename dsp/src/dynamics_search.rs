//! Finds the compressor setting that the released code finds by trying (ratio, threshold) pairs one after the other
//! until the onset peaks lie low enough – up to 1,037 compressions of the file. Here a bank of eight thresholds is run
//! once on the input's onsets, which predicts where the walk would stop; full trials confirm the answer and rule out
//! every earlier pair whose prediction comes close.

use std::collections::BTreeMap;

use crate::delay::HOP_FRAMES;
use crate::dynamics::{Ballistics, loud_peaks, loudest_quarter, slope, smooth, static_reduction_db};
use crate::onset::onsets;
use crate::profile::CompressorSetting;
use crate::units::{db_from_gain, fast_db, fast_gain, gain_from_db};

/// Thresholds of the walk: −10 to −40 dB in steps of half a decibel.
const STEPS: usize = 61;
const LAST_RATIO: u32 = 20;

/// Thresholds that are predicted; the rest is interpolated.
pub const BANK_DB: [f32; 8] = [-10.0, -14.0, -18.0, -22.0, -26.0, -30.0, -35.0, -40.0];

/// A pair predicted this close to the limit is tried, not trusted.
const DOUBT_DB: f64 = 0.3;

/// Where even the lowest threshold is predicted this far above the limit, a ratio is not tried at all.
const HOPELESS_DB: f64 = 2.0;

fn threshold_db(step: usize) -> f64 {
    -10.0 - 0.5 * step as f64
}

/// A stem's channels (one, or two that share their gain reduction) ready for trials.
#[derive(Debug)]
pub struct Candidates {
    channels: Vec<Vec<f32>>,
    onsets: Vec<Vec<i64>>,
    levels_db: Vec<f32>,
    coefficients: [f64; 2],
    first_ratio: u32,
    reduction_db: Vec<f32>,
    output: Vec<f32>,
    /// Full trials made, for tests and reports.
    pub trials: usize,
}

impl Candidates {
    /// Scales the channels by `gain_db` and prepares their levels.
    pub fn new(channels: &[&[f32]], gain_db: f64, ballistics: Ballistics, sample_rate_hz: f64) -> Self {
        let gain = gain_from_db(gain_db) as f32;
        let channels: Vec<Vec<f32>> =
            channels.iter().map(|side| side.iter().map(|sample| sample * gain).collect()).collect();
        let frames = channels.iter().map(Vec::len).min().unwrap_or(0);
        let mut levels_db = vec![-700.0f32; frames];
        for side in &channels {
            levels_db.iter_mut().zip(side).for_each(|(level, sample)| *level = level.max(fast_db(*sample)));
        }
        Self {
            onsets: channels.iter().map(|side| onsets(side)).collect(),
            levels_db,
            coefficients: ballistics.coefficients(sample_rate_hz),
            first_ratio: ballistics.first_ratio,
            reduction_db: vec![0.0; frames],
            output: vec![0.0; frames],
            channels,
            trials: 0,
        }
    }

    /// Peak feature of the input: mean and deviation, averaged over channels.
    fn input_peaks(&self) -> Option<[f64; 2]> {
        let peaks: Option<Vec<_>> =
            self.channels.iter().zip(&self.onsets).map(|(side, onsets)| loud_peaks(side, onsets)).collect();
        Some(mean_of(&peaks?))
    }

    /// Peak feature after compression, with onsets found anew as the released code does. A channel whose onsets vanish
    /// counts as loud: the released code stops with an error there.
    pub fn trial(&mut self, ratio: f64, threshold_db: f64) -> f64 {
        self.trials += 1;
        let (slope, threshold_db) = (slope(ratio), threshold_db as f32);
        let mut state = 0.0;
        for (reduction, level_db) in self.reduction_db.iter_mut().zip(&self.levels_db) {
            state = smooth(
                state,
                f64::from(static_reduction_db(*level_db, threshold_db, slope)),
                self.coefficients,
            );
            *reduction = state as f32;
        }
        self.reduction_db.iter_mut().for_each(|reduction| *reduction = fast_gain(-*reduction));
        let mut peaks = Vec::with_capacity(2);
        for side in &self.channels {
            for ((output, sample), gain) in self.output.iter_mut().zip(side).zip(&self.reduction_db) {
                *output = sample * gain;
            }
            match loud_peaks(&self.output, &onsets(&self.output)) {
                Some(peak) => peaks.push(peak),
                None => return f64::INFINITY,
            }
        }
        mean_of(&peaks)[0]
    }

    /// Peak feature for every threshold of [`BANK_DB`], on the input's onsets.
    fn predict(&self, ratio: f64) -> [f64; 8] {
        let slope = slope(ratio);
        let [attack, release] = self.coefficients.map(|coefficient| coefficient as f32);
        let mut state = [0f32; 8];
        let mut segments = Segments::new(&self.onsets, self.levels_db.len());
        let gains: Vec<&[f32]> = self.channels.iter().map(Vec::as_slice).collect();
        for start in (0..self.levels_db.len()).step_by(BLOCK) {
            let end = (start + BLOCK).min(self.levels_db.len());
            let mut largest = [[-700f32; 8]; 2];
            for n in start..end {
                let level_db = self.levels_db[n];
                for lane in 0..8 {
                    let input = (level_db - BANK_DB[lane]).max(0.0) * slope;
                    let coefficient = if input > state[lane] { attack } else { release };
                    state[lane] = input + coefficient * (state[lane] - input);
                    largest[0][lane] = largest[0][lane].max(level_db - state[lane]);
                }
            }
            if gains.len() == 2 {
                side_peaks(&gains, start, end, &mut largest);
            }
            segments.add(start, &largest);
        }
        segments.features()
    }
}

/// Resolution of predicted segments.
const BLOCK: usize = 64;

/// Splits the linked level's peaks over two sides by how much each side's own peak lies below the louder one.
fn side_peaks(sides: &[&[f32]], start: usize, end: usize, largest: &mut [[f32; 8]; 2]) {
    let peak = |side: &[f32]| side[start..end].iter().fold(1e-30f32, |peak, sample| peak.max(sample.abs()));
    let [left_db, right_db] = [fast_db(peak(sides[0])), fast_db(peak(sides[1]))];
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
    fn new(onsets: &'a [Vec<i64>], _frames: usize) -> Self {
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
pub fn find_setting(mut candidates: Candidates, peak_db: f64, peak_std_db: f64) -> Option<CompressorSetting> {
    let [input_db, _] = candidates.input_peaks()?;
    // Too quiet peaks would need the expander, which the released settings leave off.
    if input_db < peak_db + peak_std_db {
        return None;
    }
    Some(search(&mut candidates, peak_db + peak_std_db))
}

/// First pair of the walk whose peaks lie below `limit_db`; the walk's last pair if none does.
pub fn search(candidates: &mut Candidates, limit_db: f64) -> CompressorSetting {
    for ratio in candidates.first_ratio..=LAST_RATIO {
        let ratio = f64::from(ratio);
        let bank = candidates.predict(ratio);
        if bank[7] > limit_db + HOPELESS_DB {
            continue;
        }
        if let Some(step) = search_thresholds(candidates, ratio, &bank, limit_db) {
            return CompressorSetting { ratio, threshold_db: threshold_db(step) };
        }
    }
    CompressorSetting { ratio: f64::from(LAST_RATIO), threshold_db: threshold_db(STEPS - 1) }
}

fn search_thresholds(
    candidates: &mut Candidates,
    ratio: f64,
    bank: &[f64; 8],
    limit_db: f64,
) -> Option<usize> {
    let predicted: Vec<f64> = (0..STEPS).map(|step| interpolate(bank, threshold_db(step))).collect();
    let mut tried = BTreeMap::new();
    let mut low_enough =
        |step: usize| *tried.entry(step).or_insert_with(|| candidates.trial(ratio, threshold_db(step)));
    let guess = predicted.iter().position(|level_db| *level_db < limit_db).unwrap_or(STEPS - 1);
    // Walk down from the guess to a pair that satisfies. The first trial tells how far the prediction is off.
    let bias_db = low_enough(guess) - predicted[guess];
    let better = predicted.iter().position(|level_db| level_db + bias_db < limit_db).unwrap_or(STEPS - 1);
    let mut answer = (better.min(STEPS - 1)..STEPS).find(|step| low_enough(*step) < limit_db)?;
    // Any earlier pair that might satisfy is tried, nearest first, until the prediction rules out the rest.
    for step in (0..answer).rev() {
        let doubtful = predicted[step] + bias_db < limit_db + DOUBT_DB || step + 1 == better;
        if doubtful && low_enough(step) < limit_db {
            answer = step;
        }
    }
    Some(answer)
}

fn interpolate(bank: &[f64; 8], threshold_db: f64) -> f64 {
    let place = BANK_DB.iter().position(|entry| f64::from(*entry) <= threshold_db).unwrap_or(7).max(1);
    let (high, low) = (f64::from(BANK_DB[place - 1]), f64::from(BANK_DB[place]));
    bank[place] + (bank[place - 1] - bank[place]) * ((threshold_db - low) / (high - low)).clamp(0.0, 1.0)
}

/// Peak level of a channel in dBFS, for reports.
pub fn peak_db(samples: &[f32]) -> f64 {
    db_from_gain(f64::from(samples.iter().fold(0f32, |peak, sample| peak.max(sample.abs()))))
}

const _: () = assert!(HOP_FRAMES.is_multiple_of(BLOCK));

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stem::Stem;

    /// Bursts of decaying noise and tone, different for every seed.
    fn bursts(seed: u32, frames: usize) -> Vec<f32> {
        let mut state = seed.wrapping_mul(2_654_435_761) | 1;
        let mut random = move || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state as f32 / u32::MAX as f32
        };
        let mut samples = vec![0.0f32; frames];
        let mut start = 3_000;
        while start < frames {
            let (level, decay, pitch) =
                (0.2 + 0.8 * random(), 2_000.0 + 12_000.0 * random(), 0.01 + 0.2 * random());
            for n in 0..(5.0 * decay) as usize {
                let Some(sample) = samples.get_mut(start + n) else { break };
                let tone = (n as f32 * pitch).sin() + 0.3 * (2.0 * random() - 1.0);
                *sample += 0.5 * level * tone * (-(n as f32) / decay).exp();
            }
            start += 6_000 + (16_000.0 * random()) as usize;
        }
        samples
    }

    /// The released code's way, for comparison.
    fn walk(candidates: &mut Candidates, limit_db: f64) -> CompressorSetting {
        for ratio in candidates.first_ratio..=LAST_RATIO {
            for step in 0..STEPS {
                if candidates.trial(f64::from(ratio), threshold_db(step)) < limit_db {
                    return CompressorSetting { ratio: f64::from(ratio), threshold_db: threshold_db(step) };
                }
            }
        }
        CompressorSetting { ratio: f64::from(LAST_RATIO), threshold_db: threshold_db(STEPS - 1) }
    }

    #[test]
    fn the_search_finds_what_the_blind_walk_finds() {
        let (mut searched, mut walked) = (0, 0);
        for seed in 1..=12 {
            let stem = Stem::ALL[seed as usize % 4];
            let (left, right) = (bursts(seed, 200_000), bursts(seed + 100, 200_000));
            let channels: &[&[f32]] = if seed % 2 == 0 { &[&left] } else { &[&left, &right] };
            let gain_db = -10.0 - channels.iter().map(|side| peak_db(side)).fold(f64::MIN, f64::max);
            let prepare = || Candidates::new(channels, gain_db, Ballistics::of(stem), 44_100.0);
            let input_db = prepare().input_peaks().expect("bursts have onsets")[0];
            for below_db in [0.4, 1.3, 2.9, 6.0] {
                let (mut fast, mut blind) = (prepare(), prepare());
                let limit_db = input_db - below_db;
                assert_eq!(
                    search(&mut fast, limit_db),
                    walk(&mut blind, limit_db),
                    "seed {seed}, {below_db} dB"
                );
                searched += fast.trials;
                walked += blind.trials;
            }
        }
        assert!(searched * 4 < walked, "{searched} trials instead of {walked}");
    }

    #[test]
    fn peaks_that_meet_their_target_are_left_alone() {
        let samples = bursts(7, 200_000);
        let gain_db = -10.0 - peak_db(&samples);
        let prepare = || Candidates::new(&[&samples], gain_db, Ballistics::of(Stem::Drums), 44_100.0);
        let input_db = prepare().input_peaks().expect("bursts have onsets")[0];
        assert_eq!(find_setting(prepare(), input_db, 0.5), None);
        assert!(find_setting(prepare(), input_db - 3.0, 0.5).is_some());
    }
}
