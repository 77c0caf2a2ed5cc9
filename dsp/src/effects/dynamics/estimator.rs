//! The running estimate behind live compression: onset peaks of the last half minute or so, as they are and as each of
//! eight thresholds would leave them. The threshold that meets the target is read off that bank; nothing is searched
//! and no audio is kept.

use crate::analysis::estimates::{ActivityGate, PEAK_FALL_DB_PER_SECOND};
use crate::analysis::onset_peaks::loudest_quarter;
use crate::analysis::onsets::OnsetDetector;
use crate::effects::dynamics::compressor::{
    BANK_DB, Ballistics, bank_reductions_db, raise, slope, smooth_bank,
};
use crate::effects::dynamics::meter::REFERENCE_PEAK_DB;
use crate::hop::{HOP_FRAMES, Hop};
use crate::targets::StemTargets;
use crate::units::{fast_db, fast_gain};

/// Levels beyond this are faults, not peaks.
const LOUDEST_LEVEL_DB: f32 = 12.0;
/// Onset segments that are remembered.
const SEGMENTS: usize = 64;
/// Segments needed before a threshold is set.
const FEWEST_SEGMENTS: usize = 3;
/// A segment never lasts longer, so that a held tone without onsets is judged too.
const LONGEST_SEGMENT_SECONDS: f64 = 3.0;

const LANES: usize = BANK_DB.len();
/// Levels are kept per quarter of a hop: that finely a segment can be cut at its onset.
const QUARTER: usize = HOP_FRAMES / 4;
/// Samples whose loudest stands for all of them in the bank, 0.1 ms, short against every attack (7.5 ms and more). The bank is most of
/// what live compression costs.
const BANK_STEP: usize = 4;
/// Quarters kept apart until an onset report, which comes up to five hops late, can no longer claim them.
const PENDING: usize = 32;

/// Largest levels in some stretch of time: unprocessed, then after each threshold of the bank.
type Peaks = [f32; LANES + 1];
const SILENT: Peaks = [-700.0; LANES + 1];
/// The same for both sides, whose features are averaged as the whole-file meter does.
type SidePeaks = [Peaks; 2];
const SILENT_SIDES: SidePeaks = [SILENT; 2];

/// Listens to a stem and tells its peak gain and threshold.
#[derive(Debug)]
pub struct PeakEstimator {
    upper_db: f64,
    lower_db: f64,
    slope: f32,
    coefficients: [f32; 2],
    gate: ActivityGate,
    detector: OnsetDetector,
    middle: Box<[f32; HOP_FRAMES]>,
    bank: [f32; LANES],
    pending: Box<[SidePeaks; PENDING]>,
    quarters: i64,
    folded: i64,
    segment_start: i64,
    segment: SidePeaks,
    longest_segment: i64,
    remembered: Box<[SidePeaks; SEGMENTS]>,
    count: usize,
    peak_db: f64,
    fall_db: f64,
    threshold_db: f64,
}

impl PeakEstimator {
    /// Listens for the correction toward `target`.
    pub fn new(target: &StemTargets, ballistics: Ballistics, sample_rate_hz: f64) -> Self {
        let hop_seconds = HOP_FRAMES as f64 / sample_rate_hz;
        Self {
            upper_db: target.peak_db + target.peak_std_db,
            lower_db: target.peak_db - target.peak_std_db,
            slope: slope(f64::from(ballistics.first_ratio)),
            coefficients: ballistics
                .coefficients(sample_rate_hz)
                .map(|coefficient| coefficient.powi(BANK_STEP as i32) as f32),
            gate: ActivityGate::new(hop_seconds),
            detector: OnsetDetector::new(sample_rate_hz),
            middle: Box::new([0.0; HOP_FRAMES]),
            bank: [0.0; LANES],
            pending: Box::new([SILENT_SIDES; PENDING]),
            quarters: 0,
            folded: 0,
            segment_start: 0,
            segment: SILENT_SIDES,
            longest_segment: (LONGEST_SEGMENT_SECONDS * sample_rate_hz) as i64 / QUARTER as i64,
            remembered: Box::new([SILENT_SIDES; SEGMENTS]),
            count: 0,
            peak_db: f64::NEG_INFINITY,
            fall_db: PEAK_FALL_DB_PER_SECOND * hop_seconds,
            threshold_db: 0.0,
        }
    }

    /// Takes in a hop, its level (the louder side's, in dBFS) and the peak gain in force.
    pub fn listen(&mut self, hop: &Hop, levels_db: &[f32; HOP_FRAMES], gain_db: f32) {
        let is_material = self.gate.is_material(hop.mean_square());
        let sides = hop.left.chunks_exact(QUARTER).zip(hop.right.chunks_exact(QUARTER));
        for (quarter, (left, right)) in levels_db.chunks_exact(QUARTER).zip(sides) {
            let linked = self.run_bank(quarter, gain_db);
            self.pending[(self.quarters % PENDING as i64) as usize] = split(&linked, left, right);
            self.quarters += 1;
        }
        if is_material {
            let loudest = levels_db.iter().fold(-700f32, |loudest, level| loudest.max(*level));
            self.peak_db = f64::from(loudest).max(self.peak_db - self.fall_db);
        }
        // The released code detects on each side; live the middle does, with the peak gain that it expects.
        let scale = 0.5 * fast_gain(gain_db);
        for ((middle, left), right) in self.middle.iter_mut().zip(&hop.left).zip(&hop.right) {
            *middle = (left + right) * scale;
        }
        if let Some(onset) = self.detector.listen(&self.middle) {
            self.cut((onset / QUARTER as i64).clamp(self.folded, self.quarters));
        }
        // Make room for the next hop.
        self.fold((self.quarters + 4 - PENDING as i64).max(0));
        if self.folded - self.segment_start > self.longest_segment {
            self.cut(self.folded);
        }
        for lane in &mut self.bank {
            *lane = if *lane < 1e-12 { 0.0 } else { *lane };
        }
    }

    fn run_bank(&mut self, levels_db: &[f32], gain_db: f32) -> Peaks {
        let mut largest = [-700f32; LANES];
        let mut raw = -700f32;
        let mut bank = self.bank;
        for step in levels_db.chunks_exact(BANK_STEP) {
            let loudest = step.iter().fold(-700f32, |loudest, level| loudest.max(*level));
            let level_db = (loudest + gain_db).min(LOUDEST_LEVEL_DB);
            raw = raw.max(level_db);
            smooth_bank(&mut bank, &bank_reductions_db(level_db, self.slope), self.coefficients);
            raise(&mut largest, level_db, &bank);
        }
        self.bank = bank;
        std::array::from_fn(|index| if index == 0 { raw } else { largest[index - 1] })
    }

    /// Moves quarters before `end` into the current segment.
    fn fold(&mut self, end: i64) {
        while self.folded < end {
            let quarter = &self.pending[(self.folded % PENDING as i64) as usize];
            let levels = quarter.iter().flatten();
            self.segment.iter_mut().flatten().zip(levels).for_each(|(peak, level)| *peak = peak.max(*level));
            self.folded += 1;
        }
    }

    /// Ends the current segment at a quarter and begins the next one there.
    fn cut(&mut self, quarter: i64) {
        self.fold(quarter);
        // What lies before the first onset, or in a pause, is no peak.
        const FAINTEST_DB: f32 = -60.0;
        if self.segment[0][0].max(self.segment[1][0]) > FAINTEST_DB {
            self.remembered[self.count % SEGMENTS] = self.segment;
            self.count += 1;
            self.decide();
        }
        self.segment = SILENT_SIDES;
        self.segment_start = quarter;
    }

    /// Reads the threshold off the bank; 0 dB means that nothing is compressed.
    fn decide(&mut self) {
        if self.count < FEWEST_SEGMENTS {
            return;
        }
        let features: [f64; LANES + 1] = std::array::from_fn(|lane| self.loudest_quarter(lane));
        let within = features[0] < self.upper_db || features[0] <= self.lower_db;
        if within {
            self.threshold_db = 0.0;
            return;
        }
        self.threshold_db = f64::from(BANK_DB[LANES - 1]);
        let (mut above_db, mut above) = (0.0, features[0]);
        for (threshold_db, below) in BANK_DB.iter().map(|entry| f64::from(*entry)).zip(&features[1..]) {
            if *below < self.upper_db {
                let share = (above - self.upper_db) / (above - below).max(1e-9);
                // Between no compression and the first threshold nothing happens: peaks lie at or below −10 dBFS.
                let from_db = if above_db == 0.0 { threshold_db } else { above_db };
                self.threshold_db = from_db + (threshold_db - from_db) * share.clamp(0.0, 1.0);
                return;
            }
            (above_db, above) = (threshold_db, *below);
        }
    }

    fn loudest_quarter(&self, lane: usize) -> f64 {
        let mut levels = [0f64; SEGMENTS];
        let count = self.count.min(SEGMENTS);
        let mut sum = 0.0;
        for side in 0..2 {
            for (level, peaks) in levels.iter_mut().zip(&self.remembered[..count]) {
                *level = f64::from(peaks[side][lane]);
            }
            sum += loudest_quarter(&mut levels[..count]).map_or(-700.0, |[mean, _]| mean);
        }
        0.5 * sum
    }

    /// Gain that brings the running peak to −10 dBFS; `None` before any material.
    pub fn gain_db(&self) -> Option<f64> {
        self.peak_db.is_finite().then_some(REFERENCE_PEAK_DB - self.peak_db)
    }

    /// Threshold in dBFS of the peak-normalized stem; 0 when the peaks meet their target.
    pub fn threshold_db(&self) -> f64 {
        self.threshold_db
    }

    /// Forgets everything.
    pub fn reset(&mut self) {
        self.gate.reset();
        self.detector.reset();
        self.bank = [0.0; LANES];
        *self.pending = [SILENT_SIDES; PENDING];
        (self.quarters, self.folded, self.segment_start) = (0, 0, 0);
        self.segment = SILENT_SIDES;
        self.count = 0;
        self.peak_db = f64::NEG_INFINITY;
        self.threshold_db = 0.0;
    }
}

/// Splits the louder side's levels over both sides by how far each one's own peak lies below the louder one.
fn split(linked: &Peaks, left: &[f32], right: &[f32]) -> SidePeaks {
    let peak = |side: &[f32]| side.iter().fold(1e-30f32, |peak, sample| peak.max(sample.abs()));
    let [left_db, right_db] = [fast_db(peak(left)), fast_db(peak(right))];
    let top_db = left_db.max(right_db);
    [left_db, right_db].map(|side_db| linked.map(|level_db| level_db - (top_db - side_db)))
}
