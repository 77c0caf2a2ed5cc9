//! Watches what the mix does to the stems as they arrived, for whoever wants to see it: keeps stems until their mix is made,
//! and hands both, in step, to the estimator of `tributary_dsp::explain`. Nothing of it reaches the mix.

use std::collections::VecDeque;

use tributary_dsp::CHANNELS;
use tributary_dsp::explain::{Explanation, Observer, Watch};

/// Windows per length of a window: every third stretch is looked at, which costs a sixth of looking at all, twice.
const DENSITY: f64 = 1.0 / 3.0;
/// Material that is remembered, in seconds: a verse, but not the one before it.
const MEMORY_S: f64 = 30.0;

/// How a pipeline at this rate is watched.
pub fn watch(sample_rate_hz: f64) -> Watch {
    Watch { sample_rate_hz, density: DENSITY, memory_s: MEMORY_S }
}

/// See the module documentation.
pub(crate) struct MixWatch {
    watch: Watch,
    /// While somebody watches; kept afterwards for what it has heard.
    observer: Option<Box<Observer>>,
    is_on: bool,
    /// Frames of the stream that have come in, and those whose mix is made or given up.
    taken_frames: u64,
    made_frames: u64,
    /// Stems whose mix is still to come; the first of them is this frame of the stream.
    waiting: [VecDeque<f32>; CHANNELS],
    waiting_from: u64,
    /// Those of the mix being taken, in one piece.
    stems: [Vec<f32>; CHANNELS],
}

impl MixWatch {
    /// Nobody watches. `sample_rate_hz` is the model's rate.
    pub(crate) fn new(sample_rate_hz: f64) -> Self {
        Self {
            watch: watch(sample_rate_hz),
            observer: None,
            is_on: false,
            taken_frames: 0,
            made_frames: 0,
            waiting: Default::default(),
            waiting_from: 0,
            stems: Default::default(),
        }
    }

    /// Begins or ceases to watch. What was heard before stays, as far as it is not forgotten.
    pub(crate) fn turn(&mut self, on: bool) {
        if on == self.is_on {
            return;
        }
        self.is_on = on;
        self.waiting.iter_mut().for_each(VecDeque::clear);
        self.waiting_from = self.taken_frames;
        let new = || Box::new(Observer::new(self.watch));
        self.observer.get_or_insert_with(new).interrupt();
    }

    /// Another stream begins. What was heard stays: it is the same song, or it is forgotten in time.
    pub(crate) fn restart(&mut self) {
        self.taken_frames = 0;
        self.made_frames = 0;
        self.waiting_from = 0;
        self.waiting.iter_mut().for_each(VecDeque::clear);
        self.observer.iter_mut().for_each(|observer| observer.interrupt());
    }

    /// Stems of the stream, as they arrived.
    pub(crate) fn take_stems(&mut self, stems: [&[f32]; CHANNELS]) {
        self.taken_frames += stems[0].len() as u64;
        if self.is_on {
            self.waiting.iter_mut().zip(stems).for_each(|(waiting, stem)| waiting.extend(stem));
        }
    }

    /// Their mix.
    pub(crate) fn take_mix(&mut self, mix: [&[f32]; 2]) {
        let unwatched = self.pass(mix[0].len());
        let Some(observer) = self.observer.as_mut().filter(|_| self.is_on) else { return };
        if unwatched > 0 {
            observer.interrupt();
        }
        observer.push(self.stems.each_ref().map(Vec::as_slice), mix.map(|side| &side[unwatched..]));
    }

    /// So many frames will have no mix.
    pub(crate) fn skip(&mut self, frames: usize) {
        self.pass(frames);
        self.observer.iter_mut().for_each(|observer| observer.interrupt());
    }

    /// Moves on by so many frames of the mix and takes out their stems; returns how many of them came in unwatched.
    fn pass(&mut self, frames: usize) -> usize {
        if !self.is_on {
            self.made_frames += frames as u64;
            return frames;
        }
        let unwatched = self.waiting_from.saturating_sub(self.made_frames).min(frames as u64) as usize;
        self.made_frames += frames as u64;
        for (stem, waiting) in self.stems.iter_mut().zip(&mut self.waiting) {
            stem.clear();
            // The mix of a hop can reach beyond the stream's last frame: silence.
            let there = (frames - unwatched).min(waiting.len());
            stem.extend(waiting.drain(..there));
            stem.resize(frames - unwatched, 0.0);
        }
        self.waiting_from = self.waiting_from.max(self.made_frames);
        unwatched
    }

    /// What the mix did so far; nothing before anything was heard.
    pub(crate) fn explain(&self) -> Option<Explanation> {
        self.observer.as_ref()?.explain()
    }
}
