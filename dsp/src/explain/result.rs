//! An estimate of a mix as plain numbers: copied out of a worker, drawn, written as JSON.

use serde::{Serialize, Serializer};

use crate::effects::equalization::third_octaves::{THIRD_OCTAVES, center_hz};
use crate::stem::Stem;

/// What is known of a mix by its stems.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Explanation {
    /// Share of the mix's power that is the stems, each with a gain that does not change: 0 to 1. What compresses, adds
    /// room or distorts takes away from it.
    pub explained_share: f32,
    /// How long was listened, in seconds of material.
    pub heard_s: f32,
    /// In stem order.
    pub stems: [Found; Stem::COUNT],
}

/// What was found of one stem.
#[allow(clippy::large_enum_variant, reason = "a copy that is published whole and never moved in bulk")]
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Found {
    /// It does not sound.
    #[default]
    Silent,
    /// It sounds, and is not found in the mix: too quiet there, or changed beyond gain and curve.
    Unclear,
    /// It stands in the mix.
    Audible(StemInMix),
}

impl Found {
    /// Where it stands, if it is heard.
    pub fn audible(&self) -> Option<&StemInMix> {
        match self {
            Self::Audible(stem) => Some(stem),
            Self::Silent | Self::Unclear => None,
        }
    }
}

/// How one stem stands in a mix.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct StemInMix {
    /// How much louder it is in the mix than by itself, K-weighted, in dB.
    pub gain_db: f32,
    /// Standard error of the gain, in dB.
    pub error_db: f32,
    /// How loud it is against the whole mix, K-weighted, in LU.
    pub level_lu: f32,
    /// Gain of its left side in the mix's left, in dB; none where the stem has no left side.
    pub left_db: Option<f32>,
    /// The same on the right.
    pub right_db: Option<f32>,
    /// Where a constant-power pan knob stands that makes the same difference of the sides: −1 left, 0 as it was, +1 right.
    pub pan: f32,
    /// Its polarity is the opposite.
    pub inverted: bool,
    /// Gain per third octave, upward from 20 Hz; none where it is not heard in the mix.
    #[serde(serialize_with = "points")]
    pub curve: [Option<BandGain>; THIRD_OCTAVES],
}

/// Gain of a stem within one third octave.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct BandGain {
    /// Gain in dB, with that of all bands in it.
    pub gain_db: f32,
    /// Standard error in dB.
    pub error_db: f32,
}

/// A third octave of a curve in JSON.
#[derive(Serialize)]
struct Point {
    hz: f64,
    #[serde(flatten)]
    gain: BandGain,
}

/// Writes a curve as a list of its audible bands.
fn points<S: Serializer>(
    curve: &[Option<BandGain>; THIRD_OCTAVES],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let points = curve.iter().enumerate();
    serializer.collect_seq(points.filter_map(|(band, gain)| {
        let hz = (10.0 * center_hz(band)).round() / 10.0;
        gain.map(|gain| Point { hz, gain })
    }))
}
