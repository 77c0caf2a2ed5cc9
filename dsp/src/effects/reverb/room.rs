//! Rooms: impulse responses as they are read, and those of our own making.
//!
//! The published impulse responses are not public. [`ImpulseResponse::generate`] makes some of our own: decaying noise in
//! three bands, seeded, so that every machine makes the same rooms. `assets/ir` holds them as files for other programs.

use serde::{Deserialize, Serialize};

use crate::filters::noise::uniform;

/// Longest impulse response that is accepted.
pub const LONGEST_SECONDS: f64 = 10.0;
/// Largest magnitude of its samples: a normalized file at 768 kHz, brought to 44.1 kHz, stays below.
pub const LARGEST_TAP: f32 = 20.0;

/// Corners between the bands of a generated room.
const ROOM_CORNERS_HZ: [f64; 2] = [400.0, 4_000.0];
/// Energy of a generated room against the dry signal.
const ROOM_ENERGY: f64 = 0.04;

/// The rooms of our own making.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RoomName {
    /// The shortest of the paper's range.
    Chamber,
    /// The room of a recipe that names none.
    #[default]
    Hall,
    /// The longest.
    Church,
    /// A short room, for drums; shorter than the paper's and never drawn.
    Studio,
}

impl RoomName {
    /// All of them.
    pub const ALL: [RoomName; 4] = [RoomName::Chamber, RoomName::Hall, RoomName::Church, RoomName::Studio];
    /// Those among which data preparation draws when it is given no others: RT60 of 2 to 4 s, as in the paper.
    pub const DRAWN: [RoomName; 3] = [RoomName::Chamber, RoomName::Hall, RoomName::Church];

    /// Lower-case name, as in a recipe; also that of its file in `assets/ir`.
    pub const fn name(self) -> &'static str {
        match self {
            RoomName::Chamber => "chamber",
            RoomName::Hall => "hall",
            RoomName::Church => "church",
            RoomName::Studio => "studio",
        }
    }

    /// The room of that name.
    pub fn from_name(name: &str) -> Option<RoomName> {
        Self::ALL.into_iter().find(|room| room.name() == name)
    }

    /// What it sounds like.
    pub const fn room(self) -> Room {
        match self {
            RoomName::Chamber => Room { seed: 0x5eed_0fa4_0011, seconds: 2.0, rt60_seconds: [2.6, 2.3, 2.0] },
            RoomName::Hall => Room { seed: 0x5eed_0fa4_0012, seconds: 3.0, rt60_seconds: [4.0, 3.0, 2.0] },
            RoomName::Church => Room { seed: 0x5eed_0fa4_0013, seconds: 3.5, rt60_seconds: [4.0, 3.7, 2.8] },
            RoomName::Studio => Room { seed: 0x5eed_0fa4_0014, seconds: 0.6, rt60_seconds: [0.6, 0.5, 0.4] },
        }
    }
}

/// A room of our own making: noise that decays in three bands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Room {
    /// Seed of the noise.
    pub seed: u64,
    /// Length in seconds.
    pub seconds: f64,
    /// Time in which the low, middle and high band fall by 60 dB.
    pub rt60_seconds: [f64; 3],
}

/// The impulse response of a room, stereo, at the normalizer's sample rate.
///
/// ```
/// use tributary_dsp::reverb::{ImpulseResponse, RoomName};
///
/// let studio = ImpulseResponse::generate(&RoomName::Studio.room(), 44_100.0);
/// assert!(studio.frames() > 20_000);
/// assert!(ImpulseResponse::new(vec![f32::NAN], vec![0.0], 44_100.0).is_err());
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ImpulseResponse {
    left: Vec<f32>,
    right: Vec<f32>,
}

/// Why an impulse response cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ImpulseResponseError {
    /// No samples, or sides of different lengths.
    #[error(
        "the impulse response has {left} samples left and {right} right; both sides need the same, at least one"
    )]
    Length {
        /// Samples on the left.
        left: usize,
        /// Samples on the right.
        right: usize,
    },
    /// Too long.
    #[error("the impulse response lasts {0:.1} s; at most {LONGEST_SECONDS} s can be used")]
    TooLong(f64),
    /// NaN, infinity, or a level beyond sense.
    #[error("the impulse response holds values that are no numbers, or beyond {LARGEST_TAP}")]
    Value,
}

impl ImpulseResponse {
    /// Takes samples at `sample_rate_hz`; for a mono response pass the same samples twice. What precedes the largest
    /// sample is cut off, as published.
    ///
    /// # Errors
    /// No, unequal or too many samples, or values beyond ±`LARGEST_TAP`.
    pub fn new(
        mut left: Vec<f32>,
        mut right: Vec<f32>,
        sample_rate_hz: f64,
    ) -> Result<Self, ImpulseResponseError> {
        if left.is_empty() || left.len() != right.len() {
            return Err(ImpulseResponseError::Length { left: left.len(), right: right.len() });
        }
        let seconds = left.len() as f64 / sample_rate_hz;
        if seconds > LONGEST_SECONDS {
            return Err(ImpulseResponseError::TooLong(seconds));
        }
        if !left.iter().chain(&right).all(|tap| (-LARGEST_TAP..=LARGEST_TAP).contains(tap)) {
            return Err(ImpulseResponseError::Value);
        }
        let level = |n: usize| left[n].abs().max(right[n].abs());
        let peak = (1..left.len()).fold(0, |peak, n| if level(n) > level(peak) { n } else { peak });
        left.drain(..peak);
        right.drain(..peak);
        Ok(Self { left, right })
    }

    /// A room of our own making, the same for the same rate.
    pub fn generate(room: &Room, sample_rate_hz: f64) -> Self {
        let side = |seed| noise_tail(room, seed, sample_rate_hz);
        Self { left: side(room.seed), right: side(room.seed ^ 0x9e37_79b9_7f4a_7c15) }
    }

    /// Length in frames.
    pub fn frames(&self) -> usize {
        self.left.len()
    }

    /// Both sides.
    pub fn sides(&self) -> [&[f32]; 2] {
        [&self.left, &self.right]
    }
}

/// One side of the generated room.
fn noise_tail(room: &Room, seed: u64, sample_rate_hz: f64) -> Vec<f32> {
    let frames = (room.seconds * sample_rate_hz) as usize;
    let mut state = seed;
    let poles = ROOM_CORNERS_HZ.map(|corner_hz| (-std::f64::consts::TAU * corner_hz / sample_rate_hz).exp());
    let decays = room.rt60_seconds.map(|seconds| 10f64.powf(-3.0 / (seconds * sample_rate_hz)));
    let (mut lows, mut levels) = ([0.0; 2], [1.0; 3]);
    let mut tail = Vec::with_capacity(frames);
    for n in 0..frames {
        let white = 2.0 * uniform(&mut state) - 1.0;
        for (low, pole) in lows.iter_mut().zip(poles) {
            *low = white + pole * (*low - white);
        }
        let bands = [lows[0], lows[1] - lows[0], white - lows[1]];
        let sample: f64 = bands.iter().zip(levels).map(|(band, level)| band * level).sum();
        levels.iter_mut().zip(decays).for_each(|(level, decay)| *level *= decay);
        // The last tenth fades out, so that the end is no edge.
        let fade = ((frames - n) as f64 / (0.1 * frames as f64)).min(1.0);
        tail.push(sample * fade);
    }
    let energy: f64 = tail.iter().map(|sample| sample * sample).sum();
    let scale = (ROOM_ENERGY / energy.max(1e-30)).sqrt();
    tail.iter().map(|sample| (sample * scale) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Level of a stretch of the room in dB.
    fn level_db(room: &ImpulseResponse, start_s: f64) -> f64 {
        let start = (start_s * 44_100.0) as usize;
        let power: f32 = room.sides()[0][start..start + 4_410].iter().map(|sample| sample * sample).sum();
        10.0 * f64::from(power).log10()
    }

    #[test]
    fn the_generated_room_decays_as_stated_and_is_reproducible() {
        let room = ImpulseResponse::generate(&RoomName::Hall.room(), 44_100.0);
        assert_eq!(room, ImpulseResponse::generate(&RoomName::Hall.room(), 44_100.0));
        assert_ne!(room, ImpulseResponse::generate(&Room { seed: 2, ..RoomName::Hall.room() }, 44_100.0));
        let fall_db = level_db(&room, 0.0) - level_db(&room, 1.0);
        // Between 15 dB (RT60 of 4 s) and 30 dB (2 s) per second.
        assert!((15.0..30.0).contains(&fall_db), "{fall_db}");
        let product: f32 =
            room.sides()[0].iter().zip(room.sides()[1]).map(|(left, right)| left * right).sum();
        assert!(f64::from(product).abs() < 0.1 * ROOM_ENERGY, "sides are independent");
    }

    #[test]
    fn damaged_responses_are_refused() {
        assert!(ImpulseResponse::new(vec![], vec![], 44_100.0).is_err());
        assert!(ImpulseResponse::new(vec![1.0], vec![1.0, 0.0], 44_100.0).is_err());
        assert!(ImpulseResponse::new(vec![f32::NAN], vec![0.0], 44_100.0).is_err());
        assert!(ImpulseResponse::new(vec![0.5; 90_000], vec![0.5; 90_000], 8_000.0).is_err());
    }
}
