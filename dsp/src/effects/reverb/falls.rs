//! Meter: how fast the partials of a stem fall. What a room adds cannot fall faster than the room decays, so a wet voice has
//! no deep falls, while a dry one stops dead at every consonant. Related to the blind estimation of decay rates (Ratnam et al.,
//! JASA 114(5), 2003; Wen, Habets, Naylor, ICASSP 2008), with a percentile in the place of their statistics.
//!
//! For every bin between 300 Hz and 8 kHz that sounds, the change of its power within 46 ms is counted. The reading is the fall
//! that only the steepest 0.5 % exceed. It tells a wet voice from a dry one (`docs/fx-normalization.md` has the figures); of
//! other stems it says too little, since drums stop by themselves and what is called "other" may be anything.
//!
//! It listens to the middle of the stem, L + R: what [width](super::super::width) adds leaves that alone.

use std::collections::VecDeque;
use std::ops::Range;

use realfft::num_complex::Complex32;

use crate::analysis::estimates::{ActivityGate, ESTIMATE_SECONDS, RunningWeight};
use crate::filters::transform::{RealTransform, sqrt_hann};
use crate::hop::{HOP_FRAMES, Hop};

/// Frames of the short transform: two hops.
const FRAMES: usize = 2 * HOP_FRAMES;
/// Range in which bins are counted, Hz.
const RANGE_HZ: Range<f64> = 300.0..8_000.0;
/// Bins within this distance are a bin's surroundings, Hz.
const AROUND_HZ: f64 = 194.0;
/// Bins on each side that are summed before falls are measured.
const NEAR_BINS: usize = 1;
/// Time over which a bin falls, in seconds.
const FALL_SECONDS: f64 = 0.046;
/// Memory of how strong the surroundings of a bin usually are, in seconds of sound.
const USUAL_SECONDS: f64 = 2.0;
/// A bin counts while its surroundings have this share of their usual power …
const SOUNDING: f32 = 0.3;
/// … and that is this share of the strongest usual one's.
const AUDIBLE: f32 = 1e-5;
/// Power that is added to every bin against that of usual surroundings: what falls out of hearing has fallen far enough.
const FLOOR: f32 = 1e-9;
/// Deepest fall that is told from a deeper one, and cells of the histogram per decibel.
const DEEPEST_DB: f32 = -60.0;
const CELLS_PER_DB: f32 = 4.0;
const CELLS: usize = (-DEEPEST_DB * CELLS_PER_DB) as usize + 1;
/// Share of all falls that are steeper than the reading.
const STEEPEST: f32 = 0.005;
/// Sound before there is a reading, in seconds.
const ENOUGH_SECONDS: f64 = 3.0;

/// The meter of one stem.
#[derive(Debug)]
pub(crate) struct Falls {
    window: Vec<f32>,
    transform: RealTransform,
    frames: Vec<f32>,
    bins: Vec<Complex32>,
    /// The middle of the hop before.
    previous: Box<[f32; HOP_FRAMES]>,
    range: Range<usize>,
    around_bins: usize,
    gate: ActivityGate,
    weight: RunningWeight,
    power: Vec<f32>,
    around: Vec<f32>,
    usual: Vec<f32>,
    /// Of the hops of one fall: power near each bin, 0 where it does not count. The oldest is reused for the newest.
    past: VecDeque<Vec<f32>>,
    cells: [f32; CELLS],
    /// What is left of earlier counts after a hop.
    keep: f32,
    sounding_hops: usize,
    enough_hops: usize,
}

impl Falls {
    /// Nothing heard. A meter that `forgets` follows a stream; another one takes in a whole file.
    pub fn new(sample_rate_hz: f64, forgets: bool) -> Self {
        let hop_seconds = HOP_FRAMES as f64 / sample_rate_hz;
        let bin = |hz: f64| (hz * FRAMES as f64 / sample_rate_hz).round() as usize;
        let range = bin(RANGE_HZ.start).max(1)..bin(RANGE_HZ.end).min(FRAMES / 2);
        let count = range.len();
        let lag_hops = ((FALL_SECONDS / hop_seconds).round() as usize).max(1);
        Self {
            // A plain Hann window: its side lobes fall fast enough for a deep fall beside a partial that stays.
            window: sqrt_hann(FRAMES).into_iter().map(|root| root * root).collect(),
            transform: RealTransform::new(FRAMES),
            frames: vec![0.0; FRAMES],
            bins: vec![Complex32::default(); FRAMES / 2 + 1],
            previous: Box::new([0.0; HOP_FRAMES]),
            range,
            around_bins: bin(AROUND_HZ),
            gate: ActivityGate::new(hop_seconds),
            weight: RunningWeight::new(USUAL_SECONDS / hop_seconds),
            power: vec![0.0; count],
            around: vec![0.0; count],
            usual: vec![0.0; count],
            past: (0..lag_hops + 1).map(|_| vec![0.0; count]).collect(),
            cells: [0.0; CELLS],
            keep: if forgets { (-hop_seconds / ESTIMATE_SECONDS).exp() as f32 } else { 1.0 },
            sounding_hops: 0,
            enough_hops: (ENOUGH_SECONDS / hop_seconds).ceil() as usize,
        }
    }

    /// Takes in a hop. Never allocates.
    pub fn listen(&mut self, hop: &Hop) {
        self.transform(hop);
        mean_around(&self.power, self.around_bins, &mut self.around);
        if self.gate.is_material(hop.mean_square()) {
            self.sounding_hops += 1;
            let weight = self.weight.next_weight() as f32;
            for (usual, around) in self.usual.iter_mut().zip(&self.around) {
                *usual += weight * (around - *usual);
            }
        }
        self.count();
    }

    /// Power of the middle of the previous hop and this one, bin by bin.
    fn transform(&mut self, hop: &Hop) {
        let (before, now) = self.frames.split_at_mut(HOP_FRAMES);
        before.copy_from_slice(&self.previous[..]);
        for ((middle, left), right) in self.previous.iter_mut().zip(&hop.left).zip(&hop.right) {
            *middle = 0.5 * (left + right);
        }
        now.copy_from_slice(&self.previous[..]);
        self.frames.iter_mut().zip(&self.window).for_each(|(frame, window)| *frame *= window);
        self.transform.forward(&mut self.frames, &mut self.bins);
        for (power, bin) in self.power.iter_mut().zip(&self.bins[self.range.clone()]) {
            *power = bin.norm_sqr();
        }
    }

    /// Counts how far every bin that sounded a while ago has fallen since.
    fn count(&mut self) {
        let strongest = self.usual.iter().copied().fold(0.0, f32::max);
        let mut near = self.past.pop_front().unwrap_or_default();
        mean_around(&self.power, NEAR_BINS, &mut near);
        let before = &self.past[0];
        self.cells.iter_mut().for_each(|cell| *cell *= self.keep);
        for (bin, near) in near.iter_mut().enumerate() {
            let floor = FLOOR * self.usual[bin];
            *near += floor;
            if before[bin] > 0.0 {
                let fall_db = 10.0 * (*near / before[bin]).log10();
                let cell = (fall_db.clamp(DEEPEST_DB, 0.0) - DEEPEST_DB) * CELLS_PER_DB;
                self.cells[cell as usize] += 1.0;
            }
            let sounds = self.around[bin] > SOUNDING * self.usual[bin];
            if !(sounds && self.usual[bin] > AUDIBLE * strongest && near.is_normal()) {
                *near = 0.0;
            }
        }
        self.past.push_back(near);
    }

    /// The fall in dB, 0 to −60, that only the steepest exceed; `None` before there is enough material.
    pub fn fall_db(&self) -> Option<f32> {
        let total: f32 = self.cells.iter().sum();
        if self.sounding_hops < self.enough_hops || total <= 0.0 {
            return None;
        }
        let wanted = STEEPEST * total;
        let mut below = 0.0;
        for (index, cell) in self.cells.iter().enumerate() {
            if below + cell >= wanted {
                let part = (wanted - below) / cell.max(f32::MIN_POSITIVE);
                return Some(DEEPEST_DB + (index as f32 + part.min(1.0)) / CELLS_PER_DB);
            }
            below += cell;
        }
        Some(0.0)
    }

    /// Back to the state after construction.
    pub fn reset(&mut self) {
        self.previous.fill(0.0);
        self.gate.reset();
        self.weight.reset();
        self.usual.fill(0.0);
        self.past.iter_mut().for_each(|hop| hop.fill(0.0));
        self.cells.fill(0.0);
        self.sounding_hops = 0;
    }
}

/// Mean of each value and `half` neighbors on each side; at the ends of those there are.
fn mean_around(values: &[f32], half: usize, means: &mut [f32]) {
    let mut sum: f64 = values.iter().take(half).map(|value| f64::from(*value)).sum();
    for (index, mean) in means.iter_mut().enumerate() {
        if let Some(value) = values.get(index + half) {
            sum += f64::from(*value);
        }
        if let Some(before) = index.checked_sub(half + 1) {
            sum -= f64::from(values[before]);
        }
        let count = (index + half + 1).min(values.len()) - index.saturating_sub(half);
        *mean = (sum / count as f64).max(0.0) as f32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filters::noise::uniform;

    /// Notes of six partials, one after the other, which sound for a quarter of a second and then die away, into the notes
    /// that follow, with this time to fall by 60 dB.
    fn notes(rt60_seconds: f64, gain: f64) -> Vec<f32> {
        const RATE_HZ: f64 = 44_100.0;
        const NOTE: usize = 18_000;
        let mut state = 5u64;
        let mut frames = vec![0f32; 40 * NOTE];
        for start in (0..frames.len()).step_by(NOTE) {
            let hz = 180.0 + 200.0 * uniform(&mut state);
            let length = ((0.25 + 1.2 * rt60_seconds) * RATE_HZ) as usize;
            for (n, frame) in frames[start..].iter_mut().take(length).enumerate() {
                let seconds = n as f64 / RATE_HZ;
                let level =
                    10f64.powf(-3.0 * (seconds - 0.25).max(0.0) / rt60_seconds) * (seconds / 0.03).min(1.0);
                let partial = |k: usize| (std::f64::consts::TAU * hz * k as f64 * seconds).sin() / k as f64;
                *frame += (gain * level * (1..=6).map(|k| partial(2 * k)).sum::<f64>()) as f32;
            }
        }
        frames
    }

    fn fall_db(frames: &[f32], forgets: bool) -> Option<f32> {
        let mut falls = Falls::new(44_100.0, forgets);
        let mut hop = Hop::SILENT;
        for chunk in frames.chunks_exact(HOP_FRAMES) {
            hop.left.copy_from_slice(chunk);
            hop.right.copy_from_slice(chunk);
            falls.listen(&hop);
        }
        falls.fall_db()
    }

    #[test]
    fn the_longer_a_sound_dies_away_the_shallower_it_falls() {
        let falls: Vec<f32> = [0.05, 0.2, 0.5, 1.5]
            .iter()
            .map(|rt60| fall_db(&notes(*rt60, 0.1), true).expect("heard"))
            .collect();
        assert!(falls.windows(2).all(|pair| pair[0] < pair[1] - 2.0), "{falls:?}");
        assert!(falls[0] < -35.0 && falls[3] > -17.0, "{falls:?}");
    }

    #[test]
    fn the_level_does_not_matter_and_silence_says_nothing() {
        let at = |gain| fall_db(&notes(0.2, gain), false).expect("heard");
        assert!((at(0.3) - at(0.01)).abs() < 0.3, "{} {}", at(0.3), at(0.01));
        assert_eq!(fall_db(&[0.0; 400_000], true), None);
        assert_eq!(fall_db(&notes(0.2, 0.1)[..44_100], true), None, "too little");
    }

    #[test]
    fn a_reset_meter_is_a_fresh_one() {
        let mut falls = Falls::new(48_000.0, true);
        let mut hop = Hop::SILENT;
        for chunk in notes(0.3, 0.2).chunks_exact(HOP_FRAMES) {
            hop.left.copy_from_slice(chunk);
            falls.listen(&hop);
        }
        falls.reset();
        hop = Hop::SILENT;
        falls.listen(&hop);
        let mut other = Falls::new(48_000.0, true);
        other.listen(&hop);
        assert_eq!(falls.fall_db(), other.fall_db());
        assert_eq!((falls.cells, falls.usual), (other.cells, other.usual));
    }

    #[test]
    fn means_at_the_ends_are_of_what_there_is() {
        let mut means = [0.0; 5];
        mean_around(&[1.0, 2.0, 3.0, 4.0, 10.0], 1, &mut means);
        assert_eq!(means, [1.5, 2.0, 3.0, 17.0 / 3.0, 7.0]);
        mean_around(&[1.0, 2.0, 3.0, 4.0, 10.0], 9, &mut means);
        assert_eq!(means, [4.0; 5]);
    }
}
