//! What the chain does to one stem at this moment, effect by effect, for display. An effect that does nothing, or nothing
//! yet – switched off, or live without material – has no reading.

use crate::effects::equalization::faults::Fault;
use crate::session::GainLimit;

/// What is done to one stem.
///
/// ```
/// use tributary_dsp::StemReading;
/// use tributary_dsp::LoudnessReading;
///
/// let loudness = Some(LoudnessReading { gain_db: 3.24, limit: None });
/// let reading = StemReading { loudness, ..StemReading::default() };
/// assert_eq!(reading.decision(), "as it came; level +3.2 dB");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct StemReading {
    /// Equalization.
    pub equalization: Option<EqualizationReading>,
    /// Dynamics.
    pub dynamics: Option<DynamicsReading>,
    /// Panning.
    pub panning: Option<PanningReading>,
    /// Width.
    pub width: Option<WidthReading>,
    /// Reverb; none for one that is the same for every stem.
    pub reverb: Option<ReverbReading>,
    /// Loudness.
    pub loudness: Option<LoudnessReading>,
}

/// What the equalizer does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EqualizationReading {
    /// Gain ahead of the filter in dB, after the amount.
    pub gain_db: f32,
    /// What is mended, by rules that look for faults.
    pub fault: Option<Fault>,
    /// Deepest cut and highest boost of the filter in dB, after the amount; 0 where it is flat.
    pub range_db: [f32; 2],
}

/// What the compressor does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DynamicsReading {
    /// Largest gain reduction within the last hop in dB, positive.
    pub gain_reduction_db: f32,
    /// Threshold in dBFS of the peak-normalized stem; 0 when it does not compress.
    pub threshold_db: f32,
    /// Ratio before the amount; 1 when it does not compress.
    pub ratio: f32,
}

/// Where panning puts the stem.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PanningReading {
    /// Position of the offset: −1 left, 0 none, +1 right.
    pub side: f32,
    /// Gain of the right side against the left in dB, after the amount, by rules that bring a leaning stem back.
    pub balance_db: f32,
}

/// How much wider the stem is made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WidthReading {
    /// Added side against the middle, linear, after the amount; 0 where none is added.
    pub added_side: f32,
}

/// How much of the stem is sent to the room.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReverbReading {
    /// Level of the send, linear, after the amount.
    pub send: f32,
}

/// What the loudness matcher does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LoudnessReading {
    /// Gain in dB, after the amount.
    pub gain_db: f32,
    /// Why it is not the gain that the target asks for, if it is not.
    pub limit: Option<GainLimit>,
}
