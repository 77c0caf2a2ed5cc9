//! Window lengths: how much past and future a model sees, how much it makes at a time and how long that may take. Apart from
//! the contract because everything in the engine that counts frames needs these numbers and nothing else of it.

use super::limits::{FRAME_RATIO, SPLIT_MARGIN_FRAMES, WINDOW_LIMIT_FRAMES};

/// Window lengths in frames at the model's rate, after checking.
///
/// ```
/// use tributary_engine::WindowGeometry;
///
/// assert!(WindowGeometry::DEFAULT.check().is_ok());
/// let endless = WindowGeometry { hop_frames: usize::MAX, ..WindowGeometry::DEFAULT };
/// assert!(endless.check().is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowGeometry {
    /// Sample rate the model works at.
    pub sample_rate_hz: u32,
    /// Past frames the model sees.
    pub context_frames: usize,
    /// Frames made per run.
    pub hop_frames: usize,
    /// Future frames the model sees; holds margin and crossfade.
    pub lookahead_frames: usize,
    /// Frames over which consecutive hops are joined.
    pub crossfade_frames: usize,
    /// Newest frames the model cannot use yet (front end of a split network); 0 for others.
    pub margin_frames: usize,
    /// The time for a run from the moment its window is complete, in frames; what it takes in real time is latency.
    pub computing_frames: usize,
}

impl WindowGeometry {
    /// The window of the bundled default model. Used while no bundle can be read, so that the latency a host sees
    /// stays the usual one and the dry signal is aligned.
    pub const DEFAULT: Self = Self {
        sample_rate_hz: 44_100,
        context_frames: 22_016,
        hop_frames: 11_008,
        lookahead_frames: 10_240,
        crossfade_frames: 1_024,
        margin_frames: SPLIT_MARGIN_FRAMES,
        computing_frames: 3_172,
    };

    /// Context + hop + lookahead.
    pub fn window_frames(&self) -> usize {
        self.context_frames + self.hop_frames + self.lookahead_frames
    }

    /// Frames a model writes per run: hop + crossfade.
    pub fn mix_frames(&self) -> usize {
        self.hop_frames + self.crossfade_frames
    }

    /// Checks the lengths against each other.
    ///
    /// # Errors
    /// A sentence that names the field, its value and the rule.
    pub fn check(&self) -> Result<(), String> {
        let lengths = [
            ("context_frames", self.context_frames),
            ("hop_frames", self.hop_frames),
            ("lookahead_frames", self.lookahead_frames),
            ("crossfade_frames", self.crossfade_frames),
            ("margin_frames", self.margin_frames),
        ];
        for (name, value) in lengths {
            if value > WINDOW_LIMIT_FRAMES {
                return Err(format!("{name} is {value}; at most {WINDOW_LIMIT_FRAMES} are allowed"));
            }
            if !value.is_multiple_of(FRAME_RATIO) {
                return Err(format!("{name} is {value}; it must be a multiple of {FRAME_RATIO}"));
            }
        }
        if !(8_000..=192_000).contains(&self.sample_rate_hz) {
            return Err(format!("sample_rate_hz is {}; expected 8000 to 192000", self.sample_rate_hz));
        }
        if self.hop_frames == 0 {
            return Err("hop_frames is 0; a run must make at least one frame".into());
        }
        if !(1..=WINDOW_LIMIT_FRAMES).contains(&self.computing_frames) {
            return Err(format!(
                "computing_frames is {}; expected 1 to {WINDOW_LIMIT_FRAMES}",
                self.computing_frames
            ));
        }
        if self.crossfade_frames > self.hop_frames {
            return Err(format!(
                "crossfade_frames is {} and hop_frames is {}; a crossfade must fit into a hop",
                self.crossfade_frames, self.hop_frames
            ));
        }
        if self.lookahead_frames < self.crossfade_frames + self.margin_frames {
            return Err(format!(
                "lookahead_frames is {}; it must hold crossfade_frames and the margin, {} together",
                self.lookahead_frames,
                self.crossfade_frames + self.margin_frames
            ));
        }
        if self.window_frames() > WINDOW_LIMIT_FRAMES {
            return Err(format!(
                "the window is {} frames long; at most {WINDOW_LIMIT_FRAMES} are allowed",
                self.window_frames()
            ));
        }
        Ok(())
    }
}
