//! What was decided for one song: the frozen correction of every effect and stem. A profile holds full corrections;
//! the recipe's amounts scale them when they are applied. It is saved with a session and written by the command line.

use serde::{Deserialize, Serialize};

use crate::stem::Stem;

pub use crate::effects::conditioning::correction::ConditioningCorrection;
pub use crate::effects::dynamics::compressor::CompressorSetting;
pub use crate::effects::dynamics::correction::DynamicsCorrection;
pub use crate::effects::equalization::correction::EqualizationCorrection;
pub use crate::effects::equalization::curve::CURVE_POINTS;
pub use crate::effects::loudness::correction::LoudnessCorrection;
pub use crate::effects::panning::correction::PanningCorrection;
pub use crate::effects::reverb::correction::ReverbCorrection;
pub use crate::effects::width::correction::WidthCorrection;

/// Frozen corrections of one stem; an absent effect leaves the stem alone.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StemProfile {
    /// Conditioning; absent where there is no offset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conditioning: Option<ConditioningCorrection>,
    /// Equalization.
    pub equalization: Option<EqualizationCorrection>,
    /// Dynamics.
    pub dynamics: Option<DynamicsCorrection>,
    /// Panning.
    pub panning: Option<PanningCorrection>,
    /// Width; absent from profiles of recipes without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<WidthCorrection>,
    /// Reverb; absent from profiles of recipes whose send does not depend on the stem.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reverb: Option<ReverbCorrection>,
    /// Loudness.
    pub loudness: Option<LoudnessCorrection>,
}

/// Frozen corrections of one song, in stem order; an absent stem (silent, too quiet or missing) passes untouched.
///
/// ```
/// use tributary_dsp::{Recipe, Stem, StereoBuffer, Targets, profile_song};
///
/// let tone: Vec<f32> = (0..88_200).map(|n| 0.5 * (n as f32 * 0.05).sin()).collect();
/// let bass = StereoBuffer::mono(tone);
/// let stems = [None, Some(&bass), None, None];
/// let profile = profile_song(stems, &Recipe::default(), &Targets::default(), 44_100.0, &mut |_| {})?;
/// assert!(profile.stem(Stem::Bass).is_some() && profile.stem(Stem::Vocals).is_none());
/// # Ok::<(), tributary_dsp::NormalizerError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SongProfile(pub [Option<StemProfile>; Stem::COUNT]);

/// Where the corrections come from.
///
/// ```
/// use tributary_dsp::{CorrectionSource, FxNormalizer, Recipe, SongProfile, Targets};
///
/// let live = FxNormalizer::new(&Recipe::default(), &Targets::default(), CorrectionSource::Adaptive, 48_000.0, 512)?;
/// let frozen = CorrectionSource::Fixed(SongProfile::default());
/// let bounced = FxNormalizer::new(&Recipe::default(), &Targets::default(), frozen, 48_000.0, 512)?;
/// assert_eq!(live.latency_samples(), bounced.latency_samples());
/// # Ok::<(), tributary_dsp::NormalizerError>(())
/// ```
#[allow(clippy::large_enum_variant, reason = "built once per engine; a box would only burden every caller")]
#[derive(Debug, Clone, PartialEq, Default)]
pub enum CorrectionSource {
    /// Running estimates, measured while the song plays.
    #[default]
    Adaptive,
    /// A profile measured beforehand.
    Fixed(SongProfile),
}

/// What is wrong with a profile.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ProfileError {
    /// A number that is not finite or far outside any sensible range.
    #[error("the profile of {stem} has an unusable value for {what}")]
    Value {
        /// Stem.
        stem: Stem,
        /// What the value is.
        what: &'static str,
    },
    /// A curve of the wrong size.
    #[error(
        "the profile of {stem} has {actual} equalization curves or points where one or two curves of {CURVE_POINTS} points belong"
    )]
    Curve {
        /// Stem.
        stem: Stem,
        /// Curves, or points of the first bad curve.
        actual: usize,
    },
}

impl SongProfile {
    /// The profile of one stem.
    pub fn stem(&self, stem: Stem) -> Option<&StemProfile> {
        self.0[stem.index()].as_ref()
    }

    /// Checks sizes and ranges, since profiles come from files and sessions.
    ///
    /// # Errors
    /// The first thing that cannot be used.
    pub fn validate(&self) -> Result<(), ProfileError> {
        for stem in Stem::ALL {
            if let Some(profile) = self.stem(stem) {
                profile.validate(stem)?;
            }
        }
        Ok(())
    }
}

/// Gains beyond this are not corrections but damage: a stem at −400 dBFS is silent.
const LARGEST_GAIN_DB: f64 = 400.0;

impl StemProfile {
    fn validate(&self, stem: Stem) -> Result<(), ProfileError> {
        let value =
            |what, usable: bool| if usable { Ok(()) } else { Err(ProfileError::Value { stem, what }) };
        let gain = |gain_db: f64| gain_db.abs() <= LARGEST_GAIN_DB;
        let high_pass = self.conditioning.map(|conditioning| conditioning.share);
        value("conditioning share", high_pass.is_none_or(|share| (0.0..=1.0).contains(&share)))?;
        if let Some(equalization) = &self.equalization {
            value("equalization gain_db", equalization.gain_db.into_iter().all(gain))?;
            let curves = &equalization.curves_db;
            if !(1..=2).contains(&curves.len()) {
                return Err(ProfileError::Curve { stem, actual: curves.len() });
            }
            if let Some(curve) = curves.iter().find(|curve| curve.len() != CURVE_POINTS) {
                return Err(ProfileError::Curve { stem, actual: curve.len() });
            }
            value("equalization curves_db", curves.iter().flatten().all(|point| gain(f64::from(*point))))?;
        }
        if let Some(dynamics) = &self.dynamics {
            value("dynamics gain_db", dynamics.gain_db.into_iter().all(gain))?;
            for setting in dynamics.compressor.into_iter().flatten() {
                value("compressor ratio", (1.0..=1000.0).contains(&setting.ratio))?;
                value("compressor threshold_db", gain(setting.threshold_db))?;
            }
        }
        value("panning side", self.panning.is_none_or(|panning| panning.side.abs() <= 1.0))?;
        value("panning balance_db", self.panning.is_none_or(|panning| gain(panning.balance_db)))?;
        let gains = self.width.iter().flat_map(|width| width.gains);
        value("width gains", gains.into_iter().all(|gain| (0.0..=1.0).contains(&gain)))?;
        let share = self.reverb.map(|reverb| reverb.share);
        value("reverb share", share.is_none_or(|share| (0.0..=1.0).contains(&share)))?;
        value("loudness gain_db", self.loudness.is_none_or(|loudness| gain(loudness.gain_db)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn song() -> SongProfile {
        let profile = StemProfile {
            conditioning: Some(ConditioningCorrection { share: 0.25 }),
            equalization: Some(EqualizationCorrection {
                gain_db: [-3.25, 1.0 / 3.0],
                curves_db: vec![(0..CURVE_POINTS).map(|point| (point as f32 * 0.1).sin()).collect()],
                fault: None,
            }),
            dynamics: Some(DynamicsCorrection {
                gain_db: [0.1, 0.2],
                compressor: [Some(CompressorSetting { ratio: 4.0, threshold_db: -18.5 }), None],
            }),
            panning: Some(PanningCorrection { side: -1.0, balance_db: 2.5 }),
            width: Some(WidthCorrection { gains: std::array::from_fn(|band| band as f32 / 30.0) }),
            reverb: Some(ReverbCorrection { share: 0.7 }),
            loudness: Some(LoudnessCorrection { gain_db: -7.123456789, limit: None }),
        };
        SongProfile([Some(profile), None, Some(StemProfile::default()), None])
    }

    #[test]
    fn json_keeps_every_bit() {
        let text = serde_json::to_string(&song()).expect("plain data");
        assert_eq!(serde_json::from_str::<SongProfile>(&text).expect("own output"), song());
    }

    #[test]
    fn damaged_profiles_are_refused() {
        assert_eq!(song().validate(), Ok(()));
        let damage = |change: fn(&mut StemProfile)| {
            let mut song = song();
            change(song.0[0].as_mut().expect("vocals"));
            song.validate()
        };
        assert!(
            damage(|profile| profile.loudness = Some(LoudnessCorrection { gain_db: f64::NAN, limit: None }))
                .is_err()
        );
        assert!(
            damage(|profile| profile.panning = Some(PanningCorrection { side: 2.0, balance_db: 0.0 }))
                .is_err()
        );
        assert!(damage(|profile| profile.width.as_mut().expect("present").gains[8] = f32::NAN).is_err());
        assert!(damage(|profile| profile.reverb = Some(ReverbCorrection { share: f32::NAN })).is_err());
        assert!(
            damage(|profile| profile.conditioning = Some(ConditioningCorrection { share: -0.1 })).is_err()
        );
        assert!(damage(|profile| profile.reverb = Some(ReverbCorrection { share: 1.5 })).is_err());
        assert!(damage(|profile| profile.equalization.as_mut().expect("present").curves_db.clear()).is_err());
        assert!(
            damage(|profile| profile.equalization.as_mut().expect("present").curves_db[0].truncate(7))
                .is_err()
        );
        assert!(
            damage(|profile| profile.equalization.as_mut().expect("present").curves_db[0][3] = f32::INFINITY)
                .is_err()
        );
    }
}
