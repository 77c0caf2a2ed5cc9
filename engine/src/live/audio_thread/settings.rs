//! What the plug-in tells the audio side in every block: a `Copy` snapshot of the parameters. The engine smooths the
//! gains itself, so a snapshot may jump.

use crate::controls::Controls;

/// What the dry signal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DrySource {
    /// The main input.
    #[default]
    Bus,
    /// The plain sum of the four stems as they arrive.
    SumOfStems,
}

/// Parameters of one block.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// Share of the mix against the dry signal, 0 to 1 (equal gain). Values outside are clamped.
    pub mix: f32,
    /// Output gain, linear. Applies to mix and dry alike, not to the bypassed signal.
    pub output_gain: f32,
    /// Brings the dry signal that `mix` and `delta` use to the loudness of the mix. The bypassed signal stays as it is.
    pub match_loudness: bool,
    /// What is heard is the mix less the dry signal, whatever `mix` says.
    pub delta: bool,
    /// Passes the main input, delayed by exactly the latency, at unity gain.
    pub bypass: bool,
    /// Which dry signal `mix` fades against and a model that is not ready is replaced by.
    pub dry_source: DrySource,
    /// The host says that it renders offline: the audio side may wait for the worker.
    pub offline: bool,
    /// The song's frame with which the block begins, while the transport moves and the host says where it is. A stream's
    /// grids are anchored to the one of its first block, or to 0 without one.
    pub song_frame: Option<i64>,
    /// What the mix of this block is to be like: heard with the block's own sound, behind the latency.
    pub controls: Controls,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            mix: 1.0,
            output_gain: 1.0,
            match_loudness: false,
            delta: false,
            bypass: false,
            dry_source: DrySource::Bus,
            offline: false,
            song_frame: None,
            controls: Controls::NEUTRAL,
        }
    }
}

/// No song is longer: a host that says so is wrong.
const LONGEST_SONG_FRAMES: i64 = 1 << 50;

impl Settings {
    /// The same settings for what follows `frames` later.
    pub(crate) fn after(self, frames: usize) -> Self {
        Self { song_frame: self.song_frame.map(|frame| frame.saturating_add(frames as i64)), ..self }
    }

    /// The same settings with every number inside its range; a NaN becomes the default.
    pub(crate) fn sanitized(self) -> Self {
        let finite = |x: f32, otherwise: f32| if x.is_finite() { x } else { otherwise };
        Self {
            mix: finite(self.mix, 1.0).clamp(0.0, 1.0),
            output_gain: finite(self.output_gain, 1.0).clamp(0.0, 64.0),
            song_frame: self
                .song_frame
                .filter(|frame| (-LONGEST_SONG_FRAMES..=LONGEST_SONG_FRAMES).contains(frame)),
            controls: self.controls.sanitized(),
            ..self
        }
    }
}
