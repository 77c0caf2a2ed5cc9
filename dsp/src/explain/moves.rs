//! An estimate as moves that a person can make on a mixing desk: a fader, a pan knob and an octave equalizer per stem.

use serde::Serialize;

use super::result::StemInMix;
use crate::effects::equalization::third_octaves::center_hz;

/// Bands of a graphic equalizer: octaves from 31.5 Hz to 16 kHz.
pub const OCTAVES: usize = 10;
/// Third octave in the middle of the lowest octave.
const LOWEST: usize = 2;
/// Third octaves of an octave.
const THIRDS: usize = 3;

/// What to do with one stem to make it stand as it does.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Moves {
    /// Fader in dB.
    pub fader_db: f32,
    /// Constant-power pan or balance knob: −1 left, 0 middle, +1 right.
    pub pan: f32,
    /// Octave equalizer, in dB against the fader; none where the stem is not heard.
    pub octaves_db: [Option<f32>; OCTAVES],
}

impl Moves {
    /// For a stem that is heard.
    pub fn of(stem: &StemInMix) -> Self {
        Self { fader_db: stem.gain_db, pan: stem.pan, octaves_db: std::array::from_fn(|n| octave(stem, n)) }
    }
}

/// Middle of an octave in Hz.
pub fn octave_hz(octave: usize) -> f64 {
    center_hz(LOWEST + THIRDS * octave)
}

/// The mean of what is heard of an octave, against the stem's gain.
fn octave(stem: &StemInMix, octave: usize) -> Option<f32> {
    let first = LOWEST - 1 + THIRDS * octave;
    let heard = stem.curve[first..first + THIRDS].iter().flatten();
    let (count, sum) = heard.fold((0, 0.0), |(count, sum), gain| (count + 1, sum + gain.gain_db));
    (count > 0).then(|| sum / count as f32 - stem.gain_db)
}
