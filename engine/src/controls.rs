//! What an engineer asks of the mix beside what is decided automatically. A `Copy` snapshot: it travels with the audio and
//! is in force from a frame on, and whoever applies it glides from one to the next, so snapshots may jump.

use serde::Serialize;
use tributary_dsp::{Amounts, Stem};

/// How far a stem can be trimmed to either side of 0, in dB.
pub const TRIM_RANGE_DB: f32 = 12.0;

/// What is asked of one stem, behind its normalization and ahead of the network.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct StemControls {
    /// Gain in dB, within [`TRIM_RANGE_DB`].
    pub trim_db: f32,
    /// The stem is silent.
    pub mute: bool,
    /// Every stem is silent that is not soloed; the stem itself is silent only if it is muted.
    pub solo: bool,
    /// The stem is not normalized: what goes into the mix is what came in, to the bit, only delayed (and trimmed).
    pub leave_alone: bool,
    /// The stem's corrections stay as they are, whatever is heard of it and whatever else would take over.
    pub lock: bool,
    /// How much of each effect's correction is let through, on top of [`Controls::amounts`].
    pub amounts: Amounts,
}

impl StemControls {
    /// Nothing is asked.
    pub const NEUTRAL: Self = Self {
        trim_db: 0.0,
        mute: false,
        solo: false,
        leave_alone: false,
        lock: false,
        amounts: Amounts::FULL,
    };
}

/// What is asked of the mix. [`Controls::NEUTRAL`] changes no bit.
///
/// ```
/// use tributary_dsp::Stem;
/// use tributary_engine::Controls;
///
/// let mut controls = Controls { network: 0.7, ..Controls::default() };
/// controls.stems[Stem::Vocals.index()].trim_db = 40.0;
/// assert_eq!(controls.sanitized().stems[0].trim_db, 12.0, "what a host asks for is bounded");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Controls {
    /// Of each stem, in stem order.
    pub stems: [StemControls; Stem::COUNT],
    /// How far the mix goes from the plain sum of the stems, normalized and trimmed (0), to the network's (1).
    pub network: f32,
    /// How much of each effect's correction is let through, of every stem.
    pub amounts: Amounts,
}

impl Default for Controls {
    fn default() -> Self {
        Self::NEUTRAL
    }
}

impl Controls {
    /// Nothing is asked.
    pub const NEUTRAL: Self =
        Self { stems: [StemControls::NEUTRAL; Stem::COUNT], network: 1.0, amounts: Amounts::FULL };

    /// The same controls with every number inside its range; a NaN becomes the default.
    pub fn sanitized(mut self) -> Self {
        for stem in &mut self.stems {
            stem.trim_db = within(stem.trim_db, -TRIM_RANGE_DB, TRIM_RANGE_DB, 0.0);
            clean(&mut stem.amounts);
        }
        clean(&mut self.amounts);
        self.network = within(self.network, 0.0, 1.0, 1.0);
        self
    }

    /// Whether every stem is normalized as the recipe says.
    pub fn normalizes_fully(&self) -> bool {
        let full = |stem: &StemControls| !stem.leave_alone && stem.amounts == Amounts::FULL;
        self.amounts == Amounts::FULL && self.stems.iter().all(full)
    }

    /// Gain of each stem, linear: 0 where it is muted, or another one is soloed; exactly 1 where nothing is asked.
    pub(crate) fn stem_gains(&self) -> [f64; Stem::COUNT] {
        let soloed = self.stems.iter().any(|stem| stem.solo);
        self.stems.map(|stem| match stem {
            StemControls { mute: true, .. } => 0.0,
            StemControls { solo: false, .. } if soloed => 0.0,
            StemControls { trim_db, .. } => 10f64.powf(f64::from(trim_db) / 20.0),
        })
    }
}

/// Shares from 0 to 1.
fn clean(amounts: &mut Amounts) {
    amounts.each_mut().into_iter().for_each(|share| *share = within(*share, 0.0, 1.0, 1.0));
}

fn within(value: f32, least: f32, most: f32, otherwise: f32) -> f32 {
    if value.is_nan() { otherwise } else { value.clamp(least, most) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_solo_silences_the_others_and_a_mute_the_soloed() {
        let mut controls = Controls::NEUTRAL;
        assert_eq!(controls.stem_gains(), [1.0; 4]);
        controls.stems[1].solo = true;
        controls.stems[2].solo = true;
        controls.stems[2].mute = true;
        controls.stems[3].trim_db = 6.0;
        assert_eq!(controls.stem_gains(), [0.0, 1.0, 0.0, 0.0]);
        controls.stems[3].solo = true;
        assert!((controls.stem_gains()[3] - 1.995).abs() < 1e-3);
    }

    #[test]
    fn numbers_come_into_range() {
        for (asked, meant) in [(f32::NAN, 0.0), (99.0, 12.0), (f32::NEG_INFINITY, -12.0), (-3.0, -3.0)] {
            let mut controls = Controls::NEUTRAL;
            controls.stems[0].trim_db = asked;
            assert_eq!(controls.sanitized().stems[0].trim_db, meant);
        }
    }
}
