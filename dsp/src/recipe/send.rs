//! How stems are sent to a room: whether, how loudly each, through which filters, and into which room. The largest part of a
//! recipe, and the only one that can name a file.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::effects::reverb::room::{ImpulseResponse, RoomName};
use crate::stem::Stem;
use crate::units::gain_from_db;

/// How loudly each stem is sent to the reverb, in dB; a stem without a level (`null`) is not sent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SendLevels {
    /// Vocals, 0 dB unless said otherwise.
    pub vocals: Option<f64>,
    /// Bass, not sent unless said otherwise.
    pub bass: Option<f64>,
    /// Drums, not sent unless said otherwise.
    pub drums: Option<f64>,
    /// Other, 0 dB unless said otherwise.
    pub other: Option<f64>,
}

impl Default for SendLevels {
    /// The paper's: vocals and other.
    fn default() -> Self {
        Self { vocals: Some(0.0), bass: None, drums: None, other: Some(0.0) }
    }
}

impl SendLevels {
    /// Lowest and highest level.
    pub const RANGE_DB: std::ops::RangeInclusive<f64> = -60.0..=12.0;

    /// Level of one stem.
    pub fn stem(&self, stem: Stem) -> Option<f64> {
        match stem {
            Stem::Vocals => self.vocals,
            Stem::Bass => self.bass,
            Stem::Drums => self.drums,
            Stem::Other => self.other,
        }
    }

    /// Mutable level of one stem.
    pub fn stem_mut(&mut self, stem: Stem) -> &mut Option<f64> {
        match stem {
            Stem::Vocals => &mut self.vocals,
            Stem::Bass => &mut self.bass,
            Stem::Drums => &mut self.drums,
            Stem::Other => &mut self.other,
        }
    }
}

/// What says nothing new is not written, so that recipes without it read as they always did.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// The file of an impulse response, for whoever reads files on behalf of this crate: in a model bundle a file beside the
/// contract. The checksum makes it part of what identifies a recipe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoomFile {
    /// Name of the WAV or FLAC file.
    pub file: String,
    /// Lower-case hexadecimal SHA-256 of the file.
    pub sha256: String,
}

/// The reverb send before the chain.
///
/// ```
/// use tributary_dsp::Stem;
/// use tributary_dsp::recipe::ReverbSetting;
///
/// let reverb = ReverbSetting { enabled: true, amount: 0.5, ..ReverbSetting::default() };
/// assert_eq!(reverb.gain(Stem::Vocals), Some(0.5));
/// assert_eq!(reverb.gain(Stem::Bass), None, "not sent unless a level says so");
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReverbSetting {
    /// Off by default.
    pub enabled: bool,
    /// Level of the reverberated signal, 0 to 1 (linear), for all stems.
    pub amount: f64,
    /// Level of each stem's send on top of that.
    #[serde(skip_serializing_if = "is_default")]
    pub levels_db: SendLevels,
    /// Corner of the send's low shelf (−30 dB below), 500 to 700 Hz.
    pub low_shelf_hz: f64,
    /// Corner of the send's high shelf (−30 dB above), 7000 to 10000 Hz.
    pub high_shelf_hz: f64,
    /// The room of our own making that is sent to when there is no impulse response.
    #[serde(skip_serializing_if = "is_default")]
    pub generated: RoomName,
    /// The impulse response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub impulse_response: Option<RoomFile>,
    /// What that file holds, at the normalizer's sample rate.
    #[serde(skip)]
    pub room: Option<Arc<ImpulseResponse>>,
}

impl Default for ReverbSetting {
    fn default() -> Self {
        Self {
            enabled: false,
            amount: 1.0,
            levels_db: SendLevels::default(),
            low_shelf_hz: 600.0,
            high_shelf_hz: 8500.0,
            generated: RoomName::default(),
            impulse_response: None,
            room: None,
        }
    }
}

impl ReverbSetting {
    /// Gain of a stem's send, linear; `None` where there is none.
    pub fn gain(&self, stem: Stem) -> Option<f64> {
        let level_db = self.levels_db.stem(stem).filter(|_| self.enabled && self.amount > 0.0)?;
        Some(self.amount * gain_from_db(level_db))
    }
}
