//! Listens to stems and a mix that are in step, and keeps averages of what belongs together.

use realfft::num_complex::Complex32;

use super::estimate::{Observed, explain};
use super::groups::{Group, groups};
use super::moments::{Moments, SIDES, SIGNALS};
use super::result::Explanation;
use crate::analysis::estimates::RunningWeight;
use crate::filters::transform::RealTransform;
use crate::stem::CHANNELS;

/// Length of the spectra in seconds, at least: long enough for two bins in the third octave at 50 Hz.
const WINDOW_S: f64 = 0.15;

/// How to listen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Watch {
    /// Rate of stems and mix in Hz.
    pub sample_rate_hz: f64,
    /// Windows per length of a window: 2 lose nothing; less than 1 leave gaps, which costs less.
    pub density: f64,
    /// Material after which the averages begin to forget, in seconds; infinite for a whole song.
    pub memory_s: f64,
}

impl Watch {
    /// All of a song, each moment as much as the other.
    pub fn song(sample_rate_hz: f64) -> Self {
        Self { sample_rate_hz, density: 2.0, memory_s: f64::INFINITY }
    }
}

/// See the module documentation. Only [`Observer::new`] allocates.
pub struct Observer {
    watch: Watch,
    groups: Vec<Group>,
    transform: RealTransform,
    window: Vec<f32>,
    step: usize,
    /// The newest frames of all signals, stems first; as long as the window.
    recent: [Vec<f32>; SIGNALS],
    /// How many of them are there; negative while frames are passed over.
    filled: isize,
    time: Vec<f32>,
    spectra: [Vec<Complex32>; SIGNALS],
    moments: Vec<Moments>,
    weight: RunningWeight,
    /// Windows that were heard, not more than the memory holds.
    heard: f64,
}

impl Observer {
    /// Nothing has been heard.
    pub fn new(watch: Watch) -> Self {
        let length = ((WINDOW_S * watch.sample_rate_hz) as usize).next_power_of_two();
        let (transform, groups) = (RealTransform::new(length), groups(length, watch.sample_rate_hz));
        let step = ((length as f64 / watch.density) as usize).max(1);
        let bins = transform.bins();
        let window_step = std::f64::consts::TAU / length as f64;
        let hann = |n: usize| (0.5 - 0.5 * (window_step * n as f64).cos()) as f32;
        Self {
            watch,
            moments: vec![Moments::default(); groups.len()],
            groups,
            transform,
            window: (0..length).map(hann).collect(),
            step,
            recent: std::array::from_fn(|_| vec![0.0; length]),
            filled: 0,
            time: vec![0.0; length],
            spectra: std::array::from_fn(|_| vec![Complex32::default(); bins]),
            weight: RunningWeight::new(watch.memory_s * watch.sample_rate_hz / step as f64),
            heard: 0.0,
        }
    }

    /// Takes frames of the stems, eight planar channels, and of the mix, all of one length. However they are cut, the result
    /// is the same.
    pub fn push(&mut self, stems: [&[f32]; CHANNELS], mix: [&[f32]; SIDES]) {
        let signals: [&[f32]; SIGNALS] =
            std::array::from_fn(|n| if n < CHANNELS { stems[n] } else { mix[n - CHANNELS] });
        let (frames, length) = (mix[0].len(), self.window.len());
        let mut from = 0;
        while from < frames {
            if self.filled < 0 {
                let passed = (frames - from).min(self.filled.unsigned_abs());
                self.filled += passed as isize;
                from += passed;
                continue;
            }
            let filled = self.filled.unsigned_abs();
            let count = (frames - from).min(length - filled);
            for (recent, signal) in self.recent.iter_mut().zip(signals) {
                recent[filled..filled + count].copy_from_slice(&signal[from..from + count]);
            }
            from += count;
            self.filled += count as isize;
            if filled + count == length {
                self.hear();
            }
        }
    }

    /// What comes next does not follow what came before: a window that is not full is given up.
    pub fn interrupt(&mut self) {
        self.filled = 0;
    }

    /// Forgets everything.
    pub fn reset(&mut self) {
        self.interrupt();
        self.moments.fill(Moments::default());
        self.weight.reset();
        self.heard = 0.0;
    }

    /// What can be said so far; nothing before anything was heard. Takes about as long as a window's products.
    pub fn explain(&self) -> Option<Explanation> {
        let windows_per_s = self.watch.sample_rate_hz / self.step as f64;
        let observed = Observed {
            groups: &self.groups,
            moments: &self.moments,
            windows: self.heard * (1.0 / self.watch.density).clamp(0.5, 1.0),
            heard_s: self.heard / windows_per_s,
        };
        self.weight.has_material().then(|| explain(&observed))
    }

    /// Averages in the full window and moves on. Silence counts for nothing, or a pause would be forgotten into.
    fn hear(&mut self) {
        let audible = |signal: &Vec<f32>| signal.iter().any(|sample| *sample != 0.0);
        if self.recent.iter().any(audible) {
            for (signal, spectrum) in self.recent.iter().zip(&mut self.spectra) {
                for ((time, sample), weight) in self.time.iter_mut().zip(signal).zip(&self.window) {
                    *time = sample * weight;
                }
                self.transform.forward(&mut self.time, spectrum);
            }
            let weight = self.weight.next_weight();
            self.heard = 1.0 / weight;
            for (moments, group) in self.moments.iter_mut().zip(&self.groups) {
                moments.add(&self.spectra, group.bins.clone(), weight);
            }
        }
        let length = self.window.len();
        let kept = length.saturating_sub(self.step);
        self.recent.iter_mut().for_each(|signal| signal.copy_within(length - kept.., 0));
        self.filled = length as isize - self.step as isize;
    }
}
