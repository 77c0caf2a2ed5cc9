//! How a song's stems stand to one another before anything is done to them, and what follows for their gains.
//!
//! A loudness target alone would make the hiss of an empty track as loud as a lead vocal, and would treat a session that was
//! recorded 40 dB too low like nothing but hiss. So the rules of kind [`Tributary`](crate::RecipeKind::Tributary) first bring
//! the *session* to a working level, by one gain for all stems, and then judge each stem against the loudest: what lies far
//! below it is bleed and is not raised, and no stem is moved by more than a bounded gain. Live the same figures come from
//! running estimates.

use serde::{Deserialize, Serialize};

use crate::analysis::loudness::measure;
use crate::rules::RecipeKind;
use crate::stem::Stem;
use crate::store::{Sides, StemStore, StoreError};

/// Loudness to which the session's gain brings its loudest stem, LUFS: about where people's balance puts stems.
pub const WORKING_LUFS: f64 = -20.0;
/// Most by which a stem is raised or lowered beside the session's gain, dB.
pub const LARGEST_GAIN_DB: f64 = 24.0;
/// A stem this far below the loudest one is bleed and stays where it is, LU.
pub const BLEED_LU: f64 = -40.0;
/// From here up a stem is raised as far as its target asks; in between less and less, LU.
const MUSIC_LU: f64 = -36.0;

/// Integrated loudness of a song's raw stems in LUFS; `None` for a stem that is missing, silent or unknown.
///
/// ```
/// use tributary_dsp::{Session, Stem};
///
/// // A voice at −24 LUFS, drums at −20, and a bass track in which there is only what its microphone overheard.
/// let session = Session { loudness_lufs: [Some(-24.0), Some(-65.0), Some(-20.0), None] };
/// assert_eq!(session.gain_db(), Some(0.0), "the loudest stem is at the working level already");
/// assert!(session.standing(Stem::Bass).is_bleed());
/// assert_eq!(session.standing(Stem::Vocals).gain_db(4.0), (4.0, None));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Session {
    /// In stem order.
    pub loudness_lufs: [Option<f64>; Stem::COUNT],
}

impl Session {
    /// Measures the raw stems of a song, in one pass over each; nothing for rules that do not compare stems.
    ///
    /// # Errors
    /// A store's reason.
    pub fn measure(
        stems: [Option<&mut dyn StemStore>; Stem::COUNT],
        kind: RecipeKind,
        sample_rate_hz: f64,
    ) -> Result<Self, StoreError> {
        let mut session = Self::default();
        if kind != RecipeKind::Tributary {
            return Ok(session);
        }
        for (loudness_lufs, store) in session.loudness_lufs.iter_mut().zip(stems) {
            if let Some(store) = store {
                *loudness_lufs = measure(store, Sides::Both, kind, sample_rate_hz)?;
            }
        }
        Ok(session)
    }

    /// One gain for all stems in dB, which brings the loudest to [`WORKING_LUFS`]; `None` when nothing is known.
    pub fn gain_db(&self) -> Option<f64> {
        Some(WORKING_LUFS - self.loudest_lufs()?)
    }

    /// How far a stem lies below the loudest, in LU, 0 or less; `None` when it is not known.
    pub fn relative_lu(&self, stem: Stem) -> Option<f64> {
        Some(self.loudness_lufs[stem.index()]? - self.loudest_lufs()?)
    }

    fn loudest_lufs(&self) -> Option<f64> {
        self.loudness_lufs.iter().flatten().copied().reduce(f64::max)
    }

    /// What follows for one stem.
    pub fn standing(&self, stem: Stem) -> Standing {
        match (self.gain_db(), self.relative_lu(stem)) {
            (Some(session_gain_db), Some(relative_lu)) => {
                let music = ((relative_lu - BLEED_LU) / (MUSIC_LU - BLEED_LU)).clamp(0.0, 1.0);
                Standing { session_gain_db: Some(session_gain_db), music }
            }
            _ => Standing::ALONE,
        }
    }
}

/// How a stem stands to the others of its session.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Standing {
    /// One gain for all stems, dB; `None` for a stem of which no session is known.
    session_gain_db: Option<f64>,
    /// 1 for music, 0 for bleed.
    music: f64,
}

/// Why a stem does not get the gain that its target asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GainLimit {
    /// It lies so far below the loudest stem that it is bleed: it is raised less, or not at all.
    Bleed,
    /// The gain would be larger than [`LARGEST_GAIN_DB`].
    Bound,
}

impl Standing {
    /// A stem of which no session is known: its target decides alone.
    pub const ALONE: Self = Self { session_gain_db: None, music: 1.0 };

    /// Whether the stem is nothing but bleed: it gets the session's gain, and no other correction.
    pub fn is_bleed(self) -> bool {
        self.music == 0.0
    }

    /// How much of a correction the stem gets: 1 for music, 0 for bleed.
    pub fn music(self) -> f64 {
        self.music
    }

    /// The gain in dB of a stem for which its target asks for `wanted_db`, and why it is not that.
    pub fn gain_db(self, wanted_db: f64) -> (f64, Option<GainLimit>) {
        let Some(session_gain_db) = self.session_gain_db else { return (wanted_db, None) };
        let own_db = wanted_db - session_gain_db;
        let bounded_db = own_db.clamp(-LARGEST_GAIN_DB, LARGEST_GAIN_DB);
        let limit = if self.music < 1.0 && own_db > 0.0 {
            Some(GainLimit::Bleed)
        } else {
            (bounded_db != own_db).then_some(GainLimit::Bound)
        };
        // What is too loud is lowered in any case.
        let music = if own_db > 0.0 { self.music } else { 1.0 };
        (session_gain_db + music * bounded_db, limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(loudness_lufs: [f64; Stem::COUNT]) -> Session {
        Session { loudness_lufs: loudness_lufs.map(Some) }
    }

    /// Gains of all stems toward −20 LUFS.
    fn gains(session: Session) -> [f64; Stem::COUNT] {
        Stem::ALL.map(|stem| {
            let loudness_lufs = session.loudness_lufs[stem.index()].expect("given");
            session.standing(stem).gain_db(-20.0 - loudness_lufs).0
        })
    }

    #[test]
    fn the_level_of_the_session_changes_nothing_but_its_gain() {
        for levels in [[-20.0, -25.0, -18.0, -30.0], [-20.0, -62.0, -57.0, -50.0]] {
            let normal = gains(session(levels));
            for shift_db in [-60.0, -36.0, 12.0] {
                let shifted = gains(session(levels.map(|lufs| lufs + shift_db)));
                for (normal, shifted) in normal.iter().zip(shifted) {
                    assert!((normal - shift_db - shifted).abs() < 1e-9, "{levels:?} {shift_db}");
                }
            }
        }
    }

    #[test]
    fn bleed_is_not_raised_and_no_gain_is_beyond_its_bound() {
        let at = |relative_lu: f64| {
            let session = session([-20.0, -20.0 + relative_lu, -25.0, -25.0]);
            session.standing(Stem::Bass).gain_db(-relative_lu)
        };
        assert_eq!(at(-10.0), (10.0, None));
        assert_eq!(at(-30.0), (24.0, Some(GainLimit::Bound)));
        assert_eq!(at(-41.0), (0.0, Some(GainLimit::Bleed)));
        let half = at(-38.0);
        assert!((half.0 - 12.0).abs() < 1e-9 && half.1 == Some(GainLimit::Bleed), "{half:?}");
        // No jump anywhere on the way.
        let steps: Vec<f64> = (0..500).map(|step| at(-0.1 * f64::from(step)).0).collect();
        assert!(steps.windows(2).all(|pair| (pair[1] - pair[0]).abs() < 0.7));
    }

    #[test]
    fn a_stem_without_a_session_gets_what_its_target_asks_for() {
        assert_eq!(Standing::ALONE.gain_db(43.0), (43.0, None));
        assert_eq!(Session::default().standing(Stem::Drums), Standing::ALONE);
        assert_eq!(Session::default().gain_db(), None);
    }
}
