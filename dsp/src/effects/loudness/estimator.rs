//! The running estimate behind live loudness: gated loudness of what has been heard.

use crate::analysis::estimates::{
    ESTIMATE_SECONDS, LOUDEST_MATERIAL, PEAK_FALL_DB_PER_SECOND, RunningWeight,
};
use crate::analysis::loudness::{ABSOLUTE_GATE_LUFS, KWeighting, QUIET_GATE_LUFS, RELATIVE_GATE, lufs};
use crate::hop::{HOP_FRAMES, Hop};
use crate::units::gain_from_db;

/// Length of a block (BS.1770-4).
const BLOCK_SECONDS: f64 = 0.4;

/// The same in whole hops: 17, which are 395 ms, at 44.1 kHz.
fn block_hops(sample_rate_hz: f64) -> usize {
    (BLOCK_SECONDS * sample_rate_hz / HOP_FRAMES as f64).round().max(1.0) as usize
}

/// Running gated loudness of a stem, hop by hop. It hears from −90 LUFS on until something passes the gate of the standard,
/// at −70 LUFS; what was quieter is forgotten then.
#[derive(Debug)]
pub(crate) struct LoudnessEstimator {
    gate_lufs: f64,
    weighting: KWeighting,
    /// Power of the hops of a block.
    recent: Vec<f64>,
    position: usize,
    filled: usize,
    ungated: f64,
    ungated_weight: RunningWeight,
    gated: f64,
    gated_weight: RunningWeight,
    peak: f32,
    peak_falls: f32,
}

impl LoudnessEstimator {
    pub(crate) fn new(sample_rate_hz: f64) -> Self {
        let hops = ESTIMATE_SECONDS * sample_rate_hz / HOP_FRAMES as f64;
        Self {
            gate_lufs: QUIET_GATE_LUFS,
            weighting: KWeighting::new(sample_rate_hz),
            recent: vec![0.0; block_hops(sample_rate_hz)],
            position: 0,
            filled: 0,
            ungated: 0.0,
            ungated_weight: RunningWeight::new(hops),
            gated: 0.0,
            gated_weight: RunningWeight::new(hops),
            peak: 0.0,
            peak_falls: gain_from_db(-PEAK_FALL_DB_PER_SECOND * HOP_FRAMES as f64 / sample_rate_hz) as f32,
        }
    }

    pub(crate) fn listen(&mut self, hop: &Hop) {
        let frames = hop.left.iter().zip(&hop.right);
        let energy: f64 =
            frames.map(|(left, right)| self.weighting.power([f64::from(*left), f64::from(*right)])).sum();
        self.weighting.flush();
        self.recent[self.position] = energy / HOP_FRAMES as f64;
        let hops = self.recent.len();
        self.position = (self.position + 1) % hops;
        self.filled = (self.filled + 1).min(hops);
        let block = self.recent.iter().sum::<f64>() / hops as f64;
        let audible = lufs(block) >= self.gate_lufs && block <= 2.0 * LOUDEST_MATERIAL;
        if self.filled < hops || !audible {
            return;
        }
        if self.gate_lufs < ABSOLUTE_GATE_LUFS && lufs(block) >= ABSOLUTE_GATE_LUFS {
            self.gate_lufs = ABSOLUTE_GATE_LUFS;
            self.forget();
        }
        self.ungated += (block - self.ungated) * self.ungated_weight.next_weight();
        let before = self.peak * self.peak_falls;
        self.peak = hop.sides().into_iter().flatten().fold(before, |peak, sample| peak.max(sample.abs()));
        if block > self.ungated * RELATIVE_GATE {
            self.gated += (block - self.gated) * self.gated_weight.next_weight();
        }
    }

    pub(crate) fn loudness_lufs(&self) -> Option<f64> {
        self.gated_weight.has_material().then(|| lufs(self.gated))
    }

    /// Largest magnitude of what was heard, linear; slowly forgotten.
    pub(crate) fn peak(&self) -> f32 {
        self.peak
    }

    pub(crate) fn reset(&mut self) {
        self.weighting.reset();
        self.recent.fill(0.0);
        self.position = 0;
        self.filled = 0;
        self.gate_lufs = QUIET_GATE_LUFS;
        self.forget();
    }

    fn forget(&mut self) {
        self.peak = 0.0;
        self.ungated = 0.0;
        self.gated = 0.0;
        self.ungated_weight.reset();
        self.gated_weight.reset();
    }
}
