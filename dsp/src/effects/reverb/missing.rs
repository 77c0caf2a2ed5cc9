//! How much of a recipe's send a stem lacks: all of it when it was recorded in mono and is dry, none when somebody has given it
//! a place already.
//!
//! Two things speak against a send. A stem with a side of its own was placed by somebody; [width](super::super::width) looks
//! for that, and tells. And a voice that may be mono on purpose is wet when nothing in it falls fast ([`Falls`]). The amount
//! of reverberation itself could not be measured well enough to be matched (`docs/fx-normalization.md`), so what is found here
//! is a share of a careful send, never a send of its own.

use crate::analysis::estimates::Glide;
use crate::effects::reverb::correction::ReverbCorrection;
use crate::effects::reverb::falls::Falls;
use crate::findings::Findings;
use crate::hop::{HOP_FRAMES, Hop};
use crate::stem::Stem;
use crate::store::{StemStore, StoreError, for_each_hop};

/// A voice whose steepest falls are deeper than this is dry, dB.
const DRY_FALL_DB: f32 = -22.8;
/// One in which nothing falls further is wet, dB.
const WET_FALL_DB: f32 = -19.5;
/// Hops between two looks at what is missing.
const LOOK_HOPS: usize = 8;

/// How dry a voice is, 0 to 1. Not known yet: not at all, so that a room never comes too early and goes again.
fn dryness(fall_db: Option<f32>) -> f32 {
    let way =
        fall_db.map_or(0.0, |fall_db| (WET_FALL_DB - fall_db) / (WET_FALL_DB - DRY_FALL_DB)).clamp(0.0, 1.0);
    way * way * (3.0 - 2.0 * way)
}

/// The share of a send that a stem lacks, from what is known of it.
fn lacking(findings: &Findings, falls: Option<&Falls>) -> f32 {
    let dry = falls.map_or(1.0, |falls| dryness(falls.fall_db()));
    findings.mono.unwrap_or(0.0) * dry
}

/// The meter, of stems of which it says something.
fn falls(stem: Stem, sample_rate_hz: f64, forgets: bool) -> Option<Falls> {
    (stem == Stem::Vocals).then(|| Falls::new(sample_rate_hz, forgets))
}

/// The full correction of a complete stem.
///
/// # Errors
/// The store's reason.
pub(crate) fn correction(
    store: &mut dyn StemStore,
    stem: Stem,
    findings: &Findings,
    sample_rate_hz: f64,
) -> Result<ReverbCorrection, StoreError> {
    let mut falls = falls(stem, sample_rate_hz, false);
    if let Some(falls) = &mut falls {
        for_each_hop(store, |hop, _| falls.listen(hop))?;
    }
    Ok(ReverbCorrection { share: lacking(findings, falls.as_ref()) })
}

/// The same, followed while the stem plays.
#[derive(Debug)]
pub(crate) struct Missing {
    falls: Option<Falls>,
    share: Glide,
    hops: usize,
}

impl Missing {
    /// Nothing heard: no reverb.
    pub fn new(stem: Stem, sample_rate_hz: f64) -> Self {
        let look_seconds = (LOOK_HOPS * HOP_FRAMES) as f64 / sample_rate_hz;
        Self { falls: falls(stem, sample_rate_hz, true), share: Glide::new(0.0, look_seconds), hops: 0 }
    }

    /// Listens to a hop.
    pub fn listen(&mut self, hop: &Hop) {
        if let Some(falls) = &mut self.falls {
            falls.listen(hop);
        }
        self.hops = (self.hops + 1) % LOOK_HOPS;
    }

    /// Moves the share toward what is lacking; `music` is 0 for bleed. Returns the share at the hop's end.
    pub fn follow(&mut self, findings: &Findings, music: f32) -> f32 {
        if self.hops == 0 {
            self.share.advance(f64::from(music * lacking(findings, self.falls.as_ref())));
        }
        self.share.value() as f32
    }

    /// Nothing has been heard.
    pub fn forget(&mut self) {
        self.falls.iter_mut().for_each(Falls::reset);
        self.hops = 0;
    }

    /// Nothing is lacking.
    pub fn let_go(&mut self) {
        self.share.set(0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_placed_or_unknown_gets_nothing_and_a_voice_must_be_dry_too() {
        let of = |mono| Findings { mono };
        assert_eq!(lacking(&of(None), None), 0.0);
        assert_eq!(lacking(&of(Some(0.0)), None), 0.0);
        assert_eq!(lacking(&of(Some(0.5)), None), 0.5);
        let unheard = Falls::new(44_100.0, true);
        assert_eq!(lacking(&of(Some(1.0)), Some(&unheard)), 0.0);
        let shares = [-30.0, -21.2, -15.0].map(|fall_db| dryness(Some(fall_db)));
        assert!(shares[0] == 1.0 && (0.3..0.7).contains(&shares[1]) && shares[2] == 0.0, "{shares:?}");
    }
}
