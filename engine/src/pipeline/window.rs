//! The sliding window of normalized stems that models look at: context (past), hop (to be made) and lookahead
//! (future), eight planar channels. Frames are appended at the end as they arrive and the window moves on by one hop
//! at a time; what lies ahead of the window simply waits. The storage is linear, so a window is always one slice per
//! channel and a model can hand it to ONNX Runtime without gathering.

use tributary_dsp::CHANNELS;

use crate::bundle::contract::WindowGeometry;
use crate::silence;

/// Samples at or below this magnitude (−140 dB full scale) count as silence when deciding whether a window is silent.
const SILENCE_LINEAR: f32 = 1e-7;

/// Window positions are compacted to the front of the storage once this many windows' worth of frames lies behind.
const COMPACT_AFTER_WINDOWS: usize = 1;

/// Hops beyond the present one that a window shows to a model that looks ahead. With two there is always something to do
/// for a thread that would wait for another's last piece of the next hop.
pub const HOPS_SHOWN: usize = 2;

/// Normalized stems, oldest frame first, positioned at the next hop to be made.
pub struct StemWindow {
    geometry: WindowGeometry,
    channels: [Vec<f32>; CHANNELS],
    /// Index into `channels` of the current window's oldest frame.
    start: usize,
    /// Frames beyond the current window that must have arrived before it counts as complete.
    foresight_frames: usize,
    /// Frames by which the window moved since the model last ran.
    advanced: usize,
    /// One past the newest frame that is not silent among those before `examined`, as an index into `channels`.
    sound_end: usize,
    /// The first frame of the stream that is not silent, as an index into `channels`; 0 once that has gone.
    first_sound: Option<usize>,
    /// Frames before this index have been examined for sound.
    examined: usize,
}

impl StemWindow {
    /// An empty stream: the context is silence and the first hop starts at the stream's first frame.
    pub fn new(geometry: WindowGeometry) -> Self {
        let capacity =
            (COMPACT_AFTER_WINDOWS + 1) * geometry.window_frames() + (HOPS_SHOWN + 1) * geometry.hop_frames;
        let channels = std::array::from_fn(|_| {
            let mut samples = Vec::with_capacity(capacity);
            samples.resize(geometry.context_frames, 0.0);
            samples
        });
        Self {
            geometry,
            channels,
            start: 0,
            foresight_frames: 0,
            advanced: fresh_frames(geometry),
            sound_end: 0,
            first_sound: None,
            examined: 0,
        }
    }

    /// Back to an empty stream without releasing memory.
    pub fn reset(&mut self) {
        for samples in &mut self.channels {
            samples.clear();
            samples.resize(self.geometry.context_frames, 0.0);
        }
        self.start = 0;
        self.advanced = fresh_frames(self.geometry);
        (self.sound_end, self.first_sound, self.examined) = (0, None, 0);
    }

    /// Puts silence ahead of the stream, so that its hops begin where those of the song do (`anchor.rs`).
    pub(crate) fn lead_in(&mut self, frames: usize) {
        for samples in &mut self.channels {
            samples.resize(samples.len() + frames, 0.0);
        }
    }

    /// Appends frames, eight planar slices of equal length.
    pub fn append(&mut self, stems: [&[f32]; CHANNELS]) {
        for (samples, new) in self.channels.iter_mut().zip(stems) {
            samples.extend_from_slice(new);
        }
    }

    /// The window lengths.
    pub fn geometry(&self) -> WindowGeometry {
        self.geometry
    }

    /// The same window, complete only when every frame of the next [`HOPS_SHOWN`] has arrived as well: a model can then look
    /// ahead.
    pub fn showing_next(self) -> Self {
        Self { foresight_frames: HOPS_SHOWN * self.geometry.hop_frames, ..self }
    }

    /// The same window, complete as soon as its own frames have arrived: for the end of a song.
    pub fn showing_itself(self) -> Self {
        Self { foresight_frames: 0, ..self }
    }

    /// Whether every frame of the current window has arrived.
    pub fn is_complete(&self) -> bool {
        self.missing_frames() == 0
    }

    /// Frames that must still arrive before the current window is complete.
    pub fn missing_frames(&self) -> usize {
        let end = self.start + self.geometry.window_frames() + self.foresight_frames;
        end.saturating_sub(self.channels[0].len())
    }

    /// Whether the whole current window is silent. What lies ahead of it does not count: how much that is depends on how
    /// the stream was cut into blocks.
    ///
    /// # Panics
    /// When the window is not complete.
    pub fn is_silent(&mut self) -> bool {
        self.examine();
        self.sound_end <= self.start
    }

    /// Whether the stream has been silent up to the end of the hop to be made, whatever the lookahead holds.
    ///
    /// # Panics
    /// When the window is not complete.
    pub(crate) fn precedes_sound(&mut self) -> bool {
        self.examine();
        let hop_end = self.start + self.geometry.context_frames + self.geometry.hop_frames;
        self.first_sound.is_none_or(|first| first >= hop_end)
    }

    /// Looks for sound in what is new in the current window.
    fn examine(&mut self) {
        let (from, to) = (self.examined.max(self.start), self.start + self.geometry.window_frames());
        for samples in &self.channels {
            let new = &samples[from..to];
            if silence::is_silent(new) {
                continue;
            }
            if let Some(last) = new.iter().rposition(|x| x.abs() > SILENCE_LINEAR) {
                self.sound_end = self.sound_end.max(from + last + 1);
            }
        }
        if self.first_sound.is_none() && self.sound_end > from {
            let first = |samples: &Vec<f32>| samples[from..to].iter().position(|x| x.abs() > SILENCE_LINEAR);
            self.first_sound = self.channels.iter().filter_map(first).min().map(|first| from + first);
        }
        self.examined = to;
    }

    /// One channel of the current window, `geometry.window_frames()` samples, oldest first. Channel order is that of
    /// the stems, left before right.
    ///
    /// # Panics
    /// When the window is not complete.
    pub fn channel(&self, channel: usize) -> &[f32] {
        &self.channels[channel][self.start..self.start + self.geometry.window_frames()]
    }

    /// Whether every frame of the window so many hops ahead has arrived.
    pub fn shows(&self, hops: usize) -> bool {
        let end = self.start + self.geometry.window_frames() + hops * self.geometry.hop_frames;
        self.channels[0].len() >= end
    }

    /// One channel of the window so many hops ahead, as [`Self::channel`] of the current one.
    ///
    /// # Panics
    /// When [`Self::shows`] is false.
    pub fn channel_ahead(&self, hops: usize, channel: usize) -> &[f32] {
        let start = self.start + hops * self.geometry.hop_frames;
        &self.channels[channel][start..start + self.geometry.window_frames()]
    }

    /// How many of the window's newest frames the model has not seen in its last run: one hop normally, more after
    /// skipped hops, hop + lookahead at the start of a stream (the silent context is what a reset model assumes).
    pub fn advanced_frames(&self) -> usize {
        self.advanced.min(self.geometry.window_frames())
    }

    /// Moves on to the next hop without a run, which leaves the model at the start of a stream.
    pub(crate) fn advance_before_sound(&mut self) {
        self.advance(true);
        self.advanced = fresh_frames(self.geometry);
    }

    /// Moves on to the next hop. `seen` says whether the model ran on the current window.
    pub fn advance(&mut self, seen: bool) {
        let hop = self.geometry.hop_frames;
        self.advanced = if seen { hop } else { self.advanced.saturating_add(hop) };
        self.start += hop;
        if self.start >= COMPACT_AFTER_WINDOWS * self.geometry.window_frames() {
            let start = self.start;
            for samples in &mut self.channels {
                samples.copy_within(start.., 0);
                samples.truncate(samples.len() - start);
            }
            self.start = 0;
            self.sound_end = self.sound_end.saturating_sub(start);
            self.first_sound = self.first_sound.map(|first| first.saturating_sub(start));
            self.examined = self.examined.saturating_sub(start);
        }
    }
}

/// What a model has not seen of a fresh stream.
fn fresh_frames(geometry: WindowGeometry) -> usize {
    geometry.hop_frames + geometry.lookahead_frames
}
