//! The running estimate behind live equalization: average spectrum and loudness of what has been heard.
//!
//! It keeps the 65,536-point scale of the published targets: a shorter transform would need a conversion that differs
//! between noise and tones by up to 6 dB per octave of length.

use realfft::num_complex::Complex32;

use crate::analysis::estimates::{ActivityGate, ESTIMATE_SECONDS, RunningWeight};
use crate::analysis::spectra::{ANALYSIS_FRAMES, REFERENCE_LUFS};
use crate::context::Context;
use crate::effects::equalization::curve::CURVE_POINTS;
use crate::effects::equalization::faults::Fault;
use crate::effects::equalization::shaper::CurveShaper;
use crate::effects::equalization::third_octaves::{THIRD_OCTAVES, edge_hz};
use crate::filters::biquad::k_weighting;
use crate::filters::transform::{RealTransform, sqrt_hann};
use crate::hop::{HOP_FRAMES, Hop, TURNS_HOPS};
use crate::targets::FULL_BINS;

/// Stems that take turns with the transforms of the running estimate.
const TURNS: usize = 4;
const _: () = assert!(TURNS_HOPS.is_multiple_of(TURNS));

/// Transforms after which faults are looked for: three quarters of ten seconds of material.
const HEARD_BEFORE_FAULTS: usize = 3;

/// Running average spectrum and loudness of a stem, updated once per 65,536 frames of material (about 1.5 s).
#[derive(Debug)]
pub struct SpectrumEstimator {
    shaper: CurveShaper,
    fault: Option<Fault>,
    heard: usize,
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
    curve_db: Vec<f32>,
    gain_db: f64,
}

impl SpectrumEstimator {
    /// Listens for the correction of a stem. Of the stems of a song each takes another turn.
    pub fn new(context: &Context) -> Self {
        let Context { stem, sample_rate_hz, .. } = *context;
        let k = k_weighting(sample_rate_hz);
        let weighting = (0..FULL_BINS).map(|bin| {
            let hz = bin as f64 * sample_rate_hz / ANALYSIS_FRAMES as f64;
            (k[0].power_at(hz, sample_rate_hz) * k[1].power_at(hz, sample_rate_hz)) as f32
        });
        Self {
            shaper: CurveShaper::new(context),
            fault: None,
            heard: 0,
            gate: ActivityGate::new(HOP_FRAMES as f64 / sample_rate_hz),
            weight: RunningWeight::new(ESTIMATE_SECONDS * sample_rate_hz / ANALYSIS_FRAMES as f64),
            gathered: [vec![0.0; ANALYSIS_FRAMES], vec![0.0; ANALYSIS_FRAMES]],
            analyzed: [vec![0.0; ANALYSIS_FRAMES], vec![0.0; ANALYSIS_FRAMES]],
            filled: 0,
            stage: 0,
            turn: stem.index() % TURNS,
            hops: 0,
            window: sqrt_hann(ANALYSIS_FRAMES),
            transform: RealTransform::new(ANALYSIS_FRAMES),
            bins: vec![Complex32::default(); FULL_BINS],
            newest: vec![0.0; FULL_BINS],
            mean: vec![0.0; FULL_BINS],
            newest_power: 0.0,
            power: 0.0,
            weighting: weighting.collect(),
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
        let gain_db = REFERENCE_LUFS - loudness_lufs;
        self.heard += 1;
        if !self.shaper.mends() {
            self.gain_db = gain_db;
        } else if self.heard < HEARD_BEFORE_FAULTS {
            return;
        }
        self.fault = self.shaper.shape(&self.mean, gain_db, &mut self.curve_db);
    }

    /// What is mended, by rules that look for faults.
    pub fn fault(&self) -> Option<Fault> {
        self.fault
    }

    /// Whether there is an estimate.
    pub fn has_material(&self) -> bool {
        self.weight.has_material()
    }

    /// The spectrum heard so far, per third octave of the stem at −30 LUFS, in dB; `None` before the first material.
    pub fn measured_db(&self, sample_rate_hz: f64) -> Option<[f32; THIRD_OCTAVES]> {
        let loudness_lufs = -0.691 + 10.0 * self.power.max(1e-30).log10();
        let bin = |band| {
            let position = (edge_hz(band) * ANALYSIS_FRAMES as f64 / sample_rate_hz).round() as usize;
            position.min(FULL_BINS - 1)
        };
        self.has_material().then(|| {
            std::array::from_fn(|band| {
                // The lowest bands are narrower than two bins: each has one at least.
                let bins = &self.mean[bin(band)..bin(band + 1).max(bin(band) + 1)];
                let mean = bins.iter().sum::<f32>() / bins.len() as f32;
                20.0 * mean.max(1e-9).log10() + (REFERENCE_LUFS - loudness_lufs) as f32
            })
        })
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
        self.fault = None;
        self.heard = 0;
    }
}
